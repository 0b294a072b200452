//! Validates records against the lexicons of posts and reposts, with the messages of a real server (PDS of dev-env 0.3.215).
//! Like it, this does not compare facets with the text: a facet behind the end of its text is valid, and shows nothing.

use serde_json::{Map, Value};
use unicode_segmentation::UnicodeSegmentation;

use super::{
    cid,
    pds::{POSTS, REPOSTS},
    tid,
};

/// Whether a record was validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Valid,
    /// The server does not know the record's lexicon.
    Unknown,
}

impl Validity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
        }
    }
}

/// Validates a record of a collection under its key.
pub(super) fn validate(collection: &str, key: &str, record: &Value) -> Result<Validity, String> {
    let schema = match collection {
        POSTS => post,
        REPOSTS => repost,
        _ => return Ok(Validity::Unknown),
    };
    if tid::number(key).is_none() {
        return Err(format!(
            "Invalid record key for {collection}: Invalid TID string (got {}) at $",
            quoted(key)
        ));
    }
    let at = At { value: record, path: "$.record".into() };
    match schema(&at) {
        Ok(()) => Ok(Validity::Valid),
        Err(why) => Err(format!("Invalid {collection} record: {why}")),
    }
}

/// Whether a text may be a record key (atproto.com/specs/record-key).
pub(super) fn is_record_key(key: &str) -> bool {
    let of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'~');
    (1..=512).contains(&key.len()) && !matches!(key, "." | "..") && key.bytes().all(of_key)
}

/// Whether a text may be the name of a collection (atproto.com/specs/nsid).
pub(super) fn is_collection(name: &str) -> bool {
    let of_segment = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    name.len() <= 317
        && name.split('.').count() >= 3
        && name.split('.').all(|segment| !segment.is_empty() && segment.bytes().all(of_segment))
}

type Check = Result<(), String>;

/// A value and where it is.
struct At<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> At<'a> {
    fn wrong(&self, what: &str) -> Check {
        Err(format!("{what} at {}", self.path))
    }

    fn expected(&self, kind: &str) -> String {
        format!("Expected {kind} value type (got {}) at {}", shape(self.value), self.path)
    }

    fn fields(&self) -> Result<&'a Map<String, Value>, String> {
        self.value.as_object().ok_or_else(|| self.expected("object"))
    }

    fn field(&self, name: &str) -> Result<Option<At<'a>>, String> {
        let field = self.fields()?.get(name);
        Ok(field.map(|value| At { value, path: format!("{}.{name}", self.path) }))
    }

    fn required(&self, name: &str, check: impl FnOnce(&At<'a>) -> Check) -> Check {
        match self.field(name)? {
            Some(field) => check(&field),
            None => self.wrong(&format!("Missing required key \"{name}\"")),
        }
    }

    fn optional(&self, name: &str, check: impl FnOnce(&At<'a>) -> Check) -> Check {
        self.field(name)?.map_or(Ok(()), |field| check(&field))
    }

    fn each(&self, most: usize, check: impl Fn(&At<'a>) -> Check) -> Check {
        let items = self.value.as_array().ok_or_else(|| self.expected("array"))?;
        if items.len() > most {
            return self.wrong(&format!("array too big (maximum {most}, got {})", items.len()));
        }
        let mut items = items.iter().enumerate();
        items.try_for_each(|(index, value)| check(&At { value, path: format!("{}[{index}]", self.path) }))
    }

    fn text(&self) -> Result<&'a str, String> {
        self.value.as_str().ok_or_else(|| self.expected("string"))
    }

    /// A text of at most this many bytes and graphemes.
    fn text_of_at_most(&self, bytes: usize, graphemes: usize) -> Check {
        let text = self.text()?;
        if text.len() > bytes {
            return self.wrong(&format!("string too big (maximum {bytes}, got {})", text.len()));
        }
        let count = text.graphemes(true).count();
        if count > graphemes {
            return self.wrong(&format!("grapheme too big (maximum {graphemes}, got {count})"));
        }
        Ok(())
    }

    /// A text of a format.
    fn format(&self, name: &str, is_valid: impl Fn(&str) -> bool) -> Check {
        let text = self.text()?;
        if is_valid(text) { Ok(()) } else { self.wrong(&format!("Invalid {name} (got {})", quoted(text))) }
    }

    fn integer(&self, least: i64) -> Check {
        let number = self.value.as_i64().ok_or_else(|| self.expected("integer"))?;
        if number < least {
            return self.wrong(&format!("integer too small (minimum {least}, got {number})"));
        }
        Ok(())
    }

    /// The `$type` of a member of a union.
    fn kind(&self) -> Result<&'a str, String> {
        self.value
            .get("$type")
            .and_then(Value::as_str)
            .ok_or_else(|| self.expected("an object which includes the \"$type\" property"))
    }

    fn blob(&self, is_accepted: impl Fn(&str) -> bool, accepts: &str, most: u64) -> Check {
        let link = self.value.pointer("/ref/$link").and_then(Value::as_str);
        let is_blob = self.value.get("$type").is_some_and(|kind| kind == "blob");
        let (Some(mime), Some(size), true) = (
            self.value.get("mimeType").and_then(Value::as_str),
            self.value.get("size").and_then(Value::as_u64),
            is_blob && link.is_some_and(|link| cid::is_cid(link, true)),
        ) else {
            return Err(self.expected("blob"));
        };
        if !is_accepted(mime) {
            let at = &self.path;
            return Err(format!("Expected {} (got {}) at {at}.mimeType", quoted(accepts), quoted(mime)));
        }
        if size > most {
            return self.wrong(&format!("blob too big (maximum {most}, got {size})"));
        }
        Ok(())
    }
}

