//! The operator as a process: exit statuses, output streams and missing credentials.
//!
//! Every run gets an empty environment, a loopback endpoint and no metadata service: no test reaches AWS.
#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod apply;
mod fake_aws;
mod fetch;
mod inspect;
mod invoke;

use std::process::Output;

use crate::fake_aws::{FakeAws, Response};

fn operator(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    #[expect(clippy::disallowed_methods, reason = "a test starts what it tests")]
    std::process::Command::new(env!("CARGO_BIN_EXE_operator"))
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

const WHOAMI: [&str; 3] = ["whoami", "--region", "eu-central-1"];
const CHANGE_SET: &str =
    "arn:aws:cloudformation:eu-central-1:111111111111:changeSet/operator-1/ab-cd";
const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "very-secret-example"),
];

/// Runs the operator with credentials against `aws`.
fn run(aws: &FakeAws, arguments: &[&str]) -> Output {
    let endpoint = [("AWS_ENDPOINT_URL", aws.url.as_str())];
    operator(arguments, &[CREDENTIALS.as_slice(), &endpoint].concat())
}

/// The result on standard output.
fn json(output: &Output) -> serde_json::Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failure(output: &Output, status: i32) -> String {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{errors}");
    assert!(output.stdout.is_empty(), "a failure prints no result");
    assert!(!errors.contains("service error"), "{errors}");
    assert!(!errors.contains("very-secret-example"), "{errors}");
    errors
}

#[test]
fn the_caller_is_printed_to_standard_output() {
    let aws = FakeAws::start(|_, _| {
        Response::result(
            "GetCallerIdentity",
            "<Arn>arn:aws:iam::011111111111:user/me</Arn><UserId>AIDA</UserId><Account>011111111111</Account>",
        )
    });
    let output = run(&aws, &WHOAMI);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "{\"account\":\"011111111111\",\"arn\":\"arn:aws:iam::011111111111:user/me\",\"userId\":\"AIDA\",\
         \"partition\":\"aws\"}\n"
    );
    assert!(output.status.success());
    let request = &aws.requests()[0];
    let scope = "/eu-central-1/sts/aws4_request";
    assert!(request.head.contains(scope), "{request:?}");
}

#[test]
fn an_error_of_aws_is_reported_with_its_message() {
    let aws = FakeAws::start(|_, _| {
        Response::error(
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    });
    let errors = failure(&run(&aws, &WHOAMI), 1);
    assert!(
        errors.contains("ExpiredToken: The security token"),
        "{errors}"
    );
    assert!(errors.contains("request ID r-1"), "{errors}");
    assert!(
        errors.contains("hint: the credentials have expired"),
        "{errors}"
    );
}

#[test]
fn missing_credentials_are_named_as_such() {
    let errors = failure(&operator(&WHOAMI, &[]), 1);
    assert!(
        errors.contains("error: no AWS credentials found"),
        "{errors}"
    );
    assert!(errors.contains("hint: sign in"), "{errors}");
}

#[test]
fn an_unreachable_service_is_named_as_such() {
    let errors = failure(&operator(&WHOAMI, &CREDENTIALS), 1);
    assert!(errors.contains("could not be reached"), "{errors}");
    assert!(errors.contains("AWS_CA_BUNDLE"), "{errors}");
}

#[test]
fn an_unusable_certificate_bundle_is_an_error() {
    let environment = [CREDENTIALS.as_slice(), &[("AWS_CA_BUNDLE", "Cargo.toml")]].concat();
    let errors = failure(&operator(&WHOAMI, &environment), 1);
    assert!(errors.contains("AWS_CA_BUNDLE, `Cargo.toml`"), "{errors}");
    assert!(errors.contains("no usable certificate"), "{errors}");
}

#[test]
fn bad_flags_exit_with_2() {
    for arguments in [
        &["whoami"][..],
        &["whoami", "--region", "moon-east-1"],
        &["apply", "--region", "us-east-1", "--stack", "s"],
        &[
            "apply",
            "--region",
            "us-east-1",
            "--stack",
            "s",
            "--template",
            "t",
            "--tag",
            "x",
        ],
        &["destroy"],
        // Without a region.
        &["inspect", "--caller"],
    ] {
        failure(&operator(arguments, &CREDENTIALS), 2);
    }
    for arguments in [
        // Nothing to read, or invalid names.
        &["inspect"][..],
        &["inspect", "--role", "a b"],
        &["inspect", "--stack", ""],
        &["invoke"],
        &["invoke", "--function", "f", "--event", "{"],
        // Either a stack or a change set.
        &["apply"],
        &["apply", "--plan"],
        &["apply", "--execute", "operator-1"],
        &["apply", "--execute", CHANGE_SET, "--discard", CHANGE_SET],
        &["apply", "--execute", CHANGE_SET, "--plan"],
        &["apply", "--execute", CHANGE_SET, "--stack", "s"],
        &["apply", "--discard", CHANGE_SET, "--tag", "a=b"],
    ] {
        let arguments = [arguments, &["--region", "us-east-1"]].concat();
        failure(&operator(&arguments, &CREDENTIALS), 2);
    }
}

#[test]
fn a_template_is_read_before_any_request() {
    let apply = |template| {
        let arguments = [
            "apply",
            "--region",
            "us-east-1",
            "--stack",
            "s",
            "--template",
            template,
        ];
        failure(&operator(&arguments, &[]), 1)
    };
    assert!(apply("no-such-file.yml").contains("`no-such-file.yml`"));
    let long = apply("../../Cargo.lock");
    assert!(long.contains("at most 51200"), "{long}");
}

#[test]
fn a_program_gets_the_keys_that_sts_verified() {
    let aws = FakeAws::start(|_, _| {
        Response::result(
            "GetCallerIdentity",
            "<Arn>arn:aws:iam::011111111111:user/me</Arn><UserId>AIDA</UserId><Account>011111111111</Account>",
        )
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials");
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have files of their own"
    )]
    std::fs::write(
        &file,
        "[one]\naws_access_key_id = AKIAONE\naws_secret_access_key = very-secret-example\naws_session_token = t/+=\n",
    )
    .unwrap();
    let output = operator(
        &["credentials", "--region", "eu-central-1"],
        &[
            ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()),
            ("AWS_PROFILE", "one"),
            ("AWS_ENDPOINT_URL", &aws.url),
        ],
    );
    assert!(output.stderr.is_empty());
    assert_eq!(
        json(&output),
        serde_json::json!({
            "account": "011111111111",
            "arn": "arn:aws:iam::011111111111:user/me",
            "userId": "AIDA",
            "partition": "aws",
            "keys": {
                "accessKeyId": "AKIAONE",
                "secretAccessKey": "very-secret-example",
                "sessionToken": "t/+=",
                "expires": null,
            },
            "endpointUrl": aws.url,
        })
    );
    let request = &aws.requests()[0];
    assert!(request.head.contains("Credential=AKIAONE/"), "{request:?}");
}
