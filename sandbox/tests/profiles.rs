//! Checks what each profile sends, and that it breaks X's specification only in the way that it is meant to.

mod support;

use std::{collections::BTreeMap, time::Duration};

use actix_web::http::Method;
use mynah_sandbox::{
    Edited, Endpoint, Fault, FaultPlan, FaultRule, GeminiFault, MediaKind, ModelFault, Profile, Readability,
    Sandbox, SandboxConfig, TimelineMedia, TimelinePost, XFault, credentials,
};
use serde_json::{Value, json};
use support::{
    Answer, As, DEADLINE, ES, app, call, get, plan, post, publish, sandbox, schema, user, user_id,
};

const EVERYTHING: &str = "tweet.fields=attachments,author_id,conversation_id,created_at,entities,in_reply_to_user_id,\
    lang,note_tweet,referenced_tweets,withheld&media.fields=alt_text,type,url,variants,preview_image_url,width,height\
    &expansions=attachments.media_keys,referenced_tweets.id";
const GENERATE: &str = "/v1beta/models/gemini-3.5-flash-lite:generateContent";

/// Posts of all kinds: short and long posts, threads, links, pictures, quotes.
fn posts(count: usize) -> Vec<TimelinePost> {
    let post = |number: usize| match number % 8 {
        0 => TimelinePost::new(format!("Live now {number}!")),
        1 | 2 => TimelinePost::new(format!("A thread about street {number} & more"))
            .in_thread(format!("{}", number / 8)),
        3 => TimelinePost {
            media: vec![TimelineMedia { kind: MediaKind::Photo, alt: None, url: None }],
            ..TimelinePost::new(format!("A picture of house {number}"))
        },
        4 => TimelinePost::new(format!("See https://example.com/{number} with @somebody #town")),
        5 => TimelinePost::new(format!("{number} {}", "a long story ".repeat(40).trim_end())),
        6 => TimelinePost {
            kind: Some(mynah_sandbox::PostKind::Quote),
            ..TimelinePost::new(format!("Quite so, {number}"))
        },
        _ => TimelinePost::new(format!("The town hall says number {number} and nothing else")),
    };
    (1..=count).map(post).collect()
}

async fn misbehaving(count: usize, profiles: &[Profile]) -> Sandbox {
    let faults = FaultPlan::of_profiles(3, profiles.iter().copied());
    sandbox(SandboxConfig { timeline: posts(count), faults, ..SandboxConfig::default() }).await
}

/// The followed account's newest posts.
async fn page(sandbox: &Sandbox, id: &str, rest: &str) -> Answer {
    get(sandbox, app(), &format!("/2/users/{id}/tweets?max_results=100&{EVERYTHING}{rest}")).await
}

/// The followed account's id, without a call that a profile could affect.
fn followed(sandbox: &Sandbox) -> String {
    sandbox.snapshot().account.id
}

fn members<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten().collect()
}

/// The value without nulls and without objects of nulls.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let is_null = |value: &Value| {
                value.is_null()
                    || value
                        .as_object()
                        .is_some_and(|inner| !inner.is_empty() && inner.values().all(Value::is_null))
            };
            let rest = object.iter().filter(|(_, value)| !is_null(value));
            rest.map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Counts how often each key is null.
fn count_nulls(value: &Value, counts: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if value.is_null() {
                    *counts.entry(key.clone()).or_default() += 1;
                }
                count_nulls(value, counts);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| count_nulls(value, counts)),
        _ => {}
    }
}

fn assert_conforms(name: &str, value: &Value) {
    let violations = schema::violations(name, value);
    assert!(violations.is_empty(), "{name}: {violations:#?}");
}

#[actix_rt::test]
async fn a_page_without_profiles_conforms_to_the_specification() {
    let sandbox = misbehaving(80, &[]).await;
    let id = user_id(&sandbox, "mynah_source").await;
    assert_conforms("GetUsersPostsResponse", &page(&sandbox, &id, "").await.json());
    assert_conforms("CreatePostsResponse", &publish(&sandbox, "hola").await.json());
}

