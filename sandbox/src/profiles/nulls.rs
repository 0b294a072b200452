//! `nulls`: optional fields are null instead of absent. X's specification marks many fields nullable, and Google's JSON
//! may have null for any unset field.

use serde_json::{Map, Value, json};

use super::{ActiveProfiles, Habit, Profile};
use crate::{
    endpoint::{Endpoint, Service},
    faults::Fault,
    hash,
    model::GeminiFault,
};

/// Absent fields that become null.
const NULL: Habit = Habit::new(Profile::Nulls, "null", 2);
/// Null objects that become objects full of nulls.
const HOLLOW: Habit = Habit::new(Profile::Nulls, "hollow", 2);
/// Posts whose language or creation time is null.
const UNKNOWN: Habit = Habit::new(Profile::Nulls, "unknown", 10);
/// Answers of Gemini whose counts are null or quoted.
const COUNTS: Habit = Habit::new(Profile::Nulls, "counts", 3);
/// Answers of Gemini without content.
const NOTHING: Habit = Habit::new(Profile::Nulls, "nothing", 25);

pub(super) fn fault(profiles: ActiveProfiles, endpoint: Endpoint) -> Option<Fault> {
    if !endpoint.is_gemini() {
        return None;
    }
    let turn = profiles.turn;
    if profiles.hits_call(NOTHING) {
        let answers = [
            GeminiFault::NullParts,
            GeminiFault::NullCandidates,
            GeminiFault::NullContent,
            GeminiFault::NullText,
        ];
        return Some(Fault::Gemini(profiles.choose(NOTHING, turn, answers)));
    }
    profiles.hits_call(COUNTS).then(|| {
        let answers = [GeminiFault::NullCounts, GeminiFault::QuotedCounts, GeminiFault::NullUsage];
        Fault::Gemini(profiles.choose(COUNTS, turn, answers))
    })
}

/// The kinds of X's objects that have optional fields.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Page,
    One,
    Created,
    Includes,
    Post,
    Entities,
    Url,
    Mention,
    Attachments,
    Note,
    Media,
    Variant,
    User,
    Meta,
    Problem,
    Upload,
}

impl Kind {
    /// Fields that may be absent or null.
    fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Page => &["data", "includes", "errors", "meta"],
            Self::One => &["data", "includes", "errors"],
            Self::Created => &["edit_history_tweet_ids", "edit_history_post_ids"],
            Self::Includes => &["tweets", "posts", "users", "media", "polls", "places", "topics"],
            Self::Post => &[
                "attachments",
                "author_id",
                "community_id",
                "context_annotations",
                "conversation_id",
                "display_text_range",
                "edit_controls",
                "edit_history_tweet_ids",
                "entities",
                "geo",
                "in_reply_to_user_id",
                "lang",
                "media_metadata",
                "note_post",
                "note_tweet",
                "possibly_sensitive",
                "public_metrics",
                "referenced_posts",
                "referenced_tweets",
                "reply_settings",
                "source",
                "withheld",
            ],
            Self::Entities => &["annotations", "cashtags", "hashtags", "mentions", "urls"],
            Self::Url => &["description", "images", "media_key", "status", "title", "unwound_url"],
            Self::Mention => &["id"],
            Self::Attachments => &["media_keys", "media_source_tweet_id", "poll_ids"],
            Self::Note => &["entities"],
            Self::Media => &[
                "alt_text",
                "duration_ms",
                "height",
                "preview_image_url",
                "public_metrics",
                "url",
                "variants",
                "width",
            ],
            Self::Variant => &["bit_rate"],
            Self::User => &["description", "entities", "pinned_tweet_id", "protected", "url", "withheld"],
            Self::Meta => &["newest_id", "next_token", "oldest_id", "previous_token"],
            Self::Problem => &[
                "detail",
                "errors",
                "parameter",
                "resource_id",
                "resource_type",
                "section",
                "status",
                "value",
            ],
            Self::Upload => &["image", "media_key", "processing_info", "size", "video"],
        }
    }

    /// Fields that hold other objects or lists of them.
    fn inner(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Page => &[
                ("data", Self::Post),
                ("includes", Self::Includes),
                ("errors", Self::Problem),
                ("meta", Self::Meta),
            ],
            Self::Includes => &[
                ("tweets", Self::Post),
                ("posts", Self::Post),
                ("users", Self::User),
                ("media", Self::Media),
            ],
            Self::Post => &[
                ("entities", Self::Entities),
                ("attachments", Self::Attachments),
                ("note_tweet", Self::Note),
                ("note_post", Self::Note),
            ],
            Self::Note => &[("entities", Self::Entities)],
            Self::Entities => &[("urls", Self::Url), ("mentions", Self::Mention)],
            Self::Media => &[("variants", Self::Variant)],
            _ => &[],
        }
    }
}

