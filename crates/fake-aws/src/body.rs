//! The body of a response.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Bytes, Frame, SizeHint};

/// Pieces in order, then an end.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pieces: VecDeque<Bytes>,
    end: End,
}

/// The end of a body, after its last piece.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    Proper,
    BreaksOff,
    /// At the next poll.
    BreaksOffNow,
    Stalls,
}

impl Body {
    pub(crate) fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            pieces: pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
            end: End::Proper,
        }
    }

    /// The first half of it.
    pub(crate) fn half(self) -> Self {
        let whole = self
            .pieces
            .into_iter()
            .fold(Vec::new(), |mut whole, piece| {
                whole.extend_from_slice(&piece);
                whole
            });
        let half = whole.len() / 2;
        Self::new([Bytes::from(whole).slice(..half)])
    }

    pub(crate) fn breaking_off(self) -> Self {
        Self {
            end: End::BreaksOff,
            ..self
        }
    }

    pub(crate) fn stalling(self) -> Self {
        Self {
            end: End::Stalls,
            ..self
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, End::Proper) => Poll::Ready(None),
            // The pieces are sent first.
            (None, End::BreaksOff) => {
                self.end = End::BreaksOffNow;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (None, End::BreaksOffNow) => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
            // It is never woken; it ends with its connection.
            (None, End::Stalls) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.end == End::Proper
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        match self.end {
            End::Proper => SizeHint::with_exact(length),
            End::BreaksOff | End::BreaksOffNow | End::Stalls => SizeHint::default(),
        }
    }
}
