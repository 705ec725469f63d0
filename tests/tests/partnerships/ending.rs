//! A provider takes an invitation back; a reseller withdraws the provider's access to its own organization (D-64, AS-81).

use proto::identity::v1::Role;
use proto::partner::v1 as pb;
use proto::partner::v1::partnership::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, id, outcome, reason, wrong_fields};
use tonic::Code;
use tonic_types::StatusExt;

use super::{calls, canceling, declining, pair, removing, request_id, revoking};

/// Whether identity knows the provider as an administrator of the reseller's organization.
async fn administers(world: &World, provider: &str, reseller: &str) -> Option<bool> {
    let mut tx = world.identity.db().await.snapshot().await.unwrap();
    let found = tx
        .sql(
            "SELECT provider_admin_access FROM partnership_standings
             WHERE provider_id = $1 AND reseller_id = $2",
        )
        .bind(id(provider))
        .bind(id(reseller))
        .optional()
        .await
        .unwrap();
    tx.rollback().await;
    found
}

#[rstest]
#[tokio::test]
async fn only_what_is_still_an_invitation_is_taken_back(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    let active = pair.join().await;
    let (declined, link) = pair.invite().await;
    calls.decline(pair.reseller.token(), declining(&link)).await.unwrap();
    let (canceled, _) = pair.invite().await;
    calls.cancel(pair.provider.token(), canceling(&canceled)).await.unwrap();
    for (partnership_id, state) in [(&active, "ACTIVE"), (&declined, "DECLINED"), (&canceled, "CANCELED")] {
        let before = pair.seen_by_provider(partnership_id).await;
        let refused = calls.cancel(pair.provider.token(), canceling(partnership_id)).await;
        assert_eq!(outcome(&refused), (Code::FailedPrecondition, "PARTNERSHIP_NOT_INVITED".to_owned()));
        assert_eq!(refused.unwrap_err().get_details_error_info().unwrap().metadata["state"], state);
        assert_eq!(pair.seen_by_provider(partnership_id).await, before);
    }
    calls.remove(pair.reseller.token(), removing(&active)).await.unwrap();
    assert_eq!(reason(&calls.cancel(pair.provider.token(), canceling(&active)).await), "PARTNERSHIP_NOT_INVITED");
}

