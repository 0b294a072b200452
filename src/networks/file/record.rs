//! A message as a file has it: one JSON object, on one line of a JSONL file or alone in a file of a folder. A source may
//! also have plain text. Whoever wrote it, it is bounded, and what cannot be read of it is reported with its raw form.

use jiff::Timestamp;
use mynah_domain::{Media, MediaKind, Post, PostId, PostKind, ports::Unreadable};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

/// The most bytes of a message. A longer one is held for a person.
pub(super) const MOST_BYTES: usize = 256 * 1024;

/// How many bytes of a message that cannot be read are reported.
pub(super) const MOST_RAW: usize = 16 * 1024;

/// The longest id in bytes.
const LONGEST_ID: usize = 255;

/// The longest language tag, as RFC 5646 (4.4.1) recommends that programs accept.
const LONGEST_LANGUAGE: usize = 35;

/// A message. Only the text is needed; a message with media needs none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// What names it in its account.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id")]
    pub(super) id: Option<String>,
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub(super) created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub(super) language: Option<String>,
    /// The id of the message that it replies to.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id")]
    pub(super) reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sensitive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media: Option<Vec<Medium>>,
}

/// A picture or video beside the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Medium {
    /// Its file.
    pub(super) file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alt: Option<String>,
}

/// Other programs have numbers as ids.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Id>::deserialize(from)?.map(|id| match id {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    }))
}

/// A field that decides nothing about what is published: a wrong value is lost alone.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(from)?).ok())
}

impl Record {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MOST_BYTES {
            return Err(too_long());
        }
        let json = without_mark(bytes);
        // The derived reader also takes an array of the values.
        if json.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err("it is no JSON object".into());
        }
        let record: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        record.checked()
    }

    /// Reads a plain text.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn from_text(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MOST_BYTES {
            return Err(too_long());
        }
        let text = str::from_utf8(without_mark(bytes)).map_err(|error| error.to_string())?;
        Self { text: Some(text.trim_end().replace("\r\n", "\n")), ..Self::default() }.checked()
    }

    fn checked(mut self) -> Result<Self, String> {
        let has_text = self.text.as_ref().is_some_and(|text| !text.trim().is_empty());
        let has_media = self.media.as_ref().is_some_and(|media| !media.is_empty());
        if !has_text && !has_media {
            return Err("it has neither text nor media".into());
        }
        for (field, id) in [("id", &mut self.id), ("reply_to", &mut self.reply_to)] {
            *id = id.take().filter(|id| !id.is_empty());
            if !id.as_deref().is_none_or(is_sane) {
                return Err(format!("{field} has more than {LONGEST_ID} bytes, or control characters"));
            }
        }
        self.language = self.language.filter(|language| language.len() <= LONGEST_LANGUAGE);
        self.warning = self.warning.filter(|warning| !warning.trim().is_empty());
        Ok(self)
    }

    /// The message as a post, with the time `seen` if it has none.
    pub(super) fn into_post(self, id: String, position: u64, seen: Timestamp) -> Post {
        let parent = self.reply_to.filter(|parent| *parent != id);
        Post {
            id: PostId(id),
            position,
            text: self.text.unwrap_or_default(),
            entities: None,
            language: self.language,
            // All messages of an account are its own.
            kind: parent.map_or(PostKind::Original, |parent| PostKind::Thread { parent: PostId(parent) }),
            created_at: self.created_at.unwrap_or(seen),
            media: self.media.into_iter().flatten().map(Medium::into_media).collect(),
            has_poll: false,
            warning: self.warning,
            is_sensitive: self.sensitive.unwrap_or_default(),
            card: None,
            versions: Vec::new(),
        }
    }
}

impl Medium {
    fn into_media(self) -> Media {
        let ending = self.file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let kind = match ending.as_deref() {
            Some("mp4" | "m4v" | "mov" | "webm" | "ts") => MediaKind::Video,
            _ => MediaKind::Photo,
        };
        Media { key: self.file.clone(), kind, url: Some(self.file), alt: self.alt }
    }
}

/// The id of a message that cannot be read, if at least that can.
pub(super) fn id_of(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct OnlyId {
        #[serde(default, deserialize_with = "id")]
        id: Option<String>,
    }
    let found: OnlyId = serde_json::from_slice(without_mark(bytes)).ok()?;
    found.id.filter(|id| !id.is_empty() && is_sane(id))
}

fn is_sane(id: &str) -> bool {
    id.len() <= LONGEST_ID && !id.chars().any(char::is_control)
}

/// A message that cannot be read.
pub(super) fn unreadable(id: String, position: u64, reason: String, bytes: &[u8]) -> Unreadable {
    let raw = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_RAW)]).into_owned();
    Unreadable { mark: Some((PostId(id), position)), reason, raw }
}

