//! How Mastodon parses and measures a text, and its limits.
//!
//! A link counts 23 characters however long it is, a mention counts without its server, and everything else counts in
//! characters as readers see them (mastodon/mastodon, `app/validators/status_length_validator.rb`).

use std::ops::Range;

use mynah_domain::{
    PostId,
    network::{Limits, NetworkRules, Repeat},
    text::{Entity, EntityKind, links::links, words::words},
};
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{NAME, names::AccountName};

/// Mastodon's limits if nobody changed them: 500 characters (`StatusLengthValidator::MAX_CHARS`), 4 media
/// (`Status::MEDIA_ATTACHMENTS_LIMIT`) and 1,500 characters of alt text (`MediaAttachment::MAX_DESCRIPTION_LENGTH`).
pub const LIMITS: Limits = Limits { text: 500, alt_text: 1500, media: 4 };

/// What a link counts (`StatusLengthValidator::URL_PLACEHOLDER_CHARS`).
const LINK: usize = 23;

/// Mastodon's rules, with the limits of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MastodonRules {
    limits: Limits,
}

impl Default for MastodonRules {
    fn default() -> Self {
        Self { limits: LIMITS }
    }
}

impl MastodonRules {
    /// The rules of a server that accepts this many characters.
    pub fn with_characters(most: usize) -> Self {
        Self { limits: Limits { text: most, ..LIMITS } }
    }
}

impl NetworkRules for MastodonRules {
    fn name(&self) -> &'static str {
        NAME
    }

    fn link(&self, handle: &str, message: &PostId) -> Option<String> {
        let AccountName { user, server } = AccountName::read(handle)?;
        Some(format!("https://{server}/@{user}/{message}"))
    }

    fn profile(&self, handle: &str) -> Option<String> {
        let AccountName { user, server } = AccountName::read(handle)?;
        Some(format!("https://{server}/@{user}"))
    }

    fn weigh(&self, text: &str) -> usize {
        if !text.contains(['@', ':']) {
            return characters(text);
        }
        let mut weight = 0;
        let mut end = 0;
        for Entity { kind, range } in self.entities(text) {
            weight += characters(&text[end..range.start]);
            let written = &text[range.clone()];
            weight += match kind {
                EntityKind::Link if is_recognized(written) => LINK,
                EntityKind::Mention => characters(without_server(written)),
                _ => characters(written).max(if kind == EntityKind::Link { LINK } else { 0 }),
            };
            end = range.end;
        }
        weight + characters(&text[end..])
    }

    fn counting(&self) -> &'static str {
        "every character weighs 1, a link 23, and a mention only what is before its second @"
    }

    fn entities(&self, text: &str) -> Vec<Entity> {
        let mut found = Vec::new();
        if !text.bytes().any(|byte| matches!(byte, b'@' | b'#' | b':' | 0xef)) {
            return found;
        }
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

    fn has_warnings(&self) -> bool {
        true
    }

    fn repeat(&self) -> Repeat {
        // Mastodon recognizes a key for an hour, and has answered a repeat with 500 (mastodon/mastodon#40399). Other
        // servers ignore keys.
        Repeat::LookUpFirst
    }
}

/// How many characters a reader counts.
fn characters(text: &str) -> usize {
    // In ASCII, only these two characters form one grapheme.
    if text.is_ascii() && !text.contains("\r\n") { text.len() } else { text.graphemes(true).count() }
}

/// Whether Mastodon recognizes an address as a link, and so counts it as one: it wants a domain with a dot.
fn is_recognized(link: &str) -> bool {
    let host = link.split_once("://").map_or("", |(_, rest)| rest);
    let host = &host[..host.find(['/', '?', '#', ':']).unwrap_or(host.len())];
    host.rsplit_once('.').is_some_and(|(name, top)| {
        !name.is_empty() && top.chars().count() >= 2 && !top.contains(|c: char| c.is_ascii_digit())
    })
}

/// `@user` of `@user@server`.
pub(super) fn without_server(mention: &str) -> &str {
    let second = mention.char_indices().skip(1).find(|(_, c)| *c == '@');
    second.map_or(mention, |(at, _)| &mention[..at])
}

/// The mentions and tags in a part of a word that itself begins at `offset`, as `Account::MENTION_RE` and
/// `Tag::HASHTAG_RE` find them.
fn signed(word: &str, part: Range<usize>, offset: usize) -> Vec<Entity> {
    let mut found = Vec::new();
    let mut end = part.start;
    for (at, sign) in word[part.clone()].match_indices(['@', '#', '＃']) {
        let start = part.start + at;
        let before = word[..start].chars().next_back();
        if start < end || before.is_some_and(|c| is_of_word(c) || is_sign(c) || matches!(c, '/' | '=' | ')'))
        {
            continue;
        }
        let rest = &word[start + sign.len()..part.end];
        let (kind, length) = match sign {
            "@" => (EntityKind::Mention, mention(rest)),
            _ => (EntityKind::Hashtag, tag(rest)),
        };
        if let Some(length) = length {
            end = start + sign.len() + length;
            found.push(Entity { kind, range: offset + start..offset + end });
        }
    }
    found
}

/// The length of `user` or `user@server` at the start.
fn mention(text: &str) -> Option<usize> {
    let user = joined(text, |c| c.is_ascii_alphanumeric() || c == '_');
    if user == 0 {
        return None;
    }
    let server = text[user..].strip_prefix('@').map_or(0, |rest| joined(rest, is_of_word));
    let after = &text[user..];
    match server {
        // `@user@` and `@user#` are no names.
        0 if after.starts_with(is_sign) => None,
        0 => Some(user),
        server => Some(user + 1 + server),
    }
}

