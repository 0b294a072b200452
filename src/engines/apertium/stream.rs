//! One line of a text in Apertium's stream format and back.
//!
//! The format gives a meaning to a dozen characters, drops some and moves blanks about as words change places. What
//! must come back as it was (placeholders, tabs, control characters, tildes) is therefore not in the stream at all:
//! a numbered *superblank*, `[3]`, stands for it, which every stage lets through. A text's own brackets are escaped, so
//! none can be mistaken for one. After the translation the blanks around each are put as they were in the source, so
//! that `(#tag)`, `@name:` and `hi @name, …` look as their author left them.

use std::iter;

use mynah_domain::text::Segment;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Words(String),
    /// A superblank: what stands in this place of [`Line::kept`].
    Kept(usize),
}

/// A line that is about to be translated: no white space at its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pieces: Vec<Piece>,
    kept: Vec<Segment>,
}

/// Stands behind every superblank. To the last stage one is as good as a space: it makes `al [0] coche` of
/// `a [0] el coche`, and the mention has changed places with the article. A character that is no letter stops it.
const BARRIER: char = '\u{e000}';

/// What came back is not the line that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbled {
    #[error("the translation ends in the middle of a mark")]
    CutOff,
    #[error("the translation holds marks of Apertium's own")]
    Marks,
    #[error("the translation lost, doubled or moved what must not change")]
    Kept,
}

impl Line {
    /// Sets apart what must not change.
    pub(super) fn new(segments: &[Segment]) -> Self {
        let mut line = Self { pieces: Vec::new(), kept: Vec::new() };
        for segment in segments {
            match segment {
                Segment::Placeholder(_) => line.keep(segment.clone()),
                Segment::Words(words) => line.add_words(words),
            }
        }
        line
    }

    fn keep(&mut self, segment: Segment) {
        self.pieces.push(Piece::Kept(self.kept.len()));
        self.kept.push(segment);
    }

    fn add_words(&mut self, words: &str) {
        let mut rest = words;
        while !rest.is_empty() {
            let plain = rest.find(is_kept).unwrap_or(rest.len());
            // A single space between words is theirs; all other white space is the author's, to the letter.
            let plain = rest[..plain]
                .find("  ")
                .or_else(|| {
                    let before = rest[..plain].trim_end_matches(' ').len();
                    (plain < rest.len() && rest[plain..].starts_with(char::is_whitespace)).then_some(before)
                })
                .unwrap_or(plain);
            if plain > 0 {
                self.pieces.push(Piece::Words(rest[..plain].to_owned()));
                rest = &rest[plain..];
                continue;
            }
            let blanks = rest.len() - rest.trim_start().len();
            let end =
                if blanks > 0 { blanks } else { rest.chars().next().map_or(rest.len(), char::len_utf8) };
            self.keep(Segment::Words(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }

    /// The line in the stream format.
    pub(super) fn to_stream(&self) -> String {
        let mut stream = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Words(words) => escape(words, &mut stream),
                Piece::Kept(number) => {
                    stream.push('[');
                    stream.push_str(&number.to_string());
                    stream.push(']');
                    stream.push(BARRIER);
                }
            }
        }
        stream
    }

    /// The segments of its translation, `stream`.
    pub(super) fn translated(&self, stream: &str) -> Result<Vec<Segment>, Garbled> {
        let pieces = read(stream)?;
        let kept = pieces.iter().filter_map(|piece| match piece {
            Piece::Kept(number) => Some(*number),
            Piece::Words(_) => None,
        });
        if !kept.eq(0..self.kept.len()) {
            return Err(Garbled::Kept);
        }
        Ok(self.with_spaces_as_in_the_source(&gaps(&pieces)))
    }

    /// Puts the translated words between what was kept, `words[i]` before the kept thing `i` and the last after all.
    fn with_spaces_as_in_the_source(&self, words: &[String]) -> Vec<Segment> {
        let source = gaps(&self.pieces);
        let count = self.kept.len();
        let mut segments = Vec::new();
        for (i, (source, words)) in iter::zip(&source, words).enumerate() {
            let before = i.checked_sub(1).and_then(|i| self.kept.get(i));
            let after = self.kept.get(i);
            let (own, words) = (source.trim(), with_quotes_as_in(source, squeeze(words, source)));
            let text = if words.is_empty() {
                // Nothing, where nothing was; else what stood apart stays apart.
                let apart = before.is_some() && after.is_some() && !source.is_empty();
                if apart { " ".to_owned() } else { String::new() }
            } else {
                let left = before.is_some_and(|kept| {
                    needs_space(kept, source.starts_with(' '), own.chars().next(), words.chars().next())
                });
                let right = after.is_some_and(|kept| {
                    needs_space(
                        kept,
                        source.ends_with(' '),
                        own.chars().next_back(),
                        words.chars().next_back(),
                    )
                });
                let space = |needed| if needed { " " } else { "" };
                format!("{}{words}{}", space(left), space(right))
            };
            segments.push(Segment::Words(text));
            if i < count {
                segments.push(self.kept[i].clone());
            }
        }
        segments
    }

    /// What must not change, in order.
    pub(super) fn kept(&self) -> &[Segment] {
        &self.kept
    }

    /// The words between what was kept, one more than that.
    pub(super) fn words(&self) -> Vec<String> {
        gaps(&self.pieces)
    }
}

/// Whether a space belongs between a kept thing and the translated words beside it.
fn needs_space(kept: &Segment, had_space: bool, source: Option<char>, translated: Option<char>) -> bool {
    let Segment::Placeholder(_) = kept else {
        // White space needs none beside it; a tilde has what it had.
        return had_space;
    };
    // A mention that a new word grows to is another mention: only what stood there, or what ends a name, may touch it.
    let safe =
        |c: char| Some(c) == source || (!c.is_alphanumeric() && !"@#$&_-/.~+=%\\:".contains(c)) || c == '…';
    let ends_a_name = |c: char| matches!(c, '.' | ':') && source.is_some_and(|s| !s.is_alphanumeric());
    had_space || translated.is_some_and(|c| !safe(c) && !ends_a_name(c))
}

/// The words before each kept thing and after the last.
fn gaps(pieces: &[Piece]) -> Vec<String> {
    let mut gaps = vec![String::new()];
    for piece in pieces {
        match piece {
            Piece::Words(words) => {
                if let Some(gap) = gaps.last_mut() {
                    gap.push_str(words);
                }
            }
            Piece::Kept(_) => gaps.push(String::new()),
        }
    }
    gaps
}

/// Takes out the spaces that words leave behind which Apertium leaves out (`he says` is `dice`): doubled ones, and ones
/// before punctuation that has none in the source.
fn squeeze(words: &str, source: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.trim().chars() {
        let closes = matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | ')' | '…' | '”');
        if closes && text.ends_with(' ') && !source.contains(&format!(" {c}")) {
            text.pop();
        }
        let opened = text.chars().next_back();
        let after_opening = matches!(opened, Some('(' | '¿' | '¡' | '“')) && !source.contains("( ");
        if c == ' ' && (opened == Some(' ') || after_opening) {
            continue;
        }
        text.push(c);
    }
    text
}

