//! The whole path, with real parts: xtask as a person runs it, osls, cargo-lambda, cfn-lint, and the function as
//! deployed, against an emulator that enforces IAM.
//!
//! Each test has accounts and a stage of its own, so that they can run beside each other.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests have files and processes of their own, and tell how long they take"
)]

mod doctor;
mod many;
mod safety;
mod stage;
mod tools;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use aws_sdk_lambda::types::Runtime;
use e2e::{Copy, Emulator};
use hmac_sha256::Hash;
use runtime_api::RuntimeApi;
use serde_json::{Value, json};

use self::{
    stage::{Clock, Stage},
    tools::{base64_sha256, hexadecimal, node, osls, tool},
};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one path, told in its order")]
async fn from_a_variables_file_to_a_listed_bucket_and_back() {
    let clock = Clock::start("main path");
    let stage = Stage::new("path", "100000000001", "000000000002");
    let copy = &stage.copy;

    // Render: what osls reads is what was meant.
    let _ = stage.xtask("render").ok();
    let printed = copy
        .run(
            "dist/path",
            &node(),
            &[&osls(), "print", "--format", "json"],
        )
        .ok()
        .json();
    assert_eq!(
        printed["functions"]["list_s3"]["role"],
        "arn:aws:iam::100000000001:role/MyLambdaExecutionRole"
    );
    assert_eq!(
        printed["functions"]["list_s3"]["environment"],
        json!({ "TARGET_ACCOUNT_ID": "000000000002", "S3_READ_ROLE": "MyS3ReadRole" })
    );
    clock.lap("rendered and printed");

    // Build and package need no credentials, and the linters find nothing.
    let template = stage.xtask("package").ok().stdout();
    let template: Value =
        serde_json::from_str(&copy.read(template.trim_end())).expect("a CloudFormation template");
    assert!(template["Resources"].is_object(), "{template}");
    clock.lap("built, packaged and linted");

    // Deploy.
    stage.trust();
    clock.lap("roles applied");
    let _ = stage.xtask("deploy").ok();
    clock.lap("deployed");
    let configuration = stage.deployed().await;
    assert_eq!(
        configuration.role(),
        Some("arn:aws:iam::100000000001:role/MyLambdaExecutionRole")
    );
    assert_eq!(
        configuration.runtime(),
        Some(&Runtime::from("provided.al2023"))
    );
    let variables = configuration
        .environment()
        .and_then(|environment| environment.variables())
        .expect("variables");
    assert_eq!(
        variables.get("TARGET_ACCOUNT_ID").map(String::as_str),
        Some("000000000002")
    );
    assert_eq!(
        variables.get("S3_READ_ROLE").map(String::as_str),
        Some("MyS3ReadRole")
    );
    assert_eq!(
        configuration.code_sha256().map(ToOwned::to_owned),
        Some(base64_sha256(&copy.path("dist/path/handler.zip")))
    );
    let first_change = configuration.last_modified().map(ToOwned::to_owned);

    // List: none, one, and many.
    stage
        .make_buckets(stage.admin, ["admin-only".to_owned()])
        .await;
    assert_eq!(stage.listed(), Vec::<String>::new());
    stage
        .make_buckets(stage.target, ["target-0000".to_owned()])
        .await;
    assert_eq!(stage.listed(), ["target-0000"]);
    let names: Vec<String> = (0..2_500)
        .map(|index| format!("target-{index:04}"))
        .collect();
    stage
        .make_buckets(stage.target, names[1..].iter().cloned())
        .await;
    let mut listed = stage.listed();
    listed.sort();
    assert_eq!(listed, names);
    clock.lap("listed 0, 1 and 2,500 buckets");

    // The same again changes nothing; a changed variable is deployed.
    let _ = stage.xtask("deploy").ok();
    let again = stage.deployed().await;
    assert_eq!(
        again.last_modified().map(ToOwned::to_owned),
        first_change,
        "a second deploy changed the function"
    );
    copy.write_stage(
        stage.name,
        stage.admin,
        stage.target,
        "function:\n  timeout: 17\n",
    );
    let _ = stage.xtask("deploy").ok();
    let changed = stage.deployed().await;
    assert_eq!(changed.timeout(), Some(17));
    clock.lap("deployed again, and a change");

    // Runs the Serverless Framework by hand, in the rendered directory.
    let _ = copy.run("dist/path", &node(), &[&osls(), "deploy"]).ok();
    assert_eq!(stage.listed().len(), names.len());
    let info = stage.xtask("info").ok();
    assert!(info.stdout().contains(&stage.function_name()), "{info}");
    clock.lap("deployed by osls alone");

    // Remove leaves nothing.
    let _ = stage.xtask("remove").ok();
    let gone = stage
        .lambda()
        .get_function_configuration()
        .function_name(stage.function_name())
        .send()
        .await;
    assert!(gone.is_err_and(|error| error.into_service_error().is_resource_not_found_exception()));
    let functions = stage
        .lambda()
        .list_functions()
        .send()
        .await
        .expect("a list")
        .functions
        .unwrap_or_default();
    assert!(functions.is_empty(), "{functions:?}");
    clock.lap("removed");
}

