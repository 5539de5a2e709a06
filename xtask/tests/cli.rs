//! The command line as a person meets it: exit statuses, what goes where, and what is left on disk.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests have files and processes of their own, and may fail anywhere"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// Three accounts, of which the second is the Admin account itself.
const MANY: &str = "admin-account-id: \"111111111111\"\nlambda-execution-role: MyLambdaExecutionRole\n\n\
                    s3-read-role: MyS3ReadRole\ntargets:\n\
                    - account-id: \"222222222222\"\n  name: Payments\n- account-id: \"111111111111\"\n\
                    - account-id: \"333333333333\"\n  role: Reader\n";

const SEED: &str = "admin-account-id: \"111111111111\"\nlambda-execution-role: MyLambdaExecutionRole\n\n\
                    target-account-id: \"222222222222\"\ns3-read-role: MyS3ReadRole\n";

/// A workspace of its own: the real templates, and the stages that a test writes.
struct Workspace(TempDir);

impl Workspace {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for name in [
            "serverless.yml.j2",
            "roles/admin.yml.j2",
            "roles/target.yml.j2",
        ] {
            let to = directory.path().join("templates").join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(root.join("templates").join(name), to).unwrap();
        }
        fs::create_dir_all(directory.path().join("environments")).unwrap();
        Self(directory)
    }

    fn with_stage(self, name: &str, text: &str) -> Self {
        self.write(&format!("environments/variables.{name}.yml"), text);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn xtask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("--workspace")
            .arg(self.0.path())
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn rendering_writes_the_file_that_stdout_prints_and_check_compares() {
    let workspace = Workspace::new().with_stage("dev", SEED);

    let missing = workspace.xtask(&["render", "--env", "dev", "--check"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        stderr(&missing).contains("dist/dev/serverless.yml is missing"),
        "{}",
        stderr(&missing)
    );
    assert!(!workspace.path("dist").exists());

    let printed = workspace.xtask(&["render", "--env", "dev", "--stdout"]);
    assert_eq!(printed.status.code(), Some(0));
    assert!(!workspace.path("dist").exists());

    let written = workspace.xtask(&["render", "--env", "dev"]);
    assert_eq!(
        (written.status.code(), stdout(&written).as_str()),
        (Some(0), "")
    );
    assert_eq!(workspace.read("dist/dev/serverless.yml"), stdout(&printed));

    assert_eq!(
        workspace
            .xtask(&["render", "--env", "dev", "--check"])
            .status
            .code(),
        Some(0)
    );
    let text = workspace
        .read("dist/dev/serverless.yml")
        .replace("us-east-1", "us-west-2");
    workspace.write("dist/dev/serverless.yml", &text);
    let stale = workspace.xtask(&["render", "--env", "dev", "--check"]);
    assert_eq!(stale.status.code(), Some(1));
    assert!(
        stdout(&stale).contains("-  region: \"us-west-2\"\n+  region: \"us-east-1\""),
        "{}",
        stdout(&stale)
    );
    assert_eq!(
        workspace.read("dist/dev/serverless.yml"),
        text,
        "a check changes nothing"
    );
}

#[test]
fn every_stage_is_rendered_or_none() {
    let workspace = Workspace::new()
        .with_stage("dev", SEED)
        .with_stage("prod", SEED);
    assert_eq!(workspace.xtask(&["render", "--all"]).status.code(), Some(0));
    assert!(
        workspace.path("dist/dev/serverless.yml").exists()
            && workspace.path("dist/prod/serverless.yml").exists()
    );

    fs::remove_dir_all(workspace.path("dist")).unwrap();
    let workspace = workspace.with_stage("bad", "admin-account-id: 111111111111\n");
    assert_eq!(workspace.xtask(&["render", "--all"]).status.code(), Some(2));
    assert!(
        !workspace.path("dist").exists(),
        "something was written although a stage is at fault"
    );
}

#[test]
fn a_stage_must_be_named_and_be_there() {
    let workspace = Workspace::new()
        .with_stage("dev", SEED)
        .with_stage("prod", SEED);
    let commands = [
        "render", "build", "package", "deploy", "invoke", "info", "logs", "remove", "roles",
        "diagram",
    ];
    for command in commands {
        let unnamed = workspace.xtask(&[command]);
        assert_eq!(
            unnamed.status.code(),
            Some(2),
            "{command}: {}",
            stderr(&unnamed)
        );
        assert!(
            stderr(&unnamed).contains("dev, prod"),
            "{command}: {}",
            stderr(&unnamed)
        );
    }
    for stage in ["staging", "../dev", "", "dev/../prod"] {
        let unknown = workspace.xtask(&["render", "--env", stage]);
        assert_eq!(
            unknown.status.code(),
            Some(2),
            "{stage}: {}",
            stderr(&unknown)
        );
        assert!(
            stderr(&unknown).contains("dev, prod"),
            "{stage}: {}",
            stderr(&unknown)
        );
    }
    assert!(!workspace.path("dist").exists());
}

#[test]
fn a_faulty_variables_file_tells_all_and_writes_nothing() {
    let workspace =
        Workspace::new().with_stage("dev", "admin-account-id: 111111111111\ns3-read-roll: x y\n");
    for command in ["render", "build", "package", "deploy", "roles", "diagram"] {
        let refused = workspace.xtask(&[command, "--env", "dev"]);
        assert_eq!(refused.status.code(), Some(2), "{command}");
        let told = stderr(&refused);
        for part in [
            "environments/variables.dev.yml:1",
            "s3-read-roll",
            "s3-read-role",
            "target-account-id",
        ] {
            assert!(told.contains(part), "{command}: no {part} in\n{told}");
        }
        assert_eq!(stdout(&refused), "");
    }
    assert!(!workspace.path("dist").exists());
}

#[test]
fn the_stages_are_listed_valid_or_not() {
    let workspace = Workspace::new()
        .with_stage("dev", SEED)
        .with_stage("broken", "- a list\n");
    let listed = workspace.xtask(&["envs", "--json"]);
    assert_eq!(listed.status.code(), Some(0));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&listed)).unwrap();
    assert_eq!(rows[0]["stage"], "broken");
    assert_eq!(rows[0]["valid"], false);
    assert_eq!(rows[1]["targetAccountId"], "222222222222");
    let table = stdout(&workspace.xtask(&["envs"]));
    assert!(
        table.contains("222222222222") && table.contains("not valid"),
        "{table}"
    );
}

