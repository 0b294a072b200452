//! Reads the targets and checks the rules between them: each republishes one source, in another language, on an account
//! that no source follows. Targets of different sources may share an account, and then also share its caps.

use std::sync::Arc;

use jiff::tz::TimeZone;
use mynah_domain::{
    MediaMissing, MediaPolicy, Tone, TooLong, Wordless,
    caps::{Cap, CapSetting, Caps},
    filters::Filters,
    review::ReviewPolicy,
    schedule::Schedule,
    text::{Hashtags, Links, Mentions},
};

use super::{
    kinds::{
        cap, choice, engines, file, filters, flag, instructions, language,
        money::time_zone,
        name,
        schedule::{delay, quiet_hours},
        source_of_target,
    },
    model::{SourceSettings, TargetSettings},
    read::Account,
    reader::{Outcome, Reader},
    sources::FollowedAccounts,
};
use crate::networks::{Networks, Published};

const TONES: [(&str, Tone); 3] =
    [("neutral", Tone::Neutral), ("formal", Tone::Formal), ("informal", Tone::Informal)];
const MENTIONS: [(&str, Mentions); 3] =
    [("keep", Mentions::Keep), ("name", Mentions::Name), ("drop", Mentions::Drop)];
const HASHTAGS: [(&str, Hashtags); 3] =
    [("keep", Hashtags::Keep), ("translate", Hashtags::Translate), ("drop", Hashtags::Drop)];
const WORDLESS: [(&str, Wordless); 2] = [("copy", Wordless::Copy), ("skip", Wordless::Skip)];
const LINKS: [(&str, Links); 4] =
    [("keep", Links::Keep), ("drop", Links::Drop), ("first", Links::First), ("reply", Links::Reply)];
const NUMBERS: [(&str, bool); 2] = [("local", true), ("as_written", false)];
const TOO_LONG: [(&str, TooLong); 2] = [("thread", TooLong::Thread), ("hold", TooLong::Hold)];

const REVIEW: [(&str, ReviewPolicy); 3] =
    [("never", ReviewPolicy::Never), ("on_doubt", ReviewPolicy::OnDoubt), ("always", ReviewPolicy::Always)];

const COPY: [(&str, bool); 2] = [("copy", true), ("none", false)];
const MISSING: [(&str, MediaMissing); 2] = [("publish", MediaMissing::Publish), ("hold", MediaMissing::Hold)];

/// Settings that apply to every target, as far as they could be read.
pub(super) struct Common<'a> {
    /// The sources.
    pub(super) followed: &'a FollowedAccounts,
    /// The publisher's.
    pub(super) caps: Option<Caps>,
    /// The engines that each target names, if it has a list of its own.
    pub(super) engines: &'a [Outcome<Vec<String>>],
}

/// The account of a target, as far as it could be read.
pub(super) struct TargetAccount {
    pub(super) account: Account,
    /// Tells targets apart that share the account.
    name: Option<String>,
    /// The place of its source in the list.
    source: Option<usize>,
}

/// A target without its source and its connection, which are read later.
pub(super) struct Unconnected {
    /// The place of its source in the list.
    pub(super) source: usize,
    pub(super) finish: Finish,
}

/// Adds the source, the connection, and the time zone for targets without their own, to a target.
type Finish = Box<dyn FnOnce(Arc<SourceSettings>, Arc<dyn Published>, &TimeZone) -> TargetSettings>;

/// The account of each target. No targets is a problem, which is recorded.
pub(super) fn accounts(
    reader: &mut Reader<'_>,
    networks: &Networks,
    followed: &FollowedAccounts,
) -> Vec<TargetAccount> {
    let number = reader.sections("targets", "there are no targets, so nothing would be published");
    let missing = "write the handle of the account that publishes in this language";
    let accounts = (0..number).map(|index| TargetAccount {
        account: Account::published(reader, &section(index), networks, missing),
        name: reader.optional(&format!("{}.name", section(index)), name).ok().flatten(),
        source: source_of(reader, index, followed),
    });
    let accounts: Vec<TargetAccount> = accounts.collect();
    check_accounts(reader, &accounts, followed);
    // If a target names no source, it may have meant any of them.
    if let Some(sources) = accounts.iter().map(|target| target.source).collect::<Option<Vec<_>>>()
        && !sources.is_empty()
    {
        followed.check_all_are_followed(reader, &sources);
    }
    accounts
}

/// The engines of each target that names its own, out of all that there are.
pub(super) fn own_engines(
    reader: &mut Reader<'_>,
    accounts: &[TargetAccount],
    known: &[&str],
) -> Vec<Outcome<Vec<String>>> {
    let own = |index| reader.optional(&engines_key(index), engines(known));
    (0..accounts.len()).map(own).collect()
}

