//! The function's configuration: what the generator writes and the function reads.

use std::{collections::BTreeMap, str::FromStr};

use crate::{InvalidValue, LogLevel, Target};

/// The names of the function's environment variables.
pub mod variable {
    /// The account to list: 12 digits. Required.
    pub const TARGET_ACCOUNT_ID: &str = "TARGET_ACCOUNT_ID";
    /// The role to assume there: `NAME` or `path/NAME`. Required.
    pub const S3_READ_ROLE: &str = "S3_READ_ROLE";
    /// The external ID that the role's trust policy asks for. Optional.
    pub const EXTERNAL_ID: &str = "EXTERNAL_ID";
    /// How much to log: trace, debug, info, warn or error. Optional; Lambda's own `AWS_LAMBDA_LOG_LEVEL`, where its
    /// logging configuration sets it, wins.
    pub const LOG_LEVEL: &str = "LOG_LEVEL";

    /// All of them.
    pub const ALL: [&str; 4] = [TARGET_ACCOUNT_ID, S3_READ_ROLE, EXTERNAL_ID, LOG_LEVEL];
}

/// What the function is told by its environment.
///
/// [`to_environment`](Self::to_environment) and [`from_environment`](Self::from_environment) are each other's inverse,
/// but for the target's name and region, which this form does not carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionConfiguration {
    /// The account to list.
    pub target: Target,
    /// How much to log, where the stage says so.
    pub log_level: Option<LogLevel>,
}

/// An environment variable that is missing or has a value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationFault {
    /// A required variable is not set.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable's value does not have its form.
    #[error("environment variable {variable}: {source}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value.
        source: InvalidValue,
    },
}

impl FunctionConfiguration {
    /// The environment variables that carry this configuration, by name.
    pub fn to_environment(&self) -> BTreeMap<&'static str, String> {
        let Self {
            target:
                Target {
                    account,
                    role,
                    external_id,
                    // One target is told apart from nothing, and has the stage's region.
                    name: _,
                    region: _,
                },
            log_level,
        } = self;
        [
            Some((variable::TARGET_ACCOUNT_ID, account.to_string())),
            Some((variable::S3_READ_ROLE, role.to_string())),
            external_id
                .as_ref()
                .map(|id| (variable::EXTERNAL_ID, id.to_string())),
            log_level.map(|level| (variable::LOG_LEVEL, level.as_str().to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Reads the configuration through `lookup`, which gives a variable's value.
    ///
    /// An empty value of an optional variable counts as not set: that is how the Lambda console leaves a cleared one.
    ///
    /// # Errors
    /// Every fault, not the first alone.
    pub fn from_environment(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<ConfigurationFault>> {
        let mut reader = Reader {
            lookup,
            faults: Vec::new(),
        };
        let account = reader.required(variable::TARGET_ACCOUNT_ID);
        let role = reader.required(variable::S3_READ_ROLE);
        let external_id = reader.optional(variable::EXTERNAL_ID);
        let log_level = reader.optional(variable::LOG_LEVEL);
        match (account, role) {
            (Some(account), Some(role)) if reader.faults.is_empty() => Ok(Self {
                target: Target {
                    account,
                    name: None,
                    role,
                    external_id,
                    region: None,
                },
                log_level,
            }),
            _ => Err(reader.faults),
        }
    }
}

struct Reader<F> {
    lookup: F,
    faults: Vec<ConfigurationFault>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn required<T: FromStr<Err = InvalidValue>>(&mut self, variable: &'static str) -> Option<T> {
        if let Some(text) = (self.lookup)(variable) {
            self.parse(variable, &text)
        } else {
            self.faults.push(ConfigurationFault::Missing(variable));
            None
        }
    }

    fn optional<T: FromStr<Err = InvalidValue>>(&mut self, variable: &'static str) -> Option<T> {
        let text = (self.lookup)(variable).filter(|text| !text.is_empty())?;
        self.parse(variable, &text)
    }

    fn parse<T: FromStr<Err = InvalidValue>>(
        &mut self,
        variable: &'static str,
        text: &str,
    ) -> Option<T> {
        text.parse()
            .map_err(|source| {
                self.faults
                    .push(ConfigurationFault::Invalid { variable, source });
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<FunctionConfiguration, Vec<ConfigurationFault>> {
        FunctionConfiguration::from_environment(|name| {
            variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_two_variables_of_the_seed_are_enough() {
        let configuration = read(&[
            ("TARGET_ACCOUNT_ID", "022222222222"),
            ("S3_READ_ROLE", "MyS3ReadRole"),
        ])
        .unwrap();
        assert_eq!(configuration.target.account.as_str(), "022222222222");
        assert_eq!(configuration.target.external_id, None);
        assert_eq!(configuration.log_level, None);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let full = FunctionConfiguration {
            target: Target {
                account: "022222222222".parse().unwrap(),
                name: None,
                role: "team/MyS3ReadRole".parse().unwrap(),
                external_id: Some("audit:2026".parse().unwrap()),
                region: None,
            },
            log_level: Some(LogLevel::Debug),
        };
        let bare = FunctionConfiguration {
            target: Target {
                external_id: None,
                ..full.target.clone()
            },
            log_level: None,
        };
        for configuration in [full, bare] {
            let environment = configuration.to_environment();
            let read =
                FunctionConfiguration::from_environment(|name| environment.get(name).cloned());
            assert_eq!(read, Ok(configuration));
        }
    }

    #[test]
    fn every_fault_is_reported() {
        let faults = read(&[
            ("TARGET_ACCOUNT_ID", "12"),
            ("EXTERNAL_ID", "x"),
            ("LOG_LEVEL", "loud"),
        ])
        .unwrap_err();
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 4, "{text:#?}");
        assert!(text[1].contains("S3_READ_ROLE is not set"), "{text:#?}");
    }
}
