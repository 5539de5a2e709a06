//! The template: minijinja with every undefined name an error and every value escaped.

use std::io;

use minijinja::{
    AutoEscape, Environment as Engine, UndefinedBehavior, Value, syntax::SyntaxConfig,
};

use super::File;
use crate::{
    environment::Environment,
    sys::{fault::InputFault, files, workspace::Workspace},
};

/// The largest template that is read. The Framework's own limit, CloudFormation's, is 1 MB for what comes out of one.
const LARGEST: usize = 1 << 20;

/// A template of the user's.
#[derive(Debug)]
pub(super) struct Template {
    source: Source,
    /// With the one template in it, compiled once for all stages; or the fault that it has for each of them.
    engine: Result<Engine<'static>, InputFault>,
}

/// A template's text.
#[derive(Debug)]
struct Source {
    /// Its path, as a person reads it.
    name: String,
    text: String,
}

impl Template {
    /// The workspace's template of `file`.
    ///
    /// A fault in it is one of whatever is rendered by it.
    ///
    /// # Errors
    /// It cannot be read, or is not UTF-8.
    pub(super) fn load(workspace: &Workspace, file: &File) -> anyhow::Result<Self> {
        let path = workspace.templates().join(file.template());
        let name = workspace.shown(&path);
        let bytes = files::read_at_most(&path, LARGEST + 1).map_err(|error| {
            let missing = error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
            if missing {
                InputFault(format!(
                    "`{name}` is missing\nhint: restore it from version control"
                ))
            } else {
                InputFault(format!(
                    "{error:#}\nhint: a template is a file that you may read"
                ))
            }
        })?;
        if bytes.len() > LARGEST {
            let most = LARGEST >> 20;
            return Err(InputFault(format!(
                "`{name}` is too large: more than {most} MiB\nhint: restore it from version control"
            ))
            .into());
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            InputFault(format!(
                "`{name}` is not UTF-8 (byte {})",
                error.utf8_error().valid_up_to()
            ))
        })?;
        let source = Source { name, text };
        let engine = source.compile();
        Ok(Self { source, engine })
    }

    /// Renders the template: a function of the two alone.
    ///
    /// # Errors
    /// The template has a fault; the message names its file and line.
    pub(super) fn render(&self, context: &Value) -> Result<String, InputFault> {
        let engine = self.engine.as_ref().map_err(Clone::clone)?;
        engine
            .get_template(&self.source.name)
            .and_then(|template| template.render(context))
            .map_err(|error| self.source.fault(&error))
    }

    /// A fault of what the template gives.
    pub(super) fn gives(
        &self,
        environment: &Environment,
        text: &str,
        problem: &super::checked::Problem,
    ) -> InputFault {
        let place = problem.line.map_or_else(String::new, |line| {
            let shown = text.lines().nth(line - 1).unwrap_or_default();
            format!("\n  --> line {line} of the rendered text\n   | {shown}")
        });
        InputFault(format!(
            "`{}` does not give what {} asks for: {}{place}\nhint: {}",
            self.source.name, environment.source, problem.what, problem.hint
        ))
    }
}

impl Source {
    fn compile(&self) -> Result<Engine<'static>, InputFault> {
        let mut engine = Engine::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_syntax(syntax());
        // JSON's texts are YAML's double-quoted ones: nothing in a value can leave its quotes.
        engine.set_auto_escape_callback(|_| AutoEscape::Json);
        engine
            .add_template_owned(self.name.clone(), self.text.clone())
            .map_err(|error| self.fault(&error))?;
        Ok(engine)
    }

    /// A fault that minijinja found, with the line it stands in.
    fn fault(&self, error: &minijinja::Error) -> InputFault {
        let what = error.detail().map_or_else(
            || error.kind().to_string(),
            |detail| format!("{}: {detail}", error.kind()),
        );
        let Some(line) = error.line() else {
            return InputFault(format!("{what}\n  --> {}", self.name));
        };
        let text = self.text.lines().nth(line - 1).unwrap_or_default();
        let hint = match error.kind() {
            minijinja::ErrorKind::UndefinedError => {
                "\nhint: the names that a template can use are listed in README.md, \"The template\""
            }
            _ => "",
        };
        InputFault(format!(
            "{what}\n  --> {}:{line}\n   | {text}{hint}",
            self.name
        ))
    }
}

/// A line that holds only a tag leaves nothing behind, and a file ends as its template does.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .unwrap_or_default()
}
