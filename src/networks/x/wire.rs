//! X's answers as they come. The specification was renamed in August 2026: legacy names are sent, both vocabularies are
//! read, also in one object, where the legacy name goes first. Null reads like absent everywhere, ids come as strings or as
//! numbers ([`Id`]), and an unknown value of an enumeration is a value.
//!
//! What comes in another form than expected costs as little as possible, by this rule:
//!
//! - What decides whether and with which words a post is published must be readable, or the *post* is unreadable: its id, its
//!   text, the whole of a long text (`note_tweet`), what it refers to (`referenced_tweets`: a reply must not pass for a post
//!   of its own).
//! - Everything else costs its *field*, with an oddity for the log: entities (the shortened link stays), language, moment,
//!   attachments, media.
//! - An answer as a whole is unreadable only where its posts are no list or its `meta`, which says whether more follow, is no
//!   object. Then it is asked for again, and nothing is lost.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

pub use super::fields::Id;
use super::fields::{Fields, excerpt, reason};

use crate::telemetry::outside::brief;

/// An answer of the timeline.
#[derive(Debug, Default, Deserialize)]
pub struct Timeline {
    /// Each read on its own, so that one in an unknown form does not take the page with it.
    #[serde(default, deserialize_with = "nullable")]
    pub data: Vec<Box<RawValue>>,
    /// What the posts refer to; read by [`Includes::read`].
    #[serde(default)]
    pub includes: Option<Box<RawValue>>,
    /// What went wrong; with data, only for a part.
    #[serde(default, deserialize_with = "readable_entries")]
    pub errors: Vec<Problem>,
    /// How to go on.
    #[serde(default)]
    pub meta: Option<Meta>,
}

/// How to go on.
#[derive(Debug, Default, Deserialize)]
pub struct Meta {
    /// Absent on the last page.
    #[serde(default)]
    pub next_token: Option<String>,
    /// How many posts the page has.
    #[serde(default, deserialize_with = "readable")]
    pub result_count: Option<u64>,
}

/// What posts refer to.
#[derive(Debug, Default)]
pub struct Includes {
    /// Posts.
    pub tweets: Vec<Tweet>,
    /// Media.
    pub media: Vec<Media>,
}

impl Includes {
    /// What can be read of `includes`; the rest is reported in `oddities`.
    pub fn read(raw: Option<&RawValue>, oddities: &mut Vec<String>) -> Self {
        let Some(raw) = raw else { return Self::default() };
        let fields = match Fields::of(raw) {
            Ok(fields) => fields,
            Err(why) => {
                oddities.push(format!("the included posts and media cannot be read: {why}"));
                return Self::default();
            }
        };
        let mut includes = Self::default();
        for raw in fields.list(&["tweets", "posts"], oddities) {
            match Tweet::read(raw) {
                Ok((tweet, _)) => includes.tweets.push(tweet),
                Err(unread) => oddities.push(format!("an included post cannot be read: {}", unread.reason)),
            }
        }
        for raw in fields.list(&["media"], oddities) {
            match Media::read(raw, oddities) {
                Ok(media) => includes.media.push(media),
                Err(why) => oddities.push(format!("an included medium cannot be read: {why}")),
            }
        }
        includes
    }
}

/// A post.
#[derive(Debug)]
pub struct Tweet {
    /// Its id.
    pub id: Id,
    /// HTML-escaped, links shortened.
    pub text: Option<String>,
    /// BCP 47, or one of X's own codes.
    pub lang: Option<String>,
    /// RFC 3339.
    pub created_at: Option<String>,
    /// Who wrote it.
    pub author_id: Option<Id>,
    /// Whom it answers.
    pub in_reply_to_user_id: Option<Id>,
    /// The first post of its conversation; its own id where it answers nothing.
    pub conversation_id: Option<Id>,
    /// What it refers to.
    pub references: Vec<Reference>,
    /// Shortened links, by place.
    pub links: Vec<Link>,
    /// Keys of the media attached to it.
    pub media_keys: Vec<String>,
    /// The whole of a long post.
    pub note: Option<Note>,
    /// The ids of all versions of an edited post.
    pub versions: Vec<Id>,
    /// Where X withholds it.
    pub withheld: Option<Withheld>,
}

