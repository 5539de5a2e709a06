//! `cargo xtask doctor`: what it says of a stage whose roles lack something, with and without a look at the Target
//! account's policies.

use e2e::Copy;
use serde_json::{Value, json};

use crate::stage::{Clock, Stage};

const ADMIN: &str = "100000000051";
const TARGET: &str = "000000000052";

/// A stage whose roles have every statement that there can be with one target.
const VARIABLES: &str = "external-id: audit-2026\nfunction:\n  tracing: active\n";

/// A role that lacks something, and what it comes to.
struct Case {
    what: String,
    /// `admin` or `target`.
    side: &'static str,
    template: Value,
    /// The check that fails and its first cause, where the Target account's policies are readable.
    readable: (&'static str, &'static str),
    /// The same where they are not.
    hidden: (&'static str, &'static str),
}

/// The expected report if a statement is missing, by its name. A statement that is not here has no expectation and fails
/// the test.
fn prediction(statement: &str) -> [(&'static str, &'static str); 2] {
    match statement {
        "LambdaInThisAccount" => [("lambda-trust", "trust-missing"); 2],
        "AssumeReadRole" => [("assume-permission", "permission-missing"); 2],
        "WriteOwnLogs" => [("log-permission", "permission-missing"); 2],
        "WriteTraces" => [("trace-permission", "permission-missing"); 2],
        // STS responds alike to a missing trust and a missing role.
        "ExecutionRole" => [("target", "trust-missing"), ("target", "role-missing")],
        "ListBuckets" => [("target", "permission-missing"); 2],
        other => panic!("no prediction for the statement {other}"),
    }
}

/// Where the documents of a rendered role are, of which there is one of each.
const DOCUMENTS: [&str; 2] = ["AssumeRolePolicyDocument", PERMISSIONS];
pub(crate) const PERMISSIONS: &str = "Policies/0/PolicyDocument";

/// The statements of one of them.
pub(crate) fn document<'a>(template: &'a mut Value, path: &str) -> &'a mut Vec<Value> {
    let roles = template["Resources"].as_object_mut().expect("resources");
    let role = roles
        .values_mut()
        .find(|resource| resource["Type"] == "AWS::IAM::Role")
        .expect("a role");
    role.pointer_mut(&format!("/Properties/{path}/Statement"))
        .and_then(Value::as_array_mut)
        .unwrap_or_else(|| panic!("no statements in {path}"))
}

/// Every statement of both roles, left out.
fn missing_statements(roles: &[(&'static str, Value)]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (side, role) in roles {
        for path in DOCUMENTS {
            let count = document(&mut role.clone(), path).len();
            for index in 0..count {
                let mut template = role.clone();
                let removed = document(&mut template, path).remove(index);
                let name = removed["Sid"].as_str().expect("a statement with a name");
                let [readable, hidden] = prediction(name);
                cases.push(Case {
                    what: format!("without {name}"),
                    side,
                    template,
                    readable,
                    hidden,
                });
            }
        }
    }
    cases
}

/// Other problems of the Target's role.
fn other_faults(role: &Value) -> Vec<Case> {
    let case = |what: &str, readable, hidden, change: &dyn Fn(&mut Value)| {
        let mut template = role.clone();
        change(&mut template);
        assert_ne!(template, *role, "{what}");
        Case {
            what: what.to_owned(),
            side: "target",
            template,
            readable: ("target", readable),
            hidden: ("target", hidden),
        }
    };
    vec![
        case(
            "another principal",
            "trust-names-another",
            "role-missing",
            &|role| {
                document(role, DOCUMENTS[0])[0]["Principal"] =
                    json!({"AWS": format!("arn:aws:iam::{ADMIN}:role/Another")});
            },
        ),
        case(
            "another external ID",
            "external-id",
            "role-missing",
            &|role| {
                document(role, DOCUMENTS[0])[0]["Condition"] =
                    json!({"StringEquals": {"sts:ExternalId": "audit-2025"}});
            },
        ),
        case(
            "another action",
            "permission-missing",
            "permission-missing",
            &|role| {
                document(role, DOCUMENTS[1])[0]["Action"] = json!("s3:ListBucket");
            },
        ),
        case("a denial", "explicit-deny", "explicit-deny", &|role| {
            document(role, DOCUMENTS[1])
                .push(json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}));
        }),
    ]
}

/// The account and the stack of a side.
fn stack(side: &str) -> (&'static str, String) {
    let account = if side == "admin" { ADMIN } else { TARGET };
    (account, format!("{side}-role"))
}

struct Doctor {
    stage: Stage,
}

impl Doctor {
    fn apply(&self, side: &str, template: &Value) {
        let (account, stack) = stack(side);
        self.stage.apply(account, &stack, &template.to_string());
    }

    /// The report, which ends with `status`.
    fn report(&self, readable: bool, status: i32) -> Value {
        let mut arguments = vec!["doctor", "--env", self.stage.name, "--json"];
        if readable {
            arguments.extend(["--target-profile", TARGET]);
        }
        self.stage.copy.xtask(&arguments).expect(status).json()
    }

    /// Exactly `check` fails, and its first cause is `cause`.
    fn expect_failure(&self, readable: bool, what: &str, (check, cause): (&str, &str)) -> Value {
        let report = self.report(readable, 1);
        let of = |check: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&check["id"]), text(&check["causes"][0]["id"]))
        };
        let failed: Vec<_> = checks(&report, "failed").map(of).collect();
        assert_eq!(
            failed,
            [(check.to_owned(), cause.to_owned())],
            "{what}, readable: {readable}: {report:#}"
        );
        report
    }
}

fn checks<'a>(report: &'a Value, status: &'a str) -> impl Iterator<Item = &'a Value> {
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().filter(move |check| check["status"] == status)
}

