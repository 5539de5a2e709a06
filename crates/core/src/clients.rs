//! Builds the clients once for all invocations.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::SystemTime,
};

use aws_sdk_s3::config::{
    BehaviorVersion, SharedCredentialsProvider, StalledStreamProtectionConfig, retry::RetryConfig,
};
use aws_types::SdkConfig;
use contract::{InvalidValue, Partition, Region, RoleArn, SessionPolicy, Target};

use crate::{
    budget::TypicalSizes,
    clock::CompareClocks,
    failure::{Failure, FailureBuilder},
    kind::Phase,
    limits::Limits,
    organization_cache::OrganizationCache,
    rate_limiter::RateLimiter,
    roots::Roots,
    session::{Session, Sessions},
    whole_response::WholeResponses,
};

/// The clients of STS and S3 and the session cache, built once and shared by all invocations and targets.
///
/// `Debug` shows the region and the number of cached sessions, not their content.
pub struct Clients {
    region: Region,
    /// The clients of the configured region, which most targets share. Those of other regions are built when a target
    /// first needs them.
    regional: RwLock<HashMap<Region, Arc<Regional>>>,
    config: SdkConfig,
    limits: Limits,
    pub(crate) own_credentials: SharedCredentialsProvider,
    session_policy: SessionPolicy,
    pub(crate) sessions: Sessions,
    pub(crate) organization: OrganizationCache,
    /// The typical sizes of the last fan-out.
    typical: Mutex<Option<TypicalSizes>>,
}

/// The clients of one region.
pub(crate) struct Regional {
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    /// STS has one quota for the calling account in each region.
    pub(crate) rate_limiter: Arc<RateLimiter>,
}

/// The error of building [`Clients`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// The configuration has no region. In Lambda it comes from `AWS_REGION`, which the service always sets.
    #[error("no region is configured")]
    NoRegion,
    /// The region is not a valid one; the partition of every ARN depends on it.
    #[error(transparent)]
    InvalidRegion(#[from] InvalidValue),
    /// The configuration has no credentials provider.
    #[error("no source of credentials is configured")]
    NoCredentials,
}

impl Clients {
    /// Builds the clients with [`Limits::default`].
    ///
    /// `config` provides the region, the credentials that assume roles, the endpoints (with `AWS_ENDPOINT_URL` and
    /// similar variables), the HTTP client (default: [`http_client`](crate::http_client)) and the clock. Its timeouts
    /// and retries are replaced.
    ///
    /// # Errors
    /// See [`ConfigurationError`]. No request is sent.
    pub fn new(config: &SdkConfig) -> Result<Self, ConfigurationError> {
        Self::with_limits(config, &Limits::default())
    }

    /// Like [`new`](Self::new), with other limits. The timeouts for connecting and reading belong to the HTTP client:
    /// if `config` has one, it keeps its own.
    ///
    /// # Errors
    /// Like [`new`](Self::new).
    pub fn with_limits(config: &SdkConfig, limits: &Limits) -> Result<Self, ConfigurationError> {
        let region: Region = config
            .region()
            .ok_or(ConfigurationError::NoRegion)?
            .as_ref()
            .parse()?;
        let own_credentials = config
            .credentials_provider()
            .ok_or(ConfigurationError::NoCredentials)?;
        let mut builder = config.to_builder();
        builder
            .set_behavior_version(Some(BehaviorVersion::latest()))
            .set_timeout_config(Some(limits.timeouts()))
            // `crate::retry` does the retries.
            .set_retry_config(Some(RetryConfig::disabled()))
            .set_stalled_stream_protection(Some(StalledStreamProtectionConfig::disabled()))
            .set_http_client(Some(
                config
                    .http_client()
                    .unwrap_or_else(|| limits.http_client(Roots::default())),
            ));
        let config = builder.build();
        let home = Regional::new(&region, &config, Arc::default());
        Ok(Self {
            regional: RwLock::new(HashMap::from([(region.clone(), Arc::new(home))])),
            region,
            session_policy: SessionPolicy::default(),
            sessions: Sessions::new(config.time_source().unwrap_or_default()),
            organization: OrganizationCache::new(config.time_source().unwrap_or_default()),
            typical: Mutex::default(),
            limits: *limits,
            own_credentials,
            config,
        })
    }

