//! The trust of a stage as a picture: a flowchart in Mermaid, which forges render.
//!
//! Drawn from [`Grants`], so that it shows what the roles say. Targets that have the same role are one box, and of many
//! boxes the last stands for the rest: a stage of 5,000 accounts is as readable as one of three.

use std::fmt::Write;

use contract::{AccountId, Organization, SessionPolicy, TargetName, UnitId, Units};

use crate::{
    environment::Environment,
    policy::{Assumes, Document, Grants, RoleGrants, Set, TargetAccounts, TargetRole},
};

/// How many boxes of Target accounts there are at most.
const BOXES: usize = 8;

/// How many accounts a box names before it counts.
const NAMED: usize = 4;

/// The picture, each line with its line feed. The same stage gives the same bytes.
pub(crate) fn mermaid(environment: &Environment, grants: &Grants) -> String {
    let mut lines = vec![
        "flowchart LR".to_owned(),
        format!(
            "    subgraph admin[\"Admin account {}\"]",
            environment.variables.admin_account_id
        ),
        format!(
            "        function[\"Lambda function<br/>{}\"]",
            escaped(&environment.function_name())
        ),
    ];
    let execution_role = &grants.execution_role;
    let may = may(grants);
    lines.push(role_box("execution", execution_role, &may));
    let runs = edge_text(
        "runs as",
        conditions(environment, &execution_role.trust_policy),
    );
    lines.push(format!("        function -- \"{runs}\" --> execution"));
    if grants.lists_own_account {
        lines.push("        own[(\"S3 buckets\")]".to_owned());
        lines.push("        execution -- \"lists\" --> own".to_owned());
    }
    lines.push("    end".to_owned());
    if !grants.organization_actions.is_empty() {
        let asked = grants.organization_actions.join("<br/>");
        lines.push("    organization[\"AWS Organizations\"]".to_owned());
        lines.push(format!("    execution -- \"{asked}\" --> organization"));
    }
    let shown = if grants.target_roles.len() > BOXES {
        BOXES - 1
    } else {
        BOXES
    };
    for (index, target) in grants.target_roles.iter().take(shown).enumerate() {
        lines.extend(target_box(environment, grants, index, target));
    }
    lines.extend(rest_box(
        grants.target_roles.get(shown..).unwrap_or_default(),
    ));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// What the execution role may do to others, in a few words.
fn may(grants: &Grants) -> String {
    if let Some(organization) = &grants.organization {
        return format!(
            "may assume {} in the organization",
            escaped(organization.role.as_str())
        );
    }
    let roles = grants.target_roles.iter().map(|role| match &role.accounts {
        TargetAccounts::These(accounts) => accounts.len(),
        TargetAccounts::Organization(_) => 0,
    });
    match roles.sum() {
        0 => "may assume no role".to_owned(),
        1 => "may assume that one role".to_owned(),
        count => format!("may assume these {count} roles"),
    }
}

fn role_box(id: &str, role: &RoleGrants, may: &str) -> String {
    let path = role.path.trim_start_matches('/');
    let mut text = format!(
        "{}<br/><i>{may}</i>",
        escaped(&format!("{path}{}", role.name))
    );
    if let Some(policy) = &role.permissions_boundary {
        // Writing to a text cannot fail.
        let _ = write!(text, "<br/>bounded by {}", escaped(policy));
    }
    format!("        {id}[\"{text}\"]")
}

fn target_box(
    environment: &Environment,
    grants: &Grants,
    index: usize,
    target: &TargetRole,
) -> Vec<String> {
    let number = index + 1;
    let (title, whose) = accounts(grants, target);
    let mut texts = conditions(environment, &target.role.trust_policy);
    if let Assumes::Organization { id, .. } = &grants.assumes {
        texts.push(format!("if aws:ResourceOrgID is {id}"));
    }
    texts.push(match environment.variables.session_policy {
        SessionPolicy::On => "session policy: s3:ListAllMyBuckets alone".to_owned(),
        SessionPolicy::Off => "no session policy".to_owned(),
    });
    let mut lines = vec![format!("    subgraph target{number}[\"{title}\"]")];
    lines.push(role_box(
        &format!("read{number}"),
        &target.role,
        "may s3:ListAllMyBuckets",
    ));
    lines.extend([
        format!("        buckets{number}[(\"S3 buckets{whose}\")]"),
        format!("        read{number} -- \"lists\" --> buckets{number}"),
        "    end".to_owned(),
        format!(
            "    execution -- \"{}\" --> read{number}",
            edge_text("sts:AssumeRole", texts)
        ),
    ]);
    lines
}

/// The roles that have no box of their own.
fn rest_box(rest: &[TargetRole]) -> Vec<String> {
    if rest.is_empty() {
        return Vec::new();
    }
    let accounts = rest.iter().map(|role| match &role.accounts {
        TargetAccounts::These(accounts) => accounts.len(),
        TargetAccounts::Organization(_) => 0,
    });
    let accounts: usize = accounts.sum();
    vec![
        format!(
            "    rest[\"{} more Target accounts<br/>with {} other roles or external IDs\"]",
            accounts,
            rest.len()
        ),
        "    execution -- \"sts:AssumeRole<br/>as each trust policy says\" --> rest".to_owned(),
    ]
}

/// The title of a box, and whose buckets there are: where that is not one account, the first of them.
fn accounts(grants: &Grants, target: &TargetRole) -> (String, String) {
    match &target.accounts {
        TargetAccounts::These(accounts) => match &accounts[..] {
            [one] => (format!("Target account {}", account(one)), String::new()),
            many => {
                let named: Vec<String> = many.iter().map(account).collect();
                let named: Vec<&str> = named.iter().map(String::as_str).collect();
                let title = format!("{} Target accounts", many.len());
                (title, listed("of", &named))
            }
        },
        TargetAccounts::Organization(id) => {
            let mut whose = String::new();
            if let Some(Organization { units, exclude, .. }) = &grants.organization {
                whose.push_str(&match units {
                    Units::All => "<br/>of every active account".to_owned(),
                    Units::Some(units) => {
                        let units: Vec<&str> = units.iter().map(UnitId::as_str).collect();
                        listed("of every active account in", &units)
                    }
                });
                if !exclude.is_empty() {
                    let excluded: Vec<&str> = exclude.iter().map(AccountId::as_str).collect();
                    whose.push_str(&listed("but", &excluded));
                }
            }
            (format!("Organization {id}"), whose)
        }
    }
}

fn listed(what: &str, all: &[&str]) -> String {
    let named = all[..all.len().min(NAMED)].join("<br/>");
    match all.len().saturating_sub(NAMED) {
        0 => format!("<br/>{what}<br/>{named}"),
        more => format!("<br/>{what}<br/>{named}<br/>and {more} more"),
    }
}

/// The id first: whatever a person calls an account does not begin a line, where it could be a mark of a list.
fn account((id, name): &(AccountId, Option<TargetName>)) -> String {
    match name {
        None => id.to_string(),
        Some(name) => format!("{id} {}", escaped(name.as_str())),
    }
}

/// Under which conditions a role is given: whom its trust policy names, and what it asks for.
fn conditions(environment: &Environment, trust: &Document) -> Vec<String> {
    let execution_role = environment.execution_role_arn().to_string();
    let mut texts = Vec::new();
    for statement in &trust.statements {
        if let Some(Set::Only(principals)) = &statement.principals {
            texts.extend(principals.iter().map(|principal| match principal {
                one if one.value == execution_role => "trusted: that role itself".to_owned(),
                one => match one.account() {
                    Some(account) => format!("trusted: account {account}"),
                    None => format!("trusted: {}", escaped(&one.value)),
                },
            }));
        }
        for condition in &statement.conditions {
            let values: Vec<&str> = condition.values.iter().map(String::as_str).collect();
            texts.push(format!(
                "if {} is {}",
                escaped(&condition.key),
                escaped(&values.join(" or "))
            ));
        }
    }
    texts
}

fn edge_text(what: &str, more: Vec<String>) -> String {
    let mut texts = vec![what.to_owned()];
    texts.extend(more);
    texts.join("<br/>")
}

/// A text in Mermaid's quotes: every character that could mean something to it, to Markdown or to HTML as its code
/// (Mermaid documentation, "Flowcharts", "Entity codes to escape characters").
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // A point before a space may end the number of a list.
        let is_mark = character == '.' && characters.peek() == Some(&' ');
        if character.is_alphanumeric() || (" :/._-".contains(character) && !is_mark) {
            escaped.push(character);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(escaped, "#{};", u32::from(character));
        }
    }
    // Mermaid takes the last `;` from what looks like one of its own lines of these, wherever it stands (its
    // `encodeEntities`).
    escaped
        .replace("style", "st#121;le")
        .replace("classDef", "classDe#102;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::samples;

    #[test]
    fn every_kind_of_stage() {
        for sample in samples::all() {
            let text = mermaid(&sample.environment, &sample.grants);
            assert!(text.lines().count() < 60, "{}", sample.name);
            insta::assert_snapshot!(sample.name, text);
        }
    }

    /// However many roles there are, the picture stays small, and says that there are more.
    #[test]
    fn many_roles_are_counted() {
        let sample = samples::each_with_its_own(50);
        let text = mermaid(&sample.environment, &sample.grants);
        assert_eq!(text.matches("subgraph target").count(), BOXES - 1);
        assert!(text.contains("43 more Target accounts<br/>with 43 other roles or external IDs"));
    }

    /// What a person writes cannot leave its quotes, nor become a tag, an entity or a list.
    #[test]
    fn nothing_can_leave_its_quotes() {
        let name = "1. a#b&c<d>e;f(g)|h[i]=j%@k*l~m^n!o,p+q?r$s";
        let text = escaped(name);
        let codes_away = text
            .split('#')
            .enumerate()
            .map(|(index, part)| match index {
                0 => part,
                _ => part.split_once(';').unwrap().1,
            });
        let plain: String = codes_away.collect();
        assert!(
            plain
                .chars()
                .all(|c| c.is_alphanumeric() || " :/_-".contains(c)),
            "{plain}"
        );
        assert_eq!(escaped("a#b"), "a#35;b");
        assert_eq!(escaped("lifestyle:a=b"), "lifest#121;le:a#61;b");
        assert_eq!(escaped("Größe x.y:z/w"), "Größe x.y:z/w");
    }
}
