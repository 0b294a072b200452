//! Which engine translates to which of the demo's languages: Firefox's neural models where they are there, Apertium elsewhere. The
//! demo uses what is on this machine and downloads nothing, so it says what it found and how to get the rest.

use std::{collections::HashMap, path::PathBuf};

use mynah_domain::{Language, ports::Engine};

use crate::{
    cli::{Failure, SettingsArgs, models},
    engines::{
        ConfiguredEngine as _,
        apertium::{Apertium, ApertiumSettings},
        firefox::FirefoxSettings,
        try_engine,
    },
    http_client::Transport,
};

/// The languages of a demo without models: those that Apertium's packages have from English.
const BY_RULES: [&str; 3] = ["es", "ca", "gl"];

const FIREFOX: &str = "firefox";
const APERTIUM: &str = "apertium";

/// How many languages a demo has, if nobody chose them.
const LANGUAGES: usize = 3;

const INSTALL: &str = "the demo translates with Apertium, which is not installed, or with Firefox's models, of which there are none; run \
                       apt install apertium apertium-eng-spa apertium-eng-cat apertium-en-gl, or mynah models pull es pt de";

/// What the demo translates with.
pub(super) struct Engines {
    /// The languages, in order.
    pub(super) languages: Vec<Language>,
    /// The engines' names.
    pub(super) order: Vec<String>,
    /// Those for each language, in the order in which they are tried.
    pub(super) by_language: HashMap<Language, Vec<String>>,
    /// The folder with the neural models, if any of them is used.
    pub(super) models: Option<PathBuf>,
    /// Which engine translates to which language, and why: a sentence each.
    pub(super) explanation: Vec<String>,
}

/// Finds the engines for these languages, or for the usual ones.
pub(super) async fn choose(languages: Vec<Language>) -> Result<Engines, Failure> {
    let neural = Neural::find(&languages).await;
    let apertium = Apertium::new(&ApertiumSettings::default()).ok();
    choose_from(languages, &neural, |to| {
        apertium.as_ref().is_some_and(|apertium| apertium.supports(Language::english(), to))
    })
}

/// What is known about Firefox's models.
#[derive(Debug, Default)]
struct Neural {
    folder: Option<PathBuf>,
    /// The languages that it translates to.
    languages: Vec<Language>,
    /// Languages whose model is there and cannot be used, with the reason.
    damaged: Vec<(Language, String)>,
    /// Why it cannot be used at all.
    unusable: Option<String>,
}

impl Neural {
    /// Looks for models from English where the user's settings have them, and tries each that may be used.
    async fn find(wanted: &[Language]) -> Self {
        let Some(settings) = models::firefox_of_user(&SettingsArgs::default()) else {
            return Self::default();
        };
        let folder = std::path::absolute(settings.store.root()).ok();
        let english = Language::english();
        let mut candidates: Vec<Language> =
            if wanted.is_empty() { present(&settings) } else { wanted.to_vec() };
        candidates.retain(|to| settings.missing(&[(english, *to)]) == Ok(None));
        let mut found = Self { folder, damaged: damaged(&settings), ..Self::default() };
        if candidates.is_empty() {
            return found;
        }
        let engine = match settings.factory(Transport::default()) {
            Ok(factory) => factory(),
            Err(why) => return Self { unusable: Some(why), ..found },
        };
        for to in candidates {
            match try_engine(&*engine, &[(english, to)]).await {
                Ok(_) => found.languages.push(to),
                Err(error) => found.damaged.push((to, error.to_string())),
            }
        }
        found
    }
}

/// The languages of models from English that are not whole, with the reason.
fn damaged(settings: &FirefoxSettings) -> Vec<(Language, String)> {
    let models = settings.store.models().unwrap_or_default().into_iter();
    let from_english = models.filter(|model| model.direction.0 == Language::english());
    from_english.filter_map(|model| Some((model.direction.1, model.state.err()?))).collect()
}

