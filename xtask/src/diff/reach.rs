//! Finds changes that let the function access more than before.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
};

use contract::{
    Accounts, ActionSpec, FunctionConfiguration, Organization, Selection, SessionPolicy, Target,
    Units, variable,
};
use serde_json::Value;

/// The number of accounts that a sentence lists. The others are counted.
const MAX_LISTED: usize = 10;

/// Describes what `new` can access and `old` cannot, one sentence each.
pub(super) fn broadened(old: &FunctionConfiguration, new: &FunctionConfiguration) -> Vec<String> {
    let mut sentences = match (Listed::of(&old.selection), Listed::of(&new.selection)) {
        (Listed::Targets(old), Listed::Targets(new)) => targets(old, new),
        (Listed::Organization(old), Listed::Organization(new)) => organization(old, new),
        (Listed::Targets(_), Listed::Organization(_)) => {
            vec!["the function lists the accounts of an organization instead of a list of accounts".to_owned()]
        }
        (Listed::Organization(_), Listed::Targets(_)) => vec![
            "the function uses a list of accounts, which may belong to any organization, instead of an organization"
                .to_owned(),
        ],
    };
    if new.session_policy == SessionPolicy::Off && old.session_policy != SessionPolicy::Off {
        sentences.push(format!(
            "the sessions of the function are no longer limited to {} (`session-policy: off`)",
            ActionSpec::S3_BUCKETS.permissions()
        ));
    }
    sentences
}

/// Describes changes of a stack that may broaden access, one sentence each. Changes that are known to give no access are left
/// out. `name` is the function of the stage.
pub(super) fn resources(old: &Value, new: &Value, name: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    // These can change the meaning of an unchanged resource.
    for section in ["Conditions", "Mappings", "Parameters", "Rules", "Transform"] {
        if !new[section].is_null() && old[section] != new[section] {
            sentences.push(format!("the `{section}` of the stack changed"));
        }
    }
    let all = |template: &'_ Value| {
        template["Resources"]
            .as_object()
            .cloned()
            .unwrap_or_default()
    };
    let (old, new) = (all(old), all(new));
    for (id, resource) in &new {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let was = old.get(id);
        if was == Some(resource) {
            continue;
        }
        match was.filter(|was| was["Type"] == kind) {
            Some(was) if kind == "AWS::Lambda::Function" && is_function(resource, name) => {
                sentences.extend(function(was, resource));
            }
            was if gives_no_access(id, resource, was, &new) => {}
            Some(_) => sentences.push(format!("the stack changes {kind} {id}")),
            None => sentences.push(format!("the stack adds {kind} {id}")),
        }
    }
    let gone = old.iter().filter(|(id, _)| !new.contains_key(*id));
    for (id, resource) in gone.filter(|(_, resource)| denies(resource)) {
        let kind = resource["Type"].as_str().unwrap_or_default();
        sentences.push(format!(
            "the stack removes {kind} {id}, which denies access"
        ));
    }
    sentences
}

/// Describes the resources that `new` removes or replaces by another type, one sentence each.
pub(super) fn removed(old: &Value, new: &Value) -> Vec<String> {
    let resources = old["Resources"].as_object().into_iter().flatten();
    resources
        .filter(|(name, resource)| new["Resources"][name]["Type"] != resource["Type"])
        .map(|(name, resource)| {
            let kind = resource["Type"].as_str().unwrap_or_default();
            format!("the stack removes {kind} {name}")
        })
        .collect()
}

/// Describes the accounts and organizational units that `new` no longer lists, one sentence each.
pub(super) fn no_longer_listed(
    old: &FunctionConfiguration,
    new: &FunctionConfiguration,
) -> Vec<String> {
    match (Listed::of(&old.selection), Listed::of(&new.selection)) {
        (Listed::Targets(old), Listed::Targets(new)) => {
            let new: HashSet<_> = new.iter().map(|target| &target.account).collect();
            let accounts = old.iter().map(|target| &target.account);
            let gone: Vec<_> = accounts.filter(|account| !new.contains(account)).collect();
            sentence("the function no longer lists account", &gone)
                .into_iter()
                .collect()
        }
        (Listed::Organization(old), Listed::Organization(new)) => {
            let units: Vec<_> = match (&old.units, &new.units) {
                (Units::Some(old), Units::Some(new)) => old.difference(new).collect(),
                _ => Vec::new(),
            };
            let left_out: Vec<_> = new.exclude.difference(&old.exclude).collect();
            let whole = (old.units == Units::All && new.units != Units::All)
                .then(|| "the function no longer lists the whole organization".to_owned());
            whole
                .into_iter()
                .chain(sentence(
                    "the function no longer lists organizational unit",
                    &units,
                ))
                .chain(sentence("the function no longer lists account", &left_out))
                .collect()
        }
        // Switching between the forms is reported as broader access.
        _ => Vec::new(),
    }
}

