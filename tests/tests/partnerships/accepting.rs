//! A reseller authorizes a provider (D-62 to D-64, C33, C34, AS-80, AS-82).

use proto::identity::v1::UpdateOrganizationRequest;
use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use proto::partner::v1::partnership::State;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized, outcome, reason, soon};
use tonic::Code;

use super::{acceptance, calls, declining, invitation, pair, request_id, set_account, set_cloud};

#[rstest]
#[tokio::test]
async fn accepting_puts_each_into_the_other_s_list_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (partnership_id, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    assert!(calls.providers_of(&pair.reseller).await.is_empty() && calls.resellers_of(&pair.provider).await.is_empty());
    let request = calls.consent(&link).await;
    let accepted = calls.accept(pair.reseller.token(), request.clone()).await.unwrap();
    assert_eq!((accepted.state(), accepted.provider_admin_access), (State::Active, true));
    assert_eq!(accepted.partnership_id, partnership_id);
    assert_eq!(accepted.reseller_id, pair.reseller.organization_id);
    assert!(accepted.accept_time.is_some() && !accepted.reseller_name.is_empty());
    assert_eq!(pair.seen_by_provider(&partnership_id).await, accepted, "both see the same");

    let [provider] = calls.providers_of(&pair.reseller).await.try_into().unwrap();
    let [reseller] = calls.resellers_of(&pair.provider).await.try_into().unwrap();
    assert_eq!((&provider.name, &reseller.name), (&accepted.provider_name, &accepted.reseller_name));
    assert_eq!(provider.partner_id, pair.provider.organization_id);
    assert_eq!(reseller.partner_id, pair.reseller.organization_id);
    for entry in [provider, reseller] {
        assert_eq!((&entry.partnership_id, entry.country.as_str()), (&partnership_id, "DE"));
        assert!(entry.provider_admin_access && entry.mpn_id.len() == 20);
        assert_eq!(entry.accept_time, accepted.accept_time);
    }
    assert_eq!(calls.accept(pair.reseller.token(), request).await.unwrap(), accepted, "a repeated request");
    let again = calls.accept(pair.reseller.token(), acceptance(&link, "")).await.unwrap();
    assert_eq!(again, accepted, "accepting again changes nothing");
}

#[rstest]
#[tokio::test]
async fn a_read_that_begins_after_another_saw_the_partnership_sees_it_too(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (_, link) = pair.invite().await;
    let (mut one, mut other, mut third) = (calls(pair.world).await, calls(pair.world).await, calls(pair.world).await);
    let request = one.consent(&link).await;
    let accepting = one.accept(pair.reseller.token(), request);
    let looking = async {
        while other.providers_of(&pair.reseller).await.is_empty() {}
        assert_eq!(third.resellers_of(&pair.provider).await.len(), 1);
    };
    let (accepted, ()) = tokio::join!(accepting, soon("the partnership", looking));
    accepted.unwrap();
}

