//! `mynah preview` shows what a text or a post would become, and publishes nothing.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use serde_json::{Value, json};
use support::{Town, message, numbered, run_with_input};

fn preview_json(town: &Town, args: &[&str], text: &str) -> Value {
    let output = town.preview(&[&["--json"], args].concat(), text);
    output.assert_success();
    serde_json::from_str(&output.out).unwrap()
}

#[actix_rt::test]
async fn a_text_is_shown_with_its_protected_parts_its_translations_and_their_cost() {
    let town = Town::new(numbered(1), &["es", "ca"], "apertium").await;
    let text = "The trees are 5 years old 🌳 https://a.example/x #trees\n";
    let shown = preview_json(&town, &[], text);
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
    let translation = es["text"].as_str().unwrap();
    assert!(
        translation.contains("árboles")
            && translation.contains("5 ")
            && translation.ends_with("🌳 https://a.example/x #trees"),
        "{translation}"
    );
    assert!(es["weighted_length"].as_u64().unwrap() > 20);
    assert!(town.publications("es").is_empty());
    let plain = town.preview(&[], text);
    plain.assert_success();
    assert!(
        plain.out.contains("protected: hashtag #trees") && plain.out.contains("ca @town_ca: "),
        "{}",
        plain.out
    );
}

#[actix_rt::test]
async fn what_becomes_of_links_is_shown_with_its_price() {
    let town = Town::new(numbered(1), &["es"], "apertium").await;
    let text = "The trees are old https://a.example/x";
    for (links, parts, price, removed) in
        [("keep", 1, 0.2, false), ("drop", 1, 0.015, true), ("reply", 2, 0.215, false)]
    {
        let policy = format!("defaults.targets.links={links}");
        let shown = preview_json(&town, &["--set", &policy], text);
        let es = &shown["targets"][0];
        assert_eq!(
            (es["parts"].as_array().unwrap().len(), es["price"].as_f64()),
            (parts, Some(price)),
            "{links}: {es}"
        );
        let plain = town.preview(&["--set", &policy], text);
        assert_eq!(
            plain.out.contains("link removed: https://a.example/x"),
            removed,
            "{links}: {}",
            plain.out
        );
    }
}

#[actix_rt::test]
async fn a_post_is_found_by_its_id_or_its_link() {
    let town = Town::new(numbered(2), &["es"], "gemini").await;
    let id = town.sandbox.posts()[0].id;
    for which in [id.to_string(), format!("https://x.com/town/status/{id}")] {
        let shown = preview_json(&town, &[&which], "");
        assert_eq!(shown["source"]["text"], message(1));
        assert!(shown["targets"][0]["text"].as_str().unwrap().contains(" 1 "));
    }
    let missing = town.preview(&["1"], "");
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("X does not show post 1"), "{}", missing.err);
    assert_eq!(town.preview(&["nonsense"], "").code, Some(2));
}

#[actix_rt::test]
async fn a_translation_that_does_not_pass_the_gate_is_shown_with_the_rule_it_breaks() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    town.order_faults(
        r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"gemini": "missing_placeholder"}}]}"#,
    );
    let shown = preview_json(&town, &[], "Thank you, @bob");
    let es = &shown["targets"][0];
    assert_eq!((&es["findings"][0]["rule"], &es["parts"]), (&json!("protected"), &json!([])));
    assert!(es["findings"][0]["message"].as_str().unwrap().contains("@bob"));
}

#[actix_rt::test]
async fn source_only_shows_only_the_source_and_calls_no_engine() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let shown = preview_json(&town, &["--source-only"], "Good morning 🌞");
    assert_eq!((shown["source"]["weighted_length"].as_u64(), &shown["targets"]), (Some(15), &json!([])));
    assert_eq!(town.sandbox.gemini().requests, 0);
    assert_eq!(town.preview(&[], " \n").code, Some(2));
}

#[actix_rt::test]
async fn a_text_needs_only_the_keys_of_its_engine_and_a_post_needs_all_keys() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let without_keys = |args: &[&str], engine: &str| {
        let mut command = town.command(args);
        command.arg("--set").arg(format!("engine.order={engine}"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        run_with_input(command, "Good morning")
    };
    without_keys(&["preview"], "apertium").assert_success();
    without_keys(&["preview", "--source-only"], "gemini").assert_success();
    let refused = without_keys(&["preview"], "gemini");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("GEMINI_API_KEY") && !refused.err.contains("X_CONSUMER"), "{}", refused.err);
    assert!(without_keys(&["preview", "1234"], "apertium").err.contains("X_CONSUMER_KEY"));
}

#[actix_rt::test]
async fn with_lines_each_line_is_a_text_and_gives_a_line_of_json() {
    let town = Town::new(numbered(1), &["es", "ca"], "apertium").await;
    let shown = town.preview(&["--lines"], "The market opens\n\nThe bridge is closed\n");
    shown.assert_success();
    let lines: Vec<Value> = shown.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["source"]["text"], "The bridge is closed");
    assert!(lines[1]["targets"][0]["text"].as_str().unwrap().contains("puente"), "{}", lines[1]);
}

#[actix_rt::test]
async fn a_text_in_the_language_of_all_targets_has_nothing_to_be_translated_to() {
    let town = Town::new(numbered(1), &["es"], "gemini").await;
    let refused = town.preview(&["--from", "es"], "Buenos días");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("has no target in another language than Spanish"), "{}", refused.err);
    let shown = preview_json(&town, &["--from", "es", "--to", "fr"], "Buenos días");
    assert_eq!(shown["targets"][0]["language"], "fr");
}
