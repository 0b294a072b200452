//! The contract of engines on every engine there is, and on the toy that is the example of how one is added.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "behaviours are named by their tests, which fail where they cannot go on"
)]

mod contract {
    pub(crate) mod engine;
}
#[path = "support/models.rs"]
mod models;
mod toy_engine;

use std::{fs, marker::PhantomData, path::Path, rc::Rc, time::Duration};

use contract::engine::Bench;
use mynah::{
    app,
    engines::{
        ConfiguredEngine, Engines,
        anthropic::AnthropicSettings,
        apertium::ApertiumSettings,
        deepl::{Deepl, DeeplSettings, Formality},
        firefox::{FirefoxSettings, Store},
        gemini::{Gemini, GeminiSettings},
        libretranslate::{KnownLanguages, LibreTranslate, LibreTranslateSettings},
        openai::{OpenAiSettings, Service},
    },
    http_client::Transport,
    settings::{self, SettingsSources},
};
use mynah_actors::translator::{cascade::CallContext, task::Task};
use mynah_domain::{
    JobEvent, Language, fixtures,
    ports::{Engine, EngineError, Item, ItemError},
    tariff::Tariff,
};
use mynah_sandbox::{FaultPlan, Sandbox, SandboxConfig};
use toy_engine::{DictionaryKind, DictionarySettings};

/// A service that the sandbox plays.
trait Played {
    /// What rules call its translations, `gemini.generate`.
    const ENDPOINT: &'static str;
    /// Its faults that use up the quota, and that refuse every text.
    const QUOTAS: &'static [&'static str];
    const REFUSALS: &'static [&'static str];
    /// Its faults that damage placeholders, and whose faults these are.
    const DAMAGES: &'static [&'static str] = &["missing_placeholder", "doubled_placeholder"];
    const DAMAGING: Option<&'static str> = None;
    /// Whether it is a language model: it names items by ids, may confuse them, and refuses whole requests.
    const IS_MODEL: bool = true;

    /// The key that the sandbox accepts.
    fn key() -> String;

    /// The engine, for a service at this address.
    fn engine(name: &str, base_url: &str, key: String) -> Rc<dyn Engine>;

    /// Languages that the service does not have.
    fn unsupported() -> Option<(Language, Language)> {
        None
    }
}

/// A service, against the sandbox.
struct OnSandbox<P>(Sandbox, PhantomData<P>);

impl<P: Played> OnSandbox<P> {
    /// Makes the service answer its next `times` calls so.
    fn order(&self, fault: &str, times: u32) {
        let (service, _) = P::ENDPOINT.split_once('.').unwrap();
        self.order_of(service, fault, times);
    }

    /// The same with a fault of these.
    fn order_of(&self, faults: &str, fault: &str, times: u32) {
        let plan = format!(
            r#"{{"rules": [{{"endpoint": "{}", "fault": {{"{faults}": "{fault}"}}, "count": {times}}}]}}"#,
            P::ENDPOINT
        );
        self.0.set_faults(serde_json::from_str::<FaultPlan>(&plan).unwrap());
    }
}

impl<P: Played> Bench for OnSandbox<P> {
    async fn new() -> Self {
        let config = SandboxConfig::default().target("town_es", "es");
        Self(mynah_sandbox::start(config).await.unwrap(), PhantomData)
    }

    fn engine(&self, name: &str) -> Rc<dyn Engine> {
        P::engine(name, &self.0.url(), P::key())
    }

    fn unreachable(&self) -> Rc<dyn Engine> {
        // Nobody listens there once this is dropped.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        P::engine("engine", &format!("http://{gone}"), P::key())
    }

    fn unsupported(&self) -> Option<(Language, Language)> {
        P::unsupported()
    }

    fn leave_out_one_item(&self) -> bool {
        if P::IS_MODEL {
            self.order("missing_item", 1);
        }
        P::IS_MODEL
    }

    fn ways_to_misplace(&self) -> &'static [&'static str] {
        if P::IS_MODEL { &["shifted", "swapped", "merged", "neighbor_twice", "skipped"] } else { &[] }
    }

    fn misplace(&self, way: &str, times: u32) {
        self.order(way, times);
    }

    fn with_a_wrong_key(&self) -> Option<Rc<dyn Engine>> {
        Some(P::engine("engine", &self.0.url(), "wrong-key".into()))
    }

    fn ways_to_use_up_its_quota(&self) -> &'static [&'static str] {
        P::QUOTAS
    }

    fn use_up_its_quota(&self, way: &str) {
        self.order(way, 1_000);
    }

    fn ways_to_refuse(&self) -> &'static [&'static str] {
        P::REFUSALS
    }

    fn refuse(&self, way: &str, times: u32) {
        self.order(way, times);
    }

    fn refuses_requests(&self) -> bool {
        P::IS_MODEL
    }

    fn ways_to_damage(&self) -> &'static [&'static str] {
        P::DAMAGES
    }

    fn damage(&self, way: &str) {
        match P::DAMAGING {
            Some(faults) => self.order_of(faults, way, 1_000),
            None => self.order(way, 1_000),
        }
    }
}

