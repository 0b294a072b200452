//! Records of all kinds, and what becomes of them.

use serde_json::json;

use super::*;

const DID: &str = "did:plc:abc";

fn now() -> Timestamp {
    "2026-11-27T12:00:00Z".parse().unwrap()
}

/// Reads a record that was written a minute ago.
fn read(value: Value) -> Result<Post, Unclear> {
    read_with_key(&Tid::at(now() - SignedDuration::from_mins(1)).to_string(), POSTS, value)
}

fn read_with_key(key: &str, collection: &'static str, value: Value) -> Result<Post, Unclear> {
    let server = "https://pds.example".parse().unwrap();
    let listed = Listed { key: key.to_owned(), tid: Tid::parse(key), value };
    post(&listed, collection, Author { did: DID, server: &server }, now())
}

fn of(more: &Value) -> Post {
    let mut value = json!({"$type": POSTS, "text": "Hi", "createdAt": "2026-11-27T11:59:00.000Z"});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(value).unwrap()
}

fn facet(start: usize, end: usize, feature: &Value) -> Value {
    json!({"index": {"byteStart": start, "byteEnd": end}, "features": [feature]})
}

fn link(start: usize, end: usize, uri: &str) -> Value {
    facet(start, end, &json!({"$type": "app.bsky.richtext.facet#link", "uri": uri}))
}

fn entities(post: &Post) -> Vec<(EntityKind, &str)> {
    let entities = post.entities.iter().flatten();
    entities.map(|entity| (entity.kind, &post.text[entity.range.clone()])).collect()
}

#[test]
fn a_plain_post_has_its_text_language_and_time() {
    let post = of(&json!({"text": "Café & <b>", "langs": ["pt-BR", "en"]}));
    assert_eq!(
        (&*post.text, post.language.as_deref(), &post.kind),
        ("Café & <b>", Some("pt-BR"), &PostKind::Original)
    );
    assert_eq!(post.created_at.to_string(), "2026-11-27T11:59:00Z");
    assert_eq!(OwnRecord::named(&post.id).unwrap().position, post.position);
}

#[test]
fn every_link_is_written_out() {
    let text = "🔥 see town.example/minut... and the minutes, @bob.example #tag https://plain.example";
    let at = |part: &str| text.find(part).map(|start| (start, start + part.len())).unwrap();
    let ((a, b), (c, d)) = (at("town.example/minut..."), at("the minutes"));
    let mention = json!({"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"});
    let post = of(&json!({"text": text, "facets": [
        link(c, d, "https://town.example/2"),
        link(a, b, "https://town.example/minutes/1?x=y"),
        facet(at("@bob.example").0, at("@bob.example").1, &mention),
        facet(at("#tag").0, at("#tag").1, &json!({"$type": "app.bsky.richtext.facet#tag", "tag": "tag"})),
    ]}));
    assert_eq!(
        post.text,
        "🔥 see https://town.example/minutes/1?x=y and the minutes (https://town.example/2), @bob.example #tag https://plain.example"
    );
    assert_eq!(
        entities(&post),
        [
            (EntityKind::Link, "https://town.example/minutes/1?x=y"),
            (EntityKind::Link, "https://town.example/2"),
            (EntityKind::Mention, "@bob.example"),
            (EntityKind::Hashtag, "#tag"),
            (EntityKind::Link, "https://plain.example"),
        ]
    );
}

#[test]
fn facets_of_strangers_cannot_cut_a_text() {
    for facets in [
        json!("none"),
        json!([7, null, {}]),
        json!([link(1, 3, "https://a.example")]),
        json!([link(3, 1, "https://a.example")]),
        json!([link(0, 99, "https://a.example")]),
        json!([link(4, 4, "https://a.example")]),
        json!([link(5, 8, "javascript:alert(1)")]),
        json!([link(5, 8, "https://a.example/ b")]),
        json!([{"index": {"byteStart": -1, "byteEnd": 1.5}, "features": [{}]}]),
        json!([facet(5, 8, &json!({"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"}))]),
    ] {
        let post = of(&json!({"text": "🔥 see", "facets": facets}));
        assert_eq!((&*post.text, entities(&post)), ("🔥 see", vec![]), "{facets}");
    }
    let twice = json!([link(5, 8, "https://a.example"), link(6, 7, "https://b.example")]);
    assert_eq!(of(&json!({"text": "🔥 see", "facets": twice})).text, "🔥 see (https://a.example)");
}

