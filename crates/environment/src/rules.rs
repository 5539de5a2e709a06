//! Rules that involve several keys: mostly, which accounts a stage lists.
//!
//! A stage lists one account (`target-account-id`), a list (`targets`), or an organization.

use std::{collections::HashMap, ops::Range};

use contract::{AccountId, Region, RoleName, TargetName};

use super::{
    check::{Entry, Section},
    diagnostics::Problem,
    keys::{Checker, Key},
    suggest,
    tree::{Content, Node},
};

const ONE: &str = "target-account-id";
const LIST: &str = "targets";
const ORGANIZATION: &str = "organization";
const READ_ROLE: &str = "s3-read-role";

/// Checks the rules of the top-level keys.
pub(super) fn rules(section: &Section<'_>, checker: &mut Checker<'_>) {
    let mut forms: Vec<Entry<'_>> = [ONE, LIST, ORGANIZATION]
        .into_iter()
        .filter_map(|name| section.get(name))
        .collect();
    forms.sort_by_key(|form| form.key.span.start);
    let keys = section.keys;
    match forms[..] {
        [] => report_no_form(keys, section, checker),
        [first, ref others @ ..] => {
            for other in others {
                checker.problems.push(two_forms(first, *other));
            }
        }
    }
    if section.get(READ_ROLE).is_none()
        && let Some(why) = needs_read_role(section, &forms)
        && let Some(key) = keys.iter().find(|key| key.name == READ_ROLE)
    {
        checker.report_missing(key, keys, section, why);
    }
    let targets = section.get(LIST).map_or_else(Vec::new, targets_of);
    report_unknown_regions(&targets, section, checker);
    if !targets.is_empty() {
        report_duplicates(&targets, checker);
        report_other_partitions(&targets, section, checker);
        report_external_id_of_own(&targets, section, checker);
        report_execution_role(&targets, section, checker);
    }
    if let (Some(one), Some(role)) = (section.get(ONE), section.get(READ_ROLE))
        && one.value.word() == admin(section)
        && let Some(problem) = taken_name(READ_ROLE, role.value, section)
    {
        checker.problems.push(problem.help(format!(
            "use another role, or list the account in `{LIST}` without a `role`, with the execution role's own \
             credentials"
        )));
    }
}

fn report_no_form(keys: &'static [Key], section: &Section<'_>, checker: &mut Checker<'_>) {
    if let Some(key) = keys.iter().find(|key| key.name == ONE) {
        let others =
            format!("to list several accounts, use `{LIST}:` or `{ORGANIZATION}:` instead");
        checker.report_missing(key, keys, section, vec![others]);
    }
}

fn two_forms(first: Entry<'_>, other: Entry<'_>) -> Problem {
    let (one, another) = (&first.known.name, &other.known.name);
    let title = format!("`{another}` conflicts with `{one}`");
    Problem::at(other.key.span.clone(), title, "selects accounts again")
        .also(first.key.span.clone(), "accounts already selected here")
        .help(format!(
            "keep one: `{ONE}` for one account, `{LIST}` for a list, `{ORGANIZATION}` for an organization"
        ))
}

/// Returns `None` if no target uses `s3-read-role`, or else notes that explain which one does.
fn needs_read_role(section: &Section<'_>, forms: &[Entry<'_>]) -> Option<Vec<String>> {
    if section.get(ONE).is_some() || forms.is_empty() {
        return Some(Vec::new());
    }
    if let Some(organization) = section.get(ORGANIZATION) {
        let entries = entries(organization.value)?;
        let keys = (organization.known.keys)();
        let relies = value(entries, "role").is_none() && all_known(entries, keys);
        return relies.then(|| {
            vec![format!(
                "`{ORGANIZATION}` has no `role` and uses `{READ_ROLE}`"
            )]
        });
    }
    let admin = admin(section);
    let targets = targets_of(section.get(LIST)?);
    let mut relying = targets.iter().filter(|target| {
        let is_admin = target
            .word("account-id")
            .is_some_and(|id| Some(id) == admin);
        target.get("role").is_none() && !is_admin && all_known(target.entries, target.keys)
    });
    let first = relying.next()?;
    let account = first
        .account()
        .map_or_else(String::new, |(id, _)| format!(" (account {id})"));
    let verbs = match relying.count() {
        0 => format!("has no `role` and uses `{READ_ROLE}`"),
        more => format!("and {more} more have no `role` and use `{READ_ROLE}`"),
    };
    Some(vec![format!("`{}`{account} {verbs}", first.path())])
}

fn admin<'n>(section: &Section<'n>) -> Option<&'n str> {
    section.get("admin-account-id")?.value.word()
}

