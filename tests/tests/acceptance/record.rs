//! What an accepted invitation keeps of who accepted: through whose hands their way in went.

use proto::identity::v1 as identity;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, Registered, World, authorized};

/// Who accepted, as a partner sees it.
async fn accepted_by(world: &World, partner: &Registered, invitation_id: &str) -> Option<pb::AcceptedBy> {
    let request = pb::GetInvitationRequest { invitation_id: invitation_id.to_owned() };
    let shown = world.invitations().await.get_invitation(authorized(partner.token(), request)).await;
    shown.unwrap().into_inner().invitation.unwrap().accepted_by
}

#[rstest]
#[tokio::test]
async fn both_sides_see_which_partner_made_the_user_who_accepted(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(PartnerKind::Provider).await, world.onboard(PartnerKind::Reseller).await);
    world.join(&provider, &reseller).await;
    let before = world.clock.now().seconds();
    // Its admin has replaced the temporary password since.
    let tenant = world.create_customer(&reseller).await;
    let (id, token) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    assert_eq!(accepted_by(world, &reseller, &id).await, None);
    world.accept(&tenant, &token).await;
    let seen = accepted_by(world, &reseller, &id).await.unwrap();
    assert_eq!(accepted_by(world, &provider, &id).await.unwrap(), seen);
    assert_eq!((&seen.user_id, &seen.credential_set_by_id), (&tenant.admin_user_id, &reseller.organization_id));
    let time = seen.credential_set_time.unwrap().seconds;
    assert!((before..=world.clock.now().seconds()).contains(&time), "{time}");

    // Another admin, whom another of its partners made.
    let other = world.onboard(PartnerKind::Direct).await;
    let (_, token) = world.invite(&other, World::invitation(None)).await;
    world.accept(&tenant, &token).await;
    let admin = world.customer_user(&other, &tenant, &[identity::Role::GlobalAdmin]).await;
    let (id, token) = world.invite(&reseller, World::invitation(None)).await;
    world.try_accept(&admin.access_token, world.consent(&token).await).await.unwrap();
    let seen = accepted_by(world, &reseller, &id).await.unwrap();
    assert_eq!(seen.credential_set_by_id, other.organization_id);
    assert_ne!(seen.user_id, tenant.admin_user_id);
}

#[rstest]
#[tokio::test]
async fn whoever_registered_themself_and_chose_their_password_accepts_by_nobody_s_help(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let partner = world.onboard(PartnerKind::Direct).await;
    let (id, token) = world.invite(&partner, World::invitation(None)).await;
    let request = identity::RegisterOrganizationRequest { invitation_token: token.clone(), ..World::registration() };
    let mut registrations = RegistrationServiceClient::new(world.to_identity().await);
    let made = registrations.register_organization(request).await.unwrap().into_inner();
    let session = world.sign_in(&made.admin_sign_in_name, PASSWORD).await;
    world.try_accept(&session.access_token, world.consent(&token).await).await.unwrap();
    let seen = accepted_by(world, &partner, &id).await.unwrap();
    assert_eq!(seen, pb::AcceptedBy { user_id: made.admin_user_id, ..Default::default() });
}
