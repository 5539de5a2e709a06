//! `operator fetch`.
#![expect(clippy::disallowed_methods, reason = "a test has files of its own")]

use std::{fs, path::Path, process::Output};

use serde_json::json;

use crate::{
    failure,
    fake_aws::{FakeAws, Response},
    run,
};

fn fetch(aws: &FakeAws, to: &Path) -> Output {
    let to = to.display().to_string();
    let from = [
        "--bucket",
        "deployments",
        "--key",
        "serverless/S/dev/1/handler.zip",
    ];
    let arguments = [
        &["fetch", "--region", "eu-central-1"],
        &from[..],
        &["--to", &to],
    ];
    run(aws, &arguments.concat())
}

#[test]
fn an_object_is_copied_into_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("handler.zip");
    let aws = FakeAws::start(|_, _| Response::ok("an archive"));
    assert_eq!(crate::json(&fetch(&aws, &to)), json!({"size": 10}));
    assert_eq!(fs::read(&to).unwrap(), b"an archive");
    let line = "GET /deployments/serverless/S/dev/1/handler.zip";
    let request = &aws.requests()[0];
    assert!(request.head.starts_with(line), "{request:?}");
}

#[test]
fn a_denied_object_leaves_the_file_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("handler.zip");
    fs::write(&to, "before").unwrap();
    let aws = FakeAws::start(|_, _| Response::s3_error("AccessDenied", "Access Denied"));
    let errors = failure(&fetch(&aws, &to), 1);
    assert!(
        errors.contains(
            "failed to read s3://deployments/serverless/S/dev/1/handler.zip: AccessDenied: Access Denied"
        ),
        "{errors}"
    );
    assert_eq!(fs::read(&to).unwrap(), b"before");
}
