//! What a deployment would change, against what is deployed; first of all, what of it broadens access.
//!
//! The function's stack and code are what `deploy` changes; the roles, which `roles --apply` changes, are compared as well,
//! as the one is of little use without the other: as they are rendered, with whatever the templates say beyond the
//! variables.

mod reach;
pub(crate) mod release;
mod role_side;

use std::{collections::BTreeMap, fmt};

use anyhow::{Context, Result, bail};
use contract::{AccountId, FunctionConfiguration, TargetsFile};
use operator_api::{DeployedFunction, DeployedRole, DeployedStack, Part};
use serde_json::Value;

use self::{release::Release, role_side::RoleSide};
use crate::{
    inspect::{
        configuration,
        kept::Kept,
        operator::{Operator, Query},
        session::Session,
    },
    policy::Grants,
    render::{self as rendering, File, Rendered, Templates},
    sys::{unified_diff, workspace::Workspace},
};
use environment::Environment;

/// What a deployment would change.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    broadens: Vec<String>,
    /// Why it is not known whether access is broadened.
    unclear: Vec<String>,
    removes: Vec<String>,
    compared: Vec<Compared>,
}

/// One thing, as it is deployed and as it would be.
#[derive(Debug)]
struct Compared {
    what: String,
    how: How,
}

#[derive(Debug)]
enum How {
    Same,
    /// It is not there yet.
    New,
    Changed {
        /// As a person reads it; ends with a line break.
        diff: String,
    },
    /// What is deployed cannot be seen.
    Unknown {
        why: String,
    },
}

impl Changes {
    /// Compares `release` and the stage's roles with what is deployed, as far as the caller may see it; of the Target
    /// accounts' roles, those that `target_profiles`, AWS profiles, may read.
    ///
    /// # Errors
    /// The operator cannot be asked, or the package's own files cannot be read.
    pub(crate) fn of(
        workspace: &Workspace,
        release: &Release,
        environment: &Environment,
        session: &Session,
        target_profiles: &[String],
    ) -> Result<Self> {
        let stack_name = environment.stack_name();
        let function_name = environment.function_name();
        let execution_role = &environment.variables.lambda_execution_role;
        let query = Query {
            roles: vec![execution_role.clone()],
            stacks: vec![stack_name.clone()],
            functions: vec![function_name.clone()],
        };
        let operator = Operator::of_caller(workspace, session)?;
        let deployed = operator.inspect(&query)?;
        let stack = part(&deployed.stacks, &stack_name);
        let function = part(&deployed.functions, &function_name);
        let mut changes = Self::default();

        let new = Part::Ok(environment.function_configuration());
        changes.compare_accounts(&configuration::deployed(&operator, &function, &stack), &new);
        changes.compare_release(environment, release, &stack, &function);

        let admin = &environment.variables.admin_account_id;
        let rendered = Templates::load(workspace, &File::ROLES)?.render(environment);
        match (rendered, rendering::grants(environment)) {
            (Ok(rendered), Ok(grants)) => {
                let role = part(&deployed.roles, execution_role);
                changes.compare_role(admin, role, one_of(&rendered, &File::AdminRole)?)?;
                changes.compare_target_roles(
                    workspace,
                    environment,
                    (&grants, &rendered),
                    target_profiles,
                )?;
            }
            (Err(fault), _) | (_, Err(fault)) => changes.compared.push(Compared {
                what: "roles".to_owned(),
                how: How::Unknown {
                    why: fault.to_string(),
                },
            }),
        }
        Ok(changes)
    }

    /// Compares a kept deployment with what runs.
    pub(crate) fn of_rollback(
        operator: &Operator<'_>,
        environment: &Environment,
        (stack, function): (&Part<DeployedStack>, &Part<DeployedFunction>),
        (kept, release): (&Kept, &Release),
    ) -> Self {
        let mut changes = Self::default();
        let old = configuration::deployed(operator, function, stack);
        changes.compare_accounts(&old, &kept.configuration);
        changes.compare_release(environment, release, stack, function);
        changes
    }

    /// Compares the stack and the function with `release`.
    fn compare_release(
        &mut self,
        environment: &Environment,
        release: &Release,
        stack: &Part<DeployedStack>,
        function: &Part<DeployedFunction>,
    ) {
        let function_name = environment.function_name();
        let role = release.role(&function_name);
        if let Part::Ok(function) = function
            && function.role.is_some()
            && function.role != role
        {
            let role = role.as_deref().unwrap_or("which its stack creates");
            self.broadens.push(reach::another_role(role));
        }
        let template = stack.clone().and_then(|stack| stack.template);
        self.compare_templates(&template, &release.template, &function_name);
        for aspect in release.aspects(environment, stack, function) {
            let text = |text: &String| text.clone();
            self.compare(&aspect.what, &aspect.deployed, &aspect.released, text);
        }
    }

