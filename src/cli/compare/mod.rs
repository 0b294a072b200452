//! `mynah compare` translates posts with several engines and shows the translations side by side, with what a person needs to
//! choose: what the gate finds, the length, the time and the price. Each post is a call of its own, as in a service that has one
//! post to publish, and goes through the same masks, prompts and gate. Nothing is published or recorded.
//!
//! - [`candidate`]: an engine that can be compared, and what its service counts.
//! - [`show`]: what the command prints.

mod candidate;
mod show;

use std::{
    io::{IsTerminal as _, Read as _},
    sync::Arc,
    time::Instant,
};

use clap::Args;
use futures_util::future::join_all;
use mynah_actors::translator::{
    cascade::{CallContext, EngineCascade},
    task::Task,
};
use mynah_domain::{EngineOrder, Language, Post, Target};
use serde::Serialize;

use super::{
    Failure, SettingsArgs,
    output::{self, print_note},
    trial::{self, Finding, LONGEST, TargetPreview, TrialArgs, given, outcome, source},
};
use crate::{
    app,
    control::wire::EngineUsage,
    networks::Networks,
    settings::{Needed, Settings, kinds::did_you_mean},
    telemetry::logging,
};
use candidate::Candidate;
use show::Show;

/// The most posts that are compared: every engine translates each of them, and may charge for it.
const MOST_POSTS: usize = 1000;

/// The most bytes of all posts together.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The engines to compare, by their names in the settings; by default those of engine.order
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    engines: Vec<String>,
    /// The network by whose rules lengths are counted; by default that of the target, or x
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    #[command(flatten)]
    trial: TrialArgs,
}

/// A post with its translations.
#[derive(Serialize)]
struct Compared {
    text: String,
    weighted_length: usize,
    /// The maximum weight of a post on its own network.
    #[serde(skip)]
    most: usize,
    translations: Vec<Translated>,
}

/// What an engine made of a post for a language.
#[derive(Serialize)]
struct Translated {
    engine: String,
    to: String,
    text: Option<String>,
    /// The publications that it would become.
    parts: Vec<String>,
    weighted_length: usize,
    /// The maximum weight of a publication.
    max_weighted_length: usize,
    findings: Vec<Finding>,
    /// Why it would not be published.
    reason: Option<String>,
    seconds: f64,
    usage: EngineUsage,
    /// What the engine charges for it, in US dollars; `None` if that is not known.
    price: Option<f64>,
}

pub(super) async fn compare(args: &CompareArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let base = trial::load(&args.trial, &sources.sources(Needed::Nothing)?)?;
    let names = names(args, &base.engine.sections, &base.engine.common)?;
    let targets = targets(args, &base)?;
    if std::io::stdin().is_terminal() {
        print_note("Type or paste posts, one a line, then press Enter and Ctrl-D.");
    }
    let posts = posts(&read_input()?)?;
    let pairs: Vec<(Language, Language)> =
        targets.iter().map(|target| (target.source.language, target.language)).collect();
    let mut candidates = Vec::new();
    for name in names {
        candidates.push(Candidate::new(&name, &args.trial, sources, &pairs).await?);
    }
    let mut show = Show::new(json, source(&base).language);
    for candidate in &candidates {
        if let Err(why) = &candidate.engine {
            print_note(format_args!("{} is left out: {why}", candidate.name));
        }
    }
    if candidates.iter().all(|candidate| candidate.engine.is_err()) {
        return Err(Failure::Usage("none of the engines can be used; see above for what to do".into()));
    }
    let profile = app::source_profile(source(&base));
    let cascade = app::cascade(&base);
    for post in &posts {
        // Engines may cost money, so nothing is translated that nobody reads.
        if output::is_closed() {
            return Ok(());
        }
        let asked = candidates.iter().map(|candidate| translations(candidate, post, &targets, &cascade));
        let translations = join_all(asked).await.into_iter().flatten().collect();
        show.post(&Compared {
            text: post.text.clone(),
            weighted_length: profile.network.weigh(&post.text),
            most: profile.network.limits().text,
            translations,
        });
    }
    show.finish(&candidates);
    Ok(())
}

/// The engines to compare, each once.
fn names(args: &CompareArgs, known: &[String], common: &[Arc<str>]) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = Vec::new();
    for name in args.engines.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if !known.iter().any(|known| known == name) {
            let fix = did_you_mean(name, known.iter().map(String::as_str));
            return Err(Failure::Usage(format!("--engines: there is no engine {name:?}; {fix}")));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        names.extend(common.iter().map(ToString::to_string));
    }
    Ok(names)
}

