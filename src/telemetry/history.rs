//! Measurements must outlive the service, so that `mynah performance` works without it. This module stores them beside
//! the ledger: one JSON object a line, the newest last, a bounded number of lines.

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

/// Writes measurements.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    lines: usize,
}

impl History {
    /// Opens the history in a data directory; it may not exist yet.
    pub fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let lines = fs::read_to_string(&path).map_or(0, |text| text.lines().count());
        Self { path, lines }
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
        if self.lines >= 2 * MAX_LINES { self.cut() } else { Ok(()) }
    }

    /// Keeps only the newest lines. Replaces the file atomically, because a command may read it at any moment.
    fn cut(&mut self) -> io::Result<()> {
        let text = fs::read_to_string(&self.path)?;
        let lines: Vec<&str> = text.lines().collect();
        let newest = &lines[lines.len().saturating_sub(MAX_LINES)..];
        let new = self.path.with_extension("new");
        fs::write(&new, newest.join("\n") + "\n")?;
        fs::rename(&new, &self.path)?;
        self.lines = newest.len();
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
