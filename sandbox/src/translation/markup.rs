//! Texts with elements, as DeepL and LibreTranslate get them: what is in some elements stays, all else is translated.

use std::ops::Range;

use super::{in_another_language, is_protected, translated, words};
use crate::faults::TranslatorFault;

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// `<x id="0">`
    Tag(&'a str),
    /// Text between tags, with entities.
    Text(&'a str),
}

/// A text with elements, and which of them are left alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Markup<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// The names of elements whose content stays. With none, the text is plain.
    pub(crate) ignored: &'a [String],
}

impl Markup<'_> {
    /// The "translation", in which the ordered thing is wrong. It begins with its target, so that nobody takes it for one.
    pub(crate) fn translate(self, target: &str, fault: Option<TranslatorFault>) -> String {
        let marked = format!("{target} · {}", self.translated(target));
        let protected = Markup { text: &marked, ..self }.first_protected();
        match (fault, protected) {
            (Some(TranslatorFault::SourceText), _) => self.text.to_owned(),
            (Some(TranslatorFault::EmptyText), _) => String::new(),
            (Some(TranslatorFault::WrongLanguage), _) => self.in_another_language(target),
            (Some(TranslatorFault::MissingPlaceholder), Some(range)) => {
                format!("{}{}", &marked[..range.start], &marked[range.end..])
            }
            (Some(TranslatorFault::DoubledPlaceholder), Some(range)) => {
                format!("{} {}", &marked[..range.end], &marked[range.start..])
            }
            (Some(TranslatorFault::BrokenPlaceholder), Some(range)) => {
                let placeholder = &marked[range.clone()];
                let broken = placeholder.trim_end_matches(|c: char| c != '<').trim_end_matches('<');
                let broken = if broken.is_empty() { "⟦" } else { broken };
                format!("{}{broken}{}", &marked[..range.start], &marked[range.end..])
            }
            (Some(TranslatorFault::SpacedPlaceholder), Some(range)) => {
                let placeholder = marked[range.clone()].replace('"', "'");
                format!("{} {placeholder} {}", &marked[..range.start], &marked[range.end..])
            }
            _ => marked,
        }
    }

    fn translated(self, target: &str) -> String {
        if self.ignored.is_empty() {
            return translated(self.text, target);
        }
        let mut out = String::new();
        let mut within: Option<&str> = None;
        for piece in pieces(self.text) {
            match piece {
                Piece::Tag(tag) => {
                    let name = name_of(tag);
                    match within {
                        Some(open) if tag.starts_with("</") && open == name => within = None,
                        None if !tag.starts_with("</") && !tag.ends_with("/>") && self.leaves(name) => {
                            within = Some(name);
                        }
                        _ => {}
                    }
                    out.push_str(tag);
                }
                Piece::Text(text) if within.is_some() => out.push_str(text),
                Piece::Text(text) => out.push_str(&escaped(&translated(&unescaped(text), target))),
            }
        }
        out
    }

    fn leaves(self, name: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored == name)
    }

    /// Where the first protected part is.
    fn first_protected(self) -> Option<Range<usize>> {
        if self.ignored.is_empty() {
            let word = words(self.text).into_iter().find(|word| is_protected(word))?;
            let start = word.as_ptr() as usize - self.text.as_ptr() as usize;
            return Some(start..start + word.len());
        }
        let start = self.ignored.iter().filter_map(|name| self.text.find(&format!("<{name} "))).min()?;
        let end = self.text[start..].find("</").map(|at| start + at)?;
        let length = self.text[end..].find('>')?;
        Some(start..end + length + 1)
    }

    /// A sentence in another language, with all protected parts.
    fn in_another_language(self, target: &str) -> String {
        let mut out = in_another_language(target).to_owned();
        let mut rest = self;
        while let Some(range) = rest.first_protected() {
            out.push(' ');
            out.push_str(&rest.text[range.clone()]);
            rest.text = &rest.text[range.end..];
        }
        out
    }

    /// Whether the text is a well-formed fragment of XML.
    pub(crate) fn is_well_formed(self) -> bool {
        let mut open = Vec::new();
        for piece in pieces(self.text) {
            match piece {
                Piece::Tag(tag) if tag.ends_with("/>") => {}
                Piece::Tag(tag) if tag.starts_with("</") => {
                    if open.pop() != Some(name_of(tag)) {
                        return false;
                    }
                }
                Piece::Tag(tag) => open.push(name_of(tag)),
                Piece::Text(text) => {
                    let is_forbidden =
                        |c: char| c == '<' || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
                    let entities = text.split('&').skip(1);
                    if text.contains(is_forbidden) || entities.into_iter().any(|rest| entity(rest).is_none())
                    {
                        return false;
                    }
                }
            }
        }
        open.is_empty()
    }
}

