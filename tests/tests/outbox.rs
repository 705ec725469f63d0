//! Facts on their way from identity to the services that hold copies of them (R-09, R-22, AS-09).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something is missing")]

use std::time::Duration;

use base::Clock;
use db::Db;
use prost::Message as _;
use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::identity::v1 as pb;
use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{IdentityFact, PrincipalFloor};
use proto::licensing::v1::ApplyIdentityFactsRequest;
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{Refused, World, authorized, connect, dump, soon};
use tokio::time::{Instant, timeout};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

const PROPAGATION: &str = "tandem-propagation";

async fn limits(channel: Channel, token: &str) -> Result<(), Status> {
    LimitsServiceClient::new(channel).get_limits(authorized(token, GetLimitsRequest {})).await.map(drop)
}

async fn sign_out_everywhere(world: &World, token: &str) -> MetadataMap {
    try_sign_out(world, token, None).await.expect("the sign-out is committed")
}

async fn try_sign_out(world: &World, token: &str, time: Option<Duration>) -> Result<MetadataMap, Status> {
    let mut request = authorized(token, pb::SignOutRequest { all_sessions: true });
    time.into_iter().for_each(|time| request.set_timeout(time));
    let answer = SessionServiceClient::new(world.to_identity().await).sign_out(request).await?;
    Ok(answer.metadata().clone())
}

/// Asks until it is refused for the token.
async fn refused(channel: impl AsyncFn() -> Channel, token: &str) -> Status {
    let refused = async {
        loop {
            if let Err(status) = limits(channel().await, token).await {
                return status;
            }
        }
    };
    timeout(Duration::from_secs(20), refused).await.expect("the fact arrives")
}

#[rstest]
#[tokio::test]
async fn a_fact_that_cannot_be_delivered_is_kept_and_the_answer_says_so(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let token = world.register().await.session.access_token;
    limits(world.to_partner().await, &token).await.unwrap();
    soon("the organization is told", world.identity.told()).await;
    let [_, _, to_partner] = &world.edges;
    to_partner.set(Mode::Cut).await;

    let asked = Instant::now();
    let answer = sign_out_everywhere(&world, &token).await;
    assert_eq!(answer.get(PROPAGATION).unwrap(), "pending");
    assert!(asked.elapsed() >= Duration::from_secs(2), "it waited for the delivery");
    assert_eq!(refused(|| world.to_licensing(), &token).await.code(), Code::Unauthenticated);
    limits(world.to_partner().await, &token).await.expect("partner does not know yet");
    assert_eq!(dump(&world.identity.db().await).await.rows("outbox").len(), 1, "what is for partner is kept");

    to_partner.set(Mode::Pass).await;
    // As if half a minute had passed: the longest that an attempt is put off.
    world.clock.advance(Duration::from_secs(31));
    assert_eq!(refused(|| world.to_partner(), &token).await.code(), Code::Unauthenticated);
    soon("what was delivered is deleted", world.identity.told()).await;
}

#[rstest]
#[tokio::test]
async fn the_answer_comes_in_time_even_when_the_facts_do_not(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    world.edges[2].set(Mode::BlackHole).await;
    // The way back has ten milliseconds. On a busy machine not everybody gets there in time, and without them nobody.
    let mut answers = Vec::new();
    for _ in 0..5 {
        let token = world.register().await.session.access_token;
        answers.push(try_sign_out(&world, &token, Some(Duration::from_secs(1))).await);
        if answers.last().is_some_and(Result::is_ok) {
            break;
        }
    }
    let answer = answers.pop().unwrap().expect("one of five answers comes in time");
    assert_eq!(answer.get(PROPAGATION).unwrap(), "pending");
}

