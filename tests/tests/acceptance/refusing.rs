//! Who may not accept, and what cannot be accepted: a documented reason, and everything stays as it was.

use std::time::Duration;

use proto::identity::v1 as identity;
use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, Refused, Registered, Tenant, World, authorized, soon};
use tonic::{Code, Status};
use uuid::Uuid;

async fn accept(world: &World, token: &str, request: &pb::AcceptInvitationRequest) -> Result<(), Status> {
    let request = pb::AcceptInvitationRequest { request_id: Uuid::now_v7().to_string(), ..request.clone() };
    world.try_accept(token, request).await.map(drop)
}

async fn reason(world: &World, tenant: &Tenant, request: &pb::AcceptInvitationRequest) -> String {
    Refused::by(accept(world, &tenant.session.access_token, request).await).1
}

/// What would be sent for a link that nobody has looked at.
fn blind(token: &str) -> pb::AcceptInvitationRequest {
    pb::AcceptInvitationRequest { token: token.to_owned(), consent: true, ..Default::default() }
}

async fn state(world: &World, partner: &Registered, id: &str) -> pb::invitation::State {
    let request = pb::GetInvitationRequest { invitation_id: id.to_owned() };
    let shown = world.invitations().await.get_invitation(authorized(&partner.session.access_token, request)).await;
    shown.unwrap().into_inner().invitation.unwrap().state()
}

