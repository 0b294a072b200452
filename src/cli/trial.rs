//! Translates texts outside of a service, with what a service would use: the settings of one source, its targets, and also languages
//! that no target has. `mynah preview` and `mynah compare` share it, so that both show what would be published.

use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use mynah_actors::translator::task::Task;
use mynah_domain::{
    EngineOrder, JobEvent, Language, MediaPolicy, Money, Post, PostId, PostKind, Skip, SourceProfile, Style,
    Target, TargetId, TooLong, Wordless,
    filters::Filters,
    schedule::Schedule,
    text::{Links, Masking},
};
use serde::Serialize;

use super::Failure;
use crate::{
    app,
    control::names::Names,
    settings::{self, InForce, Origin, Settings, SettingsError, SettingsSources, SourceSettings},
    telemetry::logging::printable,
};

/// The longest text that is read: a post has at most 25,000 characters.
pub(super) const LONGEST: u64 = 100_000;

/// Networks' prices are in millionths of a US dollar.
const PER_DOLLAR: f64 = 1_000_000.0;

/// For which source and languages texts are translated.
#[derive(Debug, Clone, Args)]
pub(super) struct TrialArgs {
    /// Only these languages, also ones that no target has; works without a settings file
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    pub(super) to: Vec<Language>,
    /// The source whose settings and targets to use, by its name or account, if there are several
    #[arg(long, value_name = "NAME")]
    pub(super) source: Option<String>,
    /// The language of the text; by default that of the source
    #[arg(long, value_name = "CODE")]
    pub(super) from: Option<Language>,
}

impl TrialArgs {
    /// Whether these languages are all there is: no settings file has a source and targets.
    pub(super) fn needs_no_file(&self, sources: &SettingsSources) -> bool {
        !self.to.is_empty() && !sources.has_file() && self.source.is_none()
    }
}

/// What a text would become on a target.
#[derive(Serialize)]
pub(super) struct TargetPreview {
    pub(super) language: String,
    /// `None` for a language that no target has.
    pub(super) account: Option<String>,
    pub(super) engine: Option<String>,
    pub(super) text: Option<String>,
    pub(super) weighted_length: usize,
    /// The maximum weight of a publication there.
    #[serde(skip)]
    pub(super) most: usize,
    pub(super) parts: Vec<String>,
    /// The links that the target's `links` removes for good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) removed_links: Vec<String>,
    /// The network's charge for publishing it, in US dollars; engines bill separately.
    pub(super) price: f64,
    pub(super) findings: Vec<Finding>,
    /// Why it is not republished there.
    pub(super) skipped: Option<Skip>,
    /// Why it would not be published now.
    pub(super) reason: Option<String>,
}

/// A rule of the gate that a translation breaks.
#[derive(Serialize)]
pub(super) struct Finding {
    pub(super) rule: String,
    pub(super) message: String,
}

/// Why there are no settings.
pub(super) enum NoSettings {
    /// Mistakes in them, or keys that are missing.
    Problems(SettingsError),
    /// The options of the command do not fit them.
    Usage(Failure),
}

impl From<SettingsError> for NoSettings {
    fn from(error: SettingsError) -> Self {
        Self::Problems(error)
    }
}

impl From<Failure> for NoSettings {
    fn from(failure: Failure) -> Self {
        Self::Usage(failure)
    }
}

impl From<NoSettings> for Failure {
    fn from(why: NoSettings) -> Self {
        match why {
            NoSettings::Problems(error) => error.into(),
            NoSettings::Usage(failure) => failure,
        }
    }
}

/// The settings of the source to translate for, or defaults where there is no settings file.
pub(super) fn load(args: &TrialArgs, sources: &SettingsSources) -> Result<Settings, NoSettings> {
    if args.to.is_empty() || sources.has_file() {
        return Ok(narrowed(settings::load(sources)?, args)?);
    }
    if args.source.is_some() {
        return Err(NoSettings::Usage(Failure::Usage(
            "--source names a source of a settings file, and there is none; name a settings file with --config, or \
             leave --source out"
                .into(),
        )));
    }
    Ok(without_file(args, sources)?)
}

