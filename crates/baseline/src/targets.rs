//! The accounts to list, from the environment variables or `targets.json`.

use std::{env, fs, io, path::Path};

use crate::variable;

/// An account and the role to assume in it.
pub(crate) struct Target {
    pub(crate) account: String,
    pub(crate) role: String,
}

/// One target, or many.
pub(crate) enum Targets {
    One(Target),
    Many {
        targets: Vec<Target>,
        concurrency: usize,
    },
}

impl Targets {
    /// Reads `targets.json` in `LAMBDA_TASK_ROOT`, or the variables if there is none.
    pub(crate) fn from_environment() -> io::Result<Self> {
        let directory = env::var_os("LAMBDA_TASK_ROOT").unwrap_or_default();
        #[expect(clippy::disallowed_methods, reason = "the only file that it reads")]
        match fs::read_to_string(Path::new(&directory).join("targets.json")) {
            Ok(text) => Self::from_json(&text),
            Err(_) => Ok(Self::One(Target {
                account: variable("TARGET_ACCOUNT_ID")?,
                role: variable("S3_READ_ROLE")?,
            })),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many { targets, .. } => targets.len(),
        }
    }

    /// Splits the text at the keys. The benchmark wrote it, so its format is known.
    fn from_json(text: &str) -> io::Result<Self> {
        let after = |text: &str, key: &str, end: &[char]| -> io::Result<String> {
            text.split_once(key)
                .and_then(|(_, rest)| rest.split(end).next())
                .map(ToOwned::to_owned)
                .ok_or_else(|| io::Error::other(format!("targets.json without {key}")))
        };
        let concurrency = after(text, r#""concurrency":"#, &[',', '}'])?;
        let targets = text
            .split("{\"accountId\"")
            .skip(1)
            .map(|entry| {
                Ok(Target {
                    account: after(entry, ":\"", &['"'])?,
                    role: after(entry, r#""role":""#, &['"'])?,
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Self::Many {
            targets,
            concurrency: concurrency.trim().parse().map_err(io::Error::other)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_format_is_parsed() {
        let text = "{\"version\":1,\"concurrency\":64,\"targets\":[\n\
            {\"accountId\":\"000000000001\",\"role\":\"A\"},\n\
            {\"accountId\":\"000000000002\",\"name\":\"x\",\"role\":\"B\"}\n]}\n";
        let Ok(Targets::Many {
            targets,
            concurrency,
        }) = Targets::from_json(text)
        else {
            panic!("it is one for many");
        };
        let pairs: Vec<_> = targets
            .iter()
            .map(|target| (&*target.account, &*target.role))
            .collect();
        assert_eq!(pairs, [("000000000001", "A"), ("000000000002", "B")]);
        assert_eq!(concurrency, 64);
    }
}
