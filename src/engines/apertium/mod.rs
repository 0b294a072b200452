//! Apertium: translation by rules, on this machine, at no cost and within milliseconds. It is the engine that still
//! works when no other does.
//!
//! It is a dozen programs in a row for each pair of languages, made for documents rather than for posts.
//!
//! - [`pairs`] finds the pairs that are installed and the way between two languages; [`mode`] reads how each is run.
//! - [`chain`] runs them, and ends at the first misstep; [`workers`] starts the next one and shares them among arbiters.
//! - [`stream`] writes a line in Apertium's stream format and reads it back with the author's spaces.
//!
//! Lines are translated one by one: rules move words about, and not past the end of a line.

mod chain;
mod mode;
mod pairs;
mod stream;
mod workers;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use mynah_domain::{
    Language,
    ports::engine::{Engine, EngineError, Item, ItemError},
    text::{MaskedText, Segment, entities},
};

use chain::ChainError;
use pairs::Direction;
use stream::{Garbled, Line};
use workers::Workers;

/// How Apertium is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApertiumSettings {
    /// Where its packages put their modes: `/usr/share/apertium/modes`.
    pub modes_dir: PathBuf,
    /// How long one text may take before its pipeline is taken for dead.
    pub timeout: Duration,
}

impl Default for ApertiumSettings {
    fn default() -> Self {
        Self { modes_dir: "/usr/share/apertium/modes".into(), timeout: Duration::from_secs(10) }
    }
}

/// Apertium cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ApertiumError {
    /// The modes cannot be read.
    #[error(
        "cannot read Apertium's modes in {path}: {source}; install its packages (apt install apertium \
         apertium-eng-spa …), set engine.apertium.modes_dir, or take apertium out of engine.order"
    )]
    Modes {
        /// Where they were looked for.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Its thread does not start.
    #[error("cannot start the thread that runs Apertium: {0}")]
    Thread(io::Error),
}

/// The engine. A clone is a handle to the same pipelines and may go to another thread; they end with the last one.
#[derive(Debug, Clone)]
pub struct Apertium {
    workers: Workers,
    piecewise: Arc<AtomicU64>,
}

/// Why a line has no translation.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Garbled(#[from] Garbled),
}

impl Apertium {
    /// Finds the pairs that are installed. No program is started until a text needs it.
    ///
    /// # Errors
    /// Where the modes cannot be read. That none is there is no error: nothing is supported then.
    pub fn new(settings: &ApertiumSettings) -> Result<Self, ApertiumError> {
        let pairs = pairs::discover(&settings.modes_dir)
            .map_err(|source| ApertiumError::Modes { path: settings.modes_dir.clone(), source })?;
        Ok(Self {
            workers: Workers::start(pairs, settings.timeout).map_err(ApertiumError::Thread)?,
            piecewise: Arc::default(),
        })
    }

    /// What it translates without another language in between.
    pub fn directions(&self) -> Vec<(Language, Language)> {
        self.workers.directions().collect()
    }

    /// How many lines had to be translated piece by piece so far, because they did not come back whole.
    pub fn piecewise(&self) -> u64 {
        self.piecewise.load(Ordering::Relaxed)
    }

    async fn translate_item(&self, item: &Item) -> Result<Result<MaskedText, ItemError>, EngineError> {
        let Some(route) = self.workers.route(item.from, item.to) else {
            return Ok(Err(ItemError::Refused(format!(
                "no Apertium package that is installed translates from {} to {}",
                item.from.name(),
                item.to.name()
            ))));
        };
        let mut text = item.text.clone();
        for direction in route {
            text = match self.translate_text(direction, &text).await {
                Ok(text) => text,
                Err(LineError::Chain(error @ ChainError::Start(_))) => {
                    return Err(EngineError::Unavailable(error.to_string()));
                }
                Err(error) => return Ok(Err(ItemError::Unusable(format!("Apertium: {error}")))),
            };
        }
        Ok(Ok(text))
    }

    async fn translate_text(&self, direction: Direction, text: &MaskedText) -> Result<MaskedText, LineError> {
        let translated = try_join_all(lines(text).into_iter().map(async |line| match line {
            Part::AsItIs(segments) => Ok(segments),
            Part::Line(segments) => self.translate_line(direction, &segments).await,
        }))
        .await?;
        Ok(MaskedText::from_segments(translated.into_iter().flatten()))
    }

