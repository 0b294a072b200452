//! Engines that know nothing of posts translate each line by itself: words move about in a translation, and not past the end
//! of the author's line. This module cuts a text into its lines, and what is around them.

use mynah_domain::text::{MaskedText, Segment};

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Line ends, white space, lines without words.
    AsItIs(Vec<Segment>),
    /// To be translated; begins and ends with no white space.
    Line(Vec<Segment>),
}

/// Cuts a text into its lines and what is around them.
pub(crate) fn lines(text: &MaskedText) -> Vec<Part> {
    split(&text.0).into_iter().flat_map(trimmed).collect()
}

/// The text as if it were a single line, without the white space around it, and that.
pub(crate) fn whole(text: &MaskedText) -> Vec<Part> {
    trimmed(text.0.clone())
}

/// Cuts segments after each end of a line.
fn split(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let mut lines: Vec<Vec<Segment>> = vec![Vec::new()];
    for segment in segments {
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
    lines
}

fn push(lines: &mut [Vec<Segment>], segment: Segment) {
    if let Some(line) = lines.last_mut() {
        line.push(segment);
    }
}

/// Whether a line ends with this character.
pub(crate) fn ends_line(c: char) -> bool {
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

/// Whether there is anything to translate in a text.
pub(crate) fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// The white space before and after the words of `text`, which has some.
pub(crate) fn margins(text: &str) -> (&str, &str) {
    let start = text.len() - text.trim_start().len();
    (&text[..start], &text[text.trim_end().len()..])
}

#[cfg(test)]
mod tests {
    use mynah_domain::fixtures::mask;

    use super::*;

    fn joined(parts: Vec<Part>) -> MaskedText {
        MaskedText::from_segments(parts.into_iter().flat_map(|part| match part {
            Part::AsItIs(segments) | Part::Line(segments) => segments,
        }))
    }

    #[test]
    fn lines_and_what_is_around_them_make_up_the_text() {
        for text in ["", " ", "a", " One\n\n• two @bob\r\n 7\u{2028}three ", "@bob\n#tag", "\n\n"] {
            let text = mask(text).text;
            assert_eq!(joined(lines(&text)), text);
            assert_eq!(joined(whole(&text)), text);
        }
    }

    #[test]
    fn only_lines_with_words_are_translated_without_the_space_around_them() {
        let text = mask(" One @bob\n \n#tag\n  two ").text;
        let translated = |parts: Vec<Part>| {
            let words = |part| match part {
                Part::Line(segments) => {
                    let line = MaskedText::from_segments(segments);
                    Some(line.words().collect::<Vec<_>>().join("|"))
                }
                Part::AsItIs(_) => None,
            };
            parts.into_iter().filter_map(words).collect::<Vec<_>>()
        };
        assert_eq!(translated(lines(&text)), ["One ", "two"]);
        assert_eq!(translated(whole(&text)), ["One |\n \n|\n  two"]);
    }
}
