//! Measurements must outlive the service, so that `mynah performance` works without it. This module stores them beside
//! the ledger: one JSON object a line, the newest last, a bounded number of lines and bytes.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::control::wire::Stats;

/// The file in the data directory.
const FILE: &str = "metrics.jsonl";

/// How many lines remain after a cut: a day at one every 30 seconds. The file is cut when it has twice as many.
const MAX_LINES: usize = 2880;

/// How large the file may get: many accounts and engines make long lines. It is cut to half of that.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Writes measurements.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    lines: usize,
    bytes: u64,
}

impl History {
    /// Opens the history in a data directory; it may not exist yet.
    pub fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        Self { path, lines: text.lines().count(), bytes: text.len() as u64 }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The file cannot be written. The service continues without a history: Mynah does not promise one.
    pub fn add(&mut self, stats: &Stats) -> io::Result<()> {
        let mut line = serde_json::to_string(stats)?;
        line.push('\n');
        fs::OpenOptions::new().create(true).append(true).open(&self.path)?.write_all(line.as_bytes())?;
        self.lines += 1;
        self.bytes += line.len() as u64;
        if self.lines >= 2 * MAX_LINES || self.bytes > MAX_BYTES { self.cut() } else { Ok(()) }
    }

    /// Keeps only the newest lines. Replaces the file atomically, because a command may read it at any moment.
    fn cut(&mut self) -> io::Result<()> {
        let text = fs::read_to_string(&self.path)?;
        let lines: Vec<&str> = text.lines().collect();
        let mut room = usize::try_from(MAX_BYTES / 2).unwrap_or(usize::MAX);
        let fitting = lines.iter().rev().take(MAX_LINES).take_while(|line| {
            let fits = line.len() < room;
            room = room.saturating_sub(line.len() + 1);
            fits
        });
        let newest = &lines[lines.len() - fitting.count()..];
        let new = self.path.with_extension("new");
        let text = newest.join("\n") + "\n";
        fs::write(&new, &text)?;
        fs::rename(&new, &self.path)?;
        (self.lines, self.bytes) = (newest.len(), text.len() as u64);
        Ok(())
    }
}

/// Up to `most` of the latest measurements, the newest last. Skips a line that a crash cut off.
pub fn last(data_dir: &Path, most: usize) -> Vec<Stats> {
    let text = fs::read_to_string(data_dir.join(FILE)).unwrap_or_default();
    let mut stats: Vec<Stats> =
        text.lines().rev().filter_map(|line| serde_json::from_str(line).ok()).take(most).collect();
    stats.reverse();
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_do_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(folder.path());
        let long = |number: u64| Stats {
            counts: [("n".to_owned(), number)].into(),
            degraded: vec!["x".repeat(3_000_000)],
            ..Stats::default()
        };
        for number in 0..40 {
            history.add(&long(number)).unwrap();
            assert!(fs::metadata(folder.path().join(FILE)).unwrap().len() <= MAX_BYTES);
        }
        let last = last(folder.path(), 100);
        assert!(last.len() >= 5 && last.last().unwrap().counts["n"] == 39, "{}", last.len());
    }

    #[test]
    fn the_history_is_bounded_and_survives_a_cut_off_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(folder.path());
        let stats = |count: u64| Stats { counts: [("n".to_owned(), count)].into(), ..Stats::default() };
        for count in 0..2 * MAX_LINES as u64 {
            history.add(&stats(count)).unwrap();
        }
        assert_eq!(last(folder.path(), 10_000).len(), MAX_LINES);
        let file = folder.path().join(FILE);
        fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"at\":").unwrap();
        let last = last(folder.path(), 1);
        assert_eq!(last[0].counts["n"], 2 * MAX_LINES as u64 - 1);
    }
}
