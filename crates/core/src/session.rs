//! Caches the sessions that STS issues, one per target.
//!
//! The SDK has an identity cache, but it holds 64 entries and evicts arbitrary ones. With more targets, nearly every
//! invocation would call `AssumeRole` again (aws-smithy-runtime 1.16, `LazyCacheBuilder::max_partitions`).
//!
//! This cache holds 10,000 targets. When it is full, it evicts the oldest eighth, except sessions in use. Time comes
//! from the SDK configuration's time source, so tests do not have to wait.
//!
//! A session that S3 denies may have been revoked since it was cached: IAM then denies everything to sessions issued
//! before (IAM user guide, "Revoke IAM role temporary security credentials"), which looks like any other denial. A
//! cached session is therefore replaced, once. S3's response to a new session is final and is stored with it: while S3
//! responds the same, STS is not called again.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use contract::{Access, AccountId, Target};

use crate::failure::Failure;

/// How long before expiry a session is refreshed, so that it does not expire during an invocation. The AWS SDKs use the
/// same five minutes for a Lambda function's own credentials.
const REFRESH_MARGIN: Duration = Duration::from_mins(5);

/// The shortest session that STS issues (STS API reference, `AssumeRole`, `DurationSeconds`). A shorter one comes from
/// an emulator. It is used until it expires; with a refresh margin, every invocation would refresh it.
const MIN_SESSION_LIFETIME: Duration = Duration::from_mins(15);

/// The delay between a failed refresh and the next one. Until then, the current session is used if it has not expired.
const REFRESH_RETRY_DELAY: Duration = Duration::from_secs(30);

/// How long an invocation waits for STS to refresh a session that is still valid.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum number of targets in the cache.
const MAX_TARGETS: usize = 10_000;

/// Credentials that STS has issued.
pub(crate) struct Issued {
    pub(crate) credentials: Credentials,
    pub(crate) lifetime: Duration,
}

/// A session of a target's role.
#[derive(Clone)]
pub(crate) struct Session {
    provider: SharedCredentialsProvider,
    /// The sequence number of the session in the cache.
    number: u64,
    refresh_at: SystemTime,
    expires_at: SystemTime,
    /// S3's denial of the session when it was new, if there was one.
    denied: Option<Failure>,
}

impl Session {
    /// Returns the process's own credentials as a session: no role was assumed, and the cache does not hold them.
    pub(crate) fn own(provider: SharedCredentialsProvider) -> Self {
        let never = SystemTime::UNIX_EPOCH;
        Self {
            provider,
            number: 0,
            refresh_at: never,
            expires_at: never,
            denied: None,
        }
    }

    /// Returns whether S3 denied the session for the same reason when it was new.
    pub(crate) fn was_denied(&self, failure: &Failure) -> bool {
        self.denied.as_ref().is_some_and(|first| {
            (first.code(), first.message()) == (failure.code(), failure.message())
        })
    }

    /// Returns the credentials provider for the S3 client.
    pub(crate) fn provider(&self) -> SharedCredentialsProvider {
        self.provider.clone()
    }
}

/// The source of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was cached.
    Cache,
    /// STS issued it during this invocation.
    Assumed,
}

/// The key of a session. The account's display name and the region do not matter: a session is valid in all regions.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key<'a> {
    account: Cow<'a, AccountId>,
    access: Cow<'a, Access>,
}

impl<'a> Key<'a> {
    fn of(target: &'a Target) -> Self {
        Self {
            account: Cow::Borrowed(&target.account),
            access: Cow::Borrowed(&target.access),
        }
    }

    fn into_owned(self) -> Key<'static> {
        Key {
            account: Cow::Owned(self.account.into_owned()),
            access: Cow::Owned(self.access.into_owned()),
        }
    }
}

/// The cache of sessions.
pub(crate) struct Sessions {
    clock: SharedTimeSource,
    issued: AtomicU64,
    max_targets: usize,
    slots: RwLock<Slots>,
}

type Slots = HashMap<Key<'static>, Arc<Slot>>;

/// The entry of one target.
#[derive(Default)]
struct Slot {
    session: Mutex<Option<Session>>,
    /// Held during a request to STS, so that only one is sent. Contains how the last attempt failed.
    gate: tokio::sync::Mutex<Option<(u64, Failure)>>,
    /// The number of failed attempts.
    failures: AtomicU64,
}

