//! Replay: a request_id means one request, once, and a secret is shown once (R-04, S-17).
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::sync::atomic::Ordering;
use std::time::Duration;

use prost::Message as _;
use proto::identity::v1 as pb;
use proto::identity::v1::registration_service_client::RegistrationServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::identity::v1::workload_service_server::WorkloadService as _;
use rstest::rstest;
use testkit::database::{Database, Kind};
use tests::harness::proxy::Action;
use tests::shelf;
use tests::world::{Alone, PASSWORD, Refused, World, authorized, dump, soon};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

type Workloads = WorkloadServiceClient<Channel>;

async fn workloads(world: &World) -> Workloads {
    WorkloadServiceClient::new(world.to_identity().await)
}

async fn create(
    client: &mut Workloads,
    token: &str,
    request: &pb::CreateWorkloadRequest,
) -> Result<pb::CreateWorkloadResponse, Status> {
    client.create_workload(authorized(token, request.clone())).await.map(tonic::Response::into_inner)
}

fn id(created: &pb::CreateWorkloadResponse) -> String {
    created.workload.as_ref().unwrap().workload_id.clone()
}

async fn issue(client: &mut Workloads, created: &pb::CreateWorkloadResponse) -> Result<(), Status> {
    let request = pb::IssueTokenRequest {
        workload_id: id(created),
        client_secret: created.client_secret.clone(),
        ..pb::IssueTokenRequest::default()
    };
    client.issue_token(request).await.map(drop)
}

fn words<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    Refused::by(answer)
}

