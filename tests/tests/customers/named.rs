//! A provider who is named in an open joint invitation sees the name of the customer whom it is bound to (C22, C30).

use std::time::Duration;

use proto::licensing::v1 as licensing;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, Registered, Tenant, World, authorized, outcome, reason, told_of};
use tonic::Code;

use super::{calls, removing, request_id};

/// A provider and a reseller who are partners, and a customer of the reseller.
async fn parties(world: &World) -> (Registered, Registered, Tenant) {
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let tenant = world.create_customer(&reseller).await;
    (provider, reseller, tenant)
}

fn bound_to(customer_id: &str, provider: &Registered) -> pb::CreateInvitationRequest {
    pb::CreateInvitationRequest { customer_id: customer_id.to_owned(), ..World::invitation(Some(provider)) }
}

#[rstest]
#[tokio::test]
async fn a_provider_who_is_named_sees_the_name_of_the_customer_and_nothing_else(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller, tenant) = parties(world).await;
    let mut calls = calls(world).await;
    // An invitation that is bound to nobody shows nobody.
    world.invite(&reseller, World::invitation(Some(&provider))).await;
    assert_eq!(reason(&calls.get(provider.token(), &tenant.customer_id).await), "NOT_FOUND");

    let (invitation_id, _) = world.invite(&reseller, bound_to(&tenant.customer_id, &provider)).await;
    let shown = calls.get(provider.token(), &tenant.customer_id).await.unwrap();
    assert!(!shown.delegated_admin && shown.partners.is_empty());
    let customer = shown.customer.unwrap();
    assert!(customer.name.starts_with("Customer "));
    let only =
        pb::Customer { customer_id: tenant.customer_id.clone(), name: customer.name.clone(), ..Default::default() };
    assert_eq!(customer, only);
    assert!(world.customer_ids(&provider).await.is_empty(), "it is not in the list");
    let other = world.onboard(Provider).await;
    assert_eq!(reason(&calls.get(other.token(), &tenant.customer_id).await), "NOT_FOUND");

    let cancel = pb::CancelInvitationRequest { invitation_id, request_id: request_id(), ..Default::default() };
    world.invitations().await.cancel_invitation(authorized(reseller.token(), cancel)).await.unwrap();
    assert_eq!(reason(&calls.get(provider.token(), &tenant.customer_id).await), "NOT_FOUND", "not open any more");
}

#[rstest]
#[tokio::test]
async fn an_invitation_of_somebody_who_does_not_serve_the_customer_tells_nothing_of_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller, _) = parties(world).await;
    let (foreign, unknown) = (world.stranger().await.customer_id, request_id());
    let mut calls = calls(world).await;
    let mut told = Vec::new();
    for id in [&foreign, &unknown] {
        // Binding answers alike, and so does looking, for the inviter and for the provider that it names.
        let created = world.invitations().await;
        let created = { created }.create_invitation(authorized(reseller.token(), bound_to(id, &provider))).await;
        assert_eq!(created.unwrap().into_inner().invitation.unwrap().customer_id, *id);
        let looks = [calls.get(provider.token(), id).await, calls.get(reseller.token(), id).await];
        told.push(looks.map(|answer| told_of(answer, id)));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0][0].0, Code::NotFound);
}

/// What licensing answers the provider who orders for the customer.
async fn ordering(world: &World, token: &str, customer_id: &str) -> (Code, String) {
    let line = licensing::OrderLine { offer_id: request_id(), quantity: 1, ..Default::default() };
    let order = licensing::PlaceOrderRequest {
        customer_id: customer_id.to_owned(),
        lines: vec![line],
        reseller_mpn_id: "5500002".to_owned(),
        ..Default::default()
    };
    let mut subscriptions = SubscriptionServiceClient::new(world.to_licensing().await);
    outcome(&subscriptions.place_order(authorized(token, order)).await)
}

