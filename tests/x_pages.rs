//! Whatever page X sends, nothing panics and no post is lost. The pages are generated from the schemas of X's own
//! specification (2.167, and the names of 2.166): every optional field present, absent or null, both vocabularies, ids
//! as strings and as numbers, values and types that no specification has.
//!
//! `X_PAGES=100000 cargo test --test x_pages` reads more pages than the usual 10,000.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

use std::{cell::Cell, collections::BTreeMap, sync::LazyLock};

use fastrand::Rng;
use mynah::networks::x::post::{self, Account, Reading};
use mynah_domain::{Post, PostKind};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Map, Value, json};

static SPECIFICATION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("fixtures/x/posts.json")).unwrap());

/// A page with the ids of its posts, and the text of each post that is well-formed and must be read.
struct Page {
    body: Value,
    texts: BTreeMap<String, Option<String>>,
}

/// Generates JSON from a schema.
struct Generator {
    rng: Rng,
    /// Whether to generate types and values that the schema does not have.
    odd: bool,
}

impl Generator {
    fn one_in(&mut self, of: u32) -> bool {
        self.rng.u32(0..of) == 0
    }

    fn value(&mut self, schema: &Value) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap();
            return self.value(&SPECIFICATION["schemas"][name]);
        }
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let index = self.rng.usize(..alternatives.len());
            return self.value(&alternatives[index]);
        }
        if schema["nullable"] == true && self.one_in(3) {
            return Value::Null;
        }
        if self.odd && self.one_in(60) {
            return self.anything();
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema),
            Some("array") => {
                let length = [0, 0, 1, 2][self.rng.usize(0..4)];
                (0..length).map(|_| self.value(&schema["items"])).collect()
            }
            Some("integer") => json!(self.rng.i64(-1..500)),
            Some("boolean") => json!(self.rng.bool()),
            _ => self.text(schema),
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
            let value = match self.rng.u32(0..4) {
                0 if !required => continue,
                1 if !required => Value::Null,
                _ => self.value(property),
            };
            self.insert(&mut object, name, value, property);
        }
        object.into()
    }

    /// Inserts a field under its new name, its old name, or both.
    fn insert(&mut self, object: &mut Map<String, Value>, name: &str, value: Value, schema: &Value) {
        if let Some(legacy) = SPECIFICATION["legacy"][name].as_str() {
            let other = match self.rng.u32(0..4) {
                0 => Some(value.clone()),
                1 => Some(Value::Null),
                2 => Some(self.value(schema)),
                _ => None,
            };
            let (legacy_value, new_value) =
                if self.rng.bool() { (Some(value), other) } else { (other, Some(value)) };
            object.extend(legacy_value.map(|value| (legacy.to_owned(), value)));
            object.extend(new_value.map(|value| (name.to_owned(), value)));
        } else {
            object.insert(name.to_owned(), value);
        }
    }

    fn text(&mut self, schema: &Value) -> Value {
        const TEXTS: [&str; 8] = [
            "",
            "Good morning",
            "@somebody Hi",
            "&amp; 🔥 https://t.co/abcdefghij",
            "7",
            "3_1",
            "../../2/tweets",
            "en",
        ];
        match schema["enum"].as_array() {
            Some(_) if self.odd && self.one_in(5) => json!("a value of tomorrow"),
            Some(values) => values[self.rng.usize(..values.len())].clone(),
            None if self.rng.bool() => self.id(),
            None => json!(TEXTS[self.rng.usize(..TEXTS.len())]),
        }
    }

    fn id(&mut self) -> Value {
        let id = self.rng.u64(1..40);
        if self.rng.bool() { json!(id) } else { json!(id.to_string()) }
    }

    fn anything(&mut self) -> Value {
        let values = [
            json!(null),
            json!(true),
            json!(-1.5),
            json!("odd"),
            json!([[]]),
            json!({"odd": null}),
            json!([null]),
        ];
        values[self.rng.usize(..values.len())].clone()
    }

    /// A well-formed post with a known text and random values in unrelated fields.
    fn well_formed(&mut self, id: u64) -> (Map<String, Value>, String) {
        let number = self.rng.u32(..);
        let mut post = match self.value(&json!({"$ref": "Post"})) {
            Value::Object(post) => post,
            _ => Map::new(),
        };
        let (wire, text) = (
            format!("Post {number} &amp; 🔥 https://t.co/abcdefghij ok"),
            format!("Post {number} & 🔥 https://example.com/{number}?a=1&b=2 ok"),
        );
        let start = wire.chars().count() - "https://t.co/abcdefghij ok".len();
        let mut link = json!({"start": start, "end": start + 23, "expanded_url": format!("https://example.com/{number}?a=1&b=2")});
        for field in ["url", "media_key", "unwound_url", "images"] {
            if self.rng.bool() {
                link[field] = if field == "url" { json!("https://t.co/abcdefghij") } else { Value::Null };
            }
        }
        let entities = json!({"urls": [link], "mentions": null});
        for name in [
            "note_post",
            "note_tweet",
            "referenced_posts",
            "referenced_tweets",
            "withheld",
            "in_reply_to_user_id",
        ] {
            match self.rng.u32(0..3) {
                0 => post.insert(name.into(), Value::Null),
                1 if name.starts_with("referenced") => {
                    post.insert(name.into(), json!([{"type": "quoted", "id": self.id()}]))
                }
                _ => post.remove(name),
            };
        }
        post.insert(
            "conversation_id".into(),
            if self.rng.bool() { Value::Null } else { json!(id.to_string()) },
        );
        if self.rng.bool() {
            let field = if self.rng.bool() { "note_tweet" } else { "note_post" };
            post.insert(field.into(), json!({"text": wire, "entities": entities}));
            post.insert("text".into(), json!("cut… https://t.co/aaaaaaaaaa"));
        } else {
            post.insert("text".into(), json!(wire));
            post.insert("entities".into(), entities);
        }
        (post, text)
    }

    fn page(&mut self) -> Page {
        let mut texts = BTreeMap::new();
        let mut data = Vec::new();
        for _ in 0..self.rng.usize(1..3) {
            let id = self.rng.u64(1_000..9_000_000_000_000_000_000);
            let (post, text) = if self.rng.bool() {
                let (post, text) = self.well_formed(id);
                (post, Some(text))
            } else {
                match self.value(&json!({"$ref": "Post"})) {
                    Value::Object(post) => (post, None),
                    _ => continue,
                }
            };
            let number = if self.rng.bool() { json!(id) } else { json!(id.to_string()) };
            let mut post = post;
            post.insert("id".into(), number);
            texts.insert(id.to_string(), text);
            data.push(Value::Object(post));
        }
        let mut body = match self.value(&json!({"$ref": "GetUsersPostsResponse"})) {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        body.insert("data".into(), data.into());
        // A page with malformed `meta` is requested again, because nobody can know whether more pages follow.
        if body.get("meta").is_some_and(|meta| !meta.is_object()) {
            body.insert("meta".into(), Value::Null);
        }
        if let Some(token) = body.get_mut("meta").and_then(|meta| meta.get_mut("next_token")) {
            *token = Value::Null;
        }
        Page { body: body.into(), texts }
    }
}

