//! Turns a record into a post. A record is what its author's app wrote, so anything may be in it: what is odd beside the
//! text is left out, and a record without a text is reported, not dropped.
//!
//! An app may shorten a link's text or hide the address behind words, and a link's card may be all that shows it. Other
//! networks have only the text, so the post has every address written out.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    Card, Media, MediaKind, Post, PostId, PostKind,
    network::NetworkRules as _,
    text::{Entity, EntityKind},
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    media,
    names::{OwnRecord, POSTS, REPOSTS, RecordAddress},
    records::Listed,
    rules::BlueskyRules,
    tid::Tid,
};

/// How far the time in a record and the time in its key may be apart. If they are farther, the record was imported from
/// elsewhere, or a clock is wrong.
const APART: SignedDuration = SignedDuration::from_hours(24);

/// No post is older than this, so an earlier time is no time.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);

/// The longest address that is written out in a text.
const LONGEST_LINK: usize = 2_000;

/// The labels that hide media (docs.bsky.app, “Self-labels”).
const SENSITIVE: [&str; 4] = ["porn", "sexual", "nudity", "graphic-media"];

/// The account whose records they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author<'a> {
    pub(super) did: &'a str,
    pub(super) server: &'a Url,
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unclear {
    /// Its place, if at least this is known.
    pub(super) record: Option<OwnRecord>,
    pub(super) reason: String,
}

/// A record of the type app.bsky.feed.post, as far as it is read. Types other than that of the text may be anything.
#[derive(Deserialize)]
struct Written {
    text: String,
    #[serde(default)]
    facets: Value,
    #[serde(default)]
    reply: Value,
    #[serde(default)]
    embed: Value,
    #[serde(default)]
    langs: Value,
    #[serde(default)]
    labels: Value,
}

/// Where a record belongs in the order of its account, and when it was written.
struct Place {
    position: u64,
    created_at: Timestamp,
}

impl Place {
    /// A key's time decides, because servers list records by their keys. But some keys tell no time, and a record that
    /// was imported has a new key and the time of the original.
    fn of(listed: &Listed, now: Timestamp) -> Result<Self, String> {
        let written = listed.value.get("createdAt").and_then(Value::as_str);
        let written = written.and_then(|written| written.parse::<Timestamp>().ok());
        let sensible = written.filter(|written| *written >= EARLIEST && *written <= now + APART);
        let of_key = listed.tid.filter(|tid| tid.moment() <= now + APART);
        let (position, created_at) = match (of_key, sensible) {
            (Some(tid), Some(written)) if written + APART < tid.moment() => (Tid::at(written), written),
            (Some(tid), written) => (tid, written.unwrap_or(tid.moment())),
            (None, Some(written)) => (Tid::at(written), written),
            (None, None) => {
                let key = &listed.key;
                return Err(format!("neither its key {key:?} nor createdAt tells a time that may be right"));
            }
        };
        Ok(Self { position: position.number(), created_at })
    }
}

/// The post that a record is.
pub(super) fn post(
    listed: &Listed,
    collection: &'static str,
    author: Author<'_>,
    now: Timestamp,
) -> Result<Post, Unclear> {
    let place = Place::of(listed, now).map_err(|reason| Unclear { record: None, reason })?;
    let record = OwnRecord { collection, key: listed.key.clone(), position: place.position };
    let read = if collection == REPOSTS { repost(listed, author.did) } else { written(listed, author) };
    let mut post = read.map_err(|reason| Unclear { record: Some(record.clone()), reason })?;
    post.id = record.id(author.did);
    (post.position, post.created_at) = (place.position, place.created_at);
    Ok(post)
}

fn empty() -> Post {
    Post {
        id: PostId(String::new()),
        position: 0,
        text: String::new(),
        entities: None,
        language: None,
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: Vec::new(),
        has_poll: false,
        versions: Vec::new(),
        warning: None,
        is_sensitive: false,
        card: None,
    }
}

/// A repost is never republished, so the shared post is not read.
fn repost(listed: &Listed, did: &str) -> Result<Post, String> {
    let of = address_in(&listed.value["subject"]).ok_or("it names no post that it shares")?;
    Ok(Post { kind: PostKind::Repost { of: of.id_for(did) }, ..empty() })
}

