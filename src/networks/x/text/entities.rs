//! Finds links, mentions, hashtags and cashtags in a text, as X does.
//!
//! The `twitter-text` crate finds them; its offsets are UTF-16 code units, and are converted to bytes here. Its default
//! parser panics on texts such as `🔥a@bob` (0.3.1, a byte offset inside a character), so the older one is used.
//!
//! X links only names under a known top-level domain. A translation must not touch other addresses either, so anything
//! with a scheme counts as a link, too.

use std::cmp::Reverse;

use mynah_domain::text::{Entity, EntityKind, links::links, words::words};
use twitter_text::{
    ParserBackend,
    entity::Type,
    extractor::{Extract, Extractor},
};

use super::{
    plain::plain,
    words::{Memo, links_on},
};

/// The entities of `text`, in order and without overlaps.
pub fn entities(text: &str) -> Vec<Entity> {
    let mut found: Vec<Entity> = Vec::new();
    // Most texts have none, which one pass over the bytes can tell.
    if !may_hold(text) {
        return found;
    }
    for (at, word) in words(text).filter(|(_, word)| may_hold(word)) {
        match plain(word) {
            Some(plain) => found.extend(plain.kind.map(|kind| Entity { kind, range: at..at + plain.end })),
            None => found.extend(
                KNOWN
                    .with(|known| known.of(word, of_word))
                    .into_iter()
                    .map(|entity| Entity { range: at + entity.range.start..at + entity.range.end, ..entity }),
            ),
        }
    }
    found
}

/// The entities of one word.
fn of_word(word: &str) -> Vec<Entity> {
    let mut found = in_word(word);
    let linked: Vec<usize> = found.iter().map(|entity| entity.range.start).collect();
    // If X finds a link, X knows where it ends.
    found.extend(links(word).filter(|link| !linked.contains(&link.range.start)));
    // Of overlapping entities, readers see the one that begins first, or the longer one.
    found.sort_by_key(|entity| (entity.range.start, Reverse(entity.range.end)));
    let mut end = 0;
    found.retain(|entity| {
        let apart = entity.range.start >= end;
        end = if apart { entity.range.end } else { end };
        apart
    });
    found
}

/// Whether a text may contain an entity: each contains at least one of these bytes.
fn may_hold(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'@' | b'#' | b'$' => true,
        b'.' => links_on(&bytes[at + 1..]),
        b':' => bytes[at..].starts_with(b"://"),
        // The first byte of the full-width signs, and of others.
        0xef => text[at..].starts_with(['＠', '＃']),
        _ => false,
    })
}

thread_local! {
    static KNOWN: Memo<Vec<Entity>> = Memo::new();
}

/// The entities that X finds in a word, or in any text.
fn in_word(text: &str) -> Vec<Entity> {
    let extractor = Extractor::with_parser_backend(ParserBackend::External);
    let offsets = Utf16Offsets::new(text);
    extractor
        .extract_entities_with_indices(text)
        .iter()
        .chain(&extractor.extract_urls_with_indices(text))
        .filter_map(|entity| {
            let kind = match entity.get_type() {
                Type::URL => EntityKind::Link,
                // X does not link `@name@host`, but readers see a name.
                Type::MENTION | Type::FEDERATEDMENTION => EntityKind::Mention,
                Type::HASHTAG => EntityKind::Hashtag,
                Type::CASHTAG => EntityKind::Cashtag,
            };
            let range = offsets.byte(entity.get_start())?..offsets.byte(entity.get_end())?;
            Some(Entity { kind, range })
        })
        .filter(|entity| !entity.range.is_empty())
        .collect()
}

/// Turns UTF-16 offsets into byte offsets.
struct Utf16Offsets {
    /// The byte offset of each UTF-16 unit that begins a character, and of the end.
    bytes: Vec<Option<usize>>,
}

impl Utf16Offsets {
    fn new(text: &str) -> Self {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        for (index, character) in text.char_indices() {
            bytes.push(Some(index));
            if character.len_utf16() == 2 {
                bytes.push(None);
            }
        }
        bytes.push(Some(text.len()));
        Self { bytes }
    }

    fn byte(&self, unit: i32) -> Option<usize> {
        *self.bytes.get(usize::try_from(unit).ok()?)?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entities_found_word_by_word_match_those_of_the_whole_text(text in super::super::words::tricky()) {
            let sorted = |mut found: Vec<Entity>| {
                found.sort_by_key(|entity| (entity.range.start, entity.range.end, entity.kind));
                found
            };
            let by_word = words(&text).filter(|(_, word)| may_hold(word)).flat_map(|(at, word)| {
                in_word(word).into_iter().map(move |entity| Entity {
                    range: at + entity.range.start..at + entity.range.end,
                    ..entity
                })
            });
            prop_assert_eq!(sorted(by_word.collect()), sorted(in_word(&text)), "{:?}", text);
        }

        #[test]
        fn plain_words_match_the_parser(word in prop_oneof![super::super::plain::nearly(), super::super::words::tricky()]) {
            if let Some(plain) = plain(&word) {
                let expected = plain.kind.map(|kind| Entity { kind, range: 0..plain.end });
                prop_assert_eq!(of_word(&word), Vec::from_iter(expected), "{:?}", word);
            }
        }
    }

    fn found(text: &str) -> Vec<(EntityKind, &str)> {
        entities(text).into_iter().map(|entity| (entity.kind, &text[entity.range])).collect()
    }

    #[test]
    fn entities_are_found_after_characters_of_any_width() {
        assert_eq!(
            found("🔥𝕏 hi https://t.co/abc, @bob #été $TSLA"),
            [
                (EntityKind::Link, "https://t.co/abc"),
                (EntityKind::Mention, "@bob"),
                (EntityKind::Hashtag, "#été"),
                (EntityKind::Cashtag, "$TSLA"),
            ]
        );
    }

    #[test]
    fn a_name_that_x_would_link_is_a_link() {
        assert_eq!(found("see example.com now"), [(EntityKind::Link, "example.com")]);
    }

    #[test]
    fn a_mail_address_is_not_a_mention() {
        assert!(found("write to me@example.org").iter().all(|(kind, _)| *kind != EntityKind::Mention));
    }

    #[test]
    fn an_address_is_a_link_whatever_its_domain() {
        assert_eq!(
            found("(see https://a.example/x?y=1, or http://localhost:8080/z)."),
            [(EntityKind::Link, "https://a.example/x?y=1"), (EntityKind::Link, "http://localhost:8080/z")]
        );
        assert!(found("https:// and é://x").is_empty());
    }

    #[test]
    fn a_wide_character_before_a_mention_does_not_panic() {
        assert!(found("🔥a@bob").is_empty());
        assert_eq!(found("🔥@bob"), [(EntityKind::Mention, "@bob")]);
    }

    #[test]
    fn plain_words_have_no_entities() {
        assert!(found("bobby said 100 things").is_empty());
    }
}
