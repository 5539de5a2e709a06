//! The pinned tools, where xtask has put them, and hashes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use e2e::Copy;
use hmac_sha256::Hash;

/// Node, which osls and serverless run on.
pub(crate) fn node() -> PathBuf {
    PathBuf::from("node")
}

/// The Framework that xtask installed.
pub(crate) fn osls() -> String {
    tool("osls", "node_modules/osls/bin/serverless.js")
}

/// A file of a pinned tool, where `cargo xtask setup` says that it is.
pub(crate) fn tool(name: &str, file: &str) -> String {
    static TOOLS: OnceLock<String> = OnceLock::new();
    let tools = TOOLS.get_or_init(|| {
        Copy::of_workspace("000000000000")
            .xtask(&["setup"])
            .ok()
            .stdout()
    });
    let row = tools
        .lines()
        .find(|row| row.split_whitespace().next() == Some(name));
    let folder = row
        .and_then(|row| row.split_whitespace().nth(2))
        .expect("a tool with its folder");
    Path::new(folder).join(file).display().to_string()
}

/// Formats a code hash as Lambda does.
pub(crate) fn base64_sha256(file: &Path) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};

    BASE64_STANDARD.encode(Hash::hash(&fs::read(file).expect("an archive")))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
