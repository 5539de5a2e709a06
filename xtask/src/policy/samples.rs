//! Stages of every kind, for the tests of what is made from them.

use std::collections::BTreeSet;

use contract::{
    Access, AccountId, Accounts, Concurrency, Organization, Selection, Target, TargetsFile, Units,
};

use super::Grants;
use environment::{self, Environment};

const ADMIN: &str =
    "admin-account-id: \"111111111111\"\nlambda-execution-role: MyLambdaExecutionRole\n\n";
const TARGET: &str = "target-account-id: \"222222222222\"\ns3-read-role: MyS3ReadRole\n";

/// A stage for a test, with what its roles should say.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) environment: Environment,
    pub(crate) grants: Grants,
}

/// Stages of every kind.
pub(crate) fn all() -> Vec<Sample> {
    let of = |name, more: &str, selection: fn(&Environment) -> Selection| {
        let environment = stage(more);
        let grants = Grants::of_selection(&environment, &selection(&environment)).unwrap();
        Sample {
            name,
            environment,
            grants,
        }
    };
    let one = |environment: &Environment| environment.selection().clone();
    vec![
        of("seed", "", one),
        of("external_id", "external-id: audit-2026\n", one),
        of("account", "trust: account\nexternal-id: audit-2026\n", one),
        of("organization_id", "organization-id: o-a1b2c3d4e5\n", one),
        of(
            "boundary",
            "permissions-boundary: team/Boundary\ntrust: account\n",
            one,
        ),
        of("tracing", "function:\n  tracing: active\n", one),
        of("session_policy_off", "session-policy: off\n", one),
        of("gov", "region: us-gov-west-1\ntrust: account\n", one),
        of(
            "china",
            "region: cn-north-1\npermissions-boundary: Boundary\nfunction:\n  tracing: active\n",
            one,
        ),
        of("three", "external-id: audit-2026\n", |_| three()),
        of("fifty", "", |_| targets(50)),
        of("own", "", |_| own()),
        of("organization", "organization-id: o-a1b2c3d4e5\n", |_| {
            organization(Units::All, &[])
        }),
        of(
            "units",
            "organization-id: o-a1b2c3d4e5\nexternal-id: audit-2026\ntrust: account\n",
            |_| {
                let unit = "ou-ab12-34cd56ef".parse().unwrap();
                organization(Units::Some(BTreeSet::from([unit])), &["111111111111"])
            },
        ),
    ]
}

/// The seed's stage `dev` with more lines.
pub(crate) fn stage(more: &str) -> Environment {
    of_keys(&format!("{TARGET}{more}"))
}

/// A stage `dev` of the seed's Admin account, with these lines for the rest.
pub(crate) fn of_keys(keys: &str) -> Environment {
    let text = format!("{ADMIN}{keys}");
    let source = "environments/variables.dev.yml";
    environment::parse(source, "dev".parse().unwrap(), text.as_bytes())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// As many targets of one role.
pub(crate) fn targets(count: usize) -> Selection {
    let target = |number| {
        let mut target = Target::by_role(account(number), "MyS3ReadRole".parse().unwrap());
        target.name = Some(format!("Team #{number} (R&D) <x>|y;").parse().unwrap());
        target
    };
    many((1..=count).map(target).collect())
}

/// As many targets, each with an external ID of its own.
pub(crate) fn each_with_its_own(count: usize) -> Sample {
    let target = |number| {
        let id = format!("id-{number}").parse().unwrap();
        Target::by_role(account(number), "MyS3ReadRole".parse().unwrap()).with_external_id(id)
    };
    let environment = stage("");
    let selection = many((1..=count).map(target).collect());
    Sample {
        name: "each_with_its_own",
        grants: Grants::of_selection(&environment, &selection).unwrap(),
        environment,
    }
}

/// One as the stage says, one with another external ID, one with another role and none.
fn three() -> Selection {
    let role = || "MyS3ReadRole".parse().unwrap();
    let id = |text: &str| text.parse().unwrap();
    many(vec![
        Target::by_role(account(1), role()).with_external_id(id("audit-2026")),
        Target::by_role(account(2), role()).with_external_id(id("other:1")),
        Target::by_role(account(3), "team/Reader".parse().unwrap()),
    ])
}

/// The Admin account itself beside another.
fn own() -> Selection {
    let role = "MyS3ReadRole".parse().unwrap();
    let own = Target::own("111111111111".parse().unwrap());
    assert_eq!(own.access, Access::Own);
    many(vec![own, Target::by_role(account(2), role)])
}

fn many(targets: Vec<Target>) -> Selection {
    let file = TargetsFile::new(Concurrency::default(), Accounts::Targets(targets));
    Selection::Fleet(file.unwrap())
}

pub(crate) fn organization(units: Units, exclude: &[&str]) -> Selection {
    let organization = Organization {
        admin: "111111111111".parse().unwrap(),
        units,
        exclude: exclude.iter().map(|id| id.parse().unwrap()).collect(),
        role: "MyS3ReadRole".parse().unwrap(),
        external_id: Some("audit-2026".parse().unwrap()),
    };
    let file = TargetsFile::new(Concurrency::default(), Accounts::Organization(organization));
    Selection::Fleet(file.unwrap())
}

fn account(number: usize) -> AccountId {
    format!("{:012}", 200_000_000_000 + number).parse().unwrap()
}
