//! Engines in sections with names of their own.

use super::*;
use crate::engines::openai::{OpenAiSettings, Service};

const ORDER: &str = "[engine]\norder = [\"groq\", \"my-gemini\", \"local\"]\n";
const SECTIONS: &str = "\
[engine.groq]
kind = \"openai\"
batch = 7
[engine.my-gemini]
kind = \"gemini\"
model = \"gemini-x\"
[engine.local]
kind = \"openai\"
base_url = \"http://127.0.0.1:8080/v1\"
model = \"mine\"
timeout = \"4m\"
";

/// Engines of all three sections, with their keys. The engines begin in line 8.
fn three() -> Bench {
    with(&format!("{ORDER}{SECTIONS}"))
        .without(&["GEMINI_API_KEY"])
        .env("GROQ_API_KEY", "hush-groq")
        .env("MY_GEMINI_API_KEY", "hush-gemini")
}

fn openai(settings: &Settings, place: usize) -> &OpenAiSettings {
    settings.engine.order[place].as_any().downcast_ref().unwrap()
}

#[test]
fn any_number_of_engines_have_names_kinds_and_keys_of_their_own() {
    let settings = three().good();
    assert_eq!(names(&settings), ["groq", "my-gemini", "local"]);
    let groq = openai(&settings, 0);
    assert_eq!((groq.service, groq.base_url.as_str()), (Service::Groq, "https://api.groq.com/openai/v1"));
    assert_eq!((groq.model.as_str(), groq.max_batch), ("openai/gpt-oss-120b", 7));
    assert_eq!(groq.key.as_ref().unwrap().expose_secret(), "hush-groq");
    let gemini: &GeminiSettings = settings.engine.order[1].as_any().downcast_ref().unwrap();
    assert_eq!((gemini.model.as_str(), gemini.key.expose_secret()), ("gemini-x", "hush-gemini"));
    let local = openai(&settings, 2);
    assert_eq!((local.service, local.timeout.as_secs()), (Service::Other, 240));
    assert!(local.key.is_none(), "a service on this machine needs none");
    assert_eq!(settings.engine.secrets["groq"], ["GROQ_API_KEY"]);
    assert_eq!(settings.value_of("engine.groq.service"), Some("groq"));
}

#[test]
fn a_section_takes_the_defaults_of_the_service_that_it_is_called_after() {
    for (name, url) in [
        ("openai", "https://api.openai.com/v1"),
        ("mistral", "https://api.mistral.ai/v1"),
        ("openrouter", "https://openrouter.ai/api/v1"),
        ("ollama", "http://localhost:11434/v1"),
    ] {
        let text = format!("[engine]\norder = [\"{name}\"]\n[engine.{name}]\nkind = \"openai\"\n");
        let bench = with(&text).without(&["GEMINI_API_KEY"]);
        let bench = match name {
            "ollama" => bench,
            _ => bench.env(&format!("{}_API_KEY", name.to_uppercase()), "hush"),
        };
        let settings = bench.good();
        assert_eq!(openai(&settings, 0).base_url.as_str(), url);
    }
    let other = "[engine]\norder = [\"mine\"]\n[engine.mine]\nkind = \"openai\"\nservice = \"groq\"\n";
    let settings = with(other).env("MINE_API_KEY", "hush").env("GROQ_API_KEY", "hush-other").good();
    assert_eq!(openai(&settings, 0).key.as_ref().unwrap().expose_secret(), "hush");
}

#[test]
fn the_key_of_one_engine_is_never_sent_to_another() {
    let bench = three().without(&["GROQ_API_KEY"]).env("OPENAI_API_KEY", "hush-openai");
    bench.reports(
        "environment variable GROQ_API_KEY",
        "GROQ_API_KEY",
        "groq is in engine.order, but has no key",
        "set GROQ_API_KEY, or set GROQ_API_KEY_FILE",
    );
    let bench = three().without(&["MY_GEMINI_API_KEY"]).env("GEMINI_API_KEY", "hush-first");
    bench.reports(
        "environment variable MY_GEMINI_API_KEY",
        "MY_GEMINI_API_KEY",
        "no key",
        "MY_GEMINI_API_KEY",
    );
}

#[test]
fn what_is_wrong_in_a_section_is_reported_under_its_own_name() {
    let with_more = |more: &str| {
        with(&format!("[engine.groq]\nkind = \"openai\"\n{more}\n")).env("GROQ_API_KEY", "hush-groq")
    };
    with_more("batch = 0").reports("config.toml:10", "engine.groq.batch", "out of range", "1 to 100");
    with_more("modle = \"x\"").reports(
        "config.toml:10",
        "engine.groq.modle",
        "unknown setting",
        "did you mean engine.groq.model?",
    );
    with_more("api_key = \"hush\"").reports(
        "config.toml:10",
        "engine.groq.api_key",
        "secrets do not belong",
        "variable GROQ_API_KEY, or set GROQ_API_KEY_FILE",
    );
    with_more("").env("MYNAH__ENGINE__GROQ__BATHC", "3").reports(
        "environment variable MYNAH__ENGINE__GROQ__BATHC",
        "engine.groq.bathc",
        "unknown setting",
        "did you mean MYNAH__ENGINE__GROQ__BATCH?",
    );
    with("[engine.local]\nkind = \"openai\"\nmodel = \"mine\"\n").reports(
        "config.toml:8",
        "engine.local.base_url",
        "this is missing",
        "/v1",
    );
}

