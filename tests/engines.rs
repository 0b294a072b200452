//! Choosing engines: each target may name its own, `mynah compare` shows what several make of the same posts, and what their
//! services counted is shown wherever calls are.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

mod support;

use serde_json::{Value, json};
use support::{Output, Town, numbered, run, run_json, run_with_input, until};

/// A town whose targets have these lines in their settings, by language.
async fn town_with(posts: usize, targets: &[(&str, &str)], engine: &str) -> Town {
    let languages: Vec<&str> = targets.iter().map(|(language, _)| *language).collect();
    let town = Town::new(numbered(posts), &languages, engine).await;
    let mut config = std::fs::read_to_string(town.config()).unwrap();
    for (language, lines) in targets {
        let account = format!("account = \"town_{language}\"\n");
        config = config.replace(&account, &format!("{account}{lines}\n"));
    }
    std::fs::write(town.config(), config).unwrap();
    town
}

/// A command without a key for Gemini, and with a key for nothing else.
fn without_keys(town: &Town, args: &[&str], input: &str) -> Output {
    let mut command = town.command(args);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    run_with_input(command, input)
}

fn compare(town: &Town, args: &[&str], input: &str) -> Output {
    run_with_input(town.command(&[&["compare"], args].concat()), input)
}

fn compare_json(town: &Town, args: &[&str], input: &str) -> Value {
    let output = compare(town, &[&["--json"], args].concat(), input);
    output.assert_success();
    serde_json::from_str(&output.out).unwrap()
}

#[actix_rt::test]
async fn each_target_gets_its_own_engines_and_the_others_are_not_asked_for_it() {
    let town = town_with(3, &[("es", "engines = [\"apertium\"]"), ("ca", "")], "gemini").await;
    town.once().assert_success();
    assert_eq!(town.sandbox.gemini().items, 3, "only for Catalan");
    let published = |language: &str| town.publications(language).into_iter().map(|post| post.text);
    assert_eq!((published("es").count(), published("ca").count()), (3, 3));
    // What Gemini translates for one target is in the cache, and stays out of the other, whatever list is put into force.
    town.post("The bridge is open");
    town.once().assert_success();
    assert_eq!(town.sandbox.gemini().items, 4);
    assert!(published("es").any(|text| text.contains("puente")), "{:?}", published("es").collect::<Vec<_>>());
}

#[actix_rt::test]
async fn a_check_says_which_languages_an_engine_of_a_target_does_not_translate() {
    let town = town_with(1, &[("es", ""), ("ja", "engines = [\"gemini\", \"apertium\"]")], "apertium").await;
    let checked = run(&town, &["check"]);
    assert!(
        checked.out.contains("in Spanish; it does not translate en→ja"),
        "{}{}",
        checked.out,
        checked.err
    );
    let (running, _) = town.serve().await;
    until("the start says so", || {
        town.log().contains("language pairs not supported engine=apertium pairs=en→ja")
    })
    .await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn a_target_whose_engines_do_not_translate_its_language_stops_the_start() {
    let town = town_with(1, &[("es", ""), ("ja", "engines = [\"apertium\"]")], "gemini").await;
    let refused = town.once();
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    let why = refused.final_message();
    assert!(why.contains("none of the engines of x:town_ja (apertium) translates en→ja"), "{why}");
    assert_eq!(town.sandbox.gemini().requests, 0);
}

#[actix_rt::test]
async fn only_engines_that_a_target_uses_need_their_keys() {
    let town = town_with(1, &[("es", "engines = [\"apertium\"]")], "gemini").await;
    let mut command = town.command(&["once"]);
    command.env_remove("GEMINI_API_KEY");
    Output::from(command.output().unwrap()).assert_success();
    let town = town_with(1, &[("es", "engines = [\"deepl\"]")], "apertium").await;
    let refused = town.once();
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.err.contains("deepl is in targets[0].engines, but has no key")
            && refused.err.contains("remove \"deepl\" from targets[0].engines"),
        "{}",
        refused.err
    );
}

