//! The report on a stage for what is deployed, including cases that the emulator cannot show.

use contract::{FunctionConfiguration, Stage};
use operator_api::{Invocation, Part, Snapshot, Unreadable};
use serde_json::{Value, json};

use super::{
    evidence::Evidence,
    facts::Facts,
    judge,
    report::{Cause, CauseId, Certainty, Check, CheckId, Report, Status},
};
use crate::{policy::Grants, sys::workspace::Workspace};
use environment::Environment;

const VARIABLES: &str = "admin-account-id: \"111111111111\"\nlambda-execution-role: Runs\n\
                         target-account-id: \"222222222222\"\ns3-read-role: team/Reads\n";

/// A stage and its deployment, without problems.
struct World {
    environment: Environment,
    grants: Grants,
    own: Value,
    target: Option<Value>,
    /// The configuration of a function with many accounts.
    configuration: Part<FunctionConfiguration>,
    invocation: Option<(Option<&'static str>, Value)>,
}

impl World {
    fn new(more: &str) -> Self {
        let stage: Stage = "dev".parse().unwrap();
        let text = format!("{VARIABLES}{more}");
        let environment = environment::parse("variables.dev.yml", stage, text.as_bytes())
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let grants = Grants::of(&environment).unwrap();
        let role = |arn: &str, grants: &crate::policy::RoleGrants| {
            json!({"ok": {
                "arn": arn, "id": "AROA1", "created": "2026-01-01T00:00:00Z", "createdEpoch": 1_767_225_600,
                "trustPolicy": grants.trust_policy, "permissionsBoundary": null,
                "inlinePolicies": {"ok": grants.permissions}, "attachedPolicies": {"ok": {}}
            }})
        };
        let caller = |account: &str| {
            json!({"ok": {"account": account, "arn": format!("arn:aws:iam::{account}:user/me"),
            "userId": "AIDA", "partition": "aws"}})
        };
        let function = json!({"ok": {
            "arn": "arn", "layers": [], "tags": {"absent": true}, "role": "arn:aws:iam::111111111111:role/Runs", "runtime": "provided.al2023",
            "architectures": ["x86_64"], "timeout": 30, "memorySize": 256, "codeSha256": "x",
            "state": "Active", "stateReason": null,
            "environment": {"ok": environment.function_configuration().to_environment()}
        }});
        let stack = json!({"ok": {
            "id": "arn", "status": "UPDATE_COMPLETE", "created": "2026-02-01T00:00:00Z",
            "parameters": {}, "outputs": {}, "tags": {}, "template": {"absent": true}
        }});
        let own = json!({
            "caller": caller("111111111111"),
            "roles": {"Runs": role("arn:aws:iam::111111111111:role/Runs", &grants.execution_role)},
            "functions": {environment.function_name(): function},
            "stacks": {environment.stack_name(): stack}
        });
        let reads = role(
            "arn:aws:iam::222222222222:role/team/Reads",
            &grants.target_roles[0].role,
        );
        let target = json!({
            "caller": caller("222222222222"), "roles": {"team/Reads": reads}, "functions": {}, "stacks": {}
        });
        Self {
            environment,
            grants,
            own,
            target: Some(target),
            configuration: Part::Absent,
            invocation: Some((None, json!({"statusCode": 200, "body": "[\"a\"]"}))),
        }
    }

    /// Makes the policies of the target account unreadable.
    fn hidden(mut self) -> Self {
        self.target = None;
        self
    }

    fn not_deployed(mut self) -> Self {
        let name = self.environment.function_name();
        self.own["functions"][name] = json!({"absent": true});
        self.invocation = None;
        self
    }

    fn refused(mut self, message: &str) -> Self {
        let payload = json!({"errorType": "AssumeRoleDenied", "errorMessage": message});
        self.invocation = Some((Some("Unhandled"), payload));
        self
    }

    /// The target role as IAM returns it.
    fn target_role(&mut self) -> &mut Value {
        &mut self.target.as_mut().unwrap()["roles"]["team/Reads"]["ok"]
    }

    fn execution_role(&mut self) -> &mut Value {
        &mut self.own["roles"]["Runs"]["ok"]
    }

