//! Dry runs: what would be refused, by partner and by identity, and no row that changes.

use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, changed, outcome, reason};
use tonic::Code;
use uuid::Uuid;

use super::{calls, removing, revoking, set_account, shared_with};

#[rstest]
#[tokio::test]
async fn a_dry_run_checks_everything_and_changes_no_row(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    let stranger = world.onboard(Reseller).await;
    world.join(&provider, &reseller).await;
    let tenant = world.create_customer(&reseller).await;
    let mut calls = calls(&world).await;
    let before = world.at_rest().await;
    let validate_only = true;

    let good = shared_with(&reseller);
    let dry = pb::CreateCustomerRequest { validate_only, ..good.clone() };
    let begun = pb::CreateCustomerResponse { progress: pb::Progress::InProgress.into(), ..Default::default() };
    assert_eq!(calls.create(provider.token(), dry.clone()).await.unwrap(), begun, "no id, no name and no secret");
    let unnamed = pb::CreateCustomerRequest { request_id: String::new(), ..dry.clone() };
    assert_eq!(calls.create(provider.token(), unnamed).await.unwrap(), begun, "a dry run needs no name");
    let taken = tenant.domain.split('.').next().unwrap().to_owned();
    let refused = [
        (pb::CreateCustomerRequest { domain_prefix: taken, ..dry.clone() }, Code::AlreadyExists, "DOMAIN_TAKEN"),
        (
            pb::CreateCustomerRequest { country: "FR".to_owned(), ..dry.clone() },
            Code::FailedPrecondition,
            "REGION_MISMATCH",
        ),
        (
            pb::CreateCustomerRequest { reseller_id: stranger.organization_id.clone(), ..dry.clone() },
            Code::FailedPrecondition,
            "PARTNERSHIP_NOT_ACTIVE",
        ),
        (pb::CreateCustomerRequest { name: String::new(), ..dry.clone() }, Code::InvalidArgument, "REQUIRED"),
    ];
    for (request, code, reason) in refused {
        let told = outcome(&calls.create(provider.token(), request).await);
        assert_eq!(told, (code, reason.to_owned()));
    }
    assert_eq!(reason(&calls.create(reseller.token(), dry.clone()).await), "PARTNER_KIND_NOT_ALLOWED");

    let remove = pb::RemoveCustomerRequest { validate_only, ..removing(&tenant.customer_id) };
    let answer = calls.remove(reseller.token(), remove.clone()).await.unwrap();
    assert_eq!((&answer.customer_id, answer.remaining_delegated_admin), (&tenant.customer_id, true));
    let unattested = pb::RemoveCustomerRequest { attestation_accepted: false, ..remove.clone() };
    assert_eq!(reason(&calls.remove(reseller.token(), unattested).await), "ATTESTATION_REQUIRED");
    let stale = pb::RemoveCustomerRequest { etag: "77".to_owned(), ..remove.clone() };
    assert_eq!(reason(&calls.remove(reseller.token(), stale).await), "ETAG_MISMATCH");
    assert_eq!(reason(&calls.remove(stranger.token(), remove).await), "NOT_FOUND");

    let revoke = pb::RevokeDelegatedAdminRequest { validate_only, ..revoking(&reseller.organization_id) };
    let answer = calls.revoke(tenant.token(), revoke.clone()).await.unwrap();
    assert_eq!((answer.active, answer.delegated_admin, answer.etag.as_str()), (true, false, ""));
    let stale = pb::RevokeDelegatedAdminRequest { etag: "77".to_owned(), ..revoke.clone() };
    assert_eq!(reason(&calls.revoke(tenant.token(), stale).await), "ETAG_MISMATCH");
    let nobody = pb::RevokeDelegatedAdminRequest { partner_id: Uuid::now_v7().to_string(), ..revoke };
    assert_eq!(reason(&calls.revoke(tenant.token(), nobody).await), "NOT_FOUND");
    assert_eq!(changed(&before, &world.at_rest().await), Vec::<String>::new());

    set_account(&world, &provider, "SUSPENDED").await;
    assert_eq!(reason(&calls.create(provider.token(), dry).await), "ACCOUNT_SUSPENDED");
    set_account(&world, &provider, "ACTIVE").await;
    world.try_create_customer(provider.token(), good).await.expect("what a dry run allows is allowed");
}
