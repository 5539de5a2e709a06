//! Rejects truncated responses.
//!
//! A body is read up to a maximum length that no response of the service reaches: a faulty proxy may send any length,
//! which would take the memory of all accounts. The document of a successful response is then checked: to the SDK, one
//! that is truncated or has a piece missing looks like a shorter one, or like one with a shorter session token. If the
//! check fails, reading the body fails, so the attempt counts as failed and is retried.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, OverriddenHooks, context::BeforeDeserializationInterceptorContextMut,
        },
        orchestrator::HttpResponse,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use bytes::Bytes;
use http_body::{Body, Frame};

use crate::{budget::Reservation, xml};

/// The maximum length of a response of STS and Organizations, in bytes. STS sends some 2 KB, and Organizations some 10
/// KB for a page of 20 accounts.
const MAX_LENGTH: usize = 1024 * 1024;

/// Rejects truncated responses of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WholeResponses {
    /// A service with XML responses.
    Xml,
    /// A service with JSON responses, for which the SDK's parser is strict.
    Json,
}

impl Intercept for WholeResponses {
    fn name(&self) -> &'static str {
        "WholeResponses"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        // An error response fails anyway, and the SDK reads what it can.
        let is_checked = matches!(self, Self::Xml) && response.status().is_success();
        read_whole(response, MAX_LENGTH, None, move |document| {
            if is_checked {
                xml::check(&document)?;
            }
            Ok(document.into())
        });
        Ok(())
    }

    fn overridden_hooks(&self) -> OverriddenHooks {
        OverriddenHooks::MODIFY_BEFORE_DESERIALIZATION
    }
}

/// Reads the body of `response` up to `max_length` bytes and replaces it with the output of `read`. If the reservation
/// has no memory for it, the account gives way: the body never ends.
pub(crate) fn read_whole(
    response: &mut HttpResponse,
    max_length: usize,
    reservation: Option<Reservation>,
    read: impl FnOnce(Vec<u8>) -> Result<Bytes, BoxError> + Send + Sync + 'static,
) {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    // The announced length, within reason.
    let length = usize::try_from(Body::size_hint(&body).lower()).unwrap_or(usize::MAX);
    *response.body_mut() = SdkBody::from_body_1_x(Whole {
        document: Vec::with_capacity(length.min(max_length)),
        body: Some((body, Box::new(read))),
        max_length,
        reservation,
    });
}

type Read = Box<dyn FnOnce(Vec<u8>) -> Result<Bytes, BoxError> + Send + Sync>;

/// A body that is passed on once it is complete.
struct Whole {
    /// `None` after that.
    body: Option<(SdkBody, Read)>,
    document: Vec<u8>,
    max_length: usize,
    reservation: Option<Reservation>,
}

#[derive(Debug, thiserror::Error)]
#[error("it is longer than {0} bytes")]
struct TooLong(usize);

impl Body for Whole {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some((body, _)) = &mut this.body else {
            return Poll::Ready(None);
        };
        while let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(context)) {
            // Frames without data are trailers, which AWS does not send.
            if let Ok(data) = frame?.into_data() {
                if data.len() > this.max_length - this.document.len() {
                    return Poll::Ready(Some(Err(TooLong(this.max_length).into())));
                }
                if this
                    .reservation
                    .as_ref()
                    .is_some_and(|reservation| !reservation.read(data.len()))
                {
                    this.document = Vec::new();
                    return Poll::Pending;
                }
                this.document.extend_from_slice(&data);
            }
        }
        let document = std::mem::take(&mut this.document);
        let document = this.body.take().map(|(_, read)| read(document));
        Poll::Ready(document.map(|document| document.map(Frame::data)))
    }
}