#[actix_rt::test]
async fn nulls_replace_absent_fields_and_change_nothing_else() {
    let sandbox = misbehaving(200, &[]).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let mut nulls = BTreeMap::new();
    let mut until = String::new();
    for _ in 0..3 {
        sandbox.set_faults(FaultPlan::default());
        let normal = page(&sandbox, &id, &until).await.json();
        sandbox.set_faults(FaultPlan::of_profiles(5, [Profile::Nulls]));
        let with_nulls = page(&sandbox, &id, &until).await.json();
        assert_conforms("GetUsersPostsResponse", &with_nulls);
        count_nulls(&with_nulls, &mut nulls);
        let mut expected = normal.clone();
        let mut found = without_nulls(&with_nulls);
        // Tokens differ each time, and a post may lose its language and creation time.
        for body in [&mut expected, &mut found] {
            for key in ["next_token", "previous_token"] {
                body["meta"].as_object_mut().unwrap().remove(key);
            }
            for list in ["/data", "/includes/tweets"] {
                for post in body.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    post.as_object_mut().unwrap().retain(|key, _| key != "lang" && key != "created_at");
                }
            }
        }
        assert_eq!(found, expected);
        let oldest = normal["meta"]["oldest_id"].as_str().unwrap_or("0").to_owned();
        until = format!("&until_id={oldest}");
    }
    for field in [
        "referenced_tweets",
        "referenced_posts",
        "entities",
        "attachments",
        "media_keys",
        "note_tweet",
        "urls",
        "withheld",
        "lang",
        "created_at",
        "alt_text",
        "variants",
        "unwound_url",
        "polls",
        "next_token",
    ] {
        assert!(nulls.contains_key(field), "{field} is never null: {nulls:?}");
    }
}

#[actix_rt::test]
async fn nulls_are_also_in_answers_to_writes_and_in_errors() {
    let sandbox = misbehaving(0, &[Profile::Nulls]).await;
    let mut nulls = BTreeMap::new();
    for number in 0..20 {
        let created = publish(&sandbox, &format!("hola {number}")).await;
        assert_eq!(created.status, 201);
        assert_conforms("CreatePostsResponse", &created.json());
        count_nulls(&created.json(), &mut nulls);
        let me = get(&sandbox, user(ES), "/2/users/me").await.json();
        assert_conforms("GetUsersByUsernameResponse", &me);
        count_nulls(&me, &mut nulls);
        let body = json!({"media": "iVBORw0KGgo=", "media_category": "tweet_image"});
        let uploaded = post(&sandbox, user(ES), "/2/media/upload", body).await.json();
        assert_conforms("MediaUploadResponse", &uploaded);
        count_nulls(&uploaded, &mut nulls);
        let duplicate = publish(&sandbox, &format!("hola {number}")).await;
        assert_eq!(duplicate.status, 403);
        assert!(duplicate.json()["detail"].as_str().unwrap().contains("duplicate content"));
        count_nulls(&duplicate.json(), &mut nulls);
        let missing = get(&sandbox, user(ES), "/2/tweets?ids=1").await.json();
        count_nulls(&missing, &mut nulls);
    }
    for field in
        ["errors", "includes", "data", "processing_info", "video", "resource_id", "edit_history_post_ids"]
    {
        assert!(nulls.contains_key(field), "{field} is never null: {nulls:?}");
    }
}

