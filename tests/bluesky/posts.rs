//! What Mynah publishes, as Bluesky's own parser reads it, and what it reads of what others published.

use jiff::Timestamp;
use mynah::networks::Networks;
use mynah::networks::Wanted;
use mynah_domain::{PostId, network::NetworkRules};
use mynah_domain::{
    PostKind, PublicationKey,
    ports::{Content, Draft, FetchedMedium, Lookup, MediaLimits, PageRequest, PublishError},
};
use serde_json::{Value, json};

use crate::{POSTS, Town, server::Parser};

pub(crate) fn page(limit: usize) -> PageRequest {
    PageRequest { limit, ..PageRequest::default() }
}

fn draft(text: &str) -> Draft {
    Draft::new(PublicationKey::new(Timestamp::now()), text)
}

fn rules() -> std::sync::Arc<dyn NetworkRules> {
    Networks::default().named("bluesky").unwrap().rules()
}

/// Texts with links, mentions and tags after characters of all widths, and texts of the greatest length.
fn texts(handle: &str) -> Vec<String> {
    let family = "👨‍👩‍👧‍👦".repeat(100);
    vec![
        format!("🔥 Más en https://town.example/ñ?a=b#c, @{handle} y @nadie.test (example.com/x) #día #日本"),
        "España 🇪🇸: www.town.cat. ¿https://a.example/b? «https://a.example/c»".into(),
        format!("{} https://a.example/{}", "x".repeat(100), "y".repeat(170)),
        "日".repeat(300),
        family,
        "e\u{301}".repeat(300),
        "#a #b #c @d".into(),
    ]
}

#[actix_rt::test]
async fn the_networks_own_parser_finds_every_link_mention_and_tag() {
    let Some(town) = Town::new().await else { return };
    let destination = town.destination();
    let texts = texts(&town.source.handle);
    for text in &texts {
        assert!(rules().weigh(text) <= rules().limits().text, "{text}");
        destination.publish(&draft(text)).await.unwrap();
    }
    let records: Vec<Value> = town.target.posts().await.into_iter().map(|(_, record)| record).collect();
    let read = Parser::start().read(&records);
    assert_eq!(read.len(), texts.len());
    for (read, text) in read.iter().zip(&texts) {
        assert_eq!(read["valid"], true, "{read}");
        let segments = read["segments"].as_array().unwrap();
        let whole: String = segments.iter().map(|segment| segment["text"].as_str().unwrap()).collect();
        assert_eq!(whole, *text);
        assert!(read["graphemes"].as_u64().unwrap() <= 300, "{read}");
    }
    let found = |index: usize| -> Vec<(&str, &str)> {
        let segments = read[index]["segments"].as_array().unwrap().iter();
        segments.filter_map(|segment| Some((segment["text"].as_str()?, segment["is"].as_str()?))).collect()
    };
    let mention = format!("@{}", town.source.handle);
    assert_eq!(
        found(0),
        [
            ("https://town.example/ñ?a=b#c", "https://town.example/ñ?a=b#c"),
            (&*mention, &*town.source.did),
            ("example.com/x", "https://example.com/x"),
            ("#día", "día"),
            ("#日本", "日本"),
        ]
    );
    let links = ["www.town.cat", "https://a.example/b", "https://a.example/c"];
    assert_eq!(found(1).iter().map(|(text, _)| *text).collect::<Vec<_>>(), links);
}

#[actix_rt::test]
async fn a_text_one_grapheme_too_long_is_refused_by_the_rules_and_by_the_server() {
    let Some(town) = Town::new().await else { return };
    let family = "👨‍👩‍👧‍👦".repeat(121);
    for text in ["a".repeat(301), "日".repeat(301), family] {
        assert!(rules().weigh(&text) > rules().limits().text);
        let answer = town.destination().publish(&draft(&text)).await;
        assert!(matches!(answer, Err(PublishError::Refused(_))), "{answer:?}");
    }
}

