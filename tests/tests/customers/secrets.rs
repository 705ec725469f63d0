//! The first admin's temporary password: for the request that made the customer, until it is used (D-13, D-14).

use std::time::Duration;

use proto::identity::v1::partner_user_service_client::PartnerUserServiceClient;
use proto::identity::v1::{Role, UpdatePartnerUserRolesRequest};
use proto::partner::v1 as pb;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, World, authorized, dump, outcome, reason};
use tonic::Code;

use super::{calls, removing, request_id};

#[rstest]
#[tokio::test]
async fn repeating_shows_the_same_customer_and_password_until_it_is_used(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(pb::PartnerKind::Reseller).await;
    let mut calls = calls(world).await;
    let request = World::new_customer();
    let first = world.try_create_customer(partner.token(), request.clone()).await.unwrap();
    assert_eq!(first.temporary_password.len(), 20);
    assert_eq!(calls.create(partner.token(), request.clone()).await.unwrap(), first);
    let other = pb::CreateCustomerRequest { name: "Another".to_owned(), ..request.clone() };
    let refused = outcome(&calls.create(partner.token(), other).await);
    assert_eq!(refused, (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
    assert_eq!(world.customer_ids(&partner).await.len(), 1);
    for db in [&world.partner.db().await, &world.licensing.db().await, &world.identity.db().await] {
        let found = dump(db).await;
        assert_eq!(found.tables_with(first.temporary_password.as_bytes()), Vec::<&str>::new());
    }

    world.sign_in(&first.admin_sign_in_name, &first.temporary_password).await;
    let late = outcome(&calls.create(partner.token(), request).await);
    assert_eq!(late, (Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED".to_owned()));
    assert_eq!(world.customer_ids(&partner).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn the_password_is_shown_for_a_day(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let partner = world.onboard(pb::PartnerKind::Direct).await;
    let request = World::new_customer();
    let first = world.try_create_customer(partner.token(), request.clone()).await.unwrap();
    let mut calls = calls(&world).await;
    for (seconds, expected) in [(24 * 3_600 - 60, "OK"), (60, "CREDENTIALS_ALREADY_DELIVERED")] {
        world.clock.advance(Duration::from_secs(seconds));
        let token = world.sign_in(&partner.admin_sign_in_name, PASSWORD).await.access_token;
        assert_eq!(reason(&calls.create(&token, request.clone()).await), expected);
    }
    world.sign_in(&first.admin_sign_in_name, &first.temporary_password).await;
}

#[rstest]
#[tokio::test]
async fn a_repeated_request_shows_nothing_to_others_or_to_who_may_no_longer_ask(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(pb::PartnerKind::Reseller).await;
    let maker = world.hire(&partner, &[Role::SalesAgent]).await;
    let mut calls = calls(world).await;
    let request = World::new_customer();
    let token = &maker.session.access_token;
    let made = world.try_create_customer(token, request.clone()).await.unwrap();
    // A colleague with the same request_id asks for a customer of their own.
    let colleague = outcome(&world.try_create_customer(partner.token(), request.clone()).await);
    assert_eq!(colleague, (Code::AlreadyExists, "DOMAIN_TAKEN".to_owned()));

    let update = UpdatePartnerUserRolesRequest {
        user_id: maker.user_id.clone(),
        roles: vec![Role::HelpdeskAgent.into()],
        request_id: request_id(),
        ..Default::default()
    };
    let mut users = PartnerUserServiceClient::new(world.to_identity().await);
    users.update_partner_user_roles(authorized(partner.token(), update)).await.unwrap();
    let token = world.sign_in(&maker.sign_in_name, PASSWORD).await.access_token;
    assert_eq!(reason(&calls.create(&token, request.clone()).await), "ROLE_NOT_ALLOWED");
    world.sign_in(&made.admin_sign_in_name, &made.temporary_password).await;
}

#[rstest]
#[tokio::test]
async fn a_customer_that_was_removed_since_is_not_shown_again(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let partner = world.onboard(pb::PartnerKind::Reseller).await;
    let mut calls = calls(world).await;
    let request = World::new_customer();
    let made = world.try_create_customer(partner.token(), request.clone()).await.unwrap();
    let customer_id = made.customer.unwrap().customer_id;
    calls.remove(partner.token(), removing(&customer_id)).await.unwrap();
    assert_eq!(outcome(&calls.create(partner.token(), request).await), (Code::NotFound, "NOT_FOUND".to_owned()));
}