#[rstest]
#[tokio::test]
async fn an_answer_after_the_delivery_says_nothing_of_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let token = world.register().await.session.access_token;
    let answer = sign_out_everywhere(world, &token).await;
    assert_eq!(answer.get(PROPAGATION), None);
    for channel in [world.to_licensing().await, world.to_partner().await] {
        let refused = Refused::by(limits(channel, &token).await);
        assert_eq!(refused, (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn a_fact_told_twice_or_late_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let principal = Uuid::now_v7();
    for (told, held) in [(&[5][..], 5), (&[5], 5), (&[3], 5), (&[7, 6, 7], 7), (&[1, 7], 7)] {
        let facts = told.iter().map(|version| floor_of(principal, *version));
        let request = ApplyIdentityFactsRequest { facts: facts.collect() };
        let token = world.identity.keys().issue_service_token("licensing", &world.clock);
        let mut client = LicensingInternalServiceClient::new(connect(world.addresses[1].internal).await);
        client.apply_identity_facts(authorized(&token, request)).await.unwrap();
        assert_eq!(floor(&world.licensing.db().await, principal).await, Some(held), "{told:?}");
    }
}

/// Each destination has its own way of reading facts.
#[rstest]
#[tokio::test]
async fn a_fact_that_its_receiver_does_not_know_waits_alone(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values("licensing", "partner")] destination: &str,
) {
    let world = World::start(kind).await;
    soon("the platform is told", world.identity.told()).await;
    let [before, after] = [Uuid::now_v7(), Uuid::now_v7()];
    let unknown = IdentityFact { version: 1, fact: None };
    // In one transaction, so that they are claimed together.
    let waiting = [floor_of(before, 7), unknown, floor_of(after, 8)];
    put(&world.identity.db().await, destination, &waiting).await;

    let receiver = match destination {
        "licensing" => world.licensing.db().await,
        _ => world.partner.db().await,
    };
    let known =
        async { while floor(&receiver, before).await != Some(7) || floor(&receiver, after).await != Some(8) {} };
    soon("what is known arrives", known).await;
    let rest = async { while dump(&world.identity.db().await).await.rows("outbox").len() != 1 {} };
    soon("what is unknown is kept, and nothing else", rest).await;
}

#[rstest]
#[tokio::test]
async fn what_waits_for_a_receiver_who_was_away_arrives_with_the_next_fact_that_it_takes(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    soon("the platform is told", world.identity.told()).await;
    let (identity, partner) = (world.identity.db().await, world.partner.db().await);
    world.edges[2].set(Mode::Cut).await;
    let [early, late] = [Uuid::now_v7(), Uuid::now_v7()];
    put(&identity, "partner", &[floor_of(early, 7)]).await;
    // As if the outage had been a long one. Only a fact that nobody has claimed is put off.
    soon("the fact is put off", async { while put_off_for_an_hour(&identity).await != 1 {} }).await;

    world.edges[2].set(Mode::Pass).await;
    put(&identity, "partner", &[floor_of(late, 8)]).await;
    soon("the next fact arrives", async { while floor(&partner, late).await != Some(8) {} }).await;
    soon("so does the one that waited", async { while floor(&partner, early).await != Some(7) {} }).await;
}

async fn put_off_for_an_hour(db: &Db) -> u64 {
    let mut tx = db.write().await.unwrap();
    let later = Clock::process_time() + Duration::from_secs(3600);
    let put_off = tx.sql("UPDATE outbox SET lease_until = $1 WHERE receiver_away").bind(later).execute().await.unwrap();
    tx.commit().await.unwrap();
    put_off
}

fn floor_of(principal: Uuid, auth_version: i64) -> IdentityFact {
    let floor = PrincipalFloor { principal_id: principal.to_string(), auth_version };
    IdentityFact { version: auth_version, fact: Some(Fact::PrincipalFloor(floor)) }
}

/// Puts facts into an outbox.
async fn put(db: &Db, destination: &str, facts: &[IdentityFact]) {
    let mut tx = db.write().await.unwrap();
    for fact in facts {
        tx.sql(
            "INSERT INTO outbox (outbox_id, destination, aggregate_id, version, fact, attempts, lease_until,
                 receiver_away, create_time)
             VALUES ($1, $2, $1, $3, $4, 0, $5, false, $5)",
        )
        .bind(Uuid::now_v7())
        .bind(destination)
        .bind(fact.version)
        .bind(fact.encode_to_vec())
        .bind(Clock::process_time())
        .execute()
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn floor(db: &Db, principal: Uuid) -> Option<i64> {
    let mut tx = db.snapshot().await.unwrap();
    let floor = tx.sql("SELECT auth_version FROM principal_floors WHERE principal_id = $1").bind(principal);
    let floor = floor.optional().await.unwrap();
    tx.rollback().await;
    floor
}
