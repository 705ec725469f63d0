//! The schema of one service's database.

use base::Fault;
use clap::{Args, ValueEnum};
use db::{Db, Migration, Settings};

use crate::failure::Failure;

/// One of the three services.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Service {
    Identity,
    Licensing,
    Partner,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Identity, Self::Licensing, Self::Partner];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Licensing => "licensing",
            Self::Partner => "partner",
        }
    }

    fn migrations(self) -> Vec<Migration> {
        match self {
            Self::Identity => identity::migrations(),
            Self::Licensing => licensing::migrations(),
            Self::Partner => partner::migrations(),
        }
    }
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// Whose database it is
    #[arg(long)]
    service: Service,
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
    #[arg(long, env = "TANDEM_DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<String, Failure> {
        let name = self.service.name();
        Ok(match migrate(self.service, &self.database_url).await? {
            Outcome::Changed => format!("the schema of {name} was brought up to date\n"),
            Outcome::Unchanged => format!("the schema of {name} was up to date already\n"),
        })
    }
}

/// What a migration found to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Changed,
    Unchanged,
}

/// Brings the database of a service up to date and closes it.
pub(crate) async fn migrate(service: Service, database_url: &str) -> Result<Outcome, Fault> {
    let migrations = service.migrations();
    let db = Db::open(&Settings::new(database_url)).await?;
    let outcome = match db.check_schema(&migrations).await {
        Ok(()) => Outcome::Unchanged,
        Err(_) => {
            db.migrate(&migrations).await?;
            // What a migration cannot mend, such as a schema from a newer program, is told here.
            db.check_schema(&migrations).await?;
            Outcome::Changed
        }
    };
    db.close().await;
    Ok(outcome)
}
