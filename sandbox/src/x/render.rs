//! Renders posts and users as X's JSON: only the requested fields, with referenced objects in `includes` and missing
//! ones in `errors`. Null and empty fields are omitted, as X does.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    problems::partial,
    text::{self, EntityKind, Link, WireText},
    vocabulary::RequestedFields,
};
use crate::{
    bill::Read,
    snowflake::wire_time,
    timeline::PostKind,
    world::{self, Account, StoredMedia, StoredPoll, StoredPost, UserState, World},
};

/// Builds the body of one answer.
pub(crate) struct Renderer<'a> {
    world: &'a World,
    requested: &'a RequestedFields,
    reader: Option<u64>,
    /// Whether the current post was requested itself or is referenced by one that was.
    depth: Depth,
    posts: Vec<Value>,
    users: Vec<Value>,
    media: Vec<Value>,
    polls: Vec<Value>,
    seen: HashSet<String>,
    errors: Vec<Value>,
    reads: Vec<Read>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Requested,
    Referenced,
}

impl<'a> Renderer<'a> {
    /// Renders for `reader`, the calling user, if it is not the app.
    pub(crate) fn new(world: &'a World, requested: &'a RequestedFields, reader: Option<u64>) -> Self {
        Self {
            world,
            requested,
            reader,
            depth: Depth::Requested,
            posts: Vec::new(),
            users: Vec::new(),
            media: Vec::new(),
            polls: Vec::new(),
            seen: HashSet::new(),
            errors: Vec::new(),
            reads: Vec::new(),
        }
    }

    /// Renders a requested post.
    pub(crate) fn post(&mut self, post: &StoredPost) -> Value {
        self.depth = Depth::Requested;
        let rendered = self.render(post);
        self.expand(post);
        rendered
    }

    pub(crate) fn error(&mut self, error: Value) {
        self.errors.push(error);
    }

    /// Renders a requested user.
    pub(crate) fn user(&mut self, account: &Account) -> Value {
        self.read_user(account.id);
        self.user_json(account)
    }

    /// Adds `includes` and `errors` to an answer and returns the reads to bill.
    pub(crate) fn finish(self, body: &mut Map<String, Value>) -> Vec<Read> {
        let mut includes = Map::new();
        let key = self.requested.dialect.key("tweets");
        for (key, list) in
            [(key, self.posts), ("users", self.users), ("media", self.media), ("polls", self.polls)]
        {
            if !list.is_empty() {
                includes.insert(key.into(), list.into());
            }
        }
        if !includes.is_empty() {
            body.insert("includes".into(), includes.into());
        }
        if !self.errors.is_empty() {
            body.insert("errors".into(), self.errors.into());
        }
        self.reads
    }

