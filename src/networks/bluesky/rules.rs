//! How Bluesky counts and links a text. A post has at most 300 graphemes and 3,000 bytes of UTF-8
//! (the lexicon app.bsky.feed.post). Whoever writes a post also says what is a link in it, so Mynah decides: addresses,
//! names of hosts under a known top-level domain, whole handles, and tags.

use mynah_domain::{
    PostId,
    network::{Limits, NetworkRules, PlainText, Repeat},
    text::{Entity, EntityKind, words::words},
};
use twitter_text::tlds::is_valid_tld_case_insensitive;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    NAME,
    names::{OwnRecord, RecordAddress, is_handle},
};

/// The most graphemes and bytes.
const GRAPHEMES: usize = 300;
const BYTES: usize = 3_000;

/// The longest tag, in graphemes and in bytes (the lexicon app.bsky.richtext.facet).
const TAG_GRAPHEMES: usize = 64;
const TAG_BYTES: usize = 640;

/// The longest alt text in Bluesky's own apps, in graphemes. The lexicon names no limit.
const ALT_TEXT: usize = 2_000;

const LIMITS: Limits = Limits { text: GRAPHEMES, alt_text: ALT_TEXT, media: 4 };

/// The rules of Bluesky.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlueskyRules;

impl NetworkRules for BlueskyRules {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Both limits in one number: a grapheme weighs 1, and so do ten bytes, whichever are more. Neither number shrinks
    /// as a text grows.
    fn weigh(&self, text: &str) -> usize {
        // In ASCII, only these two characters form one grapheme.
        let is_plain = text.is_ascii() && !text.contains("\r\n");
        let graphemes = if is_plain { text.len() } else { text.graphemes(true).count() };
        graphemes.max(text.len().div_ceil(BYTES / GRAPHEMES))
    }

    fn counting(&self) -> &'static str {
        "every character weighs 1, an emoji of several parts up to 4"
    }

    fn entities(&self, text: &str) -> Vec<Entity> {
        // Most texts have none, which one pass over the bytes can tell.
        if !text.bytes().any(|byte| matches!(byte, b'@' | b'#' | b'.' | b':' | 0xef)) {
            return Vec::new();
        }
        let plain = PlainText::default().entities(text);
        let next_starts = plain.iter().skip(1).map(|next| next.range.start).chain([text.len()]);
        let mut found: Vec<Entity> = plain
            .iter()
            .cloned()
            .zip(next_starts)
            .filter_map(|(entity, next)| match entity.kind {
                // What runs into the next entity is no handle: `@town.examplehttps://a.example`.
                EntityKind::Mention => {
                    whole_handle(text, entity.range.start).filter(|whole| whole.range.end <= next)
                }
                EntityKind::Hashtag => is_short_tag(&text[entity.range.clone()]).then_some(entity),
                EntityKind::Link | EntityKind::Cashtag | EntityKind::Emoji => Some(entity),
            })
            .collect();
        let hosts = words(text).filter_map(|(at, word)| host(word, at));
        let is_apart = |range: &std::ops::Range<usize>, others: &[Entity]| {
            others.iter().all(|other| other.range.end <= range.start || range.end <= other.range.start)
        };
        let hosts: Vec<Entity> = hosts.filter(|host| is_apart(&host.range, &found)).collect();
        if !hosts.is_empty() {
            found.extend(hosts);
            found.sort_by_key(|entity| entity.range.start);
        }
        found
    }

    fn limits(&self) -> &Limits {
        &LIMITS
    }

    fn repeat(&self) -> Repeat {
        // The record's key is derived from the publication's.
        Repeat::Safe
    }

    /// Whoever writes a post also makes its card.
    fn has_cards(&self) -> bool {
        true
    }

    fn link(&self, handle: &str, message: &PostId) -> Option<String> {
        let OwnRecord { key, .. } = OwnRecord::named(message)?;
        let account = RecordAddress::parse(&message.0).map_or(handle.to_owned(), |address| address.account);
        Some(format!("https://bsky.app/profile/{account}/post/{key}"))
    }

    fn profile(&self, handle: &str) -> Option<String> {
        Some(format!("https://bsky.app/profile/{handle}"))
    }
}

/// The whole handle whose `@` is here; `None` if it is no handle.
fn whole_handle(text: &str, start: usize) -> Option<Entity> {
    let is_of_handle = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let name = text[start..].strip_prefix('@')?;
    let length = name.bytes().take_while(|byte| is_of_handle(byte)).count();
    let handle = name[..length].trim_end_matches(['.', '-']);
    let is_mention = is_handle(handle) && !name[handle.len()..].starts_with(['@', '_', '/']);
    let range = start..start + 1 + handle.len();
    is_mention.then_some(Entity { kind: EntityKind::Mention, range })
}

fn is_short_tag(tag: &str) -> bool {
    tag.len() <= TAG_BYTES && tag.graphemes(true).count() <= TAG_GRAPHEMES
}

