//! The flags, as they are typed. What they mean is decided by the command they belong to.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::render::output::Mode;

/// List S3 buckets across AWS accounts from a Lambda function: render, build and deploy it, one stage at a time.
///
/// A stage is a file `environments/variables.STAGE.yml`. What is made from it lies in `dist/STAGE`.
#[derive(Debug, Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100,
    after_help = "Results go to standard output, everything else to standard error.\n\
                  Exit status: 0 done; 2 the input is at fault (flags, variables file, template); 1 anything else.\n\n\
                  New here? `cargo xtask demo` shows the whole thing on this machine, with no AWS account."
)]
pub(crate) struct Cli {
    /// The workspace to work on, when it is not the one that this command belongs to
    #[arg(long, value_name = "FOLDER", global = true, hide_short_help = true)]
    pub(crate) workspace: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One subcommand, one file in `commands`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Render a stage's serverless.yml into dist/STAGE
    ///
    /// Nothing is written unless every stage asked for is valid. The same input gives the same bytes. The templates are
    /// in `templates` and yours to edit.
    ///
    /// Example: `cargo xtask render --env dev`
    Render(Render),
    /// Render the IAM roles of both accounts, as CloudFormation templates, into dist/STAGE/roles
    ///
    /// `admin.yml` is the function's execution role, for the Admin account; `target.yml` the role that it assumes, for
    /// every Target account, alone or as a StackSet; `target-ACCOUNT.yml` that of a Target with a role or an external ID
    /// of its own. Deploy admin.yml first: a trust policy cannot name a role that does not exist.
    ///
    /// Example: `cargo xtask roles --env dev`
    Roles(Roles),
    /// Draw a stage's trust as a Mermaid diagram: accounts, roles, who assumes what under which conditions
    ///
    /// GitHub and GitLab draw what is printed where it stands between "```mermaid" and "```". Targets with the same role
    /// and external ID are one box. What the variables say is drawn, not what is deployed.
    ///
    /// Example: `cargo xtask diagram --env dev`
    Diagram(OneStage),
    /// Validate the variables files, the templates and what is generated from them; no network, no credentials
    ///
    /// Every problem of every stage is told in one go, with file, line and the way to mend it. With `--env`, one stage
    /// alone is looked at.
    Check(Check),
    /// Look for what may be the matter with a stage, and say what to do
    ///
    /// From the tools on this machine to the roles of both accounts and the deployed function, which is invoked: each
    /// check is ok, failed or unknown. A refusal is compared with the policies as rendered and, where these credentials
    /// may read them, as deployed; the likely causes come in order, with the statement to paste into the right account.
    /// Exit status 1 where a check failed.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask doctor --env dev --target-profile target`
    Doctor(Doctor),
    /// List the stages, their accounts and roles, and whether each is valid
    Envs(Envs),
    /// Build the function for Lambda into dist/STAGE/handler.zip, byte for byte reproducible
    ///
    /// cargo-lambda builds it for provided.al2023; its architecture and the glibc that it needs are checked. Prints the
    /// archive's SHA-256.
    Build(OneStage),
    /// Render, build, and package as CloudFormation; lint the result; no network, no credentials
    ///
    /// Prints the path of the CloudFormation template that a deploy would use.
    Package(OneStage),
    /// Show what a deploy would change, and first of all what of it broadens access; nothing is changed
    ///
    /// The packaged CloudFormation template, the code and the roles, each against what is deployed. What cannot be seen
    /// with your credentials is said.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask diff --env prod`
    Diff(Diff),
    /// Deploy a stage, after checking that you are in its Admin account
    ///
    /// Asks STS who you are before anything is built, and refuses where that is not the stage's Admin account; then
    /// renders, builds, packages and deploys with the Serverless Framework what differs from what runs. Credentials come
    /// from where the AWS CLI takes them. Exit status 1 where something else than the package runs afterwards. A stage with `protected: true` wants its name typed.
    ///
    /// Example: `AWS_PROFILE=admin cargo xtask deploy --env prod`
    Deploy(Deploy),
    /// Invoke the deployed function and print its answer
    ///
    /// Exit status 1 where the function fails; what it fails with is printed all the same.
    Invoke(Invoke),
    /// Return to the deployment before, after checking that you are in the stage's Admin account
    ///
    /// The Framework keeps the last five deployments: code and configuration of the function. The roles, the variables
    /// file and dist/STAGE stay as they are. A stage with `protected: true` wants its name typed.
    Rollback(Rollback),
    /// Show what is deployed
    Info(OneStage),
    /// Show the deployed function's logs
    Logs(Logs),
    /// Remove what is deployed, after checking that you are in the stage's Admin account
    ///
    /// The stack with the function and its logs; the roles stay. A stage with `protected: true` wants its name typed.
    Remove(Remove),
    /// Show the whole job on this machine, with no AWS account: an emulator, roles, buckets, a deploy, an invocation
    ///
    /// The function's answer is all that goes to standard output. What is started is stopped, also on Ctrl-C. The first
    /// run installs the pinned tools and builds the function, which takes minutes.
    Demo,
    /// Run every check and test of the project, as CI does
    ///
    /// Formatting, lints, spelling, unit and documentation tests, a quick benchmark (judged by requests, connections and
    /// sizes), and the end-to-end tests against the emulator. Nothing of it can reach AWS.
    Test(Test),
    /// Measure the function beside Python and beside what the machine allows; with `--generator`, the generator
    ///
    /// Cold start, warm calls, processor time, memory, requests and sizes, against services on this machine. Prints
    /// tables, and writes them, the raw figures and pictures into dist/bench. A full run takes half an hour and writes
    /// what the README shows. Exit status 1 where the function makes other requests than it must, or is too large.
    Bench(Bench),
    /// Install the pinned tools into target/tools; the other commands do so by themselves when they miss one
    Setup,
    /// Start the emulator that `demo` and the tests use, and keep it running until standard input closes
    ///
    /// Prints one line of JSON when it is ready: `endpoint`, `caFile`, `logFile`, `pid`, and `environment`, the variables
    /// that a client needs. `AWS_ACCESS_KEY_ID` is the account that the client is to be: any 12 digits.
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
    /// Every stage there is
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
    /// Print the bare policies instead, for who manages IAM in another way, such as with Terraform
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["stdout", "check"])]
    pub(crate) policy: Option<PolicyFormat>,
    /// Deploy one of them into the caller's account with CloudFormation, showing first what will change
    #[arg(long, value_name = "SIDE", conflicts_with_all = ["stdout", "check", "policy"])]
    pub(crate) apply: Option<Side>,
    /// On a protected stage, do not ask about what broadens access
    #[arg(long, requires = "apply")]
    pub(crate) allow_broadening: bool,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// Whose role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The Admin account's: the function's execution role
    Admin,
    /// A Target account's: the role that the function assumes there
    Target,
}

