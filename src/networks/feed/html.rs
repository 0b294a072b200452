//! Feeds carry HTML, and posts are plain text. This module turns HTML into the text that people see: paragraphs and list
//! items on lines of their own, entities as characters, no scripts. The input may be any text; nothing is refused.

use quick_xml::escape::resolve_html5_entity;

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

/// The longest name of an entity in HTML.
const LONGEST_ENTITY: usize = 32;

/// How much of a text is read, in bytes: more than any network publishes. It bounds the time that hostile markup costs.
const MOST: usize = 64 * 1024;

/// How far the end of a tag is searched with regard to quotation marks, in bytes.
const LONGEST_TAG: usize = 1024;

/// The text that people see.
pub(super) fn to_text(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = &html[..html.floor_char_boundary(MOST)];
    while let Some(at) = rest.find('<') {
        text.push(&rest[..at]);
        rest = &rest[at..];
        let Some(tag) = Tag::at_start_of(rest) else {
            // A sign that begins no tag is text.
            text.push("<");
            rest = &rest[1..];
            continue;
        };
        rest = &rest[tag.length..];
        if HIDDEN.contains(&tag.name.as_str()) && !tag.is_end && !tag.is_empty {
            rest = behind_end_of(&tag.name, rest);
        } else if PARAGRAPHS.contains(&tag.name.as_str()) {
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
    text.push(rest);
    text.finish()
}

/// A tag, comment or declaration.
struct Tag {
    /// Its name in lower case; empty if it is no element's.
    name: String,
    is_end: bool,
    /// Whether it has no content, `<br/>`.
    is_empty: bool,
    /// Its length in bytes.
    length: usize,
}

impl Tag {
    fn at_start_of(html: &str) -> Option<Self> {
        let other = |length| Some(Self { name: String::new(), is_end: false, is_empty: true, length });
        if let Some(comment) = html.strip_prefix("<!--") {
            return other(comment.find("-->").map_or(html.len(), |end| "<!--".len() + end + "-->".len()));
        }
        if html.starts_with("<!") || html.starts_with("<?") {
            return other(html.find('>').map_or(html.len(), |end| end + 1));
        }
        let is_end = html.starts_with("</");
        let inside = &html[if is_end { 2 } else { 1 }..];
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let name_end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
        let length = end_of_tag(html)?;
        let is_empty = html[..length].ends_with("/>");
        Some(Self { name: inside[..name_end].to_ascii_lowercase(), is_end, is_empty, length })
    }
}

/// The length of the tag at the start; `None` if it has no end. A `>` within quotes does not end it.
fn end_of_tag(html: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = '<';
    for (at, c) in html[..html.floor_char_boundary(LONGEST_TAG)].char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at + 1),
            // Only the value of an attribute is quoted; any other quotation mark is a mistake.
            (None, '"' | '\'') if before == '=' => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    // The quotation mark may have been a mistake, too.
    html.find('>').map(|end| end + 1)
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

/// A text that grows, with white space as HTML collapses it.
#[derive(Default)]
struct Text {
    text: String,
    /// The white space before the next character.
    gap: Gap,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

impl Text {
    fn push(&mut self, raw: &str) {
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            if let Some((decoded, length)) = entity(rest) {
                decoded.chars().for_each(|c| self.push_char(c));
                rest = &rest[length..];
            } else {
                self.push_char(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }

    fn push_char(&mut self, c: char) {
        // A space that does not break lines counts, too: feeds use it for indentation.
        if c.is_whitespace() {
            self.gap = self.gap.max(Gap::Space);
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str(match self.gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
        self.text.push(c);
    }

    fn end_line(&mut self) {
        self.gap = self.gap.max(Gap::Line);
    }

    /// Two breaks in a row are a paragraph, as people write them.
    fn break_line(&mut self) {
        self.gap = if self.gap >= Gap::Line { Gap::Paragraph } else { Gap::Line };
    }

    fn end_paragraph(&mut self) {
        self.gap = Gap::Paragraph;
    }

    fn finish(self) -> String {
        self.text
    }
}

/// The character reference at the start of a text, decoded, with its length in bytes.
fn entity(text: &str) -> Option<(String, usize)> {
    let inside = text.strip_prefix('&')?;
    let end = inside.bytes().take(LONGEST_ENTITY + 1).position(|byte| byte == b';')?;
    let name = &inside[..end];
    let length = end + 2;
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        let c = char::from_u32(code.ok()?).filter(|c| !c.is_control() || c.is_whitespace())?;
        return Some((c.to_string(), length));
    }
    Some((resolve_html5_entity(name)?.to_owned(), length))
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
