//! One TCP edge that can be made slow, lossy, dead or exactly wrong.
//!
//! Owns a loopback listener and the connections made through it. Promises that [`Proxy::set`] holds for live and new
//! connections when it returns, that a half-close passes as a half-close, and that a statement rule acts on the message
//! that carries the statement: not one byte of it is forwarded before the rule is asked. Refuses to change bytes or
//! their order.
//!
//! Rules read the PostgreSQL protocol in plain text; other protocols pass through the same proxy, without rules.

mod connection;
mod database;
mod frontend;
#[cfg(test)]
mod postgres_tests;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    num::NonZeroU64,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub use database::to_database;

use super::port::{self, ReservedPort};

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream.
    ToUpstream,
    /// From the upstream to the client.
    ToClient,
}

/// What the edge does to its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything at once.
    Pass,
    /// Forwards everything, each byte this much later; the rate is not limited.
    Delay {
        /// Added from client to upstream.
        to_upstream: Duration,
        /// Added from upstream to client.
        to_client: Duration,
    },
    /// Accepts, swallows and answers nothing. A connection that lost bytes is reset when another mode is set.
    BlackHole,
    /// Resets every live connection; refuses new ones.
    Cut,
    /// Forwards this many bytes of each connection, counted from now and in this direction, and then cuts it: the
    /// receiver of the bytes sees an orderly end, the sender a reset.
    CutAfter {
        /// How many bytes still arrive.
        bytes: u64,
        /// The direction that is counted.
        direction: Direction,
    },
    /// Resets the connection of every n-th chunk, counted over all connections and both directions.
    ResetOneIn(NonZeroU64),
    /// Keeps back what the upstream sends until [`Proxy::release`].
    HoldAnswers,
}

/// What a statement rule does. A cut resets the client and lets the upstream see an orderly end after what was
/// forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Cuts; the upstream never sees the statement.
    CutBeforeForward,
    /// Forwards and cuts at once: whether the upstream has run the statement is open, that it will is certain.
    CutAfterForward,
    /// Forwards, waits for the upstream's answer, drops it and cuts: the upstream has run the statement and the client
    /// cannot know.
    CutOnAnswer,
    /// Forwards and keeps back everything that the upstream sends on this connection until [`Proxy::release`].
    HoldAnswer,
}

/// What has passed through the edge since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that live now.
    pub live: usize,
    /// Bytes forwarded from clients to the upstream.
    pub to_upstream: u64,
    /// Bytes forwarded from the upstream to clients.
    pub to_client: u64,
    /// Times that a statement rule has acted.
    pub triggered: u64,
}

