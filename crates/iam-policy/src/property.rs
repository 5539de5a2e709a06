//! Checks the claim "no new access" against an evaluator that shares no code with the rest of this module.
//!
//! Each pair of small policies is random but seeded, so a failure names a pair that can be generated again. Where
//! [`broadening`] finds nothing, no sampled request may be allowed by the new policy and not by the old one. The
//! evaluator follows the IAM user guide; where the guide leaves room ([`Reading`]), the claim must hold either way.
//!
//! `cargo xtask test` checks 20,000 pairs. `POLICY_PAIRS=1200000 cargo test --release -p iam-policy property`
//! checks as many as it says.

use serde_json::{Map, Value, json};

use crate::{Document, broadening};

/// Enough to find each of the mistakes that this test was written for, within seconds and without optimisation.
const DEFAULT_PAIRS: u64 = 20_000;

/// How many requests are sampled for a pair that is claimed to give no new access.
const REQUESTS: usize = 64;

#[test]
fn no_new_access_is_never_claimed_wrongly() {
    let pairs = match std::env::var("POLICY_PAIRS") {
        Ok(text) => text.parse().expect("`POLICY_PAIRS` is a number"),
        Err(_) => DEFAULT_PAIRS,
    };
    let (mut claims, mut wrong) = (0_u64, 0_u64);
    let mut first = None;
    for seed in 0..pairs {
        let mut random = Random::new(seed);
        let (old, new) = pair(&mut random);
        if !broadening(&old.document(), &new.document()).is_empty() {
            continue;
        }
        claims += 1;
        for _ in 0..REQUESTS {
            let request = Request::sample(&mut random);
            let reading = Reading::sample(&mut random);
            if allows(&new, &request, reading) && !allows(&old, &request, reading) {
                wrong += 1;
                first.get_or_insert_with(|| {
                    let (old, new) = (old.json(), new.json());
                    format!("pair {seed}: {request:?} {reading:?}\nold: {old:#}\nnew: {new:#}")
                });
                break;
            }
        }
    }
    println!("{pairs} pairs, {claims} claimed to give no new access, {wrong} of them wrongly");
    assert!(
        first.is_none(),
        "{wrong} of {claims} claims are wrong; {}",
        first.unwrap()
    );
    // A model that reports everything is never wrong, and of no use.
    assert!(claims * 100 >= pairs * LEAST_CLAIMED, "{claims} of {pairs}");
}

/// In percent of all pairs.
const LEAST_CLAIMED: u64 = 25;

/// Linear congruential: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D);
        random.below(2);
        random.below(2);
        random
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn some<T: Copy + PartialEq>(&mut self, all: &[T]) -> Vec<T> {
        let mut some = Vec::new();
        for _ in 0..=self.below(2) {
            let one = self.of(all);
            if !some.contains(&one) {
                some.push(one);
            }
        }
        some
    }
}