/// The address without a scheme that a word begins with: `town.example/news`.
fn host(word: &str, at: usize) -> Option<Entity> {
    let opened = word.trim_start_matches(['(', '[', '"', '\'', '«', '“', '‘', '¿', '¡', '„']);
    let start = word.len() - opened.len();
    let is_of_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let length = opened.bytes().take_while(|byte| is_of_host(byte)).count();
    let host = opened[..length].trim_end_matches(['.', '-']);
    let is_known = host.rsplit('.').next().is_some_and(is_valid_tld_case_insensitive);
    if !is_known || !is_handle(host) {
        return None;
    }
    let rest = &opened[host.len()..];
    let rest = match rest.chars().next() {
        Some('/' | '?' | '#') => rest.trim_end_matches(|c: char| {
            c.is_ascii_punctuation() && c != '/' || matches!(c, '»' | '”' | '’' | '…')
        }),
        // Part of a longer name or of a mail address.
        Some('@' | '_') => return None,
        Some(c) if c.is_alphanumeric() => return None,
        _ => "",
    };
    let range = at + start..at + start + host.len() + rest.len();
    Some(Entity { kind: EntityKind::Link, range })
}

/// The address that a link in a text leads to: one without a scheme is reached over https.
pub(super) fn address_of(link: &str) -> String {
    let has_scheme = link.get(..8).is_some_and(|head| head.eq_ignore_ascii_case("https://"))
        || link.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("http://"));
    if has_scheme { link.to_owned() } else { format!("https://{link}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(EntityKind, &str)> {
        BlueskyRules.entities(text).into_iter().map(|entity| (entity.kind, &text[entity.range])).collect()
    }

    #[test]
    fn a_text_that_fits_honors_both_limits() {
        for (text, weight) in [
            ("", 0),
            ("Hola", 4),
            ("e\u{301}", 1),
            ("日本", 2),
            ("a\r\nb", 3),
            // 25 bytes.
            ("👨‍👩‍👧‍👦", 3),
        ] {
            assert_eq!(BlueskyRules.weigh(text), weight, "{text:?}");
        }
        assert!(BlueskyRules.weigh(&"日".repeat(300)) <= GRAPHEMES);
        assert!(BlueskyRules.weigh(&"👨‍👩‍👧‍👦".repeat(121)) > GRAPHEMES);
    }

    #[test]
    fn links_handles_and_tags_are_found_after_characters_of_any_width() {
        use EntityKind::{Hashtag, Link, Mention};
        assert_eq!(
            found(
                "🔥 see https://a.example/b, @bob.bsky.social's #été (town.com/x?y=1). @eve.test. WWW.Town.cat!"
            ),
            [
                (Link, "https://a.example/b"),
                (Mention, "@bob.bsky.social"),
                (Hashtag, "#été"),
                (Link, "town.com/x?y=1"),
                (Mention, "@eve.test"),
                (Link, "WWW.Town.cat"),
            ]
        );
    }

    #[test]
    fn a_handle_does_not_run_into_the_link_behind_it() {
        assert_eq!(found("@a.bchttps://@aabc"), [(EntityKind::Link, "https://@aabc")]);
    }

    #[test]
    fn text_that_only_looks_like_an_entity_is_not_one() {
        for text in [
            "@bob",
            "@bob@town.example",
            "me@town.com",
            "@bob_x.com",
            "e.g. this",
            "3.5",
            "10.30",
            "a.b",
            "Mr.Smith",
            "$5",
            "#1",
            "word#tag",
            "@a.b_c",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found(&format!("#{}", "a".repeat(65))), []);
    }

    #[test]
    fn a_link_leads_to_an_address_with_a_scheme() {
        assert_eq!(address_of("town.com/x"), "https://town.com/x");
        assert_eq!(address_of("HTTP://town.com"), "HTTP://town.com");
    }

    #[test]
    fn a_message_has_a_page() {
        let link = |id: &str| BlueskyRules.link("town.example", &PostId(id.into()));
        assert_eq!(
            link("3l3qo2vuowo2b").unwrap(),
            "https://bsky.app/profile/town.example/post/3l3qo2vuowo2b"
        );
        assert_eq!(link("self@12").unwrap(), "https://bsky.app/profile/town.example/post/self");
        assert_eq!(link("../../x"), None);
    }

    proptest! {
        #[test]
        fn no_prefix_weighs_more_than_the_whole(text in any::<String>()) {
            let whole = BlueskyRules.weigh(&text);
            for (at, _) in text.char_indices() {
                prop_assert!(BlueskyRules.weigh(&text[..at]) <= whole);
            }
        }

        #[test]
        fn entities_are_in_order_and_do_not_overlap(text in prop_oneof![any::<String>(), "[a-z@#./:( ]{0,40}", "(@a.bc|#t|x.com/|https://|é| ){0,12}"]) {
            let mut end = 0;
            for Entity { range, .. } in BlueskyRules.entities(&text) {
                prop_assert!(range.start >= end && range.start < range.end && text.get(range.clone()).is_some(), "{text:?} {range:?}");
                end = range.end;
            }
        }
    }
}
