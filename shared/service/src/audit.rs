//! AuditService: the journal, as its readers see it. Served by every process for its own facts (AS-111, AS-112).

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};
use proto::common::v1 as pb;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::cx::Cx;
use crate::executor::Host;
use crate::form::{Form, read_timestamp, timestamp};
use crate::journal::{Change, order_key};
use crate::operation::{Operation, Service, Wire};
use crate::page_token::{self, Tokens};
use crate::reply::{self, HEAD, ID};

/// How far back the journal answers.
pub const AUDIT_WINDOW_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
const WINDOW_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The service's front.
#[derive(Debug)]
pub struct AuditApi<S: Service>(pub Arc<Host<S>>);

#[tonic::async_trait]
impl<S: Service> pb::audit_service_server::AuditService for AuditApi<S> {
    async fn list_audit_entries(
        &self,
        request: Request<pb::ListAuditEntriesRequest>,
    ) -> Result<Response<pb::ListAuditEntriesResponse>, Status> {
        self.0.run::<ListAuditEntries<S>>(request).await
    }
}

/// Lists the entries of the caller's organization, newest first.
#[derive(Debug)]
pub struct ListAuditEntries<S> {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    customer: Option<Id<()>>,
    action_prefix: String,
    page_size: usize,
    page_token: String,
    service: PhantomData<fn() -> S>,
}

/// One entry as it is read.
#[derive(Debug)]
pub struct Entry {
    entry_id: Uuid,
    order_key: String,
    create_time: Timestamp,
    actor_id: Option<Uuid>,
    actor_kind: String,
    on_behalf_of_id: Option<Uuid>,
    organization_id: Option<Uuid>,
    customer_id: Option<Uuid>,
    action: String,
    target_kind: String,
    target_id: Option<Uuid>,
    changes: Vec<Change>,
    outcome: String,
    reason: String,
}

/// Bytes of an entry in an answer, at most, beside its words and its changes.
const ENTRY: usize = HEAD + 6 * ID + 64;

impl Entry {
    /// Bytes of it in an answer, at most.
    fn bytes(&self) -> usize {
        let words = [&self.actor_kind, &self.action, &self.target_kind, &self.reason];
        let changes =
            self.changes.iter().map(|change| 4 * HEAD + change.field.len() + change.before.len() + change.after.len());
        ENTRY + words.iter().map(|word| word.len()).sum::<usize>() + changes.sum::<usize>()
    }
}

impl Record for Entry {
    fn read(row: &Row) -> Result<Self, Fault> {
        let changes: String = row.get("changes")?;
        Ok(Self {
            entry_id: row.get("entry_id")?,
            order_key: row.get("order_key")?,
            create_time: row.get("create_time")?,
            actor_id: row.get("actor_id")?,
            actor_kind: row.get("actor_kind")?,
            on_behalf_of_id: row.get("on_behalf_of_id")?,
            organization_id: row.get("organization_id")?,
            customer_id: row.get("customer_id")?,
            action: row.get("action")?,
            target_kind: row.get("target_kind")?,
            target_id: row.get("target_id")?,
            changes: serde_json::from_str(&changes)
                .map_err(|error| Fault::internal("an entry's changes cannot be read").because(error))?,
            outcome: row.get("outcome")?,
            reason: row.get("reason")?,
        })
    }
}

struct Personal {
    entry_id: Uuid,
    change: Change,
}

impl Record for Personal {
    fn read(row: &Row) -> Result<Self, Fault> {
        let change =
            Change { field: row.get("field")?, before: row.get("before_value")?, after: row.get("after_value")? };
        Ok(Self { entry_id: row.get("entry_id")?, change })
    }
}

/// A page with its tokens.
#[derive(Debug)]
pub struct Entries {
    rows: Vec<Entry>,
    tokens: Tokens,
}

impl<S: Service> Wire for ListAuditEntries<S> {
    type Request = pb::ListAuditEntriesRequest;
    type Response = pb::ListAuditEntriesResponse;
    type Reply = Entries;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let mut time = |field: &str, time: &Option<prost_types::Timestamp>| match time {
            None => Some(None),
            Some(time) => match read_timestamp(time) {
                Some(time) => Some(Some(time)),
                None => {
                    form.wrong(field, "MALFORMED", "is not a time");
                    None
                }
            },
        };
        let start = time("start_time", &request.start_time);
        let end = time("end_time", &request.end_time);
        let customer = form.optional_id("customer_id", &request.customer_id);
        let action_prefix = form.text("action_prefix", &request.action_prefix, 0..=100);
        let page_size = form.page_size(request.page_size);
        form.finish(|| {
            Some(Self {
                start: start?,
                end: end?,
                customer: customer?,
                action_prefix: action_prefix?.to_ascii_lowercase(),
                page_size: page_size?,
                page_token: request.page_token,
                service: PhantomData,
            })
        })
    }

    fn present(reply: Entries) -> Self::Response {
        pb::ListAuditEntriesResponse {
            entries: reply.rows.into_iter().map(present).collect(),
            next_page_token: reply.tokens.next,
            previous_page_token: reply.tokens.previous,
        }
    }
}

