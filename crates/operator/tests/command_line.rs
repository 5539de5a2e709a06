//! The operator as a process: exit statuses, what goes to which stream, and the credentials it does not have.
//!
//! Every run gets an empty environment, a loopback endpoint and no metadata service: no test reaches AWS.
#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::Output,
    thread,
};

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
const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "very-secret-example"),
];

fn failure(output: &Output, status: i32) -> String {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{errors}");
    assert!(output.stdout.is_empty(), "an error is no answer");
    assert!(!errors.contains("service error"), "{errors}");
    assert!(!errors.contains("very-secret-example"), "{errors}");
    errors
}

/// Answers one request with `body`, and gives the request.
fn answering(status: &'static str, body: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 8192];
        let length = stream.read(&mut request).unwrap();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\nx-amzn-requestid: r-1\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (url, server)
}

#[test]
fn the_caller_is_told_on_standard_output() {
    let (url, server) = answering(
        "200 OK",
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::011111111111:user/me</Arn><UserId>AIDA</UserId><Account>011111111111</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>",
    );
    let environment = [CREDENTIALS.as_slice(), &[("AWS_ENDPOINT_URL", &url)]].concat();
    let output = operator(&WHOAMI, &environment);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "{\"account\":\"011111111111\",\"arn\":\"arn:aws:iam::011111111111:user/me\",\"userId\":\"AIDA\",\
         \"partition\":\"aws\"}\n"
    );
    assert!(output.status.success());
    let request = server.join().unwrap();
    assert!(
        request.contains("/eu-central-1/sts/aws4_request"),
        "{request}"
    );
}

#[test]
fn what_aws_refuses_is_told_in_its_words() {
    let (url, _) = answering(
        "403 Forbidden",
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error>\
         <RequestId>r-1</RequestId></ErrorResponse>",
    );
    let environment = [CREDENTIALS.as_slice(), &[("AWS_ENDPOINT_URL", &url)]].concat();
    let errors = failure(&operator(&WHOAMI, &environment), 1);
    assert!(
        errors.contains("ExpiredToken: The security token"),
        "{errors}"
    );
    assert!(errors.contains("request id r-1"), "{errors}");
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
fn a_certificate_bundle_that_is_none_is_an_error_and_no_panic() {
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
    ] {
        failure(&operator(arguments, &CREDENTIALS), 2);
    }
}

#[test]
fn a_template_is_read_before_aws_is_asked() {
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