const ACTIONS: [&str; 8] = [
    "sts:AssumeRole",
    "sts:AssumeRole",
    "STS:assumerole",
    "sts:*",
    "sts:?ssumeRole",
    "s3:GetObject",
    "s3:Get*",
    "*",
];
const RESOURCES: [&str; 13] = [
    "*",
    "arn:aws:s3:::a",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::a/b",
    "arn:aws:s3:::a/?",
    "arn:aws:s3:::a/${aws:username}",
    "arn:aws:s3:::a/${*}",
    "arn:aws:iam::222222222222:role/R",
    "arn:aws:iam::*:role/R",
    "arn:aws:iam::*2:role/R",
    "arn:aws:iam::222222222222:role/*",
    "arn:aws:iam::222222222222:*R",
];
const PRINCIPALS: [(&str, &str); 11] = [
    ("AWS", "*"),
    ("AWS", "111111111111"),
    ("AWS", "arn:aws:iam::111111111111:root"),
    ("AWS", "arn:aws:iam::111111111111:role/E"),
    ("AWS", "arn:aws:iam::111111111111:role/E"),
    ("AWS", "arn:aws:iam::111111111111:role/G"),
    ("AWS", "arn:aws:iam::222222222222:role/F"),
    ("AWS", "arn:aws:iam::222222222222:root"),
    ("AWS", "arn:aws:sts::111111111111:assumed-role/E/S"),
    ("Service", "lambda.amazonaws.com"),
    ("Service", "ec2.amazonaws.com"),
];
const STRING: [&str; 6] = [
    "StringEquals",
    "StringLike",
    "StringNotEquals",
    "StringNotLike",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
];
const ARN: [&str; 6] = [
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "StringEquals",
    "StringLike",
];
const OF_LISTS: [&str; 5] = [
    "ForAnyValue:StringEquals",
    "ForAnyValue:StringLike",
    "ForAllValues:StringEquals",
    "ForAllValues:StringLike",
    "ForAnyValue:StringNotEquals",
];
/// Keys, the operators that ask for them, and values to ask for.
const CONDITIONS: [(&str, &[&str], &[&str]); 5] = [
    (
        "aws:PrincipalArn",
        &ARN,
        &[
            "arn:aws:iam::111111111111:role/E",
            "arn:aws:iam::111111111111:role/*",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:*",
            "arn:aws:iam::222222222222:role/F",
            "arn:aws:iam::*:role/E",
            "arn:*:role/E",
            "arn:aws:iam::*",
            "*",
        ],
    ),
    (
        "aws:principalarn",
        &ARN,
        &["arn:aws:iam::111111111111:role/E", "arn:aws:iam::*:role/*"],
    ),
    (
        "sts:ExternalId",
        &STRING,
        &[
            "a",
            "A",
            "a*",
            "a?",
            "ab",
            "*",
            "b",
            "${aws:username}",
            "${*}",
            "x${AWS:username}",
        ],
    ),
    ("aws:PrincipalOrgID", &STRING, &["o-1", "o-*", "O-1", "o-2"]),
    ("aws:TagKeys", &OF_LISTS, &["a", "b", "a*"]),
];

/// These, or all but these.
#[derive(Clone)]
struct Words<T> {
    not: bool,
    words: Vec<T>,
}

impl<T: Copy + PartialEq> Words<T> {
    fn sample(random: &mut Random, all: &[T]) -> Self {
        Self {
            not: random.one_in(6),
            words: random.some(all),
        }
    }

    fn change(&mut self, random: &mut Random, all: &[T]) {
        match random.below(4) {
            0 => self.words.push(random.of(all)),
            1 if self.words.len() > 1 => {
                self.words.remove(0);
            }
            2 => self.not = !self.not,
            _ => {
                let at = random.below(self.words.len());
                self.words[at] = random.of(all);
            }
        }
    }

    fn holds(&self, is: impl Fn(T) -> bool) -> bool {
        self.words.iter().any(|&word| is(word)) != self.not
    }
}

#[derive(Clone)]
struct Test {
    operator: String,
    key: &'static str,
    values: Vec<&'static str>,
}

impl Test {
    fn sample(random: &mut Random) -> Self {
        let (key, operators, values) = random.of(&CONDITIONS);
        if random.one_in(8) {
            return Self {
                operator: "Null".to_owned(),
                key,
                values: random.some(&["true", "false"]),
            };
        }
        let if_exists = if random.one_in(5) { "IfExists" } else { "" };
        Self {
            operator: format!("{}{if_exists}", random.of(operators)),
            key,
            values: random.some(values),
        }
    }

    fn change(&mut self, random: &mut Random) {
        let other = loop {
            let other = Self::sample(random);
            if other.key == self.key {
                break other;
            }
        };
        match random.below(3) {
            _ if (other.operator == "Null") != (self.operator == "Null") => *self = other,
            0 => self.operator = other.operator,
            1 => self.values = other.values,
            _ => self.values.extend(other.values),
        }
    }
}

#[derive(Clone)]
struct Rule {
    denies: bool,
    principals: Option<Words<(&'static str, &'static str)>>,
    actions: Words<&'static str>,
    resources: Option<Words<&'static str>>,
    tests: Vec<Test>,
}