/// Gives typewriter quotes back the author's form: Apertium writes `’` as `'`, and `‘yes’` became `‘sí'`. An apostrophe
/// between two letters is of the other language (`l'home`), and remains.
fn with_quotes_as_in(source: &str, words: String) -> String {
    if !source.contains('’') || !words.contains('\'') {
        return words;
    }
    // Where the author has both, only what closes an open quotation is known to be his `’`.
    let both = source.contains('\'');
    let mut open = false;
    let mut text = String::with_capacity(words.len() + 2);
    for (at, c) in words.char_indices() {
        let within = text.ends_with(char::is_alphabetic)
            && words[at + c.len_utf8()..].starts_with(char::is_alphabetic);
        let is_quote = c == '\'' && !within && (open || !both);
        text.push(if is_quote { '’' } else { c });
        match c {
            '‘' => open = true,
            '’' => open = false,
            _ => open &= !is_quote,
        }
    }
    text
}

/// Whether a character may not be in the stream: white space that is no plain space, controls (a NUL ends the text), and
/// the tilde, which the last stage takes for a mark of its own and drops.
fn is_kept(c: char) -> bool {
    c == '~' || c == BARRIER || c.is_control() || (c.is_whitespace() && c != ' ')
}

/// The characters with a meaning in the stream.
fn is_special(c: char) -> bool {
    matches!(c, '\\' | '[' | ']' | '^' | '$' | '/' | '{' | '}' | '<' | '>' | '@')
}

fn escape(words: &str, stream: &mut String) {
    for c in words.chars() {
        if is_special(c) {
            stream.push('\\');
        }
        stream.push(c);
    }
}

