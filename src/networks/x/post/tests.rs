use serde_json::{Value, json};

use super::*;

const TOWN: Account<'static> = Account { id: "7", handle: "town" };

fn read(body: &str) -> Reading {
    posts(&serde_json::from_str(body).unwrap(), Some(TOWN))
}

fn page(body: impl Into<Value>) -> Reading {
    read(&body.into().to_string())
}

#[track_caller]
fn one(tweet: impl Into<Value>) -> Post {
    with_includes(tweet, json!({}))
}

#[track_caller]
fn with_includes(tweet: impl Into<Value>, includes: impl Into<Value>) -> Post {
    let (tweet, includes): (Value, Value) = (tweet.into(), includes.into());
    let mut reading = page(json!({"data": [tweet], "includes": includes}));
    assert!(reading.unreadable.is_empty() && reading.unclear.is_empty(), "{reading:?}");
    assert!(reading.oddities.is_empty(), "{:?}", reading.oddities);
    reading.posts.pop().unwrap()
}

/// A valid post with this field.
fn with(field: &str, value: &Value) -> Value {
    let mut tweet = json!({"id": "20", "text": "Good morning", "author_id": "7", "conversation_id": "20"});
    tweet[field] = value.clone();
    tweet
}

fn id(id: &str) -> PostId {
    PostId(id.into())
}

fn marks(unreadable: &[Unreadable]) -> Vec<&str> {
    unreadable.iter().map(|post| post.mark.as_ref().map_or("none", |(id, _)| id.0.as_str())).collect()
}

#[test]
fn positions_count_code_points_of_the_escaped_text() {
    let post = one(json!({
        "id": "10", "text": "𝕏 &amp; 🔥 https://t.co/abcdefghij ok",
        "entities": {"urls": [{"start": 10, "end": 33, "url": "https://t.co/abcdefghij",
                               "expanded_url": "https://example.com/?a=1&b=2"}]}
    }));
    assert_eq!(post.text, "𝕏 & 🔥 https://example.com/?a=1&b=2 ok");
}

#[test]
fn the_card_is_that_of_the_last_link_whose_page_has_a_title() {
    let link = |start: usize, more: Value| {
        let mut link =
            json!({"start": start, "end": start + 1, "expanded_url": format!("https://a.example/{start}")});
        link.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        link
    };
    let images = json!([
        {"url": "https://pbs.twimg.com/small", "width": 150, "height": 150},
        {"url": "https://pbs.twimg.com/large", "width": 800, "height": 400}, {"odd": true},
    ]);
    let links = json!([
        link(0, json!({"title": "First"})),
        link(2, json!({"title": "Second", "description": "Of two", "images": images})),
        link(4, json!({"title": "", "description": "None"})),
    ]);
    let post = one(json!({"id": "10", "text": "a b c", "entities": {"urls": links}}));
    let card = post.card.unwrap();
    assert_eq!(
        (&*card.url, &*card.words.title, &*card.words.description),
        ("https://a.example/2", "Second", "Of two")
    );
    assert!(post.text.contains(&card.url));
    assert_eq!(card.picture.unwrap().url.as_deref(), Some("https://pbs.twimg.com/large"));
    assert_eq!(one(json!({"id": "10", "text": "a"})).card, None);
}

#[test]
fn escapes_are_undone_once() {
    assert_eq!(one(json!({"id": "1", "text": "&amp;lt; &lt;b&gt;"})).text, "&lt; <b>");
}

#[test]
fn the_link_to_its_own_photos_is_dropped_however_often_it_is_listed() {
    let link = json!({"start": 4, "end": 27, "url": "https://t.co/abcdefghij",
                      "expanded_url": "https://x.com/a/status/10/photo/1", "media_key": "3_1"});
    let post = one(json!({"id": "10", "text": "Sun https://t.co/abcdefghij",
                          "entities": {"urls": [link, link]}}));
    assert_eq!(post.text, "Sun");
}

#[test]
fn a_long_post_is_read_whole() {
    let post = one(json!({"id": "1", "text": "Short… https://t.co/aaaaaaaaaa",
                          "note_tweet": {"text": "The whole of it &amp; more"}}));
    assert_eq!(post.text, "The whole of it & more");
}

#[test]
fn a_cut_text_without_the_whole_text_is_unreadable() {
    let cut = |id: &str, note: Value| {
        json!({"id": id, "text": "Short… https://t.co/aaaaaaaaaa", "note_tweet": note, "entities": {"urls": [
            {"start": 7, "end": 30, "url": "https://t.co/aaaaaaaaaa",
             "expanded_url": format!("https://x.com/i/web/status/{id}")}]}})
    };
    let notes =
        [json!(null), json!({}), json!({"text": null}), json!({"text": 5}), json!("whole"), json!([])];
    for note in notes {
        let reading = page(json!({"data": [cut("5", note.clone())]}));
        assert_eq!(marks(&reading.unreadable), ["5"], "{note}");
    }
    // A post that ends with the author's own ellipsis, or links to another post, is complete.
    assert_eq!(one(json!({"id": "1", "text": "And then…"})).text, "And then…");
    assert_eq!(
        one(json!({"id": "6", "text": "See… https://t.co/aaaaaaaaaa", "entities": {"urls": [
            {"start": 5, "end": 28, "expanded_url": "https://x.com/i/web/status/5"}]}}))
        .text,
        "See… https://x.com/i/web/status/5"
    );
}

