//! Tests what the services reject, at the HTTP level.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use fake_aws::{Account, FakeAws, Fault};

const ACCOUNT: &str = "222222222222";

fn fake(account: Account) -> FakeAws {
    FakeAws::builder()
        .account(ACCOUNT, account)
        .start()
        .unwrap()
}

/// Sends one request and reads the whole response.
fn send(fake: &FakeAws, request: &str) -> String {
    let endpoint = fake.endpoint();
    let mut stream = TcpStream::connect(endpoint.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn assume(fake: &FakeAws, parameters: &str) -> String {
    let body = format!(
        "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Arole%2FReader&RoleSessionName=x{parameters}"
    );
    send(
        fake,
        &format!(
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

/// The text of an element.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn list(fake: &FakeAws, query: &str, access_key: &str, token: &str) -> String {
    send(
        fake,
        &format!(
            "GET /?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-amz-security-token: {token}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={access_key}/20261122/us-east-1/s3/aws4_request\r\n\r\n"
        ),
    )
}

#[test]
fn a_session_requires_its_own_token_and_can_be_revoked() {
    let fake = fake(Account::new().buckets(1));
    let first = assume(&fake, "");
    let second = assume(&fake, "");
    let [one, two] = [&first, &second].map(|session| {
        (
            element(session, "AccessKeyId").unwrap(),
            element(session, "SessionToken").unwrap(),
        )
    });
    assert_ne!(one, two);
    let page = "max-buckets=10000";
    assert!(list(&fake, page, one.0, one.1).contains("<Name>bucket-000000</Name>"));
    assert!(list(&fake, page, one.0, two.1).contains("<Code>InvalidToken</Code>"));
    assert!(list(&fake, page, "ASIA3333333333330000", one.1).contains("InvalidAccessKeyId"));

    fake.revoke_sessions(ACCOUNT);
    let denied = list(&fake, page, two.0, two.1);
    assert!(denied.contains("<Code>AccessDenied</Code>"), "{denied}");
    assert!(
        denied.contains("with an explicit deny in an identity-based policy"),
        "{denied}"
    );
    let third = assume(&fake, "");
    let (key, token) = (
        element(&third, "AccessKeyId").unwrap(),
        element(&third, "SessionToken").unwrap(),
    );
    assert!(list(&fake, page, key, token).contains("HTTP/1.1 200"));
}

#[test]
fn pages_have_the_limits_of_s3() {
    let fake = fake(Account::new().buckets(10_001));
    let session = assume(&fake, "");
    let (key, token) = (
        element(&session, "AccessKeyId").unwrap(),
        element(&session, "SessionToken").unwrap(),
    );
    for refused in [
        "x-id=ListBuckets",
        "max-buckets=0",
        "max-buckets=10001",
        "max-buckets=x",
        "max-buckets=10&continuation-token=nonsense",
    ] {
        let answer = list(&fake, refused, key, token);
        assert!(answer.contains("HTTP/1.1 400"), "{refused}: {answer}");
    }
    let page = list(&fake, "max-buckets=10000", key, token);
    assert_eq!(page.matches("<Bucket>").count(), 10_000);
    let next = element(&page, "ContinuationToken").unwrap();
    let next = next
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let rest = list(
        &fake,
        &format!("max-buckets=10000&continuation-token={next}"),
        key,
        token,
    );
    assert_eq!(rest.matches("<Bucket>").count(), 1);
    assert_eq!(element(&rest, "ContinuationToken"), None);
}

#[test]
fn a_trust_policy_can_ask_for_a_role_and_an_external_id() {
    let fake = fake(Account::new().role("Reader").external_id("a/b"));
    assert!(assume(&fake, "").contains("<Code>AccessDenied</Code>"));
    assert!(assume(&fake, "&ExternalId=other").contains("<Code>AccessDenied</Code>"));
    assert!(assume(&fake, "&ExternalId=a%2Fb").contains("<SessionToken>"));
    fake.set_account(ACCOUNT, Account::new().role("Other"));
    assert!(assume(&fake, "").contains("<Code>AccessDenied</Code>"));
}

#[test]
fn unknown_accounts_are_denied_without_every_account() {
    let nobody = FakeAws::builder().start().unwrap();
    assert!(assume(&nobody, "").contains("<Code>AccessDenied</Code>"));
    let everybody = FakeAws::builder()
        .every_account(Account::new().on_assume([Fault::Throttled]))
        .start()
        .unwrap();
    assert!(assume(&everybody, "").contains("<Code>Throttling</Code>"));
    assert!(assume(&everybody, "").contains("<SessionToken>"));
    assert_eq!(everybody.counts().assume, 2);
    assert_eq!(everybody.counts().connections, 2);
}

#[test]
fn it_knows_who_is_asking() {
    let fake = fake(Account::new());
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let answer = send(
        &fake,
        &format!(
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert_eq!(element(&answer, "Account"), Some("111111111111"));
    assert_eq!(
        element(&answer, "Arn"),
        Some("arn:aws:sts::111111111111:assumed-role/MyLambdaExecutionRole/list")
    );
}

#[test]
fn a_prefix_narrows_a_listing_on_every_page() {
    let fake = fake(
        Account::new()
            .named_buckets(["logs-1", "data", "logs-2", "log", "logs-3"])
            .page_cap(2),
    );
    let session = assume(&fake, "");
    let (key, token) = (
        element(&session, "AccessKeyId").unwrap(),
        element(&session, "SessionToken").unwrap(),
    );
    let first = list(&fake, "max-buckets=10&prefix=logs-", key, token);
    assert!(first.contains("logs-1") && first.contains("logs-2"));
    assert!(!first.contains("data"));
    let next = "2%2B0%2F%3D%3D";
    let query = format!("max-buckets=10&prefix=logs-&continuation-token={next}");
    let rest = list(&fake, &query, key, token);
    assert_eq!(rest.matches("<Bucket>").count(), 1);
    assert!(rest.contains("logs-3"));
    assert_eq!(fake.requests()[1].region, "us-east-1");
}

#[test]
fn a_quota_of_the_caller_is_all_accounts_together() {
    let fake = FakeAws::builder()
        .every_account(Account::new())
        .assume_quota(1, 2)
        .start()
        .unwrap();
    let answers: Vec<_> = (0..3).map(|_| assume(&fake, "")).collect();
    assert!(answers[0].contains("<SessionToken>"));
    assert!(answers[1].contains("<SessionToken>"));
    assert!(answers[2].contains("<Code>Throttling</Code>"));
    assert_eq!(fake.most_in_flight(), 1);
}