struct OfGemini;
type GeminiOnSandbox = OnSandbox<OfGemini>;

impl Played for OfGemini {
    const ENDPOINT: &'static str = "gemini.generate";
    const QUOTAS: &'static [&'static str] = &["quota_per_day"];
    const REFUSALS: &'static [&'static str] = &["refusal", "safety"];

    fn key() -> String {
        mynah_sandbox::credentials("town_es").gemini_api_key
    }

    fn engine(name: &str, base_url: &str, key: String) -> Rc<dyn Engine> {
        let settings = GeminiSettings {
            name: name.into(),
            base_url: base_url.parse().unwrap(),
            model: "gemini-3.5-flash-lite".into(),
            key: key.into(),
            timeout: Duration::from_secs(20),
            connections: 8,
            max_batch: 20,
            tariff: Tariff::Free,
        };
        Rc::new(Gemini::new(settings, Transport::default()))
    }
}

struct OfOpenAi;
type OpenAiOnSandbox = OnSandbox<OfOpenAi>;

impl Played for OfOpenAi {
    const ENDPOINT: &'static str = "openai.chat";
    const QUOTAS: &'static [&'static str] =
        &["insufficient_quota", "insufficient_credits", "rate_limited_in_words"];
    const REFUSALS: &'static [&'static str] = &["refusal", "content_filter"];

    fn key() -> String {
        mynah_sandbox::credentials("town_es").openai_api_key
    }

    fn engine(name: &str, base_url: &str, key: String) -> Rc<dyn Engine> {
        let settings = OpenAiSettings {
            name: name.into(),
            service: Service::OpenAi,
            base_url: format!("{base_url}/v1").parse().unwrap(),
            model: "gpt-5.4-mini".into(),
            key: Some(key.into()),
            reasoning_effort: None,
            max_tokens: 8192,
            timeout: Duration::from_secs(20),
            connections: 8,
            max_batch: 20,
            tariff: Tariff::Free,
        };
        settings.factory(Transport::default()).unwrap()()
    }
}

struct OfAnthropic;
type AnthropicOnSandbox = OnSandbox<OfAnthropic>;

impl Played for OfAnthropic {
    const ENDPOINT: &'static str = "anthropic.messages";
    const QUOTAS: &'static [&'static str] = &["credit_balance"];
    const REFUSALS: &'static [&'static str] = &["refusal"];

    fn key() -> String {
        mynah_sandbox::credentials("town_es").anthropic_api_key
    }

    fn engine(name: &str, base_url: &str, key: String) -> Rc<dyn Engine> {
        let settings = AnthropicSettings {
            name: name.into(),
            base_url: base_url.parse().unwrap(),
            model: "claude-haiku-4-5".into(),
            key: key.into(),
            max_tokens: 8192,
            timeout: Duration::from_secs(20),
            connections: 8,
            max_batch: 20,
            tariff: Tariff::Free,
        };
        settings.factory(Transport::default()).unwrap()()
    }
}

/// What damages the placeholders of translation services.
const DAMAGES: &[&str] =
    &["missing_placeholder", "doubled_placeholder", "broken_placeholder", "spaced_placeholder"];

struct OfDeepl;
type DeeplOnSandbox = OnSandbox<OfDeepl>;

impl Played for OfDeepl {
    const ENDPOINT: &'static str = "deepl.translate";
    const QUOTAS: &'static [&'static str] = &["quota_exceeded", "quota_of_period_exceeded"];
    const REFUSALS: &'static [&'static str] = &["unsupported_target"];
    const DAMAGES: &'static [&'static str] = DAMAGES;
    const DAMAGING: Option<&'static str> = Some("translator");
    const IS_MODEL: bool = false;

    fn key() -> String {
        mynah_sandbox::DEEPL_API_KEY.into()
    }

    fn engine(name: &str, base_url: &str, key: String) -> Rc<dyn Engine> {
        let settings = DeeplSettings {
            name: name.into(),
            base_url: Some(base_url.parse().unwrap()),
            key: key.into(),
            formality: Formality::Default,
            glossary_id: None,
            timeout: Duration::from_secs(20),
            connections: 8,
            max_batch: 50,
            tariff: Tariff::Free,
        };
        Rc::new(Deepl::new(settings, Transport::default()))
    }

    fn unsupported() -> Option<(Language, Language)> {
        Some(("en".parse().unwrap(), "sc".parse().unwrap()))
    }
}

