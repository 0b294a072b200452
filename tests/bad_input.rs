//! A failure outside Mynah ends in one clear message that names the problem and the fix, with nothing lost. The
//! messages are snapshots, so that every change of wording shows in a review.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use mynah_sandbox::UserState;
use support::{Output, Town, numbered, numbers};

/// Compares a command's exit code and final message with the snapshot, ignoring port, folder and time.
macro_rules! assert_message {
    ($town:expr, $output:expr, $code:expr) => {{
        let output: Output = $output;
        assert_eq!(output.code, Some($code), "{}\n{}", output.out, output.err);
        assert!(!output.err.contains("panicked") && !output.err.contains("backtrace"), "{}", output.err);
        let folder = $town.folder.path().display().to_string();
        insta::with_settings!({filters => vec![
            (regex_escape(&folder).as_str(), "DIR"),
            (r"127\.0\.0\.1:\d+", "HOST"),
            (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "MOMENT"),
        ]}, {
            insta::assert_snapshot!(output.final_message());
        });
    }};
}

fn regex_escape(text: &str) -> String {
    text.chars().flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c])).collect()
}

async fn town() -> Town {
    Town::new(numbered(3), &["es"], "gemini").await
}

/// After the fix everything is published, so nothing was lost.
fn assert_all_published_after_fix(town: &Town) {
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1, 2, 3]);
}

#[actix_rt::test]
async fn an_unknown_account() {
    let town = town().await;
    town.sandbox.set_user_state("town", UserState::Unknown);
    assert_message!(town, town.once(), 1);
    town.sandbox.set_user_state("town", UserState::Active);
    assert_all_published_after_fix(&town);
}

#[actix_rt::test]
async fn a_suspended_account() {
    let town = town().await;
    town.sandbox.set_user_state("town", UserState::Suspended);
    assert_message!(town, town.once(), 1);
}

#[actix_rt::test]
async fn a_protected_account() {
    let town = town().await;
    town.sandbox.set_user_state("town", UserState::Protected);
    assert_message!(town, town.once(), 1);
}

#[actix_rt::test]
async fn a_wrong_key_for_reading() {
    let town = town().await;
    let output = town.command(&["once"]).env("X_BEARER_TOKEN", "wrong-and-secret").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("wrong-and-secret"));
    assert_message!(town, Output::from(output), 1);
    assert_all_published_after_fix(&town);
}

#[actix_rt::test]
async fn run_stops_when_the_account_does_not_exist() {
    let town = town().await;
    town.sandbox.set_user_state("town", UserState::Unknown);
    let output = Output::from(town.command(&["run"]).output().unwrap());
    assert_message!(town, output, 1);
}

#[actix_rt::test]
async fn a_revoked_token_of_a_target() {
    let town = Town::new(numbered(3), &["es", "fr"], "gemini").await;
    town.sandbox.revoke_token("town_es");
    assert_message!(town, town.once(), 1);
    assert_eq!(numbers(&town.publications("fr")), [1, 2, 3], "the other target continues");
    town.sandbox.restore_token("town_es");
    assert_all_published_after_fix(&town);
}

#[actix_rt::test]
async fn a_wrong_key_for_gemini() {
    let town = town().await;
    let output = town.command(&["once"]).env("GEMINI_API_KEY", "wrong-and-secret").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("wrong-and-secret"));
    assert_message!(town, Output::from(output), 1);
    assert_all_published_after_fix(&town);
}

#[actix_rt::test]
async fn no_network() {
    let mut town = town().await;
    // A port that was free a moment ago, so nobody listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    town.settings.push(format!("x.base_url=http://127.0.0.1:{port}"));
    assert_message!(town, town.once(), 1);
    town.settings.clear();
    assert_all_published_after_fix(&town);
}

#[actix_rt::test]
async fn garbage_from_x() {
    let town = town().await;
    town.order_faults(r#"{"rules": [{"endpoint": "x.timeline", "fault": "garbage"}]}"#);
    assert_message!(town, town.once(), 1);
    town.order_faults("{}");
    assert_all_published_after_fix(&town);
}

#[actix_rt::test]
async fn garbage_from_gemini() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    town.order_faults(r#"{"rules": [{"endpoint": "gemini.generate", "fault": "garbage"}]}"#);
    assert_message!(town, town.once(), 1);
    town.order_faults("{}");
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [1]);
}

#[actix_rt::test]
async fn a_config_with_five_mistakes() {
    let town = town().await;
    let config = "data_dir = \"data\"\n[source]\naccount = \"two words\"\npol_interval = \"60s\"\n\
                  [[targets]]\nlanguage = \"spanish\"\naccount = \"town_es\"\n\
                  [[targets]]\nlanguage = \"fr\"\naccount = \"town_es\"\n[translator]\npool_size = \"many\"\n";
    std::fs::write(town.config(), config).unwrap();
    assert_message!(town, town.once(), 2);
}

#[actix_rt::test]
async fn no_config_at_all() {
    let town = town().await;
    std::fs::remove_file(town.config()).unwrap();
    assert_message!(town, town.once(), 2);
}

#[actix_rt::test]
async fn a_data_directory_that_cannot_be_written() {
    let mut town = town().await;
    std::fs::write(town.folder.path().join("file"), "").unwrap();
    town.settings.push(format!("data_dir={}/file/data", town.folder.path().display()));
    assert_message!(town, town.once(), 1);
}

#[actix_rt::test]
async fn a_ledger_from_a_newer_version() {
    let town = town().await;
    town.once().assert_success();
    let ledger = rusqlite::Connection::open(town.folder.path().join("data/ledger.sqlite")).unwrap();
    ledger.pragma_update(None, "user_version", 99).unwrap();
    drop(ledger);
    assert_message!(town, town.once(), 1);
}

#[actix_rt::test]
async fn a_ledger_that_is_gone() {
    let town = town().await;
    town.once().assert_success();
    std::fs::remove_file(town.folder.path().join("data/ledger.sqlite")).unwrap();
    assert_message!(town, town.once(), 1);
}

#[actix_rt::test]
async fn a_second_process_on_one_ledger() {
    let town = town().await;
    let running = town.start(&["run"]);
    town.until_published("es", 3).await;
    assert_message!(town, town.once(), 1);
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_language_that_no_engine_translates() {
    let town = Town::new(numbered(1), &["ja"], "apertium").await;
    assert_message!(town, town.once(), 1);
}

#[actix_rt::test]
async fn check_reports_all_problems_at_once() {
    let town = Town::new(numbered(1), &["es", "fr"], "gemini").await;
    town.sandbox.revoke_token("town_es");
    town.sandbox.set_user_state("town", UserState::Suspended);
    let output = town.command(&["check"]).env("GEMINI_API_KEY", "wrong").output().unwrap();
    let output = Output::from(output);
    for wrong in ["FAIL  gemini", "FAIL  source @town", "FAIL  target @town_es"] {
        assert!(output.out.contains(wrong), "{wrong}: {}", output.out);
    }
    assert!(output.out.contains("ok    target @town_fr"), "{}", output.out);
    assert!(!output.out.contains("publisher.min_interval"), "{}", output.out);
    assert_message!(town, output, 1);
}