fn is_function(resource: &Value, name: &str) -> bool {
    resource["Properties"]["FunctionName"] == name
}

/// Describes changes of the function of the stage that may broaden access.
fn function(old: &Value, new: &Value) -> Vec<String> {
    // The code is compared by its hash, the accounts by the configuration.
    const HARMLESS: [&str; 14] = [
        "Architectures",
        "Code",
        "Description",
        "Environment",
        "EphemeralStorage",
        "FunctionName",
        "Handler",
        "LoggingConfig",
        "MemorySize",
        "ReservedConcurrentExecutions",
        "Runtime",
        "Tags",
        "Timeout",
        "TracingConfig",
    ];
    let (old, new) = (&old["Properties"], &new["Properties"]);
    let mut sentences = Vec::new();
    for (key, value) in new.as_object().into_iter().flatten() {
        if HARMLESS.contains(&key.as_str()) || old[key] == *value {
            continue;
        }
        sentences.push(match (key.as_str(), value) {
            ("Role", Value::String(role)) => another_role(role),
            _ => format!("the `{key}` of the function changes"),
        });
    }
    let variables = |function: &Value| function["Environment"]["Variables"].clone();
    let (old, new) = (variables(old), variables(new));
    for (name, value) in new.as_object().into_iter().flatten() {
        if !variable::ALL.contains(&name.as_str()) && old[name] != *value {
            let verb = if old[name].is_null() {
                "gets"
            } else {
                "changes"
            };
            sentences.push(format!("the function {verb} variable {name}"));
        }
    }
    sentences
}

/// The sentence for another execution role.
pub(super) fn another_role(role: &str) -> String {
    format!("the function runs as another role, {role}")
}

/// Returns true if a resource, new or changed, is known to give no access.
fn gives_no_access(
    id: &str,
    resource: &Value,
    was: Option<&Value>,
    all: &serde_json::Map<String, Value>,
) -> bool {
    let properties = &resource["Properties"];
    let only = |keys: &[&str]| {
        let mut given = properties.as_object().into_iter().flatten();
        given.all(|(key, _)| keys.contains(&key.as_str()))
    };
    match resource["Type"].as_str().unwrap_or_default() {
        "AWS::CloudWatch::Alarm"
        | "AWS::CloudWatch::Dashboard"
        | "AWS::Logs::LogGroup"
        | "AWS::Logs::MetricFilter" => true,
        // The bucket of the Serverless Framework, which contains the code.
        "AWS::S3::Bucket" => {
            id == "ServerlessDeploymentBucket" && only(&["BucketEncryption", "BucketName", "Tags"])
        }
        "AWS::S3::BucketPolicy" => only_denies(properties, was.map(|was| &was["Properties"])),
        "AWS::Events::Rule" => is_schedule(properties, all),
        "AWS::Lambda::Permission" => {
            let rule = properties["SourceArn"]["Fn::GetAtt"][0].as_str();
            let rule = rule.and_then(|id| all.get(id));
            properties["Principal"] == "events.amazonaws.com"
                && properties["Action"] == "lambda:InvokeFunction"
                && rule.is_some_and(|rule| is_schedule(&rule["Properties"], all))
                && only(&["Action", "FunctionName", "Principal", "SourceArn"])
        }
        _ => false,
    }
}