#[rstest]
#[tokio::test]
async fn consent_is_a_ticked_box_below_what_was_shown(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (partnership_id, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let shown = calls.consent(&link).await;
    let unticked = pb::AcceptPartnershipRequest { consent: false, request_id: request_id(), ..shown.clone() };
    let refused = outcome(&calls.accept(pair.reseller.token(), unticked).await);
    assert_eq!(refused, (Code::FailedPrecondition, "CONSENT_REQUIRED".to_owned()));
    for unseen in ["", "something else"] {
        let refused = outcome(&calls.accept(pair.reseller.token(), acceptance(&link, unseen)).await);
        assert_eq!(refused, (Code::FailedPrecondition, "CONSENT_OUTDATED".to_owned()));
    }
    let (_, other) = pair.invite().await;
    let foreign = acceptance(&link, &calls.consent(&other).await.consent_hash);
    assert_eq!(reason(&calls.accept(pair.reseller.token(), foreign).await), "CONSENT_OUTDATED");

    // The provider takes another name: what was shown is not what would be accepted.
    let renaming = UpdateOrganizationRequest {
        organization_id: pair.provider.organization_id.clone(),
        name: "Somebody Else".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    let mut organizations = OrganizationServiceClient::new(pair.world.to_identity().await);
    organizations.update_organization(authorized(pair.provider.token(), renaming)).await.unwrap();
    // Looking at the link again and again would be refused.
    let renamed = async { while pair.seen_by_provider(&partnership_id).await.provider_name != "Somebody Else" {} };
    soon("the new name", renamed).await;
    let outdated = pb::AcceptPartnershipRequest { request_id: request_id(), ..shown };
    assert_eq!(reason(&calls.accept(pair.reseller.token(), outdated).await), "CONSENT_OUTDATED");
    assert_eq!(pair.seen_by_provider(&partnership_id).await.state(), State::Invited);
    let request = calls.consent(&link).await;
    calls.accept(pair.reseller.token(), request).await.expect("the link is still good");
}

#[rstest]
#[tokio::test]
async fn an_invitation_that_names_a_reseller_is_for_no_other(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let other = pair.world.onboard(Reseller).await;
    let reseller_id = pair.reseller.organization_id.clone();
    let (partnership_id, link) = pair.invite_as(pb::InviteResellerRequest { reseller_id, ..invitation() }).await;
    let mut calls = calls(pair.world).await;
    let request = calls.consent(&link).await;
    let refused = outcome(&calls.accept(other.token(), request.clone()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "WRONG_RECIPIENT".to_owned()));
    assert_eq!(reason(&calls.decline(other.token(), declining(&link)).await), "WRONG_RECIPIENT");
    assert_eq!(pair.seen_by_provider(&partnership_id).await.state(), State::Invited);
    let early = reason(&calls.get(pair.reseller.token(), &partnership_id).await);
    assert_eq!(early, "NOT_FOUND", "one that was never accepted is shown to the provider only");
    calls.accept(pair.reseller.token(), request).await.unwrap();
    calls.get(pair.reseller.token(), &partnership_id).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn provider_and_reseller_are_of_one_country_and_one_cloud(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let abroad = pb::OnboardPartnerRequest { country: "FR".to_owned(), ..World::onboarding(Reseller) };
    let abroad = pair.world.onboard_as(abroad).await;
    let (partnership_id, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let request = calls.consent(&link).await;
    let refused = outcome(&calls.accept(abroad.token(), request.clone()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "REGION_MISMATCH".to_owned()));
    assert_eq!(reason(&calls.decline(abroad.token(), declining(&link)).await), "REGION_MISMATCH");

    set_cloud(pair.world, &pair.reseller, "US_GOVERNMENT").await;
    let refused = outcome(&calls.accept(pair.reseller.token(), request.clone()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "NOT_AVAILABLE_IN_CLOUD".to_owned()));
    assert_eq!(reason(&calls.decline(pair.reseller.token(), declining(&link)).await), "NOT_AVAILABLE_IN_CLOUD");
    set_cloud(pair.world, &pair.reseller, "GLOBAL").await;

    // From the other cloud the link answers like one that nobody knows.
    set_cloud(pair.world, &pair.provider, "US_GOVERNMENT").await;
    let across = calls.accept(pair.reseller.token(), request.clone()).await.unwrap_err();
    let unknown = calls.accept(pair.reseller.token(), acceptance("nothing", "")).await.unwrap_err();
    assert_eq!((across.code(), across.message()), (Code::NotFound, unknown.message()));
    set_cloud(pair.world, &pair.provider, "GLOBAL").await;
    assert_eq!(pair.seen_by_provider(&partnership_id).await.state(), State::Invited);
    let request = pb::AcceptPartnershipRequest { request_id: request_id(), ..request };
    calls.accept(pair.reseller.token(), request).await.expect("nothing was used up");
}

#[rstest]
#[tokio::test]
async fn nobody_is_bound_to_or_by_one_who_is_suspended_and_the_link_stays_good(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (_, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let request = calls.consent(&link).await;
    for party in [&pair.provider, &pair.reseller] {
        set_account(pair.world, party, "SUSPENDED").await;
        let refused = outcome(&calls.accept(pair.reseller.token(), request.clone()).await);
        assert_eq!(refused, (Code::FailedPrecondition, "ACCOUNT_SUSPENDED".to_owned()));
        set_account(pair.world, party, "ACTIVE").await;
    }
    calls.accept(pair.reseller.token(), request).await.expect("a refusal uses nothing up, not even its request_id");
}

#[rstest]
#[tokio::test]
async fn a_second_invitation_of_the_same_two_is_not_accepted(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let (first, _) = (pair.join().await, ());
    let (second, link) = pair.invite().await;
    let mut calls = calls(pair.world).await;
    let request = calls.consent(&link).await;
    let refused = outcome(&calls.accept(pair.reseller.token(), request).await);
    assert_eq!(refused, (Code::AlreadyExists, "PARTNERSHIP_EXISTS".to_owned()));
    assert_eq!(pair.seen_by_provider(&second).await.state(), State::Invited, "another reseller may still take it");
    assert_eq!(calls.providers_of(&pair.reseller).await[0].partnership_id, first);
    let other = pair.world.onboard(Reseller).await;
    let request = calls.consent(&link).await;
    calls.accept(other.token(), request).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_reseller_has_several_providers_and_a_provider_several_resellers(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let (world, provider, reseller) =
        (pair.world, pair.world.onboard(Provider).await, pair.world.onboard(Reseller).await);
    pair.join().await;
    world.join(&provider, &pair.reseller).await;
    world.join(&pair.provider, &reseller).await;
    let mut calls = calls(world).await;
    assert_eq!(calls.providers_of(&pair.reseller).await.len(), 2);
    assert_eq!(calls.resellers_of(&pair.provider).await.len(), 2);
    assert_eq!((calls.providers_of(&reseller).await.len(), calls.resellers_of(&provider).await.len()), (1, 1));
}
