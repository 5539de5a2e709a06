//! The report as a table: one line per check, with causes and fixes below those that failed. Lines have at most 100 columns,
//! except policy statements.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::{self, Write},
};

use super::report::{Cause, Check, CheckId, EARLIER_SESSION, Report, Status};

/// The maximum width of a line.
const COLUMNS: usize = 100;

/// The width of the status column: `unknown` and two spaces.
const STATUS: usize = 9;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = rows(&self.checks);
        let width = rows.iter().map(|row| row.name.chars().count()).max();
        let found = STATUS + width.unwrap_or_default() + 2;
        for row in &rows {
            let name = format!(
                "{:<STATUS$}{:<rest$}",
                row.check.status.as_str(),
                row.name,
                rest = found - STATUS
            );
            f.write_str(&wrapped(&row.found, &name, found))?;
            if let Some(accounts) = &row.accounts {
                let label = format!("{:STATUS$}accounts: ", "");
                f.write_str(&wrapped(accounts, &label, label.len()))?;
            }
            for (index, cause) in row.check.causes.iter().enumerate() {
                let before = &row.check.causes[..index];
                let number = (row.check.causes.len() > 1).then_some(index + 1);
                write_cause(f, cause, number, before)?;
            }
            if let Some(fix) = &row.check.fix {
                let label = format!("{:STATUS$}fix: ", "");
                f.write_str(&wrapped(fix, &label, label.len()))?;
            }
        }
        writeln!(
            f,
            "\n{} ok, {} failed, {} unknown",
            self.count(Status::Ok),
            self.count(Status::Failed),
            self.count(Status::Unknown)
        )
    }
}

/// A row of the table.
struct Row<'a> {
    check: Cow<'a, Check>,
    name: String,
    found: String,
    /// The accounts, if there are several.
    accounts: Option<String>,
}

/// One row per check. Targets that are ok share a row, and so do targets with the same causes.
fn rows(checks: &[Check]) -> Vec<Row<'_>> {
    let mut groups: Vec<(String, Vec<&Check>)> = Vec::new();
    let mut indexes = HashMap::new();
    for check in checks {
        let key = group_key(check);
        let index = *indexes.entry(key.clone()).or_insert(groups.len());
        if index == groups.len() {
            groups.push((key, Vec::new()));
        }
        groups[index].1.push(check);
    }
    groups
        .into_iter()
        .flat_map(|(_, group)| match group[..] {
            [check, _, ..] if check.id == CheckId::Target => vec![row_of_several(&group)],
            _ => group.into_iter().map(row_of_one).collect(),
        })
        .collect()
}

fn row_of_one(check: &Check) -> Row<'_> {
    Row {
        check: Cow::Borrowed(check),
        name: name(check),
        found: check.found.clone(),
        accounts: None,
    }
}

fn row_of_several<'a>(group: &[&'a Check]) -> Row<'a> {
    let first = group[0];
    let name = "targets".to_owned();
    if first.status == Status::Ok {
        let is_earlier = |check: &&&Check| check.found.contains(EARLIER_SESSION);
        let found = match group.iter().filter(is_earlier).count() {
            0 => format!("{} accounts can be listed", group.len()),
            some => format!(
                "{} accounts can be listed, {some} of them {EARLIER_SESSION} (up to an hour old)",
                group.len()
            ),
        };
        return Row {
            check: Cow::Borrowed(first),
            name,
            found,
            accounts: None,
        };
    }
    let check = for_any_account(first);
    let account = |check: &&Check| {
        let id = check.account.clone().unwrap_or_default();
        match &check.name {
            Some(name) => format!("{id} ({name})"),
            None => id,
        }
    };
    let mut accounts: Vec<String> = group.iter().take(MAX_LISTED).map(account).collect();
    if group.len() > MAX_LISTED {
        accounts.push(format!("and {} more", group.len() - MAX_LISTED));
    }
    Row {
        name,
        found: format!("{} accounts: {}", group.len(), check.found),
        accounts: Some(accounts.join(", ")),
        check: Cow::Owned(check),
    }
}

/// The maximum number of accounts that a row lists.
const MAX_LISTED: usize = 50;

/// The key of checks that share a row: for targets that are ok a constant, for other targets everything except the account.
fn group_key(check: &Check) -> String {
    match (check.id, check.status) {
        (CheckId::Target, Status::Ok) => "targets that are ok".to_owned(),
        (CheckId::Target, _) => {
            let mut check = for_any_account(check);
            (check.account, check.name) = (None, None);
            // Cannot fail.
            serde_json::to_string(&check).unwrap_or_default()
        }
        _ => name(check),
    }
}

/// Replaces the account ID with a placeholder.
fn for_any_account(check: &Check) -> Check {
    let mut check = check.clone();
    let Some(account) = check.account.clone() else {
        return check;
    };
    let replace = |text: &mut String| *text = text.replace(&account, "ACCOUNT");
    replace(&mut check.found);
    check.fix.iter_mut().for_each(replace);
    for cause in &mut check.causes {
        replace(&mut cause.text);
        cause.location.iter_mut().for_each(replace);
    }
    check
}

fn name(check: &Check) -> String {
    match (&check.account, check.id) {
        (Some(account), CheckId::Target) => format!("target {account}"),
        // Unit variants serialize to their names.
        (_, id) => serde_json::to_value(id)
            .ok()
            .and_then(|name| name.as_str().map(ToOwned::to_owned))
            .unwrap_or_default(),
    }
}