impl Rule {
    fn sample(random: &mut Random, is_trust: bool) -> Self {
        Self {
            denies: random.one_in(4),
            principals: is_trust.then(|| Words::sample(random, &PRINCIPALS)),
            actions: Words::sample(random, &ACTIONS),
            resources: (!is_trust).then(|| Words::sample(random, &RESOURCES)),
            tests: (0..random.below(3)).map(|_| Test::sample(random)).collect(),
        }
    }

    fn change(&mut self, random: &mut Random) {
        match random.below(6) {
            0 => self.actions.change(random, &ACTIONS),
            1 | 2 => match (&mut self.principals, &mut self.resources) {
                (Some(principals), _) => principals.change(random, &PRINCIPALS),
                (None, Some(resources)) => resources.change(random, &RESOURCES),
                (None, None) => {}
            },
            3 => self.tests.push(Test::sample(random)),
            4 if !self.tests.is_empty() => {
                let at = random.below(self.tests.len());
                self.tests.remove(at);
            }
            _ => {
                let at = random.below(self.tests.len().max(1));
                if let Some(test) = self.tests.get_mut(at) {
                    test.change(random);
                }
            }
        }
    }

    fn json(&self) -> Value {
        let mut map = Map::new();
        let name = |not: bool, name: &str| format!("{}{name}", if not { "Not" } else { "" });
        map.insert(
            "Effect".to_owned(),
            json!(if self.denies { "Deny" } else { "Allow" }),
        );
        if let Some(Words { not, words }) = &self.principals {
            let mut kinds = Map::new();
            for (kind, value) in words {
                let of_kind = kinds.entry(*kind).or_insert_with(|| json!([]));
                of_kind.as_array_mut().unwrap().push(json!(value));
            }
            map.insert(name(*not, "Principal"), kinds.into());
        }
        map.insert(name(self.actions.not, "Action"), json!(self.actions.words));
        if let Some(Words { not, words }) = &self.resources {
            map.insert(name(*not, "Resource"), json!(words));
        }
        let mut operators = Map::new();
        for Test {
            operator,
            key,
            values,
        } in &self.tests
        {
            let keys = operators.entry(operator).or_insert_with(|| json!({}));
            keys[key] = json!(values);
        }
        if !operators.is_empty() {
            map.insert("Condition".to_owned(), operators.into());
        }
        map.into()
    }
}

#[derive(Clone)]
struct Policy {
    version: Option<&'static str>,
    rules: Vec<Rule>,
}

impl Policy {
    fn sample(random: &mut Random, is_trust: bool) -> Self {
        Self {
            version: random.of(&[
                Some("2012-10-17"),
                Some("2012-10-17"),
                Some("2012-10-17"),
                Some("2008-10-17"),
                None,
            ]),
            rules: (0..=random.below(3))
                .map(|_| Rule::sample(random, is_trust))
                .collect(),
        }
    }

    fn change(&mut self, random: &mut Random, is_trust: bool) {
        match random.below(10) {
            0 => self.version = random.of(&[Some("2012-10-17"), None]),
            1 => self.rules.push(Rule::sample(random, is_trust)),
            2 if self.rules.len() > 1 => {
                let at = random.below(self.rules.len());
                self.rules.remove(at);
            }
            3 => self.rules.rotate_left(1),
            _ => {
                let at = random.below(self.rules.len());
                self.rules[at].change(random);
            }
        }
    }

    /// A map has each key once: of two tests of one operator and key, JSON keeps the last.
    fn tidied(mut self) -> Self {
        for rule in &mut self.rules {
            let tests = std::mem::take(&mut rule.tests);
            for test in tests {
                rule.tests
                    .retain(|other| (&other.operator, other.key) != (&test.operator, test.key));
                rule.tests.push(test);
            }
        }
        self
    }

    fn json(&self) -> Value {
        let rules: Vec<Value> = self.rules.iter().map(Rule::json).collect();
        match self.version {
            Some(version) => json!({"Version": version, "Statement": rules}),
            None => json!({"Statement": rules}),
        }
    }