#[rstest]
#[tokio::test]
async fn a_provider_who_is_named_is_told_that_it_lacks_the_order_right(
    #[values("canceled", "removed", "expired")] ended: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (provider, reseller, tenant) = parties(&world).await;
    let customer_id = &tenant.customer_id;
    let unknown = (Code::NotFound, "NOT_FOUND".to_owned());
    assert_eq!(ordering(&world, provider.token(), customer_id).await, unknown);
    // One of somebody who does not serve the customer tells nothing.
    let other = world.onboard(Reseller).await;
    world.join(&provider, &other).await;
    world.invite(&other, bound_to(customer_id, &provider)).await;
    world.at_rest().await;
    assert_eq!(ordering(&world, provider.token(), customer_id).await, unknown);

    let request = pb::CreateInvitationRequest { life_days: 1, ..bound_to(customer_id, &provider) };
    let (invitation_id, _) = world.invite(&reseller, request).await;
    world.at_rest().await;
    let lacking = (Code::PermissionDenied, "ORDER_RIGHT_REQUIRED".to_owned());
    assert_eq!(ordering(&world, provider.token(), customer_id).await, lacking);
    let stranger = world.onboard(Provider).await;
    assert_eq!(ordering(&world, stranger.token(), customer_id).await, unknown);

    let mut token = provider.token().to_owned();
    match ended {
        "canceled" => {
            let cancel = pb::CancelInvitationRequest { invitation_id, request_id: request_id(), ..Default::default() };
            world.invitations().await.cancel_invitation(authorized(reseller.token(), cancel)).await.unwrap();
        }
        "removed" => {
            calls(&world).await.remove(reseller.token(), removing(customer_id)).await.unwrap();
        }
        _ => {
            world.clock.advance(Duration::from_secs(86_400));
            token = world.sign_in(&provider.admin_sign_in_name, PASSWORD).await.access_token;
        }
    }
    world.at_rest().await;
    assert_eq!(ordering(&world, &token, customer_id).await, unknown);
}

#[rstest]
#[tokio::test]
async fn an_invitation_names_the_provider_from_the_moment_at_which_its_sender_serves_the_customer(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (provider, _, tenant) = parties(&world).await;
    let other = world.onboard(Reseller).await;
    world.join(&provider, &other).await;
    world.invite(&other, bound_to(&tenant.customer_id, &provider)).await;
    let (_, link) = world.invite(&other, World::invitation(None)).await;
    world.accept(&tenant, &link).await;
    world.at_rest().await;
    assert_eq!(reason(&calls(&world).await.get(provider.token(), &tenant.customer_id).await), "OK");
    let lacking = (Code::PermissionDenied, "ORDER_RIGHT_REQUIRED".to_owned());
    assert_eq!(ordering(&world, provider.token(), &tenant.customer_id).await, lacking, "licensing was told as well");
}

#[rstest]
#[tokio::test]
async fn a_name_is_shown_while_the_invitation_lives(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let (provider, reseller, tenant) = parties(&world).await;
    let request = pb::CreateInvitationRequest { life_days: 1, ..bound_to(&tenant.customer_id, &provider) };
    world.invite(&reseller, request).await;
    let mut calls = calls(&world).await;
    for (seconds, expected) in [(86_400 - 60, "OK"), (60, "NOT_FOUND")] {
        world.clock.advance(Duration::from_secs(seconds));
        let token = world.sign_in(&provider.admin_sign_in_name, PASSWORD).await.access_token;
        assert_eq!(reason(&calls.get(&token, &tenant.customer_id).await), expected);
    }
}

#[rstest]
#[tokio::test]
async fn an_invitation_names_customers_of_its_own_cloud_and_nobody_else(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller, _) = parties(world).await;
    let government = super::clouds::government(world).await;
    let hidden = world.create_customer(&government).await;
    let mut calls = calls(world).await;
    // Whoever an invitation is bound to: it makes no partner, no customer of the other cloud and nobody visible.
    for id in [&hidden.customer_id, &government.organization_id, &provider.organization_id, &request_id()] {
        let created = bound_to(id, &provider);
        let _ = world.invitations().await.create_invitation(authorized(reseller.token(), created)).await;
        assert_eq!(reason(&calls.get(provider.token(), id).await), "NOT_FOUND");
    }
}

#[rstest]
#[tokio::test]
async fn an_invitation_that_a_reseller_has_bound_to_a_customer_ends_with_their_relationship(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller, _) = parties(world).await;
    let tenant = world.create_customer(&reseller).await;
    world.invite(&reseller, bound_to(&tenant.customer_id, &provider)).await;
    let mut calls = calls(world).await;
    calls.get(provider.token(), &tenant.customer_id).await.unwrap();
    calls.remove(reseller.token(), removing(&tenant.customer_id)).await.unwrap();
    assert_eq!(reason(&calls.get(provider.token(), &tenant.customer_id).await), "NOT_FOUND");
}
