//! Bluesky: sessions, records and blobs, as a real server answers (PDS of dev-env 0.3.215), and on demand as it should not.

#![allow(clippy::unwrap_used, reason = "test code may panic")]

mod support;

use actix_web::http::Method;
use mynah_sandbox::{
    BlueskyFault, Endpoint, EndpointPattern, Fault, FaultRule, RateLimits, Sandbox, SandboxConfig,
    ServiceStar, TimelinePost, UserState, app_password,
};
use serde_json::{Value, json};
use support::{Answer, As, call, get, plan, post, sandbox};

const TOWN: &str = "town-es.example";
const KEY: &str = "3l3qo2vuowo2b";

async fn start(config: SandboxConfig) -> Sandbox {
    sandbox(config.target(TOWN, "es")).await
}

fn xrpc(call: &str) -> String {
    format!("/xrpc/com.atproto.{call}")
}

/// The tokens and the DID of a new session.
async fn log_in(sandbox: &Sandbox) -> (As, As, String) {
    let body = json!({"identifier": TOWN, "password": app_password(TOWN)});
    let answer = post(sandbox, As::Nobody, &xrpc("server.createSession"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let session = answer.json();
    let bearer = |name: &str| As::Bearer(session[name].as_str().unwrap().to_owned());
    (bearer("accessJwt"), bearer("refreshJwt"), session["did"].as_str().unwrap().to_owned())
}

fn record(text: &str) -> Value {
    json!({"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-11-27T00:00:00.000Z"})
}

async fn put(sandbox: &Sandbox, who: &As, did: &str, key: &str, record: Value) -> Answer {
    let body = json!({"repo": did, "collection": "app.bsky.feed.post", "rkey": key, "record": record});
    post(sandbox, who.clone(), &xrpc("repo.putRecord"), body).await
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap().to_owned())
}

#[actix_rt::test]
async fn a_handle_leads_to_its_did_and_the_did_to_its_server() {
    let sandbox = start(SandboxConfig::default()).await;
    let resolved =
        get(&sandbox, As::Nobody, &format!("{}?handle={TOWN}", xrpc("identity.resolveHandle"))).await;
    let did = resolved.json()["did"].as_str().unwrap().to_owned();
    let document = get(&sandbox, As::Nobody, &format!("/{did}")).await;
    assert_eq!(document.content_type(), "application/did+ld+json; charset=utf-8");
    let document = document.json();
    assert_eq!(document["alsoKnownAs"], json!([format!("at://{TOWN}")]));
    assert_eq!(document["service"][0]["serviceEndpoint"], sandbox.url());
    let unknown =
        get(&sandbox, As::Nobody, &format!("{}?handle=no.example", xrpc("identity.resolveHandle"))).await;
    assert_eq!(unknown.json(), json!({"error": "InvalidRequest", "message": "Unable to resolve handle"}));
    let unknown = get(&sandbox, As::Nobody, "/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["message"], "DID not registered: did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
}

#[actix_rt::test]
async fn a_session_opens_with_the_app_password_and_ends_in_the_ways_it_does_on_bluesky() {
    let sandbox = start(SandboxConfig::default()).await;
    let (access, refresh, did) = log_in(&sandbox).await;
    let me = get(&sandbox, access.clone(), &xrpc("server.getSession")).await.json();
    assert_eq!((&me["did"], &me["handle"]), (&json!(did), &json!(TOWN)));
    let wrong = json!({"identifier": TOWN, "password": "wrong"});
    let wrong = post(&sandbox, As::Nobody, &xrpc("server.createSession"), wrong).await;
    assert_eq!(
        wrong.json(),
        json!({"error": "AuthenticationRequired", "message": "Invalid identifier or password"})
    );
    assert_eq!(
        error(&get(&sandbox, As::Nobody, &xrpc("server.getSession")).await),
        (401, "AuthMissing".into())
    );
    assert_eq!(
        error(&get(&sandbox, refresh.clone(), &xrpc("server.getSession")).await),
        (400, "InvalidToken".into())
    );

    let renew =
        || call(&sandbox, refresh.clone(), Method::POST, "/xrpc/com.atproto.server.refreshSession", None);
    let first = renew().await.unwrap().json();
    let second = renew().await.unwrap().json();
    assert_eq!(first["refreshJwt"], second["refreshJwt"], "within the grace period");
    sandbox.expire_sessions(TOWN);
    assert_eq!(error(&get(&sandbox, access, &xrpc("server.getSession")).await), (400, "ExpiredToken".into()));
    assert_eq!(error(&renew().await.unwrap()), (400, "ExpiredToken".into()));
    let next = As::Bearer(first["refreshJwt"].as_str().unwrap().to_owned());
    let renewed =
        call(&sandbox, next.clone(), Method::POST, &xrpc("server.refreshSession"), None).await.unwrap();
    assert_eq!(renewed.status, 200);

    sandbox.revoke_token(TOWN);
    let revoked = call(&sandbox, next, Method::POST, &xrpc("server.refreshSession"), None).await.unwrap();
    assert_eq!(revoked.json(), json!({"error": "ExpiredToken", "message": "Token has been revoked"}));
    let body = json!({"identifier": TOWN, "password": app_password(TOWN)});
    assert_eq!(post(&sandbox, As::Nobody, &xrpc("server.createSession"), body.clone()).await.status, 401);
    sandbox.restore_token(TOWN);
    sandbox.set_user_state(TOWN, UserState::Suspended);
    let suspended = post(&sandbox, As::Nobody, &xrpc("server.createSession"), body).await;
    assert_eq!(error(&suspended), (401, "AccountTakedown".into()));
}

#[actix_rt::test]
async fn the_same_record_again_changes_nothing_and_another_replaces_it() {
    let sandbox = start(SandboxConfig::default()).await;
    let (access, _, did) = log_in(&sandbox).await;
    let first = put(&sandbox, &access, &did, KEY, record("hello")).await.json();
    assert_eq!(
        first["cid"], "bafyreieqvgg44jnmhrucaz7hwml2mwyqq57qgjihimrwis3ehqayt63k5m",
        "as on a real server"
    );
    assert_eq!(first["uri"], format!("at://{did}/app.bsky.feed.post/{KEY}"));
    assert_eq!(first["validationStatus"], "valid");
    assert!(first["commit"]["rev"].is_string());
    let again = put(&sandbox, &access, &did, KEY, record("hello")).await.json();
    assert_eq!((&again["cid"], again.get("commit")), (&first["cid"], None));
    let changed = put(&sandbox, &access, &did, KEY, record("hello changed")).await.json();
    assert!(changed["cid"] != first["cid"] && changed["commit"].is_object());
    assert_eq!(sandbox.messages(TOWN).len(), 1);

    let body = json!({"repo": did, "collection": "app.bsky.feed.post", "rkey": KEY, "record": record("x")});
    let taken = post(&sandbox, access.clone(), &xrpc("repo.createRecord"), body).await;
    assert_eq!(error(&taken), (500, "InternalServerError".into()));
    let body = json!({"repo": TOWN, "collection": "app.bsky.feed.post", "record": record("x")});
    let created = post(&sandbox, access.clone(), &xrpc("repo.createRecord"), body).await;
    assert_eq!(created.status, 200, "{}", created.text);
    let mut swap =
        json!({"repo": did, "collection": "app.bsky.feed.post", "rkey": KEY, "record": record("y")});
    swap["swapRecord"] = first["cid"].clone();
    let swapped = post(&sandbox, access.clone(), &xrpc("repo.putRecord"), swap).await;
    assert_eq!(error(&swapped), (400, "InvalidSwap".into()));
    let body = json!({"repo": did, "collection": "app.bsky.feed.post", "rkey": KEY});
    let deleted = post(&sandbox, access.clone(), &xrpc("repo.deleteRecord"), body.clone()).await.json();
    assert!(deleted["commit"].is_object());
    assert_eq!(post(&sandbox, access, &xrpc("repo.deleteRecord"), body).await.json(), json!({}));
}

#[actix_rt::test]
async fn an_invalid_write_is_refused_and_writes_nothing() {
    let sandbox = start(SandboxConfig::default().target("other.example", "ca")).await;
    let (access, refresh, did) = log_in(&sandbox).await;
    let long = put(&sandbox, &access, &did, KEY, record(&"x".repeat(301))).await.json();
    let why = "Invalid app.bsky.feed.post record: grapheme too big (maximum 300, got 301) at $.record.text";
    assert_eq!(long, json!({"error": "InvalidRequest", "message": why}));
    let key = put(&sandbox, &access, &did, "bad key", record("a")).await.json();
    assert_eq!(key["message"], "Invalid record key (got \"bad key\") at $.rkey");
    let kind = json!({"$type": "app.bsky.feed.like"});
    let kind = put(&sandbox, &access, &did, KEY, kind).await.json();
    assert_eq!(kind["message"], "Invalid $type: expected app.bsky.feed.post, got app.bsky.feed.like");
    assert_eq!(error(&put(&sandbox, &refresh, &did, KEY, record("a")).await), (400, "InvalidToken".into()));
    assert_eq!(error(&put(&sandbox, &As::Nobody, &did, KEY, record("a")).await), (401, "AuthMissing".into()));
    let other = put(&sandbox, &access, "other.example", KEY, record("a")).await;
    assert_eq!(error(&other), (401, "AuthenticationRequired".into()));
    let empty = post(&sandbox, access.clone(), &xrpc("repo.putRecord"), json!({})).await.json();
    assert_eq!(empty["message"], "Missing required key \"repo\" at $");
    let blob = json!({
        "$type": "blob", "mimeType": "image/png", "size": 70,
        "ref": {"$link": "bafkreiaugldhmxpktv4hcvcfvrz6qpqvrt6d7tuotwknwfrcrsjt552ebm"},
    });
    let mut picture = record("a");
    picture["embed"] = json!({"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": ""}]});
    assert_eq!(error(&put(&sandbox, &access, &did, KEY, picture).await), (400, "BlobNotFound".into()));
    assert!(sandbox.messages(TOWN).is_empty());
}

