//! Finds what Bluesky's apps and Mastodon make clickable in a text: links, mentions and tags. X has rules of its own.

use std::ops::Range;

/// A part of a text that can be followed, by byte offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) kind: MarkKind,
    pub(crate) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// `https://example.com/a`
    Link,
    /// `@name`, `@name.example` or `@name@server.example`
    Mention,
    /// `#tag`
    Tag,
}

/// The marks of a text, in order.
pub(crate) fn marks(text: &str) -> Vec<Mark> {
    let mut found: Vec<Mark> = Vec::new();
    let mut before = None;
    for (at, c) in text.char_indices() {
        let is_inside = found.last().is_some_and(|mark| at < mark.range.end);
        let is_boundary =
            before.is_none_or(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '/' | '@' | '#'));
        if !is_inside && is_boundary {
            let rest = &text[at..];
            let mark = match c {
                'h' | 'H' => link(rest).map(|length| (MarkKind::Link, length)),
                '@' => mention(rest).map(|length| (MarkKind::Mention, length)),
                '#' => tag(rest).map(|length| (MarkKind::Tag, length)),
                _ => None,
            };
            found.extend(mark.map(|(kind, length)| Mark { kind, range: at..at + length }));
        }
        before = Some(c);
    }
    found
}

/// The length of the link at the start of a text.
fn link(text: &str) -> Option<usize> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(text.len());
    let mut link = &text[..end];
    while let Some(last) = link.chars().next_back() {
        // A parenthesis belongs to the link if it was opened in it.
        let closes = last == ')' && link.matches('(').count() < link.matches(')').count();
        if !closes && !matches!(last, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '…' | '»' | '”' | ']' | '}')
        {
            break;
        }
        link = &link[..link.len() - last.len_utf8()];
    }
    (link.len() > scheme.len()).then_some(link.len())
}

fn mention(text: &str) -> Option<usize> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '@');
    let length = text[1..].find(|c| !of_name(c)).map_or(text.len(), |end| end + 1);
    let name = text[..length].trim_end_matches(['.', '-', '@']);
    (name.len() > 1 && name[1..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
        .then_some(name.len())
}

fn tag(text: &str) -> Option<usize> {
    let length = text[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(text.len(), |end| end + 1);
    text[1..length].contains(char::is_alphabetic).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_mentions_and_tags_end_where_people_expect() {
        let text = "See (https://a.example/x_(y)), @town.example, @ann@b.example. #Niños2 #1 a@b.example http:// é#no";
        let found: Vec<&str> = marks(text).into_iter().map(|mark| &text[mark.range]).collect();
        assert_eq!(found, ["https://a.example/x_(y)", "@town.example", "@ann@b.example", "#Niños2"]);
    }

    #[test]
    fn texts_that_break_parsers_do_not_panic() {
        for text in
            ["", "@", "#", "h", "http://", "https://é", "@é", "#é@é", "@@@", "##a", "h\u{301}ttp://a", "@a@"]
        {
            for mark in marks(text) {
                assert!(!text[mark.range].is_empty());
            }
        }
    }
}
