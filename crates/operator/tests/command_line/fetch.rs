//! `operator fetch`.
#![expect(clippy::disallowed_methods, reason = "a test has files of its own")]

use std::{fs, path::Path, process::Output};

use serde_json::json;

use crate::{
    asking, failure,
    fake_aws::{Answer, FakeAws},
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
    asking(aws, &arguments.concat())
}

#[test]
fn an_object_is_copied_into_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("handler.zip");
    let aws = FakeAws::start(|_, _| Answer::ok("an archive"));
    assert_eq!(crate::json(&fetch(&aws, &to)), json!({"size": 10}));
    assert_eq!(fs::read(&to).unwrap(), b"an archive");
    let line = "GET /deployments/serverless/S/dev/1/handler.zip";
    let request = &aws.requests()[0];
    assert!(request.head.starts_with(line), "{request:?}");
}

#[test]
fn what_may_not_be_read_is_told_and_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("handler.zip");
    fs::write(&to, "before").unwrap();
    let aws = FakeAws::start(|_, _| Answer::refused_by_s3("AccessDenied", "Access Denied"));
    let errors = failure(&fetch(&aws, &to), 1);
    assert!(
        errors.contains(
            "failed to read s3://deployments/serverless/S/dev/1/handler.zip: AccessDenied: Access Denied"
        ),
        "{errors}"
    );
    assert_eq!(fs::read(&to).unwrap(), b"before");
}