#[actix_rt::test]
async fn records_are_listed_newest_first_page_by_page_for_anybody() {
    let sandbox = start(SandboxConfig::default().also_followed("town.example")).await;
    for number in 1..=5 {
        sandbox.post_as("town.example", TimelinePost::new(format!("Post {number}")));
    }
    let mut path =
        format!("{}?repo=town.example&collection=app.bsky.feed.post&limit=2", xrpc("repo.listRecords"));
    let first = path.clone();
    let mut texts = Vec::new();
    loop {
        let page = get(&sandbox, As::Nobody, &path).await.json();
        let records = page["records"].as_array().unwrap();
        texts.extend(records.iter().map(|record| record["value"]["text"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("{first}&cursor={cursor}");
    }
    assert_eq!(texts, ["Post 5", "Post 4", "Post 3", "Post 2", "Post 1"]);
    let reverse = get(&sandbox, As::Nobody, &format!("{first}&reverse=true")).await.json();
    assert_eq!(reverse["records"][0]["value"]["text"], "Post 1");
    let uri = reverse["records"][0]["uri"].as_str().unwrap();
    let key = uri.rsplit('/').next().unwrap();
    let one = format!("{}?repo=town.example&collection=app.bsky.feed.post&rkey=", xrpc("repo.getRecord"));
    assert_eq!(get(&sandbox, As::Nobody, &format!("{one}{key}")).await.json()["value"]["text"], "Post 1");
    assert_eq!(
        error(&get(&sandbox, As::Nobody, &format!("{one}nothere")).await),
        (400, "RecordNotFound".into())
    );
    let unknown = first.replace("town.example", "no.example");
    assert_eq!(
        get(&sandbox, As::Nobody, &unknown).await.json()["message"],
        "Could not find repo: no.example"
    );
}

#[actix_rt::test]
async fn a_blob_can_be_downloaded_once_a_record_has_it() {
    let sandbox = start(SandboxConfig::default()).await;
    let (access, _, did) = log_in(&sandbox).await;
    let As::Bearer(token) = &access else { panic!() };
    let bytes: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";
    let mut answer = awc::Client::default()
        .post(format!("{}{}", sandbox.url(), xrpc("repo.uploadBlob")))
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("content-type", "image/jpeg"))
        .send_body(bytes)
        .await
        .unwrap();
    let blob: Value = serde_json::from_slice(&answer.body().await.unwrap()).unwrap();
    let blob = &blob["blob"];
    assert_eq!((&blob["mimeType"], &blob["size"]), (&json!("image/png"), &json!(16)), "by its bytes");
    let cid = blob["ref"]["$link"].as_str().unwrap();
    let path = format!("{}?did={did}&cid={cid}", xrpc("sync.getBlob"));
    assert_eq!(get(&sandbox, As::Nobody, &path).await.json()["message"], "Blob not found");
    let mut picture = record("pic");
    picture["embed"] = json!({"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": "A dog"}]});
    assert_eq!(put(&sandbox, &access, &did, KEY, picture).await.status, 200);
    assert_eq!(get(&sandbox, As::Nobody, &path).await.content_type(), "image/png");
    assert_eq!(sandbox.messages(TOWN)[0].media[0].alt.as_deref(), Some("A dog"));
}

