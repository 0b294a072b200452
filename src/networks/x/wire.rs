//! X's answers on the wire. The specification renamed fields in August 2026: Mynah sends the legacy names and reads
//! both, even in one object, where the legacy name wins. Null reads like absent everywhere, ids are strings or numbers
//! ([`Id`]), and an unknown value of an enumeration is accepted.
//!
//! Malformed data costs as little as possible, by these rules:
//!
//! - Fields that decide whether a post is published, and with which text, must be readable, or the *post* is
//!   unreadable: its id, its text, the whole of a long text (`note_tweet`), and its references (`referenced_tweets`: a
//!   reply must not pass for an original post).
//! - Anything else costs only its *field*, with an oddity for the log: entities (the shortened link stays), language,
//!   time, attachments, media.
//! - An answer as a whole is unreadable only if its posts are not a list or its `meta`, which says whether more follow,
//!   is not an object. Then Mynah requests it again, and nothing is lost.

mod link;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

pub use self::link::Link;
pub use super::fields::Id;
use super::fields::{Fields, excerpt, reason};

use crate::telemetry::outside::brief;

/// A page of a timeline.
#[derive(Debug, Default, Deserialize)]
pub struct Timeline {
    /// Each is read separately, so that a malformed one does not make the page unreadable.
    #[serde(default, deserialize_with = "nullable")]
    pub data: Vec<Box<RawValue>>,
    /// Referenced objects; read by [`Includes::read`].
    #[serde(default)]
    pub includes: Option<Box<RawValue>>,
    /// Errors; if there is data, only for a part of the request.
    #[serde(default, deserialize_with = "readable_entries")]
    pub errors: Vec<Problem>,
    /// How to get the next page.
    #[serde(default)]
    pub meta: Option<Meta>,
}

/// How to get the next page.
#[derive(Debug, Default, Deserialize)]
pub struct Meta {
    /// Absent on the last page.
    #[serde(default)]
    pub next_token: Option<String>,
    /// The number of posts on the page.
    #[serde(default, deserialize_with = "readable")]
    pub result_count: Option<u64>,
}

/// Objects that posts reference.
#[derive(Debug, Default)]
pub struct Includes {
    /// Posts.
    pub tweets: Vec<Tweet>,
    /// Media.
    pub media: Vec<Media>,
    /// Polls.
    pub polls: Vec<Poll>,
}

