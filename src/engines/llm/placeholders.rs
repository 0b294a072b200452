//! Placeholders in a form that a language model leaves alone: white brackets, `⟦1⟧`. It has seen them around numbers, they mean
//! nothing in markup or code, and hardly anybody writes them. Where an author did, another pair is used.

use mynah_domain::text::{MaskedText, Segment};

/// In order of preference. The last are private use: nobody can type them.
const PAIRS: [Brackets; 4] =
    [Brackets('⟦', '⟧'), Brackets('⟪', '⟫'), Brackets('⦃', '⦄'), Brackets('\u{e000}', '\u{e001}')];

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

    /// Reads an answer back. What is no placeholder stays as it is: whoever restores the text finds what is missing.
    pub(crate) fn read(self, answer: &str) -> MaskedText {
        let mut segments = Vec::new();
        let mut rest = answer;
        while let Some((before, after)) = rest.split_once(self.0) {
            let placeholder = after
                .split_once(self.1)
                .and_then(|(inside, after)| Some((inside.trim().parse().ok()?, after)));
            if let Some((number, after)) = placeholder {
                segments.push(Segment::Words(before.to_owned()));
                segments.push(Segment::Placeholder(number));
                rest = after;
            } else {
                segments.push(Segment::Words(format!("{before}{}", self.0)));
                rest = after;
            }
        }
        segments.push(Segment::Words(rest.to_owned()));
        MaskedText::from_segments(segments)
    }
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
            assert_eq!(brackets.read(&brackets.write(&mask.text)), mask.text, "{text}");
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

    #[test]
    fn an_answer_is_read_as_the_model_left_it() {
        let brackets = PAIRS[0];
        let words = |text: &str| Segment::Words(text.into());
        assert_eq!(
            brackets.read("⟦ 1 ⟧ a ⟦⟦0⟧ ⟦x⟧ ⟦2").0,
            [Segment::Placeholder(1), words(" a ⟦"), Segment::Placeholder(0), words(" ⟦x⟧ ⟦2")]
        );
    }
}
