//! Pages of a JSONL file, newest line first. A page costs what is on it, however many lines the file has.

use std::{io, ops::ControlFlow};

use mynah_domain::{
    Post, PostId,
    ports::{Lookup, Page, PageRequest, SourceError, Unreadable},
};
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        hash::name_of,
        place::{Place, PlaceError},
        record::{self, MOST_BYTES, Record},
        source::{Form, known_account},
    },
    backward::Backward,
    log::{Log, Memory, Segment, line_at},
};

/// A JSONL file as a source.
#[derive(Debug, Clone)]
pub(in super::super) struct JsonlSource {
    pub(in super::super) place: Place,
}

/// A line that is not empty.
pub(super) struct Line {
    pub(super) id: String,
    position: u64,
    pub(super) post: Result<Post, Unreadable>,
}

impl Line {
    /// Reads a line. If it is longer than a message may be, `bytes` has its beginning.
    fn read(segment: &Segment, offset: u64, bytes: &[u8], is_whole: bool) -> Option<Self> {
        if bytes.iter().all(u8::is_ascii_whitespace) && is_whole {
            return None;
        }
        let position = segment.position(offset);
        let record = if is_whole { Record::from_json(bytes) } else { Err(record::too_long()) };
        let given = match &record {
            Ok(record) => record.id.clone(),
            Err(_) => record::id_of(bytes),
        };
        let id = given.unwrap_or_else(|| made_up_id(segment.salt, offset, bytes));
        let post = match record {
            Ok(record) => Ok(record.into_post(id.clone(), position, segment.modified)),
            Err(reason) => Err(record::unreadable(id.clone(), position, reason, bytes)),
        };
        Some(Self { id, position, post })
    }
}

/// The id of a line that has none: by what it is and where, so that a line that stays where it is has the same id even
/// in a copy of the file.
fn made_up_id(salt: u64, offset: u64, bytes: &[u8]) -> String {
    let hash =
        Sha256::new().chain_update(salt.to_be_bytes()).chain_update(offset.to_be_bytes()).chain_update(bytes);
    format!("line-{}", name_of(hash))
}