/// The targets to translate for, of each language the first, by the rules of the network that was named.
fn targets(args: &CompareArgs, settings: &Settings) -> Result<Vec<Target>, Failure> {
    let networks = Networks::default();
    let network = match args.network.as_deref() {
        None => None,
        Some(name) => {
            let published: Vec<_> = networks.iter().filter(|network| network.can_publish()).collect();
            let Some(network) = published.iter().find(|network| network.name() == name) else {
                let fix = did_you_mean(name, published.iter().map(|network| network.name()));
                return Err(Failure::Usage(format!(
                    "--network: nothing can be published on {name:?}; {fix}"
                )));
            };
            Some(network.rules())
        }
    };
    let mut targets: Vec<Target> = Vec::new();
    for target in trial::targets(&args.trial, settings)? {
        if targets.iter().any(|known| known.language == target.language) {
            continue;
        }
        let network = network.clone().unwrap_or_else(|| target.network.clone());
        targets.push(Target { network, engines: EngineOrder::All, ..target });
    }
    Ok(targets)
}

fn read_input() -> Result<String, Failure> {
    let mut input = String::new();
    match std::io::stdin().take(MOST_BYTES + 1).read_to_string(&mut input) {
        Err(error) => Err(Failure::Usage(format!("cannot read the posts: {error}; they must be UTF-8"))),
        Ok(_) if input.len() as u64 > MOST_BYTES => Err(Failure::Usage(format!(
            "the posts have more than {MOST_BYTES} bytes; compare a sample of them"
        ))),
        Ok(_) => Ok(input),
    }
}

/// The posts of a text, one a line.
fn posts(input: &str) -> Result<Vec<Post>, Failure> {
    let mut posts = Vec::new();
    for (number, line) in (1..).zip(input.trim_start_matches('\u{feff}').lines()) {
        if line.trim().is_empty() {
            continue;
        }
        if line.len() as u64 > LONGEST {
            return Err(Failure::Usage(format!(
                "line {number} has more than {LONGEST} bytes; no post is that long"
            )));
        }
        posts.push(given(number, line));
    }
    match posts.len() {
        0 => Err(Failure::Usage(
            "there are no posts; pipe a text with one post a line to standard input: \
             mynah compare --to es < posts.txt"
                .into(),
        )),
        many if many > MOST_POSTS => Err(Failure::Usage(format!(
            "there are {many} posts, and every engine would translate, and may charge for, each of them; compare a sample \
             of at most {MOST_POSTS}"
        ))),
        _ => Ok(posts),
    }
}

/// A post in each language, by one engine.
async fn translations(
    candidate: &Candidate,
    post: &Post,
    targets: &[Target],
    cascade: &EngineCascade,
) -> Vec<Translated> {
    let mut translations = Vec::with_capacity(targets.len());
    // The gate compares a translation with those in other languages.
    let mut others: Vec<String> = Vec::new();
    for target in targets {
        let Ok(engine) = &candidate.engine else { continue };
        let mut task = Task::new(post, Vec::new(), target.clone());
        task.others.clone_from(&others);
        engine.begin();
        let began = Instant::now();
        let engines = [engine.adapter()];
        cascade.translate(std::slice::from_mut(&mut task), |_| 1, &engines, CallContext::default()).await;
        let seconds = began.elapsed().as_secs_f64();
        others.extend(task.translated_text());
        let usage = engine.used();
        let TargetPreview { text, parts, weighted_length, most, findings, reason, .. } =
            outcome(task, target);
        translations.push(Translated {
            engine: candidate.name.clone(),
            to: target.language.to_string(),
            text,
            parts,
            weighted_length,
            max_weighted_length: most,
            findings,
            reason,
            seconds,
            usage: usage.into(),
            price: engine.price_of(usage),
        });
    }
    translations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_lines_that_have_something() {
        let posts = posts("\u{feff}One\r\n\n  \nTwo 🎉\n").map_err(|failure| failure.to_string()).unwrap();
        assert_eq!(posts.iter().map(|post| post.text.as_str()).collect::<Vec<_>>(), ["One", "Two 🎉"]);
        assert_ne!(posts[0].id, posts[1].id);
    }

    #[test]
    fn no_posts_too_many_and_too_long_ones_are_refused_with_the_fix() {
        let refused = |text: &str| match posts(text) {
            Err(Failure::Usage(why)) => why,
            other => panic!("{:?}", other.map(|posts| posts.len()).map_err(|failure| failure.to_string())),
        };
        assert!(refused(" \n\n").contains("one post a line"));
        assert!(refused(&"a\n".repeat(MOST_POSTS + 1)).contains("1001 posts"));
        assert!(refused(&format!("a\n{}", "a".repeat(100_001))).contains("line 2"));
    }
}
