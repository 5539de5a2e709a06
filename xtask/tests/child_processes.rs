//! What the programs that xtask starts are given: cargo, npm, node and the operator are scripts here, which write down
//! their environment.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests have files and processes of their own, and may fail anywhere"
)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

const ACCOUNT: &str = "111111111111";

/// A workspace with its programs.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for name in [
            "templates/serverless.yml.j2",
            "xtask/tools/osls/package.json",
            "xtask/tools/osls/package-lock.json",
            "xtask/tools/osls/.npmrc",
        ] {
            machine.write(name, &fs::read_to_string(root.join(name)).unwrap());
        }
        machine.write(
            "environments/variables.dev.yml",
            &format!(
                "admin-account-id: \"{ACCOUNT}\"\nlambda-execution-role: MyLambdaExecutionRole\n\
                 target-account-id: \"222222222222\"\ns3-read-role: MyS3ReadRole\n"
            ),
        );
        fs::create_dir(machine.path("seen")).unwrap();
        let operator = machine.path("bin/operator").display().to_string();
        machine.script(
            "cargo",
            &format!(r#"echo '{{"target":{{"name":"operator"}},"executable":"{operator}"}}'"#),
        );
        machine.script(
            "operator",
            &format!(
                r#"printf '%s' '{{"account":"{ACCOUNT}","arn":"arn:aws:iam::{ACCOUNT}:user/me","userId":"AIDA","partition":"aws",'
                printf '%s' '"keys":{{"accessKeyId":"AKIARESOLVED","secretAccessKey":"resolved-secret",'
                printf '%s' '"sessionToken":"resolved-token","expires":null}},"endpointUrl":null}}'"#
            ),
        );
        machine.script("npm", "");
        machine.script("node", "[ \"$1\" = --version ] && echo v24.1.0");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program in `PATH`, which adds its environment to `seen/NAME`.
    fn script(&self, name: &str, body: &str) {
        let seen = self.path("seen").join(name).display().to_string();
        let text = format!("#!/bin/sh\n(pwd; env) >> '{seen}'\n{body}\nexit 0\n");
        let file = format!("bin/{name}");
        self.write(&file, &text);
        fs::set_permissions(self.path(&file), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn xtask(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let here = self.path("here");
        fs::create_dir_all(&here).unwrap();
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("--workspace")
            .arg(self.0.path())
            .args(arguments)
            .current_dir(here)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("HOME", self.0.path())
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn seen(&self, program: &str) -> String {
        fs::read_to_string(self.path("seen").join(program)).unwrap()
    }

    /// The AWS settings that `program` has got, whenever it was started.
    fn settings(&self, program: &str) -> BTreeMap<String, String> {
        let seen = self.seen(program);
        let lines = seen.lines().filter_map(|line| line.split_once('='));
        lines
            .filter(|(name, _)| {
                name.to_ascii_uppercase().starts_with("AWS") || name.contains("SECRET")
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

const SETTINGS: [(&str, &str); 11] = [
    ("AWS_PROFILE", "work"),
    ("AWS_DEFAULT_PROFILE", "work"),
    ("AWS_CONFIG_FILE", "config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ("AWS_ACCESS_KEY_ID", "AKIAOWN"),
    ("SECRET_ACCESS_KEY", "own-secret"),
    ("AWS_DEV_ACCESS_KEY_ID", "AKIASTAGE"),
    ("AWS_DEV_SECRET_ACCESS_KEY", "stage-secret"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
    ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
    ("AWS_REGION", "eu-north-1"),
];

#[test]
fn the_framework_gets_the_resolved_keys_and_builders_get_none() {
    let machine = Machine::new();
    let run = machine.xtask(&["info", "--env", "dev"], &SETTINGS);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{stderr}");

    // The operator resolves them, where relative paths mean what they say.
    assert_eq!(
        machine.seen("operator").lines().next(),
        machine.path("here").canonicalize().unwrap().to_str()
    );
    let resolved_from = machine.settings("operator");
    for (name, value) in SETTINGS {
        assert_eq!(resolved_from[name], value, "{name}");
    }

    // Node is the Framework, and was asked for its version before.
    let framework: Vec<(String, String)> = machine.settings("node").into_iter().collect();
    let framework: Vec<(&str, &str)> = framework
        .iter()
        .filter(|(name, _)| !name.starts_with("AWS_SDK_JS"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        framework,
        [
            ("AWS_ACCESS_KEY_ID", "AKIARESOLVED"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_SECRET_ACCESS_KEY", "resolved-secret"),
            ("AWS_SESSION_TOKEN", "resolved-token"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
    );

    for program in ["cargo", "npm"] {
        assert_eq!(machine.settings(program), BTreeMap::new(), "{program}");
    }
    for secret in ["resolved-secret", "resolved-token", "own-secret"] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
}