/// A text in quotes, as messages of the server show it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What a message shows of a wrong value.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut keys =
                fields.keys().take(2).map(|key| format!("{}: ...", quoted(key))).collect::<Vec<_>>();
            if fields.len() > 2 {
                keys.push("...".into());
            }
            format!("{{{}}}", keys.join(", "))
        }
        Value::Array(_) => "[...]".into(),
        other => other.to_string(),
    }
}

fn post(at: &At<'_>) -> Check {
    at.required("text", |text| text.text_of_at_most(3_000, 300))?;
    at.optional("facets", |facets| facets.each(usize::MAX, facet))?;
    at.optional("reply", |reply| {
        reply.required("root", reference)?;
        reply.required("parent", reference)
    })?;
    at.optional("embed", embed)?;
    at.optional("langs", |langs| langs.each(3, |lang| lang.format("language", is_language)))?;
    at.optional("labels", |labels| match labels.kind()? {
        "com.atproto.label.defs#selfLabels" => labels.required("values", |values| {
            values.each(10, |label| label.required("val", |value| value.text_of_at_most(128, 128)))
        }),
        _ => Ok(()),
    })?;
    at.optional("tags", |tags| tags.each(8, |tag| tag.text_of_at_most(640, 64)))?;
    at.required("createdAt", datetime)
}

fn repost(at: &At<'_>) -> Check {
    at.required("subject", reference)?;
    at.required("createdAt", datetime)
}

fn facet(at: &At<'_>) -> Check {
    at.required("index", |index| {
        index.required("byteStart", |start| start.integer(0))?;
        index.required("byteEnd", |end| end.integer(0))
    })?;
    at.required("features", |features| {
        features.each(usize::MAX, |feature| match feature.kind()? {
            "app.bsky.richtext.facet#link" => feature.required("uri", uri),
            "app.bsky.richtext.facet#mention" => feature.required("did", |did| did.format("DID", is_did)),
            "app.bsky.richtext.facet#tag" => feature.required("tag", |tag| tag.text_of_at_most(640, 64)),
            // The union is open.
            _ => Ok(()),
        })
    })
}

