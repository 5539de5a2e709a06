//! Defines the roles of a stage, in both accounts, as a function of the environment.
//!
//! Not here: CloudFormation, which the templates add, and what is deployed.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    Access, AccountId, Accounts, ActionSpec, ExternalId, InvalidValue, Organization,
    OrganizationId, RoleName, Selection, Target, TargetName, Units,
};
use serde::Serialize;

use environment::{Environment, Trust};
use iam_policy::{Document, Statement};

/// IAM's limits, in characters; of a policy, white space is not counted (IAM user guide, "IAM and AWS STS quotas").
pub(crate) mod limit {
    /// A role's trust policy.
    pub(crate) const TRUST: usize = 2_048;
    /// All inline policies of a role together.
    pub(crate) const INLINE: usize = 10_240;
    /// A managed policy.
    pub(crate) const MANAGED: usize = 6_144;
    /// The number of managed policies of a role, unless the quota is raised.
    pub(crate) const ATTACHED: usize = 10;
    /// A role's description.
    pub(crate) const DESCRIPTION: usize = 1_000;
}

/// The maximum size of the targets' part of the inline policies, in characters; the rest is for the user's statements.
const INLINE_BUDGET: usize = 8_192;

/// The name of the roles' inline policies.
pub(crate) const POLICY_NAME: &str = "list-s3-buckets";

/// The roles of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Grants {
    /// The role in the Admin account that the function runs as.
    pub(crate) execution_role: RoleGrants,
    /// The roles that it assumes, the stage's default first. Accounts with the same role share an entry.
    pub(crate) target_roles: Vec<TargetRole>,
    /// The roles that the execution role may assume.
    #[serde(skip)]
    pub(crate) assumes: Assumes,
    /// The organization to list, if any.
    #[serde(skip)]
    pub(crate) organization: Option<Organization>,
    /// Whether the function also lists the Admin account, with the execution role.
    #[serde(skip)]
    pub(crate) lists_own_account: bool,
    /// The AWS Organizations actions that the function needs; empty without an organization.
    #[serde(skip)]
    pub(crate) organization_actions: Vec<&'static str>,
}

/// A role: its trust policy and its permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleGrants {
    /// Its name.
    pub(crate) name: String,
    /// Its path: `/`, or `/…/`.
    pub(crate) path: String,
    /// Its trust policy.
    pub(crate) trust_policy: Document,
    /// Its inline policies, by name.
    pub(crate) permissions: BTreeMap<String, Document>,
    /// The managed policies for what does not fit into the inline ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) managed_policies: Vec<Document>,
    /// The permissions boundary, a managed policy of the role's account: `NAME` or `path/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permissions_boundary: Option<String>,
}

/// A role that the function assumes, the same in each of its accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetRole {
    /// The accounts that have it.
    #[serde(flatten)]
    pub(crate) accounts: TargetAccounts,
    /// Its policies.
    #[serde(flatten)]
    pub(crate) role: RoleGrants,
    /// The external ID that it requires.
    #[serde(skip)]
    pub(crate) external_id: Option<ExternalId>,
    /// Whether it is the stage's default role, for targets without a role or external ID of their own.
    #[serde(skip)]
    pub(crate) is_default: bool,
}

/// The accounts that a role is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TargetAccounts {
    /// A list, in the order of the stage.
    #[serde(rename = "accounts", serialize_with = "ids")]
    These(Vec<(AccountId, Option<TargetName>)>),
    /// Those of an organization.
    #[serde(rename = "organizationId")]
    Organization(OrganizationId),
}