#[actix_rt::test]
async fn odd_posts_show_every_oddity_and_are_as_readable_as_their_fate_says() {
    let sandbox = misbehaving(300, &[Profile::Odd]).await;
    let id = followed(&sandbox);
    let faults = FaultPlan::of_profiles(3, [Profile::Odd]);
    let posts = sandbox.posts();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut saw = |what, holds: bool| *seen.entry(what).or_default() += usize::from(holds);
    let mut until = String::new();
    for _ in 0..3 {
        let body = page(&sandbox, &id, &until).await.json();
        let included: Vec<&Value> =
            members(&body, "/includes/media").into_iter().map(|medium| &medium["media_key"]).collect();
        for post in members(&body, "/data") {
            // The id may be a number.
            let id = post["id"].as_str().map_or_else(|| post["id"].to_string(), str::to_owned);
            let stored = posts.iter().find(|stored| stored.id.to_string() == id).unwrap();
            let fate = faults.fate(stored.number);
            saw("numeric ids", post["id"].is_u64());
            saw(
                "both vocabularies",
                post.get("referenced_tweets").is_some() && post.get("referenced_posts").is_some(),
            );
            let (new, old) = (post.get("edit_history_post_ids"), post.get("edit_history_tweet_ids"));
            saw("the new vocabulary", new.is_some() && old.is_none());
            saw("no author without its expansion", post.get("author_id").is_none());
            saw("an unknown value", post["reply_settings"] == "friendsOfFriends");
            saw(
                "an unknown reference",
                members(post, "/referenced_tweets").iter().any(|r| r["type"] == "continued_from"),
            );
            saw(
                "a wrong language",
                stored.text.starts_with("Live now")
                    && !["en", "null"].contains(&post["lang"].as_str().unwrap_or("null")),
            );
            saw(
                "missing media",
                members(post, "/attachments/media_keys").iter().any(|key| !included.contains(key)),
            );
            let linked = members(post, "/entities/urls")
                .iter()
                .any(|url| url["expanded_url"] == "https://x.com/somebody_else/status/1/photo/1");
            saw("another's photo", linked);
            let readable = post["text"].is_string();
            assert_eq!(readable, fate.readability == Readability::Everywhere, "{post}");
            let notice = post["text"].as_str().is_some_and(|text| text.contains("has been withheld"));
            assert_eq!(notice, fate.withheld, "{post}");
            saw("a withheld notice", notice && post["withheld"]["country_codes"].is_array());
            if readable {
                continue;
            }
            let by_id = get(&sandbox, app(), &format!("/2/tweets?ids={id}&{EVERYTHING}")).await.json();
            let readable = by_id["data"][0]["text"].is_string();
            assert_eq!(readable, fate.readability == Readability::ById, "{by_id}");
            saw(if readable { "read by its id" } else { "never read" }, true);
        }
        let ids = members(&body, "/data");
        let oldest = ids.last().map_or("0".into(), |post| post["id"].to_string().replace('"', ""));
        until = format!("&until_id={oldest}");
    }
    for (what, count) in &seen {
        assert!(*count > 0, "{what} never appears: {seen:?}");
    }
    assert_eq!(seen.len(), 12, "{seen:?}");
}

#[actix_rt::test]
async fn writes_are_validated_strictly_against_the_specification() {
    let sandbox = misbehaving(0, &[]).await;
    let picture = "iVBORw0KGgo=";
    let upload = json!({"media": picture, "media_category": "tweet_image"});
    let with = |key: &str, value: Value| {
        let mut body = upload.clone();
        body[key] = value;
        body
    };
    let cases = [
        ("MediaUploadRequest", "/2/media/upload", upload.clone()),
        ("MediaUploadRequest", "/2/media/upload", with("media_type", json!("image/png"))),
        ("MediaUploadRequest", "/2/media/upload", with("shared", json!(false))),
        ("MediaUploadRequest", "/2/media/upload", with("media_category", json!("amplify_video"))),
        ("MediaUploadRequest", "/2/media/upload", with("additional_owners", json!("1,2"))),
        (
            "InitializeMediaUploadRequest",
            "/2/media/upload/initialize",
            json!({"media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": 9}),
        ),
        (
            "InitializeMediaUploadRequest",
            "/2/media/upload/initialize",
            json!({"media_type": "video/mp4; codecs=x", "media_category": "tweet_video", "total_bytes": 9}),
        ),
        (
            "InitializeMediaUploadRequest",
            "/2/media/upload/initialize",
            json!({"media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": 9, "name": "a"}),
        ),
        ("CreatePostsRequest", "/2/tweets", json!({"text": "hola"})),
        ("CreatePostsRequest", "/2/tweets", json!({"text": "hola uno", "lang": "es"})),
        ("CreatePostsRequest", "/2/tweets", json!({"text": "hola dos", "geo": {"place": "1"}})),
        ("CreatePostsRequest", "/2/tweets", json!({"text": "hola tres", "reply_settings": "everyone"})),
        ("CreatePostsRequest", "/2/tweets", json!({"text": "hola cuatro", "reply": {"id": "1"}})),
    ];
    for (name, path, body) in cases {
        let valid = schema::violations(name, &body).is_empty();
        let status = post(&sandbox, As::OAuth1(ES), path, body.clone()).await.status;
        assert_eq!(status < 300, valid, "{status} for {path} {body}");
        assert!(valid || status == 400, "{status} for {path} {body}");
    }
}