fn embed(at: &At<'_>) -> Check {
    match at.kind()? {
        "app.bsky.embed.images" => at.required("images", |images| {
            images.each(4, |image| {
                image.required("image", |blob| {
                    blob.blob(|mime| mime.starts_with("image/"), "image/*", 1_000_000)
                })?;
                image.required("alt", |alt| alt.text().map(drop))?;
                image.optional("aspectRatio", aspect_ratio)
            })
        }),
        "app.bsky.embed.video" => {
            at.required("video", |blob| blob.blob(|mime| mime == "video/mp4", "video/mp4", 100_000_000))?;
            at.optional("alt", |alt| alt.text_of_at_most(10_000, 1_000))?;
            at.optional("aspectRatio", aspect_ratio)
        }
        "app.bsky.embed.external" => at.required("external", |external| {
            external.required("uri", uri)?;
            external.required("title", |title| title.text().map(drop))?;
            external.required("description", |description| description.text().map(drop))?;
            external
                .optional("thumb", |blob| blob.blob(|mime| mime.starts_with("image/"), "image/*", 1_000_000))
        }),
        "app.bsky.embed.record" => at.required("record", reference),
        "app.bsky.embed.recordWithMedia" => {
            at.required("record", |record| record.required("record", reference))?;
            at.required("media", embed)
        }
        _ => Ok(()),
    }
}

fn aspect_ratio(at: &At<'_>) -> Check {
    at.required("width", |width| width.integer(1))?;
    at.required("height", |height| height.integer(1))
}

/// A reference to one version of a record. Whether the record exists is not checked.
fn reference(at: &At<'_>) -> Check {
    at.required("uri", |uri| uri.format("AT-URI", |text| text.starts_with("at://")))?;
    at.required("cid", |cid| {
        cid.format("CID string", |text| cid::is_cid(text, false) || cid::is_cid(text, true))
    })
}

fn uri(at: &At<'_>) -> Check {
    at.format("uri", |text| {
        let scheme =
            text.split_once(':').map_or("", |(scheme, rest)| if rest.is_empty() { "" } else { scheme });
        !text.contains(char::is_whitespace)
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'))
    })
}

fn datetime(at: &At<'_>) -> Check {
    // The format requires a zone, which a timestamp needs to be read.
    at.format("datetime", |text| text.parse::<jiff::Timestamp>().is_ok() && text.contains('T'))
}

fn is_did(text: &str) -> bool {
    text.strip_prefix("did:").and_then(|rest| rest.split_once(':')).is_some_and(|(method, id)| {
        !id.is_empty() && !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_lowercase())
    })
}

