//! The cache's file: one JSON object per line. It is written to a temporary file and renamed, so that after a crash
//! during a write the last complete snapshot is still there.

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
    store::{Entry, Store},
};

/// The first line: identifies the file and its format.
const HEADER: &str = "{\"mynah\":\"cache\",\"version\":1}";

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    expires: Timestamp,
    text: Arc<MaskedText>,
}

/// Loads the entries that have not expired. A missing file is an empty cache; an unreadable line is skipped.
pub(super) fn load(file: &Path) -> io::Result<Vec<(Key, Entry)>> {
    let in_file = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let reader = match File::open(file) {
        Ok(opened) => BufReader::new(opened),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(in_file(error)),
    };
    let mut lines = reader.lines();
    if lines.next().transpose().map_err(in_file)?.as_deref() != Some(HEADER) {
        return Err(in_file(io::Error::new(io::ErrorKind::InvalidData, "not a cache file of this version")));
    }
    let now = Timestamp::now();
    let entries = lines
        .map_while(Result::ok)
        .filter_map(|line| {
            let Line { key, expires, text } = serde_json::from_str(&line).ok()?;
            let key = Key(u128::from_str_radix(&key, 16).ok()?.to_be_bytes());
            (expires > now).then_some((key, Entry { text, expires }))
        })
        .collect();
    Ok(entries)
}

/// How many entries are written at once: about half a millisecond's worth.
const SLICE: usize = 128;

/// How long to sleep between slices, to leave the processor to others.
const BREATH: Duration = Duration::from_micros(500);

/// Writes all entries, on a thread that may sleep. Sleeps between slices to leave the processor to others, until
/// `hurry` is set.
pub(super) fn save(file: &Path, store: &Store, hurry: &AtomicBool) -> io::Result<()> {
    let in_file = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let beside = file.with_extension("new");
    let mut writer = BufWriter::new(File::create(&beside).map_err(in_file)?);
    writeln!(writer, "{HEADER}").map_err(in_file)?;
    for (number, (key, Entry { text, expires })) in store.iter().enumerate() {
        if number % SLICE == SLICE - 1 && !hurry.load(Ordering::Relaxed) {
            #[expect(clippy::disallowed_methods, reason = "this does not run on an arbiter's thread")]
            std::thread::sleep(BREATH);
        }
        let line = Line { key: format!("{:032x}", u128::from_be_bytes(key.0)), expires, text };
        serde_json::to_writer(&mut writer, &line).map_err(io::Error::from).map_err(in_file)?;
        writer.write_all(b"\n").map_err(in_file)?;
    }
    writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)
        .map_err(in_file)?
        .sync_all()
        .map_err(in_file)?;
    std::fs::rename(&beside, file).map_err(in_file)
}
