//! Whether an answer came whole.
//!
//! The SDK's XML parser takes the end of its input for the end of every open element (aws-smithy-xml 0.64): an answer
//! that breaks off between two buckets, as a faulty proxy may leave it, reads as a shorter list without a continuation
//! token, and one that breaks off in the session token reads as a shorter token. So each answer is checked: it must end
//! with the end tag of the element that it begins with. Where it does not, the attempt counts as a failed one, and is
//! retried.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, OverriddenHooks, context::FinalizerInterceptorContextMut},
        orchestrator::OrchestratorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

/// Lets only whole answers pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnlyWholeAnswers;

#[derive(Debug, thiserror::Error)]
#[error("it breaks off before its end, or is no XML")]
struct BrokenOff;

impl Intercept for OnlyWholeAnswers {
    fn name(&self) -> &'static str {
        "OnlyWholeAnswers"
    }

    // Not `read_after_deserialization`: an error that an interceptor returns is never retried, one of the response is.
    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let broken_off = context.response().is_some_and(|answer| {
            // A body that could not be read at all is an error already.
            answer.status().is_success()
                && answer.body().bytes().is_some_and(|body| !is_whole(body))
        });
        if let Some(outcome) = context.output_or_error_mut().filter(|_| broken_off) {
            *outcome = Err(OrchestratorError::response(BrokenOff.into()));
        }
        Ok(())
    }

    fn overridden_hooks(&self) -> OverriddenHooks {
        OverriddenHooks::MODIFY_BEFORE_ATTEMPT_COMPLETION
    }
}

/// Whether an XML document ends with the end tag of its root element.
fn is_whole(document: &[u8]) -> bool {
    let Some(root) = root(document) else {
        return false;
    };
    document
        .trim_ascii_end()
        .strip_suffix(b">")
        .map(<[u8]>::trim_ascii_end)
        .and_then(|rest| rest.strip_suffix(root))
        .is_some_and(|rest| rest.ends_with(b"</"))
}

/// The name of the root element, which stands after the declaration and any comments.
fn root(document: &[u8]) -> Option<&[u8]> {
    document
        .split(|&byte| byte == b'<')
        .skip(1)
        .find(|tag| tag.first().is_some_and(|first| !b"?!".contains(first)))
        .and_then(|tag| {
            tag.split(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte))
                .next()
        })
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_of_a_document_is_told_from_the_whole() {
        let document = "<?xml version=\"1.0\"?>\n<!-- a --><List xmlns=\"x\"><B><N>a</N></B><List2></List2></List>";
        assert!(is_whole(document.as_bytes()));
        assert!(is_whole(format!("{document}\r\n").as_bytes()));
        for end in 0..document.len() {
            assert!(
                !is_whole(&document.as_bytes()[..end]),
                "{}",
                &document[..end]
            );
        }
    }

    #[test]
    fn what_is_no_document_is_not_whole() {
        for text in ["", "<", ">", "</>", "{}", "<html>oops", "a</a>"] {
            assert!(!is_whole(text.as_bytes()), "{text}");
        }
    }
}