fn written(listed: &Listed, author: Author<'_>) -> Result<Post, String> {
    let record = Written::deserialize(&listed.value).map_err(|error| error.to_string())?;
    let (mut text, mut entities) = written_out(&record.text, &record.facets);
    let embed = Embed::of(&record.embed, author);
    if let Some(link) = &embed.link {
        with_link(&mut text, &mut entities, link);
    }
    let language = record.langs.get(0).and_then(Value::as_str);
    let labels = record.labels["values"].as_array().into_iter().flatten();
    let mut labels = labels.filter_map(|label| label["val"].as_str());
    Ok(Post {
        text,
        entities: Some(entities),
        language: language.map(str::to_owned),
        kind: kind(&record.reply, embed.quoted, author.did)?,
        media: embed.media,
        card: embed.card,
        is_sensitive: labels.any(|label| SENSITIVE.contains(&label)),
        ..empty()
    })
}

/// The address in a reference to a record.
fn address_in(reference: &Value) -> Option<RecordAddress> {
    RecordAddress::parse(reference.get("uri")?.as_str()?)
}

fn kind(reply: &Value, quoted: Option<RecordAddress>, did: &str) -> Result<PostKind, String> {
    if reply.is_null() {
        return Ok(quoted.map_or(PostKind::Original, |of| PostKind::Quote { of: of.id_for(did) }));
    }
    let (Some(root), Some(parent)) = (address_in(&reply["root"]), address_in(&reply["parent"])) else {
        return Err("it is a reply, but names no post that it replies to".into());
    };
    let is_own = root.account == did && parent.account == did;
    let parent = parent.id_for(did);
    Ok(if is_own { PostKind::Thread { parent } } else { PostKind::Reply { to: Some(parent) } })
}

/// What is shown below a text.
#[derive(Default)]
struct Embed {
    media: Vec<Media>,
    quoted: Option<RecordAddress>,
    /// The address of a link's card, and the card if it has a title.
    link: Option<String>,
    card: Option<Card>,
}

impl Embed {
    fn of(embed: &Value, author: Author<'_>) -> Self {
        let mut found = Self::default();
        match embed["$type"].as_str().unwrap_or_default() {
            "app.bsky.embed.record" => found.quoted = quoted(&embed["record"]),
            "app.bsky.embed.recordWithMedia" => {
                found = Self::of_media(&embed["media"], author);
                found.quoted = quoted(&embed["record"]["record"]);
            }
            _ => found = Self::of_media(embed, author),
        }
        found
    }

    fn of_media(embed: &Value, author: Author<'_>) -> Self {
        let mut found = Self::default();
        match embed["$type"].as_str().unwrap_or_default() {
            "app.bsky.embed.images" => {
                let images = embed["images"].as_array().into_iter().flatten();
                found.media = images
                    .filter_map(|image| medium(&image["image"], MediaKind::Photo, &image["alt"], author))
                    .collect();
            }
            "app.bsky.embed.video" => {
                found.media =
                    medium(&embed["video"], MediaKind::Video, &embed["alt"], author).into_iter().collect();
            }
            "app.bsky.embed.external" => {
                let external = &embed["external"];
                found.link = external["uri"].as_str().filter(|uri| is_link(uri)).map(str::to_owned);
                found.card = found.link.as_deref().and_then(|link| card(link, external, author));
            }
            _ => {}
        }
        found
    }
}

/// Feeds, lists and others can be shown below a text, too.
fn quoted(reference: &Value) -> Option<RecordAddress> {
    address_in(reference).filter(|address| address.collection == POSTS)
}

/// The medium that a reference to a blob is, in the present form or in that of 2023.
fn medium(blob: &Value, kind: MediaKind, alt: &Value, Author { did, server }: Author<'_>) -> Option<Media> {
    let cid = blob["ref"]["$link"].as_str().or(blob["cid"].as_str())?;
    let url = media::address(server, did, cid)?;
    let alt = alt.as_str().filter(|alt| !alt.trim().is_empty()).map(str::to_owned);
    Some(Media { key: cid.to_owned(), kind, url: Some(url), alt })
}