#[test]
fn both_vocabularies_are_read() {
    for (references, note, included) in
        [("referenced_tweets", "note_tweet", "tweets"), ("referenced_posts", "note_post", "posts")]
    {
        let reading = page(json!({
            "data": [{"id": "9", "text": "RT @a: cut…", references: [{"type": "retweeted", "id": "5"}]},
                     {"id": "8", "text": "cut…", note: {"text": "whole"}}],
            "includes": {included: [{"id": "5", "text": "the whole repost"}]},
        }));
        assert!(reading.oddities.is_empty(), "{:?}", reading.oddities);
        assert_eq!(reading.posts[0].kind, PostKind::Repost { of: id("5") });
        assert_eq!(reading.posts[0].text, "the whole repost");
        assert_eq!(reading.posts[1].text, "whole");
    }
}

#[test]
fn the_legacy_name_wins_and_the_new_one_fills_in() {
    let quotes = |of: &str| json!([{"type": "quoted", "id": of}]);
    for (legacy, new, of) in [
        (quotes("1"), quotes("2"), "1"),
        (json!(null), quotes("2"), "2"),
        (json!([]), quotes("2"), "2"),
        (json!("odd"), quotes("2"), "2"),
        (quotes("1"), json!(null), "1"),
        (quotes("1"), json!(7), "1"),
    ] {
        let tweet = json!({"id": "9", "text": "See", "referenced_tweets": legacy, "referenced_posts": new});
        let reading = page(json!({"data": [tweet]}));
        assert_eq!(reading.posts[0].kind, PostKind::Quote { of: id(of) }, "{tweet}");
    }
    let note = |text: &str| json!({"text": text});
    for (legacy, new, text) in [
        (note("legacy"), note("new"), "legacy"),
        (json!(null), note("new"), "new"),
        (json!({}), note("new"), "new"),
        (json!("odd"), note("new"), "new"),
        (note("legacy"), json!(null), "legacy"),
    ] {
        let tweet = json!({"id": "9", "text": "cut…", "note_tweet": legacy, "note_post": new});
        assert_eq!(one(tweet).text, text);
    }
    let versions =
        json!({"id": "9", "text": "x", "edit_history_tweet_ids": ["9"], "edit_history_post_ids": ["8", "9"]});
    assert_eq!(one(versions).versions, [id("8"), id("9")]);
    let reposts = json!([{"type": "retweeted", "id": "5"}]);
    let post = with_includes(
        json!({"id": "9", "text": "RT", "referenced_tweets": reposts, "referenced_posts": reposts}),
        json!({"tweets": null, "posts": [{"id": "5", "text": "the whole"}]}),
    );
    assert_eq!(post.text, "the whole");
}

#[test]
fn null_reads_like_absent_in_every_field_of_a_post() {
    let plain = one(with("lang", &json!(null)));
    for field in [
        "referenced_tweets",
        "referenced_posts",
        "entities",
        "attachments",
        "note_tweet",
        "note_post",
        "lang",
        "author_id",
        "created_at",
        "in_reply_to_user_id",
        "conversation_id",
        "edit_history_tweet_ids",
        "edit_history_post_ids",
        "withheld",
        "public_metrics",
        "a_field_of_tomorrow",
    ] {
        assert_eq!(one(with(field, &json!(null))), plain, "{field}");
    }
    for (field, value) in [
        ("entities", json!({"urls": null, "mentions": null, "hashtags": null, "cashtags": null})),
        ("entities", json!({"urls": [null]})),
        ("attachments", json!({"media_keys": null, "poll_ids": null, "media_source_tweet_id": null})),
        ("attachments", json!({"media_keys": [null]})),
        ("referenced_tweets", json!([null])),
        ("edit_history_tweet_ids", json!([""])),
        ("edit_history_tweet_ids", json!([null])),
        ("edit_history_tweet_ids", json!(["20"])),
        ("in_reply_to_user_id", json!("")),
        ("lang", json!("")),
    ] {
        assert_eq!(one(with(field, &value)), plain, "{field}: {value}");
    }
    let note = json!({"text": "The whole", "entities": null});
    assert_eq!(one(json!({"id": "20", "text": null, "note_tweet": note})).text, "The whole");
    let link = json!({"start": 0, "end": 23, "url": null, "expanded_url": "https://e.com/", "media_key": null,
                      "images": null, "title": null, "unwound_url": null});
    let linked = json!({"id": "20", "text": "https://t.co/abcdefghij", "entities": {"urls": [link]}});
    assert_eq!(one(linked).text, "https://e.com/");
}

#[test]
fn null_reads_like_absent_on_the_page_and_in_its_includes() {
    let tweet = json!({"id": "1", "text": "x", "attachments": {"media_keys": ["3_1", "7_2"]}});
    for includes in [
        json!(null),
        json!({"media": null, "tweets": null, "posts": null, "users": null}),
        json!({"media": [null], "tweets": [null], "users": [null]}),
        json!({"media": [{"media_key": "3_1", "type": null, "url": null, "variants": null, "alt_text": null},
                         {"media_key": "7_2", "variants": [null, {"url": null, "bit_rate": null, "content_type": null}]}]}),
    ] {
        let post = with_includes(tweet.clone(), includes.clone());
        let media: Vec<_> =
            post.media.iter().map(|medium| (&*medium.key, medium.kind.as_str(), &medium.url)).collect();
        assert_eq!(media, [("3_1", "photo", &None), ("7_2", "video", &None)], "{includes}");
    }
    for body in [
        json!({"data": null, "includes": null, "errors": null, "meta": null}),
        json!({"data": [], "meta": {"result_count": 0, "next_token": null, "newest_id": null}}),
        json!({"meta": {"result_count": null}}),
        json!({"errors": [null, {"detail": null, "title": null, "type": null, "errors": null, "status": null}]}),
        json!({"errors": "odd", "includes": null}),
        json!({}),
    ] {
        let reading = page(body.clone());
        assert!(reading.posts.is_empty() && reading.unreadable.is_empty(), "{body}: {reading:?}");
        assert!(reading.oddities.is_empty(), "{body}: {reading:?}");
    }
}

