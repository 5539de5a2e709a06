//! A checksum of the accounts that earlier invocations have passed.

use contract::AccountId;
use serde::{Deserialize, Serialize};

/// A checksum of accounts in their order, which detects that the stage's list has changed since a token was issued.
///
/// It is a 32-bit FNV-1a (RFC 9923), which is the same in every build. It guards against a deployment between two
/// invocations, not against forgery: a token grants no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct PrefixChecksum(u32);

impl Default for PrefixChecksum {
    /// The checksum of no accounts.
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl PrefixChecksum {
    /// Appends accounts.
    pub(crate) fn and<'a>(self, accounts: impl IntoIterator<Item = &'a AccountId>) -> Self {
        let bytes = accounts
            .into_iter()
            .flat_map(|account| account.as_str().bytes());
        Self(bytes.fold(self.0, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        }))
    }
}

/// The accounts at the start of a list that earlier invocations have passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PassedAccounts {
    /// Their number.
    pub(crate) count: usize,
    /// Their checksum, in order.
    pub(crate) checksum: PrefixChecksum,
}

impl PassedAccounts {
    /// Appends accounts.
    pub(crate) fn and<'a>(
        self,
        accounts: impl IntoIterator<Item = &'a AccountId, IntoIter: ExactSizeIterator>,
    ) -> Self {
        let accounts = accounts.into_iter();
        Self {
            count: self.count.saturating_add(accounts.len()),
            checksum: self.checksum.and(accounts),
        }
    }
}

impl From<PrefixChecksum> for String {
    fn from(seen: PrefixChecksum) -> Self {
        format!("{:08x}", seen.0)
    }
}

impl TryFrom<String> for PrefixChecksum {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match u32::from_str_radix(&text, 16) {
            Ok(hash) if String::from(Self(hash)) == text => Ok(Self(hash)),
            _ => Err("eight hexadecimal digits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> PrefixChecksum {
        let ids: Vec<AccountId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        PrefixChecksum::default().and(&ids)
    }

    #[test]
    fn each_account_and_the_order_count() {
        let [one, two] = ["000000000001", "000000000002"];
        let all = [
            of(&[]),
            of(&[one]),
            of(&[two]),
            of(&[one, two]),
            of(&[two, one]),
        ];
        for (index, seen) in all.iter().enumerate() {
            assert!(!all[..index].contains(seen));
        }
        assert_eq!(
            of(&[one]).and(&["000000000002".parse().unwrap()]),
            of(&[one, two])
        );
    }

    #[test]
    fn it_is_written_in_eight_digits_that_never_change() {
        assert_eq!(String::from(of(&[])), "811c9dc5");
        let written = String::from(of(&["222222222222"]));
        assert_eq!(written.len(), 8);
        assert_eq!(PrefixChecksum::try_from(written), Ok(of(&["222222222222"])));
        for other in ["", "811c9dc", "+11c9dc5", "811C9DC5", "0811c9dc5"] {
            assert!(
                PrefixChecksum::try_from(other.to_owned()).is_err(),
                "{other}"
            );
        }
    }
}
