//! Shows a first deployment on this machine, without an AWS account.
//!
//! Runs the same commands as a user, against an emulator on loopback that enforces IAM: roles in both accounts, a few buckets,
//! deploy, invoke. Then it removes the trust and shows the function's error, and deploys a stage with three accounts, one of
//! which has no role.

use anyhow::{Context, Result, bail, ensure};
use contract::{AccountId, Accounts, Selection, Target};
use serde_json::{Value, json};

use crate::{
    cli::Side,
    deploy::role_stacks as apply,
    dev::emulator::{self, Emulator},
    inspect::operator::Operator,
    render::File,
    stages,
    sys::{
        console::{self, Step},
        files,
        process::{self, Program},
        workspace::Workspace,
    },
};
use environment::Environment;

/// The stages of the demo: one with a single account, one with several.
const ONE: &str = "dev";
const MANY: &str = "fleet";

/// Runs the demo. Only the function's responses go to standard output.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let one = stages::load(workspace, ONE)?;
    let many = stages::load(workspace, MANY)?;
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
    console::note("\nDone. The emulator is stopped.");
    Ok(())
}

struct Demo<'a> {
    workspace: &'a Workspace,
    environment: &'a Environment,
    emulator: &'a mut Emulator,
}

impl Demo<'_> {
    /// A stage with a single account.
    fn one_target(&mut self) -> Result<()> {
        let targets = self.targets()?;
        let [target] = &targets[..] else {
            bail!(
                "Stage `{ONE}` has {} targets; the demo needs one",
                targets.len()
            );
        };
        title("Create the roles: one in the Admin account, one in the Target account");
        self.apply_role(Side::Admin, self.admin())?;
        self.apply_role(Side::Target, &target.account)?;

        title(
            "Create buckets in both accounts: the function must list only those of the Target account",
        );
        self.make_buckets(self.admin(), &["admin-billing", "admin-terraform-state"])?;
        self.make_buckets(
            &target.account,
            &["target-assets", "target-backups", "target-logs"],
        )?;

        title("Deploy");
        self.stage_command("deploy").args(["--yes"]).run()?;

        title("Invoke the function");
        let response = self.stage_command("invoke").capture()?;
        expect_the_targets_buckets(&response)?;
        console::result(&response)?;

        title("Remove the trust in the Target account and invoke the function again");
        self.remove_trust(&target.account)?;
        // The function has cached credentials for the Target account, valid for up to an hour. A new process has none.
        self.emulator.end_functions()?;
        self.expect_a_denial()
    }

    /// A stage with several accounts; the last one has no role.
    fn many_targets(&self) -> Result<()> {
        let targets = self.targets()?;
        let Some((denying, trusting)) = targets.split_last().filter(|(_, rest)| !rest.is_empty())
        else {
            bail!("Stage `{MANY}` needs at least two targets for the demo");
        };
        title(&format!(
            "List several accounts: {} targets; account {} has no role",
            targets.len(),
            denying.account
        ));
        self.apply_role(Side::Admin, self.admin())?;
        for (index, target) in trusting.iter().enumerate() {
            self.apply_role(Side::Target, &target.account)?;
            let name = format!("fleet-{index}-data");
            self.make_buckets(&target.account, &[&name])?;
        }
        // The smoke invocation would print the same as the next command.
        self.stage_command("deploy")
            .args(["--yes", "--no-smoke"])
            .run()?;
        let response = self.stage_command("invoke").capture()?;
        let table = expect_all_but_one(&response, denying)?;
        console::result(&response)?;
        console::note(&table);
        Ok(())
    }

    fn admin(&self) -> &AccountId {
        &self.environment.variables.admin_account_id
    }

    fn targets(&self) -> Result<Vec<Target>> {
        match self.environment.selection() {
            Selection::Single(target) => Ok(vec![target.clone()]),
            Selection::Fleet(file) => match file.accounts() {
                Accounts::Targets(targets) => Ok(targets.clone()),
                Accounts::Organization(_) => bail!(
                    "Stage `{}` lists an organization, which the emulator does not support",
                    self.environment.stage
                ),
            },
        }
    }

    /// This program, for the stage and the Admin account.
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
            .directory()
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

    fn remove_trust(&self, target: &AccountId) -> Result<()> {
        let dist = self.workspace.dist(&self.environment.stage);
        let trusted = String::from_utf8(files::read(&dist.join(File::TargetRole.path()))?)?;
        let execution_role = self.environment.execution_role_arn();
        let other = format!("arn:{}:iam::{target}:root", execution_role.partition);
        let untrusting = trusted.replace(&execution_role.to_string(), &other);
        ensure!(
            untrusting != trusted,
            "The Target account's role does not name {execution_role}"
        );
        let template = self.emulator.directory().join("untrusting.yml");
        files::write(&template, untrusting.as_bytes())?;
        let stack = apply::stack_name(self.environment, Side::Target);
        self.apply(target, &stack, &template)
    }

    fn expect_a_denial(&self) -> Result<()> {
        let denied = self.stage_command("invoke").collect()?;
        ensure!(
            !denied.status.success(),
            "The request was not denied: {}",
            denied.stdout
        );
        console::note(denied.stdout.trim_end());
        Ok(())
    }
}

fn title(text: &str) {
    console::note(&format!("\n== {text}"));
}

/// Parses the body of a response, a JSON string.
fn body(response: &str) -> Result<Value> {
    let body = || -> Result<Value> {
        let response: Value = serde_json::from_str(response)?;
        Ok(serde_json::from_str(
            response["body"].as_str().context("no body")?,
        )?)
    };
    body().with_context(|| format!("Unexpected response: {response}"))
}

/// Checks that the response lists the Target account's buckets only.
fn expect_the_targets_buckets(response: &str) -> Result<()> {
    let body = body(response)?;
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

/// Checks that all accounts except `denying` are listed, and returns a table of them.
fn expect_all_but_one(response: &str, denying: &Target) -> Result<String> {
    let body = body(response)?;
    let accounts = body["accounts"].as_array().context("no accounts")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows = Vec::new();
    for account in accounts {
        let id = text(&account["accountId"]);
        let expected = if id == denying.account.as_str() {
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
