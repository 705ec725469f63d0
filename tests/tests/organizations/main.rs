//! Organizations: who sees, lists and renames them, and how they get domains (O-15, C22, C23, C31, C32, C35).
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod domains;
mod listing;

use proto::common::v1::ListAuditEntriesRequest;
use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::identity::v1::check_domain_availability_request::Name;
use proto::identity::v1::organization_service_client::OrganizationServiceClient;
use proto::identity::v1::{
    AddOrganizationDomainRequest, CheckDomainAvailabilityRequest, CheckDomainAvailabilityResponse,
    GetOrganizationRequest, ListOrganizationsRequest, ListOrganizationsResponse, Organization, Role,
    UpdateOrganizationRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, authorized};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

/// The service, with requests unwrapped.
struct Organizations(OrganizationServiceClient<Channel>);

impl Organizations {
    async fn of(world: &World) -> Self {
        Self(OrganizationServiceClient::new(world.to_identity().await))
    }

    async fn get(&mut self, token: &str, organization_id: &str) -> Result<Organization, Status> {
        let request = GetOrganizationRequest { organization_id: organization_id.to_owned() };
        Ok(self.0.get_organization(authorized(token, request)).await?.into_inner().organization.unwrap())
    }

    async fn list(
        &mut self,
        token: &str,
        request: ListOrganizationsRequest,
    ) -> Result<ListOrganizationsResponse, Status> {
        self.0.list_organizations(authorized(token, request)).await.map(tonic::Response::into_inner)
    }

    async fn update(&mut self, token: &str, request: UpdateOrganizationRequest) -> Result<Organization, Status> {
        Ok(self.0.update_organization(authorized(token, request)).await?.into_inner().organization.unwrap())
    }

    async fn add_domain(&mut self, token: &str, request: AddOrganizationDomainRequest) -> Result<Organization, Status> {
        Ok(self.0.add_organization_domain(authorized(token, request)).await?.into_inner().organization.unwrap())
    }

    async fn check(&mut self, token: &str, name: Option<Name>) -> Result<CheckDomainAvailabilityResponse, Status> {
        let request = CheckDomainAvailabilityRequest { name };
        self.0.check_domain_availability(authorized(token, request)).await.map(tonic::Response::into_inner)
    }
}

fn renaming(organization_id: &str, name: &str) -> UpdateOrganizationRequest {
    UpdateOrganizationRequest {
        organization_id: organization_id.to_owned(),
        name: name.to_owned(),
        request_id: Uuid::now_v7().to_string(),
        ..Default::default()
    }
}

fn domain_for(organization_id: &str, domain: &str) -> AddOrganizationDomainRequest {
    AddOrganizationDomainRequest {
        organization_id: organization_id.to_owned(),
        domain: domain.to_owned(),
        request_id: Uuid::now_v7().to_string(),
        ..Default::default()
    }
}

/// A domain that nobody has.
fn fresh_domain() -> String {
    format!("d{}.example", Uuid::now_v7().simple())
}

/// The code and reason of a refusal; `OK` for what was allowed.
fn outcome<T>(answer: &Result<T, Status>) -> (Code, String) {
    match answer {
        Ok(_) => (Code::Ok, "OK".to_owned()),
        Err(status) => (status.code(), status.get_details_error_info().map(|info| info.reason).unwrap_or_default()),
    }
}

fn reason<T>(answer: &Result<T, Status>) -> String {
    outcome(answer).1
}

#[rstest]
#[case(&[Role::GlobalAdmin], "OK", "OK", "OK")]
#[case(&[Role::UserManagementAdmin], "OK", "ROLE_NOT_ALLOWED", "OK")]
#[case(&[Role::BillingAdmin], "OK", "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED")]
#[case(&[Role::AdminAgent], "OK", "ROLE_NOT_ALLOWED", "OK")]
#[case(&[Role::SalesAgent], "OK", "ROLE_NOT_ALLOWED", "OK")]
#[case(&[Role::HelpdeskAgent], "OK", "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED")]
#[case(&[], "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED")]
#[tokio::test]
async fn what_a_partner_user_may_do_with_organizations_is_a_matter_of_roles(
    #[case] roles: &[Role],
    #[case] get: &str,
    #[case] update: &str,
    #[case] check: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let person = world.hire(&registered, roles).await;
    let (token, id) = (&person.session.access_token, &registered.organization_id);
    let mut organizations = Organizations::of(world).await;
    assert_eq!(reason(&organizations.get(token, id).await), get);
    assert_eq!(reason(&organizations.update(token, renaming(id, "Renamed")).await), update);
    assert_eq!(reason(&organizations.check(token, Some(Name::Domain(fresh_domain()))).await), check);
    let operators_only = [
        reason(&organizations.list(token, Default::default()).await),
        reason(&organizations.add_domain(token, domain_for(id, &fresh_domain())).await),
    ];
    assert_eq!(operators_only, [const { "ORGANIZATION_KIND_NOT_ALLOWED" }; 2]);
}