#[actix_rt::test]
async fn engines_are_compared_side_by_side() {
    let town = Town::new(numbered(1), &["es"], "apertium").await;
    let posts = "The trees are 5 years old 🌳 #trees\n\nThe market opens\n";
    let compared = compare_json(&town, &["--engines", "gemini,apertium"], posts);
    assert_eq!(compared["from"], "en");
    let both = compared["posts"].as_array().unwrap();
    assert_eq!(both.len(), 2);
    let [gemini, apertium] = both[0]["translations"].as_array().unwrap().as_slice() else {
        panic!("{compared}")
    };
    for (translation, engine) in [(gemini, "gemini"), (apertium, "apertium")] {
        assert_eq!((&translation["engine"], &translation["to"]), (&json!(engine), &json!("es")));
        let text = translation["text"].as_str().unwrap();
        assert!(text.contains('5') && text.contains("🌳") && text.ends_with("#trees"), "{text}");
        assert!(translation["seconds"].as_f64().unwrap() > 0.0);
        assert_eq!(translation["max_weighted_length"], 280);
    }
    assert!(gemini["usage"]["input_tokens"].as_u64().unwrap() > 0, "{gemini}");
    // Gemini's prices for a million tokens; amounts are rounded up to a millionth of a dollar.
    let charged = |tokens: &str, price: f64| gemini["usage"][tokens].as_f64().unwrap() * price / 1e6;
    let price = charged("input_tokens", 0.30) + charged("output_tokens", 2.50);
    assert!((gemini["price"].as_f64().unwrap() - price).abs() < 3e-6, "{gemini}");
    assert_eq!(apertium["price"], 0.0);
    let totals: Vec<_> = compared["engines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|total| (&total["engine"], &total["passed"]))
        .collect();
    assert_eq!(totals, [(&json!("gemini"), &json!(2)), (&json!("apertium"), &json!(2))]);
    assert!(town.publications("es").is_empty());

    let shown = compare(&town, &["--engines", "gemini,apertium", "--network", "bluesky"], posts);
    shown.assert_success();
    assert!(shown.out.contains("es apertium  ") && shown.out.contains(" of 300, "), "{}", shown.out);
    assert!(shown.out.contains(" s, $0.000") && shown.out.contains("free"), "{}", shown.out);
}

#[actix_rt::test]
async fn what_the_gate_finds_is_shown_for_the_engine_that_it_is_about() {
    let town = Town::new(numbered(1), &["es"], "apertium").await;
    town.order_faults(
        r#"{"rules": [{"endpoint": "gemini.generate", "fault": {"gemini": "missing_placeholder"}}]}"#,
    );
    let compared = compare_json(&town, &["--engines", "gemini,apertium"], "Thank you, @bob\n");
    let [gemini, apertium] = compared["posts"][0]["translations"].as_array().unwrap().as_slice() else {
        panic!("{compared}")
    };
    assert_eq!((&gemini["findings"][0]["rule"], &gemini["parts"]), (&json!("protected"), &json!([])));
    assert_eq!(apertium["findings"], json!([]));
    assert_eq!((&compared["engines"][0]["held"], &compared["engines"][1]["held"]), (&json!(1), &json!(0)));
}

#[actix_rt::test]
async fn an_engine_without_a_key_is_left_out_with_what_to_set_and_the_others_are_compared() {
    // The target's own list does not matter here.
    let town = town_with(1, &[("es", "engines = [\"deepl\"]")], "apertium").await;
    let args = ["compare", "--json", "--engines", "gemini,deepl,apertium"];
    let compared = without_keys(&town, &args, "The market opens\n");
    compared.assert_success();
    let shown: Value = serde_json::from_str(&compared.out).unwrap();
    assert_eq!(shown["posts"][0]["translations"].as_array().unwrap().len(), 1);
    for (place, variable) in [(0, "GEMINI_API_KEY"), (1, "DEEPL_API_KEY")] {
        let reason = shown["engines"][place]["reason"].as_str().unwrap();
        assert!(reason.contains("no key") && reason.contains(&format!("set {variable}")), "{reason}");
        assert!(compared.err.contains(&format!("set {variable}")), "{}", compared.err);
    }
    assert_eq!(shown["engines"][2]["reason"], Value::Null);
    let alone = without_keys(&town, &["compare", "--engines", "gemini"], "The market opens\n");
    assert_eq!(alone.code, Some(2), "{}", alone.err);
    assert!(
        alone.err.contains("GEMINI_API_KEY") && alone.err.contains("none of the engines"),
        "{}",
        alone.err
    );
}

#[actix_rt::test]
async fn odd_posts_are_compared_and_odd_input_is_refused_with_the_fix() {
    let town = Town::new(numbered(1), &["es"], "apertium").await;
    let posts = format!("🎉🎉🎉\n{}\n", "a".repeat(5000));
    let compared = compare_json(&town, &["--engines", "apertium,gemini"], &posts);
    let both = compared["posts"].as_array().unwrap();
    for translation in both[0]["translations"].as_array().unwrap() {
        assert_eq!((&translation["text"], &translation["reason"]), (&json!("🎉🎉🎉"), &Value::Null));
    }
    assert_eq!(both[1]["translations"].as_array().unwrap().len(), 2, "{compared}");
    assert_eq!(both[1]["weighted_length"], 5000);
    for (args, input, why) in [
        (&["--engines", "apertium"][..], " \n\n", "there are no posts"),
        (&["--engines", "apertim"], "One\n", "did you mean \"apertium\"?"),
        (&["--network", "blusky"], "One\n", "did you mean \"bluesky\"?"),
        (&["--network", "feed"], "One\n", "nothing can be published on \"feed\""),
        (&["--from", "es"], "Uno\n", "no target in another language than Spanish"),
    ] {
        let refused = compare(&town, args, input);
        assert_eq!(refused.code, Some(2), "{args:?}: {}", refused.err);
        assert!(refused.err.contains(why), "{args:?}: {}", refused.err);
    }
    let left_out = compare(&town, &["--engines", "apertium,gemini", "--to", "ja"], "One\n");
    left_out.assert_success();
    assert!(left_out.err.contains("apertium is left out: it does not translate en→ja"), "{}", left_out.err);
}

#[actix_rt::test]
async fn engines_are_compared_without_a_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut here = std::process::Command::new(env!("CARGO_BIN_EXE_mynah"));
    here.args(["compare", "--json", "--engines", "apertium", "--to", "es,ca"]);
    here.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(folder.path());
    let compared = run_with_input(here, "The bridge is closed\n");
    compared.assert_success();
    let shown: Value = serde_json::from_str(&compared.out).unwrap();
    let texts = shown["posts"][0]["translations"].as_array().unwrap();
    assert_eq!(texts.iter().map(|one| one["to"].as_str().unwrap()).collect::<Vec<_>>(), ["es", "ca"]);
    assert!(texts[0]["text"].as_str().unwrap().contains("puente"), "{shown}");
}