fn refusal(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

#[rstest]
#[tokio::test]
async fn eight_copies_of_a_request_are_one_request_and_get_one_answer(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let request = World::registration();
    let mut copies = JoinSet::new();
    for _ in 0..8 {
        let (mut client, request) = (RegistrationServiceClient::new(world.to_identity().await), request.clone());
        copies.spawn(async move { client.register_organization(request).await.unwrap().into_inner() });
    }
    let first = copies.join_next().await.unwrap().unwrap();
    while let Some(copy) = copies.join_next().await {
        assert_eq!(copy.unwrap().encode_to_vec(), first.encode_to_vec());
    }
    let mut client = RegistrationServiceClient::new(world.to_identity().await);
    let late = client.register_organization(request).await.unwrap().into_inner();
    assert_eq!(late.encode_to_vec(), first.encode_to_vec());
    let organization = first.organization.unwrap();
    let found = dump(&world.identity.db().await).await;
    let named = |row: &&String| row.contains(&organization.domains[0]);
    assert_eq!(found.rows("organization_domains").iter().filter(named).count(), 1);
}

#[tokio::test]
async fn copies_that_reach_different_processes_are_one_request() {
    let alone = Alone::start(Kind::Postgres, 10).await;
    let (token, request, replica) = (alone.admin().await, World::workload("nightly import"), alone.replica().await);
    let mut copies = JoinSet::new();
    for number in 0..8 {
        let api = if number % 2 == 0 { alone.api.clone() } else { replica.clone() };
        let request = authorized(&token, request.clone());
        copies.spawn(async move { api.create_workload(request).await.unwrap().into_inner().encode_to_vec() });
    }
    let answers = copies.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(dump(&alone.direct).await.rows("workloads").len(), 1);
}

#[tokio::test]
async fn a_copy_of_a_request_that_is_still_running_waits_a_second_and_not_in_the_database() {
    let alone = Alone::start(Kind::Postgres, 2).await;
    let (token, request, replica) = (alone.admin().await, World::workload("nightly import"), alone.replica().await);
    let proxy = alone.proxy();
    proxy.on_statement("COMMIT", Action::HoldAnswer, 1);
    let send = |api: &identity::api::Api| {
        let (api, request) = (api.clone(), authorized(&token, request.clone()));
        tokio::spawn(async move { api.create_workload(request).await.map(tonic::Response::into_inner) })
    };
    let first = send(&alone.api);
    // The server has run it; what it locked is still locked for whoever cannot know.
    soon("the first one commits", proxy.wait_triggered(1)).await;
    proxy.on_statement("INSERT INTO replays", Action::HoldAnswer, 3);
    let copies: Vec<_> = (0..3).map(|_| send(&alone.api)).collect();
    for copy in copies {
        let status = soon("the copy is told to come back", copy).await.unwrap().unwrap_err();
        assert_eq!(Refused::of(&status).reason, "REQUEST_IN_PROGRESS");
        assert_eq!(status.code(), Code::Aborted);
        assert!(status.get_details_retry_info().is_some_and(|info| info.retry_delay > Some(Duration::ZERO)));
    }
    assert_eq!(proxy.counters().triggered, 1, "no copy has claimed anything");
    let elsewhere = soon("another process knows", send(&replica)).await.unwrap().unwrap();
    proxy.release();
    let first = soon("the first one", first).await.unwrap().unwrap();
    assert_eq!(first.encode_to_vec(), elsewhere.encode_to_vec());
}

#[tokio::test]
async fn a_copy_in_another_process_waits_a_second_for_a_request_that_has_not_committed() {
    let alone = Alone::start(Kind::Postgres, 2).await;
    let (token, request, replica) = (alone.admin().await, World::workload("nightly import"), alone.replica().await);
    let proxy = alone.proxy();
    proxy.on_statement("INSERT INTO workloads", Action::HoldAnswer, 1);
    let (api, sent) = (alone.api.clone(), authorized(&token, request.clone()));
    let first = tokio::spawn(async move { api.create_workload(sent).await.map(tonic::Response::into_inner) });
    soon("the first one writes", proxy.wait_triggered(1)).await;
    let copy = soon("the copy", replica.create_workload(authorized(&token, request.clone()))).await;
    assert_eq!(words(copy), refusal(Code::Aborted, "REQUEST_IN_PROGRESS"));
    proxy.release();
    let first = soon("the first one", first).await.unwrap().unwrap();
    let copy = replica.create_workload(authorized(&token, request)).await.unwrap().into_inner();
    assert_eq!(copy.encode_to_vec(), first.encode_to_vec());
}

#[rstest]
#[tokio::test]
async fn a_request_id_means_one_body(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let request = World::workload("first");
    create(&mut client, &token, &request).await.unwrap();
    let other = pb::CreateWorkloadRequest { display_name: "second".to_owned(), ..request };
    let reused = create(&mut client, &token, &other).await;
    assert_eq!(words(reused), refusal(Code::InvalidArgument, "REQUEST_ID_REUSED"));
}

#[rstest]
#[tokio::test]
async fn a_request_id_of_somebody_else_is_another_request(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let mut client = workloads(world).await;
    let request = World::workload("nightly import");
    let mut made = Vec::new();
    for _ in 0..2 {
        let token = world.register().await.session.access_token;
        made.push(create(&mut client, &token, &request).await.unwrap());
    }
    assert_ne!(id(&made[0]), id(&made[1]));
    assert_ne!(made[0].client_secret, made[1].client_secret);
}

#[rstest]
#[tokio::test]
async fn a_refused_request_can_be_made_again(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let taken = create(&mut client, &token, &World::workload("import")).await.unwrap();
    let request = World::workload("import");
    let refused = create(&mut client, &token, &request).await;
    assert_eq!(words(refused), refusal(Code::AlreadyExists, "WORKLOAD_NAME_TAKEN"));
    let deletion = pb::DeleteWorkloadRequest { workload_id: id(&taken), ..pb::DeleteWorkloadRequest::default() };
    client.delete_workload(authorized(&token, deletion)).await.unwrap();
    create(&mut client, &token, &request).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_repeated_request_is_not_prepared_again(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let database = Database::migrated(kind, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 8, None), shelf::build(&db).await);
    let id = Uuid::now_v7().to_string();
    for _ in 0..3 {
        let mut request = shelf::request(book);
        id.clone_into(&mut request.get_mut().request_id);
        assert_eq!(shelf::add(&host, request).await.unwrap(), 1);
    }
    assert_eq!(host.service.prepared.load(Ordering::Relaxed), 1);
}

#[rstest]
#[tokio::test]
async fn a_refusal_that_was_committed_is_not_replayed_as_a_success(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let database = Database::migrated(kind, &shelf::migrations()).await;
    let db = database.open().await;
    let (host, book) = (shelf::host(db.clone(), 8, None), shelf::build(&db).await);
    let id = Uuid::now_v7().to_string();
    for books in 1..=2 {
        let mut request = shelf::request(book);
        id.clone_into(&mut request.get_mut().request_id);
        shelf::REFUSE_AFTER_COMMIT.clone_into(&mut request.get_mut().admin_name);
        assert_eq!(words(shelf::add(&host, request).await), refusal(Code::FailedPrecondition, "SHELF_FULL"));
        assert_eq!(shelf::books(&db, book).await, books);
    }
}

// Secrets that are shown once

#[rstest]
#[tokio::test]
async fn a_secret_is_replayed_until_it_is_used(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let request = World::workload("import");
    let first = create(&mut client, &token, &request).await.unwrap();
    let again = create(&mut client, &token, &request).await.unwrap();
    assert_eq!(first.encode_to_vec(), again.encode_to_vec());
    issue(&mut client, &again).await.unwrap();
    let late = create(&mut client, &token, &request).await;
    assert_eq!(words(late), refusal(Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED"));
}

#[rstest]
#[tokio::test]
async fn a_secret_is_replayed_until_it_is_replaced(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let (mut client, token) = (workloads(world).await, world.register().await.session.access_token);
    let request = World::workload("import");
    let first = create(&mut client, &token, &request).await.unwrap();
    let rotation = pb::RotateWorkloadSecretRequest {
        workload_id: id(&first),
        request_id: Uuid::now_v7().to_string(),
        ..pb::RotateWorkloadSecretRequest::default()
    };
    let rotated = client.rotate_workload_secret(authorized(&token, rotation.clone())).await.unwrap().into_inner();
    let late = create(&mut client, &token, &request).await;
    assert_eq!(words(late), refusal(Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED"));
    let again = client.rotate_workload_secret(authorized(&token, rotation)).await.unwrap().into_inner();
    assert_eq!(rotated.encode_to_vec(), again.encode_to_vec());
    assert_eq!(words(issue(&mut client, &first).await), refusal(Code::Unauthenticated, "SIGN_IN_FAILED"));
}

#[rstest]
#[tokio::test]
async fn a_secret_is_replayed_for_a_day(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let registered = world.register().await;
    let (mut client, request) = (workloads(&world).await, World::workload("import"));
    let first = create(&mut client, &registered.session.access_token, &request).await.unwrap();
    world.clock.advance(Duration::from_secs(24 * 3600 - 60));
    let token = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await.access_token;
    assert_eq!(create(&mut client, &token, &request).await.unwrap().client_secret, first.client_secret);
    for later in [60, 3600] {
        world.clock.advance(Duration::from_secs(later));
        world.identity.host().sweep().await.unwrap();
        let token = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await.access_token;
        let late = create(&mut client, &token, &request).await;
        assert_eq!(words(late), refusal(Code::FailedPrecondition, "CREDENTIALS_ALREADY_DELIVERED"));
    }
    assert!(dump(&world.identity.db().await).await.rows("workloads").len() == 1, "the workload itself is there");
}

#[rstest]
#[tokio::test]
async fn a_secret_is_shown_only_to_those_who_may_still_see_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let (mut client, request) = (workloads(world).await, World::workload("import"));
    create(&mut client, &registered.session.access_token, &request).await.unwrap();
    let mut tx = world.identity.db().await.write().await.unwrap();
    let admin: Uuid = registered.admin_user_id.parse().unwrap();
    tx.sql("DELETE FROM user_roles WHERE user_id = $1").bind(admin).execute().await.unwrap();
    tx.commit().await.unwrap();
    let token = world.sign_in(&registered.admin_sign_in_name, PASSWORD).await.access_token;
    let refused = create(&mut client, &token, &request).await;
    assert_eq!(words(refused), refusal(Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
}

#[rstest]
#[tokio::test]
async fn no_table_holds_a_secret_that_can_be_read(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let registered = world.register().await;
    let mut client = workloads(&world).await;
    let made = create(&mut client, &registered.session.access_token, &World::workload("import")).await.unwrap();
    let found = dump(&world.identity.db().await).await;
    assert_eq!(found.rows("replays").len(), 2);
    let session = registered.session;
    for secret in [&made.client_secret, PASSWORD, &session.access_token, &session.refresh_token] {
        assert_eq!(found.tables_with(secret.as_bytes()), [""; 0]);
    }
    // The search itself works.
    assert_eq!(found.tables_with(b"nightly import"), [""; 0]);
    assert_eq!(found.tables_with(b"import"), ["journal", "workloads"]);
}
