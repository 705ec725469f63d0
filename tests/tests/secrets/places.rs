//! Where a secret could come to stand: the log, the metrics, what callers are told, the journals and the databases.

use std::fs;

use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::common::v1::{AuditEntry, ListAuditEntriesRequest};
use testkit::database::Kind;
use tests::world::{World, authorized, dump};
use tonic::transport::Channel;

use super::log;

/// A place, and everything that stands there.
pub(super) type Place = (String, Vec<u8>);

const SERVICES: [&str; 3] = ["identity", "licensing", "partner"];

/// All of them. The operator reads the journals; `errors` is what refused callers saw.
pub(super) async fn all(world: &World, operator: &str, errors: &[u8]) -> Vec<Place> {
    let mut places = vec![
        ("log".to_owned(), log::read()),
        ("metrics".to_owned(), log::metrics()),
        ("errors".to_owned(), errors.to_vec()),
    ];
    places.extend(journals(world, operator).await);
    places.extend(tables(world).await);
    if world.kind == Kind::Sqlite {
        places.extend(files(world));
    }
    places
}

/// The whole journal of each service, as an operator reads it.
async fn journals(world: &World, operator: &str) -> Vec<Place> {
    let channels = [world.to_identity().await, world.to_licensing().await, world.to_partner().await];
    let mut places = Vec::new();
    for (service, channel) in SERVICES.into_iter().zip(channels) {
        let entries = journal(channel, operator).await;
        places.push((format!("{service}'s journal"), format!("{entries:?}").into_bytes()));
    }
    places
}

async fn journal(channel: Channel, token: &str) -> Vec<AuditEntry> {
    let mut audit = AuditServiceClient::new(channel);
    let mut entries = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAuditEntriesRequest { page_size: 1_000, page_token, ..Default::default() };
        let page = audit.list_audit_entries(authorized(token, request)).await.unwrap().into_inner();
        entries.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return entries;
        }
    }
}

/// Every row of every table, as text; bytes are written in hexadecimal digits.
async fn tables(world: &World) -> Vec<Place> {
    let mut places = Vec::new();
    for (service, db) in
        SERVICES.into_iter().zip([&world.identity.db().await, &world.licensing.db().await, &world.partner.db().await])
    {
        places.push((format!("{service}'s tables"), format!("{:?}", dump(db).await).into_bytes()));
    }
    places
}

/// Every byte of SQLite's files, where what was deleted or replaced stays for a while.
fn files(world: &World) -> Vec<Place> {
    let file = |(service, settings): (&str, &db::Settings)| {
        let path = settings.url.trim_start_matches("sqlite:");
        let bytes = [path.to_owned(), format!("{path}-wal")].map(|path| fs::read(path).unwrap()).concat();
        (format!("{service}'s files"), bytes)
    };
    SERVICES.into_iter().zip(world.databases()).map(file).collect()
}
