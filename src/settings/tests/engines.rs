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
