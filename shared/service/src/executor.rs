//! The one executor: every operation passes these steps in this order, and nowhere else.
//!
//! 1 span, metrics, size and load limits (in the listener) and the deadline class · 2 authenticate · 3 rate limit ·
//! 4 parse · 5 prepare · 6 begin · 7 claim the replay row or answer the saved reply · 8 authorize · 9 run ·
//! 10 journal and outbox · 11 save the reply · 12 commit, or roll back a dry run · busy: back to 6 · 13 fault to status.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Fault, Kind};
use db::Db;
use prost::Message as _;
use proto::Request as _;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::caller::Caller;
use crate::contract::{Contract, Method};
use crate::cx::Cx;
use crate::dry_run;
use crate::floor;
use crate::journal::{self, Fact, Outcome};
use crate::key_store;
use crate::keys::ServiceKeys;
use crate::keyset::{KeySet, Rejected};
use crate::operation::{Operation, Preparation, Service, Work};
use crate::outbox;
use crate::rate::{Limiters, Rates};
use crate::replay::{self, Answer, Claim, ReplayKey};
use crate::status::status;

/// Attempts of one unit of work before CONTENTION.
const ATTEMPTS_MAX: u32 = 8;
/// How long an answer waits for what its operation began.
const FOLLOW_WAIT: Duration = Duration::from_secs(2);
/// Response metadata of an answer whose facts have not arrived everywhere yet (§4).
const PROPAGATION: &str = "tandem-propagation";

/// One service in one process.
#[derive(Debug)]
pub struct Host<S: Service> {
    /// Its database.
    pub db: Db,
    /// Its clock.
    pub clock: Clock,
    /// Its keys.
    pub keys: Arc<ServiceKeys>,
    /// The keys that verify access tokens.
    pub key_set: KeySet,
    /// Its own state.
    pub service: S,
    pub(crate) contract: Contract,
    pub(crate) outbox_news: Notify,
    pub(crate) outbox_delivered: Notify,
    begun: Notify,
    continued: Notify,
    pub(crate) limiters: Limiters,
    permits: Arc<Semaphore>,
}

/// What a host is made of.
#[derive(Debug)]
pub struct Parts<S> {
    /// Its database, migrated.
    pub db: Db,
    /// Its clock.
    pub clock: Clock,
    /// Its keys.
    pub keys: ServiceKeys,
    /// The issuer of access tokens.
    pub issuer: String,
    /// Its own state.
    pub service: S,
    /// The rates of this process.
    pub rates: Rates,
    /// Units of work under way at once.
    pub concurrency: usize,
}

impl<S: Service> Host<S> {
    /// Puts a host together.
    pub fn new(parts: Parts<S>) -> Result<Arc<Self>, Fault> {
        Ok(Arc::new(Self {
            db: parts.db,
            clock: parts.clock,
            keys: Arc::new(parts.keys),
            key_set: KeySet::new(parts.issuer),
            service: parts.service,
            contract: Contract::decode(proto::CONTRACT)?,
            outbox_news: Notify::new(),
            outbox_delivered: Notify::new(),
            begun: Notify::new(),
            continued: Notify::new(),
            limiters: Limiters::new(parts.rates),
            permits: Arc::new(Semaphore::new(parts.concurrency)),
        }))
    }

    /// Runs one call of one operation.
    pub async fn run<O: Operation<Service = S>>(
        self: &Arc<Self>,
        request: Request<O::Request>,
    ) -> Result<Response<O::Response>, Status> {
        let outcome = self.execute::<O>(request).await;
        let reason = outcome.as_ref().map_or_else(|fault| fault.reason().to_owned(), |_| "OK".to_owned());
        metrics::counter!("operations_total", "service" => S::NAME, "method" => O::METHOD, "reason" => reason)
            .increment(1);
        outcome.map_err(|fault| status(S::DOMAIN, &fault))
    }

