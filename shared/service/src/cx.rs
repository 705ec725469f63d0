//! The context of one attempt of one operation: the only thing that `run` touches.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Clock, Fault, Id, Secret, Timestamp};
use db::Tx;
use uuid::Uuid;

use crate::caller::{Caller, Principal};
use crate::executor::Host;
use crate::journal::Fact;
use crate::keys::{random_token, temporary_secret};
use crate::operation::Service;
use crate::outbox::Outgoing;

/// One attempt of one operation.
#[derive(Debug)]
pub struct Cx<S: Service> {
    /// The transaction. Read-only when the method changes nothing.
    pub tx: Tx,
    pub(crate) host: Arc<Host<S>>,
    pub(crate) caller: Caller,
    pub(crate) now: Timestamp,
    pub(crate) facts: Vec<Fact>,
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) made: Vec<String>,
    pub(crate) secret_subject: Option<Uuid>,
    pub(crate) wait_for_delivery: bool,
    pub(crate) refusal: Option<Fault>,
    pub(crate) continuation: Option<Uuid>,
    pub(crate) delivery: Option<Uuid>,
    pub(crate) request_hash: Option<[u8; 32]>,
    pub(crate) unresolved: Vec<S::Unresolved>,
    /// At which organization the caller was found allowed.
    pub(crate) concerned: Option<Uuid>,
    /// What this call has asked for in earlier attempts.
    pub(crate) asked: Arc<BTreeSet<S::Unresolved>>,
    pub(crate) scope_method: &'static str,
}

impl<S: Service> Cx<S> {
    pub(crate) fn new(tx: Tx, host: Arc<Host<S>>, caller: Caller, method: &'static str) -> Self {
        let now = host.clock.now();
        Self {
            tx,
            host,
            caller,
            now,
            facts: Vec::new(),
            outgoing: Vec::new(),
            made: Vec::new(),
            secret_subject: None,
            wait_for_delivery: false,
            refusal: None,
            continuation: None,
            delivery: None,
            request_hash: None,
            unresolved: Vec::new(),
            concerned: None,
            asked: Arc::default(),
            scope_method: method,
        }
    }

    /// The service's own state.
    pub fn service(&self) -> &S {
        &self.host.service
    }

    /// The process: keys and settings. Not for IO.
    pub fn host(&self) -> &Host<S> {
        &self.host
    }

    /// The time of this attempt. It does not move while the attempt runs.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The principal who is calling; refused when there is none.
    pub fn principal(&self) -> Result<&Principal, Fault> {
        self.caller
            .principal()
            .ok_or_else(|| Fault::unauthenticated("UNAUTHENTICATED", "this call needs an access token"))
    }

    /// The organization of the principal who is calling, as whatever noun the service uses for it.
    pub fn organization<T>(&self) -> Result<Id<T>, Fault> {
        Ok(Id::from_uuid(self.principal()?.organization_id))
    }

    /// A new id. A dry run does not show it.
    pub fn new_id<T>(&mut self) -> Id<T> {
        let id = Id::random();
        self.made.push(id.to_string());
        id
    }

    /// A new 256-bit token. A dry run does not show it.
    pub fn new_token(&mut self) -> Secret<String> {
        let token = random_token();
        self.made.push(token.expose().clone());
        token
    }

    /// A new temporary password (C18). A dry run does not show it.
    pub fn new_temporary_secret(&mut self) -> Secret<String> {
        let secret = temporary_secret();
        self.made.push(secret.expose().clone());
        secret
    }

    /// Notes a value that this operation makes, so that a dry run does not show it.
    pub fn made(&mut self, value: impl Into<String>) {
        self.made.push(value.into());
    }

