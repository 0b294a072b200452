//! Reads the section of files.

use std::time::Duration;

use super::{connection::FileAccount, place::Place};
use crate::{
    networks::{Accounts, Connections},
    settings::{Reader, kinds::folder},
};

/// Reads the section. `None` if there was a problem, which the reader records.
pub(super) fn read(reader: &mut Reader<'_>, accounts: &Accounts<'_>) -> Option<Connections> {
    let base = reader.or("file.folder", "files", folder)?;
    let account = |handle: &str| Some(FileAccount::new(Place::new(&base, handle)));
    // No call to a server has a timeout.
    accounts.connect(Duration::ZERO, account, account)
}
