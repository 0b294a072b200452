//! Turns a text into the form that X sends: HTML-escaped, with every link wrapped in `t.co`, and with entities whose
//! offsets count Unicode code points of *that* form. The three transformations depend on each other, so one pass makes
//! them all.

use std::{borrow::Cow, cmp::Reverse, ops::Range};

use twitter_text::{
    ParserBackend,
    entity::Type,
    extractor::{Extract, Extractor},
};

use crate::hash;

/// The maximum weighted length of a post without Premium.
pub(crate) const MAX_WEIGHT: usize = 280;
/// The maximum weighted length of a post with Premium.
pub(crate) const MAX_WEIGHT_PREMIUM: usize = 25_000;
/// The length at which X cuts the text of a repost, in characters.
const REPOST_CUT: usize = 140;
/// The weight of the end of a long post's text: an ellipsis, a space and a link.
const LONG_TAIL_WEIGHT: usize = 2 + 1 + 23;

/// A text on the wire with its entities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WireText {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
}

/// A span of the wire text, in code points, end exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entity {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: EntityKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntityKind {
    Url(Link),
    Mention(String),
    Hashtag(String),
    Cashtag(String),
}

/// A wrapped link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) expanded_url: String,
    pub(crate) display_url: String,
    pub(crate) media_key: Option<String>,
}

impl WireText {
    /// Whether the text has a link, which X charges for. Links to media are free.
    pub(crate) fn has_link(&self) -> bool {
        self.entities
            .iter()
            .any(|entity| matches!(&entity.kind, EntityKind::Url(link) if link.media_key.is_none()))
    }
}

impl Link {
    /// Wraps a URL of a text.
    fn to(address: &str) -> Self {
        // X does not wrap its own links again.
        let url = if address.starts_with("https://t.co/") { address.to_owned() } else { short_link(address) };
        let expanded_url =
            if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let bare = expanded_url.split_once("://").map_or(&*expanded_url, |(_, rest)| rest);
        let bare = bare.strip_prefix("www.").unwrap_or(bare);
        let mut display_url: String = bare.chars().take(26).collect();
        if bare.chars().nth(26).is_some() {
            display_url.push('…');
        }
        Self { url, expanded_url, display_url, media_key: None }
    }

    /// The link that X appends to a text for each photo or video. All media of a post share one `t.co` URL.
    pub(crate) fn to_media(author: &str, post: u64, key: &str) -> Self {
        let address = format!("https://x.com/{author}/status/{post}/photo/1");
        let url = short_link(&address);
        let display_url = format!("pic.x.com/{}", url.rsplit('/').next().unwrap_or_default());
        Self { url, expanded_url: address, display_url, media_key: Some(key.to_owned()) }
    }

    /// The link that X appends to the text of a quote.
    pub(crate) fn to_post(author: &str, post: u64) -> Self {
        Self::to(&format!("https://x.com/{author}/status/{post}"))
    }
}

/// The weighted length of a text as X counts it: 23 for a link, two for an emoji and for each character of most scripts
/// outside the West; at most 280.
pub(crate) fn weight(text: &str) -> usize {
    // The crate's default parser panics on some texts (`🔥a@bob`, 0.3.1); this one does not.
    let parsed = twitter_text::parse_with_parser_backend(
        text,
        twitter_text_config::config_v3(),
        true,
        ParserBackend::External,
    );
    usize::try_from(parsed.weighted_length).unwrap_or(usize::MAX)
}

/// Whether a text is too long for a post without Premium.
pub(crate) fn is_long(text: &str) -> bool {
    !fits(text, MAX_WEIGHT)
}

/// Whether a text weighs at most `max`. The upper bound decides most cases without parsing.
pub(crate) fn fits(text: &str, max: usize) -> bool {
    upper_bound(text) <= max || weight(text) <= max
}

/// An upper bound of a text's weight. A link may weigh more than its characters, and contains a dot.
fn upper_bound(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '.' => 1 + 23,
            // These two count as emoji.
            '©' | '®' => 2,
            // Latin letters and accents.
            '\0'..='\u{2ff}' => 1,
            // Characters that normalization decomposes, and their blocks.
            '\u{344}'
            | '\u{958}'..='\u{fff}'
            | '\u{2adc}'
            | '\u{fb1d}'..='\u{fb4e}'
            | '\u{1d15e}'..='\u{1d1c0}' => 6,
            _ => 2,
        })
        .sum()
}

