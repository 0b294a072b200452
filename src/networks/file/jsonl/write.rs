//! Appends messages to a JSONL file. A message is durable before its id is returned, and a message that is published again
//! after a crash is found by its key. Whoever is killed in the middle of a line leaves a torn line, which is cut off or
//! completed before the next is written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    ops::ControlFlow,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use mynah_domain::{
    PublicationKey,
    ports::{PublishError, Shown, Since},
};

use super::{
    super::{
        destination::{Writer, check_writable, lock, moment, outcome_unknown, replies_to_nothing, shown},
        place::{self, Place, PlaceError},
        record::{MOST_BYTES, Record},
    },
    backward::Backward,
    log::{Log, Segment, siblings},
    read::visit,
};

/// How a line of Mynah begins.
const BEGINNING: &[u8] = b"{\"id\":\"";

/// How long before a moment, in milliseconds, nothing with a key of that moment can have been written. Clocks are
/// adjusted by less.
const ADJUSTED: u64 = 1000;

/// How often the file is opened again because it was rotated at the same moment.
const REOPENED: u32 = 10;

/// How often the size of the file is remembered, in milliseconds.
const MARK_INTERVAL: u64 = 5000;

/// How many sizes are remembered.
const MOST_MARKS: usize = 8;

/// The most messages of the account that are listed.
const MOST_SHOWN: usize = 10_000;

/// A JSONL file as a destination.
#[derive(Debug)]
pub(in super::super) struct JsonlWriter {
    place: Place,
    written: Mutex<Written>,
}

/// What this process has written. It spares the search of a large file for a key that is newer than most of its lines.
/// After any failure it is empty, because then a line may be there that this process does not know of.
#[derive(Debug, Default)]
struct Written {
    inode: u64,
    size: u64,
    /// How large the file was at some moments, in milliseconds since 1970; the newest is last.
    marks: Vec<(u64, u64)>,
}

impl Written {
    /// Where the lines begin that may have a key of this moment.
    fn search_from(&self, inode: u64, size: u64, moment: u64) -> u64 {
        if self.inode != inode || self.size > size {
            return 0;
        }
        let before = |(at, _): &&(u64, u64)| at + ADJUSTED < moment;
        self.marks.iter().rev().find(before).map_or(0, |(_, size)| *size)
    }

    fn after(self, inode: u64, size: u64, now: u64) -> Self {
        let mut marks = if self.inode == inode && self.size <= size { self.marks } else { Vec::new() };
        if marks.last().is_none_or(|(at, _)| at + MARK_INTERVAL < now || now < *at) {
            marks.push((now, size));
        }
        if marks.len() > MOST_MARKS {
            marks.remove(0);
        }
        Self { inode, size, marks }
    }
}

/// The account's file, which no other process writes now.
struct Locked {
    path: PathBuf,
    file: File,
    inode: u64,
}

impl JsonlWriter {
    pub(in super::super) fn new(place: Place) -> Self {
        Self { place, written: Mutex::default() }
    }

    fn path(&self) -> Result<PathBuf, PlaceError> {
        match self.place.find() {
            Err(PlaceError::Missing(path)) => Ok(path),
            found => found,
        }
    }

    fn locked(&self) -> Result<Locked, PlaceError> {
        let mut path = self.path()?;
        for _ in 0..REOPENED {
            let failed = |error| PlaceError::Io { path: path.clone(), error };
            let is_new = !path.exists();
            let file = place::open_with(OpenOptions::new().read(true).append(true).create(true), &path)?;
            lock(&file, &path)?;
            let inode = file.metadata().map_err(failed)?.ino();
            // Somebody may have rotated the file before it was locked.
            if fs::metadata(&path).is_ok_and(|found| found.ino() == inode) {
                if is_new {
                    place::sync(&self.place.root()?)?;
                }
                return Ok(Locked { path, file, inode });
            }
            path = self.path()?;
        }
        let error = io::Error::other("it is replaced again and again");
        Err(PlaceError::Io { path, error })
    }

