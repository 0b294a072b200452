//! One service at a time uses a data directory, although its ledger is elsewhere: the folder has its cache and the address
//! of its admin API, which commands must be able to trust.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::open::OpenError;

/// Locks a data directory, which is created if there is none. The lock ends with the process, however it ends.
///
/// # Errors
/// Another process has it, or it cannot be written.
pub fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let folder = data_dir.display();
    let unwritable = |error: io::Error| {
        OpenError::Local(format!(
            "cannot use the data directory: {folder}: {error}; make it writable for this user, or set data_dir to another folder"
        ))
    };
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(unwritable)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(data_dir.join("service.lock")).map_err(unwritable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::FolderInUse { folder: folder.to_string() }),
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

/// Whether a service uses a data directory.
///
/// # Errors
/// The lock cannot be checked.
pub fn is_in_use(data_dir: &Path) -> Result<bool, OpenError> {
    if !data_dir.join("service.lock").exists() {
        return Ok(false);
    }
    match lock(data_dir) {
        Ok(_) => Ok(false),
        Err(OpenError::FolderInUse { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}
