//! Mastodon: statuses, pages and media, as Mastodon answers, and on demand as other servers do.

#![allow(clippy::unwrap_used, reason = "test code may panic")]

mod support;

use actix_web::http::Method;
use futures_util::StreamExt as _;
use mynah_sandbox::{
    Endpoint, EndpointPattern, Fault, FaultRule, MastodonFault, Sandbox, SandboxConfig, ServiceStar,
    TimelinePost, UserState, mastodon_token,
};
use serde_json::{Value, json};
use support::{Answer, As, call, get, plan, post, sandbox};

const TOWN: &str = "town_es@mastodon.example";

async fn start(config: SandboxConfig) -> Sandbox {
    sandbox(config.target(TOWN, "es")).await
}

fn town() -> As {
    As::Bearer(mastodon_token(TOWN))
}

async fn publish(sandbox: &Sandbox, body: Value) -> Answer {
    post(sandbox, town(), "/api/v1/statuses", body).await
}

async fn id(sandbox: &Sandbox) -> String {
    let me = get(sandbox, town(), "/api/v1/accounts/verify_credentials").await.json();
    me["id"].as_str().unwrap().to_owned()
}

fn ids(answer: &Answer) -> Vec<String> {
    answer.json().as_array().unwrap().iter().map(|status| status["id"].as_str().unwrap().to_owned()).collect()
}

/// Publishes with an idempotency key.
async fn publish_once(sandbox: &Sandbox, key: &str, text: &str) -> (u16, Value) {
    let mut answer = awc::Client::default()
        .post(format!("{}/api/v1/statuses", sandbox.url()))
        .insert_header(("authorization", format!("Bearer {}", mastodon_token(TOWN))))
        .insert_header(("idempotency-key", key))
        .send_json(&json!({"status": text}))
        .await
        .unwrap();
    let body = answer.body().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&body).unwrap())
}

async fn upload(sandbox: &Sandbox, bytes: &[u8], description: &str) -> (u16, Value) {
    let mut body = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".to_vec();
    body.extend_from_slice(bytes);
    body.extend_from_slice(
        format!("\r\n--x\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n{description}\r\n--x--\r\n")
            .as_bytes(),
    );
    let mut answer = awc::Client::default()
        .post(format!("{}/api/v2/media", sandbox.url()))
        .insert_header(("authorization", format!("Bearer {}", mastodon_token(TOWN))))
        .insert_header(("content-type", "multipart/form-data; boundary=x"))
        .send_body(body)
        .await
        .unwrap();
    let body = answer.body().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&body).unwrap())
}

#[actix_rt::test]
async fn a_status_is_published_as_html_with_its_entities() {
    let sandbox = start(SandboxConfig::default()).await;
    let text = "Hola & <b> @town_es #Puerto\nhttps://example.com/a";
    let body = json!({"status": text, "language": "es", "spoiler_text": "Spoiler", "visibility": "unlisted"});
    let status = publish(&sandbox, body).await.json();
    let content = status["content"].as_str().unwrap();
    assert!(content.starts_with("<p>Hola &amp; &lt;b&gt; <span class=\"h-card\""), "{content}");
    assert!(content.contains("<br /><a href=\"https://example.com/a\""), "{content}");
    assert_eq!(status["tags"][0]["name"], "puerto");
    assert_eq!(status["mentions"][0]["acct"], "town_es");
    let shown = ["language", "spoiler_text", "visibility"].map(|name| status[name].as_str().unwrap());
    assert_eq!(shown, ["es", "Spoiler", "unlisted"]);
    assert_eq!(status["sensitive"], true);
    let path = format!("/api/v1/statuses/{}", status["id"].as_str().unwrap());
    assert_eq!(get(&sandbox, As::Nobody, &path).await.json()["content"], status["content"]);
    let message = &sandbox.messages(TOWN)[0];
    assert_eq!((&*message.text, message.warning.as_deref()), (text, Some("Spoiler")));

    let edited =
        call(&sandbox, town(), Method::PUT, &path, Some(json!({"status": "Otra"}))).await.unwrap().json();
    assert!(edited["edited_at"].is_string() && edited["content"] == "<p>Otra</p>");
    let deleted = call(&sandbox, town(), Method::DELETE, &path, None).await.unwrap().json();
    assert_eq!(deleted["text"], "Otra");
    assert_eq!(get(&sandbox, As::Nobody, &path).await.json(), json!({"error": "Record not found"}));
}

