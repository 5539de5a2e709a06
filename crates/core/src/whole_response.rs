//! Takes a response whole or not at all.
//!
//! A body is read up to a maximum length, which no response of the service reaches: what a faulty proxy sends may be of any
//! length, and would take the memory of all accounts. A document of a successful response is then checked: one that
//! breaks off, or has a piece missing, reads as a shorter one to the SDK, or as one with a shorter session token.
//! Otherwise reading the body fails, so that the attempt counts as a failed one, and is retried.

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

/// The maximum length of a response of STS and of Organizations, in bytes. Those of STS have some 2 KB, and a page of 20
/// accounts some 10.
const MAX_LENGTH: usize = 1024 * 1024;

/// Lets only whole responses pass.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WholeResponses {
    /// Those of a service that answers in XML.
    Xml,
    /// Those of a service that answers in JSON, which the SDK reads as strictly.
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
        // An error is one anyway, and what can be read of it is told.
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

/// Has the body of `response` read up to `max_length` bytes, and what `read` makes of it take its place. Where the `seat` has no
/// memory for it, the account gives way: the body never ends.
pub(crate) fn read_whole(
    response: &mut HttpResponse,
    max_length: usize,
    reservation: Option<Reservation>,
    read: impl FnOnce(Vec<u8>) -> Result<Bytes, BoxError> + Send + Sync + 'static,
) {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    // What it says its length is, within reason.
    let length = usize::try_from(Body::size_hint(&body).lower()).unwrap_or(usize::MAX);
    *response.body_mut() = SdkBody::from_body_1_x(Whole {
        document: Vec::with_capacity(length.min(max_length)),
        body: Some((body, Box::new(read))),
        max_length,
        reservation,
    });
}

type Read = Box<dyn FnOnce(Vec<u8>) -> Result<Bytes, BoxError> + Send + Sync>;

/// A body that is given on when all of it has come.
struct Whole {
    /// Gone once it was.
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
            // What is not data are trailers, which AWS sends none of.
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
