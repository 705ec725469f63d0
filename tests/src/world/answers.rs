//! Answers, as a test compares them: reasons, fields that are wrong, and what a refusal tells of the id it was asked for.

use std::collections::BTreeMap;

use base::Id;
use db::Db;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::common::v1::{AuditEntry, ListAuditEntriesRequest};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{Dump, Refused, Registered, Tenant, World, authorized, dump};

/// The code and reason of a refusal; `OK` for what was allowed.
pub fn outcome<T>(answer: &Result<T, Status>) -> (Code, String) {
    match answer {
        Ok(_) => (Code::Ok, "OK".to_owned()),
        Err(status) => {
            let refused = Refused::of(status);
            (refused.code, refused.reason)
        }
    }
}

/// The reason of a refusal; `OK` for what was allowed.
pub fn reason<T>(answer: &Result<T, Status>) -> String {
    outcome(answer).1
}

/// The fields that a refusal finds wrong, in its order.
///
/// # Panics
/// When the call was allowed, or refused for something else than its fields.
pub fn wrong_fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    let refused = answer.expect_err("the request is malformed");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    let request = refused.get_details_bad_request().expect("the fields are named");
    request.field_violations.into_iter().map(|violation| violation.field).collect()
}

/// Everything that a refusal tells, with the id it was asked for replaced, so that two of them can be compared.
///
/// # Panics
/// When the call was allowed.
pub fn told_of<T: std::fmt::Debug>(answer: Result<T, Status>, id: &str) -> (Code, String) {
    let refused = answer.expect_err("the call is refused");
    let text = format!("{} {:?}", refused.message(), refused.get_error_details());
    (refused.code(), text.replace(id, "ID"))
}

/// An id as the databases hold it.
///
/// # Panics
/// When it is none.
pub fn id(text: &str) -> Id<()> {
    Id::parse(text).expect("an id")
}

impl Registered {
    /// The first admin's access token.
    pub fn token(&self) -> &str {
        &self.session.access_token
    }
}

impl Tenant {
    /// The first admin's access token.
    pub fn token(&self) -> &str {
        &self.session.access_token
    }
}

impl World {
    /// What partner's journal shows to the bearer of a token, newest first.
    pub async fn journal_of_partner(&self, token: &str) -> Vec<AuditEntry> {
        let mut journal = AuditServiceClient::new(self.to_partner().await);
        let request = ListAuditEntriesRequest { page_size: 1_000, ..Default::default() };
        let listed = journal.list_audit_entries(authorized(token, request)).await;
        listed.expect("a partner reads its journal").into_inner().entries
    }

    /// What the three databases hold when nothing is under way between the services. Only for worlds of one's own.
    pub async fn at_rest(&self) -> BTreeMap<&'static str, Dump> {
        let (identity, licensing, partner) = self.inside().await;
        let databases = [("identity", &identity), ("licensing", &licensing), ("partner", &partner)];
        loop {
            // What is told is written by its receiver before it is deleted here.
            for (_, db) in databases {
                while waiting(db).await > 0 {}
            }
            let mut held = BTreeMap::new();
            for (service, db) in databases {
                held.insert(service, dump(db).await);
            }
            if held.values().all(|dump| dump.rows("outbox").is_empty()) {
                return held;
            }
        }
    }
}

/// How many facts a service has still to tell.
pub(super) async fn waiting(db: &Db) -> i64 {
    let mut tx = db.snapshot().await.expect("the database answers");
    let waiting = tx.sql("SELECT COUNT(*) FROM outbox").one().await.expect("a table can be counted");
    tx.rollback().await;
    waiting
}

/// The tables that differ, each with the service whose it is.
pub fn changed(before: &BTreeMap<&'static str, Dump>, after: &BTreeMap<&'static str, Dump>) -> Vec<String> {
    let differ = |(service, dump): (&&str, &Dump)| -> Vec<String> {
        dump.changed(&after[*service]).into_iter().map(|table| format!("{service}.{table}")).collect()
    };
    before.iter().flat_map(differ).collect()
}