/// Escapes the three characters that X escapes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Undoes [`escape`] once.
pub(crate) fn unescape(text: &str) -> String {
    // The ampersand last, or `&amp;lt;` would be unescaped twice.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The text of a post as X sends it, followed by the links to its media or its quoted post. Links that share a URL
/// share one span, repeated in the entities.
pub(crate) fn wire(logical: &str, trailing: &[Link]) -> WireText {
    let mut out = Writer::default();
    out.wire.text.reserve(logical.len());
    let mut done = 0;
    for found in find_entities(logical) {
        out.plain(&logical[done..found.start]);
        let raw = &logical[found.start..found.end];
        match found.kind {
            Type::URL => {
                let link = Link::to(raw);
                let url = link.url.clone();
                out.entity(&url, EntityKind::Url(link));
            }
            Type::MENTION | Type::FEDERATEDMENTION => out.entity(raw, EntityKind::Mention(found.value)),
            Type::HASHTAG => out.entity(raw, EntityKind::Hashtag(found.value)),
            Type::CASHTAG => out.entity(raw, EntityKind::Cashtag(found.value)),
        }
        done = found.end;
    }
    out.plain(&logical[done..]);
    for link in trailing {
        out.trailing(link.clone());
    }
    out.wire
}

/// The shortened `text` of a post over 280, which ends with an ellipsis and a link to the post.
pub(crate) fn wire_of_long(logical: &str, post: u64) -> WireText {
    let room = MAX_WEIGHT - LONG_TAIL_WEIGHT;
    let cuts: Vec<usize> =
        logical.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).collect();
    let fitting = cuts.partition_point(|cut| weight(&logical[..*cut]) <= room);
    let head = match fitting.checked_sub(1).and_then(|last| cuts.get(last)) {
        Some(cut) if *cut > 0 => &logical[..*cut],
        // For a word longer than a post, or a script without spaces, cut between characters.
        _ => {
            let ends: Vec<usize> = logical.char_indices().map(|(at, _)| at).collect();
            let fitting = ends.partition_point(|end| weight(&logical[..*end]) <= room);
            &logical[..ends.get(fitting.saturating_sub(1)).copied().unwrap_or(0)]
        }
    };
    let head = format!("{}…", head.trim_end());
    wire(&head, &[Link::to(&format!("https://x.com/i/web/status/{post}"))])
}

/// The text of a repost: `RT @author: …`, shortened.
pub(crate) fn wire_of_repost(author: &str, logical: &str) -> WireText {
    let whole = format!("RT @{author}: {logical}");
    let mut cut = whole.char_indices().skip(REPOST_CUT - 1).map(|(at, _)| at);
    let (Some(at), Some(_)) = (cut.next(), cut.next()) else {
        return wire(&whole, &[]);
    };
    // Do not cut inside a word, or half a link could become another link.
    let head = whole[..at].rfind(' ').map_or(&whole[..at], |space| &whole[..space]);
    wire(&format!("{head}…"), &[])
}

/// The parts of a text that X links, by byte offsets, with the addresses that they lead to: links and mentions.
pub(crate) fn addresses(text: &str) -> Vec<(Range<usize>, String)> {
    let address = |found: Found| {
        let raw = &text[found.start..found.end];
        let address = match found.kind {
            Type::URL => Link::to(raw).expanded_url,
            Type::MENTION => format!("https://x.com/{}", found.value),
            Type::FEDERATEDMENTION | Type::HASHTAG | Type::CASHTAG => return None,
        };
        Some((found.start..found.end, address))
    };
    find_entities(text).into_iter().filter_map(address).collect()
}

#[derive(Debug, PartialEq)]
struct Found {
    start: usize,
    end: usize,
    kind: Type,
    value: String,
}

/// The entities of a text, by byte offsets, without overlaps.
fn find_entities(text: &str) -> Vec<Found> {
    // No entity contains a space, and parsing is the slow part, so parse only words that may contain an entity.
    let start = text.as_ptr() as usize;
    text.split([' ', '\n'])
        .flat_map(|word| {
            let at = word.as_ptr() as usize - start;
            let found = find_in_word(word).into_iter();
            found.map(move |found| Found { start: at + found.start, end: at + found.end, ..found })
        })
        .collect()
}

/// The entities of one word.
fn find_in_word(text: &str) -> Vec<Found> {
    let tagged = text.contains(['@', '＠', '#', '＃', '$']);
    // A link has something after its dot.
    if !tagged && !text.trim_end_matches('.').contains('.') {
        return Vec::new();
    }
    if let Some((kind, value)) = simple_entity(text) {
        return vec![Found { start: 0, end: text.len(), kind, value: value.to_owned() }];
    }
    parsed(text, tagged)
}