/// The key of a target's own engines.
pub(super) fn engines_key(index: usize) -> String {
    format!("{}.engines", section(index))
}

/// The place of a target's source in the list of sources.
fn source_of(reader: &mut Reader<'_>, index: usize, followed: &FollowedAccounts) -> Option<usize> {
    let key = format!("{}.source", section(index));
    let names = followed.names();
    if !followed.is_list {
        if reader.optional(&key, |_| Ok(())).ok()?.is_some() {
            reader.report(
                &key,
                "the source in [source] has no name",
                "remove this line, or write [[sources]] with a name instead of [source]",
            );
        }
        return Some(0);
    }
    let one_of = source_of_target(&names);
    let name = if followed.all.len() == 1 {
        // Its name may be missing, which is reported where it should be.
        reader
            .optional(&key, |value| if names.is_empty() { Ok(None) } else { one_of(value).map(Some) })
            .ok()?
            .flatten()
    } else {
        let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let fix = format!("name the source to republish: {}", names.join(", "));
        Some(reader.required(&key, &fix, one_of)?)
    };
    let Some(name) = name else { return Some(0) };
    followed.all.iter().position(|source| source.name.as_ref() == Some(&name))
}

/// The rest of each target.
pub(super) fn read(
    reader: &mut Reader<'_>,
    accounts: &[TargetAccount],
    common: &Common<'_>,
) -> Option<Vec<Unconnected>> {
    let mut caps = Vec::new();
    let targets: Vec<Option<Unconnected>> = accounts
        .iter()
        .enumerate()
        .map(|(index, account)| {
            caps.push(caps_of(reader, index, common));
            target(reader, index, account, common, caps[index])
        })
        .collect();
    check_caps(reader, accounts, &caps);
    let targets = targets.into_iter().collect::<Option<Vec<_>>>()?;
    (!targets.is_empty()).then_some(targets)
}

fn section(index: usize) -> String {
    format!("targets[{index}]")
}

fn target(
    reader: &mut Reader<'_>,
    index: usize,
    target: &TargetAccount,
    common: &Common<'_>,
    caps: Option<Caps>,
) -> Option<Unconnected> {
    let TargetAccount { account, name, source } = target;
    let section = section(index);
    let key = |name: &str| format!("{section}.{name}");
    let fix = "write the code of the language to publish in, such as \"es\"";
    let language = reader.required(&key("language"), fix, language);
    let of_source = source.and_then(|source| common.followed.all.get(source)?.language);
    if language.is_some() && language == of_source {
        reader.report(
            &key("language"),
            "this is the source's own language, so there is nothing to translate",
            "name another language, or remove this target",
        );
    }
    let tone = reader.or(&key("tone"), "neutral", choice(&TONES));
    let adapt = reader.or(&key("adapt"), "false", flag);
    let instructions = reader.optional(&key("instructions"), instructions);
    let mentions = reader.or(&key("mentions"), "keep", choice(&MENTIONS));
    let links = reader.or(&key("links"), "keep", choice(&LINKS));
    let hashtags = reader.or(&key("hashtags"), "keep", choice(&HASHTAGS));
    let local_numbers = reader.or(&key("numbers"), "local", choice(&NUMBERS));
    let glossary = reader.optional(&key("glossary"), file);
    let include = reader.optional(&key("include"), filters);
    let exclude = reader.optional(&key("exclude"), filters);
    let copy = reader.or(&key("media"), "copy", choice(&COPY));
    let missing = reader.or(&key("media_missing"), "publish", choice(&MISSING));
    let too_long = reader.or(&key("too_long"), "thread", choice(&TOO_LONG));
    let long_posts = reader.or(&key("long_posts"), "false", flag);
    if long_posts == Some(true) && account.network.rules_for_long_posts().is_none() {
        reader.report(
            &key("long_posts"),
            format!("all posts on {} have the same limit", account.network.title()),
            "remove this line",
        );
    }
    let review = reader.or(&key("review"), "never", choice(&REVIEW));
    let wordless = reader.or(&key("wordless"), "copy", choice(&WORDLESS));
    let link_card = reader.or(&key("link_card"), "true", flag);
    let quiet_hours = reader.optional(&key("quiet_hours"), quiet_hours);
    let zone = reader.optional(&key("time_zone"), time_zone);
    let delay = reader.or(&key("delay"), "0s", delay);
    let engines = common.engines.get(index).cloned().unwrap_or(Ok(None));
    let caps = caps?;
    let (network, account, name, source) = (account.network, account.whole()?, name.clone(), (*source)?);
    let (language, tone, adapt, mentions, hashtags) = (language?, tone?, adapt?, mentions?, hashtags?);
    let (instructions, glossary) = (instructions.ok()?.unwrap_or_default(), glossary.ok()?);
    let filters =
        Filters { include: include.ok()?.unwrap_or_default(), exclude: exclude.ok()?.unwrap_or_default() };
    let media = if copy? { MediaPolicy::Copy { missing: missing? } } else { MediaPolicy::None };
    let (too_long, long_posts, wordless, review) = (too_long?, long_posts?, wordless?, review?);
    let (local_numbers, link_card, links) = (local_numbers?, link_card?, links?);
    let engines: Option<Vec<Arc<str>>> =
        engines.ok()?.map(|names| names.into_iter().map(Arc::from).collect());
    let (quiet_hours, zone, delay) = (quiet_hours.ok()?, zone.ok()?, delay?);
    let finish = move |source, connection, general: &TimeZone| TargetSettings {
        source,
        name,
        network,
        account,
        connection,
        language,
        tone,
        adapt,
        instructions,
        mentions,
        links,
        hashtags,
        local_numbers,
        glossary,
        filters,
        media,
        too_long,
        long_posts,
        review,
        wordless,
        link_card,
        engines,
        caps,
        schedule: Schedule {
            quiet: quiet_hours.map(|hours| hours.in_zone(zone.unwrap_or_else(|| general.clone()))),
            delay,
        },
    };
    Some(Unconnected { source, finish: Box::new(finish) })
}

