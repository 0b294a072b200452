//! Builds the text that people see of a document, with its white space and its entities as HTML means them.

use quick_xml::escape::resolve_html5_entity;

/// The longest name of an entity in HTML.
const LONGEST_ENTITY: usize = 32;

/// Which white space becomes one space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spaces {
    /// All of it: feeds indent with spaces that do not break lines.
    Folded,
    /// Only that of ASCII: the author wrote the rest, as before a French colon.
    Written,
}

/// A text that grows, with white space as HTML collapses it.
pub struct Text {
    shown: String,
    /// The white space before the next character.
    gap: Gap,
    spaces: Spaces,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

impl Gap {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Space => " ",
            Self::Line => "\n",
            Self::Paragraph => "\n\n",
        }
    }
}

impl Text {
    /// An empty text.
    pub fn new(spaces: Spaces) -> Self {
        Self { shown: String::new(), gap: Gap::default(), spaces }
    }

    /// Appends text of the document, whose entities become characters.
    pub fn push(&mut self, raw: &str) {
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            if let Some((decoded, length)) = entity(rest) {
                self.push_decoded(&decoded);
                rest = &rest[length..];
            } else {
                self.push_char(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }

    /// Appends text as it is.
    pub fn push_decoded(&mut self, text: &str) {
        text.chars().for_each(|c| self.push_char(c));
    }

    /// Where the next character will stand, in bytes.
    pub fn next_position(&self) -> usize {
        if self.shown.is_empty() { 0 } else { self.shown.len() + self.gap.as_str().len() }
    }

    /// The length so far, in bytes.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    fn push_char(&mut self, c: char) {
        let is_space = match self.spaces {
            Spaces::Folded => c.is_whitespace(),
            Spaces::Written => c.is_ascii_whitespace(),
        };
        if is_space {
            self.gap = self.gap.max(Gap::Space);
            return;
        }
        if !self.shown.is_empty() {
            self.shown.push_str(self.gap.as_str());
        }
        self.gap = Gap::None;
        self.shown.push(c);
    }

    /// The next character begins a line.
    pub fn end_line(&mut self) {
        self.gap = self.gap.max(Gap::Line);
    }

    /// Breaks the line. Two breaks in a row are a paragraph, as people write them.
    pub fn break_line(&mut self) {
        self.gap = if self.gap >= Gap::Line { Gap::Paragraph } else { Gap::Line };
    }

    /// The next character begins a paragraph.
    pub fn end_paragraph(&mut self) {
        self.gap = Gap::Paragraph;
    }

    /// The text.
    pub fn finish(self) -> String {
        self.shown
    }
}

/// A text of the document with its entities as characters.
pub fn decoded(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((decoded, length)) = entity(rest) {
            text.push_str(&decoded);
            rest = &rest[length..];
        } else {
            text.push('&');
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    text
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