#[rstest]
#[tokio::test]
async fn consent_is_given_to_what_was_seen_and_by_ticking_the_box(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let tenant = world.stranger().await;
    let (id, token) = world.invite(&partner, World::invitation(None)).await;
    let seen = world.consent(&token).await;
    let unticked = pb::AcceptInvitationRequest { consent: false, ..seen.clone() };
    assert_eq!(reason(world, &tenant, &unticked).await, "CONSENT_REQUIRED");
    assert_eq!(reason(world, &tenant, &blind(&token)).await, "CONSENT_OUTDATED");
    // The partner goes by another name since.
    let rename = identity::UpdateOrganizationRequest {
        organization_id: partner.organization_id.clone(),
        name: "Somebody Else".to_owned(),
        ..Default::default()
    };
    let renamed = authorized(&partner.session.access_token, rename);
    OrganizationServiceClient::new(world.to_identity().await).update_organization(renamed).await.unwrap();
    let shown = pb::GetInvitationRequest { invitation_id: id.clone() };
    let known = async {
        let mut invitations = world.invitations().await;
        loop {
            let shown = authorized(&partner.session.access_token, shown.clone());
            let shown = invitations.get_invitation(shown).await.unwrap().into_inner().invitation.unwrap();
            if shown.partner_name == "Somebody Else" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the new name", known).await;
    assert_eq!(reason(world, &tenant, &seen).await, "CONSENT_OUTDATED");
    assert_eq!(state(world, &partner, &id).await, pb::invitation::State::Draft);
    world.accept(&tenant, &token).await;
}

#[rstest]
#[tokio::test]
async fn a_link_is_dead_for_a_reason(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let (tenant, other) = (world.stranger().await, world.stranger().await);
    let access = &partner.session.access_token;
    let mut invitations = world.invitations().await;
    let preview = async |token: &str| {
        let preview = pb::PreviewInvitationRequest { token: token.to_owned() };
        Refused::by(world.invitations().await.preview_invitation(preview).await)
    };

    assert_eq!(reason(&world, &tenant, &blind("no such link")).await, "NOT_FOUND");
    assert_eq!(preview("no such link").await, (Code::NotFound, "NOT_FOUND".to_owned()));

    let (id, token) = world.invite(&partner, World::invitation(None)).await;
    let rotate = pb::RotateInvitationLinkRequest { invitation_id: id.clone(), ..Default::default() };
    let rotated = invitations.rotate_invitation_link(authorized(access, rotate)).await.unwrap().into_inner();
    assert_eq!(reason(&world, &tenant, &blind(&token)).await, "INVITATION_CANCELED");
    assert_eq!(preview(&token).await.1, "INVITATION_CANCELED");

    let present = tests::world::token_of(&rotated.draft.unwrap().link);
    world.accept(&tenant, &present).await;
    assert_eq!(reason(&world, &other, &blind(&present)).await, "INVITATION_ALREADY_USED");
    assert_eq!(preview(&present).await.1, "INVITATION_ALREADY_USED");

    let (id, token) = world.invite(&partner, World::invitation(None)).await;
    let cancel = pb::CancelInvitationRequest { invitation_id: id, ..Default::default() };
    invitations.cancel_invitation(authorized(access, cancel)).await.unwrap();
    assert_eq!(reason(&world, &other, &blind(&token)).await, "INVITATION_CANCELED");

    let (_, token) = world.invite(&partner, World::invitation(None)).await;
    let decline = pb::DeclineInvitationRequest { token: token.clone(), ..Default::default() };
    invitations.decline_invitation(authorized(&other.session.access_token, decline.clone())).await.unwrap();
    assert_eq!(reason(&world, &other, &blind(&token)).await, "INVITATION_DECLINED");
    let declined = invitations.decline_invitation(authorized(&other.session.access_token, decline)).await;
    assert_eq!(Refused::by(declined).1, "INVITATION_DECLINED");

    let short = pb::CreateInvitationRequest { life_days: 1, ..World::invitation(None) };
    let (id, token) = world.invite(&partner, short).await;
    world.clock.advance(Duration::from_secs(24 * 3600));
    let session = world.sign_in(&other.admin_sign_in_name, PASSWORD).await;
    let refused = accept(&world, &session.access_token, &blind(&token)).await;
    assert_eq!(Refused::by(refused), (Code::FailedPrecondition, "INVITATION_EXPIRED".to_owned()));
    let partner = Registered { session: world.sign_in(&partner.admin_sign_in_name, PASSWORD).await, ..partner };
    assert_eq!(state(&world, &partner, &id).await, pb::invitation::State::Expired);
}

#[rstest]
#[tokio::test]
async fn only_the_customer_that_is_meant_accepts(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let (tenant, other) = (world.stranger().await, world.stranger().await);
    let bound = pb::CreateInvitationRequest { customer_id: tenant.customer_id.clone(), ..World::invitation(None) };
    let (_, token) = world.invite(&partner, bound).await;
    let request = world.consent(&token).await;
    assert_eq!(reason(world, &other, &request).await, "WRONG_TENANT");
    world.try_accept(&tenant.session.access_token, request).await.unwrap();

    let domain = pb::CreateInvitationRequest {
        recipient_email: format!("whoever@{}", tenant.domain.to_uppercase()),
        require_recipient_domain: true,
        ..World::invitation(None)
    };
    let (_, token) = world.invite(&partner, domain).await;
    let request = world.consent(&token).await;
    assert_eq!(reason(world, &other, &request).await, "WRONG_TENANT");
    world.try_accept(&tenant.session.access_token, request).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_global_admin_of_the_tenant_who_has_just_signed_in_decides_and_nobody_else(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let maker = world.onboard(PartnerKind::Direct).await;
    let tenant = world.create_customer(&maker).await;
    let (id, token) = world.invite(&partner, World::invitation(None)).await;
    let request = world.consent(&token).await;
    // A partner is nobody's customer, even of another partner (AS-95).
    let refused = accept(&world, &maker.session.access_token, &request).await;
    assert_eq!(Refused::by(refused), (Code::FailedPrecondition, "TENANT_IS_CSP_PARTNER".to_owned()));
    let agent = world.hire(&maker, &[identity::Role::AdminAgent]).await;
    let refused = accept(&world, &agent.session.access_token, &request).await;
    assert_eq!(Refused::by(refused), (Code::PermissionDenied, "GLOBAL_ADMIN_REQUIRED".to_owned()));
    let operator = world.operator().await;
    let refused = accept(&world, &operator, &request).await;
    assert_eq!(Refused::by(refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    // Who was added with another role, or none, is told so (AS-87).
    let user = world.customer_user(&maker, &tenant, &[identity::Role::UserManagementAdmin]).await;
    let refused = accept(&world, &user.access_token, &request).await;
    assert_eq!(Refused::by(refused), (Code::PermissionDenied, "GLOBAL_ADMIN_REQUIRED".to_owned()));
    // Refreshing a session is no proof of who somebody is.
    world.clock.advance(Duration::from_secs(601));
    let refresh = identity::RefreshSessionRequest { refresh_token: tenant.session.refresh_token.clone() };
    let mut sessions = identity::session_service_client::SessionServiceClient::new(world.to_identity().await);
    let session = sessions.refresh_session(refresh).await.unwrap().into_inner().session.unwrap();
    let refused = accept(&world, &session.access_token, &request).await;
    assert_eq!(Refused::by(refused), (Code::FailedPrecondition, "AUTHENTICATION_TOO_OLD".to_owned()));
    let partner = Registered { session: world.sign_in(&partner.admin_sign_in_name, PASSWORD).await, ..partner };
    assert_eq!(state(&world, &partner, &id).await, pb::invitation::State::Draft);
    let session = world.sign_in(&tenant.admin_sign_in_name, PASSWORD).await;
    world.try_accept(&session.access_token, request).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_customer_is_in_the_partner_s_country_and_cloud(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let abroad = pb::OnboardPartnerRequest { country: "FR".to_owned(), ..World::onboarding(PartnerKind::Direct) };
    let abroad = world.onboard_as(abroad).await;
    let tenant = world.create_customer(&abroad).await;
    let (_, token) = world.invite(&partner, World::invitation(None)).await;
    let request = world.consent(&token).await;
    assert_eq!(reason(world, &tenant, &request).await, "REGION_MISMATCH");

    let government = pb::OnboardPartnerRequest {
        country: "US".to_owned(),
        cloud: identity::Cloud::UsGovernment.into(),
        ..World::onboarding(PartnerKind::Direct)
    };
    let government = world.onboard_as(government).await;
    let tenant = world.create_customer(&government).await;
    assert_eq!(reason(world, &tenant, &request).await, "NOT_AVAILABLE_IN_CLOUD");
    let asked = authorized(&government.session.access_token, World::invitation(None));
    let refused = world.invitations().await.create_invitation(asked).await;
    assert_eq!(Refused::by(refused).1, "NOT_AVAILABLE_IN_CLOUD");
}

#[rstest]
#[tokio::test]
async fn an_invitation_lives_with_the_partnership_it_rests_on(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let provider = world.onboard(PartnerKind::Provider).await;
    let reseller = world.onboard(PartnerKind::Reseller).await;
    let unpartnered = authorized(&reseller.session.access_token, World::invitation(Some(&provider)));
    let refused = world.invitations().await.create_invitation(unpartnered).await;
    assert_eq!(Refused::by(refused).1, "PARTNERSHIP_NOT_ACTIVE");

    let partnership = world.join(&provider, &reseller).await;
    let tenant = world.stranger().await;
    let (joint, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    let (single, alone) = world.invite(&reseller, World::invitation(None)).await;
    let request = world.consent(&token).await;
    let remove = pb::RemovePartnershipRequest {
        partnership_id: partnership,
        attestation_accepted: true,
        request_id: Uuid::now_v7().to_string(),
        ..Default::default()
    };
    world.partnerships().await.remove_partnership(authorized(&provider.session.access_token, remove)).await.unwrap();
    assert_eq!(reason(world, &tenant, &request).await, "PARTNERSHIP_NOT_ACTIVE");
    assert_eq!(state(world, &reseller, &joint).await, pb::invitation::State::Invalidated);
    assert!(world.customer_ids(&reseller).await.is_empty() && world.customer_ids(&provider).await.is_empty());
    // The reseller may still ask for itself.
    assert_eq!(state(world, &reseller, &single).await, pb::invitation::State::Draft);
    world.accept(&tenant, &alone).await;
}

#[rstest]
#[tokio::test]
async fn a_suspended_partner_is_not_authorized_and_the_link_stays_unspent(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let provider = world.onboard(PartnerKind::Provider).await;
    let reseller = world.onboard(PartnerKind::Reseller).await;
    world.join(&provider, &reseller).await;
    let tenant = world.stranger().await;
    let (id, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    let request = world.consent(&token).await;
    for party in [&provider, &reseller] {
        suspend(&world, party, "SUSPENDED").await;
        assert_eq!(reason(&world, &tenant, &request).await, "ACCOUNT_SUSPENDED");
        let refused = authorized(&reseller.session.access_token, World::invitation(Some(&provider)));
        let refused = world.invitations().await.create_invitation(refused).await;
        assert_eq!(Refused::by(refused).1, "ACCOUNT_SUSPENDED");
        suspend(&world, party, "ACTIVE").await;
    }
    assert_eq!(state(&world, &reseller, &id).await, pb::invitation::State::Draft);
    world.accept(&tenant, &token).await;
}

async fn suspend(world: &World, partner: &Registered, state: &str) {
    let mut tx = world.partner.db().await.write().await.unwrap();
    let id: Uuid = partner.organization_id.parse().unwrap();
    let changed = tx.sql("UPDATE accounts SET state = $2 WHERE partner_id = $1").bind(id).bind(state).execute().await;
    assert_eq!(changed.unwrap(), 1);
    tx.commit().await.unwrap();
}
