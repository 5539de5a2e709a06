//! `operator invoke`.

use std::process::Output;

use serde_json::json;

use crate::{
    asking, failure,
    fake_aws::{Answer, FakeAws},
};

const EVENT: &str = r#"{"targets": [ ]}"#;

fn invoke(aws: &FakeAws) -> Output {
    let to = ["--region", "eu-central-1", "--function", "list"];
    asking(aws, &[&["invoke"], &to[..], &["--event", EVENT]].concat())
}

#[test]
fn the_functions_answer_is_passed_on() {
    let aws = FakeAws::start(|_, _| Answer::ok(r#"{"statusCode":200,"body":"[]"}"#));
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
fn an_error_of_the_function_is_an_answer() {
    let aws = FakeAws::start(|_, _| {
        Answer::ok(r#"{"errorType":"AccessDenied","errorMessage":"no"}"#)
            .with_header("x-amz-function-error", "Unhandled")
    });
    let answer = crate::json(&invoke(&aws));
    assert_eq!(answer["functionError"], "Unhandled");
    assert_eq!(answer["payload"]["errorType"], "AccessDenied");
}

#[test]
fn it_is_invoked_once_even_if_lambda_fails() {
    let aws = FakeAws::start(|_, _| {
        Answer::refused_by_lambda("500 Internal Server Error", "ServiceException")
    });
    let errors = failure(&invoke(&aws), 1);
    assert!(
        errors.contains("failed to invoke function `list` in eu-central-1: ServiceException: so it is; request id r-1"),
        "{errors}"
    );
    assert_eq!(aws.requests().len(), 1);
}