/// The languages of the models from English.
fn present(settings: &FirefoxSettings) -> Vec<Language> {
    let models = settings.store.models().unwrap_or_default();
    let mut languages: Vec<Language> = models
        .into_iter()
        .filter(|model| model.direction.0 == Language::english() && model.state.is_ok())
        .map(|model| model.direction.1)
        .collect();
    languages.sort_unstable();
    languages
}

fn choose_from(
    wanted: Vec<Language>,
    neural: &Neural,
    by_rules: impl Fn(Language) -> bool,
) -> Result<Engines, Failure> {
    let is_neural = |to: &Language| neural.languages.contains(to);
    let languages = if wanted.is_empty() { usual(neural, &by_rules) } else { wanted };
    let (modern, others): (Vec<Language>, Vec<Language>) = languages.iter().partition(|to| is_neural(to));
    let (ruled, missing): (Vec<Language>, Vec<Language>) = others.into_iter().partition(|to| by_rules(*to));
    let has_apertium = BY_RULES.iter().any(|code| code.parse().is_ok_and(&by_rules));
    if languages.is_empty() || (missing.len() == languages.len() && !has_apertium) {
        return Err(Failure::Work(INSTALL.to_owned()));
    }
    if !missing.is_empty() {
        let codes: Vec<&str> = missing.iter().map(|to| to.code()).collect();
        return Err(Failure::Work(format!(
            "nothing here translates from English to {}; find Apertium's packages with `apt search apertium-`, or get \
             Firefox's models with `mynah models pull {}`",
            codes.join(", "),
            codes.join(" ")
        )));
    }
    // Apertium also stands in for a post whose translation by a model does not pass the gate.
    let of = |to: Language| [(FIREFOX, is_neural(&to)), (APERTIUM, by_rules(to))];
    let usable = |engines: [(&str, bool); 2]| -> Vec<String> {
        engines.into_iter().filter(|(_, is_usable)| *is_usable).map(|(name, _)| name.to_owned()).collect()
    };
    let by_language = languages.iter().map(|to| (*to, usable(of(*to)))).collect();
    let order = usable([
        (FIREFOX, languages.iter().any(is_neural)),
        (APERTIUM, languages.iter().any(|to| by_rules(*to))),
    ]);
    let models = neural.folder.clone().filter(|_| !modern.is_empty());
    let explanation = explain(&modern, &ruled, neural);
    Ok(Engines { languages, order, by_language, models, explanation })
}

/// Spanish, then the languages that have a model, then what else Apertium translates to.
fn usual(neural: &Neural, by_rules: impl Fn(Language) -> bool) -> Vec<Language> {
    let ruled = BY_RULES.iter().filter_map(|code| code.parse::<Language>().ok());
    let ruled: Vec<Language> = ruled.filter(|to| by_rules(*to) || neural.languages.contains(to)).collect();
    let mut languages: Vec<Language> = ruled.first().copied().into_iter().collect();
    for to in neural.languages.iter().chain(&ruled) {
        if languages.len() < LANGUAGES && !languages.contains(to) {
            languages.push(*to);
        }
    }
    languages
}

fn explain(modern: &[Language], ruled: &[Language], neural: &Neural) -> Vec<String> {
    let mut sentences = Vec::new();
    if let (false, Some(folder)) = (modern.is_empty(), &neural.folder) {
        sentences.push(format!(
            "Firefox's neural models, which are in {}, translate to {}.",
            folder.display(),
            names(modern)
        ));
    }
    if ruled.is_empty() {
        return sentences;
    }
    let codes: Vec<&str> = ruled.iter().map(|to| to.code()).collect();
    let broken: Vec<&String> =
        neural.damaged.iter().filter(|(to, _)| ruled.contains(to)).map(|(_, why)| why).collect();
    let why = match neural.unusable.as_ref().or(broken.first().copied()) {
        Some(why) => format!("Firefox's neural models cannot be used: {why}."),
        None => {
            format!(
                "there are no neural models for that here; `mynah models pull {}` gets those that Firefox has.",
                codes.join(" ")
            )
        }
    };
    sentences.push(format!("Apertium translates to {}, by rules: {why}", names(ruled)));
    sentences
}