    async fn execute<O: Operation<Service = S>>(
        self: &Arc<Self>,
        request: Request<O::Request>,
    ) -> Result<Response<O::Response>, Fault> {
        let method = self.contract.method(O::METHOD)?;
        let deadline = deadline(&request, method)?;
        let caller = self.authenticate(&request, method).await?;
        self.limit(&caller)?;
        let call = Call::<O> { host: Arc::clone(self), caller, body: request.into_inner(), deadline };
        // The unit of work lives in a task of its own: a caller who goes away must never drop a half-begun transaction.
        let task = tokio::spawn(call.serve().in_current_span());
        match tokio::time::timeout_at(deadline, task).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(Fault::internal("a unit of work panicked").because(error)),
            Err(_) => Err(Fault::deadline()),
        }
    }

    async fn authenticate<T>(&self, request: &Request<T>, method: &Method) -> Result<Caller, Fault> {
        let refused = || Fault::unauthenticated("UNAUTHENTICATED", "the call carries no valid token");
        if method.public {
            return Ok(Caller::Anonymous { source: source(request) });
        }
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = header.and_then(bearer).ok_or_else(refused)?;
        if let Some(allowed) = &method.internal_caller {
            let caller = self.keys.verify_service_token(token, &self.clock)?;
            if caller != *allowed {
                return Err(
                    Fault::denied("CALLER_NOT_ALLOWED", "another service calls this method").with("service", caller)
                );
            }
            return Ok(Caller::Peer(caller));
        }
        let now = self.clock.now();
        let claims = match self.key_set.verify(token, now) {
            Err(Rejected::UnknownKey) if self.key_set.may_refetch(now) => {
                self.refresh_keys().await?;
                self.key_set.verify(token, now)
            }
            verified => verified,
        };
        let claims = claims.map_err(|_| refused())?;
        if claims.must_change_password && !method.before_password_change {
            return Err(Fault::precondition(
                "PASSWORD_CHANGE_REQUIRED",
                "the temporary password must be replaced first: call ChangePassword, then use the token it answers",
            ));
        }
        Ok(Caller::Principal(claims.into()))
    }

    /// Fetches the key set anew and remembers it, so that a restart without identity can still verify tokens.
    ///
    /// # Errors
    /// When identity or the database does not answer; the keys in use stay in use.
    pub async fn refresh_keys(&self) -> Result<(), Fault> {
        let keys = S::fetch_keys(self).await?;
        key_store::remember(&self.db, &keys, self.clock.now()).await?;
        self.key_set.replace(keys);
        Ok(())
    }

    /// Takes the key set that was fetched last into use.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recall_keys(&self) -> Result<(), Fault> {
        self.key_set.replace(key_store::recall(&self.db).await?);
        Ok(())
    }

    fn limit(&self, caller: &Caller) -> Result<(), Fault> {
        match caller {
            Caller::Anonymous { source } => self.limiters.source.take(&source.to_string()),
            Caller::Principal(principal) => {
                self.limiters.principal.take(&principal.id.to_string())?;
                self.limiters.tenant.take(&principal.organization_id.to_string())
            }
            Caller::Peer(_) => Ok(()),
        }
    }

    /// Authenticated refusals and failures are recorded in a transaction of their own, rate-limited per principal.
    async fn record_refusal<O: Operation<Service = S>>(&self, caller: &Caller, call: &Journaled, fault: &Fault) {
        let Some(principal) = caller.principal() else { return };
        let reads = self.contract.method(O::METHOD).is_ok_and(|method| method.reads);
        if call.dry || reads || self.limiters.refusals.take(&principal.id.to_string()).is_err() {
            return;
        }
        let fact = Fact::new(O::METHOD.rsplit('/').next().unwrap_or(O::METHOD));
        let written = async {
            let mut tx = self.db.write().await?;
            let outcome = Outcome::Failed(fault.reason());
            journal::write(&mut tx, caller, self.clock.now(), call.request_hash, &[fact], outcome).await?;
            tx.commit().await
        };
        if let Err(fault) = written.await {
            tracing::warn!(method = O::METHOD, %fault, "a refusal could not be journaled");
        }
    }

    /// Wakes whoever works on what operations began.
    pub fn wake_followers(&self) {
        self.begun.notify_waiters();
    }

    /// Resolves when an operation began something that goes on after its commit.
    pub fn begun(&self) -> Notified<'_> {
        self.begun.notified()
    }

    /// Tells those who wait that something that goes on has moved.
    pub fn moved(&self) {
        self.continued.notify_waiters();
    }

    /// Wakes whoever delivers facts.
    pub fn wake_relays(&self) {
        self.outbox_news.notify_waiters();
    }

    /// Runs work of the service's own in one transaction, with journal and outbox like a call's. It is done again when
    /// the database asks for it.
    ///
    /// # Errors
    /// What the work refuses, or CONTENTION.
    pub async fn transact<W: Work<Service = S>>(self: &Arc<Self>, work: &W) -> Result<W::Done, Fault> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.transact_once(work).await {
                Err(fault) if fault.kind() == Kind::Busy && attempt < ATTEMPTS_MAX => {
                    tokio::time::sleep(Duration::from_millis(5 << attempt.min(6)).mul_f64(rand::random::<f64>())).await;
                }
                Err(fault) if fault.kind() == Kind::Busy => return Err(contention(fault)),
                outcome => return outcome,
            }
        }
    }

    async fn transact_once<W: Work<Service = S>>(self: &Arc<Self>, work: &W) -> Result<W::Done, Fault> {
        let caller = work.caller();
        let mut cx = Cx::new(self.db.write().await?, Arc::clone(self), caller.clone(), "");
        let done = match work.run(&mut cx).await {
            Ok(done) => done,
            Err(fault) => {
                cx.tx.rollback().await;
                return Err(fault);
            }
        };
        let facts = std::mem::take(&mut cx.facts);
        journal::write(&mut cx.tx, &caller, cx.now, None, &facts, Outcome::Succeeded).await?;
        let outgoing = std::mem::take(&mut cx.outgoing);
        let told = outbox::put(&mut cx.tx, &outgoing, cx.now).await?;
        cx.tx.commit().await?;
        if !told.is_empty() {
            self.wake_relays();
        }
        Ok(done)
    }

    /// Deletes what is due: old replies, spent buckets.
    pub async fn sweep(&self) -> Result<(), Fault> {
        self.limiters.sweep();
        let mut tx = self.db.write().await?;
        replay::sweep(&mut tx, self.clock.now()).await?;
        tx.commit().await
    }
}

