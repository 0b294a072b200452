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
        apertium::ApertiumSettings,
        deepl::{Deepl, DeeplSettings, Formality},
        firefox::{FirefoxSettings, Store},
        gemini::{Gemini, GeminiSettings},
        libretranslate::{KnownLanguages, LibreTranslate, LibreTranslateSettings},
    },
    http_client::Transport,
    settings::{self, SettingsSources},
};
use mynah_actors::translator::{cascade::CallContext, task::Task};
use mynah_domain::{JobEvent, Language, fixtures, ports::Engine};
use mynah_sandbox::{FaultPlan, Sandbox, SandboxConfig};
use toy_engine::{DictionaryKind, DictionarySettings};

/// A service that the sandbox plays.
trait Played {
    /// What rules call its translations, `gemini.generate`.
    const ENDPOINT: &'static str;
    /// The faults, as JSON, that reject the key, exhaust the quota and refuse every text.
    const REJECTED: &'static str;
    const EXHAUSTED: &'static str;
    const REFUSED: &'static str;
    /// The faults that damage placeholders.
    const DAMAGING: &'static str;
    const DAMAGES: &'static [&'static str];
    /// Whether an answer tells which of the items is missing.
    const HAS_IDS: bool = false;
    const MISPLACES: &'static [&'static str] = &[];

    /// The engine, for a service at this address.
    fn engine(name: &str, base_url: &str) -> Rc<dyn Engine>;

    /// Languages that the service does not have.
    fn unsupported() -> Option<(Language, Language)>;
}

/// A service, against the sandbox.
struct OnSandbox<P> {
    sandbox: Sandbox,
    played: PhantomData<P>,
}

impl<P: Played> OnSandbox<P> {
    /// Makes all translations fail as `fault` says, limited by `more`.
    fn order(&self, fault: &str, more: &str) -> bool {
        let plan = format!(r#"{{"rules": [{{"endpoint": "{}", "fault": {fault}{more}}}]}}"#, P::ENDPOINT);
        self.sandbox.set_faults(serde_json::from_str::<FaultPlan>(&plan).unwrap());
        true
    }
}

impl<P: Played> Bench for OnSandbox<P> {
    async fn new() -> Self {
        let config = SandboxConfig::default().target("town_es", "es");
        let sandbox = mynah_sandbox::start(config).await.unwrap();
        Self { sandbox, played: PhantomData }
    }

    fn engine(&self, name: &str) -> Rc<dyn Engine> {
        P::engine(name, &self.sandbox.url())
    }

    fn unreachable(&self) -> Rc<dyn Engine> {
        // Nobody listens there once this is dropped.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        P::engine("engine", &format!("http://{gone}"))
    }

    fn unsupported(&self) -> Option<(Language, Language)> {
        P::unsupported()
    }

    fn leave_out_one_item(&self) -> bool {
        P::HAS_IDS && self.order(r#"{"gemini": "missing_item"}"#, r#", "nth": 1"#)
    }

    fn ways_to_misplace(&self) -> &'static [&'static str] {
        P::MISPLACES
    }

    fn misplace(&self, way: &str, times: u32) {
        self.order(&format!(r#"{{"gemini": "{way}"}}"#), &format!(r#", "count": {times}"#));
    }

    fn reject_key(&self) -> bool {
        self.order(P::REJECTED, "")
    }

    fn exhaust_quota(&self) -> bool {
        self.order(P::EXHAUSTED, "")
    }

    fn refuse_texts(&self) -> bool {
        self.order(P::REFUSED, "")
    }

    fn ways_to_damage(&self) -> &'static [&'static str] {
        P::DAMAGES
    }

    fn damage(&self, way: &str) {
        self.order(&format!(r#"{{"{}": "{way}"}}"#, P::DAMAGING), "");
    }
}

struct OfGemini;
type GeminiOnSandbox = OnSandbox<OfGemini>;

impl Played for OfGemini {
    const ENDPOINT: &'static str = "gemini.generate";
    const REJECTED: &'static str = r#"{"status": 401}"#;
    const EXHAUSTED: &'static str = r#"{"gemini": "quota_per_day"}"#;
    const REFUSED: &'static str = r#"{"gemini": "refusal"}"#;
    const DAMAGING: &'static str = "gemini";
    const DAMAGES: &'static [&'static str] = &["missing_placeholder", "doubled_placeholder"];
    const HAS_IDS: bool = true;
    const MISPLACES: &'static [&'static str] = &["shifted", "swapped", "merged", "neighbor_twice", "skipped"];

    fn engine(name: &str, base_url: &str) -> Rc<dyn Engine> {
        let settings = GeminiSettings {
            name: name.into(),
            base_url: base_url.parse().unwrap(),
            model: "gemini-3.5-flash-lite".into(),
            key: mynah_sandbox::credentials("town_es").gemini_api_key.into(),
            timeout: Duration::from_secs(20),
            connections: 8,
            max_batch: 20,
        };
        Rc::new(Gemini::new(settings, Transport::default()))
    }

    fn unsupported() -> Option<(Language, Language)> {
        None
    }
}

/// What damages the placeholders of translation services.
const DAMAGES: &[&str] =
    &["missing_placeholder", "doubled_placeholder", "broken_placeholder", "spaced_placeholder"];

struct OfDeepl;
type DeeplOnSandbox = OnSandbox<OfDeepl>;

impl Played for OfDeepl {
    const ENDPOINT: &'static str = "deepl.translate";
    const REJECTED: &'static str = r#"{"deepl": "wrong_key"}"#;
    const EXHAUSTED: &'static str = r#"{"deepl": "quota_exceeded"}"#;
    const REFUSED: &'static str = r#"{"deepl": "unsupported_target"}"#;
    const DAMAGING: &'static str = "translator";
    const DAMAGES: &'static [&'static str] = DAMAGES;

    fn engine(name: &str, base_url: &str) -> Rc<dyn Engine> {
        let settings = DeeplSettings {
            name: name.into(),
            base_url: Some(base_url.parse().unwrap()),
            key: mynah_sandbox::DEEPL_API_KEY.into(),
            formality: Formality::Default,
            glossary_id: None,
            timeout: Duration::from_secs(20),
            connections: 8,
            max_batch: 50,
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
    const REJECTED: &'static str = r#"{"libretranslate": "invalid_key"}"#;
    const EXHAUSTED: &'static str = r#"{"libretranslate": "banned"}"#;
    const REFUSED: &'static str = r#"{"libretranslate": "text_limit"}"#;
    const DAMAGING: &'static str = "translator";
    const DAMAGES: &'static [&'static str] = DAMAGES;

    fn engine(name: &str, base_url: &str) -> Rc<dyn Engine> {
        let settings = LibreTranslateSettings {
            name: name.into(),
            base_url: base_url.parse().unwrap(),
            key: Some(mynah_sandbox::LIBRETRANSLATE_API_KEY.into()),
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
