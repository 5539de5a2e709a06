//! The Target accounts' side: whether each role can be assumed, and can list.
//!
//! Two sources: what calling the function showed, and what the account's policies say, where they can be read. A refusal
//! that the Admin account's side explains says nothing of this one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{
    Access, AccountId, Accounts, ExternalId, Organization, Region, RoleArn, Selection, SessionName,
    Target,
};
use iam_policy::{Caller, Context, Request, Statement};
use operator_api::DeployedRole;

use super::{
    admin::AdminSide,
    evidence::{Failure, Fault, Kind, Outcome},
    facts::{Facts, Seen},
    reasons,
    report::{Cause, CauseId, Certainty, Check, EARLIER_SESSION, Id, Status},
    verdict::{self, Policies, Verdict},
};
use crate::policy::{Grants, RoleGrants, TargetAccounts, TargetRole};
use environment::Environment;

/// What IAM needs at most to make a role known everywhere, and some more.
const CONSISTENT_AFTER: Duration = Duration::from_mins(5);

/// The roles that the targets are listed by, as far as they are known.
pub(super) fn roles(environment: &Environment, targets: &[Target]) -> Vec<RoleArn> {
    let partition = environment.partition();
    targets
        .iter()
        .filter_map(|target| target.role_arn(partition))
        .collect()
}