/// The length of the words at the start that dots and hyphens join.
fn joined(text: &str, is_of_word: impl Fn(char) -> bool) -> usize {
    let end = text.find(|c| !is_of_word(c) && !matches!(c, '.' | '-')).unwrap_or(text.len());
    let begins = text.starts_with(&is_of_word);
    if begins { text[..end].trim_end_matches(['.', '-']).len() } else { 0 }
}

/// The length of a tag at the start, which needs a letter.
fn tag(text: &str) -> Option<usize> {
    let end = text.find(|c| !is_of_word(c) && c != '·' && c != '\u{200c}').unwrap_or(text.len());
    let tag = text[..end].trim_end_matches(['·', '\u{200c}']);
    let after = text[tag.len()..].chars().next();
    (tag.contains(char::is_alphabetic) && !after.is_some_and(is_sign)).then_some(tag.len())
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

fn is_sign(c: char) -> bool {
    matches!(c, '@' | '＠' | '#' | '＃')
}

#[cfg(test)]
mod tests {
    use mynah_domain::fixtures::{
        rules_suite::{
            a_translation_without_any_one_protected_part_is_refused,
            masking_and_restoring_returns_the_original, splitting_loses_nothing_and_every_part_fits,
            the_gate_accepts_the_authors_own_text,
        },
        words_of_posts,
    };
    use proptest::prelude::*;

    use super::*;

    fn rules() -> MastodonRules {
        MastodonRules::default()
    }

    fn found(text: &str) -> Vec<(EntityKind, &str)> {
        rules().entities(text).into_iter().map(|entity| (entity.kind, &text[entity.range])).collect()
    }

    #[test]
    fn links_mentions_and_tags_are_found_as_mastodon_links_them() {
        use EntityKind::{Hashtag, Link, Mention};
        for (text, expected) in [
            ("Hi @bob, see https://a.example/b.", &[(Mention, "@bob"), (Link, "https://a.example/b")][..]),
            ("@bob@my-server.example: hi", &[(Mention, "@bob@my-server.example")]),
            ("(@bob.smith@a.example)", &[(Mention, "@bob.smith@a.example")]),
            ("@bob.", &[(Mention, "@bob")]),
            ("@bob's", &[(Mention, "@bob")]),
            ("#été ＃tag #日本", &[(Hashtag, "#été"), (Hashtag, "＃tag"), (Hashtag, "#日本")]),
            ("#one_two·three #100 #1st", &[(Hashtag, "#one_two·three"), (Hashtag, "#1st")]),
            ("https://a.example/@bob/1#c", &[(Link, "https://a.example/@bob/1#c")]),
            ("a@b.example word#tag /@bob example.com $5 @ # @é @bob@", &[]),
            ("🔥𝕏 @bob 🎉#tag", &[(Mention, "@bob"), (Hashtag, "#tag")]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_weighs_what_mastodon_counts() {
        let long = format!("https://a.example/{}", "x".repeat(200));
        for (text, weight) in [
            ("", 0),
            ("Hola", 4),
            ("👨‍👩‍👧‍👦🇪🇸", 2),
            ("e\u{301}", 1),
            (long.as_str(), 23),
            ("https://a.io", 23),
            ("@bob@a-very-long-name-of-a-server.example hi", 7),
            ("@bob hi", 7),
            ("a: b", 4),
            // No link to Mastodon, so it counts as it is.
            ("http://localhost:8080/a/b/c/d/e/f", 33),
        ] {
            assert_eq!(rules().weigh(text), weight, "{text}");
        }
    }

    #[test]
    fn the_gate_accepts_what_authors_write() {
        for text in [
            "Hi @bob@a.example, @ana and #tag: https://a.example/b?c=1 👍🏽",
            "#one#two word#tag a@b.example @ana@",
            "市場は正午に開きます。@bob #市場 https://a.example をご覧ください",
        ] {
            the_gate_accepts_the_authors_own_text(&rules(), text, &[]);
            masking_and_restoring_returns_the_original(&rules(), text);
        }
    }

    #[test]
    fn accounts_and_messages_have_pages_on_their_server() {
        let id = PostId("12".into());
        assert_eq!(rules().profile("bob@a.example").unwrap(), "https://a.example/@bob");
        assert_eq!(rules().link("bob@a.example", &id).unwrap(), "https://a.example/@bob/12");
        assert_eq!(rules().profile("bob"), None, "only its server knows who that is");
    }

    #[test]
    fn a_servers_limit_changes_the_longest_text_and_nothing_else() {
        let other = MastodonRules::with_characters(5_000);
        assert_eq!(other.limits().text, 5_000);
        assert_eq!(Limits { text: 500, ..*other.limits() }, LIMITS);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_any_text(words in words_of_posts(), max in 60..501_usize) {
            let text = words.join(" ");
            masking_and_restoring_returns_the_original(&rules(), &text);
            a_translation_without_any_one_protected_part_is_refused(&rules(), &text);
            splitting_loses_nothing_and_every_part_fits(&rules(), &text, max);
        }

        #[test]
        fn entities_are_in_order_and_apart(text in any::<String>()) {
            let mut end = 0;
            for entity in rules().entities(&text) {
                prop_assert!(entity.range.start >= end && text.get(entity.range.clone()).is_some());
                end = entity.range.end;
            }
            rules().weigh(&text);
        }
    }
}
