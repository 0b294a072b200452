//! An account that is a folder: one message a file. The name of a file is the message's id.
//!
//! - `names` gives each file a position when it appears.
//! - `read` makes pages of the files, and `write` adds one for each message.

mod names;
mod read;
mod write;

pub(super) use read::FolderSource;
pub(super) use write::FolderWriter;