/// A post that cannot be read.
#[derive(Debug)]
pub struct Unread {
    /// Its id, where at least this can be read.
    pub id: Option<Id>,
    /// What is wrong with it.
    pub reason: String,
}

impl Tweet {
    /// Reads a post, and what was odd about it.
    ///
    /// # Errors
    /// By the rule above.
    pub fn read(raw: &RawValue) -> Result<(Self, Vec<String>), Unread> {
        let fields = Fields::of(raw).map_err(|reason| Unread { id: None, reason })?;
        let id: Id = match fields.meaning(&["id"]) {
            Ok(Some(id)) => id,
            Ok(None) => return Err(Unread { id: None, reason: "it has no id".into() }),
            Err(reason) => return Err(Unread { id: None, reason }),
        };
        Self::read_fields(id.clone(), &fields).map_err(|reason| Unread { id: Some(id), reason })
    }

    fn read_fields(id: Id, fields: &Fields<'_>) -> Result<(Self, Vec<String>), String> {
        let mut oddities = Vec::new();
        let odd = &mut oddities;
        let references = fields.meaning_list(&["referenced_tweets", "referenced_posts"])?;
        let references = references.into_iter().filter_map(|raw| Reference::read(raw, odd).transpose());
        let references = references.collect::<Result<_, _>>()?;
        let tweet = Self {
            text: fields.meaning(&["text"])?,
            note: Note::read(fields, odd)?,
            references,
            lang: fields.optional(&["lang"], odd),
            created_at: fields.optional(&["created_at"], odd),
            author_id: optional_id(fields, "author_id", odd),
            in_reply_to_user_id: optional_id(fields, "in_reply_to_user_id", odd),
            conversation_id: optional_id(fields, "conversation_id", odd),
            links: Link::read_all(fields, odd),
            media_keys: fields
                .object(&["attachments"], odd)
                .map(|attachments| texts(&attachments, &["media_keys"], odd))
                .unwrap_or_default(),
            versions: versions(fields, odd),
            withheld: Withheld::read(fields, odd),
            id,
        };
        Ok((tweet, oddities))
    }
}

/// An id that a post can do without; X writes an empty one for none.
fn optional_id(fields: &Fields<'_>, name: &str, oddities: &mut Vec<String>) -> Option<Id> {
    let raw: &RawValue = fields.optional(&[name], oddities)?;
    if is_blank(raw) { None } else { fields.optional(&[name], oddities) }
}

/// Whether it is an empty text.
fn is_blank(raw: &RawValue) -> bool {
    raw.get() == "\"\""
}