fn check_accounts(reader: &mut Reader<'_>, targets: &[TargetAccount], followed: &FollowedAccounts) {
    for (index, target) in targets.iter().enumerate() {
        let key = |name: &str| format!("{}.{name}", section(index));
        let sharing = |other: &&(usize, &TargetAccount)| target.account.is(&other.1.account);
        let earlier: Vec<(usize, &TargetAccount)> =
            targets[..index].iter().enumerate().filter(|other| sharing(&other)).collect();
        let there = |reader: &Reader<'_>, first: usize| reader.origin(&format!("{}.account", section(first)));
        if let Some((first, _)) = earlier.iter().find(|(_, other)| target.source == other.source) {
            let there = there(reader, *first);
            reader.report(
                &key("account"),
                format!("another target already uses this account ({there})"),
                "give each target its own account",
            );
        } else if let Some((first, other)) = earlier.iter().find(|(_, other)| target.name == other.name) {
            let there = there(reader, *first);
            let suggested = target.source.and_then(|source| followed.all.get(source)?.name.as_deref());
            let taken = other.name.as_deref();
            let example = suggested.filter(|name| Some(*name) != taken).unwrap_or("local");
            reader.report(
                &key(if taken.is_some() { "name" } else { "account" }),
                format!("a target of another source publishes on this account, too ({there})"),
                format!("give this target a name that tells them apart, such as name = {example:?}"),
            );
        }
        let Some(source) = followed.all.iter().position(|source| target.account.is(&source.account)) else {
            continue;
        };
        let what = match &followed.all[source].name {
            Some(name) if target.source != Some(source) => {
                format!("the source {name:?} follows this account, and would republish its translations")
            }
            _ => "this is the followed account, which would then republish its own posts".to_owned(),
        };
        reader.report(&key("account"), what, "name the account to publish the translations on");
    }
}

/// A target's caps: its own, or those of the publisher.
fn caps_of(reader: &mut Reader<'_>, index: usize, common: &Common<'_>) -> Option<Caps> {
    let key = |name: &str| format!("{}.{name}", section(index));
    let daily = reader.optional(&key("daily_cap"), cap);
    let monthly = reader.optional(&key("monthly_cap"), cap);
    let general = common.caps?;
    let own = |most: Option<u64>| most.map(|most| Cap { most, setting: CapSetting::Target(index) });
    Some(Caps {
        daily: daily.ok()?.map_or(general.daily, own),
        monthly: monthly.ok()?.map_or(general.monthly, own),
    })
}

/// Targets that share an account share its caps, which therefore must be the same.
fn check_caps(reader: &mut Reader<'_>, targets: &[TargetAccount], caps: &[Option<Caps>]) {
    let most = |cap: Option<Cap>| cap.map(|cap| cap.most);
    for (index, (target, caps_of)) in targets.iter().zip(caps).enumerate() {
        let first = targets[..index].iter().position(|other| target.account.is(&other.account));
        let Some((first, of_first)) = first.and_then(|first| Some((first, caps.get(first)?.as_ref()?)))
        else {
            continue;
        };
        let Some(caps_of) = caps_of else { continue };
        for (name, one, other) in
            [("daily_cap", caps_of.daily, of_first.daily), ("monthly_cap", caps_of.monthly, of_first.monthly)]
        {
            if most(one) == most(other) {
                continue;
            }
            let there = reader.origin(&format!("{}.account", section(first)));
            reader.report(
                &format!("{}.{name}", section(index)),
                format!("a target that shares this account has another cap ({there})"),
                "write the same cap for all targets on the account; they share it",
            );
        }
    }
}
