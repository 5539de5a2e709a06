//! The answer, and the limit that Lambda sets to it.

use cross_account::Bucket;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// The longest answer of a synchronous invocation, in bytes: the "6 MB" of the Lambda developer guide ("Lambda quotas")
/// as the service applies them (its error `Function.ResponseSizeTooLarge` names the number).
///
/// A longer one is refused when it is sent; the caller would then see an error of the runtime that explains nothing.
const LONGEST: usize = 6_291_556;

/// An answer that Lambda would not carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The names of {buckets} buckets make an answer of {bytes} bytes, and Lambda carries at most {LONGEST}"
)]
pub(crate) struct TooLarge {
    buckets: usize,
    bytes: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    status_code: u16,
    /// A JSON text within the JSON, as API Gateway wants it.
    body: &'a str,
}

/// The answer for these buckets: their names, in the order given. It is serialised here, once, so that its real length
/// is known, escapes included.
///
/// # Errors
/// [`TooLarge`].
pub(crate) fn of(buckets: &[Bucket]) -> Result<Box<RawValue>, TooLarge> {
    let answer = serialise(buckets);
    let bytes = answer.get().len();
    if bytes > LONGEST {
        let buckets = buckets.len();
        return Err(TooLarge { buckets, bytes });
    }
    Ok(answer)
}

#[expect(
    clippy::expect_used,
    reason = "strings and a number can always be written as JSON"
)]
fn serialise(buckets: &[Bucket]) -> Box<RawValue> {
    let names: Vec<&str> = buckets.iter().map(|bucket| bucket.name.as_str()).collect();
    let body = serde_json::to_string(&names).expect("a list of strings is JSON");
    to_raw_value(&Answer {
        status_code: 200,
        body: &body,
    })
    .expect("an answer is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: impl Into<String>) -> Bucket {
        Bucket {
            name: name.into(),
            region: None,
            created: None,
        }
    }

    #[test]
    fn the_body_is_a_json_text_of_the_names() {
        let answer = of(&[bucket("bucket-b"), bucket("bucket-a")]).unwrap();
        assert_eq!(
            answer.get(),
            r#"{"statusCode":200,"body":"[\"bucket-b\",\"bucket-a\"]"}"#
        );
        assert_eq!(of(&[]).unwrap().get(), r#"{"statusCode":200,"body":"[]"}"#);
    }

    #[test]
    fn the_limit_is_exact_and_counts_the_escapes() {
        let frame = of(&[bucket("")]).unwrap().get().len();
        let fits = of(&[bucket("x".repeat(LONGEST - frame))]).unwrap();
        assert_eq!(fits.get().len(), LONGEST);
        let error = of(&[bucket("x".repeat(LONGEST - frame + 1))]).unwrap_err();
        assert_eq!((error.buckets, error.bytes), (1, LONGEST + 1));
        // A quotation mark is escaped twice: `\\\"`.
        assert!(of(&[bucket("\"".repeat(LONGEST / 4))]).is_err());
    }
}