#[tokio::test]
async fn each_denial_has_its_error_type_and_a_hint() {
    let clock = Clock::start("refusals");
    let stage = Stage::new("refused", "100000000003", "000000000004");
    stage.copy.write_stage(
        stage.name,
        stage.admin,
        stage.target,
        "external-id: audit-2026\n",
    );
    stage.trust();
    let _ = stage.xtask("deploy").ok();
    stage
        .make_buckets(stage.target, ["target-refused".to_owned()])
        .await;
    assert_eq!(stage.listed(), ["target-refused"]);
    clock.lap("deployed, with an external ID");

    let role = stage.role("target");
    let execution_role = "arn:aws:iam::100000000003:role/MyLambdaExecutionRole";
    for (fault, template, error_type, hint) in [
        (
            "no trust",
            role.replace(execution_role, "arn:aws:iam::000000000004:root"),
            "AssumeRoleDenied",
            "trust policy",
        ),
        (
            "wrong external ID",
            role.replace("audit-2026", "audit-2027"),
            "AssumeRoleDenied",
            "external ID",
        ),
        (
            "no S3 permission",
            role.replace("s3:ListAllMyBuckets", "s3:ListBucket"),
            "ListBucketsDenied",
            "s3:ListAllMyBuckets",
        ),
    ] {
        assert_ne!(template, role, "{fault}");
        stage.apply(stage.target, "target-role", &template);
        stage.forget_credentials(fault).await;
        let refusal = stage.failure(fault).await;
        assert_eq!(refusal["errorType"], error_type, "{fault}: {refusal}");
        let message = refusal["errorMessage"].as_str().expect("a message");
        assert!(
            message.contains(hint) && message.contains(stage.target),
            "{fault}: {message}"
        );
        clock.lap(fault);
    }

    stage.delete(stage.target, "target-role");
    stage.forget_credentials("missing role").await;
    let refusal = stage.failure("missing role").await;
    assert_eq!(refusal["errorType"], "AssumeRoleDenied", "{refusal}");
    assert!(
        refusal["errorMessage"]
            .as_str()
            .is_some_and(|message| message.contains("check that the role exists")),
        "{refusal}"
    );
    clock.lap("missing role");

    // A person sees the same, and the exit status says so.
    let invoked = stage.xtask("invoke").expect(1);
    assert!(invoked.stdout().contains("AssumeRoleDenied"), "{invoked}");
}

#[test]
fn the_guard_rejects_another_account_before_the_build() {
    let stage = Stage::new("guarded", "100000000005", "000000000006");
    for command in ["deploy", "remove", "rollback", "invoke", "info", "logs"] {
        let refused = stage
            .copy
            .xtask_as("000000000006", &[command, "--env", stage.name])
            .expect(1);
        let told = refused.stderr();
        assert!(
            told.contains("Your credentials are for account 000000000006"),
            "{refused}"
        );
        assert!(
            told.contains("account: 000000000006") && told.contains("region:  us-east-1"),
            "{refused}"
        );
        assert!(
            !stage.copy.path("dist/guarded/handler.zip").exists(),
            "{refused}"
        );
    }
    let planned = stage
        .copy
        .xtask(&["deploy", "--env", stage.name, "--dry-run"])
        .ok();
    assert!(
        planned
            .stdout()
            .contains("arn:aws:iam::000000000006:role/MyS3ReadRole"),
        "{planned}"
    );
    assert!(
        !stage.copy.path("dist/guarded/handler.zip").exists(),
        "{planned}"
    );
}

