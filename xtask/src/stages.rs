//! Finds the stages of the workspace, each with a file `variables.STAGE.yml` or `.yaml`, and reads these files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use contract::Stage;

use crate::sys::{
    console,
    error::{InputError, ProblemReport},
    files, parallel,
    workspace::Workspace,
};
use environment::Environment;

/// Reads and checks the file of one stage.
///
/// # Errors
/// An [`InputError`] if the stage does not exist or its file cannot be read, a [`ProblemReport`] if the file is invalid.
pub(crate) fn load(workspace: &Workspace, stage: &str) -> Result<Environment> {
    let (stage, path) = find(workspace, stage)?;
    read(workspace, stage, &path)
}

/// Reads and checks the file of every stage, sorted by name. Lists the directory once.
///
/// # Errors
/// The directory cannot be read. Errors in a file or its name are in the result of its stage.
pub(crate) fn load_all(workspace: &Workspace) -> Result<Vec<(String, Result<Environment>)>> {
    let stages = all(workspace)?;
    Ok(parallel::map(stages, |(name, found)| {
        let environment = found.and_then(|(stage, path)| read(workspace, stage, &path));
        (name, environment)
    }))
}

/// Puts the account IDs in one stage's file, or in every stage's, in quotes and changes nothing else. Returns the files that
/// were written, each with the number of IDs.
///
/// # Errors
/// There is no such stage, or a file cannot be read or written.
pub(crate) fn quote_ids(
    workspace: &Workspace,
    stage: Option<&str>,
) -> Result<Vec<(String, usize)>> {
    let files = match stage {
        Some(stage) => vec![find(workspace, stage)?],
        // An invalid file name is reported when the stage is loaded.
        None => all(workspace)?
            .into_iter()
            .filter_map(|(_, found)| found.ok())
            .collect(),
    };
    let mut written = Vec::new();
    for (stage, path) in files {
        let source = workspace.shown(&path);
        let Ok(bytes) = bytes_of(&path) else {
            continue;
        };
        let Err(problems) = environment::parse(&source, stage, &bytes) else {
            continue;
        };
        if let Some((fixed, count)) = problems.fixed(&bytes) {
            files::rewrite(&path, &fixed)?;
            written.push((source, count));
        }
    }
    Ok(written)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    // One more than the limit, to detect a larger file.
    files::read_at_most(path, environment::MAX_FILE_BYTES + 1)
}

fn read(workspace: &Workspace, stage: Stage, path: &Path) -> Result<Environment> {
    let bytes = bytes_of(path).map_err(|error| {
        InputError(format!(
            "{error:#}\nhint: check that it is a file and that you have permission to read it"
        ))
    })?;
    environment::parse(&workspace.shown(path), stage, &bytes)
        .map_err(|problems| ProblemReport(problems.render(console::has_colours())).into())
}

/// A file with the name of a variables file.
struct StageFile {
    /// The middle of its name.
    stage: String,
    /// Its name.
    name: String,
}

/// A stage with the path of its file, or the error in the file's name.
type Found = Result<(Stage, PathBuf)>;

fn stage_files(workspace: &Workspace) -> Result<Vec<StageFile>> {
    let names = files::names_in(&workspace.environments())?;
    let stage_of = |name: &str| {
        let rest = name.strip_prefix("variables.")?;
        let stage = rest
            .strip_suffix(".yml")
            .or_else(|| rest.strip_suffix(".yaml"))?;
        Some(stage.to_owned())
    };
    Ok(names
        .into_iter()
        .filter_map(|name| {
            let stage = stage_of(&name)?;
            Some(StageFile { stage, name })
        })
        .collect())
}

