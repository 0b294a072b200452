//! What `mynah preview` shows of a text and of a post, and that it publishes nothing.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviours are named by their tests")]

mod support;

use std::{io::Write as _, process::Stdio};

use serde_json::{Value, json};
use support::{Said, Town, message, numbered};

/// Runs it with `text` on its standard input.
fn preview(town: &Town, args: &[&str], text: &str) -> Said {
    let mut command = town.command(&[&["preview"], args].concat());
    let mut running = command.stdin(Stdio::piped()).spawn().unwrap();
    running.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Said::from(running.wait_with_output().unwrap())
}

fn shown(town: &Town, args: &[&str], text: &str) -> Value {
    let said = preview(town, &[&["--json"], args].concat(), text);
    said.is_done();
    serde_json::from_str(&said.out).unwrap()
}

#[actix_rt::test]
async fn a_text_is_shown_with_what_is_kept_in_it_and_what_it_becomes_and_costs() {
    let town = Town::new(numbered(1), &["es", "ca"], "apertium").await;
    let text = "The trees are 5 years old 🌳 https://a.example/x #trees\n";
    let shown = shown(&town, &[], text);
    assert_eq!(shown["source"]["text"], text.trim_end());
    assert_eq!(
        shown["source"]["entities"],
        json!([
            {"kind": "number", "text": "5"},
            {"kind": "emoji", "text": "🌳"},
            {"kind": "link", "text": "https://a.example/x"},
            {"kind": "hashtag", "text": "#trees"},
        ])
    );
    let es = &shown["targets"][0];
    assert_eq!(
        (&es["language"], &es["engine"], &es["findings"]),
        (&json!("es"), &json!("apertium"), &json!([]))
    );
    assert_eq!((es["price"].as_f64(), es["parts"].as_array().unwrap().len()), (Some(0.2), 1));
    let said = es["text"].as_str().unwrap();
    assert!(
        said.contains("árboles") && said.contains("5 ") && said.ends_with("🌳 https://a.example/x #trees"),
        "{said}"
    );
    assert!(es["weighted_length"].as_u64().unwrap() > 20);
    assert!(town.publications("es").is_empty());
    let plain = preview(&town, &[], text);
    plain.is_done();
    assert!(
        plain.out.contains("kept: hashtag #trees") && plain.out.contains("ca @town_ca: "),
        "{}",
        plain.out
    );
}

#[actix_rt::test]
async fn a_post_is_shown_by_its_number_and_by_its_link() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let id = town.sandbox.posts()[0].id;
    for which in [id.to_string(), format!("https://x.com/town/status/{id}")] {
        let shown = shown(&town, &[&which], "");
        assert_eq!(shown["source"]["text"], message(1));
        assert!(shown["targets"][0]["text"].as_str().unwrap().contains(" 1 "));
    }
    let gone = preview(&town, &["1"], "");
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("X shows no post 1"), "{}", gone.err);
    assert_eq!(preview(&town, &["nonsense"], "").code, Some(2));
}

#[actix_rt::test]
async fn what_does_not_pass_is_shown_with_the_rule_that_it_breaks() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    town.order_faults(
        r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"gemini": "missing_placeholder"}}]}"#,
    );
    let shown = shown(&town, &[], "Thank you, @bob");
    let es = &shown["targets"][0];
    assert_eq!((&es["findings"][0]["rule"], &es["parts"]), (&json!("protected"), &json!([])));
    assert!(es["findings"][0]["message"].as_str().unwrap().contains("@bob"));
}

#[actix_rt::test]
async fn without_any_engine_only_the_source_is_shown() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let shown = shown(&town, &["--source-only"], "Good morning 🌞");
    assert_eq!((shown["source"]["weighted_length"].as_u64(), &shown["targets"]), (Some(15), &json!([])));
    assert_eq!(town.sandbox.gemini().requests, 0);
    assert_eq!(preview(&town, &[], " \n").code, Some(2));
}

#[actix_rt::test]
async fn a_text_needs_no_keys_but_those_of_its_engine_and_a_post_needs_all() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let without_keys = |args: &[&str], engine: &str| {
        let mut command = town.command(args);
        command.arg("--set").arg(format!("engine.order={engine}"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        let mut running = command.stdin(Stdio::piped()).spawn().unwrap();
        // One that wants no text may be gone by now.
        let _ = running.stdin.take().unwrap().write_all(b"Good morning");
        Said::from(running.wait_with_output().unwrap())
    };
    without_keys(&["preview"], "apertium").is_done();
    without_keys(&["preview", "--source-only"], "gemini").is_done();
    let refused = without_keys(&["preview"], "gemini");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("GEMINI_API_KEY") && !refused.err.contains("X_CONSUMER"), "{}", refused.err);
    assert!(without_keys(&["preview", "1234"], "apertium").err.contains("X_CONSUMER_KEY"));
}

#[actix_rt::test]
async fn each_line_is_a_text_of_its_own_and_a_line_of_json() {
    let town = Town::new(numbered(1), &["es", "ca"], "apertium").await;
    let shown = preview(&town, &["--lines"], "The market opens\n\nThe bridge is closed\n");
    shown.is_done();
    let lines: Vec<Value> = shown.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["source"]["text"], "The bridge is closed");
    assert!(lines[1]["targets"][0]["text"].as_str().unwrap().contains("puente"), "{}", lines[1]);
}
