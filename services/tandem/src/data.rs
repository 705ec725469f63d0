//! The data directory of the all-in-one: keys, databases and the way in of the first operator.
//!
//! It belongs to its owner alone: what is in it signs tokens and holds everybody's names.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base::Fault;

use crate::keys;
use crate::migrate::{Service, migrate};

/// Permission bits of the group and of others.
const OTHERS: u32 = 0o077;

/// A folder by its name; nothing is touched before [`DataDirectory::prepare`].
#[derive(Clone, Debug)]
pub(crate) struct DataDirectory(PathBuf);

impl DataDirectory {
    pub(crate) fn new(path: &str) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    pub(crate) fn database(&self, service: Service) -> PathBuf {
        self.0.join(format!("{}.db", service.name()))
    }

    pub(crate) fn database_url(&self, service: Service) -> String {
        format!("sqlite:{}", self.database(service).display())
    }

    /// Where the first operator's secret goes when no terminal can show it.
    pub(crate) fn operator_secret(&self) -> PathBuf {
        self.0.join("operator-secret")
    }

    /// Makes what is missing and brings the databases up to date.
    ///
    /// # Errors
    /// `DATA_DIRECTORY_IN_USE` naming the process that has it, `DATA_DIRECTORY_UNUSABLE`, `DATA_DIRECTORY_EXPOSED`, and
    /// what the keys and databases have to complain of.
    pub(crate) async fn prepare(&self) -> Result<(), Fault> {
        self.claim()?;
        keys::init(&self.keys())?;
        for service in Service::ALL {
            migrate(service, &self.database_url(service)).await?;
        }
        Ok(())
    }

    /// Makes the folder, or takes an empty one, for its owner alone. One that others could look into is refused.
    fn claim(&self) -> Result<(), Fault> {
        let unusable = |error: io::Error| {
            let message = format!("{} cannot be used as the data directory: {error}", self.0.display());
            Fault::precondition("DATA_DIRECTORY_UNUSABLE", message)
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(unusable)?;
        let mode = fs::metadata(&self.0).map_err(unusable)?.permissions().mode();
        if mode & OTHERS == 0 {
            return Ok(());
        }
        let empty = fs::read_dir(&self.0).map_err(unusable)?.next().is_none();
        if empty && fs::set_permissions(&self.0, Permissions::from_mode(0o700)).is_ok() {
            return Ok(());
        }
        let message = format!(
            "other users can look into {}: allow its owner only (chmod 700), or name a folder below it",
            self.0.display()
        );
        Err(Fault::precondition("DATA_DIRECTORY_EXPOSED", message))
    }
}
