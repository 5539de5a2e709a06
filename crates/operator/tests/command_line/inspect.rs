//! `operator inspect`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{
    CREDENTIALS,
    fake_aws::{FakeAws, Request, Response},
    operator, run,
};

const ROLE: &str = "arn:aws:iam::111111111111:role/other/Reader";
const OWN_POLICY: &str = "arn:aws:iam::111111111111:policy/Own";
const FOREIGN_POLICY: &str = "arn:aws:iam::aws:policy/Foreign";
const FUNCTION: &str = "arn:aws:lambda:eu-central-1:111111111111:function:list";
/// Characters that a wrong encoding changes.
const AWKWARD: &str = "a+b c%20/\u{e9}";

fn inspect(aws: &FakeAws, parts: &[&str]) -> Value {
    let arguments = [&["inspect", "--region", "eu-central-1"], parts].concat();
    crate::json(&run(aws, &arguments))
}

/// As IAM sends it.
fn encoded(policy: &Value) -> String {
    utf8_percent_encode(&policy.to_string(), NON_ALPHANUMERIC).to_string()
}

fn policy(sid: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow", "Action": "*"}]})
}

/// An IAM with one role, whose policies come in pages of one.
fn iam(request: &Request) -> Response {
    let action = request.field("Action");
    let page = |list: &str, members: [&str; 2]| {
        let (member, rest) = if request.field("Marker").is_empty() {
            (
                members[0],
                "<IsTruncated>true</IsTruncated><Marker>2</Marker>",
            )
        } else {
            (members[1], "<IsTruncated>false</IsTruncated>")
        };
        format!("<{list}><member>{member}</member></{list}>{rest}")
    };
    let content = match action.as_str() {
        "GetRole" if request.field("RoleName") == "Reader" => format!(
            "<Role><Path>/other/</Path><RoleName>Reader</RoleName><RoleId>AROAEXAMPLE</RoleId><Arn>{ROLE}</Arn>\
             <CreateDate>2026-11-22T18:00:00Z</CreateDate><MaxSessionDuration>7200</MaxSessionDuration>\
             <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument><PermissionsBoundary><PermissionsBoundaryType>\
             PermissionsBoundaryPolicy</PermissionsBoundaryType><PermissionsBoundaryArn>{OWN_POLICY}\
             </PermissionsBoundaryArn></PermissionsBoundary></Role>",
            encoded(&policy(AWKWARD))
        ),
        "GetRole" if request.field("RoleName") == "Hidden" => {
            return Response::error("AccessDenied", "not authorized to perform: iam:GetRole");
        }
        "GetRole" => return Response::error("NoSuchEntity", "The role cannot be found."),
        "ListRolePolicies" => page("PolicyNames", ["one", "two"]),
        "GetRolePolicy" => {
            let name = request.field("PolicyName");
            format!(
                "<RoleName>Reader</RoleName><PolicyName>{name}</PolicyName><PolicyDocument>{}</PolicyDocument>",
                encoded(&policy(&name))
            )
        }
        "ListAttachedRolePolicies" => {
            let policy = |arn| format!("<PolicyName>P</PolicyName><PolicyArn>{arn}</PolicyArn>");
            page(
                "AttachedPolicies",
                [&policy(OWN_POLICY), &policy(FOREIGN_POLICY)],
            )
        }
        "GetPolicy" if request.field("PolicyArn") == FOREIGN_POLICY => {
            return Response::error("AccessDenied", "not authorized to perform: iam:GetPolicy");
        }
        "GetPolicy" => "<Policy><DefaultVersionId>v7</DefaultVersionId></Policy>".to_owned(),
        "GetPolicyVersion" => format!(
            "<PolicyVersion><Document>{}</Document></PolicyVersion>",
            encoded(&policy(&request.field("VersionId")))
        ),
        other => panic!("{other}"),
    };
    Response::result(&action, &content)
}