struct OfLibreTranslate;
type LibreTranslateOnSandbox = OnSandbox<OfLibreTranslate>;

impl Played for OfLibreTranslate {
    const ENDPOINT: &'static str = "libretranslate.translate";
    const QUOTAS: &'static [&'static str] = &["banned"];
    const REFUSALS: &'static [&'static str] = &["text_limit"];
    const DAMAGES: &'static [&'static str] = DAMAGES;
    const DAMAGING: Option<&'static str> = Some("translator");
    const IS_MODEL: bool = false;

    fn key() -> String {
        mynah_sandbox::LIBRETRANSLATE_API_KEY.into()
    }

    fn engine(name: &str, base_url: &str, key: String) -> Rc<dyn Engine> {
        let settings = LibreTranslateSettings {
            name: name.into(),
            base_url: base_url.parse().unwrap(),
            key: Some(key.into()),
            timeout: Duration::from_secs(20),
            connections: 8,
            max_batch: 20,
            languages: KnownLanguages::default(),
        };
        Rc::new(LibreTranslate::new(settings, Transport::default()))
    }

    /// Nobody asked the server, so it may have every pair but one of the same language.
    fn unsupported() -> Option<(Language, Language)> {
        Some(("en".parse().unwrap(), "en-GB".parse().unwrap()))
    }
}

/// The real Apertium. `make test` installs it.
struct Installed;

fn apertium(settings: &ApertiumSettings) -> Rc<dyn Engine> {
    settings.factory(Transport::default()).unwrap()()
}

impl Bench for Installed {
    async fn new() -> Self {
        Self
    }

    fn engine(&self, name: &str) -> Rc<dyn Engine> {
        apertium(&ApertiumSettings { name: name.into(), ..ApertiumSettings::default() })
    }

    fn unreachable(&self) -> Rc<dyn Engine> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("eng-spa.mode"), "/nowhere/lt-proc x").unwrap();
        apertium(&ApertiumSettings { modes_dir: folder.path().into(), ..ApertiumSettings::default() })
    }

    fn unsupported(&self) -> Option<(Language, Language)> {
        Some(("en".parse().unwrap(), "ja".parse().unwrap()))
    }
}

/// Firefox's engine with a real model. `make setup-models` downloads it. It writes Portuguese, which the contract does not
/// notice: the folder's name says Spanish.
struct Neural(tempfile::TempDir);

impl Neural {
    fn firefox(name: &str, models: &Path) -> Rc<dyn Engine> {
        let settings = FirefoxSettings::with_models(Store::offline(models));
        FirefoxSettings { name: name.into(), ..settings }.factory(Transport::default()).unwrap()()
    }
}

impl Bench for Neural {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = models::real_models().unwrap();
        std::os::unix::fs::symlink(models.join("en-pt"), folder.path().join("en-es")).unwrap();
        Self(folder)
    }

    fn is_there() -> bool {
        models::real_models().is_some()
    }

    fn engine(&self, name: &str) -> Rc<dyn Engine> {
        Self::firefox(name, self.0.path())
    }

    fn unreachable(&self) -> Rc<dyn Engine> {
        // Somebody removes the files of a model that was there at the start.
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("en-es");
        fs::create_dir(&model).unwrap();
        for name in ["model.enes.bin", "vocab.enes.spm"] {
            fs::write(model.join(name), "").unwrap();
        }
        let engine = Self::firefox("firefox", folder.path());
        drop(folder);
        engine
    }

    fn unsupported(&self) -> Option<(Language, Language)> {
        Some(("en".parse().unwrap(), "ja".parse().unwrap()))
    }
}

/// The toy.
struct Toy(tempfile::TempDir);

impl Toy {
    fn dictionary(&self, name: &str, file: &str) -> Rc<dyn Engine> {
        let (file, to) = (self.0.path().join(file), "es".parse().unwrap());
        DictionarySettings { name: name.into(), file, to }.factory(Transport::default()).unwrap()()
    }
}

impl Bench for Toy {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("dictionary.csv"), "the,la\nhouse,casa\nis,es\nred,roja\n").unwrap();
        Self(folder)
    }

    fn engine(&self, name: &str) -> Rc<dyn Engine> {
        self.dictionary(name, "dictionary.csv")
    }

    fn unreachable(&self) -> Rc<dyn Engine> {
        self.dictionary("dictionary", "gone.csv")
    }

    fn unsupported(&self) -> Option<(Language, Language)> {
        Some(("en".parse().unwrap(), "fr".parse().unwrap()))
    }
}

