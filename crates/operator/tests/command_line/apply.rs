//! `operator apply` in two steps. The end-to-end tests run it against the emulator.

use serde_json::json;

use crate::{
    CHANGE_SET, failure,
    fake_aws::{FakeAws, Response},
    run,
};

const STACK: &str = "arn:aws:cloudformation:eu-central-1:111111111111:stack/roles/ef-01";
const PLAN: [&str; 8] = [
    "apply",
    "--region",
    "eu-central-1",
    "--stack",
    "roles",
    "--template",
    "Cargo.toml",
    "--plan",
];

fn second_step(flag: &'static str) -> [&'static str; 5] {
    ["apply", "--region", "eu-central-1", flag, CHANGE_SET]
}

/// A CloudFormation with a stack in `status`, or none, and a change set that is `planned`.
fn cloudformation(
    status: Option<&'static str>,
    planned: &'static str,
    siblings: &'static str,
) -> FakeAws {
    FakeAws::start(move |request, before| {
        let action = request.field("Action");
        let done = |action: &str| {
            before
                .iter()
                .any(|request| request.field("Action") == action)
        };
        let content = match action.as_str() {
            "DescribeStacks" => {
                let status = if done("DeleteStack") {
                    "DELETE_COMPLETE"
                } else if done("ExecuteChangeSet") {
                    "CREATE_COMPLETE"
                } else if let Some(status) = status {
                    status
                } else if done("CreateChangeSet") {
                    "REVIEW_IN_PROGRESS"
                } else {
                    return Response::error("ValidationError", "Stack roles does not exist");
                };
                format!(
                    "<Stacks><member><StackId>{STACK}</StackId><StackName>roles</StackName><StackStatus>{status}\
                     </StackStatus><CreationTime>2026-11-22T18:00:00Z</CreationTime><Outputs><member><OutputKey>Arn\
                     </OutputKey><OutputValue>arn:x</OutputValue></member></Outputs></member></Stacks>"
                )
            }
            "CreateChangeSet" => format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>"),
            "DescribeChangeSet" if planned.is_empty() => {
                return Response::error("ChangeSetNotFound", "gone");
            }
            "DescribeChangeSet" => {
                format!("<StackId>{STACK}</StackId><StackName>roles</StackName>{planned}")
            }
            "ListChangeSets" => format!("<Summaries>{siblings}</Summaries>"),
            _ => String::new(),
        };
        Response::result(&action, &content)
    })
}

const ADDS_A_ROLE: &str = "<Status>CREATE_COMPLETE</Status><Changes><member><Type>Resource</Type><ResourceChange>\
    <Action>Add</Action><LogicalResourceId>ReadRole</LogicalResourceId><ResourceType>AWS::IAM::Role</ResourceType>\
    </ResourceChange></member></Changes>";
const CHANGES_NOTHING: &str = "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes. \
    Submit different information to create a change set.</StatusReason>";
const CONTROL_CHARACTERS: &str = "<Status>FAILED</Status><StatusReason>a\u{202e}b</StatusReason>";
const FAILS: &str =
    "<Status>FAILED</Status><StatusReason>Template error: no resource Nope</StatusReason>";

fn did(aws: &FakeAws, action: &str) -> bool {
    aws.actions().iter().any(|done| done == action)
}

#[test]
fn a_plan_reports_the_changes_and_executes_none() {
    let aws = cloudformation(None, ADDS_A_ROLE, "");
    assert_eq!(
        crate::json(&run(&aws, &PLAN)),
        json!({
            "stack": "roles",
            "kind": "create",
            "changeSet": CHANGE_SET,
            "changes": [{"action": "Add", "resource": "ReadRole", "type": "AWS::IAM::Role"}],
        })
    );
    assert_eq!(
        aws.actions(),
        ["DescribeStacks", "CreateChangeSet", "DescribeChangeSet"]
    );
    let request = &aws.requests()[1];
    assert_eq!(request.field("ChangeSetType"), "CREATE");
    assert_eq!(request.field("DeploymentMode"), "");
    assert_eq!(
        request.field("Capabilities.member.1"),
        "CAPABILITY_NAMED_IAM"
    );
}

