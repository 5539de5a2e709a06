//! Starts `crates/operator`, which sends the requests to AWS: it links the SDK, so this crate compiles and starts fast.
//!
//! [`Operator`] has one method per subcommand. The results are the types of `operator_api`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Display,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use contract::{Region, RoleName};
use operator_api::{ChangeSetArn, Fetched, Invocation, Part, Planned, Snapshot};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    inspect::session::Session,
    sys::{console::Step, files, process::Program, workspace::Workspace},
};

/// The maximum number of invocations that a function may need for all its accounts.
pub(crate) const MAX_INVOCATIONS: usize = 100;

/// The operator, built, with a region and credentials.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    program: Program,
    region: &'a Region,
    credentials: Credentials<'a>,
}

/// The credentials that the operator uses.
#[derive(Debug)]
enum Credentials<'a> {
    /// The first ones that the AWS CLI would find. If there are none, `inspect` reports that in its result.
    Default,
    Profile(&'a str),
    Session(&'a Session),
}

/// The resources that [`Operator::inspect`] reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    /// Roles of the caller's account. IAM finds them by name, whatever their path.
    pub(crate) roles: Vec<RoleName>,
    /// Functions in the region.
    pub(crate) functions: Vec<String>,
    /// CloudFormation stacks in the region.
    pub(crate) stacks: Vec<String>,
}

impl<'a> Operator<'a> {
    /// Uses the credentials that the environment provides.
    ///
    /// # Errors
    /// The operator does not build.
    pub(crate) fn new(workspace: &Workspace, region: &'a Region) -> Result<Self> {
        Ok(Self {
            program: program(workspace)?,
            region,
            credentials: Credentials::Default,
        })
    }

    /// Uses the keys of `session`, in its region.
    ///
    /// # Errors
    /// The operator does not build.
    pub(crate) fn of_caller(workspace: &Workspace, session: &'a Session) -> Result<Self> {
        Ok(Self {
            credentials: Credentials::Session(session),
            ..Self::new(workspace, session.region())?
        })
    }

    /// Uses the credentials of `profile`, whatever the environment holds.
    ///
    /// # Errors
    /// The operator does not build.
    pub(crate) fn of_profile(
        workspace: &Workspace,
        region: &'a Region,
        profile: &'a str,
    ) -> Result<Self> {
        Ok(Self {
            credentials: Credentials::Profile(profile),
            ..Self::new(workspace, region)?
        })
    }

    /// Runs `program` instead of the operator.
    #[cfg(test)]
    pub(crate) fn fake(program: Program, region: &'a Region) -> Self {
        Self {
            program,
            region,
            credentials: Credentials::Default,
        }
    }