/// Whether a text has the form of a language tag (BCP 47): a language of two or three letters, then subtags.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let is_short = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_short
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// All sentences here are those of a real server for these records.
    #[test]
    fn refusals_are_worded_as_on_a_real_server() {
        let facet =
            |feature: Value| json!([{"index": {"byteStart": 0, "byteEnd": 1}, "features": [feature]}]);
        let image =
            |blob: Value| json!({"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": ""}]});
        let blob = json!({
            "$type": "blob", "mimeType": "image/png", "size": 70,
            "ref": {"$link": "bafkreiaugldhmxpktv4hcvcfvrz6qpqvrt6d7tuotwknwfrcrsjt552ebm"},
        });
        let with = |name: &str, value: Value| {
            let mut blob = blob.clone();
            blob[name] = value;
            blob
        };
        let cases = [
            ("text", json!("x".repeat(301)), "grapheme too big (maximum 300, got 301) at $.record.text"),
            ("text", json!("👨‍👩‍👧‍👦".repeat(290)), "string too big (maximum 3000, got 7250) at $.record.text"),
            ("text", json!(7), "Expected string value type (got 7) at $.record.text"),
            ("createdAt", json!("yesterday"), "Invalid datetime (got \"yesterday\") at $.record.createdAt"),
            ("langs", json!(["a", "b", "c", "d"]), "array too big (maximum 3, got 4) at $.record.langs"),
            (
                "langs",
                json!(["not a language"]),
                "Invalid language (got \"not a language\") at $.record.langs[0]",
            ),
            (
                "facets",
                json!([{"index": {"byteStart": -1, "byteEnd": 1}, "features": []}]),
                "integer too small (minimum 0, got -1) at $.record.facets[0].index.byteStart",
            ),
            ("facets", json!([{"features": []}]), "Missing required key \"index\" at $.record.facets[0]"),
            (
                "facets",
                facet(json!({"$type": "app.bsky.richtext.facet#link", "uri": "not a uri"})),
                "Invalid uri (got \"not a uri\") at $.record.facets[0].features[0].uri",
            ),
            (
                "facets",
                facet(json!({"$type": "app.bsky.richtext.facet#mention", "did": "bob"})),
                "Invalid DID (got \"bob\") at $.record.facets[0].features[0].did",
            ),
            (
                "facets",
                facet(json!({"$type": "app.bsky.richtext.facet#tag", "tag": "x".repeat(70)})),
                "grapheme too big (maximum 64, got 70) at $.record.facets[0].features[0].tag",
            ),
            ("tags", json!(vec!["x"; 9]), "array too big (maximum 8, got 9) at $.record.tags"),
            (
                "reply",
                json!({"root": {"uri": "at://a", "cid": "nonsense"}}),
                "Invalid CID string (got \"nonsense\") at $.record.reply.root.cid",
            ),
            (
                "embed",
                json!({"$type": "app.bsky.embed.images", "images": [{"image": blob}]}),
                "Missing required key \"alt\" at $.record.embed.images[0]",
            ),
            (
                "embed",
                image(with("mimeType", json!("application/pdf"))),
                "Expected \"image/*\" (got \"application/pdf\") at $.record.embed.images[0].image.mimeType",
            ),
            (
                "embed",
                image(with("size", json!(5_000_000))),
                "blob too big (maximum 1000000, got 5000000) at $.record.embed.images[0].image",
            ),
            (
                "labels",
                json!({"values": []}),
                "Expected an object which includes the \"$type\" property value type (got {\"values\": ...}) at \
                 $.record.labels",
            ),
        ];
        for (field, value, why) in cases {
            let mut record = json!({"$type": POSTS, "text": "a", "createdAt": "2026-11-27T00:00:00.000Z"});
            record[field] = value;
            let refused = validate(POSTS, "3l3qo2vuowo2b", &record).unwrap_err();
            assert_eq!(refused, format!("Invalid app.bsky.feed.post record: {why}"));
        }
    }

    #[test]
    fn what_a_real_server_accepts_is_accepted() {
        let record = json!({"$type": POSTS, "text": "abc", "createdAt": "2026-11-27T00:00:00.000Z"});
        let with = |field: &str, value: Value| {
            let mut record = record.clone();
            record[field] = value;
            record
        };
        let link = json!({"$type": "app.bsky.richtext.facet#link", "uri": "https://example.com"});
        for record in [
            record.clone(),
            with("facets", json!([{"index": {"byteStart": 0, "byteEnd": 300}, "features": [link]}])),
            with("facets", json!([{"index": {"byteStart": 2, "byteEnd": 1}, "features": [link]}])),
            with("embed", json!({"$type": "app.bsky.embed.nonsense"})),
            with("unknownKey", json!(7)),
            with("langs", json!(["en", "pt-BR"])),
        ] {
            assert_eq!(validate(POSTS, "3l3qo2vuowo2b", &record), Ok(Validity::Valid), "{record}");
        }
        assert_eq!(validate("com.example.thing", "self", &json!({})), Ok(Validity::Unknown));
        let refused = validate(POSTS, "self", &record).unwrap_err();
        assert!(refused.ends_with("Invalid TID string (got \"self\") at $"), "{refused}");
    }
}
