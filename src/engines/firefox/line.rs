//! A line of a post as a neural model can take it: sentences with labels in place of what must not change.
//!
//! A model knows some thirty thousand pieces of words and loses what is none of them: `#`, `@`, `<`, emoji, other scripts.
//! So not only placeholders become labels (`[0]`), but everything that the model's vocabulary does not contain. A model was
//! trained on sentences, and forgets the rest of a text that has more than one. If a label does not come back, the words
//! between the labels are translated one by one: worse, because the model does not see the whole, but nothing is lost.

use std::{collections::BTreeSet, mem};

use mynah_domain::text::{MaskedText, Segment};
use unicode_segmentation::UnicodeSegmentation as _;

use super::super::lines::{has_words, margins};

/// Stands for something to keep while a line is cut into sentences. Where an author writes it, it is kept like any other
/// character that a vocabulary lacks.
const KEPT: char = '\u{fffc}';

/// What a line needs to know about a model.
pub(super) trait Vocabulary {
    /// Whether the model has pieces for all of this text.
    fn knows(&self, text: &str) -> bool;

    /// Whether the model can take this text at once.
    fn fits(&self, text: &str) -> bool;
}

/// A line on its way through a model.
#[derive(Debug)]
pub(super) struct Line {
    pieces: Vec<Piece>,
    /// Why it had to be translated in pieces, if it had to.
    lost: Option<Lost>,
}

/// A part of a line.
#[derive(Debug)]
enum Piece {
    /// Nothing is left to do.
    Done(Vec<Segment>),
    /// To be translated.
    Waiting(Sentence),
}

/// Something to translate at once.
#[derive(Debug)]
struct Sentence {
    /// With [`KEPT`] in place of everything that is kept. Has no white space around it.
    core: String,
    /// What is kept, in the order of the author.
    kept: Vec<Segment>,
    /// The numbers of their labels.
    labels: Vec<usize>,
    /// What the model gets.
    text: String,
}

/// A translation lacks a label, repeats one or has another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model did not keep {expected} labels: {answer}")]
pub(super) struct Lost {
    expected: usize,
    answer: String,
}

impl Line {
    pub(super) fn new(segments: &[Segment], vocabulary: &dyn Vocabulary) -> Self {
        let (text, kept) = flattened(segments, vocabulary);
        let mut kept = kept.into_iter();
        let mut pieces = Vec::new();
        for sentence in sentences(&text) {
            for part in fitting(sentence, vocabulary) {
                let count = part.matches(KEPT).count();
                pieces.extend(pieces_of(part, kept.by_ref().take(count).collect()));
            }
        }
        Self { pieces, lost: None }
    }

    /// What is still to be translated, in order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Waiting(sentence) => Some(sentence.text.as_str()),
            Piece::Done(_) => None,
        })
    }

    /// Takes the translations of [`Line::waiting`], in the same order. There may be more to translate after this, but never
    /// more than twice.
    pub(super) fn take(&mut self, translations: &mut impl Iterator<Item = String>) {
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in mem::take(&mut self.pieces) {
            let sentence = match piece {
                Piece::Waiting(sentence) => sentence,
                done @ Piece::Done(_) => {
                    pieces.push(done);
                    continue;
                }
            };
            let answer = translations.next().unwrap_or_default();
            match sentence.read(&answer) {
                Ok(segments) => pieces.push(Piece::Done(segments)),
                Err(lost) => {
                    pieces.extend(sentence.apart());
                    self.lost = Some(lost);
                }
            }
        }
        self.pieces = pieces;
    }

    /// Why parts of it were translated word by word, if they were.
    pub(super) fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    /// The translation, once nothing is waiting any more.
    pub(super) fn finish(self) -> Vec<Segment> {
        let segments = self.pieces.into_iter().flat_map(|piece| match piece {
            Piece::Done(segments) => segments,
            Piece::Waiting(sentence) => restored(&sentence.core, sentence.kept),
        });
        MaskedText::from_segments(segments).0
    }
}

