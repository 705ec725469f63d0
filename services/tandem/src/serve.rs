//! The all-in-one: three services in one process, each with its own database, listeners and keys, as if apart.

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use base::{Clock, Fault};
use clap::{Args, ValueEnum};
use db::Settings;
use identity::names::Domain;
use identity::operator::{self, WayIn};
use partner::link::LinkBase;
use service::config::{ConfigErrors, Peers, ProcessArgs, ProcessConfig};
use service::keys::ServiceKeys;
use service::process::{self, Addresses, Bound};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::banner::{Banner, Secret};
use crate::data::DataDirectory;
use crate::migrate::Service;
use crate::secrets;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder for the keys, the databases and the first operator's secret, made when it is missing
    #[arg(long, env = "TANDEM_DATA_DIR", default_value = "data")]
    data_dir: String,
    /// Which ports of the loopback address to listen on
    #[arg(long, env = "TANDEM_PORTS", default_value = "default")]
    ports: Ports,
    /// Domain below which every organization gets its first one
    #[arg(long, env = "TANDEM_DOMAIN_SUFFIX", default_value = "tandem.example")]
    domain_suffix: String,
    /// What the links of invitations begin with
    #[arg(long, env = "TANDEM_LINK_BASE", default_value = "https://partner.tandem.example")]
    link_base: String,
    /// What to log, such as `info` or `info,service=debug`; without it `warn` on a terminal, `info` otherwise
    #[arg(long, env = "TANDEM_LOG")]
    log: Option<String>,
    /// `auto`, `human` or `json`
    #[arg(long, env = "TANDEM_LOG_FORMAT")]
    log_format: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Ports {
    /// 50051 to 50053, internally 50061 to 50063, for metrics 9090 to 9092
    Default,
    /// Whichever are free: they are printed
    Free,
}

/// Serves until the process is asked to stop.
pub(crate) fn serve(arguments: &Arguments) -> ExitCode {
    let data = DataDirectory::new(&arguments.data_dir);
    let mut errors = ConfigErrors::default();
    let suffix = identity::start::domain_suffix(&arguments.domain_suffix);
    if let Err(fault) = &suffix {
        errors.add("TANDEM_DOMAIN_SUFFIX", fault.message());
    }
    let links = partner::start::link_base(&arguments.link_base);
    if let Err(fault) = &links {
        errors.add("TANDEM_LINK_BASE", fault.message());
    }
    let configs = arguments.configs(&data, errors);
    process::run(configs, |configs, stop| async move { AllInOne { data, configs }.run(suffix?, links?, stop).await })
}

impl Arguments {
    /// The configurations of the three, or all that is wrong with them and was wrong before.
    fn configs(&self, data: &DataDirectory, mut errors: ConfigErrors) -> Result<[ProcessConfig; 3], ConfigErrors> {
        let config = self.process(data).read(1, &mut errors);
        errors.finish(()).map(|()| {
            // What was right for one is right for the others.
            let read = |service| self.process(data).read(service, &mut ConfigErrors::default());
            let mut configs = [config, read(2), read(3)];
            for (config, service) in configs.iter_mut().zip(Service::ALL) {
                config.database = Settings::new(data.database_url(service));
            }
            configs
        })
    }

    /// What the three have in common.
    fn process(&self, data: &DataDirectory) -> ProcessArgs {
        let address = match self.ports {
            Ports::Default => None,
            Ports::Free => Some("127.0.0.1:0".to_owned()),
        };
        ProcessArgs {
            database_url: Some(data.database_url(Service::Identity)),
            keys_dir: Some(data.keys().to_string_lossy().into_owned()),
            listen: address.clone(),
            internal_listen: address.clone(),
            management_listen: address,
            // Nobody balances load over one process, and whoever pressed Ctrl-C waits for it.
            lame_duck_seconds: Some("0".to_owned()),
            // What a person at a terminal needs to read is in the banner.
            log: self.log.clone().or_else(|| io::stderr().is_terminal().then(|| "warn".to_owned())),
            log_format: self.log_format.clone(),
            ..ProcessArgs::default()
        }
    }
}

/// Services that have been opened.
pub(crate) struct Started {
    /// Where identity, licensing and partner listen.
    pub(crate) addresses: [Addresses; 3],
    /// What the first operator signs in with.
    operator: String,
    /// The first operator's way in, when it was made by this start.
    pub(crate) way_in: Option<WayIn>,
}