fn ids<S: serde::Serializer>(
    accounts: &[(AccountId, Option<TargetName>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(accounts.iter().map(|(account, _)| account))
}

/// The roles that the execution role may assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Assumes {
    /// A list of role ARNs, sorted; those that do not fit into the inline policy are in managed policies.
    Roles {
        /// In the inline policy.
        inline: Vec<String>,
        /// In managed policies.
        managed: Vec<Vec<String>>,
    },
    /// The roles with one name in every account of an organization.
    Organization {
        /// Their ARN, with `*` for the account.
        pattern: String,
        /// The organization.
        id: OrganizationId,
    },
}

/// The reason why a stage's roles cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrantError {
    /// The roles exceed IAM's quotas.
    #[error(
        "the execution role needs to assume {wanted} roles; IAM's quotas allow {room}, in its inline \
         policy ({inline} characters) and {attached} managed policies ({managed} characters each)\n\
         hint: use `organization`, which needs one statement for all accounts, or split the accounts over several stages",
        inline = limit::INLINE, attached = limit::ATTACHED, managed = limit::MANAGED
    )]
    TooManyTargets {
        /// The number of roles.
        wanted: usize,
        /// The number of roles that fit.
        room: usize,
    },
    /// `organization` is set without `organization-id`.
    #[error(
        "`organization` requires `organization-id`\nhint: without it, the execution role could assume the role in any AWS account"
    )]
    NoOrganizationId,
}

impl Grants {
    /// The roles of a stage.
    ///
    /// # Errors
    /// The targets exceed IAM's quotas, or `organization-id` is missing.
    pub(crate) fn of(environment: &Environment) -> Result<Self, GrantError> {
        Self::of_selection(environment, environment.selection())
    }

    /// The roles for a selection of accounts.
    ///
    /// # Errors
    /// See [`of`](Self::of).
    pub(crate) fn of_selection(
        environment: &Environment,
        selection: &Selection,
    ) -> Result<Self, GrantError> {
        match selection {
            Selection::Single(target) => {
                Self::of_targets(environment, std::slice::from_ref(target))
            }
            Selection::Fleet(file) => match file.accounts() {
                Accounts::Targets(targets) => Self::of_targets(environment, targets),
                Accounts::Organization(organization) => {
                    Self::of_organization(environment, organization)
                }
            },
        }
    }

    fn of_targets(environment: &Environment, targets: &[Target]) -> Result<Self, GrantError> {
        let lists_own_account = targets.iter().any(|target| target.access == Access::Own);
        let arns = targets
            .iter()
            .filter_map(|target| target.role_arn(environment.partition()));
        let mut arns: Vec<String> = arns.map(|arn| arn.to_string()).collect();
        arns.sort();
        let others = permissions(environment, None, lists_own_account, &[]);
        let assumes = spread(&arns, others.to_text().len())?;
        Ok(Self {
            execution_role: execution_role(environment, &assumes, lists_own_account, &[]),
            target_roles: target_roles(environment, targets),
            assumes,
            organization: None,
            lists_own_account,
            organization_actions: Vec::new(),
        })
    }

    fn of_organization(
        environment: &Environment,
        organization: &Organization,
    ) -> Result<Self, GrantError> {
        let Organization {
            admin,
            units,
            exclude,
            role,
            external_id,
        } = organization;
        let id = environment.variables.organization_id.clone();
        let id = id.ok_or(GrantError::NoOrganizationId)?;
        let partition = environment.partition();
        let assumes = Assumes::Organization {
            pattern: format!("arn:{partition}:iam::*:role/{role}"),
            id: id.clone(),
        };
        let organization_actions = match units {
            Units::All => vec!["organizations:ListAccounts"],
            Units::Some(_) => vec![
                "organizations:ListAccountsForParent",
                "organizations:ListChildren",
            ],
        };
        let lists_own_account = !exclude.contains(admin);
        Ok(Self {
            execution_role: execution_role(
                environment,
                &assumes,
                lists_own_account,
                &organization_actions,
            ),
            target_roles: vec![TargetRole {
                accounts: TargetAccounts::Organization(id),
                role: read_role(environment, role, external_id.as_ref()),
                external_id: external_id.clone(),
                is_default: true,
            }],
            assumes,
            organization: Some(organization.clone()),
            lists_own_account,
            organization_actions,
        })
    }
}

impl Grants {
    /// The role that is assumed in `account`, where one is.
    pub(crate) fn target_role_in(&self, account: &AccountId) -> Option<&TargetRole> {
        self.target_roles.iter().find(|role| match &role.accounts {
            TargetAccounts::These(accounts) => accounts.iter().any(|(id, _)| id == account),
            TargetAccounts::Organization(_) => self
                .organization
                .as_ref()
                .and_then(|organization| organization.target(account.clone()))
                .is_some_and(|target| target.role().is_some()),
        })
    }
}