impl Sentence {
    /// What the model made of it, with everything back that is kept.
    fn read(&self, answer: &str) -> Result<Vec<Segment>, Lost> {
        let lost = || Lost { expected: self.labels.len(), answer: answer.to_owned() };
        // Better the author's words than none; the gate sees that they are not translated.
        if !has_words(answer) && self.labels.is_empty() {
            return Ok(vec![Segment::Words(self.core.clone())]);
        }
        let mut segments = Vec::new();
        let mut words = String::new();
        let mut used = BTreeSet::new();
        let mut rest = answer.trim();
        while let Some((before, number, after)) = next_label(rest) {
            let Some(index) = self.labels.iter().position(|label| *label == number) else {
                // The author may have written one.
                if !self.core.contains(&label(number)) {
                    return Err(lost());
                }
                words.push_str(&rest[..rest.len() - after.len()]);
                rest = after;
                continue;
            };
            if !used.insert(index) {
                return Err(lost());
            }
            let (left, right) = self.neighbors(index);
            words.push_str(before);
            let touches = words.chars().last().map_or(!segments.is_empty(), is_spaced);
            if left.is_none_or(char::is_whitespace) && touches {
                words.push(' ');
            }
            if !words.is_empty() {
                segments.push(Segment::Words(mem::take(&mut words)));
            }
            segments.extend(self.kept.get(index).cloned());
            if right.is_none_or(char::is_whitespace) && after.chars().next().is_some_and(is_spaced) {
                words.push(' ');
            }
            rest = after;
        }
        words.push_str(rest);
        if used.len() != self.labels.len() {
            return Err(lost());
        }
        segments.push(Segment::Words(words));
        Ok(segments)
    }

    /// The characters around what is kept, as the author wrote them; `None` at the ends.
    fn neighbors(&self, index: usize) -> (Option<char>, Option<char>) {
        let Some((at, kept)) = self.core.match_indices(KEPT).nth(index) else { return (None, None) };
        (self.core[..at].chars().last(), self.core[at + kept.len()..].chars().next())
    }

    /// The words between what is kept, each alone.
    fn apart(self) -> Vec<Piece> {
        let mut kept = self.kept.into_iter();
        let mut pieces = Vec::new();
        for words in self.core.split(KEPT) {
            pieces.extend(pieces_of(words, Vec::new()));
            pieces.extend(kept.next().map(|kept| Piece::Done(vec![kept])));
        }
        pieces
    }
}

/// The text of a line with [`KEPT`] in place of placeholders and of what the model does not know, and these.
fn flattened(segments: &[Segment], vocabulary: &dyn Vocabulary) -> (String, Vec<Segment>) {
    let mut text = String::new();
    let mut kept = Vec::new();
    for segment in segments {
        match segment {
            Segment::Placeholder(_) => {
                text.push(KEPT);
                kept.push(segment.clone());
            }
            Segment::Words(words) if vocabulary.knows(words) && !words.contains(KEPT) => text.push_str(words),
            Segment::Words(words) => keep_unknown(words, vocabulary, &mut text, &mut kept),
        }
    }
    (text, kept)
}

/// The same for words of which the model does not know all. What it does not know is kept as a whole, with the spaces in it.
fn keep_unknown(words: &str, vocabulary: &dyn Vocabulary, text: &mut String, kept: &mut Vec<Segment>) {
    let mut unknown = String::new();
    let mut space = String::new();
    for cluster in words.graphemes(true) {
        let is_plain = cluster.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if cluster.chars().all(char::is_whitespace) {
            if unknown.is_empty() { text.push_str(cluster) } else { space.push_str(cluster) }
        } else if !is_plain && (cluster.contains(KEPT) || !vocabulary.knows(cluster)) {
            unknown.push_str(&mem::take(&mut space));
            unknown.push_str(cluster);
        } else {
            if !unknown.is_empty() {
                text.push(KEPT);
                kept.push(Segment::Words(mem::take(&mut unknown)));
                text.push_str(&mem::take(&mut space));
            }
            text.push_str(cluster);
        }
    }
    if !unknown.is_empty() {
        text.push(KEPT);
        kept.push(Segment::Words(unknown));
    }
    text.push_str(&space);
}

