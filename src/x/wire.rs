//! X's answers as they come. The specification was renamed in August 2026: legacy names are sent, both vocabularies are
//! read. Empty lists and empty fields are absent, so everything is optional but ids.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::telemetry::outside::brief;

/// An answer of the timeline.
#[derive(Debug, Default, Deserialize)]
pub struct Timeline {
    /// Each read on its own, so that one in an unknown form does not take the page with it.
    #[serde(default)]
    pub data: Vec<Value>,
    /// What the posts refer to.
    #[serde(default)]
    pub includes: Includes,
    /// What went wrong; with data, only for a part.
    #[serde(default)]
    pub errors: Vec<Problem>,
    /// How to go on.
    #[serde(default)]
    pub meta: Option<Meta>,
}

/// How to go on.
#[derive(Debug, Default, Deserialize)]
pub struct Meta {
    /// Absent on the last page.
    pub next_token: Option<String>,
}

/// What posts refer to.
#[derive(Debug, Default, Deserialize)]
pub struct Includes {
    /// Posts, each read on its own.
    #[serde(default, alias = "posts")]
    pub tweets: Vec<Value>,
    /// Media.
    #[serde(default, deserialize_with = "lenient")]
    pub media: Vec<Media>,
}

/// A post.
#[derive(Debug, Deserialize)]
pub struct Tweet {
    /// Its id, a decimal number.
    pub id: String,
    /// HTML-escaped, links shortened.
    #[serde(default)]
    pub text: String,
    /// BCP 47, or one of X's own codes.
    pub lang: Option<String>,
    /// RFC 3339.
    pub created_at: Option<String>,
    /// Who said it.
    pub author_id: Option<String>,
    /// Whom it answers.
    pub in_reply_to_user_id: Option<String>,
    /// What it refers to.
    #[serde(default, alias = "referenced_posts")]
    pub referenced_tweets: Vec<Reference>,
    /// Links and the like, by place.
    #[serde(default)]
    pub entities: Entities,
    /// What hangs on it.
    #[serde(default)]
    pub attachments: Attachments,
    /// The whole of a long post.
    #[serde(alias = "note_post")]
    pub note_tweet: Option<Note>,
}

/// What a post refers to.
#[derive(Debug, Deserialize)]
pub struct Reference {
    /// `retweeted`, `quoted` or `replied_to`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which.
    pub id: String,
}

/// Links by place; mentions and tags need no place, for their text stands as it is.
#[derive(Debug, Default, Deserialize)]
pub struct Entities {
    /// Shortened links.
    #[serde(default, deserialize_with = "lenient")]
    pub urls: Vec<Link>,
}

/// A shortened link. Places count Unicode code points of the escaped text; the end is exclusive.
#[derive(Debug, Clone, Deserialize)]
pub struct Link {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// `https://t.co/…`.
    #[serde(default)]
    pub url: String,
    /// What was meant.
    pub expanded_url: Option<String>,
    /// The link stands for the post's own media.
    pub media_key: Option<String>,
}

/// The whole of a long post.
#[derive(Debug, Deserialize)]
pub struct Note {
    /// HTML-escaped, links shortened.
    pub text: String,
    /// By place in this text.
    #[serde(default)]
    pub entities: Entities,
}

/// What hangs on a post.
#[derive(Debug, Default, Deserialize)]
pub struct Attachments {
    /// Keys of media.
    #[serde(default)]
    pub media_keys: Vec<String>,
}

/// A picture or film.
#[derive(Debug, Clone, Deserialize)]
pub struct Media {
    /// Its key.
    pub media_key: String,
    /// `photo`, `video`, `animated_gif`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// A photo's address.
    pub url: Option<String>,
    /// The forms of a film.
    #[serde(default, deserialize_with = "lenient")]
    pub variants: Vec<Variant>,
    /// What it shows, in words.
    pub alt_text: Option<String>,
}

/// A form of a film.
#[derive(Debug, Clone, Deserialize)]
pub struct Variant {
    /// Bits a second; the playlist has none.
    pub bit_rate: Option<u64>,
    /// `video/mp4` for a file.
    #[serde(default)]
    pub content_type: String,
    /// Where it is.
    #[serde(default)]
    pub url: String,
}

/// An account.
#[derive(Debug, Deserialize)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its handle.
    #[serde(default)]
    pub username: String,
}

/// An answer about one account, or one post that was made.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct One<T> {
    /// Absent where there are errors.
    #[serde(default = "none")]
    pub data: Option<T>,
    /// What went wrong.
    #[serde(default)]
    pub errors: Vec<Problem>,
}

fn none<T>() -> Option<T> {
    None
}

/// A post that was made.
#[derive(Debug, Deserialize)]
pub struct Created {
    /// Its id.
    pub id: String,
}

/// What X says of an error: in the body itself, or in a list within it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Problem {
    /// A short name.
    #[serde(default)]
    pub title: String,
    /// A sentence.
    #[serde(default)]
    pub detail: String,
    /// A sentence, in lists of invalid parameters.
    #[serde(default)]
    pub message: String,
    /// An address whose last segment names the kind; its host changes.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Which period a usage cap is for.
    pub period: Option<String>,
    /// More of them.
    #[serde(default)]
    pub errors: Vec<Problem>,
}

impl Problem {
    /// The kind, without the host that it stands on: `resource-not-found`.
    pub fn kind(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }

    /// The sentence that says most, fit for an error.
    pub fn sentence(&self) -> String {
        brief(self.most_telling().unwrap_or("no reason given"))
    }

    fn most_telling(&self) -> Option<&str> {
        let inner = self.errors.iter().find_map(Problem::most_telling);
        let own = [&self.detail, &self.message, &self.title].into_iter().map(String::as_str);
        inner.or_else(|| own.into_iter().find(|sentence| !sentence.is_empty()))
    }
}

/// Reads the entries that have the expected form and leaves the others out.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let values = Option::<Vec<Value>>::deserialize(from)?.unwrap_or_default();
    Ok(values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}
