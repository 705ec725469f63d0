//! Leaks on purpose, one in each place, as text and as the bytes that the text stands for: that nothing is found
//! elsewhere means something only if these are.

use db::Db;
use service::keys::{from_base64url, random_token};
use testkit::database::Kind;
use tests::world::World;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use uuid::Uuid;

use super::canaries::{Canaries, Search};
use super::places;
use super::walk::visible;

/// A secret that leaks, as text and as bytes.
struct Leak {
    text: String,
    bytes: Vec<u8>,
}

/// Leaks that are known by their place.
#[derive(Default)]
struct Leaks(Canaries);

impl Leaks {
    fn spring(&mut self, place: &str, form: &str) -> Leak {
        let text = random_token().into_inner();
        let bytes = from_base64url(&text).unwrap();
        // Only the form that leaks is looked for: each has to be found as what it is.
        match form {
            "bytes" => self.0.add_bytes(&format!("{place}: {form}"), &bytes),
            _ => self.0.add_bytes(&format!("{place}: {form}"), text.as_bytes()),
        }
        Leak { text, bytes }
    }
}

/// Plants a leak in every place and finds each of them there, and nowhere else.
pub(super) async fn are_found(world: &World, operator: &str) {
    let mut leaks = Leaks::default();
    let leak = leaks.spring("log", "text");
    tracing::trace!(leak = %leak.text, "a leak on purpose");
    let leak = leaks.spring("log", "bytes");
    tracing::trace_span!("a leak on purpose", leak = ?leak.bytes).in_scope(|| ());
    let leak = leaks.spring("metrics", "text");
    metrics::counter!("leaks_total", "leak" => leak.text).increment(1);
    let mut errors = Vec::new();
    let leak = leaks.spring("errors", "text");
    errors.extend(visible(&Status::internal(leak.text)));
    let leak = leaks.spring("errors", "details");
    let mut details = ErrorDetails::new();
    details.set_error_info("MALFORMED", "tests", [("token".to_owned(), leak.text)]);
    errors.extend(visible(&Status::with_error_details(Code::InvalidArgument, "a leak on purpose", details)));
    let databases = [
        ("identity", &world.identity.db().await),
        ("licensing", &world.licensing.db().await),
        ("partner", &world.partner.db().await),
    ];
    for (service, db) in databases {
        in_journal(db, &leaks.spring(&format!("{service}'s journal"), "text")).await;
        for form in ["text", "bytes"] {
            in_table(db, &leaks.spring(&format!("{service}'s tables"), form)).await;
            if world.kind == Kind::Sqlite {
                let leak = leaks.spring(&format!("{service}'s files"), form);
                in_table(db, &leak).await;
                out_of_table(db, &leak).await;
            }
        }
    }
    let search = leaks.0.search();
    let places = places::all(world, operator, &errors).await;
    for (place, haystack) in &places {
        found(&search, place, haystack);
    }
}

/// Whether all leaks of that place are there. What stands in a journal stands in its table, and both in the files.
fn found(search: &Search, place: &str, haystack: &[u8]) {
    let expected: &[&str] = match place {
        "errors" => &["text", "details"],
        "metrics" => &["text"],
        journal if journal.ends_with("journal") => &["text"],
        _ => &["text", "bytes"],
    };
    let there = search.in_bytes(haystack);
    for form in expected {
        let planted = format!("{place}: {form}");
        assert!(there.contains(planted.as_str()), "{planted} was planted, and found is {there:?}");
    }
    let service = place.split('\'').next().unwrap_or_default();
    let strangers: Vec<&&str> = there.iter().filter(|found| !found.starts_with(service)).collect();
    assert!(strangers.is_empty(), "{strangers:?} cannot be in {place}");
}

/// Makes the newest entry tell it.
async fn in_journal(db: &Db, leak: &Leak) {
    let mut tx = db.write().await.unwrap();
    let told = tx
        .sql(
            "UPDATE journal SET action = $1
             WHERE entry_id = (SELECT entry_id FROM journal ORDER BY order_key, entry_id LIMIT 1)",
        )
        .bind(&leak.text)
        .execute();
    assert_eq!(told.await.unwrap(), 1);
    tx.commit().await.unwrap();
}

/// Writes it into a row of the table that could hold most.
async fn in_table(db: &Db, leak: &Leak) {
    let mut tx = db.write().await.unwrap();
    let insert = tx.sql(
        "INSERT INTO replays (principal_key, method, request_id, digest, sealed, create_time)
         VALUES ($1, $2, $3, $1, FALSE, $4)",
    );
    let insert = insert.bind(&leak.bytes).bind(&leak.text).bind(Uuid::now_v7()).bind(base::Timestamp::from_micros(0));
    assert_eq!(insert.execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
}

async fn out_of_table(db: &Db, leak: &Leak) {
    let mut tx = db.write().await.unwrap();
    let delete = tx.sql("DELETE FROM replays WHERE principal_key = $1").bind(&leak.bytes);
    assert_eq!(delete.execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
}
