//! Describes the accounts of a stage in a few lines.

use std::{collections::BTreeSet, fmt::Write};

use contract::{Accounts, Organization, Partition, RoleName, Selection, Target, Units};

/// The maximum number of accounts that are listed one by one.
const SHOWN: usize = 10;

/// Summarizes the accounts: `222222222222`, `3 accounts`, `organization ou-ab12-34cd56ef`.
pub(crate) fn count(selection: &Selection) -> String {
    match selection {
        Selection::Single(target) => target.account.to_string(),
        Selection::Fleet(file) => match file.accounts() {
            Accounts::Targets(targets) => accounts(targets.len()),
            Accounts::Organization(organization) => match &organization.units {
                Units::All => "organization, all".to_owned(),
                Units::Some(units) => match units.first() {
                    Some(unit) if units.len() == 1 => format!("organization {unit}"),
                    _ => format!("organization, {} units", units.len()),
                },
            },
        },
    }
}

fn accounts(number: usize) -> String {
    match number {
        1 => "1 account".to_owned(),
        many => format!("{many} accounts"),
    }
}

/// The role that is assumed in the accounts, or the number of different roles.
pub(crate) fn roles(selection: &Selection) -> String {
    let roles: BTreeSet<&RoleName> = match selection {
        Selection::Single(target) => target.role().into_iter().collect(),
        Selection::Fleet(file) => match file.accounts() {
            Accounts::Targets(targets) => targets.iter().filter_map(Target::role).collect(),
            Accounts::Organization(organization) => BTreeSet::from([&organization.role]),
        },
    };
    match roles.first() {
        None => "-".to_owned(),
        Some(role) if roles.len() == 1 => role.to_string(),
        Some(_) => format!("{} roles", roles.len()),
    }
}

/// Describes the accounts as labels and texts.
pub(crate) fn plan(selection: &Selection, partition: Partition) -> Vec<(&'static str, String)> {
    match selection {
        Selection::Single(target) => {
            let role = target.role_arn(partition).map(|arn| arn.to_string());
            let id = target.external_id().map(ToString::to_string);
            let lines = [("which assumes", role), ("external ID", id)];
            lines
                .into_iter()
                .filter_map(|(label, text)| Some((label, text?)))
                .collect()
        }
        Selection::Fleet(file) => {
            let mut lines = match file.accounts() {
                Accounts::Targets(targets) => of_targets(targets, partition),
                Accounts::Organization(organization) => of_organization(organization, partition),
            };
            let at_a_time = format!("{} accounts", file.concurrency());
            lines.push(("at a time", at_a_time));
            lines
        }
    }
}

fn of_targets(targets: &[Target], partition: Partition) -> Vec<(&'static str, String)> {
    let mut lines = vec![("which lists", accounts(targets.len()))];
    let shown = targets.iter().take(SHOWN);
    lines.extend(shown.map(|target| ("", of_target(target, partition))));
    if targets.len() > SHOWN {
        lines.push(("", format!("and {} more", targets.len() - SHOWN)));
    }
    lines
}

fn of_target(target: &Target, partition: Partition) -> String {
    let mut line = target.account.to_string();
    // Writing to a string cannot fail.
    if let Some(name) = &target.name {
        let _ = write!(line, " ({name})");
    }
    let _ = match target.role_arn(partition) {
        Some(arn) => write!(line, " by {arn}"),
        None => write!(line, " with the execution role's own credentials"),
    };
    if let Some(id) = target.external_id() {
        let _ = write!(line, ", external ID {id}");
    }
    if let Some(region) = &target.region {
        let _ = write!(line, ", in {region}");
    }
    line
}

fn of_organization(
    organization: &Organization,
    partition: Partition,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![("which lists", "the accounts of the organization".to_owned())];
    match &organization.units {
        Units::All => lines.push(("units", "all".to_owned())),
        Units::Some(units) => lines.extend(list("units", units)),
    }
    lines.extend(list("excluded", &organization.exclude));
    lines.push((
        "assuming",
        format!("arn:{partition}:iam::*:role/{}", organization.role),
    ));
    if let Some(id) = &organization.external_id {
        lines.push(("external ID", id.to_string()));
    }
    lines
}

fn list<T: ToString>(label: &'static str, items: &BTreeSet<T>) -> Option<(&'static str, String)> {
    let mut words: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    if items.len() > SHOWN {
        words.push(format!("and {} more", items.len() - SHOWN));
    }
    (!words.is_empty()).then(|| (label, words.join(", ")))
}

#[cfg(test)]
mod tests {
    use contract::{Concurrency, TargetsFile};

    use super::*;

    fn targets(number: u64) -> Selection {
        let targets = (0..number).map(|index| {
            let account = format!("{:012}", 222_222_222_222 + index).parse().unwrap();
            Target::by_role(account, "Reader".parse().unwrap())
        });
        let mut targets: Vec<Target> = targets.collect();
        targets[0].name = Some("Payments".parse().unwrap());
        targets[0].region = Some("eu-central-1".parse().unwrap());
        targets[0] = targets[0]
            .clone()
            .with_external_id("audit".parse().unwrap());
        if let Some(own) = targets.get_mut(1) {
            own.access = contract::Access::Own;
        }
        many(Accounts::Targets(targets))
    }

    fn many(accounts: Accounts) -> Selection {
        Selection::Fleet(TargetsFile::new(Concurrency::default(), accounts).unwrap())
    }

    fn shown(selection: &Selection) -> String {
        let mut text = format!("{} / {}\n", count(selection), roles(selection));
        for (label, line) in plan(selection, Partition::AwsUsGov) {
            let _ = writeln!(text, "{label:<15} {line}");
        }
        text
    }

    #[test]
    fn a_few_targets_are_all_named_and_of_many_the_first_ten() {
        insta::assert_snapshot!(shown(&targets(2)));
        insta::assert_snapshot!(shown(&targets(300)));
        let ten = plan(&targets(10), Partition::Aws);
        assert_eq!(ten.len(), 12, "{ten:?}");
        assert_eq!(count(&targets(1)), "1 account");
    }

    #[test]
    fn an_organization_is_told_by_its_units() {
        let mut organization = Organization {
            admin: "111111111111".parse().unwrap(),
            units: Units::Some(BTreeSet::from([
                "ou-ab12-34cd56ef".parse().unwrap(),
                "ou-ab12-11111111".parse().unwrap(),
            ])),
            exclude: BTreeSet::from(["444444444444".parse().unwrap()]),
            role: "teams/Reader".parse().unwrap(),
            external_id: Some("audit".parse().unwrap()),
        };
        insta::assert_snapshot!(shown(&many(Accounts::Organization(organization.clone()))));
        organization.units = Units::All;
        organization.exclude.clear();
        organization.external_id = None;
        insta::assert_snapshot!(shown(&many(Accounts::Organization(organization))));
    }

    #[test]
    fn one_target_is_told_as_ever() {
        let target = Target::by_role("222222222222".parse().unwrap(), "Reader".parse().unwrap());
        let lines = plan(&Selection::Single(target), Partition::Aws);
        let arn = "arn:aws:iam::222222222222:role/Reader";
        assert_eq!(lines, [("which assumes", arn.to_owned())]);
    }
}
