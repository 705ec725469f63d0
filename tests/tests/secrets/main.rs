//! No secret in a log, the journal, an error, a trace or a database (R-41, S-25, S-26).
//!
//! Canaries walk through everything that takes or makes a secret, while the whole process logs at trace level: the RPCs
//! of the three services, each with the mistakes that can be made there, and what the services tell one another. Then
//! every place is searched for every form of every secret. In the end a leak is planted in each place, and found.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something is missing")]

mod canaries;
mod inside;
mod links;
mod log;
mod partnerships;
mod people;
mod places;
mod planted;
mod walk;

use std::collections::BTreeSet;

use db::Db;
use prost_reflect::MessageDescriptor;
use proto::partner::v1 as pb;
use rstest::rstest;
use service::points::{OUTBOX_CLAIMED, Trouble};
use testkit::database::Kind;
use tests::tidy::contract::Described;
use tests::world::{PASSWORD, Registered, Tenant, World, authorized, dump};

use walk::Walk;

#[rstest]
#[tokio::test]
async fn canaries_are_found_nowhere_and_planted_ones_are(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    log::begin();
    let world = World::start(kind).await;
    let mut walk = Walk::begin(&world);
    walk.canaries.add("the password of everybody else", PASSWORD);
    let session = people::register(&mut walk).await;
    people::workload(&mut walk, &session).await;
    people::leave(&mut walk, &session).await;
    let provider = walk.onboard(pb::PartnerKind::Provider).await;
    let reseller = walk.onboard(pb::PartnerKind::Reseller).await;
    partnerships::join(&mut walk, &provider, &reseller).await;
    people::colleague(&mut walk, &reseller).await;
    let tenant = people::customer(&mut walk, &reseller).await;
    people::users(&mut walk, &reseller, &tenant).await;
    links::invite(&mut walk, &reseller, &provider, &tenant).await;
    links::end(&mut walk, &reseller, &tenant).await;
    inside::calls(&mut walk, &reseller).await;
    inside::keys(&mut walk).await;
    stand_still(&mut walk, &reseller, &tenant).await;
    let operator = inside::operator(&mut walk).await;

    let search = walk.canaries.search();
    let mut leaks = Vec::new();
    for (place, haystack) in places::all(&world, &operator, &walk.errors).await {
        assert!(haystack.len() > 1_000, "nothing stands in the {place}");
        leaks.extend(search.in_bytes(&haystack).into_iter().map(|what| format!("{what} stands in the {place}")));
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    nothing_was_left_out(&world).await;
    planted::are_found(&world, &operator).await;
}

/// From now on no fact arrives: what is told stays in the outbox, and what waits for it stays begun.
async fn stand_still(walk: &mut Walk<'_>, reseller: &Registered, tenant: &Tenant) {
    let world = walk.world;
    world.identity.points().plan(OUTBOX_CLAIMED, Trouble::Fails, u32::MAX);
    world.partner.points().plan(OUTBOX_CLAIMED, Trouble::Fails, u32::MAX);
    let (_, token) = world.invite(reseller, World::invitation(None)).await;
    walk.canaries.add("the link of an acceptance that runs", &token);
    let request = world.consent(&token).await;
    let mut invitations = world.invitations().await;
    let accepting = invitations.accept_invitation(authorized(tenant.token(), request));
    let (accepted, _) = tokio::join!(accepting, people::register(walk));
    assert_eq!(accepted.unwrap().into_inner().progress(), pb::Progress::InProgress);
}

/// That the walk has been everywhere: each RPC that takes or makes a secret was called, and what may hold a sealed
/// secret holds one.
async fn nothing_was_left_out(world: &World) {
    let log = log::read();
    let log = String::from_utf8_lossy(&log);
    let described = Described::decode(proto::CONTRACT);
    let secret: Vec<&str> = described
        .rpcs
        .iter()
        .filter(|rpc| holds_secret(&rpc.descriptor.input()) || holds_secret(&rpc.descriptor.output()))
        .map(|rpc| rpc.method.path.as_str())
        .collect();
    assert!(secret.len() > 20, "secrets are marked in the contract: {secret:?}");
    let missing: Vec<&&str> = secret.iter().filter(|path| !log.contains(&format!("rpc.method={path}"))).collect();
    assert!(missing.is_empty(), "no canary walks through {missing:?}");

    for (db, full) in [
        (&world.identity.db().await, "SELECT COUNT(*) FROM outbox"),
        (&world.identity.db().await, "SELECT COUNT(*) FROM origin_secrets WHERE sealed IS NOT NULL"),
        (&world.identity.db().await, "SELECT COUNT(*) FROM replays WHERE sealed AND reply IS NOT NULL"),
        (&world.identity.db().await, "SELECT COUNT(*) FROM users WHERE temporary_digest IS NOT NULL"),
        (&world.partner.db().await, "SELECT COUNT(*) FROM outbox"),
        (&world.partner.db().await, "SELECT COUNT(*) FROM replays WHERE sealed AND reply IS NOT NULL"),
        (&world.partner.db().await, "SELECT COUNT(*) FROM sagas WHERE flow = 'acceptance'"),
        (&world.partner.db().await, "SELECT COUNT(*) FROM invitation_links"),
    ] {
        assert!(count(db, full).await > 0, "there is nothing to leak: {full}");
    }
    let tables = dump(&world.partner.db().await).await;
    let texts = tables.rows("invitations");
    assert!(texts.len() >= 4 && texts.iter().all(|text| text.contains("{{link}}")), "a text has a place for its link");
}

/// Whether a message has a field that nobody may print, at any depth.
fn holds_secret(message: &MessageDescriptor) -> bool {
    let mut seen = BTreeSet::new();
    let mut left = vec![message.clone()];
    while let Some(message) = left.pop() {
        if !seen.insert(message.full_name().to_owned()) {
            continue;
        }
        for field in message.fields() {
            if field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true)) {
                return true;
            }
            left.extend(field.kind().as_message().cloned());
        }
    }
    false
}

async fn count(db: &Db, text: &'static str) -> i64 {
    let mut tx = db.snapshot().await.unwrap();
    let count = tx.sql(text).one().await.unwrap();
    tx.rollback().await;
    count
}