    /// Sets the session policy of future sessions. Default: [`SessionPolicy::On`].
    #[must_use]
    pub fn with_session_policy(mut self, policy: SessionPolicy) -> Self {
        self.session_policy = policy;
        // Cached sessions would keep the policy they were issued with.
        self.sessions = Sessions::new(self.config.time_source().unwrap_or_default());
        self
    }

    /// Returns the region for STS and S3 requests, unless a target has its own. S3's response includes the buckets of
    /// all regions.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Returns the partition of that region, which contains all roles.
    pub fn partition(&self) -> Partition {
        self.region().partition()
    }

    /// Returns the ARN of the role for `target`, if it has one.
    pub fn role_arn(&self, target: &Target) -> Option<RoleArn> {
        target.role_arn(self.partition())
    }

    /// Returns the clients of the target's region.
    pub(crate) fn regional(&self, target: &Target) -> Arc<Regional> {
        let region = self.region_of(target);
        let regional = self.regional.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(regional) = regional.get(region) {
            return Arc::clone(regional);
        }
        drop(regional);
        let mut regional = self
            .regional
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let regional = regional
            .entry(region.clone())
            .or_insert_with(|| Arc::new(Regional::new(region, &self.config, Arc::default())));
        Arc::clone(regional)
    }

    fn region_of<'a>(&'a self, target: &'a Target) -> &'a Region {
        target.region.as_ref().unwrap_or(&self.region)
    }

    /// Drops the state that a panic for `target` may have left inconsistent: its session, and the clients of its
    /// region.
    pub(crate) fn forget(&self, target: &Target) {
        self.sessions.forget(target);
        let region = self.region_of(target);
        let mut regional = self
            .regional
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(regional) = regional.get_mut(region) {
            let rate_limiter = Arc::clone(&regional.rate_limiter);
            *regional = Arc::new(Regional::new(region, &self.config, rate_limiter));
        }
    }

    /// Returns the time of the configuration's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.sessions.now()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn session_policy(&self) -> SessionPolicy {
        self.session_policy
    }

    /// Returns the typical sizes of the last fan-out, if there was one.
    pub(crate) fn typical(&self) -> Option<TypicalSizes> {
        *self.typical.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_typical(&self, typical: TypicalSizes) {
        *self.typical.lock().unwrap_or_else(PoisonError::into_inner) = Some(typical);
    }

    /// Returns the configuration for clients of other services.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Removes `session` if it is still the session of `target`.
    pub(crate) fn discard(&self, target: &Target, session: &Session) {
        self.sessions.discard(target, session);
    }

    /// Remembers that S3 denied `session` when it was new.
    pub(crate) fn denied(&self, target: &Target, session: &Session, failure: &Failure) {
        self.sessions.denied(target, session, failure);
    }

    /// Starts a failure for `target`.
    pub(crate) fn failure(&self, phase: Phase, target: &Target) -> FailureBuilder {
        FailureBuilder::new(
            phase,
            target,
            self.role_arn(target),
            self.region_of(target).clone(),
        )
    }
}

impl Regional {
    fn new(region: &Region, config: &SdkConfig, rate_limiter: Arc<RateLimiter>) -> Self {
        let mut builder = config.to_builder();
        builder.set_region(aws_types::region::Region::new(region.to_string()));
        let config = builder.build();
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&config)
                .interceptor(WholeResponses::Xml)
                .interceptor(CompareClocks)
                .build(),
        );
        let mut builder = config.into_builder();
        // Each request brings its session. Without this line, a missing session would list the process's own account.
        builder.set_credentials_provider(None);
        let s3 = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&builder.build())
                .interceptor(CompareClocks)
                .build(),
        );
        Self {
            sts,
            s3,
            rate_limiter,
        }
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("region", &self.region().as_str())
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}
