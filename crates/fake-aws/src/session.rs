//! Sessions, which need no storage: the access key contains account and number.

/// The prefix of session tokens, so that a test can search output for leaked ones.
const TOKEN: &str = "FakeSessionToken";

/// The prefix of secret access keys.
const SECRET: &str = "FakeSecretKey";

/// An issued session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    /// 12 digits.
    pub(crate) account: &'a str,
    /// From 0 per account, and again from 0 after 9,999.
    pub(crate) number: u32,
}

impl<'a> Session<'a> {
    /// `ASIA`, the account, four digits: 20 characters, as in AWS.
    pub(crate) fn access_key(&self) -> String {
        format!("ASIA{}{:04}", self.account, self.number % 10_000)
    }

    /// 40 characters, as in AWS.
    pub(crate) fn secret(&self) -> String {
        format!("{SECRET}+/{}/{:0>8}", self.access_key(), 0)[..40].to_owned()
    }

    /// Some 800 characters, as in AWS, so that requests have their real size.
    pub(crate) fn token(&self) -> String {
        format!("{TOKEN}//{}{}=", self.access_key(), "x".repeat(760))
    }

    /// The session of an access key, if it was issued here.
    pub(crate) fn of(access_key: &'a str) -> Option<Self> {
        let rest = access_key.strip_prefix("ASIA")?;
        let account = rest.get(..12)?;
        let number = rest.get(12..).filter(|digits| digits.len() == 4)?;
        Some(Self {
            account,
            number: number.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_key_tells_its_session() {
        let session = Session {
            account: "012345678901",
            number: 42,
        };
        let key = session.access_key();
        assert_eq!((key.len(), session.secret().len()), (20, 40));
        assert_eq!(Session::of(&key), Some(session));
        for key in [
            "",
            "AKIDEXAMPLE",
            "ASIA",
            "ASIA0123456789010",
            "ASIA012345678901000x",
        ] {
            assert_eq!(Session::of(key), None, "{key}");
        }
    }
}
