//! Engines that know nothing of posts translate each line by itself: words move about in a translation, and not past the end
//! of the author's line. This module cuts a text into its lines, and what is around them.

use mynah_domain::text::{MaskedText, Segment};

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Line ends, white space, lines without words.
    AsItIs(Vec<Segment>),
    /// To be translated; begins and ends with no white space.
    Line(Vec<Segment>),
}

/// Cuts a text into its lines and what is around them.
pub(super) fn lines(text: &MaskedText) -> Vec<Part> {
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

/// Whether there is anything to translate.
pub(super) fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// The white space before and after the words of `text`, which has some.
pub(super) fn margins(text: &str) -> (&str, &str) {
    let start = text.len() - text.trim_start().len();
    (&text[..start], &text[text.trim_end().len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Segment {
        Segment::Words(text.into())
    }

    #[test]
    fn a_text_is_its_lines_and_the_white_space_around_them() {
        let text = MaskedText(vec![
            words(" One "),
            Segment::Placeholder(0),
            words("\r\n\n  … 12\n two\u{2028}"),
            words("x"),
        ]);
        let parts = lines(&text);
        let to_translate = parts.iter().filter_map(|part| match part {
            Part::Line(segments) => Some(MaskedText::from_segments(segments.clone()).0),
            Part::AsItIs(_) => None,
        });
        assert_eq!(
            to_translate.collect::<Vec<_>>(),
            [vec![words("One "), Segment::Placeholder(0)], vec![words("two")], vec![words("x")]]
        );
        let all = parts.into_iter().flat_map(|part| match part {
            Part::AsItIs(segments) | Part::Line(segments) => segments,
        });
        assert_eq!(MaskedText::from_segments(all), MaskedText::from_segments(text.0));
    }
}
