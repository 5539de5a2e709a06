//! Environment → template context → rendered text → checked text.
//!
//! Rendering is a pure function of the template and the environment. What comes out is read back before anyone can
//! write or deploy it, since the templates are the user's to edit.

mod accounts;
mod checked;
mod context;
mod template;

use std::path::PathBuf;

use anyhow::Result;

use self::{context::Context, template::Template};
use crate::{environment::Environment, fault::InputFault, files, workspace::Workspace};

/// A file that is rendered for every stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    /// The deployment, for the Serverless Framework.
    Serverless,
    /// The Admin account's role, for CloudFormation.
    AdminRole,
    /// The Target account's role, for CloudFormation.
    TargetRole,
}

impl File {
    /// The files of `cargo xtask roles`.
    pub(crate) const ROLES: [Self; 2] = [Self::AdminRole, Self::TargetRole];

    /// Its path inside `dist/STAGE`; the template has the same inside `templates`, and `.j2` at its end.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Serverless => "serverless.yml",
            Self::AdminRole => "roles/admin.yml",
            Self::TargetRole => "roles/target.yml",
        }
    }
}

/// The templates, read once for any number of stages.
#[derive(Debug)]
pub(crate) struct Templates {
    files: Vec<(File, Template)>,
}

impl Templates {
    /// Reads the templates of `files`.
    ///
    /// # Errors
    /// One cannot be read.
    pub(crate) fn load(workspace: &Workspace, files: &[File]) -> Result<Self> {
        let files = files
            .iter()
            .map(|&file| Ok((file, Template::load(workspace, file)?)));
        Ok(Self {
            files: files.collect::<Result<_>>()?,
        })
    }

    /// Renders every one of them for a stage, and checks what came out.
    ///
    /// # Errors
    /// A template has a fault, or what it gives is not what the environment asks for.
    pub(crate) fn render(&self, environment: &Environment) -> Result<Vec<Rendered>, InputFault> {
        let context = Context::of(environment);
        self.files
            .iter()
            .map(|(file, template)| Rendered::new(*file, template, &context, environment))
            .collect()
    }
}

/// A rendered file of a stage: read back, and found to say what the stage's variables say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    file: File,
    text: String,
}

impl Rendered {
    fn new(
        file: File,
        template: &Template,
        context: &Context,
        environment: &Environment,
    ) -> Result<Self, InputFault> {
        let text = template.render(context)?;
        let checked = match file {
            File::Serverless => checked::serverless(&text, environment),
            File::AdminRole | File::TargetRole => checked::cloudformation(&text),
        };
        checked.map_err(|problem| template.gives(environment, &text, &problem))?;
        Ok(Self { file, text })
    }

    /// Renders one file of a stage with the workspace's own template.
    ///
    /// # Errors
    /// The template cannot be read, or as for [`Templates::render`].
    pub(crate) fn of_stage(
        workspace: &Workspace,
        environment: &Environment,
        file: File,
    ) -> Result<Self> {
        let template = Template::load(workspace, file)?;
        Ok(Self::new(
            file,
            &template,
            &Context::of(environment),
            environment,
        )?)
    }

    /// The whole file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where it lies on disk.
    pub(crate) fn path(&self, workspace: &Workspace, environment: &Environment) -> PathBuf {
        workspace.dist(&environment.stage).join(self.file.path())
    }

    /// Writes it into `dist/STAGE`, and gives its path.
    ///
    /// # Errors
    /// It cannot be written; then what was there is still there.
    pub(crate) fn write(
        &self,
        workspace: &Workspace,
        environment: &Environment,
    ) -> Result<PathBuf> {
        let path = self.path(workspace, environment);
        files::write(&path, self.text.as_bytes())?;
        Ok(path)
    }
}