/// Cuts a text into tags and what is between them.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest[from..].find('<').map(|at| from + at) {
        let is_tag = rest[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match rest[at..].find('>').filter(|_| is_tag) {
            Some(length) => {
                if at > 0 {
                    pieces.push(Piece::Text(&rest[..at]));
                }
                pieces.push(Piece::Tag(&rest[at..=at + length]));
                rest = &rest[at + length + 1..];
                from = 0;
            }
            None => from = at + 1,
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn name_of(tag: &str) -> &str {
    let tag = tag.trim_start_matches(['<', '/']);
    &tag[..tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len())]
}

const ENTITIES: [(&str, &str); 5] =
    [("lt;", "<"), ("gt;", ">"), ("quot;", "\""), ("apos;", "'"), ("amp;", "&")];

/// The entity after an `&`: what it stands for and its length.
fn entity(rest: &str) -> Option<(&'static str, usize)> {
    ENTITIES
        .iter()
        .find(|(name, _)| rest.starts_with(name))
        .map(|(name, stands_for)| (*stands_for, name.len()))
}

/// Resolves entities, once.
pub(crate) fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some((stands_for, length)) = entity(part) {
            out.push_str(stands_for);
            out.push_str(&part[length..]);
        } else {
            out.push('&');
            out.push_str(part);
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markup<'a>(text: &'a str, ignored: &'a [String]) -> Markup<'a> {
        Markup { text, ignored }
    }

    #[test]
    fn what_is_in_ignored_elements_stays_and_all_else_is_translated() {
        let ignored = ["x".to_owned()];
        let text = "Hello <x id=\"0\">Bob</x> &amp; all <b>of</b> you &lt;3";
        let out = markup(text, &ignored).translate("ES", None);
        assert!(out.starts_with("ES · ") && out.contains("<x id=\"0\">Bob</x>"), "{out}");
        assert!(out.contains("&amp;") && out.contains("&lt;3") && out.contains("<b>"), "{out}");
        for word in ["Hello", "all", ">of<", "you"] {
            assert!(!out.contains(word), "{word} in {out}");
        }
        let plain = markup("Hello ⟦0⟧ <b>", &[]).translate("CA", None);
        assert!(plain.contains("⟦0⟧") && !plain.contains("Hello"), "{plain}");
    }

    #[test]
    fn faults_damage_the_first_placeholder() {
        let ignored = ["x".to_owned()];
        let text = "Hello <x id=\"0\">Bob</x> and <x id=\"1\">Eve</x>";
        let out = |fault| markup(text, &ignored).translate("es", Some(fault));
        assert!(!out(TranslatorFault::MissingPlaceholder).contains("Bob"));
        assert_eq!(out(TranslatorFault::DoubledPlaceholder).matches("<x id=\"0\">Bob</x>").count(), 2);
        let broken = out(TranslatorFault::BrokenPlaceholder);
        assert!(broken.contains("<x id=\"0\">Bob") && !broken.contains("Bob</x>"), "{broken}");
        assert!(out(TranslatorFault::SpacedPlaceholder).contains(" <x id='0'>Bob</x> "));
        let wrong = out(TranslatorFault::WrongLanguage);
        assert!(wrong.starts_with("Это") && wrong.contains("Bob</x> <x id=\"1\">Eve</x>"), "{wrong}");
        assert_eq!(
            (out(TranslatorFault::SourceText), out(TranslatorFault::EmptyText)),
            (text.into(), String::new())
        );
    }

    #[test]
    fn only_well_formed_fragments_are_xml() {
        for text in ["", "a &amp; b", "<x id=\"0\">a</x>", "<x/>", "<a>b<c>d</c></a>\n"] {
            assert!(markup(text, &[]).is_well_formed(), "{text}");
        }
        for text in ["a & b", "a < b", "<x>", "</x>", "<a><b></a></b>", "\u{1b}", "&copy;"] {
            assert!(!markup(text, &[]).is_well_formed(), "{text}");
        }
    }
}
