//! Reads a file from its end, so that the newest lines of a large archive cost as little as those of a small one.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt as _};

/// How many bytes are read at once. Most lines are much shorter.
const WINDOW: u64 = 64 * 1024;

/// A file that is read from its end. One piece of it is in memory.
#[derive(Debug)]
pub(super) struct Backward<'a> {
    file: &'a File,
    window: Vec<u8>,
    /// Where the window begins in the file.
    start: u64,
}

impl<'a> Backward<'a> {
    pub(super) fn new(file: &'a File) -> Self {
        Self { file, window: Vec::new(), start: 0 }
    }

    /// Where the line behind the last line break in this part of the file begins.
    pub(super) fn after_last_break(&mut self, part: Range<u64>) -> io::Result<Option<u64>> {
        let mut end = part.end;
        while end > part.start {
            self.show_before(end, 1)?;
            let shown = &self.window[..length(end - self.start)];
            if let Some(at) = memchr::memrchr(b'\n', shown) {
                let found = self.start + at as u64 + 1;
                return Ok((found > part.start).then_some(found));
            }
            end = self.start;
        }
        Ok(None)
    }

    /// Where the last bytes like these begin in this part of the file.
    pub(super) fn last(&mut self, bytes: &[u8], part: Range<u64>) -> io::Result<Option<u64>> {
        let overlap = bytes.len().saturating_sub(1) as u64;
        let mut end = part.end;
        while end > part.start {
            self.show_before(end, bytes.len() as u64)?;
            let from = length(part.start.saturating_sub(self.start));
            let shown = &self.window[from..length(end - self.start)];
            if let Some(at) = memchr::memmem::rfind(shown, bytes) {
                return Ok(Some(self.start + (from + at) as u64));
            }
            if self.start <= part.start {
                break;
            }
            // They may lie across the beginning of this window.
            end = (self.start + overlap).min(end - 1);
        }
        Ok(None)
    }

    /// The bytes of a part of the file.
    pub(super) fn bytes(&self, part: Range<u64>) -> io::Result<Vec<u8>> {
        let shown = self.start..self.start + self.window.len() as u64;
        if part.start >= shown.start && part.end <= shown.end {
            let (from, to) = (length(part.start - shown.start), length(part.end - shown.start));
            return Ok(self.window[from..to].to_vec());
        }
        let mut bytes = vec![0; length(part.end.saturating_sub(part.start))];
        self.file.read_exact_at(&mut bytes, part.start)?;
        Ok(bytes)
    }

    /// Moves the window to the bytes before `end`, unless it has the last `least` of them.
    fn show_before(&mut self, end: u64, least: u64) -> io::Result<()> {
        let is_enough = self.start <= end.saturating_sub(least);
        if is_enough && end <= self.start + self.window.len() as u64 {
            return Ok(());
        }
        let start = end.saturating_sub(WINDOW);
        self.window.resize(length(end - start), 0);
        self.start = start;
        self.file.read_exact_at(&mut self.window, start).inspect_err(|_| self.window.clear())
    }
}

/// A length in memory. What is in memory fits into it.
fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn lines_are_found_from_the_end_whatever_their_length() {
        let long = "x".repeat(3 * 64 * 1024);
        let content = format!("a\n\n{long}\nbc\n");
        let file = file(content.as_bytes());
        let mut reader = Backward::new(&file);
        let mut end = content.len() as u64;
        let mut lines = Vec::new();
        while end > 0 {
            let start = reader.after_last_break(0..end - 1).unwrap().unwrap_or(0);
            lines.push(String::from_utf8(reader.bytes(start..end - 1).unwrap()).unwrap());
            end = start;
        }
        assert_eq!(lines, ["bc", &long, "", "a"]);
        assert_eq!(reader.after_last_break(0..1).unwrap(), None);
        assert_eq!(reader.after_last_break(0..0).unwrap(), None);
    }

    #[test]
    fn bytes_are_found_in_every_place_and_only_in_the_part() {
        for before in [0, 1, 64 * 1024 - 3, 64 * 1024, 64 * 1024 + 1, 200_000] {
            for after in [0, 1, 64 * 1024 - 3, 100_000] {
                let content = [vec![b'.'; before], b"needle".to_vec(), vec![b'.'; after]].concat();
                let file = file(&content);
                let end = content.len() as u64;
                let found = Backward::new(&file).last(b"needle", 0..end).unwrap();
                assert_eq!(found, Some(before as u64), "{before} {after}");
                let behind = before as u64 + 1..end;
                assert_eq!(Backward::new(&file).last(b"needle", behind).unwrap(), None, "{before} {after}");
            }
        }
        let file = file(b"needle needle");
        assert_eq!(Backward::new(&file).last(b"needle", 0..13).unwrap(), Some(7));
        assert_eq!(Backward::new(&file).last(b"needle", 0..12).unwrap(), Some(0));
    }

    #[test]
    fn a_file_that_was_truncated_meanwhile_is_an_error() {
        let file = file(b"a\nb\n");
        assert!(Backward::new(&file).after_last_break(0..100).is_err());
        assert!(Backward::new(&file).bytes(0..100).is_err());
    }
}