/// The ids of all versions; `[""]` is what X writes where there is but one.
fn versions(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Vec<Id> {
    let mut versions = Vec::new();
    // Under either name: what only one of them names is a version all the same.
    for name in ["edit_history_tweet_ids", "edit_history_post_ids"] {
        for raw in fields.list(&[name], oddities).into_iter().filter(|raw| !is_blank(raw)) {
            match serde_json::from_str::<Id>(raw.get()) {
                Ok(id) => versions.push(id),
                Err(error) => {
                    oddities.push(format!("an id in its {name} cannot be read: {}", reason(&error)));
                }
            }
        }
    }
    versions.sort_unstable_by_key(Id::position);
    versions.dedup();
    versions
}

/// What a post refers to.
#[derive(Debug)]
pub struct Reference {
    /// `retweeted`, `quoted` or `replied_to`.
    pub kind: String,
    /// Which.
    pub id: Id,
}

impl Reference {
    const KNOWN: [&str; 4] = ["retweeted", "reposted", "quoted", "replied_to"];

    /// A reference of a kind that is not known says nothing about the post, and is left out where its id is none; without a
    /// kind, it might be what makes the post a reply.
    fn read(raw: &RawValue, oddities: &mut Vec<String>) -> Result<Option<Self>, String> {
        let fields = Fields::of(raw).map_err(|why| format!("one of its references cannot be read: {why}"))?;
        let kind: Option<String> = fields.meaning(&["type"])?;
        let kind = kind.filter(|kind| !kind.is_empty()).ok_or("one of its references has no type")?;
        match fields.meaning(&["id"]) {
            Ok(Some(id)) => Ok(Some(Self { kind, id })),
            Ok(None) if Self::KNOWN.contains(&&*kind) => Err(format!("its reference “{kind}” has no id")),
            Err(why) if Self::KNOWN.contains(&&*kind) => Err(format!("its reference “{kind}”: {why}")),
            Ok(None) | Err(_) => {
                oddities.push(format!("its reference of the unknown type “{}” has no id", excerpt(&kind)));
                Ok(None)
            }
        }
    }
}

/// A shortened link. Places count Unicode code points of the escaped text; the end is exclusive.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// `https://t.co/…`.
    pub url: Option<String>,
    /// What was meant.
    pub expanded_url: Option<String>,
    /// The link stands for this medium.
    pub media_key: Option<String>,
}