#[test]
fn the_link_of_a_card_is_in_the_text_once() {
    let card = |text: &str, uri: &str| {
        let embed =
            json!({"$type": "app.bsky.embed.external", "external": {"uri": uri, "title": "A bridge"}});
        of(&json!({"text": text, "embed": embed})).text
    };
    assert_eq!(card("A bridge", "https://town.example/1"), "A bridge\n\nhttps://town.example/1");
    assert_eq!(card("", "https://town.example/1"), "https://town.example/1");
    assert_eq!(card("See https://town.example/1/", "https://town.example/1"), "See https://town.example/1/");
    assert_eq!(card("A bridge", "at://did:plc:abc/x/y"), "A bridge");
}

#[test]
fn a_card_has_its_words_and_its_picture_on_the_accounts_server() {
    let external = json!({
        "uri": "https://town.example/1", "title": "A bridge", "description": "It is open",
        "thumb": {"ref": {"$link": "bafkreiabc"}, "mimeType": "image/png", "size": 1},
    });
    let media = json!({"$type": "app.bsky.embed.external", "external": external});
    let other = format!("at://did:plc:other/{POSTS}/3l3qo2vuowo2b");
    let both = json!({
        "$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": other}}, "media": media,
    });
    for embed in [media, both] {
        let card = of(&json!({"text": "See", "embed": embed})).card.unwrap();
        assert_eq!((&*card.url, &*card.words.title), ("https://town.example/1", "A bridge"));
        assert_eq!(card.words.description, "It is open");
        let picture = card.picture.unwrap();
        assert!(picture.url.unwrap().contains("getBlob") && picture.key == "bafkreiabc");
    }
    let untitled = json!({"$type": "app.bsky.embed.external", "external": {"uri": "https://town.example/1"}});
    assert_eq!(of(&json!({"text": "See", "embed": untitled})).card, None);
}

#[test]
fn replies_are_told_from_the_authors_own_threads() {
    let own = format!("at://{DID}/{POSTS}/3l3qo2vuowo2b");
    let other = format!("at://did:plc:other/{POSTS}/3l3qo2vuowo2b");
    let reply = |root: &str, parent: &str| {
        of(&json!({"reply": {"root": {"uri": root}, "parent": {"uri": parent}}})).kind
    };
    let parent = PostId("3l3qo2vuowo2b".into());
    assert_eq!(reply(&own, &own), PostKind::Thread { parent: parent.clone() });
    assert_eq!(reply(&other, &own), PostKind::Reply { to: Some(parent) });
    assert_eq!(reply(&own, &other), PostKind::Reply { to: Some(PostId(other.clone())) });
    let quote = json!({"embed": {"$type": "app.bsky.embed.record", "record": {"uri": other}}});
    assert_eq!(of(&quote).kind, PostKind::Quote { of: PostId(other.clone()) });
    let list = json!({"embed": {"$type": "app.bsky.embed.record", "record": {"uri": "at://did:plc:a/app.bsky.graph.list/x"}}});
    assert_eq!(of(&list).kind, PostKind::Original);
}

