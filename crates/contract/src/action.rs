//! The actions: what the function reads in a Target account.

/// An action: what the function reads in a Target account, and the permissions that it needs there.
///
/// The session policy, the grants of the read role, the diagram and the diagnosis follow from it.
///
/// ```
/// use contract::ActionSpec;
///
/// assert_eq!(ActionSpec::S3_BUCKETS.permissions(), "s3:ListAllMyBuckets");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionSpec {
    /// The name, which does not change between releases.
    pub name: &'static str,
    /// One line without a final period.
    pub description: &'static str,
    /// The IAM actions that the read role must allow on `*`.
    pub iam_actions: &'static [&'static str],
    /// What one request covers.
    pub scope: Scope,
    /// The key of the items in an account's entry of the response.
    pub items_key: &'static str,
    /// The fields of an item with details, in the order of the response.
    pub item_fields: &'static [Field],
    /// The `errorType` if the Target account denies a request.
    pub denied_error_type: &'static str,
}

/// What one request of an action covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole account.
    Account,
}

/// A field of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The JSON key.
    pub name: &'static str,
    /// The meaning, with type and unit.
    pub description: &'static str,
}

impl ActionSpec {
    /// All actions.
    pub const ALL: [Self; 1] = [Self::S3_BUCKETS];

    /// The S3 buckets of the account.
    pub const S3_BUCKETS: Self = Self {
        name: "s3-buckets",
        description: "List the S3 buckets of an account",
        iam_actions: &["s3:ListAllMyBuckets"],
        scope: Scope::Account,
        items_key: "buckets",
        item_fields: &[
            Field {
                name: "name",
                description: "The name of the bucket",
            },
            Field {
                name: "region",
                description: "The region of the bucket, such as `eu-central-1`",
            },
            Field {
                name: "created",
                description: "The creation date, in RFC 3339 and UTC",
            },
        ],
        denied_error_type: "ListBucketsDenied",
    };

    /// The IAM actions as text, for messages.
    pub fn permissions(&self) -> String {
        self.iam_actions.join(", ")
    }

    /// The session policy that limits a session to this action (IAM user guide, "Session policies"). STS accepts up to
    /// 2,048 characters.
    pub fn session_policy(&self) -> String {
        // No name of an IAM action has a character that JSON escapes.
        let actions = match self.iam_actions {
            [action] => format!("{action:?}"),
            actions => format!("{actions:?}"),
        };
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"*"}}]}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_policy_allows_exactly_the_iam_actions() {
        let one = ActionSpec::S3_BUCKETS.session_policy();
        assert_eq!(
            one,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#
        );
        let two = ActionSpec {
            iam_actions: &["iam:GetAccountSummary", "iam:GetCredentialReport"],
            ..ActionSpec::S3_BUCKETS
        };
        let policy: serde_json::Value = serde_json::from_str(&two.session_policy()).unwrap();
        assert_eq!(
            policy["Statement"][0]["Action"],
            serde_json::json!(["iam:GetAccountSummary", "iam:GetCredentialReport"])
        );
    }

    #[test]
    fn every_action_fits_in_a_session_policy() {
        for action in ActionSpec::ALL {
            assert!(action.session_policy().len() <= 2_048, "{}", action.name);
        }
    }
}
