//! What Mastodon has and other networks do not: visibility, warnings, boosts, replies to others, servers that show
//! nothing to strangers, and servers that are no Mastodon.

use mynah_domain::{
    Language, Post, PostKind, PublicationKey,
    ports::{Denied, Draft, Lookup, PageRequest, PublishError, Since, SourceError},
    text::EntityKind,
};

use super::*;

async fn posts(source: &dyn Source) -> Vec<Post> {
    let request = PageRequest { limit: 40, ..PageRequest::default() };
    let mut posts = source.page(&request).await.unwrap().posts;
    posts.reverse();
    posts
}

fn draft(text: &str) -> Draft {
    Draft::new(PublicationKey::new(Timestamp::now()), text)
}

#[actix_rt::test]
async fn only_what_anybody_may_see_is_a_post() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&[]).await;
    let mut ids = Vec::new();
    for visibility in ["public", "unlisted", "private", "direct"] {
        ids.push(town.followed.publish(visibility, json!({"visibility": visibility})).await);
    }
    // It reads with the account's own token, so the server shows all of them.
    let source = town.source_of(&town.followed.handle(), Wanted::default());
    let found: Vec<String> = posts(&*source).await.into_iter().map(|post| post.text).collect();
    assert_eq!(found, ["public", "unlisted"]);
    let private = source.by_id(&PostId(ids[2].clone())).await.unwrap();
    assert!(matches!(private, Lookup::Gone(ref why) if why.contains("private")), "{private:?}");
}

#[actix_rt::test]
async fn a_warning_hidden_media_and_the_language_go_both_ways() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&[]).await;
    let more = json!({"spoiler_text": "The end of the film", "sensitive": true, "language": "en"});
    town.followed.publish("He was dead", more).await;
    let source = town.source_of(&town.followed.handle(), Wanted::default());
    let post = posts(&*source).await.remove(0);
    assert_eq!((post.text.as_str(), post.warning.as_deref()), ("He was dead", Some("The end of the film")));
    assert_eq!((post.is_sensitive, post.language.as_deref()), (true, Some("en")));

    let es: Language = "es".parse().unwrap();
    let warned = Draft {
        warning: Some("El final".into()),
        language: Some(es),
        is_sensitive: true,
        ..draft("Estaba muerto")
    };
    let destination = town.destination_of(&town.es, "visibility = \"unlisted\"\n");
    destination.publish(&warned).await.unwrap();
    let status = town.es.statuses().await.remove(0);
    let field = |name: &str| status[name].clone();
    assert_eq!((field("spoiler_text"), field("language")), (json!("El final"), json!("es")));
    assert_eq!((field("sensitive"), field("visibility")), (json!(true), json!("unlisted")));
    let shown = destination.recent(&Since::Moment(Timestamp::UNIX_EPOCH)).await.unwrap();
    assert!(destination.is_same(&warned, &shown.messages[0]), "{shown:?}");
}

async fn threads_and_replies_are_told_apart<S: On>() {
    if !Town::<S>::is_there() {
        return;
    }
    let town = Town::<S>::with_posts(&[]).await;
    let reply_to = |id: &str| json!({"in_reply_to_id": id});
    let other = town.ca.publish("By somebody else", Value::Null).await;
    let first = town.followed.publish("A thread begins", Value::Null).await;
    let second = town.followed.publish("and goes on", reply_to(&first)).await;
    let answer = town.followed.publish("To somebody else", reply_to(&other)).await;
    let more = town.followed.publish("and more to them", reply_to(&answer)).await;

    let source = town.source_of(&town.followed.handle(), Wanted::default());
    let post = |id: &str| PostId(id.to_owned());
    let thread = |parent: &str| PostKind::Thread { parent: post(parent) };
    let reply = |to: &str| PostKind::Reply { to: Some(post(to)) };
    let kinds: Vec<_> = posts(&*source).await.into_iter().map(|post| (post.id.0, post.kind)).collect();
    let expected = [
        (first.clone(), PostKind::Original),
        (second.clone(), thread(&first)),
        (answer.clone(), reply(&other)),
        (more.clone(), reply(&answer)),
    ];
    assert_eq!(kinds, expected);
    // Without the page, the server shows the conversation.
    for (id, kind) in expected {
        match source.by_id(&PostId(id)).await.unwrap() {
            Lookup::Post(post) => assert_eq!(post.kind, kind),
            other => panic!("{other:?}"),
        }
    }
}

