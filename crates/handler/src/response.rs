//! The response for one account, the frame of every response, and Lambda's size limit.
//!
//! No response is held as text. Its length is counted first, and then it is serialized once, directly into what is sent.

use std::{
    borrow::Borrow,
    fmt,
    io::{self, BufWriter, Write},
};

use aws_smithy_types::date_time;
use cross_account::Buckets;
use serde::{Serialize, Serializer, ser::SerializeSeq as _};

/// The maximum size of a synchronous response, in bytes: the "6 MB" of the Lambda developer guide ("Lambda quotas")
/// as the service applies them (its error `Function.ResponseSizeTooLarge` names the number).
///
/// Lambda rejects a larger one when it is sent, and the caller gets an error of the runtime that explains nothing.
pub(crate) const MAX_BYTES: usize = 6_291_556;

/// A response that exceeds Lambda's limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLarge {
    /// The names of one account's buckets are too long.
    #[error(
        "A response with the names of {buckets} buckets has {bytes} bytes; Lambda allows at most {MAX_BYTES}"
    )]
    Names { buckets: usize, bytes: usize },
    /// The details of one account's buckets are too long.
    #[error(
        "A response with the details of {buckets} buckets has {bytes} bytes; Lambda allows at most {MAX_BYTES}"
    )]
    Details { buckets: usize, bytes: usize },
    /// There are too many accounts for one response.
    #[error(
        "A response with {accounts} accounts has at least {bytes} bytes; Lambda allows at most {MAX_BYTES}\nhint: select fewer accounts with `accounts`"
    )]
    Accounts { accounts: usize, bytes: usize },
}

/// The response for one account: the list of its buckets.
pub(crate) type List = Frame<Text<Shown<Buckets>>>;

/// Creates the response for buckets in their order: names or, with `detail`, objects.
///
/// # Errors
/// [`TooLarge`].
pub(crate) fn of(buckets: Buckets, detail: bool) -> Result<List, TooLarge> {
    let count = buckets.len();
    let buckets = Shown { buckets, detail };
    let around = Frame {
        status_code: 200,
        body: "",
    };
    let bytes = if buckets.is_far_from(MAX_BYTES) {
        0
    } else {
        // Counts the escapes without writing them, which would take as long as the response itself.
        length(&around) + escaped(&buckets)
    };
    let response = Frame {
        status_code: 200,
        body: Text(buckets),
    };
    match (bytes, detail) {
        (..=MAX_BYTES, _) => Ok(response),
        (bytes, false) => Err(TooLarge::Names {
            buckets: count,
            bytes,
        }),
        (bytes, true) => Err(TooLarge::Details {
            buckets: count,
            bytes,
        }),
    }
}

/// A response, as it is serialized.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frame<B> {
    pub(crate) status_code: u16,
    /// A [`Text`], as API Gateway requires.
    pub(crate) body: B,
}

/// Buckets as names or, with detail, as objects.
#[derive(Debug, Clone)]
pub(crate) struct Shown<B> {
    pub(crate) buckets: B,
    pub(crate) detail: bool,
}

impl<B: Borrow<Buckets>> Shown<B> {
    /// Returns true if the response is certainly shorter than `limit` and need not be counted, which takes half as long as
    /// writing it.
    fn is_far_from(&self, limit: usize) -> bool {
        /// The maximum length of an escaped byte: a control character is `\\u0000`.
        const MAX_ESCAPED: usize = 7;
        /// The keys and punctuation of a bucket's details, its date, and the frame.
        const OVERHEAD: usize = 200;
        let buckets = self.buckets.borrow();
        let text: usize = buckets
            .iter()
            .map(|bucket| bucket.name.len() + bucket.region.unwrap_or_default().len())
            .sum();
        text * MAX_ESCAPED + (buckets.len() + 1) * OVERHEAD < limit
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
}

impl<B: Borrow<Buckets>> Serialize for Shown<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let buckets = self.buckets.borrow();
        let mut list = serializer.serialize_seq(Some(buckets.len()))?;
        for bucket in buckets.iter() {
            if self.detail {
                list.serialize_element(&Detail {
                    name: bucket.name,
                    region: bucket.region,
                    created: bucket
                        .created
                        .and_then(|created| created.fmt(date_time::Format::DateTime).ok()),
                })?;
            } else {
                list.serialize_element(bucket.name)?;
            }
        }
        list.end()
    }
}

