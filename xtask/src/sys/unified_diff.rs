//! Unified diffs, as `diff -u` prints them.

use similar::TextDiff;

/// Compares the file `name` on disk with what it should hold.
pub(crate) fn with_disk(name: &str, on_disk: &str, generated: &str) -> String {
    between(
        (&format!("{name} (on disk)"), on_disk),
        (&format!("{name} (generated)"), generated),
    )
}

/// Compares two texts, each given with its name.
pub(crate) fn between((old_name, old): (&str, &str), (new_name, new): (&str, &str)) -> String {
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(old_name, new_name)
        .to_string()
}