    /// Whether one of the files that were rotated since some moment has these bytes.
    fn is_in_rotated(&self, path: &Path, bytes: &[u8], since: u64) -> Result<bool, PlaceError> {
        for path in siblings(&self.place, path)?.into_iter().rev() {
            let Ok(file) = place::open(&path) else { continue };
            let has_it = || {
                let found = file.metadata()?;
                let modified = found.mtime().saturating_add(1).saturating_mul(1000);
                let is_newer = u64::try_from(modified).unwrap_or_default() + ADJUSTED >= since;
                Ok(is_newer && Backward::new(&file).last(bytes, 0..found.len())?.is_some())
            };
            if has_it().map_err(|error| PlaceError::Io { path: path.clone(), error })? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Locked {
    fn failed(&self, error: io::Error) -> PlaceError {
        PlaceError::Io { path: self.path.clone(), error }
    }

    /// Ends a last line that its writer did not finish. Returns the size of the file.
    fn repair(&self) -> io::Result<u64> {
        let size = self.file.metadata()?.len();
        let mut reader = Backward::new(&self.file);
        if size == 0 || reader.bytes(size - 1..size)? == b"\n" {
            return Ok(size);
        }
        let start = reader.after_last_break(0..size)?.unwrap_or_default();
        let torn = reader.bytes(start..size.min(start + MOST_BYTES as u64))?;
        let is_ours = torn.starts_with(BEGINNING) || BEGINNING.starts_with(&torn);
        if is_ours && Record::from_json(&torn).is_err() {
            self.file.set_len(start)?;
            return Ok(start);
        }
        // A whole line, or one that somebody else wrote.
        (&self.file).write_all(b"\n")?;
        Ok(size + 1)
    }

    fn has(&self, bytes: &[u8], from: u64, size: u64) -> Result<bool, PlaceError> {
        let found = Backward::new(&self.file).last(bytes, from..size);
        Ok(found.map_err(|error| self.failed(error))?.is_some())
    }

    /// Writes a line behind `size` bytes, or nothing.
    fn append(&self, line: &[u8], size: u64) -> Result<(), PublishError> {
        append(&self.file, line, size, |mut file, line| file.write_all(line)).map_err(|failure| match failure
        {
            Failure::Nothing(error) => self.failed(error).into(),
            Failure::Unknown(error) => outcome_unknown(&self.failed(error)),
        })
    }
}

/// Why a line is not certainly in the file.
enum Failure {
    /// It is not.
    Nothing(io::Error),
    /// A part of it is, or all.
    Unknown(io::Error),
}

fn append(
    file: &File,
    line: &[u8],
    size: u64,
    write: impl FnOnce(&File, &[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    if let Err(error) = write(file, line) {
        // A full disk takes the first part of a line.
        return match file.set_len(size) {
            Ok(()) => Err(Failure::Nothing(error)),
            Err(_) => Err(Failure::Unknown(error)),
        };
    }
    file.sync_data().map_err(Failure::Unknown)
}

/// The bytes by which a line of Mynah is found.
fn needle(id: &str) -> Vec<u8> {
    format!("{{\"id\":\"{id}\"").into_bytes()
}

impl Writer for JsonlWriter {
    fn place(&self) -> &Place {
        &self.place
    }

    fn check(&self) -> Result<(), PlaceError> {
        let path = self.path()?;
        if path.exists() {
            return place::open_with(OpenOptions::new().read(true).append(true), &path).map(drop);
        }
        check_writable(&self.place.root()?)
    }

    fn publish(&self, key: PublicationKey, mut record: Record) -> Result<String, PublishError> {
        // A thread that panicked left nothing known.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let known = std::mem::take(&mut *written);
        let file = self.locked()?;
        let id = key.to_string();
        let line = needle(&id);
        let size = file.repair().map_err(|error| file.failed(error))?;
        let made_at = moment(key);
        let from = known.search_from(file.inode, size, made_at);
        let is_there =
            file.has(&line, from, size)? || (from == 0 && self.is_in_rotated(&file.path, &line, made_at)?);
        if is_there {
            file.file.sync_data().map_err(|error| outcome_unknown(&file.failed(error)))?;
            return Ok(id);
        }
        if let Some(parent) = &record.reply_to {
            let parent_line = needle(parent);
            if !file.has(&parent_line, 0, size)? && !self.is_in_rotated(&file.path, &parent_line, 0)? {
                return Err(replies_to_nothing(parent, &self.place));
            }
        }
        let now = record.created_at.map_or(0, |now| u64::try_from(now.as_millisecond()).unwrap_or_default());
        record.id = Some(id.clone());
        let mut line =
            serde_json::to_vec(&record).map_err(|error| PublishError::Refused(error.to_string()))?;
        line.push(b'\n');
        file.append(&line, size)?;
        *written = known.after(file.inode, size + line.len() as u64, now);
        Ok(id)
    }

    fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let path = self.path()?;
        let file = match place::open(&path) {
            Ok(file) => file,
            Err(PlaceError::Missing(_)) => return Ok(Shown::default()),
            Err(error) => return Err(error.into()),
        };
        let failed = |error| PlaceError::Io { path: path.clone(), error };
        let log = Log { segments: vec![Segment::of(file).map_err(failed)?], is_torn: false };
        let mut found = Shown::default();
        let is_complete = visit(&log, None, None, |line| match line.post {
            _ if found.messages.len() == MOST_SHOWN => {
                found.gap = Some(format!("more than {MOST_SHOWN} messages have been written since"));
                ControlFlow::Break(())
            }
            Ok(post) if is_before(&line.id, post.created_at, since) => ControlFlow::Break(()),
            Ok(post) => {
                found.messages.push(shown(post));
                ControlFlow::Continue(())
            }
            Err(unreadable) => {
                found.gap = Some(unreadable.reason);
                ControlFlow::Continue(())
            }
        });
        if !is_complete.map_err(failed)? && !siblings(&self.place, &path)?.is_empty() {
            found.gap.get_or_insert_with(|| format!("{} was rotated since", path.display()));
        }
        Ok(found)
    }

    fn is_of(&self, id: &str, key: PublicationKey) -> bool {
        id == key.to_string()
    }
}

/// Whether a message is the one since which messages are asked for, or was written before that moment.
fn is_before(id: &str, created_at: jiff::Timestamp, since: &Since) -> bool {
    match since {
        Since::Message(message) => message.0 == id,
        Since::Moment(moment) => created_at < *moment,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    struct Town {
        folder: tempfile::TempDir,
        writer: JsonlWriter,
    }

    impl Town {
        fn with(content: impl AsRef<[u8]>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let writer = JsonlWriter::new(Place::new(folder.path(), "town.jsonl"));
            fs::write(folder.path().join("town.jsonl"), content).unwrap();
            Self { folder, writer }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("town.jsonl")
        }

        fn content(&self) -> String {
            String::from_utf8_lossy(&fs::read(self.path()).unwrap()).into_owned()
        }

        /// Another process.
        fn restart(&mut self) {
            self.writer = JsonlWriter::new(Place::new(self.folder.path(), "town.jsonl"));
        }
    }

    fn key() -> PublicationKey {
        PublicationKey::new(Timestamp::now())
    }

    fn record(text: &str) -> Record {
        Record { text: Some(text.into()), created_at: Some(Timestamp::now()), ..Record::default() }
    }

    #[test]
    fn a_torn_line_of_mynah_is_cut_off_wherever_it_is_torn() {
        let whole = "{\"id\":\"1\",\"text\":\"é\"}\n";
        let line = "{\"id\":\"0123456789abcdef0123456789abcdef\",\"text\":\"Hola é\"}".as_bytes();
        for torn in 1..line.len() {
            let town = Town::with([whole.as_bytes(), &line[..torn]].concat());
            town.writer.publish(key(), record("next")).unwrap();
            let content = town.content();
            let lines: Vec<&str> = content.lines().collect();
            assert_eq!((lines.len(), lines[0]), (2, whole.trim_end()), "{torn}: {content}");
            assert!(lines[1].contains("next") && content.ends_with('\n'), "{torn}: {content}");
        }
    }

    #[test]
    fn a_whole_line_without_its_break_is_completed_and_recognized() {
        let mut town = Town::with("");
        let key = key();
        town.writer.publish(key, record("Hola")).unwrap();
        let content = town.content();
        fs::write(town.path(), content.trim_end()).unwrap();
        town.restart();
        town.writer.publish(key, record("Hola")).unwrap();
        assert_eq!(town.content(), content);
    }

    #[test]
    fn the_last_line_of_somebody_else_is_never_cut_off() {
        for theirs in ["{\"text\":\"a\"}", "notes of mine", "{\"text\":\"a"] {
            let town = Town::with(theirs);
            town.writer.publish(key(), record("next")).unwrap();
            let content = town.content();
            assert_eq!(content.lines().next(), Some(theirs), "{content}");
            assert_eq!(content.lines().count(), 2, "{content}");
        }
    }

    #[test]
    fn a_repeat_is_recognized_after_a_restart_a_rotation_and_among_many_lines() {
        let mut town = Town::with("");
        let keys: Vec<_> = (0..100).map(|_| key()).collect();
        for key in &keys {
            town.writer.publish(*key, record("Hola")).unwrap();
        }
        for is_rotated in [false, true] {
            if is_rotated {
                fs::rename(town.path(), town.folder.path().join("town.jsonl.1")).unwrap();
            }
            town.restart();
            for key in &keys {
                assert_eq!(town.writer.publish(*key, record("Hola")).unwrap(), key.to_string());
            }
            assert_eq!(town.content().lines().count(), if is_rotated { 0 } else { 100 });
        }
        let reply = Record { reply_to: Some(keys[3].to_string()), ..record("Segundo") };
        town.writer.publish(key(), reply).unwrap();
        assert_eq!(town.content().lines().count(), 1);
    }

    #[test]
    fn a_key_in_a_text_is_no_message_with_that_key() {
        let town = Town::with("");
        let key = key();
        town.writer.publish(self::key(), record(&format!("{{\"id\":\"{key}\""))).unwrap();
        town.writer.publish(key, record("Hola")).unwrap();
        assert_eq!(town.content().lines().count(), 2);
    }

    #[test]
    fn only_lines_that_may_have_a_new_key_are_searched() {
        let mut written = Written::default();
        for second in 0..100 {
            written = written.after(7, second * 10, second * 1000);
        }
        assert_eq!(written.search_from(7, 990, 99_000), 960);
        assert_eq!(written.search_from(7, 990, 96_000), 900, "within the adjustment of clocks");
        assert_eq!(written.search_from(7, 990, 1000), 0, "an old key may be anywhere");
        assert_eq!(written.search_from(8, 990, 99_000), 0, "another file");
        assert_eq!(written.search_from(7, 980, 99_000), 0, "truncated");
    }

    #[test]
    fn a_file_that_another_process_writes_is_refused_with_the_reason_until_it_is_free() {
        let town = Town::with("");
        let other = File::open(town.path()).unwrap();
        other.try_lock().unwrap();
        let key = key();
        match town.writer.publish(key, record("Hola")) {
            Err(PublishError::Unavailable(why)) => {
                assert!(why.contains("another process is writing it"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        drop(other);
        town.writer.publish(key, record("Hola")).unwrap();
        assert_eq!(town.content().lines().count(), 1);
    }

    #[test]
    fn a_line_that_could_not_be_written_whole_leaves_nothing() {
        let town = Town::with("{}\n");
        let file = OpenOptions::new().read(true).append(true).open(town.path()).unwrap();
        let failed = append(&file, b"{\"id\":\"1\"}\n", 3, |mut file, line| {
            file.write_all(&line[..5])?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(Failure::Nothing(_))));
        assert_eq!(town.content(), "{}\n");
    }
}