fn present(entry: Entry) -> pb::AuditEntry {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let outcome = match entry.outcome.as_str() {
        "SUCCEEDED" => pb::audit_entry::Outcome::Succeeded,
        _ => pb::audit_entry::Outcome::Failed,
    };
    let changes = entry
        .changes
        .into_iter()
        .map(|change| pb::FieldChange { field: change.field, before: change.before, after: change.after })
        .collect();
    pb::AuditEntry {
        entry_id: entry.entry_id.to_string(),
        create_time: Some(timestamp(entry.create_time)),
        actor_id: id(entry.actor_id),
        actor_kind: entry.actor_kind,
        on_behalf_of_user_id: id(entry.on_behalf_of_id),
        organization_id: id(entry.organization_id),
        customer_id: id(entry.customer_id),
        action: entry.action,
        target_kind: entry.target_kind,
        target_id: id(entry.target_id),
        changes,
        outcome: outcome.into(),
        reason: entry.reason,
    }
}

impl<S: Service> Operation for ListAuditEntries<S> {
    type Service = S;
    const METHOD: &'static str = "/tandem.common.v1.AuditService/ListAuditEntries";
    const PERMISSION: S::Permission = S::READ_JOURNAL;
    type Prepared = ();

    fn target(&self) -> S::Target {
        S::own_organization()
    }

    async fn run(&self, cx: &mut Cx<S>, (): &()) -> Result<Entries, Fault> {
        let now = cx.now();
        let start = self.start.unwrap_or(now - WINDOW_DEFAULT);
        if start < now - AUDIT_WINDOW_MAX {
            let message =
                format!("the journal answers for the last 90 days; {start} is before {}", now - AUDIT_WINDOW_MAX);
            return Err(Fault::field("start_time", "AUDIT_RANGE_TOO_OLD", message));
        }
        let end = self.end.unwrap_or(now + Duration::from_secs(1));
        let filters = format!("{:?}|{:?}|{:?}|{}", self.start, self.end, self.customer, self.action_prefix);
        let scope = cx.page_scope(&filters);
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, Seek::First)?;
        let organization = S::journal_scope(cx)?;
        let filter = Filter { organization, customer: self.customer, start, end, action_prefix: &self.action_prefix };
        let mut rows = list(&mut cx.tx, &filter, &seek, self.page_size).await?;
        add_personal(&mut cx.tx, &mut rows).await?;
        // Of entries that tell much, fewer make a page.
        let fitting = reply::fitting(rows.iter().take(self.page_size).map(Entry::bytes));
        let page = Page::cut(rows, fitting, &seek, |entry| Keyset { key: entry.order_key.clone(), id: entry.entry_id });
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok(Entries { rows: page.rows, tokens })
    }
}

struct Filter<'f> {
    organization: Option<Uuid>,
    customer: Option<Id<()>>,
    start: Timestamp,
    end: Timestamp,
    action_prefix: &'f str,
}

/// Entries in the seek's own direction, and one more than the limit when there are more.
async fn list(tx: &mut Tx, filter: &Filter<'_>, seek: &Seek, limit: usize) -> Result<Vec<Entry>, Fault> {
    let prefix = Some(filter.action_prefix).filter(|prefix| !prefix.is_empty());
    tx.sql(
        "SELECT entry_id, order_key, create_time, actor_id, actor_kind, on_behalf_of_id, organization_id, customer_id,
                 action, target_kind, target_id, changes, outcome, reason
             FROM journal
             WHERE order_key <= $1 AND order_key > $2",
    )
    .bind(order_key(filter.start))
    .bind(order_key(filter.end))
    .when(filter.organization, "AND (organization_id = $? OR customer_id = $?)")
    .when(filter.customer, "AND customer_id = $?")
    .when(prefix, "AND action_key >= $?")
    .when(prefix.map(prefix_end), "AND action_key < $?")
    .page(seek, limit, "order_key", "entry_id")
    .all()
    .await
}

/// The least text that no longer begins with the prefix.
fn prefix_end(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

async fn add_personal(tx: &mut Tx, entries: &mut [Entry]) -> Result<(), Fault> {
    let ids: Vec<Uuid> = entries.iter().map(|entry| entry.entry_id).collect();
    let personal: Vec<Personal> = tx
        .sql_for(
            "SELECT entry_id, field, before_value, after_value FROM journal_personal
             WHERE entry_id IN (SELECT unhex(value) FROM json_each($1))
             ORDER BY entry_id, field",
            "SELECT entry_id, field, before_value, after_value FROM journal_personal
             WHERE entry_id = ANY($1)
             ORDER BY entry_id, field",
        )
        .bind(ids.as_slice())
        .all()
        .await?;
    for row in personal {
        if let Some(entry) = entries.iter_mut().find(|entry| entry.entry_id == row.entry_id) {
            entry.changes.push(row.change);
        }
    }
    Ok(())
}
