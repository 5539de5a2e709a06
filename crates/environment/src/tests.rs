//! Files in, variables or problems out: adding a case is adding a file under `tests/fixtures`.

use std::{collections::HashSet, fs};

use serde_json::{Value, json};

use super::*;

fn dev() -> Stage {
    "dev".parse().unwrap()
}

fn parsed(text: &str) -> Result<Environment, Diagnostics> {
    parse("environments/variables.dev.yml", dev(), text.as_bytes())
}

/// Runs `check` on each file of a directory, with the snapshots beside the fixtures.
macro_rules! for_each_file {
    ($directory:literal, $check:expr) => {
        insta::with_settings!({
            snapshot_path => concat!("../tests/snapshots/", $directory),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::glob!("../tests/fixtures", concat!($directory, "/*.yml"), |path| {
                let bytes = fs::read(path).unwrap();
                let name = path.file_name().unwrap().to_string_lossy();
                let check: fn(Result<Environment, Diagnostics>) = $check;
                check(parse(&name, dev(), &bytes));
            });
        });
    };
}

#[test]
fn bad_files() {
    for_each_file!("bad", |outcome| {
        let diagnostics = outcome.expect_err("the file is valid");
        let text = diagnostics.render(false);
        assert!(
            text.matches("help: ").count() >= diagnostics.shown().len(),
            "{text}"
        );
        insta::assert_snapshot!("problems", text);
    });
}

#[test]
fn good_files() {
    for_each_file!("good", |outcome| {
        let environment = outcome.unwrap_or_else(|problems| panic!("{problems}"));
        insta::assert_debug_snapshot!("variables", environment.variables);
    });
}

#[test]
fn the_seed() {
    let bytes = include_bytes!("../../../environments/variables.dev.yml");
    let seed = parse("variables.dev.yml", dev(), bytes).unwrap();
    assert_eq!(seed.function_name(), "List-S3-Buckets-dev-list_s3");
    assert_eq!(
        seed.execution_role_arn().to_string(),
        "arn:aws:iam::111111111111:role/MyLambdaExecutionRole"
    );
    assert_eq!(seed.function_configuration().to_environment().len(), 2);
}

/// `cargo xtask check --fix` writes it.
#[test]
fn the_schema_is_fresh() {
    let kept = include_str!("../../../environments/variables.schema.json");
    assert_eq!(kept, reference::json_schema());
}

#[test]
fn the_table_of_the_keys() {
    insta::with_settings!({ snapshot_path => "../tests/snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("table", reference::markdown_table());
    });
}

