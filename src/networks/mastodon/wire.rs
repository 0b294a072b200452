//! A status as a server sends it. Servers leave fields out, send null, or another type than Mastodon. This module
//! states what each broken field costs: one that decides whether and with which words a status is published makes it
//! unreadable; any other is lost alone.

use jiff::Timestamp;
use mynah_domain::{Card, Media, MediaKind};
use serde_json::Value;

use super::names::is_id;
use crate::telemetry::outside::brief;

/// The most emoji, mentions and media that are read of a status.
const MOST: usize = 100;

/// A status.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Status {
    pub(super) id: String,
    /// Who wrote it.
    pub(super) account: Option<String>,
    pub(super) created_at: Timestamp,
    /// HTML.
    pub(super) content: String,
    /// The text before it became HTML, if the server tells.
    pub(super) source_text: Option<String>,
    /// The content warning; empty if there is none.
    pub(super) warning: String,
    /// Whether its media are hidden until a reader asks for them.
    pub(super) is_sensitive: bool,
    pub(super) visibility: String,
    pub(super) language: Option<String>,
    pub(super) reply_to: Option<String>,
    pub(super) reply_to_account: Option<String>,
    /// The status that it boosts.
    pub(super) boosted: Option<Box<Status>>,
    pub(super) quoted: Option<Quoted>,
    /// The card of its last link.
    pub(super) card: Option<Card>,
    pub(super) has_poll: bool,
    pub(super) poll_options: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) mentions: Vec<Mention>,
    /// The names of custom emoji, without colons.
    pub(super) emoji: Vec<String>,
}

/// A quoted status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) id: String,
    /// Where people find it.
    pub(super) url: Option<String>,
}

/// An account that a status mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) id: Option<String>,
    pub(super) url: String,
    /// `user@server`, or `user` on the same server.
    pub(super) name: String,
}

/// A status that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) id: Option<String>,
    pub(super) reason: String,
}

impl Status {
    pub(super) fn read(value: &Value) -> Result<Self, Unread> {
        let id = id_of(value);
        Self::with_id(value, id.as_deref()).map_err(|reason| Unread { id, reason })
    }

    fn with_id(value: &Value, id: Option<&str>) -> Result<Self, String> {
        let id = id.ok_or("it has no id that can be used")?.to_owned();
        let boosted = match value.get("reblog").filter(|boosted| !boosted.is_null()) {
            Some(boosted) => {
                let boosted =
                    Self::read(boosted).map_err(|unread| format!("what it boosts: {}", unread.reason))?;
                Some(Box::new(boosted))
            }
            None => None,
        };
        let created_at =
            value.get("created_at").and_then(Value::as_str).and_then(|moment| moment.parse().ok());
        let poll = value.get("poll").filter(|poll| !poll.is_null());
        Ok(Self {
            id,
            account: value.get("account").and_then(id_of),
            created_at: created_at.ok_or("its created_at is no moment")?,
            content: match value.get("content") {
                Some(Value::String(content)) => content.clone(),
                _ if boosted.is_some() => String::new(),
                _ => return Err("its content is no text".into()),
            },
            source_text: text(value, "text"),
            warning: match value.get("spoiler_text") {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(warning)) => warning.trim().to_owned(),
                Some(_) => return Err("its spoiler_text is no text".into()),
            },
            is_sensitive: value.get("sensitive").and_then(Value::as_bool).unwrap_or_default(),
            visibility: text(value, "visibility").ok_or("it does not say who may see it (visibility)")?,
            language: text(value, "language").filter(|language| (2..=35).contains(&language.len())),
            reply_to: optional_id(value, "in_reply_to_id")?,
            reply_to_account: optional_id(value, "in_reply_to_account_id")?,
            boosted,
            quoted: quoted(value),
            card: value.get("card").and_then(card),
            has_poll: poll.is_some(),
            poll_options: poll
                .into_iter()
                .flat_map(|poll| list(poll, "options"))
                .filter_map(|o| text(o, "title"))
                .collect(),
            media: list(value, "media_attachments").filter_map(medium).collect(),
            mentions: list(value, "mentions").filter_map(mention).collect(),
            emoji: list(value, "emojis")
                .filter_map(|emoji| text(emoji, "shortcode"))
                .filter(|name| is_emoji(name))
                .collect(),
        })
    }

    /// Whether anybody may see it. Only such statuses are published elsewhere.
    pub(super) fn is_for_all(&self) -> bool {
        matches!(self.visibility.as_str(), "public" | "unlisted")
    }
}

/// The id of a status or an account.
pub(super) fn id_of(value: &Value) -> Option<String> {
    id(value.get("id")?)
}

/// An id: text on Mastodon, a number on some servers. It goes into paths and the ledger.
fn id(value: &Value) -> Option<String> {
    let id = match value {
        Value::String(id) => id.clone(),
        Value::Number(number) => number.as_u64()?.to_string(),
        _ => return None,
    };
    is_id(&id).then_some(id)
}

fn optional_id(value: &Value, name: &str) -> Result<Option<String>, String> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(found) => match id(found) {
            Some(id) => Ok(Some(id)),
            None => Err(format!("its {name} is no id: {}", brief(&found.to_string()))),
        },
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().take(MOST)
}