#[actix_rt::test]
async fn threads_and_replies_are_told_apart_on_mastodon() {
    threads_and_replies_are_told_apart::<Mock>().await;
}

#[actix_rt::test]
async fn threads_and_replies_are_told_apart_on_snac() {
    threads_and_replies_are_told_apart::<Snac>().await;
}

#[actix_rt::test]
async fn boosts_are_posts_only_if_they_are_wanted() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&["Mine"]).await;
    let other = town.ca.publish("Of somebody else", Value::Null).await;
    town.followed.call(&format!("/api/v1/statuses/{other}/reblog"), &json!({})).await;
    let handle = town.followed.handle();
    assert_eq!(posts(&*town.source_of(&handle, Wanted::default())).await.len(), 1);
    let all = posts(&*town.source_of(&handle, Wanted { reposts: true, ..Wanted::default() })).await;
    assert_eq!(all[1].kind, PostKind::Repost { of: PostId(other) });
}

#[actix_rt::test]
async fn a_stream_reports_the_accounts_own_posts_and_its_end() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&[]).await;
    let stream = Wanted { stream: true, ..Wanted::default() };
    let live = town.source_of(&town.followed.handle(), stream).live().unwrap();
    let mut news = live.connect().await.unwrap();
    town.ca.publish("Of somebody else", Value::Null).await;
    town.followed.publish("Mine", Value::Null).await;
    tokio::time::timeout(Duration::from_mins(1), news.next()).await.unwrap().unwrap();

    // Without a token there is no stream, and the account is polled.
    let settings = town.settings(&town.ca.handle(), &town.es, "");
    let live = settings.sources[0].connection.source(stream, town.ledger.clone())().live().unwrap();
    let Err(SourceError::Unauthorized(why)) = live.connect().await.map(drop) else { panic!() };
    assert!(why.contains(&town.ca.variable()) && why.contains("source.mode"), "{why}");
    town.inject_trouble(Trouble::CredentialsRefused);
    let live = town.source_of(&town.followed.handle(), stream).live().unwrap();
    assert!(live.connect().await.is_err());
}

#[actix_rt::test]
async fn a_stranger_may_follow_an_account_whose_server_shows_lists_alone() {
    if !Town::<Snac>::is_there() {
        return;
    }
    let town = Town::<Snac>::with_posts(&["One bridge", "Two bridges"]).await;
    let settings = town.settings(&town.ca.handle(), &town.es, "");
    let own = town.ca.publish("Three #bridges at https://a.example/b", Value::Null).await;
    // There is no token for this account in the environment.
    let source = settings.sources[0].connection.source(Wanted::default(), town.ledger.clone())();
    let found = posts(&*source).await;
    assert_eq!(found[0].id.0, own);
    let kinds: Vec<_> = found[0].entities.iter().flatten().map(|entity| entity.kind).collect();
    assert_eq!(kinds, [EntityKind::Hashtag, EntityKind::Link]);
    match source.by_id(&PostId(own)).await.unwrap() {
        Lookup::Post(post) => assert_eq!(*post, found[0]),
        other => panic!("{other:?}"),
    }
}

#[actix_rt::test]
async fn the_key_of_a_draft_is_sent_and_a_repeat_is_no_second_status_where_it_is_known() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&[]).await;
    let (destination, draft) = (town.destination_of(&town.es, ""), draft("Gol"));
    let first = destination.publish(&draft).await.unwrap();
    assert_eq!(destination.publish(&draft).await.unwrap(), first);
    assert_eq!(town.es.statuses().await.len(), 1);
}

#[actix_rt::test]
async fn a_check_compares_the_servers_limit_with_the_setting() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&[]).await;
    let check = async |most: &str| {
        let settings =
            town.settings(&town.followed.handle(), &town.es, &format!("max_characters = {most}\n"));
        let target = &settings.targets[0];
        (target.rules().limits().text, target.connection.check(town.ledger.clone()).await)
    };
    let (most, fine) = check("500").await;
    assert_eq!(most, 500);
    assert!(fine.unwrap().contains(&format!("@{}", town.es.handle())));
    let (most, wrong) = check("[\"town.example=5000\"]").await;
    assert_eq!(most, 5000);
    let why = wrong.unwrap_err();
    assert!(why.contains("500 characters") && why.contains("[\"town.example=500\"]"), "{why}");
    let (_, less) = check("300").await;
    assert!(less.unwrap().contains("accepts up to 500"));
}

