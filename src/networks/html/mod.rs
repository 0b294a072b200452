//! Feeds and Mastodon carry HTML, and posts are plain text. This module turns HTML into the text that people see:
//! paragraphs and list items on lines of their own, entities as characters, no scripts. The input may be any text;
//! nothing is refused.
//!
//! - [`to_text`] reads a whole document as people see it.
//! - [`tag`] finds tags, and [`text`] builds the text, for a network whose HTML says more than its words.

pub mod tag;
pub mod text;

use tag::Tag;
use text::{Spaces, Text};

/// Elements whose content is not shown as text.
const HIDDEN: [&str; 12] = [
    "script", "style", "head", "template", "noscript", "iframe", "object", "svg", "math", "audio", "video",
    "select",
];

/// Elements that begin and end a paragraph.
const PARAGRAPHS: [&str; 19] = [
    "p",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "ul",
    "ol",
    "dl",
    "table",
    "section",
    "article",
    "figure",
    "pre",
    "hr",
    "header",
];

/// Elements that begin and end a line.
const LINES: [&str; 6] = ["li", "tr", "dt", "dd", "figcaption", "caption"];

/// How much of a text is read, in bytes: more than any network publishes. It bounds the time that hostile markup costs.
const MOST: usize = 64 * 1024;

/// The text that people see.
pub fn to_text(html: &str) -> String {
    let mut text = Text::new(Spaces::Folded);
    let mut tokens = Tokens::of(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(words) => text.push(words),
            Token::Tag(tag) if is_hidden(&tag) => tokens.skip_behind_end_of(&tag.name),
            Token::Tag(tag) => lay_out(&tag, &mut text),
        }
    }
    text.finish()
}

/// A part of a document.
pub enum Token<'a> {
    /// Text, with its entities as they are written.
    Text(&'a str),
    /// A tag, comment or declaration.
    Tag(Tag<'a>),
}

/// The parts of a document, in order.
pub struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// The parts of this document, of which only the beginning is read.
    pub fn of(html: &'a str) -> Self {
        Self { rest: &html[..html.floor_char_boundary(MOST)] }
    }

    /// Continues behind the end of this element, whose content is no HTML.
    fn skip_behind_end_of(&mut self, name: &str) {
        self.rest = behind_end_of(name, self.rest);
    }

    /// Continues behind the end of this element, which may contain elements of the same name.
    pub fn skip_element(&mut self, name: &str) {
        let mut open = 1_usize;
        for token in self {
            let Token::Tag(tag) = token else { continue };
            if tag.name != name || tag.is_empty {
                continue;
            }
            open = if tag.is_end { open - 1 } else { open + 1 };
            if open == 0 {
                return;
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (token, length) = match self.rest.find('<') {
            None => (Token::Text(self.rest), self.rest.len()),
            Some(0) => match Tag::at_start_of(self.rest) {
                Some(tag) => {
                    let length = tag.length;
                    (Token::Tag(tag), length)
                }
                // A sign that begins no tag is text.
                None => (Token::Text(&self.rest[..1]), 1),
            },
            Some(at) => (Token::Text(&self.rest[..at]), at),
        };
        self.rest = &self.rest[length..];
        Some(token)
    }
}

/// Whether this tag begins an element whose content is not shown.
pub fn is_hidden(tag: &Tag<'_>) -> bool {
    HIDDEN.contains(&tag.name.as_str()) && !tag.is_end && !tag.is_empty
}

/// Breaks the line or the paragraph where this tag does.
pub fn lay_out(tag: &Tag<'_>, text: &mut Text) {
    if PARAGRAPHS.contains(&tag.name.as_str()) {
        text.end_paragraph();
    } else if tag.name == "br" {
        text.break_line();
    } else if LINES.contains(&tag.name.as_str()) {
        text.end_line();
        if tag.name == "li" && !tag.is_end {
            text.push("• ");
        }
    } else if tag.name == "td" || tag.name == "th" {
        text.push(" ");
    }
}

/// What follows the end of this element.
fn behind_end_of<'a>(name: &str, html: &'a str) -> &'a str {
    for (at, _) in html.match_indices("</") {
        let found = html.get(at + 2..at + 2 + name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return html[at..].find('>').map_or("", |end| &html[at + end + 1..]);
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_becomes_the_text_that_people_see() {
        for (html, text) in [
            ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
            ("One<br>two<br/>three", "One\ntwo\nthree"),
            ("One<br><br>two", "One\n\ntwo"),
            ("<ul><li>A</li><li>B</li></ul>after", "• A\n• B\n\nafter"),
            ("  a \n\t b  ", "a b"),
            ("<b>bold</b> and <a href=\"x?a=1>2\">link</a>", "bold and link"),
            ("AT&amp;T &lt;b&gt; caf&eacute; &#8217; &#x1F389;&nbsp;x", "AT&T <b> café ’ 🎉 x"),
            ("<script>alert('</p>')</script>x<style>p{}</style>", "x"),
            ("a<!-- <p>hidden</p> -->b", "ab"),
            ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("I <3 you & me", "I <3 you & me"),
            ("&unknown; &#0; &; &#99999999;", "&unknown; &#0; &; &#99999999;"),
            ("an unfinished <a href=", "an unfinished <a href="),
            ("<SCRIPT>x", ""),
            ("<img alt='it's' src=x>y", "y"),
            ("", ""),
        ] {
            assert_eq!(to_text(html), text, "{html:?}");
        }
    }

    #[test]
    fn of_long_input_only_the_beginning_is_read() {
        for piece in ["<", "<a ", "&", "<!--", "</script", "<script>", "&#", "<a \"", "é "] {
            assert!(to_text(&piece.repeat(20_000)).len() <= MOST, "{piece}");
        }
        assert_eq!(to_text(&"a".repeat(2 * MOST)).len(), MOST);
    }

    proptest! {
        #[test]
        fn any_text_is_converted(html in any::<String>()) {
            to_text(&html);
        }

        #[test]
        fn any_markup_is_converted(pieces in prop::collection::vec(prop::sample::select(vec![
            "<", ">", "</", "/>", "p", "script", "&", ";", "#", "\"", "'", "=", " ", "é", "🎉", "<!--", "-->", "amp",
        ]), 0..40)) {
            to_text(&pieces.concat());
        }
    }
}
