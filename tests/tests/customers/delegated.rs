//! A customer withdraws delegated admin from a partner (C19, C32, O-56, AS-96).

use std::time::Duration;

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{PASSWORD, World, authorized, outcome, reason, told_of};
use tonic::Code;
use uuid::Uuid;

use super::{calls, known_by_all, removing, revoking, served, settle_in, shared_with};

#[rstest]
#[tokio::test]
async fn delegated_admin_that_is_withdrawn_is_gone_everywhere_and_the_relationship_stays(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let made = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
    let tenant = settle_in(world, made).await;
    let mut calls = calls(world).await;
    let before = calls.partner_of(&tenant, &provider).await.unwrap();

    let request = revoking(&reseller.organization_id);
    let answer = calls.0.revoke_delegated_admin(authorized(tenant.token(), request.clone())).await.unwrap();
    assert!(answer.metadata().get("tandem-propagation").is_none());
    let revoked = answer.into_inner().partner.unwrap();
    assert_eq!((revoked.active, revoked.delegated_admin), (true, false));
    let everywhere = known_by_all(world, &tenant.customer_id, &reseller.organization_id).await;
    assert_eq!(everywhere, [Some((true, false)); 2], "known before the answer");
    assert_eq!(world.customer_ids(&reseller).await, [tenant.customer_id.as_str()]);
    assert_eq!(calls.partner_of(&tenant, &reseller).await.unwrap(), revoked);
    assert_eq!(calls.partner_of(&tenant, &provider).await.unwrap(), before, "the other partner keeps its own");

    assert_eq!(calls.revoke(tenant.token(), request.clone()).await.unwrap(), revoked, "a repeated request");
    let again = calls.revoke(tenant.token(), revoking(&reseller.organization_id)).await.unwrap();
    assert_eq!(again, revoked, "withdrawing again changes nothing");
    let other = pb::RevokeDelegatedAdminRequest { partner_id: provider.organization_id.clone(), ..request };
    assert_eq!(reason(&calls.revoke(tenant.token(), other).await), "REQUEST_ID_REUSED");

    let (_, link) = world.invite(&reseller, World::invitation(None)).await;
    world.accept(&tenant, &link).await;
    assert!(calls.partner_of(&tenant, &reseller).await.unwrap().delegated_admin, "a new invitation brings it back");
}

#[rstest]
#[tokio::test]
async fn a_withdrawal_rests_on_what_was_seen(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = served(kind).await;
    let mut calls = calls(world).await;
    let seen = calls.partner_of(&tenant, &reseller).await.unwrap();
    for etag in ["77", "no version at all"] {
        let stale = pb::RevokeDelegatedAdminRequest { etag: etag.to_owned(), ..revoking(&seen.partner_id) };
        let refused = outcome(&calls.revoke(tenant.token(), stale).await);
        assert_eq!(refused, (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    }
    assert_eq!(calls.partner_of(&tenant, &reseller).await.unwrap(), seen);
    let fresh = |etag: &str| pb::RevokeDelegatedAdminRequest { etag: etag.to_owned(), ..revoking(&seen.partner_id) };
    let revoked = calls.revoke(tenant.token(), fresh(&seen.etag)).await.unwrap();
    assert_ne!(revoked.etag, seen.etag);
    assert_eq!(reason(&calls.revoke(tenant.token(), fresh(&seen.etag)).await), "ETAG_MISMATCH");
    calls.revoke(tenant.token(), fresh(&revoked.etag)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn delegated_admin_that_outlived_its_relationship_is_withdrawn_too(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (world, reseller, tenant) = served(kind).await;
    let mut calls = calls(world).await;
    calls.remove(reseller.token(), removing(&tenant.customer_id)).await.unwrap();
    let revoked = calls.revoke(tenant.token(), revoking(&reseller.organization_id)).await.unwrap();
    assert_eq!((revoked.active, revoked.delegated_admin), (false, false));
    assert!(calls.partners_of(&tenant).await.is_empty());
    assert_eq!(known_by_all(world, &tenant.customer_id, &reseller.organization_id).await, [Some((false, false)); 2]);
}

#[rstest]
#[tokio::test]
async fn who_never_served_the_customer_answers_like_nobody(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = served(kind).await;
    let stranger = world.onboard(Reseller).await;
    let mut calls = calls(world).await;
    let before = calls.partners_of(&tenant).await;
    let unknown = Uuid::now_v7().to_string();
    let expected = told_of(calls.revoke(tenant.token(), revoking(&unknown)).await, &unknown);
    assert_eq!(expected.0, Code::NotFound);
    for id in [&stranger.organization_id, &tenant.customer_id] {
        assert_eq!(told_of(calls.revoke(tenant.token(), revoking(id)).await, id), expected);
    }
    // Another customer's partner is nobody here either.
    let other = world.stranger().await;
    let id = &reseller.organization_id;
    assert_eq!(told_of(calls.revoke(other.token(), revoking(id)).await, id), expected);
    assert_eq!(calls.partners_of(&tenant).await, before);
}

#[rstest]
#[tokio::test]
async fn a_withdrawal_asks_for_somebody_who_has_just_signed_in(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let reseller = world.onboard(Reseller).await;
    let tenant = world.create_customer(&reseller).await;
    let mut calls = calls(&world).await;
    world.clock.advance(Duration::from_secs(599));
    // Sessions go on: their proof of who somebody is does not get younger.
    let renewed = renewed(&world, &tenant.session.refresh_token).await;
    world.clock.advance(Duration::from_secs(10));
    let late = outcome(&calls.revoke(&renewed.access_token, revoking(&reseller.organization_id)).await);
    assert_eq!(late, (Code::FailedPrecondition, "AUTHENTICATION_TOO_OLD".to_owned()));
    assert_eq!(calls.partners(&renewed.access_token, Default::default()).await.unwrap().partners.len(), 1);
    let fresh = world.sign_in(&tenant.admin_sign_in_name, PASSWORD).await.access_token;
    assert!(!calls.revoke(&fresh, revoking(&reseller.organization_id)).await.unwrap().delegated_admin);
}

async fn renewed(world: &World, refresh_token: &str) -> proto::identity::v1::Session {
    use proto::identity::v1::RefreshSessionRequest;
    use proto::identity::v1::session_service_client::SessionServiceClient;
    let request = RefreshSessionRequest { refresh_token: refresh_token.to_owned() };
    let answer = SessionServiceClient::new(world.to_identity().await).refresh_session(request).await;
    answer.unwrap().into_inner().session.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_withdrawal_while_a_service_is_away_stands_and_the_answer_says_that_not_everybody_knows(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let reseller = world.onboard(Reseller).await;
    let tenant = world.create_customer(&reseller).await;
    world.at_rest().await;
    world.edges[1].set(Mode::Cut).await;
    let mut calls = calls(&world).await;
    let request = authorized(tenant.token(), revoking(&reseller.organization_id));
    let answer = calls.0.revoke_delegated_admin(request).await.unwrap();
    assert_eq!(answer.metadata().get("tandem-propagation").unwrap(), "pending");
    assert!(!answer.into_inner().partner.unwrap().delegated_admin);
    let everywhere = known_by_all(&world, &tenant.customer_id, &reseller.organization_id).await;
    assert_eq!(everywhere, [Some((true, false)), Some((true, true))]);
}