    fn document(&self) -> Document {
        Document::from_json(&self.json()).unwrap()
    }
}

/// Two policies; the second is mostly the first with something changed, as policies of the same role are.
fn pair(random: &mut Random) -> (Policy, Policy) {
    let is_trust = random.one_in(2);
    let old = Policy::sample(random, is_trust).tidied();
    if random.one_in(4) {
        let new = Policy::sample(random, is_trust).tidied();
        return (old, new);
    }
    let mut new = old.clone();
    for _ in 0..=random.below(2) {
        new.change(random, is_trust);
    }
    (old, new.tidied())
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Caller {
    /// The ARN of a role of an account, and of one of its sessions.
    Role(&'static str, &'static str, &'static str),
    /// The ARN of a user of an account, or of its root user.
    User(&'static str, &'static str),
    Service(&'static str),
}

const CALLERS: [Caller; 8] = [
    Caller::Role(
        "111111111111",
        "arn:aws:iam::111111111111:role/E",
        "arn:aws:sts::111111111111:assumed-role/E/S",
    ),
    Caller::Role(
        "111111111111",
        "arn:aws:iam::111111111111:role/E",
        "arn:aws:sts::111111111111:assumed-role/E/T",
    ),
    Caller::Role(
        "111111111111",
        "arn:aws:iam::111111111111:role/G",
        "arn:aws:sts::111111111111:assumed-role/G/S",
    ),
    Caller::Role(
        "222222222222",
        "arn:aws:iam::222222222222:role/F",
        "arn:aws:sts::222222222222:assumed-role/F/S",
    ),
    Caller::User("111111111111", "arn:aws:iam::111111111111:user/bob"),
    Caller::User("111111111111", "arn:aws:iam::111111111111:root"),
    Caller::Service("lambda.amazonaws.com"),
    Caller::Service("ec2.amazonaws.com"),
];

#[derive(Debug)]
struct Request {
    action: &'static str,
    resource: &'static str,
    caller: Caller,
    external_id: Option<&'static str>,
    organization: Option<&'static str>,
    username: Option<&'static str>,
    tag_keys: Vec<&'static str>,
}

impl Request {
    fn sample(random: &mut Random) -> Self {
        Self {
            action: random.of(&[
                "sts:AssumeRole",
                "sts:TagSession",
                "s3:GetObject",
                "s3:ListBucket",
            ]),
            resource: random.of(&[
                "arn:aws:s3:::a",
                "arn:aws:s3:::ab",
                "arn:aws:s3:::a/b",
                "arn:aws:s3:::a/bob",
                "arn:aws:s3:::a/*",
                "arn:aws:s3:::a/${aws:username}",
                "arn:aws:s3:::a/${*}",
                "arn:aws:iam::222222222222:role/R",
                "arn:aws:iam::333333333333:role/R",
                "arn:aws:iam::222222222222:role/p/R",
                "arn:aws:iam::9:2:role/R",
                "arn:aws:iam::222222222222:x:R",
            ]),
            caller: random.of(&CALLERS),
            external_id: random.of(&[
                None,
                Some("a"),
                Some("A"),
                Some("ab"),
                Some("b"),
                Some("*"),
                Some("a*"),
                Some("bob"),
                Some("xbob"),
                Some("${aws:username}"),
                Some("${*}"),
            ]),
            organization: random.of(&[None, Some("o-1"), Some("O-1"), Some("o-2"), Some("o-*")]),
            username: random.of(&[None, Some("bob"), Some("b"), Some("a"), Some("*")]),
            tag_keys: match random.below(4) {
                0 => vec![],
                1 => vec!["a"],
                2 => vec!["a", "b"],
                _ => vec!["ab"],
            },
        }
    }

    fn of_key(&self, key: &str) -> Vec<&'static str> {
        match key.to_ascii_lowercase().as_str() {
            "aws:principalarn" => match self.caller {
                Caller::Role(_, arn, _) | Caller::User(_, arn) => vec![arn],
                Caller::Service(_) => vec![],
            },
            "sts:externalid" => self.external_id.into_iter().collect(),
            "aws:principalorgid" => self.organization.into_iter().collect(),
            "aws:username" => self.username.into_iter().collect(),
            "aws:tagkeys" => self.tag_keys.clone(),
            other => unreachable!("{other}"),
        }
    }
}

/// What the IAM user guide leaves open.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// "If AWS can't resolve a variable, this might cause the entire statement to be invalid" ("IAM policy elements:
    /// Variables and tags"); otherwise its text matches nothing.
    unresolved_voids: bool,
    /// "You can use wildcard characters within the individual segments of an ARN", beyond which a `*` reaches if it is
    /// the segment's last character ("IAM JSON policy elements: Resource"); otherwise wherever it stands.
    star_keeps_to_segment: bool,
    /// With `NotPrincipal`, a role is excepted only if its session, itself and its account are ("AWS JSON policy
    /// elements: `NotPrincipal`"); otherwise if any of them is.
    except_needs_all: bool,
}

impl Reading {
    fn sample(random: &mut Random) -> Self {
        Self {
            unresolved_voids: random.one_in(2),
            star_keeps_to_segment: random.one_in(2),
            except_needs_all: random.one_in(2),
        }
    }
}

/// Something allows it and nothing denies it.
fn allows(policy: &Policy, request: &Request, reading: Reading) -> bool {
    let has_variables = policy.version == Some("2012-10-17");
    let applies = |rule: &&Rule| applies(rule, request, reading, has_variables);
    let (denials, grants): (Vec<&Rule>, Vec<&Rule>) =
        policy.rules.iter().partition(|rule| rule.denies);
    grants.iter().any(applies) && !denials.iter().any(applies)
}

fn applies(rule: &Rule, request: &Request, reading: Reading, has_variables: bool) -> bool {
    let read = |text: &str| pieces(text, request, has_variables);
    if reading.unresolved_voids {
        let resources = rule.resources.iter().flat_map(|set| &set.words);
        let values = rule.tests.iter().flat_map(|test| &test.values);
        if resources.chain(values).any(|text| read(text).is_none()) {
            return false;
        }
    }
    let lower = |text: &str| -> Vec<char> { text.to_ascii_lowercase().chars().collect() };
    let action = lower(request.action);
    let names_action = rule.actions.holds(|word| {
        let pattern = pieces(&word.to_ascii_lowercase(), request, false);
        glob(&pattern.unwrap(), &action, false)
    });
    let resource: Vec<char> = request.resource.chars().collect();
    let names_resource = rule.resources.as_ref().is_none_or(|set| {
        set.holds(|word| {
            read(word)
                .is_some_and(|pattern| glob(&pattern, &resource, reading.star_keeps_to_segment))
        })
    });
    let names_caller = rule
        .principals
        .as_ref()
        .is_none_or(|set| is_named(set, request.caller, reading));
    names_action
        && names_resource
        && names_caller
        && rule
            .tests
            .iter()
            .all(|test| holds(test, request, has_variables))
}

fn is_named(set: &Words<(&'static str, &'static str)>, caller: Caller, reading: Reading) -> bool {
    let is_account = |value: &str, account: &str| {
        value == account || value == format!("arn:aws:iam::{account}:root")
    };
    let listed = |is: &dyn Fn(&str) -> bool| {
        set.words
            .iter()
            .any(|&(kind, value)| kind == "AWS" && is(value))
    };
    let everybody = listed(&|value| value == "*");
    let chain = match caller {
        Caller::Service(name) => vec![set.words.contains(&("Service", name))],
        Caller::Role(account, role, session) => vec![
            listed(&|value| is_account(value, account)),
            listed(&|value| value == role),
            listed(&|value| value == session),
        ],
        Caller::User(account, user) => vec![
            listed(&|value| is_account(value, account)),
            listed(&|value| value == user),
        ],
    };
    let any = everybody || chain.contains(&true);
    match (set.not, reading.except_needs_all) {
        (false, _) => any,
        (true, false) => !any,
        (true, true) => !everybody && chain.contains(&false),
    }
}

fn holds(test: &Test, request: &Request, has_variables: bool) -> bool {
    let given = request.of_key(test.key);
    if test.operator == "Null" {
        let wanted = if given.is_empty() { "true" } else { "false" };
        return test.values.contains(&wanted);
    }
    let (operator, if_exists) = match test.operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (test.operator.as_str(), false),
    };
    if given.is_empty() && if_exists {
        return true;
    }
    let (of_list, operator) = operator.split_once(':').unwrap_or(("", operator));
    let positive = operator.replace("Not", "");
    let matches = |given: &str| {
        let any = test.values.iter().any(|wanted| {
            pieces(wanted, request, has_variables)
                .is_some_and(|wanted| compare(&positive, &wanted, given))
        });
        any != operator.contains("Not")
    };
    match of_list {
        "ForAnyValue" => given.iter().any(|given| matches(given)),
        "ForAllValues" => given.iter().all(|given| matches(given)),
        _ => match given[..] {
            [] => operator.contains("Not"),
            [one] => matches(one),
            _ => unreachable!("a list"),
        },
    }
}

