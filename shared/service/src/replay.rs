//! Replay: the same request_id of the same principal means the same request (R-03, R-04, AIP-155).

use std::time::Duration;

use base::{Fault, Id, Kind, Timestamp};
use db::{Record, Row, Tx};
use uuid::Uuid;

use crate::caller::Caller;
use crate::keys::ServiceKeys;
use crate::seal;

/// How long a one-time secret can be replayed.
pub const SECRET_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long other replies are kept.
pub const REPLY_LIFE: Duration = Duration::from_secs(25 * 3600);
/// How long a row is remembered after its secret is gone, so that a late repeat is told so.
const SEALED_ROW_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a duplicate waits for the first one to end.
pub(crate) const DUPLICATE_WAIT: Duration = Duration::from_secs(1);

const LABEL: &str = "replay";

/// What names a request: who, which method, which id; and the digest of its body.
#[derive(Clone, Debug)]
pub(crate) struct ReplayKey {
    principal: Vec<u8>,
    method: &'static str,
    request_id: Uuid,
    digest: [u8; 32],
}

/// What was found under the key.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Nothing: this is the first one.
    Fresh,
    /// The reply of the first one.
    Saved(Saved),
}

#[derive(Debug)]
pub(crate) struct Saved {
    digest: Vec<u8>,
    reply: Option<Vec<u8>>,
    sealed: bool,
    continuation: Option<Uuid>,
    create_time: Timestamp,
}

/// What is kept beside a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Whose one-time secret the reply holds.
    pub(crate) secret_subject: Option<Uuid>,
    /// What the call began and left to others.
    pub(crate) continuation: Option<Uuid>,
}

/// What a repeated request is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The reply of the first one.
    Reply(Vec<u8>),
    /// How what the first one began stands now.
    Continuation(Uuid),
}

impl Record for Saved {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            digest: row.get("digest")?,
            reply: row.get("reply")?,
            sealed: row.get("sealed")?,
            continuation: row.get("continuation")?,
            create_time: row.get("create_time")?,
        })
    }
}

impl Saved {
    /// Whether it holds a one-time secret, which is shown only to those who are still allowed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }
}

impl ReplayKey {
    /// The key of a request that carries a request_id. Public methods are keyed by the digest as well, since anybody
    /// could guess an id.
    pub(crate) fn new(
        keys: &ServiceKeys,
        caller: &Caller,
        method: &'static str,
        request_id: &str,
        body: &[u8],
    ) -> Result<Option<Self>, Fault> {
        if request_id.is_empty() {
            return Ok(None);
        }
        let Some(id) = Id::<()>::parse(request_id) else {
            return Err(Fault::field("request_id", "MALFORMED", "a request_id is a UUID with hyphens"));
        };
        let digest = keys.mac(LABEL, &[method.as_bytes(), body]);
        let principal = match caller {
            Caller::Principal(principal) => principal.id.as_bytes().to_vec(),
            Caller::Anonymous { .. } => digest.to_vec(),
            Caller::Peer(service) => service.as_bytes().to_vec(),
        };
        Ok(Some(Self { principal, method, request_id: id.uuid(), digest }))
    }

    /// The hash that the journal keeps.
    pub(crate) fn hash(&self, keys: &ServiceKeys) -> [u8; 32] {
        keys.mac("journal request", &[&self.principal, self.method.as_bytes(), self.request_id.as_bytes()])
    }

    /// What duplicates in this process wait for one another at.
    pub(crate) fn gate_key(&self, keys: &ServiceKeys) -> u128 {
        let hash = self.hash(keys);
        let (half, _) = hash.split_at(16);
        half.iter().fold(0, |key, byte| key << 8 | u128::from(*byte))
    }

    /// Claims the row, or finds the reply of the one who did. A duplicate that is still running is waited for.
    pub(crate) async fn claim(&self, tx: &mut Tx, now: Timestamp) -> Result<Claim, Fault> {
        tx.lock_timeout(DUPLICATE_WAIT).await?;
        let inserted = tx
            .sql(
                "INSERT INTO replays (principal_key, method, request_id, digest, sealed, create_time)
                 VALUES ($1, $2, $3, $4, FALSE, $5)
                 ON CONFLICT DO NOTHING",
            )
            .bind(&self.principal)
            .bind(self.method)
            .bind(self.request_id)
            .bind(self.digest)
            .bind(now)
            .execute()
            .await
            .map_err(|fault| match fault.kind() {
                Kind::Busy => in_progress().because(fault),
                _ => fault,
            })?;
        if inserted == 1 {
            tx.lock_timeout(db::LOCK_TIMEOUT).await?;
            return Ok(Claim::Fresh);
        }
        // Swept between the two statements: the whole unit of work starts again and claims it.
        self.saved(tx).await?.map(Claim::Saved).ok_or_else(|| Fault::busy("a saved reply was swept while it was read"))
    }

