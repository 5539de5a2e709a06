//! The sessions that STS has issued, by account, role and external ID.
//!
//! Kept here and not in the SDK's identity cache: that one holds 64 and evicts any, so that with more targets nearly
//! every call asks STS again (aws-smithy-runtime 1.16, `LazyCacheBuilder::max_partitions`).
//!
//! The cache holds 10,000 targets; before it takes one more, the eighth whose sessions are the oldest goes. The clock is
//! the configuration's, so that tests need not wait.
//!
//! A session that S3 refuses may have been revoked while it was kept: IAM denies everything to sessions that were issued
//! before (IAM user guide, "Revoke IAM role temporary security credentials"), which looks like any other denial. So a kept
//! one is replaced, once. What S3 says to a new one is final, and is remembered with it: as long as S3 says the same,
//! nobody asks STS again.

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

/// How long before its end a session is renewed, so that it does not end within a call. AWS's SDKs take the same five
/// minutes for a Lambda's own credentials.
const REFRESH_MARGIN: Duration = Duration::from_mins(5);

/// The shortest session that STS issues (STS API reference, `AssumeRole`: `DurationSeconds`). One that lives shorter
/// comes from an emulator; renewed ahead of its end it would be renewed on every call, so it is used to its end.
const MIN_SESSION_LIFETIME: Duration = Duration::from_mins(15);

/// After an attempt to renew a session ahead of its end has failed, the old one is used for so long, or to its end,
/// before the next attempt.
const REFRESH_RETRY_DELAY: Duration = Duration::from_secs(30);

/// How long a call waits for STS to renew a session that is still good.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(1);

/// How many targets the cache holds.
const MAX_TARGETS: usize = 10_000;

/// What STS has issued.
pub(crate) struct Issued {
    pub(crate) credentials: Credentials,
    pub(crate) lifetime: Duration,
}

/// A session of a target's role.
#[derive(Clone)]
pub(crate) struct Session {
    provider: SharedCredentialsProvider,
    /// Which of the cache's sessions it is.
    number: u64,
    refresh_at: SystemTime,
    expires_at: SystemTime,
    /// How S3 refused it when it was new, if it did.
    refused: Option<Failure>,
}

impl Session {
    /// The process's own credentials in the place of a session: no role was assumed, and the cache does not hold them.
    pub(crate) fn own(provider: SharedCredentialsProvider) -> Self {
        let never = SystemTime::UNIX_EPOCH;
        Self {
            provider,
            number: 0,
            refresh_at: never,
            expires_at: never,
            refused: None,
        }
    }

    /// Whether S3 refused it for the same reason when it was new.
    pub(crate) fn was_refused(&self, failure: &Failure) -> bool {
        self.refused.as_ref().is_some_and(|first| {
            (first.code(), first.message()) == (failure.code(), failure.message())
        })
    }

    /// What the S3 client takes for a call.
    pub(crate) fn provider(&self) -> SharedCredentialsProvider {
        self.provider.clone()
    }
}

/// Where a session came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was there.
    Cache,
    /// STS issued it during this call.
    Assumed,
}

/// What makes one session another's: not what a person calls the account, and not the region, as a session is good in all.
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

/// The sessions.
pub(crate) struct Sessions {
    clock: SharedTimeSource,
    issued: AtomicU64,
    max_targets: usize,
    slots: RwLock<Slots>,
}

type Slots = HashMap<Key<'static>, Arc<Slot>>;

/// The place of one session.
#[derive(Default)]
struct Slot {
    session: Mutex<Option<Session>>,
    /// Held while STS is asked, so that it is asked once. In it, how the last attempt failed.
    gate: tokio::sync::Mutex<Option<(u64, Failure)>>,
    /// How many attempts have ended in a failure.
    failures: AtomicU64,
}

impl Sessions {
    pub(crate) fn new(clock: SharedTimeSource) -> Self {
        Self {
            clock,
            // An empty place counts as number 0, older than all.
            issued: AtomicU64::new(1),
            max_targets: MAX_TARGETS,
            slots: RwLock::default(),
        }
    }

    /// The session of `target`: a cached one, or what `assume` obtains.
    ///
    /// Those who ask for the same target while STS is being asked wait for that answer, be it a session or a failure;
    /// while the old session is still good, they take it instead.
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
        // Somebody may have been here while we waited.
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
        // Put off first, so that a caller whose deadline ends this attempt leaves the next one a session to use.
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

    /// Forgets `session`, unless another has taken its place.
    pub(crate) fn discard(&self, target: &Target, session: &Session) {
        self.slot(target)
            .lock()
            .take_if(|current| current.number == session.number);
    }

    /// Forgets the session of `target`, and all that belongs to it.
    pub(crate) fn forget(&self, target: &Target) {
        let key = Key::of(target).into_owned();
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.remove(&key);
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Remembers that S3 refused `session` when it was new.
    pub(crate) fn refused(&self, target: &Target, session: &Session, failure: &Failure) {
        if let Some(current) = &mut *self.slot(target).lock()
            && current.number == session.number
        {
            current.refused = Some(failure.clone());
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
            refused: None,
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

/// Looks for what is borrowed, in a map that owns.
fn find<'a>(slots: &HashMap<Key<'a>, Arc<Slot>>, key: &Key<'a>) -> Option<Arc<Slot>> {
    slots.get(key).map(Arc::clone)
}

/// Removes the eighth whose sessions are the oldest. Many at a time, as finding them takes a look at all; and none that
/// somebody is using, as STS would be asked twice.
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
    /// The session, unless its time is over.
    fn current(&self, now: SystemTime) -> Option<Session> {
        self.lock()
            .as_ref()
            .filter(|session| now < session.expires_at)
            .cloned()
    }

    /// Which session it is; 0 where there is none.
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
    async fn the_oldest_go_when_the_cache_is_full() {
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
    async fn what_is_in_use_stays() {
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
