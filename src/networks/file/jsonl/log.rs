//! A JSONL file is a log that somebody may rotate, truncate or replace between two polls. What stood before the end of
//! the last poll shows which file it is: if it still ends in the same way, only what follows is new. Otherwise, all of
//! the file is new, and what the last poll had not read is in the rotated file, `town.jsonl.1` or whatever its name.
//!
//! A line's position is its offset behind all files before, so positions only grow.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        hash::name_of,
        place::{self, Place, PlaceError},
    },
    backward::Backward,
};

/// How many bytes before an end recognize it.
const ENDING: u64 = 1024;

/// How many files beside the log may be its rotated ones.
const MOST_SIBLINGS: usize = 100;

/// How many places are remembered: a page has at most 100 posts, each of which the poller may ask for again.
const MOST_MARKS: usize = 160;

/// What is known about the account's file. It is in the ledger before anybody sees a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Memory {
    /// The position of the last line at the first read; `None` before it.
    pub(super) first: Option<u64>,
    current: Generation,
    /// The file before, whose last lines may not be read yet.
    previous: Option<Generation>,
    /// The ids that the poller may ask from, and their positions.
    marks: Vec<(String, u64)>,
}

/// One file that had the account's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Generation {
    /// The position before its first line.
    base: u64,
    /// The end of its last whole line.
    end: u64,
    /// A hash of the bytes before the end.
    ending: String,
    inode: u64,
    /// Tells its lines apart from equal lines at the same place in a file before.
    salt: u64,
}

impl Generation {
    /// Whether a file begins with what this one has.
    fn is_begun_by(&self, file: &File) -> io::Result<bool> {
        Ok(file.metadata()?.len() >= self.end && ending(file, self.end)? == self.ending)
    }

    /// The position behind all of its lines.
    fn last(&self) -> u64 {
        self.base.saturating_add(self.end)
    }

    /// Moves the end to the last whole line of its file. What follows is still being written.
    fn extend(&mut self, file: &File) -> io::Result<()> {
        let size = file.metadata()?.len();
        if let Some(end) = Backward::new(file).after_last_break(self.end..size)? {
            self.end = end;
            self.ending = ending(file, end)?;
        }
        self.inode = file.metadata()?.ino();
        Ok(())
    }
}

fn ending(file: &File, end: u64) -> io::Result<String> {
    if end == 0 {
        return Ok(String::new());
    }
    let start = end.saturating_sub(ENDING);
    let bytes = Backward::new(file).bytes(start..end)?;
    Ok(name_of(Sha256::new_with_prefix(bytes)))
}

impl Memory {
    /// The position of an id that was asked from or shown not long ago.
    pub(super) fn position(&self, id: &str) -> Option<u64> {
        self.marks.iter().find(|(known, _)| known == id).map(|(_, position)| *position)
    }

    /// Remembers a position. The highest is never forgotten: the poller continues from it after a long backfill.
    pub(super) fn mark(&mut self, id: &str, position: u64) {
        self.marks.retain(|(known, _)| known != id);
        self.marks.push((id.to_owned(), position));
        if self.marks.len() > MOST_MARKS {
            let highest = self.marks.iter().map(|(_, position)| *position).max();
            let oldest = self.marks.iter().position(|(_, position)| Some(*position) != highest);
            self.marks.remove(oldest.unwrap_or_default());
        }
    }
}

/// A file of the log, opened.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) base: u64,
    /// The end of its last whole line.
    pub(super) end: u64,
    pub(super) salt: u64,
    pub(super) modified: Timestamp,
}

impl Segment {
    /// The whole lines of a file that nothing is known about.
    pub(super) fn of(file: File) -> io::Result<Self> {
        let mut generation = Generation::default();
        generation.extend(&file)?;
        Self::new(file, &generation)
    }

    fn new(file: File, generation: &Generation) -> io::Result<Self> {
        let modified = file.metadata()?.modified()?;
        Ok(Self {
            base: generation.base,
            end: generation.end,
            salt: generation.salt,
            modified: Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH),
            file,
        })
    }

    /// The position of the line that begins there.
    pub(super) fn position(&self, offset: u64) -> u64 {
        self.base.saturating_add(offset).saturating_add(1)
    }

    /// Where the line with this position begins; its end if the position is behind it, and its start if it is before.
    pub(super) fn offset(&self, position: u64) -> u64 {
        position.saturating_sub(self.base).saturating_sub(1).min(self.end)
    }
}

