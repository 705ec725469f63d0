//! An RPC is a value: a validated request that knows its permission, its target and what to do.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use base::Fault;
use tokio::time::Instant;
use uuid::Uuid;

use crate::caller::Caller;
use crate::cx::Cx;
use crate::deadline;
use crate::executor::Host;
use crate::token::Key;

/// A limit that GetLimits publishes and errors name (C17).
#[derive(Clone, Copy, Debug)]
pub struct NamedLimit {
    /// A stable word, such as `page_size_max`.
    pub name: &'static str,
    /// The bound.
    pub value: i64,
    /// What it bounds, with its unit.
    pub description: &'static str,
}

/// One of the services: its state, and the one function that decides who may do what.
pub trait Service: Send + Sync + Sized + 'static {
    /// `identity`, `licensing` or `partner`.
    const NAME: &'static str;
    /// `tandem.` and the name: the domain of every ErrorInfo.
    const DOMAIN: &'static str;
    /// The limits of its nouns.
    const LIMITS: &'static [NamedLimit];
    /// What can be allowed.
    type Permission: Copy + Debug + Send + Sync + 'static;
    /// What an operation is aimed at.
    type Target: Debug + Send + Sync;
    /// What an attempt can hang on ([`Cx::hang_on`]): what only another service knows, or what has to be written down first.
    type Unresolved: Clone + Ord + Debug + Send + Sync;

    /// The permission to read the service's journal.
    const READ_JOURNAL: Self::Permission;
    /// The permission that everybody has who is signed in.
    const READ_LIMITS: Self::Permission;

    /// The target of operations that concern the caller's own organization.
    fn own_organization() -> Self::Target;

    /// Whose journal entries the caller may read: `None` for every organization's.
    fn journal_scope(cx: &Cx<Self>) -> Result<Option<Uuid>, Fault>;

    /// Decides, inside the operation's transaction. The authority rows that it reads in a mutation are held FOR SHARE,
    /// so that a reduction of authority either precedes the write or waits for it.
    fn authorize(
        cx: &mut Cx<Self>,
        permission: Self::Permission,
        target: &Self::Target,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Asks the other service, outside of any transaction, and writes down what it answered, or what is due; the attempt
    /// that hung on it is then made again. When the other one does not answer, neither do we: UNAVAILABLE.
    fn resolve(
        preparation: &Preparation<'_, Self>,
        unresolved: Vec<Self::Unresolved>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Fetches the key set that verifies access tokens, from wherever this service gets it.
    fn fetch_keys(host: &Host<Self>) -> impl Future<Output = Result<Vec<Key>, Fault>> + Send;
}

/// The two directions between protobuf and nouns. Implemented in `wire.rs`, and only there.
pub trait Wire: Sized {
    /// The request on the wire.
    type Request: prost::Message + proto::Request + Default + 'static;
    /// The reply on the wire.
    type Response: prost::Message + Default + Send + 'static;
    /// The reply in nouns.
    type Reply: Send;

    /// Reads a request: all violations at once.
    fn parse(request: Self::Request) -> Result<Self, Fault>;

    /// Writes a reply.
    fn present(reply: Self::Reply) -> Self::Response;
}

/// One RPC.
pub trait Operation: Wire + Send + Sync + 'static {
    /// Whose it is.
    type Service: Service;
    /// Its path on the wire: `/package.Service/Method`.
    const METHOD: &'static str;
    /// What the caller must be allowed.
    const PERMISSION: <Self::Service as Service>::Permission;
    /// What `prepare` hands to `run`: `()` when there is nothing to prepare.
    type Prepared: Default + Send + Sync;
    /// `deliver` adds a one-time secret: a repeated request gets it only while its caller is still allowed.
    const DELIVERS_SECRET: bool = false;

    /// What it is aimed at.
    fn target(&self) -> <Self::Service as Service>::Target;

    /// Whose secret it guesses at, if it does: such calls are limited per name, whoever makes them.
    fn named_target(&self, _caller: &Caller) -> Option<String> {
        None
    }

    /// The hot aggregate that it changes, if it does: one call of each organization at it is in the database at a time, and
    /// the others wait without a session. Which one it is may have to be looked up: nobody has asked yet what the
    /// caller may do, so that only what it may see makes a difference.
    fn gate(
        &self,
        _preparation: &Preparation<'_, Self::Service>,
    ) -> impl Future<Output = Result<Option<Uuid>, Fault>> + Send {
        async { Ok(None) }
    }

    /// Slow or remote work that must not sit in a transaction. It runs only after the caller was found allowed on a
    /// read snapshot; the transaction asks again.
    fn prepare(
        &self,
        _preparation: &Preparation<'_, Self::Service>,
    ) -> impl Future<Output = Result<Self::Prepared, Fault>> + Send {
        async { Ok(Self::Prepared::default()) }
    }

    /// The business. It touches only `cx`, and it may run again.
    fn run(
        &self,
        cx: &mut Cx<Self::Service>,
        prepared: &Self::Prepared,
    ) -> impl Future<Output = Result<Self::Reply, Fault>> + Send;

    /// For an operation that began something which goes on after its commit ([`Cx::continue_with`]): how it stands.
    /// Asked until it is over or 2 s have passed, and again by every replay; what `run` answered is for dry runs only.
    /// It reads and asks nobody, so that a database which does not answer is asked again.
    fn resume(
        &self,
        _cx: &mut Cx<Self::Service>,
        id: Uuid,
    ) -> impl Future<Output = Result<Progress<Self::Reply>, Fault>> + Send {
        async move { Err(Fault::internal(format!("{} cannot resume {id}", Self::METHOD))) }
    }

    /// For such an operation: the last remote look before the answer, such as a one-time secret that another service
    /// keeps for this very request.
    fn deliver(
        &self,
        _preparation: &Preparation<'_, Self::Service>,
        _request: Option<[u8; 32]>,
        reply: Self::Reply,
    ) -> impl Future<Output = Result<Self::Reply, Fault>> + Send {
        async move { Ok(reply) }
    }
}