#[test]
fn ids_are_read_as_strings_and_as_numbers() {
    let reading = page(json!({
        "data": [{"id": 1_849_337_283_618_123_841_u64, "text": "x", "author_id": 7, "in_reply_to_user_id": 7,
                  "conversation_id": 3, "edit_history_tweet_ids": [4, 1_849_337_283_618_123_841_u64],
                  "referenced_tweets": [{"type": "replied_to", "id": 4}]}],
        "includes": {"tweets": [{"id": 4, "text": "y"}], "users": [{"id": 7}]},
        "meta": {"result_count": 1, "newest_id": 1, "oldest_id": 1},
    }));
    assert!(reading.oddities.is_empty(), "{:?}", reading.oddities);
    let post = &reading.posts[0];
    assert_eq!((&*post.id.0, post.position), ("1849337283618123841", 1_849_337_283_618_123_841));
    assert_eq!(post.kind, PostKind::Thread { parent: id("4") });
    assert_eq!(post.versions, [id("4"), id("1849337283618123841")]);
}

#[test]
fn an_invalid_id_makes_a_post_unreadable_and_is_never_used() {
    for odd in [
        json!("../../2/tweets"),
        json!(""),
        json!(null),
        json!("12a4"),
        json!("-5"),
        json!(-5),
        json!(1.5),
        json!(" 12"),
        json!("12345678901234567890"),
        json!("9999999999999999999"),
        json!("１２"),
        json!(true),
        json!(["1"]),
        json!({"id": "1"}),
        json!("1?x=2"),
        json!("1/../2"),
        json!("+1"),
        json!("0x10"),
    ] {
        let reading = page(json!({"data": [{"id": odd, "text": "x"}, {"id": "3", "text": "good"}]}));
        assert_eq!(reading.posts.len(), 1, "{odd}");
        assert_eq!(marks(&reading.unreadable), ["none"], "{odd}");
        for kind in ["replied_to", "retweeted", "reposted", "quoted"] {
            let tweet = json!({"id": "5", "text": "x", "referenced_tweets": [{"type": kind, "id": odd}]});
            let reading = page(json!({"data": [tweet]}));
            assert_eq!(marks(&reading.unreadable), ["5"], "{kind} {odd}: {reading:?}");
        }
        let unknown = json!({"id": "5", "text": "x", "referenced_tweets": [{"type": "admired", "id": odd}]});
        let reading = page(json!({"data": [unknown]}));
        assert_eq!((reading.posts.len(), reading.oddities.len()), (1, 1), "{odd}");
    }
}

#[test]
fn an_unknown_value_is_accepted() {
    let tweet = json!({
        "id": "20", "text": "x", "lang": "xx-new", "reply_settings": "nobody",
        "referenced_tweets": [{"type": "admired", "id": "1"}, {"type": "quoted", "id": "2"}],
        "attachments": {"media_keys": ["3_1", "99_2"]},
    });
    let post = with_includes(
        tweet,
        json!({"media": [{"media_key": "3_1", "type": "hologram", "url": "https://a.test/1"}]}),
    );
    assert_eq!(post.kind, PostKind::Quote { of: id("2") });
    assert_eq!(post.language.as_deref(), Some("xx-new"));
    assert_eq!((post.media[0].kind.as_str(), post.media[1].kind.as_str()), ("hologram", "unknown"));
}

#[test]
fn a_wrong_type_costs_its_field_but_not_the_post() {
    for (field, value) in [
        ("lang", json!(5)),
        ("created_at", json!("yesterday")),
        ("created_at", json!(0)),
        ("author_id", json!("@town")),
        ("conversation_id", json!({})),
        ("entities", json!("odd")),
        ("entities", json!({"urls": "https://t.co/x"})),
        ("entities", json!({"urls": [5]})),
        ("entities", json!({"urls": [{"start": "0", "end": 4}]})),
        ("entities", json!({"urls": [{"start": -1, "end": 4}]})),
        ("attachments", json!([])),
        ("attachments", json!({"media_keys": "3_1"})),
        ("attachments", json!({"media_keys": [31]})),
        ("edit_history_tweet_ids", json!("20")),
        ("edit_history_tweet_ids", json!(["../1"])),
        ("withheld", json!(true)),
    ] {
        let reading = page(json!({"data": [with(field, &value)]}));
        assert_eq!(reading.posts.len(), 1, "{field}: {value}");
        assert_eq!(reading.posts[0].text, "Good morning", "{field}: {value}");
        assert!(!reading.oddities.is_empty(), "{field}: {value}");
        assert!(reading.oddities.iter().all(|odd| odd.starts_with("post 20: ")), "{:?}", reading.oddities);
    }
}