#[rstest]
#[tokio::test]
async fn an_operator_sees_every_organization_and_renames_none(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let operator = world.operator().await;
    let mut organizations = Organizations::of(world).await;
    let seen = organizations.get(&operator, &registered.organization_id).await.unwrap();
    assert_eq!(seen.domains, [registered.domain.as_str()]);
    assert_eq!(seen, organizations.get(&registered.session.access_token, &seen.organization_id).await.unwrap());
    let refused = organizations.update(&operator, renaming(&registered.organization_id, "Renamed")).await;
    assert_eq!(outcome(&refused), (Code::PermissionDenied, "ORGANIZATION_KIND_NOT_ALLOWED".to_owned()));
    organizations.check(&operator, Some(Name::Domain(fresh_domain()))).await.unwrap();
    let unknown = Uuid::now_v7().to_string();
    assert_eq!(reason(&organizations.get(&operator, &unknown).await), "NOT_FOUND");
    assert_eq!(reason(&organizations.add_domain(&operator, domain_for(&unknown, &fresh_domain())).await), "NOT_FOUND");
}

#[rstest]
#[tokio::test]
async fn another_organization_answers_like_none_and_stays_as_it_is(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (registered, neighbor) = (world.register().await, world.register().await);
    let token = &registered.session.access_token;
    let mut organizations = Organizations::of(world).await;
    let before = organizations.get(&neighbor.session.access_token, &neighbor.organization_id).await.unwrap();
    let unknown = Uuid::now_v7().to_string();
    let mut told = Vec::new();
    for id in [&neighbor.organization_id, &unknown] {
        for refused in
            [organizations.get(token, id).await, organizations.update(token, renaming(id, "Taken over")).await]
        {
            let status = refused.unwrap_err();
            let text = format!("{} {:?}", status.message(), status.get_error_details()).replace(id.as_str(), "ID");
            told.push((status.code(), text));
        }
    }
    assert_eq!(told[..2], told[2..]);
    assert!(told.iter().all(|(code, _)| *code == Code::NotFound));
    let after = organizations.get(&neighbor.session.access_token, &neighbor.organization_id).await.unwrap();
    assert_eq!(before, after);
    organizations.update(token, renaming(&registered.organization_id, "Ours")).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn renaming_is_seen_at_once_guarded_by_the_etag_and_journaled(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let (token, id) = (&registered.session.access_token, &registered.organization_id);
    let mut organizations = Organizations::of(world).await;
    let before = organizations.get(token, id).await.unwrap();

    let mut dry = renaming(id, "Fabrikam SE");
    dry.validate_only = true;
    let would = organizations.update(token, dry).await.unwrap();
    assert_eq!((would.name.as_str(), would.etag.as_str()), ("Fabrikam SE", ""));
    assert_eq!(organizations.get(token, id).await.unwrap(), before);

    let mut request = renaming(id, "  Fabrikam SE ");
    request.etag.clone_from(&before.etag);
    let renamed = organizations.update(token, request.clone()).await.unwrap();
    assert_eq!(renamed, Organization { name: "Fabrikam SE".to_owned(), etag: renamed.etag.clone(), ..before.clone() });
    assert_ne!(renamed.etag, before.etag);
    assert_eq!(organizations.update(token, request).await.unwrap(), renamed, "a repeated request is answered again");
    let mut late = renaming(id, "Too late");
    late.etag = before.etag;
    assert_eq!(outcome(&organizations.update(token, late).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    for (name, expected) in
        [("", "REQUIRED"), (" ", "REQUIRED"), (&"x".repeat(201), "TOO_LONG"), ("a\u{7}b", "MALFORMED")]
    {
        assert_eq!(reason(&organizations.update(token, renaming(id, name)).await), expected);
    }
    assert_eq!(organizations.get(token, id).await.unwrap(), renamed);

    let mut journal = AuditServiceClient::new(world.to_identity().await);
    let request = ListAuditEntriesRequest { action_prefix: "OrganizationUpdated".to_owned(), ..Default::default() };
    let entries = journal.list_audit_entries(authorized(token, request)).await.unwrap().into_inner().entries;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].target_id, *id);
    let change = &entries[0].changes[0];
    assert_eq!(
        (change.field.as_str(), change.before.as_str(), change.after.as_str()),
        ("name", before.name.as_str(), "Fabrikam SE")
    );
}
