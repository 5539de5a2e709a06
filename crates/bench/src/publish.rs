//! Publishes a full run: its figures (`docs/bench.json`), and what follows from them alone, the picture and the blocks in
//! the documentation.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::{files, picture, print, report, summary::Summary};

const FIGURES: &str = "bench.json";
const PICTURE: &str = "bench.svg";

/// Writes the figures into `directory`.
///
/// # Errors
/// They cannot be written.
pub(crate) fn figures(directory: &Path, summary: &Summary) -> Result<()> {
    files::write_json(&directory.join(FIGURES), summary)
}

/// Draws the picture beside the figures of `directory`, and prints the documentation's blocks as JSON.
///
/// # Errors
/// There are no figures, or the picture cannot be written.
pub(crate) fn draw(directory: &Path) -> Result<()> {
    let summary: Summary = files::read_json(&directory.join(FIGURES))?;
    files::write(&directory.join(PICTURE), &picture::draw(&summary)?)?;
    let blocks = json!({
        "readme": report::in_brief(&summary),
        "page": report::for_page(&summary),
    });
    print::result(&format!("{blocks}\n"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures, blocks and picture are committed together: none of them is changed by hand, or alone.
    #[test]
    fn the_documentation_shows_what_the_committed_figures_give() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let directory = root.join("docs");
        let block = |file: &str, name: &str| {
            let text = files::read(&root.join(file)).unwrap();
            let begin = format!("<!-- generated: {name} -->\n");
            let (_, rest) = text.split_once(&begin).unwrap();
            rest.split_once("<!-- end -->").unwrap().0.to_owned()
        };
        let readme = block("README.md", "performance");
        let page = block("docs/performance.md", "bench");
        if !directory.join(FIGURES).exists() {
            for block in [readme, page] {
                assert_eq!(block, "Not measured yet: `cargo xtask bench` does it.\n");
            }
            assert!(!directory.join(PICTURE).exists(), "a picture of no figures");
            return;
        }
        let hint = "hint: run `cargo xtask bench --redraw`";
        let summary: Summary = files::read_json(&directory.join(FIGURES)).unwrap();
        assert!(!summary.quick && summary.failures.is_empty());
        assert_eq!(readme, report::in_brief(&summary), "{hint}");
        assert_eq!(page, report::for_page(&summary), "{hint}");
        let picture = files::read(&directory.join(PICTURE)).unwrap();
        assert!(
            picture == picture::draw(&summary).unwrap(),
            "docs/{PICTURE} is out of date\n{hint}"
        );
    }
}