    /// Compares `rendered`, a role's template, with the role that is in `account`.
    ///
    /// # Errors
    /// The template is of something else.
    pub(crate) fn of_role(
        account: &AccountId,
        role: Part<DeployedRole>,
        rendered: &Rendered,
    ) -> Result<Self> {
        let mut changes = Self::default();
        changes.compare_role(account, role, rendered)?;
        if let [
            Compared {
                how: How::Unknown { why },
                ..
            },
        ] = &changes.compared[..]
        {
            changes.unclear.push(why.clone());
        }
        Ok(changes)
    }

    /// Whether all that is deployed is as it would be; `None` where that is unknown.
    pub(crate) fn is_same(&self) -> Option<bool> {
        let mut same = true;
        for Compared { how, .. } in &self.compared {
            match how {
                How::Same => {}
                How::New | How::Changed { .. } => same = false,
                How::Unknown { .. } => return None,
            }
        }
        Some(same)
    }

    /// Compares the deployed template, `old`, with the other one.
    fn compare_templates(&mut self, old: &Part<Value>, new: &Value, function_name: &str) {
        match old {
            Part::Ok(old) => {
                for sentence in reach::resources(old, new, function_name) {
                    if !self.broadens.contains(&sentence) {
                        self.broadens.push(sentence);
                    }
                }
                self.removes.extend(reach::removed(old, new));
            }
            Part::Absent => {}
            Part::Unreadable(why) => self.is_unclear(format!(
                "the deployed template cannot be read: {}: {}",
                why.code, why.message
            )),
        }
    }

    fn is_unclear(&mut self, why: String) {
        if !self.unclear.contains(&why) {
            self.unclear.push(why);
        }
    }

    /// Compares what the deployed function is told with what it would be.
    fn compare_accounts(
        &mut self,
        old: &Part<FunctionConfiguration>,
        new: &Part<FunctionConfiguration>,
    ) {
        match (old, new) {
            (Part::Ok(old), Part::Ok(new)) => {
                self.broadens.extend(reach::broadened(old, new));
                self.removes.extend(reach::no_longer_listed(old, new));
            }
            (Part::Unreadable(why), _) | (Part::Ok(_), Part::Unreadable(why)) => {
                self.is_unclear(why.message.clone());
            }
            (Part::Absent, _) | (_, Part::Absent) => {}
        }
        let Part::Ok(new) = new else { return };
        let text = |configuration: &FunctionConfiguration| {
            let file = configuration.targets_file();
            file.map(TargetsFile::to_json).unwrap_or_default()
        };
        let are_listed =
            |configuration: &FunctionConfiguration| configuration.targets_file().is_some();
        // Of one account the function's variables tell, which are part of the stack.
        if are_listed(new) || old.ok().is_some_and(are_listed) {
            let what = format!("accounts ({} in handler.zip)", TargetsFile::NAME);
            self.compare(&what, old, &text(new), text);
        }
    }

    fn compare_target_roles(
        &mut self,
        workspace: &Workspace,
        environment: &Environment,
        (grants, rendered): (&Grants, &[Rendered]),
        profiles: &[String],
    ) -> Result<()> {
        let query = Query {
            roles: grants.target_role_names()?,
            ..Query::default()
        };
        for profile in profiles {
            let region = &environment.variables.region;
            let deployed = Operator::of_profile(workspace, region, profile)?.inspect(&query)?;
            let account = match deployed.caller {
                Some(Part::Ok(caller)) => caller.account,
                Some(Part::Unreadable(why)) => bail!("{}", why.message),
                Some(Part::Absent) | None => {
                    bail!("Failed to get the account of profile `{profile}`")
                }
            };
            let (Some(target), Some(file)) = (
                grants.target_role_in(&account),
                rendering::target_role_file(environment, &account)?,
            ) else {
                bail!(
                    "Profile `{profile}` is of account {account}, in which the stage assumes no role ({})",
                    environment.source
                );
            };
            let found = query
                .roles
                .iter()
                .find(|name| name.name() == target.role.name)
                .map_or(Part::Absent, |name| part(&deployed.roles, name));
            self.compare_role(&account, found, one_of(rendered, &file)?)?;
        }
        if profiles.is_empty() && !grants.target_roles.is_empty() {
            self.compared.push(Compared {
                what: "roles in the Target accounts".to_owned(),
                how: How::Unknown {
                    why: "they cannot be seen from the Admin account; `cargo xtask diff --target-profile NAME` looks \
                          with a profile of theirs"
                        .to_owned(),
                },
            });
        }
        Ok(())
    }

    /// A role as it is deployed in `account`, and as its template would make it.
    fn compare_role(
        &mut self,
        account: &AccountId,
        deployed: Part<DeployedRole>,
        rendered: &Rendered,
    ) -> Result<()> {
        let wanted = rendered.role()?;
        let what = format!("role {} in account {account}", wanted.name);
        let old = deployed.and_then(|role| RoleSide::of(&role));
        let new = RoleSide::wanted(wanted);
        if let Part::Ok(old) = &old {
            let sentences = old.broadened_by(&new);
            self.broadens.extend(
                sentences
                    .into_iter()
                    .map(|sentence| format!("{what}: {sentence}")),
            );
        }
        if old.ok().is_some_and(|old| old.is_same(&new)) {
            let how = How::Same;
            self.compared.push(Compared { what, how });
        } else {
            self.compare(&what, &old, &new.text(), RoleSide::text);
        }
        Ok(())
    }

