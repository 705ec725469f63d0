//! A pending organization is nobody's yet, and a confirmed one is everything that it will be.

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::{
    AddOrganizationDomainRequest, CheckOrganizationRequest, ConfirmOrganizationRequest, GetMeRequest,
    GetOrganizationRequest, ListOrganizationsRequest, NewOrganization, OrganizationKind, PrepareOrganizationRequest,
    RegisterOrganizationRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized};
use uuid::Uuid;

use super::reason;

#[rstest]
#[tokio::test]
async fn a_pending_organization_is_seen_by_nobody_and_keeps_its_domain(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let mut preparation = World::preparation();
    let plan = preparation.organization.as_mut().unwrap();
    plan.name = format!("Pending {}", Uuid::now_v7());
    let (name, prefix) = (plan.name.clone(), plan.domain_prefix.clone());
    let made = identity.prepare_organization(world.as_partner(preparation.clone())).await.unwrap().into_inner();
    let organization_id = made.organization.unwrap().organization_id;

    let operator = world.operator().await;
    let mut organizations = OrganizationServiceClient::new(world.to_identity().await);
    let get = GetOrganizationRequest { organization_id: organization_id.clone() };
    assert_eq!(reason(&organizations.get_organization(authorized(&operator, get.clone())).await), "NOT_FOUND");
    let add = AddOrganizationDomainRequest {
        organization_id,
        domain: format!("d{}.example", Uuid::now_v7().simple()),
        ..Default::default()
    };
    assert_eq!(reason(&organizations.add_organization_domain(authorized(&operator, add)).await), "NOT_FOUND");
    let list = ListOrganizationsRequest { name_prefix: name.clone(), ..Default::default() };
    let listed = organizations.list_organizations(authorized(&operator, list.clone())).await.unwrap().into_inner();
    assert_eq!(listed.organizations, []);
    let register = RegisterOrganizationRequest { domain_prefix: prefix, ..World::registration() };
    let mut registration = RegistrationServiceClient::new(world.to_identity().await);
    assert_eq!(reason(&registration.register_organization(register).await), "DOMAIN_TAKEN");

    let confirm = ConfirmOrganizationRequest { origin_id: preparation.origin_id };
    identity.confirm_organization(world.as_partner(confirm)).await.unwrap();
    let shown = organizations.get_organization(authorized(&operator, get)).await.unwrap().into_inner();
    let listed = organizations.list_organizations(authorized(&operator, list)).await.unwrap().into_inner();
    assert_eq!(listed.organizations, [shown.organization.unwrap()]);
}

#[rstest]
#[tokio::test]
async fn nobody_signs_in_to_a_pending_organization_and_its_admin_replaces_the_password_of_a_confirmed_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let preparation = World::preparation();
    let made = identity.prepare_organization(world.as_partner(preparation.clone())).await.unwrap().into_inner();
    let reveal = proto::identity::v1::RevealSecretRequest {
        origin_id: preparation.origin_id.clone(),
        binding: preparation.binding,
    };
    let secret = identity.reveal_secret(world.as_partner(reveal)).await.unwrap().into_inner().temporary_password;
    let early = world.try_sign_in(&made.admin_sign_in_name, &secret).await;
    assert_eq!(reason(&early), "SIGN_IN_FAILED");

    let confirm = ConfirmOrganizationRequest { origin_id: preparation.origin_id };
    identity.confirm_organization(world.as_partner(confirm)).await.unwrap();
    let session = world.sign_in(&made.admin_sign_in_name, &secret).await;
    assert!(session.must_change_password);
    let session = world.replace_password(&made.admin_sign_in_name, &secret).await;
    let mut sessions = SessionServiceClient::new(world.to_identity().await);
    let me = sessions.get_me(authorized(&session.access_token, GetMeRequest {})).await.unwrap().into_inner();
    assert_eq!(me.principal_id, made.admin_user_id);
    assert_eq!(me.organization.unwrap().kind, i32::from(OrganizationKind::Customer));
}

#[rstest]
#[tokio::test]
async fn what_was_confirmed_stands_once_in_the_journal_of_the_new_organization(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let preparation = World::preparation();
    let origin_id = preparation.origin_id.clone();
    let customer = world.customer_of(preparation).await;
    let again = world.as_partner(ConfirmOrganizationRequest { origin_id });
    world.inside_identity().await.confirm_organization(again).await.unwrap();

    let session = world.replace_password(&customer.admin_sign_in_name, &customer.temporary_password).await;
    let mut audit = AuditServiceClient::new(world.to_identity().await);
    let request = ListAuditEntriesRequest { customer_id: customer.customer_id.clone(), ..Default::default() };
    let entries = audit.list_audit_entries(authorized(&session.access_token, request)).await.unwrap().into_inner();
    let actions: Vec<_> = entries.entries.iter().map(|entry| entry.action.as_str()).collect();
    let mut sorted = actions.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["OrganizationCreated", "UserCreated"]);
    assert!(entries.entries.iter().all(|entry| entry.organization_id == customer.customer_id));
    assert!(!format!("{entries:?}").contains(&customer.temporary_password));
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_with_a_preparation_is_told_at_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    use tonic_types::StatusExt;
    let world = World::shared(kind).await;
    let mut identity = world.inside_identity().await;
    let empty = identity.prepare_organization(world.as_partner(PrepareOrganizationRequest::default())).await;
    let violations = empty.unwrap_err().get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    for field in ["origin_id", "organization.kind", "organization.name", "organization.admin_name", "binding.method"] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
    let platform =
        NewOrganization { kind: OrganizationKind::Platform.into(), ..World::preparation().organization.unwrap() };
    let check = CheckOrganizationRequest { organization: Some(platform) };
    assert_eq!(reason(&identity.check_organization(world.as_partner(check)).await), "UNKNOWN_VALUE");
}