    async fn translate_line(
        &self,
        direction: Direction,
        segments: &[Segment],
    ) -> Result<Vec<Segment>, LineError> {
        let line = Line::new(segments);
        let whole = match self.workers.translate(direction, line.to_stream()).await {
            Ok(stream) => line.translated(&stream).map_err(LineError::from),
            Err(error @ ChainError::Start(_)) => return Err(error.into()),
            Err(error) => Err(error.into()),
        };
        let translated = match whole {
            Ok(segments) => segments,
            Err(error) => {
                log::debug!("translating a line piece by piece: {error}");
                self.piecewise.fetch_add(1, Ordering::Relaxed);
                self.translate_pieces(direction, &line).await?
            }
        };
        Ok(translated.into_iter().map(without_new_entities).collect())
    }

    /// The words between what must not change, each alone: worse, as no rule sees the whole, but nothing can be lost.
    async fn translate_pieces(&self, direction: Direction, line: &Line) -> Result<Vec<Segment>, LineError> {
        let words = try_join_all(line.words().into_iter().map(async |words| {
            let core = words.trim();
            if !has_words(core) {
                return Ok(words);
            }
            let piece = Line::new(&[Segment::Words(core.to_owned())]);
            let stream = self.workers.translate(direction, piece.to_stream()).await?;
            let translated = MaskedText::from_segments(piece.translated(&stream)?);
            let (before, after) = margins(&words);
            let inner: String = translated.words().collect();
            Ok::<_, LineError>(format!("{before}{}{after}", inner.trim()))
        }))
        .await?;
        let mut kept = line.kept().iter().cloned();
        Ok(words.into_iter().flat_map(|words| [Some(Segment::Words(words)), kept.next()]).flatten().collect())
    }
}

#[async_trait(?Send)]
impl Engine for Apertium {
    fn name(&self) -> &'static str {
        "apertium"
    }

    fn revision(&self) -> String {
        "apertium".into()
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        self.workers.route(from, to).is_some()
    }

    fn max_batch(&self) -> usize {
        16
    }

    async fn translate(&self, items: &[Item]) -> Result<Vec<Result<MaskedText, ItemError>>, EngineError> {
        join_all(items.iter().map(|item| self.translate_item(item))).await.into_iter().collect()
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Line ends, white space, lines without words.
    AsItIs(Vec<Segment>),
    /// To be translated; begins and ends with no white space.
    Line(Vec<Segment>),
}

/// Cuts a text into its lines and what is around them.
fn lines(text: &MaskedText) -> Vec<Part> {
    let mut lines: Vec<Vec<Segment>> = vec![Vec::new()];
    for segment in &text.0 {
        match segment {
            Segment::Placeholder(_) => push(&mut lines, segment.clone()),
            Segment::Words(words) => {
                for line in words.split_inclusive(ends_line) {
                    push(&mut lines, Segment::Words(line.to_owned()));
                    if line.ends_with(ends_line) {
                        lines.push(Vec::new());
                    }
                }
            }
        }
    }
    lines.into_iter().flat_map(trimmed).collect()
}

fn push(lines: &mut [Vec<Segment>], segment: Segment) {
    if let Some(line) = lines.last_mut() {
        line.push(segment);
    }
}

fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A line without the white space around it, and that.
fn trimmed(mut line: Vec<Segment>) -> Vec<Part> {
    let worth = line.iter().any(|segment| matches!(segment, Segment::Words(words) if has_words(words)));
    if !worth {
        return vec![Part::AsItIs(line)];
    }
    let mut before = String::new();
    let mut after = String::new();
    if let Some(Segment::Words(first)) = line.first_mut() {
        let blank = first.len() - first.trim_start().len();
        before = first.drain(..blank).collect();
    }
    if let Some(Segment::Words(last)) = line.last_mut() {
        after = last.split_off(last.trim_end().len());
    }
    vec![
        Part::AsItIs(vec![Segment::Words(before)]),
        Part::Line(line),
        Part::AsItIs(vec![Segment::Words(after)]),
    ]
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// The white space before and after the words of `text`, which has some.
fn margins(text: &str) -> (&str, &str) {
    let start = text.len() - text.trim_start().len();
    (&text[..start], &text[text.trim_end().len()..])
}

/// Breaks up what a translation made into a link or a tag: no translation may notify somebody whom the post did not, and
/// all that the post did is a placeholder. `Wait.No` is no link, `Espera.No` is one.
fn without_new_entities(segment: Segment) -> Segment {
    let Segment::Words(mut words) = segment else {
        return segment;
    };
    for entity in entities(&words).into_iter().rev() {
        let found = &words[entity.range.clone()];
        let mended = match found.strip_prefix(['@', '＠', '#', '＃', '$']) {
            Some(bare) => bare.to_owned(),
            None => found.replace('.', ". ").replace("://", ": //"),
        };
        words.replace_range(entity.range, &mended);
    }
    Segment::Words(words)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Instant};

    use mynah_domain::{
        Style,
        gate::{self, Candidate},
        text::{Mask, mask},
    };

    use super::*;

    /// The real one. `make test` installs what it needs.
    fn apertium() -> Apertium {
        with_timeout(Duration::from_secs(20))
    }

    fn with_timeout(timeout: Duration) -> Apertium {
        let apertium = Apertium::new(&ApertiumSettings { timeout, ..ApertiumSettings::default() }).unwrap();
        for target in ["es", "ca", "gl", "pt", "fr"] {
            assert!(
                apertium.supports(language("en"), language(target)),
                "no way from English to {target}: apt install apertium apertium-eng-spa apertium-eng-cat \
                 apertium-en-gl apertium-es-pt apertium-fr-es"
            );
        }
        apertium
    }

    fn language(code: &str) -> Language {
        code.parse().unwrap()
    }

    fn item(mask: &Mask, to: &str) -> Item {
        Item { text: mask.text.clone(), from: language("en"), to: language(to), style: Style::default() }
    }

    async fn translate(apertium: &Apertium, text: &str, to: &str) -> String {
        let mask = mask(text);
        let mut answers = apertium.translate(&[item(&mask, to)]).await.unwrap();
        mask.restore(&answers.remove(0).unwrap()).unwrap()
    }

    fn corpus() -> Vec<String> {
        let corpus = std::fs::read_to_string("/work/shared/corpus/tweets-en.txt").unwrap();
        corpus.lines().map(str::to_owned).collect()
    }

    #[actix_rt::test]
    #[ignore]
    async fn corpus_run() {
        let apertium = apertium();
        for to in ["es", "ca", "gl", "pt", "fr"] {
            translate(&apertium, "Hello.", to).await;
            let before = apertium.piecewise();
            let mut times = Vec::new();
            let mut first = Vec::new();
            for text in corpus() {
                let mask = mask(&text);
                let start = Instant::now();
                let answer = apertium.translate(&[item(&mask, to)]).await.unwrap().remove(0);
                times.push(start.elapsed());
                let answer = match answer {
                    Ok(answer) => answer,
                    Err(error) => {
                        println!("{to} ERROR {text:?}: {error}");
                        continue;
                    }
                };
                let restored = match mask.restore(&answer) {
                    Ok(restored) => restored,
                    Err(error) => {
                        println!("{to} RESTORE {text:?}: {error}");
                        continue;
                    }
                };
                let parts = [restored.clone()];
                let findings =
                    gate::findings(&Candidate { source: &mask, parts: &parts, max_weighted_length: 280 * 4 });
                if !findings.is_empty() {
                    println!("{to} GATE {text:?} -> {restored:?}: {findings:?}");
                }
                println!("{to} | {text}\n   | {restored}");
                first.push((text, restored));
            }
            times.sort();
            println!(
                "{to}: p50 {:?} p99 {:?} piecewise {}",
                times[times.len() / 2],
                times[times.len() * 99 / 100],
                apertium.piecewise() - before
            );
            let start = Instant::now();
            first.reverse();
            for chunk in first.chunks(16) {
                let masks: Vec<_> = chunk.iter().map(|(text, _)| mask(text)).collect();
                let items: Vec<_> = masks.iter().map(|mask| item(mask, to)).collect();
                let answers = apertium.translate(&items).await.unwrap();
                for ((mask, answer), (text, before)) in masks.iter().zip(answers).zip(chunk) {
                    let again = mask.restore(&answer.unwrap()).unwrap();
                    if *before != again {
                        println!("{to} DIFFERS {text:?}\n {before:?}\n {again:?}");
                    }
                }
            }
            println!("{to}: all in batches {:?}", start.elapsed());
        }
        let _ = HashSet::<u8>::new();
    }
}