/// Roles of accounts that are not known by number are assumed in one organization alone; the deployment needs no roles.
#[test]
fn a_misnamed_file_is_a_fault_of_its_own_stage_alone() {
    let workspace = Workspace::new()
        .with_stage("dev", SEED)
        .with_stage("my_stage", SEED)
        .with_stage("prod", &SEED.replace("\"222222222222\"", "222222222222"));
    workspace.write("environments/variables.dev2.yml", SEED);
    workspace.write("environments/variables.dev2.yaml", SEED);
    let listed = workspace.xtask(&["envs", "--json"]);
    let stages: serde_json::Value = serde_json::from_str(&stdout(&listed)).unwrap();
    let valid: Vec<_> = stages
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| (stage["stage"].as_str().unwrap(), stage["valid"] == true))
        .collect();
    assert_eq!(
        valid,
        [
            ("dev", true),
            ("dev2", false),
            ("my_stage", false),
            ("prod", false)
        ]
    );
    let checked = workspace.xtask(&["check"]);
    assert_eq!(checked.status.code(), Some(2));
    for told in [
        "ok  environments/variables.dev.yml",
        "Stage `dev2` has two files",
        "environments/variables.my_stage.yml: stage `my_stage` is not a stage name",
        "`target-account-id` must be quoted",
    ] {
        assert!(stderr(&checked).contains(told), "{}", stderr(&checked));
    }
    let unnamed = workspace.xtask(&["render"]);
    assert!(
        stderr(&unnamed).contains("the stages are dev, dev2, prod"),
        "{}",
        stderr(&unnamed)
    );
}

