//! Writing to X: who may write, what is refused with which message, and what the account shows afterwards.

mod support;

use actix_web::http::Method;
use mynah_sandbox::{AuthKind, Endpoint, SandboxConfig};
use serde_json::json;
use support::{As, ES, app, call, get, post, publish, sandbox, sign, user, user_id};

#[actix_rt::test]
async fn a_signed_post_is_published_with_its_links_wrapped() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let answer = publish(&sandbox, "Hola & https://example.com").await;
    assert_eq!((answer.status, answer.content_type()), (201, "application/json; charset=utf-8"));
    let body = answer.json();
    assert!(body["data"]["text"].as_str().unwrap().starts_with("Hola &amp; https://t.co/"));
    assert_eq!(body["data"]["edit_history_tweet_ids"], json!([body["data"]["id"]]));
    let published = sandbox.publications(ES);
    assert_eq!(published[0].text, "Hola & https://example.com");
    assert_eq!(published[0].auth, Some(AuthKind::OAuth1));
    assert_eq!(sandbox.bill().posts_with_link, 1);
    // The account can read its publication back. That is how Mynah resolves a lost answer.
    let id = user_id(&sandbox, ES).await;
    let own = get(&sandbox, As::OAuth1(ES), &format!("/2/users/{id}/tweets")).await.json();
    assert_eq!(own["data"][0]["id"], body["data"]["id"]);
    assert_eq!(sandbox.bill().owned_reads, 1);
}

#[actix_rt::test]
async fn only_a_valid_recent_and_unused_signature_is_accepted() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let url = format!("{}/2/tweets", sandbox.url());
    let unauthorized =
        json!({"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"});
    let header = sign(ES, "POST", &url);
    let tampered = header.replacen("oauth_nonce=\"", "oauth_nonce=\"x", 1);
    let for_another_method = sign(ES, "PUT", &url);
    let for_another_account = sign("nobody", "POST", &url);
    for wrong in [&tampered, &for_another_method, &for_another_account, "Bearer nonsense", "nonsense"] {
        let answer = post(&sandbox, As::Raw(wrong.into()), "/2/tweets", json!({"text": "a"})).await;
        assert_eq!((answer.status, answer.json()), (401, unauthorized.clone()), "{wrong}");
        assert_eq!(answer.content_type(), "application/problem+json");
    }
    assert_eq!(post(&sandbox, As::Nobody, "/2/tweets", json!({"text": "a"})).await.status, 401);
    let first = post(&sandbox, As::Raw(header.clone()), "/2/tweets", json!({"text": "a"})).await;
    assert_eq!(first.status, 201);
    let replayed = post(&sandbox, As::Raw(header), "/2/tweets", json!({"text": "b"})).await;
    assert_eq!(replayed.status, 401);
    assert_eq!(sandbox.publications(ES).len(), 1);
}

#[actix_rt::test]
async fn an_app_token_only_reads_and_a_user_token_also_posts() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let refused = post(&sandbox, app(), "/2/tweets", json!({"text": "a"})).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["title"], "Unsupported Authentication");
    assert_eq!(post(&sandbox, user(ES), "/2/tweets", json!({"text": "a"})).await.status, 201);
    assert_eq!(sandbox.publications(ES)[0].auth, Some(AuthKind::OAuth2));
    assert_eq!(get(&sandbox, user(ES), "/2/users/me").await.json()["data"]["username"], ES);
    sandbox.revoke_token(ES);
    assert_eq!(publish(&sandbox, "b").await.status, 401);
    assert_eq!(get(&sandbox, user(ES), "/2/users/me").await.status, 401);
}

#[actix_rt::test]
async fn only_an_account_with_premium_publishes_long_posts_and_its_timeline_has_them_whole() {
    let usual = sandbox(SandboxConfig::default()).await;
    let config = SandboxConfig::default().target(ES, "es").with_premium();
    let premium = mynah_sandbox::start(config).await.unwrap();
    let long = "ñ ".repeat(12_499) + "ñ.";
    assert_eq!(publish(&usual, &long).await.status, 400);
    assert_eq!(publish(&premium, &format!("{long}.")).await.status, 400);
    assert_eq!(publish(&premium, &long).await.status, 201);
    let id = user_id(&premium, ES).await;
    let path = format!("/2/users/{id}/tweets?tweet.fields=note_tweet");
    let own = get(&premium, As::OAuth1(ES), &path).await.json();
    assert_eq!(own["data"][0]["note_tweet"]["text"], json!(long));
}

