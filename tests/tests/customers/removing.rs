//! A reseller ends its relationship with a customer (D-80 to D-83, C2, C19, AS-94, AS-100 to AS-102).

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use proto::partner::v1::remove_customer_response::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Registered, World, authorized, dump, outcome, reason, wrong_fields};
use tonic::Code;

use super::{calls, known_by_all, removing, request_id, revoking, served, settle_in, shared_with};

/// What partner holds of delegated admin over a customer, row by row.
async fn delegated_admin_rows(world: &World, customer_id: &str) -> Vec<String> {
    let digits = customer_id.replace('-', "");
    let held = dump(&world.partner.db().await).await;
    let of_customer = |row: &&String| row.to_lowercase().replace('-', "").contains(&digits);
    held.rows("delegated_admins").iter().filter(of_customer).cloned().collect()
}

async fn invitation_state(world: &World, inviter: &Registered, invitation_id: &str) -> pb::invitation::State {
    let request = pb::GetInvitationRequest { invitation_id: invitation_id.to_owned() };
    let shown = world.invitations().await.get_invitation(authorized(inviter.token(), request)).await;
    shown.unwrap().into_inner().invitation.unwrap().state()
}

#[rstest]
#[tokio::test]
async fn an_end_is_attested_and_rests_on_what_was_seen(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = served(kind).await;
    let mut calls = calls(world).await;
    let before = calls.get(reseller.token(), &tenant.customer_id).await.unwrap();
    let unattested = pb::RemoveCustomerRequest { attestation_accepted: false, ..removing(&tenant.customer_id) };
    let refused = outcome(&calls.remove(reseller.token(), unattested).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ATTESTATION_REQUIRED".to_owned()));
    for etag in ["77", "no version at all"] {
        let stale = pb::RemoveCustomerRequest { etag: etag.to_owned(), ..removing(&tenant.customer_id) };
        let refused = outcome(&calls.remove(reseller.token(), stale).await);
        assert_eq!(refused, (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    }
    // Only a repetition completes an answer that is IN_PROGRESS.
    let unnamed = pb::RemoveCustomerRequest { request_id: String::new(), ..removing(&tenant.customer_id) };
    assert_eq!(wrong_fields(calls.remove(reseller.token(), unnamed.clone()).await), ["request_id"]);
    let dry = pb::RemoveCustomerRequest { validate_only: true, ..unnamed };
    calls.remove(reseller.token(), dry).await.expect("a dry run needs no name");
    assert_eq!(calls.get(reseller.token(), &tenant.customer_id).await.unwrap(), before);
    let etag = before.customer.unwrap().etag;
    let fresh = pb::RemoveCustomerRequest { etag, ..removing(&tenant.customer_id) };
    calls.remove(reseller.token(), fresh).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_removed_customer_is_gone_for_the_reseller_and_nothing_else_changes(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let made = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
    let tenant = settle_in(world, made).await;
    let mut calls = calls(world).await;
    let rows = delegated_admin_rows(world, &tenant.customer_id).await;
    assert_eq!(rows.len(), 2);
    let of_provider = calls.partner_of(&tenant, &provider).await.unwrap();

    let request = removing(&tenant.customer_id);
    let removed = calls.remove(reseller.token(), request.clone()).await.unwrap();
    assert_eq!((removed.state(), &removed.customer_id), (State::Done, &tenant.customer_id));
    assert!(removed.remaining_delegated_admin);
    let everywhere = known_by_all(world, &tenant.customer_id, &reseller.organization_id).await;
    assert_eq!(everywhere, [Some((false, true)); 2], "DONE is said when everybody knows");

    assert!(world.customer_ids(&reseller).await.is_empty());
    assert_eq!(reason(&calls.get(reseller.token(), &tenant.customer_id).await), "NOT_FOUND");
    let again = outcome(&calls.remove(reseller.token(), removing(&tenant.customer_id)).await);
    assert_eq!(again, (Code::NotFound, "NOT_FOUND".to_owned()));
    let unattested = pb::RemoveCustomerRequest { attestation_accepted: false, ..removing(&tenant.customer_id) };
    assert_eq!(reason(&calls.remove(reseller.token(), unattested).await), "NOT_FOUND");
    assert_eq!(calls.remove(reseller.token(), request.clone()).await.unwrap(), removed, "a repeated request");
    let other = pb::RemoveCustomerRequest { etag: "1".to_owned(), ..request };
    assert_eq!(reason(&calls.remove(reseller.token(), other).await), "REQUEST_ID_REUSED");

    assert_eq!(delegated_admin_rows(world, &tenant.customer_id).await, rows, "bit for bit");
    let seen = calls.partner_of(&tenant, &reseller).await.expect("the customer still sees who has delegated admin");
    assert_eq!((seen.active, seen.delegated_admin, seen.order_right), (false, true, false));
    assert_eq!(calls.partner_of(&tenant, &provider).await.unwrap(), of_provider, "the provider is untouched");
    assert_eq!(world.customer_ids(&provider).await, [tenant.customer_id.as_str()]);
    let everywhere = known_by_all(world, &tenant.customer_id, &provider.organization_id).await;
    assert_eq!(everywhere, [Some((true, true)); 2]);
}

#[rstest]
#[tokio::test]
async fn only_a_reseller_ends_a_relationship_by_itself(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut calls = calls(world).await;
    for what in [Provider, Direct] {
        let partner = world.onboard(what).await;
        let tenant = world.create_customer(&partner).await;
        let refused = outcome(&calls.remove(partner.token(), removing(&tenant.customer_id)).await);
        assert_eq!(refused, (Code::PermissionDenied, "PARTNER_KIND_NOT_ALLOWED".to_owned()));
        assert_eq!(world.customer_ids(&partner).await, [tenant.customer_id]);
    }
}

#[rstest]
#[tokio::test]
async fn the_answer_names_the_delegated_admin_that_is_left(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = served(kind).await;
    let mut calls = calls(world).await;
    calls.revoke(tenant.token(), revoking(&reseller.organization_id)).await.unwrap();
    let request = removing(&tenant.customer_id);
    let removed = calls.remove(reseller.token(), request).await.unwrap();
    assert!(!removed.remaining_delegated_admin);
    assert!(calls.partners_of(&tenant).await.is_empty(), "neither relationship nor delegated admin");
}

#[rstest]
#[tokio::test]
async fn the_reseller_s_own_invitations_to_the_customer_end_and_no_others(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (world, reseller, tenant) = served(kind).await;
    let other = world.onboard(Reseller).await;
    let bound = || pb::CreateInvitationRequest { customer_id: tenant.customer_id.clone(), ..World::invitation(None) };
    let inviting = bound();
    let (own, link) = world.invite(&reseller, inviting.clone()).await;
    let (unbound, _) = world.invite(&reseller, World::invitation(None)).await;
    let (foreign, _) = world.invite(&other, bound()).await;
    let consent = world.consent(&link).await;
    calls(world).await.remove(reseller.token(), removing(&tenant.customer_id)).await.unwrap();
    use pb::invitation::State as Invitation;
    assert_eq!(invitation_state(world, &reseller, &own).await, Invitation::Canceled);
    assert_eq!(invitation_state(world, &reseller, &unbound).await, Invitation::Draft);
    assert_eq!(invitation_state(world, &other, &foreign).await, Invitation::Draft);
    assert_eq!(reason(&world.try_accept(tenant.token(), consent).await), "INVITATION_CANCELED");
    let entries = world.journal_of_partner(reseller.token()).await;
    let told = entries.iter().filter(|entry| entry.action == "InvitationCanceled");
    let told: Vec<&str> = told.map(|entry| entry.target_id.as_str()).collect();
    assert_eq!(told, [own.as_str()], "it is recorded");
    let again = world.invitations().await.create_invitation(authorized(reseller.token(), inviting)).await;
    assert_eq!(reason(&again), "CREDENTIALS_ALREADY_DELIVERED", "and no reply shows its link any more");
}

#[rstest]
#[tokio::test]
async fn a_relationship_is_reinstated_by_a_new_invitation(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = served(kind).await;
    let mut calls = calls(world).await;
    let first = calls.get(reseller.token(), &tenant.customer_id).await.unwrap().customer.unwrap();
    let removal = removing(&tenant.customer_id);
    calls.remove(reseller.token(), removal.clone()).await.unwrap();
    let (_, link) = world.invite(&reseller, World::invitation(None)).await;
    world.accept(&tenant, &link).await;
    let second = calls.get(reseller.token(), &tenant.customer_id).await.unwrap().customer.unwrap();
    assert_eq!(second.source(), pb::RelationshipSource::Invitation);
    assert!(second.since.unwrap().seconds >= first.since.unwrap().seconds && second.etag != first.etag);
    assert_eq!(known_by_all(world, &tenant.customer_id, &reseller.organization_id).await, [Some((true, true)); 2]);
    let repeated = calls.remove(reseller.token(), removal).await.unwrap();
    assert_eq!(repeated.state(), State::Done, "what a former request did is not done again");
    assert_eq!(world.customer_ids(&reseller).await, [tenant.customer_id.as_str()]);
    let stale = pb::RemoveCustomerRequest { etag: first.etag, ..removing(&tenant.customer_id) };
    assert_eq!(reason(&calls.remove(reseller.token(), stale).await), "ETAG_MISMATCH");
    let anew = pb::RemoveCustomerRequest { request_id: request_id(), ..removing(&tenant.customer_id) };
    calls.remove(reseller.token(), anew).await.unwrap();
}