/// Validates against the keywords of JSON Schema that our schema uses, except patterns, which the types check.
fn problem(schema: &Value, value: &Value) -> Option<String> {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let is_right = match (keyword.as_str(), value) {
            ("type", _) => match wanted.as_str().unwrap() {
                "string" => value.is_string(),
                "integer" => value.is_i64(),
                "boolean" => value.is_boolean(),
                "object" => value.is_object(),
                "array" => value.is_array(),
                other => panic!("the type `{other}` is not known here"),
            },
            ("enum", _) => wanted.as_array().unwrap().contains(value),
            ("const", _) => value == wanted,
            ("oneOf", _) => {
                let taking = wanted.as_array().unwrap().iter();
                taking.filter(|one| problem(one, value).is_none()).count() == 1
            }
            ("anyOf", _) => {
                let mut taking = wanted.as_array().unwrap().iter();
                taking.any(|one| problem(one, value).is_none())
            }
            ("dependencies", Value::Object(map)) => {
                wanted.as_object().unwrap().iter().all(|(key, needed)| {
                    !map.contains_key(key)
                        || match needed.as_array() {
                            Some(keys) => keys
                                .iter()
                                .all(|key| map.contains_key(key.as_str().unwrap())),
                            None => problem(needed, value).is_none(),
                        }
                })
            }
            ("items", Value::Array(items)) => {
                if let Some(problem) = items.iter().find_map(|item| problem(wanted, item)) {
                    return Some(problem);
                }
                true
            }
            ("minItems", Value::Array(items)) => items.len() as u64 >= wanted.as_u64().unwrap(),
            ("uniqueItems", Value::Array(items)) => {
                let texts: HashSet<String> = items.iter().map(ToString::to_string).collect();
                texts.len() == items.len()
            }
            ("minimum", _) => value.as_i64() >= wanted.as_i64(),
            ("maximum", _) => value.as_i64() <= wanted.as_i64(),
            ("maxLength", Value::String(text)) => {
                text.chars().count() as u64 <= wanted.as_u64().unwrap()
            }
            ("maxProperties", Value::Object(map)) => map.len() as u64 <= wanted.as_u64().unwrap(),
            ("required", Value::Object(map)) => wanted
                .as_array()
                .unwrap()
                .iter()
                .all(|key| map.contains_key(key.as_str().unwrap())),
            ("properties" | "additionalProperties", Value::Object(map)) => {
                for (key, value) in map {
                    let own = &schema["properties"][key];
                    let of_others = &schema["additionalProperties"];
                    let problem = match (own.is_null(), of_others) {
                        (true, Value::Null) => None,
                        (false, _) => problem(own, value),
                        (true, Value::Bool(false)) => Some("unknown".to_owned()),
                        (true, others) => problem(others, value),
                    };
                    if let Some(problem) = problem {
                        return Some(format!("{key}: {problem}"));
                    }
                }
                true
            }
            // For users, checked by the types, or for values of another type.
            (
                "$schema"
                | "$comment"
                | "title"
                | "description"
                | "default"
                | "examples"
                | "pattern"
                | "propertyNames"
                | "maxLength"
                | "maxProperties"
                | "required"
                | "properties"
                | "additionalProperties"
                | "dependencies"
                | "items"
                | "minItems"
                | "uniqueItems",
                _,
            ) => true,
            (other, _) => panic!("the keyword `{other}` is not known here"),
        };
        if !is_right {
            return Some(format!(
                "`{value}` is not what `{keyword}: {wanted}` allows"
            ));
        }
    }
    None
}

/// The schema accepts what the parser accepts, and both require the same keys.
#[test]
fn the_schema_agrees_with_the_parser() {
    let schema: Value = serde_json::from_str(&reference::json_schema()).unwrap();
    insta::glob!("../tests/fixtures", "good/*.yml", |path| {
        let bytes = fs::read(path).unwrap();
        let value: Value = serde_yaml::from_str(&text::read(&bytes).unwrap()).unwrap();
        assert_eq!(problem(&schema, &value), None, "{}", path.display());
        let parsed = parse("x", dev(), &bytes).unwrap();
        let again = serde_json::to_value(&parsed.variables).unwrap();
        assert_eq!(problem(&schema, &again), None, "{}", path.display());
    });
    for key in SEED
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(key, _)| key)
    {
        let without: Vec<&str> = SEED.lines().filter(|line| !line.starts_with(key)).collect();
        let value: Value = serde_yaml::from_str(&without.join("\n")).unwrap();
        assert!(problem(&schema, &value).is_some(), "{key}");
        assert_eq!(parsed(&without.join("\n")).unwrap_err().count(), 1, "{key}");
    }
    for (line, value) in [
        ("colour: blue", json!({ "colour": "blue" })),
        (
            "function: { memory: 127 }",
            json!({ "function": { "memory": 127 } }),
        ),
        (
            "function: { timeout: 901 }",
            json!({ "function": { "timeout": 901 } }),
        ),
        (
            "function: { colour: blue }",
            json!({ "function": { "colour": "blue" } }),
        ),
        (
            "function: { log-level: loud }",
            json!({ "function": { "log-level": "loud" } }),
        ),
        ("protected: \"true\"", json!({ "protected": "true" })),
        ("external-id: 12", json!({ "external-id": 12 })),
        ("tags: { a: 1 }", json!({ "tags": { "a": 1 } })),
    ] {
        let mut whole: Value = serde_yaml::from_str(SEED).unwrap();
        whole
            .as_object_mut()
            .unwrap()
            .extend(value.as_object().unwrap().clone());
        assert!(problem(&schema, &whole).is_some(), "{line}");
        assert_eq!(
            parsed(&format!("{SEED}{line}\n")).unwrap_err().count(),
            1,
            "{line}"
        );
    }
}

const SEED: &str = "admin-account-id: \"111111111111\"
lambda-execution-role: MyLambdaExecutionRole
target-account-id: \"222222222222\"
s3-read-role: MyS3ReadRole
";

