//! Subcommand: copy an S3 object into a file.

use anyhow::{Context as _, Result};
use operator_api::Fetched;

use crate::{arguments::Fetch, connection, failure, files};

/// Copies the object. The file is written after all of the object has arrived.
pub(crate) async fn run(flags: Fetch) -> Result<Fetched> {
    let Fetch {
        connection,
        bucket,
        key,
        to,
    } = flags;
    let intent = format!("read s3://{bucket}/{key}");
    let config = connection::open(&connection).await?;
    let object = aws_sdk_s3::Client::new(&config)
        .get_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .map_err(failure::of(&intent))?;
    let bytes = object
        .body
        .collect()
        .await
        .with_context(|| format!("failed to {intent}"))?
        .into_bytes();
    files::write(&to, &bytes)?;
    Ok(Fetched { size: bytes.len() })
}
