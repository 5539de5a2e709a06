//! Defines the command line. Each command decides what its flags mean.

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::render::output::Mode;

/// The commands by task, in the order of `--help` and of the documentation.
pub(crate) const TASKS: [(&str, &[&str]); 5] = [
    ("Describe a stage", &["envs", "render", "roles", "diagram"]),
    ("Check it", &["check", "diff", "doctor"]),
    (
        "Deploy it",
        &["build", "package", "deploy", "rollback", "remove"],
    ),
    ("Operate it", &["invoke", "info", "logs"]),
    (
        "Develop this project",
        &["demo", "test", "bench", "setup", "emulator"],
    ),
];

/// Parses the arguments of this process. Prints the help or an error and exits if there is no command to run.
pub(crate) fn parse() -> Cli {
    Cli::from_arg_matches(&command().get_matches())
        .unwrap_or_else(|error| error.format(&mut command()).exit())
}

/// The command line, whose `--help` groups the commands by task. clap itself has one list for all of them.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command();
    let style = *command.get_styles().get_header();
    let mut template = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (task, names) in TASKS {
        // Writing to a string cannot fail.
        let _ = writeln!(template, "\n{style}{task}:{style:#}");
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(template, "  {name:<9} {about}");
        }
    }
    let _ = write!(
        template,
        "\n{style}Options:{style:#}\n{{options}}{{after-help}}"
    );
    command.help_template(template)
}