    fn report(&self) -> Report {
        let read = |value: &Value| serde_json::from_value::<Snapshot>(value.clone()).unwrap();
        let evidence = self.invocation.clone().map(|(error, payload)| {
            let mut evidence = Evidence::default();
            let invocation = Invocation {
                status_code: 200,
                function_error: error.map(ToOwned::to_owned),
                payload,
            };
            let selection = self.environment.selection();
            let one = match selection {
                contract::Selection::Single(target) => Some(target),
                contract::Selection::Fleet(_) => None,
            };
            evidence.note(&invocation, one);
            evidence
        });
        let others = self.target.iter().map(read).collect();
        let facts = Facts::of(
            read(&self.own),
            others,
            self.configuration.clone(),
            evidence,
        );
        // Only the templates: nothing is built.
        let root = tempfile::tempdir().unwrap();
        let templates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
        std::os::unix::fs::symlink(templates, root.path().join("templates")).unwrap();
        let workspace = Workspace::locate(Some(root.path())).unwrap();
        Report {
            stage: "dev".to_owned(),
            checks: judge(&workspace, &self.environment, &self.grants, &facts).unwrap(),
        }
    }

    fn check(&self, id: CheckId) -> Check {
        let checks = self.report().checks;
        checks.into_iter().find(|check| check.id == id).unwrap()
    }

    /// The status of the target, and the names of its causes in JSON.
    fn target(&self) -> (Status, Vec<String>) {
        let check = self.check(CheckId::Target);
        (check.status, causes(&check))
    }