    fn render(&mut self, post: &StoredPost) -> Value {
        let own = self.reader == Some(post.author_id);
        self.reads.push(if own { Read::Owned(post.id.0) } else { Read::Post(post.id.0) });
        let requested = self.requested;
        let key = |legacy| requested.dialect.key(legacy);
        let (short, note) = self.texts(post);
        let mut out = Map::new();
        let mut put = |legacy: &'static str, value: Value| {
            out.insert(key(legacy).to_owned(), value);
        };
        put("id", json!(post.id));
        put("text", json!(short.text));
        put("edit_history_tweet_ids", json!(*self.world.versions(post.id.0)));
        if requested.post("entities")
            && let Some(entities) = entities_json(&short)
        {
            put("entities", entities);
        }
        if requested.post("note_tweet")
            && let Some(note) = &note
        {
            let mut inner = json!({"text": note.text});
            if let Some(entities) = entities_json(note) {
                inner["entities"] = entities;
            }
            put("note_tweet", inner);
        }
        if requested.post("display_text_range") {
            put("display_text_range", json!([0, display_end(&short)]));
        }
        for (field, value) in [
            ("author_id", json!(post.author_id.to_string())),
            ("conversation_id", json!(post.conversation_id)),
            ("created_at", json!(wire_time(post.created_at()))),
            ("lang", json!(post.lang)),
            ("possibly_sensitive", json!(false)),
            ("reply_settings", json!("everyone")),
            ("public_metrics", metrics_json(post, key("retweet_count"))),
            ("edit_controls", edit_controls_json(post)),
        ] {
            if requested.post(field) {
                put(field, value);
            }
        }
        if requested.post("in_reply_to_user_id")
            && let Some(user) = post.in_reply_to_user_id
        {
            put("in_reply_to_user_id", json!(user.to_string()));
        }
        let references = references(post);
        if requested.post("referenced_tweets") && !references.is_empty() {
            let list: Vec<Value> =
                references.iter().map(|(kind, id)| json!({"type": kind, "id": id.to_string()})).collect();
            put("referenced_tweets", list.into());
        }
        let mut attachments = Map::new();
        if !post.media.is_empty() {
            let keys: Vec<&str> = post.media.iter().map(|medium| &*medium.key).collect();
            attachments.insert("media_keys".into(), json!(keys));
        }
        if let Some(poll) = &post.poll {
            attachments.insert("poll_ids".into(), json!([poll.id]));
        }
        if requested.post("attachments") && !attachments.is_empty() {
            put("attachments", attachments.into());
        }
        out.into()
    }

    /// The `text` of a post and, for a long post, the full text.
    fn texts(&self, post: &StoredPost) -> (WireText, Option<WireText>) {
        if post.kind == PostKind::Repost
            && let Some(original) = post.reposted.and_then(|id| self.world.post(id.0))
        {
            return (text::wire_of_repost(&original.author, &original.text), None);
        }
        let mut trailing = Vec::new();
        if let Some(quoted) = post.quoted.and_then(|id| self.world.post(id.0)) {
            trailing.push(Link::to_post(&quoted.author, quoted.id.0));
        }
        let media = post.media.iter();
        trailing.extend(media.map(|medium| Link::to_media(&post.author, post.id.0, &medium.key)));
        let whole = text::wire(&post.text, &trailing);
        let long = post.long.unwrap_or_else(|| text::is_long(&post.text));
        if long { (text::wire_of_long(&post.text, post.id.0), Some(whole)) } else { (whole, None) }
    }

    fn expand(&mut self, post: &StoredPost) {
        let requested = self.requested;
        let deeper = self.depth == Depth::Referenced;
        let expands =
            |plain: &str, referenced: &str| requested.expands(if deeper { referenced } else { plain });
        if expands("author_id", "referenced_tweets.id.author_id") {
            self.include_user(post.author_id);
        }
        if expands("attachments.media_keys", "referenced_tweets.id.attachments.media_keys") {
            for medium in &post.media {
                self.include_media(medium);
            }
        }
        if deeper {
            return;
        }
        if requested.expands("attachments.poll_ids")
            && let Some(poll) = &post.poll
        {
            self.include_poll(poll);
        }
        if requested.expands("in_reply_to_user_id")
            && let Some(user) = post.in_reply_to_user_id
        {
            self.include_user(user);
        }
        if requested.expands("entities.mentions.username") {
            for entity in self.texts(post).0.entities {
                if let EntityKind::Mention(name) = entity.kind {
                    self.include_user(world::user_id(&name));
                }
            }
        }
        let further = ["", ".author_id", ".attachments.media_keys"]
            .iter()
            .any(|more| requested.expands(&format!("referenced_tweets.id{more}")));
        if further {
            self.depth = Depth::Referenced;
            for (_, id) in references(post) {
                self.include_post(id);
            }
            self.depth = Depth::Requested;
        }
    }

    fn include_post(&mut self, id: u64) {
        if !self.seen.insert(format!("post {id}")) {
            return;
        }
        if let Some(post) = self.world.post(id) {
            let rendered = self.render(post);
            self.posts.push(rendered);
            self.expand(post);
        } else {
            let parameter = self.requested.dialect.reference_parameter();
            self.errors.push(partial::not_found("tweet", parameter, &id.to_string()));
        }
    }

    fn include_user(&mut self, id: u64) {
        // A mentioned handle without an account is not included, as on X.
        let Some(index) = self.world.find_id(id) else {
            return;
        };
        if self.seen.insert(format!("user {id}")) {
            self.read_user(id);
            let rendered = self.user_json(self.world.account(index));
            self.users.push(rendered);
        }
    }

    fn include_media(&mut self, medium: &StoredMedia) {
        if !self.seen.insert(format!("media {}", medium.key)) {
            return;
        }
        let mut out = Map::new();
        out.insert("media_key".into(), json!(medium.key));
        out.insert("type".into(), json!(medium.kind.name()));
        let still = medium.kind == crate::timeline::MediaKind::Photo;
        let at = |path: &str| {
            if path.starts_with('/') { format!("{}{path}", self.world.base) } else { path.to_owned() }
        };
        let variants = json!([
            {"content_type": "application/x-mpegURL", "url": at("/media/playlist.m3u8")},
            {"bit_rate": 256_000, "content_type": "video/mp4", "url": at("/media/small.mp4")},
            {"bit_rate": 832_000, "content_type": "video/mp4", "url": at(&medium.url)},
        ]);
        for (field, value) in [
            ("url", if still { json!(at(&medium.url)) } else { Value::Null }),
            ("preview_image_url", if still { Value::Null } else { json!(at("/media/still.png")) }),
            ("variants", if still { Value::Null } else { variants }),
            ("alt_text", json!(medium.alt)),
            ("width", json!(medium.width)),
            ("height", json!(medium.height)),
            ("duration_ms", if still { Value::Null } else { json!(12_000) }),
        ] {
            if self.requested.media(field) && !value.is_null() {
                out.insert(field.into(), value);
            }
        }
        self.media.push(out.into());
    }

    /// A poll has its id and its options by default, and the other fields on request.
    fn include_poll(&mut self, poll: &StoredPoll) {
        if !self.seen.insert(format!("poll {}", poll.id)) {
            return;
        }
        let option = |(position, label): (usize, &String)| json!({"position": position + 1, "label": label, "votes": 0});
        let options: Vec<Value> = poll.options.iter().enumerate().map(option).collect();
        let mut out = Map::new();
        out.insert("id".into(), json!(poll.id));
        out.insert("options".into(), options.into());
        for (field, value) in [("duration_minutes", json!(1440)), ("voting_status", json!("open"))] {
            if self.requested.poll(field) {
                out.insert(field.into(), value);
            }
        }
        self.polls.push(out.into());
    }

    fn read_user(&mut self, id: u64) {
        self.reads.push(if self.reader == Some(id) { Read::Owned(id) } else { Read::User(id) });
    }

    fn user_json(&self, account: &Account) -> Value {
        let id = account.id.to_string();
        let mut out = Map::new();
        out.insert("id".into(), json!(id));
        out.insert("name".into(), json!(account.handle));
        out.insert("username".into(), json!(account.handle));
        for (field, value) in [
            ("created_at", json!("2020-01-01T00:00:00.000Z")),
            ("description", json!("An account of the sandbox.")),
            ("protected", json!(account.state == UserState::Protected)),
            ("verified", json!(false)),
            ("verified_type", json!("none")),
            ("url", json!("")),
            (
                // The specification renames this counter in the new vocabulary, but X does not.
                "public_metrics",
                json!({
                    "followers_count": world::fake_count(account.id, "followers", 10_000),
                    "following_count": world::fake_count(account.id, "following", 1_000),
                    "tweet_count": account.posts.len(),
                    "listed_count": 0,
                }),
            ),
        ] {
            if self.requested.user(field) {
                out.insert(field.into(), value);
            }
        }
        out.into()
    }
}