/// Puts nulls into an answer.
pub(super) fn reshape(profiles: ActiveProfiles, endpoint: Endpoint, body: &mut Value) {
    if !profiles.has(Profile::Nulls) {
        return;
    }
    let mut walk = Walk { profiles, objects: 0 };
    match endpoint {
        Endpoint::Timeline | Endpoint::Lookup | Endpoint::LookupOne => walk.object(Kind::Page, body),
        Endpoint::User | Endpoint::Me => walk.answer(Kind::User, body),
        Endpoint::Post => walk.answer(Kind::Created, body),
        Endpoint::MediaUpload | Endpoint::MediaChunk | Endpoint::MediaStatus | Endpoint::MediaMetadata => {
            walk.answer(Kind::Upload, body);
        }
        // Nothing optional, or another service.
        _ => {}
    }
}

/// Puts nulls into an error of X.
pub(super) fn reshape_error(profiles: ActiveProfiles, endpoint: Endpoint, error: &mut Value) {
    if profiles.has(Profile::Nulls) && endpoint.service() == Service::X {
        Walk { profiles, objects: 0 }.object(Kind::Problem, error);
    }
}

/// Walks over an answer. Counts the objects, so that each has its own draw.
struct Walk {
    profiles: ActiveProfiles,
    objects: u64,
}

impl Walk {
    /// Visits an answer whose `data` is one object.
    fn answer(&mut self, data: Kind, body: &mut Value) {
        if let Some(inside) = body.get_mut("data") {
            self.object(data, inside);
        }
        self.object(Kind::One, body);
    }

    fn object(&mut self, kind: Kind, value: &mut Value) {
        let object = match value {
            Value::Array(list) => return list.iter_mut().for_each(|member| self.object(kind, member)),
            Value::Object(object) => object,
            _ => return,
        };
        self.objects += 1;
        for (field, inner) in kind.inner() {
            if let Some(value) = object.get_mut(*field) {
                self.object(*inner, value);
            }
        }
        for field in kind.optional() {
            if !object.contains_key(*field) && self.hits(NULL, field) {
                let hollow = self.hits(HOLLOW, field).then(|| object_of_nulls(field)).flatten();
                object.insert((*field).to_owned(), hollow.unwrap_or(Value::Null));
            }
        }
        if matches!(kind, Kind::Post) {
            self.remove_dispensable(object);
        }
    }

    /// Removes fields that a reader can do without: an empty text, the language, and the time, which the id also has.
    fn remove_dispensable(&self, post: &mut Map<String, Value>) {
        if post.get("text").is_some_and(|text| text == "") {
            post.insert("text".into(), Value::Null);
        }
        for field in ["lang", "created_at"] {
            if post.contains_key(field) && self.hits(UNKNOWN, field) {
                post.insert(field.into(), Value::Null);
            }
        }
    }

    fn hits(&self, habit: Habit, field: &str) -> bool {
        let Self { profiles, objects } = self;
        let key = hash::stable(&[&profiles.turn.to_le_bytes(), &objects.to_le_bytes(), field.as_bytes()]);
        profiles.hits(habit, key)
    }
}

/// An object of nulls for a field, which means the same as null.
fn object_of_nulls(field: &str) -> Option<Value> {
    Some(match field {
        "attachments" => json!({"media_keys": null, "media_source_tweet_id": null, "poll_ids": null}),
        "entities" => json!({"cashtags": null, "hashtags": null, "mentions": null, "urls": null}),
        "geo" => json!({"coordinates": null, "place_id": null}),
        "edit_controls" => json!({"editable_until": null, "edits_remaining": null, "is_edit_eligible": null}),
        "includes" => json!({"media": null, "tweets": null, "users": null}),
        _ => return None,
    })
}