/// The settings with only the source to translate for, in the language that `--from` names, and with its targets.
fn narrowed(mut settings: Settings, args: &TrialArgs) -> Result<Settings, Failure> {
    let names = Names::of(&settings);
    let source = match (&args.source, settings.sources.as_slice()) {
        (None, [only]) => only.clone(),
        (None, _) => {
            let all: Vec<String> = settings.sources.iter().map(|source| source.label()).collect();
            return Err(Failure::Usage(format!(
                "there are several sources; name one with --source: {}",
                all.join(", ")
            )));
        }
        (Some(name), all) => {
            let id = names.source(name).map_err(|error| Failure::Usage(error.to_string()))?;
            let chosen = all.iter().find(|source| source.id() == id);
            chosen.cloned().ok_or_else(|| Failure::Usage(format!("there is no source {name:?}")))?
        }
    };
    let id = source.id();
    let language = args.from.unwrap_or(source.language);
    let source = Arc::new(SourceSettings { language, ..(*source).clone() });
    settings.targets.retain(|target| target.source.id() == id && target.language != language);
    if settings.targets.is_empty() && args.to.is_empty() {
        return Err(Failure::Usage(format!(
            "{} has no target in another language than {}; correct --from, or name languages with --to",
            source.label(),
            language.name()
        )));
    }
    for target in &mut settings.targets {
        target.source = source.clone();
    }
    settings.sources = vec![source];
    Ok(settings)
}

/// The settings without a settings file: these languages, and every engine that can be used here.
fn without_file(args: &TrialArgs, sources: &SettingsSources) -> Result<Settings, SettingsError> {
    let is_set = |variable: &&str| {
        let variables = [(*variable).to_owned(), format!("{variable}_FILE")];
        variables.iter().any(|name| sources.env.get(name).is_some_and(|value| !value.is_empty()))
    };
    let usable = sources.engines.iter().filter(|kind| {
        let secrets = kind.secrets();
        secrets.is_empty() || secrets.iter().any(is_set)
    });
    let order: Vec<String> = usable.map(|kind| format!("{:?}", kind.name())).collect();
    let targets: Vec<String> = (1..)
        .zip(&args.to)
        .map(|(number, language)| {
            format!("[[targets]]\nlanguage = \"{language}\"\naccount = \"preview_{number}\"\n")
        })
        .collect();
    let text = format!(
        "[source]\naccount = \"preview\"\nlanguage = \"{}\"\n[engine]\norder = [{}]\n{}",
        args.from.unwrap_or_else(Language::english),
        order.join(", "),
        targets.concat()
    );
    let mut settings = settings::load_text(sources, &text)?;
    let is_chosen_here =
        |one: &InForce| one.key == "engine.order" && matches!(one.origin, Origin::File { .. });
    if sources.only_engines.is_none() && settings.in_force().iter().any(is_chosen_here) {
        // One that is not installed here is no mistake: nobody asked for it.
        let transport = settings.transport;
        settings.engine.order.retain(|engine| engine.factory(transport).is_ok());
    }
    for target in &mut settings.targets {
        target.account.clear();
    }
    Ok(settings)
}

/// The source to translate for, the only one in narrowed settings.
pub(super) fn source(settings: &Settings) -> &SourceSettings {
    #[expect(clippy::indexing_slicing, reason = "settings have at least one source")]
    &settings.sources[0]
}

/// What to do so that an engine can be used.
pub(super) fn no_engine(settings: &Settings) -> String {
    let languages: Vec<&str> = settings.targets.iter().map(|target| target.language.name()).collect();
    let keys = settings.engine.unused.iter().filter_map(|kind| kind.secrets().first());
    let keys = keys.map(|variable| format!("set {variable} to your key"));
    let pairs = app::language_pairs(settings);
    let others = settings.engine.order.iter().filter_map(|engine| engine.more_languages(&pairs));
    let fixes: Vec<String> = keys.chain(others).collect();
    format!(
        "no engine that can be used here translates {} to {}; {}",
        source(settings).language.name(),
        languages.join(" and "),
        fixes.join(", or ")
    )
}