fn check(page: &Page) -> Result<(), TestCaseError> {
    let fail = |what: String| Err(TestCaseError::fail(format!("{what}\n{}", page.body)));
    let timeline = match serde_json::from_str(&page.body.to_string()) {
        Ok(timeline) => timeline,
        Err(error) => return fail(error.to_string()),
    };
    let account = Account { id: "7", handle: "town" };
    let Reading { posts, unclear, unreadable, .. } = post::posts(&timeline, Some(account));
    let mut seen: Vec<String> = posts.iter().map(|post| post.id.0.clone()).collect();
    seen.extend(unclear.iter().map(|unclear| unclear.thread.id.0.clone()));
    for post in &unreadable {
        match &post.mark {
            Some((id, position)) if id.0 == position.to_string() => seen.push(id.0.clone()),
            mark => return fail(format!("an unreadable post has the mark {mark:?}")),
        }
    }
    seen.sort();
    if !seen.iter().eq(page.texts.keys()) {
        return fail(format!("the reader found these posts: {seen:?}"));
    }
    for post in &posts {
        if let Some(Some(text)) = page.texts.get(&post.id.0)
            && !is_text_of(post, text)
        {
            return fail(format!("post {} has the text {:?}", post.id, post.text));
        }
        if let Some(odd) = ids(post).find(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return fail(format!("post {} refers to {odd:?}", post.id));
        }
    }
    let read = |id: &String| posts.iter().any(|post| post.id.0 == *id);
    match page.texts.iter().find(|(id, text)| text.is_some() && !read(id)) {
        Some((id, _)) => fail(format!("post {id} is well-formed and was not read: {unreadable:?}")),
        None => Ok(()),
    }
}

/// Whether a post has this text; the options of its poll may follow.
fn is_text_of(post: &Post, text: &str) -> bool {
    let rest = post.text.strip_prefix(text);
    rest.is_some_and(|rest| rest.is_empty() || post.has_poll && rest.starts_with('\n'))
}

/// The ids that a post refers to.
fn ids(post: &Post) -> impl Iterator<Item = &str> {
    let other = match &post.kind {
        PostKind::Thread { parent: id }
        | PostKind::Reply { to: Some(id) }
        | PostKind::Repost { of: id }
        | PostKind::Quote { of: id } => Some(id),
        PostKind::Withheld { parent } => parent.as_ref(),
        PostKind::Original | PostKind::Reply { to: None } => None,
    };
    post.versions.iter().chain(other).chain([&post.id]).map(|id| id.0.as_str())
}

#[test]
fn no_post_is_lost_whatever_a_page_contains() {
    let cases = std::env::var("X_PAGES").map_or(10_000, |pages| pages.parse().unwrap());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let (pages, well_formed) = (Cell::new(0_u32), Cell::new(0_usize));
    TestRunner::new(config)
        .run(&proptest::num::u64::ANY, |seed| {
            let mut generator = Generator { rng: Rng::with_seed(seed), odd: seed.is_multiple_of(2) };
            let page = generator.page();
            pages.set(pages.get() + 1);
            well_formed.set(well_formed.get() + page.texts.values().flatten().count());
            check(&page)
        })
        .unwrap();
    assert!(pages.get() >= cases && well_formed.get() > 0);
}
