//! Tells whether each translation in an answer is of the text that its id belongs to. Models merge two neighboring texts, skip
//! one or swap two, and go on as if nothing had happened: every id has a fluent translation, and each is of another post. No
//! check of ids or counts sees that. So beside each translation the model repeats a few words of the text that it translates,
//! and those are compared with the text.
//!
//! The *last* words, because they show a merge too: a translation of two texts ends where the second ends. Four of them add a
//! quarter to an answer, where the whole text would double it; docs/performance.md has the comparison. Where the last words do
//! not tell the texts of a request apart, as in posts made from a template, more are asked for.

use std::collections::HashMap;

use mynah_domain::{ports::engine::Item, text::MaskedText};

/// From this similarity on, an echo is of its text. Below, it is of another: models that repeat a text change quotes, spaces,
/// capitals and a word now and then, but no more. The value was found over 350 calls
/// (<https://github.com/buxuku/SmartSub/pull/390>).
const SIMILAR: f64 = 0.75;

/// An echo needs this many letters to prove anything, unless the text or what was asked for is shorter.
const ENOUGH: usize = 6;

/// From this many letters on, two different texts have no translation in common.
const NO_COINCIDENCE: usize = 16;

/// How much of a text to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Its last words.
    Words(usize),
    Whole,
}

/// What a request asks to be repeated, and how the texts read.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    extent: Extent,
    /// Some texts are asked for in several languages, so an echo says for which it is.
    with_target: bool,
    sources: Vec<Source>,
}

/// A text to be translated, as far as an echo of it can be recognized.
#[derive(Debug, Clone)]
struct Source {
    letters: String,
    /// The letters of what is asked to be repeated.
    end: String,
    target: String,
}

/// The share of a request's answers that is not what it seems.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Drift {
    /// Every answer is of its text.
    None,
    /// These answers, by number, are of other texts or of none.
    Some(Vec<usize>),
    /// So many that the others cannot be relied on.
    Most(usize),
    /// The model repeated nothing, so nothing is known.
    Unknown,
}

impl Drift {
    /// How many of a request's answers are not proven to be of their texts.
    pub(super) fn count(&self, items: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Some(adrift) => adrift.len(),
            Self::Most(adrift) => *adrift,
            Self::Unknown => items,
        }
    }
}

impl Echo {
    /// What is asked of a request for these items; `None` for a single one, whose answer can be of no other.
    pub(super) fn of(items: &[&Item]) -> Option<Self> {
        if items.len() < 2 {
            return None;
        }
        let letters: Vec<String> = items.iter().map(|item| letters(item.text.words())).collect();
        let ends = |extent| -> Vec<String> {
            items.iter().zip(&letters).map(|(item, all)| end_of(&item.text, all, extent)).collect()
        };
        let (extent, ends) = [Extent::Words(4), Extent::Words(8)]
            .into_iter()
            .map(|extent| (extent, ends(extent)))
            .find(|(_, ends)| tells_apart(ends, &letters))
            .unwrap_or_else(|| (Extent::Whole, ends(Extent::Whole)));
        let targets = items.iter().map(|item| item.to.to_string());
        let sources: Vec<Source> = letters
            .into_iter()
            .zip(ends)
            .zip(targets)
            .map(|((letters, end), target)| Source { letters, end, target })
            .collect();
        let mut targets: HashMap<&str, &str> = HashMap::new();
        let with_target = sources
            .iter()
            .any(|source| *targets.entry(&source.letters).or_insert(&source.target) != source.target);
        Some(Self { extent, with_target, sources })
    }

    /// What to write, for the model.
    pub(crate) fn description(&self) -> String {
        let extent = match self.extent {
            Extent::Words(count) => format!("the last {count} words of the item's \"text\""),
            Extent::Whole => "the item's whole \"text\"".to_owned(),
        };
        let target = if self.with_target { "the item's \"target\", a colon, and " } else { "" };
        format!("{target}{extent}")
    }

