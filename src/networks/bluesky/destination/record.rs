//! A message as Bluesky stores it: a record of the type app.bsky.feed.post. Publishing the same draft again must make
//! the same record, so everything in it comes from the draft.

use jiff::Timestamp;
use mynah_domain::{
    CardWords, PublicationKey,
    ports::{Draft, DraftCard},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    facets::Facet,
    media::{Attachment, Kind},
};
use crate::networks::bluesky::names::POSTS;

/// A record, and which of its versions is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StrongRef {
    pub(super) uri: String,
    pub(super) cid: String,
}

/// What a message replies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ReplyRef {
    pub(super) root: StrongRef,
    pub(super) parent: StrongRef,
}

/// A message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostRecord<'a> {
    #[serde(rename = "$type")]
    kind: &'static str,
    text: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    langs: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facets: Vec<Facet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<ReplyRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embed: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Value>,
}

impl<'a> PostRecord<'a> {
    pub(super) fn of(
        draft: &'a Draft,
        facets: Vec<Facet>,
        reply: Option<ReplyRef>,
        quote: Option<StrongRef>,
    ) -> Self {
        let media: Vec<Attachment> = draft.media.iter().filter_map(Attachment::named).collect();
        let shows_pictures =
            !media.is_empty() || draft.card.as_ref().is_some_and(|card| card.picture.is_some());
        // Bluesky's apps hide such media until a reader asks for them.
        let label =
            || json!({"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]});
        Self {
            kind: POSTS,
            text: &draft.text,
            created_at: created_at(draft.key),
            langs: draft.language.iter().map(|language| language.code()).collect(),
            facets,
            reply,
            labels: (draft.is_sensitive && shows_pictures).then(label),
            embed: embed(of_media(&media).or_else(|| draft.card.as_ref().map(of_card)), quote),
        }
    }
}

/// When a message was written, from its key: a repeat has the same time.
fn created_at(key: PublicationKey) -> String {
    let millisecond = i64::try_from(key.bits() >> 80).unwrap_or(i64::MAX);
    let moment = Timestamp::from_millisecond(millisecond).unwrap_or(Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// What is shown below a text: media or a card, and a quoted message.
fn embed(shown: Option<Value>, quote: Option<StrongRef>) -> Option<Value> {
    let Some(quote) = quote else { return shown };
    let record = json!({"$type": "app.bsky.embed.record", "record": quote});
    Some(match shown {
        Some(media) => {
            json!({"$type": "app.bsky.embed.recordWithMedia", "record": record, "media": media})
        }
        None => record,
    })
}

fn of_card(DraftCard { url, words, picture }: &DraftCard) -> Value {
    let CardWords { title, description } = words;
    let mut external = json!({"uri": url, "title": title, "description": description});
    if let Some(Attachment { blob, .. }) = picture.as_ref().and_then(Attachment::named) {
        external["thumb"] = blob;
    }
    json!({"$type": "app.bsky.embed.external", "external": external})
}

/// A message has pictures or one video. If it should have both, it has the pictures.
fn of_media(media: &[Attachment]) -> Option<Value> {
    let described = |attachment: &Attachment, name: &str| {
        let mut described = json!({"alt": attachment.alt, name: attachment.blob});
        if let Some((width, height)) = attachment.sides {
            described["aspectRatio"] = json!({"width": width, "height": height});
        }
        described
    };
    let pictures: Vec<Value> = media
        .iter()
        .filter(|medium| medium.kind == Kind::Picture)
        .map(|picture| described(picture, "image"))
        .collect();
    if !pictures.is_empty() {
        return Some(json!({"$type": "app.bsky.embed.images", "images": pictures}));
    }
    let video = media.iter().find(|medium| medium.kind == Kind::Video)?;
    let mut embed = described(video, "video");
    embed["$type"] = json!("app.bsky.embed.video");
    Some(embed)
}

#[cfg(test)]
mod tests {
    use mynah_domain::ports::MediaId;

    use super::*;

    fn draft(second: i64) -> Draft {
        Draft::new(PublicationKey::new(Timestamp::from_second(second).unwrap()), "Hola")
    }

    fn record(draft: &Draft) -> Value {
        serde_json::to_value(PostRecord::of(draft, vec![], None, None)).unwrap()
    }

    #[test]
    fn the_same_draft_makes_the_same_record_whenever_it_is_published() {
        let draft = Draft { language: Some("pt-BR".parse().unwrap()), ..draft(1_800_000_000) };
        let expected = json!({
            "$type": "app.bsky.feed.post", "text": "Hola", "createdAt": "2027-01-15T08:00:00.000Z", "langs": ["pt-BR"],
        });
        assert_eq!((record(&draft), record(&draft)), (expected.clone(), expected));
    }

    #[test]
    fn the_first_and_last_times_of_the_calendar_can_be_written() {
        assert_eq!(record(&draft(0))["createdAt"], "1970-01-01T00:00:00.000Z");
        assert_eq!(record(&draft(9_999_999_999))["createdAt"], "2286-11-20T17:46:39.000Z");
    }

    #[test]
    fn a_message_has_its_pictures_or_else_its_video() {
        let medium = |kind, alt: &str, sides| {
            Attachment { kind, blob: json!({"$type": "blob"}), alt: alt.into(), sides }.uploaded().id
        };
        let picture = medium(Kind::Picture, "Un perro", Some((4, 3)));
        let video = medium(Kind::Video, "", None);
        let with = |media: Vec<MediaId>| record(&Draft { media, is_sensitive: true, ..draft(1) });
        let pictures = with(vec![video.clone(), picture]);
        let expected = json!([{"alt": "Un perro", "image": {"$type": "blob"}, "aspectRatio": {"width": 4, "height": 3}}]);
        assert_eq!(pictures["embed"]["images"], expected);
        assert_eq!(pictures["labels"]["values"][0]["val"], "graphic-media");
        let expected = json!({"$type": "app.bsky.embed.video", "alt": "", "video": {"$type": "blob"}});
        assert_eq!(with(vec![video])["embed"], expected);
        assert_eq!(with(vec![]), record(&Draft { is_sensitive: false, ..draft(1) }));
    }

    #[test]
    fn a_card_and_a_quote_are_shown_alone_or_together() {
        let quote = || Some(StrongRef { uri: "at://did:plc:a/app.bsky.feed.post/1".into(), cid: "b".into() });
        let quoted = json!({
            "$type": "app.bsky.embed.record", "record": {"uri": "at://did:plc:a/app.bsky.feed.post/1", "cid": "b"},
        });
        let thumb = Attachment {
            kind: Kind::Picture,
            blob: json!({"$type": "blob"}),
            alt: String::new(),
            sides: None,
        };
        let words = CardWords { title: "El puente".into(), description: String::new() };
        let card =
            DraftCard { url: "https://town.example".into(), words, picture: Some(thumb.uploaded().id) };
        let external = json!({
            "$type": "app.bsky.embed.external",
            "external": {"uri": "https://town.example", "title": "El puente", "description": "", "thumb": {"$type": "blob"}},
        });
        let of = |card: Option<DraftCard>, quote| {
            let draft = Draft { card, is_sensitive: true, ..draft(1) };
            serde_json::to_value(PostRecord::of(&draft, vec![], None, quote)).unwrap()
        };
        let plain = of(Some(DraftCard { picture: None, ..card.clone() }), None);
        assert_eq!((plain["embed"]["external"].get("thumb"), plain.get("labels")), (None, None));
        let alone = of(Some(card.clone()), None);
        assert_eq!(alone["embed"], external);
        assert_eq!(alone["labels"]["values"][0]["val"], "graphic-media");
        assert_eq!(of(None, quote())["embed"], quoted);
        let both = json!({"$type": "app.bsky.embed.recordWithMedia", "record": quoted, "media": external});
        assert_eq!(of(Some(card), quote())["embed"], both);
    }
}
