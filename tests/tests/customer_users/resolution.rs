//! A call that hangs on an open decision: partner is asked how it ended, when nothing confirmed allows the call yet, and
//! never otherwise. Partner is a listener here that answers what the test wants it to.

use std::sync::{Arc, Mutex};

use base::Clock;
use identity::api::Api;
use identity::names::Domain;
use proto::identity::v1::customer_user_service_server::CustomerUserService as _;
use proto::identity::v1::identity_internal_service_server::IdentityInternalService as _;
use proto::identity::v1::registration_service_server::RegistrationService as _;
use proto::identity::v1::session_service_server::SessionService as _;
use proto::identity::v1::{
    ApplyPartnerFactsRequest, CancelAccessRequest, ConfirmOrganizationRequest, CreateUserRequest, ListUsersRequest,
    PrepareAccessRequest, SignInRequest,
};
use proto::partner::v1::get_decision_response::Outcome;
use proto::partner::v1::partner_fact::Fact;
use proto::partner::v1::partner_internal_service_server::{PartnerInternalService, PartnerInternalServiceServer};
use proto::partner::v1::{
    Access, AccessIntent, ApplyIdentityFactsRequest, ApplyIdentityFactsResponse, ApplyLicensingFactsRequest,
    ApplyLicensingFactsResponse, CheckInvitationLinkRequest, CheckInvitationLinkResponse, GetDecisionRequest,
    GetDecisionResponse, PartnerFact,
};
use rstest::rstest;
use service::config::{Peers, ProcessConfig};
use service::keys::ServiceKeys;
use testkit::database::{Database, Kind};
use tests::world::{PASSWORD, SUFFIX, World, authorized, process_config};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::reason;

/// What partner answers, and how often it was asked.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<(Option<GetDecisionResponse>, usize)>>);

impl Script {
    fn answer(&self, outcome: Outcome, accesses: Vec<Access>) {
        self.0.lock().unwrap().0 = Some(GetDecisionResponse { outcome: outcome.into(), accesses });
    }

    /// From now on nobody answers.
    fn fall_silent(&self) {
        self.0.lock().unwrap().0 = None;
    }

