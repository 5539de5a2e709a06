//! The buckets of an account, in little room.
//!
//! An answer may hold a hundred thousand of them, and many accounts are under way at a time. Names and regions therefore
//! stand in one text, and a region that is the one before it stands there once: 10,000 buckets are one allocation for
//! the text and one for the places in it, instead of 20,000 for their strings, which took a sixth of a warm call.

use std::{collections::HashSet, fmt, ops::Range};

use aws_smithy_types::DateTime;

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Its name.
    pub name: &'a str,
    /// The region it lies in, where S3 says so.
    pub region: Option<&'a str>,
    /// When it was created, where S3 says so.
    pub created: Option<DateTime>,
}

/// Buckets, in their order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Buckets {
    text: String,
    places: Vec<Entry>,
}

/// Where a bucket's name and region stand in the text.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: Range<usize>,
    /// Empty where there is none: S3 knows no region without a name.
    region: Range<usize>,
    created: Option<DateTime>,
}

impl Buckets {
    /// None, with room for `count` of `length` bytes of name and region together.
    pub(crate) fn with_capacity(count: usize, length: usize) -> Self {
        Self {
            text: String::with_capacity(count * length),
            places: Vec::with_capacity(count),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// How long their names are together, in bytes.
    pub(crate) fn name_bytes(&self) -> usize {
        self.places.iter().map(|place| place.name.len()).sum()
    }

    /// How many bytes of memory they take.
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity() + self.places.capacity() * size_of::<Entry>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Bucket<'_>> {
        self.places.iter().map(|place| Bucket {
            name: &self.text[place.name.clone()],
            region: Some(&self.text[place.region.clone()]).filter(|region| !region.is_empty()),
            created: place.created,
        })
    }

    /// Appends one.
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

    /// Removes each bucket whose name stands further ahead already. Where the names ascend, as S3 lists them, none does.
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

    /// Gives back the room that is left.
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
        fn what_goes_in_comes_out(
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
    fn the_region_of_many_stands_there_once() {
        let bucket = |name| Bucket {
            name,
            region: Some("eu-central-1"),
            created: None,
        };
        let held: Buckets = ["a", "b", "c"].map(bucket).into_iter().collect();
        assert_eq!(held.text, "aeu-central-1bc");
    }
}
