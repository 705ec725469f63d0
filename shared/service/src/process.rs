//! One service in one process: its listeners, its background work, and the end of both.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::Fault;
use proto::common::v1::audit_service_server::AuditServiceServer;
use proto::common::v1::limits_service_server::LimitsServiceServer;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;

use crate::audit::AuditApi;
use crate::contract::REQUEST_BYTES_BULK;
use crate::executor::Host;
use crate::limits::LimitsApi;
use crate::management::{Management, install_metrics};
use crate::operation::Service;
use crate::serve::{Health, Listener, Transport};

/// Where a service listens. Port 0 is any free one.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// For callers: gRPC with reflection and health.
    pub public: SocketAddr,
    /// For the other services.
    pub internal: SocketAddr,
    /// For the kubelet and Prometheus: HTTP.
    pub management: Option<SocketAddr>,
}

/// The listeners of a service, bound but not yet served.
#[derive(Debug)]
pub struct Bound {
    public: Listener,
    internal: Listener,
    management: Option<Management>,
    transport: Transport,
}

/// What a service offers.
#[derive(Debug)]
pub struct Front {
    /// Its public services.
    pub public: Routes,
    /// Their full names.
    pub names: Vec<&'static str>,
    /// Its internal services.
    pub internal: Routes,
}

impl Bound {
    /// Takes the addresses.
    ///
    /// # Errors
    /// As [`Listener::bind`] and [`Management::bind`].
    pub async fn bind(addresses: &Addresses, transport: &Transport) -> Result<Self, Fault> {
        Ok(Self {
            public: Listener::bind(addresses.public, transport).await?,
            internal: Listener::bind(addresses.internal, transport).await?,
            management: match addresses.management {
                Some(address) => Some(Management::bind(address).await?),
                None => None,
            },
            transport: transport.clone(),
        })
    }

    /// The addresses with the ports that were found.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            public: self.public.local_address(),
            internal: self.internal.local_address(),
            management: self.management.as_ref().map(Management::local_address),
        }
    }

    /// Serves until `stop`, with the services that every process has beside its own.
    ///
    /// # Errors
    /// When a listener or the reflection service cannot be made.
    pub async fn serve<S: Service>(
        self,
        host: Arc<Host<S>>,
        front: Front,
        background: JoinSet<()>,
        stop: CancellationToken,
    ) -> Result<(), Fault> {
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let mut names = front.names;
        names.extend(["tandem.common.v1.AuditService", "tandem.common.v1.LimitsService"]);
        let health = Health { reporter, services: names.clone() };
        health.tell(ServingStatus::Serving).await;
        let audit = AuditServiceServer::new(AuditApi(Arc::clone(&host))).max_decoding_message_size(REQUEST_BYTES_BULK);
        let limits =
            LimitsServiceServer::new(LimitsApi(Arc::clone(&host))).max_decoding_message_size(REQUEST_BYTES_BULK);
        let (reflection_v1, reflection_v1alpha) = (reflection(&names)?.build_v1(), reflection(&names)?.build_v1alpha());
        let broken = |error| Fault::internal("the contract cannot be reflected").because(error);
        let public = front
            .public
            .add_service(audit)
            .add_service(limits)
            .add_service(health_service)
            .add_service(reflection_v1.map_err(broken)?)
            .add_service(reflection_v1alpha.map_err(broken)?);

        let (ready, readiness) = watch::channel(true);
        let mut tasks = background;
        tasks.spawn(housekeeping(Arc::clone(&host), stop.clone()));
        let public = self.public.serve(public, S::DOMAIN, Some(health), stop.clone().cancelled_owned());
        // The internal listener outlives the public one's lame duck: calls under way elsewhere still need it.
        let internal = self.internal.serve(front.internal, S::DOMAIN, None, stop.clone().cancelled_owned());
        let drain = self.transport.drain;
        let management = async {
            match self.management {
                Some(management) => {
                    let end = stop.clone().cancelled_owned();
                    let lame_duck = self.transport.lame_duck;
                    let end = async move {
                        end.await;
                        tokio::time::sleep(lame_duck).await;
                    };
                    management.serve(install_metrics()?, readiness, drain, end).await;
                    Ok(())
                }
                None => Ok(()),
            }
        };
        let unready = async {
            stop.cancelled().await;
            // Nobody listens when there is no management listener.
            let _ = ready.send(false);
            Ok(())
        };
        let ended = tokio::try_join!(public, internal, management, unready);
        tasks.shutdown().await;
        host.db.close().await;
        ended.map(drop)
    }
}

fn reflection(names: &[&'static str]) -> Result<tonic_reflection::server::Builder<'static>, Fault> {
    let mut builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::PUBLIC)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    for name in names {
        builder = builder.with_service_name(*name);
    }
    Ok(builder)
}

/// Follows the database's clock and sweeps what is due.
async fn housekeeping<S: Service>(host: Arc<Host<S>>, stop: CancellationToken) {
    let clock = every(Duration::from_secs(5), &stop, || host.db.sample_clock(&host.clock));
    let sweep = every(Duration::from_secs(60), &stop, || host.sweep());
    tokio::join!(clock, sweep);
}

/// Does something over and over until told to stop; a failure is told and tried again at the next turn.
pub async fn every<F: Future<Output = Result<(), Fault>>>(
    period: Duration,
    stop: &CancellationToken,
    work: impl Fn() -> F,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        if let Err(fault) = work().await {
            tracing::warn!(%fault, "background work failed; it is tried again");
        }
    }
}
