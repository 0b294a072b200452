//! Tests the destination against a local server that answers as scripted and records its requests.

use std::{
    net::TcpListener,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use mynah_domain::{
    Media, PublicationKey,
    ports::{Ledger, MediaFetcher as _, SystemClock},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    http_client::Transport,
    ledger,
    networks::{download::DownloadSettings, x::media::XMediaFetcher},
};

fn key() -> PublicationKey {
    PublicationKey::new(jiff::Timestamp::UNIX_EPOCH)
}

/// A received request.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    /// Path and query.
    path: String,
    body: Vec<u8>,
}

impl Sent {
    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The server's answer: a status and a body.
type Answer = (u16, Vec<u8>);

struct Upstream {
    url: url::Url,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Upstream {
    /// `answer` receives each request, and the number of earlier requests with its path.
    fn start(answer: impl Fn(&Sent, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let (answer, log) = (Arc::new(answer), sent.clone());
        let server = HttpServer::new(move || {
            let (answer, log) = (answer.clone(), log.clone());
            let handler = move |request: HttpRequest, body: web::Bytes| {
                let path = request.uri().to_string();
                let now = Sent { method: request.method().to_string(), path, body: body.to_vec() };
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                let before = log.iter().filter(|sent| sent.path == now.path).count();
                let (status, body) = answer(&now, before);
                log.push(now);
                let status = StatusCode::from_u16(status).unwrap();
                // A generic type, so that the real one must be detected from the bytes.
                let answer = HttpResponse::build(status).content_type("application/octet-stream").body(body);
                std::future::ready(answer)
            };
            let limit = web::PayloadConfig::new(16 * 1024 * 1024);
            App::new().app_data(limit).default_service(web::to(handler))
        });
        actix_rt::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
        Self { url, sent }
    }

    fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    fn count(&self, path: &str) -> usize {
        self.sent().iter().filter(|sent| sent.path.split('?').next() == Some(path)).count()
    }
}

struct Folder {
    _folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
}

fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
    Folder { _folder: folder, ledger }
}

fn destination(upstream: &Upstream, folder: &Folder, token: &str) -> XDestination {
    let transport = Transport::default();
    let timeout = Duration::from_secs(5);
    let settings = XDestinationSettings {
        x: XSettings { base_url: upstream.url.clone(), timeout, connections: 1, transport },
        account: "town_es".into(),
        auth: XAuth::User2(token.into()),
    };
    XDestination::new(settings, folder.ledger.clone())
}

/// Copies a medium as a publisher does: fetches it from its host and uploads it.
async fn copy(
    upstream: &Upstream,
    folder: &Folder,
    medium: &Media,
    alt: &str,
) -> Result<Uploaded, UploadError> {
    let fetcher = XMediaFetcher::new(DownloadSettings {
        hosts: vec!["127.0.0.1".into()],
        setting: "x.media_hosts",
        timeout: Duration::from_secs(5),
        transport: Transport::default(),
    });
    let destination = destination(upstream, folder, "token");
    let found = fetcher.fetch(medium, &destination.media_limits()).await?;
    destination.upload(found, alt).await
}

fn ok(body: &Value) -> Answer {
    (200, body.to_string().into_bytes())
}

fn me(handle: &str) -> Value {
    json!({"data": {"id": "7", "name": "Town", "username": handle}})
}

#[test]
fn a_text_that_x_normalized_is_still_the_same() {
    assert_eq!(as_stored("Cafe\u{301}  abre\n\na las 9 "), as_stored("Café abre a las 9"));
    assert_eq!(as_stored("Mira example.com"), as_stored("Mira http://example.com"));
    assert_eq!(as_stored("Mira https://example.com"), as_stored("Mira https://example.com/"));
    assert_ne!(as_stored("Mira https://example.com/a"), as_stored("Mira https://example.com/b"));
    assert_ne!(as_stored("Gol 2-1"), as_stored("Gol 2-2"));
}

// Verifying keys.

#[actix_rt::test]
async fn keys_are_verified_once_across_restarts_and_again_when_they_change() {
    let (upstream, folder) = (Upstream::start(|_, _| ok(&me("Town_ES"))), folder());
    for (token, calls) in [("first-token", 1), ("first-token", 1), ("second-token", 2), ("second-token", 2)] {
        let destination = destination(&upstream, &folder, token);
        destination.verify().await.unwrap();
        destination.verify().await.unwrap();
        assert_eq!(upstream.count("/2/users/me"), calls);
    }
    let fact = folder.ledger.fact("x:verified:town_es").await.unwrap().unwrap();
    assert!(!fact.contains("token") && fact.len() == 16, "{fact}");
}

#[actix_rt::test]
async fn keys_of_another_account_are_refused_with_both_names_and_not_stored() {
    let (upstream, folder) = (Upstream::start(|_, _| ok(&me("town_ca"))), folder());
    let destination = destination(&upstream, &folder, "token");
    for calls in 1..=2 {
        match destination.verify().await {
            Err(PublishError::Denied(Denied::Blocked(why))) => {
                assert!(why.starts_with("the keys for @town_es belong to @town_ca; set X_TOWN_ES_"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(upstream.count("/2/users/me"), calls);
    }
}

#[actix_rt::test]
async fn keys_with_an_unknown_owner_are_not_verified() {
    let forbidden = |detail: &str| json!({"errors": [{"title": "Forbidden", "detail": detail}]});
    let answers: Vec<(&str, Answer)> = vec![
        ("passing", (429, b"{}".to_vec())),
        ("passing", (503, b"{}".to_vec())),
        ("passing", (200, b"<html>".to_vec())),
        ("passing", (200, b"{}".to_vec())),
        ("passing", ok(&json!({"data": null}))),
        ("passing", ok(&json!({"data": {"id": "7"}}))),
        ("passing", ok(&json!({"data": {"id": "", "username": "town_es"}}))),
        ("passing", ok(&json!({"data": {"id": "7", "username": ""}}))),
        ("passing", ok(&forbidden("Try again later."))),
        ("blocked", ok(&forbidden("User has been suspended: [town_es]."))),
        (
            "blocked",
            (403, json!({"errors": [{"code": 64, "message": "suspended"}]}).to_string().into_bytes()),
        ),
        ("unauthorized", (401, b"{}".to_vec())),
    ];
    for (meaning, answer) in answers {
        let what = format!("{} {}", answer.0, String::from_utf8_lossy(&answer.1));
        let (upstream, folder) = (Upstream::start(move |_, _| answer.clone()), folder());
        let kind = match destination(&upstream, &folder, "token").verify().await.unwrap_err() {
            PublishError::Denied(Denied::Blocked(_)) => "blocked",
            PublishError::Denied(Denied::Unauthorized(_)) => "unauthorized",
            _ => "passing",
        };
        assert_eq!(kind, meaning, "{what}");
        assert_eq!(folder.ledger.fact("x:verified:town_es").await.unwrap(), None, "{what}");
    }
}

// Looking up what the account shows.

async fn look_up(
    pages: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> (Upstream, Result<Shown, PublishError>) {
    let upstream = Upstream::start(move |sent, before| {
        if sent.path.starts_with("/2/users/me") { ok(&me("town_es")) } else { pages(before) }
    });
    let folder = folder();
    let shown = destination(&upstream, &folder, "token").recent(&Since::Message(PostId("10".into()))).await;
    (upstream, shown)
}

fn post(id: u64) -> Value {
    json!({"id": id.to_string(), "text": format!("Hola {id}"), "created_at": "2026-11-26T12:00:00.000Z"})
}

#[actix_rt::test]
async fn pages_that_repeat_or_never_end_leave_a_gap_and_reading_stops() {
    let page = |token: &str, id: u64| {
        ok(&json!({"data": [post(id)], "meta": {"result_count": 1, "next_token": token}}))
    };
    let (upstream, shown) = look_up(move |_| page("same", 11)).await;
    assert!(shown.unwrap().gap.is_some());
    assert!(upstream.count("/2/users/7/tweets") <= 3);

    let counter = std::sync::atomic::AtomicU64::new(0);
    let endless = move |_| {
        let number = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        page(&format!("token{number}"), 100 - number)
    };
    let (upstream, shown) = look_up(endless).await;
    let shown = shown.unwrap();
    assert!(shown.gap.is_some() && shown.messages.len() == 5, "{shown:?}");
    assert_eq!(upstream.count("/2/users/7/tweets"), 5);
}

#[actix_rt::test]
async fn a_list_of_two_whole_pages_has_no_gap() {
    let upstream = Upstream::start(|sent, _| match sent.path.as_str() {
        path if path.starts_with("/2/users/me") => ok(&me("town_es")),
        path if path.contains("pagination_token=b") => {
            ok(&json!({"data": [post(11)], "meta": {"result_count": 1}}))
        }
        _ => ok(&json!({"data": [post(12)], "meta": {"result_count": 1, "next_token": "b"}})),
    });
    let folder = folder();
    let shown =
        destination(&upstream, &folder, "token").recent(&Since::Message(PostId("10".into()))).await.unwrap();
    let ids: Vec<&str> = shown.messages.iter().map(|message| message.id.0.as_str()).collect();
    assert_eq!((ids, shown.gap), (vec!["12", "11"], None));
}

#[actix_rt::test]
async fn an_answer_that_is_not_json_is_an_error() {
    for body in ["<html>", "", "{\"data\": ["] {
        let (_, shown) = look_up(move |_| (200, body.into())).await;
        assert!(matches!(shown, Err(PublishError::OutcomeUnknown(_))), "{body}: {shown:?}");
    }
}

#[actix_rt::test]
async fn an_answer_without_a_valid_id_has_an_unknown_outcome() {
    for (data, id) in [
        (json!({"id": "1445880548472328192", "edit_history_tweet_ids": [""]}), Some("1445880548472328192")),
        (json!({"id": 1_445_880_548_472_328_192_u64, "text": null}), Some("1445880548472328192")),
        (json!({"id": ""}), None),
        (json!({"id": null}), None),
        (json!({"id": "../../2/tweets"}), None),
        (json!({"id": "-5"}), None),
        (json!({"id": 1.5}), None),
        (json!({"id": "12345678901234567890"}), None),
        (json!({}), None),
        (json!([]), None),
        (json!(null), None),
    ] {
        let body = json!({"data": data, "errors": null}).to_string();
        let upstream = Upstream::start(move |_, _| (201, body.clone().into_bytes()));
        let folder = folder();
        let draft = Draft::new(key(), "Hola");
        match (destination(&upstream, &folder, "token").publish(&draft).await, id) {
            (Ok(published), Some(id)) => assert_eq!(published.0, id),
            (Err(PublishError::OutcomeUnknown(_)), None) => {}
            other => panic!("{data}: {other:?}"),
        }
    }
}

#[actix_rt::test]
async fn each_kind_of_refusal_is_mapped_for_posts_and_for_pictures() {
    for (code, of_a_post, of_a_picture) in [
        (326, "blocked", "blocked"),
        (64, "blocked", "blocked"),
        (185, "limited", "limited"),
        (226, "limited", "limited"),
        (89, "unauthorized", "unauthorized"),
        (187, "duplicate", "missing"),
        (433, "reply", "missing"),
        (186, "refused", "missing"),
        (131, "unknown", "unavailable"),
    ] {
        let body = json!({"errors": [{"code": code, "message": "X's words"}]}).to_string();
        let upstream = Upstream::start(move |sent, _| match sent.path.as_str() {
            "/original" => (200, PNG.to_vec()),
            _ => (403, body.clone().into_bytes()),
        });
        let folder = folder();
        let destination = destination(&upstream, &folder, "token");
        let denied = |denied: &Denied| match denied {
            Denied::Unauthorized(_) => "unauthorized",
            Denied::Blocked(why) => {
                assert!(why.contains("@town_es") && why.contains("mynah resume town_es"), "{why}");
                "blocked"
            }
            Denied::RateLimited { .. } => "limited",
        };
        let draft = Draft::new(key(), "Hola");
        let error = destination.publish(&draft).await.unwrap_err();
        assert!(error.to_string().contains("X's words"), "{error}");
        let kind = match &error {
            PublishError::Denied(kind) => denied(kind),
            PublishError::Duplicate(_) => "duplicate",
            PublishError::ReplyRefused(_) => "reply",
            PublishError::Refused(_) => "refused",
            PublishError::OutcomeUnknown(_) => "unknown",
            PublishError::Unavailable(_) => "unavailable",
        };
        assert_eq!(kind, of_a_post, "{code}");
        let kind = match copy(&upstream, &folder, &medium(&upstream, "photo"), "").await.unwrap_err() {
            UploadError::Denied(kind) => denied(&kind),
            UploadError::Refused(_) => "missing",
            UploadError::Unavailable(_) => "unavailable",
        };
        assert_eq!(kind, of_a_picture, "{code}");
    }
}

// Media, and the bodies of all requests.

const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";
const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

/// What is wrong with a value according to a schema, as far as X's specification uses schemas for bodies.
fn violations(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{at}: {what}: {value}"));
        }
    };
    if let Some(forms) = schema["anyOf"].as_array() {
        must(forms.iter().any(|form| violations(form, value, at).is_empty()), "is of none of the forms");
    }
    match schema["type"].as_str() {
        Some("string") => must(value.is_string(), "is not a string"),
        Some("integer") => must(value.is_u64(), "is not a number"),
        Some("array") => must(value.is_array(), "is not a list"),
        Some("object") => must(value.is_object(), "is not an object"),
        _ => {}
    }
    if let Some(allowed) = schema["enum"].as_array() {
        must(allowed.contains(value), "is not allowed");
    }
    let number = |name: &str| schema[name].as_u64();
    if let Some(value) = value.as_u64() {
        must(number("minimum").is_none_or(|least| value >= least), "is too small");
        must(number("maximum").is_none_or(|most| value <= most), "is too large");
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        must(number("maxLength").is_none_or(|most| length <= most), "is too long");
        if let Some(pattern) = schema["pattern"].as_str() {
            assert_eq!(pattern, "^[0-9]{1,19}$", "the one pattern that is used");
            must((1..=19).contains(&length) && text.bytes().all(|b| b.is_ascii_digit()), "is not an id");
        }
    }
    if let Some(items) = value.as_array() {
        let length = items.len() as u64;
        must(number("minItems").is_none_or(|least| length >= least), "has too few");
        must(number("maxItems").is_none_or(|most| length <= most), "has too many");
        wrong.extend(items.iter().flat_map(|item| violations(&schema["items"], item, at)));
    }
    if let Some(members) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                wrong.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, member) in members {
            match schema["properties"].get(name) {
                Some(schema) => wrong.extend(violations(schema, member, &format!("{at}.{name}"))),
                None if schema["additionalProperties"] == false => {
                    wrong.push(format!("{at}: {name} is not defined"));
                }
                None => {}
            }
        }
    }
    wrong
}

/// Checks a request against specification 2.167, which forbids undefined fields. For these calls, the version before it
/// accepts the same.
fn violations_of(sent: &Sent) -> Vec<String> {
    let schemas: Value = serde_json::from_str(include_str!("fixtures/bodies-2.167.json")).unwrap();
    let path = sent.path.replace("/upload/5/", "/upload/{id}/");
    match schemas.get(&path) {
        None => vec![format!("{path} is not defined")],
        Some(Value::Null) if sent.body.is_empty() => vec![],
        Some(Value::Null) => vec![format!("{path} has no body")],
        Some(schema) => violations(schema, &sent.json().unwrap(), &path),
    }
}

/// X's media calls, and the host of the originals.
fn media_server(original: Vec<u8>) -> Upstream {
    Upstream::start(move |sent, _| match sent.path.as_str() {
        "/original" => (200, original.clone()),
        "/2/tweets" => (201, json!({"data": {"id": "9"}}).to_string().into_bytes()),
        _ => ok(&json!({"data": {"id": "5"}})),
    })
}

fn medium(upstream: &Upstream, kind: &str) -> Media {
    let url = upstream.url.join("/original").unwrap().to_string();
    Media { key: "3_1".into(), kind: kind.to_owned().into(), url: Some(url), alt: None }
}

#[actix_rt::test]
async fn every_body_is_valid_by_both_specifications_of_x() {
    for (kind, original) in [("photo", PNG), ("video", MP4), ("animated_gif", MP4)] {
        let upstream = media_server(original.to_vec());
        let folder = folder();
        let destination = destination(&upstream, &folder, "token");
        let alt = "words ".repeat(500);
        let copied = copy(&upstream, &folder, &medium(&upstream, kind), &alt).await.unwrap();
        let reply = Some(mynah_domain::Reply::behind(PostId("8".into()), None));
        for draft in [
            Draft::new(key(), "Hola"),
            Draft { reply, media: vec![copied.id.clone(); 4], ..Draft::new(key(), "") },
        ] {
            destination.publish(&draft).await.unwrap();
        }
        let posts: Vec<Sent> = upstream.sent().into_iter().filter(|sent| sent.method == "POST").collect();
        assert_eq!(posts.len(), if kind == "photo" { 4 } else { 6 });
        for sent in &posts {
            assert_eq!(violations_of(sent), Vec::<String>::new());
        }
        assert!(posts.iter().any(|sent| sent.path == "/2/media/metadata"));
    }
    // The check itself works.
    let upload = json!({"media": "", "media_category": "tweet_image", "media_type": "image/png"});
    let sent =
        Sent { method: "POST".into(), path: "/2/media/upload".into(), body: upload.to_string().into() };
    assert_eq!(violations_of(&sent), ["/2/media/upload: media_type is not defined"]);
}

#[actix_rt::test]
async fn a_picture_with_other_bytes_is_missing_and_never_uploaded() {
    let originals: [&[u8]; 6] =
        [b"", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", b"<!doctype html>", b"GIF", b"%PDF-1.7", MP4];
    for original in originals {
        let (upstream, folder) = (media_server(original.to_vec()), folder());
        let copied = copy(&upstream, &folder, &medium(&upstream, "photo"), "").await;
        assert!(matches!(copied, Err(UploadError::Refused(_))), "{copied:?}");
        assert_eq!(upstream.count("/2/media/upload"), 0);
    }
    let (upstream, folder) = (media_server(b"#EXTM3U".to_vec()), folder());
    let copied = copy(&upstream, &folder, &medium(&upstream, "video"), "").await;
    assert!(matches!(copied, Err(UploadError::Refused(_))), "{copied:?}");
}

#[actix_rt::test]
async fn a_medium_without_an_address_or_of_an_unknown_kind_is_missing() {
    let (upstream, folder) = (media_server(PNG.to_vec()), folder());
    let nowhere = Media { url: None, ..medium(&upstream, "photo") };
    for medium in [nowhere, medium(&upstream, "hologram"), medium(&upstream, "")] {
        let copied = copy(&upstream, &folder, &medium, "").await;
        assert!(matches!(copied, Err(UploadError::Refused(_))), "{copied:?}");
    }
    assert!(upstream.sent().is_empty());
}

#[actix_rt::test]
async fn a_refused_alt_text_does_not_lose_the_picture() {
    for status in [400, 401, 403, 404, 429, 500, 503] {
        let upstream = Upstream::start(move |sent, _| match sent.path.as_str() {
            "/original" => (200, PNG.to_vec()),
            "/2/media/metadata" => (status, b"{\"detail\": \"no alt text today\"}".to_vec()),
            _ => ok(&json!({"data": {"id": "5"}})),
        });
        let folder = folder();
        let copied = copy(&upstream, &folder, &medium(&upstream, "photo"), "A dog").await;
        let Uploaded { id, undescribed } = copied.unwrap();
        assert_eq!(id, MediaId("5".into()));
        assert!(undescribed.unwrap().contains("no alt text today"), "{status}");
    }
}

#[actix_rt::test]
async fn failed_processing_ends_with_xs_reason_and_without_another_check() {
    let upstream = Upstream::start(|sent, _| match sent.path.as_str() {
        "/original" => (200, MP4.to_vec()),
        path if path.ends_with("finalize") => {
            let error =
                json!({"code": 1, "name": "InvalidMedia", "message": "Duration too long, maximum:140000"});
            let info = json!({"state": "in_progress", "check_after_secs": 10, "error": error});
            ok(&json!({"data": {"id": "5", "processing_info": info}}))
        }
        _ => ok(&json!({"data": {"id": "5"}})),
    });
    let folder = folder();
    let copied = copy(&upstream, &folder, &medium(&upstream, "video"), "").await;
    let Err(UploadError::Refused(why)) = copied else { panic!("{copied:?}") };
    assert!(why.contains("Duration too long, maximum:140000"), "{why}");
    assert_eq!(upstream.count("/2/media/upload"), 0, "the state is not asked for");
}