/// Reports duplicate accounts and duplicate names.
fn report_duplicates(targets: &[TargetEntry<'_>], checker: &mut Checker<'_>) {
    let mut accounts: HashMap<&str, (&TargetEntry<'_>, &Node)> =
        HashMap::with_capacity(targets.len());
    let mut names: HashMap<&str, (&TargetEntry<'_>, &Node)> = HashMap::new();
    for target in targets {
        // A duplicate account is reported once, not for its name too.
        let mut again = false;
        if let Some((id, node)) = target.account() {
            let (earlier, first) = *accounts.entry(id).or_insert((target, node));
            again = earlier.index != target.index;
            if again {
                let both = (earlier.word("name"), target.word("name"));
                let title = match both {
                    (Some(one), Some(other)) if one != other => {
                        format!("account {id} is listed under two names, `{one}` and `{other}`")
                    }
                    _ => format!(
                        "account {id} is listed twice, as `{}` and `{}`",
                        earlier.path(),
                        target.path()
                    ),
                };
                checker.problems.push(
                    Problem::at(node.span.clone(), title, "duplicate")
                        .also(first.span.clone(), "first listed here")
                        .help("remove one of them: each account can be listed once"),
                );
            }
        }
        let name = target
            .get("name")
            .and_then(|node| Some((node.word()?, node)));
        if let Some((name, node)) = name.filter(|(name, _)| name.parse::<TargetName>().is_ok()) {
            let (earlier, first) = *names.entry(name).or_insert((target, node));
            if earlier.index != target.index && !again {
                let title = format!(
                    "`{}` and `{}` have the same name `{name}`",
                    earlier.path(),
                    target.path()
                );
                checker.problems.push(
                    Problem::at(node.span.clone(), title, "duplicate")
                        .also(first.span.clone(), "first listed here")
                        .help("give each account a unique name, or remove `name`: responses identify accounts by it"),
                );
            }
        }
    }
}

fn report_other_partitions(
    targets: &[TargetEntry<'_>],
    section: &Section<'_>,
    checker: &mut Checker<'_>,
) {
    let stage = section.get("region");
    let of_stage = match stage {
        None => Some(Region::us_east_1()),
        Some(entry) => region(entry.value),
    };
    let Some(region_of_stage) = of_stage else {
        return;
    };
    let partition = region_of_stage.partition();
    for target in targets {
        let Some(node) = target.get("region") else {
            continue;
        };
        let Some(own) = region(node).filter(|own| own.partition() != partition) else {
            continue;
        };
        let title = format!(
            "`{}.region` is in partition {}, but the stage is in partition {partition}",
            target.path(),
            own.partition()
        );
        let mut problem = Problem::at(node.span.clone(), title, own.partition().as_str())
            .note(format!(
                "the stage's region is `{region_of_stage}`, and roles cannot be assumed across partitions"
            ))
            .help(format!(
                "use a region in {partition}, or list the account in another stage whose Admin account is in {}",
                own.partition()
            ));
        if let Some(entry) = stage {
            problem = problem.also(entry.value.span.clone(), partition.as_str());
        }
        checker.problems.push(problem);
    }
}

/// Reports unknown regions, unless `region-check` is off. An unknown region is misspelt or newer than this version.
fn report_unknown_regions(
    targets: &[TargetEntry<'_>],
    section: &Section<'_>,
    checker: &mut Checker<'_>,
) {
    const CHECK: &str = "region-check";
    let check = section.get(CHECK).and_then(|entry| entry.value.word());
    if check.is_some_and(|word| word != "on") {
        return;
    }
    let of_stage = section.get("region").map(|entry| entry.value);
    let of_stage = of_stage.map(|node| ("`region`".to_owned(), node));
    let of_targets = targets
        .iter()
        .filter_map(|target| Some((format!("`{}.region`", target.path()), target.get("region")?)));
    for (subject, node) in of_stage.into_iter().chain(of_targets) {
        let Some(region) = region(node).filter(|own| !Region::KNOWN.contains(&own.as_str())) else {
            continue;
        };
        let problem = Problem::at(
            node.span.clone(),
            format!("{subject} is not a known region"),
            "",
        );
        let off = format!("if the region is newer than this version, set `{CHECK}: off`");
        checker.problems.push(
            match suggest::closest(region.as_str(), Region::KNOWN) {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem.help("write a region name such as `eu-central-1`"),
            }
            .help(off),
        );
    }
}

fn region(node: &Node) -> Option<Region> {
    node.word()?.parse().ok()
}

/// Reports an external ID for the Admin account without a role: no role is assumed there.
fn report_external_id_of_own(
    targets: &[TargetEntry<'_>],
    section: &Section<'_>,
    checker: &mut Checker<'_>,
) {
    let Some(admin) = admin(section) else { return };
    let own = |target: &&TargetEntry<'_>| {
        target.word("account-id") == Some(admin) && target.get("role").is_none()
    };
    for target in targets.iter().filter(own) {
        if let Some(node) = target.get("external-id")
            && all_known(target.entries, target.keys)
        {
            let title = format!("`{}.external-id` has no effect", target.path());
            checker.problems.push(
                Problem::at(node.span.clone(), title, "no `role` to assume")
                    .note("the Admin account is listed with the execution role's own credentials; no role is assumed")
                    .help("remove it, or add the `role` to assume"),
            );
        }
    }
}

/// Reports a target in the Admin account whose role has the execution role's name.
fn report_execution_role(
    targets: &[TargetEntry<'_>],
    section: &Section<'_>,
    checker: &mut Checker<'_>,
) {
    let Some(admin) = admin(section) else { return };
    for target in targets {
        if target.word("account-id") == Some(admin)
            && let Some(role) = target.get("role")
            && let Some(problem) = taken_name(&format!("{}.role", target.path()), role, section)
        {
            checker.problems.push(problem.help(
                "remove `role` to list the Admin account with the execution role's own credentials, or use another role",
            ));
        }
    }
}

/// Reports a role with the execution role's name. Role names are unique in an account, regardless of path and case (IAM
/// API reference, `CreateRole`).
fn taken_name(key: &str, role: &Node, section: &Section<'_>) -> Option<Problem> {
    let execution_role = section.get("lambda-execution-role")?.value;
    let name = |node: &Node| {
        let role = node.word()?.parse::<RoleName>().ok()?;
        Some(role.name().to_ascii_lowercase())
    };
    if name(role)? != name(execution_role)? {
        return None;
    }
    let title = format!("`{key}` has the same name as the execution role, in the same account");
    Some(
        Problem::at(role.span.clone(), title, "the role to assume")
            .also(execution_role.span.clone(), "the execution role")
            .note("role names are unique in an account, even if their paths differ"),
    )
}

/// Checks the rules of the keys of `organization`.
pub(super) fn organization_rules(section: &Section<'_>, checker: &mut Checker<'_>) {
    const BOTH: &str = "set `units:` to the IDs of organizational units, or set `all: true`";
    let (units, all) = (section.get("units"), section.get("all"));
    if let Some(units) = units
        && matches!(&units.value.content, Content::List(items) if items.is_empty())
    {
        let problem = Problem::at(
            units.value.span.clone(),
            "`organization.units` is empty",
            "no units",
        );
        checker.problems.push(problem.help(BOTH));
    }
    let is = |word: &str| all.filter(|entry| entry.value.word() == Some(word));
    match units {
        Some(units) => {
            if let Some(all) = is("true") {
                let title = "`organization` has both `units` and `all: true`";
                checker.problems.push(
                    Problem::at(line_of(all), title, "all accounts")
                        .also(units.key.span.clone(), "some accounts")
                        .help("keep one of them: `all: true` includes the accounts of these units"),
                );
            }
        }
        None => {
            if let Some(all) = is("false") {
                let title = "`organization` has `all: false` but no `units`";
                let problem = Problem::at(line_of(all), title, "selects no accounts");
                checker.problems.push(problem.help(BOTH));
            } else if all.is_none() {
                let title = "`organization` has neither `units` nor `all: true`";
                let problem = Problem::at(checker.key.clone(), title, "selects no accounts");
                checker.problems.push(problem.help(BOTH));
            }
        }
    }
}

fn line_of(entry: Entry<'_>) -> Range<usize> {
    entry.key.span.start..entry.value.span.end
}

/// An item of `targets`.
struct TargetEntry<'n> {
    index: usize,
    keys: &'static [Key],
    entries: &'n [(Node, Node)],
}

impl<'n> TargetEntry<'n> {
    fn path(&self) -> String {
        format!("{LIST}[{}]", self.index)
    }

    fn get(&self, name: &str) -> Option<&'n Node> {
        value(self.entries, name)
    }

    fn word(&self, name: &str) -> Option<&'n str> {
        self.get(name)?.word()
    }

    /// The account ID, if it is valid.
    fn account(&self) -> Option<(&'n str, &'n Node)> {
        let node = self.get("account-id")?;
        let id = node.word()?;
        id.parse::<AccountId>().is_ok().then_some((id, node))
    }
}

/// The items that are maps.
fn targets_of(list: Entry<'_>) -> Vec<TargetEntry<'_>> {
    let keys = (list.known.keys)();
    let items = match &list.value.content {
        Content::List(items) => items.as_slice(),
        _ => &[],
    };
    let target = |(index, item)| {
        let entries = entries(item)?;
        Some(TargetEntry {
            index,
            keys,
            entries,
        })
    };
    items.iter().enumerate().filter_map(target).collect()
}

fn entries(node: &Node) -> Option<&[(Node, Node)]> {
    match &node.content {
        Content::Map(entries) => Some(entries),
        _ => None,
    }
}

fn value<'n>(entries: &'n [(Node, Node)], name: &str) -> Option<&'n Node> {
    let is_it = |(key, _): &&(Node, Node)| key.word() == Some(name);
    entries.iter().find(is_it).map(|(_, value)| value)
}

/// Whether all keys are known. Otherwise, a misspelt key may be the one that seems to be missing.
fn all_known(entries: &[(Node, Node)], keys: &[Key]) -> bool {
    let is_known = |word: &str| keys.iter().any(|key| key.name == word);
    entries
        .iter()
        .all(|(key, _)| key.word().is_some_and(is_known))
}
