//! The journal: every write records a fact in the past tense, in the same transaction. It is the audit log.

use base::{Fault, Timestamp};
use db::Tx;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use uuid::fmt::Simple;

use crate::caller::{Caller, Principal};

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

    /// What was refused concerns the customer at whom the caller was found allowed, or who called.
    pub(crate) fn refused(mut self, principal: &Principal, concerned: Option<Uuid>) -> Self {
        let own = (principal.organization_kind == "CUSTOMER").then_some(principal.organization_id);
        self.customer = concerned.or(own);
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

/// What differs between entries that are written together. Ids are written without hyphens, as both databases read them.
#[derive(Debug, Serialize)]
struct Entry<'f> {
    entry_id: Simple,
    organization_id: Option<Simple>,
    customer_id: Option<Simple>,
    action: &'static str,
    action_key: String,
    target_kind: &'static str,
    target_id: Option<Simple>,
    /// JSON of its own: it is stored as text.
    changes: String,
    #[serde(skip)]
    personal: &'f [(Uuid, Change)],
}

/// A value that belongs to a person, beside its entry.
#[derive(Debug, Serialize)]
struct Personal<'f> {
    entry_id: Simple,
    subject_id: Simple,
    #[serde(flatten)]
    change: &'f Change,
}

impl<'f> Entry<'f> {
    fn of(fact: &'f Fact, caller: &Caller) -> Result<Self, Fault> {
        let organization = fact.organization.or(caller.principal().map(|principal| principal.organization_id));
        Ok(Self {
            entry_id: Uuid::now_v7().simple(),
            organization_id: organization.map(Uuid::simple),
            customer_id: fact.customer.map(Uuid::simple),
            action: fact.action,
            action_key: fact.action.to_ascii_lowercase(),
            target_kind: fact.target.map_or("", |(kind, _)| kind),
            target_id: fact.target.map(|(_, id)| id.simple()),
            changes: json(&fact.changes)?,
            personal: &fact.personal,
        })
    }

    fn personal(&self) -> impl Iterator<Item = Personal<'f>> {
        let entry_id = self.entry_id;
        self.personal.iter().map(move |(subject, change)| Personal { entry_id, subject_id: subject.simple(), change })
    }
}

fn json(written: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(written).map_err(|error| Fault::internal("a fact cannot be written as JSON").because(error))
}

/// Writes entries: a call that changes ten thousand people has a hundred of them, and they are one set.
pub(crate) async fn write(
    tx: &mut Tx,
    caller: &Caller,
    now: Timestamp,
    request_hash: Option<[u8; 32]>,
    facts: &[Fact],
    outcome: Outcome<'_>,
) -> Result<(), Fault> {
    if facts.is_empty() {
        return Ok(());
    }
    let entries = facts.iter().map(|fact| Entry::of(fact, caller)).collect::<Result<Vec<_>, _>>()?;
    let principal = caller.principal();
    let (outcome, reason) = match outcome {
        Outcome::Succeeded => ("SUCCEEDED", ""),
        Outcome::Failed(reason) => ("FAILED", reason),
    };
    tx.sql_for(
        "INSERT INTO journal (entry_id, order_key, create_time, actor_id, actor_kind, on_behalf_of_id, organization_id,
             customer_id, action, action_key, target_kind, target_id, changes, request_hash, outcome, reason)
         SELECT unhex(value ->> 'entry_id'), $2, $3, $4, $5, $6, unhex(value ->> 'organization_id'),
             unhex(value ->> 'customer_id'), value ->> 'action', value ->> 'action_key', value ->> 'target_kind',
             unhex(value ->> 'target_id'), value ->> 'changes', $7, $8, $9
         FROM json_each($1)",
        "INSERT INTO journal (entry_id, order_key, create_time, actor_id, actor_kind, on_behalf_of_id, organization_id,
             customer_id, action, action_key, target_kind, target_id, changes, request_hash, outcome, reason)
         SELECT entry_id, $2::text, $3::timestamptz, $4::uuid, $5::text, $6::uuid, organization_id,
             customer_id, action, action_key, target_kind, target_id, changes, $7::bytea, $8::text, $9::text
         FROM json_to_recordset($1::text::json) AS entry (entry_id uuid, organization_id uuid, customer_id uuid,
             action text, action_key text, target_kind text, target_id uuid, changes text)",
    )
    .bind(json(&entries)?)
    .bind(order_key(now))
    .bind(now)
    .bind(principal.map(|principal| principal.id))
    .bind(caller.kind_word())
    .bind(principal.and_then(|principal| principal.on_behalf_of.as_ref()).map(|user| user.user))
    .bind(request_hash.map(Vec::from))
    .bind(outcome)
    .bind(reason)
    .execute()
    .await?;
    let personal: Vec<Personal<'_>> = entries.iter().flat_map(Entry::personal).collect();
    if !personal.is_empty() {
        tx.sql_for(
            "INSERT INTO journal_personal (entry_id, subject_id, field, before_value, after_value)
             SELECT unhex(value ->> 'entry_id'), unhex(value ->> 'subject_id'), value ->> 'field', value ->> 'before',
                 value ->> 'after'
             FROM json_each($1)",
            "INSERT INTO journal_personal (entry_id, subject_id, field, before_value, after_value)
             SELECT entry_id, subject_id, field, before, after
             FROM json_to_recordset($1::text::json) AS personal (entry_id uuid, subject_id uuid, field text, before text,
                 after text)",
        )
        .bind(json(&personal)?)
        .execute()
        .await?;
    }
    Ok(())
}

/// The time counted down, so that the newest entry comes first in ascending order.
pub(crate) fn order_key(time: Timestamp) -> String {
    format!("{:019}", i64::MAX - time.micros())
}