/// Why a message is not read.
pub(super) fn too_long() -> String {
    format!("it has more than {MOST_BYTES} bytes")
}

/// Without a byte order mark, which some editors write.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

    fn post(json: &str) -> Post {
        Record::from_json(json.as_bytes()).unwrap().into_post("1".into(), 1, NOW)
    }

    #[test]
    fn a_text_is_enough_and_everything_else_is_optional() {
        let bare = post(r#"{"text":"The bridge is open"}"#);
        assert_eq!(
            (bare.text.as_str(), bare.created_at, bare.kind),
            ("The bridge is open", NOW, PostKind::Original)
        );
        let full = post(
            r#"{"id":7,"text":"b","created_at":"2026-11-27T09:44:16Z","language":"en","reply_to":"6","warning":"w",
               "sensitive":true,"media":[{"file":"a.png","alt":"A dog"},{"file":"b.MP4"}],"likes":3}"#,
        );
        assert_eq!(full.kind, PostKind::Thread { parent: PostId("6".into()) });
        assert_eq!(full.created_at.to_string(), "2026-11-27T09:44:16Z");
        assert!(full.is_sensitive && full.warning.as_deref() == Some("w"));
        assert_eq!(full.media[0].alt.as_deref(), Some("A dog"));
        assert_eq!((&full.media[0].kind, &full.media[1].kind), (&MediaKind::Photo, &MediaKind::Video));
        let nulls = r#"{"id":null,"text":"a","created_at":null,"language":null,"reply_to":null,"warning":null,"sensitive":null,"media":null}"#;
        assert_eq!(post(nulls).text, "a");
        assert_eq!(post("\u{feff}{\"text\":\"a\"}\r").text, "a");
    }

    #[test]
    fn a_broken_time_or_language_is_lost_alone() {
        for (field, value) in [("created_at", "\"yesterday\""), ("created_at", "7"), ("language", "[1]")] {
            let post = post(&format!(r#"{{"text":"a","{field}":{value}}}"#));
            assert_eq!((post.created_at, post.language), (NOW, None), "{field} {value}");
        }
    }

    #[test]
    fn times_of_1970_and_2286_are_read() {
        for time in ["1970-01-01T00:00:00Z", "2286-11-20T17:46:40Z"] {
            assert_eq!(
                post(&format!(r#"{{"text":"a","created_at":"{time}"}}"#)).created_at.to_string(),
                time
            );
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_reason() {
        let long_id = format!(r#"{{"text":"a","id":"{}"}}"#, "x".repeat(10_000));
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(MOST_BYTES));
        let deep = format!("{{\"created_at\":{}", "[".repeat(1000));
        for (json, reason) in [
            ("{\"text\":", "EOF"),
            ("garbage", "no JSON object"),
            (r#"["1","a"]"#, "no JSON object"),
            (r#"{"text":7}"#, "expected a string"),
            (r#"{"txet":"a"}"#, "neither text nor media"),
            (r#"{"text":"  ","media":[]}"#, "neither text nor media"),
            (r#"{"text":"a","media":[{"alt":"b"}]}"#, "file"),
            (r#"{"text":"a","reply_to":"a\u0000b"}"#, "reply_to has more than"),
            (long_id.as_str(), "id has more than"),
            (long.as_str(), "more than 262144 bytes"),
            (deep.as_str(), "recursion limit"),
        ] {
            let refused = Record::from_json(json.as_bytes()).unwrap_err();
            assert!(refused.contains(reason), "{json:.60}: {refused}");
            assert_eq!(id_of(json.as_bytes()), None, "{json:.60}");
        }
        assert!(Record::from_json(b"{\"text\":\"\xFF\"}").is_err());
        assert!(Record::from_text(b"\xFF\xFE").is_err() && Record::from_text(b" \n").is_err());
    }

    #[test]
    fn what_mynah_writes_it_reads() {
        let record = Record {
            id: Some("a".into()),
            text: Some("Café \"1 > 0\"\n🎉".into()),
            created_at: Some(NOW),
            sensitive: Some(true),
            media: Some(vec![Medium { file: "a.png".into(), alt: Some("Un perro".into()) }]),
            ..Record::default()
        };
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.starts_with(r#"{"id":"a","text":"#) && !json.contains('\n'), "{json}");
        assert_eq!(Record::from_json(json.as_bytes()), Ok(record));
    }

    #[test]
    fn a_broken_message_has_its_id_if_that_can_be_read() {
        assert_eq!(id_of(br#"{"id":"a","text":7}"#), Some("a".into()));
        assert_eq!(id_of(br#"{"id":7,"text":""}"#), Some("7".into()));
    }

    #[test]
    fn a_reply_to_itself_is_no_reply() {
        assert_eq!(post(r#"{"text":"a","reply_to":"1"}"#).kind, PostKind::Original);
    }
}