    /// What broadens access, a sentence each.
    pub(crate) fn broadens(&self) -> &[String] {
        &self.broadens
    }

    /// Why it is not known whether access is broadened, a sentence each.
    pub(crate) fn unclear(&self) -> &[String] {
        &self.unclear
    }

    /// What is there and would not be any more, a sentence each.
    pub(crate) fn removes(&self) -> &[String] {
        &self.removes
    }

    fn compare<T>(&mut self, what: &str, old: &Part<T>, new: &str, text: impl Fn(&T) -> String) {
        let how = match old {
            Part::Absent => How::New,
            Part::Unreadable(why) => How::Unknown {
                why: format!("{}: {}", why.code, why.message),
            },
            Part::Ok(old) => {
                let old = text(old);
                if old == new {
                    How::Same
                } else {
                    How::Changed {
                        diff: unified_diff::between(("as deployed", &old), ("as it would be", new)),
                    }
                }
            }
        };
        self.compared.push(Compared {
            what: what.to_owned(),
            how,
        });
    }
}

#[cfg(test)]
impl Changes {
    /// Changes of so many sentences.
    pub(crate) fn of_sentences(broadens: usize, unclear: usize, removes: usize) -> Self {
        let sentences = |count: usize| vec!["a sentence".to_owned(); count];
        Self {
            broadens: sentences(broadens),
            unclear: sentences(unclear),
            removes: sentences(removes),
            compared: Vec::new(),
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.broadens.is_empty() {
            writeln!(f, "Broadens access:")?;
            for sentence in &self.broadens {
                writeln!(f, "  ! {sentence}")?;
            }
            writeln!(f)?;
        }
        if !self.unclear.is_empty() {
            writeln!(f, "Whether it broadens access cannot be told:")?;
            for sentence in &self.unclear {
                writeln!(f, "  ? {sentence}")?;
            }
            writeln!(f)?;
        }
        if !self.removes.is_empty() {
            writeln!(f, "Removes:")?;
            for sentence in &self.removes {
                writeln!(f, "  - {sentence}")?;
            }
            writeln!(f)?;
        }
        for Compared { what, how } in &self.compared {
            match how {
                How::Same => writeln!(f, "unchanged    {what}")?,
                How::New => writeln!(f, "new          {what}: nothing is deployed yet")?,
                How::Unknown { why } => writeln!(f, "cannot tell  {what}: {why}")?,
                How::Changed { diff } => write!(f, "changed      {what}\n{diff}")?,
            }
        }
        Ok(())
    }
}

/// The rendered `file`.
fn one_of<'a>(rendered: &'a [Rendered], file: &File) -> Result<&'a Rendered> {
    let found = rendered.iter().find(|rendered| rendered.is(file));
    found.with_context(|| format!("The stage has no {}", file.path()))
}

/// What was read under `name`.
fn part<K: Ord, T: Clone>(parts: &BTreeMap<K, Part<T>>, name: &K) -> Part<T> {
    parts.get(name).cloned().unwrap_or(Part::Absent)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use operator_api::Unreadable;

    #[test]
    fn what_is_not_deployed_or_not_to_be_seen_is_said_and_broadenings_come_first() {
        let mut changes = Changes::default();
        let text = |text: &String| text.clone();
        changes.compare("same", &Part::Ok("a\n".to_owned()), "a\n", text);
        changes.compare("new", &Part::Absent, "a\n", text);
        changes.compare("other", &Part::Ok("a\n".to_owned()), "b\n", text);
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        changes.compare("hidden", &Part::Unreadable(why), "a\n", text);
        changes.broadens.push("everything".to_owned());
        let told = changes.to_string();
        assert!(
            told.starts_with("Broadens access:\n  ! everything\n\n"),
            "{told}"
        );
        for line in [
            "unchanged    same\n",
            "new          new: nothing is deployed yet\n",
            "changed      other\n",
            "\n-a\n+b\n",
            "cannot tell  hidden: AccessDenied: no\n",
        ] {
            assert!(told.contains(line), "{line} in {told}");
        }
    }

    /// What cannot be read may hold anything: that is a question of its own on a protected stage.
    #[test]
    fn a_template_that_cannot_be_read_is_a_question() {
        let new = json!({"Resources": {"Role": {"Type": "AWS::IAM::Role"}}});
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no cloudformation:GetTemplate".to_owned(),
            hint: None,
        };
        let mut changes = Changes::default();
        changes.compare_templates(&Part::Unreadable(why), &new, "f");
        assert_eq!(
            changes.unclear(),
            ["the deployed template cannot be read: AccessDenied: no cloudformation:GetTemplate"]
        );
        assert_eq!(changes.broadens(), Vec::<String>::new());
        let mut changes = Changes::default();
        changes.compare_templates(&Part::Ok(json!({"Resources": {}})), &new, "f");
        assert_eq!(
            changes.broadens(),
            ["the stack has a new AWS::IAM::Role, Role"]
        );
        assert_eq!(changes.unclear(), Vec::<String>::new());
    }
}
