//! A fleet of the real services: separate processes in replicas, on PostgreSQL, with a proxy on every edge.
#![expect(clippy::expect_used, reason = "a test without its fleet has nothing better to do than fail")]

use std::fs;
use std::path::PathBuf;

use base::Clock;
use db::Migration;
use service::keys::ServiceKeys;
use testkit::database::{Database, Kind};
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::cluster::{Cluster, Layout, Site};
use crate::harness::process::{Launch, binary};
use crate::world::{Doors, Oracle, SUFFIX, connect, process_config};

/// The three services.
pub const SERVICES: [&str; 3] = ["identity", "licensing", "partner"];

/// The services as processes of their own, each in several replicas on one database.
#[derive(Debug)]
pub struct Fleet {
    /// The processes and their edges.
    pub cluster: Cluster,
    databases: [Database; 3],
    keys: PathBuf,
}

impl Fleet {
    /// Starts the fleet on fresh databases, as `deploy/README.md` tells operators to.
    pub async fn start(replicas: usize) -> Self {
        let keys = std::env::temp_dir().join(format!("tandem-keys-{}", Uuid::now_v7().simple()));
        ServiceKeys::init(&keys, &SERVICES).expect("keys can be made");
        let schemas: [Vec<Migration>; 3] = [identity::migrations(), licensing::migrations(), partner::migrations()];
        let databases = [
            Database::migrated(Kind::Postgres, &schemas[0]).await,
            Database::migrated(Kind::Postgres, &schemas[1]).await,
            Database::migrated(Kind::Postgres, &schemas[2]).await,
        ];
        let urls = databases.each_ref().map(|database| database.settings().url.clone());
        let (server, _) = address_of(&urls[0]);
        let layout = Layout { services: &SERVICES, replicas, postgres: server };
        let cluster = Cluster::start(layout, |site| launch(site, &urls, &keys)).await;
        Self { cluster, databases, keys }
    }

    /// A channel to one replica, through the proxy before it.
    pub async fn to(&self, service: &str, replica: usize) -> Channel {
        connect(self.cluster.member(service, replica).clients.address()).await
    }

    /// The public doors of one replica of each service, with a first operator, who is made here.
    pub async fn doors(&self, replica: usize) -> Doors {
        let public = SERVICES.map(|service| self.cluster.member(service, replica).clients.address());
        let keys = ServiceKeys::load(&self.keys, "identity").expect("identity has keys");
        let suffix = identity::start::domain_suffix(SUFFIX).expect("a domain");
        let config = process_config(self.databases[0].settings().clone());
        let host = identity::start::open(&config, keys, suffix, Clock::new()).await.expect("identity opens");
        let way_in = identity::operator::ensure_first(&host).await.expect("the operator can be made");
        Doors::new(public, Clock::new(), way_in.expect("a fresh fleet has no operator yet"))
    }

    /// The three databases, to be judged.
    pub async fn oracle(&self) -> Oracle {
        Oracle {
            identity: self.database("identity").await,
            licensing: self.database("licensing").await,
            partner: self.database("partner").await,
        }
    }

    /// A service's database, past every proxy.
    pub async fn database(&self, service: &str) -> db::Db {
        let position = SERVICES.iter().position(|name| *name == service).expect("there are three services");
        self.databases[position].open().await
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // What is left is the temporary folder's business.
        let _ = fs::remove_dir_all(&self.keys);
    }
}

/// Host and port of a database URL, and where they stand in it.
fn address_of(url: &str) -> (std::net::SocketAddr, std::ops::Range<usize>) {
    let start = url.find('@').expect("a test URL names a user") + 1;
    let end = start + url[start..].find('/').expect("a test URL names a database");
    (url[start..end].parse().expect("a test URL names an address"), start..end)
}

fn launch(site: &Site, urls: &[String; 3], keys: &std::path::Path) -> Launch {
    let service = site.replica.service.as_str();
    let position = SERVICES.iter().position(|name| *name == service).expect("there are three services");
    let mut url = urls[position].clone();
    let (_, range) = address_of(&url);
    url.replace_range(range, &site.postgres.to_string());
    let mut env = vec![
        ("TANDEM_DATABASE_URL".to_owned(), url),
        ("TANDEM_KEYS_DIR".to_owned(), keys.display().to_string()),
        ("TANDEM_LISTEN".to_owned(), site.public.to_string()),
        ("TANDEM_INTERNAL_LISTEN".to_owned(), site.internal.to_string()),
        ("TANDEM_MANAGEMENT_LISTEN".to_owned(), site.management.to_string()),
        ("TANDEM_LAME_DUCK_SECONDS".to_owned(), "0".to_owned()),
    ];
    for peer in SERVICES.iter().filter(|peer| **peer != service) {
        // Replica n calls replica n; which one answers makes no difference.
        let address = site.peers_of(peer)[site.replica.number];
        env.push((format!("TANDEM_{}_ADDRESS", peer.to_uppercase()), format!("http://{address}")));
    }
    Launch { name: format!("{service}-{}", site.replica.number), env, ..Launch::of(binary(service)) }
}
