//! How well engines translate: a small set of posts of our own, with translations by people. `make quality` translates it with
//! every engine that works here, writes the translations to target/quality/, counts what the gate would refuse, and measures
//! with chrF how near they come to the people's. The figures are in docs/engines.md.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test names describe the behavior, and a measurement prints"
)]

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::PathBuf};

use mynah::{
    app,
    engines::{ConfiguredEngine, Engines},
    settings::{self, Needed, SettingsSources},
};
use mynah_domain::{
    Language,
    fixtures::{language, mask},
    gate::{self, Candidate},
    network::PlainText,
    ports::{Engine, Item},
    text::Mask,
};
use serde::Deserialize;

/// A post and its translations by people.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Post {
    /// Who would write it: `city`, `club`, `project`, `news`.
    #[serde(rename = "kind")]
    _kind: String,
    en: String,
    pt: String,
    es: String,
}

const TARGETS: [&str; 2] = ["pt", "es"];

impl Post {
    fn reference(&self, to: &str) -> &str {
        if to == "pt" { &self.pt } else { &self.es }
    }
}

fn posts() -> Vec<Post> {
    include_str!("quality/posts.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rules of the gate that a translation breaks, each with its message.
fn findings(mask: &Mask, translation: &str, to: Language) -> Vec<gate::Finding> {
    gate::findings(&Candidate {
        source: mask,
        parts: &[translation.to_owned()],
        rules: &PlainText::default(),
        max_weight: None,
        from: Language::english(),
        to,
        others: &[],
    })
}

#[test]
fn the_gate_accepts_every_translation_by_people() {
    let posts = posts();
    assert_eq!(posts.len(), 60);
    let mut refused = String::new();
    for post in &posts {
        for to in TARGETS {
            for finding in findings(&mask(&post.en), post.reference(to), language(to)) {
                let _ = writeln!(refused, "{to}: {finding}: {:?}", post.reference(to));
            }
        }
    }
    assert!(refused.is_empty(), "{refused}");
}

/// The engines to measure: those of `QUALITY_ENGINES`, or all that need no key.
fn engines_to_measure() -> Vec<String> {
    match env::var("QUALITY_ENGINES") {
        Ok(names) if !names.trim().is_empty() => {
            names.split(',').map(|name| name.trim().to_owned()).collect()
        }
        _ => {
            let free = Engines::default();
            let free = free.iter().filter(|kind| kind.secrets().is_empty());
            free.map(|kind| kind.name().to_owned()).collect()
        }
    }
}

/// The settings of an engine, as a service has them: from the environment.
fn configured(name: &str, folder: &std::path::Path) -> Result<settings::Settings, String> {
    let targets = TARGETS.map(|to| format!("[[targets]]\nlanguage = \"{to}\"\naccount = \"town_{to}\"\n"));
    let config = format!(
        "[source]\naccount = \"town\"\nlanguage = \"en\"\n{}[engine]\norder = [\"{name}\"]\n",
        targets.concat()
    );
    let file = folder.join("config.toml");
    fs::write(&file, config).unwrap();
    let sources = SettingsSources {
        file: Some(file),
        env: env::vars().collect(),
        needed: Needed::Engines,
        ..SettingsSources::default()
    };
    settings::load(&sources).map_err(|error| error.to_string())
}

/// What an engine makes of the posts.
struct Measured {
    /// One line for each post, empty where there is no translation.
    lines: Vec<String>,
    /// How many translations the gate refuses, by its rule.
    refused: BTreeMap<&'static str, usize>,
    /// How many posts have no translation.
    missing: usize,
}

async fn measure(engine: &dyn Engine, posts: &[Post], to: &str) -> Measured {
    let to_language = language(to);
    let masks: Vec<Mask> = posts.iter().map(|post| mask(&post.en)).collect();
    let items: Vec<Item> = masks
        .iter()
        .map(|mask| Item {
            stands_for: mask.stands_for(),
            ..Item::new(mask.text.clone(), Language::english(), to_language)
        })
        .collect();
    let mut measured = Measured { lines: Vec::new(), refused: BTreeMap::new(), missing: 0 };
    for (items, masks) in
        items.chunks(engine.composition().max_items()).zip(masks.chunks(engine.composition().max_items()))
    {
        let reply =
            engine.translate(items).await.unwrap_or_else(|error| panic!("{}: {error}", engine.name()));
        for (mask, answer) in masks.iter().zip(reply.items) {
            let restored = answer.map_err(|error| error.to_string());
            let restored = restored.and_then(|text| {
                mask.restore_for(&text, &PlainText::default()).map_err(|error| error.to_string())
            });
            let Ok(text) = restored else {
                measured.missing += 1;
                measured.lines.push(String::new());
                continue;
            };
            for finding in findings(mask, &text, to_language) {
                println!("{} {to}: {finding}: {text:?}", engine.name());
                *measured.refused.entry(finding.rule).or_default() += 1;
            }
            measured.lines.push(in_one_line(&text));
        }
    }
    measured
}

/// `sacrebleu` reads one text per line.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/quality");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(name: &str, lines: impl IntoIterator<Item = String>) {
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    fs::write(folder().join(name), text).unwrap();
}

#[actix_rt::test]
#[ignore = "a measurement: make quality"]
async fn translations_of_the_set_are_written_and_judged() {
    let posts = posts();
    for to in TARGETS {
        write(&format!("people.{to}"), posts.iter().map(|post| in_one_line(post.reference(to))));
    }
    let mut measured_any = false;
    let temporary = tempfile::tempdir().unwrap();
    for name in engines_to_measure() {
        let settings = configured(&name, temporary.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        app::prepare_engines(&settings).await;
        let engine: &dyn ConfiguredEngine = &*settings.engine.order[0];
        let engine = match engine.factory(settings.transport) {
            Ok(factory) => factory(),
            Err(why) => {
                println!("{name} cannot be measured here: {why}");
                continue;
            }
        };
        for to in TARGETS {
            if !engine.supports(Language::english(), language(to)) {
                println!("{name} does not translate from English to {to} here");
                continue;
            }
            let Measured { lines, refused, missing } = measure(&*engine, &posts, to).await;
            assert_eq!(lines.len(), posts.len());
            println!(
                "{name} {to}: {missing} of {} without a translation, refused by the gate: {refused:?}",
                posts.len()
            );
            write(&format!("{name}.{to}"), lines);
            measured_any = true;
        }
    }
    assert!(measured_any, "no engine could be measured: see above");
}
