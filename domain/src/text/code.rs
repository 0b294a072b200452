//! Finds code between back quotes: a command in another language is no command. The rules are those of `CommonMark`
//! ("Code spans", "Fenced code blocks"): as many back quotes close as opened, three or more enclose lines, and a fence
//! that is never closed reaches to the end.
//!
//! Posts also have back quotes that enclose nothing: accents, apostrophes before a year, the opening quotes of old
//! typewriters. So inline code must be on one line, begin and end with something other than a space, and stand apart
//! from letters.

use std::ops::Range;

use super::{Entity, spacing::is_of_script_without_spaces};

/// From this many back quotes on, code may have several lines.
const FENCE: usize = 3;

/// Where code is, in bytes, in order, without the entities in it: a network links a mention even in code, so mentions
/// are subject to the target's settings everywhere.
pub(super) fn code(text: &str, entities: &[Entity]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Most posts have none.
    if !text.contains('`') {
        return found;
    }
    let runs = back_quotes(text);
    let mut next = 0;
    while let Some(open) = runs.get(next) {
        next += 1;
        let closing = runs[next..].iter().position(|close| close.len() == open.len());
        let span = match closing.map(|at| (at, &runs[next + at])) {
            Some((at, close)) if encloses(text, open, close) => {
                next += at + 1;
                open.start..close.end
            }
            None if open.len() >= FENCE => {
                next = runs.len();
                open.start..text.trim_end().len()
            }
            _ => continue,
        };
        found.extend(without(span, entities));
    }
    found
}

/// Runs of back quotes.
fn back_quotes(text: &str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, quote) in text.match_indices('`') {
        match runs.last_mut() {
            Some(last) if last.end == at => last.end = at + quote.len(),
            _ => runs.push(at..at + quote.len()),
        }
    }
    runs
}

/// Whether there is code between two runs of equally many back quotes.
fn encloses(text: &str, open: &Range<usize>, close: &Range<usize>) -> bool {
    let inside = &text[open.end..close.start];
    let inner = inside.trim();
    if inner.is_empty() || open.len() >= FENCE {
        return !inner.is_empty();
    }
    let is_of_word = |c: char| c.is_alphanumeric() && !is_of_script_without_spaces(c);
    let joined = text[..open.start].ends_with(is_of_word) || text[close.end..].starts_with(is_of_word);
    // Only two back quotes may have spaces inside: `` ` ``.
    let padded = open.len() == 1 && inner.len() < inside.len();
    !(joined || padded || inside.contains(['\n', '\r']))
}

/// A range without the entities in it.
fn without(span: Range<usize>, entities: &[Entity]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = span.start;
    for entity in
        entities.iter().filter(|entity| entity.range.start < span.end && entity.range.end > span.start)
    {
        pieces.push(start..entity.range.start);
        start = entity.range.end;
    }
    pieces.push(start..span.end);
    pieces.retain(|piece| piece.start < piece.end);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, rules, tricky_text};

    fn found(text: &str) -> Vec<&str> {
        code(text, &rules().entities(text)).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn code_is_found_with_its_back_quotes() {
        let cases: [(&str, &[&str]); 9] = [
            ("Run `git push --force` or `ls`.", &["`git push --force`", "`ls`"]),
            ("Set (`x = 1`), then “`y`”", &["`x = 1`", "`y`"]),
            ("Use `` a`b `` here", &["`` a`b ``"]),
            ("See:\n```rust\nlet x = 1;\n```\ndone", &["```rust\nlet x = 1;\n```"]),
            ("See:\n```\nlet x = `1`;\n", &["```\nlet x = `1`;"]),
            ("`a``b` c", &["`a``b`"]),
            ("これは`git push`です", &["`git push`"]),
            ("```a``` and ```b```", &["```a```", "```b```"]),
            ("`npm i @scope/pkg`", &["`npm i ", "/pkg`"]),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_back_quote_that_encloses_nothing_is_no_code() {
        for text in [
            "the `90s and the `80s",
            "rock `n roll",
            "``quoted''",
            "it`s what it`s",
            "a ` b ` c",
            "` `",
            "``",
            "`a\nb`",
            "`",
            "``a` b",
            "`oo and o`o",
            "`a `b",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn code_is_masked_whole_and_a_mention_in_it_is_a_mention() {
        use super::super::ProtectedKind::{Code, Mention};
        let kinds = |text: &str| {
            fixtures::mask(text).protected.into_iter().map(|part| (part.kind, part.text)).collect::<Vec<_>>()
        };
        assert_eq!(
            kinds("Run `git push -n 5 a@b.example 🎉` now"),
            [(Code, "`git push -n 5 a@b.example 🎉`".into())]
        );
        assert_eq!(
            kinds("Run `npm i @scope/pkg`"),
            [(Code, "`npm i ".into()), (Mention, "@scope".into()), (Code, "/pkg`".into())]
        );
        assert!(!fixtures::mask("`git push`").text.has_words());
    }

    proptest::proptest! {
        #[test]
        fn ranges_are_in_order_and_whole_characters(text in proptest::prop_oneof![tricky_text(), "[`a é\\n]{0,12}"]) {
            let mut end = 0;
            for range in code(&text, &rules().entities(&text)) {
                proptest::prop_assert!(range.start >= end && range.start < range.end);
                proptest::prop_assert!(text.get(range.clone()).is_some());
                end = range.end;
            }
        }
    }
}
