//! What a deployment changes is seen before it happens, asked about where it broadens access, and can be undone.

use std::fs;

use aws_sdk_lambda::primitives::Blob;
use e2e::Emulator;

use crate::{
    stage::{Clock, Stage},
    tools::{base64_sha256, tool},
};

/// Whether the deployed function passes an external ID.
async fn external_id(stage: &Stage) -> Option<String> {
    let environment = stage.deployed().await.environment?;
    environment.variables?.remove("EXTERNAL_ID")
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one path, told in its order")]
async fn a_deployment_is_seen_before_it_happens_and_can_be_undone() {
    let clock = Clock::start("safety");
    let stage = Stage::new("safe", "100000000041", "000000000042");
    let copy = &stage.copy;
    let with_external_id = "protected: true\nexternal-id: audit-2026\n";
    copy.write_stage(stage.name, stage.admin, stage.target, with_external_id);
    let xtask = |arguments: &[&str]| {
        let mut all = vec![arguments[0], "--env", "safe"];
        all.extend(&arguments[1..]);
        copy.xtask(&all)
    };

    // Without the execution role nothing is built.
    let refused = xtask(&["deploy", "--yes"]).expect(1);
    let told = refused.stderr();
    assert!(told.contains("not found; nothing was changed"), "{refused}");
    assert!(
        told.contains("cargo xtask roles --env safe --apply admin"),
        "{refused}"
    );
    assert!(!copy.path("dist/safe/handler.zip").exists(), "{refused}");

    // The roles, each in its account and in no other; what changes is shown, and the second time nothing does.
    let apply = |account: &str, side: &str| {
        copy.xtask_as(
            account,
            &["roles", "--env", "safe", "--apply", side, "--yes"],
        )
    };
    let unconfirmed = copy.xtask(&["roles", "--env", "safe", "--apply", "admin"]);
    assert!(
        unconfirmed.expect(2).stderr().contains("--yes"),
        "a protected stage"
    );
    for (account, other, side) in [
        (stage.admin, stage.target, "admin"),
        (stage.target, stage.admin, "target"),
    ] {
        let elsewhere = apply(other, side).expect(1);
        assert!(
            elsewhere
                .stderr()
                .contains(&format!("Your credentials are for account {other}")),
            "{elsewhere}"
        );
        let first = apply(account, side).ok();
        assert!(first.stderr().contains("+ Add"), "{first}");
        let second = apply(account, side).ok();
        assert!(second.stderr().contains("nothing to change"), "{second}");
    }
    clock.lap("roles applied");

    let nothing = xtask(&["rollback", "--yes"]).expect(1);
    assert!(
        nothing
            .stderr()
            .contains("Nothing of stage `safe` is deployed in us-east-1"),
        "{nothing}"
    );
    let nothing = xtask(&["remove", "--yes"]).ok();
    assert!(
        nothing.stderr().contains(
            "Stage `safe` is not deployed: there is no stack `List-S3-Buckets-safe` in us-east-1 of account 100000000041"
        ),
        "{nothing}"
    );

    // Before the first deployment there is nothing to compare with, which is said.
    let new = xtask(&["diff"]).ok();
    let told = new.stdout();
    for line in [
        "new          CloudFormation stack List-S3-Buckets-safe: not deployed yet",
        "unchanged    role MyLambdaExecutionRole in account 100000000041",
        "unknown      roles in the Target accounts",
    ] {
        assert!(told.contains(line), "{line}: {new}");
    }
    assert!(!told.contains("Broadens"), "{new}");
    let deployed = xtask(&["deploy", "--yes"]).ok();
    assert!(
        deployed.stderr().contains("1 account listed, 0 buckets"),
        "{deployed}"
    );
    let same = xtask(&["diff"]).ok();
    assert_eq!(
        same.stdout().matches("unchanged    ").count(),
        4,
        "the stack, the code, the settings and the role: {same}"
    );
    clock.lap("deployed, and nothing more to change");

    // Another stage whose stack has the same name leaves it alone.
    copy.write_stage(
        "Buckets-safe",
        stage.admin,
        stage.target,
        "service: List-S3\n",
    );
    for command in ["deploy", "rollback", "remove"] {
        let rejected = copy.xtask(&[command, "--env", "Buckets-safe", "--yes"]);
        assert!(
            rejected
                .expect(1)
                .stderr()
                .contains("belongs to stage `safe` of service `List-S3-Buckets`"),
            "{command}"
        );
    }
    fs::remove_file(copy.path("environments/variables.Buckets-safe.yml")).expect("the file");
    clock.lap("another stage's stack");

    // An external ID that is dropped broadens access: told first, and on a protected stage asked about by itself.
    copy.write_stage(stage.name, stage.admin, stage.target, "protected: true\n");
    let broader = xtask(&["diff"]).ok();
    assert!(
        broader
            .stdout()
            .starts_with(
                "Broadens access:\n  ! the function no longer sends an external ID in account 000000000042\n"
            ),
        "{broader}"
    );
    assert!(broader.stdout().contains("EXTERNAL_ID"), "{broader}");
    let refused = xtask(&["deploy", "--yes"]).expect(2);
    assert!(refused.stderr().contains("--allow-broadening"), "{refused}");
    assert_eq!(external_id(&stage).await.as_deref(), Some("audit-2026"));
    clock.lap("a broadening, refused");

    // Allowed, it is deployed; the smoke invocation finds that the Target's role still asks for the external ID.
    let deployed = xtask(&["deploy", "--yes", "--allow-broadening"]).expect(1);
    let told = deployed.stderr();
    assert!(told.contains("was deployed, but"), "{deployed}");
    assert!(told.contains("AssumeRoleDenied"), "{deployed}");
    assert!(told.contains("rollback --env safe"), "{deployed}");
    assert_eq!(external_id(&stage).await, None);

    // Back to the deployment before, whose function is answered; before that one there is none.
    let unconfirmed = xtask(&["rollback"]).expect(2);
    assert!(unconfirmed.stderr().contains("--yes"), "{unconfirmed}");
    let back = xtask(&["rollback", "--yes"]).ok();
    assert!(
        back.stderr().contains("1 account listed, 0 buckets"),
        "{back}"
    );
    assert_eq!(external_id(&stage).await.as_deref(), Some("audit-2026"));
    let no_further = xtask(&["rollback", "--yes"]).expect(1);
    assert!(
        no_further
            .stderr()
            .contains("has none that is older than the current one"),
        "{no_further}"
    );
    clock.lap("rolled back");

    // A rollback broadens access as a deployment does.
    let unknown = xtask(&["rollback", "--yes", "--to", "1"]).expect(2);
    let newest = unknown
        .stderr()
        .lines()
        .filter_map(|line| line.trim().split(' ').next()?.parse::<u64>().ok())
        .max()
        .expect("the deployments there are")
        .to_string();
    let refused = xtask(&["rollback", "--yes", "--to", &newest]).expect(2);
    assert!(
        refused
            .stderr()
            .contains("the function no longer sends an external ID in account 000000000042")
            && refused.stderr().contains("--allow-broadening"),
        "{refused}"
    );
    assert_eq!(external_id(&stage).await.as_deref(), Some("audit-2026"));
}

/// Runs a command at a terminal and presses a key when it is asked for.
const AT_A_TERMINAL: &str = r"
import os, pty, sys
key, command = sys.argv[1].encode(), sys.argv[2:]
process, terminal = pty.fork()
if process == 0:
    os.execv(command[0], command)
shown = b''
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
    if key and b'[y/N]' in shown:
        os.write(terminal, key)
        key = b''
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
";

/// What the emulator's CloudFormation does not see: it ignores `DeploymentMode`, so that a drift stays, and must be told.
#[test]
fn a_role_that_is_not_as_rendered_is_no_success() {
    let clock = Clock::start("roles");
    let stage = Stage::new("drift", "100000000047", "000000000048");
    let apply = || {
        let arguments = ["roles", "--env", "drift", "--apply", "admin", "--yes"];
        stage.copy.xtask(&arguments)
    };

    // Somebody else's role, as far as the stack is concerned.
    stage.trust();
    let refused = apply().expect(1);
    assert!(
        refused.stderr().contains(
            "does not belong to stack `List-S3-Buckets-drift-admin-role`; nothing was changed"
        ),
        "{refused}"
    );
    assert!(
        refused.stderr().contains("--change-set-type IMPORT"),
        "{refused}"
    );
    assert!(!refused.stderr().contains("+ Add"), "{refused}");
    stage.delete(stage.admin, "admin-role");
    clock.lap("another's role");

    // Who says no leaves nothing behind, not even the change set, in whichever way.
    let xtask = e2e::xtask_binary().display().to_string();
    let root = stage.copy.path("").display().to_string();
    for (key, status) in [("n\n", 1), ("\u{3}", 130)] {
        let mut arguments = vec!["-c", AT_A_TERMINAL, key, &xtask, "--workspace", &root];
        arguments.extend(["roles", "--env", "drift", "--apply", "admin"]);
        let run = stage
            .copy
            .run("", "python3".as_ref(), &arguments)
            .expect(status);
        let shown = run.stdout();
        assert!(shown.contains("Canceled; nothing was changed"), "{run}");
        assert!(!shown.contains("deleted"), "{run}");
        let stack = "List-S3-Buckets-drift-admin-role";
        let left = stage
            .operator(stage.admin, &["inspect", "--stack", stack])
            .ok();
        assert_eq!(left.json()["stacks"][stack]["absent"], true, "{left}");
        clock.lap("said no");
    }

    let verified = "Verified role MyLambdaExecutionRole in account 100000000047";
    for _ in 0..2 {
        let applied = apply().ok();
        assert!(applied.stderr().contains(verified), "{applied}");
    }
    for edit in [
        "delete_role_policy(RoleName=role, PolicyName='list-s3-buckets')",
        "delete_role(RoleName=role)",
    ] {
        let script = format!(
            "import boto3, os; role = 'MyLambdaExecutionRole'\n\
             boto3.client('iam', verify=os.environ['SSL_CERT_FILE']).{edit}"
        );
        let python = tool("awslambdaric", "bin/python");
        let _ = stage.copy.run("", python.as_ref(), &["-c", &script]).ok();
        let applied = apply().expect(1);
        assert!(
            applied.stderr().contains("differs from the rendered one"),
            "{applied}"
        );
        assert!(
            applied.stderr().contains("aws iam put-role-policy"),
            "{applied}"
        );
        clock.lap(edit);
    }
}

/// A dropped account is reported, and what runs afterwards no longer lists it.
#[test]
fn a_protected_stage_drops_an_account() {
    let clock = Clock::start("drops");
    let stage = Stage::new("drops", "100000000049", "000000000050");
    let write = |accounts: &[&str]| {
        let targets = accounts
            .iter()
            .map(|account| format!("  - account-id: \"{account}\"\n"))
            .collect::<Vec<_>>()
            .concat();
        stage.copy.write(
            "environments/variables.drops.yml",
            &format!(
                "admin-account-id: \"{}\"\nlambda-execution-role: MyLambdaExecutionRole\n\
                 s3-read-role: MyS3ReadRole\nprotected: true\ntargets:\n{targets}",
                stage.admin
            ),
        );
    };
    let deploy = || {
        let arguments = ["deploy", "--env", "drops", "--yes", "--no-smoke"];
        stage.copy.xtask(&arguments)
    };
    write(&[stage.target, "000000000051"]);
    stage.trust();
    let _ = deploy().ok();
    clock.lap("deployed with two accounts");

    write(&[stage.target]);
    let removal = "the function no longer lists account 000000000051";
    let diff = stage.copy.xtask(&["diff", "--env", "drops"]).ok();
    assert!(diff.stdout().contains(removal), "{diff}");
    let dropped = deploy().ok();
    assert!(dropped.stderr().contains(removal), "{dropped}");
    let invoked = stage.xtask("invoke");
    assert!(!invoked.stdout().contains("000000000051"), "{invoked}");
    assert!(invoked.stdout().contains(stage.target), "{invoked}");
    clock.lap("dropped an account");
}

/// Two ways in which the Framework, left to itself, would take the Target account's keys where the SDK takes the Admin's.
#[tokio::test]
async fn the_framework_acts_with_the_keys_that_the_guard_asked_about() {
    let clock = Clock::start("one caller");
    let mut stage = Stage::new("whose", "100000000045", "000000000046");
    stage.trust();
    let _ = stage.xtask("render").ok();
    let profile = |account: &str| {
        format!("[default]\naws_access_key_id = {account}\naws_secret_access_key = test\n")
    };
    stage.copy.write("keys", &profile(stage.admin));
    stage.copy.write("dist/whose/keys", &profile(stage.target));

    // A relative path is another file in the folder that the Framework runs in.
    stage.copy = stage.copy.with_variables(&[
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SHARED_CREDENTIALS_FILE", "keys"),
        ("AWS_CONFIG_FILE", "/dev/null"),
    ]);
    let deployed = stage.xtask("deploy");
    assert_eq!(functions_of(stage.target).await, Vec::<String>::new());
    assert_eq!(functions_of(stage.admin).await, [stage.function_name()]);
    let _ = deployed.ok();
    clock.lap("deployed with a relative path");

    // The SDK takes the secret by either name, the Framework by one of them, and then the profile.
    let target = stage.copy.path("dist/whose/keys").display().to_string();
    let admin = stage.admin;
    stage.copy = stage.copy.with_variables(&[
        ("AWS_ACCESS_KEY_ID", admin),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("SECRET_ACCESS_KEY", "test"),
        ("AWS_PROFILE", "default"),
        ("AWS_SHARED_CREDENTIALS_FILE", &target),
        ("AWS_CONFIG_FILE", "/dev/null"),
    ]);
    let removed = stage.xtask("remove");
    assert_eq!(functions_of(stage.admin).await, Vec::<String>::new());
    let _ = removed.ok();
    clock.lap("removed with an alias");
}

async fn functions_of(account: &str) -> Vec<String> {
    let lambda = aws_sdk_lambda::Client::new(&Emulator::shared().sdk_config(account));
    let listed = lambda.list_functions().send().await.expect("a list");
    let functions = listed.functions.unwrap_or_default();
    functions
        .into_iter()
        .filter_map(|function| function.function_name)
        .collect()
}

/// The Serverless Framework compares with the newest deployment in its bucket, which need not be the one that runs.
#[tokio::test]
async fn a_deployment_ships_the_package_whatever_runs() {
    let clock = Clock::start("deploy again");
    let stage = Stage::new("again", "100000000043", "000000000044");
    stage.trust();
    let deploy = |memory: u32| {
        let variables = format!("function:\n  memory: {memory}\n");
        stage
            .copy
            .write_stage(stage.name, stage.admin, stage.target, &variables);
        stage.xtask("deploy").ok()
    };
    for memory in [256, 512] {
        let _ = deploy(memory);
        assert_eq!(
            stage.deployed().await.memory_size(),
            i32::try_from(memory).ok()
        );
    }
    let back = stage.xtask("rollback").ok();
    assert!(back.stderr().contains("olled back"), "{back}");
    assert_eq!(stage.deployed().await.memory_size(), Some(256));
    clock.lap("rolled back");

    let again = deploy(512);
    assert_eq!(stage.deployed().await.memory_size(), Some(512), "{again}");
    assert!(again.stderr().contains("Deployed"), "{again}");
    clock.lap("deployed after a rollback");

    let same = deploy(512);
    assert!(
        same.stderr()
            .contains("Already deployed: nothing to change"),
        "{same}"
    );
    assert!(same.stderr().contains("1 account listed"), "{same}");
    clock.lap("nothing to change");

    // On a terminal, a removal is asked about on any stage. The answer `n` changes nothing.
    let scheduled = "function:\n  memory: 512\n  schedule: rate(1 hour)\n";
    let write = |more: &str| {
        stage
            .copy
            .write_stage(stage.name, stage.admin, stage.target, more);
    };
    write(scheduled);
    let _ = stage.xtask("deploy").ok();
    write("function:\n  memory: 512\n");
    let xtask = e2e::xtask_binary().display().to_string();
    let root = stage.copy.path("").display().to_string();
    let at_a_terminal = |command: &str, key: &str| {
        let mut arguments = vec!["-c", AT_A_TERMINAL, key, &xtask, "--workspace", &root];
        arguments.extend([command, "--env", stage.name, "--no-smoke"]);
        stage.copy.run("", "python3".as_ref(), &arguments)
    };
    let cancelled = at_a_terminal("deploy", "n\n").expect(1);
    let shown = cancelled.stdout();
    assert!(
        shown.contains("the stack removes AWS::Events::Rule"),
        "{cancelled}"
    );
    assert!(shown.contains("Continue? [y/N]"), "{cancelled}");
    assert!(shown.contains("nothing was changed"), "{cancelled}");
    write(scheduled);
    let kept = stage.xtask("diff").ok();
    assert!(!kept.stdout().contains("changed      "), "{kept}");
    let cancelled = at_a_terminal("rollback", "n\n").expect(1);
    assert!(
        cancelled.stdout().contains("Continue? [y/N]"),
        "{cancelled}"
    );
    let back = at_a_terminal("rollback", "y\n").ok();
    assert!(back.stdout().contains("Rolled back"), "{back}");
    clock.lap("asked on a terminal");

    // The same function in another archive: the code that somebody puts there by hand.
    let archive = stage.copy.path("dist/again/handler.zip");
    let package = base64_sha256(&archive);
    let mut other = fs::read(&archive).expect("an archive");
    let comment_length = other.len() - 2;
    other[comment_length] = 1;
    other.push(b'!');
    let lambda = stage.lambda();
    let update = lambda
        .update_function_code()
        .function_name(stage.function_name())
        .zip_file(Blob::new(other));
    update.send().await.expect("other code");
    let by_hand = stage.deployed().await;
    assert_ne!(by_hand.code_sha256(), Some(package.as_str()));
    let mended = deploy(512);
    let deployed = stage.deployed().await;
    assert_eq!(deployed.code_sha256(), Some(package.as_str()), "{mended}");
    clock.lap("deployed over code by hand");
}
