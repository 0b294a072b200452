//! `odd`: forms that a reader written from X's examples does not expect. The vocabulary changes within an answer, ids
//! are numbers, values are unknown, something that should be there is missing, and now and then a post is unreadable.

use actix_web::HttpRequest;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{ActiveProfiles, Fate, Habit, Profile, Readability};
use crate::{
    endpoint::Endpoint,
    hash,
    world::{FOLLOWED, StoredPost, World},
};

/// Posts that are unreadable on pages but readable by id.
const BY_ID: Habit = Habit::new(Profile::Odd, "by_id", 25);
/// Posts that are never readable.
const NOWHERE: Habit = Habit::new(Profile::Odd, "nowhere", 60);
/// Posts that X replaces by a notice.
const WITHHELD: Habit = Habit::new(Profile::Odd, "withheld", 50);
/// Posts that are withheld in one country only, so they are readable here.
const PARTLY: Habit = Habit::new(Profile::Odd, "partly_withheld", 40);
/// Posts and objects in both vocabularies.
const BOTH: Habit = Habit::new(Profile::Odd, "both", 6);
/// Posts and objects in the new vocabulary only.
const NEW: Habit = Habit::new(Profile::Odd, "new", 6);
/// Objects whose ids are numbers.
const NUMERIC: Habit = Habit::new(Profile::Odd, "numeric", 8);
/// Objects with values and fields that are not in any specification.
const UNKNOWN: Habit = Habit::new(Profile::Odd, "unknown", 8);
/// Posts with media that `includes` lacks.
const NO_MEDIA: Habit = Habit::new(Profile::Odd, "no_media", 5);
/// Short posts with a wrong language.
const LANGUAGE: Habit = Habit::new(Profile::Odd, "language", 2);
/// Posts that end with a link to another account's photo.
const PHOTO: Habit = Habit::new(Profile::Odd, "photo", 20);

/// The other account's photo that posts link to.
pub(crate) const OTHERS_PHOTO: &str = "https://x.com/somebody_else/status/1/photo/1";
/// The most words in a short text, whose language X only guesses.
const SHORT: usize = 3;

/// Legacy key, new key.
const RENAMED: [(&str, &str); 3] = [
    ("edit_history_tweet_ids", "edit_history_post_ids"),
    ("note_tweet", "note_post"),
    ("referenced_tweets", "referenced_posts"),
];
/// Fields that the new vocabulary has only if the request expands them.
const ONLY_EXPANSIONS: [&str; 2] = ["author_id", "in_reply_to_user_id"];

pub(super) fn readability(profiles: ActiveProfiles, number: u64) -> Readability {
    if profiles.hits(NOWHERE, number) {
        Readability::Nowhere
    } else if profiles.hits(BY_ID, number) {
        Readability::ById
    } else {
        Readability::Everywhere
    }
}

pub(super) fn is_withheld(profiles: ActiveProfiles, number: u64) -> bool {
    profiles.hits(WITHHELD, number)
}

pub(super) fn loses_media(profiles: ActiveProfiles, number: u64) -> bool {
    profiles.hits(NO_MEDIA, number)
}

pub(super) fn links_photo(profiles: ActiveProfiles, number: u64) -> bool {
    profiles.hits(PHOTO, number)
}

/// Makes an answer odd.
pub(super) fn reshape(
    profiles: ActiveProfiles,
    endpoint: Endpoint,
    request: &HttpRequest,
    world: &World,
    body: &mut Value,
) {
    if !profiles.has(Profile::Odd) {
        return;
    }
    let requested = RequestedParts::of(request);
    let reshaping = Reshaping { profiles, endpoint, requested, world };
    match endpoint {
        Endpoint::Timeline | Endpoint::Lookup | Endpoint::LookupOne => reshaping.posts(body),
        Endpoint::User | Endpoint::Me => {
            if let Some(user) = body.get_mut("data") {
                reshaping.number_ids(profiles.turn, user);
            }
        }
        Endpoint::Post => reshaping.created(body),
        _ => {}
    }
}

/// The parts of the request that decide what an odd answer may contain.
#[derive(Debug)]
struct RequestedParts {
    fields: Vec<String>,
    expansions: Vec<String>,
}

