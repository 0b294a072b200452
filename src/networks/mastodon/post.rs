//! Turns a status into the post that its author meant. A poll cannot be published again as a poll, so its options become
//! lines under the text, and the link of a quoted status becomes the last line.

use mynah_domain::{Post, PostId, PostKind, ports::source::Unreadable};
use serde_json::Value;

use super::{
    content::{self, Content},
    wire::Status,
};

/// The maximum number of bytes stored of an unreadable status.
const RAW_MOST: usize = 64 * 1024;

/// The post that a status is. Its server is named in mentions of accounts on it.
pub(super) fn post(status: &Status, kind: PostKind, position: u64, server: &str) -> Post {
    let is_boost = matches!(kind, PostKind::Repost { .. });
    let shown = status.boosted.as_deref().unwrap_or(status);
    let Content { text, entities } = whole(shown, server);
    Post {
        id: PostId(status.id.clone()),
        position,
        text,
        // Posts that are never published need no entities.
        entities: (!is_boost).then_some(entities),
        language: status.language.clone(),
        warning: Some(shown.warning.clone()).filter(|warning| !warning.is_empty() && !is_boost),
        is_sensitive: status.is_sensitive,
        card: shown.card.clone().filter(|_| !is_boost),
        kind,
        created_at: status.created_at,
        media: status.media.clone(),
        has_poll: status.has_poll,
        // An edit keeps the id, so an edited status is the status that is known.
        versions: Vec::new(),
    }
}

/// The text with everything that is shown under it.
fn whole(status: &Status, server: &str) -> Content {
    let Content { mut text, entities } = content::read(status, server);
    let mut add = |line: &str, separator: &str| {
        if !text.is_empty() {
            text.push_str(separator);
        }
        text.push_str(line);
    };
    for option in &status.poll_options {
        // A line break within an option would make two of it.
        add(&option.split_whitespace().collect::<Vec<_>>().join(" "), "\n");
    }
    if let Some(url) = status.quoted.as_ref().and_then(|quoted| quoted.url.as_deref()) {
        add(url, "\n\n");
    }
    let entities = content::with_unlinked(&text, entities, &status.emoji);
    Content { text, entities }
}

/// A status that cannot be read, with what is known about it.
pub(super) fn unreadable(value: &Value, mark: Option<(PostId, u64)>, reason: String) -> Unreadable {
    let raw = value.to_string();
    Unreadable { mark, reason, raw: raw[..raw.floor_char_boundary(RAW_MOST)].to_owned() }
}

#[cfg(test)]
mod tests {
    use mynah_domain::text::EntityKind;
    use serde_json::json;

    use super::*;
    use crate::networks::mastodon::wire::tests::status;

    fn read(value: &Value) -> Post {
        let status = Status::read(value).unwrap();
        let kind = match &status.boosted {
            Some(boosted) => PostKind::Repost { of: PostId(boosted.id.clone()) },
            None => PostKind::Original,
        };
        post(&status, kind, 12, "home.example")
    }

    #[test]
    fn a_poll_and_a_quoted_link_become_lines() {
        let mut value = status("12", "<p>Which?</p>");
        value["poll"] = json!({"options": [{"title": "This\none"}, {"title": "That"}, {"title": null}]});
        value["quote"] =
            json!({"state": "accepted", "quoted_status": {"id": "3", "url": "https://a.example/@b/3"}});
        let post = read(&value);
        assert_eq!(post.text, "Which?\nThis one\nThat\n\nhttps://a.example/@b/3");
        assert!(post.has_poll);
        let entities = post.entities.unwrap();
        assert_eq!((entities.len(), entities[0].kind), (1, EntityKind::Link));
        assert_eq!(&post.text[entities[0].range.clone()], "https://a.example/@b/3");
    }

    #[test]
    fn a_card_is_that_of_the_last_link_unless_it_has_no_title() {
        let mut value = status("12", "<p>See https://town.example/bridge</p>");
        value["card"] = json!({
            "url": "https://town.example/bridge", "title": "The bridge", "description": "Open\nagain", "type": "link",
            "image": "https://m.example/card.png",
        });
        let card = read(&value).card.unwrap();
        assert_eq!((&*card.url, &*card.words.title), ("https://town.example/bridge", "The bridge"));
        assert_eq!(card.words.description, "Open again");
        assert_eq!(card.picture.unwrap().url.as_deref(), Some("https://m.example/card.png"));
        for (name, odd) in [("title", json!("")), ("title", json!(7)), ("url", json!("javascript:alert(1)"))]
        {
            let mut value = value.clone();
            value["card"][name] = odd;
            assert_eq!(read(&value).card, None, "{name}");
        }
        value["card"]["image"] = Value::Null;
        assert_eq!(read(&value).card.unwrap().picture, None);
    }

    #[test]
    fn an_edited_status_is_the_same_post() {
        let mut value = status("12", "<p>Now right</p>");
        value["edited_at"] = json!("2026-11-27T11:00:00Z");
        let post = read(&value);
        assert_eq!((post.id.0.as_str(), post.versions.len(), post.text.as_str()), ("12", 0, "Now right"));
    }

    #[test]
    fn media_have_their_kinds_and_descriptions() {
        let mut value = status("12", "");
        value["media_attachments"] = json!([
            {"id": "1", "type": "image", "url": "https://m.example/a.png", "description": "A dog"},
            {"id": "2", "type": "gifv", "url": null, "remote_url": "https://r.example/b.mp4"},
            {"id": "3", "type": "audio", "url": "https://m.example/c.ogg", "description": null},
        ]);
        let media = read(&value).media;
        let found: Vec<_> =
            media.iter().map(|m| (m.kind.as_str(), m.url.as_deref().unwrap(), m.alt.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("photo", "https://m.example/a.png", Some("A dog")),
                ("animated_gif", "https://r.example/b.mp4", None),
                ("audio", "https://m.example/c.ogg", None)
            ]
        );
    }

    #[test]
    fn what_is_stored_of_an_unreadable_status_is_bounded() {
        let value = json!({"content": "é".repeat(RAW_MOST)});
        assert!(unreadable(&value, None, "why".into()).raw.len() <= RAW_MOST);
    }
}
