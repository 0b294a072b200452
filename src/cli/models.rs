//! `mynah models` shows, downloads and removes the models of the engine `firefox`. It works without a settings file.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use mynah_domain::Language;
use serde_json::{Value, json};

use super::{Failure, SettingsArgs, output::print_note, print_json, print_line, table};
use crate::{
    app,
    engines::firefox::{
        Catalog, FirefoxSettings, Installed, LICENSE, Offer, Progress, PullError, Pulled, Store, StoreError,
        pair_name, parse_direction, pull,
    },
    settings::{self, Needed, Settings},
    telemetry::logging,
};

/// How often progress is printed where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

const MEBIBYTE: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List the models that are there, and what the targets lack
    List {
        /// List all models that Firefox's catalogue has; this needs the network
        #[arg(long)]
        available: bool,
    },
    /// Download the models for languages, or update them; without an argument, those that the targets need
    Pull {
        /// Languages (`es`, from each source's language) or directions (`es-en`)
        #[arg(value_name = "LANGUAGE")]
        languages: Vec<String>,
        /// The language of the posts, instead of the sources' languages
        #[arg(long, value_name = "CODE")]
        from: Option<Language>,
    },
    /// Remove models
    Rm {
        /// Languages (`es`: every model from or to it) or directions (`en-es`)
        #[arg(value_name = "LANGUAGE", required = true)]
        languages: Vec<String>,
    },
    /// Print the folder with the models
    Path,
}

/// What a person named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Language(Language),
    Direction(Language, Language),
}

pub(super) async fn models(args: ModelsArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let Loaded { settings, has_file } = load(sources)?;
    let firefox = firefox(&settings)?;
    let pairs = if has_file { pairs(&settings, &firefox.name) } else { Vec::new() };
    match args.command.unwrap_or(ModelsCommand::List { available: false }) {
        ModelsCommand::List { available: false } => list(&firefox, &pairs, json),
        ModelsCommand::List { available: true } => {
            available(&Catalog::fetch(&firefox.catalog, settings.transport).await?, &firefox.store, json)
        }
        ModelsCommand::Pull { languages, from } => {
            let froms: Vec<Language> = match from {
                Some(from) => vec![from],
                None if has_file => settings.sources.iter().map(|source| source.language).collect(),
                None => vec![Language::english()],
            };
            if languages.is_empty() && pairs.is_empty() {
                return Err(Failure::Usage(
                    "name the languages to translate to: `mynah models pull es de ja`".into(),
                ));
            }
            let wanted = if languages.is_empty() { pairs } else { wanted(&languages, &froms)? };
            pull_all(&wanted, &firefox, &settings, json).await
        }
        ModelsCommand::Rm { languages } => remove(&languages, &firefox.store, json),
        ModelsCommand::Path => {
            let path = firefox.store.root();
            if json {
                print_json(&json!({"path": path}));
            } else {
                print_line(path.display());
            }
            Ok(())
        }
    }
}

/// What the targets need that the engine translates for; all of them if it is not used yet.
fn pairs(settings: &Settings, engine: &str) -> Vec<(Language, Language)> {
    match app::language_pairs_of(settings, engine) {
        none if none.is_empty() => app::language_pairs(settings),
        pairs => pairs,
    }
}

struct Loaded {
    settings: Settings,
    /// Whether there is a settings file, so that its sources and targets mean something.
    has_file: bool,
}

/// Settings without a file, with a target, because settings need one.
const DEFAULTS: &str = "[source]\naccount = \"models\"\nlanguage = \"en\"\n[[targets]]\nlanguage = \"es\"\naccount = \"models_es\"\n";

/// The engine's settings as the user's file and environment have them; the defaults where these cannot be read, which is a
/// matter for other commands.
pub(super) fn firefox_of_user(args: &SettingsArgs) -> Option<FirefoxSettings> {
    let sources = args.sources(Needed::NoSecret).ok()?;
    let settings = match load(args) {
        Ok(Loaded { settings, .. }) => settings,
        Err(_) => settings::load_text(&sources, DEFAULTS).ok()?,
    };
    firefox(&settings).ok()
}

/// The settings, or the defaults where there is no settings file yet.
fn load(args: &SettingsArgs) -> Result<Loaded, Failure> {
    let sources = args.sources(Needed::NoSecret)?;
    if sources.has_file() {
        return Ok(Loaded { settings: settings::load(&sources)?, has_file: true });
    }
    Ok(Loaded { settings: settings::load_text(&sources, DEFAULTS)?, has_file: false })
}

/// The engine's settings, whether it is used or not.
fn firefox(settings: &Settings) -> Result<FirefoxSettings, Failure> {
    let mut all = settings.engine.order.iter().chain(&settings.engine.spare);
    let found = all.find_map(|engine| engine.as_any().downcast_ref::<FirefoxSettings>()).cloned();
    found.ok_or_else(|| Failure::Usage("this Mynah has no engine with models of its own".into()))
}

