use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use mynah_domain::{
    PostKind,
    ports::{
        SystemClock,
        ledger::{Checkpoint, RecordPage, RecordPost},
    },
};
use serde_json::{Value, json};

use super::*;
use crate::{http_client::Transport, ledger};

/// A source that follows `@town`, whose id is 7, on an X with scripted answers.
struct Bench {
    source: XSource,
    ledger: Arc<dyn Ledger>,
    answers: mpsc::Sender<Value>,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let bench = Self::without_id();
        bench.ledger.remember("x:user_id:town", "7").await.unwrap();
        bench
    }

    /// A source whose account id is not known yet.
    fn without_id() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let (answers, told) = mpsc::channel::<Value>();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
                while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                    match stream.read(&mut chunk) {
                        Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
                        _ => break,
                    }
                }
                let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
                seen.lock().unwrap().push(line);
                let Ok(body) = told.recv() else { return };
                let body = body.to_string();
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.sqlite");
        let ledger = ledger::open(&file, Arc::new(SystemClock)).unwrap();
        let x = XSettings {
            base_url,
            timeout: Duration::from_secs(5),
            connections: 1,
            transport: Transport::default(),
        };
        let auth = XAuth::App("hush".to_owned().into());
        let settings = XSourceSettings { x, account: "town".into(), auth, reposts: false, stream: None };
        let source = XSource::new(settings, ledger.clone());
        Self { source, ledger, answers, asked, _folder: folder }
    }

    async fn page(&self, request: &PageRequest, answer: Value) -> Result<Page, SourceError> {
        self.answers.send(answer).unwrap();
        self.source.page(request).await
    }

    async fn by_id(&self, id: &str, answer: Value) -> Result<Lookup, SourceError> {
        self.answers.send(answer).unwrap();
        self.source.by_id(&PostId(id.into())).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn record(&self, id: u64) {
        self.record_as(id, PostKind::Original).await;
    }

    async fn record_as(&self, id: u64, kind: PostKind) {
        let post = Post {
            id: PostId(id.to_string()),
            position: id,
            text: "Recorded".into(),
            entities: None,
            language: None,
            kind,
            created_at: Timestamp::UNIX_EPOCH,
            media: vec![],
            has_poll: false,
            warning: None,
            is_sensitive: false,
            card: None,
            versions: vec![],
        };
        let posts = vec![RecordPost { post: Arc::new(post), jobs: vec![], unreadable: None }];
        let page =
            RecordPage { source: "x:town".into(), posts, checkpoint: Checkpoint::default(), settles: None };
        self.ledger.record(page).await.unwrap();
    }
}

fn first() -> PageRequest {
    PageRequest { limit: 100, ..PageRequest::default() }
}

/// Post 20, a reply to post 10, without the fields that name users.
fn answer() -> Value {
    json!({"id": "20", "text": "and more", "conversation_id": "10", "referenced_tweets": [{"type": "replied_to", "id": "10"}]})
}

#[actix_rt::test]
async fn an_unreadable_post_is_passed_on_and_does_not_affect_others() {
    let bench = Bench::new().await;
    for odd in [
        json!({"id": "20", "text": null}),
        json!({"id": 20, "text": {"odd": 1}}),
        json!({"id": "20", "text": "x", "note_tweet": {"text": null}}),
        json!({"id": "20", "text": "x", "referenced_tweets": "10"}),
        json!({"id": "20", "text": "x", "referenced_tweets": [{"type": "replied_to", "id": "../../2/tweets"}]}),
        answer(),
    ] {
        let data = json!([{"id": "21", "text": "b"}, odd, {"id": "19", "text": "a"}]);
        let page = bench.page(&first(), json!({"data": data, "meta": {"result_count": 3}})).await.unwrap();
        let ids: Vec<&str> = page.posts.iter().map(|post| &*post.id.0).collect();
        assert_eq!(ids, ["21", "19"], "{odd}");
        assert_eq!(page.unreadable.len(), 1, "{odd}");
        assert_eq!(page.unreadable[0].mark, Some((PostId("20".into()), 20)), "{odd}");
        assert_eq!(serde_json::from_str::<Value>(&page.unreadable[0].raw).unwrap(), odd);
    }
}