#[rstest]
#[tokio::test]
async fn a_change_rests_on_what_was_seen(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    let (invited, _) = pair.invite().await;
    for etag in ["7", "no version at all"] {
        let stale = pb::CancelPartnershipInvitationRequest { etag: etag.to_owned(), ..canceling(&invited) };
        let refused = outcome(&calls.cancel(pair.provider.token(), stale).await);
        assert_eq!(refused, (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    }
    let etag = pair.seen_by_provider(&invited).await.etag;
    let fresh = pb::CancelPartnershipInvitationRequest { etag, ..canceling(&invited) };
    calls.cancel(pair.provider.token(), fresh).await.unwrap();

    let active = pair.join().await;
    let seen = pair.seen_by_provider(&active).await.etag;
    let revoke = pb::RevokeProviderAdminAccessRequest { etag: seen.clone(), ..revoking(&active) };
    let revoked = calls.revoke(pair.reseller.token(), revoke).await.unwrap();
    assert_ne!(revoked.etag, seen);
    let late = pb::RevokeProviderAdminAccessRequest { etag: seen.clone(), ..revoking(&active) };
    assert_eq!(outcome(&calls.revoke(pair.reseller.token(), late).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let late = pb::RemovePartnershipRequest { etag: seen, ..removing(&active) };
    assert_eq!(outcome(&calls.remove(pair.reseller.token(), late).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let fresh = pb::RemovePartnershipRequest { etag: revoked.etag, ..removing(&active) };
    calls.remove(pair.reseller.token(), fresh).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_with_a_request_is_told_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (provider, reseller) = (pair.provider.token(), pair.reseller.token());
    let mut calls = calls(pair.world).await;
    assert_eq!(wrong_fields(calls.cancel(provider, canceling("one")).await), ["partnership_id"]);
    assert_eq!(wrong_fields(calls.revoke(reseller, revoking("")).await), ["partnership_id"]);
    assert_eq!(wrong_fields(calls.remove(reseller, removing("one")).await), ["partnership_id"]);
    assert_eq!(wrong_fields(calls.get(reseller, "").await), ["partnership_id"]);
    let request = pb::ListSharedCustomersRequest { page_size: 1_001, seek: 9, ..super::sharing("one") };
    assert_eq!(wrong_fields(calls.shared(reseller, request).await), ["partnership_id", "page_size", "seek"]);
    let prefix = "x".repeat(201);
    let request =
        pb::ListIndirectProvidersRequest { page_size: -1, seek: 9, name_prefix: prefix.clone(), ..Default::default() };
    assert_eq!(wrong_fields(calls.providers(reseller, request).await), ["page_size", "seek", "name_prefix"]);
    let request =
        pb::ListIndirectResellersRequest { page_size: -1, seek: 9, name_prefix: prefix, ..Default::default() };
    assert_eq!(wrong_fields(calls.resellers(provider, request).await), ["page_size", "seek", "name_prefix"]);
}

#[rstest]
#[tokio::test]
async fn the_provider_s_access_to_the_reseller_is_withdrawn_and_the_partnership_stays(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    let partnership_id = pair.join().await;
    let (provider, reseller) = (&pair.provider.organization_id, &pair.reseller.organization_id);
    let arrived = async { while administers(pair.world, provider, reseller).await != Some(true) {} };
    tests::world::soon("the partnership at identity", arrived).await;

    let request = revoking(&partnership_id);
    let revoked = calls.revoke(pair.reseller.token(), request.clone()).await.unwrap();
    assert_eq!((revoked.state(), revoked.provider_admin_access), (State::Active, false));
    assert_eq!(administers(pair.world, provider, reseller).await, Some(false), "known before the answer");
    assert_eq!(pair.seen_by_provider(&partnership_id).await, revoked);
    let mine = calls.providers_of(&pair.reseller).await;
    let theirs = calls.resellers_of(&pair.provider).await;
    assert!(mine.len() == 1 && !mine[0].provider_admin_access, "still listed");
    assert!(theirs.len() == 1 && !theirs[0].provider_admin_access);

    assert_eq!(calls.revoke(pair.reseller.token(), request.clone()).await.unwrap(), revoked, "a repeated request");
    let again = calls.revoke(pair.reseller.token(), revoking(&partnership_id)).await.unwrap();
    assert_eq!(again, revoked, "withdrawing again changes nothing");
    let other = pb::RevokeProviderAdminAccessRequest { etag: revoked.etag, ..request };
    assert_eq!(reason(&calls.revoke(pair.reseller.token(), other).await), "REQUEST_ID_REUSED");
    calls.remove(pair.reseller.token(), removing(&partnership_id)).await.unwrap();
    let refused = outcome(&calls.revoke(pair.reseller.token(), revoking(&partnership_id)).await);
    assert_eq!(refused, (Code::FailedPrecondition, "PARTNERSHIP_NOT_ACTIVE".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_draft_is_shown_to_those_who_may_send_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    let (partnership_id, _) = pair.invite().await;
    for (role, is_shown) in [(Role::SalesAgent, true), (Role::UserManagementAdmin, true), (Role::HelpdeskAgent, false)]
    {
        let person = pair.world.hire(&pair.provider, &[role]).await;
        let shown = calls.get(&person.session.access_token, &partnership_id).await.unwrap();
        assert_eq!(shown.draft.is_some(), is_shown, "{role:?}");
    }
    // Once it is accepted there is nothing left to send, to nobody.
    let link =
        tests::world::token_of(&calls.get(pair.provider.token(), &partnership_id).await.unwrap().draft.unwrap().link);
    let request = pb::AcceptPartnershipRequest { request_id: request_id(), ..calls.consent(&link).await };
    calls.accept(pair.reseller.token(), request).await.unwrap();
    for token in [pair.provider.token(), pair.reseller.token()] {
        assert_eq!(calls.get(token, &partnership_id).await.unwrap().draft, None);
    }
}