#[actix_rt::test]
async fn what_an_engines_service_counted_is_in_metrics_status_and_the_log() {
    let mut town = Town::new(numbered(4), &["es"], "gemini").await;
    town.settings.extend(["log.format=json", "stats.interval=200ms"].map(Into::into));
    let (running, address) = town.serve().await;
    town.until_published("es", 4).await;
    let usage = |shown: &Value| shown["engines"][0]["usage"].clone();
    until("the status has it", || usage(&run_json(&town, &["status"]))["input_tokens"].is_u64()).await;
    let counted = usage(&run_json(&town, &["status"]));
    assert!(counted["output_tokens"].as_u64().unwrap() > 0 && counted.get("billed_characters").is_none());
    let mut metrics = awc::Client::default().get(format!("http://{address}/metrics")).send().await.unwrap();
    let metrics = String::from_utf8(metrics.body().await.unwrap().to_vec()).unwrap();
    for (kind, count) in [("input", &counted["input_tokens"]), ("output", &counted["output_tokens"])] {
        let line = format!("mynah_engine_tokens_total{{engine=\"gemini\",kind=\"{kind}\"}} {count}");
        assert!(metrics.lines().any(|metric| metric == line), "{line}\n{metrics}");
    }
    let in_the_log = format!("\"gemini.input_tokens\":{}", counted["input_tokens"]);
    until("a stats event has it", || town.log().contains(&in_the_log)).await;
    let shown = run(&town, &["status"]);
    assert!(shown.out.contains(&format!("{} tokens in", counted["input_tokens"])), "{}", shown.out);
    assert_eq!(running.terminate(), Some(0));
}