#[test]
fn a_section_says_which_kind_it_is() {
    with("[engine.groq]\nmodel = \"x\"\n").reports(
        "config.toml:8",
        "engine.groq",
        "unknown setting",
        "needs a kind in [engine.groq]: \"gemini\"",
    );
    with("[engine]\norder = [\"groq\"]\n[engine.groq]\nmodel = \"x\"\n").reports(
        "config.toml:10",
        "engine.groq",
        "unknown setting",
        "needs a kind in [engine.groq]",
    );
    with("[engine.groq]\nkind = \"opnai\"\nmodel = \"x\"\n").reports(
        "config.toml:9",
        "engine.groq.kind",
        "not a valid value",
        "did you mean \"openai\"?",
    );
    with("[engine.gemini]\nkind = \"openai\"\n").reports(
        "config.toml:9",
        "engine.gemini.kind",
        "not a valid value",
        "\"gemini\"",
    );
    with("[engine.Groq]\nkind = \"openai\"\n").reports(
        "config.toml:8",
        "engine.Groq",
        "not a name for an engine",
        "small letters",
    );
    with("[engine]\norder = [\"grok\"]\n[engine.groq]\nkind = \"openai\"\n").reports(
        "config.toml:9",
        "engine.order",
        "unknown engine: \"grok\"",
        "did you mean \"groq\"?",
    );
    with("[engine.gemini]\nkind = \"gemini\"\n").good();
}

#[test]
fn an_engine_can_be_added_by_the_environment_alone() {
    let settings = Bench::least()
        .env("MYNAH__ENGINE__OLLAMA__KIND", "openai")
        .env("MYNAH__ENGINE__ORDER", "ollama")
        .good();
    assert_eq!(names(&settings), ["ollama"]);
}

/// Two targets, of which the second has these lines; they begin in line 12.
fn two_targets(lines: &str) -> Bench {
    with(&format!("\n[[targets]]\nlanguage = \"fr\"\naccount = \"example_fr\"\n{lines}\n"))
        .env("X_EXAMPLE_FR_ACCESS_TOKEN", "hush-token")
        .env("X_EXAMPLE_FR_ACCESS_TOKEN_SECRET", "hush-token-secret")
}

fn engines_of(settings: &Settings, target: usize) -> Vec<&str> {
    settings.engines_of(&settings.targets[target]).iter().map(|name| &**name).collect()
}

#[test]
fn a_target_may_name_its_own_engines_and_the_others_follow_the_order() {
    let settings = two_targets("engines = [\"deepl\", \"gemini\"]").env("DEEPL_API_KEY", "hush-deepl").good();
    assert_eq!(engines_of(&settings, 0), ["gemini", "apertium"]);
    assert_eq!(engines_of(&settings, 1), ["deepl", "gemini"]);
    assert_eq!(names(&settings), ["gemini", "apertium", "deepl"]);
    assert_eq!(settings.engine.secrets["deepl"], ["DEEPL_API_KEY"]);
}

#[test]
fn an_order_that_no_target_follows_needs_no_keys() {
    let settings = with("[defaults.targets]\nengines = [\"apertium\"]\n").without(&["GEMINI_API_KEY"]).good();
    assert_eq!((names(&settings), engines_of(&settings, 0)), (vec!["apertium".to_owned()], vec!["apertium"]));
}

#[test]
fn a_wrong_list_of_a_target_is_reported_where_it_is() {
    for (line, what, fix) in [
        ("engines = [\"apertim\"]", "unknown engine: \"apertim\"", "did you mean \"apertium\"?"),
        ("engines = []", "no engine is listed", "\"apertium\""),
        ("engines = [\"gemini\", \"gemini\"]", "twice", "once"),
        ("engines = true", "not a list", "\"gemini\""),
    ] {
        two_targets(line).reports("config.toml:12", "targets[1].engines", what, fix);
    }
    two_targets("engine = [\"apertium\"]").reports(
        "config.toml:12",
        "targets[1].engine",
        "unknown setting",
        "did you mean targets.engines?",
    );
}

#[test]
fn a_missing_key_names_the_list_that_needs_it() {
    two_targets("engines = [\"deepl\"]").reports(
        "environment variable DEEPL_API_KEY",
        "DEEPL_API_KEY",
        "deepl is in targets[1].engines, but has no key",
        "or remove \"deepl\" from targets[1].engines",
    );
    with("[defaults.targets]\nengines = [\"deepl\"]\n").reports(
        "environment variable DEEPL_API_KEY",
        "DEEPL_API_KEY",
        "deepl is in defaults.targets.engines",
        "from defaults.targets.engines",
    );
}

#[test]
fn a_command_may_choose_the_engines_itself() {
    let mut bench = two_targets("engines = [\"deepl\"]").without(&["GEMINI_API_KEY"]);
    bench.sources.only_engines = Some(vec!["apertium".into()]);
    let settings = bench.good();
    assert_eq!(names(&settings), ["apertium"]);
    assert_eq!((engines_of(&settings, 0), engines_of(&settings, 1)), (vec!["apertium"], vec!["apertium"]));
    bench.sources.only_engines = Some(vec!["deepl".into()]);
    assert!(bench.message().contains("deepl is in --engines, but has no key"), "{}", bench.message());
}
