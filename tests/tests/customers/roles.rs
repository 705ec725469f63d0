//! Who may do what about customers: by kind of organization, kind of partner and role (D-02, D-04, C15, C31, C32).

use proto::identity::v1::Role::{
    self, AdminAgent, BillingAdmin, GlobalAdmin, HelpdeskAgent, SalesAgent, UserManagementAdmin,
};
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, reason};

use super::{calls, removing, revoking, served};

/// What every call answers the bearer of this token, in a fixed order; those that change something only try.
async fn answers(world: &World, token: &str, customer_id: &str) -> [(&'static str, String); 6] {
    let mut calls = calls(world).await;
    let validate_only = true;
    let create = pb::CreateCustomerRequest { validate_only, ..World::new_customer() };
    let remove = pb::RemoveCustomerRequest { validate_only, ..removing(customer_id) };
    let revoke = pb::RevokeDelegatedAdminRequest { validate_only, ..revoking(customer_id) };
    [
        ("create", reason(&calls.create(token, create).await)),
        ("list", reason(&calls.list(token, Default::default()).await)),
        ("get", reason(&calls.get(token, customer_id).await)),
        ("remove", reason(&calls.remove(token, remove).await)),
        ("partners", reason(&calls.partners(token, Default::default()).await)),
        ("revoke", reason(&calls.revoke(token, revoke).await)),
    ]
}

#[rstest]
#[case(&[GlobalAdmin], true, true)]
#[case(&[UserManagementAdmin], true, true)]
#[case(&[AdminAgent], true, true)]
#[case(&[SalesAgent], true, true)]
#[case(&[HelpdeskAgent], false, true)]
#[case(&[BillingAdmin], false, false)]
#[case(&[BillingAdmin, HelpdeskAgent], false, true)]
#[case(&[], false, false)]
#[tokio::test]
async fn what_a_partner_user_may_do_about_customers_is_a_matter_of_roles(
    #[case] roles: &[Role],
    #[case] makes: bool,
    #[case] reads: bool,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let (world, reseller, tenant) = served(kind).await;
    let person = world.hire(&reseller, roles).await;
    let allowed = |is_allowed| if is_allowed { "OK" } else { "ROLE_NOT_ALLOWED" };
    for (call, told) in answers(world, &person.session.access_token, &tenant.customer_id).await {
        let expected = match call {
            "create" | "remove" => allowed(makes),
            "list" | "get" => allowed(reads),
            _ => "ORGANIZATION_KIND_NOT_ALLOWED",
        };
        assert_eq!(told, expected, "{call} by {roles:?}");
    }
}

#[rstest]
#[tokio::test]
async fn every_kind_of_partner_has_customers_and_nobody_else_has(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    for what in [Reseller, Provider, Direct] {
        let partner = world.onboard(what).await;
        let tenant = world.create_customer(&partner).await;
        let told = answers(world, partner.token(), &tenant.customer_id).await;
        let removal = if what == Reseller { "OK" } else { "PARTNER_KIND_NOT_ALLOWED" };
        let no = "ORGANIZATION_KIND_NOT_ALLOWED";
        assert_eq!(told.map(|(_, told)| told), ["OK", "OK", "OK", removal, no, no]);
    }
    let applicant = world.register().await;
    let tenant = world.stranger().await;
    let no_partner = answers(world, applicant.token(), &tenant.customer_id).await;
    assert!(no_partner[..4].iter().all(|(_, told)| told == "NOT_A_PARTNER"), "{no_partner:?}");
    for token in [tenant.token(), &world.operator().await] {
        let told = answers(world, token, &tenant.customer_id).await;
        assert!(told[..4].iter().all(|(_, told)| told == "ORGANIZATION_KIND_NOT_ALLOWED"), "{told:?}");
    }
}