impl Sessions {
    pub(crate) fn new(clock: SharedTimeSource) -> Self {
        Self {
            clock,
            // An empty entry counts as number 0, older than all others.
            issued: AtomicU64::new(1),
            max_targets: MAX_TARGETS,
            slots: RwLock::default(),
        }
    }

    /// Returns the session of `target` from the cache, or else from `assume`.
    ///
    /// Concurrent callers for the same target wait for the same request to STS, whether it succeeds or fails. While the
    /// current session is valid, they use it instead of waiting.
    pub(crate) async fn get<F>(
        &self,
        target: &Target,
        assume: impl FnOnce() -> F,
    ) -> Result<(Session, Origin), Failure>
    where
        F: Future<Output = Result<Issued, Failure>>,
    {
        let slot = self.slot(target);
        let failures_before = slot.failures.load(Ordering::Acquire);
        let old = slot.current(self.clock.now());
        let mut gate = match &old {
            Some(session) if self.clock.now() < session.refresh_at => {
                return Ok((session.clone(), Origin::Cache));
            }
            Some(session) => match slot.gate.try_lock() {
                Ok(gate) => gate,
                Err(_) => return Ok((session.clone(), Origin::Cache)),
            },
            None => slot.gate.lock().await,
        };
        // Another caller may have refreshed the session while this one waited.
        if let Some(session) = slot
            .current(self.clock.now())
            .filter(|session| self.clock.now() < session.refresh_at)
        {
            return Ok((session, Origin::Cache));
        }
        if let Some((number, failure)) = &*gate
            && *number > failures_before
        {
            return Err(failure.clone());
        }
        let Some(mut session) = old else {
            return match assume().await {
                Ok(issued) => {
                    *gate = None;
                    Ok((self.keep(&slot, issued), Origin::Assumed))
                }
                Err(failure) => {
                    let number = slot.failures.fetch_add(1, Ordering::AcqRel) + 1;
                    *gate = Some((number, failure.clone()));
                    Err(failure)
                }
            };
        };
        // Delay the next refresh first, so that a caller whose deadline ends this attempt leaves the next one a session
        // to use.
        session.refresh_at = self.clock.now() + REFRESH_RETRY_DELAY;
        slot.put(Some(session.clone()));
        match tokio::time::timeout(REFRESH_TIMEOUT, assume()).await {
            Ok(Ok(issued)) => {
                *gate = None;
                return Ok((self.keep(&slot, issued), Origin::Assumed));
            }
            Ok(Err(failure)) => {
                tracing::warn!(%failure, "the session could not be renewed ahead of its end: the old one is used");
            }
            Err(_) => {
                tracing::warn!(
                    "the session was not renewed in time ahead of its end: the old one is used"
                );
            }
        }
        Ok((session, Origin::Cache))
    }

    fn keep(&self, slot: &Slot, issued: Issued) -> Session {
        let session = self.session(issued);
        slot.put(Some(session.clone()));
        session
    }

    /// Removes `session`, unless another has replaced it.
    pub(crate) fn discard(&self, target: &Target, session: &Session) {
        self.slot(target)
            .lock()
            .take_if(|current| current.number == session.number);
    }

    /// Removes the session of `target` and its state.
    pub(crate) fn forget(&self, target: &Target) {
        let key = Key::of(target).into_owned();
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.remove(&key);
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Remembers that S3 denied `session` when it was new.
    pub(crate) fn denied(&self, target: &Target, session: &Session, failure: &Failure) {
        if let Some(current) = &mut *self.slot(target).lock()
            && current.number == session.number
        {
            current.denied = Some(failure.clone());
        }
    }

    fn session(&self, issued: Issued) -> Session {
        let expires_at = self.now() + issued.lifetime;
        let ahead = if issued.lifetime < MIN_SESSION_LIFETIME {
            Duration::ZERO
        } else {
            REFRESH_MARGIN
        };
        Session {
            provider: SharedCredentialsProvider::new(issued.credentials),
            number: self.issued.fetch_add(1, Ordering::Relaxed),
            refresh_at: expires_at - ahead,
            expires_at,
            denied: None,
        }
    }

    fn slot(&self, target: &Target) -> Arc<Slot> {
        let key = Key::of(target);
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = find(&slots, &key) {
            return slot;
        }
        drop(slots);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = find(&slots, &key) {
            return slot;
        }
        if slots.len() >= self.max_targets {
            evict(&mut slots);
        }
        Arc::clone(slots.entry(key.into_owned()).or_default())
    }
}

/// Looks up a borrowed key in a map with owned keys.
fn find<'a>(slots: &HashMap<Key<'a>, Arc<Slot>>, key: &Key<'a>) -> Option<Arc<Slot>> {
    slots.get(key).map(Arc::clone)
}