#[actix_rt::test]
async fn a_page_without_its_expected_posts_is_not_the_end_of_the_timeline() {
    let bench = Bench::new().await;
    let second = PageRequest { continuation: Some("next".into()), ..first() };
    for (request, body) in [
        (first(), json!({"meta": {"result_count": 5}})),
        (first(), json!({"data": null, "meta": {"result_count": 5, "next_token": "more"}})),
        (first(), json!({"data": [], "meta": {"result_count": 1}})),
        (second.clone(), json!({})),
        (second.clone(), json!({"data": null, "meta": null})),
        (second.clone(), json!({"includes": {"media": []}})),
        (first(), json!({"data": "odd"})),
        (first(), json!({"data": [], "meta": "odd"})),
    ] {
        let page = bench.page(&request, body.clone()).await;
        assert!(matches!(page, Err(SourceError::Unavailable(_))), "{body}: {page:?}");
    }
    for (request, body) in [
        (first(), json!({})),
        (first(), json!({"data": null, "includes": null, "errors": null, "meta": null})),
        (second.clone(), json!({"meta": {"result_count": 0}})),
        (second, json!({"data": null, "meta": {"result_count": 0, "next_token": null}})),
    ] {
        assert_eq!(bench.page(&request, body.clone()).await, Ok(Page::default()), "{body}");
    }
}

#[actix_rt::test]
async fn an_invalid_account_id_is_never_used() {
    for odd in [
        json!("../../2/tweets"),
        json!(""),
        json!("7?x=1"),
        json!(null),
        json!(1.5),
        json!("12345678901234567890"),
    ] {
        let bench = Bench::without_id();
        // Nor if an earlier version recorded it.
        bench.ledger.remember("x:user_id:town", "../../2/tweets").await.unwrap();
        let page = bench.page(&first(), json!({"data": {"id": odd, "username": "town"}})).await;
        assert!(matches!(page, Err(SourceError::Unavailable(_))), "{odd}: {page:?}");
        let asked = bench.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].starts_with("GET /2/users/by/username/town "), "{asked:?}");
    }
    let bench = Bench::without_id();
    bench.answers.send(json!({"data": {"id": 7, "username": null}, "errors": null})).unwrap();
    assert_eq!(bench.source.account_id().await.as_deref(), Ok("7"), "a number is an id");
}

#[actix_rt::test]
async fn an_unavailable_account_is_named() {
    let bench = Bench::without_id();
    bench
        .answers
        .send(json!({"data": null, "errors": [null, {"detail": "Could not find user", "title": null}]}))
        .unwrap();
    let error = bench.source.account_id().await.unwrap_err();
    assert!(matches!(&error, SourceError::Account(why) if why.contains("Could not find user")), "{error:?}");
}

#[actix_rt::test]
async fn a_reply_to_a_recorded_post_continues_a_thread() {
    let bench = Bench::new().await;
    let page = bench.page(&first(), json!({"data": [answer()], "meta": {}})).await.unwrap();
    assert_eq!((page.posts.len(), page.unreadable.len()), (0, 1), "post 10's author is unknown");
    bench.record(10).await;
    let page = bench.page(&first(), json!({"data": [answer()], "meta": {}})).await.unwrap();
    assert_eq!(page.posts[0].kind, PostKind::Thread { parent: PostId("10".into()) });
    assert!(page.unreadable.is_empty());
}

