//! Renders templates with minijinja: undefined names are errors, and all values are escaped.

use std::io;

use minijinja::{
    AutoEscape, Environment as Engine, UndefinedBehavior, Value, syntax::SyntaxConfig,
};

use super::File;
use crate::sys::{error::InputError, files, workspace::Workspace};
use environment::Environment;

/// The maximum size of a template. CloudFormation limits the output to 1 MB.
const LARGEST: usize = 1 << 20;

/// A user's template.
#[derive(Debug)]
pub(super) struct Template {
    source: Source,
    /// The template, compiled once for all stages, or its syntax error.
    engine: Result<Engine<'static>, InputError>,
}

/// The text of a template.
#[derive(Debug)]
struct Source {
    /// Its path, for messages.
    name: String,
    text: String,
}

impl Template {
    /// Loads the workspace's template of `file`.
    ///
    /// Syntax errors are reported when the template is rendered.
    ///
    /// # Errors
    /// The template cannot be read, or is not UTF-8.
    pub(super) fn load(workspace: &Workspace, file: &File) -> anyhow::Result<Self> {
        let path = workspace.templates().join(file.template());
        let name = workspace.shown(&path);
        let bytes = files::read_at_most(&path, LARGEST + 1).map_err(|error| {
            let missing = error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
            if missing {
                InputError(format!(
                    "`{name}` is missing\nhint: restore it from version control"
                ))
            } else {
                InputError(format!(
                    "{error:#}\nhint: a template must be a readable file"
                ))
            }
        })?;
        if bytes.len() > LARGEST {
            let most = LARGEST >> 20;
            return Err(InputError(format!(
                "`{name}` is too large: more than {most} MiB\nhint: restore it from version control"
            ))
            .into());
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            InputError(format!(
                "`{name}` is not UTF-8 (byte {})",
                error.utf8_error().valid_up_to()
            ))
        })?;
        let source = Source { name, text };
        let engine = source.compile();
        Ok(Self { source, engine })
    }

    /// Renders the template.
    ///
    /// # Errors
    /// The template is invalid; the message has its file and line.
    pub(super) fn render(&self, context: &Value) -> Result<String, InputError> {
        let engine = self.engine.as_ref().map_err(Clone::clone)?;
        engine
            .get_template(&self.source.name)
            .and_then(|template| template.render(context))
            .map_err(|error| self.source.problem(&error))
    }

    /// Reports a problem in the template's output.
    pub(super) fn gives(
        &self,
        environment: &Environment,
        text: &str,
        problem: &super::checked::Problem,
    ) -> InputError {
        let place = problem.line.map_or_else(String::new, |line| {
            let shown = text.lines().nth(line - 1).unwrap_or_default();
            format!("\n  --> line {line} of the rendered text\n   | {shown}")
        });
        InputError(format!(
            "The output of `{}` does not match {}: {}{place}\nhint: {}",
            self.source.name, environment.source, problem.what, problem.hint
        ))
    }
}

impl Source {
    fn compile(&self) -> Result<Engine<'static>, InputError> {
        let mut engine = Engine::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_syntax(syntax());
        // JSON strings are YAML double-quoted scalars, so a value cannot end its own quotes.
        engine.set_auto_escape_callback(|_| AutoEscape::Json);
        engine
            .add_template_owned(self.name.clone(), self.text.clone())
            .map_err(|error| self.problem(&error))?;
        Ok(engine)
    }

    /// Formats an error of minijinja with the template's line.
    fn problem(&self, error: &minijinja::Error) -> InputError {
        let what = error.detail().map_or_else(
            || error.kind().to_string(),
            |detail| format!("{}: {detail}", error.kind()),
        );
        let Some(line) = error.line() else {
            return InputError(format!("{what}\n  --> {}", self.name));
        };
        let text = self.text.lines().nth(line - 1).unwrap_or_default();
        let hint = match error.kind() {
            minijinja::ErrorKind::UndefinedError => {
                "\nhint: the names that a template can use are listed in docs/templates.md"
            }
            _ => "",
        };
        InputError(format!(
            "{what}\n  --> {}:{line}\n   | {text}{hint}",
            self.name
        ))
    }
}

/// Lines with only a tag leave no blank line, and the trailing newline is kept.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .unwrap_or_default()
}