impl Includes {
    /// Reads what can be read of `includes`; reports the rest in `oddities`.
    pub fn read(raw: Option<&RawValue>, oddities: &mut Vec<String>) -> Self {
        let Some(raw) = raw else { return Self::default() };
        let fields = match Fields::of(raw) {
            Ok(fields) => fields,
            Err(why) => {
                oddities.push(format!("the included posts, media and polls cannot be read: {why}"));
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
        for raw in fields.list(&["polls"], oddities) {
            match Poll::read(raw, oddities) {
                Ok(poll) => includes.polls.push(poll),
                Err(why) => oddities.push(format!("an included poll cannot be read: {why}")),
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
    /// The text, HTML-escaped, with shortened links.
    pub text: Option<String>,
    /// The language: BCP 47, or one of X's own codes.
    pub lang: Option<String>,
    /// The time, RFC 3339.
    pub created_at: Option<String>,
    /// Its author.
    pub author_id: Option<Id>,
    /// The user it replies to.
    pub in_reply_to_user_id: Option<Id>,
    /// The first post of its conversation; its own id if it is not a reply.
    pub conversation_id: Option<Id>,
    /// The posts it references.
    pub references: Vec<Reference>,
    /// Shortened links, by position.
    pub links: Vec<Link>,
    /// Keys of its attached media.
    pub media_keys: Vec<String>,
    /// Ids of its polls; X allows one.
    pub poll_ids: Vec<Id>,
    /// The whole text of a long post.
    pub note: Option<Note>,
    /// The ids of all versions of an edited post.
    pub versions: Vec<Id>,
    /// Where X withholds the post.
    pub withheld: Option<Withheld>,
}

/// An unreadable post.
#[derive(Debug)]
pub struct Unread {
    /// Its id, if that can be read.
    pub id: Option<Id>,
    /// What is wrong with it.
    pub reason: String,
}

impl Tweet {
    /// Reads a post and its oddities.
    ///
    /// # Errors
    /// By the rules above.
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
        let attachments = fields.object(&["attachments"], odd);
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
            media_keys: attachments.as_ref().map(|all| texts(all, &["media_keys"], odd)).unwrap_or_default(),
            poll_ids: attachments.map(|all| ids(&all, "poll_ids", odd)).unwrap_or_default(),
            versions: versions(fields, odd),
            withheld: Withheld::read(fields, odd),
            id,
        };
        Ok((tweet, oddities))
    }
}

/// An optional id; X may send an empty one instead of none.
fn optional_id(fields: &Fields<'_>, name: &str, oddities: &mut Vec<String>) -> Option<Id> {
    let raw: &RawValue = fields.optional(&[name], oddities)?;
    if is_blank(raw) { None } else { fields.optional(&[name], oddities) }
}

/// Whether it is an empty text.
fn is_blank(raw: &RawValue) -> bool {
    raw.get() == "\"\""
}

/// The ids of all versions; X sends `[""]` if there is only one.
fn versions(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Vec<Id> {
    // Under both names: an id under only one of them is a version, too.
    let mut versions = ids(fields, "edit_history_tweet_ids", oddities);
    versions.extend(ids(fields, "edit_history_post_ids", oddities));
    versions.sort_unstable_by_key(Id::position);
    versions.dedup();
    versions
}

/// The ids in a list; X may send empty ones.
fn ids(fields: &Fields<'_>, name: &str, oddities: &mut Vec<String>) -> Vec<Id> {
    let mut ids = Vec::new();
    for raw in fields.list(&[name], oddities).into_iter().filter(|raw| !is_blank(raw)) {
        match serde_json::from_str::<Id>(raw.get()) {
            Ok(id) => ids.push(id),
            Err(error) => oddities.push(format!("an id in its {name} cannot be read: {}", reason(&error))),
        }
    }
    ids
}

/// A reference to another post.
#[derive(Debug)]
pub struct Reference {
    /// `retweeted`, `quoted` or `replied_to`.
    pub kind: String,
    /// The referenced post.
    pub id: Id,
}

impl Reference {
    const KNOWN: [&str; 4] = ["retweeted", "reposted", "quoted", "replied_to"];

    /// A reference of unknown kind does not affect the post, and is dropped if it has no id. A reference without a kind
    /// is an error, because it might make the post a reply.
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

/// The whole text of a long post.
#[derive(Debug)]
pub struct Note {
    /// The text, HTML-escaped, with shortened links.
    pub text: String,
    /// By position in this text.
    pub links: Vec<Link>,
}

impl Note {
    /// A note without a text is an error, because the post's own text is then cut.
    fn read(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Result<Option<Self>, String> {
        let mut unreadable = None;
        for name in ["note_tweet", "note_post"] {
            let Some(note) = fields.meaning::<&RawValue>(&[name])? else { continue };
            let read = Fields::of(note).and_then(|fields| {
                let text = fields.meaning(&["text"])?.ok_or("it has no text")?;
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
    /// Whether because of a copyright claim.
    pub copyright: bool,
    /// Country codes, including two of X's own: `XX` for everywhere, `XY` for a copyright claim.
    pub country_codes: Vec<String>,
}

impl Withheld {
    fn read(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Option<Self> {
        let withheld = fields.object(&["withheld"], oddities)?;
        let copyright = withheld.optional(&["copyright"], oddities).unwrap_or_default();
        Some(Self { copyright, country_codes: texts(&withheld, &["country_codes"], oddities) })
    }
}

/// A picture or video.
#[derive(Debug, Clone)]
pub struct Media {
    /// Its key.
    pub media_key: String,
    /// `photo`, `video`, `animated_gif`.
    pub kind: Option<String>,
    /// A photo's address.
    pub url: Option<String>,
    /// The forms of a video.
    pub variants: Vec<Variant>,
    /// Its alt text.
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

/// A poll.
#[derive(Debug, Clone)]
pub struct Poll {
    /// Its id.
    pub id: Id,
    /// The labels of its options, in order.
    pub options: Vec<String>,
}

impl Poll {
    fn read(raw: &RawValue, oddities: &mut Vec<String>) -> Result<Self, String> {
        let fields = Fields::of(raw)?;
        let id = fields.meaning(&["id"])?.ok_or("it has no id")?;
        let mut options: Vec<(Option<u64>, String)> = Vec::new();
        for raw in fields.list(&["options"], oddities) {
            let option = match Fields::of(raw) {
                Ok(option) => option,
                Err(why) => {
                    oddities.push(format!("an option of a poll cannot be read: {why}"));
                    continue;
                }
            };
            if let Some(label) = text(&option, &["label"], oddities) {
                options.push((option.optional(&["position"], oddities), label));
            }
        }
        options.sort_by_key(|(position, _)| *position);
        Ok(Self { id, options: options.into_iter().map(|(_, label)| label).collect() })
    }
}

/// A form of a video.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Bits per second; absent for a playlist.
    pub bit_rate: Option<u64>,
    /// The MIME type: `video/mp4` for a file.
    pub content_type: Option<String>,
    /// Its address.
    pub url: String,
}

impl Variant {
    fn read(raw: &RawValue, oddities: &mut Vec<String>) -> Option<Self> {
        let fields = match Fields::of(raw) {
            Ok(fields) => fields,
            Err(why) => {
                oddities.push(format!("a form of a video cannot be read: {why}"));
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

/// A text that is not empty.
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

/// An answer about one account or one post.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct One<T> {
    /// Absent if there are errors.
    #[serde(default = "none")]
    pub data: Option<T>,
    /// The errors.
    #[serde(default, deserialize_with = "readable_entries")]
    pub errors: Vec<Problem>,
}

fn none<T>() -> Option<T> {
    None
}

/// X's description of an error: in the body itself, or in a list within it.
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
    /// An address whose last segment is the kind of error; its host changes.
    #[serde(default, rename = "type", deserialize_with = "readable")]
    pub kind: String,
    /// The period of a usage cap.
    #[serde(default, deserialize_with = "readable")]
    pub period: Option<String>,
    /// More errors.
    #[serde(default, deserialize_with = "readable_entries")]
    pub errors: Vec<Problem>,
}

impl Problem {
    /// The kind, without the address before it: `resource-not-found`.
    pub fn kind(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }

    /// The most specific sentence, fit for an error.
    pub fn sentence(&self) -> String {
        brief(self.most_specific().unwrap_or("no reason given"))
    }

    fn most_specific(&self) -> Option<&str> {
        let inner = self.errors.iter().find_map(Problem::most_specific);
        let own = [&self.detail, &self.message, &self.title].into_iter().map(String::as_str);
        inner.or_else(|| own.into_iter().find(|sentence| !sentence.is_empty()))
    }
}

/// Reads null as the default.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Reads null or a malformed value as the default.
fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(from)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default())
}

/// The entries of a list that have the expected form; none if it is not a list.
fn readable_entries<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    // As values, whose depth is bounded, because problems may contain problems.
    let entries: Vec<Value> = readable(from)?;
    Ok(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
}
