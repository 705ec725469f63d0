//! What licensing is told of a user who was made.

use prost::Message;
use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, UserFact, user_fact};
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{World, soon};

use super::Users;

#[rstest]
#[tokio::test]
async fn a_user_who_was_made_is_told_to_licensing_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let partner = world.register().await;
    let customer = world.served_by(&partner.organization_id).await;
    soon("all is told", world.identity.told()).await;
    for edge in &world.edges[1..] {
        edge.set(Mode::Cut).await;
    }
    let request = World::creation(&customer, &[]);
    let mut users = Users::of(&world).await;
    let mut dry = request.clone();
    dry.validate_only = true;
    users.create(&partner.session.access_token, dry).await.unwrap();
    let user = users.create(&partner.session.access_token, request.clone()).await.unwrap().user.unwrap();
    users.create(&partner.session.access_token, request).await.unwrap();

    let mut tx = world.identity.db().await.snapshot().await.unwrap();
    let rows: Vec<(String, Vec<u8>)> = tx.sql("SELECT destination, fact FROM outbox").all().await.unwrap();
    tx.rollback().await;
    let told: Vec<_> = rows
        .into_iter()
        .map(|(destination, fact)| (destination, IdentityFact::decode(fact.as_slice()).unwrap()))
        .collect();
    let fact = UserFact {
        user_id: user.user_id,
        customer_id: customer.customer_id,
        display_name: "Uma User".to_owned(),
        sort_key: format!("uma user\u{1}{}", user.sign_in_name),
        sign_in_name: user.sign_in_name,
        usage_location: "US".to_owned(),
        state: user_fact::State::Active.into(),
    };
    assert_eq!(told, [("licensing".to_owned(), IdentityFact { version: 1, fact: Some(Fact::User(fact)) })]);
}
