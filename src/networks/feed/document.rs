//! Reads what the address of a feed answered: RSS, Atom or JSON Feed, or something that is none of them. The answer comes
//! from a stranger, so anything may be in it.

use std::{borrow::Cow, panic, sync::LazyLock};

use feed_rs::{
    model::{Content, Entry, Feed, FeedType, Text},
    parser,
};
use jiff::Timestamp;
use regex::Regex;
use url::Url;

use super::{item::Item, picture};
use crate::networks::html;

/// How much of an answer is searched for what it is.
const HEAD: usize = 2048;

/// The version among the attributes of RSS.
static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\sversion\s*=\s*("[^"]*"|'[^']*')"#)
        .expect("the pattern is a constant that a test compiles")
});

/// A feed that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Document {
    pub(super) title: String,
    /// How many minutes it asks readers to wait before they read it again.
    pub(super) ttl_minutes: Option<u32>,
    /// In the order of the feed.
    pub(super) items: Vec<Item>,
}

/// Parses an answer.
///
/// # Errors
/// Says what is there instead of a feed.
pub(super) fn parse(body: &[u8], address: &Url) -> Result<Document, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        // The HTTP client reads no body whose end is only that of the connection.
        return Err("the answer is empty, or does not say how long it is".into());
    }
    let head = head(body);
    if is_page(&head) {
        return Err(match offered_feed(&head, address) {
            Some(feed) => format!("this is a web page, not a feed; its feed is at {feed}"),
            None => "this is a web page, not a feed".into(),
        });
    }
    if let Some(root) = cut_off(body, &head) {
        return Err(format!("the feed is cut off: <{root}> has no end"));
    }
    let body = readable(body, &head);
    let feed = match parse_any(&body, address) {
        Err(reason) => {
            parse_any(&as_rss_2(&body).ok_or_else(|| reason.clone())?, address).map_err(|_| reason)?
        }
        Ok(feed) => feed,
    };
    Ok(document(&feed, address))
}

/// Runs the parser. Some inputs made other versions of it panic, and the actor that asked must not pay for that; the
/// parser shares no state with it.
fn parse_any(body: &[u8], address: &Url) -> Result<Feed, String> {
    let parsed = panic::catch_unwind(|| {
        let parser = parser::Builder::new()
            .base_uri(Some(address.as_str()))
            // By default, an item without id, link and title gets another id at each poll.
            .id_generator(|_, _, _| String::new())
            .build();
        parser.parse(body)
    });
    match parsed {
        Ok(Ok(feed)) => Ok(feed),
        Ok(Err(error)) => Err(format!("this is no valid feed: {error}")),
        Err(_) => Err("this is no valid feed: the parser failed on it".into()),
    }
}

/// The beginning of an answer in lower case, readable for whoever searches for ASCII.
fn head(body: &[u8]) -> String {
    let bytes: Vec<u8> = body.iter().copied().filter(|byte| *byte != 0).take(HEAD).collect();
    String::from_utf8_lossy(&bytes).to_ascii_lowercase()
}

fn is_page(head: &str) -> bool {
    let is_feed = ["<rss", "<feed", "<rdf", ":rdf", "<entry"].iter().any(|root| head.contains(root));
    !is_feed && (head.contains("<html") || head.contains("<!doctype html"))
}

/// The feed that a web page names.
fn offered_feed(head: &str, address: &Url) -> Option<Url> {
    let links = head.split("<link").skip(1).filter_map(|link| link.split('>').next());
    let mut feeds =
        links.filter(|link| link.contains("application/rss+xml") || link.contains("application/atom+xml"));
    let href = feeds.next()?.split_once("href=")?.1.trim_start_matches(['"', '\'']);
    address.join(href.split(['"', '\'', ' ']).next()?).ok()
}

/// The root element of an XML document, if its end is missing. Half a document would be read without its last items,
/// and half of an item would be published.
fn cut_off(body: &[u8], head: &str) -> Option<&'static str> {
    let roots = ["rss", "feed", "rdf:rdf"];
    let root = roots.into_iter().find(|root| {
        let begin = format!("<{root}");
        head.split_once(&begin)
            .is_some_and(|(_, rest)| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })?;
    let tail: Vec<u8> = body.iter().rev().copied().filter(|byte| *byte != 0).take(HEAD).collect();
    let tail: String = tail.iter().rev().map(|byte| char::from(*byte).to_ascii_lowercase()).collect();
    (!tail.contains(&format!("</{root}"))).then_some(root)
}