#[test]
fn a_protected_stage_is_not_deployed_or_removed_unasked() {
    let stage = Stage::new("protected", "100000000007", "000000000008");
    stage
        .copy
        .write_stage(stage.name, stage.admin, stage.target, "protected: true\n");
    for command in ["deploy", "remove"] {
        let refused = stage.xtask(command).expect(2);
        assert!(refused.stderr().contains("--yes"), "{refused}");
    }
}

#[test]
fn serverless_3_accepts_the_rendered_file() {
    let stage = Stage::new("three", "100000000009", "000000000010");
    stage.copy.write_stage(
        stage.name,
        stage.admin,
        stage.target,
        "function:\n  tracing: active\n  schedule: rate(1 hour)\n",
    );
    let _ = stage.xtask("render").ok();
    let serverless = tool("serverless", "node_modules/serverless/bin/serverless.js");
    let printed = stage.copy.run(
        "dist/three",
        &node(),
        &[&serverless, "print", "--format", "json"],
    );
    let printed = printed.ok().json();
    assert_eq!(
        printed["functions"]["list_s3"]["environment"]["TARGET_ACCOUNT_ID"],
        "000000000010"
    );
}

/// The Framework reads YAML 1.2 with js-yaml, cfn-lint and much else read 1.1 with `PyYAML`, and xtask reads with
/// `serde_yaml`: what is rendered from each valid file of the tests is the same to all of them.
#[test]
fn every_reader_of_yaml_reads_the_same() {
    let js_yaml = tool("osls", "node_modules/js-yaml");
    let by_node = format!(
        "console.log(JSON.stringify(require('{js_yaml}').load(require('fs').readFileSync(0, 'utf8'))))"
    );
    let python = PathBuf::from(tool("cfn-lint", "bin/python"));
    let by_python = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";

    let copy = Copy::of_workspace("100000000020");
    let mut read = 0;
    for entry in fs::read_dir(copy.path("crates/environment/tests/fixtures/good")).expect("files") {
        let variables = fs::read(entry.expect("an entry").path()).expect("a file");
        fs::write(copy.path("environments/variables.read.yml"), variables).expect("written");
        let _ = copy.xtask(&["render", "--env", "read"]).ok();
        let _ = copy.xtask(&["roles", "--env", "read"]).ok();
        let roles = fs::read_dir(copy.path("dist/read/roles")).expect("roles");
        let roles = roles.map(|entry| entry.expect("an entry").path());
        for file in roles.chain([copy.path("dist/read/serverless.yml")]) {
            let text = fs::read_to_string(file).expect("a rendered file");
            let rust: Value = serde_yaml::from_str(&text).expect("YAML");
            let node = copy.pipe(&node(), &["-e", &by_node], &text).ok().json();
            let python = copy.pipe(&python, &["-c", by_python], &text).ok().json();
            assert_eq!(rust, node, "js-yaml: {text}");
            assert_eq!(rust, python, "PyYAML: {text}");
            read += 1;
        }
    }
    assert!(read >= 30, "{read} files were read");
}

/// The roles of every valid file of the tests: both trusts, boundaries, organizations, targets with roles of their own.
#[test]
fn the_role_templates_have_no_findings() {
    let copy = Copy::of_workspace("100000000011");
    let mut templates = Vec::new();
    let files = fs::read_dir(copy.path("crates/environment/tests/fixtures/good")).expect("files");
    for (index, entry) in files.enumerate() {
        let entry = entry.expect("an entry");
        let stage = format!("s{index}");
        let to = copy.path(&format!("environments/variables.{stage}.yml"));
        fs::copy(entry.path(), to).expect("copied");
        let _ = copy.xtask(&["roles", "--env", &stage]).ok();
        let folder = copy.path(&format!("dist/{stage}/roles"));
        for template in fs::read_dir(folder).expect("roles") {
            templates.push(template.expect("a template").path().display().to_string());
        }
    }
    assert!(templates.len() >= 50, "{} templates", templates.len());
    let cfn_lint = PathBuf::from(tool("cfn-lint", "bin/cfn-lint"));
    let arguments: Vec<&str> = templates.iter().map(String::as_str).collect();
    let _ = copy.run("", &cfn_lint, &arguments).ok();
}

