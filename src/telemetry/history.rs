//! What was measured, kept beside the ledger so that it outlives the service: one JSON object a line, the newest last,
//! never more than a bounded number of them.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::control::wire::Stats;

/// The file in the data directory.
const FILE: &str = "metrics.jsonl";

/// The most lines that are kept: a day at one in thirty seconds. Twice as many may stand there before they are cut.
const MOST: usize = 2880;

/// Writes what is measured.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    lines: usize,
}

impl History {
    /// The history in a data directory, as far as there is one.
    pub fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let lines = fs::read_to_string(&path).map_or(0, |text| text.lines().count());
        Self { path, lines }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// Where the file cannot be written. The service goes on without: it is no part of what is promised.
    pub fn add(&mut self, stats: &Stats) -> io::Result<()> {
        let mut line = serde_json::to_string(stats)?;
        line.push('\n');
        fs::OpenOptions::new().create(true).append(true).open(&self.path)?.write_all(line.as_bytes())?;
        self.lines += 1;
        if self.lines >= 2 * MOST { self.cut() } else { Ok(()) }
    }

    /// Leaves the newest; whole or not at all, as a command may look at any moment.
    fn cut(&mut self) -> io::Result<()> {
        let text = fs::read_to_string(&self.path)?;
        let lines: Vec<&str> = text.lines().collect();
        let newest = &lines[lines.len().saturating_sub(MOST)..];
        let new = self.path.with_extension("new");
        fs::write(&new, newest.join("\n") + "\n")?;
        fs::rename(&new, &self.path)?;
        self.lines = newest.len();
        Ok(())
    }
}

/// What was measured last, the newest last, at most so many; nothing where nobody measured. A line that a crash cut off
/// is left out.
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
    fn it_is_bounded_and_survives_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(folder.path());
        let stats = |count: u64| Stats { counts: [("n".to_owned(), count)].into(), ..Stats::default() };
        for count in 0..2 * MOST as u64 {
            history.add(&stats(count)).unwrap();
        }
        assert_eq!(last(folder.path(), 10_000).len(), MOST);
        let file = folder.path().join(FILE);
        fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"at\":").unwrap();
        let last = last(folder.path(), 1);
        assert_eq!(last[0].counts["n"], 2 * MOST as u64 - 1);
    }
}
