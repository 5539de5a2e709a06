//! Tests stages with several targets: one invocation lists them all and reports each failure.

use std::fs;

use e2e::Copy;
use serde_json::{Value, json};

use crate::{
    doctor::{PERMISSIONS, document},
    stage::{Clock, Stage, claim},
};

const ADMIN: &str = "100000000031";
const PAYMENTS: &str = "000000000032";
const REFUSING: &str = "000000000033";
const OTHER: &str = "000000000034";

/// An account, what `doctor` says of it, and the first cause.
type OfTarget = (String, String, Option<String>);

/// The checks of each target in `doctor`.
fn doctor(stage: &Stage, profiles: &[&str], status: i32) -> Vec<OfTarget> {
    let mut arguments = vec!["doctor", "--env", stage.name, "--json"];
    for profile in profiles {
        arguments.extend(["--target-profile", profile]);
    }
    let report = stage.copy.xtask(&arguments).expect(status).json();
    let checks = report["checks"].as_array().expect("checks");
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    checks
        .iter()
        .filter(|check| check["id"] == "target" || check["status"] != "ok")
        .map(|check| {
            (
                text(&check["account"]).unwrap_or_else(|| check.to_string()),
                text(&check["status"]).expect("a status"),
                text(&check["causes"][0]["id"]),
            )
        })
        .collect()
}

fn of_target(account: &str, status: &str, cause: Option<&str>) -> OfTarget {
    let cause = cause.map(ToOwned::to_owned);
    (account.to_owned(), status.to_owned(), cause)
}

/// Three targets, the last with a role and an external ID of its own.
const TARGETS: &str = r#"
targets:
  - account-id: "000000000032"
    name: Payments
  - account-id: "000000000033"
    name: Refusing & Co.
  - account-id: "000000000034"
    role: team/OtherReader
    external-id: audit-2026
"#;

fn write(copy: &Copy, accounts: &str) {
    copy.write(
        "environments/variables.many.yml",
        &format!(
            "admin-account-id: \"{ADMIN}\"\nlambda-execution-role: MyLambdaExecutionRole\n\
             s3-read-role: MyS3ReadRole\n{accounts}"
        ),
    );
}

/// The response's status code and body.
fn called(stage: &Stage, event: &Value) -> (u64, Value) {
    let event = event.to_string();
    let run = stage
        .copy
        .xtask(&["invoke", "--env", stage.name, "--event", &event])
        .ok();
    let answer = run.json();
    let body = answer["body"].as_str().expect("a body of text");
    let status = answer["statusCode"].as_u64().expect("a status code");
    (status, serde_json::from_str(body).expect("JSON"))
}

fn column<'a>(body: &'a Value, key: &str) -> Vec<&'a Value> {
    let accounts = body["accounts"].as_array().expect("accounts");
    accounts.iter().map(|account| &account[key]).collect()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one path, told in its order")]
