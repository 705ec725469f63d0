//! Identity alone: its host and its operations, without listener, background work or peers, so that nothing speaks to
//! its database but the test. On PostgreSQL a proxy stands between the two.

use std::sync::Arc;

use base::Clock;
use db::{Db, Settings};
use identity::Identity;
use identity::api::Api;
use identity::names::Domain;
use proto::identity::v1 as pb;
use proto::identity::v1::registration_service_server::RegistrationService as _;
use proto::identity::v1::session_service_server::SessionService as _;
use service::Host;
use service::keys::ServiceKeys;
use testkit::database::{Database, Kind};

use super::{PASSWORD, SUFFIX, World, process_config};
use crate::harness::proxy::{Proxy, to_database};

/// Identity without surroundings.
#[derive(Debug)]
pub struct Alone {
    /// Its operations, called as the listener would call them.
    pub api: Api,
    /// Its host.
    pub host: Arc<Host<Identity>>,
    /// The same database, past the proxy.
    pub direct: Db,
    proxy: Option<Proxy>,
    keys: ServiceKeys,
    database: Database,
}

impl Alone {
    /// Identity on a fresh database, with this many sessions.
    pub async fn start(kind: Kind, sessions: u32) -> Self {
        let database = Database::migrated(kind, &identity::migrations()).await;
        let keys = ServiceKeys::random(&["identity"]).remove("identity").expect("identity has keys");
        let settings = Settings { sessions, ..database.settings().clone() };
        let (settings, proxy) = match kind {
            Kind::Sqlite => (settings, None),
            Kind::Postgres => {
                let (proxy, url) = to_database(&settings.url);
                (Settings { url, ..settings }, Some(proxy))
            }
        };
        let host = open(settings, &keys).await;
        let direct = match kind {
            Kind::Sqlite => host.db.clone(),
            Kind::Postgres => database.open().await,
        };
        Self { api: Api(Arc::clone(&host)), host, direct, proxy, keys, database }
    }

    /// Another process on the same database, past the proxy. PostgreSQL only: a SQLite file has one process.
    pub async fn replica(&self) -> Api {
        Api(open(self.database.settings().clone(), &self.keys).await)
    }

    /// The edge to the database server. PostgreSQL only.
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("only a database server is reached through a proxy")
    }

    /// Registers an organization and answers an access token of its admin, who has a floor, as if they had written
    /// before: the first write of a principal makes one, and another that comes meanwhile waits for it.
    pub async fn admin(&self) -> String {
        let made = self.api.register_organization(tonic::Request::new(World::registration())).await;
        let made = made.expect("a valid registration").into_inner();
        let mut tx = self.host.db.write().await.expect("the database answers");
        let admin = made.admin_user_id.parse().expect("an id");
        service::floor::raise(&mut tx, admin, 1).await.expect("a floor");
        tx.commit().await.expect("a commit");
        let request = pb::SignInRequest { sign_in_name: made.admin_sign_in_name, password: PASSWORD.to_owned() };
        let answer = self.api.sign_in(tonic::Request::new(request)).await.expect("the sign-in succeeds");
        answer.into_inner().session.expect("a session begins").access_token
    }
}

async fn open(settings: Settings, keys: &ServiceKeys) -> Arc<Host<Identity>> {
    let suffix = Domain::parse(SUFFIX).expect("the suffix is a domain");
    let host = identity::start::open(&process_config(settings), keys.clone(), suffix, Clock::new()).await;
    host.expect("identity opens")
}