impl Grants {
    /// The roles that are assumed, in order and each once.
    ///
    /// # Errors
    /// A role's name is none.
    pub(crate) fn target_role_names(&self) -> Result<Vec<RoleName>, InvalidValue> {
        let names = self
            .target_roles
            .iter()
            .map(|target| target.role.full_name());
        let names: BTreeSet<RoleName> = names.collect::<Result<_, _>>()?;
        Ok(names.into_iter().collect())
    }
}

impl RoleGrants {
    /// Its name with its path.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn full_name(&self) -> Result<RoleName, InvalidValue> {
        let Self { name, path, .. } = self;
        format!("{path}{name}").trim_start_matches('/').parse()
    }

    /// All that it may do.
    pub(crate) fn all_permissions(&self) -> Document {
        Document::merge(self.permissions.values().chain(&self.managed_policies))
    }
}

/// The ARN of the function's log group, without the `:*` that names its streams.
pub(crate) fn log_group_arn(environment: &Environment) -> String {
    let variables = &environment.variables;
    format!(
        "arn:{}:logs:{}:{}:log-group:/aws/lambda/{}",
        environment.partition(),
        variables.region,
        variables.admin_account_id,
        environment.function_name()
    )
}

fn execution_role(
    environment: &Environment,
    assumes: &Assumes,
    lists_own_account: bool,
    organization_actions: &[&str],
) -> RoleGrants {
    let variables = &environment.variables;
    let trust = Statement::allow("LambdaInThisAccount", ["sts:AssumeRole"])
        .for_principal("Service", "lambda.amazonaws.com")
        .when(
            "StringEquals",
            "aws:SourceAccount",
            variables.admin_account_id.as_str(),
        );
    let managed = match assumes {
        Assumes::Roles { managed, .. } => managed.as_slice(),
        Assumes::Organization { .. } => &[],
    };
    RoleGrants {
        name: variables.lambda_execution_role.name().to_owned(),
        path: variables.lambda_execution_role.path(),
        trust_policy: Document::new(vec![trust]),
        permissions: BTreeMap::from([(
            POLICY_NAME.to_owned(),
            permissions(
                environment,
                Some(assumes),
                lists_own_account,
                organization_actions,
            ),
        )]),
        managed_policies: managed
            .iter()
            .map(|arns| Document::new(vec![assume(arns)]))
            .collect(),
        permissions_boundary: boundary(environment),
    }
}

fn permissions(
    environment: &Environment,
    assumes: Option<&Assumes>,
    lists_own_account: bool,
    organization_actions: &[&str],
) -> Document {
    let mut statements = Vec::new();
    match assumes {
        Some(Assumes::Roles { inline, .. }) if !inline.is_empty() => {
            statements.push(assume(inline));
        }
        Some(Assumes::Organization { pattern, id }) => {
            statements.push(assume([pattern]).when(
                "StringEquals",
                "aws:ResourceOrgID",
                id.as_str(),
            ));
        }
        _ => {}
    }
    if !organization_actions.is_empty() {
        statements
            .push(Statement::allow("FindAccounts", organization_actions.iter().copied()).on(["*"]));
    }
    if lists_own_account {
        statements.push(list_buckets("ListOwnBuckets"));
    }
    statements.push(
        Statement::allow(
            "WriteOwnLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
        )
        .on([format!("{}:*", log_group_arn(environment))]),
    );
    if environment.variables.function.tracing.is_active() {
        let actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];
        statements.push(Statement::allow("WriteTraces", actions).on(["*"]));
    }
    Document::new(statements)
}

fn assume(arns: impl IntoIterator<Item = impl Into<String>>) -> Statement {
    Statement::allow("AssumeReadRole", ["sts:AssumeRole"]).on(arns)
}

fn list_buckets(sid: &str) -> Statement {
    Statement::allow(sid, ActionSpec::S3_BUCKETS.iam_actions.iter().copied()).on(["*"])
}

fn boundary(environment: &Environment) -> Option<String> {
    let policy = environment.variables.permissions_boundary.as_ref()?;
    Some(policy.to_string())
}