/// One admitted call, before it is parsed.
struct Call<O: Operation> {
    host: Arc<Host<O::Service>>,
    caller: Caller,
    body: O::Request,
    deadline: Instant,
}

impl<O: Operation> Call<O> {
    async fn serve(self) -> Result<Response<O::Response>, Fault> {
        let (host, caller) = (Arc::clone(&self.host), self.caller.clone());
        let mut journaled = Journaled { request_hash: None, dry: self.body.validate_only() };
        let outcome = match self.parse(&mut journaled) {
            Ok(unit) => unit.work().await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = &outcome {
            host.record_refusal::<O>(&caller, &journaled, fault).await;
        }
        outcome
    }

    /// Steps 3, for named targets, and 4.
    fn parse(self, journaled: &mut Journaled) -> Result<Unit<O>, Fault> {
        let Self { host, caller, body, deadline } = self;
        let method = host.contract.method(O::METHOD)?;
        let bytes = body.encode_to_vec();
        if bytes.len() > method.request_bytes_max {
            return Err(Fault::exhausted("MESSAGE_TOO_LARGE", format!("the request has {} bytes", bytes.len()))
                .with("limit", method.request_bytes_max));
        }
        let dry = journaled.dry;
        let replay = match dry {
            true => None,
            false => ReplayKey::new(&host.keys, &caller, O::METHOD, body.request_id(), &bytes)?,
        };
        journaled.request_hash = replay.as_ref().map(|key| key.hash(&host.keys));
        let operation = O::parse(body)?;
        if let Some(target) = operation.named_target(&caller) {
            let source = match &caller {
                Caller::Anonymous { source } => source.to_string(),
                Caller::Principal(principal) => principal.id.to_string(),
                Caller::Peer(service) => service.clone(),
            };
            host.limiters.source_and_target.take(&format!("{}|{source}|{target}", O::METHOD))?;
            host.limiters.target.take(&format!("{}|{target}", O::METHOD))?;
        }
        Ok(Unit { host, caller, operation, replay, dry, deadline })
    }
}

/// What the journal needs to know of a call that was refused.
struct Journaled {
    request_hash: Option<[u8; 32]>,
    dry: bool,
}

/// One call on its way through steps 5 to 12.
struct Unit<O: Operation> {
    host: Arc<Host<O::Service>>,
    caller: Caller,
    operation: O,
    replay: Option<ReplayKey>,
    dry: bool,
    deadline: Instant,
}

/// What an attempt ended with.
struct Done<O: Operation> {
    response: O::Response,
    told: Vec<Uuid>,
    wait: bool,
    continuation: Option<Uuid>,
}

impl<O: Operation> Unit<O> {
    async fn work(self) -> Result<Response<O::Response>, Fault> {
        let permit = tokio::time::timeout_at(self.deadline, self.host.permits.acquire()).await;
        let _permit = permit
            .map_err(|_| Fault::deadline())?
            .map_err(|_| Fault::unavailable("OVERLOADED", "the service is stopping"))?;
        let done = self.prepare_and_attempt().await?;
        let done = match done.continuation {
            Some(id) => Done { response: self.follow(id).await?, ..done },
            None => done,
        };
        let mut response = Response::new(done.response);
        if !done.told.is_empty() {
            self.host.wake_relays();
            if done.wait && !outbox::delivered(&self.host.db, &self.host.outbox_delivered, &done.told).await {
                response.metadata_mut().insert(PROPAGATION, MetadataValue::from_static("pending"));
            }
        }
        Ok(response)
    }

