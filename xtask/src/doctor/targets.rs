//! Checks of the targets: whether each role can be assumed and can list buckets.
//!
//! There are two sources: the result of invoking the function, and the policies of the account, if they can be read. A denied
//! request that the Admin account explains says nothing about the target.

use std::{
    iter,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use contract::{
    Access, AccountId, Accounts, ActionSpec, ExternalId, Organization, Region, RoleArn, Selection,
    SessionName, Target,
};
use iam_policy::{Caller, Context, Request, Statement};
use operator_api::DeployedRole;

use super::{
    admin::AdminChecks,
    evidence::{Failure, FailureKind, InvocationError, Outcome},
    facts::{Facts, RoleView},
    reasons,
    report::{Cause, CauseId, Certainty, Check, CheckId, EARLIER_SESSION, Status},
    verdict::{self, Policies, Verdict},
};
use crate::policy::{Grants, RoleGrants, TargetAccounts, TargetRole};
use environment::Environment;

/// The time after which a new role is known to all of IAM, with a margin.
const CONSISTENT_AFTER: Duration = Duration::from_mins(5);

/// The ARNs of the known target roles.
pub(super) fn roles(environment: &Environment, targets: &[Target]) -> Vec<RoleArn> {
    let partition = environment.partition();
    targets
        .iter()
        .filter_map(|target| target.role_arn(partition))
        .collect()
}

/// The targets of the stage. For an organization, the accounts that the function reported.
pub(super) fn known(environment: &Environment, facts: &Facts) -> Vec<Target> {
    let selection = environment.selection();
    match &selection {
        Selection::Single(target) => vec![target.clone()],
        Selection::Fleet(file) => match file.accounts() {
            Accounts::Targets(targets) => targets.clone(),
            Accounts::Organization(organization) => of_organization(organization, facts),
        },
    }
}

fn of_organization(organization: &Organization, facts: &Facts) -> Vec<Target> {
    let evidence = facts.evidence.iter();
    let accounts = evidence.flat_map(|evidence| evidence.targets.keys());
    accounts
        .filter_map(|account| organization.target(account.clone()))
        .collect()
}

/// Checks each target.
pub(super) fn examine(
    environment: &Environment,
    grants: &Grants,
    targets: &[Target],
    facts: &Facts,
    admin: &AdminChecks,
) -> Vec<Check> {
    let check = |target: &Target| {
        let mut check = match (&target.access, target.role_arn(environment.partition())) {
            (Access::Role { external_id, .. }, Some(arn)) => TargetCheck {
                environment,
                facts,
                admin,
                external_id: external_id.as_ref(),
                region: target
                    .region
                    .as_ref()
                    .unwrap_or(&environment.variables.region),
                grants: grants_of(grants, target, &arn),
                arn,
            }
            .check(),
            _ => own_account(&target.account, facts, admin),
        };
        check.account = Some(target.account.to_string());
        check.name = target.name.as_ref().map(ToString::to_string);
        check
    };
    targets.iter().map(check).collect()
}

/// The grants that the role of a target should have.
fn grants_of<'a>(grants: &'a Grants, target: &Target, arn: &RoleArn) -> Option<&'a TargetRole> {
    grants
        .target_roles
        .iter()
        .find(|role| match &role.accounts {
            TargetAccounts::These(accounts) => {
                accounts
                    .iter()
                    .any(|(account, _)| *account == target.account)
                    && role.role.name == arn.role.name()
            }
            TargetAccounts::Organization(_) => true,
        })
}