#[actix_rt::test]
async fn rate_limits_are_in_the_headers_and_a_429_has_no_retry_after() {
    let sandbox = start(SandboxConfig::default()).await;
    let body = json!({"identifier": TOWN, "password": "wrong"});
    let first = post(&sandbox, As::Nobody, &xrpc("server.createSession"), body.clone()).await;
    assert_eq!((first.header("ratelimit-limit"), first.header("ratelimit-remaining")), ("30", "29"));
    assert_eq!(first.header("ratelimit-policy"), "30;w=300");
    for _ in 1..30 {
        assert_eq!(post(&sandbox, As::Nobody, &xrpc("server.createSession"), body.clone()).await.status, 401);
    }
    let refused = post(&sandbox, As::Nobody, &xrpc("server.createSession"), body.clone()).await;
    assert_eq!(refused.json(), json!({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}));
    assert_eq!((refused.status, refused.header("ratelimit-remaining")), (429, "0"));
    assert!(refused.headers.get("retry-after").is_none());
    let free =
        start(SandboxConfig { rate_limits: RateLimits::unlimited(), ..SandboxConfig::default() }).await;
    for _ in 0..31 {
        assert_eq!(post(&free, As::Nobody, &xrpc("server.createSession"), body.clone()).await.status, 401);
    }
}

