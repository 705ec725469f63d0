//! Calls that come twice, late or in another order.
//!
//! Owns what TCP cannot do to a message. [`Chaos`] is a tower layer for a tonic client's channel; [`GrpcProxy`] puts
//! the same layer between two processes. Promises that every copy carries the same bytes, that a copy goes its way when
//! the caller has long given up, and that [`Chaos::settle`] leaves nothing under way. Refuses streams: a call is read
//! whole, and so is its answer.

mod policy;
mod proxy;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};
use tonic::{
    body::Body,
    codegen::{Body as HttpBody, Bytes, StdError},
};
use tower::{Layer, Service, ServiceExt as _};

use self::policy::Dealer;
pub use self::{
    policy::{Answer, Fate, Odds, Plan, Policy, SEED_VARIABLE, seed},
    proxy::GrpcProxy,
};

/// What has happened so far. A sweep looks here whether it has met what it was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that came.
    pub calls: u64,
    /// Calls delivered twice, one after the other.
    pub twice: u64,
    /// Calls delivered twice, together.
    pub at_once: u64,
    /// Calls overtaken by as many others as they were to be.
    pub overtaken: u64,
    /// Calls delivered again after others.
    pub repeated: u64,
    /// Calls held or repeated that went on by themselves, because too few others came.
    pub impatient: u64,
}

impl Tally {
    /// What has happened to calls of both kinds together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            twice: self.twice + other.twice,
            at_once: self.at_once + other.at_once,
            overtaken: self.overtaken + other.overtaken,
            repeated: self.repeated + other.repeated,
            impatient: self.impatient + other.impatient,
        }
    }
}

/// The layer, and the handle to what it does. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Chaos {
    shared: Arc<Shared>,
}

impl Chaos {
    /// Does what the policy says. Prints the seed of a random one.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        if let Plan::Random { seed, .. } = &policy.plan {
            #[expect(clippy::print_stderr, reason = "the test's captured output is where a reader looks")]
            {
                eprintln!("the calls are disturbed by the seed {seed}; {SEED_VARIABLE}={seed} repeats it");
            }
        }
        let state = State { dealer: Dealer::new(policy.plan), tallies: BTreeMap::new(), calls: 0, waiting: Vec::new() };
        let (arrived, under_way) = (watch::Sender::new(0), watch::Sender::new(0));
        let Policy { patience, late, .. } = policy;
        Self { shared: Arc::new(Shared { patience, late, state: Mutex::new(state), arrived, under_way }) }
    }

    /// What has happened so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.shared.state().tallies.values().copied().fold(Tally::default(), Tally::and)
    }

    /// The same by method: the path of its calls.
    #[must_use]
    pub fn tallies(&self) -> BTreeMap<String, Tally> {
        self.shared.state().tallies.clone()
    }

    /// Waits until `count` calls have come since the start, whatever has become of them.
    pub async fn arrived(&self, count: u64) {
        reaches(&self.shared.arrived, |calls| *calls >= count).await;
    }

    /// Lets everything that is held or to be repeated go now, and waits until nothing is under way. Meant for when the
    /// callers rest.
    pub async fn settle(&self) {
        let mut under_way = self.shared.under_way.subscribe();
        while *under_way.borrow_and_update() > 0 {
            self.shared.state().waiting.clear();
            // The sender is ours, so this cannot fail.
            let _ = under_way.changed().await;
        }
    }
}

impl<S> Layer<S> for Chaos {
    type Service = Disturbed<S>;

    fn layer(&self, inner: S) -> Disturbed<S> {
        Disturbed { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A channel whose calls come twice, late or in another order.
#[derive(Clone, Debug)]
pub struct Disturbed<S> {
    inner: S,
    shared: Arc<Shared>,
}

type Outcome = Result<Response<Body>, StdError>;

impl<S, B> Service<Request<B>> for Disturbed<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: Into<StdError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Response = Response<Body>;
    type Error = StdError;
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    /// Always: every copy waits for the inner service by itself.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The fate is dealt here and not in the task, so that it follows the order in which the calls come.
        let call = self.shared.arrive(request.uri().path());
        let playing = tokio::spawn(play(self.inner.clone(), call, request));
        Box::pin(async move { playing.await? })
    }
}

/// A call that has come.
struct Call {
    shared: Arc<Shared>,
    path: String,
    number: u64,
    fate: Fate,
    overtaken: Option<oneshot::Receiver<Overtaken>>,
    /// While any of these lives, something of the call is under way.
    under_way: Arc<UnderWay>,
}

async fn play<S, B>(inner: S, call: Call, request: Request<B>) -> Outcome
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: Into<StdError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    let (head, body) = request.into_parts();
    let body = Full::new(body.collect().await.map_err(Into::into)?.to_bytes());
    let request = Request::from_parts(head, body);
    let Call { shared, path, number, fate, overtaken, under_way } = call;
    let outcome = match fate {
        Fate::Pass => deliver(inner, request).await,
        Fate::Twice(wanted) => {
            let first = deliver(inner.clone(), request.clone()).await;
            let second = deliver(inner, request).await;
            match wanted {
                Answer::First => first,
                Answer::Second => second,
            }
        }
        Fate::AtOnce => at_once(inner, request, &under_way).await?,
        Fate::Hold(_) => {
            shared.wait(&path, overtaken, shared.patience, |tally| &mut tally.overtaken).await;
            deliver(inner, request).await
        }
        Fate::Repeat(_) => {
            let outcome = deliver(inner.clone(), request.clone()).await;
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                shared.wait(&path, overtaken, shared.late, |tally| &mut tally.repeated).await;
                let _ = deliver(inner, request).await;
                drop(under_way);
            });
            outcome
        }
    };
    shared.answered(number);
    outcome
}