    /// Compares the echoes with the texts. `answers` has an echo and a translation for each item that was answered.
    pub(super) fn drift(&self, answers: &[Option<Answered<'_>>]) -> Drift {
        let answered = answers.iter().flatten().count();
        if answered == 0 {
            return Drift::None;
        }
        let echoes: Vec<Option<Heard>> = answers.iter().map(|answer| self.heard(answer.as_ref()?)).collect();
        if echoes.iter().all(Option::is_none) {
            return Drift::Unknown;
        }
        let mut right: Vec<bool> = (0..answers.len())
            .map(|at| echoes[at].as_ref().is_some_and(|echo| self.is_of(echo, at)))
            .collect();
        for twin in self.twins(answers, &right) {
            right[twin] = false;
        }
        let adrift: Vec<usize> =
            (0..answers.len()).filter(|at| answers[*at].is_some() && !right[*at]).collect();
        match adrift.len() {
            0 => Drift::None,
            few if few * 3 <= answers.len() => Drift::Some(adrift),
            many => Drift::Most(many),
        }
    }

    /// The echo of an answer, without the target before it.
    fn heard(&self, answer: &Answered<'_>) -> Option<Heard> {
        let echo = answer.echo?;
        let (target, echo) = match echo.split_once([':', '：']) {
            Some((code, rest)) if self.with_target => {
                let code = code.trim();
                match self.sources.iter().find(|source| source.target.eq_ignore_ascii_case(code)) {
                    Some(source) => (Some(source.target.clone()), rest),
                    None => (None, echo),
                }
            }
            _ => (None, echo),
        };
        let letters = letters(without_placeholders(echo));
        (!letters.is_empty()).then_some(Heard { target, letters })
    }

    /// Whether an echo is of the text of this item, and of no other in the request.
    fn is_of(&self, echo: &Heard, at: usize) -> bool {
        let own = &self.sources[at];
        if echo.target.as_ref().is_some_and(|target| *target != own.target) {
            return false;
        }
        // Most echoes are exact.
        if echo.letters == own.end {
            return true;
        }
        let heard = echo.letters.chars().count();
        if heard < ENOUGH.min(own.letters.chars().count()) {
            return false;
        }
        let others = self.sources.iter().filter(|other| other.letters != own.letters);
        // The text that ends like that is the one, unless another does.
        if own.letters.ends_with(&echo.letters) {
            return !others.into_iter().any(|other| other.letters.ends_with(&echo.letters));
        }
        let likeness =
            |source: &Source| strsim::normalized_levenshtein(&echo.letters, ending(&source.letters, heard));
        let likeness_to_own = likeness(own);
        likeness_to_own >= SIMILAR && others.into_iter().all(|other| likeness(other) < likeness_to_own)
    }

    /// The answers with the right echo that have the same words for different texts in one language: at most one of them is
    /// right, and no echo says which.
    fn twins(&self, answers: &[Option<Answered<'_>>], right: &[bool]) -> Vec<usize> {
        let mut first: HashMap<(&str, &str), usize> = HashMap::new();
        let mut twins = Vec::new();
        for (at, answer) in answers.iter().enumerate().filter(|(at, _)| right[*at]) {
            let Some(Answered { text, .. }) = answer else { continue };
            let source = &self.sources[at];
            let twin = *first.entry((text.trim(), &source.target)).or_insert(at);
            let other = &self.sources[twin].letters;
            if twin != at
                && text.chars().filter(|c| c.is_alphanumeric()).nth(NO_COINCIDENCE).is_some()
                && strsim::normalized_levenshtein(&source.letters, other) < SIMILAR
            {
                twins.extend([twin, at]);
            }
        }
        twins
    }
}

/// What an answer has for one item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered<'a> {
    pub(super) echo: Option<&'a str>,
    pub(super) text: &'a str,
}

/// An echo, read.
#[derive(Debug)]
struct Heard {
    target: Option<String>,
    letters: String,
}

/// Whether no two of these ends are the same. Texts that are the same but for what is protected count as one: their
/// translations are the same, too.
fn tells_apart(ends: &[String], letters: &[String]) -> bool {
    let mut whose: HashMap<&str, &str> = HashMap::with_capacity(ends.len());
    ends.iter().zip(letters).all(|(end, letters)| *whose.entry(end).or_insert(letters) == letters)
}

/// The letters of the end of a text, which has `letters`.
fn end_of(text: &MaskedText, letters: &str, extent: Extent) -> String {
    match extent {
        Extent::Words(count) => last_words(text, count),
        Extent::Whole => letters.to_owned(),
    }
}

/// The letters of a text's last words. Where words are not separated, a few letters stand for a word, as a model counts them.
fn last_words(text: &MaskedText, count: usize) -> String {
    /// Longer words are rare, and whole sentences without spaces are longer.
    const LONGEST: usize = 12;
    let from_the_end = text.words().rev().flat_map(|words| words.split_whitespace().rev());
    let mut words: Vec<String> =
        from_the_end.map(|word| letters([word])).filter(|word| !word.is_empty()).take(count).collect();
    words.reverse();
    let words = words.concat();
    ending(&words, count * LONGEST).to_owned()
}

/// The letters and digits of a text in lower case: what a model that repeats it keeps.
fn letters<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut letters = String::new();
    for piece in pieces {
        letters.reserve(piece.len());
        if piece.is_ascii() {
            letters.extend(
                piece.bytes().filter(u8::is_ascii_alphanumeric).map(|c| char::from(c.to_ascii_lowercase())),
            );
        } else {
            letters.extend(piece.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()));
        }
    }
    letters
}