/// The roles of the targets, one for all that have the same.
fn target_roles(environment: &Environment, targets: &[Target]) -> Vec<TargetRole> {
    let default = environment.default_access();
    let mut roles: Vec<TargetRole> = Vec::new();
    let mut places: BTreeMap<(&RoleName, Option<&ExternalId>), usize> = BTreeMap::new();
    for target in targets {
        let Access::Role { role, external_id } = &target.access else {
            continue;
        };
        let place = *places
            .entry((role, external_id.as_ref()))
            .or_insert_with(|| {
                roles.push(TargetRole {
                    accounts: TargetAccounts::These(Vec::new()),
                    role: read_role(environment, role, external_id.as_ref()),
                    external_id: external_id.clone(),
                    is_default: Some(&target.access) == default.as_ref(),
                });
                roles.len() - 1
            });
        if let TargetAccounts::These(accounts) = &mut roles[place].accounts {
            accounts.push((target.account.clone(), target.name.clone()));
        }
    }
    roles.sort_by_key(|role| !role.is_default);
    roles
}

/// A role that the function assumes.
fn read_role(
    environment: &Environment,
    role: &RoleName,
    external_id: Option<&ExternalId>,
) -> RoleGrants {
    let variables = &environment.variables;
    let execution_role = environment.execution_role_arn().to_string();
    let statement = Statement::allow("ExecutionRole", ["sts:AssumeRole"]);
    let mut trust = match variables.trust {
        Trust::Role => statement.for_principal("AWS", &execution_role),
        Trust::Account => {
            let (partition, account) = (environment.partition(), &variables.admin_account_id);
            statement
                .for_principal("AWS", &format!("arn:{partition}:iam::{account}:root"))
                .when("ArnEquals", "aws:PrincipalArn", &execution_role)
        }
    };
    if let Some(id) = external_id {
        trust = trust.when("StringEquals", "sts:ExternalId", id.as_str());
    }
    if let Some(id) = &variables.organization_id {
        trust = trust.when("StringEquals", "aws:PrincipalOrgID", id.as_str());
    }
    RoleGrants {
        name: role.name().to_owned(),
        path: role.path(),
        trust_policy: Document::new(vec![trust]),
        permissions: BTreeMap::from([(
            POLICY_NAME.to_owned(),
            Document::new(vec![list_buckets("ListBuckets")]),
        )]),
        managed_policies: Vec::new(),
        permissions_boundary: boundary(environment),
    }
}

