//! What is committed of a full run: its figures (`docs/bench.json`), and what is made from them and from nothing else, the
//! picture beside them and the README's block.

use std::path::Path;

use anyhow::Result;

use crate::{files, picture, print, report, summary::Summary};

const FIGURES: &str = "bench.json";
const PICTURE: &str = "bench.svg";

/// Writes the figures into `folder`.
///
/// # Errors
/// They cannot be written.
pub(crate) fn figures(folder: &Path, summary: &Summary) -> Result<()> {
    files::write_json(&folder.join(FIGURES), summary)
}

/// Draws the picture beside the figures of `folder`, and prints the README's block.
///
/// # Errors
/// There are no figures, or the picture cannot be written.
pub(crate) fn draw(folder: &Path) -> Result<()> {
    let summary: Summary = files::read_json(&folder.join(FIGURES))?;
    files::write(&folder.join(PICTURE), &picture::whole(&summary)?)?;
    print::result(&report::for_readme(&summary))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures, table and picture are committed together: none of them is changed by hand, or alone.
    #[test]
    fn the_readme_shows_what_the_committed_figures_give() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = root.join("docs");
        let readme = files::read(&root.join("README.md")).unwrap();
        let (_, rest) = readme.split_once("<!-- generated: bench -->\n").unwrap();
        let (block, _) = rest.split_once("<!-- end -->").unwrap();
        if !folder.join(FIGURES).exists() {
            assert_eq!(block, "Not measured yet: `cargo xtask bench` does it.\n");
            assert!(!folder.join(PICTURE).exists(), "a picture of no figures");
            return;
        }
        let mend = "hint: cargo xtask bench --redraw";
        let summary: Summary = files::read_json(&folder.join(FIGURES)).unwrap();
        assert!(!summary.quick && summary.failures.is_empty());
        assert_eq!(block, report::for_readme(&summary), "{mend}");
        let picture = files::read(&folder.join(PICTURE)).unwrap();
        assert!(
            picture == picture::whole(&summary).unwrap(),
            "docs/{PICTURE} is stale\n{mend}"
        );
    }
}