/// How something that goes on after its operation stands.
#[derive(Debug)]
pub enum Progress<R> {
    /// It goes on: what to answer to somebody who waits no longer.
    Under(R),
    /// It has come to its end.
    Over(R),
    /// It came to nothing. Whoever ended it has recorded the refusal; those who are told of it do not record it again.
    Refused(Fault),
}

impl<R> Progress<R> {
    /// The same answer, whether it is over or not.
    pub fn of(is_over: bool, reply: R) -> Self {
        if is_over { Self::Over(reply) } else { Self::Under(reply) }
    }
}

/// Work of the service's own, outside any call: see [`Host::transact`].
pub trait Work: Send + Sync {
    /// Whose it is.
    type Service: Service;
    /// What it ends with.
    type Done: Send;

    /// In whose name the journal writes it.
    fn caller(&self) -> Caller {
        Caller::Peer(Self::Service::NAME.to_owned())
    }

    /// Does it. It touches only `cx`, and it may run again.
    fn run(&self, cx: &mut Cx<Self::Service>) -> impl Future<Output = Result<Self::Done, Fault>> + Send;
}

/// What `prepare` may use.
#[derive(Debug)]
pub struct Preparation<'h, S: Service> {
    /// The process.
    pub host: &'h Arc<Host<S>>,
    /// Who is calling.
    pub caller: &'h Caller,
    /// Nothing will be changed: whatever the real call would ask others to do is asked as a question.
    pub dry: bool,
    pub(crate) deadline: Instant,
}

impl<S: Service> Preparation<'_, S> {
    /// How long a call to another service may take, so that our own answer is still in time.
    pub fn left(&self) -> Duration {
        deadline::left(self.deadline)
    }
}