/// Puts ARNs into the inline policy, whose other statements have `others` characters, and the rest into managed ones.
fn spread(arns: &[String], others: usize) -> Result<Assumes, GrantError> {
    // In quotes, with a comma.
    let length = |arn: &String| arn.len() + 3;
    let empty = Document::new(vec![assume(["", ""])]).to_text().len();
    let mut rest = arns;
    let mut fill = |budget: usize, taken: usize| {
        let mut left = budget.saturating_sub(taken);
        let fits = |arn: &&String| {
            let fits = length(arn) <= left;
            left = left.saturating_sub(length(arn));
            fits
        };
        let count = rest.iter().take_while(fits).count();
        let (fitting, others) = rest.split_at(count);
        rest = others;
        fitting.to_vec()
    };
    let inline = fill(INLINE_BUDGET, empty + others);
    let mut managed = Vec::new();
    for _ in 0..limit::ATTACHED {
        let these = fill(limit::MANAGED, empty);
        if these.is_empty() {
            break;
        }
        managed.push(these);
    }
    if rest.is_empty() {
        Ok(Assumes::Roles { inline, managed })
    } else {
        Err(GrantError::TooManyTargets {
            wanted: arns.len(),
            room: arns.len() - rest.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use iam_policy::{Caller, Context, Decision, Request, Set, evaluate};

    use super::{super::samples, *};

    #[test]
    fn what_the_roles_of_a_stage_should_say() {
        for sample in samples::all() {
            let text = serde_json::to_string_pretty(&sample.grants).unwrap();
            insta::assert_snapshot!(sample.name, text);
        }
    }

    /// What the generator writes lets the function in, and nobody else.
    #[test]
    fn the_trust_of_every_kind_of_stage() {
        for sample in samples::all() {
            let execution_role = sample.environment.execution_role_arn().to_string();
            for target in &sample.grants.target_roles {
                let id = target
                    .external_id
                    .as_ref()
                    .map(contract::ExternalId::as_str);
                let context = |arn: &str, id: Option<&str>| {
                    Context::default()
                        .with("sts:ExternalId", id)
                        .with("aws:PrincipalArn", Some(arn))
                        .with("aws:PrincipalOrgID", Some("o-a1b2c3d4e5"))
                };
                let ask = |arn: &str, id: Option<&str>| {
                    let request = Request {
                        action: "sts:assumerole",
                        resource: None,
                        caller: Some(Caller::Role(arn)),
                        context: context(arn, id),
                    };
                    evaluate(&target.role.trust_policy, &request)
                };
                assert_eq!(
                    ask(&execution_role, id),
                    Decision::Allowed,
                    "{}",
                    sample.name
                );
                let other = execution_role.replace("MyLambda", "Other");
                assert!(
                    matches!(ask(&other, id), Decision::ImplicitlyDenied(_)),
                    "{}",
                    sample.name
                );
                if id.is_some() {
                    for wrong in [None, Some("wrong")] {
                        assert!(matches!(
                            ask(&execution_role, wrong),
                            Decision::ImplicitlyDenied(_)
                        ));
                    }
                }
            }
            let lambda = Request {
                action: "sts:AssumeRole",
                resource: None,
                caller: Some(Caller::Service("lambda.amazonaws.com")),
                context: Context::default().with("aws:SourceAccount", Some("111111111111")),
            };
            let trust = &sample.grants.execution_role.trust_policy;
            assert_eq!(evaluate(trust, &lambda), Decision::Allowed);
            let elsewhere = Request {
                context: Context::default().with("aws:SourceAccount", Some("333333333333")),
                ..lambda
            };
            assert!(matches!(
                evaluate(trust, &elsewhere),
                Decision::ImplicitlyDenied(_)
            ));
        }
    }

    /// Every target may be assumed, none twice, and IAM takes every policy, up to the number that the problem names.
    #[test]
    fn many_targets_fit_until_they_do_not() {
        let stage = samples::stage("");
        let GrantError::TooManyTargets { wanted, room } =
            Grants::of_selection(&stage, &samples::targets(5_000)).unwrap_err()
        else {
            panic!("another problem");
        };
        assert_eq!((wanted, room), (5_000, 1_470));
        for count in [1, 160, 165, 170, 300, room] {
            let grants = Grants::of_selection(&stage, &samples::targets(count)).unwrap();
            let role = grants.execution_role;
            let inline: usize = role
                .permissions
                .values()
                .map(|one| one.to_text().len())
                .sum();
            assert!(inline <= limit::INLINE, "{count}: {inline}");
            assert!(role.managed_policies.len() <= limit::ATTACHED);
            for policy in &role.managed_policies {
                assert!(policy.to_text().len() <= limit::MANAGED, "{count}");
            }
            let mut arns = BTreeSet::new();
            for statement in role.all_permissions().statements {
                if let (Set::Only(actions), Some(Set::Only(resources))) =
                    (&statement.actions, statement.resources)
                    && actions.contains("sts:AssumeRole")
                {
                    for arn in resources {
                        assert!(!arn.contains('*') && arns.insert(arn));
                    }
                }
            }
            assert_eq!(arns.len(), count);
        }
        assert!(Grants::of_selection(&stage, &samples::targets(room + 1)).is_err());
    }

    #[test]
    fn an_organization_must_be_named() {
        let stage = samples::stage("");
        let selection = samples::organization(Units::All, &[]);
        let problem = Grants::of_selection(&stage, &selection).unwrap_err();
        assert_eq!(problem, GrantError::NoOrganizationId);
    }

    /// The longest external ID with everything else still leaves a trust policy that IAM takes.
    #[test]
    fn the_longest_trust_policy() {
        let more = format!(
            "external-id: {}\norganization-id: o-{}\ntrust: account\n",
            "x".repeat(1_224),
            "a".repeat(32)
        );
        let grants = Grants::of(&samples::stage(&more)).unwrap();
        let trust = grants.target_roles[0].role.trust_policy.to_text();
        assert!(trust.len() <= limit::TRUST, "{}", trust.len());
    }
}