    fn failed(&self) -> Vec<CheckId> {
        let checks = self.report().checks;
        let failed = checks.iter().filter(|check| check.status == Status::Failed);
        failed.map(|check| check.id).collect()
    }
}

fn causes(check: &Check) -> Vec<String> {
    let name = |cause: &Cause| {
        let name = serde_json::to_value(cause.id).unwrap();
        name.as_str().unwrap().to_owned()
    };
    check.causes.iter().map(name).collect()
}

#[test]
fn a_working_stage_has_no_failures() {
    for (more, world) in [
        "",
        "external-id: audit\n",
        "trust: account\n",
        "organization-id: o-a1b2c3d4e5\n",
    ]
    .map(|more| (more, World::new(more)))
    {
        let report = world.report();
        assert_eq!(
            report.count(Status::Ok),
            report.checks.len(),
            "{more}{report}"
        );
        let report = world.not_deployed().report();
        assert_eq!(report.count(Status::Failed), 0, "{more}{report}");
        assert_eq!(report.count(Status::Unknown), 1, "{more}{report}");
    }
}

#[test]
fn unreadable_facts_are_unknown() {
    let report = World::new("").hidden().not_deployed().report();
    assert!(!report.has_failed(), "{report}");
    insta::assert_snapshot!(report);

    let mut nothing = World::new("").hidden().not_deployed();
    let why = json!({"unreadable": {"code": "AccessDenied", "message": "no", "hint": null}});
    nothing.own["roles"]["Runs"] = why.clone();
    let name = nothing.environment.function_name();
    nothing.own["functions"][name] = why;
    let report = nothing.report();
    assert_eq!(report.count(Status::Ok), 1, "the caller alone: {report}");
    assert!(!report.has_failed(), "{report}");
}

#[test]
fn a_denied_request_without_readable_policies_lists_possible_causes() {
    let refused = World::new("").hidden().refused("AccessDenied: no");
    let report = refused.report();
    insta::assert_snapshot!(report);
    let check = refused.check(CheckId::Target);
    assert_eq!(check.causes[0].certainty, Certainty::Likely);
    assert!(
        check.causes[1..]
            .iter()
            .all(|cause| cause.certainty == Certainty::Possible)
    );
}

#[test]
fn a_deleted_principal_differs_from_another_one() {
    let mut stale = World::new("").refused("AccessDenied: no");
    stale.target_role()["trustPolicy"]["Statement"][0]["Principal"] =
        json!({"AWS": "AROAOLDOLDOLDOLD"});
    assert_eq!(
        stale.target(),
        (Status::Failed, vec!["stale-principal".to_owned()])
    );
    let mut another = World::new("").refused("AccessDenied: no");
    another.target_role()["trustPolicy"]["Statement"][0]["Principal"] =
        json!({"AWS": "arn:aws:iam::111111111111:role/Other"});
    assert_eq!(
        another.target(),
        (Status::Failed, vec!["trust-names-another".to_owned()])
    );
    insta::assert_snapshot!(another.report());
}

#[test]
fn an_execution_role_younger_than_the_stack_was_probably_recreated() {
    let mut recreated = World::new("").hidden().refused("AccessDenied: no");
    assert_eq!(recreated.target().1[0], "role-missing");
    recreated.execution_role()["created"] = json!("2026-03-01T00:00:00Z");
    assert_eq!(recreated.target().1[0], "stale-principal");
}

#[test]
fn the_cause_that_aws_reports_comes_first() {
    let says = |what: &str| {
        format!("AccessDenied: User: x is not authorized to perform: sts:AssumeRole {what}")
    };
    for (what, cause) in [
        (
            "with an explicit deny in a service control policy",
            "control-policy",
        ),
        (
            "because no resource control policy allows the sts:AssumeRole action",
            "control-policy",
        ),
        (
            "with an explicit deny in a permissions boundary",
            "permissions-boundary",
        ),
        (
            "because no identity-based policy allows the sts:AssumeRole action",
            "permission-missing",
        ),
        (
            "with an explicit deny in a resource-based policy",
            "explicit-deny",
        ),
    ] {
        let world = World::new("").hidden().refused(&says(what));
        let check = world.check(CheckId::Target);
        assert_eq!(causes(&check)[0], cause, "{what}");
        let same = causes(&check)
            .iter()
            .filter(|&other| other == cause)
            .count();
        assert_eq!(same, 1, "{what}: {check:?}");
        assert_eq!(check.causes[0].certainty, Certainty::Seen);
    }
}

#[test]
fn a_denied_request_that_all_policies_allow_has_unreadable_causes() {
    let mut world = World::new("").refused("AccessDenied: no");
    let check = world.check(CheckId::Target);
    assert_eq!(check.status, Status::Failed);
    assert_eq!(causes(&check), ["control-policy", "not-yet-consistent"]);
    assert_eq!(check.causes[0].certainty, Certainty::Likely);
    // Always in the future.
    world.target_role()["createdEpoch"] = json!(32_472_144_000_i64);
    let check = world.check(CheckId::Target);
    assert_eq!(causes(&check), ["not-yet-consistent", "control-policy"]);
    assert_eq!(check.causes[0].certainty, Certainty::Likely);
}

/// Both roles take it from the variables file, and `doctor` does not check it with AWS.
#[test]
fn the_organization_may_differ_from_the_stage() {
    let new = || World::new("organization-id: o-a1b2c3d4e5\n").refused("AccessDenied: no");
    let mut world = new();
    let check = world.check(CheckId::Target);
    let expected = ["condition-not-met", "control-policy", "not-yet-consistent"];
    assert_eq!(causes(&check), expected);
    let is_possible = |cause: &Cause| cause.certainty == Certainty::Possible;
    assert!(check.causes.iter().all(is_possible), "{check:?}");
    let text = &check.causes[0].text;
    for word in [
        "111111111111",
        "222222222222",
        "(o-a1b2c3d4e5)",
        "`aws organizations describe-organization`",
    ] {
        assert!(text.contains(word), "{text}");
    }
    world.execution_role()["createdEpoch"] = json!(32_472_144_000_i64);
    let expected = ["not-yet-consistent", "condition-not-met", "control-policy"];
    assert_eq!(world.target().1, expected);

    let said = |world: &World| {
        world
            .check(CheckId::Target)
            .causes
            .iter()
            .any(of_organization)
    };
    let mut seen = new();
    seen.target_role()["trustPolicy"]["Statement"] = json!([]);
    assert_eq!(seen.target().1[0], "trust-missing");
    let mut unclear = new();
    unclear.target_role()["trustPolicy"]["Statement"][0]["Condition"]["Bool"] =
        json!({"aws:SecureTransport": "true"});
    for world in [seen, unclear, new().hidden()] {
        assert!(said(&world), "{}", world.report());
    }
    // STS allowed it or was not called, or the stage has no organization.
    for world in [
        World::new("organization-id: o-a1b2c3d4e5\n"),
        new().not_deployed(),
        World::new("").refused("AccessDenied: no").hidden(),
    ] {
        assert!(!said(&world), "{}", world.report());
    }
}

#[test]
fn which_organization_is_right_is_not_claimed() {
    let mut world = World::new("organization-id: o-a1b2c3d4e5\n").refused("AccessDenied: no");
    world.target_role()["trustPolicy"]["Statement"][0]["Condition"] =
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-b1b2c3d4e5"}});
    assert_eq!(
        world.check(CheckId::Target).causes[0].text,
        "a condition of its trust policy does not match `organization-id`: aws:PrincipalOrgID StringEquals \
         \"o-b1b2c3d4e5\""
    );
}

fn of_organization(cause: &Cause) -> bool {
    cause.id == CauseId::ConditionNotMet && cause.text.contains("describe-organization")
}

/// A policy of the execution role that allows or denies all of STS under an unknown condition.
fn under_a_condition(effect: &str) -> Value {
    json!({"arn:aws:iam::111111111111:policy/Office": {"ok": {"Statement": {
        "Effect": effect, "Action": "sts:*", "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    }}}})
}

#[test]
fn unknown_conditions_of_the_execution_role_are_reported() {
    let mut allowed = World::new("");
    allowed.execution_role()["attachedPolicies"]["ok"] = under_a_condition("Allow");
    assert_eq!(allowed.check(CheckId::AssumePermission).status, Status::Ok);

    let depends = "depends on aws:SourceIp (policy `arn:aws:iam::111111111111:policy/Office`)";
    let mut world = World::new("").refused("AccessDenied: no");
    world.execution_role()["attachedPolicies"]["ok"] = under_a_condition("Deny");
    let check = world.check(CheckId::AssumePermission);
    assert_eq!(check.status, Status::Unknown);
    assert!(check.found.ends_with(depends), "{check:?}");
    let text = |world: &World| {
        let causes = world.check(CheckId::Target).causes;
        let lacks = |cause: &Cause| cause.id == CauseId::PermissionMissing;
        causes.into_iter().find(lacks).unwrap().text
    };
    assert!(text(&world).ends_with(depends), "{}", text(&world));
    let mut world = world.hidden();
    assert!(text(&world).ends_with(depends), "{}", text(&world));
    world.own["roles"]["Runs"] =
        json!({"unreadable": {"code": "AccessDenied", "message": "no", "hint": null}});
    let not_read = "its policies were not read";
    assert!(text(&world).ends_with(not_read), "{}", text(&world));
}

#[test]
fn a_cause_in_the_admin_account_is_not_blamed_on_the_target() {
    let mut world = World::new("").refused("AccessDenied: no");
    world.execution_role()["inlinePolicies"]["ok"] = json!({});
    assert_eq!(
        world.failed(),
        [CheckId::AssumePermission, CheckId::LogPermission]
    );
    assert_eq!(world.target().0, Status::Ok);
    assert_eq!(world.hidden().target().0, Status::Unknown);
}

#[test]
fn an_earlier_session_hides_what_the_execution_role_lacks_and_the_check_does_not() {
    let mut world = World::new("");
    world.execution_role()["inlinePolicies"]["ok"] = json!({});
    assert_eq!(
        world.failed(),
        [CheckId::AssumePermission, CheckId::LogPermission]
    );
    let check = world.check(CheckId::Target);
    assert!(check.found.ends_with("see assume-permission"), "{check:?}");
}

/// A warm function uses its cached session, so a successful listing says nothing about the current policies.
#[test]
fn a_warm_function_does_not_prove_that_policies_allow() {
    let mut world = World::new("external-id: ours\n");
    world.target_role()["trustPolicy"]["Statement"][0]["Condition"] =
        json!({"StringEquals": {"sts:ExternalId": "theirs"}});
    let (status, causes) = world.target();
    assert_eq!(status, Status::Failed);
    assert_eq!(causes, ["external-id", "cached-session"]);

    let found = world.hidden().check(CheckId::Target).found;
    assert!(found.contains("perhaps with an earlier session"), "{found}");
    let found = World::new("").check(CheckId::Target).found;
    assert_eq!(found, "listed: 1 bucket, and its policies allow it");
}

#[test]
fn the_external_id_is_missing_or_another() {
    let mut asked = World::new("").refused("AccessDenied: no");
    asked.target_role()["trustPolicy"]["Statement"][0]["Condition"] =
        json!({"StringEquals": {"sts:ExternalId": "secret"}});
    let check = asked.check(CheckId::Target);
    assert_eq!(causes(&check), ["external-id"]);
    assert!(
        check.causes[0].text.contains("the stage has none"),
        "{check:?}"
    );
    // The statement to add requires none.
    let statement = check.causes[0].statement.as_ref().unwrap();
    assert!(statement.conditions.is_empty(), "{statement:?}");
}

#[test]
fn a_boundary_and_a_denial_differ_from_a_missing_permission() {
    let boundary = json!({"arn": "arn:aws:iam::222222222222:policy/B", "document":
        {"ok": {"Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}}});
    let mut bounded = World::new("");
    bounded.target_role()["permissionsBoundary"] = boundary.clone();
    assert_eq!(
        bounded.target(),
        (
            Status::Failed,
            ["permissions-boundary", "cached-session"]
                .map(str::to_owned)
                .to_vec()
        )
    );

    let mut bounded = World::new("");
    bounded.execution_role()["permissionsBoundary"] = boundary;
    assert_eq!(
        bounded.failed(),
        [CheckId::AssumePermission, CheckId::LogPermission]
    );
    assert_eq!(
        causes(&bounded.check(CheckId::AssumePermission)),
        ["permissions-boundary"]
    );

    let mut denied = World::new("");
    denied.execution_role()["attachedPolicies"]["ok"] = json!({"arn:aws:iam::111111111111:policy/No": {"ok":
        {"Statement": {"Effect": "Deny", "Action": "sts:*", "Resource": "*"}}}});
    assert_eq!(
        causes(&denied.check(CheckId::AssumePermission)),
        ["explicit-deny"]
    );
    // Adding a statement does not help against a denial.
    assert_eq!(
        denied.check(CheckId::AssumePermission).causes[0].statement,
        None
    );
}

#[test]
fn the_path_of_a_role_is_part_of_it() {
    let mut world = World::new("").not_deployed();
    world.target_role()["arn"] = json!("arn:aws:iam::222222222222:role/Reads");
    assert_eq!(
        world.target(),
        (Status::Failed, vec!["role-path".to_owned()])
    );
}

#[test]
fn the_function_is_compared_with_the_stage() {
    let mut world = World::new("");
    let name = world.environment.function_name();
    let function = &mut world.own["functions"][name]["ok"];
    function["role"] = json!("arn:aws:iam::111111111111:role/Other");
    function["timeout"] = json!(3);
    function["environment"]["ok"]["TARGET_ACCOUNT_ID"] = json!("333333333333");
    function["environment"]["ok"]["AWS_ENDPOINT_URL_STS"] = json!("https://secret");
    let check = world.check(CheckId::Function);
    assert_eq!(check.status, Status::Failed);
    let texts: Vec<&str> = check
        .causes
        .iter()
        .map(|cause| cause.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "it runs as arn:aws:iam::111111111111:role/Other; the stage sets arn:aws:iam::111111111111:role/Runs",
            "its timeout is 3; the stage sets 30",
            "its variable AWS_ENDPOINT_URL_STS is set, but not by the stage",
            "its variable TARGET_ACCOUNT_ID is 333333333333; the stage sets 222222222222",
        ]
    );
}

/// A stage with many targets, and a function that was deployed with others.
#[test]
fn the_accounts_of_the_function_are_compared_with_the_stage() {
    let many = |targets: &str| {
        let text = format!(
            "admin-account-id: \"111111111111\"\nlambda-execution-role: Runs\ns3-read-role: team/Reads\ntargets:\n{targets}"
        );
        environment::parse("variables.dev.yml", "dev".parse().unwrap(), text.as_bytes())
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    };
    let target = |account: &str, more: &str| format!("  - account-id: \"{account}\"\n{more}");
    let first = target("222222222222", "");
    let mut world = World::new("");
    world.environment = many(&[first.clone(), target("333333333333", "")].concat());
    world.grants = Grants::of(&world.environment).unwrap();
    let name = world.environment.function_name();
    world.own["functions"][name]["ok"]["environment"]["ok"] = json!({});
    world.invocation = None;
    let configuration = |targets: &str| Part::Ok(many(targets).function_configuration());

    world.configuration = Part::Ok(world.environment.function_configuration());
    assert_eq!(world.check(CheckId::Function).status, Status::Ok);
    for (deployed, sentence) in [
        (
            first.clone(),
            "it lists other accounts than the stage: missing 333333333333",
        ),
        (
            [first.clone(), target("444444444444", "")].concat(),
            "it lists other accounts than the stage: missing 333333333333; additional 444444444444",
        ),
        (
            [
                first.clone(),
                target("333333333333", "    external-id: before\n"),
            ]
            .concat(),
            "it lists other accounts than the stage: different 333333333333",
        ),
        (
            [target("333333333333", ""), first.clone()].concat(),
            "its targets.json differs from the stage's, but has the same accounts",
        ),
    ] {
        world.configuration = configuration(&deployed);
        let check = world.check(CheckId::Function);
        assert_eq!(check.status, Status::Failed, "{deployed}");
        assert_eq!(causes(&check), ["other-configuration"]);
        assert_eq!(check.causes[0].text, sentence);
    }
    let why = Unreadable {
        code: "AccessDenied".to_owned(),
        message: "no".to_owned(),
        hint: None,
    };
    world.configuration = Part::Unreadable(why);
    assert_eq!(world.check(CheckId::Function).status, Status::Unknown);
}

#[test]
fn a_denial_for_another_role_or_target_says_nothing_about_this_one() {
    for (key, value) in [
        ("/role", "arn:aws:iam::111111111111:role/Before"),
        ("/environment/ok/S3_READ_ROLE", "Before"),
    ] {
        let mut world = World::new("").refused("AccessDenied: no");
        let name = world.environment.function_name();
        let function = &mut world.own["functions"][name]["ok"];
        *function.pointer_mut(key).unwrap() = json!(value);
        assert_eq!(world.failed(), [CheckId::Function], "{key}");
        let mut listed = World::new("");
        listed.own = world.own.clone();
        assert_eq!(listed.target().0, Status::Unknown, "{key}");
        assert_eq!(world.target().0, Status::Ok, "{key}");
        assert_eq!(world.hidden().target().0, Status::Unknown, "{key}");
    }
}

#[test]
fn a_function_that_cannot_start_says_nothing_of_the_target() {
    let mut world = World::new("").hidden();
    let payload =
        json!({"errorType": "InvalidConfiguration", "errorMessage": "S3_READ_ROLE is not set"});
    world.invocation = Some((Some("Unhandled"), payload));
    assert_eq!(world.failed(), [CheckId::Function]);
    assert_eq!(causes(&world.check(CheckId::Function)), ["function-error"]);
    assert_eq!(world.target().0, Status::Unknown);
}

#[test]
fn wrong_or_missing_credentials_fail_only_the_caller_check() {
    let mut elsewhere = World::new("").hidden();
    elsewhere.own["caller"]["ok"]["account"] = json!("999999999999");
    elsewhere.invocation = None;
    assert_eq!(elsewhere.failed(), [CheckId::Caller]);

    let mut nobody = World::new("").hidden().not_deployed();
    let unreadable =
        |code: &str| json!({"unreadable": {"code": code, "message": "m", "hint": "sign in"}});
    nobody.own["caller"] = unreadable("NoCredentials");
    assert_eq!(nobody.failed(), [CheckId::Caller]);
    assert_eq!(
        nobody.check(CheckId::Caller).fix.as_deref(),
        Some("sign in")
    );

    nobody.own["caller"] = unreadable("Unreachable");
    assert_eq!(nobody.failed(), []);
    assert_eq!(nobody.check(CheckId::Caller).status, Status::Unknown);
}

#[test]
fn the_json_is_a_contract() {
    let mut world = World::new("external-id: audit\n").refused("AccessDenied: no");
    world.target_role()["trustPolicy"]["Statement"][0]["Condition"] = json!({});
    world.target_role()["trustPolicy"]["Statement"][0]["Principal"] =
        json!({"Service": "ec2.amazonaws.com"});
    let mut report = world.report();
    report
        .checks
        .retain(|check| [CheckId::Caller, CheckId::Target].contains(&check.id));
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}
