//! Who is let in, and how much they may ask (S-08, S-09, S-21, R-22, AS-113).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is missing")]

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Id};
use db::Db;
use proto::common::v1::GetLimitsRequest;
use proto::common::v1::limits_service_client::LimitsServiceClient;
use proto::common::v1::limits_service_server::LimitsService as _;
use proto::identity::v1 as pb;
use proto::identity::v1::key_service_client::KeyServiceClient;
use proto::identity::v1::session_service_client::SessionServiceClient;
use proto::identity::v1::workload_service_client::WorkloadServiceClient;
use proto::licensing::v1::ApplyIdentityFactsRequest;
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use rstest::rstest;
use service::keys::{ServiceKeys, base64url};
use service::limits::LimitsApi;
use service::rate::{Rate, Rates};
use service::token::{Claims, PrincipalKind, Signer};
use testkit::database::{Database, Kind};
use tests::world::{Refused, Registered, World, authorized, connect, process_config};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

fn refusal(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

fn unauthenticated() -> (Code, String) {
    refusal(Code::Unauthenticated, "UNAUTHENTICATED")
}

// Tokens

async fn who_am_i(world: &World, request: Request<pb::GetMeRequest>) -> Result<(), Status> {
    SessionServiceClient::new(world.to_identity().await).get_me(request).await.map(drop)
}

/// The claims of the registered admin's own token.
fn claims(world: &World, registered: &Registered) -> Claims {
    let now = world.clock.now();
    Claims {
        subject: registered.admin_user_id.parse().unwrap(),
        kind: PrincipalKind::User,
        organization: registered.organization_id.parse().unwrap(),
        organization_kind: "PARTNER".to_owned(),
        cloud: "GLOBAL".to_owned(),
        roles: vec!["GLOBAL_ADMIN".to_owned()],
        auth_version: 1,
        auth_time: now,
        session: Some(registered.session.session_id.parse().unwrap()),
        must_change_password: false,
        on_behalf_of: None,
        issued_at: now,
        expires_at: now + Duration::from_secs(600),
        token_id: Id::<Claims>::random().uuid(),
    }
}

#[rstest]
#[tokio::test]
async fn only_a_token_that_identity_signed_lets_anybody_in(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let registered = world.register().await;
    let good = registered.session.access_token.clone();
    who_am_i(world, authorized(&good, pb::GetMeRequest {})).await.unwrap();

    let jwks = KeyServiceClient::new(world.to_identity().await).get_jwks(pb::GetJwksRequest {}).await.unwrap();
    let kid = jwks.into_inner().keys.remove(0).kid;
    let (stranger, document, _) = Signer::generate();
    let impostor = Signer::from_pkcs8(&kid, document.expose()).unwrap();
    let claims = claims(world, &registered);
    let signed_by = |signer: &Signer| signer.sign(&claims, "tandem").unwrap().into_inner();
    let payload = good.split('.').nth(1).unwrap();
    let unsigned = base64url(format!(r#"{{"typ":"at+jwt","alg":"none","kid":"{kid}"}}"#));
    let signature = good.rsplit('.').next().unwrap();
    for bad in [
        "garbage".to_owned(),
        String::new(),
        signed_by(&stranger),
        signed_by(&impostor),
        format!("{unsigned}.{payload}."),
        format!("{unsigned}.{payload}.{signature}"),
        format!("{good}x"),
        registered.session.refresh_token.clone(),
        world.partner.keys().issue_service_token("identity", &world.clock),
    ] {
        let refused = Refused::by(who_am_i(world, authorized(&bad, pb::GetMeRequest {})).await);
        assert_eq!(refused, unauthenticated(), "{bad}");
    }
    assert_eq!(Refused::by(who_am_i(world, Request::new(pb::GetMeRequest {})).await), unauthenticated());
    for header in [good.clone(), format!("Basic {good}"), "Bearer".to_owned()] {
        let mut request = Request::new(pb::GetMeRequest {});
        request.metadata_mut().insert("authorization", header.parse().unwrap());
        assert_eq!(Refused::by(who_am_i(world, request).await), unauthenticated());
    }
}

#[rstest]
#[tokio::test]
async fn an_expired_token_lets_nobody_in_anywhere(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::start(kind).await;
    let token = world.register().await.session.access_token;
    let channels = [world.to_identity().await, world.to_licensing().await, world.to_partner().await];
    for channel in &channels {
        let mut limits = LimitsServiceClient::new(channel.clone());
        limits.get_limits(authorized(&token, GetLimitsRequest {})).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(601));
    for channel in channels {
        let refused = LimitsServiceClient::new(channel).get_limits(authorized(&token, GetLimitsRequest {})).await;
        assert_eq!(Refused::by(refused), unauthenticated());
    }
}

#[rstest]
#[tokio::test]
async fn an_internal_method_is_called_by_the_one_service_it_names(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let token = world.register().await.session.access_token;
    let apply = async |token: &str| {
        let mut client = LicensingInternalServiceClient::new(connect(world.addresses[1].internal).await);
        client.apply_identity_facts(authorized(token, ApplyIdentityFactsRequest::default())).await.map(drop)
    };
    apply(&world.identity.keys().issue_service_token("licensing", &world.clock)).await.unwrap();
    let by_partner = apply(&world.partner.keys().issue_service_token("licensing", &world.clock)).await;
    assert_eq!(Refused::by(by_partner), refusal(Code::PermissionDenied, "CALLER_NOT_ALLOWED"));
    let for_another = world.identity.keys().issue_service_token("partner", &world.clock);
    let stranger = ServiceKeys::random(&["identity"])["identity"].issue_service_token("licensing", &world.clock);
    for bad in [token.as_str(), &for_another, &stranger, "garbage"] {
        assert_eq!(Refused::by(apply(bad).await), unauthenticated(), "{bad}");
    }
}

#[rstest]
#[tokio::test]
async fn an_internal_method_is_not_offered_to_the_public(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let token = world.identity.keys().issue_service_token("licensing", &world.clock);
    let mut client = LicensingInternalServiceClient::new(world.to_licensing().await);
    let refused = client.apply_identity_facts(authorized(&token, ApplyIdentityFactsRequest::default())).await;
    assert_eq!(Refused::by(refused), refusal(Code::Unimplemented, "METHOD_UNKNOWN"));
}

#[tokio::test]
async fn a_service_that_has_no_keys_yet_does_not_call_a_token_bad() {
    let database = Database::migrated(Kind::Sqlite, &licensing::migrations()).await;
    let keys = ServiceKeys::random(&["licensing"]).remove("licensing").unwrap();
    let config = process_config(database.settings().clone());
    let host = licensing::start::open(&config, keys, Clock::new()).await.unwrap();
    let (signer, _, _) = Signer::generate();
    let now = host.clock.now();
    let claims = Claims {
        subject: Uuid::now_v7(),
        kind: PrincipalKind::User,
        organization: Uuid::now_v7(),
        organization_kind: "PARTNER".to_owned(),
        cloud: "GLOBAL".to_owned(),
        roles: Vec::new(),
        auth_version: 1,
        auth_time: now,
        session: None,
        must_change_password: false,
        on_behalf_of: None,
        issued_at: now,
        expires_at: now + Duration::from_secs(600),
        token_id: Uuid::now_v7(),
    };
    let token = signer.sign(&claims, "tandem").unwrap().into_inner();
    let api = LimitsApi(Arc::clone(&host));
    // The first look finds nobody; for the second it is too early.
    for _ in 0..2 {
        let refused = api.get_limits(authorized(&token, GetLimitsRequest {})).await;
        assert_eq!(Refused::by(refused), refusal(Code::Unavailable, "KEYS_UNAVAILABLE"));
    }
    host.key_set.replace(vec![signer.key().clone()]);
    api.get_limits(authorized(&token, GetLimitsRequest {})).await.unwrap();
}

// How much

/// So few that a test can use them up, and none comes back while it runs.
fn few(burst: u32) -> Rate {
    Rate { per_minute: 1, burst }
}

fn many() -> Rate {
    Rate { per_minute: 6_000_000, burst: 100_000 }
}

/// Calls until refused: how many were answered, and the refusal.
async fn use_up(world: &World, token: &str) -> (usize, Status) {
    for answered in 0..100 {
        if let Err(status) = who_am_i(world, authorized(token, pb::GetMeRequest {})).await {
            return (answered, status);
        }
    }
    panic!("nothing is used up after a hundred calls")
}

#[rstest]
#[tokio::test]
async fn a_principal_who_asks_too_much_is_told_how_long_to_wait_and_nobody_else_notices(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let rates = Rates { principal: few(5), tenant: many(), source: many(), target: many(), ..Rates::default() };
    let world = World::with_rates(kind, rates).await;
    let (first, second) = (world.register().await, world.register().await);
    let (answered, refused) = use_up(&world, &first.session.access_token).await;
    assert_eq!(answered, 5);
    assert_eq!((refused.code(), Refused::of(&refused).reason.as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    let wait = refused.get_details_retry_info().and_then(|info| info.retry_delay).unwrap();
    assert!(wait > Duration::from_secs(30) && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(refused.get_details_error_info().unwrap().metadata["limit"], "calls_per_principal");
    who_am_i(&world, authorized(&second.session.access_token, pb::GetMeRequest {})).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn an_organization_shares_one_limit_among_its_principals(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let rates = Rates { principal: many(), tenant: few(6), source: many(), target: many(), ..Rates::default() };
    let world = World::with_rates(kind, rates).await;
    let (first, second) = (world.register().await, world.register().await);
    let mut workloads = WorkloadServiceClient::new(world.to_identity().await);
    let creation = pb::CreateWorkloadRequest {
        display_name: "import".to_owned(),
        roles: vec![pb::Role::AdminAgent.into()],
        ..pb::CreateWorkloadRequest::default()
    };
    let made = workloads.create_workload(authorized(&first.session.access_token, creation)).await.unwrap();
    let made = made.into_inner();
    let issue = pb::IssueTokenRequest {
        workload_id: made.workload.unwrap().workload_id,
        client_secret: made.client_secret,
        ..pb::IssueTokenRequest::default()
    };
    let workload = workloads.issue_token(issue).await.unwrap().into_inner().access_token;
    for token in [&first.session.access_token, &workload] {
        who_am_i(&world, authorized(token, pb::GetMeRequest {})).await.unwrap();
    }
    let (answered, refused) = use_up(&world, &workload).await;
    assert_eq!(answered, 3, "three of the six were spent before");
    assert_eq!(refused.get_details_error_info().unwrap().metadata["limit"], "calls_per_organization");
    let admin = who_am_i(&world, authorized(&first.session.access_token, pb::GetMeRequest {})).await;
    assert_eq!(Refused::by(admin), refusal(Code::ResourceExhausted, "RATE_LIMITED"));
    who_am_i(&world, authorized(&second.session.access_token, pb::GetMeRequest {})).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn refusals_beyond_a_rate_are_answered_but_not_recorded(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let rates = Rates {
        principal: many(),
        tenant: many(),
        source: many(),
        target: many(),
        refusals: few(3),
        ..Rates::default()
    };
    let world = World::with_rates(kind, rates).await;
    let token = world.register().await.session.access_token;
    let mut workloads = WorkloadServiceClient::new(world.to_identity().await);
    for _ in 0..6 {
        let refused = workloads.create_workload(authorized(&token, pb::CreateWorkloadRequest::default())).await;
        assert_eq!(Refused::by(refused).0, Code::InvalidArgument);
    }
    assert_eq!(failures(&world.identity.db().await).await, 3);
}

async fn failures(db: &Db) -> i64 {
    let mut tx = db.snapshot().await.unwrap();
    let failures = tx.sql("SELECT count(*) FROM journal WHERE outcome = 'FAILED'").one().await.unwrap();
    tx.rollback().await;
    failures
}

#[rstest]
#[case(1 << 20)]
#[case(4 << 20)]
#[tokio::test]
async fn a_request_larger_than_its_class_is_refused(
    #[case] bytes: usize,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let token = world.register().await.session.access_token;
    let mut workloads = WorkloadServiceClient::new(world.to_identity().await);
    let large = pb::CreateWorkloadRequest { display_name: "x".repeat(bytes), ..pb::CreateWorkloadRequest::default() };
    let refused = workloads.create_workload(authorized(&token, large)).await;
    assert_eq!(Refused::by(refused), refusal(Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
    // One byte less than too much is only too long.
    let fits =
        pb::CreateWorkloadRequest { display_name: "x".repeat((1 << 20) - 4), ..pb::CreateWorkloadRequest::default() };
    let refused = workloads.create_workload(authorized(&token, fits)).await;
    assert_eq!(Refused::by(refused).0, Code::InvalidArgument);
}
