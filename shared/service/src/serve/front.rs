//! What surrounds every call, in this order: its record, overload, the timeout, panics, dressed errors.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use base::Fault;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;
use tracing::{Instrument, warn};

use super::dress::{self, Ending};
use super::reply::{Call, Reply};
use crate::status::status;
use crate::telemetry::{self, TraceParent};

/// Overload must not look like death, or the orchestrator makes it worse.
const ALWAYS_ANSWERED: &str = "/grpc.health.v1.Health/";

/// One listener's answers.
pub(super) struct Front {
    routes: Routes,
    domain: &'static str,
    permits: Semaphore,
    request_timeout: Duration,
}

impl Front {
    pub(super) fn new(routes: Routes, domain: &'static str, concurrency_max: usize, request_timeout: Duration) -> Self {
        let permits = Semaphore::new(concurrency_max.min(Semaphore::MAX_PERMITS));
        Self { routes: routes.prepare(), domain, permits, request_timeout }
    }

    /// Answers one call; the reply goes on recording until its last byte.
    pub(super) async fn answer(&self, mut request: Request<Body>) -> Response<Reply> {
        let trace = TraceParent::of(request.headers());
        let mut call = Call::begin(request.uri().path(), trace);
        request.extensions_mut().insert(trace);
        let (mut head, body) = self.guarded(request).instrument(call.span()).await.into_parts();
        let ending = head.extensions.remove::<Ending>().or_else(|| dress::end(self.domain, &mut head.headers));
        if let Some(ending) = ending {
            call.end(ending);
        }
        Response::from_parts(head, Reply::new(body, call, self.domain))
    }

    async fn guarded(&self, request: Request<Body>) -> Response<Body> {
        let permit = self.permits.try_acquire();
        if permit.is_err() && !request.uri().path().starts_with(ALWAYS_ANSWERED) {
            let fault = Fault::exhausted("OVERLOADED", "too many calls are under way; try again shortly");
            let mut response = refused(&status(self.domain, &fault.retry_after(Duration::from_secs(1))));
            // The path was not looked at: it may name anything.
            response.extensions_mut().insert(Ending { code: tonic::Code::ResourceExhausted, method_known: false });
            return response;
        }
        let mut routes = self.routes.clone();
        let called = caught(async move {
            let Ok(response) = routes.call(request).await;
            response
        });
        match timeout(self.request_timeout, called).await {
            Ok(Ok(response)) => response,
            Ok(Err(payload)) => refused(&panicked(self.domain, payload.as_ref())),
            Err(_elapsed) => {
                warn!("a call outlived every deadline class and was cut");
                refused(&status(self.domain, &Fault::deadline()))
            }
        }
    }
}

/// What the caller of a handler that panicked is told.
pub(super) fn panicked(domain: &str, payload: &(dyn Any + Send)) -> Status {
    let place = telemetry::panic_place().unwrap_or_else(|| "an unknown place".to_owned());
    let sentence = format!("a handler panicked at {place}: {}", telemetry::literal(payload));
    status(domain, &Fault::internal(sentence))
}

fn refused(status: &Status) -> Response<Body> {
    status.clone().into_http()
}

/// The future's answer, or what it panicked with. It is not polled again after a panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}
