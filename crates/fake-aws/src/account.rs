//! Describes the behaviour of an account.

use std::{
    collections::HashMap,
    fmt::Write as _,
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::body::Bytes;

use crate::fault::{Fault, Script};

/// An account's buckets, latency and faults.
///
/// By default it has no buckets, pages of up to 10,000, no latency, no faults, and any role in it can be assumed with
/// any external ID, for any duration.
#[derive(Debug, Default)]
pub struct Account {
    buckets: Buckets,
    pub(crate) page_cap: Option<usize>,
    pub(crate) assume_latency: Duration,
    pub(crate) list_latency: Duration,
    pub(crate) session_seconds: Option<u64>,
    pub(crate) role: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) on_assume: Script,
    pub(crate) on_list: Script,
    /// Rendered pages, by first and last bucket.
    rendered: Mutex<HashMap<(usize, usize), Bytes>>,
}

#[derive(Debug)]
enum Buckets {
    Numbered { prefix: String, count: usize },
    Named(Vec<String>),
}

impl Default for Buckets {
    fn default() -> Self {
        Self::Numbered {
            prefix: "bucket-".to_owned(),
            count: 0,
        }
    }
}

impl Account {
    /// An account without buckets and faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `count` buckets, named `bucket-000000` and so on.
    #[must_use]
    pub fn buckets(self, count: usize) -> Self {
        self.numbered_buckets("bucket-", count)
    }

    /// `count` buckets, named `PREFIX000000` and so on.
    #[must_use]
    pub fn numbered_buckets(mut self, prefix: &str, count: usize) -> Self {
        self.buckets = Buckets::Numbered {
            prefix: prefix.to_owned(),
            count,
        };
        self
    }

    /// Buckets with these names, in this order. Names may contain characters that XML escapes.
    #[must_use]
    pub fn named_buckets<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.buckets = Buckets::Named(names.into_iter().map(ToOwned::to_owned).collect());
        self
    }

    /// The maximum page size, whatever the request says; at least 1.
    #[must_use]
    pub fn page_cap(mut self, most: usize) -> Self {
        self.page_cap = Some(most.max(1));
        self
    }

    /// The latency of `AssumeRole`.
    #[must_use]
    pub fn assume_latency(mut self, latency: Duration) -> Self {
        self.assume_latency = latency;
        self
    }

    /// The latency of a page of `ListBuckets`.
    #[must_use]
    pub fn list_latency(mut self, latency: Duration) -> Self {
        self.list_latency = latency;
        self
    }

    /// The lifetime that sessions report, in seconds, whatever the request says. They are accepted for longer; see
    /// [`FakeAws::revoke_sessions`](crate::FakeAws::revoke_sessions) and [`Fault::Expired`].
    #[must_use]
    pub fn session_seconds(mut self, seconds: u64) -> Self {
        self.session_seconds = Some(seconds);
        self
    }

    /// Limits the account to this role (`NAME` or `path/NAME`).
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.role = Some(role.to_owned());
        self
    }

    /// Makes the trust policy require this external ID.
    #[must_use]
    pub fn external_id(mut self, id: &str) -> Self {
        self.external_id = Some(id.to_owned());
        self
    }

    /// The faults of the first `AssumeRole` requests, in order.
    #[must_use]
    pub fn on_assume(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.on_assume.first = faults.into_iter().collect();
        self
    }

    /// The fault of every `AssumeRole` request after those of [`on_assume`](Self::on_assume).
    #[must_use]
    pub fn always_on_assume(mut self, fault: Fault) -> Self {
        self.on_assume.then = Some(fault);
        self
    }

    /// The faults of the first `ListBuckets` requests, in order.
    #[must_use]
    pub fn on_list(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.on_list.first = faults.into_iter().collect();
        self
    }

    /// The fault of every `ListBuckets` request after those of [`on_list`](Self::on_list).
    #[must_use]
    pub fn always_on_list(mut self, fault: Fault) -> Self {
        self.on_list.then = Some(fault);
        self
    }

    /// The number of buckets.
    pub(crate) fn count(&self) -> usize {
        match &self.buckets {
            Buckets::Numbered { count, .. } => *count,
            Buckets::Named(names) => names.len(),
        }
    }

    /// The indices of the buckets whose names start with `prefix`.
    pub(crate) fn beginning_with(&self, prefix: &str) -> Vec<usize> {
        (0..self.count())
            .filter(|&index| match &self.buckets {
                Buckets::Numbered { prefix: own, .. } => {
                    format!("{own}{index:06}").starts_with(prefix)
                }
                Buckets::Named(names) => names[index].starts_with(prefix),
            })
            .collect()
    }

    /// The `<Bucket>` elements of these buckets.
    pub(crate) fn selection(&self, indices: &[usize]) -> Bytes {
        self.render(indices.iter().copied()).into()
    }

    /// The `<Bucket>` elements of `range`, from the cache after the first time.
    pub(crate) fn page(&self, range: Range<usize>) -> Bytes {
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        rendered
            .entry((range.start, range.end))
            .or_insert_with(|| self.render(range).into())
            .clone()
    }

    fn render(&self, indices: impl ExactSizeIterator<Item = usize>) -> String {
        const REGIONS: [&str; 3] = ["us-east-1", "eu-central-1", "ap-southeast-2"];
        let mut xml = String::with_capacity(160 * indices.len());
        for index in indices {
            let region = REGIONS[index % REGIONS.len()];
            let second = index % 60;
            let minute = index / 60 % 60;
            xml.push_str("<Bucket><Name>");
            match &self.buckets {
                Buckets::Numbered { prefix, .. } => {
                    escape(&mut xml, prefix);
                    // Writing to a `String` cannot fail.
                    let _ = write!(xml, "{index:06}");
                }
                Buckets::Named(names) => escape(&mut xml, &names[index]),
            }
            let _ = write!(
                xml,
                "</Name><CreationDate>2024-03-01T12:{minute:02}:{second:02}.000Z</CreationDate>\
                 <BucketRegion>{region}</BucketRegion></Bucket>"
            );
        }
        xml
    }
}

/// Appends `text` as XML text.
pub(crate) fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&#39;"),
            other => xml.push(other),
        }
    }
}