    /// Sets environment variables, and removes those without a value.
    pub(crate) fn envs<N: Into<OsString>, V: Into<OsString>>(
        self,
        variables: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Self {
        Self {
            program: self.program.envs(variables),
            ..self
        }
    }

    /// Gets the caller's identity from STS, and the caller's keys.
    ///
    /// # Errors
    /// There are no credentials, or STS rejects them or cannot be reached.
    pub(crate) fn open_session(&self) -> Result<Session> {
        Session::open(self.command("credentials")?, self.region)
    }

    /// Reads the resources of `query` and the caller's identity. Unreadable ones are results, not errors.
    ///
    /// # Errors
    /// The operator prints something unexpected.
    pub(crate) fn inspect(&self, query: &Query) -> Result<Snapshot> {
        let mut arguments = vec!["--caller"];
        for role in &query.roles {
            arguments.extend(["--role", role.as_str()]);
        }
        for function in &query.functions {
            arguments.extend(["--function", function]);
        }
        for stack in &query.stacks {
            arguments.extend(["--stack", stack]);
        }
        self.request("inspect", &arguments)
            .context("Failed to inspect what is deployed")
    }

    /// Invokes `function` with `event`, which is JSON. A failure of the function itself is a result, not an error.
    ///
    /// # Errors
    /// The function does not exist, or Lambda rejects the request or cannot be reached.
    fn invoke(&self, function: &str, event: &str) -> Result<Invocation> {
        self.request("invoke", &["--function", function, "--event", event])
    }

    /// Invokes `function` until no accounts are left, but at most [`MAX_INVOCATIONS`] times. `note` gets each invocation and
    /// returns its resume token. The result is whether all accounts were processed.
    ///
    /// # Errors
    /// An invocation or `note` fails.
    pub(crate) fn invoke_to_end(
        &self,
        function: &str,
        mut note: impl FnMut(&Invocation) -> Result<Option<String>>,
    ) -> Result<bool> {
        let mut event = json!({});
        for _ in 0..MAX_INVOCATIONS {
            match note(&self.invoke(function, &event.to_string())?)? {
                Some(token) => event = json!({ "resume": token }),
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Reads an S3 object.
    ///
    /// # Errors
    /// The object does not exist or cannot be read.
    pub(crate) fn fetch(&self, bucket: &str, key: &str) -> Result<Vec<u8>> {
        let copy = tempfile::NamedTempFile::new()?;
        let to = copy.path().display().to_string();
        let _: Fetched = self.request("fetch", &["--bucket", bucket, "--key", key, "--to", &to])?;
        files::read(copy.path())
    }

    /// Creates or updates the CloudFormation stack `name` from `template`. Prints the progress only if it fails.
    ///
    /// # Errors
    /// CloudFormation rejects the change, or the stack fails.
    pub(crate) fn apply(&self, name: &str, template: &Path) -> Result<()> {
        self.command("apply")?
            .args(["--stack", name, "--template"])
            .args([template])
            .run_quietly()
            .with_context(|| format!("Failed to deploy stack `{name}`"))
    }

    /// Creates a change set with what [`apply`](Self::apply) would change; prints the changes to standard error.
    ///
    /// # Errors
    /// CloudFormation rejects the change, or the status of the stack allows none.
    pub(crate) fn plan(&self, name: &str, template: &Path) -> Result<Planned> {
        let command = self
            .command("apply")?
            .args(["--plan", "--stack", name, "--template"])
            .args([template]);
        command
            .capture()
            .and_then(|output| read(&output))
            .with_context(|| format!("Failed to plan the change of stack `{name}`"))
    }

    /// Executes a change set and waits for the stack.
    ///
    /// # Errors
    /// The stack has changed since, or fails.
    pub(crate) fn execute(&self, change_set: &ChangeSetArn) -> Result<()> {
        self.command("apply")?
            .args(["--execute", change_set.as_str()])
            .capture()
            .context("Failed to change the stack")?;
        Ok(())
    }

    /// The command that deletes a change set, and the stack that was created for it.
    ///
    /// # Errors
    /// As for [`Session::give_to`].
    pub(crate) fn discard(&self, change_set: &ChangeSetArn) -> Result<Program> {
        Ok(self
            .command("apply")?
            .args(["--discard", change_set.as_str()]))
    }

    fn command(&self, name: &str) -> Result<Program> {
        let program = self
            .program
            .clone()
            .args([name, "--region", self.region.as_str()]);
        match self.credentials {
            Credentials::Default => Ok(program),
            Credentials::Profile(profile) => Ok(program.args(["--profile", profile])),
            Credentials::Session(session) => session.give_to(program),
        }
    }

    /// Runs a subcommand for its result; what it prints to standard error becomes the error.
    fn request<T: DeserializeOwned>(&self, name: &str, arguments: &[&str]) -> Result<T> {
        let output = self
            .command(name)?
            .args(arguments.iter().copied())
            .collect()?;
        if !output.status.success() {
            let message = output.stderr.trim();
            bail!("{}", message.strip_prefix("error: ").unwrap_or(message));
        }
        read(&output.stdout)
    }
}

/// Takes the result for `name` out of a [`Snapshot`]. A missing result does not mean that the item is absent.
///
/// # Errors
/// The operator did not report it.
pub(crate) fn reported<K: Ord + Display, T>(
    parts: &mut BTreeMap<K, Part<T>>,
    name: &K,
) -> Result<Part<T>> {
    parts
        .remove(name)
        .with_context(|| format!("The operator did not report `{name}`"))
}

fn read<T: DeserializeOwned>(output: &str) -> Result<T> {
    serde_json::from_str(output).with_context(|| {
        format!(
            "The operator printed an unexpected result: `{}`",
            output.trim()
        )
    })
}

/// Returns whether `plan` creates a role with this name: a new one, or one that replaces a role with another name.
pub(crate) fn creates_role(plan: &Planned, name: &RoleName) -> bool {
    plan.changes.iter().any(|change| {
        let is_new = change.action == "Add"
            || (change.replacement.as_deref() == Some("True")
                && change.physical_id.as_deref() != Some(name.name()));
        is_new && change.r#type == "AWS::IAM::Role"
    })
}

/// The operator, built if it is out of date. Cargo gets no AWS settings. The operator gets all of them and runs in the
/// current directory, because relative paths in them start there.
fn program(workspace: &Workspace) -> Result<Program> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = workspace.target();
    let step = (!is_built(&target.join("debug/operator")))
        .then(|| Step::begin("Building crates/operator, which sends requests to AWS"));
    let messages = Program::new(cargo)
        .called("cargo")
        .args(["build", "--quiet", "--locked", "--package", "operator"])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_TARGET_DIR", target)
        .in_directory(workspace.root())
        .quiet()
        .capture()?;
    let executable = messages
        .lines()
        .find_map(executable)
        .context("Cargo did not report the path of the operator")?;
    if let Some(step) = step {
        step.done("");
    }
    Ok(Program::new(executable)
        .called("cargo run --quiet --package operator --")
        .with_aws_settings()
        .quiet())
}

/// Returns whether `executable` is newer than its sources, which cargo lists beside it. It only decides whether to announce a
/// build: cargo knows for sure.
fn is_built(executable: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    let (Ok(built), Ok(rule)) = (
        modified(executable),
        files::read(&executable.with_extension("d")),
    ) else {
        return false;
    };
    // A rule of a makefile, `TARGET: SOURCE SOURCE …`, with a backslash before each space in a name.
    let rule = String::from_utf8_lossy(&rule).replace("\\ ", "\0");
    rule.split_whitespace()
        .skip(1)
        .map(|source| modified(Path::new(&source.replace('\0', " "))))
        .all(|time| time.is_ok_and(|time| time <= built))
}

/// The path of the operator, if this message of cargo reports it.
fn executable(message: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let message: Message = serde_json::from_str(message).ok()?;
    message
        .executable
        .filter(|_| message.target.name == "operator")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_role_is_created_as_a_new_one_or_in_the_place_of_another() {
        let role = |change: &str| format!(r#"{{"type":"AWS::IAM::Role","resource":"R",{change}}}"#);
        let creates = |change: &str| {
            let planned: Planned = serde_json::from_str(&format!(
                r#"{{"stack":"s","kind":"update","changeSet":null,"changes":[{change}]}}"#
            ))
            .unwrap();
            creates_role(&planned, &"team/Reads".parse().unwrap())
        };
        for (change, expected) in [
            (r#""action":"Add""#, true),
            (
                r#""action":"Modify","physicalId":"Reads","replacement":"False""#,
                false,
            ),
            // Its path changes.
            (
                r#""action":"Modify","physicalId":"Reads","replacement":"True""#,
                false,
            ),
            // Its name does.
            (
                r#""action":"Modify","physicalId":"Other","replacement":"True""#,
                true,
            ),
            (r#""action":"Remove","physicalId":"Reads""#, false),
        ] {
            assert_eq!(creates(&role(change)), expected, "{change}");
        }
        let policy = r#"{"type":"AWS::IAM::ManagedPolicy","resource":"P","action":"Add"}"#;
        assert!(!creates(policy));
    }

    #[test]
    fn cargo_reports_the_path_of_the_operator() {
        let artifact = |name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["bin"],"name":"{name}"}},"executable":{executable}}}"#
            )
        };
        let found = |name, executable| super::executable(&artifact(name, executable));
        assert_eq!(
            found("operator", r#""/t/debug/operator""#),
            Some("/t/debug/operator".into())
        );
        assert_eq!(found("operator", "null"), None);
        assert_eq!(found("other", r#""/t/debug/other""#), None);
        assert_eq!(
            executable(r#"{"reason":"build-finished","success":true}"#),
            None
        );
    }

    #[test]
    fn a_result_that_is_missing_is_an_error_and_not_an_absent_item() {
        let mut parts = BTreeMap::from([("a".to_owned(), Part::Ok(1))]);
        assert_eq!(reported(&mut parts, &"a".to_owned()).unwrap(), Part::Ok(1));
        let error = reported(&mut parts, &"b".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "The operator did not report `b`");
    }

    #[test]
    fn an_unexpected_result_is_an_error_that_shows_it() {
        let error = read::<Invocation>("oops\n").unwrap_err().to_string();
        assert_eq!(error, "The operator printed an unexpected result: `oops`");
    }

    #[test]
    fn the_operator_is_built_unless_a_source_is_newer() {
        let directory = tempfile::tempdir().unwrap();
        let [executable, rule, source] =
            ["operator", "operator.d", "a b.rs"].map(|name| directory.path().join(name));
        files::write(&executable, b"").unwrap();
        assert!(!is_built(&executable));
        let escaped = source.display().to_string().replace(' ', "\\ ");
        files::write(&rule, format!("operator: {escaped}\n").as_bytes()).unwrap();
        assert!(!is_built(&executable));
        for (age, expected) in [(60, true), (0, false)] {
            files::write(&source, b"").unwrap();
            let built = executable.metadata().unwrap().modified().unwrap();
            let time = built + Duration::from_secs(30) - Duration::from_secs(age);
            let file = std::fs::File::open(&source).unwrap();
            file.set_modified(time).unwrap();
            assert_eq!(is_built(&executable), expected, "{age}");
        }
    }
}
