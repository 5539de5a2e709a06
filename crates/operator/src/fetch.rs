//! Subcommand: copy an object of S3 into a file.

use anyhow::{Context as _, Result};
use operator_api::Fetched;

use crate::{arguments::Fetch, connection, failure, files};

/// The file is written when all of the object is there.
pub(crate) async fn run(flags: Fetch) -> Result<Fetched> {
    let Fetch {
        access,
        bucket,
        key,
        to,
    } = flags;
    let what = format!("read s3://{bucket}/{key}");
    let config = connection::open(&access).await?;
    let object = aws_sdk_s3::Client::new(&config)
        .get_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .map_err(failure::of(&what))?;
    let bytes = object
        .body
        .collect()
        .await
        .with_context(|| format!("failed to {what}"))?
        .into_bytes();
    files::write(&to, &bytes)?;
    Ok(Fetched { size: bytes.len() })
}