async fn a_stage_with_three_targets_where_one_denies() {
    let clock = Clock::start("many");
    let copy = Copy::of_workspace(ADMIN).with_profiles(&[PAYMENTS, REFUSING]);
    write(&copy, TARGETS);
    let stage = Stage::within(copy, "many", ADMIN, PAYMENTS);
    for account in [REFUSING, OTHER] {
        claim(account);
    }
    let copy = &stage.copy;

    // Roles: one template for the two that have the stage's own, and one for the third.
    let apply = |account: &str, side: &str| {
        copy.xtask_as(
            account,
            &["roles", "--env", "many", "--apply", side, "--yes"],
        )
        .ok()
    };
    let _ = apply(ADMIN, "admin");
    for account in [PAYMENTS, OTHER] {
        let _ = apply(account, "target");
    }
    let elsewhere = copy.xtask_as(
        "000000000099",
        &["roles", "--env", "many", "--apply", "target", "--yes"],
    );
    assert!(
        elsewhere
            .expect(1)
            .stderr()
            .contains("Your credentials are for account 000000000099"),
    );
    for (account, name) in [(ADMIN, "admin"), (PAYMENTS, "payments"), (OTHER, "other")] {
        stage.make_buckets(account, [format!("many-{name}")]).await;
    }
    clock.lap("roles applied");

    // The smoke invocation says who refused; the deployment stands.
    let deployed = stage.xtask("deploy").expect(1);
    let told = deployed.stderr();
    assert!(told.contains("2 of 3 accounts listed"), "{deployed}");
    assert!(told.contains("000000000033 (Refusing & Co.)"), "{deployed}");
    let environment = stage.deployed().await.environment;
    let variables = environment.and_then(|environment| environment.variables);
    assert_eq!(variables.unwrap_or_default().get("TARGET_ACCOUNT_ID"), None);
    clock.lap("deployed");

    let (status, body) = called(&stage, &json!({}));
    assert_eq!(status, 207, "{body}");
    assert_eq!(body["complete"], false, "{body}");
    assert_eq!(
        body["summary"],
        json!({"targets": 3, "ok": 2, "failed": 1, "skipped": 0, "buckets": 2})
    );
    assert_eq!(column(&body, "accountId"), [PAYMENTS, REFUSING, OTHER]);
    assert_eq!(column(&body, "status"), ["ok", "failed", "ok"]);
    assert_eq!(body["accounts"][0]["buckets"], json!(["many-payments"]));
    assert_eq!(body["accounts"][2]["buckets"], json!(["many-other"]));
    let refused = &body["accounts"][1];
    assert_eq!(refused["name"], "Refusing & Co.");
    assert_eq!(refused["phase"], "assume");
    assert_eq!(refused["errorType"], "AssumeRoleDenied");
    assert_eq!(refused["retryable"], false);
    let hint = refused["hint"].as_str().expect("a hint");
    assert!(
        hint.contains("check that the role exists in account 000000000033")
            && hint.contains("trust policy"),
        "{hint}"
    );
    clock.lap("207, with the hint");

    // Whose policies are readable and whose are not is told apart; one account's fault is no other's.
    for profiles in [&[][..], &[PAYMENTS, REFUSING]] {
        assert_eq!(
            doctor(&stage, profiles, 1),
            [
                of_target(PAYMENTS, "ok", None),
                of_target(REFUSING, "failed", Some("role-missing")),
                of_target(OTHER, "ok", None),
            ],
            "{profiles:?}"
        );
    }
    clock.lap("doctor");

    // An event narrows, and never widens.
    let (status, body) = called(
        &stage,
        &json!({"accounts": [OTHER], "detail": true, "prefix": "many-o"}),
    );
    assert_eq!((status, column(&body, "accountId").len()), (200, 1));
    assert_eq!(body["accounts"][0]["buckets"][0]["name"], "many-other");
    let unknown = copy
        .xtask(&[
            "invoke",
            "--env",
            "many",
            "--event",
            r#"{"accounts": ["000000000099"]}"#,
        ])
        .expect(1);
    assert!(unknown.stdout().contains("InvalidEvent"), "{unknown}");
    assert!(unknown.stdout().contains("000000000099"), "{unknown}");

    // The role comes, and with the Admin account in the list its own buckets, by the function's own credentials.
    let _ = apply(REFUSING, "target");
    write(
        copy,
        &format!("{TARGETS}  - account-id: \"{ADMIN}\"\n    name: Admin\n"),
    );
    let _ = apply(ADMIN, "admin");
    // The roles are there already: that the function lists another account is told by what it is deployed with.
    let broader = stage.xtask("diff").ok();
    let told = broader.stdout();
    assert!(
        told.starts_with(
            "Broadens access:\n  ! the function lists another account, 100000000031\n\n"
        ),
        "{broader}"
    );
    assert!(
        told.contains("\n+{\"accountId\":\"100000000031\""),
        "{broader}"
    );
    let deployed = stage.xtask("deploy").ok();
    // In the Admin account lies the Framework's own bucket, too.
    assert!(
        deployed.stderr().contains("4 accounts listed, 4 buckets"),
        "{deployed}"
    );
    let (status, body) = called(&stage, &json!({}));
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["complete"], true, "{body}");
    let own = body["accounts"][3]["buckets"].as_array().expect("buckets");
    assert!(own.contains(&json!("many-admin")), "{body}");
    assert_eq!(
        doctor(&stage, &[REFUSING], 0),
        [PAYMENTS, REFUSING, OTHER, ADMIN].map(|account| of_target(account, "ok", None))
    );
    clock.lap("four accounts, one of them the Admin account");

    // The one statement that a stage of other accounts does not have.
    let role: Value = serde_yaml::from_str(&stage.role("admin")).expect("a template");
    let mut without = role.clone();
    document(&mut without, PERMISSIONS).retain(|statement| statement["Sid"] != "ListOwnBuckets");
    assert_ne!(without, role);
    let stack = "List-S3-Buckets-many-admin-role";
    stage.apply(ADMIN, stack, &without.to_string());
    let report = copy.xtask(&["doctor", "--env", "many", "--json"]).expect(1);
    let checks = report.json();
    let checks = checks["checks"].as_array().expect("checks");
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check["status"] == "failed")
        .map(|check| (&check["id"], &check["causes"][0]["id"]))
        .collect();
    assert_eq!(
        failed,
        [(&json!("own-list-permission"), &json!("permission-missing"))],
        "{report}"
    );
    // The function is refused as well, which says nothing that is not said there.
    let own = checks.iter().find(|check| check["account"] == ADMIN);
    let own = own.expect("a check of the Admin account");
    assert_eq!(own["status"], "unknown", "{report}");
    let found = own["found"].as_str().expect("what was found");
    assert!(found.ends_with(": see own-list-permission"), "{report}");
    stage.apply(ADMIN, stack, &role.to_string());
    clock.lap("without ListOwnBuckets");

    // Two forms at once cannot start; the stage in the single-account form has no list of targets left.
    copy.write_stage("many", ADMIN, PAYMENTS, "");
    let _ = stage.xtask("deploy").ok();
    assert_eq!(stage.listed(), ["many-payments"]);
    let archive = fs::read(copy.path("dist/many/handler.zip")).expect("an archive");
    let name = b"targets.json";
    assert!(!archive.windows(name.len()).any(|bytes| bytes == name));
    clock.lap("back to one target");
}