/// The sentences of a line, each with the white space after it.
fn sentences(text: &str) -> Vec<&str> {
    let mut sentences: Vec<&str> = Vec::new();
    let mut start = 0;
    for (at, sentence) in text.split_sentence_bound_indices() {
        let end = at + sentence.len();
        if !ends_with_abbreviation(&text[start..end]) || end == text.len() {
            sentences.push(&text[start..end]);
            start = end;
        }
    }
    sentences
}

/// Whether a sentence ends after `Dr. ` or `J. `, and so does not end there.
fn ends_with_abbreviation(sentence: &str) -> bool {
    const TITLES: [&str; 16] = [
        "Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Sr", "Sra", "Jr", "Gen", "Gov", "Sen", "Rep", "vs", "No",
        "Nr",
    ];
    let Some(before) = sentence.trim_end().strip_suffix('.') else { return false };
    let last = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    TITLES.contains(&last) || last.chars().next().is_some_and(char::is_uppercase) && last.chars().count() == 1
}

/// A sentence in parts that the model can take at once. Marks, spaces and ideographs may be cut at; a word of a thousand
/// letters stays whole, and nothing translates it.
fn fitting<'a>(sentence: &'a str, vocabulary: &dyn Vocabulary) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut waiting = vec![sentence];
    while let Some(part) = waiting.pop() {
        match middle(part).filter(|_| !vocabulary.fits(part)) {
            Some(at) => {
                let (first, second) = part.split_at(at);
                waiting.extend([second, first]);
            }
            None => parts.push(part),
        }
    }
    parts
}

/// Where to cut a text in two, as close to its middle as possible: preferably after a mark.
fn middle(text: &str) -> Option<usize> {
    let half = text.len() / 2;
    let nearest = |may_cut: fn(char) -> bool| {
        let ends = text.char_indices().filter(|(_, c)| may_cut(*c)).map(|(at, c)| at + c.len_utf8());
        ends.filter(|end| *end < text.len()).min_by_key(|end| end.abs_diff(half))
    };
    let is_central = |at: &usize| at.abs_diff(half) <= text.len() / 4;
    nearest(|c| matches!(c, ',' | ';' | ':' | '、' | '，' | '；' | '：' | '؛' | '،'))
        .filter(is_central)
        .or_else(|| nearest(char::is_whitespace))
        .or_else(|| nearest(is_ideograph))
}

/// White space, words and white space, of which the words may have to be translated.
fn pieces_of(text: &str, kept: Vec<Segment>) -> Vec<Piece> {
    if !has_words(text) {
        return vec![Piece::Done(restored(text, kept))];
    }
    let (before, after) = margins(text);
    let core = text.trim();
    let labels: Vec<usize> =
        (0..).filter(|number| !core.contains(&label(*number))).take(kept.len()).collect();
    let mut numbers = labels.iter();
    let mut with_labels = String::with_capacity(core.len());
    for c in core.chars() {
        match (c, numbers.len()) {
            (KEPT, 1..) => with_labels.extend(numbers.next().map(|number| label(*number))),
            _ => with_labels.push(c),
        }
    }
    vec![
        Piece::Done(vec![Segment::Words(before.to_owned())]),
        Piece::Waiting(Sentence { core: core.to_owned(), kept, labels, text: with_labels }),
        Piece::Done(vec![Segment::Words(after.to_owned())]),
    ]
}

/// A text with what is kept in its places.
fn restored(text: &str, kept: Vec<Segment>) -> Vec<Segment> {
    let mut kept = kept.into_iter();
    text.split(KEPT)
        .flat_map(|words| [Some(Segment::Words(words.to_owned())), kept.next()])
        .flatten()
        .collect()
}

