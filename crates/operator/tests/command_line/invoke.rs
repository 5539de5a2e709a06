//! `operator invoke`.

use std::process::Output;

use serde_json::json;

use crate::{
    failure,
    fake_aws::{FakeAws, Response},
    run,
};

const EVENT: &str = r#"{"targets": [ ]}"#;

fn invoke(aws: &FakeAws) -> Output {
    let to = ["--region", "eu-central-1", "--function", "list"];
    run(aws, &[&["invoke"], &to[..], &["--event", EVENT]].concat())
}

#[test]
fn the_response_of_the_function_is_printed() {
    let aws = FakeAws::start(|_, _| Response::ok(r#"{"statusCode":200,"body":"[]"}"#));
    assert_eq!(
        crate::json(&invoke(&aws)),
        json!({
            "statusCode": 200,
            "functionError": null,
            "payload": {"statusCode": 200, "body": "[]"},
        })
    );
    let request = &aws.requests()[0];
    let line = "POST /2015-03-31/functions/list/invocations ";
    assert!(request.head.starts_with(line), "{request:?}");
    let kind = "x-amz-invocation-type: RequestResponse";
    assert!(request.head.contains(kind), "{request:?}");
    assert_eq!(request.body, EVENT);
}

#[test]
fn an_error_of_the_function_is_a_result() {
    let aws = FakeAws::start(|_, _| {
        Response::ok(r#"{"errorType":"AccessDenied","errorMessage":"no"}"#)
            .with_header("x-amz-function-error", "Unhandled")
    });
    let result = crate::json(&invoke(&aws));
    assert_eq!(result["functionError"], "Unhandled");
    assert_eq!(result["payload"]["errorType"], "AccessDenied");
}

#[test]
fn a_failed_invocation_is_not_retried() {
    let aws = FakeAws::start(|_, _| {
        Response::lambda_error("500 Internal Server Error", "ServiceException")
    });
    let errors = failure(&invoke(&aws), 1);
    assert!(
        errors.contains("failed to invoke function `list` in eu-central-1: ServiceException: so it is; request ID r-1"),
        "{errors}"
    );
    assert_eq!(aws.requests().len(), 1);
}