fn list(firefox: &FirefoxSettings, pairs: &[(Language, Language)], json: bool) -> Result<(), Failure> {
    let models = firefox.store.models()?;
    let missing = firefox.missing(pairs).map_err(Failure::Work)?;
    if json {
        let model = |model: &crate::engines::firefox::Model| {
            let (from, to) = model.direction;
            let state = model.state.as_ref();
            json!({
                "model": pair_name(model.direction), "from": from, "to": to, "folder": model.folder,
                "bytes": state.map(Installed::bytes).ok(),
                "version": state.map(|installed| installed.version.clone()).ok(),
                "problem": state.err(),
            })
        };
        let models: Vec<Value> = models.iter().map(model).collect();
        print_json(
            &json!({"path": firefox.store.root(), "license": LICENSE, "models": models, "missing": missing}),
        );
        return Ok(());
    }
    if models.is_empty() {
        print_line(format_args!(
            "No models in {}. Get some: `mynah models pull es de ja`",
            firefox.store.root().display()
        ));
    } else {
        table::print(
            ["MODEL", "SIZE", "VERSION", "LANGUAGES"],
            models.iter().map(|model| {
                let (from, to) = model.direction;
                let (size, version) = match &model.state {
                    Ok(installed) => (mebibytes(installed.bytes()), installed.version.clone()),
                    Err(_) => ("damaged".into(), None),
                };
                let languages = match &model.state {
                    Ok(_) => format!("{} to {}", from.name(), to.name()),
                    Err(problem) => problem.clone(),
                };
                [pair_name(model.direction), size, version.unwrap_or_else(|| "-".into()), languages]
            }),
        );
    }
    if let Some(missing) = missing {
        print_line(format_args!("For the targets, {missing}."));
    }
    Ok(())
}

fn available(catalog: &Catalog, store: &Store, json: bool) -> Result<(), Failure> {
    let there: Vec<(Language, Language)> = store
        .models()?
        .into_iter()
        .filter(|model| model.state.is_ok())
        .map(|model| model.direction)
        .collect();
    if json {
        let offer = |(direction, offer): ((Language, Language), &Offer)| {
            json!({
                "model": pair_name(direction), "from": direction.0, "to": direction.1, "bytes": offer.bytes(),
                "version": offer.version, "architecture": offer.architecture, "license": LICENSE,
                "is_there": there.contains(&direction),
            })
        };
        print_json(&json!(catalog.iter().map(offer).collect::<Vec<_>>()));
        return Ok(());
    }
    table::print(
        ["MODEL", "DOWNLOAD", "VERSION", "KIND", "LANGUAGES"],
        catalog.iter().map(|(direction, offer)| {
            let languages = format!("{} to {}", direction.0.name(), direction.1.name());
            let mark = if there.contains(&direction) { " (is there)" } else { "" };
            [
                pair_name(direction),
                mebibytes(offer.bytes()),
                offer.version.clone(),
                offer.architecture.clone().unwrap_or_else(|| "-".into()),
                format!("{languages}{mark}"),
            ]
        }),
    );
    print_line(format_args!(
        "License of all models: {LICENSE} (Mozilla). Get some: `mynah models pull es de ja`"
    ));
    Ok(())
}

async fn pull_all(
    wanted: &[(Language, Language)],
    firefox: &FirefoxSettings,
    settings: &Settings,
    json: bool,
) -> Result<(), Failure> {
    // Before anything is downloaded.
    firefox.store.writable()?;
    let catalog = Catalog::fetch(&firefox.catalog, settings.transport).await?;
    let mut needed = Vec::new();
    for (from, to) in wanted {
        for direction in catalog.needed(*from, *to)? {
            if !needed.contains(&direction) {
                needed.push(direction);
            }
        }
    }
    let offers: Vec<((Language, Language), &Offer)> =
        catalog.iter().filter(|(direction, _)| needed.contains(direction)).collect();
    let mut done = Vec::new();
    for (direction, offer) in offers {
        let mut shown = Shown::new(direction, !json);
        let pulled = pull(offer, &firefox.store, settings.transport, |progress| shown.update(progress)).await;
        shown.finish();
        let downloaded = match pulled? {
            Pulled::Unchanged => 0,
            Pulled::Downloaded(bytes) => bytes,
        };
        if !json {
            let how = if downloaded == 0 {
                "is there already".into()
            } else {
                format!("{} downloaded", mebibytes(downloaded))
            };
            print_line(format_args!(
                "{}: version {}, {how}, license {LICENSE}",
                pair_name(direction),
                offer.version
            ));
        }
        done.push(json!({"model": pair_name(direction), "version": offer.version, "downloaded": downloaded, "license": LICENSE}));
    }
    if json {
        print_json(&json!({"path": firefox.store.root(), "models": done}));
        return Ok(());
    }
    let is_used = settings.engine.order.iter().any(|engine| engine.as_any().is::<FirefoxSettings>());
    if is_used {
        print_line("A running service uses them after `mynah reload`.");
    } else {
        print_line("To use them, add \"firefox\" to engine.order.");
    }
    Ok(())
}

