//! The models of the engine `firefox`, from the command that downloads them to the posts that they translate.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "support/models.rs"]
mod models;

use std::{collections::BTreeMap, env, fs, path::Path, process::Output, rc::Rc, time::Instant};

use mynah::{
    app,
    engines::{
        ConfiguredEngine,
        firefox::{FirefoxSettings, Store},
    },
    http_client::Transport,
    settings::{self, SettingsSources},
};
use mynah_actors::translator::{cascade::CallContext, task::Task};
use mynah_domain::{
    JobEvent, Language,
    fixtures::{self, mask},
    ports::{
        Engine,
        engine::{EngineError, Item},
    },
};
use mynah_sandbox::{CatalogFault, ModelServer};
use serde_json::Value;

fn language(code: &str) -> Language {
    code.parse().unwrap()
}

/// Runs a command in a folder that has no settings file.
async fn mynah(folder: &Path, server: &ModelServer, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mynah"));
    command.current_dir(folder).env_clear().args(arguments);
    command.args(["--set", &format!("engine.firefox.models_url={}", server.url())]);
    command.output().await.unwrap()
}

/// What a command that succeeds prints.
async fn printed(folder: &Path, server: &ModelServer, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = mynah(folder, server, arguments).await;
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The error of a command that fails.
async fn refused(folder: &Path, server: &ModelServer, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = mynah(folder, server, arguments).await;
    assert!(!status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stdout));
    String::from_utf8(stderr).unwrap() + &String::from_utf8(stdout).unwrap()
}

fn engine(store: Store) -> Rc<dyn Engine> {
    FirefoxSettings::with_models(store).factory(Transport::default()).unwrap()()
}

/// The texts of these after translation, with everything back that was protected.
async fn translated(engine: &dyn Engine, texts: &[&str], from: &str, to: &str) -> Vec<String> {
    let masks: Vec<_> = texts.iter().map(|text| mask(text)).collect();
    let items: Vec<Item> =
        masks.iter().map(|mask| Item::new(mask.text.clone(), language(from), language(to))).collect();
    let mut answers = Vec::new();
    for items in items.chunks(engine.composition().max_items()) {
        answers.extend(engine.translate(items).await.unwrap().items);
    }
    assert_eq!(answers.len(), texts.len());
    masks.iter().zip(answers).map(|(mask, answer)| mask.restore(&answer.unwrap()).unwrap()).collect()
}