#[test]
fn a_plan_without_changes_leaves_no_change_set() {
    let aws = cloudformation(Some("UPDATE_COMPLETE"), CHANGES_NOTHING, "");
    assert_eq!(
        crate::json(&run(&aws, &PLAN)),
        json!({"stack": "roles", "kind": "update", "changeSet": null, "changes": []})
    );
    assert!(did(&aws, "DeleteChangeSet"));
    assert!(!did(&aws, "DeleteStack"));
}

#[test]
fn an_update_reverts_drift() {
    let aws = cloudformation(Some("UPDATE_COMPLETE"), ADDS_A_ROLE, "");
    crate::json(&run(&aws, &PLAN));
    let request = &aws.requests()[1];
    assert_eq!(request.field("ChangeSetType"), "UPDATE");
    assert_eq!(request.field("DeploymentMode"), "REVERT_DRIFT");
}

#[test]
fn messages_of_aws_are_escaped() {
    let aws = cloudformation(None, CONTROL_CHARACTERS, "");
    let errors = failure(&run(&aws, &PLAN), 1);
    assert!(errors.contains("a\\u{202e}b"), "{errors}");
}

#[test]
fn a_failed_plan_leaves_no_change_set() {
    let aws = cloudformation(None, FAILS, "");
    let errors = failure(&run(&aws, &PLAN), 1);
    let reason = "cannot change stack `roles`: Template error: no resource Nope";
    assert!(errors.contains(reason), "{errors}");
    assert!(did(&aws, "DeleteChangeSet"));
    assert!(did(&aws, "DeleteStack"));
}

#[test]
fn a_plan_deletes_no_stack() {
    let aws = cloudformation(Some("ROLLBACK_COMPLETE"), ADDS_A_ROLE, "");
    let errors = failure(&run(&aws, &PLAN), 1);
    assert!(errors.contains("it must be deleted before"), "{errors}");
    assert_eq!(aws.actions(), ["DescribeStacks"]);
}

#[test]
fn a_planned_change_set_is_executed() {
    let aws = cloudformation(Some("REVIEW_IN_PROGRESS"), ADDS_A_ROLE, "");
    assert_eq!(
        crate::json(&run(&aws, &second_step("--execute"))),
        json!({
            "stack": "roles",
            "action": "created",
            "changes": [{"action": "Add", "resource": "ReadRole", "type": "AWS::IAM::Role"}],
            "outputs": {"Arn": "arn:x"},
        })
    );
    let executed = aws
        .requests()
        .into_iter()
        .find(|request| request.field("Action") == "ExecuteChangeSet");
    assert_eq!(executed.unwrap().field("ChangeSetName"), CHANGE_SET);
}

#[test]
fn a_deleted_plan_is_not_executed() {
    let aws = cloudformation(Some("UPDATE_COMPLETE"), "", "");
    let errors = failure(&run(&aws, &second_step("--execute")), 1);
    assert!(errors.contains("ChangeSetNotFound: gone"), "{errors}");
    assert!(
        errors.contains("hint: the change set was deleted"),
        "{errors}"
    );
    assert_eq!(aws.actions(), ["DescribeChangeSet"]);
}

#[test]
fn discarding_a_plan_deletes_the_stack_that_was_created_for_it() {
    let aws = cloudformation(Some("REVIEW_IN_PROGRESS"), ADDS_A_ROLE, "");
    assert_eq!(
        crate::json(&run(&aws, &second_step("--discard"))),
        json!({"changeSet": CHANGE_SET, "action": "discarded"})
    );
    assert!(did(&aws, "DeleteStack"));
}

#[test]
fn discarding_a_plan_keeps_every_other_stack() {
    let others = "<member><ChangeSetId>arn:of-another</ChangeSetId><Status>CREATE_COMPLETE</Status></member>";
    for (status, siblings) in [("REVIEW_IN_PROGRESS", others), ("UPDATE_COMPLETE", "")] {
        let aws = cloudformation(Some(status), ADDS_A_ROLE, siblings);
        let result = crate::json(&run(&aws, &second_step("--discard")));
        assert_eq!(result["action"], "discarded");
        assert!(did(&aws, "DeleteChangeSet"));
        assert!(!did(&aws, "DeleteStack"), "{status}");
    }
}

#[test]
fn a_deleted_plan_is_absent() {
    let aws = cloudformation(None, "", "");
    let result = crate::json(&run(&aws, &second_step("--discard")));
    assert_eq!(result["action"], "absent");
    assert_eq!(aws.actions(), ["DescribeChangeSet"]);
}
