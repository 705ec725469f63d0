//! Dry runs: what would be refused and what would be answered, and no row that changes.

use proto::partner::v1 as pb;
use proto::partner::v1::partnership::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, changed, reason};

use super::{Pair, acceptance, calls, canceling, declining, invitation, removing, revoking, set_account};

#[rstest]
#[tokio::test]
async fn a_dry_run_checks_everything_and_changes_no_row(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let (pair, other) = (Pair::of(&world).await, Pair::of(&world).await);
    let active = pair.join().await;
    let (invited, link) = other.invite().await;
    let (provider, reseller) = (pair.provider.token(), pair.reseller.token());
    let mut calls = calls(&world).await;
    let consent = calls.consent(&link).await;
    let before = world.at_rest().await;
    let validate_only = true;

    let request = pb::InviteResellerRequest { validate_only, ..invitation() };
    let answer = calls.invite(provider, request.clone()).await.unwrap();
    let (partnership, draft) = (answer.partnership.unwrap(), answer.draft.unwrap());
    assert_eq!((partnership.partnership_id.as_str(), partnership.etag.as_str()), ("", ""));
    assert_eq!((partnership.state(), draft.link.as_str(), draft.body.as_str()), (State::Invited, "", ""));
    let naming = pb::InviteResellerRequest { reseller_id: pair.reseller.organization_id.clone(), ..request };
    assert_eq!(reason(&calls.invite(provider, naming).await), "PARTNERSHIP_EXISTS");

    let request = pb::AcceptPartnershipRequest { validate_only, ..consent.clone() };
    let answer = calls.accept(reseller, request.clone()).await.unwrap();
    assert_eq!((answer.state(), answer.reseller_id.as_str()), (State::Active, pair.reseller.organization_id.as_str()));
    assert_eq!((answer.partnership_id.as_str(), answer.etag.as_str()), (invited.as_str(), ""));
    let unticked = pb::AcceptPartnershipRequest { consent: false, ..request.clone() };
    assert_eq!(reason(&calls.accept(reseller, unticked).await), "CONSENT_REQUIRED");
    let unseen = pb::AcceptPartnershipRequest { validate_only, ..acceptance(&link, "") };
    assert_eq!(reason(&calls.accept(reseller, unseen).await), "CONSENT_OUTDATED");
    let unknown = pb::AcceptPartnershipRequest { validate_only, ..acceptance("nothing", "") };
    assert_eq!(reason(&calls.accept(reseller, unknown).await), "NOT_FOUND");

    let answer = calls.decline(reseller, pb::DeclinePartnershipRequest { validate_only, ..declining(&link) }).await;
    assert_eq!(answer.unwrap().state(), State::Declined);
    let cancel = |id: &str| pb::CancelPartnershipInvitationRequest { validate_only, ..canceling(id) };
    let answer = calls.cancel(other.provider.token(), cancel(&invited)).await.unwrap();
    assert_eq!((answer.state(), answer.etag.as_str()), (State::Canceled, ""));
    assert_eq!(reason(&calls.cancel(provider, cancel(&active)).await), "PARTNERSHIP_NOT_INVITED");

    let request = pb::RevokeProviderAdminAccessRequest { validate_only, ..revoking(&active) };
    assert!(!calls.revoke(reseller, request.clone()).await.unwrap().provider_admin_access);
    let stale = pb::RevokeProviderAdminAccessRequest { etag: "77".to_owned(), ..request };
    assert_eq!(reason(&calls.revoke(reseller, stale).await), "ETAG_MISMATCH");

    let request = pb::RemovePartnershipRequest { validate_only, ..removing(&active) };
    let answer = calls.remove(provider, request.clone()).await.unwrap();
    assert_eq!(answer.partnership.unwrap().state(), State::Removed);
    let unattested = pb::RemovePartnershipRequest { attestation_accepted: false, ..request };
    assert_eq!(reason(&calls.remove(provider, unattested).await), "ATTESTATION_REQUIRED");
    assert_eq!(changed(&before, &world.at_rest().await), Vec::<String>::new());

    set_account(&world, &pair.reseller, "SUSPENDED").await;
    let request = pb::AcceptPartnershipRequest { validate_only, ..consent.clone() };
    assert_eq!(reason(&calls.accept(reseller, request).await), "ACCOUNT_SUSPENDED");
    set_account(&world, &pair.reseller, "ACTIVE").await;
    calls.accept(reseller, consent).await.expect("what a dry run allows is allowed");
}
