//! The function's configuration, which the generator writes and the function reads.

use std::{collections::BTreeMap, str::FromStr};

use crate::{
    Access, Accounts, InvalidValue, LogLevel, Region, SessionPolicy, Target, TargetsFile,
    TargetsFileError,
};

/// The names of the function's environment variables.
pub mod variable {
    /// The account to list: 12 digits. Required without a `targets.json`.
    pub const TARGET_ACCOUNT_ID: &str = "TARGET_ACCOUNT_ID";
    /// The role to assume there: `NAME` or `path/NAME`. Required without a `targets.json`.
    pub const S3_READ_ROLE: &str = "S3_READ_ROLE";
    /// The external ID that the role's trust policy requires. Optional.
    pub const EXTERNAL_ID: &str = "EXTERNAL_ID";
    /// `on` (the default) limits sessions to listing buckets, `off` does not. Optional.
    pub const SESSION_POLICY: &str = "SESSION_POLICY";
    /// The log level: trace, debug, info, warn or error. Optional; `AWS_LAMBDA_LOG_LEVEL`, which Lambda's logging
    /// configuration sets, takes precedence.
    pub const LOG_LEVEL: &str = "LOG_LEVEL";

    /// All names.
    pub const ALL: [&str; 5] = [
        TARGET_ACCOUNT_ID,
        S3_READ_ROLE,
        EXTERNAL_ID,
        SESSION_POLICY,
        LOG_LEVEL,
    ];

    /// The names that describe the target in the single-account form.
    pub const TARGET: [&str; 3] = [TARGET_ACCOUNT_ID, S3_READ_ROLE, EXTERNAL_ID];
}

/// The function's configuration: environment variables and, for more than one account, `targets.json`.
///
/// [`read`](Self::read) is the inverse of [`to_environment`](Self::to_environment) with
/// [`targets_file`](Self::targets_file).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionConfiguration {
    /// The accounts to list.
    pub selection: Selection,
    /// The limit of every session.
    pub session_policy: SessionPolicy,
    /// The log level, if the stage sets one.
    pub log_level: Option<LogLevel>,
}

/// The two forms of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// One target with a role, in environment variables, which have neither its name nor a region. The response is the
    /// plain list of its buckets.
    Single(Target),
    /// The accounts of `targets.json`. The response has an entry for each.
    Fleet(TargetsFile),
}

/// A missing or invalid value in the function's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationProblem {
    /// A required variable is not set.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable has an invalid value.
    #[error("environment variable {variable}: {source}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// The problem with its value.
        source: InvalidValue,
    },
    /// A variable describes a target, but there is also a `targets.json`.
    #[error("environment variable {0} is set, but there is also a {file}", file = TargetsFile::NAME)]
    Both(&'static str),
    /// `targets.json` exists, but reading it fails.
    #[error("failed to read {file}: {0}", file = TargetsFile::NAME)]
    Unreadable(String),
    /// `targets.json` is invalid.
    #[error(transparent)]
    TargetsFile(#[from] TargetsFileError),
}

impl ConfigurationProblem {
    /// How to fix it, if known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Missing(_) | Self::Unreadable(_) => None,
            Self::Invalid { source, .. } => source.hint(),
            Self::Both(_) => Some("deploy again, or remove the variable"),
            Self::TargetsFile(error) => Some(error.hint()),
        }
    }
}

