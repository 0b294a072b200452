//! Nothing is published with an account's keys before Mynah has checked which account they belong to.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use mynah_sandbox::Endpoint;
use support::{Town, account, message, numbered, numbers};

/// Gives the account for `language` the keys of the account for `owner`.
fn with_keys_of(town: &mut Town, language: &str, owner: &str) {
    let keys = mynah_sandbox::credentials(&account(owner));
    let name = account(language).to_uppercase();
    town.environment.push((format!("X_{name}_ACCESS_TOKEN"), keys.access_token));
    town.environment.push((format!("X_{name}_ACCESS_TOKEN_SECRET"), keys.access_token_secret));
}

#[actix_rt::test]
async fn swapped_keys_publish_nothing_on_either_account_and_other_accounts_continue() {
    let mut town = Town::new(numbered(3), &["es", "ca", "fr"], "gemini").await;
    with_keys_of(&mut town, "es", "ca");
    with_keys_of(&mut town, "ca", "es");
    let run = town.once();
    assert_eq!(run.code, Some(1), "{}", run.err);
    for (language, owner) in [("es", "ca"), ("ca", "es")] {
        assert!(town.publications(language).is_empty());
        let why = format!("the keys for @town_{language} belong to @town_{owner}");
        assert!(run.err.contains(&why), "{}", run.err);
    }
    assert_eq!(numbers(&town.publications("fr")), [1, 2, 3]);
    assert_eq!(town.sandbox.count(Endpoint::Me).requests, 3, "each account is checked once");

    town.environment.clear();
    town.once().assert_success();
    for language in ["es", "ca", "fr"] {
        assert_eq!(numbers(&town.publications(language)), [1, 2, 3]);
    }
    assert_eq!(town.sandbox.count(Endpoint::Me).requests, 5, "only changed keys are checked again");

    town.post(&message(4));
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3, 4]);
    assert_eq!(town.sandbox.count(Endpoint::Me).requests, 5, "a restart checks nothing");
}

#[actix_rt::test]
async fn nothing_is_published_until_x_confirms_which_account_the_keys_belong_to() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let failing = |fault: &str| format!(r#"{{"endpoint": "x.me", "fault": {fault}, "count": 1}}"#);
    let rules = [r#"{"status": 503}"#, r#"{"status": 429}"#, r#""garbage""#].map(failing).join(",");
    town.order_faults(&format!(r#"{{"rules": [{rules}]}}"#));
    let running = town.start(&["run"]);
    town.until_published("es", 2).await;
    let order: Vec<Endpoint> = town
        .sandbox
        .requests()
        .into_iter()
        .map(|request| request.endpoint)
        .filter(|endpoint| [Endpoint::Me, Endpoint::Post].contains(endpoint))
        .collect();
    assert_eq!(order[..4], [Endpoint::Me; 4]);
    assert!(order[4..].iter().all(|endpoint| *endpoint == Endpoint::Post), "{order:?}");
    assert_eq!(running.terminate(), Some(0));
}
