//! Compares the service's clock with the local one.
//!
//! A signature is valid for a few minutes. The SDK learns the service's time from each response's `Date` and signs the
//! next request with it (aws-runtime 1.10, `ServiceClockSkewInterceptor`), so a request that was signed with a wrong
//! clock only has to be sent again. This module detects such requests. It also records when a response was sent,
//! because a session's expiration is a time of the service's clock.

use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, OverriddenHooks,
            context::{
                BeforeDeserializationInterceptorContextMut,
                BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
            },
        },
        orchestrator::HttpResponse,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{
    DateTime,
    config_bag::{ConfigBag, Storable, StoreReplace},
    date_time::Format,
};

/// A difference between the clocks of at most this many seconds causes no failure: the strictest service allows 5
/// minutes.
const MAX_CLOCK_DIFFERENCE: u64 = 4 * 60;

/// How far the service's clock is ahead of the one that signed the request, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClocksApart(pub(crate) i64);

impl ClocksApart {
    /// Returns the difference of a failed request if it is more than a signature allows.
    pub(crate) fn of(answer: &HttpResponse) -> Option<Self> {
        answer.extension().copied()
    }
}

/// Compares the time of each signature with that of the response, if the service reports an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CompareClocks;

/// The time in the request's signature.
#[derive(Debug)]
struct Signed(String);

impl Storable for Signed {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CompareClocks {
    fn name(&self) -> &'static str {
        "CompareClocks"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(signed) = context.request().headers().get("x-amz-date") {
            let signed = Signed(signed.to_owned());
            bag.interceptor_state().store_put(signed);
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response_mut();
        if !answer.status().is_success()
            && let Some(Signed(signed)) = bag.load::<Signed>()
            && let (Some(signed), Some(date)) = (of_signature(signed), date(answer))
        {
            let apart = date.secs().saturating_sub(signed.secs());
            if apart.unsigned_abs() > MAX_CLOCK_DIFFERENCE {
                answer.add_extension(ClocksApart(apart));
            }
        }
        Ok(())
    }

    fn overridden_hooks(&self) -> OverriddenHooks {
        OverriddenHooks::READ_BEFORE_TRANSMIT | OverriddenHooks::MODIFY_BEFORE_DESERIALIZATION
    }
}

/// When a request got its response, by the service's clock. Pass a clone to the request as an interceptor.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResponseTime(Arc<OnceLock<DateTime>>);

impl ResponseTime {
    /// Returns `None` if the response has no date.
    pub(crate) fn get(&self) -> Option<DateTime> {
        self.0.get().copied()
    }
}

impl Intercept for ResponseTime {
    fn name(&self) -> &'static str {
        "ResponseTime"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = date(context.response()) {
            self.0.get_or_init(|| date);
        }
        Ok(())
    }

    fn overridden_hooks(&self) -> OverriddenHooks {
        OverriddenHooks::READ_BEFORE_DESERIALIZATION
    }
}

fn date(answer: &HttpResponse) -> Option<DateTime> {
    DateTime::from_str(answer.headers().get("date")?, Format::HttpDate).ok()
}

/// Parses `20261122T150405Z`.
fn of_signature(text: &str) -> Option<DateTime> {
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    DateTime::from_str(&text, Format::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_signature_is_read() {
        assert_eq!(
            of_signature("20260101T000001Z"),
            Some(DateTime::from_secs(1_767_225_601))
        );
        for text in ["", "2026", "20260101T0000", "x0260101T000001Z"] {
            assert_eq!(of_signature(text), None, "{text}");
        }
    }
}
