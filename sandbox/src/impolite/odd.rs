//! `odd`: forms that a reader written from the examples does not expect. The vocabulary changes within an answer, ids are
//! numbers, values are new, something that should be there is missing, and now and then a post cannot be read at all.

use actix_web::HttpRequest;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{Fate, Habit, Manners, Profile, Readability};
use crate::{
    endpoint::Endpoint,
    hash,
    world::{FOLLOWED, StoredPost, World},
};

/// Posts that no page shows in a readable form, and that their id does.
const BY_ID: Habit = Habit::new(Profile::Odd, "by_id", 25);
/// Posts that cannot be read anywhere, for ever.
const NOWHERE: Habit = Habit::new(Profile::Odd, "nowhere", 60);
/// Posts in whose place X shows a notice.
const WITHHELD: Habit = Habit::new(Profile::Odd, "withheld", 50);
/// Posts that are withheld in one country, and can be read here.
const PARTLY: Habit = Habit::new(Profile::Odd, "partly_withheld", 40);
/// Posts and objects in both vocabularies.
const BOTH: Habit = Habit::new(Profile::Odd, "both", 6);
/// Posts and objects in the new vocabulary alone.
const NEW: Habit = Habit::new(Profile::Odd, "new", 6);
/// Objects whose ids are numbers.
const NUMERIC: Habit = Habit::new(Profile::Odd, "numeric", 8);
/// Objects with values and fields that no specification has.
const UNKNOWN: Habit = Habit::new(Profile::Odd, "unknown", 8);
/// Posts with media whose media are not in `includes`.
const NO_MEDIA: Habit = Habit::new(Profile::Odd, "no_media", 5);
/// Short posts whose language is wrong.
const LANGUAGE: Habit = Habit::new(Profile::Odd, "language", 2);
/// Posts that end with a link to another account's photo.
const PHOTO: Habit = Habit::new(Profile::Odd, "photo", 20);

/// The photo of another account that posts link.
pub(crate) const OTHERS_PHOTO: &str = "https://x.com/somebody_else/status/1/photo/1";
/// A text of at most so many words is short: X guesses its language.
const SHORT: usize = 3;

/// Legacy key, new key.
const RENAMED: [(&str, &str); 3] = [
    ("edit_history_tweet_ids", "edit_history_post_ids"),
    ("note_tweet", "note_post"),
    ("referenced_tweets", "referenced_posts"),
];
/// Fields that the new vocabulary has only where the expansion of that name is asked for.
const ONLY_EXPANSIONS: [&str; 2] = ["author_id", "in_reply_to_user_id"];

pub(super) fn readability(manners: Manners, number: u64) -> Readability {
    if manners.hits(NOWHERE, number) {
        Readability::Nowhere
    } else if manners.hits(BY_ID, number) {
        Readability::ById
    } else {
        Readability::Everywhere
    }
}

pub(super) fn is_withheld(manners: Manners, number: u64) -> bool {
    manners.hits(WITHHELD, number)
}

pub(super) fn loses_media(manners: Manners, number: u64) -> bool {
    manners.hits(NO_MEDIA, number)
}

pub(super) fn links_photo(manners: Manners, number: u64) -> bool {
    manners.hits(PHOTO, number)
}

/// Makes an answer odd.
pub(super) fn reshape(
    manners: Manners,
    endpoint: Endpoint,
    request: &HttpRequest,
    world: &World,
    body: &mut Value,
) {
    if !manners.has(Profile::Odd) {
        return;
    }
    let asked = Asked::of(request);
    let reshaping = Reshaping { manners, endpoint, asked, world };
    match endpoint {
        Endpoint::Timeline | Endpoint::Lookup | Endpoint::LookupOne => reshaping.posts(body),
        Endpoint::User | Endpoint::Me => {
            if let Some(user) = body.get_mut("data") {
                reshaping.number_ids(manners.turn, user);
            }
        }
        Endpoint::Post => reshaping.made(body),
        _ => {}
    }
}

/// What the request asked for, as far as it decides what an odd answer may hold.
#[derive(Debug)]
struct Asked {
    fields: Vec<String>,
    expansions: Vec<String>,
}