    /// Waits for what the operation began to end, at most 2 s, and answers as it stands then.
    async fn follow(&self, id: Uuid) -> Result<O::Response, Fault> {
        self.host.wake_followers();
        let patience = self.deadline.min(Instant::now() + FOLLOW_WAIT);
        loop {
            let news = self.host.continued.notified();
            let tx = self.host.db.snapshot().await?;
            let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
            let progress = self.operation.resume(&mut cx, id).await;
            cx.tx.rollback().await;
            let progress = progress?;
            if progress.is_over || Instant::now() >= patience {
                let preparation = Preparation { host: &self.host, caller: &self.caller };
                let request = self.replay.as_ref().map(|key| key.hash(&self.host.keys));
                let reply = self.operation.deliver(&preparation, request, progress.reply).await?;
                return Ok(O::present(reply));
            }
            let pause = patience.min(Instant::now() + Duration::from_millis(50));
            // Another replica may be the one who works on it: look again even without news.
            let _ = tokio::time::timeout_at(pause, news).await;
        }
    }

    async fn prepare_and_attempt(&self) -> Result<Done<O>, Fault> {
        let reads = self.host.contract.method(O::METHOD)?.reads;
        let prepared = self.prepare().await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(reads, &prepared).await {
                Err(fault) if fault.kind() == Kind::Busy && attempt < ATTEMPTS_MAX => {
                    let pause = Duration::from_millis(5 << attempt.min(6)).mul_f64(rand::random::<f64>());
                    if Instant::now() + pause >= self.deadline {
                        return Err(contention(fault));
                    }
                    tokio::time::sleep(pause).await;
                }
                Err(fault) if fault.kind() == Kind::Busy => return Err(contention(fault)),
                outcome => return outcome,
            }
        }
    }

    /// Step 5, after the caller was found allowed on a read snapshot.
    async fn prepare(&self) -> Result<O::Prepared, Fault> {
        let preparation = Preparation { host: &self.host, caller: &self.caller };
        // A `()` has no size: there is nothing to prepare, and nothing to ask before.
        if std::mem::size_of::<O::Prepared>() > 0 {
            let tx = self.host.db.snapshot().await?;
            let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
            let allowed = self.allowed(&mut cx).await;
            cx.tx.rollback().await;
            allowed?;
        }
        self.operation.prepare(&preparation).await
    }

    /// Steps 6 to 12.
    async fn attempt(&self, reads: bool, prepared: &O::Prepared) -> Result<Done<O>, Fault> {
        self.check_deadline()?;
        let tx = if reads { self.host.db.snapshot().await? } else { self.host.db.write().await? };
        let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
        match self.inside(&mut cx, prepared).await {
            Ok(Inside::Continued(id)) => {
                cx.tx.rollback().await;
                Ok(Done { response: O::Response::default(), told: Vec::new(), wait: false, continuation: Some(id) })
            }
            Ok(Inside::Replayed(reply)) => {
                cx.tx.rollback().await;
                let response = O::Response::decode(reply.as_slice())
                    .map_err(|error| Fault::internal("a saved reply cannot be decoded").because(error))?;
                Ok(Done { response, told: Vec::new(), wait: false, continuation: None })
            }
            Ok(Inside::Ran { response, told }) if self.dry => {
                cx.tx.rollback().await;
                drop(told);
                let output = &self.host.contract.method(O::METHOD)?.output;
                Ok(Done {
                    response: dry_run::blank(&response, output, &cx.made)?,
                    told: Vec::new(),
                    wait: false,
                    continuation: None,
                })
            }
            Ok(Inside::Ran { response, told }) => {
                let deadline = self.check_deadline();
                let (wait, continuation) = (cx.wait_for_delivery, cx.continuation);
                if let Err(fault) = deadline {
                    cx.tx.rollback().await;
                    return Err(fault);
                }
                if reads {
                    cx.tx.rollback().await;
                } else {
                    cx.tx.commit().await?;
                }
                if let Some(refusal) = cx.refusal {
                    return Err(refusal);
                }
                Ok(Done { response, told, wait, continuation })
            }
            Err(fault) => {
                cx.tx.rollback().await;
                Err(fault)
            }
        }
    }

