//! The targets, and the rules that hold among them: each has an account of its own, which is not the one that is
//! followed, and speaks another language than that.

use mynah_domain::{
    Language, MediaMissing, MediaPolicy, Tone, TooLong,
    caps::Caps,
    filters::Filters,
    text::{Hashtags, Mentions},
};

use super::{
    kinds::{cap, choice, file, filters, flag, handle, instructions, language},
    model::{NETWORKS, TargetSettings, XUserAuth},
    reader::Reader,
    secrets::{TargetKeys, Vault},
};

const TONES: [(&str, Tone); 3] =
    [("neutral", Tone::Neutral), ("formal", Tone::Formal), ("informal", Tone::Informal)];
const MENTIONS: [(&str, Mentions); 3] =
    [("keep", Mentions::Keep), ("name", Mentions::Name), ("drop", Mentions::Drop)];
const HASHTAGS: [(&str, Hashtags); 3] =
    [("keep", Hashtags::Keep), ("translate", Hashtags::Translate), ("drop", Hashtags::Drop)];
const TOO_LONG: [(&str, TooLong); 2] = [("thread", TooLong::Thread), ("hold", TooLong::Hold)];

const COPY: [(&str, bool); 2] = [("copy", true), ("none", false)];
const MISSING: [(&str, MediaMissing); 2] = [("publish", MediaMissing::Publish), ("hold", MediaMissing::Hold)];

/// What targets are held against, as far as it could be read.
pub(super) struct Followed {
    pub(super) account: Option<String>,
    pub(super) language: Option<Language>,
    /// The publisher's.
    pub(super) caps: Option<Caps>,
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    followed: &Followed,
) -> Option<Vec<TargetSettings>> {
    let number = reader.sections("targets", "there is no target, so nothing would be said again");
    let keys: Vec<String> = (0..number).map(|index| format!("targets[{index}]")).collect();
    if keys.is_empty() {
        return None;
    }
    let accounts: Vec<Option<String>> = keys
        .iter()
        .map(|key| {
            let mend = "write the handle of the account on which this language is spoken";
            reader.required(&format!("{key}.account"), mend, handle)
        })
        .collect();
    check_accounts(reader, &keys, &accounts, followed);

    // Whether the app's own keys are needed depends on all targets.
    let found: Vec<Option<TargetKeys>> =
        accounts.iter().map(|account| account.as_ref().map(|account| vault.target(account))).collect();
    let needs_consumer = found.iter().flatten().any(TargetKeys::needs_consumer);
    let consumer = if needs_consumer { vault.consumer() } else { None };

    let targets: Vec<Option<TargetSettings>> = (keys.iter().zip(accounts).zip(found))
        .map(|((key, account), found)| {
            let auth = found.and_then(|found| found.with(consumer.as_ref()));
            target(reader, key, account, auth, followed)
        })
        .collect();
    targets.into_iter().collect()
}

fn target(
    reader: &mut Reader<'_>,
    key: &str,
    account: Option<String>,
    auth: Option<XUserAuth>,
    followed: &Followed,
) -> Option<TargetSettings> {
    let key = |name: &str| format!("{key}.{name}");
    let network = reader.or(&key("network"), "x", choice(&NETWORKS));
    let mend = "write the code of the language to speak there, such as \"es\"";
    let language = reader.required(&key("language"), mend, language);
    if language.is_some() && language == followed.language {
        reader.complain(
            &key("language"),
            "this is the source's own language, so there is nothing to translate",
            "name another language, or take this target away",
        );
    }
    let tone = reader.or(&key("tone"), "neutral", choice(&TONES));
    let adapt = reader.or(&key("adapt"), "false", flag);
    let instructions = reader.optional(&key("instructions"), instructions);
    let mentions = reader.or(&key("mentions"), "keep", choice(&MENTIONS));
    let hashtags = reader.or(&key("hashtags"), "keep", choice(&HASHTAGS));
    let glossary = reader.optional(&key("glossary"), file);
    let include = reader.optional(&key("include"), filters);
    let exclude = reader.optional(&key("exclude"), filters);
    let copy = reader.or(&key("media"), "copy", choice(&COPY));
    let missing = reader.or(&key("media_missing"), "publish", choice(&MISSING));
    let too_long = reader.or(&key("too_long"), "thread", choice(&TOO_LONG));
    let daily = reader.optional(&key("daily_cap"), cap);
    let monthly = reader.optional(&key("monthly_cap"), cap);
    let general = followed.caps?;
    let caps = Caps {
        daily: daily.ok()?.unwrap_or(general.daily),
        monthly: monthly.ok()?.unwrap_or(general.monthly),
    };
    Some(TargetSettings {
        network: network?,
        account: account?,
        language: language?,
        tone: tone?,
        adapt: adapt?,
        instructions: instructions.ok()?.unwrap_or_default(),
        mentions: mentions?,
        hashtags: hashtags?,
        glossary: glossary.ok()?,
        filters: Filters {
            include: include.ok()?.unwrap_or_default(),
            exclude: exclude.ok()?.unwrap_or_default(),
        },
        media: if copy? { MediaPolicy::Copy { missing: missing? } } else { MediaPolicy::None },
        too_long: too_long?,
        caps,
        auth: auth?,
    })
}

fn check_accounts(
    reader: &mut Reader<'_>,
    keys: &[String],
    accounts: &[Option<String>],
    followed: &Followed,
) {
    for (index, account) in accounts.iter().enumerate() {
        // X compares handles without case.
        let is_it = |other: &Option<String>| {
            account.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
        };
        let key = format!("{}.account", keys[index]);
        if let Some(first) = accounts[..index].iter().position(is_it) {
            let there = reader.place(&format!("{}.account", keys[first]));
            reader.complain(
                &key,
                format!("another target has this account already ({there})"),
                "give each target an account of its own",
            );
        }
        if is_it(&followed.account) {
            reader.complain(
                &key,
                "this is the account that is followed, which would then repeat itself",
                "name the account on which the translations are published",
            );
        }
    }
}