/// The stages of the workspace with their files, sorted by name. An error in a file's name affects only its stage.
fn all(workspace: &Workspace) -> Result<Vec<(String, Found)>> {
    let directory = workspace.shown(&workspace.environments());
    let mut files = stage_files(workspace)?;
    files.sort_by(|one, other| (&one.stage, &one.name).cmp(&(&other.stage, &other.name)));
    let of_stage = |files: &[StageFile]| {
        let StageFile { stage, name } = &files[0];
        let found = match stage.parse::<Stage>() {
            Ok(stage) if files.len() > 1 => Err(InputError(twice(&directory, &stage)).into()),
            Ok(stage) => Ok((stage, workspace.environments().join(name))),
            Err(error) => Err(InputError(format!(
                "{directory}/{}: {error}\nhint: rename the file: {}",
                name.escape_debug(),
                error.hint().unwrap_or_default()
            ))
            .into()),
        };
        (stage.clone(), found)
    };
    Ok(files
        .chunk_by(|one, other| one.stage == other.stage)
        .map(of_stage)
        .collect())
}

/// The stages of the workspace, sorted by name.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn list(workspace: &Workspace) -> Result<Vec<Stage>> {
    let found = all(workspace)?.into_iter();
    Ok(found.filter_map(|(name, _)| name.parse().ok()).collect())
}

fn twice(directory: &str, stage: &Stage) -> String {
    format!(
        "Stage `{stage}` has two files: {directory}/variables.{stage}.yml and {directory}/variables.{stage}.yaml\nhint: remove one of them"
    )
}

