//! The journal: every write records a fact in the past tense, in the same transaction. It is the audit log.

use base::{Fault, Timestamp};
use db::Tx;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::caller::Caller;

/// A fact about to be recorded.
#[derive(Clone, Debug)]
pub struct Fact {
    action: &'static str,
    target: Option<(&'static str, Uuid)>,
    customer: Option<Uuid>,
    organization: Option<Uuid>,
    changes: Vec<Change>,
    personal: Vec<(Uuid, Change)>,
}

/// A field before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The field's name.
    pub field: String,
    /// The former value; empty when there was none.
    pub before: String,
    /// The new value; empty when there is none.
    pub after: String,
}

impl Fact {
    /// A fact by its name in the past tense, such as `PasswordChanged`.
    pub fn new(action: &'static str) -> Self {
        Self { action, target: None, customer: None, organization: None, changes: Vec::new(), personal: Vec::new() }
    }

    /// What it is about.
    #[must_use]
    pub fn about(mut self, kind: &'static str, id: Uuid) -> Self {
        self.target = Some((kind, id));
        self
    }

    /// The customer it concerns, who may read the entry too.
    #[must_use]
    pub fn customer(mut self, customer: Uuid) -> Self {
        self.customer = Some(customer);
        self
    }

    /// In whose journal it stands, when that is not the caller's organization.
    #[must_use]
    pub fn organization(mut self, organization: Uuid) -> Self {
        self.organization = Some(organization);
        self
    }

    /// A field that changed. Never a secret, never a name, address or number of a person.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "call sites read better without borrows")]
    pub fn change(mut self, field: &str, before: impl ToString, after: impl ToString) -> Self {
        self.changes.push(Change { field: field.to_owned(), before: before.to_string(), after: after.to_string() });
        self
    }

    /// A person's name, sign-in name, e-mail or phone that changed: kept beside the entry, where purge deletes it.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "call sites read better without borrows")]
    pub fn personal(mut self, subject: Uuid, field: &str, before: impl ToString, after: impl ToString) -> Self {
        let change = Change { field: field.to_owned(), before: before.to_string(), after: after.to_string() };
        self.personal.push((subject, change));
        self
    }
}

/// How an entry ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'r> {
    Succeeded,
    Failed(&'r str),
}

/// Writes entries.
pub(crate) async fn write(
    tx: &mut Tx,
    caller: &Caller,
    now: Timestamp,
    request_hash: Option<[u8; 32]>,
    facts: &[Fact],
    outcome: Outcome<'_>,
) -> Result<(), Fault> {
    for fact in facts {
        write_one(tx, caller, now, request_hash, fact, outcome).await?;
    }
    Ok(())
}

async fn write_one(
    tx: &mut Tx,
    caller: &Caller,
    now: Timestamp,
    request_hash: Option<[u8; 32]>,
    fact: &Fact,
    outcome: Outcome<'_>,
) -> Result<(), Fault> {
    let entry_id = Uuid::now_v7();
    let principal = caller.principal();
    let changes = serde_json::to_string(&fact.changes)
        .map_err(|error| Fault::internal("a fact cannot be written as JSON").because(error))?;
    let (outcome, reason) = match outcome {
        Outcome::Succeeded => ("SUCCEEDED", ""),
        Outcome::Failed(reason) => ("FAILED", reason),
    };
    tx.sql(
        "INSERT INTO journal (entry_id, order_key, create_time, actor_id, actor_kind, on_behalf_of_id, organization_id,
             customer_id, action, action_key, target_kind, target_id, changes, request_hash, outcome, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(entry_id)
    .bind(order_key(now))
    .bind(now)
    .bind(principal.map(|principal| principal.id))
    .bind(caller.kind_word())
    .bind(principal.and_then(|principal| principal.on_behalf_of.as_ref()).map(|user| user.user))
    .bind(fact.organization.or(principal.map(|principal| principal.organization_id)))
    .bind(fact.customer)
    .bind(fact.action)
    .bind(fact.action.to_ascii_lowercase())
    .bind(fact.target.map_or("", |(kind, _)| kind))
    .bind(fact.target.map(|(_, id)| id))
    .bind(changes)
    .bind(request_hash.map(Vec::from))
    .bind(outcome)
    .bind(reason)
    .execute()
    .await?;
    for (subject, change) in &fact.personal {
        tx.sql(
            "INSERT INTO journal_personal (entry_id, subject_id, field, before_value, after_value)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(entry_id)
        .bind(*subject)
        .bind(&change.field)
        .bind(&change.before)
        .bind(&change.after)
        .execute()
        .await?;
    }
    Ok(())
}

/// The time counted down, so that the newest entry comes first in ascending order.
pub(crate) fn order_key(time: Timestamp) -> String {
    format!("{:019}", i64::MAX - time.micros())
}