#[actix_rt::test]
async fn refusals_have_xs_messages() {
    let sandbox = sandbox(SandboxConfig::default().posts(["from another"])).await;
    assert_eq!(publish(&sandbox, "hola").await.status, 201);
    let again = publish(&sandbox, "hola").await;
    assert_eq!(
        (again.status, again.json()),
        (
            403,
            json!({"detail": "You are not allowed to create a Tweet with duplicate content.",
                "type": "about:blank", "title": "Forbidden", "status": 403})
        )
    );
    let long = publish(&sandbox, &"ñ".repeat(281)).await;
    assert_eq!(long.status, 400);
    assert!(
        long.json()["errors"][0]["message"].as_str().unwrap().starts_with("Your Tweet text is too long.")
    );
    // Any link weighs 23, and an emoji two.
    let fits = format!("{} https://example.com/{} 🔥", "a".repeat(253), "b".repeat(200));
    assert_eq!(publish(&sandbox, &fits).await.status, 201);
    let other = sandbox.posts()[0].id.to_string();
    for (body, status, message) in [
        (json!({"text": " "}), 400, "must be at least"),
        (json!({"txet": "a"}), 400, "$.txet: is not defined in the schema"),
        (json!({"text": "a", "media": {"media_ids": []}}), 400, "between 1 and 4"),
        (json!({"text": "a", "media": {"media_ids": ["1"]}}), 400, "media IDs are invalid"),
        (json!({"text": "a", "reply": {"in_reply_to_tweet_id": "1"}}), 403, "deleted or not visible"),
        (json!({"text": "a", "reply": {"in_reply_to_tweet_id": other}}), 403, "you have not been mentioned"),
        (json!({"text": "a", "quote_tweet_id": other}), 403, "Quoting this post is not allowed"),
    ] {
        let answer = post(&sandbox, As::OAuth1(ES), "/2/tweets", body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.text.contains(message), "{body}: {}", answer.text);
    }
}

#[actix_rt::test]
async fn a_thread_can_be_published_and_deleted() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let first = publish(&sandbox, "uno").await.json()["data"]["id"].clone();
    let reply = json!({"text": "dos", "reply": {"in_reply_to_tweet_id": first}});
    let second = post(&sandbox, As::OAuth1(ES), "/2/tweets", reply).await;
    assert_eq!(second.status, 201);
    let published = sandbox.publications(ES);
    assert_eq!(published[1].reply_to, Some(published[0].id));
    assert_eq!(published[1].conversation_id, published[0].id);
    let path = format!("/2/tweets/{}", published[1].id);
    let deleted = call(&sandbox, As::OAuth1(ES), Method::DELETE, &path, None).await.unwrap();
    assert_eq!(deleted.json(), json!({"data": {"deleted": true}}));
    assert_eq!(sandbox.publications(ES).len(), 1);
    assert_eq!(sandbox.bill().deletes, 1);
}

#[actix_rt::test]
async fn a_picture_is_uploaded_gets_its_alt_text_and_is_attached_to_a_post() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let upload = json!({"media": "iVBORw0KGgo=", "media_category": "tweet_image"});
    let uploaded = post(&sandbox, As::OAuth1(ES), "/2/media/upload", upload).await.json();
    assert_eq!(uploaded["data"]["image"]["image_type"], "image/png");
    assert_eq!(uploaded["data"]["size"], 8);
    let id = uploaded["data"]["id"].as_str().unwrap();
    let metadata = json!({"id": id, "metadata": {"alt_text": {"text": "un gato"}}});
    let described = post(&sandbox, As::OAuth1(ES), "/2/media/metadata", metadata).await;
    assert_eq!(described.json()["data"]["associated_metadata"]["alt_text"]["text"], "un gato");
    let body = json!({"text": "mira", "media": {"media_ids": [id]}});
    let created = post(&sandbox, As::OAuth1(ES), "/2/tweets", body).await.json();
    assert!(created["data"]["text"].as_str().unwrap().starts_with("mira https://t.co/"));
    assert_eq!(sandbox.publications(ES)[0].media[0].alt.as_deref(), Some("un gato"));
    assert_eq!((sandbox.bill().posts, sandbox.bill().posts_with_link), (1, 0));
}

#[actix_rt::test]
async fn a_video_is_uploaded_in_chunks() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let who = || As::OAuth1(ES);
    let begin = json!({"media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": 6});
    let begun = post(&sandbox, who(), "/2/media/upload/initialize", begin).await.json();
    let id = begun["data"]["id"].as_str().unwrap().to_owned();
    for segment in [0, 1, 1] {
        let chunk = json!({"segment_index": segment, "media": "YWJj"});
        let path = format!("/2/media/upload/{id}/append");
        assert_eq!(post(&sandbox, who(), &path, chunk).await.status, 200);
    }
    let done = post(&sandbox, who(), &format!("/2/media/upload/{id}/finalize"), json!({})).await.json();
    assert_eq!(done["data"]["processing_info"]["state"], "pending");
    let body = json!({"text": "a", "media": {"media_ids": [id]}});
    assert_eq!(post(&sandbox, who(), "/2/tweets", body.clone()).await.status, 400, "not ready");
    let path = format!("/2/media/upload?command=STATUS&media_id={id}");
    let status = get(&sandbox, who(), &path).await.json();
    assert_eq!(status["data"]["processing_info"]["state"], "succeeded");
    assert_eq!(post(&sandbox, who(), "/2/tweets", body).await.status, 201);
    assert_eq!(sandbox.count(Endpoint::MediaChunk).requests, 5);
}
