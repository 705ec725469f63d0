//! A fleet: services in several replicas, each a process of its own, with a proxy on every edge.
//!
//! Owns the ports, the edges and the processes. Promises one proxy per client→replica, replica→replica and
//! replica→PostgreSQL edge, so that any of them can fail alone, and addresses that stay the same over every restart.
//! Refuses to know what a setting is called: a closure turns the [`Site`] of a replica into the [`Launch`] that tells
//! the process about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use tokio::task::JoinSet;

use super::{
    port::ReservedPort,
    process::{Launch, Process},
    proxy::Proxy,
};

/// Which replica of which service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica {
    /// The service's name.
    pub service: String,
    /// From zero.
    pub number: usize,
}

impl Replica {
    /// Names a replica.
    #[must_use]
    pub fn of(service: &str, number: usize) -> Self {
        Self { service: service.into(), number }
    }
}

/// What the fleet consists of.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The services.
    pub services: &'a [&'a str],
    /// How many replicas each has.
    pub replicas: usize,
    /// The database server of all of them.
    pub postgres: SocketAddr,
}

/// What a replica has to be told about its place in the fleet.
#[derive(Clone, Debug)]
pub struct Site {
    /// Who it is.
    pub replica: Replica,
    /// Where it serves its callers.
    pub public: SocketAddr,
    /// Where it serves the other services.
    pub internal: SocketAddr,
    /// Where it answers about its own health.
    pub management: SocketAddr,
    /// Where it finds the database server: a proxy of its own.
    pub postgres: SocketAddr,
    /// Where it finds the internal listeners of the other services' replicas: proxies of its own.
    pub peers: BTreeMap<Replica, SocketAddr>,
}

impl Site {
    /// Where it finds the replicas of one other service, in the order of their numbers.
    #[must_use]
    pub fn peers_of(&self, service: &str) -> Vec<SocketAddr> {
        self.peers.iter().filter(|(peer, _)| peer.service == service).map(|(_, address)| *address).collect()
    }
}

/// A replica with the edges that begin or end at it.
#[derive(Debug)]
pub struct Member {
    /// The process. Declared first, so that it goes before its edges do.
    pub process: Process,
    /// From its callers to its public listener.
    pub clients: Proxy,
    /// From it to the database server.
    pub database: Proxy,
    /// From it to the internal listener of each replica of the other services.
    pub peers: BTreeMap<Replica, Proxy>,
    _ports: [ReservedPort; 3],
}

/// A fleet whose processes are ready. Dropping it kills them.
#[derive(Debug)]
pub struct Cluster {
    members: BTreeMap<Replica, Member>,
}

impl Cluster {
    /// Starts every replica at once, as no order between them may matter, and waits until each is ready.
    ///
    /// # Panics
    /// When one of them does not get ready.
    pub async fn start(layout: Layout<'_>, launch: impl Fn(&Site) -> Launch) -> Self {
        let replicas: BTreeSet<Replica> = layout
            .services
            .iter()
            .flat_map(|service| (0..layout.replicas).map(|number| Replica::of(service, number)))
            .collect();
        let mut ports: BTreeMap<Replica, [ReservedPort; 3]> = replicas
            .iter()
            .map(|replica| (replica.clone(), std::array::from_fn(|_| ReservedPort::reserve())))
            .collect();
        let internal: BTreeMap<Replica, SocketAddr> =
            ports.iter().map(|(replica, [_, internal, _])| (replica.clone(), internal.address())).collect();

        let mut starting = JoinSet::new();
        for replica in replicas {
            let ports = ports.remove(&replica).expect("every replica has ports");
            let [public, own_internal, management] = ports.each_ref().map(ReservedPort::address);
            let clients = Proxy::start(public);
            let database = Proxy::start(layout.postgres);
            let peers: BTreeMap<Replica, Proxy> = internal
                .iter()
                .filter(|(peer, _)| peer.service != replica.service)
                .map(|(peer, address)| (peer.clone(), Proxy::start(*address)))
                .collect();
            let launch = launch(&Site {
                replica: replica.clone(),
                public,
                internal: own_internal,
                management,
                postgres: database.address(),
                peers: peers.iter().map(|(peer, proxy)| (peer.clone(), proxy.address())).collect(),
            });
            starting.spawn(async move {
                let process = Process::start(launch).await;
                (replica, Member { process, clients, database, peers, _ports: ports })
            });
        }
        Self { members: starting.join_all().await.into_iter().collect() }
    }

    /// A replica and its edges.
    ///
    /// # Panics
    /// When the fleet has no such replica.
    #[must_use]
    pub fn member(&self, service: &str, number: usize) -> &Member {
        self.members.get(&Replica::of(service, number)).expect("the layout names the replica")
    }

    /// A replica, to be killed or started again, and its edges.
    ///
    /// # Panics
    /// When the fleet has no such replica.
    pub fn member_mut(&mut self, service: &str, number: usize) -> &mut Member {
        self.members.get_mut(&Replica::of(service, number)).expect("the layout names the replica")
    }

    /// All replicas.
    pub fn members(&self) -> impl Iterator<Item = (&Replica, &Member)> {
        self.members.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::harness::proxy::Mode;

    /// A fleet of shells that say what they were told.
    async fn fleet(postgres: SocketAddr) -> Cluster {
        let layout = Layout { services: &["identity", "partner"], replicas: 2, postgres };
        Cluster::start(layout, |site| Launch {
            name: format!("{}-{}", site.replica.service, site.replica.number),
            args: vec!["-c".into(), "echo told \"$SITE\"; echo tandem is ready; exec sleep 1000".into()],
            env: vec![("SITE".into(), format!("{} {} {:?}", site.public, site.postgres, site.peers_of("identity")))],
            ..Launch::of("/bin/sh")
        })
        .await
    }

    #[tokio::test]
    async fn every_replica_runs_and_knows_its_edges() {
        let database = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let cluster = fleet(database.local_addr().unwrap()).await;
        assert_eq!(cluster.members().count(), 4);
        for (replica, member) in cluster.members() {
            let told = member.process.line("told", Duration::from_secs(20)).await;
            assert!(told.contains(&member.database.address().to_string()), "{told}");
            let others: Vec<_> = member.peers.keys().map(|peer| peer.service.as_str()).collect();
            let other = if replica.service == "identity" { "partner" } else { "identity" };
            assert_eq!(others, [other, other]);
            for (peer, proxy) in &member.peers {
                assert_eq!(told.contains(&proxy.address().to_string()), peer.service == "identity", "{told}");
            }
        }
    }

    #[tokio::test]
    async fn an_edge_fails_alone() {
        let database = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let cluster = fleet(database.local_addr().unwrap()).await;
        let (cut, whole) = (&cluster.member("partner", 0).database, &cluster.member("partner", 1).database);
        cut.set(Mode::Cut).await;
        assert!(TcpStream::connect(cut.address()).await.is_err(), "the edge is cut");
        let mut client = TcpStream::connect(whole.address()).await.unwrap();
        client.write_all(b"select").await.unwrap();
        let mut seen = [0; 6];
        database.accept().await.unwrap().0.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"select");
    }

    #[tokio::test]
    async fn a_killed_replica_comes_back_in_its_old_place() {
        let nobody = ReservedPort::reserve();
        let mut cluster = fleet(nobody.address()).await;
        let soon = Duration::from_secs(20);
        let process = &mut cluster.member_mut("identity", 1).process;
        let before = process.line("told", soon).await;
        process.kill9().await;
        process.restart().await;
        assert_eq!(process.line("told", soon).await, before);
        assert_eq!(cluster.members().count(), 4);
    }
}