/// Mastodon has the quoted status inside of the quote, or only its id; other servers have the status itself.
fn quoted(value: &Value) -> Option<Quoted> {
    let quote = value.get("quote").filter(|quote| quote.is_object());
    let status = quote.and_then(|quote| quote.get("quoted_status")).filter(|status| status.is_object());
    let status = status.or_else(|| quote.filter(|quote| quote.get("content").is_some()));
    let given =
        || quote.and_then(|quote| id(quote.get("quoted_status_id")?)).or_else(|| id(value.get("quote_id")?));
    let id = status.and_then(id_of).or_else(given)?;
    let url = status.and_then(|status| text(status, "url").or_else(|| text(status, "uri")));
    Some(Quoted { id, url: url.filter(|url| url.starts_with("https://") || url.starts_with("http://")) })
}

fn medium(value: &Value) -> Option<Media> {
    let url = text(value, "url").or_else(|| text(value, "remote_url"));
    let kind = match value.get("type").and_then(Value::as_str) {
        Some("image") => MediaKind::Photo,
        Some("video") => MediaKind::Video,
        Some("gifv") => MediaKind::Animation,
        other => MediaKind::Other(brief(other.unwrap_or("unknown"))),
    };
    let key = text(value, "id").or_else(|| url.clone())?;
    Some(Media { key: brief(&key), kind, url, alt: text(value, "description") })
}

fn card(value: &Value) -> Option<Card> {
    let url = text(value, "url").filter(|url| url.starts_with("https://") || url.starts_with("http://"))?;
    let picture = text(value, "image").map(|address| Media {
        key: brief(&address),
        kind: MediaKind::Photo,
        url: Some(address),
        alt: None,
    });
    Card::new(&url, &text(value, "title")?, &text(value, "description").unwrap_or_default(), picture)
}

fn mention(value: &Value) -> Option<Mention> {
    Some(Mention { id: id_of(value), url: text(value, "url")?, name: text(value, "acct")? })
}

/// The characters of `CustomEmoji::SHORTCODE_RE_FRAGMENT`.
fn is_emoji(name: &str) -> bool {
    (2..=128).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A status with the fields that every server sends.
    pub(in crate::networks::mastodon) fn status(id: &str, content: &str) -> Value {
        json!({
            "id": id, "created_at": "2026-11-27T10:00:00.000Z", "content": content, "visibility": "public",
            "spoiler_text": "", "language": "en", "in_reply_to_id": null, "in_reply_to_account_id": null,
            "reblog": null, "account": {"id": "7", "acct": "town"}, "media_attachments": [], "mentions": [],
            "tags": [], "emojis": [], "poll": null
        })
    }

    fn with(name: &str, field: Value) -> Value {
        let mut value = status("12", "<p>Hi</p>");
        value[name] = field;
        value
    }

    #[test]
    fn a_broken_field_that_decides_about_a_status_makes_it_unreadable() {
        for (name, field) in [
            ("id", json!("../1")),
            ("id", json!("1".repeat(10_000))),
            ("id", Value::Null),
            ("created_at", json!("yesterday")),
            ("created_at", Value::Null),
            ("content", json!(5)),
            ("content", Value::Null),
            ("spoiler_text", json!({})),
            ("visibility", Value::Null),
            ("in_reply_to_id", json!({})),
            ("in_reply_to_account_id", json!(["7"])),
            ("reblog", json!("1")),
        ] {
            let unread = Status::read(&with(name, field.clone())).unwrap_err();
            assert!(!unread.reason.is_empty() && unread.reason.len() < 500, "{name}: {unread:?}");
            assert_eq!(unread.id.as_deref(), (name != "id").then_some("12"), "{name}");
        }
        assert!(Status::read(&json!(null)).is_err() && Status::read(&json!([1])).is_err());
    }

    #[test]
    fn any_other_broken_field_is_lost_alone() {
        let whole = Status::read(&status("12", "<p>Hi</p>")).unwrap();
        for (name, field) in [
            ("language", json!(5)),
            ("language", json!("x".repeat(10_000))),
            ("media_attachments", json!({})),
            ("media_attachments", json!([null, 5])),
            ("mentions", json!([{"acct": 5}])),
            ("emojis", json!([{"shortcode": "a b"}])),
            ("quote", json!("x")),
            ("text", json!(1)),
        ] {
            let read = Status::read(&with(name, field.clone())).unwrap();
            let language = if name == "language" { None } else { whole.language.clone() };
            assert_eq!(read, Status { language, ..whole.clone() }, "{name} {field}");
        }
    }

    #[test]
    fn the_first_and_the_last_moments_are_read() {
        for moment in ["1970-01-01T00:00:00Z", "2286-11-20T17:46:40.000Z", "2026-11-27T09:34:46.334966+00:00"]
        {
            assert!(Status::read(&with("created_at", json!(moment))).is_ok(), "{moment}");
        }
    }

    #[test]
    fn a_quoted_status_is_found_in_every_form() {
        let url = "https://a.example/@b/3";
        for (name, field) in [
            ("quote", json!({"state": "accepted", "quoted_status": {"id": "3", "url": url, "content": ""}})),
            ("quote", json!({"id": "3", "url": url, "content": "<p>x</p>"})),
        ] {
            assert_eq!(
                Status::read(&with(name, field)).unwrap().quoted,
                Some(Quoted { id: "3".into(), url: Some(url.into()) })
            );
        }
        let shallow = with("quote", json!({"state": "accepted", "quoted_status_id": "3"}));
        assert_eq!(Status::read(&shallow).unwrap().quoted, Some(Quoted { id: "3".into(), url: None }));
        let pending = with("quote", json!({"state": "pending", "quoted_status": null}));
        assert_eq!(Status::read(&pending).unwrap().quoted, None);
    }
}
