//! Reads the targets and checks the rules between them: each has its own account, which is not the followed one, and
//! a language other than the source's.

use std::sync::Arc;

use mynah_domain::{
    Language, MediaMissing, MediaPolicy, Tone, TooLong, Wordless,
    caps::{Cap, CapSetting, Caps},
    filters::Filters,
    text::{Hashtags, Mentions},
};

use super::{
    kinds::{cap, choice, file, filters, flag, instructions, language},
    model::TargetSettings,
    read::Account,
    reader::Reader,
};
use crate::networks::{Networks, Published};

const TONES: [(&str, Tone); 3] =
    [("neutral", Tone::Neutral), ("formal", Tone::Formal), ("informal", Tone::Informal)];
const MENTIONS: [(&str, Mentions); 3] =
    [("keep", Mentions::Keep), ("name", Mentions::Name), ("drop", Mentions::Drop)];
const HASHTAGS: [(&str, Hashtags); 3] =
    [("keep", Hashtags::Keep), ("translate", Hashtags::Translate), ("drop", Hashtags::Drop)];
const WORDLESS: [(&str, Wordless); 2] = [("copy", Wordless::Copy), ("skip", Wordless::Skip)];
const NUMBERS: [(&str, bool); 2] = [("local", true), ("as_written", false)];
const TOO_LONG: [(&str, TooLong); 2] = [("thread", TooLong::Thread), ("hold", TooLong::Hold)];

const COPY: [(&str, bool); 2] = [("copy", true), ("none", false)];
const MISSING: [(&str, MediaMissing); 2] = [("publish", MediaMissing::Publish), ("hold", MediaMissing::Hold)];

/// Settings that apply to every target, as far as they could be read.
pub(super) struct Common {
    /// The source's.
    pub(super) language: Option<Language>,
    /// The publisher's.
    pub(super) caps: Option<Caps>,
}

/// A target without its connection, which is read later.
pub(super) type UnconnectedTarget = Box<dyn FnOnce(Arc<dyn Published>) -> TargetSettings>;

/// The account of each target. No targets is a problem, which is recorded.
pub(super) fn accounts(reader: &mut Reader<'_>, networks: &Networks, followed: &Account) -> Vec<Account> {
    let number = reader.sections("targets", "there are no targets, so nothing would be published");
    let missing = "write the handle of the account that publishes in this language";
    let accounts: Vec<Account> =
        (0..number).map(|index| Account::read(reader, &section(index), networks, missing)).collect();
    check_accounts(reader, &accounts, followed);
    accounts
}

/// The rest of each target.
pub(super) fn read(
    reader: &mut Reader<'_>,
    accounts: &[Account],
    common: &Common,
) -> Option<Vec<UnconnectedTarget>> {
    let targets: Vec<Option<UnconnectedTarget>> =
        accounts.iter().enumerate().map(|(index, account)| target(reader, index, account, common)).collect();
    let targets = targets.into_iter().collect::<Option<Vec<_>>>()?;
    (!targets.is_empty()).then_some(targets)
}

fn section(index: usize) -> String {
    format!("targets[{index}]")
}

fn target(
    reader: &mut Reader<'_>,
    index: usize,
    account: &Account,
    common: &Common,
) -> Option<UnconnectedTarget> {
    let section = section(index);
    let key = |name: &str| format!("{section}.{name}");
    let fix = "write the code of the language to publish in, such as \"es\"";
    let language = reader.required(&key("language"), fix, language);
    if language.is_some() && language == common.language {
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
    let wordless = reader.or(&key("wordless"), "copy", choice(&WORDLESS));
    let daily = reader.optional(&key("daily_cap"), cap);
    let monthly = reader.optional(&key("monthly_cap"), cap);
    let general = common.caps?;
    let own = |most: Option<u64>| most.map(|most| Cap { most, setting: CapSetting::Target(index) });
    let caps = Caps {
        daily: daily.ok()?.map_or(general.daily, own),
        monthly: monthly.ok()?.map_or(general.monthly, own),
    };
    let (network, account) = (account.network, account.whole()?);
    let (language, tone, adapt, mentions, hashtags) = (language?, tone?, adapt?, mentions?, hashtags?);
    let (instructions, glossary) = (instructions.ok()?.unwrap_or_default(), glossary.ok()?);
    let filters =
        Filters { include: include.ok()?.unwrap_or_default(), exclude: exclude.ok()?.unwrap_or_default() };
    let media = if copy? { MediaPolicy::Copy { missing: missing? } } else { MediaPolicy::None };
    let (too_long, long_posts, wordless) = (too_long?, long_posts?, wordless?);
    let local_numbers = local_numbers?;
    Some(Box::new(move |connection| TargetSettings {
        network,
        account,
        connection,
        language,
        tone,
        adapt,
        instructions,
        mentions,
        hashtags,
        local_numbers,
        glossary,
        filters,
        media,
        too_long,
        long_posts,
        wordless,
        caps,
    }))
}

fn check_accounts(reader: &mut Reader<'_>, accounts: &[Account], followed: &Account) {
    let key = |index: usize| format!("{}.account", section(index));
    for (index, account) in accounts.iter().enumerate() {
        if let Some(first) = accounts[..index].iter().position(|other| account.is(other)) {
            let there = reader.origin(&key(first));
            reader.report(
                &key(index),
                format!("another target already uses this account ({there})"),
                "give each target its own account",
            );
        }
        if account.is(followed) {
            reader.report(
                &key(index),
                "this is the followed account, which would then republish its own posts",
                "name the account to publish the translations on",
            );
        }
    }
}