/// `Spanish, Catalan and Galician`
fn names(languages: &[Language]) -> String {
    let names: Vec<&str> = languages.iter().map(|to| to.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages(codes: &str) -> Vec<Language> {
        codes.split_whitespace().map(|code| code.parse().unwrap()).collect()
    }

    fn neural(codes: &str) -> Neural {
        Neural { folder: Some("/data/models".into()), languages: languages(codes), ..Neural::default() }
    }

    /// What is chosen where Apertium translates to these languages.
    fn chosen(wanted: &str, neural: &Neural, by_rules: &str) -> Result<Engines, String> {
        let by_rules = languages(by_rules);
        choose_from(languages(wanted), neural, |to| by_rules.contains(&to)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_models_apertium_translates_to_its_three_languages_and_the_command_for_models_is_named() {
        let engines = chosen("", &Neural::default(), "es ca gl").unwrap();
        assert_eq!((engines.languages, engines.order), (languages("es ca gl"), vec!["apertium".to_owned()]));
        assert_eq!(engines.models, None);
        let [only] = &engines.explanation[..] else { panic!("{:?}", engines.explanation) };
        assert!(
            only.contains("Spanish, Catalan and Galician, by rules")
                && only.contains("mynah models pull es ca gl"),
            "{only}"
        );
    }

    #[test]
    fn a_language_with_a_model_stands_beside_apertiums_spanish() {
        let engines = chosen("", &neural("pt"), "es ca gl").unwrap();
        assert_eq!(engines.languages, languages("es pt ca"));
        assert_eq!(engines.order, ["firefox", "apertium"]);
        let of = |code: &str| engines.by_language[&languages(code)[0]].join(", ");
        assert_eq!((of("es"), of("pt")), ("apertium".to_owned(), "firefox".to_owned()));
        let both = chosen("es", &neural("es"), "es").unwrap();
        assert_eq!(both.by_language[&languages("es")[0]], ["firefox", "apertium"], "Apertium stands in");
        assert_eq!(engines.models, Some("/data/models".into()));
        let [modern, ruled] = &engines.explanation[..] else { panic!("{:?}", engines.explanation) };
        assert!(modern.contains("/data/models, translate to Portuguese."), "{modern}");
        assert!(ruled.contains("Apertium translates to Spanish and Catalan"), "{ruled}");
    }

    #[test]
    fn models_are_enough_where_apertium_is_not_installed() {
        let engines = chosen("", &neural("de pt"), "").unwrap();
        assert_eq!((engines.languages, engines.order), (languages("de pt"), vec!["firefox".to_owned()]));
        assert_eq!(engines.explanation.len(), 1);
        let engines = chosen("pt", &neural("pt"), "").unwrap();
        assert_eq!(engines.languages, languages("pt"));
    }

    #[test]
    fn models_that_cannot_be_used_are_explained_and_apertium_stands_in() {
        let unusable = Neural { unusable: Some("this processor has no AVX2".into()), ..neural("") };
        let damaged =
            Neural { damaged: vec![(languages("es")[0], "model.bin is damaged".into())], ..neural("pt") };
        for (neural, why) in [(unusable, "AVX2"), (damaged, "model.bin is damaged")] {
            let engines = chosen("", &neural, "es ca gl").unwrap();
            let last = engines.explanation.last().unwrap();
            assert!(last.contains("Apertium translates to Spanish") && last.contains(why), "{last}");
        }
    }

    #[test]
    fn languages_that_nothing_translates_to_are_named_with_the_fix() {
        let Err(why) = chosen("es ja", &neural(""), "es ca gl") else { panic!("Japanese?") };
        assert!(why.contains("English to ja;") && why.contains("models pull ja"), "{why}");
        for wanted in ["", "es"] {
            let Err(why) = chosen(wanted, &neural(""), "") else { panic!("{wanted:?}?") };
            assert!(why.contains("apt install apertium") && why.contains("models pull"), "{why}");
        }
    }
}
