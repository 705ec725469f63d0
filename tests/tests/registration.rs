//! Opening accounts, limits and the journal's reader (C17, C22, C23, C31, C32, C34, C35, AS-111, AS-112).
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::time::Duration;

use proto::common::v1::audit_service_client::AuditServiceClient;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::common::v1::{GetLimitsRequest, ListAuditEntriesRequest, MethodLimits, audit_entry};
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::identity::v1::{
    Cloud, CreateWorkloadRequest, IssueTokenRequest, RegisterOrganizationRequest, Role, SignOutRequest,
};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{PASSWORD, Refused, SUFFIX, World, authorized};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

async fn register(world: &World, request: RegisterOrganizationRequest) -> Result<(), Status> {
    let mut client = RegistrationServiceClient::new(world.to_identity().await);
    client.register_organization(request).await.map(drop)
}

fn words(refused: &(Code, String)) -> (Code, &str) {
    (refused.0, &refused.1)
}

#[rstest]
#[tokio::test]
async fn a_domain_has_one_owner_and_stands_below_the_suffix(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let first = World::registration();
    register(world, first.clone()).await.unwrap();
    let again = RegisterOrganizationRequest { domain_prefix: first.domain_prefix.clone(), ..World::registration() };
    assert_eq!(words(&Refused::by(register(world, again).await)), (Code::AlreadyExists, "DOMAIN_TAKEN"));
    world.sign_in(&format!("ada@{}.{SUFFIX}", first.domain_prefix), PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_and_nothing_is_made(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let good = World::registration();
    let bad = RegisterOrganizationRequest {
        name: String::new(),
        country: "UK".to_owned(),
        domain_prefix: "A B".to_owned(),
        admin_display_name: "x".repeat(51),
        admin_name: "@".to_owned(),
        admin_password: "short".to_owned(),
        cloud: 77,
        ..good.clone()
    };
    let status = register(world, bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    for field in ["name", "country", "domain_prefix", "admin_display_name", "admin_name", "admin_password", "cloud"] {
        assert!(fields.contains(&field), "{field} is missing in {fields:?}");
    }
    let country = violations.iter().find(|violation| violation.field == "country").unwrap();
    assert!(country.description.contains("GB"), "the accepted code is named: {}", country.description);
    register(world, good).await.expect("the prefix is still free");
}

#[rstest]
#[tokio::test]
async fn an_organization_of_the_government_cloud_registers_and_signs_in(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let request = RegisterOrganizationRequest {
        cloud: Cloud::UsGovernment.into(),
        country: "US".to_owned(),
        ..World::registration()
    };
    register(world, request.clone()).await.unwrap();
    world.sign_in(&format!("ada@{}.{SUFFIX}", request.domain_prefix), PASSWORD).await;
}

#[rstest]
#[tokio::test]
async fn every_service_publishes_the_limits_that_its_errors_name(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let token = world.register().await.session.access_token;
    for channel in [world.to_identity().await, world.to_licensing().await, world.to_partner().await] {
        let answer = LimitsServiceClient::new(channel).get_limits(authorized(&token, GetLimitsRequest {})).await;
        let limits = answer.unwrap().into_inner();
        let page = limits.limits.iter().find(|limit| limit.name == "page_size_max").unwrap();
        assert_eq!(page.value, 1_000);
        assert!(limits.limits.is_sorted_by(|a, b| a.name < b.name));
        // A stream, and nothing else, has no deadline.
        let has_deadline = |method: &MethodLimits| method.deadline.is_some() != method.method.contains("/Watch");
        assert!(limits.methods.iter().all(|method| method.request_bytes_max >= 1 << 20 && has_deadline(method)));
    }
}

async fn entries(
    client: &mut AuditServiceClient<Channel>,
    token: &str,
    request: ListAuditEntriesRequest,
) -> Vec<proto::common::v1::AuditEntry> {
    client.list_audit_entries(authorized(token, request)).await.unwrap().into_inner().entries
}

#[rstest]
#[tokio::test]
async fn the_journal_is_read_newest_first_by_those_who_may_and_of_their_own_organization(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (home, other) = (world.register().await, world.register().await);
    let admin = &home.session.access_token;
    let mut workloads = WorkloadServiceClient::new(world.to_identity().await);
    let mut made = Vec::new();
    for (name, role) in [("reader", Role::BillingAdmin), ("helper", Role::HelpdeskAgent)] {
        let create =
            CreateWorkloadRequest { display_name: name.to_owned(), roles: vec![role.into()], ..Default::default() };
        made.push(workloads.create_workload(authorized(admin, create)).await.unwrap().into_inner());
    }
    let mut journal = AuditServiceClient::new(world.to_identity().await);
    let mine = entries(&mut journal, admin, ListAuditEntriesRequest::default()).await;
    let actions: Vec<&str> = mine.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        ["WorkloadCreated", "WorkloadCreated", "SignedIn", "OrganizationRegistered", "UserCreated"],
        "newest first; what one transaction recorded shares its instant and keeps its order"
    );
    assert!(mine.iter().all(|entry| entry.organization_id == home.organization_id));
    assert!(mine.iter().all(|entry| entry.outcome == i32::from(audit_entry::Outcome::Succeeded)));
    let created = mine.iter().find(|entry| entry.action == "UserCreated").unwrap();
    assert!(created.changes.iter().any(|change| change.field == "display_name" && change.after == "Ada Admin"));

    let prefix = ListAuditEntriesRequest { action_prefix: "workLOAD".to_owned(), ..Default::default() };
    assert_eq!(entries(&mut journal, admin, prefix).await.len(), 2);
    let paged = ListAuditEntriesRequest { page_size: 2, ..Default::default() };
    let page = journal.list_audit_entries(authorized(admin, paged.clone())).await.unwrap().into_inner();
    let next = ListAuditEntriesRequest { page_token: page.next_page_token, ..paged };
    let next = entries(&mut journal, admin, next).await;
    assert_eq!(next.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), actions[2..4]);

    for workload in made {
        let issue = IssueTokenRequest {
            workload_id: workload.workload.unwrap().workload_id,
            client_secret: workload.client_secret,
            on_behalf_of_user_id: String::new(),
        };
        let token = workloads.issue_token(issue).await.unwrap().into_inner().access_token;
        assert!(entries(&mut journal, &token, ListAuditEntriesRequest::default()).await.len() >= 5);
    }
    let theirs = entries(&mut journal, &other.session.access_token, ListAuditEntriesRequest::default()).await;
    assert!(theirs.iter().all(|entry| entry.organization_id == other.organization_id));
    let operator = world.operator().await;
    let everybody = ListAuditEntriesRequest { page_size: 1_000, ..Default::default() };
    let all = entries(&mut journal, &operator, everybody).await;
    for organization in [&home.organization_id, &other.organization_id] {
        assert!(all.iter().any(|entry| entry.organization_id == *organization), "operators read every journal");
    }
}

#[rstest]
#[tokio::test]
async fn the_journal_answers_for_90_days_and_by_default_for_30(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let home = world.register().await;
    let day = Duration::from_secs(24 * 3600);
    world.clock.advance(31 * day);
    let token = world.sign_in(&home.admin_sign_in_name, PASSWORD).await.access_token;
    let mut journal = AuditServiceClient::new(world.to_identity().await);
    let recent = entries(&mut journal, &token, ListAuditEntriesRequest::default()).await;
    assert_eq!(recent.len(), 1, "only today's sign-in");
    let ago = |days: u32| Some(service::form::timestamp(world.clock.now() - day * days));
    let long = ListAuditEntriesRequest { start_time: ago(80), ..Default::default() };
    assert_eq!(entries(&mut journal, &token, long).await.len(), 4);
    let ended = ListAuditEntriesRequest { start_time: ago(80), end_time: ago(1), ..Default::default() };
    assert_eq!(entries(&mut journal, &token, ended).await.len(), 3);
    let too_long = ListAuditEntriesRequest { start_time: ago(91), ..Default::default() };
    let refused = Refused::by(journal.list_audit_entries(authorized(&token, too_long)).await);
    assert_eq!(words(&refused), (Code::InvalidArgument, "AUDIT_RANGE_TOO_OLD"));
}

#[rstest]
#[tokio::test]
async fn a_refused_call_stands_in_the_journal_with_its_reason(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let home = world.register().await;
    let admin = &home.session.access_token;
    let mut workloads = WorkloadServiceClient::new(world.to_identity().await);
    let odd = CreateWorkloadRequest {
        display_name: "odd".to_owned(),
        roles: vec![Role::Operator.into()],
        ..Default::default()
    };
    workloads.create_workload(authorized(admin, odd)).await.unwrap_err();
    let mut journal = AuditServiceClient::new(world.to_identity().await);
    let newest = entries(&mut journal, admin, ListAuditEntriesRequest::default()).await.remove(0);
    assert_eq!((newest.action.as_str(), newest.reason.as_str()), ("CreateWorkload", "ROLE_NOT_GRANTABLE"));
    assert_eq!(newest.outcome, i32::from(audit_entry::Outcome::Failed));

    SessionServiceClient::new(world.to_identity().await)
        .sign_out(authorized(admin, SignOutRequest { all_sessions: false }))
        .await
        .unwrap();
}
