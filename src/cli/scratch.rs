//! Temporary folders for commands.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Failure;

/// A temporary folder. Dropping this removes it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(what: &str) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("mynah-{what}-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| {
            Failure::Work(format!("{}: {error}; set TMPDIR to a writable folder", folder.display()))
        })?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, the system cleans its temporary folder later.
        let _ = fs::remove_dir_all(&self.0);
    }
}
