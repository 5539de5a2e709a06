//! The report for a person: a line a check, and below those that failed what to do. At most 100 columns, but for what is
//! to be copied as it stands.

use std::fmt::{self, Write};

use super::report::{Cause, Check, Id, Report, Status};

/// The widest line.
const COLUMNS: usize = 100;

/// Where the first column ends: `unknown` and two spaces.
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

/// A line of the table.
struct Row<'a> {
    check: &'a Check,
    name: String,
    found: String,
}

/// A line a check; the targets that are well, where there are several, in one.
fn rows(checks: &[Check]) -> Vec<Row<'_>> {
    let is_well = |check: &&Check| check.id == Id::Target && check.status == Status::Ok;
    let well: Vec<&Check> = checks.iter().filter(is_well).collect();
    let mut rows = Vec::new();
    let mut told = well.len() < 2;
    for check in checks {
        if !is_well(&check) || well.len() < 2 {
            rows.push(Row {
                check,
                name: name(check),
                found: check.found.clone(),
            });
        } else if !told {
            told = true;
            rows.push(Row {
                check,
                name: "targets".to_owned(),
                found: format!("{} accounts can be listed", well.len()),
            });
        }
    }
    rows
}

fn name(check: &Check) -> String {
    match (&check.account, check.id) {
        (Some(account), Id::Target) => format!("target {account}"),
        // A unit variant is written as its name.
        (_, id) => serde_json::to_value(id)
            .ok()
            .and_then(|name| name.as_str().map(ToOwned::to_owned))
            .unwrap_or_default(),
    }
}

/// A statement that a cause before it shows already is not shown again.
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
    let is_shown = |other: &Cause| other.place == cause.place && other.statement == cause.statement;
    if let (Some(place), Some(statement)) = (&cause.place, &cause.statement)
        && !before.iter().any(is_shown)
    {
        let indent = format!("{:STATUS$}   ", "");
        f.write_str(&wrapped(&format!("{place}:"), &indent, indent.len()))?;
        // A value can always be written.
        let json = serde_json::to_string_pretty(statement).unwrap_or_default();
        for line in json.lines() {
            writeln!(f, "{indent}  {line}")?;
        }
    }
    Ok(())
}

/// `text` after `label`, its lines broken at spaces and indented by `indent`.
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
    use crate::{doctor::report::CauseId, policy::Statement};

    fn target(account: &str, status: Status) -> Check {
        let mut check = Check::ok(Id::Target, "listed 3 buckets");
        check.status = status;
        check.account = Some(account.to_owned());
        check
    }

    #[test]
    fn a_table_for_a_person() {
        let long = "STS refused to let the role be assumed, and does not say which of the two accounts it was \
                    that refused, nor whether there is such a role at all";
        let failed = target("222222222222", Status::Failed).because(vec![
            Cause::seen(CauseId::TrustNamesAnother, long).mended_by(
                "in account 222222222222, on role MyS3ReadRole, in its trust policy",
                Statement::allow("ExecutionRole", ["sts:AssumeRole"]),
            ),
            Cause::possible(CauseId::ControlPolicy, "a policy of the organization"),
        ]);
        let report = Report {
            stage: "dev".to_owned(),
            checks: vec![
                Check::ok(Id::Cargo, "1.95.0"),
                target("111111111111", Status::Ok),
                failed.fix("deploy dist/dev/roles/target.yml there"),
                target("333333333333", Status::Ok),
                Check::unknown(Id::Function, "not deployed"),
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
}