const MANY: &str = "admin-account-id: \"111111111111\"
lambda-execution-role: MyLambdaExecutionRole
s3-read-role: MyS3ReadRole
external-id: audit
targets:
- account-id: \"222222222222\"
  name: Payments
- account-id: \"333333333333\"
  role: teams/Reader
  external-id: other
  region: eu-central-1
";

const ORGANIZATION: &str = "admin-account-id: \"111111111111\"
lambda-execution-role: MyLambdaExecutionRole
organization-id: o-a1b2c3d4e5
organization:
  units: [ou-ab12-11111111, ou-ab12-34cd56ef]
  exclude:
  - \"444444444444\"
  role: Reader
";

/// `off` is false to a YAML 1.1 parser, and a string here.
#[test]
fn the_session_policy_is_off_with_and_without_quotes() {
    for off in ["off", "\"off\"", "'off'"] {
        let stage = parsed(&format!("{SEED}session-policy: {off}\n")).unwrap();
        let environment = stage.function_configuration().to_environment();
        assert_eq!(
            environment.get("SESSION_POLICY").map(String::as_str),
            Some("off")
        );
    }
    let environment = parsed(SEED).unwrap().function_configuration();
    assert!(!environment.to_environment().contains_key("SESSION_POLICY"));
}

/// Bits of text that mean something to YAML, to the template engine, to the Serverless Framework or to CloudFormation.
const BITS: [&str; 44] = [
    "a",
    "B7",
    "0",
    " ",
    "  ",
    "\n",
    "\n  ",
    "\t",
    "\r",
    "'",
    "\"",
    "''",
    "\\",
    "\\n",
    "\\x41",
    "${x}",
    "${",
    "}",
    "{{ x }}",
    "{%",
    "%}",
    "{#",
    "!Ref x",
    "!!str ",
    "&a ",
    "*a",
    "<<",
    ": ",
    ":",
    " #",
    "#",
    "- ",
    "?",
    ",",
    "[",
    "]",
    "{",
    "|",
    ">",
    "\u{85}",
    "\u{2028}",
    "ü",
    "\nregion: eu-west-1\n",
    "~",
];

/// A sequence of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Any text as a value is rejected or read as exactly that value, and no other value changes.
#[test]
fn nothing_can_be_injected() {
    let seed = parsed(SEED).unwrap().variables;
    let mut numbers = Numbers(7);
    let pairs = BITS
        .iter()
        .flat_map(|one| BITS.iter().map(move |other| format!("{one}{other}")));
    let random: Vec<String> = (0..1_500)
        .map(|_| {
            (0..3 + numbers.below(4))
                .map(|_| BITS[numbers.below(BITS.len())])
                .collect()
        })
        .collect();
    let mut valid = 0;
    for text in pairs.chain(random) {
        for quote in ["", "\"", "'"] {
            let file = format!("{SEED}external-id: {quote}{text}{quote}\n");
            let Ok(environment) = parsed(&file) else {
                continue;
            };
            valid += 1;
            let id = environment.variables.external_id.clone().unwrap();
            // Without quotes, a comment and a further line are YAML's, and no part of the value.
            let is_plain = quote.is_empty();
            if !is_plain || !text.contains(['#', '\n', '\r']) {
                let wanted = if is_plain { text.trim() } else { &text };
                assert_eq!(id.as_str(), wanted, "{file}");
            }
            let mut rest = environment.variables;
            rest.external_id = None;
            if !text.contains("\nregion: eu-west-1\n") {
                assert_eq!(rest, seed, "{file}");
            }
            let file =
                format!("{SEED}tags:\n  {quote}{text}{quote}: x\n  x: {quote}{text}{quote}\n");
            let Ok(environment) = parsed(&file) else {
                continue;
            };
            for (key, value) in environment.variables.tags.iter() {
                let is_known = |tag: &str| tag == "x" || tag == text || is_plain;
                assert!(
                    is_known(&key.to_string()) && is_known(&value.to_string()),
                    "{file}"
                );
            }
        }
    }
    assert!(valid > 50, "{valid}");
}