/// The account's lines.
#[derive(Debug)]
pub(super) struct Log {
    /// The newest first.
    pub(super) segments: Vec<Segment>,
    /// Whether the file was replaced, and what the last poll had not read of it may be lost.
    pub(super) is_torn: bool,
}

impl Log {
    /// Opens the account's file, and the one before if it has lines behind `after`. Updates what is known about them.
    pub(super) fn open(place: &Place, memory: &mut Memory, after: Option<u64>) -> Result<Self, PlaceError> {
        let path = place.find()?;
        let failed = |error| PlaceError::Io { path: path.clone(), error };
        let file = place::open(&path)?;
        let mut is_torn = memory.notice_rotation(place, &path, &file)?;
        memory.current.extend(&file).map_err(failed)?;
        memory.first.get_or_insert(memory.current.last());
        let mut segments = vec![Segment::new(file, &memory.current).map_err(failed)?];
        if let Some(previous) = &memory.previous
            && after.is_none_or(|after| after < previous.last())
        {
            match rotated(place, &path, previous)? {
                Some(file) => segments.push(Segment::new(file, previous).map_err(failed)?),
                None => is_torn = true,
            }
        }
        Ok(Self { segments, is_torn })
    }
}

impl Memory {
    /// Begins a new generation if another file has the name now. Returns whether lines may be lost.
    fn notice_rotation(&mut self, place: &Place, path: &Path, file: &File) -> Result<bool, PlaceError> {
        let failed = |error| PlaceError::Io { path: path.to_owned(), error };
        if self.first.is_none() {
            return Ok(false);
        }
        let inode = file.metadata().map_err(failed)?.ino();
        let is_begun = self.current.is_begun_by(file).map_err(failed)?;
        if is_begun && inode == self.current.inode {
            return Ok(false);
        }
        let old = rotated(place, path, &self.current)?;
        // A program that replaces a file, such as rsync, leaves no old one.
        if is_begun && old.is_none() {
            return Ok(false);
        }
        let mut previous = self.current.clone();
        if let Some(old) = &old {
            previous.extend(old).map_err(failed)?;
        }
        let base = previous.last();
        // Lines of a file that was edited keep their ids, so that most of them are known. A rotated file begins at its first line.
        let salt = if old.is_some() { base } else { previous.salt };
        self.current = Generation { base, inode, salt, ..Generation::default() };
        self.previous = old.is_some().then_some(previous);
        Ok(old.is_none())
    }
}

/// The files beside the account's that may be its rotated ones, by name.
pub(super) fn siblings(place: &Place, path: &Path) -> Result<Vec<PathBuf>, PlaceError> {
    let Some(folder) = path.parent() else { return Ok(Vec::new()) };
    let failed = |error| PlaceError::Io { path: folder.to_owned(), error };
    let names = fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.file_name());
    let is_sibling =
        |name: &str| name.strip_prefix(place.name()).is_some_and(|ending| ending.starts_with(['.', '-']));
    let names = names.filter_map(|name| name.into_string().ok()).filter(|name| is_sibling(name));
    let mut paths: Vec<PathBuf> = names.take(MOST_SIBLINGS).map(|name| folder.join(name)).collect();
    paths.sort();
    Ok(paths)
}

/// The file beside the account's that has become of this generation, if it can be found.
fn rotated(place: &Place, path: &Path, generation: &Generation) -> Result<Option<File>, PlaceError> {
    for path in siblings(place, path)? {
        // A sibling that cannot be read is not the one.
        let Ok(file) = place::open(&path) else { continue };
        let is_it = || {
            let inode = file.metadata()?.ino();
            // Of a file without lines, nothing but its inode is known.
            Ok((inode == generation.inode || generation.end > 0) && generation.is_begun_by(&file)?)
        };
        if is_it().map_err(|error| PlaceError::Io { path, error })? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Reads at most `most` bytes of the line that begins at `offset`, without its line break; `None` if none begins there.
pub(super) fn line_at(segment: &Segment, offset: u64, most: usize) -> io::Result<Option<(Vec<u8>, bool)>> {
    if offset >= segment.end {
        return Ok(None);
    }
    let mut before = [b'\n'];
    if offset > 0 {
        segment.file.read_exact_at(&mut before, offset - 1)?;
    }
    if before != [b'\n'] {
        return Ok(None);
    }
    let size = usize::try_from(segment.end - offset).unwrap_or(usize::MAX).min(most + 1);
    let mut bytes = vec![0; size];
    segment.file.read_exact_at(&mut bytes, offset)?;
    let end = memchr::memchr(b'\n', &bytes);
    bytes.truncate(end.unwrap_or(most));
    Ok(Some((bytes, end.is_some())))
}
