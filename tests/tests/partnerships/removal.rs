//! The end of a partnership: what ends with it, and what does not (D-66, D-82, C20, C33, AS-90, AS-106).

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use proto::partner::v1::partnership::State;
use proto::partner::v1::remove_partnership_response::State as Progress;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, authorized, id, outcome, reason, soon, wrong_fields};
use tonic::Code;

use super::{Pair, calls, pair, removing, request_id};

/// The state of an invitation as its inviter sees it.
async fn invitation_state(world: &World, inviter: &Registered, invitation_id: &str) -> pb::invitation::State {
    let request = pb::GetInvitationRequest { invitation_id: invitation_id.to_owned() };
    let shown = world.invitations().await.get_invitation(authorized(inviter.token(), request)).await;
    shown.unwrap().into_inner().invitation.unwrap().state()
}

/// How many of the two participants know the partnership as active.
async fn known_as_active(world: &World, provider: &str, reseller: &str) -> i64 {
    let at_identity = "SELECT COUNT(*) FROM partnership_standings
         WHERE provider_id = $1 AND reseller_id = $2 AND active = TRUE";
    let at_licensing = "SELECT COUNT(*) FROM partnerships
         WHERE provider_id = $1 AND reseller_id = $2 AND active = TRUE";
    let mut count = 0;
    for (db, statement) in [(&world.identity.db().await, at_identity), (&world.licensing.db().await, at_licensing)] {
        let mut tx = db.snapshot().await.unwrap();
        let found: i64 = tx.sql(statement).bind(id(provider)).bind(id(reseller)).one().await.unwrap();
        tx.rollback().await;
        count += found;
    }
    count
}