/// Returns true if a rule only invokes functions of this stack on a schedule.
fn is_schedule(properties: &Value, all: &serde_json::Map<String, Value>) -> bool {
    let targets = properties["Targets"].as_array();
    let is_own = |target: &Value| {
        let arn = target["Arn"]["Fn::GetAtt"][0].as_str();
        let function = arn.and_then(|id| all.get(id));
        function.is_some_and(|function| function["Type"] == "AWS::Lambda::Function")
            && target["RoleArn"].is_null()
    };
    properties["ScheduleExpression"].is_string()
        && properties["EventPattern"].is_null()
        && properties["RoleArn"].is_null()
        && targets.is_some_and(|targets| targets.iter().all(is_own))
}

/// Returns true if every statement denies, and no denial was removed or changed.
fn only_denies(properties: &Value, was: Option<&Value>) -> bool {
    let statements = |properties: &Value| match &properties["PolicyDocument"]["Statement"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    let now = statements(properties);
    let is_denial = |statement: &Value| statement["Effect"] == "Deny";
    let kept = was.is_none_or(|was| {
        was["Bucket"] == properties["Bucket"]
            && statements(was)
                .iter()
                .all(|statement| !is_denial(statement) || now.contains(statement))
    });
    now.iter().all(is_denial) && kept
}

/// Returns true if it contains a policy that denies.
fn denies(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.get("Effect").is_some_and(|effect| effect != "Allow") || map.values().any(denies)
        }
        Value::Array(items) => items.iter().any(denies),
        _ => false,
    }
}

