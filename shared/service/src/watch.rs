//! Reads that are answered again after every change: a server stream of what one read answers.
//!
//! Each look is a snapshot of its own, authorized anew, so that a watcher who loses what the read rests on loses the
//! stream too, and so does one whose token has expired. A look is made when something moved in this process, and every
//! quarter of a second for the others.

use std::sync::Arc;
use std::time::Duration;

use base::Fault;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::caller::Caller;
use crate::cx::Cx;
use crate::deadline::{deadline, in_time};
use crate::executor::Host;
use crate::floor;
use crate::operation::{Operation, Preparation, Service};
use crate::status::status;

/// The safety net beside being woken.
const POLL: Duration = Duration::from_millis(250);
/// How long a stream lives at most. What its reader loses meanwhile ends it at the next look.
const LIFE: Duration = Duration::from_secs(600);
/// Answers that wait for a slow reader.
const BUFFER: usize = 4;

/// A read that can be watched.
pub trait Watch: Operation {
    /// Whether nothing can follow this answer.
    fn is_last(reply: &Self::Reply) -> bool;
}

/// What a watcher gets.
pub type Watching<M> = ReceiverStream<Result<M, Status>>;

impl<S: Service> Host<S> {
    /// Answers now and after every change, until the last answer, the end of the stream's life or its reader.
    pub async fn watch<O: Watch<Service = S>>(
        self: &Arc<Self>,
        request: Request<O::Request>,
    ) -> Result<Response<Watching<O::Response>>, Status> {
        self.begin_watch::<O>(request).await.map_err(|fault| status(S::DOMAIN, &fault))
    }

    async fn begin_watch<O: Watch<Service = S>>(
        self: &Arc<Self>,
        request: Request<O::Request>,
    ) -> Result<Response<Watching<O::Response>>, Fault> {
        let method = self.contract.method(O::METHOD)?;
        let until = deadline(&request, method)?.min(Instant::now() + LIFE);
        let caller = self.authenticate(&request, method, until).await?;
        self.limit(&caller)?;
        let watcher = Watcher { host: Arc::clone(self), caller, operation: O::parse(request.into_inner())?, until };
        // The first look is the call's own answer: a refusal is its status. It has a task of its own, like any unit of
        // work: a caller who goes away must never drop a half-begun transaction.
        let looking = tokio::spawn(async move { watcher.look().await.map(|first| (watcher, first)) }.in_current_span());
        let looked = in_time(until, looking).await?;
        let (watcher, first) = looked.map_err(|error| Fault::internal("a look panicked").because(error))??;
        let (send, receive) = mpsc::channel(BUFFER);
        tokio::spawn(async move { watcher.follow(first, &send).await }.in_current_span());
        Ok(Response::new(ReceiverStream::new(receive)))
    }
}

struct Watcher<O: Operation> {
    host: Arc<Host<O::Service>>,
    caller: Caller,
    operation: O,
    until: Instant,
}

/// One answer, and whether it is the last.
struct Look<M> {
    message: M,
    is_last: bool,
}

impl<O: Watch> Watcher<O> {
    async fn follow(self, mut look: Look<O::Response>, send: &mpsc::Sender<Result<O::Response, Status>>) {
        let mut shown = Vec::new();
        loop {
            let news = self.host.moved.notified();
            let bytes = look.message.encode_to_vec();
            if bytes != shown {
                shown = bytes;
                if send.send(Ok(look.message)).await.is_err() {
                    return;
                }
            }
            if look.is_last || Instant::now() >= self.until {
                return;
            }
            tokio::select! {
                _ = tokio::time::timeout(POLL, news) => {}
                () = send.closed() => return,
            }
            look = match self.look().await {
                Ok(look) => look,
                Err(fault) => {
                    // Whoever reads no more does not need to know.
                    let _ = send.send(Err(status(O::Service::DOMAIN, &fault))).await;
                    return;
                }
            };
        }
    }

    async fn look(&self) -> Result<Look<O::Response>, Fault> {
        let permit = in_time(self.until, self.host.permits.acquire()).await?;
        let _permit = permit.map_err(|_| Fault::unavailable("OVERLOADED", "the service is stopping"))?;
        let tx = self.host.db.snapshot().await?;
        let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
        let reply = self.read(&mut cx).await;
        cx.tx.rollback().await;
        match reply {
            Err(_) if !cx.unresolved.is_empty() => {
                let preparation =
                    Preparation { host: &self.host, caller: &self.caller, dry: false, deadline: self.until };
                let asked = cx.unresolved.iter().cloned().collect();
                O::Service::resolve(&preparation, cx.unresolved).await?;
                let tx = self.host.db.snapshot().await?;
                let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
                cx.asked = Arc::new(asked);
                let reply = self.read(&mut cx).await;
                cx.tx.rollback().await;
                reply
            }
            reply => reply,
        }
    }

    async fn read(&self, cx: &mut Cx<O::Service>) -> Result<Look<O::Response>, Fault> {
        if let Some(principal) = self.caller.principal() {
            if principal.token_expire_time <= cx.now() {
                return Err(Fault::unauthenticated("UNAUTHENTICATED", "the access token is not valid any more"));
            }
            floor::check(&mut cx.tx, principal).await?;
        }
        O::Service::authorize(cx, O::PERMISSION, &self.operation.target()).await?;
        let reply = self.operation.run(cx, &O::Prepared::default()).await?;
        let is_last = O::is_last(&reply);
        Ok(Look { message: O::present(reply), is_last })
    }
}