impl FunctionConfiguration {
    /// The environment variables for this configuration, by name.
    pub fn to_environment(&self) -> BTreeMap<&'static str, String> {
        let Self {
            selection,
            session_policy,
            log_level,
        } = self;
        let target = match selection {
            Selection::Single(target) => Some(target),
            Selection::Fleet(_) => None,
        };
        let role = target.and_then(Target::role);
        let external_id = target.and_then(Target::external_id);
        let differs = *session_policy != SessionPolicy::default();
        [
            target.map(|target| (variable::TARGET_ACCOUNT_ID, target.account.to_string())),
            role.map(|role| (variable::S3_READ_ROLE, role.to_string())),
            external_id.map(|id| (variable::EXTERNAL_ID, id.to_string())),
            differs.then(|| (variable::SESSION_POLICY, session_policy.as_str().to_owned())),
            log_level.map(|level| (variable::LOG_LEVEL, level.as_str().to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The `targets.json` for this configuration, if there are many targets.
    pub fn targets_file(&self) -> Option<&TargetsFile> {
        match &self.selection {
            Selection::Single(_) => None,
            Selection::Fleet(file) => Some(file),
        }
    }

    /// Reads the configuration from variables, whose values `lookup` returns, and the text of `targets.json`, if any.
    ///
    /// An optional variable with an empty value counts as not set: the Lambda console leaves cleared variables empty.
    ///
    /// # Errors
    /// All problems, but only the first one in `targets.json`.
    pub fn read(
        lookup: impl Fn(&str) -> Option<String>,
        targets: Option<&str>,
    ) -> Result<Self, Vec<ConfigurationProblem>> {
        let mut reader = Reader {
            lookup,
            problems: Vec::new(),
        };
        let selection = match targets {
            None => reader.single(),
            Some(text) => reader.fleet(text),
        };
        let session_policy = reader
            .optional(variable::SESSION_POLICY)
            .unwrap_or_default();
        let log_level = reader.optional(variable::LOG_LEVEL);
        match selection {
            Some(selection) if reader.problems.is_empty() => Ok(Self {
                selection,
                session_policy,
                log_level,
            }),
            _ => Err(reader.problems),
        }
    }
}

struct Reader<F> {
    lookup: F,
    problems: Vec<ConfigurationProblem>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn single(&mut self) -> Option<Selection> {
        let account = self.required(variable::TARGET_ACCOUNT_ID);
        let role = self.required(variable::S3_READ_ROLE);
        let external_id = self.optional(variable::EXTERNAL_ID);
        Some(Selection::Single(Target {
            account: account?,
            name: None,
            access: Access::Role {
                role: role?,
                external_id,
            },
            region: None,
        }))
    }

    fn fleet(&mut self, text: &str) -> Option<Selection> {
        for name in variable::TARGET {
            if (self.lookup)(name).is_some_and(|value| !value.is_empty()) {
                self.problems.push(ConfigurationProblem::Both(name));
            }
        }
        let file = TargetsFile::from_json(text)
            .map_err(|error| self.problems.push(error.into()))
            .ok()?;
        self.reject_other_partitions(&file);
        Some(Selection::Fleet(file))
    }

    /// Lambda sets `AWS_REGION`. The generator makes the same check in the variables file.
    fn reject_other_partitions(&mut self, file: &TargetsFile) {
        let own = (self.lookup)("AWS_REGION").and_then(|region| region.parse::<Region>().ok());
        let (Some(own), Accounts::Targets(targets)) = (own, file.accounts()) else {
            return;
        };
        let problems = targets.iter().enumerate().filter_map(|(index, target)| {
            let region = target.region.as_ref()?;
            (region.partition() != own.partition()).then(|| {
                let problem = format!(
                    "{region} is in partition {}, but the function runs in {own}, in partition {}; credentials are valid \
                     in one partition only",
                    region.partition(),
                    own.partition()
                );
                TargetsFileError::at(&format!("targets[{index}].region"), problem).into()
            })
        });
        self.problems.extend(problems);
    }

    fn required<T: FromStr<Err = InvalidValue>>(&mut self, variable: &'static str) -> Option<T> {
        if let Some(text) = (self.lookup)(variable) {
            self.parse(variable, &text)
        } else {
            self.problems.push(ConfigurationProblem::Missing(variable));
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
                self.problems
                    .push(ConfigurationProblem::Invalid { variable, source });
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Concurrency;

    fn lookup(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some((*value).to_owned())
        }
    }

    fn read(
        variables: &[(&str, &str)],
    ) -> Result<FunctionConfiguration, Vec<ConfigurationProblem>> {
        FunctionConfiguration::read(lookup(variables), None)
    }

    fn target() -> Target {
        Target::by_role(
            "022222222222".parse().unwrap(),
            "team/MyS3ReadRole".parse().unwrap(),
        )
    }

    fn targets() -> TargetsFile {
        TargetsFile::new(Concurrency::default(), Accounts::Targets(vec![target()])).unwrap()
    }

    #[test]
    fn account_and_role_are_enough() {
        let configuration = read(&[
            ("TARGET_ACCOUNT_ID", "022222222222"),
            ("S3_READ_ROLE", "team/MyS3ReadRole"),
        ])
        .unwrap();
        assert_eq!(configuration.selection, Selection::Single(target()));
        assert_eq!(configuration.session_policy, SessionPolicy::On);
        assert_eq!(configuration.log_level, None);
    }

    #[test]
    fn written_configurations_round_trip() {
        let external_id = "audit:2026".parse().unwrap();
        for selection in [
            Selection::Single(target()),
            Selection::Single(target().with_external_id(external_id)),
            Selection::Fleet(targets()),
        ] {
            for (session_policy, log_level) in [
                (SessionPolicy::On, None),
                (SessionPolicy::Off, Some(LogLevel::Debug)),
            ] {
                let configuration = FunctionConfiguration {
                    selection: selection.clone(),
                    session_policy,
                    log_level,
                };
                let environment = configuration.to_environment();
                let file = configuration.targets_file().map(TargetsFile::to_json);
                let lookup = |name: &str| environment.get(name).cloned();
                let read = FunctionConfiguration::read(lookup, file.as_deref());
                assert_eq!(read, Ok(configuration));
            }
        }
    }

    #[test]
    fn a_target_by_variables_and_a_file_of_targets_exclude_each_other() {
        let variables = [
            ("TARGET_ACCOUNT_ID", "022222222222"),
            ("S3_READ_ROLE", ""),
            ("EXTERNAL_ID", "audit"),
        ];
        let file = targets().to_json();
        let problems = FunctionConfiguration::read(lookup(&variables), Some(&file)).unwrap_err();
        assert_eq!(
            problems,
            [
                ConfigurationProblem::Both("TARGET_ACCOUNT_ID"),
                ConfigurationProblem::Both("EXTERNAL_ID")
            ]
        );
        let problems = FunctionConfiguration::read(lookup(&variables), Some("{}")).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:#?}");
    }

    #[test]
    fn a_region_of_another_partition_than_the_functions_is_rejected() {
        let in_region = |region: &str| {
            let target = Target {
                region: Some(region.parse().unwrap()),
                ..target()
            };
            let accounts = Accounts::Targets(vec![target]);
            let file = TargetsFile::new(Concurrency::default(), accounts).unwrap();
            let variables = [("AWS_REGION", "eu-central-1")];
            FunctionConfiguration::read(lookup(&variables), Some(&file.to_json()))
        };
        assert!(in_region("us-east-1").is_ok());
        let problems = in_region("cn-north-1").unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "targets.json: targets[0].region: cn-north-1 is in partition aws-cn, but the function runs in eu-central-1, in \
             partition aws; credentials are valid in one partition only"
        );
    }

    #[test]
    fn every_problem_is_reported() {
        let problems = read(&[
            ("TARGET_ACCOUNT_ID", "12"),
            ("EXTERNAL_ID", "x"),
            ("LOG_LEVEL", "loud"),
        ])
        .unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 4, "{text:#?}");
        assert!(text[1].contains("S3_READ_ROLE is not set"), "{text:#?}");
    }
}
