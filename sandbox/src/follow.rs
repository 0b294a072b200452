//! Follows a timeline file: the followed account posts appended lines at once. This polls the file's length a few
//! times a second, which works on every file system and needs no watcher.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{state::State, timeline::parse_lines};

const INTERVAL: Duration = Duration::from_millis(200);

/// A position in a growing file.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    offset: u64,
    /// The number of lines before the offset.
    lines: usize,
}

impl Follower {
    /// Follows the file from the end of `seen`, the part that was read already.
    pub(crate) fn after(path: PathBuf, seen: &str) -> Self {
        Self {
            path,
            offset: u64::try_from(seen.len()).unwrap_or(u64::MAX),
            lines: seen.matches('\n').count(),
        }
    }

    /// Posts appended lines, forever.
    pub(crate) async fn run(mut self, state: Arc<State>) {
        loop {
            actix_rt::time::sleep(INTERVAL).await;
            if let Err(error) = self.step(&state) {
                log::warn!("cannot follow {}: {error}", self.path.display());
            }
        }
    }

    fn step(&mut self, state: &State) -> io::Result<()> {
        let length = std::fs::metadata(&self.path)?.len();
        if length < self.offset {
            log::warn!("{} became shorter; only lines appended from now on are posted", self.path.display());
            self.offset = length;
        }
        if length == self.offset {
            return Ok(());
        }
        let appended = read_from(&self.path, self.offset)?;
        // A line without a line break is still being written.
        let Some(end) = appended.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let complete = &appended[..=end];
        for line in String::from_utf8_lossy(complete).lines() {
            self.lines += 1;
            match parse_lines(&self.path, line, self.lines) {
                Ok(posts) => {
                    for post in posts {
                        state.add_post(post);
                    }
                }
                Err(error) => log::warn!("{error}"),
            }
        }
        self.offset += u64::try_from(complete.len()).unwrap_or(0);
        Ok(())
    }
}

fn read_from(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut appended = Vec::new();
    file.read_to_end(&mut appended)?;
    Ok(appended)
}
