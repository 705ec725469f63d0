//! Decisions that are on their way, and what nobody told yet: licensing asks when what it holds does not suffice, and only
//! then.
//!
//! Licensing runs alone here, and the test speaks for the services that it asks.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use licensing::api::Api;
use proto::identity::v1 as identity;
use proto::identity::v1::identity_internal_service_server::{IdentityInternalService, IdentityInternalServiceServer};
use proto::identity::v1::key_service_client::KeyServiceClient;
use proto::identity::v1::key_service_server::{KeyService, KeyServiceServer};
use proto::licensing::v1 as pb;
use proto::licensing::v1::license_service_server::LicenseService as _;
use proto::licensing::v1::licensing_internal_service_server::LicensingInternalService as _;
use proto::licensing::v1::subscription_service_server::SubscriptionService as _;
use proto::partner::v1::get_decision_response::Outcome;
use proto::partner::v1::partner_fact::Fact;
use proto::partner::v1::partner_internal_service_server::{PartnerInternalService, PartnerInternalServiceServer};
use proto::partner::v1::{
    Access, AccessIntent, ApplyIdentityFactsRequest, ApplyIdentityFactsResponse, ApplyLicensingFactsRequest,
    ApplyLicensingFactsResponse, CheckInvitationLinkRequest, CheckInvitationLinkResponse, GetDecisionRequest,
    GetDecisionResponse, PartnerFact, PartnerKind,
};
use rstest::rstest;
use service::config::{Peers, ProcessConfig};
use testkit::database::{Database, Kind};
use tests::world::{World, authorized, connect, fresh, process_config};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};

use super::trade::{change, words};
use super::{outcome, reason};

type Reply<T> = Result<Response<T>, Status>;

/// What the services that licensing asks will answer, and how often they were asked.
#[derive(Clone, Debug, Default)]
struct Peer {
    decision: Arc<Mutex<Option<GetDecisionResponse>>>,
    organization: Arc<Mutex<Option<identity::LookUpOrganizationResponse>>>,
    users: Arc<Mutex<Option<identity::LookUpUsersResponse>>>,
    asked: Arc<Mutex<usize>>,
    keys: Arc<OnceCell<identity::GetJwksResponse>>,
}

#[tonic::async_trait]
impl PartnerInternalService for Peer {
    async fn apply_identity_facts(&self, _: Request<ApplyIdentityFactsRequest>) -> Reply<ApplyIdentityFactsResponse> {
        Err(Status::unavailable("nobody tells anything here"))
    }
    async fn apply_licensing_facts(
        &self,
        _: Request<ApplyLicensingFactsRequest>,
    ) -> Reply<ApplyLicensingFactsResponse> {
        Err(Status::unavailable("nobody is told anything here"))
    }
    async fn get_decision(&self, _: Request<GetDecisionRequest>) -> Reply<GetDecisionResponse> {
        *self.asked.lock().unwrap() += 1;
        let answer = self.decision.lock().unwrap().clone();
        answer.map(Response::new).ok_or_else(|| Status::unavailable("away"))
    }
    async fn check_invitation_link(
        &self,
        _: Request<CheckInvitationLinkRequest>,
    ) -> Result<Response<CheckInvitationLinkResponse>, Status> {
        Err(Status::unavailable("away"))
    }
}

#[tonic::async_trait]
impl KeyService for Peer {
    async fn get_jwks(&self, _: Request<identity::GetJwksRequest>) -> Reply<identity::GetJwksResponse> {
        self.keys.get().cloned().map(Response::new).ok_or_else(|| Status::unavailable("away"))
    }
}

/// What nobody asks for here.
fn silent<T>() -> Reply<T> {
    Err(Status::unavailable("away"))
}