/// Delivers two copies and returns the first outcome; the other copy goes its way.
async fn at_once<S>(inner: S, request: Request<Full<Bytes>>, under_way: &Arc<UnderWay>) -> Result<Outcome, StdError>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: Into<StdError>,
    S::Future: Send,
{
    let [one, other] = [(); 2].map(|()| {
        let (inner, request, under_way) = (inner.clone(), request.clone(), Arc::clone(under_way));
        tokio::spawn(async move {
            let outcome = deliver(inner, request).await;
            drop(under_way);
            outcome
        })
    });
    tokio::select! {
        outcome = one => Ok(outcome?),
        outcome = other => Ok(outcome?),
    }
}

/// Sends one copy and reads its answer to the end.
async fn deliver<S>(inner: S, request: Request<Full<Bytes>>) -> Outcome
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Error: Into<StdError>,
{
    let (head, body) = inner.oneshot(request.map(Body::new)).await.map_err(Into::into)?.into_parts();
    let body = body.collect().await?;
    Ok(Response::from_parts(head, Body::new(body)))
}

#[derive(Debug)]
struct Shared {
    patience: Duration,
    late: Duration,
    state: Mutex<State>,
    arrived: watch::Sender<u64>,
    /// Calls of which something is under way.
    under_way: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    dealer: Dealer,
    /// By path.
    tallies: BTreeMap<String, Tally>,
    /// Calls so far; counts them in the order in which they come.
    calls: u64,
    waiting: Vec<Waiting>,
}

/// A call that waits to be overtaken.
#[derive(Debug)]
struct Waiting {
    number: u64,
    left: u32,
    wake: oneshot::Sender<Overtaken>,
}

#[derive(Debug)]
struct Overtaken;

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrive(self: &Arc<Self>, path: &str) -> Call {
        let mut state = self.state();
        let fate = state.dealer.next(path);
        let tally = state.tallies.entry(path.to_owned()).or_default();
        tally.calls += 1;
        match fate {
            Fate::Twice(_) => tally.twice += 1,
            Fate::AtOnce => tally.at_once += 1,
            Fate::Pass | Fate::Hold(_) | Fate::Repeat(_) => {}
        }
        state.calls += 1;
        let number = state.calls;
        let overtaken = match fate {
            Fate::Hold(left) | Fate::Repeat(left) => {
                let (wake, overtaken) = oneshot::channel();
                state.waiting.push(Waiting { number, left, wake });
                Some(overtaken)
            }
            Fate::Pass | Fate::Twice(_) | Fate::AtOnce => None,
        };
        drop(state);
        let under_way = Arc::new(UnderWay::begin(self));
        self.arrived.send_replace(number);
        Call { shared: Arc::clone(self), path: path.to_owned(), number, fate, overtaken, under_way }
    }

    /// Counts the answer for every call that came earlier and waits.
    fn answered(&self, number: u64) {
        let mut state = self.state();
        for waiting in std::mem::take(&mut state.waiting) {
            let left = waiting.left - u32::from(waiting.number < number);
            if left == 0 {
                let _ = waiting.wake.send(Overtaken);
            } else if !waiting.wake.is_closed() {
                state.waiting.push(Waiting { left, ..waiting });
            }
        }
    }

    /// Waits to be overtaken, no longer than the patience lasts, and counts how it went.
    async fn wait(
        &self,
        path: &str,
        overtaken: Option<oneshot::Receiver<Overtaken>>,
        patience: Duration,
        counter: impl FnOnce(&mut Tally) -> &mut u64,
    ) {
        let Some(overtaken) = overtaken else { return };
        let outcome = timeout(patience, overtaken).await;
        let mut state = self.state();
        let tally = state.tallies.entry(path.to_owned()).or_default();
        match outcome {
            Ok(Ok(Overtaken)) => *counter(tally) += 1,
            Ok(Err(_)) | Err(_) => tally.impatient += 1,
        }
    }
}

/// Counts a call as under way until dropped.
#[derive(Debug)]
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.under_way.send_modify(|calls| *calls += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|calls| *calls -= 1);
    }
}

async fn reaches<T>(state: &watch::Sender<T>, fits: impl FnMut(&T) -> bool) {
    // The sender is ours, so this cannot fail.
    let _ = state.subscribe().wait_for(fits).await;
}