/// The body with invalid UTF-8 replaced, unless it is in another encoding, which the parser knows. One wrong byte should
/// not cost all items.
fn readable<'a>(body: &'a [u8], head: &str) -> Cow<'a, [u8]> {
    let declared = head.split_once("encoding=").map(|(_, rest)| rest.trim_start_matches(['"', '\'']));
    let is_other = declared.is_some_and(|name| !name.starts_with("utf-8") && !name.starts_with("utf8"));
    let is_wide = body.starts_with(&[0xFE, 0xFF])
        || body.starts_with(&[0xFF, 0xFE])
        || body.iter().take(4).any(|b| *b == 0);
    if is_other || is_wide {
        return Cow::Borrowed(body);
    }
    match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The document with a version that the parser knows: it refuses RSS without one, or of 0.93 and the like, although they
/// differ from RSS 2.0 only in what is absent.
fn as_rss_2(body: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(body).ok()?;
    let start = text.find("<rss")? + "<rss".len();
    let end = start + text[start..].find('>')?;
    let attributes = VERSION.replace(&text[start..end], "");
    Some(format!("{} version=\"2.0\"{attributes}{}", &text[..start], &text[end..]).into_bytes())
}

fn document(feed: &Feed, address: &Url) -> Document {
    let is_rss = matches!(feed.feed_type, FeedType::RSS0 | FeedType::RSS1 | FeedType::RSS2);
    let reader = Reader { is_rss, language: feed.language.clone(), address };
    Document {
        title: reader.line(feed.title.as_ref()),
        ttl_minutes: feed.ttl,
        items: feed.entries.iter().map(|entry| reader.item(entry)).collect(),
    }
}

/// Turns entries into items.
struct Reader<'a> {
    /// In RSS, every text may be HTML, whatever the specification says.
    is_rss: bool,
    language: Option<String>,
    address: &'a Url,
}

impl Reader<'_> {
    fn item(&self, entry: &Entry) -> Item {
        let given_id = entry.id.trim().to_owned();
        let moment = entry.published.or(entry.updated);
        let names: Vec<&str> = entry.authors.iter().map(|person| self.author(person)).collect();
        Item {
            title: self.line(entry.title.as_ref()),
            summary: self.text(entry.summary.as_ref()),
            content: self.content(entry.content.as_ref()),
            link: self.link(entry, &given_id),
            author: names.join(", "),
            published: moment.and_then(|moment| Timestamp::new(moment.timestamp(), 0).ok()),
            language: entry.language.clone().or_else(|| self.language.clone()),
            media: picture::of(entry, |text| self.line(Some(text))).into_iter().collect(),
            given_id,
        }
    }

    fn author<'a>(&self, person: &'a feed_rs::model::Person) -> &'a str {
        // For RSS, the parser puts the element's name there, and the author into the address.
        match &person.email {
            Some(email) if self.is_rss && person.name == "author" => email,
            _ => person.name.trim(),
        }
    }

    fn link(&self, entry: &Entry, id: &str) -> Option<String> {
        let is_page = |link: &&feed_rs::model::Link| {
            link.media_type.as_deref().is_none_or(|kind| kind.contains("html"))
                && link.rel.as_deref().is_none_or(|rel| rel == "alternate")
        };
        let written = entry.links.iter().find(is_page).map(|link| link.href.trim());
        let link = match written {
            Some(link) => self.address.join(link).ok(),
            // A permanent link in the place of an id.
            None => Url::parse(id).ok(),
        };
        link.filter(|link| matches!(link.scheme(), "http" | "https")).map(String::from)
    }

    fn text(&self, text: Option<&Text>) -> String {
        text.map_or_else(String::new, |text| self.plain(&text.content, text.content_type.as_str()))
    }

    fn content(&self, content: Option<&Content>) -> String {
        let Some(Content { body: Some(body), content_type, .. }) = content else { return String::new() };
        self.plain(body, content_type.as_str())
    }

    /// A text on one line.
    fn line(&self, text: Option<&Text>) -> String {
        self.text(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn plain(&self, text: &str, kind: &str) -> String {
        if self.is_rss || kind.contains("html") || kind.contains("xml") {
            html::to_text(text)
        } else {
            text.trim().to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
