//! The key files of all three services.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base::Fault;
use clap::Subcommand;
use service::keys::ServiceKeys;

use crate::failure::Failure;
use crate::migrate::Service;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make what is missing of the keys of all three services; what is there is kept
    Init {
        /// Folder for the keys, made when it is missing
        #[arg(long, env = "TANDEM_KEYS_DIR")]
        dir: PathBuf,
    },
}

impl Command {
    pub(crate) fn run(self) -> Result<String, Failure> {
        let Self::Init { dir } = self;
        let written = init(&dir)?;
        let mut text = String::new();
        for file in files(&dir) {
            let what = if written.contains(&file) { "wrote" } else { "kept " };
            // A string takes any text.
            let _ = writeln!(text, "{what} {}", file.display());
        }
        Ok(text)
    }
}

/// Makes what is missing, and answers which files were written.
pub(crate) fn init(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    ServiceKeys::init(dir, &Service::ALL.map(Service::name))
}

fn files(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let keys = Service::ALL.map(|service| dir.join(format!("{}.key", service.name())));
    keys.into_iter().chain([dir.join("bundle.json")])
}
