//! A customer that does not exist yet registers itself from the link of an invitation (C21).

use proto::identity::v1 as identity;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::harness::proxy::Mode;
use tests::world::{PASSWORD, Refused, Tenant, World, authorized, dump};
use tonic::{Code, Status};
use uuid::Uuid;

fn registration(token: &str) -> identity::RegisterOrganizationRequest {
    identity::RegisterOrganizationRequest { invitation_token: token.to_owned(), ..World::registration() }
}

async fn register(
    world: &World,
    request: identity::RegisterOrganizationRequest,
) -> Result<identity::RegisterOrganizationResponse, Status> {
    let mut registrations = RegistrationServiceClient::new(world.to_identity().await);
    registrations.register_organization(request).await.map(tonic::Response::into_inner)
}

#[rstest]
#[tokio::test]
async fn an_invited_customer_registers_and_accepts(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let provider = world.onboard(PartnerKind::Provider).await;
    let reseller = world.onboard(PartnerKind::Reseller).await;
    world.join(&provider, &reseller).await;
    let (_, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    let request = registration(&token);
    let made = register(world, request.clone()).await.unwrap();
    assert_eq!(register(world, request).await.unwrap(), made, "the same request is the same customer");
    let organization = made.organization.unwrap();
    assert_eq!(organization.kind(), identity::OrganizationKind::Customer);
    let tenant = Tenant {
        customer_id: organization.organization_id.clone(),
        domain: organization.domains[0].clone(),
        admin_user_id: made.admin_user_id,
        session: world.sign_in(&made.admin_sign_in_name, PASSWORD).await,
        admin_sign_in_name: made.admin_sign_in_name,
    };
    world.accept(&tenant, &token).await;
    assert_eq!(world.customer_ids(&reseller).await, [organization.organization_id.as_str()]);
    assert_eq!(world.customer_ids(&provider).await, [organization.organization_id]);
    // The reseller manages its users from now on.
    world.customer_user(&reseller, &tenant, &[]).await;
}

#[rstest]
#[tokio::test]
async fn a_link_that_leads_nowhere_makes_no_customer(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let access = &partner.session.access_token;
    let (id, live) = world.invite(&partner, World::invitation(None)).await;
    let (_, declined) = world.invite(&partner, World::invitation(None)).await;
    let bound = pb::CreateInvitationRequest { customer_id: Uuid::now_v7().to_string(), ..World::invitation(None) };
    let (_, bound) = world.invite(&partner, bound).await;
    let owned = pb::CreateInvitationRequest { require_recipient_domain: true, ..World::invitation(None) };
    let (_, owned) = world.invite(&partner, owned).await;
    let other = world.stranger().await;
    let decline = pb::DeclineInvitationRequest { token: declined.clone(), ..Default::default() };
    let mut invitations = world.invitations().await;
    invitations.decline_invitation(authorized(&other.session.access_token, decline)).await.unwrap();
    let cancel = pb::CancelInvitationRequest { invitation_id: id, ..Default::default() };

    let before = dump(&world.identity.db().await).await;
    let refused = async |request| Refused::by(register(&world, request).await);
    let precondition = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
    assert_eq!(refused(registration("nowhere")).await, (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(refused(registration(&declined)).await, precondition("INVITATION_DECLINED"));
    assert_eq!(refused(registration(&bound)).await, precondition("WRONG_TENANT"));
    assert_eq!(refused(registration(&owned)).await, precondition("WRONG_TENANT"));
    let abroad = identity::RegisterOrganizationRequest { country: "FR".to_owned(), ..registration(&live) };
    assert_eq!(refused(abroad).await, precondition("REGION_MISMATCH"));
    let elsewhere =
        identity::RegisterOrganizationRequest { cloud: identity::Cloud::UsGovernment.into(), ..registration(&live) };
    assert_eq!(refused(elsewhere).await, (Code::NotFound, "NOT_FOUND".to_owned()));
    let dry = identity::RegisterOrganizationRequest { validate_only: true, ..registration(&live) };
    register(&world, dry).await.unwrap();
    world.edges[2].set(Mode::Cut).await;
    assert_eq!(refused(registration(&live)).await, (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()));
    world.edges[2].set(Mode::Pass).await;
    invitations.cancel_invitation(authorized(access, cancel)).await.unwrap();
    assert_eq!(refused(registration(&live)).await, precondition("INVITATION_CANCELED"));
    let changed = before.changed(&dump(&world.identity.db().await).await);
    assert!(changed.iter().all(|table| *table == "outbox"), "{changed:?}");
}
