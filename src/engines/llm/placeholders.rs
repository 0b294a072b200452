//! Placeholders in a form that a language model leaves alone: white brackets, `⟦1⟧`. It has seen them around numbers, they mean
//! nothing in markup or code, and hardly anybody writes them. Where an author did, another pair is used.

use std::{ops::Range, sync::LazyLock};

use mynah_domain::text::{
    MaskedText, Segment,
    digits::{decimal, parse_decimal},
};
use regex::Regex;

/// In order of preference. The last are private use: nobody can type them.
const PAIRS: [Brackets; 4] =
    [Brackets('⟦', '⟧'), Brackets('⟪', '⟫'), Brackets('⦃', '⦄'), Brackets('\u{e000}', '\u{e001}')];

/// What models write instead, also doubled: `[[0]]`, `{{0}}`, `〚0〛`, `【0】`.
const OTHERS: [Brackets; 10] = [
    Brackets('[', ']'),
    Brackets('{', '}'),
    Brackets('〚', '〛'),
    Brackets('【', '】'),
    Brackets('〔', '〕'),
    Brackets('〖', '〗'),
    Brackets('［', '］'),
    Brackets('｛', '｝'),
    Brackets('《', '》'),
    Brackets('〈', '〉'),
];

/// What stands around a placeholder's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Brackets(pub(crate) char, pub(crate) char);

impl Brackets {
    /// The first pair that none of `texts` holds; `None` where they hold all, which no honest post does.
    pub(crate) fn absent_from<'a>(texts: &(impl Iterator<Item = &'a MaskedText> + Clone)) -> Option<Self> {
        PAIRS.into_iter().find(|Self(open, close)| {
            texts.clone().flat_map(MaskedText::words).all(|words| !words.contains([*open, *close]))
        })
    }

    /// One placeholder, as the model sees it.
    pub(crate) fn around(self, number: usize) -> String {
        format!("{}{number}{}", self.0, self.1)
    }

    pub(crate) fn write(self, text: &MaskedText) -> String {
        text.0
            .iter()
            .map(|segment| match segment {
                Segment::Placeholder(number) => self.around(*number),
                Segment::Words(words) => words.clone(),
            })
            .collect()
    }

    /// Reads the answer to `asked` back. Models write a placeholder in the digits of the language (`⟦٠⟧`), add white
    /// space or brackets, forget one, or take other brackets; each is read where it can mean only one thing. What is no
    /// placeholder stays as it is: whoever restores the text finds what is missing.
    pub(crate) fn read(self, answer: &str, asked: &MaskedText) -> MaskedText {
        let text = self.exactly(answer);
        let found: Vec<usize> = text.placeholders().collect();
        let missing: Vec<usize> = asked.placeholders().filter(|number| !found.contains(number)).collect();
        if missing.is_empty() { text } else { self.nearly(&text, asked, &missing) }
    }

    /// Reads numbers between these brackets, which are in no post that they are used for.
    fn exactly(self, answer: &str) -> MaskedText {
        let mut segments = Vec::new();
        let mut rest = answer;
        while let Some((before, after)) = rest.split_once(self.0) {
            segments.push(Segment::Words(before.to_owned()));
            let placeholder =
                after.trim_start_matches(self.0).split_once(self.1).and_then(|(inside, after)| {
                    Some((parse_decimal(inside.trim_matches(is_blank))?, after.trim_start_matches(self.1)))
                });
            if let Some((number, after)) = placeholder {
                segments.push(Segment::Placeholder(number));
                rest = after;
            } else {
                segments.push(Segment::Words(self.0.into()));
                rest = after;
            }
        }
        segments.push(Segment::Words(rest.to_owned()));
        MaskedText::from_segments(segments)
    }

    /// Looks in the words for the placeholders that are missing. One that is there twice is not clear.
    fn nearly(self, text: &MaskedText, asked: &MaskedText, missing: &[usize]) -> MaskedText {
        let candidates: Vec<usize> =
            text.words().flat_map(|words| self.candidates(words, asked)).map(|(_, number)| number).collect();
        let is_clear = |number: &usize| {
            missing.contains(number) && candidates.iter().filter(|other| *other == number).count() == 1
        };
        MaskedText::from_segments(text.0.iter().flat_map(|segment| {
            let Segment::Words(words) = segment else { return vec![segment.clone()] };
            let mut pieces = Vec::new();
            let mut end = 0;
            for (range, number) in self.candidates(words, asked).filter(|(_, number)| is_clear(number)) {
                pieces.push(Segment::Words(words[end..range.start].to_owned()));
                pieces.push(Segment::Placeholder(number));
                end = range.end;
            }
            pieces.push(Segment::Words(words[end..].to_owned()));
            pieces
        }))
    }

    /// What may be a placeholder: a number with at least one of these brackets, whichever way round as Arabic may turn
    /// them, or between two others that the post does not have.
    fn candidates<'a>(
        self,
        words: &'a str,
        asked: &'a MaskedText,
    ) -> impl Iterator<Item = (Range<usize>, usize)> + 'a {
        let has = move |c: char| asked.words().any(|words| words.contains(c));
        NEARLY.find_iter(words).filter_map(move |found| {
            let is_digit = |c: char| decimal(c).is_some();
            let edge = |c: Option<char>| c.filter(|c| !is_digit(*c));
            let text = found.as_str();
            let (first, last) = (edge(text.chars().next()), edge(text.chars().next_back()));
            let is_own = |side: Option<char>| side.is_some_and(|c| c == self.0 || c == self.1);
            let is_pair = || {
                let pair =
                    PAIRS.iter().chain(&OTHERS).find(|pair| Some(pair.0) == first && Some(pair.1) == last);
                pair.is_some_and(|Self(open, close)| !has(*open) && !has(*close))
            };
            let number = parse_decimal(text.trim_matches(|c| !is_digit(c)))?;
            (is_own(first) || is_own(last) || is_pair()).then(|| (found.range(), number))
        })
    }
}