fn ids(report: &Value, status: &str) -> Vec<String> {
    checks(report, status)
        .map(|check| check["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn each_fault_of_a_role_fails_its_check_with_its_cause() {
    let clock = Clock::start("doctor");
    let copy = Copy::of_workspace(ADMIN).with_profiles(&[TARGET]);
    copy.write_stage("doctor", ADMIN, TARGET, VARIABLES);
    let doctor = Doctor {
        stage: Stage::within(copy, "doctor", ADMIN, TARGET),
    };
    let stage = &doctor.stage;
    doctor.before_the_deployment();
    clock.lap("roles applied");
    let _ = stage.xtask("deploy").ok();
    clock.lap("deployed");
    doctor.all_is_well();
    clock.lap("all is well");

    let roles = ["admin", "target"].map(|side| {
        let role: Value = serde_yaml::from_str(&stage.role(side)).expect("a template");
        (side, role)
    });
    let rendered = |side| {
        let (_, role) = roles.iter().find(|(one, _)| *one == side).expect("a side");
        role
    };
    doctor.with_an_earlier_session(rendered("target"));
    clock.lap("warm, without trust");

    let mut cases = missing_statements(&roles);
    cases.extend(other_faults(rendered("target")));
    for case in &cases {
        doctor.apply(case.side, &case.template);
        stage.forget_credentials_without_a_trace().await;
        for (readable, expected) in [(true, case.readable), (false, case.hidden)] {
            doctor.expect_failure(readable, &case.what, expected);
        }
        doctor.apply(case.side, rendered(case.side));
        clock.lap(&case.what);
    }

    // A role that is not there. The execution role last: the new one is another to IAM.
    for (side, expected) in [
        ("target", ("target", "role-missing")),
        ("admin", ("execution-role", "role-missing")),
    ] {
        let what = format!("no {side} role");
        let (account, name) = stack(side);
        stage.delete(account, &name);
        stage.forget_credentials_without_a_trace().await;
        for readable in [true, false] {
            doctor.expect_failure(readable, &what, expected);
        }
        doctor.apply(side, rendered(side));
        clock.lap(&what);
    }

    doctor.apply("target", &untrusting(rendered("target")));
    stage.forget_credentials_without_a_trace().await;
    doctor.expect_failure(false, "recreated", ("target", "stale-principal"));
    doctor.shows_the_statement_to_paste();
}

/// The Target's role, which trusts another principal.
fn untrusting(role: &Value) -> Value {
    let mut role = role.clone();
    document(&mut role, DOCUMENTS[0])[0]["Principal"] =
        json!({"AWS": format!("arn:aws:iam::{TARGET}:root")});
    role
}

impl Doctor {
    /// Nothing is made, and then the roles are: what is visible.
    fn before_the_deployment(&self) {
        let _ = self.stage.xtask("render").ok();
        let _ = self.stage.xtask("roles").ok();
        let report = self.expect_failure(false, "nothing yet", ("execution-role", "role-missing"));
        assert!(
            ids(&report, "unknown").contains(&"function".to_owned()),
            "{report:#}"
        );
        self.stage.trust();
        let report = self.report(true, 0);
        assert_eq!(ids(&report, "unknown"), ["function"], "{report:#}");
        let report = self.report(false, 0);
        assert_eq!(
            ids(&report, "unknown"),
            ["function", "target"],
            "{report:#}"
        );
    }

    /// Whoever asks; offline nobody is asked, and from elsewhere nothing is blamed on the stage.
    fn all_is_well(&self) {
        for readable in [true, false] {
            let report = self.report(readable, 0);
            assert_eq!(ids(&report, "unknown"), Vec::<String>::new(), "{report:#}");
        }
        let arguments = ["doctor", "--env", self.stage.name, "--json"];
        let offline = [&arguments[..], &["--offline"]].concat();
        let report = self.stage.copy.xtask_as("none", &offline).ok().json();
        assert_eq!(
            ids(&report, "ok"),
            ["cargo", "node", "python", "tools", "variables", "rendered"]
        );
        let elsewhere = self.stage.copy.xtask_as(TARGET, &arguments).expect(1);
        assert_eq!(ids(&elsewhere.json(), "failed"), ["caller"], "{elsewhere}");
    }

    /// The function holds a session of the Target's role: it works on, and the policies say otherwise.
    fn with_an_earlier_session(&self, target_role: &Value) {
        self.apply("target", &untrusting(target_role));
        let report = self.expect_failure(true, "warm", ("target", "trust-names-another"));
        let failed = checks(&report, "failed").next().expect("a check");
        let causes = failed["causes"].as_array().expect("causes");
        assert_eq!(
            causes.last().expect("a cause")["id"],
            "cached-session",
            "{report:#}"
        );
        assert_eq!(causes[0]["statement"]["Sid"], "ExecutionRole", "{report:#}");
        let _ = self.report(false, 0);
        self.apply("target", target_role);
    }

    /// The statement, and where it belongs, in lines that are not too long.
    fn shows_the_statement_to_paste(&self) {
        let arguments = [
            "doctor",
            "--env",
            self.stage.name,
            "--target-profile",
            TARGET,
        ];
        let told = self.stage.copy.xtask(&arguments).expect(1);
        let place = format!("in account {TARGET}, on role MyS3ReadRole, in its trust policy:");
        let table = told.stdout();
        assert!(table.contains(&place), "{told}");
        assert!(
            table.contains("\"sts:ExternalId\": \"audit-2026\""),
            "{told}"
        );
        let is_short = |line: &str| line.chars().count() <= 100;
        assert!(table.lines().all(is_short), "{told}");
    }
}
