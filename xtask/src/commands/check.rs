//! Subcommand: validate the variables files, the templates and the generated files.

use anyhow::Result;

use crate::{
    cli,
    deploy::collisions,
    dev::generated,
    policy::Grants,
    render::{File, Templates},
    stages,
    sys::{
        console,
        error::{self, AlreadyReported},
        parallel,
        workspace::Workspace,
    },
};

/// Reports every problem of every stage. Exits with 2 if an input is invalid, and with 1 if a generated file is out of date.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Check) -> Result<()> {
    let templates = Templates::load(workspace, &File::ALL)?;
    if flags.fix {
        for (source, count) in stages::quote_ids(workspace, flags.stage.env.as_deref())? {
            console::note(&format!(
                "wrote {source}: account IDs put in quotes: {count}"
            ));
        }
    }
    let environments = match &flags.stage.env {
        Some(stage) => vec![stages::load(workspace, stage)],
        None => super::load_all(workspace)?
            .into_iter()
            .map(|(_, environment)| environment)
            .collect(),
    };
    let checked = parallel::map(environments, |environment| {
        let environment = environment?;
        templates.deployment(&environment)?;
        // A valid stage may have roles that are managed in another way.
        let grants = Grants::of(&environment);
        if let Ok(grants) = &grants {
            templates.roles(&environment, grants)?;
        }
        Ok((environment, grants.err()))
    });
    let mut errors = Vec::new();
    let mut valid = Vec::new();
    for checked in checked {
        match checked {
            Ok((environment, unmade)) => {
                console::note(&format!("ok  {}", environment.source));
                if let Some(why) = unmade {
                    console::note(&format!("    note: `roles` cannot render its roles: {why}"));
                }
                valid.push(environment);
            }
            Err(error) if error::is_of_input(&error) => {
                errors.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    errors.extend(collisions::problems(&valid).into_iter().map(Into::into));
    let stale = if flags.stage.env.is_none() {
        generated::check(workspace, flags.fix)
    } else {
        Ok(Vec::new())
    };
    for problem in stale.iter().flatten() {
        console::note(problem);
    }
    error::report_all(errors)?;
    if stale?.is_empty() {
        Ok(())
    } else {
        Err(AlreadyReported.into())
    }
}
