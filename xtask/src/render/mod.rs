//! Environment → template context → rendered text → checked text.
//!
//! Rendering is a pure function of the template and the environment. Users edit the templates, so the output is read back and
//! checked before it can be written or deployed.

mod accounts;
mod checked;
mod checked_role;
pub(crate) mod cloudformation;
mod context;
pub(crate) mod diagram;
pub(crate) mod output;
pub(crate) mod plan;
mod role_context;
pub(crate) mod stage_table;
mod template;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use contract::AccountId;
use minijinja::{
    Value,
    value::{Serde, merge_maps},
};

pub(crate) use self::checked_role::{RenderedRole, harmless_policy};
use self::{checked_role::Side, context::Context, role_context::RoleContext, template::Template};
use crate::{
    policy::{Grants, TargetAccounts, TargetRole},
    sys::{error::InputError, files, workspace::Workspace},
};
use environment::Environment;

/// A file that is rendered for a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum File {
    /// serverless.yml, for the Serverless Framework.
    Serverless,
    /// The Admin account's role stack, for CloudFormation.
    AdminRole,
    /// The Target accounts' role stack, for CloudFormation, for all targets without a role or external ID of their own.
    TargetRole,
    /// The role stack of a target with its own role or external ID.
    TargetRoleOf(AccountId),
}

impl File {
    /// The files of `cargo xtask roles`. The stage determines which Target files exist.
    pub(crate) const ROLES: [Self; 2] = [Self::AdminRole, Self::TargetRole];

    /// One file for each template.
    pub(crate) const ALL: [Self; 3] = [Self::Serverless, Self::AdminRole, Self::TargetRole];

    /// Its path in `dist/STAGE`.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Serverless => "serverless.yml".to_owned(),
            Self::AdminRole => "roles/admin.yml".to_owned(),
            Self::TargetRole => "roles/target.yml".to_owned(),
            Self::TargetRoleOf(account) => format!("roles/target-{account}.yml"),
        }
    }

    /// The path of its template in the workspace.
    pub(crate) fn template_path(&self) -> String {
        format!("templates/{}", self.template())
    }

    /// The path of its template in `templates`.
    fn template(&self) -> &'static str {
        match self {
            Self::Serverless => "serverless.yml.j2",
            Self::AdminRole => "roles/admin.yml.j2",
            Self::TargetRole | Self::TargetRoleOf(_) => "roles/target.yml.j2",
        }
    }
}

/// Returns whether a file name in `dist/STAGE/roles` is that of a Target account's role.
pub(crate) fn is_target_role(name: &str) -> bool {
    name == "target.yml"
        || name
            .strip_prefix("target-")
            .and_then(|rest| rest.strip_suffix(".yml"))
            .is_some_and(|account| account.parse::<AccountId>().is_ok())
}

/// Loaded templates, for any number of stages.
#[derive(Debug)]
pub(crate) struct Templates {
    files: Vec<(File, Template)>,
}

impl Templates {
    /// Loads the templates of `files`.
    ///
    /// # Errors
    /// A template cannot be read.
    pub(crate) fn load(workspace: &Workspace, files: &[File]) -> Result<Self> {
        let files = files
            .iter()
            .map(|file| Ok((file.clone(), Template::load(workspace, file)?)));
        Ok(Self {
            files: files.collect::<Result<_>>()?,
        })
    }

    /// Renders every file of a stage and checks the output.
    ///
    /// # Errors
    /// A template is invalid, its output differs from the environment, or the stage's roles cannot be rendered.
    pub(crate) fn render(&self, environment: &Environment) -> Result<Vec<Rendered>, InputError> {
        let mut rendered = self.deployment(environment)?;
        if self.of_roles().next().is_some() {
            rendered.extend(self.roles(environment, &grants(environment)?)?);
        }
        Ok(rendered)
    }

    /// Renders serverless.yml only, if its template is loaded.
    ///
    /// # Errors
    /// See [`render`](Self::render).
    pub(crate) fn deployment(
        &self,
        environment: &Environment,
    ) -> Result<Vec<Rendered>, InputError> {
        self.files
            .iter()
            .filter(|(file, _)| *file == File::Serverless)
            .map(|(_, template)| Rendered::serverless(template, environment))
            .collect()
    }

    /// Renders the roles only, which must not grant more than `grants`.
    ///
    /// # Errors
    /// See [`render`](Self::render).
    pub(crate) fn roles(
        &self,
        environment: &Environment,
        grants: &Grants,
    ) -> Result<Vec<Rendered>, InputError> {
        let base = Value::from(Serde(Context::of(environment)));
        let mut rendered = Vec::new();
        for (file, template) in self.of_roles() {
            rendered.extend(Rendered::roles(file, template, environment, grants, &base)?);
        }
        Ok(rendered)
    }

    fn of_roles(&self) -> impl Iterator<Item = &(File, Template)> {
        self.files
            .iter()
            .filter(|(file, _)| *file != File::Serverless)
    }
}

/// The expected grants of a stage's roles.
///
/// # Errors
/// The stage's roles cannot be rendered.
pub(crate) fn grants(environment: &Environment) -> Result<Grants, InputError> {
    Grants::of(environment)
        .map_err(|problem| InputError(format!("{}: {problem}", environment.source)))
}

/// The file of the role in `account`, if the stage assumes a role there.
///
/// # Errors
/// The stage's roles cannot be rendered.
pub(crate) fn target_role_file(
    environment: &Environment,
    account: &AccountId,
) -> Result<Option<File>, InputError> {
    let grants = grants(environment)?;
    let found = grants.target_role_in(account);
    Ok(found.map(|role| {
        if role.is_default {
            File::TargetRole
        } else {
            File::TargetRoleOf(account.clone())
        }
    }))
}