#[test]
fn essential_fields_must_be_readable_or_the_post_is_unreadable() {
    for (field, value) in [
        ("text", json!(5)),
        ("text", json!({"text": "x"})),
        ("text", json!(null)),
        ("note_tweet", json!("whole")),
        ("note_tweet", json!({"text": ["whole"]})),
        ("note_post", json!(1)),
        ("referenced_tweets", json!("1")),
        ("referenced_tweets", json!({"type": "replied_to", "id": "1"})),
        ("referenced_tweets", json!(["1"])),
        ("referenced_tweets", json!([{"id": "1"}])),
        ("referenced_tweets", json!([{"type": null, "id": "1"}])),
        ("referenced_tweets", json!([{"type": 3, "id": "1"}])),
        ("referenced_posts", json!([{"type": "replied_to"}])),
        ("referenced_posts", json!(true)),
    ] {
        let odd = with(field, &value);
        let reading = page(json!({"data": [{"id": "21", "text": "b"}, odd, {"id": "19", "text": "a"}]}));
        assert_eq!(reading.posts.len(), 2, "{field}: {value}");
        let [unreadable] = &reading.unreadable[..] else { panic!("{field}: {value}: {reading:?}") };
        assert_eq!(unreadable.mark, Some((id("20"), 20)), "{field}: {value}");
        assert_eq!(serde_json::from_str::<Value>(&unreadable.raw).unwrap(), odd);
        assert!(!unreadable.reason.is_empty());
    }
}

