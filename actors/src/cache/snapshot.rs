//! The cache on disk: one JSON object a line, written beside and moved into place, so that a crash in the middle leaves
//! the last whole one.

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
    kept::{Entry, Kept},
};

/// The first line: whose file this is and in which form.
const HEADER: &str = "{\"mynah\":\"cache\",\"version\":1}";

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    expires: Timestamp,
    text: Arc<MaskedText>,
}

/// Reads what was kept and has not expired. No file is an empty cache; a line that cannot be read is left out.
pub(super) fn load(file: &Path) -> io::Result<Vec<(Key, Entry)>> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let reader = match File::open(file) {
        Ok(opened) => BufReader::new(opened),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(told(error)),
    };
    let mut lines = reader.lines();
    if lines.next().transpose().map_err(told)?.as_deref() != Some(HEADER) {
        return Err(told(io::Error::new(io::ErrorKind::InvalidData, "it is no cache of this version")));
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

/// How many entries are a little: half a millisecond's worth.
const SLICE: usize = 128;

/// How long the processor is free for others.
const BREATH: Duration = Duration::from_micros(500);

/// Writes all of it, on a thread that may sleep: a little at a time, with the processor free for others in between, until
/// there is hurry.
pub(super) fn save(file: &Path, kept: &Kept, hurry: &AtomicBool) -> io::Result<()> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let beside = file.with_extension("new");
    let mut writer = BufWriter::new(File::create(&beside).map_err(told)?);
    writeln!(writer, "{HEADER}").map_err(told)?;
    for (number, (key, Entry { text, expires })) in kept.iter().enumerate() {
        if number % SLICE == SLICE - 1 && !hurry.load(Ordering::Relaxed) {
            #[expect(clippy::disallowed_methods, reason = "no arbiter's thread runs this")]
            std::thread::sleep(BREATH);
        }
        let line = Line { key: format!("{:032x}", u128::from_be_bytes(key.0)), expires, text };
        serde_json::to_writer(&mut writer, &line).map_err(io::Error::from).map_err(told)?;
        writer.write_all(b"\n").map_err(told)?;
    }
    writer.into_inner().map_err(io::IntoInnerError::into_error).map_err(told)?.sync_all().map_err(told)?;
    std::fs::rename(&beside, file).map_err(told)
}