engine_contract!(gemini: GeminiOnSandbox);
engine_contract!(openai: OpenAiOnSandbox);
engine_contract!(anthropic: AnthropicOnSandbox);
engine_contract!(deepl: DeeplOnSandbox);
engine_contract!(libretranslate: LibreTranslateOnSandbox);
engine_contract!(apertium: Installed);
engine_contract!(firefox: Neural);
engine_contract!(toy: Toy);

#[actix_rt::test]
async fn the_toy_is_registered_configured_and_asked_like_any_other_engine() {
    let Toy(folder) = Toy::new().await;
    let config = format!(
        "[source]\naccount = \"town\"\nlanguage = \"en\"\n\
         [[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n\
         [engine]\norder = [\"dictionary\"]\n[engine.dictionary]\nfile = \"{}\"\n",
        folder.path().join("dictionary.csv").display()
    );
    let file = folder.path().join("config.toml");
    fs::write(&file, config).unwrap();
    let settings = settings::load(&SettingsSources {
        file: Some(file),
        needed: settings::Needed::Nothing,
        engines: Engines::default().with(&DictionaryKind),
        ..SettingsSources::default()
    })
    .unwrap();
    let engines = app::engines(&settings).unwrap()();
    let post = fixtures::post(1, "The house is red, @bob");
    let target = app::targets(&settings).unwrap().remove(0);
    let mut tasks = [Task::new(&post, Vec::new(), target)];
    app::cascade(&settings).translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
    let Some(JobEvent::Translated(translation)) = &tasks[0].outcome else {
        panic!("{:?}", tasks[0].troubles)
    };
    assert_eq!(
        (translation.parts.join(""), translation.engine.as_str()),
        ("la casa es roja, @bob".into(), "dictionary")
    );
}

#[actix_rt::test]
async fn what_a_service_does_not_accept_or_sends_oddly_costs_no_translation() {
    let bench = OpenAiOnSandbox::new().await;
    for way in [
        "no_schema",
        "no_response_format",
        "no_temperature",
        "thoughts",
        "preamble",
        "fenced",
        "duplicated_id",
        "unknown_id",
        "null_usage",
    ] {
        // Each has to learn of it again.
        let engine = bench.engine("engine");
        bench.order(way, 1_000);
        let reply = engine
            .translate(&[Item::new(
                fixtures::mask("The house").text,
                "en".parse().unwrap(),
                "es".parse().unwrap(),
            )])
            .await
            .unwrap();
        assert!(reply.items[0].is_ok(), "{way}: {reply:?}");
    }
}

#[actix_rt::test]
async fn what_holds_no_translation_is_an_error_that_may_pass() {
    let bench = OpenAiOnSandbox::new().await;
    let engine = bench.engine("engine");
    let item = Item::new(fixtures::mask("The house").text, "en".parse().unwrap(), "es".parse().unwrap());
    for way in ["null_content", "empty_choices", "length", "context_length", "context_size", "garbage_json"] {
        bench.order(way, 1_000);
        let reply = engine.translate(std::slice::from_ref(&item)).await.unwrap();
        assert!(matches!(reply.items[..], [Err(ItemError::Unusable(_))]), "{way}: {reply:?}");
    }
    for way in ["overloaded", "error_in_success"] {
        bench.order(way, 1_000);
        let error = engine.translate(std::slice::from_ref(&item)).await.unwrap_err();
        assert!(matches!(error, EngineError::Unavailable(_)), "{way}: {error:?}");
    }
    bench.order("rate_limited", 1_000);
    let error = engine.translate(&[item]).await.unwrap_err();
    assert!(matches!(error, EngineError::RateLimited { until: Some(_), .. }), "{error:?}");
}

#[actix_rt::test]
async fn an_overloaded_or_cut_off_claude_is_told_apart() {
    let bench = AnthropicOnSandbox::new().await;
    let engine = bench.engine("engine");
    let item = Item::new(fixtures::mask("The house").text, "en".parse().unwrap(), "es".parse().unwrap());
    for way in ["max_tokens", "too_long", "garbage_json"] {
        bench.order(way, 1_000);
        let reply = engine.translate(std::slice::from_ref(&item)).await.unwrap();
        assert!(matches!(reply.items[..], [Err(ItemError::Unusable(_))]), "{way}: {reply:?}");
    }
    bench.order("overloaded", 1_000);
    let error = engine.translate(std::slice::from_ref(&item)).await.unwrap_err();
    assert!(matches!(error, EngineError::Unavailable(_)), "{error:?}");
    bench.order("rate_limited", 1_000);
    let error = engine.translate(&[item]).await.unwrap_err();
    assert!(matches!(error, EngineError::RateLimited { until: Some(_), .. }), "{error:?}");
}