#[test]
fn a_role_has_all_its_policies() {
    let aws = FakeAws::start(|request, _| iam(request));
    assert_eq!(
        inspect(&aws, &["--role", "team/Reader"]),
        json!({
            "roles": {"team/Reader": {"ok": {
                "arn": ROLE,
                "id": "AROAEXAMPLE",
                "created": "2026-11-22T18:00:00Z",
                "createdEpoch": 1_795_370_400,
                "maxSessionDuration": 7200,
                "trustPolicy": policy(AWKWARD),
                "permissionsBoundary": {"arn": OWN_POLICY, "document": {"ok": policy("v7")}},
                "inlinePolicies": {"ok": {"one": policy("one"), "two": policy("two")}},
                "attachedPolicies": {"ok": {
                    OWN_POLICY: {"ok": policy("v7")},
                    FOREIGN_POLICY: {"unreadable": {
                        "code": "AccessDenied",
                        "message": "failed to read policy `arn:aws:iam::aws:policy/Foreign`: AccessDenied: not \
                                    authorized to perform: iam:GetPolicy; request ID r-1",
                        "hint": "the credentials are valid but lack this permission, or a service control policy \
                                 denies it",
                    }},
                }},
            }}},
            "functions": {},
            "stacks": {},
        })
    );
}

#[test]
fn an_absent_role_differs_from_an_unreadable_one() {
    let aws = FakeAws::start(|request, _| iam(request));
    let result = inspect(&aws, &["--role", "None", "--role", "Hidden"]);
    assert_eq!(result["roles"]["None"], json!({"absent": true}));
    let hidden = &result["roles"]["Hidden"]["unreadable"];
    assert_eq!(hidden["code"], "AccessDenied");
    let message = hidden["message"].as_str().unwrap();
    assert!(message.contains("read role `Hidden`"), "{message}");
}

#[test]
fn a_function_has_its_variables_and_tags() {
    let aws = FakeAws::start(|request, _| {
        let path = request.head.split(' ').nth(1).unwrap();
        if path == "/2015-03-31/functions/list/configuration" {
            Response::ok(
                json!({
                    "FunctionArn": FUNCTION, "Version": "$LATEST", "Role": ROLE,
                    "Runtime": "provided.al2023", "Architectures": ["arm64"], "Timeout": 6,
                    "MemorySize": 1024, "CodeSha256": "abc=", "State": "Active",
                    "LastModified": "2026-11-22T18:00:00.000+0000", "LastUpdateStatus": "Successful",
                    "Environment": {"Variables": {"S3_READ_ROLE": "MyS3ReadRole"}},
                    "Layers": [{"Arn": "arn:aws:lambda:eu-central-1:111111111111:layer:l:1", "CodeSize": 1}],
                })
                .to_string(),
            )
        } else if path.starts_with("/2017-03-31/tags/") {
            Response::lambda_error("403 Forbidden", "AccessDeniedException")
        } else {
            Response::lambda_error("404 Not Found", "ResourceNotFoundException")
        }
    });
    let result = inspect(&aws, &["--function", "list", "--function", "none"]);
    assert_eq!(result["functions"]["none"], json!({"absent": true}));
    let mut list = result["functions"]["list"]["ok"].clone();
    let tags = list["tags"].take();
    assert_eq!(tags["unreadable"]["code"], "AccessDeniedException");
    assert_eq!(
        list,
        json!({
            "arn": FUNCTION, "version": "$LATEST", "role": ROLE, "runtime": "provided.al2023",
            "architectures": ["arm64"], "timeout": 6, "memorySize": 1024,
            "layers": ["arn:aws:lambda:eu-central-1:111111111111:layer:l:1"], "codeSha256": "abc=",
            "lastModified": "2026-11-22T18:00:00.000+0000",
            "state": "Active", "stateReason": null, "lastUpdateStatus": "Successful",
            "environment": {"ok": {"S3_READ_ROLE": "MyS3ReadRole"}},
            "tags": null,
        })
    );
}