#[test]
fn two_clones_in_two_directories_build_the_same_archive() {
    let clock = Clock::start("reproducible");
    // The second clone builds everything again, into its own target directory.
    let copies = [
        Copy::of_workspace("100000000013"),
        Copy::of_workspace("100000000014").with_own_target(),
    ];
    let hashes: Vec<String> = copies
        .iter()
        .map(|copy| {
            copy.write_stage("same", "100000000013", "000000000015", "");
            let built = copy.xtask(&["build", "--env", "same"]).ok();
            clock.lap("built");
            let stdout = built.stdout();
            let hash = stdout.split_whitespace().next().expect("a hash").to_owned();
            let bytes = fs::read(copy.path("dist/same/handler.zip")).expect("an archive");
            assert_eq!(
                hash,
                hexadecimal(&Hash::hash(&bytes)),
                "the hash that is printed is the archive's"
            );
            hash
        })
        .collect();
    assert_eq!(hashes[0], hashes[1]);
}

/// The function as built for Lambda, with a session that expires after a second. The emulator issues sessions of any
/// duration and rejects expired ones. It is this test's own: the emulator forgets expired sessions when it issues another
/// one, and then answers that the key is unknown.
#[tokio::test]
async fn expired_credentials_are_reported() {
    let stage = Stage::new("expired", "100000000016", "000000000017");
    let _ = stage.xtask("build").ok();
    let emulator = Emulator::start();
    let session = aws_sdk_sts::Client::new(&emulator.sdk_config(stage.admin))
        .get_session_token()
        .duration_seconds(1)
        .send()
        .await
        .expect("the emulator issues sessions to everybody");
    let session = session.credentials.expect("credentials");

    let mut api = RuntimeApi::start().await.expect("a runtime API");
    let mut environment = emulator.environment(stage.admin);
    environment.extend([
        ("AWS_ACCESS_KEY_ID", session.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", session.secret_access_key),
        ("AWS_SESSION_TOKEN", session.session_token),
        ("AWS_LAMBDA_RUNTIME_API", api.address().to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", stage.function_name()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("TARGET_ACCOUNT_ID", stage.target.to_owned()),
        ("S3_READ_ROLE", "MyS3ReadRole".to_owned()),
    ]);
    // Out of the archive: the executable in the target folder is replaced by each test that builds.
    let unpack = [
        "-m",
        "zipfile",
        "-e",
        "dist/expired/handler.zip",
        "unpacked",
    ];
    let _ = stage.copy.run("", "python3".as_ref(), &unpack).ok();
    let executable = stage.copy.path("unpacked/bootstrap");
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).expect("its mode");
    let mut function = Command::new(executable)
        .env_clear()
        .envs(environment)
        .stdout(Stdio::null())
        .spawn()
        .expect("the function starts");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let outcome = api.invoke("{}", Duration::from_secs(30)).await;
    function.kill().expect("the function is ended");
    function.wait().expect("the function has ended");
    let outcome = outcome.expect("the function posts something in time");
    assert_eq!(
        outcome.error_type().as_deref(),
        Some("ExpiredCredentials"),
        "{outcome:?}"
    );
}

#[test]
fn the_demo_prints_the_targets_buckets_and_leaves_nothing_behind() {
    let clock = Clock::start("demo");
    let copy = Copy::of_workspace("100000000018");
    let demo = copy.xtask(&["demo"]).ok();
    clock.lap("done");
    let stdout = demo.stdout();
    let answers: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&stdout)
        .into_iter()
        .collect();
    let answers = answers.expect("nothing but answers");
    assert_eq!(answers.len(), 2, "{demo}");
    let body = |answer: &Value| -> Value {
        serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
    };
    assert_eq!(
        body(&answers[0]),
        json!(["target-assets", "target-backups", "target-logs"]),
        "{demo}"
    );
    assert_eq!(answers[1]["statusCode"], 207, "{demo}");
    let summary = &body(&answers[1])["summary"];
    assert_eq!((&summary["ok"], &summary["failed"]), (&json!(2), &json!(1)));
    assert!(demo.stderr().contains("AssumeRoleDenied"), "{demo}");
}

#[test]
fn an_interrupted_emulator_leaves_nothing_behind() {
    for signal in ["INT", "TERM", "KILL"] {
        let mut emulator = Emulator::start();
        assert!(
            emulator.processes() > 0,
            "no process of the emulator's was found"
        );
        emulator.signal(signal);
        emulator.wait();
        let deadline = Instant::now() + Duration::from_secs(20);
        while emulator.processes() > 0 {
            assert!(
                Instant::now() < deadline,
                "SIG{signal} left {} processes behind",
                emulator.processes()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