impl Link {
    /// The links in the `entities` of a post or a note.
    fn read_all(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Vec<Self> {
        let Some(entities) = fields.object(&["entities"], oddities) else { return Vec::new() };
        let links = entities.list(&["urls"], oddities);
        links.into_iter().filter_map(|raw| Self::read(raw, oddities)).collect()
    }

    fn read(raw: &RawValue, oddities: &mut Vec<String>) -> Option<Self> {
        let fields = match Fields::of(raw) {
            Ok(fields) => fields,
            Err(why) => {
                oddities.push(format!("one of its links cannot be read: {why}"));
                return None;
            }
        };
        let (start, end) = (fields.optional(&["start"], oddities), fields.optional(&["end"], oddities));
        let (Some(start), Some(end)) = (start, end) else {
            oddities.push("one of its links has no place".into());
            return None;
        };
        let url = fields.optional(&["url"], oddities);
        let expanded_url = text(&fields, &["expanded_url"], oddities);
        let media_key = text(&fields, &["media_key"], oddities);
        Some(Self { start, end, url, expanded_url, media_key })
    }
}

/// The whole of a long post.
#[derive(Debug)]
pub struct Note {
    /// HTML-escaped, links shortened.
    pub text: String,
    /// By place in this text.
    pub links: Vec<Link>,
}

impl Note {
    /// A note without a text is no note that can be read: where there is one, the post's own text is cut.
    fn read(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Result<Option<Self>, String> {
        let mut unreadable = None;
        for name in ["note_tweet", "note_post"] {
            let Some(note) = fields.meaning::<&RawValue>(&[name])? else { continue };
            let read = Fields::of(note).and_then(|fields| {
                let text = fields.meaning(&["text"])?.ok_or("there is no text in it")?;
                Ok(Self { text, links: Link::read_all(&fields, oddities) })
            });
            match read {
                Ok(note) => return Ok(Some(note)),
                Err(why) => unreadable = Some(format!("its {name} cannot be read: {why}")),
            }
        }
        unreadable.map_or(Ok(None), Err)
    }
}

/// Where X withholds a post.
#[derive(Debug)]
pub struct Withheld {
    /// For a claim of copyright.
    pub copyright: bool,
    /// Codes of countries, among them two of X's own: `XX` for everywhere, `XY` for a claim of copyright.
    pub country_codes: Vec<String>,
}

impl Withheld {
    fn read(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Option<Self> {
        let withheld = fields.object(&["withheld"], oddities)?;
        let copyright = withheld.optional(&["copyright"], oddities).unwrap_or_default();
        Some(Self { copyright, country_codes: texts(&withheld, &["country_codes"], oddities) })
    }
}

/// A picture or film.
#[derive(Debug, Clone)]
pub struct Media {
    /// Its key.
    pub media_key: String,
    /// `photo`, `video`, `animated_gif`.
    pub kind: Option<String>,
    /// A photo's address.
    pub url: Option<String>,
    /// The forms of a film.
    pub variants: Vec<Variant>,
    /// What it shows, in words.
    pub alt_text: Option<String>,
}

impl Media {
    fn read(raw: &RawValue, oddities: &mut Vec<String>) -> Result<Self, String> {
        let fields = Fields::of(raw)?;
        let media_key = fields.meaning(&["media_key"])?.ok_or("it has no key")?;
        let variants = fields.list(&["variants"], oddities);
        let variants = variants.into_iter().filter_map(|raw| Variant::read(raw, oddities)).collect();
        Ok(Self {
            media_key,
            variants,
            kind: text(&fields, &["type"], oddities),
            url: text(&fields, &["url"], oddities),
            alt_text: text(&fields, &["alt_text"], oddities),
        })
    }
}

/// A form of a film.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Bits a second; the playlist has none.
    pub bit_rate: Option<u64>,
    /// `video/mp4` for a file.
    pub content_type: Option<String>,
    /// Where it is.
    pub url: String,
}

impl Variant {
    fn read(raw: &RawValue, oddities: &mut Vec<String>) -> Option<Self> {
        let fields = match Fields::of(raw) {
            Ok(fields) => fields,
            Err(why) => {
                oddities.push(format!("a form of a film cannot be read: {why}"));
                return None;
            }
        };
        Some(Self {
            bit_rate: fields.optional(&["bit_rate"], oddities),
            content_type: text(&fields, &["content_type"], oddities),
            url: text(&fields, &["url"], oddities)?,
        })
    }
}

/// A text with something in it.
fn text(fields: &Fields<'_>, names: &[&str], oddities: &mut Vec<String>) -> Option<String> {
    fields.optional(names, oddities).filter(|text: &String| !text.trim().is_empty())
}

/// The texts of a list.
fn texts(fields: &Fields<'_>, names: &[&str], oddities: &mut Vec<String>) -> Vec<String> {
    let mut texts = Vec::new();
    for raw in fields.list(names, oddities) {
        match serde_json::from_str(raw.get()) {
            Ok(text) => texts.push(text),
            Err(error) => {
                oddities.push(format!("one of its {} cannot be read: {}", names[0], reason(&error)));
            }
        }
    }
    texts
}

/// An account.
#[derive(Debug, Deserialize)]
pub struct User {
    /// Its id.
    pub id: Id,
    /// Its handle.
    #[serde(default, deserialize_with = "nullable")]
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
    #[serde(default, deserialize_with = "readable_entries")]
    pub errors: Vec<Problem>,
}

fn none<T>() -> Option<T> {
    None
}

/// What X says of an error: in the body itself, or in a list within it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Problem {
    /// A short name.
    #[serde(default, deserialize_with = "readable")]
    pub title: String,
    /// A sentence.
    #[serde(default, deserialize_with = "readable")]
    pub detail: String,
    /// A sentence, in lists of invalid parameters.
    #[serde(default, deserialize_with = "readable")]
    pub message: String,
    /// An address whose last segment names the kind; its host changes.
    #[serde(default, rename = "type", deserialize_with = "readable")]
    pub kind: String,
    /// Which period a usage cap is for.
    #[serde(default, deserialize_with = "readable")]
    pub period: Option<String>,
    /// More of them.
    #[serde(default, deserialize_with = "readable_entries")]
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

/// Null is nothing.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// What is null or in another form is nothing.
fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(from)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default())
}

/// Of a list, the entries that have the expected form; what is no list has none.
fn readable_entries<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    // As values, which are of a bounded depth: problems hold problems.
    let entries: Vec<Value> = readable(from)?;
    Ok(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
}
