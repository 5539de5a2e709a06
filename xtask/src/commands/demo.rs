//! Subcommand: the whole job on this machine, with no AWS account.
//!
//! It does what a person would do for a first deployment, with the same commands, against an emulator on loopback that
//! enforces IAM: roles on both sides, a few buckets, deploy, invoke. Then it takes the trust away and shows what the
//! function says to that.

use anyhow::{Context, Result, ensure};
use contract::AccountId;
use serde_json::{Value, json};

use crate::{
    console::{self, Step},
    emulator::{self, Emulator},
    environment::{self, Environment},
    files,
    operator::Operator,
    process::{self, Program},
    rendering::File,
    workspace::Workspace,
};

/// The stage that is shown.
const STAGE: &str = "dev";

/// The stacks of the two roles, as the README calls them.
const ADMIN_ROLE_STACK: &str = "list-s3-buckets-dev-admin-role";
const TARGET_ROLE_STACK: &str = "list-s3-buckets-dev-target-role";

/// The function's answer, and only that, goes to standard output.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let environment = environment::load(workspace, STAGE)?;
    let target = environment.target().with_context(|| {
        format!("The stage `{STAGE}` lists many accounts, and the demo shows one")
    })?;
    let mut demo = Demo {
        workspace,
        environment: &environment,
        target: &target.account,
        emulator: emulator::start(workspace)?,
    };

    demo.title(
        "Both sides of the trust: a role in the Admin account, a role in the Target account",
    );
    demo.xtask(&["roles", "--env", STAGE]).run()?;
    demo.apply_role(&File::AdminRole)?;
    demo.apply_role(&File::TargetRole)?;

    demo.title(
        "Buckets in both accounts: the function is to list the Target's and none of the Admin's",
    );
    demo.make_buckets(demo.admin(), &["admin-billing", "admin-terraform-state"])?;
    demo.make_buckets(
        demo.target(),
        &["target-assets", "target-backups", "target-logs"],
    )?;

    demo.title("Deploy, as to AWS");
    demo.xtask(&["deploy", "--env", STAGE, "--yes"]).run()?;

    demo.title("Invoke the deployed function");
    let answer = demo.xtask(&["invoke", "--env", STAGE]).capture()?;
    demo.expect_the_targets_buckets(&answer)?;
    console::result(&answer)?;

    demo.title("And when the Target account takes its trust away");
    demo.take_the_trust_away()?;
    // The function still holds credentials of the Target account, for up to an hour. A new process has none.
    demo.emulator.end_functions()?;
    demo.expect_a_refusal()?;
    drop(demo);
    console::note("\nDone. Everything that was started is stopped.");
    Ok(())
}

struct Demo<'a> {
    workspace: &'a Workspace,
    environment: &'a Environment,
    target: &'a AccountId,
    emulator: Emulator,
}

impl Demo<'_> {
    #[expect(clippy::unused_self, reason = "reads as a step of the demo")]
    fn title(&self, text: &str) {
        console::note(&format!("\n== {text}"));
    }

    fn admin(&self) -> &AccountId {
        &self.environment.variables.admin_account_id
    }

    fn target(&self) -> &AccountId {
        self.target
    }

    /// This very program, in the Admin account: what a person would type.
    fn xtask(&self, arguments: &[&str]) -> Program {
        let this = process::own_path().unwrap_or_else(|_| "xtask".into());
        let program = Program::new(this)
            .args(["--workspace".as_ref(), self.workspace.root().as_os_str()])
            .called("cargo xtask")
            .args(arguments);
        self.as_account(program, self.admin())
    }

    fn as_account(&self, program: Program, account: &AccountId) -> Program {
        program.envs(
            self.emulator
                .environment(account, &self.environment.variables.region),
        )
    }

    fn apply_role(&self, file: &File) -> Result<()> {
        let template = self
            .workspace
            .dist(&self.environment.stage)
            .join(file.path());
        let (account, stack) = match file {
            File::TargetRole | File::TargetRoleOf(_) => (self.target(), TARGET_ROLE_STACK),
            File::AdminRole | File::Serverless => (self.admin(), ADMIN_ROLE_STACK),
        };
        self.apply(account, stack, &template)
    }

    fn make_buckets(&self, account: &AccountId, names: &[&str]) -> Result<()> {
        let resources: serde_json::Map<String, Value> = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                (
                    format!("Bucket{index}"),
                    json!({ "Type": "AWS::S3::Bucket", "Properties": { "BucketName": name } }),
                )
            })
            .collect();
        let template = self
            .emulator
            .folder()
            .join(format!("buckets-{account}.json"));
        files::write(
            &template,
            json!({ "Resources": resources }).to_string().as_bytes(),
        )?;
        self.apply(account, "demo-buckets", &template)
    }

    fn apply(&self, account: &AccountId, stack: &str, template: &std::path::Path) -> Result<()> {
        let step = Step::begin(format!("Deploying the stack {stack} in account {account}"));
        let region = &self.environment.variables.region;
        Operator::new(self.workspace, region)
            .with_environment(self.emulator.environment(account, region))
            .apply(stack, template)?;
        step.done("");
        Ok(())
    }

    /// The demo shows what it claims, or fails.
    fn expect_the_targets_buckets(&self, answer: &str) -> Result<()> {
        let names = || -> Result<Vec<String>> {
            let answer: Value = serde_json::from_str(answer)?;
            let body = answer["body"].as_str().context("no body")?;
            Ok(serde_json::from_str(body)?)
        };
        let names =
            names().with_context(|| format!("The function answered something else: {answer}"))?;
        ensure!(
            !names.is_empty() && names.iter().all(|name| name.starts_with("target-")),
            "The function did not list the buckets of account {}: {names:?}",
            self.target()
        );
        Ok(())
    }

    fn take_the_trust_away(&self) -> Result<()> {
        let dist = self.workspace.dist(&self.environment.stage);
        let trusted = String::from_utf8(files::read(&dist.join(File::TargetRole.path()))?)?;
        let execution_role = self.environment.execution_role_arn();
        let other = format!(
            "arn:{}:iam::{}:root",
            execution_role.partition,
            self.target()
        );
        let untrusting = trusted.replace(&execution_role.to_string(), &other);
        ensure!(
            untrusting != trusted,
            "The Target account's role does not name {execution_role}"
        );
        let template = self.emulator.folder().join("untrusting.yml");
        files::write(&template, untrusting.as_bytes())?;
        self.apply(self.target(), TARGET_ROLE_STACK, &template)?;
        Ok(())
    }

    fn expect_a_refusal(&self) -> Result<()> {
        let refusal = self.xtask(&["invoke", "--env", STAGE]).collect()?;
        ensure!(
            !refusal.status.success(),
            "The function was not refused: {}",
            refusal.stdout
        );
        console::note(refusal.stdout.trim_end());
        Ok(())
    }
}
