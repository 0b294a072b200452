//! Rules that need no network: links, names and tags as a reader would see them, counted as a reader would. They serve
//! networks that have no rules of their own, such as a folder of files, and the tests of everything that needs rules.

#[cfg(test)]
mod nasty;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Limits, NetworkRules, Price, Repeat};
use crate::text::{Entity, EntityKind, links::links, words::words};

/// Counts characters as readers do; finds links by their scheme, `@name` and `#tag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainText {
    /// The network's name.
    pub name: &'static str,
    /// The most that a message may contain.
    pub limits: Limits,
    /// What happens if the same message is published again.
    pub repeat: Repeat,
    /// What a message costs.
    pub price: Price,
    /// Whether messages have warnings.
    pub has_warnings: bool,
    /// Whether links have cards.
    pub has_cards: bool,
}

impl Default for PlainText {
    /// Room for a few sentences, free of charge, and safe to repeat.
    fn default() -> Self {
        Self {
            name: "plain",
            limits: Limits { text: 500, alt_text: 1500, media: 4 },
            repeat: Repeat::Safe,
            price: Price::default(),
            has_warnings: false,
            has_cards: false,
        }
    }
}

impl NetworkRules for PlainText {
    fn name(&self) -> &'static str {
        self.name
    }

    fn weigh(&self, text: &str) -> usize {
        // In ASCII, only these two characters form one grapheme.
        if text.is_ascii() && !text.contains("\r\n") { text.len() } else { text.graphemes(true).count() }
    }

    fn counting(&self) -> &'static str {
        "every character weighs 1"
    }

    fn entities(&self, text: &str) -> Vec<Entity> {
        let mut found = Vec::new();
        for (at, word) in words(text) {
            let mut end = 0;
            for link in links(word) {
                // An address within another is a part of it.
                if link.range.start >= end {
                    found.extend(signed(word, end..link.range.start, at));
                    end = link.range.end;
                    found.push(Entity { range: at + link.range.start..at + end, ..link });
                }
            }
            found.extend(signed(word, end..word.len(), at));
        }
        found
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn repeat(&self) -> Repeat {
        self.repeat
    }

    fn price(&self) -> Price {
        self.price
    }

    fn has_accounts(&self) -> bool {
        false
    }

    fn has_warnings(&self) -> bool {
        self.has_warnings
    }

    fn has_cards(&self) -> bool {
        self.has_cards
    }
}

/// The names and tags in a part of a word that itself begins at `offset`.
fn signed(word: &str, part: Range<usize>, offset: usize) -> impl Iterator<Item = Entity> {
    let signs = word[part.clone()].match_indices(['@', '＠', '#', '＃']);
    signs.filter_map(move |(at, sign)| {
        let start = part.start + at;
        let before = word[..start].chars().next_back();
        if before.is_some_and(|c| is_of_name(c) || is_sign(c) || c == '/') {
            return None;
        }
        let rest = &word[start + sign.len()..part.end];
        let name = &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())];
        let after = rest[name.len()..].chars().next();
        let kind = if matches!(sign, "@" | "＠") { EntityKind::Mention } else { EntityKind::Hashtag };
        let is_one = match kind {
            // `@name@host` is an address.
            EntityKind::Mention => !name.is_empty() && !after.is_some_and(is_sign),
            _ => name.contains(char::is_alphabetic),
        };
        is_one.then(|| Entity { kind, range: offset + start..offset + start + sign.len() + name.len() })
    })
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || unicode_normalization::char::is_combining_mark(c)
}

fn is_sign(c: char) -> bool {
    matches!(c, '@' | '＠' | '#' | '＃')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{fixtures::tricky_text, text::entity::fit_into};

    fn found(text: &str) -> Vec<(EntityKind, &str)> {
        let entities = PlainText::default().entities(text).into_iter();
        entities.map(|entity| (entity.kind, &text[entity.range])).collect()
    }

    #[test]
    fn links_names_and_tags_are_found_after_characters_of_any_width() {
        use EntityKind::{Hashtag, Link, Mention};
        assert_eq!(
            found("🔥𝕏 hi https://a.example/b, @bob's #été (＃tag) .@eve_1 #हिन्दी"),
            [
                (Link, "https://a.example/b"),
                (Mention, "@bob"),
                (Hashtag, "#été"),
                (Hashtag, "＃tag"),
                (Mention, "@eve_1"),
                (Hashtag, "#हिन्दी")
            ]
        );
        assert_eq!(found("#a:https://b.example/#c"), [(Hashtag, "#a"), (Link, "https://b.example/#c")]);
    }

    #[test]
    fn text_that_only_looks_like_an_entity_is_not_one() {
        for text in [
            "a@b.example",
            "@a@b.example",
            "word#tag",
            "#1",
            "# a @ b",
            "example.com",
            "$5",
            "C#",
            "##tag",
            "and/#tag",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_network_without_pages_has_no_links_to_them() {
        let rules = PlainText::default();
        assert_eq!(rules.profile("town"), None);
        assert_eq!(rules.link("town", &crate::PostId("1".into())), None);
    }

    #[test]
    fn a_text_weighs_as_many_characters_as_a_reader_counts() {
        for (text, weight) in [("", 0), ("Hola", 4), ("e\u{301}", 1), ("👨‍👩‍👧‍👦🇪🇸", 2), ("日本", 2), ("a\r\nb", 3)]
        {
            assert_eq!(PlainText::default().weigh(text), weight, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn entities_are_in_order_and_do_not_overlap(text in prop_oneof![tricky_text(), any::<String>()]) {
            prop_assert!(fit_into(&PlainText::default().entities(&text), &text));
        }
    }
}
