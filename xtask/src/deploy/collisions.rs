//! Finds stages that would deploy over each other.
//!
//! A stack's name joins service and stage with `-`, which both may contain: service `a` in stage `b-c` and service `a-b` in
//! stage `c` have the same stack. The names of the function and of the role stacks start with it.

use std::collections::{BTreeSet, HashMap, HashSet};

use contract::{AccountId, Accounts, Selection};

use crate::{cli::Side, deploy::role_stacks, sys::error::InputError};
use environment::Environment;

/// Finds the stages that would share a stack or a directory, one problem for each pair.
pub(crate) fn problems(environments: &[Environment]) -> Vec<InputError> {
    let mut problems = BTreeSet::new();
    let mut stages: HashMap<String, Vec<&Environment>> = HashMap::new();
    for environment in environments {
        let name = environment.stage.as_str().to_ascii_lowercase();
        let others = stages.entry(name).or_default();
        problems.extend(
            others
                .iter()
                .map(|other| same_directory(other, environment)),
        );
        others.push(environment);
    }
    // Of two stages whose stacks share a name, those of the roles do as well: one problem is enough.
    let mut pairs = HashSet::new();
    let mut stacks: HashMap<_, Vec<(&Environment, Place<'_>)>> = HashMap::new();
    for environment in environments {
        let region = environment.variables.region.as_str();
        for (stack, place) in stacks_of(environment) {
            let others = stacks
                .entry((region, stack.to_ascii_lowercase()))
                .or_default();
            for (other, _) in others.iter().filter(|(_, others)| others.meets(&place)) {
                let differ_by_case = other
                    .stage
                    .as_str()
                    .eq_ignore_ascii_case(environment.stage.as_str());
                if !differ_by_case && pairs.insert((&other.stage, &environment.stage)) {
                    problems.insert(same_stack(other, environment, &stack));
                }
            }
            others.push((environment, place));
        }
    }
    problems.into_iter().map(InputError).collect()
}

fn same_directory(one: &Environment, other: &Environment) -> String {
    format!(
        "Stages `{}` and `{}` differ only in case, which some file systems ignore ({}, {})\n\
         hint: rename one of them",
        one.stage, other.stage, one.source, other.source
    )
}

fn same_stack(one: &Environment, other: &Environment, stack: &str) -> String {
    format!(
        "Stages `{}` and `{}` would have the same CloudFormation stack, `{stack}` ({}, {})\n\
         hint: set another `service` in one of them, or rename one",
        one.stage, other.stage, one.source, other.source
    )
}

/// The accounts that have a stack.
enum Place<'a> {
    Accounts(HashSet<&'a AccountId>),
    /// The accounts of an organization, which are unknown.
    Unknown,
}

impl Place<'_> {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Accounts(one), Self::Accounts(other)) => !one.is_disjoint(other),
            _ => true,
        }
    }
}

/// Every stack of a stage, with its accounts.
fn stacks_of(environment: &Environment) -> [(String, Place<'_>); 3] {
    let admin = || Place::Accounts(HashSet::from([&environment.variables.admin_account_id]));
    let targets = match environment.selection() {
        Selection::Single(target) => Place::Accounts(HashSet::from([&target.account])),
        Selection::Fleet(file) => match file.accounts() {
            Accounts::Targets(targets) => {
                Place::Accounts(targets.iter().map(|target| &target.account).collect())
            }
            Accounts::Organization(_) => Place::Unknown,
        },
    };
    [
        (environment.stack_name(), admin()),
        (role_stacks::stack_name(environment, Side::Admin), admin()),
        (role_stacks::stack_name(environment, Side::Target), targets),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, more: &str) -> Environment {
        in_accounts(name, ["111111111111", "222222222222"], more)
    }

    fn in_accounts(name: &str, [admin, target]: [&str; 2], more: &str) -> Environment {
        let text = format!(
            "admin-account-id: \"{admin}\"\nlambda-execution-role: Runs\n\
             target-account-id: \"{target}\"\ns3-read-role: Reads\n{more}"
        );
        let source = format!("variables.{name}.yml");
        environment::parse(&source, name.parse().unwrap(), text.as_bytes())
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }

    #[test]
    fn stages_with_one_stack_are_found() {
        let of = |stages: &[Environment]| -> Vec<String> {
            problems(stages).iter().map(ToString::to_string).collect()
        };
        let apart = [
            stage("dev", ""),
            stage("prod", ""),
            stage("b-c", "service: Svc\n"),
            stage("c", "service: Svc-b\nregion: eu-central-1\n"),
        ];
        assert_eq!(of(&apart), Vec::<String>::new());
        let in_other_accounts = [
            stage("b-c", "service: Svc\n"),
            in_accounts("c", ["333333333333", "444444444444"], "service: Svc-b\n"),
        ];
        assert_eq!(of(&in_other_accounts), Vec::<String>::new());
        for (one, other, expected) in [
            (
                stage("b-c", "service: Svc\n"),
                stage("c", "service: Svc-b\n"),
                "the same CloudFormation stack, `Svc-b-c`",
            ),
            (
                stage("dev", "service: Svc\n"),
                stage("dev-admin-role", "service: Svc\n"),
                "the same CloudFormation stack, `Svc-dev-admin-role`",
            ),
            // The letter case makes no difference.
            (
                stage("b-c", "service: Svc\n"),
                stage("c", "service: svc-b\n"),
                "the same CloudFormation stack, `svc-b-c`",
            ),
            // The roles in the Target accounts meet.
            (
                stage("b-c", "service: Svc\n"),
                in_accounts("c", ["333333333333", "222222222222"], "service: Svc-b\n"),
                "the same CloudFormation stack, `Svc-b-c-target-role`",
            ),
            (
                stage("dev", ""),
                stage("Dev", "region: eu-central-1\n"),
                "Stages `dev` and `Dev` differ only in case",
            ),
        ] {
            let [problem] = &of(&[one, other])[..] else {
                panic!("{expected}");
            };
            assert!(problem.contains(expected), "{problem}");
            assert!(problem.contains("\nhint: "), "{problem}");
        }
    }
}