/// The card of a link, if it has a title.
fn card(link: &str, external: &Value, author: Author<'_>) -> Option<Card> {
    let words = |name: &str| external[name].as_str().unwrap_or_default();
    let picture = medium(&external["thumb"], MediaKind::Photo, &Value::Null, author);
    Card::new(link, words("title"), words("description"), picture)
}

/// What a part of a text does.
enum Feature {
    Link(String),
    Mention,
    Tag,
}

/// A text with the address of each link in it, and its links, mentions and tags.
fn written_out(text: &str, facets: &Value) -> (String, Vec<Entity>) {
    let mut out = Out::default();
    let mut end = 0;
    for (range, feature) in features(text, facets) {
        // Offsets of strangers may overlap.
        if range.start < end {
            continue;
        }
        out.plain(&text[end..range.start]);
        let shown = &text[range.clone()];
        match feature {
            Feature::Link(uri) if is_short_for(shown, &uri) => out.entity(EntityKind::Link, &uri),
            Feature::Link(uri) => {
                out.text.push_str(shown);
                out.text.push_str(" (");
                out.entity(EntityKind::Link, &uri);
                out.text.push(')');
            }
            Feature::Mention => out.entity(EntityKind::Mention, shown),
            Feature::Tag => out.entity(EntityKind::Hashtag, shown),
        }
        end = range.end;
    }
    out.plain(&text[end..]);
    (out.text, out.entities)
}

/// A text while it is written.
#[derive(Default)]
struct Out {
    text: String,
    entities: Vec<Entity>,
}

impl Out {
    fn entity(&mut self, kind: EntityKind, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.entities.push(Entity { kind, range: start..self.text.len() });
    }

    /// A part without facets. What looks like an address there must not be translated either.
    fn plain(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        let shifted =
            |entity: Entity| Entity { range: start + entity.range.start..start + entity.range.end, ..entity };
        self.entities.extend(BlueskyRules.entities(text).into_iter().map(shifted));
    }
}

/// The parts of a text that do something, in order.
fn features(text: &str, facets: &Value) -> Vec<(Range<usize>, Feature)> {
    let facets = facets.as_array().into_iter().flatten();
    let mut found: Vec<_> = facets
        .filter_map(|facet| {
            let offset = |name: &str| usize::try_from(facet["index"][name].as_u64()?).ok();
            let range = offset("byteStart")?..offset("byteEnd")?;
            let shown = text.get(range.clone()).filter(|shown| !shown.trim().is_empty())?;
            let mut features = facet["features"].as_array().into_iter().flatten();
            let feature = features.find_map(|feature| match feature["$type"].as_str()? {
                "app.bsky.richtext.facet#link" => {
                    let uri = feature["uri"].as_str().filter(|uri| is_link(uri))?;
                    Some(Feature::Link(uri.to_owned()))
                }
                "app.bsky.richtext.facet#mention" if shown.starts_with('@') => Some(Feature::Mention),
                "app.bsky.richtext.facet#tag" if shown.starts_with(['#', '＃']) => Some(Feature::Tag),
                _ => None,
            })?;
            Some((range, feature))
        })
        .collect();
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// Whether an address can stand in a text.
fn is_link(uri: &str) -> bool {
    let is_web = uri.starts_with("https://") || uri.starts_with("http://");
    is_web && uri.len() <= LONGEST_LINK && !uri.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether a text is an address, or the beginning of one: “town.example/minutes…”.
fn is_short_for(shown: &str, uri: &str) -> bool {
    let bare = |address: &str| {
        let address = address.trim().to_lowercase();
        let address = address.trim_start_matches("https://").trim_start_matches("http://");
        address.trim_start_matches("www.").trim_end_matches('/').to_owned()
    };
    let shown = shown.trim().trim_end_matches('…').trim_end_matches("...");
    !bare(shown).is_empty() && bare(uri).starts_with(&bare(shown))
}

/// Adds a link to the end of a text, unless it is in the text.
fn with_link(text: &mut String, entities: &mut Vec<Entity>, link: &str) {
    let is_same =
        |entity: &Entity| entity.kind == EntityKind::Link && is_short_for(&text[entity.range.clone()], link);
    if entities.iter().any(is_same) {
        return;
    }
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    let start = text.len();
    text.push_str(link);
    entities.push(Entity { kind: EntityKind::Link, range: start..text.len() });
}

#[cfg(test)]
mod tests;