/// The files of the Target accounts' roles: one for all accounts with the stage's role, and one for each other role.
fn target_files(grants: &Grants) -> Vec<(File, &TargetRole)> {
    let mut files = Vec::new();
    for role in &grants.target_roles {
        match &role.accounts {
            TargetAccounts::These(accounts) if !role.is_default => {
                let of = |(account, _): &(AccountId, _)| File::TargetRoleOf(account.clone());
                files.extend(accounts.iter().map(|account| (of(account), role)));
            }
            _ => files.push((File::TargetRole, role)),
        }
    }
    files
}

/// A rendered file that was read back and agrees with the stage's variables file.
#[derive(Debug)]
pub(crate) struct Rendered {
    file: File,
    text: String,
    /// The role that the text defines, if any.
    role: Option<RenderedRole>,
}

impl Rendered {
    fn serverless(template: &Template, environment: &Environment) -> Result<Self, InputError> {
        let text = template.render(&Value::from(Serde(Context::of(environment))))?;
        checked::serverless(&text, environment)
            .map_err(|problem| template.gives(environment, &text, &problem))?;
        Ok(Self {
            file: File::Serverless,
            text,
            role: None,
        })
    }

    /// Renders every file of a role's template for a stage: the Target template gives one file for each role. `base` has the names
    /// that every template can use.
    fn roles(
        file: &File,
        template: &Template,
        environment: &Environment,
        grants: &Grants,
        base: &Value,
    ) -> Result<Vec<Self>, InputError> {
        let all = match file {
            File::AdminRole => vec![(
                File::AdminRole,
                RoleContext::of_admin(environment, grants),
                &grants.execution_role,
                Side::Admin,
            )],
            _ => target_files(grants)
                .into_iter()
                .map(|(file, target)| {
                    let context = RoleContext::of_target(environment, &file, target);
                    (file, context, &target.role, Side::Target)
                })
                .collect(),
        };
        all.into_iter()
            .map(|(file, context, role, side)| {
                // Of equal names, the last one wins.
                let context = merge_maps([base.clone(), Value::from(Serde(context))]);
                let text = template.render(&context)?;
                let role = checked_role::role(&text, role, side)
                    .map_err(|problem| template.gives(environment, &text, &problem))?;
                Ok(Self {
                    file,
                    text,
                    role: Some(role),
                })
            })
            .collect()
    }

    /// Renders one file of a stage with the workspace's template.
    ///
    /// # Errors
    /// The template cannot be read, the stage has no such file, or see [`Templates::render`].
    pub(crate) fn of_stage(
        workspace: &Workspace,
        environment: &Environment,
        file: File,
    ) -> Result<Self> {
        let asked = [file];
        let rendered = Templates::load(workspace, &asked)?.render(environment)?;
        rendered
            .into_iter()
            .find(|rendered| asked.contains(&rendered.file))
            .with_context(|| {
                let [file] = &asked;
                format!("the stage `{}` has no {}", environment.stage, file.path())
            })
    }

    /// Returns whether this is `file`.
    pub(crate) fn is(&self, file: &File) -> bool {
        self.file == *file
    }

    /// The role that it defines.
    ///
    /// # Errors
    /// It is serverless.yml, which defines none.
    pub(crate) fn role(&self) -> Result<&RenderedRole> {
        let role = self.role.as_ref();
        role.with_context(|| format!("{} defines no role", self.file.path()))
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its path on disk.
    pub(crate) fn path(&self, workspace: &Workspace, environment: &Environment) -> PathBuf {
        workspace.dist(&environment.stage).join(self.file.path())
    }

    /// Writes it into `dist/STAGE` and returns its path.
    ///
    /// # Errors
    /// It cannot be written; an existing file is unchanged.
    pub(crate) fn write(
        &self,
        workspace: &Workspace,
        environment: &Environment,
    ) -> Result<PathBuf> {
        let path = self.path(workspace, environment);
        if let Some(directory) = path.parent() {
            files::sweep(directory)?;
        }
        files::write(&path, self.text.as_bytes())?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::samples;

    fn templates() -> Templates {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Templates::load(&Workspace::locate(Some(&root)).unwrap(), &File::ROLES).unwrap()
    }

    #[test]
    fn the_roles_of_every_kind_of_stage() {
        let templates = templates();
        for sample in samples::all() {
            let texts: Vec<String> = templates
                .roles(&sample.environment, &sample.grants)
                .unwrap_or_else(|problem| panic!("{}: {problem}", sample.name))
                .into_iter()
                .map(|one| format!("=== {}\n{}", one.file.path(), one.text))
                .collect();
            insta::assert_snapshot!(format!("roles_{}", sample.name), texts.concat());
        }
    }

    #[test]
    fn as_many_targets_as_fit_are_rendered() {
        let stage = samples::stage("");
        let grants = Grants::of_selection(&stage, &samples::targets(1_470)).unwrap();
        let rendered = templates()
            .roles(&stage, &grants)
            .unwrap_or_else(|problem| panic!("{problem}"));
        let named = rendered[0].text.matches(":role/MyS3ReadRole\"").count();
        assert_eq!(named, 1_470);
    }

    #[test]
    fn the_names_of_target_roles() {
        assert!(is_target_role("target.yml") && is_target_role("target-012345678901.yml"));
        for other in [
            "admin.yml",
            "target-1.yml",
            "target-prod.yml",
            "target.yml.bak",
        ] {
            assert!(!is_target_role(other), "{other}");
        }
    }
}
