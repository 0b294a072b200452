//! Adds a file for each message. It gets its name when it is complete and durable, so whoever is killed before leaves
//! none. The name begins with the time, so that names sort as the messages were published, and has the message's key, so
//! that a message that is published again after a crash is found.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use jiff::Timestamp;
use mynah_domain::{
    PublicationKey,
    ports::{PublishError, Shown, Since},
};

use super::{
    super::{
        destination::{Writer, check_writable, lock, outcome_unknown, replies_to_nothing, shown},
        place::{self, Place, PlaceError},
        record::Record,
    },
    read::{FolderSource, names_in},
};

/// The ending of a file that is not complete.
const PARTIAL: &str = ".json.part";

/// A folder as a destination.
#[derive(Debug)]
pub(in super::super) struct FolderWriter {
    place: Place,
}

impl FolderWriter {
    pub(in super::super) fn new(place: Place) -> Self {
        Self { place }
    }
}

/// How the names of a key's message end.
fn ending(key: PublicationKey) -> String {
    format!("-{key}.json")
}

/// The nanoseconds since 1970 with which a name begins.
fn digits(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_nanosecond()).unwrap_or_default()
}

fn digits_of(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

/// Writes a file whole, or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = folder.join(format!(".{}{PARTIAL}", name.trim_end_matches(".json")));
    let written = place_whole(&partial, &folder.join(name), bytes);
    if written.is_err() {
        // It may not exist.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn place_whole(partial: &Path, complete: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(partial, complete)
}

/// Removes what killed processes left. Nobody else writes the folder now.
fn remove_partial(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(PARTIAL) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Writer for FolderWriter {
    fn place(&self) -> &Place {
        &self.place
    }

    fn check(&self) -> Result<(), PlaceError> {
        match self.place.find() {
            Ok(folder) if folder.is_dir() => check_writable(&folder),
            Ok(path) => Err(PlaceError::WrongKind { path, expected: "folder" }),
            // It is made for the first message.
            Err(PlaceError::Missing(_)) => check_writable(&self.place.root()?),
            Err(error) => Err(error),
        }
    }

    fn publish(&self, key: PublicationKey, mut record: Record) -> Result<String, PublishError> {
        let folder = self.place.folder()?;
        let failed = |error| PlaceError::Io { path: folder.clone(), error };
        let handle = File::open(&folder).map_err(failed)?;
        lock(&handle, &folder)?;
        let names = names_in(&folder)?;
        let ending = ending(key);
        if let Some(known) = names.iter().find(|name| name.ends_with(&ending)) {
            place::sync(&folder).map_err(|error| outcome_unknown(&error))?;
            return Ok(known.clone());
        }
        if let Some(parent) = record.reply_to.as_ref().filter(|parent| names.binary_search(parent).is_err()) {
            return Err(replies_to_nothing(parent, &self.place));
        }
        let last = names.iter().filter_map(|name| digits_of(name)).max().unwrap_or_default();
        // Clocks may be set back.
        let moment = record.created_at.map_or(0, digits).max(last.saturating_add(1));
        let id = format!("{moment:020}{ending}");
        record.id = Some(id.clone());
        let json = serde_json::to_vec(&record).map_err(|error| PublishError::Refused(error.to_string()))?;
        remove_partial(&folder).and_then(|()| write(&folder, &id, &json)).map_err(failed)?;
        place::sync(&folder).map_err(|error| outcome_unknown(&error))?;
        Ok(id)
    }

    fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let folder = match self.place.find() {
            Ok(folder) => folder,
            Err(PlaceError::Missing(_)) => return Ok(Shown::default()),
            Err(error) => return Err(error.into()),
        };
        let start = match since {
            Since::Message(message) => message.0.clone(),
            Since::Moment(moment) => format!("{:020}", digits(*moment)),
        };
        let reader = FolderSource { place: self.place.clone() };
        let mut found = Shown::default();
        for name in names_in(&folder)?.into_iter().rev().take_while(|name| *name > start) {
            match reader.read(&name, 0) {
                Some(Ok(post)) => found.messages.push(shown(post)),
                Some(Err(unreadable)) => found.gap = Some(unreadable.reason),
                None => {}
            }
        }
        Ok(found)
    }

    fn is_of(&self, id: &str, key: PublicationKey) -> bool {
        id.ends_with(&ending(key))
    }
}