#[actix_rt::test]
async fn an_invalid_status_is_refused_in_mastodons_words() {
    let sandbox = start(SandboxConfig::default()).await;
    for (body, status, sentence) in [
        (json!({"status": ""}), 422, "Validation failed: Text can't be blank"),
        (json!({"status": "x".repeat(501)}), 422, "Validation failed: Text character limit of 500 exceeded"),
        (
            json!({"status": "x", "in_reply_to_id": "99"}),
            404,
            "The post you are trying to reply to does not appear to exist.",
        ),
        (
            json!({"status": "x", "media_ids": ["99"]}),
            422,
            "Media 99 not found or already attached to another post",
        ),
    ] {
        let answer = publish(&sandbox, body).await;
        assert_eq!((answer.status, answer.json()), (status, json!({"error": sentence})));
    }
    let link = format!("https://example.com/{}", "x".repeat(600));
    assert_eq!(publish(&sandbox, json!({"status": link})).await.status, 200, "a link counts 23 characters");
    for who in [As::Nobody, As::Bearer("wrong".into())] {
        let answer = post(&sandbox, who, "/api/v1/statuses", json!({"status": "x"})).await;
        assert_eq!((answer.status, answer.json()), (401, json!({"error": "The access token is invalid"})));
    }
    sandbox.set_user_state(TOWN, UserState::Suspended);
    let answer = publish(&sandbox, json!({"status": "x"})).await;
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (403, json!("Your login is currently disabled"))
    );
    sandbox.set_user_state(TOWN, UserState::Active);
    sandbox.revoke_token(TOWN);
    let answer = publish(&sandbox, json!({"status": "x"})).await;
    assert_eq!((answer.status, answer.json()["error"].clone()), (401, json!("The access token was revoked")));
}

#[actix_rt::test]
async fn a_repeated_key_gives_the_same_status_except_on_servers_that_ignore_or_break_it() {
    let sandbox = start(SandboxConfig::default()).await;
    let (_, first) = publish_once(&sandbox, "a", "Uno").await;
    let (status, again) = publish_once(&sandbox, "a", "Uno").await;
    assert_eq!((status, &again["id"]), (200, &first["id"]));
    sandbox
        .set_faults(plan([FaultRule::new(Endpoint::MastodonPost, Fault::Mastodon(MastodonFault::KeyFails))]));
    assert_eq!(publish_once(&sandbox, "a", "Uno").await.0, 500);
    assert_eq!(publish_once(&sandbox, "b", "Dos").await.0, 200);
    assert_eq!(sandbox.messages(TOWN).len(), 2);
    sandbox.set_faults(plan([FaultRule::new(
        Endpoint::MastodonPost,
        Fault::Mastodon(MastodonFault::KeyIgnored),
    )]));
    let (_, twice) = publish_once(&sandbox, "a", "Uno").await;
    assert_ne!(twice["id"], first["id"]);
}

#[actix_rt::test]
async fn pages_go_up_and_down_and_some_servers_have_none() {
    let sandbox = start(SandboxConfig::default()).await;
    for number in 1..=5 {
        sandbox.post_as(TOWN, TimelinePost::new(format!("{number}")));
    }
    let path = format!("/api/v1/accounts/{}/statuses", id(&sandbox).await);
    let all = ids(&get(&sandbox, As::Nobody, &path).await);
    assert_eq!(all.len(), 5);
    let page = async |query: &str| get(&sandbox, As::Nobody, &format!("{path}?{query}")).await;
    let newest = page("limit=2").await;
    assert_eq!(ids(&newest), all[..2]);
    let url = format!("{}{path}", sandbox.url());
    assert_eq!(
        newest.header("link"),
        format!(
            "<{url}?limit=2&max_id={}>; rel=\"next\", <{url}?limit=2&min_id={}>; rel=\"prev\"",
            all[1], all[0]
        )
    );
    assert_eq!(ids(&page(&format!("limit=2&max_id={}", all[1])).await), all[2..4]);
    // Above the oldest: `min_id` gives the page right above it, `since_id` the newest page.
    assert_eq!(ids(&page(&format!("limit=2&min_id={}", all[4])).await), all[2..4]);
    assert_eq!(ids(&page(&format!("limit=2&since_id={}", all[4])).await), all[..2]);
    let habit = Fault::Mastodon(MastodonFault::PagingIgnored);
    sandbox.set_faults(plan([FaultRule::new(Endpoint::MastodonTimeline, habit)]));
    let whole = page(&format!("limit=2&max_id={}", all[1])).await;
    assert!(ids(&whole) == all && whole.headers.get("link").is_none());
}

