//! Stores the buckets of an account compactly.
//!
//! A response may contain a hundred thousand buckets, and many accounts are in flight at a time. Names and regions
//! therefore share one string, and a region equal to the previous one is stored once: 10,000 buckets take one
//! allocation for the text and one for the offsets, instead of 20,000 for strings, which took a sixth of a warm
//! invocation.

use std::{collections::HashSet, fmt, ops::Range};

use aws_smithy_types::DateTime;

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its region, if S3 returns it.
    pub region: Option<&'a str>,
    /// Its creation date, if S3 returns it.
    pub created: Option<DateTime>,
}

/// Buckets, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Buckets {
    text: String,
    places: Vec<Entry>,
}

/// The offsets of a bucket's name and region in the text.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: Range<usize>,
    /// Empty if there is no region: S3 returns no region with an empty name.
    region: Range<usize>,
    created: Option<DateTime>,
}

impl Buckets {
    /// Creates an empty list with capacity for `count` buckets and `length` bytes of names and regions.
    pub(crate) fn with_capacity(count: usize, length: usize) -> Self {
        Self {
            text: String::with_capacity(count * length),
            places: Vec::with_capacity(count),
        }
    }

    /// Returns the number of buckets.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns the total length of the names, in bytes.
    pub(crate) fn name_bytes(&self) -> usize {
        self.places.iter().map(|place| place.name.len()).sum()
    }

    /// Returns the memory that the buckets take, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity() + self.places.capacity() * size_of::<Entry>()
    }

    /// Returns whether there are no buckets.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns an iterator over the buckets.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Bucket<'_>> {
        self.places.iter().map(|place| Bucket {
            name: &self.text[place.name.clone()],
            region: Some(&self.text[place.region.clone()]).filter(|region| !region.is_empty()),
            created: place.created,
        })
    }

    /// Appends a bucket.
    pub fn push(&mut self, bucket: Bucket<'_>) {
        let name = self.append(bucket.name);
        let region = bucket.region.unwrap_or_default();
        let last = self.places.last().map(|last| last.region.clone());
        let region = last
            .filter(|last| &self.text[last.clone()] == region)
            .unwrap_or_else(|| self.append(region));
        self.places.push(Entry {
            name,
            region,
            created: bucket.created,
        });
    }

    /// Removes each bucket whose name appeared before. In ascending order, as S3 lists them, none did.
    pub(crate) fn remove_repeated(&mut self) {
        let names = || self.iter().map(|bucket| bucket.name);
        if names().is_sorted_by(|one, next| one < next) {
            return;
        }
        let mut seen = HashSet::with_capacity(self.len());
        let is_first: Vec<bool> = names().map(|name| seen.insert(name)).collect();
        let mut is_first = is_first.into_iter();
        // Their text stays.
        self.places.retain(|_| is_first.next().unwrap_or_default());
    }

    /// Frees unused capacity.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.text.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

impl<'a> Extend<Bucket<'a>> for Buckets {
    fn extend<I: IntoIterator<Item = Bucket<'a>>>(&mut self, buckets: I) {
        for bucket in buckets {
            self.push(bucket);
        }
    }
}

impl<'a> FromIterator<Bucket<'a>> for Buckets {
    fn from_iter<I: IntoIterator<Item = Bucket<'a>>>(buckets: I) -> Self {
        let mut all = Self::default();
        all.extend(buckets);
        all
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn buckets_round_trip(
            buckets in prop::collection::vec(
                (".{0,9}", prop::option::of("(eu|us)-(west|east)-1"), prop::option::of(any::<i32>())),
                0..20,
            ),
        ) {
            let buckets: Vec<Bucket<'_>> = buckets
                .iter()
                .map(|(name, region, created)| Bucket {
                    name,
                    region: region.as_deref(),
                    created: created.map(|seconds| DateTime::from_secs(seconds.into())),
                })
                .collect();
            let held: Buckets = buckets.iter().copied().collect();
            prop_assert_eq!(held.iter().collect::<Vec<_>>(), buckets);
        }
    }

    #[test]
    fn equal_regions_are_stored_once() {
        let bucket = |name| Bucket {
            name,
            region: Some("eu-central-1"),
            created: None,
        };
        let held: Buckets = ["a", "b", "c"].map(bucket).into_iter().collect();
        assert_eq!(held.text, "aeu-central-1bc");
    }
}