/// The entities that the parser finds; mentions and tags only if `tagged`.
fn parsed(text: &str, tagged: bool) -> Vec<Found> {
    let extractor = Extractor::with_parser_backend(ParserBackend::External);
    let offsets = utf16_to_byte(text);
    let byte = |unit: i32| usize::try_from(unit).ok().and_then(|unit| offsets.get(unit).copied());
    // This finds URLs without a scheme; the search for all kinds does not.
    let mut entities = extractor.extract_urls_with_indices(text);
    if tagged {
        entities.extend(extractor.extract_entities_with_indices(text));
    }
    let mut found: Vec<Found> = entities
        .iter()
        .filter(|entity| entity.get_type() != Type::FEDERATEDMENTION)
        .filter_map(|entity| {
            Some(Found {
                start: byte(entity.get_start())?,
                end: byte(entity.get_end())?,
                kind: entity.get_type(),
                value: entity.get_value().to_owned(),
            })
        })
        .collect();
    found.sort_by_key(|found| (found.start, Reverse(found.end)));
    let mut end = 0;
    found.retain(|found| {
        let apart = found.start >= end && found.start < found.end;
        end = if apart { found.end } else { end };
        apart
    });
    found
}

/// The entity that a whole word is, if that is clear without the parser, which would take most of a call's time: a
/// mention, a plain hashtag, or a URL of lower-case letters, digits and slashes under a common domain.
fn simple_entity(word: &str) -> Option<(Type, &str)> {
    let all = |text: &str, fits: fn(u8) -> bool| !text.is_empty() && text.bytes().all(fits);
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if let Some(name) = word.strip_prefix('@') {
        return (name.len() <= 15 && all(name, in_name)).then_some((Type::MENTION, name));
    }
    if let Some(tag) = word.strip_prefix('#') {
        let letters = tag.starts_with(|first: char| first.is_ascii_alphabetic());
        return (letters && all(tag, in_name)).then_some((Type::HASHTAG, tag));
    }
    let in_path = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    // Two labels under a common domain exclude `t.co`, which has rules of its own.
    let (name, top) = host.split_once('.')?;
    let plain = all(name, in_path)
        && ["com", "org", "net"].contains(&top)
        && path.is_none_or(|path| path.is_empty() || path.split('/').all(|part| all(part, in_path)));
    plain.then_some((Type::URL, word))
}

/// The byte offset of every UTF-16 unit and of the end. A low surrogate has the offset of its character.
fn utf16_to_byte(text: &str) -> Vec<usize> {
    text.char_indices()
        .flat_map(|(at, c)| std::iter::repeat_n(at, c.len_utf16()))
        .chain([text.len()])
        .collect()
}

#[derive(Default)]
struct Writer {
    wire: WireText,
    /// Code points written so far.
    length: usize,
}

impl Writer {
    fn plain(&mut self, logical: &str) {
        let escaped = if logical.contains(['&', '<', '>']) {
            Cow::Owned(escape(logical))
        } else {
            Cow::Borrowed(logical)
        };
        self.length += escaped.chars().count();
        self.wire.text.push_str(&escaped);
    }

    fn entity(&mut self, logical: &str, kind: EntityKind) {
        let start = self.length;
        self.plain(logical);
        self.wire.entities.push(Entity { start, end: self.length, kind });
    }

    fn trailing(&mut self, link: Link) {
        let repeated = self.wire.entities.last().and_then(|last| match &last.kind {
            EntityKind::Url(before) if before.url == link.url => Some((last.start, last.end)),
            _ => None,
        });
        if let Some((start, end)) = repeated {
            let kind = EntityKind::Url(link);
            self.wire.entities.push(Entity { start, end, kind });
            return;
        }
        if !self.wire.text.is_empty() {
            self.plain(" ");
        }
        let url = link.url.clone();
        self.entity(&url, EntityKind::Url(link));
    }
}