/// Finds the file of the stage `name`.
///
/// # Errors
/// The name is invalid, the stage does not exist (the error lists those that do), or it has two files.
fn find(workspace: &Workspace, name: &str) -> Result<(Stage, PathBuf)> {
    let directory = workspace.shown(&workspace.environments());
    let files = stage_files(workspace)?;
    let list = || {
        let mut known: Vec<&str> = files
            .iter()
            .map(|file| file.stage.as_str())
            .filter(|stage| stage.parse::<Stage>().is_ok())
            .collect();
        known.sort_unstable();
        known.dedup();
        if known.is_empty() {
            return format!(
                "hint: {directory}/ has no stages yet; create {directory}/variables.dev.yml"
            );
        }
        let meant = environment::closest(&name.to_ascii_lowercase(), known.iter().copied())
            .map_or_else(String::new, |stage| format!("; did you mean `{stage}`?"));
        format!("hint: the stages are {}{meant}", known.join(", "))
    };
    let stage: Stage = name.parse().map_err(|error: contract::InvalidValue| {
        let hint = error.hint().unwrap_or_default();
        InputError(format!("{error}: {hint}\n{}", list()))
    })?;
    let found: Vec<&StageFile> = files.iter().filter(|file| file.stage == name).collect();
    match found[..] {
        [] => Err(InputError(format!(
            "Stage `{stage}` not found: neither {directory}/variables.{stage}.yml nor .yaml exists\n{}",
            list()
        ))
        .into()),
        [file] => Ok((stage, workspace.environments().join(&file.name))),
        _ => Err(InputError(twice(&directory, &stage)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(files: &[&str]) -> (tempfile::TempDir, Workspace) {
        let directory = tempfile::tempdir().unwrap();
        for name in files {
            let path = directory.path().join("environments").join(name);
            files::write(&path, b"").unwrap();
        }
        let workspace = Workspace::locate(Some(directory.path())).unwrap();
        (directory, workspace)
    }

    fn problem<T: std::fmt::Debug>(result: Result<T>) -> String {
        result
            .unwrap_err()
            .downcast::<InputError>()
            .unwrap()
            .to_string()
    }

    #[test]
    fn stages_are_the_middles_of_the_names() {
        let (_directory, workspace) = workspace(&[
            "variables.prod.yaml",
            "variables.dev.yml",
            "variables.schema.json",
            "variables.dev.yml.bak",
            "variables.yml",
            "notes.md",
            ".variables.old.yml",
        ]);
        let names: Vec<String> = list(&workspace)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["dev", "prod"]);
        let (stage, path) = find(&workspace, "prod").unwrap();
        assert_eq!(stage.as_str(), "prod");
        assert!(path.ends_with("environments/variables.prod.yaml"));
    }

    #[test]
    fn every_bad_name_is_told_at_once() {
        let (_directory, workspace) = workspace(&[
            "variables.a_b.yml",
            "variables..yml",
            "variables.dev.yml",
            "variables.dev.yaml",
            "variables.a.b.yml",
        ]);
        let problems = all(&workspace).unwrap().into_iter();
        let problems: Vec<String> = problems.map(|(_, found)| problem(found)).collect();
        insta::assert_snapshot!(problems.join("\n\n"), @"
        environments/variables..yml: stage `` is not a stage name
        hint: rename the file: a stage has 1 to 32 letters, digits and hyphens, and starts with a letter

        environments/variables.a.b.yml: stage `a.b` is not a stage name
        hint: rename the file: a stage has 1 to 32 letters, digits and hyphens, and starts with a letter

        environments/variables.a_b.yml: stage `a_b` is not a stage name
        hint: rename the file: a stage has 1 to 32 letters, digits and hyphens, and starts with a letter

        Stage `dev` has two files: environments/variables.dev.yml and environments/variables.dev.yaml
        hint: remove one of them
        ");
        assert_eq!(list(&workspace).unwrap().len(), 1);
        insta::assert_snapshot!(problem(find(&workspace, "dev")), @"
        Stage `dev` has two files: environments/variables.dev.yml and environments/variables.dev.yaml
        hint: remove one of them
        ");
    }

    #[test]
    fn a_stage_that_there_is_not() {
        let (_directory, workspace) = workspace(&["variables.dev.yml", "variables.prod.yml"]);
        insta::assert_snapshot!(problem(find(&workspace, "prd")), @"
        Stage `prd` not found: neither environments/variables.prd.yml nor .yaml exists
        hint: the stages are dev, prod; did you mean `prod`?
        ");
        insta::assert_snapshot!(problem(find(&workspace, "../x")), @"
        stage `../x` is not a stage name: a stage has 1 to 32 letters, digits and hyphens, and starts with a letter
        hint: the stages are dev, prod
        ");
        insta::assert_snapshot!(problem(find(&workspace, "")), @"
        stage `` is not a stage name: a stage has 1 to 32 letters, digits and hyphens, and starts with a letter
        hint: the stages are dev, prod
        ");
    }

    #[test]
    fn a_workspace_without_stages() {
        let (_directory, workspace) = workspace(&[]);
        assert_eq!(list(&workspace).unwrap(), []);
        insta::assert_snapshot!(problem(find(&workspace, "dev")), @"
        Stage `dev` not found: neither environments/variables.dev.yml nor .yaml exists
        hint: environments/ has no stages yet; create environments/variables.dev.yml
        ");
    }

    /// The whole directory of shipped files is valid, and each names the schema in its first line.
    #[test]
    fn the_shipped_files() {
        let workspace = Workspace::locate(None).unwrap();
        let stages = list(&workspace).unwrap();
        assert_eq!(
            stages,
            ["dev", "fleet", "prod"].map(|stage| stage.parse::<Stage>().unwrap())
        );
        for stage in &stages {
            let environment =
                load(&workspace, stage.as_str()).unwrap_or_else(|error| panic!("{error}"));
            let bytes = files::read(&workspace.root().join(&environment.source)).unwrap();
            assert!(bytes.starts_with(b"# yaml-language-server: $schema=variables.schema.json\n"));
            assert_eq!(environment.variables.protected, stage.as_str() == "prod");
        }
    }

    #[test]
    fn a_stage_that_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        files::create_directory(&directory.path().join("environments/variables.dev.yml")).unwrap();
        let workspace = Workspace::locate(Some(directory.path())).unwrap();
        let error = load(&workspace, "dev").unwrap_err();
        let problem = error.downcast::<InputError>().unwrap().to_string();
        let root = workspace.root().display().to_string();
        insta::assert_snapshot!(problem.replace(&root, "…"), @"
        Failed to read `…/environments/variables.dev.yml`: it is a directory
        hint: check that it is a file and that you have permission to read it
        ");
    }
}