#[actix_rt::test]
async fn strangers_see_only_what_is_public() {
    let sandbox = start(SandboxConfig::default().also_followed("ann@other.example")).await;
    publish(&sandbox, json!({"status": "Todos"})).await;
    let private = publish(&sandbox, json!({"status": "Amigos", "visibility": "private"})).await.json();
    let path = format!("/api/v1/accounts/{}/statuses", id(&sandbox).await);
    assert_eq!(ids(&get(&sandbox, As::Nobody, &path).await).len(), 1);
    assert_eq!(ids(&get(&sandbox, town(), &path).await).len(), 2);
    let private = format!("/api/v1/statuses/{}", private["id"].as_str().unwrap());
    assert_eq!(get(&sandbox, As::Nobody, &private).await.status, 404);
    let lookup =
        async |acct: &str| get(&sandbox, As::Nobody, &format!("/api/v1/accounts/lookup?acct={acct}")).await;
    assert_eq!(lookup("town_es").await.json()["acct"], "town_es");
    assert_eq!(lookup("ann@other.example").await.json()["acct"], "ann@other.example");
    assert_eq!(lookup("nobody").await.status, 404);
    sandbox.set_user_state(TOWN, UserState::Suspended);
    assert_eq!(lookup(TOWN).await.json()["suspended"], true);
    assert!(ids(&get(&sandbox, As::Nobody, &path).await).is_empty());
}

#[actix_rt::test]
async fn a_picture_is_done_at_once_and_a_video_later() {
    let sandbox = start(SandboxConfig::default()).await;
    let (status, picture) = upload(&sandbox, b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", "Un perro").await;
    assert_eq!(
        (status, &picture["type"], &picture["description"]),
        (200, &json!("image"), &json!("Un perro"))
    );
    let (status, refused) = upload(&sandbox, b"%PDF-1.4", "").await;
    assert_eq!(
        (status, &refused["error"]),
        (422, &json!("Validation failed: File content type is invalid, File is invalid"))
    );
    let (status, video) = upload(&sandbox, b"\0\0\0\x18ftypmp42", "").await;
    assert_eq!((status, &video["url"]), (202, &Value::Null));
    let attach =
        async |media: &Value| publish(&sandbox, json!({"status": "Con", "media_ids": [media["id"]]})).await;
    let early = attach(&video).await;
    assert_eq!(
        early.json()["error"],
        "Cannot attach files that have not finished processing. Try again in a moment!"
    );
    let path = format!("/api/v1/media/{}", video["id"].as_str().unwrap());
    let statuses = [get(&sandbox, town(), &path).await.status, get(&sandbox, town(), &path).await.status];
    assert_eq!(statuses, [206, 200]);
    assert_eq!(attach(&video).await.status, 200);
    assert_eq!(attach(&picture).await.status, 200);
    assert_eq!(attach(&picture).await.status, 422, "it has a status already");
    assert_eq!(sandbox.messages(TOWN)[1].media[0].alt.as_deref(), Some("Un perro"));
}

#[actix_rt::test]
async fn limits_and_their_end_are_in_the_headers_in_the_form_of_each_server() {
    let sandbox = start(SandboxConfig::default()).await;
    let answer = get(&sandbox, As::Nobody, "/api/v2/instance").await;
    assert_eq!(answer.json()["configuration"]["statuses"]["max_characters"], 500);
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("300", "299"));
    let reset = answer.header("x-ratelimit-reset");
    assert!(reset.ends_with(".000000Z") && reset.len() == 27, "{reset}");
    for (fault, is_unix) in [(Fault::Status(429), false), (Fault::Mastodon(MastodonFault::ResetUnix), true)] {
        sandbox.set_faults(plan([FaultRule::new(EndpointPattern::Of(ServiceStar::Mastodon), fault)]));
        let answer = get(&sandbox, As::Nobody, "/api/v2/instance").await;
        assert_eq!((answer.status, answer.json()), (429, json!({"error": "Too many requests"})));
        assert_eq!(answer.header("x-ratelimit-remaining"), "0");
        assert_eq!(answer.header("x-ratelimit-reset").parse::<u64>().is_ok(), is_unix);
    }
    for (fault, status) in [
        (Fault::Mastodon(MastodonFault::Disabled), 403),
        (Fault::Mastodon(MastodonFault::Gone), 410),
        (Fault::HtmlPage, 403),
        (Fault::Status(502), 502),
    ] {
        sandbox.set_faults(plan([FaultRule::new(EndpointPattern::ALL, fault)]));
        assert_eq!(publish(&sandbox, json!({"status": "x"})).await.status, status);
    }
    assert!(sandbox.messages(TOWN).is_empty());
}