/// `https://t.co/` and ten characters that depend only on the URL.
fn short_link(address: &str) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bits = u128::from(hash::stable(&[address.as_bytes()]));
    let mut link = String::from("https://t.co/");
    for _ in 0..10 {
        let index = usize::try_from(bits % 62).unwrap_or(0);
        link.push(char::from(ALPHABET[index]));
        bits /= 62;
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(text: &str, entity: &Entity) -> String {
        text.chars().skip(entity.start).take(entity.end - entity.start).collect()
    }

    #[test]
    fn offsets_count_code_points_of_the_escaped_text() {
        let wire = wire("𝕏 & <b> 🔥🔥 see https://example.com/a?b=1&c=2 by @jack #Rust $TWTR", &[]);
        assert!(wire.text.starts_with("𝕏 &amp; &lt;b&gt; 🔥🔥 see https://t.co/"));
        let shown: Vec<String> = wire.entities.iter().map(|e| slice(&wire.text, e)).collect();
        let EntityKind::Url(link) = &wire.entities[0].kind else { panic!("{:?}", wire.entities) };
        assert_eq!(link.expanded_url, "https://example.com/a?b=1&c=2");
        assert_eq!(shown, [&*link.url, "@jack", "#Rust", "$TWTR"]);
        assert_eq!(wire.entities[1].kind, EntityKind::Mention("jack".into()));
    }

    #[test]
    fn a_url_without_a_scheme_is_wrapped_too() {
        let wire = wire("go to example.com.", &[]);
        let EntityKind::Url(link) = &wire.entities[0].kind else { panic!("no link in {wire:?}") };
        assert_eq!((&*link.expanded_url, &*link.display_url), ("http://example.com", "example.com"));
        assert!(wire.text.ends_with('.'), "the period is not part of the link");
    }

    #[test]
    fn photos_share_one_span() {
        let links = [Link::to_media("a", 1, "3_1"), Link::to_media("a", 1, "3_2")];
        let wire = wire("two photos", &links);
        assert_eq!(wire.text, format!("two photos {}", links[0].url));
        assert_eq!(wire.entities.len(), 2);
        assert_eq!(wire.entities[0].start, wire.entities[1].start);
    }

    #[test]
    fn unescaping_undoes_escaping() {
        for text in ["a & b", "&lt;", "<script>alert('x')</script>", "&amp;amp;"] {
            assert_eq!(unescape(&escape(text)), text);
        }
    }

    #[test]
    fn a_shortened_text_ends_with_a_link_and_fits() {
        for long in ["word ".repeat(100), "日本".repeat(200)] {
            let wire = wire_of_long(&long, 7);
            assert!(wire.text.contains("… https://t.co/"), "{}", wire.text);
            assert!(weight(&wire.text) <= MAX_WEIGHT);
        }
    }

    #[test]
    fn a_repost_is_shortened_and_names_its_author() {
        let short = wire_of_repost("jack", "hi");
        assert_eq!(short.text, "RT @jack: hi");
        let long = wire_of_repost("jack", &"word ".repeat(60));
        assert!(long.text.chars().count() <= REPOST_CUT && long.text.ends_with('…'));
    }

    #[test]
    fn texts_that_break_parsers_do_not_panic() {
        for text in ["🔥a@bob", "", ".", "@", "#", "https://", "a.b.c@d", "🇩🇪.com", "$", "＠x"] {
            wire(text, &[]);
            weight(text);
        }
    }

    #[test]
    fn a_simple_entity_agrees_with_the_parser() {
        let mut random = fastrand::Rng::with_seed(7);
        let starts = ["@", "#", "http://", "https://", "https://example.com", "https://a.org/", ""];
        let pieces = [
            "a", "a", "harbour", "harbour", "7", "123", "/", "/x", "/5", ".com", ".org", ".net", "Z", "_",
            "//", ".", ".co", "t.co", "www.", "-", "com", "x1", "0",
        ];
        let mut simple = 0;
        for _ in 0..if cfg!(debug_assertions) { 20_000 } else { 200_000 } {
            let mut word = starts[random.usize(..starts.len())].to_owned();
            for _ in 0..random.usize(1..7) {
                word.push_str(pieces[random.usize(..pieces.len())]);
            }
            if let Some((kind, value)) = simple_entity(&word) {
                simple += 1;
                let found = Found { start: 0, end: word.len(), kind, value: value.to_owned() };
                assert_eq!(parsed(&word, word.starts_with(['@', '#'])), [found], "{word}");
            }
        }
        assert!(simple > 1000, "{simple} words were simple");
    }

    #[test]
    fn no_text_weighs_more_than_its_upper_bound() {
        // Every character of the smaller scripts, and some of the large ones.
        let tried = |c: &u32| matches!(c, ..0x3400 | 0xf900..0x1_fb00) || c.is_multiple_of(16);
        for c in (0x20..0x3_0000).filter(tried).filter_map(char::from_u32) {
            let text = c.to_string();
            assert!(weight(&text) <= upper_bound(&text), "{c:?}");
        }
        let mut random = fastrand::Rng::with_seed(7);
        let mixed =
            "aé1ǭộ©ᄒ각が日ि\u{344}\u{31b}\u{302}\u{323}\u{5bf}क़\u{93c}ﬃ\u{fe0f}\u{20e3}\u{200d}👩🏽🇪🇸. ";
        let mixed: Vec<char> = mixed.chars().collect();
        for _ in 0..5000 {
            let text: String = (0..random.usize(2..9)).map(|_| mixed[random.usize(..mixed.len())]).collect();
            assert!(weight(&text) <= upper_bound(&text), "{text:?}");
        }
        for text in
            ["see example.com", "mañana después https://a.org/b", "o\u{31b}\u{302}\u{301}", "日本語 ⟦0⟧ 👩‍👩‍👧"]
        {
            assert!(weight(text) <= upper_bound(text), "{text}");
            assert!(fits(text, weight(text)) && !fits(text, weight(text) - 1), "{text}");
        }
    }
}