    /// The reply of a first one that has ended.
    pub(crate) async fn saved(&self, tx: &mut Tx) -> Result<Option<Saved>, Fault> {
        tx.sql(
            "SELECT digest, reply, sealed, continuation, create_time
             FROM replays
             WHERE principal_key = $1 AND method = $2 AND request_id = $3",
        )
        .bind(&self.principal)
        .bind(self.method)
        .bind(self.request_id)
        .optional()
        .await
    }

    /// The reply of the first one, when the body is the same and its secret is still there.
    pub(crate) fn answer(&self, keys: &ServiceKeys, saved: Saved, now: Timestamp) -> Result<Answer, Fault> {
        if saved.digest != self.digest {
            return Err(Fault::invalid("REQUEST_ID_REUSED", "this request_id was used with another request"));
        }
        if let Some(id) = saved.continuation {
            return Ok(Answer::Continuation(id));
        }
        if !saved.sealed {
            return saved.reply.map(Answer::Reply).ok_or_else(|| Fault::internal("a saved reply is empty"));
        }
        let expired = now.since(saved.create_time) >= SECRET_LIFE;
        match saved.reply.filter(|_| !expired) {
            Some(reply) => seal::open(keys, LABEL, &self.binding(), &reply).map(Answer::Reply),
            None => Err(Fault::precondition(
                "CREDENTIALS_ALREADY_DELIVERED",
                "the secret of this request was delivered and cannot be shown again; make a new one",
            )),
        }
    }

    /// Saves the reply, sealed when it holds a secret.
    pub(crate) async fn save(&self, tx: &mut Tx, keys: &ServiceKeys, reply: &[u8], keep: Keep) -> Result<(), Fault> {
        let reply = match keep.secret_subject {
            Some(_) => seal::seal(keys, LABEL, &self.binding(), reply),
            None => reply.to_vec(),
        };
        let saved = tx
            .sql(
                "UPDATE replays SET reply = $4, sealed = $5, secret_subject = $6, continuation = $7
                 WHERE principal_key = $1 AND method = $2 AND request_id = $3",
            )
            .bind(&self.principal)
            .bind(self.method)
            .bind(self.request_id)
            .bind(reply)
            .bind(keep.secret_subject.is_some())
            .bind(keep.secret_subject)
            .bind(keep.continuation)
            .execute()
            .await?;
        if saved == 1 { Ok(()) } else { Err(Fault::internal("the claimed replay row is gone")) }
    }

    /// Gives the claim up, so that the request can be made again.
    pub(crate) async fn give_up(&self, tx: &mut Tx) -> Result<(), Fault> {
        tx.sql("DELETE FROM replays WHERE principal_key = $1 AND method = $2 AND request_id = $3")
            .bind(&self.principal)
            .bind(self.method)
            .bind(self.request_id)
            .execute()
            .await
            .map(drop)
    }

    fn binding(&self) -> [&[u8]; 3] {
        [&self.principal, self.method.as_bytes(), self.request_id.as_bytes()]
    }
}

/// Gives up every claim of a request that began this and of those that joined it, so that they can be made again.
pub(crate) async fn give_up(tx: &mut Tx, continuation: Uuid) -> Result<(), Fault> {
    tx.sql("DELETE FROM replays WHERE continuation = $1").bind(continuation).execute().await.map(drop)
}

/// A fresh request_id, for a program that calls a service.
pub fn new_request_id() -> String {
    Id::<()>::random().to_string()
}

/// A duplicate came before the first one had ended.
pub(crate) fn in_progress() -> Fault {
    Fault::aborted("REQUEST_IN_PROGRESS", "a request with this request_id is still running")
        .retry_after(Duration::from_millis(500))
}

/// Deletes what need not be replayed any more, and secrets that were never fetched.
pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp) -> Result<(), Fault> {
    tx.sql("UPDATE replays SET reply = NULL WHERE sealed AND create_time <= $1 AND reply IS NOT NULL")
        .bind(now - SECRET_LIFE)
        .execute()
        .await?;
    tx.sql("DELETE FROM replays WHERE NOT sealed AND create_time <= $1").bind(now - REPLY_LIFE).execute().await?;
    tx.sql("DELETE FROM replays WHERE sealed AND create_time <= $1").bind(now - SEALED_ROW_LIFE).execute().await?;
    Ok(())
}