/// In what form policies are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyFormat {
    /// One JSON object: the execution role, and each role that it assumes
    Json,
}

/// Where rendered text goes; without a flag, into dist/STAGE.
#[derive(Debug, Args)]
pub(crate) struct RenderMode {
    /// Print instead of writing
    #[arg(long, conflicts_with = "check")]
    pub(crate) stdout: bool,
    /// Write nothing; exit 1 with a diff when what is on disk is stale or missing
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
    /// Write the generated files (the JSON Schema, the README's tables) anew, and put the account ids of variables files
    /// in quotes
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// Ask nobody: the tools, the variables file and what is rendered
    #[arg(long, conflicts_with = "target_profiles")]
    pub(crate) offline: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// An AWS profile that may read the roles of a Target account (may be repeated)
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
    /// An AWS profile that may read the roles of a Target account (may be repeated)
    #[arg(long = "target-profile", value_name = "NAME")]
    pub(crate) target_profiles: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) stage: OneStage,
    /// Check who you are, say what would be deployed, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// On a protected stage, do not ask about what broadens access
    #[arg(long)]
    pub(crate) allow_broadening: bool,
    #[command(flatten)]
    pub(crate) smoke: Smoke,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// What follows a deployment.
#[derive(Debug, Args)]
pub(crate) struct Smoke {
    /// Leave out the invocation that shows whether every target answers
    #[arg(long)]
    pub(crate) no_smoke: bool,
    /// How many accounts may fail that did not fail before
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
    /// The deployment to return to, in the milliseconds that the Framework names it by; without it, the one before
    #[arg(long, value_name = "TIMESTAMP")]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) smoke: Smoke,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// How a protected stage is confirmed.
#[derive(Debug, Args)]
pub(crate) struct Confirmation {
    /// Do not ask: neither for the name of a protected stage nor anything else
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
    /// Go on showing new lines
    #[arg(long)]
    pub(crate) tail: bool,
    /// How far back: 30m, 2h, 1d, or a time such as 2026-01-31T08:00
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
    /// Leave out the benchmark and the end-to-end tests, which need Python and Node and take minutes
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Once or twice instead of often: within a minute, and rough
    #[arg(long, conflicts_with = "generator")]
    pub(crate) quick: bool,
    /// What a person waits for at the terminal, instead: the first start, render, check
    #[arg(long)]
    pub(crate) generator: bool,
    /// Measure nothing: make what the README shows anew, from docs/bench.json
    #[arg(long, conflicts_with_all = ["quick", "generator"])]
    pub(crate) redraw: bool,
}