/// The pieces of an echo between placeholders, whichever brackets they are in: a number in any of these is none of the text's
/// own, which are masked.
fn without_placeholders(echo: &str) -> impl Iterator<Item = &str> {
    let mut rest = echo;
    std::iter::from_fn(move || {
        let piece = (!rest.is_empty()).then_some(rest)?;
        let open = rest.find(['⟦', '⟪', '⦃', '\u{e000}']);
        let (before, after) = piece.split_at(open.unwrap_or(rest.len()));
        rest = match after.find(['⟧', '⟫', '⦄', '\u{e001}']) {
            Some(close) => {
                let close = after[close..].chars().next().map_or(after.len(), |c| close + c.len_utf8());
                &after[close..]
            }
            None => "",
        };
        Some(before)
    })
}

/// As many characters from the end of a text, or all.
fn ending(text: &str, count: usize) -> &str {
    match text.char_indices().rev().nth(count.saturating_sub(1)) {
        Some((at, _)) if count > 0 => &text[at..],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::fixtures::{language, mask};
    use proptest::prelude::*;

    use super::*;

    fn items(texts: &[&str], to: &[&str]) -> Vec<Item> {
        let item = |(text, to): (&&str, &&str)| Item::new(mask(text).text, language("en"), language(to));
        texts.iter().zip(to.iter().cycle()).map(item).collect()
    }

    fn echo_of(items: &[Item]) -> Echo {
        Echo::of(&items.iter().collect::<Vec<_>>()).unwrap()
    }

    /// What is adrift where the answers have these echoes; each translation is another.
    fn drift(texts: &[&str], echoes: &[&str]) -> Drift {
        let translations: Vec<String> = (0..echoes.len()).map(|at| format!("traducción {at}")).collect();
        let answers: Vec<_> = echoes
            .iter()
            .zip(&translations)
            .map(|(echo, text)| {
                (*echo != "-").then_some(Answered { echo: (!echo.is_empty()).then_some(*echo), text })
            })
            .collect();
        echo_of(&items(texts, &["es"])).drift(&answers)
    }

    const SIX: [&str; 6] = [
        "The bridge over the river is closed until Monday",
        "Our bakery has fresh bread again from tomorrow on, says @bob",
        "Thanks to everybody who came to the concert last night",
        "Rain all day, so take an umbrella with you",
        "The library opens at noon",
        "“Nobody told us,” says the mayor of the town",
    ];

    #[test]
    fn the_last_words_are_enough_and_may_be_repeated_as_models_do() {
        for echoes in [
            [
                "is closed until Monday",
                "from tomorrow on says",
                "the concert last night",
                "an umbrella with you",
                "library opens at noon",
                "mayor of the town",
            ],
            // More or fewer words, placeholders, other quotes, capitals, white space, a slip.
            [
                "closed  until\nMONDAY.",
                "tomorrow on, says ⟦0⟧",
                "concert last night!",
                "take a umbrella with you",
                "The library opens at noon ⟦0⟧",
                "\"says the mayor of the town\"",
            ],
            // The whole texts.
            SIX,
        ] {
            assert_eq!(drift(&SIX, &echoes), Drift::None, "{echoes:?}");
        }
    }

    #[test]
    fn words_of_another_text_are_found() {
        let right = [
            "is closed until Monday",
            "from tomorrow on says",
            "the concert last night",
            "an umbrella with you",
            "library opens at noon",
            "mayor of the town",
        ];
        let mut swapped = right;
        swapped.swap(1, 2);
        assert_eq!(drift(&SIX, &swapped), Drift::Some(vec![1, 2]));
        let mut shifted = right;
        shifted.rotate_left(1);
        assert_eq!(drift(&SIX, &shifted), Drift::Most(6));
        let (mut doubled, mut missing, mut merged) = (right, right, right);
        doubled[4] = right[3];
        assert_eq!(drift(&SIX, &doubled), Drift::Some(vec![4]));
        // The second is left out, and the rest moved up.
        missing[1..5].copy_from_slice(&right[2..]);
        missing[5] = "-";
        assert_eq!(drift(&SIX, &missing), Drift::Most(4));
        merged[2] = "the concert last night Rain all day, so take an umbrella with you";
        assert_eq!(drift(&SIX, &merged), Drift::Some(vec![2]));
        merged[2] = right[3];
        assert_eq!(drift(&SIX, &merged), Drift::Some(vec![2]));
    }

    #[test]
    fn an_answer_without_an_echo_is_no_proof() {
        assert_eq!(drift(&SIX, &[""; 6]), Drift::Unknown);
        assert_eq!(drift(&SIX, &["⟦0⟧", "…", "-", "-", " ", "!"]), Drift::Unknown);
        let mut one = SIX;
        one[3] = "";
        assert_eq!(drift(&SIX, &one), Drift::Some(vec![3]));
        one[3] = "y";
        assert_eq!(drift(&SIX, &one), Drift::Some(vec![3]), "too little to prove anything");
        assert_eq!(drift(&SIX, &["-"; 6]), Drift::None, "what is left out is reported elsewhere");
    }

    #[test]
    fn posts_of_a_template_are_told_apart_by_more_words_or_all() {
        let end = ["Goal for Vigo in the last minute of play", "Goal for Lugo in the last minute of play"];
        let echo = echo_of(&items(&end, &["es"]));
        assert_eq!(echo.extent, Extent::Words(8));
        assert!(echo.description().contains("last 8 words"));
        let far = [
            "Vigo leads the table after a very long and hard day of play",
            "Lugo leads the table after a very long and hard day of play",
        ];
        assert_eq!(echo_of(&items(&far, &["es"])).extent, Extent::Whole);
        assert_eq!(drift(&far, &far), Drift::None);
        assert_eq!(drift(&far, &[far[1], far[0]]), Drift::Most(2));
        assert_eq!(drift(&far, &["long and hard day of play"; 2]), Drift::Most(2), "it may be either");
        let same = ["Minute 12 of the match", "Minute 13 of the match", "Half time"];
        let echo = echo_of(&items(&same, &["es"]));
        assert_eq!(echo.extent, Extent::Words(4), "their translations are the same");
    }

    #[test]
    fn texts_without_spaces_and_of_other_scripts_are_told_apart() {
        let texts = [
            "橋は月曜日まで閉鎖されています。",
            "図書館は正午に開きます。",
            "Мост закрыт до понедельника",
            "สะพานปิดถึงวันจันทร์",
        ];
        assert_eq!(
            drift(&texts, &["閉鎖されています", "正午に開きます。", "закрыт до понедельника", "ปิดถึงวันจันทร์"]),
            Drift::None
        );
        assert_eq!(
            drift(&texts, &["正午に開きます。", "閉鎖されています", "закрыт до понедельника", "ปิดถึงวันจันทร์"]),
            Drift::Most(2)
        );
    }

    #[test]
    fn one_text_for_several_languages_is_told_apart_by_the_target() {
        let texts = [SIX[0], SIX[0], SIX[0], SIX[1], SIX[1], SIX[1]];
        let echo = echo_of(&items(&texts, &["es", "fr", "gl"]));
        assert!(echo.description().contains("target"), "{}", echo.description());
        let said = |echoes: [&str; 6]| {
            let texts: Vec<String> = (0..6).map(|at| format!("une traduction {at}")).collect();
            let answers: Vec<_> = echoes
                .iter()
                .zip(&texts)
                .map(|(echo, text)| Some(Answered { echo: Some(echo), text }))
                .collect();
            echo.drift(&answers)
        };
        let (one, two) = ("closed until Monday", "tomorrow on says");
        let right = ["es", "fr", "gl", "es", "fr", "gl"];
        let with = |codes: [&str; 6]| -> [String; 6] {
            std::array::from_fn(|at| format!("{}: {}", codes[at], if at < 3 { one } else { two }))
        };
        let right_echoes = with(right);
        assert_eq!(said(right_echoes.each_ref().map(String::as_str)), Drift::None);
        let swapped = with(["fr", "es", "gl", "es", "fr", "gl"]);
        assert_eq!(said(swapped.each_ref().map(String::as_str)), Drift::Some(vec![0, 1]));
        assert_eq!(said([one, one, one, two, two, two]), Drift::None, "the gate knows languages");
    }

    #[test]
    fn one_translation_for_two_texts_is_found_whatever_the_echo() {
        let items = items(&SIX, &["es"]);
        let texts = [
            "El puente está cerrado",
            "Pan recién hecho otra vez",
            "El puente está cerrado",
            "Lluvia",
            "Lluvia",
            "x",
        ];
        let answers: Vec<_> =
            SIX.iter().zip(texts).map(|(echo, text)| Some(Answered { echo: Some(echo), text })).collect();
        assert_eq!(echo_of(&items).drift(&answers), Drift::Some(vec![0, 2]));
    }

    #[test]
    fn a_single_item_needs_none() {
        let items = items(&SIX[..1], &["es"]);
        assert!(Echo::of(&items.iter().collect::<Vec<_>>()).is_none());
    }

    proptest! {
        #[test]
        fn no_echo_makes_it_panic_and_what_was_asked_for_is_always_right(
            texts in proptest::collection::vec("[ a-cA-C日本ßİΣ.…:⟦⟧0-9@#]{0,20}", 2..6),
            echoes in proptest::collection::vec("[ a-cA-C日本ßİΣ.…:⟦⟧0-9@#]{0,20}", 6),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let items = items(&texts, &["es"]);
            let echo = echo_of(&items);
            let drift = |said: &mut dyn Iterator<Item = &str>| {
                echo.drift(&said.map(|echo| Some(Answered { echo: Some(echo), text: "x" })).collect::<Vec<_>>())
            };
            drift(&mut echoes.iter().take(texts.len()).map(String::as_str));
            prop_assume!(items.iter().all(|item| item.text.has_words()));
            prop_assert_eq!(drift(&mut echo.sources.iter().map(|source| source.end.as_str())), Drift::None);
        }
    }
}
