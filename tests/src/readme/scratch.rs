//! A folder of this walk's own, gone when the walk is.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

static NAMES: AtomicU64 = AtomicU64::new(0);

/// Readable by its owner only: the service's data holds keys.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> io::Result<Self> {
        let parent = std::env::temp_dir().canonicalize()?;
        let process = std::process::id();
        loop {
            // A name is given once: who finds it gone knows that its walk is over.
            let folder = parent.join(format!("readme-walk-{process}-{}", NAMES.fetch_add(1, Ordering::Relaxed)));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Makes a folder within.
    pub(super) fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.0.join(name);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(folder)
    }

    #[cfg(test)]
    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