impl Asked {
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
    manners: Manners,
    endpoint: Endpoint,
    asked: Asked,
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
            if self.manners.hits_call(UNKNOWN) {
                media.push(json!({"media_key": "99_1", "type": "hologram", "depth": 3}));
            }
        }
        if let Some(posts) = includes.get_mut("tweets").and_then(Value::as_array_mut) {
            for post in posts {
                self.words(self.manners.turn, post);
            }
        }
        if self.manners.hits_call(NEW)
            && let Some(posts) = includes.remove("tweets")
        {
            includes.insert("posts".into(), posts);
        } else if self.manners.hits_call(BOTH)
            && let Some(posts) = includes.get("tweets").cloned()
        {
            includes.insert("posts".into(), posts);
        }
    }

    fn post(&self, value: &mut Value, missing: &mut Vec<Value>) {
        let stored = value["id"].as_str().and_then(|id| self.world.post(id.parse().ok()?));
        let Some(stored) = stored.cloned() else { return };
        let key = hash::stable(&[&stored.number.to_le_bytes(), stored.author.as_bytes()]);
        // Only the followed account's posts lose what they say: its client must not find its own messages unreadable.
        if stored.author_id == self.world.account(FOLLOWED).id {
            let fate = Fate::of(self.manners, stored.number);
            if fate.media_missing {
                let keys = value.pointer("/attachments/media_keys").and_then(Value::as_array);
                missing.extend(keys.into_iter().flatten().cloned());
            }
            self.content(&stored, fate, value);
            if self.is_unreadable(fate) {
                return self.spoil(stored.number, value);
            }
        }
        self.words(key, value);
    }

    /// Changes what a post says: a notice in its place, another language, a link behind it.
    fn content(&self, stored: &StoredPost, fate: Fate, value: &mut Value) {
        let asked = |field: &str| self.asked.fields.iter().any(|name| name == field);
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
            if asked("withheld") {
                let withheld = json!({"copyright": false, "country_codes": ["XX"], "scope": "post"});
                post.insert("withheld".into(), withheld);
            }
            return;
        }
        if asked("withheld") && self.manners.hits(PARTLY, stored.number) {
            let withheld = json!({"copyright": false, "country_codes": ["DE"], "scope": null});
            post.insert("withheld".into(), withheld);
        }
        let words = post.get("text").and_then(Value::as_str).unwrap_or_default().split_whitespace().count();
        if words <= SHORT && post.contains_key("lang") && self.manners.hits(LANGUAGE, stored.number) {
            let wrong = ["es", "in", "tl", "ht", "und", "qst"];
            post.insert("lang".into(), json!(self.manners.choose(LANGUAGE, stored.number, wrong)));
        }
        if fate.links_photo
            && stored.media.is_empty()
            && !post.contains_key("note_tweet")
            && asked("entities")
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

    /// Leaves of a post only what nobody can read.
    fn spoil(&self, number: u64, value: &mut Value) {
        let text = match self.manners.choose(BY_ID, number, [0, 1, 2]) {
            0 => json!({"html": "<p>"}),
            1 => json!(["text", "in", "pieces"]),
            _ => json!(true),
        };
        let id = value["id"].clone();
        *value = json!({"id": id, "text": text, "note_tweet": {"text": {}}});
    }

    /// Changes the words that a post is written in, and the form of its ids.
    fn words(&self, key: u64, value: &mut Value) {
        let Some(post) = value.as_object_mut() else { return };
        let manners = self.manners;
        if manners.hits(UNKNOWN, key) {
            post.insert("x_experiments".into(), json!({"bucket": [1, null, {"on": true}]}));
            post.insert("reply_settings".into(), json!("friendsOfFriends"));
            if let Some(list) = post.get_mut("referenced_tweets").and_then(Value::as_array_mut) {
                list.insert(0, json!({"type": "continued_from", "id": "1", "weight": 0.5}));
            }
        }
        if manners.hits(NEW, key) {
            for (old, new) in RENAMED {
                if let Some(value) = post.remove(old) {
                    post.insert(new.into(), value);
                }
            }
            for field in ONLY_EXPANSIONS {
                if !self.asked.expansions.iter().any(|name| name == field) {
                    post.remove(field);
                }
            }
        } else if manners.hits(BOTH, key) {
            for (old, new) in RENAMED {
                if let Some(value) = post.get(old).cloned() {
                    post.insert(new.into(), value);
                }
            }
        }
        self.number_ids(key, value);
    }

    /// Writes the ids of an object as numbers.
    fn number_ids(&self, key: u64, value: &mut Value) {
        if !self.manners.hits(NUMERIC, key) {
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

    /// A post that was made, whose history X was seen to answer as one empty id.
    fn made(&self, body: &mut Value) {
        let Some(data) = body.get_mut("data") else { return };
        if self.manners.hits_call(UNKNOWN) {
            data["edit_history_tweet_ids"] = json!([""]);
        }
        self.words(self.manners.turn, data);
    }
}

/// Puts a link to another account's photo behind a text, shortened as X shortens it.
fn link_photo(post: &mut Map<String, Value>) {
    let Some(text) = post.get("text").and_then(Value::as_str) else { return };
    let start = text.chars().count() + 1;
    let url = "https://t.co/othersphoto";
    let said = format!("{text} {url}");
    let link = json!({
        "start": start,
        "end": start + url.len(),
        "url": url,
        "expanded_url": OTHERS_PHOTO,
        "display_url": "pic.x.com/othersphoto",
    });
    post.insert("text".into(), json!(said));
    let entities = post.entry("entities").or_insert_with(|| json!({}));
    match entities["urls"].as_array_mut() {
        Some(urls) => urls.push(link),
        None => entities["urls"] = json!([link]),
    }
}