    /// Records a fact: it is committed together with the change, and is the audit log.
    pub fn record(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Tells other services a fact through the outbox, at least once, after the commit.
    pub fn tell(&mut self, destination: &'static str, aggregate: Uuid, version: i64, fact: &impl prost::Message) {
        self.outgoing.push(Outgoing { destination, aggregate, version, fact: fact.encode_to_vec() });
    }

    /// The answer waits until what is told has arrived, at most 2 s: for operations that reduce authority (§4).
    pub fn answer_after_delivery(&mut self) {
        self.wait_for_delivery = true;
    }

    /// What names this request and is no secret: the hash of its principal, method and request_id. `None` without a
    /// request_id. [`crate::Operation::deliver`] is handed the same.
    pub fn request_hash(&self) -> Option<[u8; 32]> {
        self.request_hash
    }

    /// What this attempt tells others is one delivery, whose arrival can be asked for afterwards ([`Cx::is_delivered`]).
    pub fn deliver_as(&mut self, delivery: Uuid) {
        self.delivery = Some(delivery);
    }

    /// Whether everything that was told as this delivery has arrived.
    pub async fn is_delivered(&mut self, delivery: Uuid) -> Result<bool, Fault> {
        crate::outbox::is_delivered(&mut self.tx, delivery, None).await
    }

    /// Whether everything of this delivery that was told to one service has arrived there.
    pub async fn is_delivered_to(&mut self, delivery: Uuid, destination: &'static str) -> Result<bool, Fault> {
        crate::outbox::is_delivered(&mut self.tx, delivery, Some(destination)).await
    }

    /// This attempt cannot be judged before another service was asked, or something was written down. Its refusal is
    /// answered only if it is still the same after [`Service::resolve`].
    pub fn hang_on(&mut self, unresolved: S::Unresolved) {
        self.unresolved.push(unresolved);
    }

    /// The caller may do at this organization what it asks for. What stands in the way after that is a refusal of which that
    /// organization reads as well (AS-111); whoever may do nothing there writes nothing into its journal.
    pub fn concern(&mut self, organization: Uuid) {
        self.concerned.get_or_insert(organization);
    }

    /// Ends this attempt until another service was asked for all of this. What an earlier attempt of the call has asked
    /// for is not asked for again: what is still not there then does not exist.
    ///
    /// # Errors
    /// The end of the attempt: `CONTENTION`, which nobody sees unless the call hangs on ever new things.
    pub fn ask(&mut self, wanted: impl IntoIterator<Item = S::Unresolved>) -> Result<(), Fault> {
        let news: Vec<_> = wanted.into_iter().filter(|wanted| !self.asked.contains(wanted)).collect();
        if news.is_empty() {
            return Ok(());
        }
        self.unresolved.extend(news);
        Err(Fault::contention("what this call rests on is still being asked for; repeat the request"))
    }

    /// This call began something that goes on after its commit: the answer is [`crate::Operation::resume`]'s.
    pub fn continue_with(&mut self, id: Uuid) {
        self.continuation = Some(id);
    }

    /// What a request began came to nothing for a reason that passes: whoever repeats it begins anew, as if it had been
    /// refused at once.
    pub async fn give_up_requests(&mut self, continuation: Uuid) -> Result<(), Fault> {
        crate::replay::give_up(&mut self.tx, continuation).await
    }

    /// Commits what this call changed and then refuses it: for changes that a refusal itself brings about, such as the
    /// end of a session whose refresh token was presented twice.
    pub fn refuse_after_commit(&mut self, fault: Fault) {
        self.refusal = Some(fault);
    }

    /// The reply holds a one-time secret of this subject: it is sealed in the replay row and erased with
    /// [`Cx::erase_sealed_replies`].
    pub fn seal_reply(&mut self, subject: Uuid) {
        self.secret_subject = Some(subject);
    }

    /// Erases the sealed replies that hold this subject's secret, because it was used or replaced.
    pub async fn erase_sealed_replies(&mut self, subject: Uuid) -> Result<(), Fault> {
        self.tx.sql("UPDATE replays SET reply = NULL WHERE secret_subject = $1").bind(subject).execute().await.map(drop)
    }

    /// Raises the least auth_version that is accepted of a principal, here.
    pub async fn raise_floor(&mut self, principal: Uuid, auth_version: i64) -> Result<(), Fault> {
        crate::floor::raise(&mut self.tx, principal, auth_version).await
    }

    /// The clock, for what lives longer than this attempt.
    pub fn clock(&self) -> &Clock {
        &self.host.clock
    }

    /// What binds a page token of this list: the method, the caller's organization and the filters.
    pub fn page_scope(&self, filters: &str) -> Vec<Vec<u8>> {
        let organization = self.caller.principal().map(|principal| principal.organization_id.as_bytes().to_vec());
        vec![self.scope_method.as_bytes().to_vec(), organization.unwrap_or_default(), filters.as_bytes().to_vec()]
    }
}
