//! Pages of a folder's files.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::Path,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use mynah_domain::{
    Post, PostId,
    ports::{Lookup, Page, PageRequest, SourceError, Unreadable},
};

use super::{
    super::{
        place::{self, Place, PlaceError},
        record::{self, MOST_BYTES, Record},
        source::{Form, known_account},
    },
    names::Memory,
};

/// The endings of messages: a JSON object, or plain text.
const JSON: &str = ".json";
const TEXT: &str = ".txt";

/// The most files that are listed. More belong into a JSONL file.
const MOST_FILES: usize = 100_000;

/// How long a file that is not complete may have been written before it counts as broken.
const WRITING: Duration = Duration::from_secs(2);

/// A folder as a source.
#[derive(Debug, Clone)]
pub(in super::super) struct FolderSource {
    pub(in super::super) place: Place,
}

/// What is in a file.
struct Content {
    /// The first bytes, one more than a message may have.
    bytes: Vec<u8>,
    modified: SystemTime,
}

impl FolderSource {
    /// Lists the messages, and gives new ones their positions. Returns the files with names that cannot be used.
    fn list(&self, memory: &mut Memory) -> Result<(BTreeSet<String>, Vec<String>), SourceError> {
        let folder = self.place.find().map_err(|error| known_account(error, memory.first.is_some()))?;
        if !folder.is_dir() {
            return Err(PlaceError::WrongKind { path: folder, expected: "folder" }.into());
        }
        let failed = |error| PlaceError::Io { path: folder.clone(), error };
        let (mut names, mut odd) = (BTreeSet::new(), Vec::new());
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let shown = name.to_string_lossy();
            if shown.starts_with('.') || !(shown.ends_with(JSON) || shown.ends_with(TEXT)) {
                continue;
            }
            let Some(name) = name.to_str().filter(|name| !name.chars().any(char::is_control)) else {
                odd.push(format!("the name of the file {shown:?} is not plain text; rename it"));
                continue;
            };
            names.insert(name.to_owned());
            if names.len() > MOST_FILES {
                let reason = format!(
                    "{} has more than {MOST_FILES} files; move old ones away, or use a JSONL file",
                    folder.display()
                );
                return Err(SourceError::Unavailable(reason));
            }
        }
        names.retain(|name| memory.knows(name) || !self.is_being_written(name));
        memory.place(&names);
        Ok((names, odd))
    }

    fn content(&self, name: &str) -> Result<Content, PlaceError> {
        let path = self.place.find_in_folder(name)?;
        let failed = |error| PlaceError::Io { path: path.clone(), error };
        let mut file = place::open(&path)?;
        let modified = file.metadata().and_then(|file| file.modified()).map_err(failed)?;
        let mut bytes = Vec::new();
        (&mut file).take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Content { bytes, modified })
    }

    /// Whether a file is too new and too short: its writer has not finished.
    fn is_being_written(&self, name: &str) -> bool {
        let is_new = |modified: SystemTime| modified.elapsed().is_ok_and(|age| age < WRITING);
        let path = self.place.path().join(name);
        // Most files are older, and need not be read for this.
        if !fs::metadata(&path).and_then(|file| file.modified()).is_ok_and(is_new) {
            return false;
        }
        let Ok(Content { bytes, .. }) = self.content(name) else { return false };
        if name.ends_with(TEXT) {
            return !bytes.ends_with(b"\n");
        }
        serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err_and(|error| error.is_eof())
    }

    /// Reads a file; `None` if it is gone.
    pub(super) fn read(&self, name: &str, position: u64) -> Option<Result<Post, Unreadable>> {
        let (id, unreadable) = (name.to_owned(), |reason, bytes: &[u8]| {
            Some(Err(record::unreadable(name.to_owned(), position, reason, bytes)))
        });
        let Content { bytes, modified } = match self.content(name) {
            Ok(content) => content,
            Err(PlaceError::Missing(path)) if fs::symlink_metadata(&path).is_err() => return None,
            // One file must not stop the others.
            Err(error) => return unreadable(error.to_string(), name.as_bytes()),
        };
        let record = if name.ends_with(TEXT) { Record::from_text(&bytes) } else { Record::from_json(&bytes) };
        let modified = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
        match record {
            Ok(record) => Some(Ok(record.into_post(id, position, modified))),
            Err(reason) => unreadable(reason, &bytes),
        }
    }
}

impl Form for FolderSource {
    type Memory = Memory;

    fn place(&self) -> &Place {
        &self.place
    }

    fn page(&self, mut memory: Memory, request: &PageRequest) -> Result<(Memory, Page), SourceError> {
        let (names, odd) = self.list(&mut memory)?;
        let after = match &request.after {
            None => 0,
            // Whatever was there at the first read may be older than a post that is gone and forgotten.
            Some(id) => memory.position(&id.0).or(memory.first).unwrap_or_default(),
        };
        let before = match (&request.continuation, &request.before) {
            (Some(token), _) => Some(token.parse::<u64>().map_err(|_| {
                SourceError::Refused(format!("{token:?} is not the token of a page of a folder"))
            })?),
            (None, Some(id)) => memory.position(&id.0),
            (None, None) => None,
        };
        let mut files: Vec<(u64, &str)> = names
            .iter()
            .filter_map(|name| Some((memory.position(name)?, name.as_str())))
            .filter(|(position, _)| *position > after && before.is_none_or(|before| *position < before))
            .collect();
        files.sort_unstable_by(|one, other| other.cmp(one));
        let limit = request.limit.max(1);
        let mut page = Page { oddities: odd, ..Page::default() };
        page.continuation = files.get(limit).and_then(|_| Some(files.get(limit - 1)?.0.to_string()));
        let first = memory.first.unwrap_or_default();
        for (position, name) in files.into_iter().take(limit) {
            // A file that appeared later is new, whatever its time.
            let is_early =
                |post: &Post| position <= first && request.from.is_some_and(|from| post.created_at < from);
            match self.read(name, position) {
                Some(Ok(post)) if is_early(&post) => {}
                Some(Ok(post)) => page.posts.push(post),
                Some(Err(unreadable)) => page.unreadable.push(unreadable),
                None => {}
            }
        }
        Ok((memory, page))
    }

    fn by_id(&self, mut memory: Memory, PostId(id): &PostId) -> Result<(Memory, Lookup), SourceError> {
        let (names, _) = self.list(&mut memory)?;
        // A name that is listed leads nowhere else.
        let found = names.get(id).and_then(|name| self.read(name, memory.position(name)?));
        let lookup = match found {
            Some(Ok(post)) => Lookup::Post(Box::new(post)),
            Some(Err(unreadable)) => Lookup::Unreadable(unreadable),
            None => Lookup::Gone(format!("there is no file {:?} in {}", id, self.place.path().display())),
        };
        Ok((memory, lookup))
    }
}

/// The names of the messages in a folder, in their order.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, PlaceError> {
    let failed = |error| PlaceError::Io { path: folder.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_string();
        names.extend(name.into_iter().filter(|name| name.ends_with(JSON) && !name.starts_with('.')));
    }
    names.sort_unstable();
    Ok(names)
}
