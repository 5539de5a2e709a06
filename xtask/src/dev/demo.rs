//! The whole job on this machine, with no AWS account.
//!
//! It does what a person would do for a first deployment, with the same commands, against an emulator on loopback that
//! enforces IAM: roles on both sides, a few buckets, deploy, invoke. Then it takes the trust away and shows what the
//! function says to that; and at last a stage of three accounts, of which one refuses.

use anyhow::{Context, Result, bail, ensure};
use contract::{AccountId, Accounts, Selection, Target};
use serde_json::{Value, json};

use crate::{
    cli::Side,
    deploy::role_stacks as apply,
    dev::emulator::{self, Emulator},
    environment::{self, Environment},
    inspect::operator::Operator,
    render::File,
    sys::{
        console::{self, Step},
        files,
        process::{self, Program},
        workspace::Workspace,
    },
};

/// The stages that are shown: of one target, and of several.
const ONE: &str = "dev";
const MANY: &str = "fleet";

/// The function's answers, and only those, go to standard output.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let one = environment::load(workspace, ONE)?;
    let many = environment::load(workspace, MANY)?;
    let mut emulator = emulator::start(workspace)?;
    Demo {
        workspace,
        environment: &one,
        emulator: &mut emulator,
    }
    .one_target()?;
    Demo {
        workspace,
        environment: &many,
        emulator: &mut emulator,
    }
    .many_targets()?;
    drop(emulator);
    console::note("\nDone. Everything that was started is stopped.");
    Ok(())
}

struct Demo<'a> {
    workspace: &'a Workspace,
    environment: &'a Environment,
    emulator: &'a mut Emulator,
}

impl Demo<'_> {
    /// The seed's form of a stage: one target.
    fn one_target(&mut self) -> Result<()> {
        let targets = self.targets()?;
        let [target] = &targets[..] else {
            bail!(
                "Stage `{ONE}` has {} targets, and the demo shows it with one",
                targets.len()
            );
        };
        title("Both sides of the trust: a role in the Admin account, a role in the Target account");
        self.apply_role(Side::Admin, self.admin())?;
        self.apply_role(Side::Target, &target.account)?;

        title(
            "Buckets in both accounts: the function is to list the Target's and none of the Admin's",
        );
        self.make_buckets(self.admin(), &["admin-billing", "admin-terraform-state"])?;
        self.make_buckets(
            &target.account,
            &["target-assets", "target-backups", "target-logs"],
        )?;

        title("Deploy, as to AWS");
        self.stage_command("deploy").args(["--yes"]).run()?;

        title("Invoke the deployed function");
        let answer = self.stage_command("invoke").capture()?;
        expect_the_targets_buckets(&answer)?;
        console::result(&answer)?;

        title("And when the Target account takes its trust away");
        self.take_the_trust_away(&target.account)?;
        // The function still holds credentials of the Target account, for up to an hour. A new process has none.
        self.emulator.end_functions()?;
        self.expect_a_refusal()
    }

    /// Several targets, the last of which has made no role.
    fn many_targets(&self) -> Result<()> {
        let targets = self.targets()?;
        let Some((refusing, trusting)) = targets.split_last().filter(|(_, rest)| !rest.is_empty())
        else {
            bail!("Stage `{MANY}` has fewer targets than the demo needs: two");
        };
        title(&format!(
            "Many accounts in one call: {} targets, and account {} has made no role",
            targets.len(),
            refusing.account
        ));
        self.apply_role(Side::Admin, self.admin())?;
        for (index, target) in trusting.iter().enumerate() {
            self.apply_role(Side::Target, &target.account)?;
            let name = format!("fleet-{index}-data");
            self.make_buckets(&target.account, &[&name])?;
        }
        // The smoke invocation would say what the next one shows.
        self.stage_command("deploy")
            .args(["--yes", "--no-smoke"])
            .run()?;
        let answer = self.stage_command("invoke").capture()?;
        let told = expect_all_but_one(&answer, refusing)?;
        console::result(&answer)?;
        console::note(&told);
        Ok(())
    }

    fn admin(&self) -> &AccountId {
        &self.environment.variables.admin_account_id
    }

    fn targets(&self) -> Result<Vec<Target>> {
        match self.environment.selection() {
            Selection::One(target) => Ok(vec![target.clone()]),
            Selection::Many(file) => match file.accounts() {
                Accounts::Targets(targets) => Ok(targets.clone()),
                Accounts::Organization(_) => bail!(
                    "Stage `{}` names an organization, which the emulator does not have",
                    self.environment.stage
                ),
            },
        }
    }

    /// This very program on the stage, in the Admin account: what a person would type.
    fn stage_command(&self, command: &str) -> Program {
        self.as_account(self.xtask(command), self.admin())
    }

    fn xtask(&self, command: &str) -> Program {
        let this = process::own_path().unwrap_or_else(|_| "xtask".into());
        Program::new(this)
            .args(["--workspace".as_ref(), self.workspace.root().as_os_str()])
            .called("cargo xtask")
            .args([command, "--env", self.environment.stage.as_str()])
    }

    fn as_account(&self, program: Program, account: &AccountId) -> Program {
        let region = &self.environment.variables.region;
        program.envs(self.emulator.environment(account, region))
    }

    fn apply_role(&self, side: Side, account: &AccountId) -> Result<()> {
        let side = match side {
            Side::Admin => "admin",
            Side::Target => "target",
        };
        let command = self.xtask("roles").args(["--apply", side, "--yes"]);
        self.as_account(command, account).run()
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
        let variables = self.emulator.environment(account, region);
        Operator::new(self.workspace, region)?
            .envs(variables)
            .apply(stack, template)?;
        step.done("");
        Ok(())
    }

    fn take_the_trust_away(&self, target: &AccountId) -> Result<()> {
        let dist = self.workspace.dist(&self.environment.stage);
        let trusted = String::from_utf8(files::read(&dist.join(File::TargetRole.path()))?)?;
        let execution_role = self.environment.execution_role_arn();
        let other = format!("arn:{}:iam::{target}:root", execution_role.partition);
        let untrusting = trusted.replace(&execution_role.to_string(), &other);
        ensure!(
            untrusting != trusted,
            "The Target account's role does not name {execution_role}"
        );
        let template = self.emulator.folder().join("untrusting.yml");
        files::write(&template, untrusting.as_bytes())?;
        let stack = apply::stack_name(self.environment, Side::Target);
        self.apply(target, &stack, &template)
    }

    fn expect_a_refusal(&self) -> Result<()> {
        let refusal = self.stage_command("invoke").collect()?;
        ensure!(
            !refusal.status.success(),
            "The function was not refused: {}",
            refusal.stdout
        );
        console::note(refusal.stdout.trim_end());
        Ok(())
    }
}

