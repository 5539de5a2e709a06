//! Whose fault a failure is: it decides the exit status, in `main` and nowhere else.

/// The input is at fault (flags, variables file, template): exit status 2. Every other error is exit status 1.
///
/// The text stands by itself: what, where, why and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InputFault(pub(crate) String);
