//! Sessions, which need no memory: account and number stand in the access key.

/// What a session token begins with, so that a test can search for it where it must not be.
const TOKEN: &str = "FakeSessionToken";

/// What a secret access key begins with.
const SECRET: &str = "FakeSecretKey";

/// A session that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    /// 12 digits.
    pub(crate) account: &'a str,
    /// Counted from 0 for each account, and again from 0 after 9,999.
    pub(crate) number: u32,
}

impl<'a> Session<'a> {
    /// `ASIA`, the account, four digits: 20 characters, as AWS's have.
    pub(crate) fn access_key(&self) -> String {
        format!("ASIA{}{:04}", self.account, self.number % 10_000)
    }

    /// 40 characters, as AWS's have.
    pub(crate) fn secret(&self) -> String {
        format!("{SECRET}+/{}/{:0>8}", self.access_key(), 0)[..40].to_owned()
    }

    /// Some 800 characters, as AWS's have, so that requests have their real size.
    pub(crate) fn token(&self) -> String {
        format!("{TOKEN}//{}{}=", self.access_key(), "x".repeat(760))
    }

    /// The session of an access key, where it is one of ours.
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
