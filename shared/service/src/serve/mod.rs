//! The listener: from an accepted socket to an answered call, and from the wish to stop to the end.
//!
//! It owns every limit of the transport (trap 3: nothing is left at an open default) and promises an end within
//! `lame_duck + drain`, whatever the peers do (trap 2). It accepts HTTP/2 only, plain text on loopback only, and
//! refuses to know what a call means: that is the executor's.
//!
//! A connection passes the door (caps), is greeted (TLS and the HTTP/2 preface within the first-byte deadline) and is
//! served until its age; each of its calls goes through the front (span, overload, timeout, panic, dressed errors).

mod connection;
pub(crate) mod door;
mod dress;
mod front;
mod reply;
mod tls;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::Fault;
use tokio::net::TcpListener;
use tokio::signal;
use tokio::time::sleep;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::info;

use self::connection::Reception;
use self::door::Limits;
use self::front::Front;
use self::tls::Certificates;

/// Every limit of one listener. The defaults are the published ones (S-21).
#[derive(Clone, Debug)]
pub struct Transport {
    /// How long a new connection may take to finish TLS and say that it speaks HTTP/2.
    pub first_byte_deadline: Duration,
    /// Open connections in all; more are closed as they come.
    pub connections_max: usize,
    /// Open connections of one address (one /64 of IPv6); 0 is no limit.
    pub connections_per_address_max: usize,
    /// Open calls on one connection, told to the peer as a setting.
    pub streams_per_connection_max: u32,
    /// Calls that may be at work at once; more are refused as `OVERLOADED`. Health checks are always answered.
    pub concurrency_max: usize,
    /// The headers of one call, told to the peer as a setting.
    pub header_list_bytes_max: u32,
    /// How often a peer is pinged.
    pub keepalive_interval: Duration,
    /// How long a peer may take to answer a ping.
    pub keepalive_timeout: Duration,
    /// When a connection is asked to go, give or take a tenth. Calls under way finish.
    pub connection_age: Duration,
    /// The end of any call without an answer: a backstop above every deadline class.
    pub request_timeout: Duration,
    /// How long calls are still accepted after `NOT_SERVING` was told.
    pub lame_duck: Duration,
    /// How long open calls may take after that; then every connection is closed.
    pub drain: Duration,
    /// Plain text, which only loopback may have, when absent.
    pub tls: Option<Tls>,
}

/// Where the certificates are. The files are read again when they change; broken ones leave the old in use.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities of client certificates, PEM; when given, a client must have one.
    pub client_authority: Option<PathBuf>,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            first_byte_deadline: Duration::from_secs(5),
            connections_max: 2000,
            connections_per_address_max: 100,
            streams_per_connection_max: 100,
            concurrency_max: 1024,
            header_list_bytes_max: 16 * 1024,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            connection_age: Duration::from_secs(600),
            request_timeout: Duration::from_secs(35),
            lame_duck: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            tls: None,
        }
    }
}

/// What the health service says of this listener, and of which services beside the listener as a whole.
#[derive(Clone, Debug)]
pub struct Health {
    /// Where it is told.
    pub reporter: HealthReporter,
    /// The full names of the services.
    pub services: Vec<&'static str>,
}

impl Health {
    /// Tells every watcher.
    pub async fn tell(&self, status: ServingStatus) {
        for service in self.services.iter().copied().chain([""]) {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

/// A bound address, not yet served.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    transport: Transport,
    certificates: Option<Certificates>,
}

impl Listener {
    /// Takes the address. Port 0 is any free one.
    ///
    /// # Errors
    /// `PLAIN_TEXT_ONLY_ON_LOOPBACK`, `ADDRESS_UNAVAILABLE`, `CERTIFICATE_UNREADABLE`.
    pub async fn bind(address: SocketAddr, transport: &Transport) -> Result<Self, Fault> {
        if transport.tls.is_none() && !address.ip().to_canonical().is_loopback() {
            let message = format!("{address} can be reached from other machines: configure TLS or listen on loopback");
            return Err(Fault::precondition("PLAIN_TEXT_ONLY_ON_LOOPBACK", message));
        }
        let certificates = transport.tls.clone().map(Certificates::load).transpose()?;
        let (listener, address) = door::bind(address).await?;
        Ok(Self { listener, address, transport: transport.clone(), certificates })
    }

    /// The address it was given, with the port that was found.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves, then tells `NOT_SERVING`, goes on for the lame duck, sends GOAWAY, waits for open
    /// calls and closes what is left. Returns within `lame_duck + drain` of the stop. Errors speak as `domain`.
    pub async fn serve(
        self,
        routes: Routes,
        domain: &'static str,
        health: Option<Health>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Fault> {
        let Self { listener, address, transport, certificates } = self;
        let lame_duck = transport.lame_duck;
        let closing = async move {
            stop.await;
            info!(listener.address = %address, "stopping: new work should go elsewhere");
            if let Some(health) = health {
                health.tell(ServingStatus::NotServing).await;
            }
            sleep(lame_duck).await;
        };
        let limits = Limits { total: transport.connections_max, per_address: transport.connections_per_address_max };
        let drain = transport.drain;
        let front = Front::new(routes, domain, transport.concurrency_max, transport.request_timeout);
        let tls = certificates.as_ref().map(Certificates::current);
        let reception = Arc::new(Reception::new(front, transport, tls));
        let served = door::keep(listener, limits, closing, drain, move |stream, peer, leaving| {
            let reception = Arc::clone(&reception);
            async move { reception.receive(stream, peer, leaving).await }
        });
        let renewed = async {
            match &certificates {
                Some(certificates) => certificates.renew().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = served => {}
            () = renewed => {}
        }
        info!(listener.address = %address, "stopped");
        Ok(())
    }
}

/// Resolves when the process is asked to stop, by SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be heard.
pub async fn stop_signal() -> Result<(), Fault> {
    let deaf = |err| Fault::internal("signals cannot be heard").because(err);
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate()).map_err(deaf)?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = signal::ctrl_c() => interrupted.map_err(deaf),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await.map_err(deaf)
}
