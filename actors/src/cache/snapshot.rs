//! The cache on disk: one JSON object a line, written beside the last file and moved into its place, so that a crash in the
//! middle leaves the last whole one.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use mynah_domain::text::MaskedText;
use serde::{Deserialize, Serialize};

use super::{
    Key,
    entries::{Entries, Entry},
};

/// The first line, which identifies the program and the format.
const HEADER: &str = "{\"mynah\":\"cache\",\"version\":1}";

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    expires: Timestamp,
    text: Arc<MaskedText>,
}

impl Line {
    fn of(key: Key, Entry { text, expires }: &Entry) -> Self {
        let key = format!("{:032x}", u128::from_be_bytes(key.0));
        Self { key, expires: *expires, text: text.clone() }
    }

    fn into_entry(self) -> Option<(Key, Entry)> {
        let key = Key(u128::from_str_radix(&self.key, 16).ok()?.to_be_bytes());
        Some((key, Entry { text: self.text, expires: self.expires }))
    }
}

/// An entry as a line, without the line break.
pub(super) fn line(key: Key, entry: &Entry) -> Option<Vec<u8>> {
    serde_json::to_vec(&Line::of(key, entry)).ok()
}

/// The entry of a line; `None` if it is not one.
pub(super) fn read_line(line: &[u8]) -> Option<(Key, Entry)> {
    serde_json::from_slice::<Line>(line).ok()?.into_entry()
}

/// What a file has.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The translations that have not expired.
    pub(super) entries: Vec<(Key, Entry)>,
    /// When the first of all translations in the file expires or expired, in milliseconds since 1970.
    pub(super) first_expiry: i64,
}

/// Reads a file. No file is an empty cache; a line that cannot be read is skipped.
pub(super) fn load(file: &Path) -> io::Result<Loaded> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let reader = match File::open(file) {
        Ok(opened) => BufReader::new(opened),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Loaded { entries: Vec::new(), first_expiry: i64::MAX });
        }
        Err(error) => return Err(named(error)),
    };
    let mut lines = reader.lines();
    if lines.next().transpose().map_err(named)?.as_deref() != Some(HEADER) {
        return Err(named(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not a cache file of this version",
        )));
    }
    let now = Timestamp::now();
    let mut first_expiry = i64::MAX;
    let entries: Vec<_> = lines
        .map_while(Result::ok)
        .filter_map(|line| {
            let (key, entry) = read_line(line.as_bytes())?;
            first_expiry = first_expiry.min(entry.expires.as_millisecond());
            (entry.expires > now).then_some((key, entry))
        })
        .collect();
    Ok(Loaded { entries, first_expiry })
}

/// How many entries are written at a stretch: half a millisecond's worth.
const SLICE: usize = 128;

/// How long to sleep between two slices.
const BREATH: Duration = Duration::from_micros(500);

/// Writes all entries, on a thread that may sleep: a few at a time, with the processor left to others in between, unless there
/// is a hurry. Returns when the first of them expires, in milliseconds since 1970.
pub(super) fn save(file: &Path, entries: &Entries, hurry: &AtomicBool) -> io::Result<i64> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let beside = file.with_extension("new");
    let mut writer = BufWriter::new(File::create(&beside).map_err(named)?);
    writeln!(writer, "{HEADER}").map_err(named)?;
    let mut first_expiry = i64::MAX;
    for (number, (key, entry)) in entries.iter().enumerate() {
        if number % SLICE == SLICE - 1 && !hurry.load(Ordering::Relaxed) {
            #[expect(clippy::disallowed_methods, reason = "no arbiter's thread runs this")]
            std::thread::sleep(BREATH);
        }
        first_expiry = first_expiry.min(entry.expires.as_millisecond());
        serde_json::to_writer(&mut writer, &Line::of(key, &entry)).map_err(io::Error::from).map_err(named)?;
        writer.write_all(b"\n").map_err(named)?;
    }
    writer.into_inner().map_err(io::IntoInnerError::into_error).map_err(named)?.sync_all().map_err(named)?;
    std::fs::rename(&beside, file).map_err(named)?;
    Ok(first_expiry)
}
