//! Folders for a command's own use, in the system's place for such things.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Failure;

/// A folder that goes with what it is for.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(what: &str) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("mynah-{what}-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| {
            Failure::Work(format!(
                "{}: {error}; set TMPDIR to a folder that can be written",
                folder.display()
            ))
        })?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}