/// No file makes the check panic, every problem has a hint, and the values that are read are those that were checked.
#[test]
fn any_bytes_can_be_reported() {
    let one = [SEED, "function:\n  memory: 512\n  schedule: rate(5 minutes)\ntags:\n  team: \"ä\"\nprotected: true\n"].concat();
    let many = MANY.to_owned()
        + "- account-id: \"444444444444\"\n  name: Logs\n- { account-id: \"111111111111\" }\n";
    let organization = ORGANIZATION.to_owned();
    for base in [one, many, organization] {
        reported(&base);
    }
}

fn reported(base: &str) {
    let mut numbers = Numbers(11);
    let mut valid = 0;
    for _ in 0..1_500 {
        let mut bytes = base.as_bytes().to_vec();
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(bytes.len().max(1));
            match numbers.below(4) {
                0 if !bytes.is_empty() => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
                1 => drop(bytes.splice(at..at, BITS[numbers.below(BITS.len())].bytes())),
                2 => drop(bytes.splice(
                    at.min(bytes.len())..(at + numbers.below(20)).min(bytes.len()),
                    [],
                )),
                _ => bytes.truncate(at.max(1)),
            }
        }
        match parse("x", dev(), &bytes) {
            Ok(environment) => {
                // Another reader of YAML reads the same.
                let text = String::from_utf8(bytes).unwrap();
                let variables: Variables =
                    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
                assert_eq!(variables, environment.variables, "{text:?}");
                valid += 1;
            }
            Err(diagnostics) => {
                let text = diagnostics.render(true);
                let hints = text.matches("help").count();
                assert!(hints >= diagnostics.shown().len(), "{text}");
            }
        }
    }
    assert!(valid > 0, "{valid}");
}

