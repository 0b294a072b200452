//! Apertium: translation by rules, on this machine, at no cost and within milliseconds. It is the engine that still
//! works when no other does.
//!
//! It is a dozen programs in a row for each pair of languages, made for documents rather than for posts.
//!
//! - `pairs` finds the pairs that are installed and the way between two languages; `mode` reads how each is run.
//! - `chain` runs them, and ends at the first misstep; `workers` starts the next one and shares them among arbiters.
//! - `stream` writes a line in Apertium's stream format and reads it back with the author's spaces.
//!
//! Lines are translated one by one: rules move words about, and not past the end of a line.

mod chain;
mod mode;
mod pairs;
mod settings;
mod stream;
mod workers;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use mynah_domain::{
    Language,
    ports::engine::{CallShape, Engine, EngineError, Item, ItemError, Languages, Reply},
    text::{MaskedText, Segment},
};

use chain::ChainError;
use stream::{Garbled, Line};
use workers::Workers;

use super::{
    lines::{Part, has_words, lines, margins},
    routes::Direction,
};

pub use settings::{ApertiumKind, ApertiumSettings};

/// Apertium cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ApertiumError {
    /// The modes cannot be read.
    #[error(
        "cannot read Apertium's modes in {path}: {source}; install its packages (apt install apertium \
         apertium-eng-spa …), set engine.apertium.modes_dir, or remove apertium from engine.order"
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
    name: Arc<str>,
    workers: Workers,
    /// What is not installed of each pair that cannot be run.
    missing: Arc<BTreeMap<Direction, String>>,
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
        let missing =
            pairs.iter().filter_map(|(direction, pair)| Some((*direction, pair.missing()?.to_owned())));
        let missing = Arc::new(missing.collect());
        Ok(Self {
            name: settings.name.clone(),
            workers: Workers::start(pairs, settings.timeout).map_err(ApertiumError::Thread)?,
            missing,
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
                log::debug!(reason:% = error; "line translated in pieces");
                self.piecewise.fetch_add(1, Ordering::Relaxed);
                self.translate_pieces(direction, &line).await?
            }
        };
        Ok(translated)
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
    fn name(&self) -> &str {
        &self.name
    }

    fn revision(&self) -> String {
        "apertium".into()
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        self.workers.route(from, to).is_some()
    }

    fn impairment(&self, pairs: &[(Language, Language)]) -> Option<String> {
        let routes = pairs.iter().filter_map(|(from, to)| self.workers.route(*from, *to));
        let missing = routes.flatten().find_map(|direction| Some((direction, self.missing.get(&direction)?)));
        missing.map(|((from, to), missing)| {
            format!(
                "{missing} is missing, so it cannot translate from {} to {}; install Apertium's packages for these \
                 languages again, or remove apertium from engine.order",
                from.name(),
                to.name()
            )
        })
    }

    fn composition(&self) -> CallShape {
        // Every line goes to the pipeline of its languages by itself.
        CallShape::new(16, Languages::Many)
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        let answers = join_all(items.iter().map(|item| self.translate_item(item))).await;
        let calls = u32::from(items.iter().any(|item| item.text.has_words()));
        Ok(Reply { items: answers.into_iter().collect::<Result<_, _>>()?, calls, ..Reply::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        time::{Duration, Instant},
    };

    use mynah_domain::{
        fixtures::mask,
        gate::{self, Candidate},
        network::PlainText,
        text::Mask,
    };
    use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

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
        Item::new(mask.text.clone(), language("en"), language(to))
    }

    async fn translate(apertium: &Apertium, text: &str, to: &str) -> String {
        let mask = mask(text);
        let mut answers = apertium.translate(&[item(&mask, to)]).await.unwrap().items;
        mask.restore(&answers.remove(0).unwrap()).unwrap()
    }

    /// Modes of its own: eng-spa with its programs in another folder, so that they can be told from other tests', and each
    /// another program where `instead` says so.
    fn modes(dir: &Path, instead: &[(&str, &str)]) -> Apertium {
        let mode = fs::read_to_string("/usr/share/apertium/modes/eng-spa.mode").unwrap();
        let mode: Vec<String> =
            mode.split('|').map(|stage| format!("{}/{}", dir.display(), stage.trim())).collect();
        for program in mode.iter().filter_map(|stage| Path::new(stage.split(' ').next()?).file_name()) {
            let real = instead.iter().find(|(name, _)| *name == program);
            let real = real.map_or_else(|| Path::new("/usr/bin").join(program), |(_, real)| real.into());
            // The same program stands in several stages.
            let _ = std::os::unix::fs::symlink(real, dir.join(program));
        }
        fs::write(dir.join("eng-spa.mode"), mode.join(" | ")).unwrap();
        let timeout = Duration::from_secs(2);
        Apertium::new(&ApertiumSettings { modes_dir: dir.into(), timeout, ..ApertiumSettings::default() })
            .unwrap()
    }

    /// The running processes whose program lies in `dir`, by name.
    fn processes(dir: &Path) -> Vec<(String, Pid)> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap() {
            let path = entry.unwrap().path();
            // One may end while we look. A dead one that nobody has asked after yet has no command line.
            let command = fs::read(path.join("cmdline")).unwrap_or_default();
            let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
            let program = Path::new(std::str::from_utf8(program).unwrap_or_default());
            let pid = path.file_name().and_then(|pid| pid.to_str()?.parse().ok());
            if program.starts_with(dir)
                && let Some(pid) = pid.and_then(Pid::from_raw)
            {
                found.push((program.file_name().unwrap().to_str().unwrap().to_owned(), pid));
            }
        }
        found
    }

    fn process(dir: &Path, program: &str) -> Pid {
        let all = processes(dir);
        let found = all.iter().find(|(name, _)| name == program);
        found.unwrap_or_else(|| panic!("no {program} in {all:?}")).1
    }

    /// Posts as people write them, with what Apertium trips over.
    const POSTS: [&str; 20] = [
        "Hi @bob, how are you? See https://a.example/x?y=1 (#good) …",
        "@bob: \"I can't believe it!\" RT @eve",
        "@a @b @c said #yes #no #maybe https://t.co/AbC123",
        "Red @bob cars are the best https://a.example, aren't they?",
        "5 reasons to love $TSLA & $AAPL: 1/5",
        "Nice 7th inning for the Red Sox",
        "Don't stop.Believing! It's 50% off @ 5:30pm — see a/b, c\\d",
        "First line\n\nSecond line @bob\n• a list\n• of things #tag\n",
        "  spaces   before, between  and after  ",
        "tabs\tand\u{a0}hard spaces\u{2028}and lines\r\nof all kinds",
        "Nasty: [ ] ^ $ / \\ { } < > @ * # ~ | + _ = ` \u{0} \u{7} \u{1b}[31m end",
        "^word/word<n>$ [[t:b:x]]bold[[/]] {^a<b>$} [0] [1] \\[2\\] [~1] .[] *x #y",
        "smile 😀 family 👩‍👩‍👧 flag 🇪🇸 keycap 1️⃣ skin 👍🏽 heart ❤️",
        "שלום @bob world مرحبا 日本語 text 東京 \u{202e}rtl\u{202c}",
        "@bob's dog and #cats' house, @eve; https://a.example/b.",
        "~5 minutes foo~bar ~~",
        "if (a < b && c > d) { return x[0] / 2; } // ok $HOME ^C",
        "the the the the, of of. To! a? I",
        "ＦＵＬＬ width ﬁ ½ ™ e\u{301}",
        "WOW!!! So... much?! @bob!!! #yes…",
    ];

    /// Whether each placeholder is in `answer` and the gate has nothing against it.
    fn assert_publishable(mask: &Mask, answer: &MaskedText, to: &str) -> String {
        let text = mask.restore(answer).unwrap();
        let parts = [text.clone()];
        let mut findings = gate::findings(&Candidate {
            source: mask,
            parts: &parts,
            rules: &PlainText::default(),
            max_weight: None,
            from: Language::english(),
            to: to.parse().unwrap(),
            others: &[],
        });
        // The others are about what the author wrote, and not about what became of it.
        let of_the_engine = ["not_empty", "protected", "numbers", "emoji", "markup", "quoted", "language"];
        findings.retain(|finding| of_the_engine.contains(&finding.rule));
        assert!(findings.is_empty(), "{text:?}: {findings:?}");
        text
    }

    /// All of `posts`, in one call.
    async fn translate_all(apertium: &Apertium, posts: &[&str], to: &str) -> Vec<String> {
        let masks: Vec<Mask> = posts.iter().map(|post| mask(post)).collect();
        let items: Vec<Item> = masks.iter().map(|mask| item(mask, to)).collect();
        let answers = apertium.translate(&items).await.unwrap().items;
        let answers = masks.iter().zip(answers);
        answers.map(|(mask, answer)| assert_publishable(mask, &answer.unwrap(), to)).collect()
    }

    #[actix_rt::test]
    async fn it_translates() {
        let apertium = apertium();
        assert_eq!(
            translate(&apertium, "The house is red. https://a.example", "es").await,
            "La casa es roja. https://a.example"
        );
        assert_eq!(translate(&apertium, "The house is red.", "ca").await, "La casa és vermell.");
        assert_eq!(translate(&apertium, "The house is red.", "gl").await, "A casa é vermella.");
    }

    #[actix_rt::test]
    async fn where_there_is_no_pair_it_goes_through_another_language() {
        let apertium = apertium();
        assert_eq!(
            translate(&apertium, "The house of @bob is red.", "fr").await,
            "La maison de @bob est rouge."
        );
        assert_eq!(translate(&apertium, "The house is red.", "pt").await, "A casa é vermelha.");
    }

    #[actix_rt::test]
    async fn quotes_code_and_styled_words_are_as_the_author_wrote_them() {
        let apertium = apertium();
        for to in ["es", "ca", "gl", "fr"] {
            let struck = "s\u{336}a\u{336}l\u{336}e\u{336}";
            for kept in ["`git push --force`", struck, "a\u{332}t\u{332}", "𝐛𝐨𝐥𝐝"] {
                let translation = translate(&apertium, &format!("He wrote {kept} to us"), to).await;
                assert!(translation.contains(kept), "{translation}");
            }
            let translation = translate(&apertium, "He said ‘yes’ and “no” and don’t", to).await;
            let marks: String = translation.chars().filter(|c| "‘’“”".contains(*c)).take(4).collect();
            assert_eq!(marks, "‘’“”", "{translation}");
        }
    }

    #[actix_rt::test]
    async fn no_word_grows_together_with_another_over_a_mention() {
        let apertium = apertium();
        // Not "al @bob coche".
        let translation = translate(&apertium, "I go to @bob the car", "es").await;
        assert!(translation.ends_with("a @bob el coche"), "{translation}");
    }

    #[actix_rt::test]
    async fn every_post_comes_back_with_all_that_must_not_change() {
        let apertium = apertium();
        for to in ["es", "ca", "gl", "pt", "fr"] {
            translate_all(&apertium, &POSTS, to).await;
        }
    }

    #[actix_rt::test]
    async fn an_answer_does_not_depend_on_what_was_asked_before() {
        let apertium = apertium();
        // `Wade` is of a kind that eng-spa's tagger was not trained on: it would know `LA` no more.
        let about = "How I feel about LA @ Los Angeles, California";
        let before = translate(&apertium, about, "es").await;
        assert!(before.contains("sobre"), "{before}");
        translate(&apertium, "much love @ Wade Hampton High School", "es").await;
        assert_eq!(translate(&apertium, about, "es").await, before);
        let forwards = translate_all(&apertium, &POSTS, "es").await;
        let mut reversed = POSTS;
        reversed.reverse();
        let mut backwards = translate_all(&apertium, &reversed, "es").await;
        backwards.reverse();
        assert_eq!(forwards, backwards);
    }

    #[actix_rt::test]
    async fn what_only_means_something_to_apertium_is_as_the_author_wrote_it() {
        let apertium = apertium();
        let marks = |text: &str| -> Vec<char> {
            let mut marks: Vec<char> = text
                .chars()
                .filter(|c| {
                    "[]^$/\\{}<>@*#~|+_=`".contains(*c)
                        || c.is_control()
                        || !c.is_ascii() && !c.is_alphabetic()
                })
                .collect();
            marks.sort_unstable();
            marks
        };
        for to in ["es", "ca", "gl"] {
            let nasty = &POSTS[10..14];
            for (post, translation) in nasty.iter().zip(translate_all(&apertium, nasty, to).await) {
                assert_eq!(marks(post), marks(&translation), "{post:?} {translation:?}");
            }
        }
    }

    #[actix_rt::test]
    async fn white_space_is_the_authors() {
        let apertium = apertium();
        assert_eq!(
            translate(&apertium, " \n The house\n\n\tis  red.\r\n @bob \n", "es").await,
            " \n La casa\n\n\tEs  rojo.\r\n @bob \n"
        );
    }

    #[actix_rt::test]
    async fn what_has_no_words_is_not_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let apertium = modes(dir.path(), &[]);
        for post in ["", "\n", " ", "#goal https://a.example @bob", "🎉🎉 12:30", "\u{0}"] {
            assert_eq!(translate(&apertium, post, "es").await, post);
        }
        assert_eq!(processes(dir.path()), []);
    }

    #[actix_rt::test]
    async fn a_long_post_is_translated_whole() {
        let apertium = apertium();
        let post = "The red house of @bob is big and (very) old. ".repeat(90);
        assert!(post.len() > 4000);
        let translation = translate(&apertium, &post, "es").await;
        assert_eq!(translation.matches("@bob").count(), 90);
    }

    #[actix_rt::test]
    async fn no_pair_is_an_error_of_the_item() {
        let apertium = apertium();
        let mask = mask("hello");
        let answers = apertium.translate(&[item(&mask, "ja"), item(&mask, "es")]).await.unwrap().items;
        assert!(matches!(&answers[0], Err(ItemError::Refused(why)) if why.contains("English to Japanese")));
        assert!(answers[1].is_ok());
        assert!(!apertium.supports(language("en"), language("ja")));
    }

    #[actix_rt::test]
    async fn a_stage_that_is_killed_costs_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let apertium = modes(dir.path(), &[]);
        let before = translate_all(&apertium, &POSTS, "es").await;
        for program in ["lt-proc", "apertium-tagger", "apertium-transfer", "apertium-postchunk"] {
            // The tagger may have been let go after the last post.
            translate(&apertium, "The house.", "es").await;
            kill_process(process(dir.path(), program), Signal::KILL).unwrap();
            let after = translate_all(&apertium, &POSTS, "es").await;
            // The first may have been translated piece by piece.
            assert_eq!(before[1..], after[1..], "{program}");
        }
    }

    #[actix_rt::test]
    async fn a_pipeline_that_hangs_is_ended_and_costs_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let apertium = modes(dir.path(), &[]);
        assert_eq!(translate(&apertium, "The red house.", "es").await, "La casa roja.");
        let stopped = process(dir.path(), "apertium-interchunk");
        kill_process_group(getpgid(Some(stopped)).unwrap(), Signal::STOP).unwrap();
        assert_eq!(translate(&apertium, "The red house.", "es").await, "La casa roja.");
        assert_eq!(apertium.piecewise(), 1);
        assert!(processes(dir.path()).iter().all(|(_, pid)| *pid != stopped), "the old one is gone");
    }

    #[actix_rt::test]
    async fn a_post_that_ends_every_pipeline_is_an_error_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let apertium = modes(dir.path(), &[("apertium-pretransfer", "/bin/false")]);
        let answers = apertium.translate(&[item(&mask("hi @bob"), "es")]).await.unwrap().items;
        assert!(matches!(answers[0], Err(ItemError::Unusable(_))), "{answers:?}");
    }

    #[actix_rt::test]
    async fn a_program_that_is_not_there_is_no_posts_fault() {
        let dir = tempfile::tempdir().unwrap();
        let apertium = modes(dir.path(), &[("lrx-proc", "/nowhere")]);
        let error = apertium.translate(&[item(&mask("hi"), "es")]).await.unwrap_err();
        assert!(
            matches!(&error, EngineError::Unavailable(why) if why.contains("lrx-proc") && why.contains("installed")),
            "{error:?}"
        );
    }

    #[actix_rt::test]
    async fn the_last_handle_takes_every_process_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let apertium = modes(dir.path(), &[]);
        translate(&apertium, "The house.", "es").await;
        let clone = apertium.clone();
        drop(apertium);
        assert_eq!(translate(&clone, "The house.", "es").await, "La casa.");
        drop(clone);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !processes(dir.path()).is_empty() {
            assert!(Instant::now() < deadline, "{:?}", processes(dir.path()));
            std::thread::yield_now();
        }
    }

    #[test]
    fn modes_that_cannot_be_read_are_an_error_that_says_what_to_do() {
        let error =
            Apertium::new(&ApertiumSettings { modes_dir: "/nowhere".into(), ..ApertiumSettings::default() })
                .unwrap_err();
        let said = error.to_string();
        assert!(said.contains("/nowhere") && said.contains("apt install"), "{said}");
    }
}
