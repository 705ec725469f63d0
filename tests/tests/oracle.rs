//! The checker of what must hold over the three databases is no blind one: a row that somebody changes by hand is found.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use proto::identity::v1::Role;
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized, fresh};

/// Something of everything that is told: partners, a partnership, customers, users, a naming and floors.
async fn furnished(kind: Kind) -> World {
    let world = World::start(kind).await;
    let (provider, reseller) = (world.onboard(PartnerKind::Provider).await, world.onboard(PartnerKind::Reseller).await);
    let former = world.onboard(PartnerKind::Reseller).await;
    world.join(&provider, &reseller).await;
    let partnership_id = world.join(&provider, &former).await;
    let removal = pb::RemovePartnershipRequest {
        partnership_id,
        attestation_accepted: true,
        request_id: fresh(),
        ..Default::default()
    };
    world.partnerships().await.remove_partnership(authorized(provider.token(), removal)).await.unwrap();
    let tenant = world.create_customer(&reseller).await;
    world.customer_user(&reseller, &tenant, &[Role::GlobalAdmin]).await;
    let bound =
        pb::CreateInvitationRequest { customer_id: tenant.customer_id.clone(), ..World::invitation(Some(&provider)) };
    world.invite(&reseller, bound).await;
    let accepted = world.create_customer(&reseller).await;
    let (_, link) = world.invite(&reseller, World::invitation(Some(&provider))).await;
    world.accept(&accepted, &link).await;
    world
}

/// What somebody changes by hand at which service, and how the checker begins to tell of it.
const CASES: [(&str, &str, &str); 15] = [
    ("identity", "UPDATE partner_standings SET state = 'SUSPENDED' WHERE kind = 'PROVIDER'", "partners at identity"),
    ("licensing", "UPDATE partners SET version = version + 1 WHERE kind = 'PROVIDER'", "partners at licensing"),
    ("licensing", "UPDATE partners SET mpn_id = '0' WHERE kind = 'PROVIDER'", "MPN ids at licensing"),
    ("identity", "DELETE FROM partnership_standings WHERE active", "partnerships at identity"),
    ("licensing", "UPDATE partnerships SET active = TRUE WHERE NOT active", "partnerships at licensing"),
    ("licensing", "UPDATE users SET usage_location = 'AT' WHERE usage_location = 'DE'", "users at licensing"),
    ("licensing", "UPDATE namings SET open = FALSE WHERE open", "namings at licensing"),
    (
        "licensing",
        "UPDATE principal_floors SET auth_version = auth_version + 1 WHERE auth_version > 0",
        "floors at licensing",
    ),
    ("partner", "DELETE FROM principal_floors WHERE auth_version > 0", "floors at partner"),
    ("partner", "UPDATE organizations SET name = 'Somebody'", "identity and partner disagree"),
    ("licensing", "UPDATE accesses SET order_right = FALSE WHERE order_right", "licensing holds"),
    ("identity", "DELETE FROM accesses", "identity holds None"),
    ("partner", "UPDATE invitations SET state = 'SENT' WHERE state = 'ACCEPTED'", "its acceptance is"),
    ("identity", "UPDATE organization_origins SET state = 'PENDING'", "what identity made of it"),
    ("partner", "UPDATE sagas SET state = 'ABORTED' WHERE flow = 'onboarding'", "still waits for saga"),
];

#[rstest]
#[tokio::test]
async fn whatever_somebody_changes_by_hand_is_found(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = furnished(kind).await;
    let mut before = world.violations().await;
    assert_eq!(before, Vec::<String>::new());
    let (identity, licensing, partner) = world.inside().await;
    for (service, statement, words) in CASES {
        assert!(!before.iter().any(|finding| finding.contains(words)), "{words}: {before:?}");
        let db = match service {
            "identity" => &identity,
            "licensing" => &licensing,
            _ => &partner,
        };
        let mut tx = db.write().await.unwrap();
        assert!(tx.sql(statement).execute().await.unwrap() > 0, "{statement} changes nothing");
        tx.commit().await.unwrap();
        let found = world.violations().await;
        assert!(found.iter().any(|finding| finding.contains(words)), "{statement}: {found:?}");
        before = found;
    }
}