#[test]
fn pictures_and_videos_are_blobs_on_the_accounts_server() {
    let image = |alt: &str| json!({"alt": alt, "image": {"$type": "blob", "ref": {"$link": "bafkreiabc"}, "mimeType": "image/png"}});
    let images = json!({"$type": "app.bsky.embed.images", "images": [image("A dog"), image(" "), {}, {"image": {"ref": {"$link": "../x"}}}]});
    let record = json!({"record": {"uri": format!("at://did:plc:other/{POSTS}/x")}});
    let both = json!({"$type": "app.bsky.embed.recordWithMedia", "media": images, "record": record});
    for (embed, is_quote) in [(images, false), (both, true)] {
        let post = of(&json!({"embed": embed}));
        let alts: Vec<_> = post.media.iter().map(|medium| medium.alt.as_deref()).collect();
        assert_eq!(alts, [Some("A dog"), None]);
        let url = "https://pds.example/xrpc/com.atproto.sync.getBlob?did=did:plc:abc&cid=bafkreiabc";
        assert_eq!(post.media[0].url.as_deref(), Some(url));
        assert_eq!(matches!(post.kind, PostKind::Quote { .. }), is_quote);
    }
    let video =
        json!({"$type": "app.bsky.embed.video", "alt": "A film", "video": {"ref": {"$link": "bafkreiabc"}}});
    let post = of(&json!({"embed": video, "labels": {"values": [{"val": "nudity"}]}}));
    assert_eq!((&post.media[0].kind, post.is_sensitive), (&MediaKind::Video, true));
}

#[test]
fn a_record_that_is_no_post_is_reported_with_its_place() {
    for value in [
        json!({}),
        json!({"text": 7}),
        json!({"text": null}),
        json!([1]),
        json!({"text": "Hi", "reply": {"root": 7}}),
    ] {
        let unclear = read(value.clone()).unwrap_err();
        assert!(unclear.record.is_some() && !unclear.reason.is_empty(), "{value}: {unclear:?}");
    }
}

#[test]
fn a_time_that_cannot_be_right_does_not_change_the_order() {
    let fresh = Tid::at(now()).to_string();
    let read = |key: &str, created_at: &str| {
        read_with_key(key, POSTS, json!({"text": "Hi", "createdAt": created_at}))
    };
    for created_at in [
        "1970-01-01T00:00:00Z",
        "2286-11-20T17:46:39Z",
        "-000001-01-01T00:00:00Z",
        "yesterday",
        "",
        "2026-11-27T11:00:00.1+02:00",
    ] {
        let post = read(&fresh, created_at).unwrap();
        assert_eq!(post.id, PostId(fresh.clone()), "{created_at}");
        assert_eq!(post.position, Tid::at(now()).number());
        assert!(post.created_at <= now() && post.created_at > EARLIEST, "{created_at}: {}", post.created_at);
    }
    // Imported from an archive: not new, though its key is.
    let archived = read(&fresh, "2012-05-01T10:00:00Z").unwrap();
    assert_eq!(archived.position, Tid::at("2012-05-01T10:00:00Z".parse().unwrap()).number());
    assert_eq!(OwnRecord::named(&archived.id).unwrap().position, archived.position);
    // A key that tells no time, or one of the future.
    for key in ["self", "A.b-c_d~e", "bzzzzzzzzzzzz"] {
        let post = read(key, "2026-11-27T11:59:00Z").unwrap();
        assert_eq!(post.position, Tid::at("2026-11-27T11:59:00Z".parse().unwrap()).number(), "{key}");
        assert_eq!(OwnRecord::named(&post.id).unwrap().key, key);
        let unclear = read(key, "2286-11-20T17:46:39Z").unwrap_err();
        assert!(unclear.record.is_none() && unclear.reason.contains("createdAt"), "{unclear:?}");
    }
}

#[test]
fn a_repost_names_the_shared_post() {
    let subject = format!("at://did:plc:other/{POSTS}/3l3qo2vuowo2b");
    let value = json!({"subject": {"uri": subject, "cid": "x"}, "createdAt": "2026-11-27T11:59:00Z"});
    let key = Tid::at(now()).to_string();
    let post = read_with_key(&key, REPOSTS, value).unwrap();
    assert_eq!(post.kind, PostKind::Repost { of: PostId(subject) });
    assert_eq!(post.id, PostId(format!("at://{DID}/{REPOSTS}/{key}")));
}
