//! Turns a status's HTML into the text that its author meant. Servers shorten links for the eye and hide the rest,
//! write only the first half of a mention, and repeat a quoted status's link for old clients. What the HTML says about
//! links, mentions and tags becomes entities, with exact ranges.

use mynah_domain::{
    network::NetworkRules as _,
    text::{Entity, EntityKind},
};
use url::Url;

use super::{
    text::MastodonRules,
    wire::{Mention, Status},
};
use crate::networks::html::{
    Token, Tokens, is_hidden, lay_out,
    tag::Tag,
    text::{Spaces, Text, decoded},
};

/// A text and its entities, in order and without overlaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) entities: Vec<Entity>,
}

/// Reads a status's content; `server` is the host of accounts that are named without one.
pub(super) fn read(status: &Status, server: &str) -> Content {
    let (mut text, mut entities) = (Text::new(Spaces::Written), Vec::new());
    let mut tokens = Tokens::of(&status.content);
    while let Some(token) = tokens.next() {
        let tag = match token {
            Token::Text(words) => {
                text.push(words);
                continue;
            }
            Token::Tag(tag) => tag,
        };
        let begins = !tag.is_end && !tag.is_empty;
        if is_hidden(&tag) || (begins && (tag.has_class("invisible") || tag.has_class("quote-inline"))) {
            tokens.skip_element(&tag.name);
        } else if begins && tag.name == "a" {
            let anchor = Anchor::read(&tag, &mut tokens);
            entities.extend(anchor.write(&status.mentions, server, &mut text));
        } else if tag.name == "img" && (tag.has_class("emoji") || tag.has_class("custom-emoji")) {
            text.push_decoded(&tag.attribute("alt").unwrap_or_default());
        } else {
            lay_out(&tag, &mut text);
        }
    }
    let text = text.finish();
    let entities = with_unlinked(&text, entities, &status.emoji);
    Content { text, entities }
}

/// The entities of a text from a server that links fewer of them than Mastodon, and the named emoji.
pub(super) fn with_unlinked(text: &str, linked: Vec<Entity>, emoji: &[String]) -> Vec<Entity> {
    let mut entities = linked;
    entities.extend(MastodonRules::default().entities(text));
    for name in emoji {
        let written = format!(":{name}:");
        let found = text.match_indices(&written).map(|(at, _)| at..at + written.len());
        entities.extend(found.map(|range| Entity { kind: EntityKind::Emoji, range }));
    }
    // Stable, so that what the server linked precedes what only looks like it.
    entities.sort_by_key(|entity| entity.range.start);
    let mut end = 0;
    entities.retain(|entity| {
        let is_apart = entity.range.start >= end && !entity.range.is_empty();
        end = if is_apart { entity.range.end } else { end };
        is_apart
    });
    entities
}

/// A link in the HTML.
struct Anchor {
    href: String,
    is_mention: bool,
    is_tag: bool,
    /// Its text, with what is hidden from the eye.
    label: String,
}