/// List S3 buckets across AWS accounts with a Lambda function
///
/// Renders, builds and deploys the function, one stage at a time. A stage is a file `environments/variables.STAGE.yml`; what
/// is generated from it is in `dist/STAGE`.
#[derive(Debug, Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100,
    after_help = "Results go to standard output, everything else to standard error.\n\
                  Exit status: 0 success; 2 invalid input (flags, variables file or template); 1 any other failure.\n\n\
                  New here? `cargo xtask demo` runs everything on this machine, without an AWS account."
)]
pub(crate) struct Cli {
    /// Use the workspace in DIRECTORY instead of the current one
    #[arg(long, value_name = "DIRECTORY", global = true, hide_short_help = true)]
    pub(crate) workspace: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One variant per file in `commands`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the stages and whether each is valid
    ///
    /// Shows the region, the accounts and the roles of each stage.
    ///
    /// Example: `cargo xtask envs --json`
    Envs(Envs),
    /// Render a stage's serverless.yml into dist/STAGE
    ///
    /// Writes nothing unless every requested stage is valid. The same input gives the same bytes. The templates are in
    /// `templates`, for you to edit.
    ///
    /// Example: `cargo xtask render --env dev`
    Render(Render),
    /// Render a stage's IAM roles, or deploy them with --apply
    ///
    /// Writes CloudFormation templates into dist/STAGE/roles: `admin.yml` has the function's execution role, for the Admin
    /// account. `target.yml` has the role that it assumes, for every Target account or as a StackSet. `target-ACCOUNT.yml`
    /// is for a target with a role or an external ID of its own. Deploy admin.yml first: a trust policy cannot name a role
    /// that does not exist.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask roles --env dev --apply admin`
    Roles(Roles),
    /// Draw a stage's trust as a Mermaid diagram
    ///
    /// Shows the accounts, the roles, and which role may assume which under what conditions. GitHub and GitLab render the
    /// output in a code block of the language `mermaid`. Targets with the same role and external ID share a box. The
    /// diagram shows the variables file, not what is deployed.
    ///
    /// Example: `cargo xtask diagram --env dev`
    Diagram(OneStage),
    /// Validate variables files and templates
    ///
    /// Also checks that the generated files are up to date and that the links in the documentation work. Works offline and
    /// without credentials. Reports every problem in every stage, with its file, line and fix. Use `--env` to check one
    /// stage.
    ///
    /// Exits with 2 if a variables file or a template is invalid, and with 1 if a generated file is out of date or a link
    /// is broken.
    ///
    /// Example: `cargo xtask check --fix`
    Check(Check),
    /// Show what a deployment would change
    ///
    /// Compares the packaged template, the code and the roles with what is deployed, and changes nothing. Changes that
    /// broaden access come first. Anything your credentials cannot read is listed as unknown.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask diff --env prod`
    Diff(Diff),
    /// Diagnose a stage and suggest fixes
    ///
    /// Checks the local tools, the roles in both accounts and the deployed function, which it invokes. Each check is ok,
    /// failed or unknown. For a denied request, lists the causes, most likely first, with the policy statement to add and
    /// where.
    ///
    /// Exits with 1 if a check failed.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask doctor --env dev --target-profile target`
    Doctor(Doctor),
    /// Build the function into dist/STAGE/handler.zip
    ///
    /// Builds with cargo-lambda for provided.al2023, byte-for-byte reproducible, and checks the architecture and the
    /// required glibc version. Prints the archive's SHA-256.
    ///
    /// Example: `cargo xtask build --env dev`
    Build(OneStage),
    /// Package a stage as CloudFormation and lint the result
    ///
    /// Renders and builds first. Works offline, once the tools are installed, and without credentials. Prints the path of
    /// the CloudFormation template that a deployment would use.
    ///
    /// Example: `cargo xtask package --env dev`
    Package(OneStage),
    /// Deploy a stage to its Admin account
    ///
    /// Verifies with STS that your credentials belong to the stage's Admin account, before it builds anything. Then renders,
    /// builds and packages the stage, deploys it with the Serverless Framework if anything differs from what is deployed,
    /// and invokes the function once. Credentials come from where the AWS CLI takes them. On a terminal, asks before it
    /// broadens access or removes something. A stage with `protected: true` asks for its name.
    ///
    /// Exits with 1 if something other than the package runs afterwards, or if targets fail that did not fail before.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask deploy --env prod`
    Deploy(Deploy),
    /// Roll back to the previous deployment
    ///
    /// Restores the function's code and configuration; the Serverless Framework keeps the last five deployments. Does not
    /// change the roles, the variables file or dist/STAGE. Shows the changes first. On a terminal, asks before it broadens
    /// access or removes something. Requires credentials for the Admin account. A stage with `protected: true` asks for its
    /// name.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask rollback --env prod`
    Rollback(Rollback),
    /// Delete a stage's function and logs
    ///
    /// Deletes the CloudFormation stack; the roles stay. Requires credentials for the Admin account. A stage with
    /// `protected: true` asks for its name.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask remove --env dev`
    Remove(Remove),
    /// Invoke the deployed function and print its response
    ///
    /// Exits with 1 if the function fails, and prints its error.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask invoke --env dev --event '{"prefix": "logs-"}'`
    Invoke(Invoke),
    /// Show what is deployed
    ///
    /// Prints the Serverless Framework's summary of the stage: the stack, its resources and the function.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask info --env dev`
    Info(OneStage),
    /// Show the deployed function's logs
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask logs --env dev --since 1h`
    Logs(Logs),
    /// Run everything locally, without an AWS account
    ///
    /// Starts an emulator, creates roles and buckets, deploys the function and invokes it. Only the function's response goes
    /// to standard output. Stops everything that it started, also on Ctrl-C. The first run installs the pinned tools and
    /// builds the function, which takes minutes.
    ///
    /// Example: `cargo xtask demo`
    Demo,
    /// Run every check and test, as CI does
    ///
    /// Runs formatting, lints, spelling, unit and documentation tests, a quick benchmark (judged by requests, connections
    /// and sizes) and the end-to-end tests against the emulator. It never contacts AWS.
    ///
    /// Example: `cargo xtask test --quick`
    Test(Test),
    /// Measure the function against Python and a baseline
    ///
    /// Measures cold starts, warm invocations, CPU time, memory, requests and sizes against services on this machine.
    /// Prints tables, and writes them, the raw figures and a picture into dist/bench. A full run takes 12 minutes, and
    /// updates the figures in the documentation.
    ///
    /// Exits with 1 if the function sends more requests than it needs or is too large.
    ///
    /// Example: `cargo xtask bench --quick`
    Bench(Bench),
    /// Install the pinned tools into target/tools
    ///
    /// Other commands install the tools that they need on their own.
    ///
    /// Example: `cargo xtask setup`
    Setup,
    /// Start the emulator that `demo` and the tests use
    ///
    /// Keeps it running until standard input closes. Prints one line of JSON when it is ready: `endpoint`, `caFile`,
    /// `logFile`, `pid`, and `environment`, the variables that a client needs. `AWS_ACCESS_KEY_ID` selects the client's
    /// account: any 12 digits.
    ///
    /// Example: `cargo xtask emulator`
    Emulator,
}

/// The stage to act on.
#[derive(Debug, Args)]
pub(crate) struct OneStage {
    /// The stage: the middle of environments/variables.STAGE.yml
    #[arg(long, value_name = "STAGE")]
    pub(crate) env: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// Render every stage
    #[arg(long, conflicts_with = "env")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) mode: RenderMode,
}

#[derive(Debug, Args)]
pub(crate) struct Roles {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    #[command(flatten)]
    pub(crate) mode: RenderMode,
    /// Print the policies instead, if you manage IAM yourself, for example with Terraform
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["stdout", "check"])]
    pub(crate) policy: Option<PolicyFormat>,
    /// Deploy one role to your account with CloudFormation, after showing what will change
    #[arg(long, value_name = "SIDE", conflicts_with_all = ["stdout", "check", "policy"])]
    pub(crate) apply: Option<Side>,
    /// On a protected stage, skip the confirmation of changes that broaden access
    #[arg(long, requires = "apply")]
    pub(crate) allow_broadening: bool,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// The account that a role belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The function's execution role, in the Admin account
    Admin,
    /// The role that the function assumes, in a Target account
    Target,
}

/// The format of printed policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyFormat {
    /// One JSON object with the execution role and each role that it assumes
    Json,
}

/// What happens to a rendered file. Without a flag, it is written into dist/STAGE.
#[derive(Debug, Args)]
pub(crate) struct RenderMode {
    /// Print instead of writing
    #[arg(long, conflicts_with = "check")]
    pub(crate) stdout: bool,
    /// Write nothing; exit with 1 and a diff if a file on disk is out of date or missing
    #[arg(long)]
    pub(crate) check: bool,
}

impl RenderMode {
    pub(crate) const fn mode(&self) -> Mode {
        match (self.check, self.stdout) {
            (true, _) => Mode::Check,
            (_, true) => Mode::Print,
            _ => Mode::Write,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// Update the generated files (the JSON Schema, tables in the documentation) and put account IDs in variables files in
    /// quotes
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// Run only the checks that need no network: tools, variables file, rendered files
    #[arg(long, conflicts_with = "target_profiles")]
    pub(crate) offline: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// An AWS profile that can read the roles of a Target account (repeatable)
    #[arg(long = "target-profile", value_name = "NAME")]
    pub(crate) target_profiles: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Envs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// An AWS profile that can read the roles of a Target account (repeatable)
    #[arg(long = "target-profile", value_name = "NAME")]
    pub(crate) target_profiles: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// Verify the account, print what would be deployed, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// On a protected stage, skip the confirmation of changes that broaden access
    #[arg(long)]
    pub(crate) allow_broadening: bool,
    #[command(flatten)]
    pub(crate) smoke: Smoke,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// The invocation after a deployment.
#[derive(Debug, Args)]
pub(crate) struct Smoke {
    /// Skip the invocation that tests every target
    #[arg(long)]
    pub(crate) no_smoke: bool,
    /// The number of targets that may fail although they did not fail before
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        conflicts_with = "no_smoke"
    )]
    pub(crate) max_failures: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// The timestamp of the deployment to restore, in milliseconds; by default, the previous deployment
    #[arg(long, value_name = "TIMESTAMP")]
    pub(crate) to: Option<u64>,
    /// On a protected stage, skip the confirmation of changes that broaden access
    #[arg(long)]
    pub(crate) allow_broadening: bool,
    #[command(flatten)]
    pub(crate) smoke: Smoke,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// The confirmation of a protected stage.
#[derive(Debug, Args)]
pub(crate) struct Confirmation {
    /// Skip confirmation prompts, except for changes that broaden access
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// The event to send, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) event: String,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// Keep printing new lines
    #[arg(long)]
    pub(crate) tail: bool,
    /// The start time: 30m, 2h or 1d ago, or a UTC time such as 2026-01-31T08:00; by default 10m ago, with --tail 10s ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Skip the benchmark and the end-to-end tests, which need Python and Node and take minutes
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Measure once or twice only: rough figures within a minute
    #[arg(long, conflicts_with = "generator")]
    pub(crate) quick: bool,
    /// Measure the generator instead: the first start, `render` and `check`
    #[arg(long)]
    pub(crate) generator: bool,
    /// Measure nothing; regenerate the figures in the documentation from docs/bench.json
    #[arg(long, conflicts_with_all = ["quick", "generator"])]
    pub(crate) redraw: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_belongs_to_one_task() {
        let mut grouped: Vec<&str> = TASKS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        grouped.sort_unstable();
        let command = command();
        let mut names: Vec<&str> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        names.sort_unstable();
        assert_eq!(grouped, names);
    }

    #[test]
    fn every_command_has_a_short_summary_and_an_example() {
        for command in command().get_subcommands() {
            let name = command.get_name();
            let summary = command.get_about().unwrap().to_string();
            assert!(summary.len() <= 60, "{name}: {summary}");
            assert!(!summary.contains("; ") && !summary.ends_with('.'), "{name}");
            let help = command.get_long_about().unwrap().to_string();
            let example = help.lines().last().unwrap();
            assert!(example.starts_with("Example: `"), "{name}: {example}");
            assert!(example.contains(&format!("cargo xtask {name}")), "{name}");
        }
    }

    #[test]
    fn the_help_groups_the_commands() {
        let help = command().render_long_help().to_string();
        let mut rest = help.as_str();
        for (task, names) in TASKS {
            rest = rest.split_once(&format!("\n{task}:\n")).unwrap().1;
            for name in names {
                assert!(
                    rest.contains(&format!("\n  {name} "))
                        || rest.starts_with(&format!("  {name} ")),
                    "{name}"
                );
            }
        }
        assert!(rest.contains("\nOptions:\n"), "{help}");
    }
}
