//! Draws a stage's trust as a Mermaid flowchart, which GitHub and GitLab render.
//!
//! The diagram shows [`Grants`], and with them what the roles allow. Targets with the same role share a box, and the last
//! of many boxes stands for all others: a stage with 5,000 accounts is as readable as one with three.

use std::fmt::Write;

use contract::{AccountId, ActionSpec, Organization, SessionPolicy, TargetName, UnitId, Units};
use iam_policy::{Document, Set};

use crate::policy::{Assumes, Grants, RoleGrants, TargetAccounts, TargetRole};
use environment::Environment;

/// The maximum number of boxes for Target accounts. More do not fit on a screen.
const MAX_BOXES: usize = 8;

/// The maximum number of accounts that a box names. It counts the others.
const MAX_NAMED_ACCOUNTS: usize = 4;

/// Draws the diagram. The same stage gives the same bytes.
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
    let trusts = trusts(environment, &execution_role.trust_policy);
    lines.push(role_box("execution", execution_role, &trusts));
    lines.push("        function -- \"runs as\" --> execution".to_owned());
    lines.push("    end".to_owned());
    if grants.lists_own_account {
        // Outside of the account's box, which would otherwise reach under the labels of other edges.
        lines.push("    own[(\"S3 buckets of the Admin account\")]".to_owned());
        lines.push("    execution -- \"lists\" --> own".to_owned());
    }
    if !grants.organization_actions.is_empty() {
        let actions = grants.organization_actions.join("<br/>");
        lines.push("    organization[\"AWS Organizations\"]".to_owned());
        lines.push(format!(
            "    execution -- \"may call<br/>{actions}\" --> organization"
        ));
    }
    let shown = if grants.target_roles.len() > MAX_BOXES {
        MAX_BOXES - 1
    } else {
        MAX_BOXES
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

fn role_box(id: &str, role: &RoleGrants, note: &str) -> String {
    let path = role.path.trim_start_matches('/');
    let mut text = format!(
        "{}<br/><i>{note}</i>",
        escaped(&format!("{path}{}", role.name))
    );
    if let Some(policy) = &role.permissions_boundary {
        // Writing to a string cannot fail.
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
    let mut assumes = "may assume".to_owned();
    if let Assumes::Organization { id, .. } = &grants.assumes {
        // Writing to a string cannot fail.
        let _ = write!(assumes, "<br/>if aws:ResourceOrgID is {id}");
    }
    let permissions = ActionSpec::S3_BUCKETS.permissions();
    let _ = match environment.variables.session_policy {
        SessionPolicy::On => write!(assumes, ",<br/>session limited to<br/>{permissions}"),
        SessionPolicy::Off => write!(assumes, ",<br/>session not limited"),
    };
    let trusts = trusts(environment, &target.role.trust_policy);
    let mut lines = vec![format!("    subgraph target{number}[\"{title}\"]")];
    lines.push(role_box(
        &format!("read{number}"),
        &target.role,
        &format!("may call {permissions}"),
    ));
    lines.extend([
        format!("        buckets{number}[(\"S3 buckets{whose}\")]"),
        format!("        read{number} -- \"lists\" --> buckets{number}"),
        "    end".to_owned(),
        format!("    execution -- \"{assumes}\" --> read{number}"),
        format!("    read{number} -. \"{trusts}\" .-> execution"),
    ]);
    lines
}

/// The box for all roles that have no box of their own.
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
        "    execution -- \"may assume<br/>if their trust policies allow it\" --> rest".to_owned(),
    ]
}

/// The title of a box, and for several accounts, the label that names them at the buckets.
fn accounts(grants: &Grants, target: &TargetRole) -> (String, String) {
    match &target.accounts {
        TargetAccounts::These(accounts) => match &accounts[..] {
            [one] => (format!("Target account {}", account(one)), String::new()),
            many => {
                let named: Vec<String> = many.iter().map(account).collect();
                let named: Vec<&str> = named.iter().map(String::as_str).collect();
                let title = format!("{} Target accounts", many.len());
                (title, listed(" of", &named))
            }
        },
        TargetAccounts::Organization(id) => {
            let mut whose = String::new();
            if let Some(Organization { units, exclude, .. }) = &grants.organization {
                whose.push_str(&match units {
                    Units::All => " of every active account".to_owned(),
                    Units::Some(units) => {
                        let units: Vec<&str> = units.iter().map(UnitId::as_str).collect();
                        listed(" of every active account in", &units)
                    }
                });
                if !exclude.is_empty() {
                    let excluded: Vec<&str> = exclude.iter().map(AccountId::as_str).collect();
                    whose.push_str(&listed("<br/>except", &excluded));
                }
            }
            (format!("Organization {id}"), whose)
        }
    }
}

fn listed(what: &str, all: &[&str]) -> String {
    let named = all[..all.len().min(MAX_NAMED_ACCOUNTS)].join("<br/>");
    match all.len().saturating_sub(MAX_NAMED_ACCOUNTS) {
        0 => format!("{what}<br/>{named}"),
        more => format!("{what}<br/>{named}<br/>and {more} more"),
    }
}

/// The account's ID and name. The ID comes first, because a name at the start of a line could be read as a list item.
fn account((id, name): &(AccountId, Option<TargetName>)) -> String {
    match name {
        None => id.to_string(),
        Some(name) => format!("{id} {}", escaped(name.as_str())),
    }
}

/// A trust policy as a sentence: the principals, unless they are the execution role alone, and the conditions.
fn trusts(environment: &Environment, trust: &Document) -> String {
    let execution_role = environment.execution_role_arn().to_string();
    let mut text = "trusts".to_owned();
    for statement in &trust.statements {
        if let Some(Set::Only(principals)) = &statement.principals {
            for principal in principals
                .iter()
                .filter(|principal| principal.value != execution_role)
            {
                // Writing to a string cannot fail.
                let _ = match principal.account() {
                    Some(account) => write!(text, " account {account}"),
                    None => write!(text, " {}", escaped(&principal.value)),
                };
            }
        }
        for condition in &statement.conditions {
            let values: Vec<&str> = condition.values.iter().map(String::as_str).collect();
            let _ = write!(
                text,
                "<br/>if {} is {}",
                escaped(&condition.key),
                escaped(&values.join(" or "))
            );
        }
    }
    text
}

/// Escapes a string for Mermaid's quotes: every character with a meaning in Mermaid, Markdown or HTML becomes its code
/// (Mermaid documentation, "Flowcharts", "Entity codes to escape characters").
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // A period before a space could end the number of a list item.
        let is_mark = character == '.' && characters.peek() == Some(&' ');
        if character.is_alphanumeric() || (" :/._-".contains(character) && !is_mark) {
            escaped.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "#{};", u32::from(character));
        }
    }
    // Mermaid removes the last `;` from anything that looks like one of its `style` or `classDef` lines (`encodeEntities`).
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

    /// With many roles, the diagram stays small and counts the rest.
    #[test]
    fn many_roles_are_counted() {
        let sample = samples::each_with_its_own(50);
        let text = mermaid(&sample.environment, &sample.grants);
        assert_eq!(text.matches("subgraph target").count(), MAX_BOXES - 1);
        assert!(text.contains("43 more Target accounts<br/>with 43 other roles or external IDs"));
    }

    /// A name from the variables file cannot leave its quotes, nor become a tag, an entity or a list.
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