/// Checks the Admin account as a target, which needs no role.
fn own_account(account: &AccountId, facts: &Facts, admin: &AdminChecks) -> Check {
    let permission = admin
        .checks
        .iter()
        .find(|check| check.id == CheckId::OwnListPermission);
    let may = permission.map(|check| check.status);
    match outcome(facts, account) {
        Some(Outcome::Listed(buckets)) => Check::ok(CheckId::Target, listed(*buckets)),
        Some(Outcome::Failed(failure)) if may == Some(Status::Failed) => Check::unknown(
            CheckId::Target,
            format!("{}: see own-list-permission", failure.error_type),
        ),
        Some(Outcome::Failed(failure)) => Check::failed(
            CheckId::Target,
            "the function cannot list its own account",
            vec![Cause::possible(CauseId::FunctionError, &failure.message).likely()],
        ),
        None if may == Some(Status::Ok) => Check::ok(
            CheckId::Target,
            format!("its policies allow it; {}", not_tried(facts)),
        ),
        None => Check::unknown(CheckId::Target, not_tried(facts)),
    }
}

/// A target with a role.
struct TargetCheck<'a> {
    environment: &'a Environment,
    facts: &'a Facts,
    admin: &'a AdminChecks,
    external_id: Option<&'a ExternalId>,
    /// The region of the STS endpoint.
    region: &'a Region,
    grants: Option<&'a TargetRole>,
    arn: RoleArn,
}

/// The verdict of the policies of the target account.
enum TargetPolicies {
    /// They allow everything that is needed.
    Allow,
    /// They do not. The causes why the role cannot be assumed, and why it cannot list.
    Deny(Vec<Cause>, Vec<Cause>),
    /// They depend on something unknown.
    Unclear(String),
    /// They cannot be read, and why.
    Unreadable(String),
}

/// The verdict of the Admin account.
enum AdminVerdict {
    Allows,
    /// The failed check.
    Denies(CheckId),
    /// Why the verdict is unknown.
    Unknown(String),
}

