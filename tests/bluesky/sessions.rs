//! Sessions on the real server: how often Mynah logs in, what the ledger shows, and what a person is told.

use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use mynah::networks::Wanted;
use mynah_domain::{
    PublicationKey,
    ports::{Denied, Destination, Draft, PublishError, SourceError},
};
use serde_json::json;

use crate::{Fault, Proxy, Town, posts::page, server::Server};

const LOGIN: &str = "createSession";
const REFRESH: &str = "refreshSession";

fn draft(text: &str) -> Draft {
    Draft::new(PublicationKey::new(Timestamp::now()), text)
}

async fn publish(destination: &Rc<dyn Destination>, text: &str) {
    destination.publish(&draft(text)).await.unwrap();
}

/// Lets the tokens of the account expire. A server's tokens of one second are equal, so this waits for the next second: the
/// refreshed token must be another one.
async fn expire_tokens(town: &Town) {
    let now = Timestamp::now();
    let next = Timestamp::from_second(now.as_second() + 1).unwrap();
    tokio::time::sleep(next.duration_since(now).unsigned_abs()).await;
    town.proxy.expire_tokens();
}

/// Makes the next call answer as if the token had expired, which a real server does after two hours.
async fn expire(town: &Town, destination: &Rc<dyn Destination>) -> PublishError {
    let body = json!({"error": "ExpiredToken", "message": "Token has expired"}).to_string();
    town.proxy.set(Fault::Answer(400, String::new(), body));
    let error = destination.publish(&draft("Nunca")).await.unwrap_err();
    town.proxy.set(Fault::None);
    error
}

#[actix_rt::test]
async fn a_session_outlives_the_process_and_shows_no_token_in_the_ledger() {
    let Some(town) = Town::new().await else { return };
    for text in ["Uno", "Dos", "Tres"] {
        let destination = town.destination();
        destination.verify().await.unwrap();
        publish(&destination, text).await;
    }
    assert_eq!((town.proxy.calls(LOGIN), town.target.posts().await.len()), (1, 3));
    let key = format!("bluesky:session:{}", town.target.handle);
    let sealed = town.ledger.fact(&key).await.unwrap().unwrap();
    // A token has dots, and what is sealed has none.
    assert!(!sealed.contains('.') && sealed.len() > 100, "{sealed}");
    // What cannot be opened is as good as none.
    town.ledger.remember(&key, "nonsense").await.unwrap();
    publish(&town.destination(), "Cuatro").await;
    assert_eq!(town.proxy.calls(LOGIN), 2);
}

#[actix_rt::test]
async fn a_refused_token_is_refreshed_once_however_many_calls_were_refused() {
    let Some(town) = Town::new().await else { return };
    let settings = town.own_settings();
    let make = settings.targets[0].connection.destination(town.ledger.clone());
    let (one, other) = (make(), make());
    publish(&one, "Uno").await;
    publish(&other, "Dos").await;
    assert_eq!((town.proxy.calls(LOGIN), town.proxy.calls(REFRESH)), (1, 0));

    expire_tokens(&town).await;
    let (first, second) = (draft("Tres"), draft("Cuatro"));
    let (first, second) = futures_util::join!(one.publish(&first), other.publish(&second));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!((town.proxy.calls(LOGIN), town.proxy.calls(REFRESH)), (1, 1));
    // The next process has the new session.
    publish(&town.destination(), "Cinco").await;
    assert_eq!((town.proxy.calls(LOGIN), town.proxy.calls(REFRESH)), (1, 1));
    assert_eq!(town.target.posts().await.len(), 5);
}

#[actix_rt::test]
async fn an_expired_refresh_token_costs_a_login_and_no_post() {
    let Some(town) = Town::new().await else { return };
    let destination = town.destination();
    publish(&destination, "Uno").await;
    let error = expire(&town, &destination).await;
    // Everything was refused, the login too.
    assert!(matches!(error, PublishError::Denied(Denied::Unauthorized(_))), "{error:?}");
    publish(&destination, "Dos").await;
    assert_eq!(town.target.posts().await.len(), 2);
}

#[actix_rt::test]
async fn a_lost_answer_to_a_refresh_loses_no_session() {
    let Some(town) = Town::new().await else { return };
    let destination = town.destination();
    publish(&destination, "Uno").await;
    expire_tokens(&town).await;
    town.proxy.lose_next(REFRESH);
    let error = destination.publish(&draft("Nunca")).await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable(_)), "{error:?}");
    // The server accepts the used token once more, or else the app password.
    publish(&destination, "Dos").await;
    assert_eq!(town.target.posts().await.len(), 2);
}