impl Anchor {
    /// Reads up to the end of the anchor.
    fn read(tag: &Tag<'_>, tokens: &mut Tokens<'_>) -> Self {
        let mut label = String::new();
        for token in tokens {
            match token {
                Token::Text(words) => label.push_str(&decoded(words)),
                Token::Tag(tag) if tag.name == "a" => break,
                Token::Tag(_) => {}
            }
        }
        let is_tag = tag.has_class("hashtag") || tag.attribute("rel").is_some_and(|rel| rel == "tag");
        Self {
            href: tag.attribute("href").unwrap_or_default(),
            is_mention: tag.has_class("mention") && !is_tag,
            is_tag,
            label: label.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    /// Writes what people mean by it. Returns its entity, if it is one.
    fn write(&self, mentions: &[Mention], server: &str, text: &mut Text) -> Option<Entity> {
        let Self { href, label, .. } = self;
        if self.is_tag && label.starts_with(['#', '＃']) {
            return Some(written(EntityKind::Hashtag, label, text));
        }
        if (self.is_mention || label.starts_with('@'))
            && let Some(name) = self.mentioned(mentions, server)
        {
            return Some(written(EntityKind::Mention, &format!("@{name}"), text));
        }
        let Some(address) = address(href) else {
            text.push_decoded(label);
            return None;
        };
        match self.shows(&address) {
            Shows::Address => Some(written(EntityKind::Link, label, text)),
            Shows::Part => Some(written(EntityKind::Link, &address, text)),
            Shows::Words => {
                text.push_decoded(&format!("{label} ("));
                let link = written(EntityKind::Link, &address, text);
                text.push_decoded(")");
                Some(link)
            }
        }
    }

    /// The whole name of the mentioned account.
    fn mentioned(&self, mentions: &[Mention], server: &str) -> Option<String> {
        let label = self.label.strip_prefix('@').unwrap_or(&self.label);
        if label.is_empty() || label.contains(char::is_whitespace) {
            return None;
        }
        let known =
            mentions.iter().find(|mention| mention.url == self.href).map(|mention| mention.name.as_str());
        let name = known.unwrap_or(label);
        if name.contains('@') {
            return Some(name.to_owned());
        }
        let host = if known.is_some() {
            server.to_owned()
        } else {
            Url::parse(&self.href).ok()?.host_str()?.to_owned()
        };
        Some(format!("{name}@{host}"))
    }

    fn shows(&self, address: &str) -> Shows {
        let bare = |text: &str| {
            let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
            let text = text.strip_prefix("www.").unwrap_or(text).trim_end_matches('/');
            // As an address has it: `é` in a path is `%C3%A9`.
            Url::parse(&format!("https://{text}")).map_or_else(|_| text.to_owned(), |url| url.to_string())
        };
        let label_ends = self.label.strip_suffix('…').or_else(|| self.label.strip_suffix("..."));
        let (label, whole) = (bare(&self.label), bare(address));
        let has_scheme = self.label.starts_with("https://") || self.label.starts_with("http://");
        match label_ends.map(bare) {
            _ if label == whole && has_scheme => Shows::Address,
            _ if label == whole || self.label.is_empty() || has_scheme => Shows::Part,
            Some(beginning) if whole.starts_with(beginning.trim_end_matches('/')) => Shows::Part,
            _ => Shows::Words,
        }
    }
}

/// What a link's text is.
enum Shows {
    /// The address.
    Address,
    /// A part of it, or another address.
    Part,
    /// Words.
    Words,
}

/// The address of a link to a web page.
fn address(href: &str) -> Option<String> {
    let url = Url::parse(href).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let is_plain = !href.contains(|c: char| c.is_whitespace() || c.is_control());
    Some(if is_plain { href.to_owned() } else { url.to_string() })
}

/// Writes the text of an entity.
fn written(kind: EntityKind, what: &str, text: &mut Text) -> Entity {
    let start = text.next_position();
    text.push_decoded(what);
    Entity { kind, range: start..text.len().max(start) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(html: &str, mentions: &[(&str, &str)], emoji: &[&str]) -> Content {
        let mention =
            |(url, name): &(&str, &str)| Mention { id: None, url: (*url).into(), name: (*name).into() };
        let status = Status {
            content: html.into(),
            mentions: mentions.iter().map(mention).collect(),
            emoji: emoji.iter().map(|name| (*name).to_owned()).collect(),
            ..Status::default()
        };
        read(&status, "home.example")
    }

    fn parts(content: &Content) -> Vec<(EntityKind, &str)> {
        content.entities.iter().map(|entity| (entity.kind, &content.text[entity.range.clone()])).collect()
    }

    #[test]
    fn a_link_has_its_full_address_whatever_of_it_is_shown() {
        for (html, text, link) in [
            (
                r#"See <a href="https://a.example/a-long-path?b=1&amp;c=2" rel="nofollow"><span class="invisible">https://</span><span class="ellipsis">a.example/a-lo</span><span class="invisible">ng-path?b=1&amp;c=2</span></a>!"#,
                "See https://a.example/a-long-path?b=1&c=2!",
                "https://a.example/a-long-path?b=1&c=2",
            ),
            (
                r#"<a href="https://a.example/b">a.example/b</a>"#,
                "https://a.example/b",
                "https://a.example/b",
            ),
            (
                r#"<a href="https://a.example/b/c">a.example/b…</a>"#,
                "https://a.example/b/c",
                "https://a.example/b/c",
            ),
            (
                r#"<a href="https://a.example/">here</a> x"#,
                "here (https://a.example/) x",
                "https://a.example/",
            ),
            (r#"<a href="https://a.example/"><img src="x"></a>"#, "https://a.example/", "https://a.example/"),
            ("https://a.example/b plain", "https://a.example/b plain", "https://a.example/b"),
        ] {
            let found = content(html, &[], &[]);
            assert_eq!(found.text, text);
            assert_eq!(parts(&found), [(EntityKind::Link, link)], "{html}");
        }
    }

    #[test]
    fn a_mention_names_its_server() {
        let html = |url: &str| {
            format!(
                r#"<p>Hi <span class="h-card"><a href="{url}" class="u-url mention">@<span>bob</span></a></span>!</p>"#
            )
        };
        for (url, mentions, text) in [
            (
                "https://b.example/@bob",
                &[("https://b.example/@bob", "bob@b.example")][..],
                "Hi @bob@b.example!",
            ),
            ("https://home.example/@bob", &[("https://home.example/@bob", "bob")], "Hi @bob@home.example!"),
            ("https://c.example/users/bob", &[], "Hi @bob@c.example!"),
        ] {
            let found = content(&html(url), mentions, &[]);
            assert_eq!(found.text, text);
            assert_eq!(parts(&found), [(EntityKind::Mention, &text[3..text.len() - 1])]);
        }
    }

    #[test]
    fn tags_and_named_emoji_are_entities() {
        let found = content(
            r#"<p>:party: <a href="https://h.example/tags/Foo" class="mention hashtag" rel="tag">#<span>Foo</span></a> :party::other:</p>"#,
            &[],
            &["party"],
        );
        assert_eq!(found.text, ":party: #Foo :party::other:");
        assert_eq!(
            parts(&found),
            [(EntityKind::Emoji, ":party:"), (EntityKind::Hashtag, "#Foo"), (EntityKind::Emoji, ":party:")]
        );
    }

    #[test]
    fn layout_is_as_people_see_it() {
        for (html, text) in [
            ("<p>One<br>two</p><p>Three</p>", "One\ntwo\n\nThree"),
            ("<p>Bonjour\u{a0}!</p>", "Bonjour\u{a0}!"),
            ("a<span class=\"invisible\">hidden <span>too</span></span>b", "ab"),
            ("<p class=\"quote-inline\">RE: <a href=\"https://a.example/1\">a</a></p><p>Mine</p>", "Mine"),
            ("AT&amp;T &lt;b&gt; &quot;x&quot;", "AT&T <b> \"x\""),
            ("x <img class=\"custom-emoji\" alt=\":cat:\" src=\"y\"> z", "x :cat: z"),
            ("<a href=\"javascript:alert(1)\">no</a>", "no"),
            ("<a href=\"mailto:a@b.example\">mail</a>", "mail"),
            ("<script>alert(1)</script>ok", "ok"),
            ("", ""),
        ] {
            assert_eq!(content(html, &[], &[]).text, text, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_markup_is_read(pieces in prop::collection::vec(prop::sample::select(vec![
            "<a href=\"https://a.example/é\" class=\"mention\">", "<a>", "</a>", "<span class=\"invisible\">", "</span>", "@bob",
            "#tag", " ", "é", "🎉", ":cat:", "<br>", "</p>", "<p>", "https://b.example", "&amp;", "<", ">", "\"", "…",
        ]), 0..30)) {
            let found = content(&pieces.concat(), &[], &["cat"]);
            let mut end = 0;
            for entity in &found.entities {
                prop_assert!(entity.range.start >= end && found.text.get(entity.range.clone()).is_some_and(|e| !e.is_empty()));
                end = entity.range.end;
            }
        }
    }
}