#[actix_rt::test]
async fn an_own_reply_continues_what_the_recorded_posts_before_it_are() {
    let own = |id: &str, parent: &str, root: &str, text: &str| {
        json!({"id": id, "text": text, "author_id": "7", "in_reply_to_user_id": "7", "conversation_id": root,
               "referenced_tweets": [{"type": "replied_to", "id": parent}]})
    };
    let id = |id: &str| PostId(id.into());
    let thread = |parent: &str| PostKind::Thread { parent: id(parent) };
    let reply = |parent: &str| PostKind::Reply { to: Some(id(parent)) };
    let kinds = async |bench: &Bench, posts: Vec<Value>| {
        let page = bench.page(&first(), json!({"data": posts, "meta": {}})).await.unwrap();
        assert!(page.unreadable.is_empty(), "{page:?}");
        page.posts.into_iter().map(|post| post.kind).collect::<Vec<_>>()
    };
    // Nothing is on record: the handle that X adds to a reply decides.
    let bench = Bench::new().await;
    assert_eq!(kinds(&bench, vec![own("20", "12", "9", "and more")]).await, [thread("12")]);
    assert_eq!(kinds(&bench, vec![own("20", "12", "9", "@other and more")]).await, [reply("12")]);
    // The parent is on record.
    bench.record_as(12, PostKind::Reply { to: Some(id("9")) }).await;
    assert_eq!(kinds(&bench, vec![own("20", "12", "9", "and more")]).await, [reply("12")]);
    let two = vec![own("21", "20", "9", "still more"), own("20", "12", "9", "and more")];
    assert_eq!(kinds(&bench, two).await, [reply("20"), reply("12")]);
    bench.record_as(13, PostKind::Thread { parent: id("10") }).await;
    assert_eq!(kinds(&bench, vec![own("20", "13", "10", "@other and more")]).await, [thread("13")]);
    // Only the first post of the conversation is on record.
    assert_eq!(kinds(&bench, vec![own("20", "14", "13", "@other and more")]).await, [thread("14")]);
    // The conversation begins with an own post that is directed at somebody.
    bench.record_as(15, PostKind::Reply { to: None }).await;
    assert_eq!(kinds(&bench, vec![own("20", "15", "15", "and more")]).await, [reply("15")]);
}

#[actix_rt::test]
async fn a_single_post_is_requested_with_its_users() {
    let bench = Bench::new().await;
    let (mut own, mut others) = (answer(), answer());
    own["in_reply_to_user_id"] = json!("7");
    others["in_reply_to_user_id"] = json!("8");
    let parent = PostId("10".into());
    for (tweet, kind) in
        [(own, PostKind::Thread { parent: parent.clone() }), (others, PostKind::Reply { to: Some(parent) })]
    {
        let Ok(Lookup::Post(post)) = bench.by_id("20", json!({"data": [tweet]})).await else {
            panic!("{tweet}")
        };
        assert_eq!(post.kind, kind);
    }
    bench.page(&first(), json!({"meta": {"result_count": 0}})).await.unwrap();
    let asked = bench.asked();
    assert!(
        asked[0].contains("in_reply_to_user_id")
            && asked[0].contains(
                "expansions=attachments.media_keys%2Cattachments.poll_ids%2Creferenced_tweets.id%2Cauthor_id%2Cin_reply_to_user_id"
            ),
        "{asked:?}"
    );
    assert!(
        asked[2].contains("expansions=attachments.media_keys%2Cattachments.poll_ids ")
            || asked[2].contains("expansions=attachments.media_keys%2Cattachments.poll_ids&"),
        "a page costs no users: {asked:?}"
    );
}

#[actix_rt::test]
async fn outcomes_of_a_single_post_are_distinguished() {
    let bench = Bench::new().await;
    let problem = |kind: &str| json!({"errors": [{"detail": "why", "type": format!("https://api.x.com/2/problems/{kind}")}]});
    for body in [problem("resource-not-found"), problem("not-authorized-for-resource")] {
        assert_eq!(bench.by_id("20", body).await, Ok(Lookup::Gone("why".into())));
    }
    for body in [
        problem("internal-error"),
        problem("field-hydration-failure"),
        json!({}),
        json!({"data": null, "errors": null}),
        json!({"data": [{"id": "21", "text": "another"}]}),
    ] {
        let answer = bench.by_id("20", body.clone()).await;
        assert!(matches!(answer, Err(SourceError::Unavailable(_))), "{body}: {answer:?}");
    }
    for odd in [json!({"id": "20", "text": null}), json!({"id": "../20", "text": "x"}), json!(5), answer()] {
        let lookup = bench.by_id("20", json!({"data": [odd]})).await;
        let Ok(Lookup::Unreadable(unreadable)) = &lookup else { panic!("{odd}: {lookup:?}") };
        assert_eq!(unreadable.mark, Some((PostId("20".into()), 20)));
    }
    let before = bench.asked().len();
    for odd in ["../../2/tweets", "", "1&ids=2", "12345678901234567890", "x"] {
        let answer = bench.source.by_id(&PostId(odd.into())).await;
        assert!(matches!(answer, Err(SourceError::Refused(_))), "{odd}: {answer:?}");
    }
    assert_eq!(bench.asked().len(), before);
}
