//! The record of one call from its first header to its last trailer, and the body that keeps it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use metrics::{counter, histogram};
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::{Span, debug, field, info_span};

use super::dress::{self, Ending};
use super::front::panicked;
use crate::status::code_name;
use crate::telemetry::TraceParent;

const PATH_BYTES_MAX: usize = 128;

/// One call, counted once: when it ends, or as CANCELLED when the caller went away first.
pub(super) struct Call {
    span: Span,
    path: String,
    started: Instant,
    ended: bool,
}

impl Call {
    pub(super) fn begin(path: &str, trace: TraceParent) -> Self {
        let path = path[..path.floor_char_boundary(PATH_BYTES_MAX)].to_owned();
        let span = info_span!(
            "rpc",
            rpc.method = %path,
            trace_id = %trace.trace_id(),
            rpc.code = field::Empty,
            elapsed_ms = field::Empty
        );
        Self { span, path, started: Instant::now(), ended: false }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Counts the call. A method that was not found is counted without its name: names that anybody can make up
    /// would be series without end.
    pub(super) fn end(&mut self, ending: Ending) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let code = code_name(ending.code);
        let elapsed = self.started.elapsed();
        let named = self.path.strip_prefix('/').and_then(|path| path.split_once('/')).filter(|_| ending.method_known);
        let (service, method) = named.unwrap_or(("unknown", "unknown"));
        counter!(
            "rpc_requests_total",
            "service" => service.to_owned(), "method" => method.to_owned(), "code" => code
        )
        .increment(1);
        histogram!("rpc_duration_seconds", "method" => format!("{service}/{method}")).record(elapsed.as_secs_f64());
        self.span.record("rpc.code", code).record("elapsed_ms", elapsed.as_secs_f64() * 1000.0);
        let _entered = self.span.enter();
        debug!("the call ended");
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Ending { code: Code::Cancelled, method_known: true });
    }
}

/// A reply on its way: it sees the trailers, dresses them, and survives a stream that panics.
pub(super) struct Reply {
    body: Body,
    call: Call,
    domain: &'static str,
    over: bool,
}

impl Reply {
    pub(super) fn new(body: Body, call: Call, domain: &'static str) -> Self {
        Self { body, call, domain, over: false }
    }

    fn last(&mut self, mut trailers: HeaderMap) -> Frame<<Body as HttpBody>::Data> {
        self.over = true;
        let ending = dress::end(self.domain, &mut trailers);
        self.call.end(ending.unwrap_or(Ending { code: Code::Unknown, method_known: true }));
        Frame::trailers(trailers)
    }
}

impl HttpBody for Reply {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let span = self.call.span();
        let _entered = span.enter();
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.body).poll_frame(cx))) {
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                let frame = frame.into_trailers().map_or_else(|data| data, |trailers| self.last(trailers));
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(polled) => polled,
            Err(payload) => {
                let status = panicked(self.domain, payload.as_ref());
                let mut trailers = HeaderMap::new();
                Poll::Ready(Some(status.add_header(&mut trailers).map(|()| self.last(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