#[actix_rt::test]
async fn what_is_wrong_with_an_account_or_a_server_is_named() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&["Hello"]).await;
    let settings = town.settings(&town.followed.handle(), &town.es, "");
    let (source, target) = (&settings.sources[0].connection, &settings.targets[0].connection);
    let html = |text: &str| format!("<!doctype html><html><body>{text}</body></html>");
    let account = |more: Value| {
        let mut account = json!({"id": "7", "username": town.followed.user, "acct": town.followed.user});
        account.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        account.to_string()
    };
    for (fault, source_says, target_says) in [
        (Fault::Answer(200, "", html("A shop")), "Mastodon", "Mastodon"),
        (Fault::Answer(404, "", html("Not found")), "is a Mastodon server", "Mastodon server"),
        (
            Fault::Answer(301, "location: https://www.town.example/\r\n", String::new()),
            "redirects",
            "redirects",
        ),
        (Fault::Answer(410, "", json!({"error": "Gone"}).to_string()), "has no account", "Mastodon server"),
        (Fault::Answer(200, "", account(json!({"suspended": true}))), "suspended", "belongs to"),
        (
            Fault::Answer(200, "", account(json!({"moved": {"acct": "town@new.example"}}))),
            "moved to @town@new.example",
            "belongs to",
        ),
        (
            Fault::Answer(200, "", json!({"id": "x".repeat(10_000)}).to_string()),
            "does not tell the id",
            "does not tell",
        ),
        (
            Fault::Answer(401, "", json!({"error": "The access token was revoked"}).to_string()),
            "_TOKEN",
            "_TOKEN",
        ),
        (Fault::Stopped, "cannot reach", "cannot reach"),
    ] {
        town.proxy.set(fault.clone());
        for (answer, says) in [
            (source.check(town.ledger.clone()).await, source_says),
            (target.check(town.ledger.clone()).await, target_says),
        ] {
            let why = answer.unwrap_err();
            assert!(why.contains(says) && why.len() < 1_000, "{fault:?}: {why}");
            assert!(!why.contains(&town.es.token), "{why}");
        }
    }
}

#[actix_rt::test]
async fn paging_that_never_ends_ends() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&["Hello"]).await;
    let source = town.source_of(&town.followed.handle(), Wanted::default());
    let destination = town.destination_of(&town.es, "");
    posts(&*source).await;
    destination.recent(&Since::Moment(Timestamp::UNIX_EPOCH)).await.unwrap();
    let status = json!([{"id": "x", "created_at": "2026-11-27T10:00:00Z", "content": "<p>Hi</p>", "visibility": "public"}]);
    town.proxy.set(Fault::Answer(
        200,
        "link: <https://a.example/?max_id=y>; rel=\"next\"\r\n",
        status.to_string(),
    ));
    let shown = destination.recent(&Since::Moment(Timestamp::UNIX_EPOCH)).await.unwrap();
    assert!(shown.gap.unwrap().contains("same page"));
    assert!(town.proxy.calls("GET /api/v1/accounts/") < 20);
    let page =
        source.page(&PageRequest { continuation: Some("x".into()), ..PageRequest::default() }).await.unwrap();
    assert_eq!(page.posts, [], "the page before ended with it");
}

#[actix_rt::test]
async fn refusals_of_a_message_say_what_to_do() {
    if !Town::<Mock>::is_there() {
        return;
    }
    let town = Town::<Mock>::with_posts(&[]).await;
    let destination = town.destination_of(&town.es, "");
    let answer = destination.publish(&draft(&"palabra ".repeat(100))).await;
    let Err(PublishError::Refused(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains("mynah check") && why.contains("mastodon.max_characters"), "{why}");
    for id in ["x".repeat(10_000), "../../1".into()] {
        let reply = Some(mynah_domain::Reply::behind(PostId(id.clone()), None));
        let answer = destination.publish(&Draft { reply, ..draft("Segundo") }).await;
        assert!(
            matches!(answer, Err(PublishError::ReplyRefused(ref why)) if why.len() < 1_000),
            "{answer:?}"
        );
        let source = town.source_of(&town.followed.handle(), Wanted::default());
        let answer = source.by_id(&PostId(id)).await;
        assert!(matches!(answer, Err(SourceError::Refused(ref why)) if why.len() < 1_000), "{answer:?}");
    }
    town.inject_trouble(Trouble::Locked);
    let answer = destination.publish(&draft("Hola")).await;
    let Err(PublishError::Denied(Denied::Blocked(why))) = answer else { panic!("{answer:?}") };
    assert!(why.contains(&format!("mynah resume {}", town.es.handle())), "{why}");
}