#[actix_rt::test]
async fn edited_posts_have_a_new_id_and_one_history() {
    // One page shows all posts, including both versions of some.
    let sandbox = misbehaving(85, &[]).await;
    let id = followed(&sandbox);
    let faults = FaultPlan::of_profiles(4, [Profile::Edited]);
    sandbox.set_faults(faults.clone());
    let first = page(&sandbox, &id, "").await.json();
    let second = page(&sandbox, &id, "").await.json();
    let (mut unseen, mut seen, mut both) = (0, 0, 0);
    for body in [&first, &second] {
        assert_conforms("GetUsersPostsResponse", body);
        for post in members(body, "/data") {
            let history = members(post, "/edit_history_tweet_ids");
            assert!(history.contains(&&post["id"]), "{post}");
            if history.len() < 2 {
                continue;
            }
            let listed =
                history.iter().filter(|id| members(body, "/data").iter().any(|post| &post["id"] == **id));
            both += usize::from(listed.count() == 2);
            for version in &history {
                let version = version.as_str().unwrap();
                let by_id = get(&sandbox, app(), &format!("/2/tweets?ids={version}")).await.json();
                assert_eq!(
                    by_id["data"][0]["edit_history_tweet_ids"],
                    json!(history),
                    "each version lists all versions"
                );
            }
        }
    }
    let edited = |body: &Value, text: &str| {
        let text = format!("{text} (edited)");
        members(body, "/data").iter().any(|post| {
            let whole = post.pointer("/note_tweet/text").unwrap_or(&post["text"]);
            whole.as_str().unwrap().starts_with(&text)
        })
    };
    // Skip texts with links, which differ on the wire.
    for (stored, number) in posts(85).iter().zip(1..).filter(|(stored, _)| !stored.text.contains("://")) {
        let text = stored.text.trim().replace('&', "&amp;");
        let found = (edited(&first, &text), edited(&second, &text));
        match faults.fate(number).edited {
            Edited::Unseen => {
                unseen += 1;
                assert!(found.0, "{text}");
            }
            Edited::Seen => {
                seen += 1;
                assert_eq!(found, (false, true), "edited after it was shown: {text}");
            }
            Edited::Never => assert_eq!(found, (false, false), "{text}"),
        }
    }
    assert!(unseen > 0 && seen > 0 && both > 0, "{unseen} unseen, {seen} seen, {both} both");
    let newest = second["data"][0]["id"].as_str().unwrap();
    assert!(first["data"][0]["id"].as_str().unwrap() < newest, "the edit appears as the newest post");
}

#[actix_rt::test]
async fn late_publications_appear_in_time_and_some_successes_are_reported_as_errors() {
    let sandbox = misbehaving(0, &[Profile::Late]).await;
    let mut denied = 0;
    for number in 0..40 {
        let body = json!({"text": format!("hola {number}")});
        let before = sandbox.publications(ES).len();
        let answer = call(&sandbox, As::OAuth1(ES), Method::POST, "/2/tweets", Some(body));
        // Give up hanging calls.
        let answer = tokio::time::timeout(Duration::from_millis(500), answer).await;
        let reported = answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 201));
        assert_eq!(sandbox.publications(ES).len(), before + 1, "the sandbox acts, whatever it answers");
        denied += usize::from(!reported);
    }
    assert!(denied > 0, "every answer reported the success");
    let id = sandbox.snapshot().targets[0].id.clone();
    let path = format!("/2/users/{id}/tweets?max_results=100");
    let (mut without_data, mut complete) = (0, 0);
    for number in 0..40 {
        sandbox.set_faults(FaultPlan::default());
        publish(&sandbox, &format!("otra vez {number}")).await;
        sandbox.set_faults(FaultPlan::of_profiles(number, [Profile::Late]));
        let body = get(&sandbox, As::OAuth1(ES), &path).await.json();
        let newest = sandbox.publications(ES).last().unwrap().id.to_string();
        if body.get("data").is_none() && body.get("meta").is_none_or(|meta| meta.get("next_token").is_none())
        {
            without_data += 1;
        } else if body["data"][0]["id"] == newest {
            complete += 1;
        }
    }
    assert!(
        without_data > 0 && complete > 0 && complete < 40 - without_data,
        "{without_data}, {complete} of 40"
    );
    let shown = async || {
        let body = get(&sandbox, As::OAuth1(ES), &path).await.json();
        members(&body, "/data").len() == sandbox.publications(ES).len()
    };
    let begun = std::time::Instant::now();
    while !shown().await {
        assert!(begun.elapsed() < DEADLINE, "a publication never appeared");
    }
}

