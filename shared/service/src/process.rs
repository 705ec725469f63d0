//! One service in one process: its listeners, its background work, and the end of both.
//!
//! [`run`] is the program around it: the log, the signals and the exit code; [`ready`] says when it serves.

use std::future::Future;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use base::Fault;
use proto::common::v1::audit_service_server::AuditServiceServer;
use proto::common::v1::limits_service_server::LimitsServiceServer;
use tokio::runtime::Runtime;
use tokio::sync::{SetOnce, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tracing::{error, info};

use crate::audit::AuditApi;
use crate::config::{ConfigErrors, ProcessConfig};
use crate::contract::REQUEST_BYTES_BULK;
use crate::executor::Host;
use crate::limits::LimitsApi;
use crate::management::{Management, install_metrics};
use crate::operation::Service;
use crate::serve::{Health, Listener, Transport, stop_signal};
use crate::status::sources;
use crate::telemetry;

/// The line by which every program says that it serves.
pub const READY: &str = "tandem is ready";

/// The exit code of a program whose configuration is wrong.
const MISCONFIGURED: u8 = 2;

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
    serving: Arc<SetOnce<()>>,
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
            serving: Arc::default(),
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
        // It is set once, here.
        let _ = self.serving.set(());
        let ended = tokio::try_join!(public, internal, management, unready);
        tasks.shutdown().await;
        host.db.close().await;
        ended.map(drop)
    }
}

/// Runs a program until it ends or is asked to (SIGTERM, SIGINT); then `stop` is canceled and its end awaited. The
/// exit code is 0 after an end without a fault, 2 when the configuration is wrong, which is told whole on standard
/// error, and 1 after a fault, which is logged.
pub fn run<const N: usize, F: Future<Output = Result<(), Fault>>>(
    configs: Result<[ProcessConfig; N], ConfigErrors>,
    program: impl FnOnce([ProcessConfig; N], CancellationToken) -> F,
) -> ExitCode {
    let configs = configs.and_then(|configs| start_log(&configs).map(|()| configs));
    let configs = match configs {
        Ok(configs) => configs,
        Err(errors) => {
            // Whoever closed standard error does not want to know.
            let _ = write!(io::stderr(), "{errors}");
            return ExitCode::from(MISCONFIGURED);
        }
    };
    for config in &configs {
        info!(configuration = ?config, "starting");
    }
    let runtime = Runtime::new().map_err(|err| Fault::internal("no thread can be started").because(err));
    let ended = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let stop = CancellationToken::new();
            let mut program = pin!(program(configs, stop.clone()));
            tokio::select! {
                ended = &mut program => return ended,
                asked = stop_signal() => asked?,
            }
            stop.cancel();
            program.await
        })
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            error!(reason = fault.reason(), causes = %sources(&fault), "{}", fault.message());
            ExitCode::FAILURE
        }
    }
}

fn start_log(configs: &[ProcessConfig]) -> Result<(), ConfigErrors> {
    let mut errors = ConfigErrors::default();
    if let Some(config) = configs.first()
        && let Err(fault) = telemetry::init(config.log_format, &config.log)
    {
        errors.add("TANDEM_LOG", fault.message());
    }
    errors.finish(())
}

/// Logs the addresses, and says [`READY`] on standard output as soon as all of them serve.
pub fn ready(bounds: &[&Bound]) -> impl Future<Output = Result<(), Fault>> + use<> {
    for bound in bounds {
        info!(addresses = ?bound.addresses(), "listening");
    }
    let serving: Vec<_> = bounds.iter().map(|bound| Arc::clone(&bound.serving)).collect();
    async move {
        for service in serving {
            service.wait().await;
        }
        // Whoever closed standard output does not wait for it.
        let _ = writeln!(io::stdout(), "{READY}");
        Ok(())
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