fn compare(operator: &str, wanted: &[Piece], given: &str) -> bool {
    let given: Vec<char> = given.chars().collect();
    let plain =
        |pieces: &[Piece]| -> String { pieces.iter().map(|piece| piece.written()).collect() };
    let text: String = given.iter().collect();
    match operator {
        "StringEquals" => plain(wanted) == text,
        "StringEqualsIgnoreCase" => plain(wanted).eq_ignore_ascii_case(&text),
        "StringLike" => glob(wanted, &given, false),
        "ArnEquals" | "ArnLike" => {
            let wanted: Vec<&[Piece]> =
                wanted.splitn(6, |&piece| piece == Piece::Is(':')).collect();
            let given: Vec<&[char]> = given.splitn(6, |&one| one == ':').collect();
            let (6, 6) = (wanted.len(), given.len()) else {
                return false;
            };
            wanted
                .iter()
                .zip(given)
                .all(|(wanted, given)| glob(wanted, given, false))
        }
        other => unreachable!("{other}"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece {
    Is(char),
    Any,
    One,
}

impl Piece {
    fn written(self) -> char {
        match self {
            Self::Is(one) => one,
            Self::Any => '*',
            Self::One => '?',
        }
    }
}

/// A text with its variables replaced; nothing if one of them is not in the request.
fn pieces(text: &str, request: &Request, has_variables: bool) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if has_variables
            && let Some(from) = rest.strip_prefix("${")
            && let Some((name, behind)) = from.split_once('}')
        {
            match name {
                "*" | "?" | "$" => pieces.extend(name.chars().map(Piece::Is)),
                name => pieces.extend(request.of_key(name).first()?.chars().map(Piece::Is)),
            }
            rest = behind;
            continue;
        }
        pieces.push(match next {
            '*' => Piece::Any,
            '?' => Piece::One,
            other => Piece::Is(other),
        });
        rest = &rest[next.len_utf8()..];
    }
    Some(pieces)
}

fn glob(pattern: &[Piece], text: &[char], keeps_to_segment: bool) -> bool {
    let Some((first, pattern)) = pattern.split_first() else {
        return text.is_empty();
    };
    let take = |from: usize| glob(pattern, &text[from..], keeps_to_segment);
    match first {
        Piece::Is(wanted) => text.first() == Some(wanted) && take(1),
        Piece::One => {
            text.first()
                .is_some_and(|&one| !(keeps_to_segment && one == ':'))
                && take(1)
        }
        Piece::Any => {
            let is_last = matches!(pattern.first(), None | Some(Piece::Is(':')));
            let most = if keeps_to_segment && !is_last {
                text.iter()
                    .position(|&one| one == ':')
                    .unwrap_or(text.len())
            } else {
                text.len()
            };
            (0..=most).any(take)
        }
    }
}