#[actix_rt::test]
async fn late_pages_repeat_are_empty_and_expire_but_still_lead_through_every_post() {
    let sandbox = misbehaving(160, &[Profile::Late]).await;
    let id = followed(&sandbox);
    let (mut repeated, mut empty, mut expired) = (0, 0, 0);
    for _ in 0..8 {
        let mut seen = std::collections::BTreeSet::new();
        let (mut token, mut until): (Option<String>, String) = (None, String::new());
        loop {
            let rest = token.as_ref().map_or(String::new(), |token| format!("&pagination_token={token}"));
            let path = format!("/2/users/{id}/tweets?max_results=8{until}{rest}");
            let answer = get(&sandbox, app(), &path).await;
            let body = answer.json();
            if answer.status == 400 {
                assert!(answer.text.contains("pagination_token"), "{}", answer.text);
                expired += 1;
                token = None;
                until = seen.first().map_or(String::new(), |id| format!("&until_id={id}"));
                continue;
            }
            seen.extend(members(&body, "/data").iter().map(|post| post["id"].as_str().unwrap().to_owned()));
            let next = body["meta"]["next_token"].as_str().map(str::to_owned);
            repeated += usize::from(next.is_some() && next == token);
            empty += usize::from(next.is_some() && body["meta"]["result_count"] == 0);
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        assert_eq!(seen.len(), 160);
    }
    assert!(
        repeated > 0 && empty > 0 && expired > 0,
        "{repeated} repeated, {empty} empty, {expired} expired"
    );
}

#[actix_rt::test]
async fn errors_echo_the_tokens_of_the_request_in_long_answers() {
    let sandbox = misbehaving(0, &[Profile::Echo]).await;
    let secret = credentials(ES).user_bearer_token;
    let (mut echoed, mut plain) = (0, 0);
    for number in 0..30 {
        // Several kinds of errors: an invalid body, an invalid query, a wrong token.
        let answers = [
            post(&sandbox, user(ES), "/2/tweets", json!({"nonsense": number})).await,
            get(&sandbox, user(ES), "/2/tweets?ids=abc").await,
            get(&sandbox, As::Raw(format!("Bearer {secret}-{number}")), "/2/users/me").await,
        ];
        for answer in answers {
            assert!(answer.status >= 400);
            let error = answer.json();
            assert!(error["title"].is_string(), "it is still X's error: {error}");
            if answer.text.contains(&secret) {
                echoed += 1;
                assert!(answer.text.len() > 256 * 1024, "{}", answer.text.len());
            } else {
                plain += 1;
            }
        }
    }
    assert!(echoed > 10 && plain > 10, "{echoed} echoed, {plain} plain");
    sandbox
        .set_faults(FaultPlan { echo_bytes: Some(1_000_000), ..FaultPlan::of_profiles(3, [Profile::Echo]) });
    let mut longest = 0;
    for number in 0..10 {
        let body = json!({"contents": number});
        let answer = post(&sandbox, As::Key("sandbox-gemini-key"), GENERATE, body).await;
        let echoes = answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("x-goog-api-key: sandbox-gemini-key");
        longest = longest.max(if echoes { answer.text.len() } else { 0 });
    }
    assert!((1_000_000..1_010_000).contains(&longest), "{longest}");
}

#[actix_rt::test]
async fn a_rate_limit_has_the_ordered_reset() {
    let sandbox = misbehaving(0, &[]).await;
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (fault, remaining, from_now) in [
        (XFault::ResetPast, "0", -3600..=-3590_i64),
        (XFault::ResetNow, "0", -10..=0),
        (XFault::ResetFar, "0", 1_000_000_000..=i64::MAX),
        (XFault::ResetUnused, "75", 1_000_000_000..=i64::MAX),
    ] {
        sandbox.set_faults(plan([FaultRule::new(Endpoint::Me, Fault::X(fault))]));
        let answer = get(&sandbox, user(ES), "/2/users/me").await;
        assert_eq!((answer.status, answer.header("x-rate-limit-remaining")), (429, remaining), "{fault:?}");
        let reset: i64 = answer.header("x-rate-limit-reset").parse().unwrap();
        let away = reset - i64::try_from(now()).unwrap();
        assert!(from_now.contains(&away), "{fault:?}: {away}");
        assert_eq!(answer.headers.get("retry-after").is_some(), fault == XFault::ResetNow);
    }
}

#[actix_rt::test]
async fn a_refusal_has_the_right_code_and_message() {
    let sandbox = misbehaving(0, &[]).await;
    for (fault, code, words) in [
        (XFault::DailyUpdates, 185, "daily status update limit"),
        (XFault::DailyLimit, 344, "daily limit"),
        (XFault::Automated, 226, "might be automated"),
        (XFault::Locked, 326, "temporarily locked"),
        (XFault::Suspended, 64, "is suspended"),
    ] {
        sandbox.set_faults(plan([FaultRule::new(Endpoint::Post, Fault::X(fault))]));
        let answer = publish(&sandbox, "hola").await;
        assert_eq!(answer.status, 403, "{fault:?}");
        let error = answer.json();
        assert_eq!(error["errors"][0]["code"], code, "{fault:?}");
        assert!(error["detail"].as_str().unwrap().contains(words), "{fault:?}: {error}");
    }
    assert_eq!(sandbox.publications(ES).len(), 0);
}

#[actix_rt::test]
async fn an_answer_without_data_is_a_200() {
    let sandbox = misbehaving(1, &[]).await;
    let id = user_id(&sandbox, ES).await;
    let path = format!("/2/users/{id}/tweets");
    for (fault, errors, meta) in [
        (XFault::ErrorsOnly, true, false),
        (XFault::ErrorsAndNoResults, true, true),
        (XFault::EmptyObject, false, false),
    ] {
        sandbox.set_faults(plan([FaultRule::new(Endpoint::Timeline, Fault::X(fault))]));
        let answer = get(&sandbox, user(ES), &path).await;
        let body = answer.json();
        assert_eq!((answer.status, body.get("data")), (200, None), "{fault:?}");
        assert_eq!((body["errors"].is_array(), body.get("meta").is_some()), (errors, meta), "{fault:?}");
    }
}

#[actix_rt::test]
async fn a_model_gives_the_ordered_wrong_answer() {
    type Check = fn(&Value, Option<&str>) -> bool;
    let sandbox = misbehaving(0, &[]).await;
    let items =
        json!([{"id": "1", "target": "es", "text": "Hello ⟦0⟧"}, {"id": "2", "target": "es", "text": "Bye"}]);
    let request = json!({
        "contents": [{"role": "user", "parts": [{"text": json!({"items": items}).to_string()}]}],
        "generationConfig": {"responseMimeType": "application/json"},
    });
    let text = |body: &Value| {
        body.pointer("/candidates/0/content/parts/0/text").and_then(Value::as_str).map(str::to_owned)
    };
    let cases: [(GeminiFault, Check); 14] = [
        (GeminiFault::Model(ModelFault::Fenced), |_, text| {
            text.is_some_and(|text| text.starts_with("```json\n[") && text.ends_with("]\n```"))
        }),
        (GeminiFault::Model(ModelFault::ItemsObject), |_, text| {
            text.is_some_and(|text| text.starts_with("{\"items\": ["))
        }),
        (GeminiFault::EmptyCandidates, |body, _| body["candidates"] == json!([])),
        (GeminiFault::Model(ModelFault::WrongIds), |_, text| {
            text.is_some_and(|text| text.matches("nobody-sent-this").count() == 2)
        }),
        (GeminiFault::Model(ModelFault::ControlCharacters), |_, text| {
            text.is_some_and(|text| text.contains("\\u001b"))
        }),
        (GeminiFault::Model(ModelFault::DirectionMarks), |_, text| {
            text.is_some_and(|text| text.contains('\u{202e}'))
        }),
        (GeminiFault::NegativeCounts, |body, _| body["usageMetadata"]["promptTokenCount"].as_i64() < Some(0)),
        (GeminiFault::RetryNow, |body, _| body["error"]["details"][0]["retryDelay"] == "0s"),
        (GeminiFault::NullParts, |body, _| body.pointer("/candidates/0/content/parts") == Some(&Value::Null)),
        (GeminiFault::NullCandidates, |body, _| body.get("candidates") == Some(&Value::Null)),
        (GeminiFault::NullContent, |body, _| body.pointer("/candidates/0/content") == Some(&Value::Null)),
        (GeminiFault::NullText, |body, _| {
            body.pointer("/candidates/0/content/parts/0/text") == Some(&Value::Null)
        }),
        (GeminiFault::NullCounts, |body, text| {
            text.is_some() && body.pointer("/usageMetadata/promptTokenCount") == Some(&Value::Null)
        }),
        (GeminiFault::QuotedCounts, |body, text| {
            text.is_some() && body["usageMetadata"]["totalTokenCount"].is_string()
        }),
    ];
    for (fault, check) in cases {
        sandbox.set_faults(plan([FaultRule::new(Endpoint::Generate, Fault::Gemini(fault))]));
        let body = post(&sandbox, As::Key("sandbox-gemini-key"), GENERATE, request.clone()).await.json();
        assert!(check(&body, text(&body).as_deref()), "{fault:?}: {body}");
    }
}

#[actix_rt::test]
async fn a_hostile_timeline_repeats_one_token_forever_in_some_backfills() {
    let sandbox = misbehaving(20, &[Profile::Hostile]).await;
    let path = format!("/2/users/{}/tweets?max_results=5", followed(&sandbox));
    let (mut stuck, mut limited, mut guarded) = (0, 0, 0);
    for _ in 0..100 {
        let answer = get(&sandbox, app(), &path).await;
        match answer.status {
            429 => limited += 1,
            403 => guarded += usize::from(answer.content_type().starts_with("text/html")),
            _ => {
                let token = answer.json()["meta"]["next_token"].as_str().unwrap().to_owned();
                let rest = format!("{path}&pagination_token={token}");
                let next = async || loop {
                    let answer = get(&sandbox, app(), &rest).await;
                    if answer.status == 200 {
                        break answer.json()["meta"]["next_token"] == token;
                    }
                };
                let same = next().await;
                assert_eq!(same, next().await, "once stuck, it stays stuck");
                stuck += usize::from(same);
            }
        }
    }
    assert!(
        stuck > 0 && stuck < 50 && limited > 0 && guarded > 0,
        "{stuck} stuck, {limited} limited, {guarded} guarded"
    );
}

#[actix_rt::test]
async fn profiles_can_change_at_run_time_and_the_same_seed_has_the_same_effect() {
    let sandbox = misbehaving(50, &[]).await;
    let id = followed(&sandbox);
    let set_plan = async |plan: Value| {
        call(&sandbox, As::Nobody, Method::PUT, "/_sandbox/faults", Some(plan)).await.unwrap()
    };
    let all = json!({"seed": 9, "profiles": ["nulls", "odd"], "echo_bytes": 10});
    assert_eq!(set_plan(all.clone()).await.json(), json!({"rules": 0, "profiles": ["nulls", "odd"]}));
    let first = page(&sandbox, &id, "").await.text;
    set_plan(all).await;
    assert_eq!(first, page(&sandbox, &id, "").await.text);
    set_plan(json!({"seed": 10, "profiles": ["nulls", "odd"]})).await;
    assert_ne!(first, page(&sandbox, &id, "").await.text);
    let current = get(&sandbox, As::Nobody, "/_sandbox/faults").await.json();
    assert_eq!(current["profiles"], json!(["nulls", "odd"]));
    let wrong = set_plan(json!({"profiles": ["rude"]})).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("unknown variant `rude`"), "{}", wrong.text);
    set_plan(json!({})).await;
    let normal = page(&sandbox, &id, "").await.json();
    assert_conforms("GetUsersPostsResponse", &normal);
    let mut nulls = BTreeMap::new();
    count_nulls(&normal, &mut nulls);
    assert!(nulls.is_empty(), "{nulls:?}");
}