    /// Steps 7 to 11.
    async fn inside(&self, cx: &mut Cx<O::Service>, prepared: &O::Prepared) -> Result<Inside<O::Response>, Fault> {
        let keys = Arc::clone(&self.host.keys);
        if let Some(principal) = self.caller.principal() {
            floor::check(&mut cx.tx, principal).await?;
        }
        if let Some(key) = &self.replay
            && let Claim::Saved(saved) = key.claim(&mut cx.tx, cx.now).await?
        {
            if saved.is_sealed() {
                O::Service::authorize(cx, O::PERMISSION, &self.operation.target()).await?;
            }
            return match key.answer(&keys, saved, cx.now)? {
                Answer::Reply(reply) => Ok(Inside::Replayed(reply)),
                Answer::Continuation(id) => Ok(Inside::Continued(id)),
            };
        }
        O::Service::authorize(cx, O::PERMISSION, &self.operation.target()).await?;
        let reply = self.operation.run(cx, prepared).await?;
        let response = O::present(reply);
        let request_hash = self.replay.as_ref().map(|key| key.hash(&keys));
        let facts = std::mem::take(&mut cx.facts);
        journal::write(&mut cx.tx, &self.caller, cx.now, request_hash, &facts, Outcome::Succeeded).await?;
        let outgoing = std::mem::take(&mut cx.outgoing);
        let told = outbox::put(&mut cx.tx, &outgoing, cx.now).await?;
        if let Some(key) = &self.replay {
            key.save(&mut cx.tx, &keys, &response.encode_to_vec(), cx.secret_subject, cx.continuation).await?;
        }
        Ok(Inside::Ran { response, told })
    }

    async fn allowed(&self, cx: &mut Cx<O::Service>) -> Result<(), Fault> {
        if let Some(principal) = self.caller.principal() {
            floor::check(&mut cx.tx, principal).await?;
        }
        O::Service::authorize(cx, O::PERMISSION, &self.operation.target()).await
    }

    fn check_deadline(&self) -> Result<(), Fault> {
        if Instant::now() >= self.deadline { Err(Fault::deadline()) } else { Ok(()) }
    }
}

enum Inside<R> {
    Replayed(Vec<u8>),
    Continued(Uuid),
    Ran { response: R, told: Vec<Uuid> },
}

fn contention(fault: Fault) -> Fault {
    Fault::aborted("CONTENTION", "others kept changing the same rows; repeat the request")
        .retry_after(Duration::from_millis(200))
        .because(fault)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn source<T>(request: &Request<T>) -> IpAddr {
    let address = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    address.or_else(|| request.remote_addr()).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
}

/// The caller's own deadline when it is shorter than the class of the method allows.
fn deadline<T>(request: &Request<T>, method: &Method) -> Result<Instant, Fault> {
    let class = method.deadline.unwrap_or(Duration::from_secs(3600));
    let asked = match request.metadata().get("grpc-timeout") {
        None => class,
        Some(value) => value.to_str().ok().and_then(grpc_timeout).ok_or_else(|| {
            Fault::invalid("TIMEOUT_MALFORMED", "grpc-timeout is 1 to 8 digits and one of H, M, S, m, u, n")
        })?,
    };
    Ok(Instant::now() + asked.min(class))
}

/// The gRPC wire format of a timeout.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(grpc_timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(grpc_timeout("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(grpc_timeout("5"), None);
        assert_eq!(grpc_timeout("123456789S"), None);
        assert_eq!(grpc_timeout("-1S"), None);
        assert_eq!(grpc_timeout(""), None);
    }
}