#[actix_rt::test]
async fn a_stream_tells_of_posts_edits_and_deletions_until_it_is_cut() {
    let sandbox = start(SandboxConfig::default().also_followed("ann@other.example")).await;
    sandbox.post_as(TOWN, TimelinePost::new("Before"));
    let nobody = get(&sandbox, As::Nobody, "/api/v1/streaming/user").await;
    assert_eq!((nobody.status, nobody.json()["error"].clone()), (401, json!("Missing access token")));
    let mut stream = awc::Client::default()
        .get(format!("{}/api/v1/streaming/user", sandbox.url()))
        .insert_header(("authorization", format!("Bearer {}", mastodon_token(TOWN))))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.headers().get("content-type").unwrap(), "text/event-stream");
    let mut heard = String::new();
    let mut until = async |end: &str| {
        while !heard.ends_with(end) {
            match stream.next().await {
                Some(piece) => heard.push_str(std::str::from_utf8(&piece.unwrap()).unwrap()),
                None => break,
            }
        }
        std::mem::take(&mut heard)
    };
    assert_eq!(until(":)\n").await, ":)\n");
    sandbox.post_as("ann@other.example", TimelinePost::new("Somebody else's"));
    let id = sandbox.post_as(TOWN, TimelinePost::new("News"));
    let event = until("\n\n").await;
    let data = event.strip_prefix("event: update\ndata: ").unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap()["id"], id);
    let path = format!("/api/v1/statuses/{id}");
    call(&sandbox, town(), Method::PUT, &path, Some(json!({"status": "Other news"}))).await.unwrap();
    assert!(until("\n\n").await.starts_with("event: status.update\n"));
    call(&sandbox, town(), Method::DELETE, &path, None).await.unwrap();
    assert_eq!(until("\n\n").await, format!("event: delete\ndata: {id}\n\n"));
    sandbox.cut_stream();
    sandbox.post_as(TOWN, TimelinePost::new("Unheard"));
    assert_eq!(until("\n\n").await, "");
}

#[actix_rt::test]
async fn the_state_and_the_page_show_all_networks() {
    let sandbox = start(SandboxConfig::default().target("town-ca.example", "ca").posts(["350 trees"])).await;
    publish(&sandbox, json!({"status": "350 árboles https://example.com/<b>", "spoiler_text": "Verde"}))
        .await;
    let state = get(&sandbox, As::Nobody, "/_sandbox/state").await.json();
    let handles: Vec<&str> = state["elsewhere"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["handle"].as_str().unwrap())
        .collect();
    assert_eq!(handles, ["town-ca.example", TOWN]);
    assert_eq!(state["elsewhere"][1]["messages"][0]["warning"], "Verde");
    let page = get(&sandbox, As::Nobody, "/").await.text;
    for shown in [
        "X, Bluesky, Mastodon and Gemini",
        "@town-ca.example <span class=\"quiet\">Bluesky · ca · 0</span>",
        "@town_es<wbr>@mastodon.example <span class=\"quiet\">Mastodon · es · 1</span>",
        "<p class=\"notice\" lang=\"en\" dir=\"auto\">Verde</p>",
        "350 árboles",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<b>"));
    let body = json!([{"text": "Uno"}, {"text": "Dos"}]);
    let posted = post(&sandbox, As::Nobody, "/_sandbox/posts/town-ca.example", body).await;
    assert_eq!((posted.status, sandbox.messages("town-ca.example").len()), (201, 2));
}
