//! The actions on S3: for now `ListBuckets`.

pub(crate) mod buckets;
pub(crate) mod list_buckets;
mod page;
pub(crate) mod pages;