/// Evicts the eighth whose sessions are the oldest. Many at a time, because finding them means looking at all of them;
/// and none in use, because STS would be called twice.
fn evict(slots: &mut Slots) {
    let is_unused = |slot: &Arc<Slot>| Arc::strong_count(slot) == 1;
    let mut numbers: Vec<u64> = slots
        .values()
        .filter(|slot| is_unused(slot))
        .map(|slot| slot.number())
        .collect();
    if numbers.is_empty() {
        return;
    }
    let last = (slots.len() / 8).min(numbers.len() - 1);
    let (_, oldest, _) = numbers.select_nth_unstable(last);
    let oldest = *oldest;
    slots.retain(|_, slot| !is_unused(slot) || slot.number() > oldest);
}

impl Slot {
    /// Returns the session if it has not expired.
    fn current(&self, now: SystemTime) -> Option<Session> {
        self.lock()
            .as_ref()
            .filter(|session| now < session.expires_at)
            .cloned()
    }

    /// Returns the number of the session, or 0 if there is none.
    fn number(&self) -> u64 {
        self.lock().as_ref().map_or(0, |session| session.number)
    }

    fn put(&self, session: Option<Session>) {
        *self.lock() = session;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let cached = slots.values().filter(|slot| slot.lock().is_some()).count();
        f.debug_struct("Sessions")
            .field("cached", &cached)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_async::time::SystemTimeSource;

    use super::*;

    fn target(number: usize) -> Target {
        Target::by_role(
            format!("{number:012}").parse().unwrap(),
            "Role".parse().unwrap(),
        )
    }

    async fn get(sessions: &Sessions, number: usize) -> Origin {
        let issued = async || {
            Ok(Issued {
                credentials: Credentials::new("key", "secret", None, None, "test"),
                lifetime: Duration::from_hours(1),
            })
        };
        let (_, origin) = sessions.get(&target(number), issued).await.unwrap();
        origin
    }

    #[tokio::test]
    async fn the_oldest_sessions_are_evicted() {
        let sessions = Sessions {
            max_targets: 80,
            ..Sessions::new(SharedTimeSource::new(SystemTimeSource::new()))
        };
        for number in 0..80 {
            assert_eq!(get(&sessions, number).await, Origin::Assumed);
        }
        for number in 0..80 {
            assert_eq!(get(&sessions, number).await, Origin::Cache, "{number}");
        }
        get(&sessions, 80).await;
        assert_eq!(sessions.slots.read().unwrap().len(), 70);
        assert_eq!(get(&sessions, 11).await, Origin::Cache);
        assert_eq!(get(&sessions, 80).await, Origin::Cache);
        assert_eq!(get(&sessions, 10).await, Origin::Assumed);
        for number in 100..1_000 {
            get(&sessions, number).await;
            assert!(sessions.slots.read().unwrap().len() <= 80);
        }
    }

    #[tokio::test]
    async fn sessions_in_use_stay() {
        let sessions = Sessions {
            max_targets: 8,
            ..Sessions::new(SharedTimeSource::new(SystemTimeSource::new()))
        };
        let used: Vec<_> = (0..7)
            .map(|number| sessions.slot(&target(number)))
            .collect();
        get(&sessions, 7).await;
        get(&sessions, 8).await;
        assert_eq!(get(&sessions, 7).await, Origin::Assumed, "it made room");
        for (number, slot) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(slot, &sessions.slot(&target(number))));
        }
    }
}