#[tonic::async_trait]
impl IdentityInternalService for Peer {
    async fn apply_partner_facts(
        &self,
        _: Request<identity::ApplyPartnerFactsRequest>,
    ) -> Reply<identity::ApplyPartnerFactsResponse> {
        silent()
    }
    async fn prepare_access(
        &self,
        _: Request<identity::PrepareAccessRequest>,
    ) -> Reply<identity::PrepareAccessResponse> {
        silent()
    }
    async fn check_access(&self, _: Request<identity::CheckAccessRequest>) -> Reply<identity::CheckAccessResponse> {
        silent()
    }
    async fn cancel_access(&self, _: Request<identity::CancelAccessRequest>) -> Reply<identity::CancelAccessResponse> {
        silent()
    }
    async fn prepare_organization(
        &self,
        _: Request<identity::PrepareOrganizationRequest>,
    ) -> Reply<identity::PrepareOrganizationResponse> {
        silent()
    }
    async fn confirm_organization(
        &self,
        _: Request<identity::ConfirmOrganizationRequest>,
    ) -> Reply<identity::ConfirmOrganizationResponse> {
        silent()
    }
    async fn cancel_organization(
        &self,
        _: Request<identity::CancelOrganizationRequest>,
    ) -> Reply<identity::CancelOrganizationResponse> {
        silent()
    }
    async fn check_organization(
        &self,
        _: Request<identity::CheckOrganizationRequest>,
    ) -> Reply<identity::CheckOrganizationResponse> {
        silent()
    }
    async fn reveal_secret(&self, _: Request<identity::RevealSecretRequest>) -> Reply<identity::RevealSecretResponse> {
        silent()
    }
    async fn look_up_organization(
        &self,
        _: Request<identity::LookUpOrganizationRequest>,
    ) -> Reply<identity::LookUpOrganizationResponse> {
        *self.asked.lock().unwrap() += 1;
        let answer = self.organization.lock().unwrap().clone();
        answer.map(Response::new).ok_or_else(|| Status::unavailable("away"))
    }
    async fn apply_licensing_facts(
        &self,
        _: Request<identity::ApplyLicensingFactsRequest>,
    ) -> Reply<identity::ApplyLicensingFactsResponse> {
        Err(Status::unavailable("away"))
    }
    async fn look_up_users(&self, _: Request<identity::LookUpUsersRequest>) -> Reply<identity::LookUpUsersResponse> {
        *self.asked.lock().unwrap() += 1;
        let answer = self.users.lock().unwrap().clone();
        answer.map(Response::new).ok_or_else(|| Status::unavailable("away"))
    }
}

/// Licensing with nobody around but the test, a provider of a world who signs in there, and a decision about them.
struct Alone {
    api: Api,
    peer: Peer,
    world: &'static World,
    token: String,
    partner: String,
    customer: String,
    decision: String,
    _database: Database,
}