fn title(text: &str) {
    console::note(&format!("\n== {text}"));
}

/// The body of an answer, which is a JSON text within it.
fn body(answer: &str) -> Result<Value> {
    let body = || -> Result<Value> {
        let answer: Value = serde_json::from_str(answer)?;
        Ok(serde_json::from_str(
            answer["body"].as_str().context("no body")?,
        )?)
    };
    body().with_context(|| format!("The function answered something else: {answer}"))
}

/// The demo shows what it claims, or fails.
fn expect_the_targets_buckets(answer: &str) -> Result<()> {
    let body = body(answer)?;
    let names: Vec<&str> = body
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    ensure!(
        !names.is_empty() && names.iter().all(|name| name.starts_with("target-")),
        "The function did not list the Target account's buckets: {body}"
    );
    Ok(())
}

/// The accounts as lines for a person: all are listed but `refusing`.
fn expect_all_but_one(answer: &str, refusing: &Target) -> Result<String> {
    let body = body(answer)?;
    let accounts = body["accounts"].as_array().context("no accounts")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows = Vec::new();
    for account in accounts {
        let id = text(&account["accountId"]);
        let expected = if id == refusing.account.as_str() {
            "failed"
        } else {
            "ok"
        };
        ensure!(
            account["status"] == expected,
            "Account {id} should be {expected}: {account}"
        );
        let names = account["buckets"].as_array().into_iter().flatten();
        let names: Vec<String> = names.map(text).collect();
        let found = match expected {
            "ok" => names.join(", "),
            _ => format!("{}: {}", text(&account["code"]), text(&account["hint"])),
        };
        rows.push([id, text(&account["name"]), expected.to_owned(), found]);
    }
    Ok(console::columns(&rows).trim_end().to_owned())
}