/// The targets to translate for: with `--to` these languages, otherwise all targets. A language that no target has gets the
/// defaults of a new one.
pub(super) fn targets(args: &TrialArgs, settings: &Settings) -> Result<Vec<Target>, Failure> {
    let configured = app::targets(settings).map_err(|error| Failure::Work(error.to_string()))?;
    if args.to.is_empty() {
        return Ok(configured);
    }
    let source = Arc::new(app::source_profile(source(settings)));
    let of = |language: &Language| -> Vec<Target> {
        let known: Vec<Target> =
            configured.iter().filter(|target| target.language == *language).cloned().collect();
        if known.is_empty() { vec![new_target(*language, source.clone())] } else { known }
    };
    Ok(args.to.iter().flat_map(of).collect())
}

fn new_target(language: Language, source: Arc<SourceProfile>) -> Target {
    Target {
        id: TargetId::new(source.network.name(), &format!("preview-{language}")),
        network: source.network.clone(),
        source,
        language,
        account: String::new(),
        style: Style::default(),
        masking: Masking::default(),
        filters: Filters::default(),
        media: MediaPolicy::None,
        too_long: TooLong::Thread,
        wordless: Wordless::default(),
        review: mynah_domain::review::ReviewPolicy::Never,
        link_card: true,
        engines: EngineOrder::default(),
        schedule: Schedule::default(),
    }
}

/// A preview without a translation.
pub(super) fn empty(target: &Target) -> TargetPreview {
    TargetPreview {
        language: target.language.to_string(),
        account: Some(target.account.clone()).filter(|account| !account.is_empty()),
        engine: None,
        text: None,
        weighted_length: 0,
        most: target.network.limits().text,
        parts: Vec::new(),
        removed_links: Vec::new(),
        price: 0.0,
        findings: Vec::new(),
        skipped: None,
        reason: None,
    }
}

/// What became of a task.
pub(super) fn outcome(task: Task, target: &Target) -> TargetPreview {
    let network = &*target.network;
    let removed_links =
        if target.masking.links == Links::Reply { Vec::new() } else { task.mask.removed_links.clone() };
    let preview = TargetPreview { removed_links, ..empty(target) };
    match task.outcome {
        Some(JobEvent::Translated(translation)) => {
            let text = translation.parts.join(" ");
            TargetPreview {
                engine: Some(translation.engine),
                weighted_length: network.weigh(&text),
                price: dollars(translation.parts.iter().map(|part| network.price_of(part)).sum()),
                text: Some(text),
                parts: translation.parts,
                ..preview
            }
        }
        outcome => {
            let reason = match outcome {
                Some(JobEvent::Held(hold)) => Some(hold.reason),
                Some(JobEvent::HandedBack { reason, .. } | JobEvent::Failed { reason }) => Some(reason),
                _ => None,
            };
            let Some(rejected) = task.rejected else { return TargetPreview { reason, ..preview } };
            let findings = rejected
                .findings
                .into_iter()
                .map(|finding| Finding { rule: finding.rule.to_owned(), message: finding.message })
                .collect();
            let weighted_length = rejected.text.as_deref().map_or(0, |text| network.weigh(text));
            TargetPreview {
                engine: Some(rejected.engine),
                weighted_length,
                text: rejected.text,
                findings,
                reason,
                ..preview
            }
        }
    }
}

pub(super) fn dollars(price: Money) -> f64 {
    f64::from(u32::try_from(price.micros()).unwrap_or(u32::MAX)) / PER_DOLLAR
}

/// A text as a post of the source; `number` distinguishes texts that are translated together.
pub(super) fn given(number: usize, text: &str) -> Post {
    Post {
        id: PostId(format!("preview-{number}")),
        position: 0,
        text: text.to_owned(),
        entities: None,
        language: None,
        kind: PostKind::Original,
        created_at: Timestamp::now(),
        media: Vec::new(),
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: Vec::new(),
    }
}

/// Untrusted text, indented and fit for a terminal.
pub(super) fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {}", printable(line))).collect();
    lines.join("\n")
}
