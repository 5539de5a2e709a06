use super::{npm::is_supported, version::Version, *};

fn workspace() -> Workspace {
    Workspace::locate(Some(
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(),
    ))
    .unwrap()
}

fn lock_file(tool: Tool, name: &str) -> String {
    let path = workspace().tool_locks().join(tool.name()).join(name);
    String::from_utf8(files::read(&path).unwrap()).unwrap()
}

#[test]
fn versions_are_read_as_programs_print_them() {
    let version = |major, minor| Ok(Version { major, minor });
    assert_eq!("v20.20.2\n".parse(), version(20, 20));
    assert_eq!("3.10".parse(), version(3, 10));
    assert_eq!("3.13.0rc1".parse(), version(3, 13));
    assert_eq!("Python".parse::<Version>(), Err(()));
    assert_eq!("".parse::<Version>(), Err(()));
}

#[test]
fn node_is_taken_from_the_first_minor_of_each_line_on() {
    let Registry::Npm { nodes, .. } = Tool::Osls.registry() else {
        panic!("osls is no npm package")
    };
    let takes = |major, minor| is_supported(Version { major, minor }, nodes);
    assert!(takes(20, 19) && takes(22, 13) && takes(22, 21) && takes(24, 0) && takes(25, 1));
    assert!(!takes(18, 20) && !takes(20, 18) && !takes(21, 7) && !takes(22, 12) && !takes(23, 9));
}

#[test]
fn the_key_changes_with_every_byte() {
    let key = |name, bytes: &[u8]| super::key(&[(name, bytes.to_vec())]);
    assert_eq!(key("a", b"1"), key("a", b"1"));
    assert_ne!(key("a", b"1"), key("a", b"2"));
    assert_ne!(key("a", b"1"), key("b", b"1"));
    assert_ne!(
        super::key(&[("a", b"1".to_vec()), ("b", b"".to_vec())]),
        super::key(&[("a", b"".to_vec()), ("b", b"1".to_vec())])
    );
    assert_eq!(key("a", b"1").len(), 16);
}

#[test]
fn every_tool_has_a_pinned_version() {
    for tool in Tool::ALL {
        let installation = Installation::of(&workspace(), tool).unwrap();
        assert!(
            installation.version.parse::<Version>().is_ok(),
            "{}: {}",
            tool.name(),
            installation.version
        );
    }
}

#[test]
fn every_package_of_an_npm_lock_has_a_hash_and_no_address() {
    for tool in [Tool::Osls, Tool::Serverless3] {
        let lock: serde_json::Value =
            serde_json::from_str(&lock_file(tool, "package-lock.json")).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(packages.len() > 50);
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            assert_eq!(
                package.get("resolved"),
                None,
                "{name} of {} has an address",
                tool.name()
            );
            let hash = package["integrity"].as_str().unwrap_or_default();
            assert!(
                hash.starts_with("sha512-"),
                "{name} of {} has no hash",
                tool.name()
            );
        }
    }
}

#[test]
fn every_package_of_a_pypi_lock_has_a_hash_and_no_address() {
    for tool in Tool::ALL {
        if !matches!(tool.registry(), Registry::PyPi { .. }) {
            continue;
        }
        let lock = lock_file(tool, "requirements.txt");
        assert!(!lock.contains("://"), "{} has an address", tool.name());
        assert!(!lock.contains("index-url"), "{} has an index", tool.name());
        let joined = lock.replace("\\\n", " ");
        let packages = joined
            .lines()
            .filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
        for package in packages {
            assert!(package.contains("=="), "not pinned: {package}");
            assert!(package.contains("--hash=sha256:"), "no hash: {package}");
        }
    }
}

#[test]
fn a_failed_installer_has_a_hint() {
    let offline = "npm error code EAI_AGAIN\nnpm error syscall getaddrinfo";
    assert!(
        hint(offline)
            .unwrap()
            .contains("registry cannot be reached")
    );
    let changed = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.";
    assert!(hint(changed).unwrap().contains("does not match the hash"));
    assert_eq!(hint("something else"), None);
}

#[test]
fn the_tail_is_the_last_lines() {
    assert_eq!(tail("a\nb\nc", 2), "b\nc");
    assert_eq!(tail("a", 2), "a");
    assert_eq!(tail("", 2), "");
}