#[test]
fn a_stack_has_its_template() {
    let aws = FakeAws::start(|request, _| {
        let action = request.field("Action");
        let name = request.field("StackName");
        let content = match (action.as_str(), name.as_str()) {
            (_, "none") => {
                return Response::error("ValidationError", "Stack with id none does not exist");
            }
            ("DescribeStacks", _) => {
                let status = if name == "planned" {
                    "REVIEW_IN_PROGRESS"
                } else {
                    "ROLLBACK_COMPLETE"
                };
                format!(
                    "<Stacks><member><StackId>arn:{name}</StackId><StackName>{name}</StackName><StackStatus>{status}\
                     </StackStatus><CreationTime>2026-11-22T18:00:00Z</CreationTime><Tags><member><Key>stage</Key>\
                     <Value>dev</Value></member></Tags></member></Stacks>"
                )
            }
            ("GetTemplate", "yaml") => "<TemplateBody>Resources: {}\n</TemplateBody>".to_owned(),
            ("GetTemplate", "json") => {
                "<TemplateBody>{\"Resources\": {}}</TemplateBody>".to_owned()
            }
            other => panic!("{other:?}"),
        };
        Response::result(&action, &content)
    });
    let names = ["yaml", "json", "none", "planned"].map(|name| ["--stack", name]);
    let result = inspect(&aws, &names.concat());
    let stacks = &result["stacks"];
    assert_eq!(
        stacks["yaml"],
        json!({"ok": {
            "id": "arn:yaml", "status": "ROLLBACK_COMPLETE", "statusReason": null,
            "created": "2026-11-22T18:00:00Z", "updated": null,
            "parameters": {}, "outputs": {}, "tags": {"stage": "dev"},
            "template": {"ok": "Resources: {}\n"},
        }})
    );
    assert_eq!(
        stacks["json"]["ok"]["template"],
        json!({"ok": {"Resources": {}}})
    );
    assert_eq!(stacks["none"], json!({"absent": true}));
    assert_eq!(stacks["planned"]["ok"]["template"], json!({"absent": true}));
    for request in aws.requests() {
        if request.field("Action") == "GetTemplate" {
            assert_eq!(request.field("TemplateStage"), "Original");
        }
    }
}

#[test]
fn without_credentials_every_part_is_unreadable_and_no_request_is_sent() {
    let aws = FakeAws::start(|_, _| Response::error("Unexpected", "unexpected request"));
    let to = ["inspect", "--region", "eu-central-1", "--caller"];
    let parts = ["--role", "R", "--function", "f", "--stack", "s"];
    let result = crate::json(&operator(
        &[&to[..], &parts[..]].concat(),
        &[("AWS_ENDPOINT_URL", &aws.url)],
    ));
    for part in [
        &result["caller"],
        &result["roles"]["R"],
        &result["functions"]["f"],
        &result["stacks"]["s"],
    ] {
        assert_eq!(part["unreadable"]["code"], "NoCredentials", "{result}");
    }
    assert!(aws.requests().is_empty());
}

#[test]
fn a_profile_wins_over_the_environment() {
    let aws = FakeAws::start(|request, _| iam(request));
    let profiles = [
        ("AWS_ENDPOINT_URL", aws.url.as_str()),
        ("AWS_CONFIG_FILE", "tests/command_line/profiles"),
    ];
    let environment = [CREDENTIALS.as_slice(), &profiles].concat();
    let inspect = |profile| {
        let to = ["inspect", "--region", "eu-central-1", "--profile", profile];
        let arguments = [&to[..], &["--role", "None"]].concat();
        crate::json(&operator(&arguments, &environment))
    };
    assert_eq!(inspect("target")["roles"]["None"], json!({"absent": true}));
    let request = &aws.requests()[0];
    let signed = "Credential=AKIATARGETEXAMPLE/";
    assert!(request.head.contains(signed), "{request:?}");

    let unknown = inspect("unknown");
    let why = &unknown["roles"]["None"]["unreadable"];
    assert_eq!(why["code"], "NoCredentials");
    let message = why["message"].as_str().unwrap();
    let reason = "profile `unknown` was not defined";
    assert!(message.contains(reason), "{message}");
}