/// Visits the lines with positions below `before`, newest first, until told to stop. Returns whether it was.
pub(super) fn visit(
    log: &Log,
    before: Option<u64>,
    after: Option<u64>,
    mut see: impl FnMut(Line) -> ControlFlow<()>,
) -> io::Result<bool> {
    for segment in &log.segments {
        let mut reader = Backward::new(&segment.file);
        let mut end = before.map_or(segment.end, |before| segment.offset(before));
        while end > 0 {
            let start = reader.after_last_break(0..end - 1)?.unwrap_or_default();
            if after.is_some_and(|after| segment.position(start) <= after) {
                return Ok(false);
            }
            let is_whole = end - start <= MOST_BYTES as u64;
            let last = if is_whole { end - 1 } else { start + MOST_BYTES as u64 };
            let line = Line::read(segment, start, &reader.bytes(start..last)?, is_whole);
            end = start;
            if line.is_some_and(|line| see(line).is_break()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl JsonlSource {
    fn log(&self, memory: &mut Memory, after: Option<u64>) -> Result<Log, SourceError> {
        let is_known = memory.first.is_some();
        Log::open(&self.place, memory, after).map_err(|error| known_account(error, is_known))
    }

    fn failed(&self, error: io::Error) -> SourceError {
        PlaceError::Io { path: self.place.path(), error }.into()
    }

    /// The position of a post, if it is in the log.
    fn position(&self, memory: &Memory, log: &Log, id: &PostId) -> Result<Option<u64>, SourceError> {
        if let Some(position) = memory.position(&id.0) {
            return Ok(Some(position));
        }
        Ok(self.find(log, id)?.map(|line| line.position))
    }

    /// The newest line with this id.
    fn find(&self, log: &Log, id: &PostId) -> Result<Option<Line>, SourceError> {
        let mut found = None;
        let visited = visit(log, None, None, |line| {
            if line.id != id.0 {
                return ControlFlow::Continue(());
            }
            found = Some(line);
            ControlFlow::Break(())
        });
        visited.map_err(|error| self.failed(error))?;
        Ok(found)
    }

    /// The line with this id, if it is where it was.
    fn at_mark(&self, memory: &Memory, log: &Log, id: &PostId) -> Result<Option<Line>, SourceError> {
        let Some(position) = memory.position(&id.0) else { return Ok(None) };
        let segment = log.segments.iter().find(|segment| position > segment.base);
        let Some(segment) = segment else { return Ok(None) };
        let offset = segment.offset(position);
        let line = line_at(segment, offset, MOST_BYTES).map_err(|error| self.failed(error))?;
        let line = line.and_then(|(bytes, is_whole)| Line::read(segment, offset, &bytes, is_whole));
        Ok(line.filter(|line| line.id == id.0))
    }
}

impl Form for JsonlSource {
    type Memory = Memory;

    fn place(&self) -> &Place {
        &self.place
    }

    fn page(&self, mut memory: Memory, request: &PageRequest) -> Result<(Memory, Page), SourceError> {
        let marked = request.after.as_ref().and_then(|id| memory.position(&id.0));
        let log = self.log(&mut memory, marked)?;
        let after = match &request.after {
            None => None,
            // Whatever was there at the first read may be older than a post that is gone.
            Some(id) => Some(self.position(&memory, &log, id)?.or(memory.first).unwrap_or_default()),
        };
        let before = match (&request.continuation, &request.before) {
            (Some(token), _) => Some(token.parse().map_err(|_| {
                SourceError::Refused(format!("{token:?} is not the token of a page of a file"))
            })?),
            (None, Some(id)) => self.position(&memory, &log, id)?,
            (None, None) => None,
        };
        for (id, position) in [(&request.after, after), (&request.before, before)] {
            // Asked from again until the backfill is complete.
            if let (Some(id), Some(position), None) = (id, position, &request.continuation) {
                memory.mark(&id.0, position);
            }
        }
        let mut page = Page::default();
        if log.is_torn {
            page.oddities.push(format!(
                "{} was truncated or replaced: lines that Mynah had not read are missing unless it has them still",
                self.place.path().display()
            ));
        }
        let (limit, mut count) = (request.limit.max(1), 0);
        let lowest = log.segments.last().map(|segment| segment.position(0));
        let first = memory.first.unwrap_or_default();
        let visited = visit(&log, before, after, |line| {
            let position = line.position;
            count += 1;
            // A line that was written later is new, whatever its time.
            let is_early =
                |post: &Post| position <= first && request.from.is_some_and(|from| post.created_at < from);
            match line.post {
                Ok(post) if is_early(&post) => {}
                Ok(post) => page.posts.push(post),
                Err(unreadable) => page.unreadable.push(unreadable),
            }
            // The next line is not read to see whether there is one: it may be long.
            if count < limit || Some(position) == lowest {
                return ControlFlow::Continue(());
            }
            page.continuation = Some(position.to_string());
            ControlFlow::Break(())
        });
        visited.map_err(|error| self.failed(error))?;
        let shown = page.marks();
        let ends =
            [shown.iter().max_by_key(|mark| mark.position), shown.iter().min_by_key(|mark| mark.position)];
        let unreadable = page.unreadable.iter().filter_map(|post| post.mark.as_ref());
        let marks = ends.into_iter().flatten().map(|mark| (&mark.id, mark.position));
        for (PostId(id), position) in unreadable.map(|(id, position)| (id, *position)).chain(marks) {
            memory.mark(id, position);
        }
        Ok((memory, page))
    }

    fn by_id(&self, mut memory: Memory, id: &PostId) -> Result<(Memory, Lookup), SourceError> {
        let log = self.log(&mut memory, None)?;
        let line = match self.at_mark(&memory, &log, id)? {
            Some(line) => Some(line),
            None => self.find(&log, id)?,
        };
        let lookup = match line.map(|line| line.post) {
            Some(Ok(post)) => Lookup::Post(Box::new(post)),
            Some(Err(unreadable)) => Lookup::Unreadable(unreadable),
            None => Lookup::Gone(format!("{} has no line with this id", self.place.path().display())),
        };
        Ok((memory, lookup))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs::{self, OpenOptions},
        io::Write as _,
        path::PathBuf,
    };

    use proptest::prelude::*;

    use super::*;

    /// A followed file.
    struct Town {
        folder: tempfile::TempDir,
        memory: Memory,
        watermark: Option<PostId>,
    }

    impl Town {
        /// A file with these lines, all of which were read.
        fn with(lines: &str) -> Self {
            let mut town =
                Self { folder: tempfile::tempdir().unwrap(), memory: Memory::default(), watermark: None };
            town.append(lines);
            town.poll();
            town
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("town.jsonl")
        }

        fn append(&self, lines: &str) {
            let mut file = OpenOptions::new().create(true).append(true).open(self.path()).unwrap();
            file.write_all(lines.as_bytes()).unwrap();
        }

        fn rotate(&self, to: &str) {
            fs::rename(self.path(), self.folder.path().join(to)).unwrap();
        }

        fn source(&self) -> JsonlSource {
            JsonlSource { place: Place::new(self.folder.path(), "town.jsonl") }
        }

        fn page(&mut self, request: &PageRequest) -> Page {
            // As it comes back from the ledger.
            let memory = serde_json::from_str(&serde_json::to_string(&self.memory).unwrap()).unwrap();
            let (memory, page) = self.source().page(memory, request).unwrap();
            self.memory = memory;
            page
        }

        /// What is new, oldest first, as the poller reads it.
        fn poll(&mut self) -> Vec<String> {
            let mut request =
                PageRequest { after: self.watermark.clone(), limit: 2, ..PageRequest::default() };
            let (mut texts, mut marks) = (BTreeMap::new(), Vec::new());
            loop {
                let page = self.page(&request);
                marks.extend(page.marks());
                texts.extend(page.posts.into_iter().map(|post| (post.position, post.text)));
                let unreadable = page.unreadable.into_iter();
                texts.extend(unreadable.map(|post| (post.mark.unwrap().1, format!("? {}", post.raw))));
                request.continuation = page.continuation;
                if request.continuation.is_none() {
                    break;
                }
            }
            let newest = marks.into_iter().max_by_key(|mark| mark.position).map(|mark| mark.id);
            self.watermark = newest.or(self.watermark.take());
            texts.into_values().collect()
        }
    }

    fn line(text: &str) -> String {
        format!("{{\"text\":\"{text}\"}}\n")
    }

    fn lines(texts: &[&str]) -> String {
        texts.iter().map(|text| line(text)).collect()
    }

    #[test]
    fn only_new_lines_are_read_and_a_line_that_is_being_written_waits() {
        let mut town = Town::with(&lines(&["a", "b"]));
        assert!(town.poll().is_empty());
        town.append(&format!("{}{{\"text\":", lines(&["c", "d", "e"])));
        assert_eq!(town.poll(), ["c", "d", "e"]);
        assert!(town.poll().is_empty());
        town.append("\"f\"}");
        assert!(town.poll().is_empty());
        town.append("\n\n \n");
        assert_eq!(town.poll(), ["f"]);
    }

    #[test]
    fn a_poll_that_finds_nothing_changes_nothing_that_is_stored() {
        let mut town = Town::with(&lines(&["a", "b"]));
        town.poll();
        let before = town.memory.clone();
        town.append("{\"text\":");
        town.poll();
        assert_eq!(town.memory, before);
    }

    proptest! {
        #[test]
        fn every_line_of_any_bytes_is_read_once_and_in_order(
            lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..30),
            limit in 1_usize..8,
        ) {
            let content: Vec<u8> = lines.join(&b'\n');
            let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let expected = content[..whole].split(|byte| *byte == b'\n');
            let expected = expected.filter(|line| !line.iter().all(u8::is_ascii_whitespace)).count();
            let mut town = Town::with("");
            fs::write(town.path(), &content).unwrap();
            let mut request = PageRequest { limit, ..PageRequest::default() };
            let mut positions = Vec::new();
            loop {
                let page = town.page(&request);
                let mut shown: Vec<u64> = page.marks().into_iter().map(|mark| mark.position).collect();
                shown.sort_unstable_by(|one, other| other.cmp(one));
                prop_assert!(shown.len() <= limit);
                positions.extend(shown);
                request.continuation = page.continuation;
                if request.continuation.is_none() {
                    break;
                }
            }
            prop_assert_eq!(positions.len(), expected);
            prop_assert!(positions.windows(2).all(|two| two[0] > two[1]));
        }
    }

    #[test]
    fn equal_lines_are_different_messages_unless_they_have_the_same_id() {
        let mut town = Town::with("");
        town.append(&lines(&["Gol", "Gol", "Gol"]));
        let page = town.page(&PageRequest { limit: 10, ..PageRequest::default() });
        let mut ids: Vec<_> = page.posts.iter().map(|post| &post.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn a_repeated_id_does_not_hide_the_lines_before_it() {
        let mut town = Town::with("{\"id\":\"1\",\"text\":\"a\"}\n");
        town.append(&format!("{}{{\"id\":\"1\",\"text\":\"again\"}}\n", line("b")));
        assert_eq!(town.poll(), ["b", "again"]);
    }

    #[test]
    fn a_broken_line_is_unreadable_and_stops_no_other() {
        let long = format!("{{\"text\":\"{}\"}}", "x".repeat(MOST_BYTES));
        let mut town = Town::with("");
        town.append(&format!("{}garbage\n{long}\n{}", line("a"), line("b")));
        let texts = town.poll();
        assert_eq!((texts[0].as_str(), texts[1].as_str(), texts[3].as_str()), ("a", "? garbage", "b"));
        assert!(texts[2].len() < 20_000 && texts[2].starts_with("? {\"text\":\"xxx"));
        let page = town.page(&PageRequest { limit: 10, ..PageRequest::default() });
        for unreadable in page.unreadable {
            let id = unreadable.mark.clone().unwrap().0;
            let (_, found) = town.source().by_id(town.memory.clone(), &id).unwrap();
            assert_eq!(found, Lookup::Unreadable(unreadable));
        }
    }

    #[test]
    fn a_rotated_file_is_finished_before_the_new_one() {
        for (is_copied, name) in
            [(false, "town.jsonl.1"), (false, "town.jsonl-20261127"), (true, "town.jsonl.1")]
        {
            let mut town = Town::with(&lines(&["a", "b"]));
            town.append(&lines(&["c", "d", "e"]));
            if is_copied {
                fs::copy(town.path(), town.folder.path().join(name)).unwrap();
                fs::write(town.path(), "").unwrap();
            } else {
                town.rotate(name);
            }
            town.append(&lines(&["f", "g", "h"]));
            assert_eq!(town.poll(), ["c", "d", "e", "f", "g", "h"], "{name} {is_copied}");
            town.append(&line("i"));
            assert_eq!(town.poll(), ["i"]);
        }
    }

    #[test]
    fn a_new_file_with_the_same_lines_is_new_if_the_old_one_was_rotated() {
        let mut town = Town::with(&line("The shop is open"));
        town.rotate("town.jsonl.1");
        town.append(&line("The shop is open"));
        let before = town.watermark.clone();
        assert_eq!(town.poll(), ["The shop is open"]);
        assert_ne!(town.watermark, before, "it has an id of its own");
    }

    #[test]
    fn a_file_that_is_written_anew_with_the_same_beginning_continues() {
        let mut town = Town::with(&lines(&["a", "b"]));
        fs::write(town.folder.path().join("copy"), lines(&["a", "b", "c"])).unwrap();
        fs::rename(town.folder.path().join("copy"), town.path()).unwrap();
        assert_eq!(town.poll(), ["c"]);
    }

    #[test]
    fn a_truncated_or_edited_file_is_read_again_and_known_lines_have_the_same_ids() {
        let mut town = Town::with(&lines(&["a", "b", "c"]));
        let everything = PageRequest { limit: 10, ..PageRequest::default() };
        let before = town.page(&everything).posts;
        fs::write(town.path(), lines(&["a", "B", "d", "e"])).unwrap();
        let page = town.page(&PageRequest { after: town.watermark.clone(), ..everything.clone() });
        assert!(page.oddities[0].contains("truncated or replaced"), "{page:?}");
        let texts: Vec<_> = page.posts.iter().map(|post| post.text.as_str()).collect();
        assert_eq!(texts, ["e", "d", "B", "a"]);
        assert_eq!(page.posts[3].id, before[2].id);
        assert!(page.posts.iter().all(|post| post.position > before[0].position));
        assert!(town.page(&everything).oddities.is_empty(), "it is reported once");
    }

    #[test]
    fn an_interrupted_backfill_continues_behind_the_lines_that_it_has() {
        let mut town = Town::with(&line("old"));
        let texts: Vec<String> = (0..500).map(|number| format!("n{number}")).collect();
        town.append(&texts.iter().map(|text| line(text)).collect::<String>());
        let after = town.watermark.clone();
        let (mut before, mut found) = (None, Vec::new());
        loop {
            let page =
                town.page(&PageRequest { after: after.clone(), before, limit: 1, ..PageRequest::default() });
            let Some(post) = page.posts.into_iter().next() else { break };
            before = Some(post.id);
            found.push(post.text);
        }
        found.reverse();
        assert_eq!(found, texts);
    }

    #[test]
    fn the_end_of_a_large_file_is_read_without_the_rest() {
        let mut town = Town::with(&line("a"));
        // Sparse: reading all of it would take a while.
        let file = OpenOptions::new().write(true).open(town.path()).unwrap();
        file.set_len(1 << 40).unwrap();
        town.append(&format!("\n{}", lines(&["b", "c"])));
        let page = town.page(&PageRequest { limit: 2, ..PageRequest::default() });
        assert_eq!(page.posts.iter().map(|post| post.text.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    }

    #[test]
    fn a_file_that_is_gone_for_a_while_is_a_passing_error() {
        let mut town = Town::with(&line("a"));
        fs::remove_file(town.path()).unwrap();
        let gone = town.source().page(town.memory.clone(), &PageRequest::default()).unwrap_err();
        assert!(gone.is_passing() && gone.to_string().contains("town.jsonl"), "{gone}");
        let missing = town.source().page(Memory::default(), &PageRequest::default()).unwrap_err();
        assert!(!missing.is_passing());
        town.append(&line("b"));
        assert_eq!(town.poll(), ["b"]);
    }
}