fn read(stream: &str) -> Result<Vec<Piece>, Garbled> {
    let mut pieces = Vec::new();
    let mut words = String::new();
    let mut chars = stream.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => words.push(chars.next().ok_or(Garbled::CutOff)?),
            '[' => {
                let mut number = String::new();
                loop {
                    match chars.next() {
                        Some(']') => break,
                        Some(digit) => number.push(digit),
                        None => return Err(Garbled::CutOff),
                    }
                }
                // An empty one is Apertium's own.
                if !number.is_empty() {
                    pieces.push(Piece::Words(std::mem::take(&mut words)));
                    pieces.push(Piece::Kept(number.parse().map_err(|_| Garbled::Marks)?));
                }
            }
            BARRIER => {}
            '^' | '$' | '\0' => return Err(Garbled::Marks),
            c => words.push(c),
        }
    }
    pieces.push(Piece::Words(words));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use mynah_domain::{fixtures::mask, text::MaskedText};

    use super::*;

    fn line(text: &str) -> Line {
        Line::new(&mask(text).text.0)
    }

    /// The translation `stream` of the line `source`, put together.
    fn back(source: &str, stream: &str) -> Result<String, Garbled> {
        let segments = line(source).translated(stream)?;
        Ok(mask(source).restore(&MaskedText::from_segments(segments)).unwrap())
    }

    #[test]
    fn what_has_a_meaning_in_the_stream_is_escaped_and_read_back() {
        let text = r"a\b [c] ^d^ $ e/f {g} <h> i@ * # ñ";
        let stream = line(text).to_stream();
        assert_eq!(stream, r"a\\b \[c\] \^d\^ \$ e\/f \{g\} \<h\> i\@ * # ñ");
        assert_eq!(back(text, &stream).unwrap(), text);
    }

    #[test]
    fn what_must_not_change_is_not_in_the_stream() {
        for (text, stream) in [
            ("hi @bob, bye", "hi [0], bye"),
            ("a\tb~c\u{0}d", "a[0]b[1]c[2]d"),
            ("a  b \u{a0} c", "a[0]b[1]c"),
            ("[x] is @bob", r"\[x\] is [0]"),
            ("[0] is @bob", r"\[[0]\] is [1]"),
            ("2 🎉 at 10:30", "[0] [1] at [2]"),
            ("@bob~\u{e000}", "[0][1][2]"),
        ] {
            let written = line(text).to_stream();
            assert_eq!(written.replace(BARRIER, ""), stream, "{text:?}");
            assert_eq!(back(text, &written).unwrap(), text);
        }
    }

    #[test]
    fn spaces_around_what_was_kept_are_those_of_the_source() {
        for (source, stream, text) in [
            ("hi @bob, bye", "hola[0] , adiós", "hola @bob, adiós"),
            ("see (#a)", "mira ( [0] )", "mira (#a)"),
            ("@bob: hi", " [0] : hola", "@bob: hola"),
            ("@bob did @eve", "[0] [1]", "@bob @eve"),
            ("@bob did @eve", "[0][1]", "@bob @eve"),
            ("I, @bob", "[0]", "@bob"),
            ("@bob's car, @eve", "[0]coche de, [1] rojo", "@bob coche de, @eve rojo"),
            ("a  b", "uno [0] dos", "uno  dos"),
            ("he said he did", " dijo  hizo ", "dijo hizo"),
            ("it ended!", "acabó !", "acabó!"),
            ("it ended !", "acabó !", "acabó !"),
            ("(thanks to)", "( gracias)", "(gracias)"),
            ("He said ‘yes’.", "Dijo ‘sí'.", "Dijo ‘sí’."),
            ("‘@bob says yes’ now", "‘[0] dice que sí' ahora", "‘@bob dice que sí’ ahora"),
            ("“‘Yes’ and ‘no’”", "“‘Sí' y ‘no'”", "“‘Sí’ y ‘no’”"),
            ("the dogs’ man’s", "l'home' dels gossos", "l'home’ dels gossos"),
            ("'90s ‘rock’", "‘roca' de los '90", "‘roca’ de los '90"),
            ("'yes' and don’t", "'sí' y no", "'sí' y no"),
            ("'yes'", "'sí'", "'sí'"),
        ] {
            assert_eq!(back(source, stream).as_deref(), Ok(text), "{source:?}");
        }
    }

    #[test]
    fn a_translation_that_is_not_whole_is_found_out() {
        for (stream, error) in [
            ("hola", Garbled::Kept),
            ("[0] [0]", Garbled::Kept),
            ("[1]", Garbled::Kept),
            ("[0", Garbled::CutOff),
            ("[0] hola\\", Garbled::CutOff),
            ("[0] ^hola<n>$", Garbled::Marks),
            ("[x] [0]", Garbled::Marks),
        ] {
            assert_eq!(back("hi @bob", stream), Err(error), "{stream}");
        }
        assert_eq!(back("@bob and @eve", "[1] y [0]"), Err(Garbled::Kept));
    }
}