#[actix_rt::test]
async fn a_message_published_again_is_the_same_message_whatever_happened_in_between() {
    let Some(town) = Town::new().await else { return };
    let parent = town.destination().publish(&draft("Primero")).await.unwrap();
    let again = Draft {
        language: Some("pt-BR".parse().unwrap()),
        reply: Some(mynah_domain::Reply::behind(parent, None)),
        ..draft("Segundo con https://a.example")
    };
    let id = town.destination().publish(&again).await.unwrap();
    let before = town.target.posts().await;
    assert_eq!(town.destination().publish(&again).await.unwrap(), id);
    assert_eq!(town.target.posts().await, before);
    assert_eq!((before.len(), &before[1].1["langs"]), (2, &json!(["pt-BR"])));
    assert_eq!(before[1].1["reply"]["root"], before[1].1["reply"]["parent"]);
}

#[actix_rt::test]
async fn a_large_picture_is_scaled_down_and_has_its_sides() {
    let Some(town) = Town::new().await else { return };
    let destination = town.destination();
    let mut random = fastrand::Rng::with_seed(7);
    let noise =
        image::RgbImage::from_fn(1200, 800, |_, _| image::Rgb([random.u8(..), random.u8(..), random.u8(..)]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    noise.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let bytes = bytes.into_inner();
    let medium =
        FetchedMedium { mime: "image/png", size: bytes.len() as u64, content: Content::Whole(bytes) };
    assert!(medium.size > 2_000_000);
    let media = vec![destination.upload(medium, "Un perro").await.unwrap().id];
    destination.publish(&Draft { media, is_sensitive: true, ..draft("Con foto") }).await.unwrap();
    let record = town.target.posts().await.remove(0).1;
    let image = &record["embed"]["images"][0];
    let side = |name: &str| image["aspectRatio"][name].as_f64().unwrap();
    assert!((side("width") / side("height") - 1.5).abs() < 0.01, "{record}");
    assert!(
        image["image"]["size"].as_u64().unwrap() <= 1_000_000 && image["image"]["mimeType"] == "image/jpeg"
    );
    assert_eq!(record["labels"]["values"][0]["val"], "graphic-media");
    let read = Parser::start().read(&[record]);
    assert_eq!(read[0]["valid"], true, "{read:?}");
}

#[actix_rt::test]
async fn a_video_goes_from_account_to_account() {
    let Some(town) = Town::new().await else { return };
    let film = [b"\0\0\0\x18ftypmp42\0\0\0\0".to_vec(), vec![7; 3_000_000]].concat();
    let blob = town.source.upload("video/mp4", film.clone()).await;
    let embed = json!({"$type": "app.bsky.embed.video", "video": blob, "alt": "A film"});
    town.source.write("With a film", json!({"embed": embed})).await;
    let post = town.source().page(&page(10)).await.unwrap().posts.remove(0);
    let fetcher = town.own_settings().sources[0].connection.media()();
    let limits = MediaLimits { network: "Bluesky", picture: 1, video: 50_000_000 };
    let fetched = fetcher.fetch(&post.media[0], &limits).await.unwrap();
    let destination = town.destination();
    let media = vec![destination.upload(fetched, "Una película").await.unwrap().id];
    destination.publish(&Draft { media, ..draft("Con película") }).await.unwrap();
    let record = town.target.posts().await.remove(0).1;
    assert_eq!(record["embed"]["video"]["size"], film.len());
    assert_eq!(Parser::start().read(&[record])[0]["valid"], true);
}

#[actix_rt::test]
async fn reposts_and_posts_are_one_timeline_and_each_is_shown_once() {
    let Some(town) = Town::new().await else { return };
    let (_, other) = town.target.write("By another account", json!({})).await;
    let mut expected = Vec::new();
    for number in 0..30 {
        if number % 3 == 0 {
            let record = json!({"$type": "app.bsky.feed.repost", "subject": other, "createdAt": Timestamp::now().to_string()});
            let (key, _) = town.source.create("app.bsky.feed.repost", record).await;
            expected.push(format!("at://{}/app.bsky.feed.repost/{key}", town.source.did));
        } else {
            expected.push(town.source.write(&format!("Number {number}"), json!({})).await.0);
        }
    }
    expected.reverse();
    for (limit, wanted) in [(5, true), (100, true), (7, false)] {
        let source = town.source_of(&town.source.handle, Wanted { reposts: wanted, stream: false });
        let (mut request, mut shown) = (page(limit), Vec::new());
        loop {
            let page = source.page(&request).await.unwrap();
            shown.extend(page.posts.into_iter().map(|post| post.id.0));
            request.continuation = page.continuation;
            if request.continuation.is_none() {
                break;
            }
        }
        let expected: Vec<_> =
            expected.iter().filter(|id| wanted || !id.starts_with("at://")).cloned().collect();
        assert_eq!(shown, expected, "{limit}");
    }
    let source = town.source_of(&town.source.handle, Wanted { reposts: true, stream: false });
    match source.by_id(&PostId(expected[2].clone())).await.unwrap() {
        Lookup::Post(post) => assert!(matches!(post.kind, PostKind::Repost { .. }), "{post:?}"),
        other => panic!("{other:?}"),
    }
}

#[actix_rt::test]
async fn a_thread_is_followed_to_where_it_answers_others() {
    let Some(town) = Town::new().await else { return };
    let (_, other) = town.target.write("By another account", json!({})).await;
    let reply = |root: &Value, parent: &Value| json!({"reply": {"root": root, "parent": parent}});
    let (_, first) = town.source.write("First", json!({})).await;
    let (second, second_ref) = town.source.write("Second", reply(&first, &first)).await;
    town.source.write("Third", reply(&first, &second_ref)).await;
    let (_, answer) = town.source.write("An answer", reply(&first, &other)).await;
    town.source.write("More of it", reply(&first, &answer)).await;
    let posts = town.source().page(&page(10)).await.unwrap().posts;
    let kinds: Vec<_> = posts.iter().map(|post| &post.kind).collect();
    assert!(
        matches!(kinds[0], PostKind::Reply { .. }) && matches!(kinds[1], PostKind::Reply { .. }),
        "{kinds:?}"
    );
    assert_eq!(kinds[2], &PostKind::Thread { parent: PostId(second) });
    assert_eq!((matches!(kinds[3], PostKind::Thread { .. }), kinds[4]), (true, &PostKind::Original));
}

#[actix_rt::test]
async fn a_post_with_any_key_and_any_time_is_read() {
    let Some(town) = Town::new().await else { return };
    let put = async |key: &str, created_at: &str| {
        let record = json!({"$type": POSTS, "text": key, "createdAt": created_at});
        let body = json!({"repo": town.source.did, "collection": POSTS, "rkey": key, "record": record, "validate": false});
        town.source.call("com.atproto.repo.putRecord", &body).await;
    };
    let now = Timestamp::now().to_string();
    put("zzz-a-key-of-its-own", &now).await;
    put("0-another", &now).await;
    town.source.write("1970", json!({"createdAt": "1970-01-01T00:00:00.000Z"})).await;
    town.source.write("2286", json!({"createdAt": "2286-11-20T17:46:39.000Z"})).await;
    let source = town.source();
    let posts = source.page(&page(10)).await.unwrap().posts;
    assert_eq!(posts.len(), 4, "{posts:?}");
    assert!(posts.windows(2).all(|two| two[0].position >= two[1].position));
    for post in &posts {
        assert!(post.created_at <= Timestamp::now(), "{post:?}");
        match source.by_id(&post.id).await.unwrap() {
            Lookup::Post(found) => assert_eq!(found.id, post.id),
            other => panic!("{other:?}"),
        }
    }
    let after = PageRequest { after: Some(posts[0].id.clone()), ..page(10) };
    assert_eq!(source.page(&after).await.unwrap().posts, []);
}

#[actix_rt::test]
async fn a_post_is_named_by_its_link_whoever_wrote_it() {
    let Some(town) = Town::new().await else { return };
    let (key, _) = town.target.write("By another account", json!({})).await;
    let network = Networks::default().named("bluesky").unwrap();
    let connection = town.own_settings().sources[0].connection.clone();
    for account in [&town.target.handle, &town.target.did] {
        let id = network.post_named(&format!("https://bsky.app/profile/{account}/post/{key}")).unwrap();
        assert_eq!(connection.post(&id, town.ledger.clone()).await.unwrap().text, "By another account");
    }
}