impl TargetCheck<'_> {
    fn check(&self) -> Check {
        let policies = self.target_policies();
        match outcome(self.facts, &self.arn.account) {
            Some(Outcome::Listed(buckets)) => self.was_listed(*buckets, policies),
            Some(Outcome::Failed(failure)) => match failure.kind {
                FailureKind::AssumeDenied => self.assume_denied(failure, policies),
                FailureKind::ListDenied => self.list_denied(failure, policies),
                FailureKind::RegionDisabled => self.region_disabled(failure),
                FailureKind::Transient => Check::unknown(
                    CheckId::Target,
                    format!("{}: {}", failure.error_type, failure.message),
                )
                .fix("retry; if it fails again, check the timeout and the network of the function"),
                FailureKind::Other => Check::failed(
                    CheckId::Target,
                    format!("the function returned {}", failure.error_type),
                    vec![Cause::seen(CauseId::FunctionError, &failure.message)],
                ),
            },
            None => self.was_not_tried(policies),
        }
    }

    fn was_listed(&self, buckets: usize, policies: TargetPolicies) -> Check {
        match (policies, self.admin_verdict()) {
            (TargetPolicies::Deny(mut causes, more), _) => {
                causes.extend(more);
                causes.push(Cause::possible(
                    CauseId::CachedSession,
                    "it still works, probably because the function uses a session from before the change, for up to an hour",
                ));
                let found = format!(
                    "{}, but the policies of the role no longer allow it",
                    listed(buckets)
                );
                Check::failed(CheckId::Target, found, causes).fix(self.deploy())
            }
            (_, AdminVerdict::Denies(CheckId::Function)) => Check::unknown(
                CheckId::Target,
                format!(
                    "{}, but the function does not match the stage: see function",
                    listed(buckets)
                ),
            ),
            (_, AdminVerdict::Denies(id)) => Check::ok(
                CheckId::Target,
                format!("{}, {EARLIER_SESSION}: see {}", listed(buckets), name(id)),
            ),
            (TargetPolicies::Allow, _) => Check::ok(
                CheckId::Target,
                format!("{}, and its policies allow it", listed(buckets)),
            ),
            (TargetPolicies::Unclear(what), _) => Check::ok(
                CheckId::Target,
                format!(
                    "{}, {EARLIER_SESSION}: its policies depend on {what}",
                    listed(buckets)
                ),
            ),
            (TargetPolicies::Unreadable(why), _) => Check::ok(
                CheckId::Target,
                format!(
                    "{}, {EARLIER_SESSION} (up to an hour old): {why}",
                    listed(buckets)
                ),
            ),
        }
    }

    fn assume_denied(&self, failure: &Failure, policies: TargetPolicies) -> Check {
        let reported = cause_from_aws(&failure.message);
        match (policies, self.admin_verdict()) {
            (TargetPolicies::Deny(mut causes, more), _) => {
                causes.extend(more);
                causes.extend(self.another_organization());
                let found = format!("STS denies assuming {}", self.arn.role);
                Check::failed(CheckId::Target, found, causes).fix(self.deploy())
            }
            (TargetPolicies::Allow, AdminVerdict::Denies(id)) => Check::ok(
                CheckId::Target,
                format!(
                    "its policies allow it, but the function is denied: see {}",
                    name(id)
                ),
            ),
            (_, AdminVerdict::Denies(id)) => Check::unknown(
                CheckId::Target,
                format!(
                    "the function is denied: see {}; fix that before checking this account",
                    name(id)
                ),
            ),
            (TargetPolicies::Allow, side) => {
                let causes = ranked(reported, self.unreadable_causes(&side));
                let found =
                    "STS denies the request, although every policy that can be read allows it";
                Check::failed(CheckId::Target, found, causes)
            }
            (TargetPolicies::Unclear(what), side) => {
                let cause = format!("a condition may not be met: it depends on {what}");
                let cause = Cause::possible(CauseId::ConditionNotMet, cause);
                let is_likely = reported.is_none();
                let mut causes = vec![if is_likely { cause.likely() } else { cause }];
                causes.extend(self.execution_role_may_lack_permission(&side));
                causes.extend(self.another_organization());
                causes.push(self.control_policy());
                let found = "STS denies the request";
                Check::failed(CheckId::Target, found, ranked(reported, causes)).fix(self.deploy())
            }
            (TargetPolicies::Unreadable(why), side) => {
                let causes = ranked(reported, self.guesses(&side));
                let found =
                    format!("STS denies the request; any of these can be the cause, because {why}");
                Check::failed(CheckId::Target, found, causes).fix(self.look())
            }
        }
    }

    fn list_denied(&self, failure: &Failure, policies: TargetPolicies) -> Check {
        let found = format!(
            "{} can be assumed, but S3 denies listing buckets",
            self.arn.role
        );
        let reported = cause_from_aws(&failure.message);
        match policies {
            TargetPolicies::Deny(of_trust, of_listing) => {
                let causes = of_listing.into_iter().chain(of_trust).collect();
                Check::failed(CheckId::Target, found, causes).fix(self.deploy())
            }
            TargetPolicies::Allow => {
                let causes = vec![self.control_policy(), not_yet_consistent()];
                let found = format!("{found}, although every policy that can be read allows it");
                Check::failed(CheckId::Target, found, ranked(reported, causes))
            }
            TargetPolicies::Unclear(_) | TargetPolicies::Unreadable(_) => {
                let permissions = ActionSpec::S3_BUCKETS.permissions();
                let lacks = format!(
                    "the policies of {} may not allow {permissions}",
                    self.arn.role
                );
                let causes = vec![
                    self.fixed_in_permissions(Cause::possible(CauseId::PermissionMissing, lacks)),
                    Cause::possible(
                        CauseId::PermissionsBoundary,
                        format!("a permissions boundary of the role may not allow {permissions}"),
                    ),
                    Cause::possible(CauseId::ExplicitDeny, "a policy of the role may deny it"),
                    self.control_policy(),
                ];
                Check::failed(CheckId::Target, found, ranked(reported, causes)).fix(self.look())
            }
        }
    }

    fn region_disabled(&self, failure: &Failure) -> Check {
        let Self { region, arn, .. } = self;
        let account = &arn.account;
        Check::failed(
            CheckId::Target,
            format!("STS is not active in {region} for account {account}"),
            vec![Cause::seen(CauseId::RegionDisabled, &failure.message)],
        )
        .fix(format!(
            "activate STS for {region} in account {account} (IAM, Account settings), or set `region` for the target"
        ))
    }

    fn was_not_tried(&self, policies: TargetPolicies) -> Check {
        let why = not_tried(self.facts);
        match policies {
            TargetPolicies::Allow => {
                Check::ok(CheckId::Target, format!("its policies allow it; {why}"))
            }
            TargetPolicies::Deny(mut causes, more) => {
                causes.extend(more);
                let found = format!("the policies of {} do not allow it", self.arn.role);
                Check::failed(CheckId::Target, found, causes).fix(self.deploy())
            }
            TargetPolicies::Unclear(what) => {
                let found = format!("{why}, and its policies depend on {what}");
                Check::unknown(CheckId::Target, found)
            }
            TargetPolicies::Unreadable(hidden) => {
                let found = format!("{why}, and {hidden}");
                Check::unknown(CheckId::Target, found).fix(self.look())
            }
        }
    }

    fn target_policies(&self) -> TargetPolicies {
        let RoleArn { account, role, .. } = &self.arn;
        match self.facts.role(&self.arn) {
            RoleView::NotRead => TargetPolicies::Unreadable(format!(
                "the policies of account {account} cannot be read"
            )),
            RoleView::Unreadable(why) => TargetPolicies::Unreadable(format!(
                "the role cannot be read in account {account} ({})",
                why.code
            )),
            RoleView::Missing => {
                let cause = format!("account {account} has no role named {}", role.name());
                TargetPolicies::Deny(vec![Cause::seen(CauseId::RoleMissing, cause)], Vec::new())
            }
            RoleView::Role(seen) if seen.arn != self.arn.to_string() => {
                let cause = format!(
                    "{} does not exist; the role with this name has another path: {}",
                    self.arn, seen.arn
                );
                TargetPolicies::Deny(vec![Cause::seen(CauseId::RolePath, cause)], Vec::new())
            }
            RoleView::Role(seen) => self.judge(seen),
        }
    }

    fn judge(&self, seen: &DeployedRole) -> TargetPolicies {
        let execution_role = self.environment.execution_role_arn().to_string();
        let trust = verdict::of_trust(&seen.trust_policy, &self.assume_request(&execution_role));
        let resources = ["*".to_owned(), format!("arn:{}:s3:::*", self.arn.partition)];
        let policies = Policies::of(seen);
        let listing = ActionSpec::S3_BUCKETS.iam_actions.iter().map(|action| {
            let ways = resources.each_ref().map(|resource| Request {
                action,
                resource: Some(resource),
                caller: None,
                context: Context::default(),
            });
            (*action, policies.verdict(&ways))
        });
        let listing: Vec<(&str, Verdict)> = listing.collect();
        let mut verdicts = iter::once(&trust).chain(listing.iter().map(|(_, verdict)| verdict));
        if verdicts
            .clone()
            .any(|verdict| matches!(verdict, Verdict::Denied(_)))
        {
            return TargetPolicies::Deny(
                self.trust_causes(&trust, &execution_role),
                self.listing_causes(&listing),
            );
        }
        verdicts
            .find_map(|verdict| match verdict {
                Verdict::Unclear(what) => Some(TargetPolicies::Unclear(reasons::joined(what))),
                _ => None,
            })
            .unwrap_or(TargetPolicies::Allow)
    }

    /// The request of the function to STS, with the known context.
    fn assume_request<'a>(&self, execution_role: &'a str) -> Request<'a> {
        let variables = &self.environment.variables;
        let mut context = Context::default()
            .with("sts:ExternalId", self.external_id.map(ExternalId::as_str))
            .with(
                "sts:RoleSessionName",
                Some(SessionName::list_s3_buckets().as_str()),
            )
            .with("sts:SourceIdentity", None)
            .with("aws:PrincipalArn", Some(execution_role))
            .with(
                "aws:PrincipalAccount",
                Some(variables.admin_account_id.as_str()),
            )
            .with("aws:PrincipalType", Some("AssumedRole"))
            // Only set if a service sends the request on behalf of a principal.
            .with("aws:SourceArn", None)
            .with("aws:SourceAccount", None);
        if let Some(id) = &variables.organization_id {
            context = context.with("aws:PrincipalOrgID", Some(id.as_str()));
        }
        Request {
            action: "sts:AssumeRole",
            resource: None,
            caller: Some(Caller::Role(execution_role)),
            context,
        }
    }

    fn trust_causes(&self, verdict: &Verdict, execution_role: &str) -> Vec<Cause> {
        let Verdict::Denied(reasons) = verdict else {
            return Vec::new();
        };
        let sent = match self.external_id {
            Some(id) => format!(", but the stage sends \"{id}\""),
            None => ", but the stage has none (`external-id`)".to_owned(),
        };
        reasons
            .iter()
            .map(|reason| {
                let mut cause = reasons::trust_cause(reason, execution_role);
                if cause.id == CauseId::ExternalId {
                    cause.text.push_str(&sent);
                }
                if cause.id == CauseId::ExplicitDeny {
                    cause
                } else {
                    self.fixed_in_trust_policy(cause)
                }
            })
            .collect()
    }

    /// The causes for each denied IAM action.
    fn listing_causes(&self, listing: &[(&str, Verdict)]) -> Vec<Cause> {
        let denied = listing.iter().flat_map(|(action, verdict)| match verdict {
            Verdict::Denied(reasons) => reasons.iter().map(|reason| (*action, reason)).collect(),
            _ => Vec::new(),
        });
        denied
            .map(|(action, reason)| {
                let cause = reasons::permission_cause(reason, action);
                match cause.id {
                    CauseId::PermissionMissing | CauseId::ConditionNotMet => {
                        self.fixed_in_permissions(cause)
                    }
                    _ => cause,
                }
            })
            .collect()
    }

    /// The possible causes if STS denies a request that all readable policies allow, most likely first.
    fn unreadable_causes(&self, admin: &AdminVerdict) -> Vec<Cause> {
        let mut causes = Vec::from_iter(self.execution_role_may_lack_permission(admin));
        let is_new = self.is_new();
        if is_new {
            causes.push(not_yet_consistent());
        }
        causes.extend(self.another_organization());
        causes.push(self.control_policy());
        if !is_new {
            // A policy may have changed long after the role was created.
            causes.push(not_yet_consistent());
        }
        causes
    }

    /// The possible causes if STS denies a request and the policies cannot be read, most likely first.
    fn guesses(&self, admin: &AdminVerdict) -> Vec<Cause> {
        let RoleArn { account, role, .. } = &self.arn;
        let execution_role = self.environment.execution_role_arn();
        let missing = Cause::possible(
            CauseId::RoleMissing,
            format!("account {account} may have no role {role} (name and path are case-sensitive)"),
        );
        let another = Cause::possible(
            CauseId::TrustNamesAnother,
            format!("its trust policy may not trust {execution_role}"),
        );
        let external_id = Cause::possible(
            CauseId::ExternalId,
            match self.external_id {
                Some(id) => format!("its trust policy may require another external ID than \"{id}\""),
                None => "its trust policy may require an external ID, but the stage has none (`external-id`)".to_owned(),
            },
        );
        let (stale, is_recreated) = self.stale();
        let mut guesses = vec![
            missing,
            self.fixed_in_trust_policy(another),
            self.fixed_in_trust_policy(external_id),
        ];
        guesses.insert(if is_recreated { 0 } else { guesses.len() }, stale);
        guesses.extend(self.execution_role_may_lack_permission(admin));
        guesses.extend(self.another_organization());
        guesses.push(Cause::possible(
            CauseId::ExplicitDeny,
            "another statement of its trust policy may deny it",
        ));
        guesses.push(self.control_policy());
        guesses.push(not_yet_consistent());
        guesses
    }

    /// `doctor` does not check that both accounts belong to the organization of the stage.
    fn another_organization(&self) -> Option<Cause> {
        let variables = &self.environment.variables;
        let id = variables.organization_id.as_ref()?;
        Some(Cause::possible(
            CauseId::ConditionNotMet,
            format!(
                "account {} or account {} may belong to another organization than `organization-id` ({id}); check with \
                 `aws organizations describe-organization` and credentials for each",
                variables.admin_account_id, self.arn.account
            ),
        ))
    }

    /// Returns true if one of the roles is so new that parts of IAM may not know it yet.
    fn is_new(&self) -> bool {
        let is_new = |role: &DeployedRole| {
            let created = Duration::from_secs(role.created_epoch.try_into().unwrap_or_default());
            UNIX_EPOCH + created + CONSISTENT_AFTER > SystemTime::now()
        };
        [self.arn.clone(), self.environment.execution_role_arn()]
            .iter()
            .any(|arn| matches!(self.facts.role(arn), RoleView::Role(role) if is_new(role)))
    }

    /// The cause that the trust policy refers to a deleted execution role, and whether that role was probably re-created.
    fn stale(&self) -> (Cause, bool) {
        let created = match self.facts.role(&self.environment.execution_role_arn()) {
            RoleView::Role(role) => Some(&role.created),
            _ => None,
        };
        let deployed = self.facts.stack().and_then(|stack| stack.created.as_ref());
        // RFC 3339 in UTC sorts as text.
        let is_recreated = matches!((created, deployed), (Some(role), Some(stack)) if role > stack);
        let text = if is_recreated {
            "the execution role was created after the function was first deployed, so it was probably re-created: IAM \
             stores a trusted role by its unique ID, and a re-created role has a new one"
        } else {
            "its trust policy may refer to a deleted execution role: IAM stores a trusted role by its unique ID, and a \
             re-created role has a new one"
        };
        let cause = Cause::possible(CauseId::StalePrincipal, text);
        (self.fixed_in_trust_policy(cause), is_recreated)
    }

    fn execution_role_may_lack_permission(&self, admin: &AdminVerdict) -> Option<Cause> {
        let AdminVerdict::Unknown(why) = admin else {
            return None;
        };
        let text = format!(
            "the execution role may lack sts:AssumeRole on {}: {why}",
            self.arn
        );
        Some(Cause::possible(CauseId::PermissionMissing, text))
    }

    fn control_policy(&self) -> Cause {
        Cause::possible(
            CauseId::ControlPolicy,
            format!(
                "a service or resource control policy (SCP, RCP) of the organization may deny it, for example for region {}; \
                 these policies cannot be read",
                self.region
            ),
        )
    }

    fn fixed_in_trust_policy(&self, cause: Cause) -> Cause {
        let RoleArn { account, role, .. } = &self.arn;
        let place = format!("in account {account}, on role {role}, in its trust policy");
        self.fixed_by(cause, place, |role| role.trust_policy.statements.first())
    }

    fn fixed_in_permissions(&self, cause: Cause) -> Cause {
        let RoleArn { account, role, .. } = &self.arn;
        let place = format!("in account {account}, on role {role}, in one of its policies");
        self.fixed_by(cause, place, |role| {
            let mut documents = role.permissions.values();
            documents.next()?.statements.first()
        })
    }

    fn fixed_by(
        &self,
        cause: Cause,
        place: String,
        statement: impl Fn(&RoleGrants) -> Option<&Statement>,
    ) -> Cause {
        match self.grants.and_then(|grants| statement(&grants.role)) {
            Some(statement) => cause.fixed_by(place, statement.clone()),
            None => cause,
        }
    }

    fn admin_verdict(&self) -> AdminVerdict {
        match (self.admin.blocked, self.admin.assumes(&self.arn)) {
            (Some(id), _) => AdminVerdict::Denies(id),
            (None, Some(Verdict::Allowed)) => AdminVerdict::Allows,
            (None, Some(Verdict::Denied(_))) => AdminVerdict::Denies(CheckId::AssumePermission),
            (None, Some(Verdict::Unclear(what))) => {
                AdminVerdict::Unknown(format!("it depends on {}", reasons::joined(what)))
            }
            (None, None) => AdminVerdict::Unknown("its policies were not read".to_owned()),
        }
    }

    /// The fix for the role.
    fn deploy(&self) -> String {
        format!(
            "run `cargo xtask roles --env {} --apply target` with credentials for account {}, or add the statement yourself",
            self.environment.stage, self.arn.account
        )
    }

    /// The fix if the cause is unknown.
    fn look(&self) -> String {
        format!(
            "to see the cause, pass `--target-profile NAME` with a profile for account {}; to fix most causes, run `cargo \
             xtask roles --env {} --apply target` with credentials for that account",
            self.arn.account, self.environment.stage
        )
    }
}