/// Opens the services below a folder, on free ports and with the defaults of everything else.
pub(crate) async fn start_alone(
    data: DataDirectory,
    stop: CancellationToken,
) -> Result<(Started, impl Future<Output = Result<(), Fault>>), Fault> {
    let arguments = Arguments {
        data_dir: data.path().display().to_string(),
        ports: Ports::Free,
        domain_suffix: "tandem.example".to_owned(),
        link_base: "https://partner.tandem.example".to_owned(),
        log: None,
        log_format: None,
    };
    let suffix = identity::start::domain_suffix(&arguments.domain_suffix)?;
    let links = partner::start::link_base(&arguments.link_base)?;
    let configs = arguments.configs(&data, ConfigErrors::default());
    let configs = configs.map_err(|errors| Fault::internal("the defaults are no configuration").because(errors))?;
    let (started, _, serving) = AllInOne { data, configs }.start(suffix, links, stop).await?;
    Ok((started, serving))
}

struct AllInOne {
    data: DataDirectory,
    configs: [ProcessConfig; 3],
}

impl AllInOne {
    async fn run(self, suffix: Domain, links: LinkBase, stop: CancellationToken) -> Result<(), Fault> {
        let data = self.data.clone();
        let (started, ready, serving) = self.start(suffix, links, stop).await?;
        let (operator, secret) = match started.way_in {
            Some(WayIn { sign_in_name, secret }) => (sign_in_name, hand_over(&data, secret)?),
            None => (started.operator, Secret::HandedOver),
        };
        let banner = Banner { data: data.path(), addresses: started.addresses, operator, secret };
        // Whoever closed standard output does not want to read it.
        let _ = io::stdout().write_all(banner.text().as_bytes());
        tokio::try_join!(serving, ready).map(drop)
    }

    /// Opens everything, and answers who is where, what says that all of them serve, and what serves until told to stop.
    async fn start(
        mut self,
        suffix: Domain,
        links: LinkBase,
        stop: CancellationToken,
    ) -> Result<(Started, impl Future<Output = Result<(), Fault>>, impl Future<Output = Result<(), Fault>>), Fault>
    {
        // Before any port is taken, so that a second start complains of the first one and not of its ports.
        self.data.prepare().await?;
        let [identity, licensing, partner] = self.bind().await?;
        let bounds = [&identity, &licensing, &partner];
        let addresses = bounds.map(Bound::addresses);
        let ready = process::ready(&bounds);

        let keys = |service: Service| ServiceKeys::load(&self.data.keys(), service.name());
        let clock = Clock::new();
        let [first, second, third] = &self.configs;
        let identity_host = identity::start::open(first, keys(Service::Identity)?, suffix, clock.clone()).await?;
        let licensing_host = licensing::start::open(second, keys(Service::Licensing)?, clock.clone()).await?;
        let partner_host = partner::start::open(third, keys(Service::Partner)?, links, clock).await?;
        let way_in = operator::ensure_first(&identity_host).await?;
        let operator = operator::sign_in_name(&identity_host).await?.unwrap_or_default();
        let [first, ..] = self.configs;
        let serving = async move {
            tokio::try_join!(
                identity::start::serve(identity_host, identity, &first, stop.clone()),
                licensing::start::serve(licensing_host, licensing, stop.clone()),
                partner::start::serve(partner_host, partner, stop),
            )
            .map(drop)
        };
        Ok((Started { addresses, operator, way_in }, ready, serving))
    }

    /// Takes the addresses and lets each service know those of the others.
    async fn bind(&mut self) -> Result<[Bound; 3], Fault> {
        let [first, second, third] = &self.configs;
        let bounds = [
            Bound::bind(&first.addresses, &first.transport).await?,
            Bound::bind(&second.addresses, &second.transport).await?,
            Bound::bind(&third.addresses, &third.transport).await?,
        ];
        let [identity, licensing, partner] =
            bounds.each_ref().map(|bound| format!("http://{}", bound.addresses().internal));
        let peers = Peers { identity, licensing, partner, tls: None };
        for config in &mut self.configs {
            config.peers = peers.clone();
        }
        Ok(bounds)
    }
}

/// Shows the first operator's secret on a terminal, and keeps it in a file otherwise: a log is no place for it.
fn hand_over(data: &DataDirectory, secret: base::Secret<String>) -> Result<Secret, Fault> {
    if io::stdout().is_terminal() {
        return Ok(Secret::Shown(secret));
    }
    let path = data.operator_secret();
    secrets::write(&path, &secret)?;
    info!(file = %path.display(), "the one-time secret of the first operator is in this file");
    Ok(Secret::InFile(path))
}
