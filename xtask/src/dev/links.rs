//! Checks the links of the documentation: every relative link leads to a file, and every anchor to a heading.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Component, Path, PathBuf},
};

use anyhow::Result;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::sys::{files, workspace::Workspace};

/// The directory of the book.
const BOOK: &str = "docs";

/// The table of contents of the book. mdBook leaves out pages that it does not link to.
const SUMMARY: &str = "docs/SUMMARY.md";

/// Lists the broken links, as messages.
///
/// # Errors
/// A document cannot be read.
pub(crate) fn broken(workspace: &Workspace) -> Result<Vec<String>> {
    let documents = documents(workspace)?;
    let mut problems = Vec::new();
    for (path, document) in &documents {
        for link in &document.links {
            if let Err(why) = follow(workspace, &documents, path, &link.target) {
                problems.push(format!(
                    "error: {}:{}: broken link `{}`: {why}",
                    path.display(),
                    link.line,
                    link.target
                ));
            }
        }
    }
    if let Some(summary) = documents.get(Path::new(SUMMARY)) {
        let listed: HashSet<PathBuf> = summary
            .links
            .iter()
            .filter_map(|link| resolve(Path::new(BOOK), &link.target))
            .collect();
        let pages = documents.keys().filter(|path| path.starts_with(BOOK));
        for page in pages.filter(|page| *page != Path::new(SUMMARY) && !listed.contains(*page)) {
            problems.push(format!(
                "error: {SUMMARY} has no link to {}",
                page.display()
            ));
        }
    }
    Ok(problems)
}

#[derive(Debug, Default)]
struct Document {
    links: Vec<Link>,
    anchors: HashSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Link {
    target: String,
    line: usize,
}

/// The Markdown files of the workspace's root and of the book, by their path from the root.
fn documents(workspace: &Workspace) -> Result<BTreeMap<PathBuf, Document>> {
    let mut documents = BTreeMap::new();
    for directory in ["", BOOK] {
        for name in files::names_in(&workspace.root().join(directory))? {
            let path = Path::new(directory).join(name);
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = files::read(&workspace.root().join(&path))?;
                documents.insert(path, parse(&String::from_utf8_lossy(&text)));
            }
        }
    }
    Ok(documents)
}

fn parse(text: &str) -> Document {
    let mut document = Document::default();
    let mut heading: Option<String> = None;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let line = text[..range.start].matches('\n').count() + 1;
                let target = dest_url.into_string();
                document.links.push(Link { target, line });
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let count = seen.entry(anchor.clone()).or_default();
                document.anchors.insert(match count {
                    0 => anchor,
                    _ => format!("{anchor}-{count}"),
                });
                *count += 1;
            }
            _ => {}
        }
    }
    document
}

/// The anchor that GitHub, GitLab and mdBook give a heading.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ if character.is_alphanumeric() => Some(character.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// Fails with the reason why the link `target` in `document` is broken. Links to other sites are not checked.
fn follow(
    workspace: &Workspace,
    documents: &BTreeMap<PathBuf, Document>,
    document: &Path,
    target: &str,
) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        document.to_owned()
    } else {
        let directory = document.parent().unwrap_or(Path::new(""));
        resolve(directory, file).ok_or("it leads out of the project")?
    };
    if !workspace.root().join(&path).exists() {
        return Err(format!("{} does not exist", path.display()));
    }
    if document.starts_with(BOOK) && !path.starts_with(BOOK) {
        return Err("it leads out of the book".to_owned());
    }
    let anchors = documents.get(&path).map(|document| &document.anchors);
    if !anchor.is_empty() && !anchors.is_some_and(|anchors| anchors.contains(anchor)) {
        return Err(format!("{} has no such heading", path.display()));
    }
    Ok(())
}

/// The path of the file `target` from the root. `None` if it is outside.
fn resolve(directory: &Path, target: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for component in directory.join(target).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => path.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_anchors_are_found() {
        let text = "# `A b`, c_d\n\n## Same\n\n[x](y.md#z) `[no](code)`\n\n## Same\n\n| t |\n|---|\n| ![i](i.svg) |\n\n\
                    ```\n[no](block)\n```\n[r]\n\n[r]: ref.md\n";
        let document = parse(text);
        let links: Vec<_> = document
            .links
            .iter()
            .map(|link| (link.target.as_str(), link.line))
            .collect();
        assert_eq!(links, [("y.md#z", 5), ("i.svg", 11), ("ref.md", 16)]);
        assert_eq!(
            document.anchors,
            ["a-b-c_d", "same", "same-1"].map(str::to_owned).into()
        );
    }

    #[test]
    fn paths_stay_in_the_project() {
        let docs = Path::new("docs");
        assert_eq!(resolve(docs, "../a/b.md").unwrap(), Path::new("a/b.md"));
        assert_eq!(resolve(docs, "./b.md").unwrap(), Path::new("docs/b.md"));
        assert!(resolve(docs, "../../b.md").is_none());
        assert!(resolve(docs, "/b.md").is_none());
    }
}