#[test]
fn many_problems_of_one_kind_are_told_once_and_fixed() {
    let targets = |quote: &str| -> String {
        let id = |number: u32| format!("{:012}", 222_222_222_000_u64 + u64::from(number));
        (0..300)
            .map(|number| match number % 2 {
                0 => format!(
                    "- account-id: {quote}{}{quote}  # a comment\r\n",
                    id(number)
                ),
                _ => format!(
                    "- {{ account-id: {quote}{}{quote}, name: N{number} }}\n",
                    id(number)
                ),
            })
            .collect()
    };
    let file = |quote: &str| {
        format!(
            "\u{FEFF}admin-account-id: {quote}011111111111{quote}\nlambda-execution-role: Runs\n\
             s3-read-role:   Reads\n\ntargets:\n{}tags:\n  number: \"333333333333\"\n  äö: x",
            targets(quote)
        )
        .replace("  äö: x", "  note: äö")
    };
    let workspace = Workspace::new()
        .with_stage("dev", &file(""))
        .with_stage("prod", SEED);
    let path = workspace.path("environments/variables.dev.yml");
    let checked = workspace.xtask(&["check", "--env", "dev"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = stderr(&checked);
    assert!(
        told.lines().count() < 60,
        "{} lines:\n{told}",
        told.lines().count()
    );
    for part in [
        "299 more like this, on lines 7, 8, ",
        "301 problems in",
        "`cargo xtask check --fix`",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        file(""),
        "a check writes nothing"
    );

    let fixed = workspace.xtask(&["check", "--env", "dev", "--fix"]);
    assert_eq!(fixed.status.code(), Some(0), "{}", stderr(&fixed));
    assert!(
        stderr(&fixed)
            .contains("wrote environments/variables.dev.yml: account IDs put in quotes: 301"),
        "{}",
        stderr(&fixed)
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), file("\""));
    assert_eq!(workspace.read("environments/variables.prod.yml"), SEED);
}

/// An id with a digit too few is not known: whoever wrote it decides.
#[test]
fn fixing_leaves_what_it_does_not_know() {
    let text = SEED
        .replace("\"111111111111\"", "111111111111")
        .replace("\"222222222222\"", "22222222222");
    let workspace = Workspace::new().with_stage("dev", &text);
    let fixed = workspace.xtask(&["check", "--env", "dev", "--fix"]);
    assert_eq!(fixed.status.code(), Some(2), "{}", stderr(&fixed));
    assert_eq!(
        workspace.read("environments/variables.dev.yml"),
        text.replace("111111111111", "\"111111111111\"")
    );
}

#[test]
fn roles_for_an_organization_need_its_id() {
    let organization =
        MANY.split_once("targets:").unwrap().0.to_owned() + "organization:\n  all: true\n";
    let workspace = Workspace::new().with_stage("a", &organization);
    let sentence = "`organization` requires `organization-id`";
    assert!(workspace.xtask(&["render", "--env", "a"]).status.success());
    let checked = workspace.xtask(&["check", "--env", "a"]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert!(stderr(&checked).contains(sentence), "{}", stderr(&checked));
    let refused = workspace.xtask(&["roles", "--env", "a"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains(sentence), "{}", stderr(&refused));
    assert!(!workspace.path("dist/a/roles").exists());

    let named = organization + "organization-id: o-a1b2c3d4e5\n";
    let workspace = Workspace::new().with_stage("a", &named);
    let made = workspace.xtask(&["roles", "--env", "a"]);
    assert!(made.status.success(), "{}", stderr(&made));
}

#[test]
fn stages_of_many_accounts_are_listed_with_them() {
    let organization = MANY.split_once("targets:").unwrap().0.to_owned()
        + "organization:\n  units: [ou-ab12-34cd56ef]\n  exclude: [\"444444444444\"]\n";
    let workspace = Workspace::new()
        .with_stage("a", MANY)
        .with_stage("b", &organization)
        .with_stage("c", SEED);
    let rows: serde_json::Value =
        serde_json::from_str(&stdout(&workspace.xtask(&["envs", "--json"]))).unwrap();
    let targets = &rows[0]["targets"];
    assert_eq!(targets.as_array().unwrap().len(), 3, "{rows}");
    assert_eq!(targets[0]["name"], "Payments");
    assert_eq!(targets[0]["role"], "MyS3ReadRole");
    assert_eq!(targets[1]["accountId"], "111111111111");
    assert_eq!(targets[1]["role"], serde_json::Value::Null);
    assert_eq!(targets[2]["role"], "Reader");
    assert_eq!(rows[0].get("targetAccountId"), None);
    assert_eq!(
        rows[1]["organization"],
        serde_json::json!({
            "units": ["ou-ab12-34cd56ef"],
            "exclude": ["444444444444"],
            "role": "MyS3ReadRole",
            "externalId": null,
        })
    );
    let seed: Vec<&String> = rows[2].as_object().unwrap().keys().collect();
    assert!(
        !seed
            .iter()
            .any(|key| *key == "targets" || *key == "organization")
    );
    let table = stdout(&workspace.xtask(&["envs"]));
    for part in ["3 accounts", "2 roles", "organization ou-ab12-34cd56ef"] {
        assert!(table.contains(part), "no {part} in\n{table}");
    }
}

/// The function refuses both at once: it is told of its accounts by its environment or by `targets.json`.
#[test]
fn a_template_names_no_account_where_there_are_many() {
    let workspace = Workspace::new().with_stage("dev", MANY);
    let template = workspace.read("templates/serverless.yml.j2");
    let rendered = workspace.xtask(&["render", "--env", "dev", "--stdout"]);
    assert_eq!(rendered.status.code(), Some(0), "{}", stderr(&rendered));
    assert!(
        !stdout(&rendered).contains("environment:"),
        "{}",
        stdout(&rendered)
    );
    for (name, place, line) in [
        (
            "TARGET_ACCOUNT_ID",
            "    tracing:",
            "    environment:\n      TARGET_ACCOUNT_ID: \"222222222222\"\n",
        ),
        (
            "S3_READ_ROLE",
            "    tracing:",
            "    environment:\n      S3_READ_ROLE: MyS3ReadRole\n",
        ),
        (
            "EXTERNAL_ID",
            "  runtime:",
            "  environment:\n    EXTERNAL_ID: audit\n",
        ),
    ] {
        workspace.write(
            "templates/serverless.yml.j2",
            &template.replace(place, &format!("{line}{place}")),
        );
        let refused = workspace.xtask(&["render", "--env", "dev"]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        let told = stderr(&refused);
        assert!(
            told.contains(&format!("environment.{name}` is")) && told.contains("does not set"),
            "{told}"
        );
    }
    assert!(!workspace.path("dist").exists());
}

/// As in `cargo xtask render … --stdout | true`: the result did not arrive, which the reader knows already.
#[test]
fn a_closed_pipe_ends_the_command_without_a_message() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    for arguments in [&["render", "--env", "dev", "--stdout"][..], &["envs"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["--workspace".as_ref(), workspace.0.path().as_os_str()])
            .args(arguments)
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(stderr(&output), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
}

/// Each `fixtures/templates/*.j2` stands in for the template of serverless.yml; what is told of it is a snapshot.
#[test]
fn template_faults_name_file_and_line() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    insta::glob!("fixtures/templates/*.j2", |template| {
        fs::copy(template, workspace.path("templates/serverless.yml.j2")).unwrap();
        let refused = workspace.xtask(&["render", "--env", "dev"]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(!workspace.path("dist").exists());
        insta::assert_snapshot!(stderr(&refused));
    });
}

#[test]
fn a_fault_of_the_template_is_told_once_for_all_stages() {
    let workspace = Workspace::new()
        .with_stage("dev", SEED)
        .with_stage("prod", SEED);
    for template in ["{% if %}\n", "{{ undefined_name }}\n"] {
        workspace.write("templates/serverless.yml.j2", template);
        let checked = workspace.xtask(&["check"]);
        assert_eq!(checked.status.code(), Some(2));
        let told = stderr(&checked);
        assert_eq!(told.matches("serverless.yml.j2:1").count(), 1, "{told}");
    }
}

/// Each valid file of `crates/environment/tests/fixtures/good` with what is rendered from it.
#[test]
fn what_is_rendered() {
    insta::glob!(
        "../../crates/environment/tests/fixtures/good",
        "*.yml",
        |variables| {
            let workspace = Workspace::new();
            fs::copy(
                variables,
                workspace.path("environments/variables.stage.yml"),
            )
            .unwrap();
            let serverless = workspace.xtask(&["render", "--env", "stage", "--stdout"]);
            assert_eq!(serverless.status.code(), Some(0), "{}", stderr(&serverless));
            let roles = workspace.xtask(&["roles", "--env", "stage", "--stdout"]);
            assert_eq!(roles.status.code(), Some(0), "{}", stderr(&roles));
            insta::assert_snapshot!(format!("{}---\n{}", stdout(&serverless), stdout(&roles)));
        }
    );
}

#[test]
fn stages_with_one_stack_are_refused() {
    let workspace = Workspace::new()
        .with_stage("b-c", &format!("{SEED}service: Svc\n"))
        .with_stage("c", &format!("{SEED}service: Svc-b\nprotected: true\n"));
    let checked = workspace.xtask(&["check"]);
    assert_eq!(checked.status.code(), Some(2), "{}", stderr(&checked));
    let told = stderr(&checked);
    for part in ["`b-c` and `c`", "`Svc-b-c`", "environments/variables.c.yml"] {
        assert!(told.contains(part), "no {part} in\n{told}");
    }
    assert!(workspace.xtask(&["check", "--env", "c"]).status.success());
}

/// A command on a stage that another one is working on waits, and says for whom.
#[test]
fn a_stage_is_written_by_one_command_at_a_time() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    fs::create_dir_all(workspace.path("dist/dev")).unwrap();
    workspace.write(
        "dist/dev/.lock",
        "`cargo xtask deploy --env dev` (process 1)",
    );
    let held = fs::File::open(workspace.path("dist/dev/.lock")).unwrap();
    held.lock().unwrap();
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["--workspace".as_ref(), workspace.0.path().as_os_str()])
        .args(["render", "--env", "dev"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "Waiting for `cargo xtask deploy --env dev` (process 1), which is using stage `dev` …\n"
    );
    assert!(!workspace.path("dist/dev/serverless.yml").exists());
    drop(held);
    assert!(waiting.wait().unwrap().success());
    assert!(workspace.path("dist/dev/serverless.yml").exists());
    assert!(
        workspace
            .read("dist/dev/.lock")
            .contains("render --env dev")
    );
}

/// Of two builds, the second waits until the first has built and read the executable.
#[test]
fn a_build_waits_for_another() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    let lock = workspace.path("target/lambda/x86_64/lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["--workspace".as_ref(), workspace.0.path().as_os_str()])
        .args(["build", "--env", "dev"])
        .env_remove("CARGO_TARGET_DIR")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "Waiting for another build of the function …\n");
    assert_eq!(waiting.try_wait().unwrap(), None);
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    // Nothing was built or packed in the meantime.
    assert!(!workspace.path("dist/dev/handler.zip").exists());
    drop(held);
}

/// Every stage at once: nothing to do is not nothing wrong, and a fault of one stage does not hide another's.
#[test]
fn all_stages_means_all_of_them() {
    let workspace = Workspace::new();
    for arguments in [&["render", "--all"][..], &["render"], &["check"]] {
        let refused = workspace.xtask(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let told = stderr(&refused);
        assert!(told.contains("error: No stages found in"), "{told}");
    }
    let workspace = workspace.with_stage("a", "").with_stage("b", "- x\n");
    let refused = workspace.xtask(&["render", "--all"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = stderr(&refused);
    for stage in ["a", "b"] {
        let file = format!("environments/variables.{stage}.yml; nothing was written");
        assert!(told.contains(&file), "{told}");
    }
}

/// What is no template is the input's fault, and is not read without an end.
#[test]
fn a_template_that_cannot_be_read() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    let template = workspace.path("templates/serverless.yml.j2");
    fs::remove_file(&template).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &template).unwrap();
    let refused = workspace.xtask(&["render", "--env", "dev"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("it is not a regular file"));
    fs::remove_file(&template).unwrap();
    fs::write(&template, vec![b' '; (1 << 20) + 1]).unwrap();
    let refused = workspace.xtask(&["render", "--env", "dev"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("is too large"));
}

/// `${…}` is the Framework's in serverless.yml, and CloudFormation's in a role.
#[test]
fn a_role_may_use_cloudformation_s_own_substitution() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    let template = workspace.read("templates/roles/target.yml.j2");
    let output = "Outputs:\n  Account:\n    Value:\n      Fn::Sub: \"${AWS::AccountId}\"\n";
    workspace.write(
        "templates/roles/target.yml.j2",
        &format!("{template}{output}"),
    );
    let done = workspace.xtask(&["roles", "--env", "dev"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
}

/// Standard error that takes nothing changes no exit status.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_is_no_crash() {
    let workspace = Workspace::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--workspace")
        .arg(workspace.0.path())
        .args(["render", "--env", "none"])
        .stderr(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
}

/// What a user makes of a role's template, and what is told of it: it may say less than the variables, and not more.
fn refused_roles(side: &str, cases: &[(&str, &str, &str)]) {
    let seed = format!("{SEED}external-id: audit-2026\ntrust: account\n");
    let workspace = Workspace::new().with_stage("dev", &seed);
    for (name, from, to) in cases {
        let path = format!("templates/roles/{side}.yml.j2");
        let shipped = workspace.read(&path);
        assert!(shipped.contains(from), "{name}");
        workspace.write(&path, &shipped.replace(from, to));
        let refused = workspace.xtask(&["roles", "--env", "dev"]);
        workspace.write(&path, &shipped);
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{name}: {}",
            stderr(&refused)
        );
        assert!(!workspace.path("dist").exists(), "{name}");
        insta::assert_snapshot!(format!("role_{name}"), stderr(&refused));
    }
}

#[test]
fn an_execution_role_that_says_more_than_the_variables() {
    let other_role = "  Other:\n    Type: AWS::IAM::Role\n    Properties: {}\n";
    let assume_any = "\n              - Sid: More\n                Effect: Allow\n                Action: \"sts:*\"\n                Resource: \"*\"\n";
    let all_but = "\n              - Sid: More\n                Effect: Allow\n                NotAction: \"s3:*\"\n                Resource: \"*\"\n";
    refused_roles(
        "admin",
        &[
            (
                "another_service",
                "Service: lambda.amazonaws.com",
                "Service: ec2.amazonaws.com",
            ),
            (
                "no_source_account",
                "            Condition:\n              StringEquals:\n                \"aws:SourceAccount\": {{ admin_account_id }}\n",
                "",
            ),
            ("every_role", "{{ arn }}", "\"*\""),
            (
                "assume_any",
                "\n              - Sid: WriteOwnLogs",
                &format!("{assume_any}              - Sid: WriteOwnLogs"),
            ),
            (
                "all_but",
                "\n              - Sid: WriteOwnLogs",
                &format!("{all_but}              - Sid: WriteOwnLogs"),
            ),
            (
                "computed_action",
                "                  - logs:PutLogEvents\n",
                "                  - logs:PutLogEvents\n                  - Fn::Sub: \"${Service}:AssumeRole\"\n",
            ),
            (
                "computed_policies",
                "      Policies:\n",
                "      Policies:\n        Fn::If: [\"More\", [], []]\n      Others:\n",
            ),
            (
                "other_role",
                "Resources:\n",
                &format!("Resources:\n{other_role}"),
            ),
            (
                "policy_of_another_role",
                "Resources:\n",
                "Resources:\n  More:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n      Roles: [Other]\n      PolicyDocument:\n        Statement: []\n",
            ),
            (
                "third_party",
                "Resources:\n",
                "Resources:\n  More:\n    Type: Okta::Group::Membership\n    Properties: {}\n",
            ),
            (
                "another_resource",
                "Resources:\n",
                "Resources:\n  More:\n    Type: AWS::Lambda::Permission\n    Properties: {}\n",
            ),
            (
                "transform",
                "Resources:\n",
                "Transform: AWS::Serverless-2016-10-31\nResources:\n",
            ),
            (
                "another_name",
                "RoleName: {{ execution_role_name }}",
                "RoleName: Other",
            ),
            (
                "too_long",
                "Service: lambda.amazonaws.com",
                "Service: {{ 'x' * 2000 }}",
            ),
        ],
    );
}

#[test]
fn a_read_role_that_says_more_than_the_variables() {
    let managed = "      ManagedPolicyArns:\n        - \"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\"\n      Policies:\n";
    refused_roles(
        "target",
        &[
            (
                "another_principal",
                "\"aws:PrincipalArn\": {{ execution_role_arn }}",
                "\"aws:PrincipalArn\": {{ execution_role_arn ~ 'Other' }}",
            ),
            (
                "no_external_id",
                "\"sts:ExternalId\"",
                "\"aws:PrincipalTag/x\"",
            ),
            (
                "whole_account",
                "              ArnEquals:\n                \"aws:PrincipalArn\": {{ execution_role_arn }}\n",
                "",
            ),
            (
                "computed",
                "AWS: {{ 'arn:' ~ partition ~ ':iam::' ~ admin_account_id ~ ':root' }}",
                "AWS:\n                Ref: Principal",
            ),
            (
                "reads_objects",
                "Action: s3:ListAllMyBuckets",
                "Action:\n                  - s3:ListAllMyBuckets\n                  - s3:GetObject",
            ),
            ("managed_policy", "      Policies:\n", managed),
            ("no_role", "AWS::IAM::Role", "AWS::IAM::Thing"),
        ],
    );
}

#[test]
fn a_role_may_say_less_and_the_execution_role_may_have_statements_of_its_own() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    let key = "\n              - Sid: UseKey\n                Effect: Allow\n                Action: kms:Decrypt\n                Resource:\n                  Fn::GetAtt: [\"Key\", \"Arn\"]\n              - Sid: WriteOwnLogs";
    let vpc = "      ManagedPolicyArns:\n        - \"arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole\"\n      Policies:\n";
    for (side, from, to) in [
        ("admin", "\n              - Sid: WriteOwnLogs", key),
        ("admin", "      Policies:\n", vpc),
        (
            "admin",
            "      Policies:\n",
            "      PermissionsBoundary:\n        Fn::ImportValue: \"boundary\"\n      Policies:\n",
        ),
        (
            "admin",
            "                \"aws:SourceAccount\": {{ admin_account_id }}\n",
            "                \"aws:SourceAccount\": {{ admin_account_id }}\n                \"aws:SourceArn\": \"arn:aws:lambda:us-east-1:111111111111:function:x\"\n",
        ),
        (
            "target",
            "            Action: sts:AssumeRole\n",
            "            Action: sts:AssumeRole\n            Condition:\n              Bool:\n                \"aws:SecureTransport\": \"true\"\n",
        ),
        (
            "target",
            "                Resource: \"*\"\n",
            "                Resource: \"*\"\n              - Sid: Nothing\n                Effect: Deny\n                Action: \"s3:GetObject\"\n                Resource: \"*\"\n",
        ),
    ] {
        let path = format!("templates/roles/{side}.yml.j2");
        let shipped = workspace.read(&path);
        assert!(shipped.contains(from), "{from}");
        workspace.write(&path, &shipped.replace(from, to));
        let done = workspace.xtask(&["roles", "--env", "dev", "--stdout"]);
        workspace.write(&path, &shipped);
        assert_eq!(done.status.code(), Some(0), "{to}: {}", stderr(&done));
    }
}

/// A file of a target that has no role of its own any more would be deployed by whoever deploys what is there.
#[test]
fn roles_of_earlier_renderings_are_removed() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    assert_eq!(
        workspace.xtask(&["roles", "--env", "dev"]).status.code(),
        Some(0)
    );
    let check = || workspace.xtask(&["roles", "--env", "dev", "--check"]);
    assert_eq!(check().status.code(), Some(0));
    workspace.write("dist/dev/roles/target-333333333333.yml", "old");
    workspace.write("dist/dev/roles/notes.yml", "mine");
    let stale = check();
    assert_eq!(stale.status.code(), Some(1));
    assert!(
        stderr(&stale).contains("dist/dev/roles/target-333333333333.yml is out of date"),
        "{}",
        stderr(&stale)
    );
    assert!(
        workspace
            .path("dist/dev/roles/target-333333333333.yml")
            .exists()
    );
    let done = workspace.xtask(&["roles", "--env", "dev"]);
    assert!(stderr(&done).contains("removed dist/dev/roles/target-333333333333.yml"));
    assert!(
        !workspace
            .path("dist/dev/roles/target-333333333333.yml")
            .exists()
    );
    assert!(workspace.path("dist/dev/roles/notes.yml").exists());
    assert_eq!(check().status.code(), Some(0));
}

#[test]
fn the_bare_policies() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    let printed = workspace.xtask(&["roles", "--env", "dev", "--policy", "json"]);
    assert_eq!(printed.status.code(), Some(0), "{}", stderr(&printed));
    let value: serde_json::Value = serde_json::from_str(&stdout(&printed)).unwrap();
    assert_eq!(
        value["executionRole"]["permissions"]["list-s3-buckets"]["Statement"][0]["Resource"],
        "arn:aws:iam::222222222222:role/MyS3ReadRole"
    );
    assert_eq!(value["targetRoles"][0]["accounts"][0], "222222222222");
    assert_eq!(value["targetRoles"][0]["name"], "MyS3ReadRole");
    assert!(!workspace.path("dist").exists());
    for arguments in [&["--policy", "yaml"][..], &["--policy", "json", "--check"]] {
        let refused = workspace.xtask(&[&["roles", "--env", "dev"], arguments].concat());
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
    }
}

/// The README's picture is the one that the command draws of the stage `dev`, and `check` keeps it so.
#[test]
fn the_picture_in_the_readme_is_kept_fresh() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    let marks = |name: &str| format!("<!-- generated: {name} -->\n<!-- end -->\n");
    workspace.write("README.md", &["diagram", "commands"].map(marks).concat());
    for page in ["variables", "commands"] {
        workspace.write(&format!("docs/{page}.md"), &marks(page));
    }
    let drawn = workspace.xtask(&["diagram", "--env", "dev"]);
    assert_eq!(drawn.status.code(), Some(0), "{}", stderr(&drawn));
    assert_eq!(workspace.xtask(&["check", "--fix"]).status.code(), Some(0));
    let block = format!("```mermaid\n{}```\n<!-- end -->", stdout(&drawn));
    assert!(workspace.read("README.md").contains(&block));
    assert_eq!(workspace.xtask(&["check"]).status.code(), Some(0));

    for (page, part) in [
        ("variables", "| `admin-account-id` | required |"),
        ("commands", "### deploy\n\nDeploy a stage"),
    ] {
        let path = format!("docs/{page}.md");
        let fresh = workspace.read(&path);
        assert!(fresh.contains(part), "{fresh}");
        workspace.write(&path, &marks(page));
        let stale = workspace.xtask(&["check"]);
        assert_eq!(stale.status.code(), Some(1));
        assert!(stderr(&stale).contains(&format!("{path} is out of date")));
        workspace.write(&path, &fresh);
    }

    let workspace = workspace.with_stage("dev", &format!("{SEED}external-id: audit-2026\n"));
    let stale = workspace.xtask(&["check"]);
    assert_eq!(stale.status.code(), Some(1));
    assert!(stderr(&stale).contains("README.md is out of date"));

    // A stage that a user has done away with takes no picture along.
    fs::rename(
        workspace.path("environments/variables.dev.yml"),
        workspace.path("environments/variables.other.yml"),
    )
    .unwrap();
    assert_eq!(workspace.xtask(&["check"]).status.code(), Some(0));
}

/// Relative links lead to files and anchors to headings, and the book has every page.
#[test]
fn a_broken_link_in_the_documentation_fails_the_check() {
    let workspace = Workspace::new().with_stage("dev", SEED);
    let marks = |name: &str| format!("<!-- generated: {name} -->\n<!-- end -->\n");
    let readme = ["diagram", "commands"].map(marks).concat();
    let check = |link: &str| {
        workspace.write("README.md", &format!("# Start\n\n{link}\n\n{readme}"));
        workspace.xtask(&["check", "--fix"])
    };
    workspace.write(
        "docs/page.md",
        "# A page\n\n## `deploy`, and more\n\n[down](#a-page)\n",
    );
    workspace.write("docs/SUMMARY.md", "- [A page](page.md)\n");
    for link in [
        "[a](docs/page.md)",
        "[a](docs/page.md#deploy-and-more)",
        "[a](#start)",
        "[a](environments/variables.dev.yml)",
        "[a](https://example.com/missing#x)",
        "`[a](missing.md)`",
    ] {
        let checked = check(link);
        assert_eq!(
            checked.status.code(),
            Some(0),
            "{link}: {}",
            stderr(&checked)
        );
    }
    for (link, why) in [
        (
            "[a](missing.md)",
            "README.md:3: broken link `missing.md`: missing.md does not exist",
        ),
        (
            "[a](docs/page.md#other)",
            "docs/page.md has no such heading",
        ),
        ("[a](#other)", "README.md has no such heading"),
        ("![a](docs/picture.svg)", "docs/picture.svg does not exist"),
        ("[a](../outside.md)", "it leads out of the project"),
    ] {
        let checked = check(link);
        assert_eq!(checked.status.code(), Some(1), "{link}");
        assert!(stderr(&checked).contains(why), "{}", stderr(&checked));
    }
    workspace.write("docs/lost.md", "[up](../README.md#start)\n");
    let checked = check("");
    assert_eq!(checked.status.code(), Some(1));
    for why in [
        "docs/SUMMARY.md has no link to docs/lost.md",
        "docs/lost.md:1: broken link `../README.md#start`: it leads out of the book",
    ] {
        assert!(stderr(&checked).contains(why), "{}", stderr(&checked));
    }
}