/// Writes a cause. A statement that an earlier cause shows is not repeated.
fn write_cause(
    f: &mut fmt::Formatter<'_>,
    cause: &Cause,
    number: Option<usize>,
    before: &[Cause],
) -> fmt::Result {
    let number = number.map_or_else(String::new, |number| format!("{number}. "));
    let label = format!("{:STATUS$}{number}", "");
    let text = format!("{}: {}", cause.certainty.as_str(), cause.text);
    f.write_str(&wrapped(&text, &label, label.len()))?;
    let is_shown =
        |other: &Cause| other.location == cause.location && other.statement == cause.statement;
    if let (Some(location), Some(statement)) = (&cause.location, &cause.statement)
        && !before.iter().any(is_shown)
    {
        let indent = format!("{:STATUS$}   ", "");
        f.write_str(&wrapped(&format!("{location}:"), &indent, indent.len()))?;
        // Cannot fail.
        let json = serde_json::to_string_pretty(statement).unwrap_or_default();
        for line in json.lines() {
            writeln!(f, "{indent}  {line}")?;
        }
    }
    Ok(())
}

/// Wraps `text` after `label`, with later lines indented by `indent`.
fn wrapped(text: &str, label: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut line = label.to_owned();
    let mut is_empty = true;
    for (index, paragraph) in text.lines().enumerate() {
        if index > 0 {
            let _ = writeln!(out, "{}", line.trim_end());
            line = " ".repeat(indent);
            is_empty = true;
        }
        for word in paragraph.split_whitespace() {
            let space = usize::from(!is_empty);
            if !is_empty && line.chars().count() + space + word.chars().count() > COLUMNS {
                let _ = writeln!(out, "{line}");
                line = " ".repeat(indent);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
    }
    let _ = writeln!(out, "{}", line.trim_end());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::CauseId;
    use iam_policy::Statement;

    fn target(account: &str, status: Status) -> Check {
        let mut check = Check::ok(CheckId::Target, "listed 3 buckets");
        check.status = status;
        check.account = Some(account.to_owned());
        check
    }

    #[test]
    fn a_table() {
        let long = "STS refused to let the role be assumed, and does not say which of the two accounts it was \
                    that refused, nor whether there is such a role at all";
        let failed = target("222222222222", Status::Failed).because(vec![
            Cause::seen(CauseId::TrustNamesAnother, long).fixed_by(
                "in account 222222222222, on role MyS3ReadRole, in its trust policy",
                Statement::allow("ExecutionRole", ["sts:AssumeRole"]),
            ),
            Cause::possible(CauseId::ControlPolicy, "a policy of the organization"),
        ]);
        let report = Report {
            stage: "dev".to_owned(),
            checks: vec![
                Check::ok(CheckId::Cargo, "1.95.0"),
                target("111111111111", Status::Ok),
                failed.fix("deploy dist/dev/roles/target.yml there"),
                target("333333333333", Status::Ok),
                Check::unknown(CheckId::Function, "not deployed"),
            ],
        };
        let text = report.to_string();
        insta::assert_snapshot!(text, @r#"
        ok       cargo                1.95.0
        ok       targets              2 accounts can be listed
        failed   target 222222222222  listed 3 buckets
                 1. seen: STS refused to let the role be assumed, and does not say which of the two accounts
                    it was that refused, nor whether there is such a role at all
                    in account 222222222222, on role MyS3ReadRole, in its trust policy:
                      {
                        "Sid": "ExecutionRole",
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole"
                      }
                 2. possible: a policy of the organization
                 fix: deploy dist/dev/roles/target.yml there
        unknown  function             not deployed

        3 ok, 1 failed, 1 unknown
        "#);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
    }

    #[test]
    fn targets_with_the_same_causes_share_a_row() {
        let refused = |account: &str, name: Option<&str>, other: &str| {
            let place = format!("in account {account}, on role R");
            let cause =
                Cause::possible(CauseId::RoleMissing, format!("account {account} has none"));
            let statement = Statement::allow("ExecutionRole", ["sts:AssumeRole"]);
            let mut check = target(account, Status::Failed);
            check.found = "STS refuses".to_owned();
            check.name = name.map(ToOwned::to_owned);
            check.because(vec![
                cause.fixed_by(place, statement),
                Cause::possible(CauseId::ControlPolicy, other),
            ])
        };
        let mut healthy = target("444444444444", Status::Ok);
        healthy.found = format!("listed: 1 bucket, {EARLIER_SESSION}: x");
        let report = Report {
            stage: "dev".to_owned(),
            checks: vec![
                refused("111111111111", Some("Audit"), "x"),
                target("222222222222", Status::Ok),
                refused("333333333333", None, "x"),
                healthy,
                refused("555555555555", None, "y"),
            ],
        };
        insta::assert_snapshot!(report.to_string(), @r#"
        failed   targets              2 accounts: STS refuses
                 accounts: 111111111111 (Audit), 333333333333
                 1. possible: account ACCOUNT has none
                    in account ACCOUNT, on role R:
                      {
                        "Sid": "ExecutionRole",
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole"
                      }
                 2. possible: x
        ok       targets              2 accounts can be listed, 1 of them perhaps with an earlier session
                                      (up to an hour old)
        failed   target 555555555555  STS refuses
                 1. possible: account 555555555555 has none
                    in account 555555555555, on role R:
                      {
                        "Sid": "ExecutionRole",
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole"
                      }
                 2. possible: y

        2 ok, 3 failed, 0 unknown
        "#);
    }
}
