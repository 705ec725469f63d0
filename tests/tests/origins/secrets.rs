//! The temporary password of the first admin: for whom, and how long (D-13, C18).

use std::time::Duration;

use proto::identity::v1::{RevealSecretRequest, SecretBinding};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, dump};
use tonic::Code;
use uuid::Uuid;

use super::reason;

#[rstest]
#[tokio::test]
async fn a_secret_is_shown_to_the_request_that_began_it_and_to_no_other(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let (preparation, neighbor) = (World::preparation(), World::preparation());
    let (origin_id, binding) = (preparation.origin_id.clone(), preparation.binding.clone().unwrap());
    let customer = world.customer_of(preparation).await;
    world.customer_of(neighbor.clone()).await;
    let foreign = [
        (origin_id.clone(), SecretBinding { principal_id: Uuid::now_v7().to_string(), ..binding.clone() }),
        (origin_id.clone(), SecretBinding { method: "/tandem.partner.v1.A/B".to_owned(), ..binding.clone() }),
        (origin_id.clone(), SecretBinding { request_hash: vec![8; 32], ..binding.clone() }),
        (neighbor.origin_id, binding.clone()),
        (Uuid::now_v7().to_string(), binding.clone()),
    ];
    for (origin_id, binding) in foreign {
        let request = RevealSecretRequest { origin_id, binding: Some(binding.clone()) };
        let answer = identity.reveal_secret(world.as_partner(request)).await;
        assert_eq!(answer.as_ref().unwrap_err().code(), Code::NotFound);
        assert_eq!(reason(&answer), "NOT_FOUND", "{binding:?}");
    }
    let request = RevealSecretRequest { origin_id, binding: Some(binding) };
    let shown = identity.reveal_secret(world.as_partner(request)).await.unwrap().into_inner();
    assert_eq!(shown.temporary_password, customer.temporary_password);
    let tables = dump(&world.identity.db().await).await;
    assert_eq!(tables.tables_with(customer.temporary_password.as_bytes()), Vec::<&str>::new());
}

#[rstest]
#[tokio::test]
async fn a_secret_is_gone_when_it_is_used(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let preparation = World::preparation();
    let reveal = RevealSecretRequest { origin_id: preparation.origin_id.clone(), binding: preparation.binding.clone() };
    let customer = world.customer_of(preparation).await;
    world.sign_in(&customer.admin_sign_in_name, &customer.temporary_password).await;
    let answer = world.inside_identity().await.reveal_secret(world.as_partner(reveal)).await;
    assert_eq!(answer.as_ref().unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(reason(&answer), "CREDENTIALS_ALREADY_DELIVERED");
}

#[rstest]
#[tokio::test]
async fn a_secret_is_gone_after_a_day(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let preparation = World::preparation();
    let reveal = RevealSecretRequest { origin_id: preparation.origin_id.clone(), binding: preparation.binding.clone() };
    world.customer_of(preparation).await;
    let day = Duration::from_secs(24 * 3_600);
    world.clock.advance(day - Duration::from_secs(30));
    let mut identity = world.inside_identity().await;
    assert_eq!(reason(&identity.reveal_secret(world.as_partner(reveal.clone())).await), "OK");
    world.clock.advance(Duration::from_secs(30));
    let late = identity.reveal_secret(world.as_partner(reveal.clone())).await;
    assert_eq!(reason(&late), "CREDENTIALS_ALREADY_DELIVERED");

    let mut tx = world.identity.db().await.write().await.unwrap();
    identity::origin::store::sweep_secrets(&mut tx, world.clock.now() - day).await.unwrap();
    let kept: Vec<Option<Vec<u8>>> = tx.sql("SELECT sealed FROM origin_secrets").all().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kept, [None], "nobody fetched it in time");
    let swept = identity.reveal_secret(world.as_partner(reveal)).await;
    assert_eq!(reason(&swept), "CREDENTIALS_ALREADY_DELIVERED");
}