fn outcome<'a>(facts: &'a Facts, account: &AccountId) -> Option<&'a Outcome> {
    facts.evidence.as_ref()?.targets.get(account)
}

fn listed(buckets: usize) -> String {
    match buckets {
        1 => "listed: 1 bucket".to_owned(),
        buckets => format!("listed: {buckets} buckets"),
    }
}

/// Why a target has no outcome.
fn not_tried(facts: &Facts) -> String {
    match facts.evidence.as_ref().map(|evidence| &evidence.error) {
        None => "the function was not invoked".to_owned(),
        Some(None) => "the function did not report it".to_owned(),
        Some(Some(InvocationError::FunctionFailed { error_type, .. })) => {
            format!("the function returned {error_type}")
        }
        Some(Some(InvocationError::NotInvoked(why))) => {
            format!("the function could not be invoked ({why})")
        }
    }
}

fn name(id: CheckId) -> &'static str {
    match id {
        CheckId::ExecutionRole => "execution-role",
        CheckId::LambdaTrust => "lambda-trust",
        CheckId::Function => "function",
        _ => "assume-permission",
    }
}

fn not_yet_consistent() -> Cause {
    Cause::possible(
        CauseId::NotYetConsistent,
        "a recent change may not be effective yet; IAM can take a minute",
    )
}