/// The targets: of the stage, or those of an organization that the function told of.
pub(super) fn known(environment: &Environment, facts: &Facts) -> Vec<Target> {
    let selection = environment.selection();
    match &selection {
        Selection::One(target) => vec![target.clone()],
        Selection::Many(file) => match file.accounts() {
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

/// A check for each target.
pub(super) fn examine(
    environment: &Environment,
    grants: &Grants,
    targets: &[Target],
    facts: &Facts,
    admin: &AdminSide,
) -> Vec<Check> {
    let check = |target: &Target| {
        let mut check = match (&target.access, target.role_arn(environment.partition())) {
            (Access::Role { external_id, .. }, Some(arn)) => Side {
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

/// What the role of a target should say.
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

/// The Admin account itself, listed without a role.
fn own_account(account: &AccountId, facts: &Facts, admin: &AdminSide) -> Check {
    let permission = admin
        .checks
        .iter()
        .find(|check| check.id == Id::OwnListPermission);
    let may = permission.map(|check| check.status);
    match outcome(facts, account) {
        Some(Outcome::Listed(buckets)) => Check::ok(Id::Target, listed(*buckets)),
        Some(Outcome::Failed(failure)) if may == Some(Status::Failed) => Check::unknown(
            Id::Target,
            format!("{}, as own-list-permission says", failure.error_type),
        ),
        Some(Outcome::Failed(failure)) => Check::failed(
            Id::Target,
            "the function cannot list its own account",
            vec![Cause::possible(CauseId::FunctionError, &failure.message).likely()],
        ),
        None if may == Some(Status::Ok) => Check::ok(
            Id::Target,
            format!("its policies allow it; {}", not_tried(facts)),
        ),
        None => Check::unknown(Id::Target, not_tried(facts)),
    }
}

/// One target's role.
struct Side<'a> {
    environment: &'a Environment,
    facts: &'a Facts,
    admin: &'a AdminSide,
    external_id: Option<&'a ExternalId>,
    /// The region that is asked for it.
    region: &'a Region,
    grants: Option<&'a TargetRole>,
    arn: RoleArn,
}

/// What the account shows of it.
enum Visible {
    /// Its policies allow all that is needed.
    Allows,
    /// They do not: why it cannot be assumed, and why it cannot list.
    Refuses(Vec<Cause>, Vec<Cause>),
    /// It depends on what cannot be told from here.
    Unclear(String),
    /// Nothing: why.
    Hidden(String),
}

/// What the Admin account's side says of it.
enum Admin {
    Allows,
    Blocks(Id),
    /// Nothing for certain: why.
    Unknown(String),
}

impl Side<'_> {
    fn check(&self) -> Check {
        let visible = self.visible();
        match outcome(self.facts, &self.arn.account) {
            Some(Outcome::Listed(buckets)) => self.was_listed(*buckets, visible),
            Some(Outcome::Failed(failure)) => match failure.kind {
                Kind::AssumeDenied => self.assuming_refused(failure, visible),
                Kind::ListDenied => self.listing_refused(failure, visible),
                Kind::RegionDisabled => self.region_disabled(failure),
                Kind::Passing => Check::unknown(
                    Id::Target,
                    format!("{}: {}", failure.error_type, failure.message),
                )
                .fix("it may work at the next try; the function's time-out and network are the stage's"),
                Kind::Other => Check::failed(
                    Id::Target,
                    format!("the function answers {}", failure.error_type),
                    vec![Cause::seen(CauseId::FunctionError, &failure.message)],
                ),
            },
            None => self.was_not_tried(visible),
        }
    }

    fn was_listed(&self, buckets: usize, visible: Visible) -> Check {
        match (visible, self.admin()) {
            (Visible::Refuses(mut causes, more), _) => {
                causes.extend(more);
                causes.push(Cause::possible(
                    CauseId::CachedSession,
                    "it works all the same, probably as the function still uses an earlier session, for up to an hour",
                ));
                let found = format!(
                    "{}, but the role's policies do not allow it any more",
                    listed(buckets)
                );
                Check::failed(Id::Target, found, causes).fix(self.deploy())
            }
            (_, Admin::Blocks(Id::Function)) => Check::unknown(
                Id::Target,
                format!(
                    "{}, by a function that is another than the stage's: see function",
                    listed(buckets)
                ),
            ),
            (_, Admin::Blocks(id)) => Check::ok(
                Id::Target,
                format!("{}, {EARLIER_SESSION}: see {}", listed(buckets), name(id)),
            ),
            (Visible::Allows, _) => Check::ok(
                Id::Target,
                format!("{}, and its policies allow it", listed(buckets)),
            ),
            (Visible::Unclear(what), _) => Check::ok(
                Id::Target,
                format!(
                    "{}, {EARLIER_SESSION}: its policies depend on {what}",
                    listed(buckets)
                ),
            ),
            (Visible::Hidden(why), _) => Check::ok(
                Id::Target,
                format!(
                    "{}, {EARLIER_SESSION} (of up to an hour ago): {why}",
                    listed(buckets)
                ),
            ),
        }
    }

    fn assuming_refused(&self, failure: &Failure, visible: Visible) -> Check {
        let told = told(&failure.message);
        match (visible, self.admin()) {
            (Visible::Refuses(mut causes, more), _) => {
                causes.extend(more);
                causes.extend(self.another_organization());
                let found = format!("STS does not let {} be assumed", self.arn.role);
                Check::failed(Id::Target, found, causes).fix(self.deploy())
            }
            (Visible::Allows, Admin::Blocks(id)) => Check::ok(
                Id::Target,
                format!(
                    "its policies allow it; the function is refused, as {} says",
                    name(id)
                ),
            ),
            (_, Admin::Blocks(id)) => Check::unknown(
                Id::Target,
                format!(
                    "the function is refused, as {} says; this side cannot be told before that is mended",
                    name(id)
                ),
            ),
            (Visible::Allows, side) => {
                let causes = ranked(told, self.invisible(&side));
                let found = "STS refuses, and all that is visible allows it: cannot tell why";
                Check::failed(Id::Target, found, causes)
            }
            (Visible::Unclear(what), side) => {
                let cause = format!("a condition may not hold: it depends on {what}");
                let cause = Cause::possible(CauseId::ConditionNotMet, cause);
                let is_likely = told.is_none();
                let mut causes = vec![if is_likely { cause.likely() } else { cause }];
                causes.extend(self.execution_role_may_lack_it(&side));
                causes.extend(self.another_organization());
                causes.push(self.control_policy());
                let found = "STS refuses: cannot tell why";
                Check::failed(Id::Target, found, ranked(told, causes)).fix(self.deploy())
            }
            (Visible::Hidden(why), side) => {
                let causes = ranked(told, self.guesses(&side));
                let found = format!("STS refuses: cannot tell which of these it is, as {why}");
                Check::failed(Id::Target, found, causes).fix(self.look())
            }
        }
    }

    fn listing_refused(&self, failure: &Failure, visible: Visible) -> Check {
        let found = format!("{} is assumed, and S3 does not let it list", self.arn.role);
        let told = told(&failure.message);
        match visible {
            Visible::Refuses(of_trust, of_listing) => {
                let causes = of_listing.into_iter().chain(of_trust).collect();
                Check::failed(Id::Target, found, causes).fix(self.deploy())
            }
            Visible::Allows => {
                let causes = vec![self.control_policy(), not_yet_consistent()];
                let found = format!("{found}, and all that is visible allows it: cannot tell why");
                Check::failed(Id::Target, found, ranked(told, causes))
            }
            Visible::Unclear(_) | Visible::Hidden(_) => {
                let lacks = format!(
                    "no policy of {} may allow s3:ListAllMyBuckets",
                    self.arn.role
                );
                let causes = vec![
                    self.mended_by_permission(Cause::possible(CauseId::PermissionMissing, lacks)),
                    Cause::possible(
                        CauseId::PermissionsBoundary,
                        "a permissions boundary of the role may not allow s3:ListAllMyBuckets",
                    ),
                    Cause::possible(CauseId::ExplicitDeny, "a policy of the role may deny it"),
                    self.control_policy(),
                ];
                Check::failed(Id::Target, found, ranked(told, causes)).fix(self.look())
            }
        }
    }

    fn region_disabled(&self, failure: &Failure) -> Check {
        let Self { region, arn, .. } = self;
        let account = &arn.account;
        Check::failed(
            Id::Target,
            format!("STS is not active in {region} for account {account}"),
            vec![Cause::seen(CauseId::RegionDisabled, &failure.message)],
        )
        .fix(format!(
            "activate STS for {region} in account {account} (IAM, Account settings), or give the target a region"
        ))
    }

    fn was_not_tried(&self, visible: Visible) -> Check {
        let why = not_tried(self.facts);
        match visible {
            Visible::Allows => Check::ok(Id::Target, format!("its policies allow it; {why}")),
            Visible::Refuses(mut causes, more) => {
                causes.extend(more);
                let found = format!("{}'s policies do not allow it", self.arn.role);
                Check::failed(Id::Target, found, causes).fix(self.deploy())
            }
            Visible::Unclear(what) => {
                let found = format!("cannot tell: {why}, and it depends on {what}");
                Check::unknown(Id::Target, found)
            }
            Visible::Hidden(hidden) => {
                let found = format!("cannot tell: {why}, and {hidden}");
                Check::unknown(Id::Target, found).fix(self.look())
            }
        }
    }

    fn visible(&self) -> Visible {
        let RoleArn { account, role, .. } = &self.arn;
        match self.facts.role(&self.arn) {
            Seen::NotAsked => Visible::Hidden(format!(
                "the policies of account {account} are not readable from here"
            )),
            Seen::Unreadable(why) => Visible::Hidden(format!(
                "the role may not be read in account {account} ({})",
                why.code
            )),
            Seen::Missing => {
                let cause = format!("account {account} has no role called {}", role.name());
                Visible::Refuses(vec![Cause::seen(CauseId::RoleMissing, cause)], Vec::new())
            }
            Seen::Role(seen) if seen.arn != self.arn.to_string() => {
                let cause = format!(
                    "the role of that name has another path, so that its ARN is {}, and {} does not exist",
                    seen.arn, self.arn
                );
                Visible::Refuses(vec![Cause::seen(CauseId::RolePath, cause)], Vec::new())
            }
            Seen::Role(seen) => self.judge(seen),
        }
    }

    fn judge(&self, seen: &DeployedRole) -> Visible {
        let execution_role = self.environment.execution_role_arn().to_string();
        let trust = verdict::of_trust(&seen.trust_policy, &self.assume_request(&execution_role));
        let resources = ["*".to_owned(), format!("arn:{}:s3:::*", self.arn.partition)];
        let ways = resources.each_ref().map(|resource| Request {
            action: "s3:ListAllMyBuckets",
            resource: Some(resource),
            caller: None,
            context: Context::default(),
        });
        let listing = Policies::of(seen).verdict(&ways);
        match (trust, listing) {
            (Verdict::Allowed, Verdict::Allowed) => Visible::Allows,
            (trust @ Verdict::Refused(_), listing) | (trust, listing @ Verdict::Refused(_)) => {
                Visible::Refuses(
                    self.trust_causes(&trust, &execution_role),
                    self.listing_causes(&listing),
                )
            }
            (Verdict::Unclear(what), _) | (_, Verdict::Unclear(what)) => {
                Visible::Unclear(reasons::listed(&what))
            }
        }
    }

    /// The request that the function makes of STS, as far as it is known.
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
            // Of requests that a service makes for somebody; a role's own has neither.
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
        let Verdict::Refused(reasons) = verdict else {
            return Vec::new();
        };
        let sent = match self.external_id {
            Some(id) => format!(", and the stage sends \"{id}\""),
            None => ", and the stage has none (`external-id`)".to_owned(),
        };
        reasons
            .iter()
            .map(|reason| {
                let mut cause = reasons::of_trust_reason(reason, execution_role);
                if cause.id == CauseId::ExternalId {
                    cause.text.push_str(&sent);
                }
                if cause.id == CauseId::ExplicitDeny {
                    cause
                } else {
                    self.mended_by_trust(cause)
                }
            })
            .collect()
    }

    fn listing_causes(&self, verdict: &Verdict) -> Vec<Cause> {
        let Verdict::Refused(reasons) = verdict else {
            return Vec::new();
        };
        reasons
            .iter()
            .map(|reason| {
                let cause = reasons::of_permission_reason(reason, "s3:ListAllMyBuckets");
                match cause.id {
                    CauseId::PermissionMissing | CauseId::ConditionNotMet => {
                        self.mended_by_permission(cause)
                    }
                    _ => cause,
                }
            })
            .collect()
    }

    /// What it may be where STS refuses and all that is visible allows it, the likeliest first.
    fn invisible(&self, admin: &Admin) -> Vec<Cause> {
        let mut causes = Vec::from_iter(self.execution_role_may_lack_it(admin));
        let is_new = self.is_new();
        if is_new {
            causes.push(not_yet_consistent());
        }
        causes.extend(self.another_organization());
        causes.push(self.control_policy());
        if !is_new {
            // A policy may have been changed long after the role was made.
            causes.push(not_yet_consistent());
        }
        causes
    }

    /// What it may be where STS refuses and the account shows nothing, the likeliest first.
    fn guesses(&self, admin: &Admin) -> Vec<Cause> {
        let RoleArn { account, role, .. } = &self.arn;
        let execution_role = self.environment.execution_role_arn();
        let missing = Cause::possible(
            CauseId::RoleMissing,
            format!(
                "account {account} may have no role {role} (its name is case-sensitive, and its path belongs to it)"
            ),
        );
        let another = Cause::possible(
            CauseId::TrustNamesAnother,
            format!("its trust policy may not name {execution_role}"),
        );
        let external_id = Cause::possible(
            CauseId::ExternalId,
            match self.external_id {
                Some(id) => format!("its trust policy may ask for another external ID than \"{id}\""),
                None => "its trust policy may ask for an external ID, and the stage has none (`external-id`)".to_owned(),
            },
        );
        let (stale, is_recreated) = self.stale();
        let mut guesses = vec![
            missing,
            self.mended_by_trust(another),
            self.mended_by_trust(external_id),
        ];
        guesses.insert(if is_recreated { 0 } else { guesses.len() }, stale);
        guesses.extend(self.execution_role_may_lack_it(admin));
        guesses.extend(self.another_organization());
        guesses.push(Cause::possible(
            CauseId::ExplicitDeny,
            "its trust policy may deny it by another statement",
        ));
        guesses.push(self.control_policy());
        guesses.push(not_yet_consistent());
        guesses
    }

    /// That both accounts are of the stage's organization is taken for granted: nobody asks them.
    fn another_organization(&self) -> Option<Cause> {
        let variables = &self.environment.variables;
        let id = variables.organization_id.as_ref()?;
        Some(Cause::possible(
            CauseId::ConditionNotMet,
            format!(
                "the organization of account {} or of account {} may be another than `organization-id` says ({id}): \
                 `aws organizations describe-organization` tells it, with credentials of either",
                variables.admin_account_id, self.arn.account
            ),
        ))
    }

    /// Whether one of the two roles is so new that parts of IAM may not know it yet.
    fn is_new(&self) -> bool {
        let is_new = |role: &DeployedRole| {
            let created = Duration::from_secs(role.created_epoch.try_into().unwrap_or_default());
            UNIX_EPOCH + created + CONSISTENT_AFTER > SystemTime::now()
        };
        [self.arn.clone(), self.environment.execution_role_arn()]
            .iter()
            .any(|arn| matches!(self.facts.role(arn), Seen::Role(role) if is_new(role)))
    }

    /// The trust in an earlier execution role, and whether the one that there is was made after the deployment.
    fn stale(&self) -> (Cause, bool) {
        let created = match self.facts.role(&self.environment.execution_role_arn()) {
            Seen::Role(role) => Some(&role.created),
            _ => None,
        };
        let deployed = self.facts.stack().and_then(|stack| stack.created.as_ref());
        // RFC 3339 in UTC, which is sorted as text is.
        let is_recreated = matches!((created, deployed), (Some(role), Some(stack)) if role > stack);
        let text = if is_recreated {
            "the execution role was made after the function was first deployed, so it was probably recreated: IAM keeps \
             the role that a trust policy names by its unique id, and the new one is another"
        } else {
            "its trust policy may name an execution role that was deleted and made anew since: IAM keeps it by its \
             unique id"
        };
        let cause = Cause::possible(CauseId::StalePrincipal, text);
        (self.mended_by_trust(cause), is_recreated)
    }

    fn execution_role_may_lack_it(&self, admin: &Admin) -> Option<Cause> {
        let Admin::Unknown(why) = admin else {
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
                "a service or resource control policy (SCP, RCP) of the organization may deny it, one of regions too \
                 ({}): they cannot be seen from here",
                self.region
            ),
        )
    }

    fn mended_by_trust(&self, cause: Cause) -> Cause {
        let RoleArn { account, role, .. } = &self.arn;
        let place = format!("in account {account}, on role {role}, in its trust policy");
        self.mended(cause, place, |role| role.trust_policy.statements.first())
    }

    fn mended_by_permission(&self, cause: Cause) -> Cause {
        let RoleArn { account, role, .. } = &self.arn;
        let place = format!("in account {account}, on role {role}, in a policy of its own");
        self.mended(cause, place, |role| {
            let mut documents = role.permissions.values();
            documents.next()?.statements.first()
        })
    }

    fn mended(
        &self,
        cause: Cause,
        place: String,
        statement: impl Fn(&RoleGrants) -> Option<&Statement>,
    ) -> Cause {
        match self.grants.and_then(|grants| statement(&grants.role)) {
            Some(statement) => cause.mended_by(place, statement.clone()),
            None => cause,
        }
    }

    fn admin(&self) -> Admin {
        match (self.admin.blocked, self.admin.assumes(&self.arn)) {
            (Some(id), _) => Admin::Blocks(id),
            (None, Some(Verdict::Allowed)) => Admin::Allows,
            (None, Some(Verdict::Refused(_))) => Admin::Blocks(Id::AssumePermission),
            (None, Some(Verdict::Unclear(what))) => {
                Admin::Unknown(format!("it depends on {}", reasons::listed(what)))
            }
            (None, None) => Admin::Unknown("its policies were not read".to_owned()),
        }
    }

    /// How the account gets the role that it should have.
    fn deploy(&self) -> String {
        format!(
            "`cargo xtask roles --env {} --apply target` with credentials of account {}, or put the statement there",
            self.environment.stage, self.arn.account
        )
    }

    /// How to see more, and how to mend it without.
    fn look(&self) -> String {
        format!(
            "`--target-profile NAME`, a profile of account {}, shows which it is; most of it is mended by `cargo xtask \
             roles --env {} --apply target` with credentials of that account",
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

/// Why there is no outcome.
fn not_tried(facts: &Facts) -> String {
    match facts.evidence.as_ref().map(|evidence| &evidence.fault) {
        None => "not tried, as there is no function to call".to_owned(),
        Some(None) => "the function does not tell of it".to_owned(),
        Some(Some(Fault::Function { error_type, .. })) => {
            format!("the function answers {error_type}")
        }
        Some(Some(Fault::NotCalled(why))) => format!("the function could not be called ({why})"),
    }
}

fn name(id: Id) -> &'static str {
    match id {
        Id::ExecutionRole => "execution-role",
        Id::LambdaTrust => "lambda-trust",
        Id::Function => "function",
        _ => "assume-permission",
    }
}

fn not_yet_consistent() -> Cause {
    Cause::possible(
        CauseId::NotYetConsistent,
        "IAM takes up to a minute to make a change known everywhere",
    )
}

/// What AWS's message says by itself (IAM user guide, "Troubleshoot access denied error messages").
fn told(message: &str) -> Option<Cause> {
    let says = |what: &str| message.contains(what);
    let (id, what) = if says("service control policy") {
        (CauseId::ControlPolicy, "by a service control policy (SCP)")
    } else if says("resource control policy") {
        (CauseId::ControlPolicy, "by a resource control policy (RCP)")
    } else if says("permissions boundary") {
        (CauseId::PermissionsBoundary, "by a permissions boundary")
    } else if says("explicit deny in an identity-based policy") {
        (CauseId::ExplicitDeny, "by a policy of the role that asked")
    } else if says("explicit deny in a resource-based policy") {
        (CauseId::ExplicitDeny, "by the trust policy")
    } else if says("no identity-based policy allows") {
        (
            CauseId::PermissionMissing,
            "for want of a policy of the role that asked",
        )
    } else {
        return None;
    };
    Some(Cause::seen(
        id,
        format!("AWS says that it is refused {what}: {message}"),
    ))
}

/// What AWS has told, if anything, before the guesses; without it the first of them is the likeliest, unless it is one
/// that nothing speaks for: of an organization that may be another.
fn ranked(told: Option<Cause>, mut guesses: Vec<Cause>) -> Vec<Cause> {
    let Some(mut told) = told else {
        if let Some(first) = guesses.first_mut()
            && first.id != CauseId::ConditionNotMet
        {
            first.certainty = Certainty::Likely;
        }
        return guesses;
    };
    if let Some(same) = guesses.iter().position(|guess| guess.id == told.id) {
        let guess = guesses.remove(same);
        told.place = guess.place;
        told.statement = guess.statement;
    }
    guesses.insert(0, told);
    guesses
}