fn remove(languages: &[String], store: &Store, json: bool) -> Result<(), Failure> {
    let there: Vec<(Language, Language)> = store.models()?.into_iter().map(|model| model.direction).collect();
    let mut chosen = Vec::new();
    for name in languages {
        let named = named(name)?;
        let mut found = there.iter().copied().filter(|direction| named.includes(*direction)).peekable();
        if found.peek().is_none() {
            return Err(Failure::Usage(format!(
                "there is no model for {name}; `mynah models list` shows which there are"
            )));
        }
        chosen.extend(found);
    }
    chosen.sort();
    chosen.dedup();
    let mut removed = Vec::new();
    for direction in chosen {
        let bytes = store.remove(direction)?.unwrap_or_default();
        if !json {
            print_line(format_args!("{}: removed, {} freed", pair_name(direction), mebibytes(bytes)));
        }
        removed.push(json!({"model": pair_name(direction), "bytes": bytes}));
    }
    if json {
        print_json(&json!({"removed": removed}));
    }
    Ok(())
}

/// The directions that a person wants.
fn wanted(names: &[String], froms: &[Language]) -> Result<Vec<(Language, Language)>, Failure> {
    let mut wanted = Vec::new();
    for name in names {
        match named(name)? {
            Named::Direction(from, to) => wanted.push((from, to)),
            Named::Language(to) => {
                let others: Vec<_> = froms.iter().filter(|from| from.base() != to.base()).collect();
                if others.is_empty() {
                    return Err(Failure::Usage(format!(
                        "{} is the language of the posts; name the direction, such as {to}-es",
                        to.name()
                    )));
                }
                wanted.extend(others.into_iter().map(|from| (*from, to)));
            }
        }
    }
    Ok(wanted)
}

/// Reads what a person named. `pt-BR` is a language, `pt-en` is a direction.
fn named(name: &str) -> Result<Named, Failure> {
    match name.parse::<Language>() {
        Ok(language) => Ok(Named::Language(language)),
        Err(unknown) => {
            let direction = parse_direction(name).map(|(from, to)| Named::Direction(from, to));
            direction.ok_or_else(|| Failure::Usage(format!("{unknown}, or a direction such as en-es")))
        }
    }
}

impl Named {
    fn includes(self, direction: (Language, Language)) -> bool {
        match self {
            Self::Language(language) => direction.0 == language || direction.1 == language,
            Self::Direction(from, to) => direction == (from, to),
        }
    }
}

/// The progress, as a bar on a terminal and as lines elsewhere.
struct Shown {
    name: String,
    is_for_people: bool,
    bar: Option<ProgressBar>,
    printed: Option<Instant>,
}

impl Shown {
    fn new(direction: (Language, Language), is_for_people: bool) -> Self {
        Self { name: pair_name(direction), is_for_people, bar: None, printed: None }
    }

    fn update(&mut self, Progress { done, total }: Progress) {
        if !self.is_for_people {
            return;
        }
        if std::io::stderr().is_terminal() {
            let name = &self.name;
            let bar = self.bar.get_or_insert_with(|| {
                let style =
                    ProgressStyle::with_template("{msg:10} {wide_bar} {bytes} of {total_bytes} {eta}");
                let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
                ProgressBar::new(total).with_style(style).with_message(name.clone())
            });
            bar.set_position(done);
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= EVERY) {
            self.printed = Some(Instant::now());
            print_note(format_args!("{}: {} of {}", self.name, mebibytes(done), mebibytes(total)));
        }
    }

    fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A size for people: `16.7 MB`.
fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / MEBIBYTE, bytes % MEBIBYTE * 10 / MEBIBYTE)
}

impl From<PullError> for Failure {
    fn from(error: PullError) -> Self {
        Self::Work(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Work(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(code: &str) -> Language {
        code.parse().unwrap()
    }

    #[test]
    fn a_person_names_languages_and_directions() {
        assert_eq!(named("pt-BR").unwrap(), Named::Language(language("pt-BR")));
        assert_eq!(named("pt-en").unwrap(), Named::Direction(language("pt"), language("en")));
        assert_eq!(named("en-zh-Hant").unwrap(), Named::Direction(language("en"), language("zh-Hant")));
        let error = named("klingon").unwrap_err().to_string();
        assert!(error.contains("klingon") && error.contains("en-es"), "{error}");
    }

    #[test]
    fn a_language_is_wanted_from_each_source_and_never_from_itself() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let both = [language("en"), language("fr")];
        let directions = wanted(&names(&["es", "es-en", "fr"]), &both).unwrap();
        let directions: Vec<String> = directions.into_iter().map(pair_name).collect();
        assert_eq!(directions, ["en-es", "fr-es", "es-en", "en-fr"]);
        let error = wanted(&names(&["en"]), &[language("en-US")]).unwrap_err().to_string();
        assert!(error.contains("English is the language of the posts"), "{error}");
    }

    #[test]
    fn sizes_have_one_digit_after_the_point() {
        assert_eq!(mebibytes(17_953_617), "17.1 MB");
        assert_eq!(mebibytes(10), "0.0 MB");
    }
}