/// One edge: a loopback address that leads to an upstream. Dropping it cuts its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts an edge to `upstream` on a port of its own, in [`Mode::Pass`]. The upstream need not listen yet.
    ///
    /// # Panics
    /// Outside a tokio runtime, or when no port is free.
    #[must_use]
    pub fn start(upstream: SocketAddr) -> Self {
        let reserved = ReservedPort::reserve();
        let address = reserved.address();
        let listener = reserved.listen().expect("a reserved port can be listened on");
        let shared = Arc::new(Shared::new(upstream));
        let accepting = tokio::spawn(accept(reserved, listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the mode. When this returns it holds for live and new connections; after [`Mode::Cut`] no connection lives.
    pub async fn set(&self, mode: Mode) {
        self.shared.control.send_modify(|control| control.change(mode));
        let listens = mode != Mode::Cut;
        reaches(&self.shared.listening, |listening| *listening == listens).await;
        if mode == Mode::Cut {
            self.idle().await;
        }
    }

    /// Lets go everything that is held: by [`Mode::HoldAnswers`], which becomes [`Mode::Pass`], and by
    /// [`Action::HoldAnswer`].
    pub fn release(&self) {
        self.shared.control.send_modify(|control| {
            control.releases += 1;
            if control.mode == Mode::HoldAnswers {
                control.change(Mode::Pass);
            }
        });
    }

    /// Makes `action` happen the next `times` times that a client sends a statement that begins with `prefix`, in
    /// whatever case. Of several rules for a statement the oldest acts.
    pub fn on_statement(&self, prefix: &str, action: Action, times: usize) {
        self.shared.rules().push(Rule { prefix: prefix.to_owned(), action, left: times });
    }

    /// Takes back every statement rule.
    pub fn forget_statements(&self) {
        self.shared.rules().clear();
    }

    /// Waits until statement rules have acted `count` times since the start. A cut counts when it has happened, a hold
    /// when the statement was forwarded.
    pub async fn wait_triggered(&self, count: u64) {
        reaches(&self.shared.triggered, |triggered| *triggered >= count).await;
    }

    /// Waits until no connection lives. After a cut that let the upstream see an orderly end, this is when the upstream
    /// has closed its side, and so has finished with what was forwarded.
    pub async fn idle(&self) {
        reaches(&self.shared.live, |live| *live == 0).await;
    }

    /// What has passed so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let shared = &self.shared;
        Counters {
            connections: shared.connections.load(Ordering::Relaxed),
            live: *shared.live.borrow(),
            to_upstream: shared.to_upstream.load(Ordering::Relaxed),
            to_client: shared.to_client.load(Ordering::Relaxed),
            triggered: *shared.triggered.borrow(),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What the test has asked for.
#[derive(Clone, Copy, Debug)]
struct Control {
    mode: Mode,
    /// Goes up with every change of mode.
    epoch: u64,
    /// How often everything held was let go.
    releases: u64,
}

impl Control {
    fn change(&mut self, mode: Mode) {
        self.mode = mode;
        self.epoch += 1;
    }
}

#[derive(Debug)]
struct Rule {
    prefix: String,
    action: Action,
    left: usize,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    control: watch::Sender<Control>,
    listening: watch::Sender<bool>,
    live: watch::Sender<usize>,
    triggered: watch::Sender<u64>,
    rules: Mutex<Vec<Rule>>,
    connections: AtomicU64,
    chunks: AtomicU64,
    to_upstream: AtomicU64,
    to_client: AtomicU64,
}

impl Shared {
    fn new(upstream: SocketAddr) -> Self {
        Self {
            upstream,
            control: watch::Sender::new(Control { mode: Mode::Pass, epoch: 0, releases: 0 }),
            listening: watch::Sender::new(true),
            live: watch::Sender::new(0),
            triggered: watch::Sender::new(0),
            rules: Mutex::default(),
            connections: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            to_upstream: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
        }
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses up one turn of the rule that fits, if any does.
    fn claim(&self, statements: &[String]) -> Option<Action> {
        let mut rules = self.rules();
        let rule =
            rules.iter_mut().find(|rule| rule.left > 0 && statements.iter().any(|text| begins(text, &rule.prefix)))?;
        rule.left -= 1;
        Some(rule.action)
    }

    fn trigger(&self) {
        self.triggered.send_modify(|count| *count += 1);
    }
}

fn begins(text: &str, prefix: &str) -> bool {
    text.trim_start().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

async fn reaches<T>(state: &watch::Sender<T>, fits: impl FnMut(&T) -> bool) {
    state.subscribe().wait_for(fits).await.expect("the proxy owns the sender");
}

/// Counts a connection as live until dropped.
struct Live(Arc<Shared>);

impl Live {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        shared.live.send_modify(|live| *live += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.send_modify(|live| *live -= 1);
    }
}

/// Accepts while the mode allows it, and owns the connections: when this task goes, they go.
async fn accept(reserved: ReservedPort, listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut control = shared.control.subscribe();
    let mut listener = Some(listener);
    loop {
        if control.borrow_and_update().mode == Mode::Cut {
            if let Some(listener) = listener.take() {
                port::close(listener);
            }
        } else if listener.is_none() {
            listener = Some(reserved.listen().expect("a reserved port can be listened on"));
        }
        shared.listening.send_replace(listener.is_some());
        tokio::select! {
            biased;
            _ = control.changed() => {}
            client = next_client(listener.as_ref()) => {
                let live = Live::begin(&shared);
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    connection::run(client, &shared).await;
                    drop(live);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn next_client(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        // An error here is about a connection that went away again.
        if let Ok((client, _)) = listener.accept().await {
            return client;
        }
    }
}