impl Alone {
    async fn start(kind: Kind) -> Self {
        let world = World::shared(kind).await;
        let provider = world.register().await;
        let peer = Peer::default();
        let keys = KeyServiceClient::new(connect(world.addresses[0].internal).await)
            .get_jwks(identity::GetJwksRequest {})
            .await;
        peer.keys.set(keys.unwrap().into_inner()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder()
            .add_service(PartnerInternalServiceServer::new(peer.clone()))
            .add_service(IdentityInternalServiceServer::new(peer.clone()))
            .add_service(KeyServiceServer::new(peer.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let database = Database::migrated(kind, &licensing::migrations()).await;
        let peers = Peers { identity: address.clone(), partner: address.clone(), licensing: address, tls: None };
        let config = ProcessConfig { peers, ..process_config(database.settings().clone()) };
        let keys = world.licensing.keys().clone();
        let host = licensing::start::open(&config, keys, world.clock.clone()).await.unwrap();
        host.refresh_keys().await.unwrap();
        Self {
            api: Api(host),
            peer,
            world,
            token: provider.session.access_token,
            partner: provider.organization_id,
            customer: fresh(),
            decision: fresh(),
            _database: database,
        }
    }

    fn access(&self) -> Access {
        Access {
            customer_id: self.customer.clone(),
            partner_id: self.partner.clone(),
            kind: PartnerKind::Provider.into(),
            active: true,
            delegated_admin: false,
            order_right: true,
            epoch: 1,
            decision_id: String::new(),
        }
    }

    async fn prepare(&self) {
        let intents =
            vec![AccessIntent { customer_id: self.customer.clone(), partner_id: self.partner.clone(), epoch: 1 }];
        let request = pb::PrepareAccessRequest { decision_id: self.decision.clone(), intents };
        let token = self.world.partner.keys().issue_service_token("licensing", &self.world.clock);
        self.api.prepare_access(authorized(&token, request)).await.unwrap();
    }

    async fn tell(&self, access: Access) {
        let facts = vec![PartnerFact { version: access.epoch, fact: Some(Fact::Access(access)) }];
        let token = self.world.partner.keys().issue_service_token("licensing", &self.world.clock);
        let request = authorized(&token, pb::ApplyPartnerFactsRequest { facts });
        self.api.apply_partner_facts(request).await.unwrap();
    }

    fn decide(&self, outcome: Outcome, accesses: Vec<Access>) {
        *self.peer.decision.lock().unwrap() = Some(GetDecisionResponse { outcome: outcome.into(), accesses });
    }

    async fn list(&self) -> Result<(), Status> {
        let request = pb::ListSubscriptionsRequest { customer_id: self.customer.clone(), ..Default::default() };
        self.api.list_subscriptions(authorized(&self.token, request)).await.map(drop)
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut *self.peer.asked.lock().unwrap())
    }
}

#[rstest]
#[tokio::test]
async fn a_decision_that_was_made_counts_before_it_is_told(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let alone = Alone::start(kind).await;
    assert_eq!(
        (reason(&alone.list().await).as_str(), alone.asked()),
        ("NOT_FOUND", 0),
        "nobody is asked without an intent"
    );
    alone.prepare().await;
    assert_eq!(outcome(&alone.list().await), (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()), "it fails closed");
    alone.asked();
    alone.decide(Outcome::Undecided, Vec::new());
    assert_eq!(reason(&alone.list().await), "NOT_FOUND", "what is not decided is not granted");
    assert!(alone.asked() > 0);
    alone.decide(Outcome::Committed, vec![alone.access()]);
    assert_eq!(reason(&alone.list().await), "OK");
    assert_eq!(alone.asked(), 1);
    assert_eq!((reason(&alone.list().await).as_str(), alone.asked()), ("OK", 0), "what was answered is kept");
}

#[rstest]
#[tokio::test]
async fn a_decision_that_was_aborted_is_asked_for_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let alone = Alone::start(kind).await;
    alone.prepare().await;
    alone.decide(Outcome::Aborted, Vec::new());
    assert_eq!((reason(&alone.list().await).as_str(), alone.asked()), ("NOT_FOUND", 1));
    assert_eq!((reason(&alone.list().await).as_str(), alone.asked()), ("NOT_FOUND", 0));
}

#[rstest]
#[tokio::test]
async fn nobody_is_asked_when_no_decision_could_change_the_answer(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let alone = Alone::start(kind).await;
    alone.prepare().await;
    let helper = person_without_roles(&alone).await;
    let request = pb::ListSubscriptionsRequest { customer_id: alone.customer.clone(), ..Default::default() };
    let refused = alone.api.list_subscriptions(authorized(&helper, request)).await;
    assert_eq!((reason(&refused).as_str(), alone.asked()), ("ROLE_NOT_ALLOWED", 0));
    alone.tell(alone.access()).await;
    assert_eq!((reason(&alone.list().await).as_str(), alone.asked()), ("OK", 0), "what is confirmed suffices");
}

async fn person_without_roles(alone: &Alone) -> String {
    let registered = alone.world.register().await;
    alone.world.hire(&registered, &[]).await.session.access_token
}

#[rstest]
#[tokio::test]
async fn a_customer_of_whom_nobody_told_yet_is_looked_up_once_for_those_who_see_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let alone = Alone::start(kind).await;
    let order = pb::PlaceOrderRequest {
        customer_id: alone.customer.clone(),
        lines: vec![pb::OrderLine { offer_id: fresh(), quantity: 1, ..Default::default() }],
        ..Default::default()
    };
    let place = || alone.api.place_order(authorized(&alone.token, order.clone()));
    assert_eq!((reason(&place().await).as_str(), alone.asked()), ("NOT_FOUND", 0), "a foreign id costs nobody a call");
    alone.tell(alone.access()).await;
    assert_eq!(reason(&place().await), "PEER_UNAVAILABLE");
    alone.asked();
    let fact = identity::OrganizationFact {
        organization_id: alone.customer.clone(),
        kind: identity::OrganizationKind::Customer.into(),
        name: "Contoso".to_owned(),
        country: "DE".to_owned(),
        cloud: identity::Cloud::Global.into(),
        state: identity::organization::State::Active.into(),
        domains: Vec::new(),
    };
    let answer = identity::LookUpOrganizationResponse { organization: Some(fact), version: 1 };
    *alone.peer.organization.lock().unwrap() = Some(answer);
    let refused = place().await.unwrap_err();
    assert!(refused.message().contains("no offer"), "the customer is known now: {refused:?}");
    assert_eq!(alone.asked(), 1);
    place().await.unwrap_err();
    assert_eq!(alone.asked(), 0);
}