/// The posts that a post refers to, with X's types and in X's order.
fn references(post: &StoredPost) -> Vec<(&'static str, u64)> {
    [("retweeted", post.reposted), ("quoted", post.quoted), ("replied_to", post.reply_to)]
        .into_iter()
        .filter_map(|(kind, id)| id.map(|id| (kind, id.0)))
        .collect()
}

fn metrics_json(post: &StoredPost, repost_count: &str) -> Value {
    let count = |what, most| world::fake_count(post.id.0, what, most);
    json!({
        repost_count: count("reposts", 50),
        "reply_count": count("replies", 20),
        "like_count": count("likes", 300),
        "quote_count": count("quotes", 5),
        "bookmark_count": count("bookmarks", 10),
        "impression_count": count("impressions", 20_000),
    })
}

fn edit_controls_json(post: &StoredPost) -> Value {
    let until = post.created_at() + jiff::SignedDuration::from_mins(30);
    json!({"edits_remaining": 5, "is_edit_eligible": true, "editable_until": wire_time(until)})
}

/// The end of the visible text, before the links to media.
fn display_end(wire: &WireText) -> usize {
    let media = wire
        .entities
        .iter()
        .find(|entity| matches!(&entity.kind, EntityKind::Url(link) if link.media_key.is_some()));
    media.map_or_else(|| wire.text.chars().count(), |entity| entity.start.saturating_sub(1))
}

/// The entities of a text, or none if there are none.
pub(crate) fn entities_json(wire: &WireText) -> Option<Value> {
    let mut lists: [(&str, Vec<Value>); 4] =
        [("urls", vec![]), ("mentions", vec![]), ("hashtags", vec![]), ("cashtags", vec![])];
    for entity in &wire.entities {
        let mut value = json!({"start": entity.start, "end": entity.end});
        let list = match &entity.kind {
            EntityKind::Url(link) => {
                value["url"] = json!(link.url);
                value["expanded_url"] = json!(link.expanded_url);
                value["display_url"] = json!(link.display_url);
                if let Some(key) = &link.media_key {
                    value["media_key"] = json!(key);
                }
                0
            }
            EntityKind::Mention(name) => {
                value["username"] = json!(name);
                value["id"] = json!(world::user_id(name).to_string());
                1
            }
            EntityKind::Hashtag(tag) => {
                value["tag"] = json!(tag);
                2
            }
            EntityKind::Cashtag(tag) => {
                value["tag"] = json!(tag);
                3
            }
        };
        lists[list].1.push(value);
    }
    let present: Map<String, Value> = lists
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| (name.to_owned(), list.into()))
        .collect();
    (!present.is_empty()).then(|| present.into())
}