impl RequestedParts {
    fn of(request: &HttpRequest) -> Self {
        let list = |names: &[&str]| {
            let pairs = form_urlencoded::parse(request.query_string().as_bytes());
            let lists = pairs.filter(|(name, _)| names.contains(&&**name)).map(|(_, list)| list.into_owned());
            lists.flat_map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
        };
        Self { fields: list(&["tweet.fields", "post.fields"]), expansions: list(&["expansions"]) }
    }
}

struct Reshaping<'a> {
    profiles: ActiveProfiles,
    endpoint: Endpoint,
    requested: RequestedParts,
    world: &'a World,
}

impl Reshaping<'_> {
    fn posts(&self, body: &mut Value) {
        let mut missing = Vec::new();
        match body.get_mut("data") {
            Some(Value::Array(list)) => list.iter_mut().for_each(|post| self.post(post, &mut missing)),
            Some(post) => self.post(post, &mut missing),
            None => {}
        }
        let Some(includes) = body.get_mut("includes").and_then(Value::as_object_mut) else { return };
        if let Some(media) = includes.get_mut("media").and_then(Value::as_array_mut) {
            media.retain(|medium| !missing.contains(&medium["media_key"]));
            if self.profiles.hits_call(UNKNOWN) {
                media.push(json!({"media_key": "99_1", "type": "hologram", "depth": 3}));
            }
        }
        if let Some(posts) = includes.get_mut("tweets").and_then(Value::as_array_mut) {
            for post in posts {
                self.change_vocabulary(self.profiles.turn, post);
            }
        }
        if self.profiles.hits_call(NEW)
            && let Some(posts) = includes.remove("tweets")
        {
            includes.insert("posts".into(), posts);
        } else if self.profiles.hits_call(BOTH)
            && let Some(posts) = includes.get("tweets").cloned()
        {
            includes.insert("posts".into(), posts);
        }
    }

    fn post(&self, value: &mut Value, missing: &mut Vec<Value>) {
        let stored = value["id"].as_str().and_then(|id| self.world.post(id.parse().ok()?));
        let Some(stored) = stored.cloned() else { return };
        let key = hash::stable(&[&stored.number.to_le_bytes(), stored.author.as_bytes()]);
        // Only for the followed account: Mynah must be able to read its own publications.
        if stored.author_id == self.world.account(FOLLOWED).id {
            let fate = Fate::of(self.profiles, stored.number);
            if fate.media_missing {
                let keys = value.pointer("/attachments/media_keys").and_then(Value::as_array);
                missing.extend(keys.into_iter().flatten().cloned());
            }
            self.content(&stored, fate, value);
            if self.is_unreadable(fate) {
                return self.make_unreadable(stored.number, value);
            }
        }
        self.change_vocabulary(key, value);
    }

    /// Changes the content of a post: replaces it by a notice, changes its language, or appends a link.
    fn content(&self, stored: &StoredPost, fate: Fate, value: &mut Value) {
        let is_requested = |field: &str| self.requested.fields.iter().any(|name| name == field);
        let Some(post) = value.as_object_mut() else { return };
        if fate.withheld {
            let notice = format!(
                "This Post from @{} has been withheld in response to a legal demand. Learn more.",
                stored.author
            );
            post.insert("text".into(), json!(notice));
            for field in ["attachments", "entities", "note_tweet"] {
                post.remove(field);
            }
            if is_requested("withheld") {
                let withheld = json!({"copyright": false, "country_codes": ["XX"], "scope": "post"});
                post.insert("withheld".into(), withheld);
            }
            return;
        }
        if is_requested("withheld") && self.profiles.hits(PARTLY, stored.number) {
            let withheld = json!({"copyright": false, "country_codes": ["DE"], "scope": null});
            post.insert("withheld".into(), withheld);
        }
        let words = post.get("text").and_then(Value::as_str).unwrap_or_default().split_whitespace().count();
        if words <= SHORT && post.contains_key("lang") && self.profiles.hits(LANGUAGE, stored.number) {
            let wrong = ["es", "in", "tl", "ht", "und", "qst"];
            post.insert("lang".into(), json!(self.profiles.choose(LANGUAGE, stored.number, wrong)));
        }
        if fate.links_photo
            && stored.media.is_empty()
            && !post.contains_key("note_tweet")
            && is_requested("entities")
        {
            link_photo(post);
        }
    }

    fn is_unreadable(&self, fate: Fate) -> bool {
        match fate.readability {
            Readability::Everywhere => false,
            Readability::ById => self.endpoint == Endpoint::Timeline,
            Readability::Nowhere => true,
        }
    }

    /// Replaces a post by an unreadable one with the same id.
    fn make_unreadable(&self, number: u64, value: &mut Value) {
        let text = match self.profiles.choose(BY_ID, number, [0, 1, 2]) {
            0 => json!({"html": "<p>"}),
            1 => json!(["text", "in", "pieces"]),
            _ => json!(true),
        };
        let id = value["id"].clone();
        *value = json!({"id": id, "text": text, "note_tweet": {"text": {}}});
    }

    /// Changes the vocabulary of a post and the form of its ids.
    fn change_vocabulary(&self, key: u64, value: &mut Value) {
        let Some(post) = value.as_object_mut() else { return };
        let profiles = self.profiles;
        if profiles.hits(UNKNOWN, key) {
            post.insert("x_experiments".into(), json!({"bucket": [1, null, {"on": true}]}));
            post.insert("reply_settings".into(), json!("friendsOfFriends"));
            if let Some(list) = post.get_mut("referenced_tweets").and_then(Value::as_array_mut) {
                list.insert(0, json!({"type": "continued_from", "id": "1", "weight": 0.5}));
            }
        }
        if profiles.hits(NEW, key) {
            for (old, new) in RENAMED {
                if let Some(value) = post.remove(old) {
                    post.insert(new.into(), value);
                }
            }
            for field in ONLY_EXPANSIONS {
                if !self.requested.expansions.iter().any(|name| name == field) {
                    post.remove(field);
                }
            }
        } else if profiles.hits(BOTH, key) {
            for (old, new) in RENAMED {
                if let Some(value) = post.get(old).cloned() {
                    post.insert(new.into(), value);
                }
            }
        }
        self.number_ids(key, value);
    }

    /// Turns the ids of an object into numbers.
    fn number_ids(&self, key: u64, value: &mut Value) {
        if !self.profiles.hits(NUMERIC, key) {
            return;
        }
        for (field, value) in value.as_object_mut().into_iter().flatten() {
            match value {
                Value::String(id) if field == "id" || field.ends_with("_id") => {
                    if let Ok(number) = id.parse::<u64>() {
                        *value = json!(number);
                    }
                }
                Value::Array(list) if field.starts_with("referenced_") => {
                    for reference in list {
                        if let Some(number) = reference["id"].as_str().and_then(|id| id.parse::<u64>().ok()) {
                            reference["id"] = json!(number);
                        }
                    }
                }
                Value::Array(list) if field.starts_with("edit_history_") => {
                    for id in list {
                        if let Some(number) = id.as_str().and_then(|id| id.parse::<u64>().ok()) {
                            *id = json!(number);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Changes the answer to a created post. X has been seen to answer its history as one empty id.
    fn created(&self, body: &mut Value) {
        let Some(data) = body.get_mut("data") else { return };
        if self.profiles.hits_call(UNKNOWN) {
            data["edit_history_tweet_ids"] = json!([""]);
        }
        self.change_vocabulary(self.profiles.turn, data);
    }
}

/// Appends a link to another account's photo to a text, shortened as X does.
fn link_photo(post: &mut Map<String, Value>) {
    let Some(text) = post.get("text").and_then(Value::as_str) else { return };
    let start = text.chars().count() + 1;
    let url = "https://t.co/othersphoto";
    let text = format!("{text} {url}");
    let link = json!({
        "start": start,
        "end": start + url.len(),
        "url": url,
        "expanded_url": OTHERS_PHOTO,
        "display_url": "pic.x.com/othersphoto",
    });
    post.insert("text".into(), json!(text));
    let entities = post.entry("entities").or_insert_with(|| json!({}));
    match entities["urls"].as_array_mut() {
        Some(urls) => urls.push(link),
        None => entities["urls"] = json!([link]),
    }
}