#[rstest]
#[tokio::test]
async fn users_of_whom_nobody_told_yet_are_looked_up_and_known_ones_need_nobody(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let alone = Alone::start(kind).await;
    let (known, fresh_user, nobody) = (fresh(), fresh(), fresh());
    let product = fresh();
    let take = |users: &[&String]| {
        let users: Vec<String> = users.iter().map(|user| (*user).clone()).collect();
        let request = change(&alone.customer, &users, &[], &[&product]);
        async {
            Ok::<_, Status>(words(
                &alone.api.update_licenses(authorized(&alone.token, request)).await?.into_inner().results,
            ))
        }
    };
    assert_eq!(
        (reason(&take(&[&nobody]).await).as_str(), alone.asked()),
        ("NOT_FOUND", 0),
        "a foreign customer costs no call"
    );
    alone.tell(Access { delegated_admin: true, ..alone.access() }).await;
    assert_eq!(outcome(&take(&[&nobody]).await), (Code::Unavailable, "PEER_UNAVAILABLE".to_owned()));
    alone.asked();

    let versioned = |id: &String| identity::VersionedUser {
        version: 1,
        user: Some(World::user_fact(&alone.customer, id, "Uma User")),
    };
    let answer = identity::LookUpUsersResponse { users: vec![versioned(&known)] };
    *alone.peer.users.lock().unwrap() = Some(answer);
    assert_eq!(take(&[&known]).await.unwrap(), ["UNCHANGED"]);
    assert_eq!(alone.asked(), 1);
    *alone.peer.users.lock().unwrap() = None;
    assert_eq!(take(&[&known, &known]).await.unwrap(), ["UNCHANGED", "UNCHANGED"], "identity is away and not needed");
    assert_eq!(alone.asked(), 0);

    let answer = identity::LookUpUsersResponse { users: vec![versioned(&fresh_user)] };
    *alone.peer.users.lock().unwrap() = Some(answer);
    let told = take(&[&nobody, &known, &fresh_user]).await.unwrap();
    assert_eq!(
        (told, alone.asked()),
        (vec!["NOT_FOUND".to_owned(), "UNCHANGED".to_owned(), "UNCHANGED".to_owned()], 1)
    );

    // Somebody else's user is known, and answers like one whom identity does not know.
    let neighbor = fresh();
    let mut foreign = versioned(&neighbor);
    foreign.user.as_mut().unwrap().customer_id = fresh();
    *alone.peer.users.lock().unwrap() = Some(identity::LookUpUsersResponse { users: vec![foreign] });
    take(&[&neighbor]).await.unwrap();
    *alone.peer.users.lock().unwrap() = Some(identity::LookUpUsersResponse::default());
    let mut told = Vec::new();
    for user in [&neighbor, &nobody] {
        let request = pb::GetUserLicensesRequest { customer_id: alone.customer.clone(), user_id: user.clone() };
        let refused = alone.api.get_user_licenses(authorized(&alone.token, request)).await.unwrap_err();
        told.push((refused.code(), refused.message().replace(user.as_str(), "ID")));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].0, Code::NotFound);
}

#[rstest]
#[tokio::test]
async fn who_was_told_of_after_the_look_is_asked_for_and_not_called_unknown(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let (customer, neighbor) = (world.told_customer("DE").await, world.told_customer("DE").await);
    let (own, foreign) = (world.told_users(&customer, 1).await, world.told_users(&neighbor, 1).await);
    let nobody = fresh();
    let id = |text: &String| base::Id::parse(text).unwrap();
    let asked: Vec<_> = [&own[0], &foreign[0], &nobody, &nobody].map(id).to_vec();
    let customer = base::Id::parse(&customer).unwrap();
    let mut tx = world.licensing.db().await.write().await.unwrap();
    let unknown = licensing::user::store::unknown(&mut tx, customer, &asked).await.unwrap();
    tx.rollback().await;
    let expected = [&own[0], &nobody].map(id);
    assert_eq!(BTreeSet::from_iter(unknown.iter().copied()), BTreeSet::from(expected));
    assert_eq!(unknown.len(), expected.len(), "each once");
}