#[actix_rt::test]
async fn a_wrong_or_revoked_app_password_says_which_variable_to_set() {
    let Some(town) = Town::new().await else { return };
    let told = |error: PublishError| match error {
        PublishError::Denied(Denied::Unauthorized(why)) => {
            assert!(why.contains(&town.target.handle) && why.contains(&town.target.variable()), "{why}");
            assert!(!why.contains("wxyz"), "{why}");
        }
        other => panic!("{other:?}"),
    };
    told(town.destination_with("abcd-efgh-ijkl-wxyz").verify().await.unwrap_err());
    publish(&town.destination(), "Uno").await;
    town.target.call("com.atproto.server.revokeAppPassword", &json!({"name": "mynah"})).await;
    expire_tokens(&town).await;
    told(town.destination().publish(&draft("Nunca")).await.unwrap_err());
    assert_eq!(town.target.posts().await.len(), 1);
}

#[actix_rt::test]
async fn a_renamed_account_is_still_published_on_and_followed() {
    let Some(town) = Town::new().await else { return };
    let source = town.source();
    publish(&town.destination(), "Uno").await;
    town.source.write("One", json!({})).await;
    assert_eq!(source.page(&page(10)).await.unwrap().posts.len(), 1);
    for account in [&town.source, &town.target] {
        let handle = format!("new-{}", account.handle);
        account.call("com.atproto.identity.updateHandle", &json!({"handle": handle})).await;
    }
    town.source.write("Two", json!({})).await;
    assert_eq!(town.source().page(&page(10)).await.unwrap().posts.len(), 2);
    expire_tokens(&town).await;
    publish(&town.destination(), "Dos").await;
    assert_eq!(town.target.posts().await.len(), 2);
}

#[actix_rt::test]
async fn an_account_that_moved_to_another_server_is_found_there() {
    let Some(mut town) = Town::new().await else { return };
    let (source, destination) = (town.source(), town.destination());
    town.source.write("One", json!({})).await;
    assert_eq!(source.page(&page(10)).await.unwrap().posts.len(), 1);
    publish(&destination, "Uno").await;
    let server = Server::shared().unwrap();
    let former = std::mem::replace(&mut town.proxy, Proxy::to(&server.pds, &server.plc));
    former.set(Fault::Stopped);
    // The ledger knows the former server, which is not there any more.
    let (source, destination) = (town.source(), town.destination());
    assert!(source.page(&page(10)).await.unwrap_err().is_passing());
    assert_eq!(source.page(&page(10)).await.unwrap().posts.len(), 1);
    destination.publish(&draft("Nunca")).await.unwrap_err();
    publish(&destination, "Dos").await;
    assert_eq!(town.target.posts().await.len(), 2);
}

#[actix_rt::test]
async fn an_unknown_account_says_what_to_set() {
    let Some(town) = Town::new().await else { return };
    for account in ["nobody.test", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:web:localhost"] {
        match town.source_of(account, Wanted::default()).page(&page(10)).await {
            Err(SourceError::Account(why)) => {
                assert!(why.contains(account) && why.contains("source.account"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        let variable = format!("BLUESKY_{}_APP_PASSWORD", account.to_uppercase().replace([':', '.'], "_"));
        let settings = town.settings(&town.source.handle, account, (&variable, "abcd-efgh-ijkl-mnop"));
        let destination = settings.targets[0].connection.destination(town.ledger.clone())();
        match destination.verify().await {
            Err(PublishError::Denied(Denied::Blocked(why))) => assert!(why.contains(account), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[actix_rt::test]
async fn a_rate_limit_of_the_real_server_names_its_end() {
    let Some(server) = Server::start(true) else { return };
    let town = Town::on(&server).await;
    let mut limit = None;
    // 30 logins in five minutes.
    for _ in 0..32 {
        if let Err(PublishError::Denied(Denied::RateLimited { until, reason })) =
            town.destination_with("abcd-efgh-ijkl-wxyz").verify().await
        {
            limit = Some((until, reason));
            break;
        }
    }
    let (until, reason) = limit.expect("a rate limit");
    let wait = until.expect(&reason).duration_since(Timestamp::now());
    assert!(wait > SignedDuration::ZERO && wait <= SignedDuration::from_hours(24), "{wait:?} {reason}");
}