/// The accounts that a function lists.
enum Listed<'a> {
    Targets(&'a [Target]),
    Organization(&'a Organization),
}

impl<'a> Listed<'a> {
    fn of(selection: &'a Selection) -> Self {
        match selection {
            Selection::Single(target) => Self::Targets(std::slice::from_ref(target)),
            Selection::Fleet(file) => match file.accounts() {
                Accounts::Targets(targets) => Self::Targets(targets),
                Accounts::Organization(organization) => Self::Organization(organization),
            },
        }
    }
}

fn targets(old: &[Target], new: &[Target]) -> Vec<String> {
    let old: HashMap<_, _> = old.iter().map(|target| (&target.account, target)).collect();
    let mut others = Vec::new();
    let mut roles = Vec::new();
    let mut dropped = Vec::new();
    for target in new {
        let account = &target.account;
        let Some(was) = old.get(account) else {
            others.push(account);
            continue;
        };
        if target.role() != was.role() {
            roles.push(account);
        }
        if was.external_id().is_some() && target.external_id().is_none() {
            dropped.push(account);
        }
    }
    [
        sentence("the function lists another account,", &others),
        sentence("the function uses another role in account", &roles),
        sentence(
            "the function no longer sends an external ID in account",
            &dropped,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn organization(old: &Organization, new: &Organization) -> Vec<String> {
    let mut sentences = Vec::new();
    match (&old.units, &new.units) {
        (Units::Some(_), Units::All) => {
            sentences.push("the function lists the whole organization".to_owned());
        }
        (Units::Some(old), Units::Some(new)) => {
            let units: Vec<_> = new.difference(old).collect();
            sentences.extend(sentence(
                "the function lists another organizational unit,",
                &units,
            ));
        }
        (Units::All, _) => {}
    }
    let listed: Vec<_> = old.exclude.difference(&new.exclude).collect();
    sentences.extend(sentence("the function no longer excludes account", &listed));
    if old.role != new.role {
        sentences.push(format!("the function uses another role, {}", new.role));
    }
    if old.external_id.is_some() && new.external_id.is_none() {
        sentences.push("the function no longer sends an external ID".to_owned());
    }
    sentences
}

/// Lists the first few of `items` after `what`, and counts the others.
fn sentence(what: &str, items: &[impl Display]) -> Option<String> {
    let [first, others @ ..] = items else {
        return None;
    };
    let (named, counted) = others.split_at(others.len().min(MAX_LISTED - 1));
    let mut sentence = format!("{what} {first}");
    for other in named {
        sentence = format!("{sentence}, {other}");
    }
    if !counted.is_empty() {
        sentence = format!("{sentence} and {} more", counted.len());
    }
    Some(sentence)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use serde_json::json;

    use super::*;
    use crate::policy::samples;

    /// The broader access between two stages with these keys.
    fn between(old: &str, new: &str) -> Vec<String> {
        let configuration = |keys: &str| samples::of_keys(keys).function_configuration();
        broadened(&configuration(old), &configuration(new))
    }

    const ONE: &str = "target-account-id: \"000000000002\"\ns3-read-role: R\n";

    #[test]
    fn of_one_account() {
        assert_eq!(between(ONE, ONE), Vec::<String>::new());
        let narrower = format!("{ONE}external-id: audit\nfunction:\n  log-level: debug\n");
        assert_eq!(between(ONE, &narrower), Vec::<String>::new());
        assert_eq!(
            between(&narrower, ONE),
            ["the function no longer sends an external ID in account 000000000002"]
        );
        assert_eq!(
            between(
                ONE,
                "target-account-id: \"000000000003\"\ns3-read-role: R\n"
            ),
            ["the function lists another account, 000000000003"]
        );
        assert_eq!(
            between(
                ONE,
                "target-account-id: \"000000000002\"\ns3-read-role: S\n"
            ),
            ["the function uses another role in account 000000000002"]
        );
        assert_eq!(
            between(ONE, &format!("{ONE}session-policy: \"off\"\n")),
            [
                "the sessions of the function are no longer limited to s3:ListAllMyBuckets (`session-policy: off`)"
            ]
        );
    }

    /// The stack of a stage with a schedule, like the Serverless Framework generates it.
    fn stack() -> Value {
        json!({"Resources": {
            "ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketEncryption": {}}},
            "ServerlessDeploymentBucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
                "Bucket": {"Ref": "ServerlessDeploymentBucket"},
                "PolicyDocument": {"Statement": [{"Action": "s3:*", "Effect": "Deny", "Principal": "*"}]}}},
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": {
                "FunctionName": "own", "Role": "arn:aws:iam::000000000001:role/E", "MemorySize": 128,
                "Environment": {"Variables": {"TARGET_ACCOUNT_ID": "000000000002"}}}},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {
                "ScheduleExpression": "rate(1 hour)", "State": "ENABLED",
                "Targets": [{"Arn": {"Fn::GetAtt": ["Function", "Arn"]}, "Id": "x"}]}},
            "ByRule": {"Type": "AWS::Lambda::Permission", "Properties": {
                "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]}, "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com", "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}},
            "Policy": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "a"}}}})
    }

    /// The sentences for `value` at `place` in the template.
    fn with(place: &str, value: Value) -> Vec<String> {
        let mut new = stack();
        let (parent, key) = place.rsplit_once('/').unwrap();
        new.pointer_mut(parent).unwrap()[key] = value;
        resources(&stack(), &new, "own")
    }

    #[test]
    fn harmless_changes_are_left_out() {
        assert_eq!(resources(&stack(), &stack(), "own"), Vec::<String>::new());
        for (place, value) in [
            ("Function/Properties/MemorySize", json!(256)),
            (
                "Function/Properties/Tags",
                json!([{"Key": "a", "Value": "b"}]),
            ),
            ("Function/Properties/Code", json!({"S3Key": "x"})),
            (
                "Function/Properties/Environment/Variables/LOG_LEVEL",
                json!("debug"),
            ),
            ("Logs/Properties/RetentionInDays", json!(7)),
            ("Rule/Properties/ScheduleExpression", json!("rate(2 hours)")),
            ("Alarm", json!({"Type": "AWS::CloudWatch::Alarm"})),
        ] {
            let found = with(&format!("/Resources/{place}"), value);
            assert_eq!(found, Vec::<String>::new(), "{place}");
        }
        // The first schedule of a stage, and the bucket of the Serverless Framework.
        let mut fewer = stack();
        let resources_of_it = fewer["Resources"].as_object_mut().unwrap();
        for id in [
            "Rule",
            "ByRule",
            "ServerlessDeploymentBucket",
            "ServerlessDeploymentBucketPolicy",
        ] {
            resources_of_it.remove(id).unwrap();
        }
        assert_eq!(resources(&fewer, &stack(), "own"), Vec::<String>::new());
    }

    #[test]
    fn other_changes_are_reported() {
        let permission = |rest: Value| {
            let mut properties = json!({"Action": "lambda:InvokeFunction"});
            for (key, value) in rest.as_object().unwrap() {
                properties[key] = value.clone();
            }
            json!({"Type": "AWS::Lambda::Permission", "Properties": properties})
        };
        let of_kind = |kind: &str| json!({"Type": kind, "Properties": {}});
        for (place, value, sentence) in [
            (
                "X",
                of_kind("AWS::IAM::Role"),
                "the stack adds AWS::IAM::Role X",
            ),
            (
                "Policy/Properties/PolicyName",
                json!("b"),
                "the stack changes AWS::IAM::Policy Policy",
            ),
            (
                "X",
                of_kind("AWS::Lambda::Url"),
                "the stack adds AWS::Lambda::Url X",
            ),
            (
                "X",
                of_kind("AWS::Lambda::Function"),
                "the stack adds AWS::Lambda::Function X",
            ),
            (
                "X",
                of_kind("AWS::S3::Bucket"),
                "the stack adds AWS::S3::Bucket X",
            ),
            (
                "X",
                of_kind("AWS::SQS::QueuePolicy"),
                "the stack adds AWS::SQS::QueuePolicy X",
            ),
            (
                "X",
                of_kind("AWS::SNS::TopicPolicy"),
                "the stack adds AWS::SNS::TopicPolicy X",
            ),
            (
                "X",
                of_kind("AWS::KMS::Key"),
                "the stack adds AWS::KMS::Key X",
            ),
            (
                "X",
                of_kind("AWS::CloudFormation::Stack"),
                "the stack adds AWS::CloudFormation::Stack X",
            ),
            (
                "X",
                permission(json!({"Principal": "events.amazonaws.com"})),
                "the stack adds AWS::Lambda::Permission X",
            ),
            (
                "X",
                permission(json!({"Principal": "*"})),
                "the stack adds AWS::Lambda::Permission X",
            ),
            (
                "Rule/Properties/Targets",
                json!([{"Arn": "arn:aws:sqs:eu-west-1:999999999999:theirs"}]),
                "the stack changes AWS::Events::Rule Rule",
            ),
            (
                "ServerlessDeploymentBucketPolicy/Properties/PolicyDocument/Statement",
                json!([{"Effect": "Allow", "Principal": "*"}]),
                "the stack changes AWS::S3::BucketPolicy ServerlessDeploymentBucketPolicy",
            ),
            (
                "ServerlessDeploymentBucketPolicy/Properties/PolicyDocument/Statement",
                json!([]),
                "the stack changes AWS::S3::BucketPolicy ServerlessDeploymentBucketPolicy",
            ),
            (
                "ServerlessDeploymentBucket/Properties/AccessControl",
                json!("PublicRead"),
                "the stack changes AWS::S3::Bucket ServerlessDeploymentBucket",
            ),
        ] {
            let found = with(&format!("/Resources/{place}"), value);
            assert_eq!(found, [sentence], "{place}");
        }
    }

    #[test]
    fn changed_sections_and_removed_denials_are_reported() {
        assert_eq!(
            with("/Mappings", json!({"a": {}})),
            ["the `Mappings` of the stack changed"]
        );
        let mut fewer = stack();
        fewer["Resources"]
            .as_object_mut()
            .unwrap()
            .remove("ServerlessDeploymentBucketPolicy");
        assert_eq!(
            resources(&stack(), &fewer, "own"),
            [
                "the stack removes AWS::S3::BucketPolicy ServerlessDeploymentBucketPolicy, which denies access"
            ]
        );
    }

    #[test]
    fn changes_of_the_function_are_reported() {
        for (place, value, sentence) in [
            (
                "Function/Properties/Layers",
                json!(["arn:aws:lambda:eu-west-1:999999999999:layer:x:1"]),
                "the `Layers` of the function changes",
            ),
            (
                "Function/Properties/VpcConfig",
                json!({}),
                "the `VpcConfig` of the function changes",
            ),
            (
                "Function/Properties/Role",
                json!("arn:aws:iam::000000000001:role/F"),
                "the function runs as another role, arn:aws:iam::000000000001:role/F",
            ),
            (
                "Function/Properties/Environment/Variables/AWS_LAMBDA_EXEC_WRAPPER",
                json!("/opt/x"),
                "the function gets variable AWS_LAMBDA_EXEC_WRAPPER",
            ),
            (
                "Function/Properties/Environment/Variables/AWS_ENDPOINT_URL_S3",
                json!("https://x"),
                "the function gets variable AWS_ENDPOINT_URL_S3",
            ),
        ] {
            let found = with(&format!("/Resources/{place}"), value);
            assert_eq!(found, [sentence], "{place}");
        }
    }

    #[test]
    fn removals_are_reported() {
        let template = |kind: &str| {
            json!({"Resources": {
                "Function": {"Type": "AWS::Lambda::Function"}, "Rule": {"Type": kind}}})
        };
        let old = template("AWS::Events::Rule");
        assert_eq!(removed(&old, &old), Vec::<String>::new());
        let without = json!({"Resources": {"Function": {"Type": "AWS::Lambda::Function"}}});
        assert_eq!(removed(&without, &old), Vec::<String>::new());
        for new in [without, template("AWS::SQS::Queue")] {
            assert_eq!(
                removed(&old, &new),
                ["the stack removes AWS::Events::Rule Rule"]
            );
        }
        let configuration = |keys: &str| samples::of_keys(keys).function_configuration();
        let gone =
            |old: &str, new: &str| no_longer_listed(&configuration(old), &configuration(new));
        assert_eq!(gone(ONE, &many(2..5, "")), Vec::<String>::new());
        assert_eq!(
            gone(&many(2..5, ""), ONE),
            ["the function no longer lists account 000000000003, 000000000004"]
        );
    }

    fn many(accounts: std::ops::Range<u32>, more: &str) -> String {
        let mut text = format!("s3-read-role: R\n{more}targets:\n");
        for account in accounts {
            writeln!(text, "  - account-id: \"{account:012}\"").unwrap();
        }
        text
    }

    #[test]
    fn of_many_accounts() {
        assert_eq!(
            between(&many(2..5, ""), &many(3..5, "")),
            Vec::<String>::new()
        );
        assert_eq!(
            between(ONE, &many(2..5, "")),
            ["the function lists another account, 000000000003, 000000000004"]
        );
        let [sentence] = &between(&many(2..3, ""), &many(2..5_000, ""))[..] else {
            panic!("one sentence");
        };
        assert!(
            sentence.ends_with(", 000000000012 and 4987 more"),
            "{sentence}"
        );
        assert_eq!(
            between(&many(2..4, "external-id: audit\n"), &many(2..4, "")),
            ["the function no longer sends an external ID in account 000000000002, 000000000003"]
        );
    }

    #[test]
    fn of_an_organization() {
        let of = |keys: &str, more: &str| {
            format!("s3-read-role: R\norganization-id: o-abcdefghij\n{more}organization:\n{keys}")
        };
        let unit = of("  units: [ou-ab12-34cd56ef]\n", "");
        let units = of("  units: [ou-ab12-34cd56ef, ou-ab12-99999999]\n", "");
        let all = of("  all: true\n", "");
        let without = of("  all: true\n  exclude: [\"000000000009\"]\n", "");
        let with_id = of("  all: true\n", "external-id: audit\n");
        let other_role = of("  all: true\n  role: S\n", "");
        for (old, new, sentence) in [
            (
                &unit,
                &units,
                "the function lists another organizational unit, ou-ab12-99999999",
            ),
            (&units, &all, "the function lists the whole organization"),
            (
                &without,
                &all,
                "the function no longer excludes account 000000000009",
            ),
            (
                &with_id,
                &all,
                "the function no longer sends an external ID",
            ),
            (&all, &other_role, "the function uses another role, S"),
            (
                &many(2..4, ""),
                &unit,
                "the function lists the accounts of an organization instead of a list of accounts",
            ),
            (
                &all,
                &many(2..4, ""),
                "the function uses a list of accounts, which may belong to any organization, instead of an organization",
            ),
        ] {
            assert_eq!(between(old, new), [sentence]);
        }
        for (old, new) in [(&units, &unit), (&all, &units), (&all, &without)] {
            assert_eq!(between(old, new), Vec::<String>::new(), "{old} → {new}");
        }
    }
}