#[test]
fn a_malformed_post_never_makes_the_page_unreadable() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for odd in [
        "5",
        "\"post\"",
        "[]",
        "{}",
        "true",
        r#"{"id": 4}"#,
        r#"{"id": "4", "text": "\ud83d"}"#,
        r#"{"id": "4", "text": "\udc00 x", "lang": "en"}"#,
        r#"{"text": "no id"}"#,
        &format!(r#"{{"id": "4", "text": {deep}}}"#),
        &deep,
        r#"{"id": "4", "text": 1e999}"#,
    ] {
        let reading =
            read(&format!(r#"{{"data": [{{"id": "5", "text": "b"}}, {odd}, {{"id": "3", "text": "a"}}]}}"#));
        assert_eq!(reading.posts.len(), 2, "{odd:.60}");
        assert_eq!(reading.unreadable.len(), 1, "{odd:.60}");
    }
    let reading =
        read(&format!(r#"{{"data": [{{"id": "5", "text": "b", "geo": {deep}, "lang": "\ud83d"}}]}}"#));
    assert_eq!((reading.posts.len(), reading.oddities.len()), (1, 1), "an unneeded field should not matter");
    let errors = format!("{}{}", r#"{"errors":["#.repeat(5000), "]}".repeat(5000));
    assert!(read(&errors).posts.is_empty());
}

#[test]
fn the_stored_form_of_an_unreadable_post_is_bounded() {
    let reading = page(json!({"data": [{"id": "4", "text": null, "odd": "ñ".repeat(100_000)}]}));
    assert!((64 * 1024 - 4..=64 * 1024).contains(&reading.unreadable[0].raw.len()));
    let reading = page(json!({"data": [{"id": "x".repeat(100_000), "text": "x"}]}));
    assert!(reading.unreadable[0].reason.len() < 1000);
}

#[test]
fn only_the_beginning_of_an_endless_list_is_read_and_logged() {
    let keys: Vec<String> = (0..100_000).map(|number| format!("3_{number}")).collect();
    let link = json!({"start": 0, "end": 1, "url": "https://t.co/abcdefghij", "media_key": "3_99999"});
    let urls = vec![link; 50_000];
    let posts = vec![json!({"id": "5", "text": null}); 20_000];
    let odd =
        json!({"id": "6", "text": "x", "attachments": {"media_keys": keys}, "entities": {"urls": urls}});
    let reading = page(json!({"data": [odd, {"id": "7", "text": "y", "entities": {"urls": vec![5; 500]}}]}));
    assert_eq!(reading.posts.iter().map(|post| post.media.len()).collect::<Vec<_>>(), [0, 1000]);
    assert!(reading.oddities.len() <= ODDITIES_MOST + 1, "{}", reading.oddities.len());
    assert_eq!(page(json!({"data": posts})).unreadable.len(), 1);
}

#[test]
fn a_post_that_occurs_twice_counts_once() {
    let reading = page(json!({"data": [
        {"id": "3", "text": "a"}, {"id": "4", "text": null}, {"id": "3", "text": "a"}, {"id": "3", "text": null},
        {"id": "4", "text": 5}, null,
    ]}));
    assert_eq!(reading.posts.len(), 1);
    assert_eq!(marks(&reading.unreadable), ["4"]);
}

#[test]
fn threads_replies_and_quotes_are_distinguished() {
    let with = |kind: &str, to_user: &str| {
        one(json!({"id": "2", "text": "x", "author_id": "7", "in_reply_to_user_id": to_user,
                   "referenced_tweets": [{"type": kind, "id": "1"}]}))
        .kind
    };
    assert_eq!(with("replied_to", "7"), PostKind::Thread { parent: id("1") });
    assert_eq!(with("replied_to", "8"), PostKind::Reply { to: Some(id("1")) });
    assert_eq!(with("quoted", ""), PostKind::Quote { of: id("1") });
}

/// A reply to post 10, without the fields that name users.
fn answer(text: &str) -> Value {
    json!({"id": "20", "text": text, "conversation_id": "10", "referenced_tweets": [{"type": "replied_to", "id": "10"}]})
}

#[test]
fn an_own_thread_is_recognized_if_x_names_no_users() {
    let thread = PostKind::Thread { parent: id("10") };
    let kind = |body: Value| {
        let reading = page(body);
        assert!(reading.unclear.is_empty() && reading.unreadable.is_empty(), "{reading:?}");
        reading.posts.into_iter().find(|post| post.id == id("20")).unwrap().kind
    };
    let first = json!({"id": "10", "text": "first", "conversation_id": "10"});
    // The parent is on the page, whose posts are all the account's.
    assert_eq!(kind(json!({"data": [answer("and more"), first]})), thread);
    assert_eq!(kind(json!({"data": [answer("@other and more"), first]})), thread);
    // It is included, with its author.
    let included = |author: &str| json!({"tweets": [{"id": "10", "text": "first", "author_id": author}]});
    assert_eq!(kind(json!({"data": [answer("and more")], "includes": included("7")})), thread);
    let posts = json!({"posts": [{"id": 10, "text": "first", "author_id": 7}]});
    assert_eq!(kind(json!({"data": [answer("and more")], "includes": posts})), thread);
    // Only one of the fields is present.
    let mut answered = answer("and more");
    answered["in_reply_to_user_id"] = json!("7");
    assert_eq!(kind(json!({"data": [answered]})), thread);
    // It replies to the account by name.
    assert_eq!(kind(json!({"data": [answer("@Town and more")]})), thread);
}

#[test]
fn a_reply_to_others_is_recognized_if_x_names_no_users() {
    let mut answered = answer("You are right");
    answered["in_reply_to_user_id"] = json!("8");
    let included = json!({"tweets": [{"id": "10", "text": "first", "author_id": "8"}]});
    for body in [
        json!({"data": [answered]}),
        json!({"data": [answer("You are right")], "includes": included}),
        json!({"data": [answer("@somebody You are right")]}),
        json!({"data": [answer("@town @somebody You are right")]}),
        json!({"data": [answer("＠somebody, you are right")]}),
    ] {
        let reading = page(body.clone());
        assert_eq!(reading.posts[0].kind, PostKind::Reply { to: Some(id("10")) }, "{body}");
    }
    // Not even the parent is named, but the conversation shows that there is one.
    let mut bare = answer("@somebody You are right");
    bare["referenced_tweets"] = json!(null);
    assert_eq!(one(bare).kind, PostKind::Reply { to: Some(id("10")) });
}

#[test]
fn the_parents_author_is_not_guessed() {
    let reading = page(json!({"data": [answer("You are right")]}));
    assert!(reading.posts.is_empty() && reading.unreadable.is_empty());
    let unclear = &reading.unclear[0];
    assert_eq!((&unclear.parent, &unclear.thread.kind), (&id("10"), &PostKind::Thread { parent: id("10") }));
    let Otherwise::Unreadable(unreadable) = &unclear.otherwise else { panic!("{unclear:?}") };
    assert_eq!(unreadable.mark, Some((id("20"), 20)));
    let mut nameless = answer("You are right");
    nameless["referenced_tweets"] = json!([]);
    let mut to_user = with("in_reply_to_user_id", &json!("7"));
    to_user["conversation_id"] = json!(null);
    let mut itself = answer("x");
    itself["referenced_tweets"][0]["id"] = json!("20");
    let mut later = answer("x");
    later["referenced_tweets"][0]["id"] = json!("21");
    for odd in [nameless, to_user, itself, later] {
        let reading = page(json!({"data": [odd.clone()]}));
        assert_eq!(marks(&reading.unreadable), ["20"], "{odd}: {reading:?}");
    }
}

#[test]
fn a_post_that_names_another_user_as_its_reader_is_a_reply_even_without_a_reference() {
    for text in ["@somebody Good morning", "Good morning"] {
        for conversation in [json!("20"), json!(null), json!("")] {
            for references in [json!(null), json!([]), json!([{"type": "quoted", "id": "3"}])] {
                let mut post = with("in_reply_to_user_id", &json!("8"));
                post["text"] = json!(text);
                post["conversation_id"] = conversation.clone();
                post["referenced_tweets"] = references;
                assert_eq!(one(post.clone()).kind, PostKind::Reply { to: None }, "{post}");
            }
        }
    }
    let mut mention = with("text", &json!("@somebody Good morning"));
    assert_eq!(one(mention.clone()).kind, PostKind::Original, "X names no reader");
    mention["in_reply_to_user_id"] = json!("7");
    assert_eq!(one(mention).kind, PostKind::Original, "the author's own");
    let mut edited = with("edit_history_tweet_ids", &json!(["18", "20"]));
    edited["conversation_id"] = json!("18");
    assert_eq!(
        one(edited).kind,
        PostKind::Original,
        "the conversation of an edited post is that of its first version"
    );
}

/// A reply by the account itself to `parent` in the conversation of post `root`.
fn own(id: u64, parent: u64, root: u64, text: &str) -> Value {
    json!({"id": id.to_string(), "text": text, "author_id": "7", "in_reply_to_user_id": "7",
           "conversation_id": root.to_string(), "referenced_tweets": [{"type": "replied_to", "id": parent.to_string()}]})
}

#[test]
fn a_thread_is_the_authors_own_only_if_its_first_post_is() {
    let kinds = |body: Value| {
        let reading = page(body);
        assert!(reading.unclear.is_empty() && reading.unreadable.is_empty(), "{reading:?}");
        reading.posts.into_iter().map(|post| post.kind).collect::<Vec<_>>()
    };
    let thread = |parent: &str| PostKind::Thread { parent: id(parent) };
    let reply = |parent: &str| PostKind::Reply { to: Some(id(parent)) };
    let mut to_other = own(10, 5, 5, "@other Yes");
    to_other["in_reply_to_user_id"] = json!("8");
    let deep = json!({"data": [own(12, 11, 5, "and more"), own(11, 10, 5, "and"), to_other]});
    assert_eq!(kinds(deep), [reply("11"), reply("10"), reply("5")]);
    // A post that names its reader, and a continuation.
    let mut directed = with("in_reply_to_user_id", &json!("8"));
    directed["id"] = json!("10");
    directed["conversation_id"] = json!("10");
    assert_eq!(
        kinds(json!({"data": [own(11, 10, 10, "and"), directed]})),
        [reply("10"), PostKind::Reply { to: None }]
    );
    // Only included posts tell.
    let by = |author: &str, id: &str| json!({"id": id, "text": "first", "author_id": author, "conversation_id": id});
    for (author, kind) in [("7", thread("10")), ("8", reply("10"))] {
        let body = json!({"data": [own(11, 10, 5, "and")], "includes": {"tweets": [by(author, "5")]}});
        assert_eq!(kinds(body), [kind], "{author}");
    }
    // Own threads, of two and of many posts.
    assert_eq!(kinds(json!({"data": [own(11, 10, 10, "@bob and")]})), [thread("10")]);
    let long = (2..90).rev().map(|id| own(id, id - 1, 1, "@bob and"));
    let first = by("7", "1");
    let all = kinds(json!({"data": long.chain([first]).collect::<Vec<_>>()}));
    assert!(all[..88].iter().all(|kind| matches!(kind, PostKind::Thread { .. })), "{all:?}");
}

#[test]
fn an_own_reply_in_an_unknown_conversation_is_unclear_and_its_handle_makes_one_kind_likely() {
    for (text, kind) in [
        ("and", PostKind::Thread { parent: id("10") }),
        ("@town and", PostKind::Thread { parent: id("10") }),
        ("@other and", PostKind::Reply { to: Some(id("10")) }),
    ] {
        let reading = page(json!({"data": [own(11, 10, 5, text)]}));
        let Unclear { parent, root, otherwise, .. } = &reading.unclear[0];
        assert_eq!((parent, root.as_ref()), (&id("10"), Some(&id("5"))));
        assert!(matches!(otherwise, Otherwise::Kind(likely) if *likely == kind), "{text}: {otherwise:?}");
    }
}

#[test]
fn a_page_with_an_endless_thread_is_read() {
    let posts: Vec<Value> = (2..5000).rev().map(|id| own(id, id - 1, 1, "and")).collect();
    let reading = page(json!({"data": posts}));
    assert_eq!(reading.posts.len() + reading.unclear.len(), 4998);
}

/// The text of a post with this poll.
fn polled(text: &str, polls: &Value) -> Post {
    let tweet = json!({"id": "20", "text": text, "author_id": "7", "conversation_id": "20",
                       "attachments": {"poll_ids": ["99"]}});
    let mut reading = page(json!({"data": [tweet], "includes": {"polls": polls}}));
    assert!(reading.unreadable.is_empty(), "{reading:?}");
    reading.posts.pop().unwrap()
}

#[test]
fn the_options_of_a_poll_are_lines_under_the_text() {
    let option = |position: Value, label: Value| json!({"position": position, "label": label, "votes": 0});
    let (tea, coffee) = (option(json!(1), json!("Tea")), option(json!(2), json!("Coffee &amp; cake")));
    let poll = |options: Value| json!([{"id": "99", "options": options}]);
    for (polls, lines) in [
        (poll(json!([tea, coffee])), "Which?\nTea\nCoffee & cake"),
        (poll(json!([coffee, tea])), "Which?\nTea\nCoffee & cake"),
        (poll(json!([option(json!(null), json!("A\nB")), option(json!("x"), json!("C"))])), "Which?\nA B\nC"),
        (
            poll(json!([tea, null, 5, option(json!(2), json!(null)), option(json!(3), json!(" "))])),
            "Which?\nTea",
        ),
        (json!([{"id": 99, "options": [tea]}]), "Which?\nTea"),
        (json!([{"id": "98", "options": [tea]}]), "Which?"),
        (json!([{"id": "99"}]), "Which?"),
        (json!([null, 5]), "Which?"),
        (json!(null), "Which?"),
        (json!("odd"), "Which?"),
    ] {
        let post = polled("Which?", &polls);
        assert_eq!((&*post.text, post.has_poll), (lines, true), "{polls}");
    }
    assert_eq!(polled("", &poll(json!([tea]))).text, "Tea");
    assert!(!one(with("attachments", &json!({"poll_ids": []}))).has_poll);
    assert!(!one(with("attachments", &json!({"poll_ids": [""]}))).has_poll);
    let linked = polled("Which?", &poll(json!([option(json!(1), json!("example.com"))])));
    assert_eq!(linked.entities.unwrap().len(), 1, "the target links it, too");
}

#[test]
fn all_versions_of_an_edited_post_are_named_oldest_first() {
    for (ids, versions) in [
        (json!(["18", "19", "20"]), vec!["18", "19", "20"]),
        (json!(["20", "19", "18"]), vec!["18", "19", "20"]),
        (json!(["9", "20"]), vec!["9", "20"]),
        (json!(["18"]), vec!["18", "20"]),
        (json!(["18", "18", null, "", "20"]), vec!["18", "20"]),
        (json!(["20", "20"]), vec![]),
    ] {
        assert_eq!(
            one(with("edit_history_tweet_ids", &ids)).versions,
            versions.into_iter().map(id).collect::<Vec<_>>()
        );
        assert_eq!(
            one(with("edit_history_post_ids", &ids)).versions,
            one(with("edit_history_tweet_ids", &ids)).versions
        );
    }
}

/// The text and the media of a post with this link at its end.
fn linked(url: &Value, key: &Value, attachments: &Value) -> (String, Vec<post::Media>) {
    let link = json!({"start": 4, "end": 27, "url": "https://t.co/abcdefghij", "expanded_url": url, "media_key": key});
    let tweet = json!({"id": "20", "text": "Sun https://t.co/abcdefghij", "attachments": attachments,
                       "edit_history_tweet_ids": ["18", "20"], "entities": {"urls": [link]}});
    let mut reading = page(json!({"data": [tweet]}));
    let post = reading.posts.pop().unwrap();
    (post.text, post.media)
}

#[test]
fn only_a_link_to_the_posts_own_medium_is_dropped() {
    let none = json!(null);
    for url in [
        "https://x.com/other/status/1/photo/1",
        "https://twitter.com/other/status/1/video/1",
        "https://blog.example/status/1/photo/1",
        "https://blog.example/town/status/20/photo/1",
        "https://x.com.evil.example/town/status/20/photo/1",
        "https://notx.com/town/status/20/photo/1",
        "https://x.com/town/status/20",
        "https://x.com/town/status/20/analytics",
        "https://x.com/town/status/20/photo/one",
        "https://x.com/town/status/200/photo/1",
        "https://x.com/town?u=/status/20/photo/1",
        "ftp://x.com/town/status/20/photo/1",
    ] {
        assert_eq!(linked(&json!(url), &none, &none), (format!("Sun {url}"), vec![]), "{url}");
    }
    // A key that is not attached does not make a link the post's own.
    let (text, media) = linked(&json!("https://x.com/other/status/1/photo/1"), &json!("3_9"), &none);
    assert_eq!((&*text, media.len()), ("Sun https://x.com/other/status/1/photo/1", 0));
    for url in [
        "https://x.com/town/status/20/photo/1",
        "https://twitter.com/town/status/20/video/1",
        "http://www.x.com/town/status/20/photo/4",
        "https://mobile.twitter.com/town/status/20/photo/1?s=20",
        "https://x.com/i/web/status/20/photo/1",
        "https://x.com/i/status/20/photo/1/",
        "https://X.com/town/status/18/photo/1",
    ] {
        let attached = json!({"media_keys": ["3_1"]});
        let (text, media) = linked(&json!(url), &none, &attached);
        assert_eq!((&*text, media.len()), ("Sun", 1), "{url}");
    }
    let others = json!("https://x.com/other/status/1/photo/1");
    let (text, _) = linked(&others, &json!("3_1"), &json!({"media_keys": ["3_1"]}));
    assert_eq!(text, "Sun", "another's picture that is attached is the post's own");
}

#[test]
fn a_link_without_a_target_is_unchanged() {
    for url in [json!(null), json!(""), json!("  "), json!(5)] {
        let (text, _) = linked(&url, &json!(null), &json!(null));
        assert_eq!(text, "Sun https://t.co/abcdefghij", "{url}");
    }
}

#[test]
fn a_shortened_link_that_nothing_expands_is_an_oddity() {
    let text = "See https://t.co/abcdefghij";
    for entities in
        [json!(null), json!({"urls": []}), json!({"urls": [{"start": 4, "end": 27, "expanded_url": null}]})]
    {
        let reading = page(json!({"data": [{"id": "20", "text": text, "entities": entities}]}));
        assert_eq!((&*reading.posts[0].text, reading.oddities.len()), (text, 1), "{entities}");
    }
    let link = json!({"start": 4, "end": 27, "expanded_url": "https://t.co/what-the-author-wrote"});
    let post = one(json!({"id": "20", "text": text, "entities": {"urls": [link]}}));
    assert_eq!(post.text, "See https://t.co/what-the-author-wrote");
}

#[test]
fn a_medium_that_is_not_included_counts_as_missing() {
    let media = |keys: Value, includes: Value| {
        let post = with_includes(with("attachments", &json!({"media_keys": keys})), includes);
        post.media
            .into_iter()
            .map(|medium| (medium.key, String::from(medium.kind), medium.url))
            .collect::<Vec<_>>()
    };
    let missing = |key: &str, kind: &str| (key.to_owned(), kind.to_owned(), None);
    for (key, kind) in [
        ("3_1", "photo"),
        ("7_1", "video"),
        ("13_1", "video"),
        ("16_1", "animated_gif"),
        ("99_1", "unknown"),
        ("odd", "unknown"),
    ] {
        assert_eq!(media(json!([key]), json!({})), [missing(key, kind)]);
    }
    let one =
        json!({"media": [{"media_key": "3_2", "type": "photo", "url": "https://pbs.twimg.com/media/b.jpg"}]});
    assert_eq!(
        media(json!(["3_1", "3_2", "3_1"]), one),
        [
            missing("3_1", "photo"),
            ("3_2".into(), "photo".into(), Some("https://pbs.twimg.com/media/b.jpg".into()))
        ]
    );
}

#[test]
fn a_medium_that_only_a_link_names_counts_as_missing() {
    for (url, key, expected) in [
        ("https://x.com/town/status/20/photo/1", json!("3_1"), ("3_1", "photo")),
        ("https://x.com/town/status/20/video/1", json!("13_1"), ("13_1", "video")),
        ("https://x.com/town/status/20/video/1", json!(null), ("video/1", "video")),
        ("https://x.com/town/status/20/photo/2", json!(null), ("photo/2", "photo")),
    ] {
        for attachments in [json!(null), json!({}), json!({"media_keys": null}), json!({"media_keys": []})] {
            let (text, media) = linked(&json!(url), &key, &attachments);
            assert_eq!((&*text, media.len()), ("Sun", 1), "{url}");
            assert_eq!(
                (&*media[0].key, media[0].kind.as_str(), &media[0].url),
                (expected.0, expected.1, &None)
            );
        }
    }
}

#[test]
fn the_best_video_file_is_chosen() {
    let variants = json!([
        {"content_type": "application/x-mpegURL", "url": "https://video.twimg.com/a.m3u8", "bit_rate": 9_999_999},
        {"content_type": "video/mp4", "url": "https://video.twimg.com/small.mp4", "bit_rate": null},
        {"content_type": "video/mp4", "url": "https://video.twimg.com/large.mp4", "bit_rate": 832_000},
        {"content_type": "video/mp4", "url": null, "bit_rate": 9_000_000},
    ]);
    let post = with_includes(
        with("attachments", &json!({"media_keys": ["7_1"]})),
        json!({"media": [{"media_key": "7_1", "type": "video", "variants": variants}]}),
    );
    assert_eq!(post.media[0].url.as_deref(), Some("https://video.twimg.com/large.mp4"));
}

#[test]
fn a_withheld_notice_does_not_pass_for_the_authors_text() {
    let notice = "This Post from @town has been withheld in response to a legal demand. Learn more: https://help.x.com";
    let everywhere = json!({"copyright": false, "country_codes": ["XX"], "scope": "post"});
    let copyright = json!({"copyright": true, "country_codes": ["XY"], "scope": null});
    for (text, withheld) in [
        (json!(notice), json!(null)),
        (json!(notice), everywhere.clone()),
        (json!(notice), json!({"copyright": null, "country_codes": null})),
        (json!("Dieser Post wurde zurückgehalten"), everywhere.clone()),
        (json!("Good morning"), copyright),
        (json!(null), everywhere),
    ] {
        let mut tweet = with("withheld", &withheld);
        tweet["text"] = text;
        assert_eq!(one(tweet.clone()).kind, PostKind::Withheld { parent: None }, "{tweet}");
        // A thread continues through it.
        tweet["referenced_tweets"] = json!([{"type": "replied_to", "id": "1"}]);
        tweet["author_id"] = json!("7");
        tweet["in_reply_to_user_id"] = json!("7");
        let parent = Some(PostId("1".into()));
        assert_eq!(one(tweet.clone()).kind, PostKind::Withheld { parent }, "{tweet}");
    }
    for codes in [json!([]), json!(["TR"]), json!(["DE", "IN"]), json!(null)] {
        let somewhere = json!({"copyright": false, "country_codes": codes, "scope": "user"});
        assert_eq!(one(with("withheld", &somewhere)).kind, PostKind::Original);
    }
}

#[test]
fn an_unreadable_post_is_named_and_does_not_affect_others() {
    let reading = page(json!({"data": [{"id": "3", "text": "a"}, {"id": 4}, {"text": "no id"}]}));
    assert_eq!(reading.posts.len(), 1);
    assert_eq!(marks(&reading.unreadable), ["4", "none"]);
}

#[test]
fn a_wrong_position_leaves_the_text_unchanged() {
    let places = [(0, 500), (5, 2), (1, 3), (usize::MAX, usize::MAX)];
    for (start, end) in places {
        let link = json!({"start": start, "end": end, "url": "https://t.co/abcdefghij", "expanded_url": "https://e.com"});
        let reading =
            page(json!({"data": [{"id": "1", "text": "Hi 🔥 there", "entities": {"urls": [link]}}]}));
        assert_eq!(reading.posts[0].text, "Hi 🔥 there");
        assert_eq!(reading.oddities.len(), 1, "{start} {end}");
    }
}

#[test]
fn an_empty_page_has_neither_posts_nor_oddities() {
    let reading = page(json!({"meta": {"result_count": 0}}));
    assert!(reading.posts.is_empty() && reading.oddities.is_empty());
}

#[test]
fn a_post_without_a_time_takes_that_of_its_id() {
    let post = one(json!({"id": "1212092628029698048", "text": "x"}));
    assert_eq!(post.created_at.to_string()[..19], *"2019-12-31T19:26:16");
}

#[test]
fn entities_are_those_of_the_whole_text() {
    let link = json!({"start": 12, "end": 35, "expanded_url": "https://example.com/a?b=1&c=2"});
    let text = "&amp; @bob: https://t.co/0123456789";
    let post = one(json!({"id": "20", "text": text, "entities": {"urls": [link]}}));
    let found: Vec<&str> =
        post.entities.iter().flatten().map(|entity| &post.text[entity.range.clone()]).collect();
    assert_eq!(found, ["@bob", "https://example.com/a?b=1&c=2"], "{}", post.text);
    let reposted = with("referenced_tweets", &json!([{"type": "retweeted", "id": "7"}]));
    assert_eq!(one(reposted).entities, None);
}

#[test]
fn a_code_for_no_language_is_dropped() {
    for code in ["und", "zxx", "qme", "qst"] {
        assert_eq!(one(with("lang", &json!(code))).language, None, "{code}");
    }
}