/// A JSON text inside a JSON string, serialized without a copy.
#[derive(Debug, Clone)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T: Serialize> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<T: Serialize> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Characters<'a, 'b>(&'a mut fmt::Formatter<'b>);

        impl Write for Characters<'_, '_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // serde_json writes whole characters, and the buffer passes on whole writes.
                let text = str::from_utf8(bytes).map_err(io::Error::other)?;
                self.0.write_str(text).map_err(io::Error::other)?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        // The outer serializer escapes each write separately, and serde_json writes single quotation marks.
        let mut characters = BufWriter::with_capacity(4096, Characters(f));
        serde_json::to_writer(&mut characters, &self.0).map_err(|_| fmt::Error)?;
        characters.flush().map_err(|_| fmt::Error)
    }
}

/// Counts the bytes that are written.
#[derive(Default)]
struct Counter {
    bytes: usize,
    /// The bytes among them that are escaped in a JSON string: JSON text has no control characters.
    escapes: usize,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        self.escapes += bytes.iter().filter(|byte| b"\"\\".contains(byte)).count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The length of `value` as JSON.
pub(crate) fn length(value: &impl Serialize) -> usize {
    count(value).bytes
}

/// The length of `value` as JSON inside a JSON string, without the quotation marks around it.
pub(crate) fn escaped(value: &impl Serialize) -> usize {
    let Counter { bytes, escapes } = count(value);
    bytes + escapes
}

fn count(value: &impl Serialize) -> Counter {
    let mut counter = Counter::default();
    // Cannot fail: counting does not, and all values can be written as JSON.
    let _ = serde_json::to_writer(&mut counter, value);
    counter
}

#[cfg(test)]
mod tests {
    use cross_account::{Bucket, DateTime};

    use super::*;

    fn buckets<'a>(names: impl IntoIterator<Item = &'a str>) -> Buckets {
        let bucket = |name| Bucket {
            name,
            region: None,
            created: None,
        };
        names.into_iter().map(bucket).collect()
    }

    fn one(name: &str) -> Buckets {
        buckets([name])
    }

    fn text(buckets: Buckets) -> String {
        serde_json::to_string(&of(buckets, false).unwrap()).unwrap()
    }

    #[test]
    fn the_body_is_a_json_text_of_the_names() {
        assert_eq!(
            text(buckets(["bucket-b", "bucket-a"])),
            r#"{"statusCode":200,"body":"[\"bucket-b\",\"bucket-a\"]"}"#
        );
        assert_eq!(text(buckets([])), r#"{"statusCode":200,"body":"[]"}"#);
    }

    #[test]
    fn the_limit_is_exact_and_counts_the_escapes() {
        let frame = text(one("")).len();
        let fits = text(one(&"x".repeat(MAX_BYTES - frame)));
        assert_eq!(fits.len(), MAX_BYTES);
        let error = of(one(&"x".repeat(MAX_BYTES - frame + 1)), false).unwrap_err();
        let (buckets, bytes) = (1, MAX_BYTES + 1);
        assert_eq!(error, TooLarge::Names { buckets, bytes });
        // A quotation mark is escaped twice: `\\\"`.
        assert!(of(one(&"\"".repeat(MAX_BYTES / 4)), false).is_err());
    }

    #[test]
    fn a_response_that_is_not_counted_is_never_too_large() {
        // The longest bucket: every character escaped, with all details.
        let worst = Bucket {
            name: "\u{1}\u{2}\u{3}",
            region: Some("\u{1}"),
            created: Some(DateTime::from_secs_and_nanos(-1, 123_456_789)),
        };
        for count in [1, 10, 1_000, 20_000, 25_000, 26_000, 50_000] {
            for detail in [false, true] {
                let buckets: Buckets = std::iter::repeat_n(worst, count).collect();
                let shown = Shown { buckets, detail };
                let not_counted = shown.is_far_from(MAX_BYTES);
                let body = Text(shown);
                let frame = Frame {
                    status_code: 200,
                    body,
                };
                let fits = serde_json::to_string(&frame).unwrap().len() <= MAX_BYTES;
                assert!(fits || !not_counted, "{count} {detail}");
            }
        }
    }
}