#[test]
fn selection_of_each_form() {
    let file = |text: &str| match parsed(text).unwrap().selection().clone() {
        Selection::Fleet(file) => file.to_json(),
        Selection::Single(target) => panic!("{target:?}"),
    };
    let own = "- account-id: \"111111111111\"\n";
    let with_own = format!("{MANY}{own}  name: Admin\nfunction:\n  concurrency: 8\n");
    insta::assert_snapshot!(file(&with_own), @r#"
    {"version":1,"concurrency":8,"targets":[
    {"accountId":"222222222222","name":"Payments","role":"MyS3ReadRole","externalId":"audit"},
    {"accountId":"333333333333","role":"teams/Reader","externalId":"other","region":"eu-central-1"},
    {"accountId":"111111111111","name":"Admin","access":"own"}
    ]}
    "#);
    // By a role of its own, the Admin account is as any other.
    let by_role = format!("{MANY}{own}  role: Own\n");
    insta::assert_snapshot!(file(&by_role), @r#"
    {"version":1,"concurrency":64,"targets":[
    {"accountId":"222222222222","name":"Payments","role":"MyS3ReadRole","externalId":"audit"},
    {"accountId":"333333333333","role":"teams/Reader","externalId":"other","region":"eu-central-1"},
    {"accountId":"111111111111","role":"Own","externalId":"audit"}
    ]}
    "#);
    insta::assert_snapshot!(file(ORGANIZATION), @r#"{"version":1,"concurrency":64,"organization":{"adminAccountId":"111111111111","units":["ou-ab12-11111111","ou-ab12-34cd56ef"],"exclude":["444444444444"],"role":"Reader"}}"#);
    let all = ORGANIZATION.replace("units: [ou-ab12-11111111, ou-ab12-34cd56ef]", "all: true");
    insta::assert_snapshot!(file(&all), @r#"{"version":1,"concurrency":64,"organization":{"adminAccountId":"111111111111","exclude":["444444444444"],"role":"Reader"}}"#);
    // Where no target relies on it, there need be no `s3-read-role`.
    let head = "admin-account-id: \"111111111111\"\nlambda-execution-role: R\ntargets:\n";
    insta::assert_snapshot!(file(&format!("{head}{own}")), @r#"
    {"version":1,"concurrency":64,"targets":[
    {"accountId":"111111111111","access":"own"}
    ]}
    "#);

    let seed = parsed(SEED).unwrap();
    let target = seed.target().unwrap();
    assert_eq!(seed.selection(), &Selection::Single(target.clone()));
    assert_eq!(parsed(MANY).unwrap().target(), None);
    assert_eq!(
        parsed(MANY)
            .unwrap()
            .function_configuration()
            .to_environment(),
        std::collections::BTreeMap::new()
    );
}

/// The schema rejects the same forms as the check.
#[test]
fn the_schema_knows_the_forms() {
    let schema: Value = serde_json::from_str(&reference::json_schema()).unwrap();
    for (text, is_right) in [
        (MANY.to_owned(), true),
        (ORGANIZATION.to_owned(), true),
        (
            format!("{SEED}targets: [{{ account-id: \"333333333333\" }}]\n"),
            false,
        ),
        (format!("{SEED}organization: {{ all: true }}\n"), false),
        (
            SEED.replace("target-account-id: \"222222222222\"\n", ""),
            false,
        ),
        (ORGANIZATION.replace("  role: Reader\n", ""), false),
        (
            ORGANIZATION.replace("  role: Reader\n", "  all: true\n  role: Reader\n"),
            false,
        ),
        (
            ORGANIZATION.replace("  role: Reader\n", "  all: false\n  role: Reader\n"),
            true,
        ),
        (
            ORGANIZATION.replace("units: [ou-ab12-11111111, ou-ab12-34cd56ef]", "all: false"),
            false,
        ),
        (
            ORGANIZATION.replace("ou-ab12-11111111, ou-ab12-34cd56ef", ""),
            false,
        ),
        (
            ORGANIZATION.replace("ou-ab12-11111111", "ou-ab12-34cd56ef"),
            false,
        ),
        (
            MANY.replace("- account-id: \"222222222222\"\n  name", "- name"),
            false,
        ),
    ] {
        let value: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(problem(&schema, &value).is_none(), is_right, "{text}");
        assert_eq!(parsed(&text).is_ok(), is_right, "{text}");
    }
}

/// Every other name is for an existing key.
#[test]
fn other_names_are_of_keys() {
    fn names(keys: &[keys::Key], all: &mut Vec<String>) {
        for key in keys {
            all.push(key.name.clone());
            names((key.keys)(), all);
        }
    }
    let mut all = Vec::new();
    names(<Variables as keys::Checked>::keys(), &mut all);
    for (_, key) in suggest::OTHER_NAMES {
        assert!(all.iter().any(|name| name == key), "{key}");
    }
}

/// 5,000 targets with every key fit into a file and are checked in linear time, valid or not.
#[test]
fn thousands_of_targets() {
    let target = |index: usize, account: usize| {
        format!(
            "  - account-id: \"{account:012}\"\n    name: {}{index}\n    role: {}/{}{index}\n    external-id: {}{index}\n    region: eu-central-1\n",
            "n".repeat(120),
            "p".repeat(120),
            "r".repeat(50),
            "e".repeat(200),
        )
    };
    let base = SEED.replace("target-account-id: \"222222222222\"\n", "") + "targets:\n";
    let right: String = (0..5_000).map(|index| target(index, index)).collect();
    let environment =
        parsed(&format!("{base}{right}")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(environment.variables.targets.unwrap().len(), 5_000);

    let started = std::time::Instant::now();
    let twice: String = (0..5_000)
        .map(|index| target(index, index % 2_500))
        .collect();
    let diagnostics = parsed(&format!("{base}{twice}")).unwrap_err();
    assert_eq!(diagnostics.count(), 2_500);
    drop(diagnostics.render(false));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn a_file_that_is_too_large() {
    let file = format!("{SEED}{}", "# x\n".repeat(text::MAX_FILE_BYTES / 4));
    insta::assert_snapshot!(parsed(&file).unwrap_err(), @"
    error: the file is larger than 4 MiB
    --> environments/variables.dev.yml:1:1
     = help: check that this is a variables file: they are much smaller

    1 problem in environments/variables.dev.yml; nothing was written
    note: keys and values are checked once this is fixed
    ");
}

/// The time grows linearly with the file.
#[test]
fn many_problems_take_linear_time() {
    let started = std::time::Instant::now();
    let lines: Vec<String> = (0..4_000)
        .map(|line| format!("key-{line}: [a, b]\n"))
        .collect();
    let diagnostics = parsed(&format!("{SEED}{}", lines.concat())).unwrap_err();
    assert_eq!(diagnostics.count(), 4_000);
    drop(diagnostics.render(false));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
