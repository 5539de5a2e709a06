//! TLS trust anchors.
//!
//! Mozilla's roots are compiled in (webpki-roots 1) and include those of AWS (Amazon Trust Services, "Repository").
//! They take 0.02 ms; reading and parsing the system's took 4 to 5 of the 7 ms of an initialization. If others are
//! needed (a proxy that inspects TLS, an emulator, a partition with its own authority), files replace them.
//!
//! The caller reads the environment variables that name the files.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use rustls::RootCertStore;
use rustls_native_certs::load_certs_from_paths;

/// The trust anchors of [`http_client`](crate::http_client).
///
/// The default is Mozilla's list in the release of webpki-roots that was built in.
#[derive(Clone)]
pub struct Roots(RootCertStore);

/// The error of reading trust anchors from files.
///
/// Displays as `/certs/ca.pem cannot be used: …`, in lower case and without a final period, so that it fits into a
/// longer message.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be used: {problem}", path.display())]
pub struct RootsError {
    path: PathBuf,
    problem: String,
}

impl RootsError {
    /// The path of the file or directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The problem with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }
}

impl Roots {
    /// Reads the certificates in `files` and in the files of the directories `folders`, not recursively, in PEM form.
    /// No other certificates are trusted.
    ///
    /// Certificates that cannot be a root, for example because of an old version, are ignored: bundles contain such.
    ///
    /// # Errors
    /// A file or directory cannot be read or is malformed, or there is no usable certificate.
    pub fn read(files: &[PathBuf], folders: &[PathBuf]) -> Result<Self, RootsError> {
        let mut roots = RootCertStore::empty();
        let files = files.iter().map(|file| (file, Some(file.as_path()), None));
        let folders = folders
            .iter()
            .map(|folder| (folder, None, Some(folder.as_path())));
        let mut last = None;
        for (path, file, folder) in files.chain(folders) {
            let found = load_certs_from_paths(file, folder);
            if let Some(error) = found.errors.first() {
                return Err(RootsError {
                    path: path.clone(),
                    problem: error.to_string(),
                });
            }
            roots.add_parsable_certificates(found.certs);
            last = Some(path);
        }
        if roots.is_empty() {
            return Err(RootsError {
                path: last.cloned().unwrap_or_default(),
                problem: "it contains no usable certificate".to_owned(),
            });
        }
        Ok(Self(roots))
    }

    pub(crate) fn into_store(self) -> RootCertStore {
        self.0
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({} certificates)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazons_roots_are_among_the_default_ones() {
        let amazons = webpki_roots::TLS_SERVER_ROOTS
            .iter()
            .filter(|root| String::from_utf8_lossy(&root.subject).contains("Amazon Root CA"))
            .count();
        assert!(amazons >= 4, "{amazons}");
        assert!(Roots::default().into_store().len() > 100);
    }

    #[test]
    fn an_unusable_file_is_named() {
        let read = |path: &str| Roots::read(&[PathBuf::from(path)], &[]).unwrap_err();
        let error = read("/nonexistent/ca.pem").to_string();
        assert!(error.starts_with("`/nonexistent/ca.pem` cannot be used: "));
        assert!(error.contains("No such file"), "{error}");
        let error = read("Cargo.toml");
        assert_eq!(error.path(), Path::new("Cargo.toml"));
        assert_eq!(error.problem(), "it contains no usable certificate");
        let folder = Roots::read(&[], &[PathBuf::from("/nonexistent")]).unwrap_err();
        assert_eq!(folder.path(), Path::new("/nonexistent"));
    }
}
