//! Sessions on the real server: how often Mynah logs in, what the ledger shows, and what a person is told.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    PublicationKey,
    ports::{Denied, Destination, Draft, PublishError},
};
use serde_json::json;

use crate::{Fault, Town, server::Server};

const LOGIN: &str = "createSession";
const REFRESH: &str = "refreshSession";

fn draft(text: &str) -> Draft {
    Draft::new(PublicationKey::new(Timestamp::now()), text)
}

async fn publish(destination: &Rc<dyn Destination>, text: &str) {
    destination.publish(&draft(text)).await.unwrap();
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
    let token = URL_SAFE_NO_PAD.encode("{\"");
    assert!(!sealed.contains(&token[..2]) || !sealed.contains('.'), "{sealed}");
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

    town.proxy.expire_tokens();
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
    town.proxy.expire_tokens();
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
    town.proxy.expire_tokens();
    told(town.destination().publish(&draft("Nunca")).await.unwrap_err());
    assert_eq!(town.target.posts().await.len(), 1);
}

#[actix_rt::test]
async fn a_renamed_account_is_still_published_on_and_followed() {
    let Some(town) = Town::new().await else { return };
    let source = town.source();
    publish(&town.destination(), "Uno").await;
    town.source.write("One", json!({})).await;
    assert_eq!(source.page(&crate::posts::page(10)).await.unwrap().posts.len(), 1);
    for account in [&town.source, &town.target] {
        let handle = format!("new-{}", account.handle);
        account.call("com.atproto.identity.updateHandle", &json!({"handle": handle})).await;
    }
    town.source.write("Two", json!({})).await;
    assert_eq!(town.source().page(&crate::posts::page(10)).await.unwrap().posts.len(), 2);
    town.proxy.expire_tokens();
    publish(&town.destination(), "Dos").await;
    assert_eq!(town.target.posts().await.len(), 2);
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
