//! What the journal tells of customers, to whom, and what it never holds (D-82, C32, AS-111).

use proto::common::v1::AuditEntry;
use proto::common::v1::audit_entry::Outcome;
use proto::partner::v1::PartnerKind::{Provider, Reseller};
use proto::partner::v1::RemoveCustomerRequest;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, reason};

use super::{calls, removing, revoking, served, settle_in, shared_with};

/// The entries of one journal about a customer, the oldest first: action and organization.
fn about(entries: &[AuditEntry], customer_id: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for entry in entries.iter().rev().filter(|entry| entry.customer_id == customer_id) {
        found.push((entry.action.clone(), entry.organization_id.clone()));
    }
    found
}

#[rstest]
#[tokio::test]
async fn everybody_reads_what_concerns_them_and_no_secret_stands_there(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (provider, reseller) = (world.onboard(Provider).await, world.onboard(Reseller).await);
    world.join(&provider, &reseller).await;
    let made = world.try_create_customer(provider.token(), shared_with(&reseller)).await.unwrap();
    let secret = made.temporary_password.clone();
    let tenant = settle_in(world, made).await;
    let id = &tenant.customer_id;
    let mut calls = calls(world).await;
    calls.remove(reseller.token(), removing(id)).await.unwrap();
    calls.revoke(tenant.token(), revoking(&reseller.organization_id)).await.unwrap();
    calls.revoke(tenant.token(), revoking(&reseller.organization_id)).await.unwrap();

    let of = |action: &str, organization: &str| (action.to_owned(), organization.to_owned());
    let (p, r) = (provider.organization_id.as_str(), reseller.organization_id.as_str());
    let of_provider = world.journal_of_partner(provider.token()).await;
    let mut mine = about(&of_provider, id);
    mine.sort();
    assert_eq!(mine, [of("CustomerCreated", p), of("RelationshipBegun", p)]);
    let of_reseller = world.journal_of_partner(reseller.token()).await;
    assert_eq!(about(&of_reseller, id), [of("RelationshipBegun", r), of("RelationshipRemoved", r)]);
    let begun = of_reseller.iter().find(|entry| entry.action == "RelationshipBegun").unwrap();
    assert_eq!(begun.actor_id, provider.admin_user_id, "the provider's admin did it");

    let removed = of_reseller.iter().find(|entry| entry.action == "RelationshipRemoved").unwrap();
    assert_eq!((&removed.actor_id, &removed.target_id), (&reseller.admin_user_id, id));
    let changes: Vec<_> =
        removed.changes.iter().map(|c| (c.field.as_str(), c.before.as_str(), c.after.as_str())).collect();
    let expected =
        [("state", "ACTIVE", "REMOVED"), ("attestation_accepted", "", "true"), ("delegated_admin", "true", "true")];
    assert_eq!(changes, expected, "who attested what stands there");

    let of_tenant = world.journal_of_partner(tenant.token()).await;
    let mut whole: Vec<String> = about(&of_tenant, id).into_iter().map(|(action, _)| action).collect();
    whole.sort();
    let expected =
        ["CustomerCreated", "DelegatedAdminRevoked", "RelationshipBegun", "RelationshipBegun", "RelationshipRemoved"];
    assert_eq!(whole, expected, "a customer reads all that concerns it; withdrawing again changed nothing");
    let revoked = of_tenant.iter().find(|entry| entry.action == "DelegatedAdminRevoked").unwrap();
    assert_eq!((&revoked.actor_id, revoked.target_id.as_str()), (&tenant.admin_user_id, r));
    assert_eq!(revoked.organization_id, *id);
    assert!(!format!("{of_provider:?} {of_reseller:?} {of_tenant:?}").contains(&secret));
}

#[rstest]
#[tokio::test]
async fn a_refusal_stands_in_the_journal_of_the_one_who_asked(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let (world, reseller, tenant) = super::served(kind).await;
    let stranger = world.onboard(Reseller).await;
    calls(world).await.remove(stranger.token(), removing(&tenant.customer_id)).await.unwrap_err();
    let entries = world.journal_of_partner(stranger.token()).await;
    let entry = entries.iter().find(|entry| entry.action == "RemoveCustomer").unwrap();
    assert_eq!((entry.reason.as_str(), entry.customer_id.as_str()), ("NOT_FOUND", ""));
    let entries = world.journal_of_partner(reseller.token()).await;
    assert!(entries.iter().all(|entry| entry.action != "RemoveCustomer"));
}

#[rstest]
#[tokio::test]
async fn what_was_refused_at_a_customer_is_read_there_unless_the_caller_may_do_nothing_there(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (world, reseller, tenant) = served(kind).await;
    let stranger = world.onboard(Reseller).await;
    let mut calls = calls(world).await;
    let hasty = || RemoveCustomerRequest { attestation_accepted: false, ..removing(&tenant.customer_id) };
    assert_eq!(reason(&calls.remove(reseller.token(), hasty()).await), "ATTESTATION_REQUIRED");
    assert_eq!(reason(&calls.remove(stranger.token(), hasty()).await), "NOT_FOUND");
    let unknown = calls.revoke(tenant.token(), revoking(&stranger.organization_id)).await;
    assert_eq!(reason(&unknown), "NOT_FOUND");
    let entries = world.journal_of_partner(tenant.token()).await;
    let refused = entries.iter().filter(|entry| entry.outcome() == Outcome::Failed);
    let told: Vec<(&str, &str, &str)> = refused
        .map(|entry| (entry.organization_id.as_str(), entry.action.as_str(), entry.customer_id.as_str()))
        .collect();
    let id = tenant.customer_id.as_str();
    let expected = [(id, "RevokeDelegatedAdmin", id), (reseller.organization_id.as_str(), "RemoveCustomer", id)];
    assert_eq!(told, expected, "newest first, and the customer's own with the others");
}