#[rstest]
#[tokio::test]
async fn an_end_is_attested(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let partnership_id = pair.join().await;
    let mut calls = calls(pair.world).await;
    let before = pair.seen_by_provider(&partnership_id).await;
    let unattested = pb::RemovePartnershipRequest { attestation_accepted: false, ..removing(&partnership_id) };
    let refused = outcome(&calls.remove(pair.provider.token(), unattested).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ATTESTATION_REQUIRED".to_owned()));
    // Only a repetition completes an answer that is IN_PROGRESS.
    let unnamed = pb::RemovePartnershipRequest { request_id: String::new(), ..removing(&partnership_id) };
    assert_eq!(wrong_fields(calls.remove(pair.provider.token(), unnamed.clone()).await), ["request_id"]);
    let dry = pb::RemovePartnershipRequest { validate_only: true, ..unnamed };
    calls.remove(pair.provider.token(), dry).await.expect("a dry run needs no name");
    assert_eq!(pair.seen_by_provider(&partnership_id).await, before);
}

#[rstest]
#[case::by_the_provider(true)]
#[case::by_the_reseller(false)]
#[tokio::test]
async fn a_partnership_that_ends_is_gone_from_both_lists_and_takes_nothing_else_with_it(
    #[case] by_the_provider: bool,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (world, other) = (pair.world, pair.world.onboard(Provider).await);
    let partnership_id = pair.join().await;
    world.join(&other, &pair.reseller).await;
    let tenant = world.stranger().await;
    let (_, link) = world.invite(&pair.reseller, World::invitation(Some(&pair.provider))).await;
    world.accept(&tenant, &link).await;
    let own = world.create_customer(&pair.reseller).await;
    let mut customers = world.customers().await;
    let partners = pb::ListPartnersOfCustomerRequest::default();
    let before = customers.list_partners_of_customer(authorized(tenant.token(), partners.clone())).await.unwrap();

    let mut calls = calls(world).await;
    let remover = if by_the_provider { &pair.provider } else { &pair.reseller };
    let request = removing(&partnership_id);
    let removed = calls.remove(remover.token(), request.clone()).await.unwrap();
    assert_eq!(removed.state(), Progress::Done);
    let partnership = removed.partnership.clone().unwrap();
    assert_eq!((partnership.state(), partnership.provider_admin_access), (State::Removed, false));
    let (provider, reseller) = (&pair.provider.organization_id, &pair.reseller.organization_id);
    assert_eq!(known_as_active(world, provider, reseller).await, 0, "DONE is said when everybody knows");
    assert!(calls.resellers_of(&pair.provider).await.is_empty());
    let left = calls.providers_of(&pair.reseller).await;
    assert!(left.len() == 1 && left[0].partner_id == other.organization_id, "its other provider stays");

    let after = customers.list_partners_of_customer(authorized(tenant.token(), partners)).await.unwrap();
    assert_eq!(before.into_inner(), after.into_inner(), "relationships, delegated admin and order rights stay");
    let mut mine = world.customer_ids(&pair.reseller).await;
    mine.sort();
    let mut all = [tenant.customer_id.clone(), own.customer_id];
    all.sort();
    assert_eq!((mine.as_slice(), world.customer_ids(&pair.provider).await), (&all[..], vec![tenant.customer_id]));

    assert_eq!(calls.remove(remover.token(), request.clone()).await.unwrap(), removed, "a repeated request");
    let changed = pb::RemovePartnershipRequest { etag: partnership.etag.clone(), ..request };
    assert_eq!(reason(&calls.remove(remover.token(), changed).await), "REQUEST_ID_REUSED");
    for token in [pair.provider.token(), pair.reseller.token()] {
        let again = outcome(&calls.remove(token, removing(&partnership_id)).await);
        assert_eq!(again, (Code::FailedPrecondition, "PARTNERSHIP_NOT_ACTIVE".to_owned()));
        assert_eq!(calls.get(token, &partnership_id).await.unwrap().partnership.unwrap(), partnership, "still shown");
    }
}

#[rstest]
#[tokio::test]
async fn open_joint_invitations_of_the_two_are_invalidated_and_no_others(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (world, other) = (pair.world, pair.world.onboard(Provider).await);
    let partnership_id = pair.join().await;
    world.join(&other, &pair.reseller).await;
    let tenant = world.stranger().await;
    let inviting = World::invitation(Some(&pair.provider));
    let (joint, joint_link) = world.invite(&pair.reseller, inviting.clone()).await;
    let (second, _) = world.invite(&pair.reseller, World::invitation(Some(&pair.provider))).await;
    let (single, single_link) = world.invite(&pair.reseller, World::invitation(None)).await;
    let (elsewhere, _) = world.invite(&pair.reseller, World::invitation(Some(&other))).await;
    let consent = world.consent(&joint_link).await;

    let mut calls = calls(world).await;
    calls.remove(pair.provider.token(), removing(&partnership_id)).await.unwrap();
    use pb::invitation::State as Invitation;
    for (invitation_id, state) in
        [(&joint, Invitation::Invalidated), (&single, Invitation::Draft), (&elsewhere, Invitation::Draft)]
    {
        assert_eq!(invitation_state(world, &pair.reseller, invitation_id).await, state);
    }
    // Each of them is recorded where the reseller reads it, and no reply shows its link any more.
    let entries = world.journal_of_partner(pair.reseller.token()).await;
    let told = entries.iter().filter(|entry| entry.action == "InvitationInvalidated");
    let mut told: Vec<(&str, &str)> = told.map(|it| (it.target_id.as_str(), it.actor_id.as_str())).collect();
    told.sort_unstable();
    let remover = pair.provider.admin_user_id.as_str();
    let mut expected = [(joint.as_str(), remover), (second.as_str(), remover)];
    expected.sort_unstable();
    assert_eq!(told, expected);
    let again = world.invitations().await.create_invitation(authorized(pair.reseller.token(), inviting)).await;
    assert_eq!(reason(&again), "CREDENTIALS_ALREADY_DELIVERED");
    let refused = outcome(&world.try_accept(tenant.token(), consent).await);
    assert_eq!(refused, (Code::FailedPrecondition, "PARTNERSHIP_NOT_ACTIVE".to_owned()));
    assert!(world.customer_ids(&pair.reseller).await.is_empty(), "no half relationship");
    assert!(world.customer_ids(&pair.provider).await.is_empty());
    let joint = World::invitation(Some(&pair.provider));
    let refused = world.invitations().await.create_invitation(authorized(pair.reseller.token(), joint)).await;
    assert_eq!(reason(&refused), "PARTNERSHIP_NOT_ACTIVE", "and no new one");
    world.accept(&tenant, &single_link).await;
    assert_eq!(world.customer_ids(&pair.reseller).await, [tenant.customer_id]);
}

#[rstest]
#[tokio::test]
async fn a_partnership_begins_anew_with_a_new_invitation(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let first = pair.join().await;
    let mut calls = calls(pair.world).await;
    calls.remove(pair.reseller.token(), removing(&first)).await.unwrap();
    let second = pair.join().await;
    assert_ne!(first, second);
    let mine = calls.providers_of(&pair.reseller).await;
    assert!(mine.len() == 1 && mine[0].partnership_id == second && mine[0].provider_admin_access);
    let (provider, reseller) = (&pair.provider.organization_id, &pair.reseller.organization_id);
    let known = async { while known_as_active(pair.world, provider, reseller).await != 2 {} };
    soon("the new partnership everywhere", known).await;
}

#[rstest]
#[tokio::test]
async fn neither_side_gets_the_other_s_customers(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let world = pair.world;
    let (of_provider, of_reseller) =
        (world.create_customer(&pair.provider).await, world.create_customer(&pair.reseller).await);
    pair.join().await;
    assert_eq!(world.customer_ids(&pair.provider).await, [of_provider.customer_id.as_str()]);
    assert_eq!(world.customer_ids(&pair.reseller).await, [of_reseller.customer_id.as_str()]);
    for (partner, customer_id) in [(&pair.provider, of_reseller.customer_id), (&pair.reseller, of_provider.customer_id)]
    {
        let request = pb::GetCustomerRequest { customer_id };
        let refused = world.customers().await.get_customer(authorized(partner.token(), request)).await;
        assert_eq!(reason(&refused), "NOT_FOUND");
    }
}

#[rstest]
#[tokio::test]
async fn a_partnership_that_was_never_accepted_cannot_be_ended(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair: Pair<'_> = pair(kind).await;
    let reseller_id = pair.reseller.organization_id.clone();
    let request = pb::InviteResellerRequest { reseller_id, request_id: request_id(), ..super::invitation() };
    let (partnership_id, _) = pair.invite_as(request).await;
    let mut calls = calls(pair.world).await;
    let refused = outcome(&calls.remove(pair.provider.token(), removing(&partnership_id)).await);
    assert_eq!(refused, (Code::FailedPrecondition, "PARTNERSHIP_NOT_ACTIVE".to_owned()));
    assert_eq!(reason(&calls.remove(pair.reseller.token(), removing(&partnership_id)).await), "NOT_FOUND");
    let stranger = pair.world.onboard(Reseller).await;
    assert_eq!(reason(&calls.remove(stranger.token(), removing(&partnership_id)).await), "NOT_FOUND");
}