#[actix_rt::test]
async fn faults_hit_bluesky_alone_before_or_after_it_acts() {
    let sandbox = start(SandboxConfig::default()).await;
    let (access, _, did) = log_in(&sandbox).await;
    let lost = FaultRule::new(Endpoint::BlueskyPutRecord, Fault::DropAfterAct);
    sandbox.set_faults(plan([lost]));
    let body = json!({"repo": did, "collection": "app.bsky.feed.post", "rkey": KEY, "record": record("a")});
    let answer = call(&sandbox, access.clone(), Method::POST, &xrpc("repo.putRecord"), Some(body)).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(sandbox.messages(TOWN).len(), 1, "it acted");
    let all = EndpointPattern::Of(ServiceStar::Bluesky);
    for (fault, expected) in [
        (Fault::Status(503), (503, "NotEnoughResources")),
        (Fault::Bluesky(BlueskyFault::ExpiredToken), (400, "ExpiredToken")),
        (Fault::Bluesky(BlueskyFault::Takedown), (401, "AccountTakedown")),
        (Fault::Bluesky(BlueskyFault::ResetFar), (429, "RateLimitExceeded")),
    ] {
        sandbox.set_faults(plan([FaultRule::new(all, fault)]));
        let answer = put(&sandbox, &access, &did, KEY, record("b")).await;
        assert_eq!(error(&answer), (expected.0, expected.1.to_owned()));
        let on_x = get(&sandbox, support::app(), "/2/users/by/username/mynah_es").await;
        assert_eq!(on_x.status, 200, "{fault:?} is Bluesky's");
    }
    sandbox.set_faults(plan([FaultRule::new(all, Fault::Status(429))]));
    let limited = put(&sandbox, &access, &did, KEY, record("b")).await;
    assert_eq!((limited.status, limited.header("ratelimit-remaining")), (429, "0"));
    assert_eq!(sandbox.messages(TOWN)[0].text, "a");
    let requests = sandbox.requests();
    let logged = requests.iter().find(|request| request.endpoint == Endpoint::BlueskyPutRecord).unwrap();
    assert_eq!((logged.auth, logged.account.as_deref()), (Some("session"), Some(TOWN)));
}
