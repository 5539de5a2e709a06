//! Generates random requests.

use fastrand::Rng;

use crate::generator::choose;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Caller {
    /// The account of a role, the ARN of the role and the ARN of one of its sessions.
    Role(&'static str, &'static str, &'static str),
    /// The account of a user and the ARN of the user, or of the root user.
    User(&'static str, &'static str),
    Service(&'static str),
}

const CALLERS: [Caller; 8] = [
    Caller::Role(
        "111111111111",
        "arn:aws:iam::111111111111:role/E",
        "arn:aws:sts::111111111111:assumed-role/E/S",
    ),
    Caller::Role(
        "111111111111",
        "arn:aws:iam::111111111111:role/E",
        "arn:aws:sts::111111111111:assumed-role/E/T",
    ),
    Caller::Role(
        "111111111111",
        "arn:aws:iam::111111111111:role/G",
        "arn:aws:sts::111111111111:assumed-role/G/S",
    ),
    Caller::Role(
        "222222222222",
        "arn:aws:iam::222222222222:role/F",
        "arn:aws:sts::222222222222:assumed-role/F/S",
    ),
    Caller::User("111111111111", "arn:aws:iam::111111111111:user/bob"),
    Caller::User("111111111111", "arn:aws:iam::111111111111:root"),
    Caller::Service("lambda.amazonaws.com"),
    Caller::Service("ec2.amazonaws.com"),
];

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) caller: Caller,
    pub(crate) external_id: Option<&'static str>,
    pub(crate) organization: Option<&'static str>,
    pub(crate) username: Option<&'static str>,
    pub(crate) tag_keys: Vec<&'static str>,
}

impl Request {
    pub(crate) fn sample(rng: &mut Rng) -> Self {
        Self {
            action: choose(
                rng,
                &[
                    "sts:AssumeRole",
                    "sts:TagSession",
                    "s3:GetObject",
                    "s3:ListBucket",
                ],
            ),
            resource: choose(
                rng,
                &[
                    "arn:aws:s3:::a",
                    "arn:aws:s3:::ab",
                    "arn:aws:s3:::a/b",
                    "arn:aws:s3:::a/bob",
                    "arn:aws:s3:::a/*",
                    "arn:aws:s3:::a/${aws:username}",
                    "arn:aws:s3:::a/${*}",
                    "arn:aws:iam::222222222222:role/R",
                    "arn:aws:iam::333333333333:role/R",
                    "arn:aws:iam::222222222222:role/p/R",
                    "arn:aws:iam::9:2:role/R",
                    "arn:aws:iam::222222222222:x:R",
                ],
            ),
            caller: choose(rng, &CALLERS),
            external_id: choose(
                rng,
                &[
                    None,
                    Some("a"),
                    Some("A"),
                    Some("ab"),
                    Some("b"),
                    Some("*"),
                    Some("a*"),
                    Some("bob"),
                    Some("xbob"),
                    Some("${aws:username}"),
                    Some("${*}"),
                ],
            ),
            organization: choose(
                rng,
                &[None, Some("o-1"), Some("O-1"), Some("o-2"), Some("o-*")],
            ),
            username: choose(rng, &[None, Some("bob"), Some("b"), Some("a"), Some("*")]),
            tag_keys: match rng.usize(..4) {
                0 => vec![],
                1 => vec!["a"],
                2 => vec!["a", "b"],
                _ => vec!["ab"],
            },
        }
    }

    pub(crate) fn of_key(&self, key: &str) -> Vec<&'static str> {
        match key.to_ascii_lowercase().as_str() {
            "aws:principalarn" => match self.caller {
                Caller::Role(_, arn, _) | Caller::User(_, arn) => vec![arn],
                Caller::Service(_) => vec![],
            },
            "sts:externalid" => self.external_id.into_iter().collect(),
            "aws:principalorgid" => self.organization.into_iter().collect(),
            "aws:username" => self.username.into_iter().collect(),
            "aws:tagkeys" => self.tag_keys.clone(),
            other => unreachable!("{other}"),
        }
    }
}