/// How a placeholder is written. Models were trained on texts with footnotes and keep this form best (`docs/performance.md`).
fn label(number: usize) -> String {
    format!("[{number}]")
}

/// The text before the first label, its number, and the text after it. Models put spaces into labels.
fn next_label(text: &str) -> Option<(&str, usize, &str)> {
    text.match_indices('[').find_map(|(at, _)| {
        let (inner, after) = text[at + 1..].split_once(']')?;
        let digits = inner.trim();
        let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        Some((&text[..at], digits.parse().ok().filter(|_| is_number)?, after))
    })
}

/// Whether a space stands between this character and another word.
fn is_spaced(c: char) -> bool {
    c.is_alphanumeric() && !is_ideograph(c)
}

/// Whether its script has no spaces between words: kana, han, Thai, Lao, Khmer, Burmese.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
        | '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Knows ASCII but `#`, `@` and `<`, and takes this many words.
    struct Ascii(usize);

    impl Vocabulary for Ascii {
        fn knows(&self, text: &str) -> bool {
            text.is_ascii() && !text.contains(['#', '@', '<'])
        }

        fn fits(&self, text: &str) -> bool {
            text.split_whitespace().count() <= self.0
        }
    }

    /// Knows everything and takes four characters.
    struct Short;

    impl Vocabulary for Short {
        fn knows(&self, _: &str) -> bool {
            true
        }

        fn fits(&self, text: &str) -> bool {
            text.chars().count() <= 4
        }
    }

    fn words(text: &str) -> Segment {
        Segment::Words(text.into())
    }

    /// Placeholders are written `%0`.
    fn segments(text: &str) -> Vec<Segment> {
        let mut segments = Vec::new();
        for (index, part) in text.split('%').enumerate() {
            let words = if index == 0 {
                part
            } else {
                segments.push(Segment::Placeholder(part[..1].parse().unwrap()));
                &part[1..]
            };
            segments.push(Segment::Words(words.to_owned()));
        }
        MaskedText::from_segments(segments).0
    }

    fn shown(segments: &[Segment]) -> String {
        let shown = segments.iter().map(|segment| match segment {
            Segment::Words(words) => words.clone(),
            Segment::Placeholder(number) => format!("%{number}"),
        });
        shown.collect()
    }

    fn asked(text: &str, fits: usize) -> Vec<String> {
        Line::new(&segments(text), &Ascii(fits)).waiting().map(str::to_owned).collect()
    }

    /// What becomes of a line with a model that answers so.
    fn through(text: &str, model: impl Fn(&str) -> String) -> (String, bool) {
        let mut line = Line::new(&segments(text), &Ascii(100));
        for _ in 0..2 {
            let answers: Vec<String> = line.waiting().map(&model).collect();
            line.take(&mut answers.into_iter());
        }
        assert_eq!(line.waiting().count(), 0);
        let is_lost = line.lost().is_some();
        (shown(&line.finish()), is_lost)
    }

    #[test]
    fn a_line_becomes_sentences_with_labels_and_no_sentence_ends_after_a_title() {
        assert_eq!(
            asked("Hi %0, see %1! Dr. Who and J. Doe came.  So?", 100),
            ["Hi [0], see [1]!", "Dr. Who and J. Doe came.", "So?"]
        );
        assert_eq!(asked("%0 … 1, 2 %1", 100), Vec::<String>::new());
    }

    #[test]
    fn what_the_model_does_not_know_is_kept_with_the_spaces_in_it() {
        assert_eq!(asked("I <3 you 日本 語 and C# @ home", 100), ["I [0]3 you [1] and C[2] home"]);
        let (all, is_lost) = through("I <3 you 日本 語 and C# @ home", str::to_uppercase);
        assert_eq!((all.as_str(), is_lost), ("I <3 YOU 日本 語 AND C# @ HOME", false));
    }

    #[test]
    fn labels_that_the_author_wrote_are_words() {
        assert_eq!(asked("See [0] and %0", 100), ["See [0] and [1]"]);
        assert_eq!(through("See [0] and %0", str::to_owned), ("See [0] and %0".into(), false));
    }

    #[test]
    fn labels_may_change_places_and_have_spaces_in_them() {
        let swapped = |_: &str| "Veja [ 1 ]de[0]agora".to_owned();
        assert_eq!(through("Now %0 of %1", swapped), ("Veja %1 de %0 agora".into(), false));
        let touching = |_: &str| "hoje[1][0]".to_owned();
        assert_eq!(through("Today %0 %1", touching), ("hoje %1 %0".into(), false));
    }

    #[test]
    fn what_touches_a_word_goes_on_touching_it() {
        assert_eq!(through("%0bucks (%1)", str::to_owned), ("%0bucks (%1)".into(), false));
        let japanese = |_: &str| "この[0]の".to_owned();
        assert_eq!(through("This %0 team", japanese), ("この%0の".into(), false));
    }

    #[test]
    fn a_sentence_whose_label_does_not_come_back_is_translated_in_pieces() {
        for answer in ["nothing", "[0]", "[0] [0] [1]", "[0] [1] [2]"] {
            let model = |text: &str| if text.contains('[') { answer.to_owned() } else { text.to_uppercase() };
            let (all, is_lost) = through("One  %0, two (%1) three. Four", model);
            assert_eq!((all.as_str(), is_lost), ("ONE  %0, TWO (%1) THREE. FOUR", true), "{answer}");
        }
    }

    #[test]
    fn an_empty_answer_leaves_the_words_of_the_author() {
        assert_eq!(through("Hm. Ok", |_| String::new()), ("Hm. Ok".into(), false));
        assert_eq!(through("Hm %0", |_| String::new()), ("Hm %0".into(), true));
    }

    #[test]
    fn a_long_sentence_is_cut_at_marks_and_spaces_and_a_long_word_is_not() {
        assert_eq!(asked("a b c, d e f g h", 5), ["a b c,", "d e f g h"]);
        assert_eq!(asked("aa bb cc dd ee ff", 3), ["aa bb cc", "dd ee ff"]);
        let word = "x".repeat(5000);
        let texts = |text: &str| -> Vec<String> {
            Line::new(&[words(text)], &Short).waiting().map(str::to_owned).collect()
        };
        assert_eq!(texts(&word), [word]);
        assert_eq!(texts("東京都庁前広場"), ["東京都", "庁前広場"]);
    }

    proptest! {
        #[test]
        fn whatever_a_model_answers_no_placeholder_is_lost(
            text in "([a-zA-Z<é日\\[\\]0-2]{0,4}[ .,!?]{0,2}(%[0-9])?){0,8}", answers in prop::collection::vec(any::<String>(), 0..40)
        ) {
            let line = segments(&text);
            let mut translated = Line::new(&line, &Ascii(6));
            let mut answers = answers.into_iter();
            for _ in 0..2 {
                translated.take(&mut answers);
            }
            let numbers = |segments: &[Segment]| {
                let mut numbers: Vec<usize> = MaskedText(segments.to_vec()).placeholders().collect();
                numbers.sort_unstable();
                numbers
            };
            prop_assert_eq!(numbers(&translated.finish()), numbers(&line));
        }

        #[test]
        fn a_model_that_answers_what_it_got_changes_nothing(text in any::<String>(), fits in 1_usize..9) {
            prop_assume!(!text.contains(['\n', '\r']));
            let mut line = Line::new(&[words(&text)], &Ascii(fits));
            let answers: Vec<String> = line.waiting().map(str::to_owned).collect();
            line.take(&mut answers.into_iter());
            prop_assert_eq!(line.lost(), None);
            prop_assert_eq!(shown(&line.finish()), text);
        }
    }
}