/// A number with an opening bracket of any kind before it, a closing one after it, or both, also turned around as in
/// the middle of Arabic. White space is part of it only between two brackets.
static NEARLY: LazyLock<Regex> = LazyLock::new(|| {
    let all = || PAIRS.iter().chain(&OTHERS);
    let open: String = all().map(|pair| regex::escape(&pair.0.to_string())).collect();
    let close: String = all().map(|pair| regex::escape(&pair.1.to_string())).collect();
    let blank = r"[\s\u200e\u200f\u061c\u2066-\u2069]*";
    Regex::new(&format!(
        r"[{open}]+{blank}\p{{Nd}}+(?:{blank}[{close}]+)?|\p{{Nd}}+{blank}[{close}]+|[{close}]{blank}\p{{Nd}}+{blank}[{open}]"
    ))
    .expect("the pattern is a constant that a test compiles")
});

/// White space and marks of direction: around a number they mean nothing.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use mynah_domain::fixtures::mask;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["hi @bob, see https://a.example", "#a#b", "", "no ⟦1⟧ of mine, @bob"] {
            let mask = mask(text);
            let brackets = Brackets::absent_from(&[&mask.text].into_iter()).unwrap();
            assert_eq!(brackets.read(&brackets.write(&mask.text), &mask.text), mask.text, "{text}");
        }
    }

    #[test]
    fn the_authors_own_brackets_are_never_placeholders() {
        let one = mask("⟦x⟧ @bob").text;
        let two = mask("⟫").text;
        let brackets = Brackets::absent_from(&[&one, &two].into_iter()).unwrap();
        assert_eq!(brackets.write(&one), "⟦x⟧ ⦃0⦄");
        let all = mask("⟦⟫⦃\u{e001}").text;
        assert_eq!(Brackets::absent_from(&[&all].into_iter()), None);
    }

    /// What is read in an answer to a post with `asked` in it, with `0` for the first placeholder and so on, in braces.
    fn read(asked: &str, answer: &str) -> String {
        let pieces = asked.split('|').map(|piece| match piece.parse() {
            Ok(number) => Segment::Placeholder(number),
            Err(_) => Segment::Words(piece.into()),
        });
        let asked = MaskedText::from_segments(pieces);
        let read = PAIRS[0].read(answer, &asked);
        let shown = read.0.iter().map(|segment| match segment {
            Segment::Placeholder(number) => format!("<{number}>"),
            Segment::Words(words) => words.clone(),
        });
        shown.collect()
    }

    #[test]
    fn a_placeholder_is_read_in_every_form_that_means_one_number() {
        for form in [
            "⟦1⟧",
            "⟦１⟧",
            "⟦١⟧",
            "⟦۱⟧",
            "⟦१⟧",
            "⟦๑⟧",
            "⟦ 1 ⟧",
            "⟦\u{a0}1\u{3000}⟧",
            "⟦\u{200f}1\u{200e}⟧",
            "⟦\u{2066}1\u{2069}⟧",
            "⟦⟦1⟧⟧",
            "⟦⟦1⟧",
            "⟦1⟧⟧",
            "⟦1",
            "1⟧",
            "⟧1⟦",
            "⟦1]",
            "[1⟧",
            "[[1]]",
            "[1]",
            "{{1}}",
            "{1}",
            "【1】",
            "〚1〛",
            "〔１〕",
            "《1》",
            "⟪1⟫",
            "⦃1⦄",
            "［１］",
            "[ 1 ]",
        ] {
            assert_eq!(
                read("Hi |0|, see |1|.", &format!("Hola ⟦0⟧, mira {form}.")),
                "Hola <0>, mira <1>.",
                "{form}"
            );
            assert_eq!(read("Hi |0|, see |1|.", &format!("{form}を⟦0⟧が")), "<1>を<0>が", "{form}");
        }
        assert_eq!(read("Hi |0| |1|", "⟦0 ⟦1 です"), "<0> <1> です", "the space is one of the words");
        assert_eq!(read("Hi |0| |1| |12", "[0][12][1]"), "<0><12><1>");
    }

    #[test]
    fn what_may_mean_something_else_is_not_a_placeholder() {
        for (asked, answer, expected) in [
            ("[x] |0", "[0]", "[0]"),
            ("|0| b", "[0] b [0]", "[0] b [0]"),
            ("|0| b", "⟦0⟧ [0]", "<0> [0]"),
            ("|0| b", "⟦0⟧ ⟦0⟧", "<0> <0>"),
            ("|0| b", "0 b (0)", "0 b (0)"),
            ("|0| b", "[1] b ⟦2", "[1] b ⟦2"),
            ("|0| b", "⟦7⟧ b", "<7> b"),
            ("|0| b", "[0} b", "[0} b"),
            ("|0| b", "⟦x⟧ ⟦⟧ ⟦", "⟦x⟧ ⟦⟧ ⟦"),
            ("|0| b", "⟦99999999999999999999999⟧", "⟦99999999999999999999999⟧"),
        ] {
            assert_eq!(read(asked, answer), expected, "{answer}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_reading_panic(answer in "[⟦⟧\\[\\]{}0-2٠ a日\u{200f}]{0,16}") {
            read("a |0| b |1|", &answer);
        }
    }
}
