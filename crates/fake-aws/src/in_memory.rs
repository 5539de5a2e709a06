//! The services as the SDK's HTTP client, without a socket, in the time of the client's runtime.

use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpClient, SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    shared::IntoShared as _,
};
use aws_smithy_types::body::SdkBody;
use tokio::time::timeout;

use crate::{FakeAws, latency::Clock, router, world::World};

/// A random network latency per request. The same seed gives the same sequence.
#[derive(Debug)]
pub struct Latency {
    range: RangeInclusive<Duration>,
    random: Mutex<fastrand::Rng>,
}

impl Latency {
    /// Round trips within `range`, from `seed`.
    pub fn new(range: RangeInclusive<Duration>, seed: u64) -> Self {
        Self {
            range,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    fn next(&self) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let width = self.range.end().saturating_sub(*self.range.start());
        *self.range.start() + width.mul_f64(random.f64())
    }
}

impl FakeAws {
    /// An HTTP client for an instance [in memory](crate::Builder::in_memory), with this network latency.
    pub fn http_client(&self, latency: Latency) -> SharedHttpClient {
        InMemory {
            world: Arc::clone(&self.world),
            latency: Arc::new(latency),
            read_timeout: None,
        }
        .into_shared()
    }

    /// Its time source: the runtime's, if it is [in memory](crate::Builder::in_memory).
    pub fn time_source(&self) -> SharedTimeSource {
        SharedTimeSource::new(self.world.clock)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        (*self).now()
    }
}

#[derive(Clone)]
struct InMemory {
    world: Arc<World>,
    latency: Arc<Latency>,
    read_timeout: Option<Duration>,
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory").finish_non_exhaustive()
    }
}

impl HttpClient for InMemory {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let read_timeout = settings.read_timeout();
        SharedHttpConnector::new(Self {
            read_timeout,
            ..self.clone()
        })
    }
}

impl HttpConnector for InMemory {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let Self {
            world,
            latency,
            read_timeout,
        } = self.clone();
        let (there, back) = (latency.next() / 2, latency.next() / 2);
        HttpConnectorFuture::new(async move {
            let exchange = async {
                world.clock.wait(there).await;
                let response = router::respond(&world, 0, request).await;
                world.clock.wait(back).await;
                response
            };
            let response = match read_timeout {
                Some(limit) => timeout(limit, exchange)
                    .await
                    .map_err(|late| ConnectorError::timeout(late.into()))?,
                None => exchange.await,
            };
            let response = response.map_err(|fault| ConnectorError::io(fault.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
