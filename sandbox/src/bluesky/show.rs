//! What an account shows to people, whatever its records contain.

use serde_json::Value;

use super::{
    pds::{POSTS, Pds, REPOSTS, Record, Repo},
    tid,
};
use crate::{
    message::{Message, MessageLink, MessageMedium},
    timeline::{MediaKind, PostKind},
};

impl Pds {
    /// The messages of an account, oldest first; none if there is no such account.
    pub(crate) fn messages(&self, handle: &str) -> Option<Vec<Message>> {
        let repo = &self.repos[self.find(handle)?];
        let of = |collection: &str| repo.collections.get(collection).into_iter().flatten();
        let posts = of(POSTS).map(|(key, record)| post(repo, key, record));
        let reposts = of(REPOSTS).map(|(key, record)| self.repost(key, record));
        let mut messages: Vec<Message> = posts.chain(reposts).collect();
        messages.sort_by_key(|message| message.number);
        Some(messages)
    }

    fn repost(&self, key: &str, record: &Record) -> Message {
        let uri = record.value.pointer("/subject/uri").and_then(Value::as_str).unwrap_or_default();
        let original =
            uri.strip_prefix("at://").and_then(|path| path.split_once('/')).and_then(|(did, path)| {
                let repo = &self.repos[self.find(did)?];
                let (collection, key) = path.split_once('/')?;
                Some(post(repo, key, repo.record(collection, key)?))
            });
        let shared = original.unwrap_or_else(|| blank(key, record));
        Message { kind: PostKind::Repost, reply_to: None, parent: None, ..with_key(shared, key, record) }
    }
}

fn blank(key: &str, record: &Record) -> Message {
    Message {
        id: key.to_owned(),
        text: String::new(),
        warning: None,
        lang: None,
        kind: PostKind::Post,
        reply_to: None,
        media: Vec::new(),
        links: Vec::new(),
        created_at: record.at,
        number: tid::number(key).unwrap_or_default(),
        parent: None,
    }
}

fn with_key(message: Message, key: &str, record: &Record) -> Message {
    let number = tid::number(key).unwrap_or_default();
    Message { id: key.to_owned(), created_at: record.at, number, ..message }
}

fn post(repo: &Repo, key: &str, record: &Record) -> Message {
    let value = &record.value;
    let texts = |place: &str| value.pointer(place).and_then(Value::as_str).map(str::to_owned);
    let text = texts("/text").unwrap_or_default();
    let own = repo.uri(POSTS, "");
    let parent = texts("/reply/parent/uri");
    let parent_key = parent.as_ref().and_then(|uri| uri.strip_prefix(&own));
    let is_quote =
        value["embed"]["$type"].as_str().is_some_and(|kind| kind.starts_with("app.bsky.embed.record"));
    let labels = value.pointer("/labels/values").and_then(Value::as_array).into_iter().flatten();
    let labels: Vec<&str> = labels.filter_map(|label| label["val"].as_str()).collect();
    Message {
        links: links(&text, value),
        text,
        warning: (!labels.is_empty()).then(|| labels.join(", ")),
        lang: texts("/langs/0"),
        kind: match (is_quote, &parent) {
            (true, _) => PostKind::Quote,
            (false, Some(_)) => PostKind::Reply,
            (false, None) => PostKind::Post,
        },
        reply_to: parent_key.map(str::to_owned),
        parent: parent_key.and_then(tid::number),
        media: media(&value["embed"]),
        ..blank(key, record)
    }
}

/// The words that facets link, and where to. A facet that does not fit its text shows nothing.
fn links(text: &str, record: &Value) -> Vec<MessageLink> {
    let facets = record["facets"].as_array().into_iter().flatten();
    let link = |facet: &Value| {
        let at = |name: &str| facet["index"][name].as_u64().and_then(|at| usize::try_from(at).ok());
        let words = text.get(at("byteStart")?..at("byteEnd")?)?;
        let feature = facet["features"].get(0)?;
        let to = ["uri", "did", "tag"].into_iter().find_map(|name| feature[name].as_str())?;
        Some(MessageLink { words: words.to_owned(), to: to.to_owned() })
    };
    facets.filter_map(link).collect()
}

fn media(embed: &Value) -> Vec<MessageMedium> {
    let embed = embed.get("media").unwrap_or(embed);
    let alt = |value: &Value| value["alt"].as_str().filter(|alt| !alt.is_empty()).map(str::to_owned);
    let photo = |image: &Value| MessageMedium { kind: MediaKind::Photo, alt: alt(image) };
    match embed["$type"].as_str() {
        Some("app.bsky.embed.images") => {
            embed["images"].as_array().into_iter().flatten().map(photo).collect()
        }
        Some("app.bsky.embed.video") => vec![MessageMedium { kind: MediaKind::Video, alt: alt(embed) }],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_facet_that_does_not_fit_its_text_links_nothing() {
        let facet = |start: u64, end: u64| {
            let link = json!({"$type": "app.bsky.richtext.facet#link", "uri": "https://example.com"});
            json!({"index": {"byteStart": start, "byteEnd": end}, "features": [link]})
        };
        let record = json!({"text": "é ok", "facets": [facet(1, 2), facet(3, 99), facet(4, 3), facet(3, 5)]});
        let found = links("é ok", &record);
        assert_eq!(found, [MessageLink { words: "ok".into(), to: "https://example.com".into() }]);
    }

    #[test]
    fn messages_are_listed_with_what_people_see() {
        let mut pds = Pds::default();
        let posts = r#"[{"text": "One", "thread": "t", "media": [{"alt": "A dog"}]}, {"text": "Two", "thread": "t"},
            {"text": "", "reposted": {"author": "team", "text": "Kick-off"}}]"#;
        let posts: Vec<crate::TimelinePost> = serde_json::from_str(posts).unwrap();
        for post in posts {
            pds.add("town.example", post);
        }
        let messages = pds.messages("town.example").unwrap();
        assert_eq!(
            messages.iter().map(|message| &*message.text).collect::<Vec<_>>(),
            ["One", "Two", "Kick-off"]
        );
        assert_eq!(messages[0].media[0].alt.as_deref(), Some("A dog"));
        assert_eq!(messages[1].reply_to.as_ref(), Some(&messages[0].id));
        assert_eq!(messages[2].kind, PostKind::Repost);
        assert!(messages.iter().all(|message| message.created_at <= Timestamp::now()));
        assert_eq!(pds.messages("nobody.example"), None);
    }
}
