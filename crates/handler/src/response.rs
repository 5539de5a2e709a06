//! The answer for one account, what every answer looks like, and the limit that Lambda sets to it.
//!
//! No answer is held as text: it is written once, when it is sent, straight into what is sent. How long it will be is
//! counted before.

use std::{
    borrow::Borrow,
    fmt,
    io::{self, BufWriter, Write},
};

use aws_smithy_types::date_time;
use cross_account::Buckets;
use serde::{Serialize, Serializer, ser::SerializeSeq as _};

/// The longest answer of a synchronous invocation, in bytes: the "6 MB" of the Lambda developer guide ("Lambda quotas")
/// as the service applies them (its error `Function.ResponseSizeTooLarge` names the number).
///
/// A longer one is refused when it is sent; the caller would then see an error of the runtime that explains nothing.
pub(crate) const LONGEST: usize = 6_291_556;

/// An answer that Lambda would not carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLarge {
    /// There are too many buckets in the one account.
    #[error(
        "The names of {buckets} buckets make an answer of {bytes} bytes, and Lambda carries at most {LONGEST}"
    )]
    Names { buckets: usize, bytes: usize },
    /// The same, with details.
    #[error(
        "The details of {buckets} buckets make an answer of {bytes} bytes, and Lambda carries at most {LONGEST}"
    )]
    Details { buckets: usize, bytes: usize },
    /// There are too many accounts.
    #[error(
        "To name {accounts} accounts takes {bytes} bytes of an answer, of which Lambda carries at most {LONGEST}: ask for fewer by `accounts`"
    )]
    Accounts { accounts: usize, bytes: usize },
}

/// The answer for one account: the list of its buckets.
pub(crate) type List = Frame<Text<Shown<Buckets>>>;

/// The answer for these buckets, in the order given: their names or, with `detail`, objects.
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
    let bytes = if buckets.is_far_from(LONGEST) {
        0
    } else {
        // Counted without being escaped: that would take as long as to write it.
        length(&around) + escaped(&buckets)
    };
    let answer = Frame {
        status_code: 200,
        body: Text(buckets),
    };
    match (bytes, detail) {
        (..=LONGEST, _) => Ok(answer),
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

/// An answer. Serialises as what is sent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frame<B> {
    pub(crate) status_code: u16,
    /// A [`Text`], as API Gateway wants it.
    pub(crate) body: B,
}

/// Buckets by name or, with detail, as objects.
#[derive(Debug, Clone)]
pub(crate) struct Shown<B> {
    pub(crate) buckets: B,
    pub(crate) detail: bool,
}

impl<B: Borrow<Buckets>> Shown<B> {
    /// Whether this is so much shorter than `limit`, as JSON in an answer, that there is no need to count: counting takes
    /// half as long as writing.
    fn is_far_from(&self, limit: usize) -> bool {
        /// What a byte may become: a control character is `\\u0000`.
        const MOST: usize = 7;
        /// The keys and marks around a bucket's details, the date, and what lies around all.
        const AROUND: usize = 200;
        let buckets = self.buckets.borrow();
        let text: usize = buckets
            .iter()
            .map(|bucket| bucket.name.len() + bucket.region.unwrap_or_default().len())
            .sum();
        text * MOST + (buckets.len() + 1) * AROUND < limit
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

/// A JSON text within the JSON, written without being held.
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

        // What lies around it escapes what it is given at a time; serde_json gives a quotation mark at a time.
        let mut characters = BufWriter::with_capacity(4096, Characters(f));
        serde_json::to_writer(&mut characters, &self.0).map_err(|_| fmt::Error)?;
        characters.flush().map_err(|_| fmt::Error)
    }
}

/// Counts what is written.
#[derive(Default)]
struct Counter {
    bytes: usize,
    /// Those of them that a JSON text escapes: it has no control characters of its own.
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

/// How long `value` is as JSON.
pub(crate) fn length(value: &impl Serialize) -> usize {
    count(value).bytes
}

/// How long `value` is as a JSON text within JSON, the quotation marks around it not counted.
pub(crate) fn escaped(value: &impl Serialize) -> usize {
    let Counter { bytes, escapes } = count(value);
    bytes + escapes
}

fn count(value: &impl Serialize) -> Counter {
    let mut counter = Counter::default();
    // Counting fails never, and all that is counted can be written as JSON.
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
        let fits = text(one(&"x".repeat(LONGEST - frame)));
        assert_eq!(fits.len(), LONGEST);
        let error = of(one(&"x".repeat(LONGEST - frame + 1)), false).unwrap_err();
        let (buckets, bytes) = (1, LONGEST + 1);
        assert_eq!(error, TooLarge::Names { buckets, bytes });
        // A quotation mark is escaped twice: `\\\"`.
        assert!(of(one(&"\"".repeat(LONGEST / 4)), false).is_err());
    }

    #[test]
    fn what_is_not_counted_is_never_too_large() {
        // The longest that a bucket becomes: each character escaped, and each detail there.
        let worst = Bucket {
            name: "\u{1}\u{2}\u{3}",
            region: Some("\u{1}"),
            created: Some(DateTime::from_secs_and_nanos(-1, 123_456_789)),
        };
        for count in [1, 10, 1_000, 20_000, 25_000, 26_000, 50_000] {
            for detail in [false, true] {
                let buckets: Buckets = std::iter::repeat_n(worst, count).collect();
                let shown = Shown { buckets, detail };
                let not_counted = shown.is_far_from(LONGEST);
                let body = Text(shown);
                let frame = Frame {
                    status_code: 200,
                    body,
                };
                let fits = serde_json::to_string(&frame).unwrap().len() <= LONGEST;
                assert!(fits || !not_counted, "{count} {detail}");
            }
        }
    }
}
