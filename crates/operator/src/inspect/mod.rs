//! Subcommand: read what is deployed.
//!
//! The result is a [`Snapshot`]; `xtask` evaluates it.

mod function;
mod part;
mod policy;
mod role;
mod stack;

use std::collections::BTreeMap;

use anyhow::{Context as _, Error, Result};
use aws_config::SdkConfig;
use futures_util::{StreamExt as _, stream as futures};
use operator_api::{Part, Snapshot, Unreadable};

use crate::{
    arguments::{Inspect, Query},
    connection, whoami,
};

/// How many items of a kind are read concurrently. IAM and CloudFormation throttle per account.
const MAX_CONCURRENCY: usize = 4;

pub(crate) async fn run(flags: Inspect) -> Result<Snapshot> {
    let config = connection::open(&flags.connection).await?;
    let profile = flags.connection.profile;
    let signed_in = connection::sign_in(&config).await.map_err(Error::new);
    let signed_in = match profile {
        Some(profile) => signed_in.with_context(|| format!("profile `{profile}`")),
        None => signed_in,
    };
    Ok(match signed_in {
        Ok(config) => read(flags.query, &config).await,
        Err(error) => without_credentials(flags.query, &part::unreadable(&error)),
    })
}

async fn read(query: Query, config: &SdkConfig) -> Snapshot {
    let iam = aws_sdk_iam::Client::new(config);
    let lambda = aws_sdk_lambda::Client::new(config);
    let cloudformation = aws_sdk_cloudformation::Client::new(config);

    let caller = async {
        if query.caller {
            Some(part::of(whoami::caller(config).await))
        } else {
            None
        }
    };
    let roles = each(query.roles, async |name| {
        let role = role::read(&iam, name.name()).await;
        (name, part::of(role))
    });
    let functions = each(query.functions, async |name| {
        let function = function::read(&lambda, &name).await;
        (name, part::of(function))
    });
    let stacks = each(query.stacks, async |name| {
        let stack = stack::read(&cloudformation, &name).await;
        (name, part::of_option(stack))
    });
    let (caller, roles, functions, stacks) = tokio::join!(caller, roles, functions, stacks);
    Snapshot {
        caller,
        roles,
        functions,
        stacks,
    }
}

fn without_credentials(query: Query, why: &Unreadable) -> Snapshot {
    fn each<Name: Ord, T>(names: Vec<Name>, why: &Unreadable) -> BTreeMap<Name, Part<T>> {
        names
            .into_iter()
            .map(|name| (name, Part::Unreadable(why.clone())))
            .collect()
    }
    Snapshot {
        caller: query.caller.then(|| Part::Unreadable(why.clone())),
        roles: each(query.roles, why),
        functions: each(query.functions, why),
        stacks: each(query.stacks, why),
    }
}

/// Reads each of `names`, with bounded concurrency.
async fn each<Name: Ord, T>(
    names: Vec<Name>,
    read: impl AsyncFn(Name) -> (Name, T),
) -> BTreeMap<Name, T> {
    futures::iter(names)
        .map(|name| read(name))
        .buffer_unordered(MAX_CONCURRENCY)
        .collect()
        .await
}