#[cfg(feature = "firefox")]
#[actix_rt::test]
async fn a_model_is_pulled_listed_used_and_removed() {
    let server =
        ModelServer::start(&[("en", "es", "3.0"), ("es", "en", "3.0"), ("en", "fr", "3.0")]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| printed(folder.path(), &server, arguments).await;
    assert!(run(&["models"]).await.contains("No models"));
    assert!(run(&["models", "list", "--available"]).await.contains("English to French"));
    let pulled = run(&["models", "pull", "es"]).await;
    assert!(pulled.contains("en-es: version 3.0") && pulled.contains("MPL-2.0"), "{pulled}");
    assert!(run(&["models", "pull", "es"]).await.contains("is there already"));
    // Over English.
    assert!(run(&["models", "pull", "es-fr"]).await.contains("en-fr"));
    let listed: Value = serde_json::from_str(&run(&["models", "list", "--json"]).await).unwrap();
    let names: Vec<&str> =
        listed["models"].as_array().unwrap().iter().map(|model| model["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["en-es", "en-fr", "es-en"]);
    let path = run(&["models", "path"]).await;
    let engine = engine(Store::managed(folder.path().join(path.trim())));
    assert!(
        engine.supports(language("es"), language("fr")) && engine.supports(language("en"), language("es-MX"))
    );
    // The numbers are random, so the words are nonsense; what must not change is there all the same.
    for (from, to) in [("en", "es"), ("es", "fr")] {
        let texts =
            translated(&*engine, &["The house is red, @bob: https://a.example #a 5 🎉"], from, to).await;
        for kept in ["@bob", "https://a.example", "#a", "5", "🎉"] {
            assert!(texts[0].contains(kept), "{texts:?}");
        }
    }
    assert!(run(&["models", "rm", "es"]).await.contains("es-en: removed"));
    assert!(run(&["models", "list"]).await.contains("English to French"));
    assert!(
        refused(folder.path(), &server, &["models", "rm", "es"]).await.contains("there is no model for es")
    );
}

#[actix_rt::test]
async fn what_is_wrong_with_a_download_is_named_with_the_fix() {
    let server = ModelServer::start(&[("en", "es", "3.0")]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = async |arguments: &[&str]| refused(folder.path(), &server, arguments).await;
    assert!(
        refused(&["models", "pull", "ja"]).await.contains("Firefox has no models from English to Japanese")
    );
    assert!(refused(&["models", "pull", "xx"]).await.contains("is not a language code"));
    assert!(refused(&["models", "pull", "en"]).await.contains("is the language of the posts"));
    server.set_fault(CatalogFault::OtherBytes);
    assert!(refused(&["models", "pull", "es"]).await.contains("is not the file that the catalogue names"));
    server.set_fault(CatalogFault::Gone);
    assert!(refused(&["models", "pull", "es"]).await.contains("answered 404"));
    let offline = format!("engine.firefox.models_dir={}", folder.path().display());
    assert!(refused(&["models", "pull", "es", "--set", &offline]).await.contains("Mynah only reads"));
    server.set_fault(CatalogFault::None);
    server.offer(&[("en", "es", "4.0")]);
    assert!(
        refused(&["models", "pull", "es"]).await.contains("Firefox has no models from English to Spanish")
    );
}

#[cfg(feature = "firefox")]
#[actix_rt::test]
async fn a_missing_model_is_named_with_the_command_that_gets_it() {
    let server = ModelServer::start(&[("en", "es", "3.0")]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("config.toml"),
        "[source]\naccount = \"town\"\nlanguage = \"en\"\n[[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n\
         [engine]\norder = [\"firefox\"]\n",
    )
    .unwrap();
    let check = ["check", "--offline"];
    let found = printed(folder.path(), &server, &check).await;
    assert!(found.contains("run `mynah models pull en-es`"), "{found}");
    assert!(printed(folder.path(), &server, &["models"]).await.contains("run `mynah models pull en-es`"));
    // Without a language: what the targets need.
    assert!(printed(folder.path(), &server, &["models", "pull"]).await.contains("en-es: version 3.0"));
    assert!(!printed(folder.path(), &server, &check).await.contains("models pull"));
    let model =
        fs::read_dir(folder.path().join("data/models/en-es")).unwrap().map(|entry| entry.unwrap().path());
    let model = model.into_iter().find(|path| path.to_string_lossy().contains("/model.")).unwrap();
    let mut bytes = fs::read(&model).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&model, bytes).unwrap();
    let engine = engine(Store::managed(folder.path().join("data/models")));
    let item = Item::new(mask("The house is red").text, language("en"), language("es"));
    let error = engine.translate(&[item]).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Refused(why) if why.contains("SHA-256") && why.contains("models pull en-es")),
        "{error}"
    );
}

/// Two hundred posts as people write them.
fn posts() -> Vec<String> {
    const SENTENCES: [&str; 20] = [
        "The bridge over the river is closed until Monday morning.",
        "Fresh bread again from tomorrow on, come early!",
        "Thanks to everybody who came last night.",
        "Rain all day, so take an umbrella with you.",
        "Nobody told the mayor about it, and now she is angry",
        "What a goal in the last minute of the match!",
        "We are looking for volunteers who can help in the library",
        "Dr. Silva explains why the trees in our park are ill.",
        "I <3 this town & its people",
        "Is it true that the swimming pool opens again?",
        "The new bus line starts at the station (platform B) and ends at the harbour",
        "\"I have never seen so many boats,\" says the captain",
        "BREAKING: fire in the old market hall, nobody hurt",
        "Don't forget to vote on Sunday…",
        "My C# course starts today; wish me luck",
        "Coffee, cake and live music - all for free",
        "Lost: a grey cat with a white paw, answers to Minka",
        "Who wants to learn 日本語 with us?",
        "The museum is open late tonight",
        "Good morning from the top of the hill",
    ];
    const EXTRAS: [&str; 10] = [
        "https://a.example/x?y=1#z",
        "@bob",
        "#harbour #town",
        "5:30pm",
        "🎉🎉",
        "50%",
        "@eve @mallory https://b.example",
        "€12.50",
        "👩‍👩‍👧 #family",
        "$TSLA",
    ];
    (0..200)
        .map(|number| {
            let (sentence, next) = (SENTENCES[number % 20], SENTENCES[(number * 7 + 3) % 20]);
            let (one, two) = (EXTRAS[number % 10], EXTRAS[(number / 10) % 10]);
            match number % 4 {
                0 => format!("{sentence} {one} {two}"),
                1 => format!("{one} {sentence}\n\n{next} {two}"),
                2 => format!("{sentence} {one}: {next}\n• {two}\n• {number} things"),
                _ => format!("RT {one}: {sentence} ({two}) {next}"),
            }
        })
        .collect()
}

#[actix_rt::test]
async fn of_two_hundred_posts_none_loses_a_link_a_mention_a_tag_a_number_or_an_emoji() {
    let Some(models) = models::real_models() else { return };
    let engine = engine(Store::offline(models));
    let posts = posts();
    let texts: Vec<&str> = posts.iter().map(String::as_str).collect();
    let portuguese = translated(&*engine, &texts, "en", "pt").await;
    for (post, translation) in posts.iter().zip(&portuguese) {
        for thing in &mask(post).protected {
            assert!(
                translation.contains(&thing.text),
                "{} of {post:?} is not in {translation:?}",
                thing.text
            );
        }
        let breaks = |text: &str| text.matches('\n').count();
        assert_eq!(breaks(post), breaks(translation), "{post:?}: {translation:?}");
        assert_ne!(post, translation);
        assert!(!post.contains("<3") || translation.contains("<3"), "{translation:?}");
        assert!(!post.contains("日本語") || translation.contains("日本語"), "{translation:?}");
    }
    let whole = portuguese.join("\n");
    for words in ["A ponte sobre o rio", "O museu está aberto", "Bom dia"] {
        assert!(whole.contains(words), "{words} is not in {whole}");
    }
}

#[actix_rt::test]
async fn portuguese_becomes_english_and_english_is_the_way_between_others() {
    let Some(models) = models::real_models() else { return };
    let engine = engine(Store::offline(models));
    let texts = ["A casa é vermelha, @bob.", "Bom dia! O museu está aberto hoje 🎉"];
    let english = translated(&*engine, &texts, "pt-BR", "en").await;
    assert!(english[0].to_lowercase().contains("house is red") && english[0].contains("@bob"), "{english:?}");
    assert!(english[1].contains("museum is open") && english[1].contains('🎉'), "{english:?}");
    assert!(!engine.supports(language("pt"), language("pt-BR")));
}

#[actix_rt::test]
async fn odd_texts_get_sane_answers() {
    let Some(models) = models::real_models() else { return };
    let engine = engine(Store::offline(models));
    let word = "x".repeat(5000);
    let long = "the house and ".repeat(400);
    let texts = [
        "🎉🎉 🎊",
        &word,
        &long,
        "東京 is مرحبا and שלום",
        "\u{202e}abc\u{0}def",
        "[0] [1] ⟦2⟧",
        "#",
        "@ < > \u{fffc}",
    ];
    let answers = translated(&*engine, &texts, "en", "pt").await;
    assert_eq!((answers[0].as_str(), answers[1].as_str()), (texts[0], texts[1]));
    assert!(answers[2].matches("casa").count() > 100, "{}", answers[2]);
    for kept in ["東京", "مرحبا", "שלום"] {
        assert!(answers[3].contains(kept), "{}", answers[3]);
    }
    assert_eq!((answers[6].as_str(), answers[7].as_str()), ("#", texts[7]));
}

/// Reports time, memory and the gate's verdicts for posts of one's own, one a line.
#[actix_rt::test]
#[ignore = "a measurement: MYNAH_POSTS=posts.txt cargo test --test models -- --ignored --nocapture"]
async fn posts_of_ones_own_are_measured() {
    let posts = fs::read_to_string(env::var_os("MYNAH_POSTS").unwrap()).unwrap();
    let posts: Vec<&str> = posts.lines().filter(|line| !line.trim().is_empty()).collect();
    let models = models::real_models().unwrap();
    let text = format!(
        "[source]\naccount = \"town\"\nlanguage = \"en\"\n[[targets]]\nlanguage = \"pt\"\naccount = \"town_pt\"\n\
         [engine]\norder = [\"firefox\"]\n[engine.firefox]\nmodels_dir = \"{}\"\nthreads = {}\nbatch = {}\n",
        models.display(),
        env::var("THREADS").unwrap_or_else(|_| "2".into()),
        env::var("BATCH").unwrap_or_else(|_| "8".into()),
    );
    let sources = SettingsSources { needed: settings::Needed::Nothing, ..SettingsSources::default() };
    let settings = settings::load_text(&sources, &text).unwrap();
    let engines = app::engines(&settings).unwrap()();
    let target = app::targets(&settings).unwrap().remove(0);
    let cascade = app::cascade(&settings);
    let started = Instant::now();
    let (mut translated, mut reasons, mut slowest) = (0, BTreeMap::<String, usize>::new(), 0);
    for (number, posts) in posts.chunks(16).enumerate() {
        let mut tasks: Vec<Task> = (1..)
            .zip(posts)
            .map(|(id, text)| Task::new(&fixtures::post(id, text), Vec::new(), target.clone()))
            .collect();
        let began = Instant::now();
        cascade.translate(&mut tasks, |_| 1, &engines, CallContext::default()).await;
        if number > 0 {
            slowest = slowest.max(began.elapsed().as_millis());
        }
        for (task, post) in tasks.iter().zip(posts) {
            if let Some(JobEvent::Translated(translation)) = &task.outcome {
                translated += 1;
                println!("{post}\n    {}", translation.parts.join(" | "));
            } else {
                let reason = format!("{:?}", task.troubles);
                println!("{post}\n    HELD {reason}");
                *reasons.entry(reason.chars().take(60).collect()).or_default() += 1;
            }
        }
    }
    let took = started.elapsed();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let memory: Vec<&str> =
        status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM")).collect();
    println!(
        "{} posts in {took:?}: {:?} each, {translated} translated, the slowest sixteen took {slowest} ms; {memory:?}\n{reasons:#?}",
        posts.len(),
        took / u32::try_from(posts.len()).unwrap(),
    );
}
