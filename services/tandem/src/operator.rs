//! The way in for the platform's own staff, for whoever holds the database and the keys.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use base::Clock;
use clap::Subcommand;
use identity::operator::{self, WayIn};
use identity::start;
use service::config::{ConfigErrors, ProcessArgs};
use service::keys::ServiceKeys;

use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::migrate::Service;
use crate::secrets;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Give the first operator a new one-time secret, or make the first operator when there is none
    Reset(Arguments),
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The data directory of the all-in-one, which must not run meanwhile
    #[arg(long, env = "TANDEM_DATA_DIR", conflicts_with_all = ["database_url", "keys_dir"])]
    data_dir: Option<String>,
    /// Identity's database: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
    #[arg(long, env = "TANDEM_DATABASE_URL", hide_env_values = true, requires = "keys_dir")]
    database_url: Option<String>,
    /// Folder with identity's key
    #[arg(long, env = "TANDEM_KEYS_DIR", requires = "database_url")]
    keys_dir: Option<String>,
    /// Domain below which every organization gets its first one
    #[arg(long, env = "TANDEM_DOMAIN_SUFFIX", default_value = "tandem.example")]
    domain_suffix: String,
    /// File for the secret, for its owner alone; without it the secret is shown, but only on a terminal
    #[arg(long)]
    secret_file: Option<PathBuf>,
}

impl Command {
    pub(crate) async fn run(self) -> Result<String, Failure> {
        let Self::Reset(arguments) = self;
        if arguments.secret_file.is_none() && !io::stdout().is_terminal() {
            return Err(Failure::new(
                "standard output is not a terminal, and the secret is shown nowhere else: name a file with \
                 --secret-file",
            ));
        }
        let WayIn { sign_in_name, secret } = arguments.reset().await?;
        Ok(match &arguments.secret_file {
            Some(path) => {
                secrets::write(path, &secret)?;
                format!("operator  {sign_in_name}\nsecret    in {}, good once\n", path.display())
            }
            None => format!("operator  {sign_in_name}\nsecret    {}, good once\n", secret.expose()),
        })
    }
}

impl Arguments {
    async fn reset(&self) -> Result<WayIn, Failure> {
        let suffix = start::domain_suffix(&self.domain_suffix)?;
        let mut errors = ConfigErrors::default();
        let config = self.process().read(1, &mut errors);
        errors.finish(()).map_err(|errors| Failure::new(errors.to_string()))?;
        if let Some(path) = config.database.url.strip_prefix("sqlite:")
            && !Path::new(path).exists()
        {
            return Err(Failure::new(format!("there is no database {path}: start the service once")));
        }
        let keys = ServiceKeys::load(&config.keys_dir, Service::Identity.name())?;
        let host = start::open(&config, keys, suffix, Clock::new()).await?;
        let way_in = match operator::ensure_first(&host).await? {
            Some(way_in) => way_in,
            None => operator::reset(&host).await?,
        };
        host.db.close().await;
        Ok(way_in)
    }

    fn process(&self) -> ProcessArgs {
        let data = self.data_dir.as_deref().map(DataDirectory::new);
        let (database_url, keys_dir) = match data {
            Some(data) => {
                (Some(data.database_url(Service::Identity)), Some(data.keys().to_string_lossy().into_owned()))
            }
            None => (self.database_url.clone(), self.keys_dir.clone()),
        };
        ProcessArgs { database_url, keys_dir, ..ProcessArgs::default() }
    }
}
