//! Compares a deployment with what is deployed. Changes that broaden access come first.
//!
//! `deploy` changes the stack and the code of the function. The roles, which `roles --apply` changes, are compared too, because
//! they have to match. They are compared as rendered, including additions in the templates.

mod reach;
pub(crate) mod release;
mod role_policies;

use std::fmt;

use anyhow::{Context, Result, bail};
use contract::{AccountId, FunctionConfiguration, TargetsFile};
use operator_api::{DeployedFunction, DeployedRole, DeployedStack, Part};
use serde_json::Value;

use self::{release::Release, role_policies::RolePolicies};
use crate::{
    inspect::{
        configuration,
        operator::{Operator, Query, reported},
        session::Session,
    },
    policy::Grants,
    render::{self as rendering, File, Rendered, Templates},
    sys::{unified_diff, workspace::Workspace},
};
use environment::Environment;

/// The changes of a deployment.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    broadens: Vec<String>,
    /// Why it is unknown whether access is broadened.
    unclear: Vec<String>,
    removes: Vec<String>,
    compared: Vec<Comparison>,
}

/// A deployed part, compared with the new one.
#[derive(Debug)]
struct Comparison {
    what: String,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Same,
    /// It is not deployed yet.
    New,
    Changed {
        /// A unified diff. It ends with a newline.
        diff: String,
    },
    /// What is deployed cannot be read.
    Unknown {
        why: String,
    },
}

impl Changes {
    /// Compares `release` and the roles of the stage with what is deployed, as far as the caller can read it. The AWS profiles
    /// `target_profiles` read the target roles.
    ///
    /// # Errors
    /// Fails if the operator or the files of the package cannot be read.
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
        let mut deployed = operator.inspect(&query)?;
        let stack = reported(&mut deployed.stacks, &stack_name)?;
        let function = reported(&mut deployed.functions, &function_name)?;
        let mut changes = Self::default();

        let new = Part::Ok(environment.function_configuration());
        changes.compare_accounts(&configuration::deployed(&operator, &function, &stack), &new);
        changes.compare_release(environment, release, &stack, &function);