    /// How often it was asked since the last time that this was asked.
    fn asked(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

#[tonic::async_trait]
impl PartnerInternalService for Script {
    async fn apply_identity_facts(
        &self,
        _: Request<ApplyIdentityFactsRequest>,
    ) -> Result<Response<ApplyIdentityFactsResponse>, Status> {
        Ok(Response::new(ApplyIdentityFactsResponse {}))
    }

    async fn apply_licensing_facts(
        &self,
        _: Request<ApplyLicensingFactsRequest>,
    ) -> Result<Response<ApplyLicensingFactsResponse>, Status> {
        Ok(Response::new(ApplyLicensingFactsResponse {}))
    }

    async fn get_decision(&self, _: Request<GetDecisionRequest>) -> Result<Response<GetDecisionResponse>, Status> {
        let mut script = self.0.lock().unwrap();
        script.1 += 1;
        script.0.clone().map(Response::new).ok_or_else(|| Status::unavailable("away"))
    }
    async fn check_invitation_link(
        &self,
        _: Request<CheckInvitationLinkRequest>,
    ) -> Result<Response<CheckInvitationLinkResponse>, Status> {
        Err(Status::unavailable("away"))
    }
}

/// Identity, a partner whose admin is signed in, and a customer that a decision is about.
struct Scene {
    api: Api,
    script: Script,
    keys: ServiceKeys,
    admin: String,
    partner_id: String,
    customer_id: String,
    domain: String,
    decision_id: String,
    _database: Database,
}

impl Scene {
    async fn set(kind: Kind) -> Self {
        let database = Database::migrated(kind, &identity::migrations()).await;
        let script = Script::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tonic::transport::Server::builder().add_service(PartnerInternalServiceServer::new(script.clone()));
        tokio::spawn(served.serve_with_incoming(TcpListenerStream::new(listener)));

        let mut keys = ServiceKeys::random(&["identity", "partner"]);
        let config = process_config(database.settings().clone());
        let peers = Peers { partner: format!("http://{address}"), ..config.peers.clone() };
        let config = ProcessConfig { peers, ..config };
        let suffix = Domain::parse(SUFFIX).unwrap();
        let host = identity::start::open(&config, keys.remove("identity").unwrap(), suffix, Clock::new()).await;
        let api = Api(host.unwrap());
        let keys = keys.remove("partner").unwrap();

        let made = api.register_organization(Request::new(World::registration())).await.unwrap().into_inner();
        let sign_in = SignInRequest { sign_in_name: made.admin_sign_in_name, password: PASSWORD.to_owned() };
        let admin = api.sign_in(Request::new(sign_in)).await.unwrap().into_inner().session.unwrap().access_token;
        let mut scene = Self {
            api,
            script,
            keys,
            admin,
            partner_id: made.organization.unwrap().organization_id,
            customer_id: String::new(),
            domain: String::new(),
            decision_id: Uuid::now_v7().to_string(),
            _database: database,
        };
        let preparation = World::preparation();
        let origin_id = preparation.origin_id.clone();
        let made = scene.api.prepare_organization(scene.inside(preparation)).await.unwrap().into_inner();
        let confirm = scene.inside(ConfirmOrganizationRequest { origin_id });
        scene.api.confirm_organization(confirm).await.unwrap();
        let organization = made.organization.unwrap();
        (scene.customer_id, scene.domain) = (organization.organization_id, organization.domains[0].clone());
        scene
    }

    fn inside<M>(&self, message: M) -> Request<M> {
        authorized(&self.keys.issue_service_token("identity", &self.api.0.clock), message)
    }

    fn access(&self) -> Access {
        World::access(&self.customer_id, &self.partner_id)
    }

    fn intents(&self) -> Vec<AccessIntent> {
        vec![AccessIntent { customer_id: self.customer_id.clone(), partner_id: self.partner_id.clone(), epoch: 1 }]
    }

    async fn prepare(&self) {
        let request = PrepareAccessRequest {
            decision_id: self.decision_id.clone(),
            intents: self.intents(),
            ..Default::default()
        };
        self.api.prepare_access(self.inside(request)).await.unwrap();
    }

    async fn tell(&self, access: Access) {
        let facts = vec![PartnerFact { version: access.epoch, fact: Some(Fact::Access(access)) }];
        self.api.apply_partner_facts(self.inside(ApplyPartnerFactsRequest { facts })).await.unwrap();
    }

    fn creation(&self) -> CreateUserRequest {
        let customer = tests::world::Customer {
            customer_id: self.customer_id.clone(),
            domain: self.domain.clone(),
            admin_user_id: String::new(),
            admin_sign_in_name: String::new(),
            temporary_password: String::new(),
        };
        World::creation(&customer, &[])
    }

    async fn create(&self) -> String {
        reason(&self.api.create_user(authorized(&self.admin, self.creation())).await)
    }

    async fn list(&self) -> String {
        let request = ListUsersRequest { customer_id: self.customer_id.clone(), ..Default::default() };
        reason(&self.api.list_users(authorized(&self.admin, request)).await)
    }
}

#[rstest]
#[tokio::test]
async fn a_decision_that_was_made_counts_at_once_and_is_asked_for_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    assert_eq!(scene.create().await, "NOT_FOUND");
    assert_eq!(scene.script.asked(), 0, "without an intent there is nothing to ask for");
    scene.prepare().await;
    scene.script.answer(Outcome::Undecided, Vec::new());
    assert_eq!([scene.create().await, scene.list().await], ["NOT_FOUND"; 2], "an intent gives no authority");
    assert!(scene.script.asked() > 0);

    scene.script.answer(Outcome::Committed, vec![scene.access()]);
    assert_eq!(scene.list().await, "OK", "also a read finds it, and writes it down");
    assert_eq!(scene.script.asked(), 1);
    assert_eq!([scene.create().await, scene.list().await], ["OK"; 2]);
    assert_eq!(scene.script.asked(), 0, "what is confirmed is not asked for again");
}

#[rstest]
#[tokio::test]
async fn a_dry_run_hangs_on_a_decision_too(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let scene = Scene::set(kind).await;
    scene.prepare().await;
    scene.script.answer(Outcome::Committed, vec![scene.access()]);
    let dry = CreateUserRequest { validate_only: true, ..scene.creation() };
    assert_eq!(reason(&scene.api.create_user(authorized(&scene.admin, dry)).await), "OK");
}

#[rstest]
#[tokio::test]
async fn a_decision_that_was_refused_is_over(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let scene = Scene::set(kind).await;
    scene.prepare().await;
    scene.script.answer(Outcome::Aborted, Vec::new());
    assert_eq!(scene.create().await, "NOT_FOUND");
    assert_eq!(scene.script.asked(), 1);
    assert_eq!(scene.create().await, "NOT_FOUND");
    assert_eq!(scene.script.asked(), 0, "nothing is left to ask for");
}

#[rstest]
#[tokio::test]
async fn a_call_fails_closed_while_nobody_knows_how_the_decision_ended(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    scene.prepare().await;
    scene.script.fall_silent();
    assert_eq!([scene.create().await, scene.list().await], ["PEER_UNAVAILABLE"; 2]);
    let cancel = CancelAccessRequest { decision_id: scene.decision_id.clone(), intents: scene.intents() };
    scene.api.cancel_access(scene.inside(cancel)).await.unwrap();
    assert_eq!(scene.create().await, "NOT_FOUND", "a canceled decision is over");
}

#[rstest]
#[tokio::test]
async fn partner_is_not_asked_when_what_is_confirmed_allows_the_call(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let scene = Scene::set(kind).await;
    scene.prepare().await;
    scene.script.fall_silent();
    // A later change, which another decision is still open beside.
    scene.tell(Access { epoch: 9, ..scene.access() }).await;
    assert_eq!([scene.create().await, scene.list().await], ["OK"; 2]);
    scene.tell(Access { epoch: 10, delegated_admin: false, ..scene.access() }).await;
    assert_eq!(scene.create().await, "PEER_UNAVAILABLE", "the decision could bring delegated admin");
    scene.script.answer(Outcome::Committed, vec![Access { epoch: 10, delegated_admin: false, ..scene.access() }]);
    assert_eq!(scene.create().await, "DELEGATED_ADMIN_REQUIRED");
}

#[rstest]
#[tokio::test]
async fn who_may_not_ask_makes_nobody_ask(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let scene = Scene::set(kind).await;
    scene.prepare().await;
    // Another partner, about whom nothing is being decided.
    let made = scene.api.register_organization(Request::new(World::registration())).await.unwrap().into_inner();
    let sign_in = SignInRequest { sign_in_name: made.admin_sign_in_name, password: PASSWORD.to_owned() };
    let other = scene.api.sign_in(Request::new(sign_in)).await.unwrap().into_inner().session.unwrap().access_token;
    let refused = scene.api.create_user(authorized(&other, scene.creation())).await;
    assert_eq!(reason(&refused), "NOT_FOUND");
    assert_eq!(scene.script.asked(), 0);
}
