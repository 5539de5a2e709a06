//! `cargo xtask doctor --offline` as a person meets it.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests have files and processes of their own, and may fail anywhere"
)]

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

const SEED: &str = "admin-account-id: \"111111111111\"\nlambda-execution-role: MyLambdaExecutionRole\n\n\
                    target-account-id: \"222222222222\"\ns3-read-role: MyS3ReadRole\n";

/// A workspace of its own, with the real templates, pins and toolchain, and one stage.
fn workspace(variables: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in ["templates", "xtask", "rust-toolchain.toml"] {
        symlink(root.join(name), directory.path().join(name)).unwrap();
    }
    let environments = directory.path().join("environments");
    fs::create_dir_all(&environments).unwrap();
    fs::write(environments.join("variables.dev.yml"), variables).unwrap();
    directory
}

fn xtask(workspace: &TempDir, arguments: &[&str]) -> Output {
    let kept = [
        "PATH",
        "HOME",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
    ];
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--workspace")
        .arg(workspace.path())
        .args(arguments)
        .env_clear()
        .envs(kept.map(|name| (name, std::env::var_os(name).unwrap_or_default())))
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .output()
        .unwrap()
}

/// The report, and the exit status.
fn report(workspace: &TempDir) -> (Value, Option<i32>) {
    let output = xtask(
        workspace,
        &["doctor", "--env", "dev", "--offline", "--json"],
    );
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (report, output.status.code())
}

fn ids(report: &Value, status: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .filter(|check| check["status"] == status)
        .map(|check| check["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_rendered_is_looked_at_and_nothing_is_written() {
    let workspace = workspace(SEED);
    let (before, status) = report(&workspace);
    assert_eq!(status, Some(1));
    assert_eq!(ids(&before, "failed"), ["rendered"], "{before:#}");
    for left_alone in ["dist", "target"] {
        assert!(!workspace.path().join(left_alone).exists(), "{left_alone}");
    }

    assert!(
        xtask(&workspace, &["render", "--env", "dev"])
            .status
            .success()
    );
    let (no_roles, status) = report(&workspace);
    assert_eq!(status, Some(0), "{no_roles:#}");
    let rendered = &no_roles["checks"][5];
    assert_eq!(rendered["status"], "ok", "{rendered:#}");
    let found = rendered["found"].as_str().unwrap();
    assert!(found.contains("the roles are not rendered yet"), "{found}");
    let tools = no_roles["checks"][3]["found"].as_str().unwrap();
    for (tool, is_needed) in [
        ("osls", true),
        ("cargo-lambda", true),
        ("typos", false),
        ("ministack", false),
    ] {
        assert_eq!(tools.contains(tool), is_needed, "{tools}");
    }

    assert!(
        xtask(&workspace, &["roles", "--env", "dev"])
            .status
            .success()
    );
    let (fresh, status) = report(&workspace);
    assert_eq!(status, Some(0), "{fresh:#}");
    // Not installed here: that is no fault, and not known to be right.
    assert_eq!(ids(&fresh, "unknown"), ["tools"], "{fresh:#}");
    assert_eq!(
        ids(&fresh, "ok"),
        ["cargo", "node", "python", "variables", "rendered"],
        "{fresh:#}"
    );

    let more = format!("{SEED}external-id: audit-2026\n");
    let variables = workspace.path().join("environments/variables.dev.yml");
    fs::write(variables, more).unwrap();
    let (stale, _) = report(&workspace);
    assert_eq!(ids(&stale, "failed"), ["rendered"], "{stale:#}");
    let check = &stale["checks"].as_array().unwrap()[5];
    assert_eq!(check["causes"][0]["id"], "stale-file", "{stale:#}");
}

#[test]
fn a_faulty_file_fails_its_check_and_its_faults_are_told() {
    let workspace = workspace("admin-account-id: 111111111111\n");
    let (report, status) = report(&workspace);
    assert_eq!(status, Some(1));
    assert_eq!(ids(&report, "failed"), ["variables"], "{report:#}");
    let output = xtask(&workspace, &["doctor", "--env", "dev", "--offline"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("environments/variables.dev.yml:1"), "{told}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("failed   variables"), "{table}");
}

#[test]
fn a_faulty_template_fails_its_check() {
    let workspace = workspace(SEED);
    let templates = workspace.path().join("templates");
    let shipped = fs::canonicalize(&templates).unwrap();
    fs::remove_file(&templates).unwrap();
    fs::create_dir(&templates).unwrap();
    symlink(shipped.join("roles"), templates.join("roles")).unwrap();
    fs::write(templates.join("serverless.yml.j2"), "{{ nothing }}").unwrap();
    let (report, status) = report(&workspace);
    assert_eq!(status, Some(1));
    assert_eq!(ids(&report, "failed"), ["rendered"], "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    let cause = &checks.last().unwrap()["causes"][0];
    assert_eq!(cause["id"], "invalid-template", "{report:#}");
    let text = cause["cause"].as_str().unwrap();
    assert!(text.contains("serverless.yml.j2:1"), "{text}");
}

#[test]
fn what_is_no_stage_or_no_flag_is_the_inputs_fault() {
    let workspace = workspace(SEED);
    for arguments in [
        &["doctor", "--offline"][..],
        &["doctor", "--offline", "--env", "prod"],
        &[
            "doctor",
            "--offline",
            "--env",
            "dev",
            "--target-profile",
            "x",
        ],
    ] {
        let output = xtask(&workspace, arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}