        let admin = &environment.variables.admin_account_id;
        let rendered = Templates::load(workspace, &File::ROLES)?.render(environment);
        match (rendered, rendering::grants(environment)) {
            (Ok(rendered), Ok(grants)) => {
                let role = reported(&mut deployed.roles, execution_role)?;
                changes.compare_role(admin, role, one_of(&rendered, &File::AdminRole)?)?;
                changes.compare_target_roles(
                    workspace,
                    environment,
                    (&grants, &rendered),
                    target_profiles,
                )?;
            }
            (Err(error), _) | (_, Err(error)) => changes.compared.push(Comparison {
                what: "roles".to_owned(),
                outcome: Outcome::Unknown {
                    why: error.to_string(),
                },
            }),
        }
        Ok(changes)
    }

    /// Compares a kept deployment, a release and the configuration of its function, with what runs.
    pub(crate) fn of_rollback(
        operator: &Operator<'_>,
        environment: &Environment,
        (stack, function): (&Part<DeployedStack>, &Part<DeployedFunction>),
        release: &Release,
        kept: &Part<FunctionConfiguration>,
    ) -> Self {
        let mut changes = Self::default();
        let old = configuration::deployed(operator, function, stack);
        changes.compare_accounts(&old, kept);
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

    /// Compares the rendered template of a role with the role in `account`.
    ///
    /// # Errors
    /// Fails if the template is not of a role.
    pub(crate) fn of_role(
        account: &AccountId,
        role: Part<DeployedRole>,
        rendered: &Rendered,
    ) -> Result<Self> {
        let mut changes = Self::default();
        changes.compare_role(account, role, rendered)?;
        if let [
            Comparison {
                outcome: Outcome::Unknown { why },
                ..
            },
        ] = &changes.compared[..]
        {
            changes.unclear.push(why.clone());
        }
        Ok(changes)
    }

    /// Returns whether nothing would change, or `None` if that is unknown.
    pub(crate) fn is_same(&self) -> Option<bool> {
        let mut same = true;
        for Comparison { outcome, .. } in &self.compared {
            match outcome {
                Outcome::Same => {}
                Outcome::New | Outcome::Changed { .. } => same = false,
                Outcome::Unknown { .. } => return None,
            }
        }
        Some(same)
    }

    /// Compares the deployed template with the new one.
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

    /// Compares the deployed configuration of the function with the new one.
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
        // A single account is in the variables of the function, which are part of the stack.
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
            let mut deployed = Operator::of_profile(workspace, region, profile)?.inspect(&query)?;
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
                    "Profile `{profile}` belongs to account {account}, where this stage assumes no role ({})",
                    environment.source
                );
            };
            let name = target.role.full_name()?;
            let found = reported(&mut deployed.roles, &name)?;
            self.compare_role(&account, found, one_of(rendered, &file)?)?;
        }
        if profiles.is_empty() && !grants.target_roles.is_empty() {
            self.compared.push(Comparison {
                what: "roles in the Target accounts".to_owned(),
                outcome: Outcome::Unknown {
                    why: "they cannot be read from the Admin account; pass `--target-profile NAME` to read them"
                        .to_owned(),
                },
            });
        }
        Ok(())
    }

    /// Compares the role in `account` with its template.
    fn compare_role(
        &mut self,
        account: &AccountId,
        deployed: Part<DeployedRole>,
        rendered: &Rendered,
    ) -> Result<()> {
        let new = rendered.role()?;
        let what = format!("role {} in account {account}", new.name);
        let old = deployed.and_then(|role| RolePolicies::of(&role));
        let new = RolePolicies::rendered(new);
        if let Part::Ok(old) = &old {
            let sentences = old.broadened_by(&new);
            self.broadens.extend(
                sentences
                    .into_iter()
                    .map(|sentence| format!("{what}: {sentence}")),
            );
        }
        if old.ok().is_some_and(|old| old.is_same(&new)) {
            let outcome = Outcome::Same;
            self.compared.push(Comparison { what, outcome });
        } else {
            self.compare(&what, &old, &new.text(), RolePolicies::text);
        }
        Ok(())
    }

    /// The changes that broaden access, one sentence each.
    pub(crate) fn broadens(&self) -> &[String] {
        &self.broadens
    }

    /// Why it is unknown whether access is broadened, one sentence each.
    pub(crate) fn unclear(&self) -> &[String] {
        &self.unclear
    }

    /// What would be removed, one sentence each.
    pub(crate) fn removes(&self) -> &[String] {
        &self.removes
    }

    fn compare<T>(&mut self, what: &str, old: &Part<T>, new: &str, text: impl Fn(&T) -> String) {
        let outcome = match old {
            Part::Absent => Outcome::New,
            Part::Unreadable(why) => Outcome::Unknown {
                why: format!("{}: {}", why.code, why.message),
            },
            Part::Ok(old) => {
                let old = text(old);
                if old == new {
                    Outcome::Same
                } else {
                    Outcome::Changed {
                        diff: unified_diff::between(("as deployed", &old), ("new", new)),
                    }
                }
            }
        };
        self.compared.push(Comparison {
            what: what.to_owned(),
            outcome,
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
            writeln!(f, "May broaden access:")?;
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
        for Comparison { what, outcome } in &self.compared {
            match outcome {
                Outcome::Same => writeln!(f, "unchanged    {what}")?,
                Outcome::New => writeln!(f, "new          {what}: not deployed yet")?,
                Outcome::Unknown { why } => writeln!(f, "unknown      {what}: {why}")?,
                Outcome::Changed { diff } => write!(f, "changed      {what}\n{diff}")?,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use operator_api::Unreadable;

    #[test]
    fn new_and_unknown_parts_are_listed_after_broader_access() {
        let mut changes = Changes::default();
        let clone = |text: &String| text.clone();
        changes.compare("same", &Part::Ok("a\n".to_owned()), "a\n", clone);
        changes.compare("new", &Part::Absent, "a\n", clone);
        changes.compare("other", &Part::Ok("a\n".to_owned()), "b\n", clone);
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        changes.compare("hidden", &Part::Unreadable(why), "a\n", clone);
        changes.broadens.push("everything".to_owned());
        let text = changes.to_string();
        assert!(
            text.starts_with("Broadens access:\n  ! everything\n\n"),
            "{text}"
        );
        for line in [
            "unchanged    same\n",
            "new          new: not deployed yet\n",
            "changed      other\n",
            "\n-a\n+b\n",
            "unknown      hidden: AccessDenied: no\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    /// An unreadable template may contain anything, so it is reported.
    #[test]
    fn an_unreadable_template_may_broaden_access() {
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
        assert_eq!(changes.broadens(), ["the stack adds AWS::IAM::Role Role"]);
        assert_eq!(changes.unclear(), Vec::<String>::new());
    }
}
