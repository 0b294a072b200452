//! Reading X: pages without loss, both vocabularies, entities with correct offsets, missing accounts.

mod support;

use std::collections::BTreeSet;

use mynah_sandbox::{
    Endpoint, Limit, MediaKind, OtherPost, RateLimits, SandboxConfig, TimelineMedia, TimelinePost, UserState,
};
use serde_json::{Value, json};
use support::{As, DEADLINE, ES, app, get, sandbox, user, user_id};

fn texts(body: &Value) -> Vec<String> {
    let data = body["data"].as_array().cloned().unwrap_or_default();
    data.iter().filter_map(|post| post["text"].as_str()).map(str::to_owned).collect()
}

#[actix_rt::test]
async fn pages_lead_back_through_every_post_after_since_id() {
    let config = SandboxConfig::default().posts((0..350).map(|n| format!("post {n}")));
    let sandbox = sandbox(config).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let since = sandbox.posts()[9].id;
    let mut seen = Vec::new();
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let path = format!("/2/users/{id}/tweets?max_results=100&since_id={since}{token}");
        let body = get(&sandbox, As::OAuth1(ES), &path).await.json();
        seen.extend(texts(&body));
        pages += 1;
        match body["meta"]["next_token"].as_str() {
            Some(next) => token = format!("&pagination_token={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (10..350).rev().map(|n| format!("post {n}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(pages, 4);
    let newest = sandbox.posts()[349].id;
    let body = get(&sandbox, app(), &format!("/2/users/{id}/tweets?since_id={newest}")).await.json();
    assert_eq!(body, json!({"meta": {"result_count": 0}}));
}

#[actix_rt::test]
async fn previous_token_leads_forward_again() {
    let sandbox = sandbox(SandboxConfig::default().posts((0..30).map(|n| n.to_string()))).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let page = async |token: &Value| {
        let token = token.as_str().map_or(String::new(), |token| format!("&pagination_token={token}"));
        get(&sandbox, app(), &format!("/2/users/{id}/tweets?max_results=10{token}")).await.json()
    };
    let first = page(&Value::Null).await;
    assert!(first["meta"].get("previous_token").is_none());
    let second = page(&first["meta"]["next_token"]).await;
    assert_eq!(page(&second["meta"]["previous_token"]).await["data"], first["data"]);
}

#[actix_rt::test]
async fn of_fifty_thousand_posts_x_shows_the_newest_3200() {
    let config = SandboxConfig::default().posts((0..50_000).map(|n| format!("post {n}")));
    let sandbox = sandbox(config).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let mut seen = 0;
    let mut token = String::new();
    loop {
        let body = get(&sandbox, app(), &format!("/2/users/{id}/tweets?max_results=100{token}")).await.json();
        seen += texts(&body).len();
        match body["meta"]["next_token"].as_str() {
            Some(next) => token = format!("&pagination_token={next}"),
            None => break,
        }
    }
    assert_eq!(seen, 3_200);
}

#[actix_rt::test]
async fn replies_and_reposts_can_be_excluded() {
    let other = |text: &str| Some(OtherPost { author: "jack".into(), text: text.into() });
    let config = SandboxConfig {
        timeline: vec![
            TimelinePost::new("one").in_thread("t"),
            TimelinePost::new("two").in_thread("t"),
            TimelinePost { reposted: other("theirs"), ..TimelinePost::default() },
            TimelinePost { quoted: other("quoted"), ..TimelinePost::new("with a word") },
        ],
        ..SandboxConfig::default()
    };
    let sandbox = sandbox(config).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let read =
        async |query: &str| get(&sandbox, app(), &format!("/2/users/{id}/tweets?{query}")).await.json();
    let plain = read("exclude=replies,retweets").await;
    assert_eq!(plain["meta"]["result_count"], 2);
    let fields = "tweet.fields=referenced_tweets,conversation_id,in_reply_to_user_id";
    let expansions = "expansions=referenced_tweets.id,referenced_tweets.id.author_id";
    let all = read(&format!("{fields}&{expansions}")).await;
    let data = &all["data"];
    assert_eq!(data[1]["text"], "RT @jack: theirs");
    assert_eq!(data[1]["referenced_tweets"][0]["type"], "retweeted");
    assert_eq!(data[0]["referenced_tweets"][0]["type"], "quoted");
    assert_eq!(data[2]["referenced_tweets"], json!([{"type": "replied_to", "id": data[3]["id"]}]));
    assert_eq!(data[2]["conversation_id"], data[3]["id"]);
    assert_eq!(data[2]["in_reply_to_user_id"], json!(id));
    let included: BTreeSet<&str> = all["includes"]["tweets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| post["text"].as_str().unwrap())
        .collect();
    assert_eq!(included, BTreeSet::from(["one", "theirs", "quoted"]));
    let users = all["includes"]["users"].as_array().unwrap();
    assert!(users.iter().any(|user| user["username"] == "jack"));
}

#[actix_rt::test]
async fn a_poll_is_named_by_its_post_and_included_on_request() {
    let poll = TimelinePost { poll: vec!["Tea".into(), "Coffee".into()], ..TimelinePost::new("Which?") };
    let sandbox = sandbox(SandboxConfig { timeline: vec![poll], ..SandboxConfig::default() }).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let read =
        async |query: &str| get(&sandbox, app(), &format!("/2/users/{id}/tweets?{query}")).await.json();
    let named = read("tweet.fields=attachments").await;
    let poll_id = &named["data"][0]["attachments"]["poll_ids"][0];
    assert!(poll_id.is_string() && named.get("includes").is_none(), "{named}");
    let included = read("expansions=attachments.poll_ids&poll.fields=id,options").await;
    let options =
        json!([{"position": 1, "label": "Tea", "votes": 0}, {"position": 2, "label": "Coffee", "votes": 0}]);
    assert_eq!(included["includes"]["polls"], json!([{"id": poll_id, "options": options}]));
}

#[actix_rt::test]
async fn an_answer_has_only_the_requested_fields_in_the_requested_vocabulary() {
    let long = TimelinePost::new("a long word ".repeat(40));
    let sandbox = sandbox(SandboxConfig { timeline: vec![long.clone()], ..SandboxConfig::default() }).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let read = async |query: &str| {
        let body = get(&sandbox, app(), &format!("/2/users/{id}/tweets?{query}")).await.json();
        body["data"][0].clone()
    };
    let keys = |post: &Value| post.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(keys(&read("").await), set(&["id", "text", "edit_history_tweet_ids"]));
    let old = read("tweet.fields=note_tweet,lang,no_such_field").await;
    assert_eq!(keys(&old), set(&["id", "text", "edit_history_tweet_ids", "lang", "note_tweet"]));
    assert_eq!(old["note_tweet"]["text"], json!(long.text));
    assert!(old["text"].as_str().unwrap().contains("… https://t.co/"));
    let new = read("post.fields=note_post,public_metrics,author_id").await;
    assert_eq!(keys(&new), set(&["id", "text", "edit_history_post_ids", "note_post", "public_metrics"]));
    assert!(new["public_metrics"].get("repost_count").is_some());
}

#[actix_rt::test]
async fn entity_offsets_refer_to_the_escaped_text() {
    let post = TimelinePost {
        media: vec![TimelineMedia { kind: MediaKind::Photo, alt: Some("a <cat>".into()), url: None }],
        ..TimelinePost::new("🔥 Tom &amp; Jerry < all: https://example.com/a?b&c @jack #Rust")
    };
    let sandbox = sandbox(SandboxConfig { timeline: vec![post], ..SandboxConfig::default() }).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let fields = "tweet.fields=entities,attachments&media.fields=alt_text,url";
    let path = format!("/2/users/{id}/tweets?{fields}&expansions=attachments.media_keys");
    let body = get(&sandbox, app(), &path).await.json();
    let post = &body["data"][0];
    let text: Vec<char> = post["text"].as_str().unwrap().chars().collect();
    let slice = |entity: &Value| -> String {
        let at = |key: &str| usize::try_from(entity[key].as_u64().unwrap()).unwrap();
        text[at("start")..at("end")].iter().collect()
    };
    let entities = &post["entities"];
    assert!(post["text"].as_str().unwrap().starts_with("🔥 Tom &amp; Jerry &lt; all: https://t.co/"));
    for url in entities["urls"].as_array().unwrap() {
        assert_eq!(json!(slice(url)), url["url"]);
    }
    assert_eq!(entities["urls"][0]["expanded_url"], "https://example.com/a?b&c");
    assert_eq!(slice(&entities["mentions"][0]), "@jack");
    assert_eq!(slice(&entities["hashtags"][0]), "#Rust");
    let key = &post["attachments"]["media_keys"][0];
    assert_eq!(&entities["urls"][1]["media_key"], key);
    assert_eq!(&body["includes"]["media"][0]["media_key"], key);
    assert_eq!(body["includes"]["media"][0]["alt_text"], "a <cat>");
}

#[actix_rt::test]
async fn missing_accounts_are_errors_in_a_200() {
    let sandbox = sandbox(SandboxConfig::default().posts(["hello"])).await;
    let by_name = async |name: &str| get(&sandbox, app(), &format!("/2/users/by/username/{name}")).await;
    let missing = by_name("nonexist").await;
    assert_eq!(missing.status, 200);
    assert_eq!(
        missing.json(),
        json!({"errors": [{
            "value": "nonexist", "detail": "Could not find user with username: [nonexist].",
            "title": "Not Found Error", "resource_type": "user", "parameter": "username",
            "resource_id": "nonexist", "type": "https://api.twitter.com/2/problems/resource-not-found"
        }]})
    );
    let id = user_id(&sandbox, "mynah_source").await;
    sandbox.set_user_state("mynah_source", UserState::Suspended);
    let suspended = by_name("mynah_source").await.json();
    assert_eq!(suspended["errors"][0]["detail"], "User has been suspended: [mynah_source].");
    sandbox.set_user_state("mynah_source", UserState::Protected);
    assert!(by_name("mynah_source").await.json().get("data").is_some());
    let closed = get(&sandbox, app(), &format!("/2/users/{id}/tweets")).await.json();
    assert_eq!(closed["errors"][0]["title"], "Authorization Error");
    sandbox.set_user_state("mynah_source", UserState::Unknown);
    let gone = get(&sandbox, app(), &format!("/2/users/{id}/tweets")).await.json();
    assert_eq!(gone["errors"][0]["detail"], json!(format!("Could not find user with id: [{id}].")));
    let bad = by_name("much_too_long_a_name").await;
    assert_eq!((bad.status, bad.content_type()), (400, "application/problem+json"));
}

#[actix_rt::test]
async fn invalid_parameters_are_named() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let id = user_id(&sandbox, "mynah_source").await;
    let answer = get(&sandbox, app(), &format!("/2/users/{id}/tweets?max_results=3")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({
            "errors": [{"parameters": {"max_results": ["3"]},
                "message": "The `max_results` query parameter value [3] is not between 5 and 100"}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": "https://api.twitter.com/2/problems/invalid-request"
        })
    );
    for wrong in ["since_id=x", "exclude=quotes", "maxresults=5", "pagination_token=x", "start_time=now"] {
        let answer = get(&sandbox, app(), &format!("/2/users/{id}/tweets?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[actix_rt::test]
async fn a_used_up_window_is_a_429_with_the_reset() {
    let limit = Limit { app: Some(2), ..Limit::default() };
    let sandbox = sandbox(SandboxConfig {
        rate_limits: RateLimits::default().with(Endpoint::User, limit),
        ..SandboxConfig::default()
    })
    .await;
    let read = async || get(&sandbox, app(), "/2/users/by/username/mynah_source").await;
    let first = read().await;
    assert_eq!((first.header("x-rate-limit-limit"), first.header("x-rate-limit-remaining")), ("2", "1"));
    read().await;
    let refused = read().await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-rate-limit-remaining"), "0");
    assert!(refused.header("x-rate-limit-reset").parse::<i64>().unwrap() > 0);
    assert_eq!(
        refused.json(),
        json!({"title": "Too Many Requests", "detail": "Too Many Requests",
            "type": "about:blank", "status": 429})
    );
    assert_eq!(sandbox.count(Endpoint::User).statuses[&429], 1);
    assert_eq!(sandbox.count(Endpoint::User).requests, 3);
}

#[actix_rt::test]
async fn posts_are_found_by_id_and_reads_are_billed_once() {
    let sandbox = sandbox(SandboxConfig::default().posts(["hello"])).await;
    let id = sandbox.posts()[0].id;
    for _ in 0..2 {
        let body = get(&sandbox, user(ES), &format!("/2/tweets?ids={id},1")).await.json();
        assert_eq!(body["data"][0]["text"], "hello");
        assert_eq!(body["errors"][0]["detail"], "Could not find tweet with ids: [1].");
    }
    let one = get(&sandbox, user(ES), &format!("/2/tweets/{id}?tweet.fields=created_at")).await.json();
    assert!(one["data"]["created_at"].as_str().unwrap().ends_with("000Z"));
    assert_eq!(sandbox.bill().post_reads, 1);
}

#[actix_rt::test]
async fn lines_appended_to_a_file_become_posts() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("timeline.jsonl");
    std::fs::write(&path, "{\"text\": \"one\"}\n").unwrap();
    let sandbox =
        sandbox(SandboxConfig { timeline_file: Some(path.clone()), ..SandboxConfig::default() }).await;
    assert_eq!(sandbox.posts().len(), 1);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    write!(file, "{{\"text\": \"two\"}}\nnonsense\n{{\"text\": \"thr").unwrap();
    assert!(sandbox.until(DEADLINE, |sandbox| sandbox.posts().len() == 2).await);
    writeln!(file, "ee\"}}").unwrap();
    assert!(sandbox.until(DEADLINE, |sandbox| sandbox.posts().len() == 3).await);
    assert_eq!(sandbox.posts()[2].text, "three");
}