/// The cause that AWS reports in its message (IAM user guide, "Troubleshoot access denied error messages").
fn cause_from_aws(message: &str) -> Option<Cause> {
    let says = |what: &str| message.contains(what);
    let (id, what) = if says("service control policy") {
        (CauseId::ControlPolicy, "by a service control policy (SCP)")
    } else if says("resource control policy") {
        (CauseId::ControlPolicy, "by a resource control policy (RCP)")
    } else if says("permissions boundary") {
        (CauseId::PermissionsBoundary, "by a permissions boundary")
    } else if says("explicit deny in an identity-based policy") {
        (CauseId::ExplicitDeny, "by a policy of the calling role")
    } else if says("explicit deny in a resource-based policy") {
        (CauseId::ExplicitDeny, "by the trust policy")
    } else if says("no identity-based policy allows") {
        (
            CauseId::PermissionMissing,
            "because no identity-based policy allows it",
        )
    } else {
        return None;
    };
    Some(Cause::seen(
        id,
        format!("AWS reports that the request is denied {what}: {message}"),
    ))
}

/// Puts the cause that AWS reported first. Without one, the first guess is the most likely cause, unless it is a condition,
/// for which there is no evidence.
fn ranked(reported: Option<Cause>, mut guesses: Vec<Cause>) -> Vec<Cause> {
    let Some(mut reported) = reported else {
        if let Some(first) = guesses.first_mut()
            && first.id != CauseId::ConditionNotMet
        {
            first.certainty = Certainty::Likely;
        }
        return guesses;
    };
    if let Some(same) = guesses.iter().position(|guess| guess.id == reported.id) {
        let guess = guesses.remove(same);
        reported.location = guess.location;
        reported.statement = guess.statement;
    }
    guesses.insert(0, reported);
    guesses
}
