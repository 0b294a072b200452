//! Parsers for settings: each turns a written value into a typed one, or reports what is wrong and how to fix it.
//! Values from the environment and flags are text, so every parser also accepts text.

pub(super) mod money;
pub(super) mod schedule;

use std::{fmt, net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use config::ValueKind;
use jiff::Timestamp;
use lettre::message::Mailbox;
use log::LevelFilter;
use mynah_domain::{
    Language,
    filters::{Filter, FilterError},
};
use url::{Host, Url};

pub use money::price;

use super::{
    Preset, Start,
    former::PRESETS,
    nearest::nearest,
    secrets::{CACHE_PASSWORD, LEDGER_PASSWORD},
};
use crate::networks::Network;
use crate::telemetry::logging::{MODULES, ModuleLevel, module_named};
use crate::{
    alerts::settings::{UNITS, brief_bytes},
    cache,
    ledger::postgres::Address,
};

/// Why a value is not accepted.
#[derive(Debug)]
pub struct Refusal {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

/// A typed value, or why the written one is not accepted.
pub type Read<T> = Result<T, Refusal>;

/// How long one call to a service may take.
///
/// # Errors
/// Names the bounds.
pub fn call(value: &ValueKind) -> Read<Duration> {
    duration(TICK..=Duration::from_mins(10))(value)
}

/// The shortest time for intervals and timeouts: short enough for tests against a sandbox.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The number of connections that one thread may open to a service.
pub const CONNECTIONS: RangeInclusive<usize> = 1..=256;

/// Refuses a value.
///
/// # Errors
/// Always.
pub fn refuse<T>(what: impl Into<String>, fix: impl Into<String>) -> Read<T> {
    Err(Refusal { what: what.into(), fix: fix.into() })
}

/// A value as a person wrote it, for messages and lists.
pub(super) fn shown(value: &ValueKind) -> String {
    match value {
        ValueKind::Array(items) => items.iter().map(|item| shown(&item.kind)).collect::<Vec<_>>().join(", "),
        ValueKind::Table(_) => "a section".into(),
        other => other.to_string(),
    }
}

/// A value within a sentence: quoted, without control characters, and shortened.
pub fn quoted(value: &ValueKind) -> String {
    let text = shown(value);
    let head: String = text.chars().take(60).collect();
    let more = if head.len() < text.len() { "…" } else { "" };
    match value {
        ValueKind::String(_) => format!("{head:?}{more}"),
        ValueKind::Array(_) => format!("[{}{more}]", head.escape_debug()),
        _ => head,
    }
}

/// A text.
///
/// # Errors
/// Says how a text is written.
pub fn text_of(value: &ValueKind) -> Read<&str> {
    match value {
        ValueKind::String(text) => Ok(text.trim()),
        ValueKind::Table(_) => {
            refuse("this is a section, but should be a single value", "write key = \"value\"")
        }
        ValueKind::Array(_) => {
            refuse(format!("{} is a list, but should be a text", quoted(value)), "write one text in quotes")
        }
        other => refuse(
            format!("{} is not a text", quoted(other)),
            format!("write it in quotes, \"{}\"", shown(other)),
        ),
    }
}

/// One of several texts.
pub fn choice<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&ValueKind) -> Read<T> {
    move |value| {
        let text = text_of(value)?;
        if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(*chosen);
        }
        let names = choices.iter().map(|(name, _)| *name);
        refuse(format!("{} is not a valid value", quoted(value)), did_you_mean(text, names))
    }
}

/// Names what was probably meant, and all that is valid.
pub fn did_you_mean<'a>(word: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let all = names.clone().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    match nearest(word, names) {
        Some(name) => format!("did you mean {name:?}? Valid values: {all}"),
        None => format!("use one of {all}"),
    }
}

/// A preset, by its name in Mynah or in the bot that Mynah replaces.
pub(super) fn preset(value: &ValueKind) -> Read<Preset> {
    let former = text_of(value).ok().and_then(|text| PRESETS.iter().find(|(name, _)| *name == text));
    former.map_or_else(
        || choice(&Preset::ALL.map(|preset| (preset.as_str(), preset)))(value),
        |(_, preset)| Ok(*preset),
    )
}

/// True or false.
///
/// # Errors
/// Says what to write.
pub fn flag(value: &ValueKind) -> Read<bool> {
    match value {
        ValueKind::Boolean(flag) => Ok(*flag),
        ValueKind::String(text) if text == "true" => Ok(true),
        ValueKind::String(text) if text == "false" => Ok(false),
        other => refuse(
            format!("{} is neither true nor false", quoted(other)),
            "write true or false, without quotes",
        ),
    }
}

/// A whole number within bounds.
pub fn count<T>(range: RangeInclusive<T>) -> impl Fn(&ValueKind) -> Read<T>
where
    T: TryFrom<u64> + PartialOrd + fmt::Display,
{
    move |value| {
        let (low, high) = (range.start(), range.end());
        let fix = format!("write a whole number from {low} to {high}");
        let number = match value {
            ValueKind::I64(number) => Some(i128::from(*number)),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return refuse(format!("{} is not a whole number", quoted(value)), fix);
        };
        match u64::try_from(number).ok().and_then(|number| T::try_from(number).ok()) {
            Some(number) if range.contains(&number) => Ok(number),
            _ => refuse(format!("{number} is out of range ({low} to {high})"), fix),
        }
    }
}

/// A number of publications, or `none` for no cap.
pub(super) fn cap(value: &ValueKind) -> Read<Option<u64>> {
    const FIX: &str = "write a whole number from 1 to 1000000, or \"none\" for no cap";
    if matches!(value, ValueKind::String(text) if text.trim() == "none") {
        return Ok(None);
    }
    match count(0..=1_000_000_u64)(value) {
        Ok(0) => refuse("0 would hold every job forever; it does not mean \"no cap\"", FIX),
        Ok(number) => Ok(Some(number)),
        Err(Refusal { what, .. }) => refuse(what, FIX),
    }
}

/// How long something is stored, or for good.
pub(super) fn retention(value: &ValueKind) -> Read<Option<Duration>> {
    const DAY: Duration = Duration::from_hours(24);
    if matches!(value, ValueKind::String(text) if text.trim() == "none") {
        return Ok(None);
    }
    duration(DAY..=DAY * 3650)(value).map(Some).map_err(|Refusal { what, fix }| Refusal {
        what,
        fix: format!("{fix}, or \"none\" to remove nothing"),
    })
}

/// A duration with its unit, within bounds.
pub fn duration(range: RangeInclusive<Duration>) -> impl Fn(&ValueKind) -> Read<Duration> {
    move |value| {
        let text = match value {
            ValueKind::String(text) => text.trim().to_owned(),
            other => shown(other),
        };
        // "0" has no unit either, but humantime would accept it.
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
            return refuse(
                format!("{text} has no unit"),
                format!("write \"{text}s\" for seconds, or use ms, m, h or d"),
            );
        }
        let Ok(duration) = humantime::parse_duration(&text) else {
            return refuse(
                format!("{} is not a duration", quoted(value)),
                "write a number with its unit, such as \"500ms\", \"60s\", \"5m\", \"2h\" or \"7d\"",
            );
        };
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (low, high) = (brief(*range.start()), brief(*range.end()));
        refuse(
            format!("{} is out of range ({low} to {high})", quoted(value)),
            format!("write a duration from {low} to {high}"),
        )
    }
}

/// A duration as a person writes it: `365d`, where humantime prints months and a remainder.
pub(super) fn brief(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let millis = duration.as_millis();
    let fits = UNITS.iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

/// A number of bytes with its unit, within bounds; `none` if it does not matter.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&ValueKind) -> Read<Option<u64>> {
    move |value| {
        const FIX: &str = "write a whole number with its unit, such as \"500MB\" or \"2GB\", or \"none\"";
        let text = text_of(value)?;
        if text == "none" {
            return Ok(None);
        }
        let parsed = UNITS.iter().find_map(|(name, unit)| {
            let number: u64 = text.strip_suffix(name)?.trim().parse().ok()?;
            number.checked_mul(*unit)
        });
        match parsed {
            Some(size) if range.contains(&size) => Ok(Some(size)),
            Some(_) => {
                let (low, high) = (brief_bytes(*range.start()), brief_bytes(*range.end()));
                refuse(format!("{} is out of range ({low} to {high})", quoted(value)), FIX)
            }
            None => refuse(format!("{} is not a size", quoted(value)), FIX),
        }
    }
}

/// A duration with its unit, within bounds; `none` if it does not matter.
pub(super) fn duration_or_none(
    range: RangeInclusive<Duration>,
) -> impl Fn(&ValueKind) -> Read<Option<Duration>> {
    move |value| {
        if matches!(value, ValueKind::String(text) if text.trim() == "none") {
            return Ok(None);
        }
        duration(range.clone())(value)
            .map(Some)
            .map_err(|Refusal { what, fix }| Refusal { what, fix: format!("{fix}, or \"none\"") })
    }
}

/// The address of a person or a service, as mail has it.
pub(super) fn mailbox(value: &ValueKind) -> Read<Mailbox> {
    let text = text_of(value)?;
    parsed_mailbox(text, value)
}

/// Several of them; in the environment comma-separated.
pub(super) fn mailboxes(value: &ValueKind) -> Read<Vec<Mailbox>> {
    let all = list_of(value)?;
    let all: Vec<&str> = all.iter().map(|one| one.trim()).filter(|one| !one.is_empty()).collect();
    if all.is_empty() {
        return refuse("no address is listed", "write [\"you@example.com\"]");
    }
    all.into_iter().map(|one| parsed_mailbox(one, value)).collect()
}

fn parsed_mailbox(text: &str, value: &ValueKind) -> Read<Mailbox> {
    text.parse().or_else(|_| {
        refuse(
            format!("{} is not a mail address", quoted(value)),
            "write an address such as \"you@example.com\", or \"Mynah <mynah@example.com>\"",
        )
    })
}

/// A host name or an address, without a port.
pub(super) fn host(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    match Host::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => refuse(
            format!("{} is not a host name", quoted(value)),
            "write the server's name, such as \"smtp.example.com\"; its port is a key of its own",
        ),
    }
}

/// A language that Mynah knows.
///
/// # Errors
/// Names one that may have been meant.
pub fn language(value: &ValueKind) -> Read<Language> {
    let text = text_of(value)?;
    text.parse().or_else(|_| {
        // People write the name, mistype it, or mistype the code. Names are matched first, because one wrong letter
        // is already half of a code.
        let by_name = |language: &Language| language.name().eq_ignore_ascii_case(text);
        let near = Language::all().find(by_name).or_else(|| {
            let word =
                nearest(text, Language::all().flat_map(|language| [language.name(), language.code()]))?;
            Language::all().find(|language| [language.name(), language.code()].contains(&word))
        });
        refuse(
            format!("Mynah does not know the language {}", quoted(value)),
            match near {
                Some(near) => format!("did you mean \"{near}\" ({})?", near.name()),
                None => "write a code such as \"es\", \"fr\", \"de\", \"pt-BR\" or \"zh-Hans\"".into(),
            },
        )
    })
}

/// A folder.
///
/// # Errors
/// Says how to name a folder.
pub fn folder(value: &ValueKind) -> Read<PathBuf> {
    match text_of(value)? {
        "" => refuse("this is empty", "name a folder"),
        path if path.contains('\0') => refuse("a folder's name cannot contain NUL", "name a folder"),
        path => Ok(path.into()),
    }
}

/// A file.
///
/// # Errors
/// Says how to name a file.
pub fn file(value: &ValueKind) -> Read<PathBuf> {
    match text_of(value)? {
        "" => refuse("this is empty", "name a file"),
        path if path.contains('\0') => refuse("a file's name cannot contain NUL", "name a file"),
        path => Ok(path.into()),
    }
}

/// What the account's owner asks of an engine, in their words; each request carries it.
pub(super) fn instructions(value: &ValueKind) -> Read<String> {
    const MOST: usize = 2000;
    let text = text_of(value)?.trim();
    if text.chars().count() <= MOST {
        return Ok(text.to_owned());
    }
    refuse(format!("this has more than {MOST} characters"), "shorten it; every request carries it")
}

/// Words that commands use in place of a name.
const RESERVED: [&str; 2] = ["all", "poller"];

/// The name of a source, for logs and commands.
pub(super) fn source_name(value: &ValueKind) -> Read<String> {
    let name = name(value)?;
    if RESERVED.contains(&name.as_str()) {
        return refuse(format!("{name:?} means something else in commands"), "choose another name");
    }
    Ok(name)
}

/// A name that a person gives to something. Case does not matter.
pub(super) fn name(value: &ValueKind) -> Read<String> {
    const MOST: usize = 40;
    let name = text_of(value)?.trim().to_ascii_lowercase();
    let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=MOST).contains(&name.len()) && name.chars().all(is_valid) {
        return Ok(name);
    }
    refuse(
        format!("{} is not a name", quoted(value)),
        format!("use 1 to {MOST} letters, digits, _ or -, such as \"town\""),
    )
}

/// The name of a target's source, which is one of these.
pub(super) fn source_of_target<'a>(names: &'a [&'a str]) -> impl Fn(&ValueKind) -> Read<String> + 'a {
    move |value| {
        let name = name(value)?;
        if names.contains(&name.as_str()) {
            return Ok(name);
        }
        refuse(format!("there is no source {name:?}"), did_you_mean(&name, names.iter().copied()))
    }
}

/// A service's address. Keys are sent there: in clear text only within this machine or network.
///
/// # Errors
/// Says how to write an address.
pub fn base_url(value: &ValueKind) -> Read<Url> {
    const EXAMPLE: &str = "write an address such as \"https://api.example.com\"";
    let text = text_of(value)?;
    // First, because any other message would show the secret in such an address.
    if text.contains(['@', '?', '#']) {
        return refuse(
            "a base address cannot have a user name, password, query or fragment",
            format!("{EXAMPLE}; secrets come from the environment"),
        );
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return refuse(format!("{} is not a URL: {error}", quoted(value)), EXAMPLE),
    };
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_inside(&host) => Ok(url),
        ("http", Some(host)) => refuse(
            format!("http to {host} would send keys in clear text over the internet"),
            "write https; http is only for this machine and network: loopback, private addresses, names without a dot",
        ),
        (scheme, _) => {
            refuse(format!("{} begins with {scheme}:, not https: or http:", quoted(value)), EXAMPLE)
        }
    }
}

/// Whether a host is on this machine or in this network, judged by its name.
pub(super) fn is_inside(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            !name.contains('.') || [".localhost", ".internal", ".local"].iter().any(|end| name.ends_with(end))
        }
        Host::Ipv4(ip) => ip.is_loopback() || ip.is_private(),
        Host::Ipv6(ip) => ip.is_loopback() || ip.is_unique_local(),
    }
}

/// Where to listen, or `off` for nowhere.
pub(super) fn listen(value: &ValueKind) -> Read<Option<SocketAddr>> {
    let text = text_of(value)?;
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).or_else(|_| {
        refuse(
            format!("{} is not an address to listen on", quoted(value)),
            "write an address and a port, such as \"127.0.0.1:7878\", or \"off\"",
        )
    })
}

/// Where the ledger is: on a server, or in its file.
pub(super) fn ledger_address(value: &ValueKind) -> Read<Option<Address>> {
    let fix = "write \"postgres://user@host/database\", or \"sqlite\" for the file in data_dir";
    match text_of(value)? {
        "sqlite" => Ok(None),
        text => without_password(Address::parse(text), Address::has_password, LEDGER_PASSWORD, fix).map(Some),
    }
}

/// Where the shared cache is, if there is one.
pub(super) fn cache_address(value: &ValueKind) -> Read<Option<cache::Address>> {
    let fix = "write \"redis://host\", or \"none\" for no shared cache";
    match text_of(value)? {
        "none" => Ok(None),
        text => {
            let parsed = cache::Address::parse(text);
            without_password(parsed, cache::Address::has_password, CACHE_PASSWORD, fix).map(Some)
        }
    }
}

/// A server's address, whose password belongs in a variable. No message repeats the address: it may contain one.
fn without_password<T, E: fmt::Display>(
    parsed: Result<T, E>,
    has_password: impl FnOnce(&T) -> bool,
    variable: &str,
    fix: &str,
) -> Read<T> {
    match parsed {
        Ok(address) if has_password(&address) => refuse(
            "the address contains a password",
            format!("remove it, and set {variable}, or {variable}_FILE"),
        ),
        Ok(address) => Ok(address),
        Err(error) => refuse(format!("the address cannot be used: {error}"), fix),
    }
}

/// Where a new ledger begins.
pub(super) fn start(network: &dyn Network) -> impl Fn(&ValueKind) -> Read<Start> + '_ {
    move |value| {
        let fix = format!(
            "write \"now\", \"beginning\", a post's id such as \"{}\", or a moment such as \"2026-10-01T00:00:00Z\"",
            network.example_id()
        );
        let text = shown(value);
        let text = text.trim();
        match text {
            "now" => return Ok(Start::Now),
            "beginning" => return Ok(Start::Beginning),
            _ => {}
        }
        if let Some(mark) = network.mark(text) {
            return Ok(Start::After(mark));
        }
        let Ok(moment) = text.parse::<Timestamp>() else {
            return refuse(format!("{} is not a valid start", quoted(value)), fix);
        };
        match network.beginning() {
            Some(beginning) if moment < beginning => {
                let first = beginning.strftime("%Y-%m-%d");
                refuse(
                    format!("{moment} is before {first}, the earliest day that {} shows", network.title()),
                    fix,
                )
            }
            _ if moment > Timestamp::now() => refuse(format!("{moment} is in the future"), fix),
            _ => Ok(Start::From(moment)),
        }
    }
}

/// Engines by name, in the order in which they are tried; comma-separated in the environment.
pub(super) fn engines<'a>(known: &'a [&'a str]) -> impl Fn(&ValueKind) -> Read<Vec<String>> + 'a {
    move |value| {
        let written: Vec<String> = match value {
            ValueKind::Array(items) => items.iter().map(|item| shown(&item.kind)).collect(),
            ValueKind::String(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
            other => {
                return refuse(
                    format!("{} is not a list of engines", quoted(other)),
                    format!("write {known:?}"),
                );
            }
        };
        let written: Vec<&str> = written.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let find = |name: &str| known.iter().copied().find(|engine| *engine == name);
        let names = known.iter().copied();
        let unknown: Vec<&str> = written.iter().copied().filter(|name| find(name).is_none()).collect();
        if let [first, ..] = unknown[..] {
            let list: Vec<String> = unknown.iter().map(|name| format!("{name:?}")).collect();
            return refuse(format!("unknown engine: {}", list.join(", ")), did_you_mean(first, names));
        }
        let order: Vec<String> = written.iter().copied().filter_map(find).map(str::to_owned).collect();
        if order.is_empty() {
            return refuse("no engine is listed, so nothing could be translated", did_you_mean("", names));
        }
        match order.iter().enumerate().find(|(index, engine)| order[..*index].contains(engine)) {
            Some((_, twice)) => refuse(format!("{twice:?} is listed twice"), "list each engine once"),
            None => Ok(order),
        }
    }
}

/// What to look for in posts; in the environment comma-separated, or one pattern between slashes.
pub(super) fn filters(value: &ValueKind) -> Read<Vec<Filter>> {
    let written: Vec<String> = match value {
        ValueKind::Array(items) => items.iter().map(|item| shown(&item.kind)).collect(),
        ValueKind::String(text) if text.starts_with('/') && text.ends_with('/') => vec![text.clone()],
        ValueKind::String(text) => text.split(',').map(str::to_owned).collect(),
        other => return refuse(format!("{} is not a list of filters", quoted(other)), FILTERS),
    };
    written
        .iter()
        .map(|filter| filter.parse().or_else(|error: FilterError| refuse(error.to_string(), FILTERS)))
        .collect()
}

/// Host names; comma-separated in the environment. `fix` says what to write.
pub fn hosts(fix: &str) -> impl Fn(&ValueKind) -> Read<Vec<String>> {
    move |value| {
        let hosts: Vec<String> = list_of(value)?.iter().map(|host| host.trim().to_lowercase()).collect();
        match hosts.iter().find(|host| Host::parse(host).is_err()) {
            Some(host) => refuse(format!("{host:?} is not a host name"), fix),
            None => Ok(hosts),
        }
    }
}

/// Log levels by name.
pub(super) const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::Off),
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];

/// Levels of single modules, `router=debug`.
pub(super) fn module_levels(value: &ValueKind) -> Read<Vec<ModuleLevel>> {
    let fix = format!(
        "write [\"router=debug\"], with a level as in log.level and one of these modules: {}",
        MODULES.join(", ")
    );
    let read = |written: String| {
        let (module, level) = written.split_once('=')?;
        let module = module_named(module.trim())?;
        let (_, level) = LEVELS.into_iter().find(|(name, _)| *name == level.trim())?;
        Some(ModuleLevel { module, level })
    };
    list_of(value)?
        .into_iter()
        .map(|written| {
            let refused = format!("{written:?} is not a module with a level");
            read(written).map_or_else(|| refuse(refused, fix.clone()), Ok)
        })
        .collect()
}

/// The items of a list, which may also be written as comma-separated text.
fn list_of(value: &ValueKind) -> Read<Vec<String>> {
    Ok(match value {
        ValueKind::Array(items) => items.iter().map(|item| shown(&item.kind)).collect(),
        other => text_of(other)?.split(',').map(str::to_owned).collect(),
    })
}

const FILTERS: &str = "write [\"#tag\", \"some words\", \"/a regular expression/\"]";

/// What to look for in posts; `None` if empty.
pub(super) fn mark(value: &ValueKind) -> Read<Option<Filter>> {
    match text_of(value)?.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .or_else(|error: FilterError| refuse(error.to_string(), "write \"#notranslate\"")),
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::{PostId, ports::ledger::Mark};

    use super::*;
    use crate::networks::x::X;

    fn text(text: &str) -> ValueKind {
        ValueKind::from(text)
    }

    #[track_caller]
    fn refused<T: fmt::Debug>(read: Read<T>, what: &str, fix: &str) {
        let refusal = read.unwrap_err();
        assert!(refusal.what.contains(what), "{refusal:?}");
        assert!(refusal.fix.contains(fix), "{refusal:?}");
    }

    #[test]
    fn a_duration_needs_a_unit_and_is_within_bounds() {
        let minute = duration(Duration::from_secs(1)..=Duration::from_hours(24));
        assert_eq!(minute(&text("90s")).unwrap(), Duration::from_secs(90));
        assert_eq!(minute(&text(" 1m 30s ")).unwrap(), Duration::from_secs(90));
        refused(minute(&ValueKind::I64(60)), "60 has no unit", "\"60s\"");
        refused(minute(&text("60")), "60 has no unit", "\"60s\"");
        refused(minute(&text("0")), "0 has no unit", "\"0s\"");
        refused(minute(&text("soon")), "\"soon\" is not a duration", "60s");
        refused(minute(&text("60 parsecs")), "is not a duration", "60s");
        refused(minute(&ValueKind::I64(-5)), "-5 is not a duration", "60s");
        refused(minute(&text("7d")), "out of range (1s to 1d)", "1s to 1d");
        refused(minute(&ValueKind::Boolean(true)), "true is not a duration", "60s");
    }

    #[test]
    fn a_size_has_a_unit_and_is_within_bounds() {
        let size = size(1_000_000..=2_000_000_000_000);
        assert_eq!(size(&text("500MB")).unwrap(), Some(500_000_000));
        assert_eq!(size(&text("2 GB")).unwrap(), Some(2_000_000_000));
        assert_eq!(size(&text("none")).unwrap(), None);
        refused(size(&text("7")), "is not a size", "500MB");
        refused(size(&ValueKind::I64(7)), "is not a text", "\"7\"");
        refused(size(&text("-1GB")), "is not a size", "none");
        refused(size(&text("3TB")), "out of range (1MB to 2TB)", "2GB");
        refused(size(&text("99999999999999999999TB")), "is not a size", "500MB");
    }

    #[test]
    fn a_mail_address_is_checked() {
        assert_eq!(mailboxes(&text("a@b.example, Ops <c@d.example>")).unwrap().len(), 2);
        refused(mailboxes(&text("nobody")), "is not a mail address", "you@example.com");
        refused(mailboxes(&text(" , ")), "no address", "you@example.com");
        refused(
            mailbox(&text("a@b.example\r\nBcc: c@d.example")),
            "is not a mail address",
            "mynah@example.com",
        );
        refused(host(&text("smtp.example.com:25")), "is not a host name", "a key of its own");
    }

    #[test]
    fn a_count_is_whole_and_within_bounds() {
        let count = count(1..=256_usize);
        assert_eq!(count(&ValueKind::I64(4)).unwrap(), 4);
        assert_eq!(count(&text("256")).unwrap(), 256);
        for wrong in [ValueKind::I64(0), ValueKind::I64(-1), ValueKind::I64(i64::MAX), text("257")] {
            refused(count(&wrong), "out of range (1 to 256)", "from 1 to 256");
        }
        for wrong in [text("many"), ValueKind::Float(2.5), ValueKind::Boolean(true), text("")] {
            refused(count(&wrong), "not a whole number", "from 1 to 256");
        }
    }

    #[test]
    fn a_flag_is_true_or_false() {
        assert!(flag(&ValueKind::Boolean(true)).unwrap());
        assert!(!flag(&text("false")).unwrap());
        refused(flag(&text("yes")), "\"yes\" is neither", "true or false");
        refused(flag(&ValueKind::I64(1)), "1 is neither", "true or false");
    }

    #[test]
    fn none_means_no_cap() {
        assert_eq!(cap(&text("none")).unwrap(), None);
        assert_eq!(cap(&ValueKind::I64(20)).unwrap(), Some(20));
        refused(cap(&ValueKind::I64(0)), "hold every job", "none");
        refused(cap(&text("unlimited")), "not a whole number", "none");
        refused(cap(&ValueKind::I64(-3)), "out of range", "none");
    }

    #[test]
    fn a_language_is_found_by_code_and_suggested_by_name() {
        assert_eq!(language(&text("pt-br")).unwrap().code(), "pt-BR");
        refused(language(&text("spanish")), "know the language", "\"es\" (Spanish)");
        refused(language(&text("Galisian")), "know the language", "\"gl\" (Galician)");
        refused(language(&text("zh-Hanss")), "know the language", "\"zh-Hans\"");
        refused(language(&text("qq")), "know the language", "write a code");
        refused(language(&ValueKind::I64(1)), "1 is not a text", "\"1\"");
    }

    #[test]
    fn keys_go_in_clear_text_only_where_nobody_listens() {
        for right in [
            "https://api.x.com",
            "https://proxy.example.com:8443/x",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:9",
            "http://sandbox:8080",
            "http://10.1.2.3",
            "http://host.docker.internal:80",
        ] {
            assert!(base_url(&text(right)).is_ok(), "{right}");
        }
        refused(base_url(&text("http://api.x.com")), "clear text", "write https;");
        refused(base_url(&text("http://8.8.8.8")), "clear text", "https");
        refused(base_url(&text("api.x.com")), "not a URL", "https://");
        refused(base_url(&text("ftp://api.x.com")), "begins with ftp", "https://");
        refused(base_url(&text("https://")), "not a URL", "https://");
        for secret in ["https://me:hunter2@x.com", "https://x.com?key=hunter2", "https://me:hunter2@x:99999"]
        {
            let refusal = base_url(&text(secret)).unwrap_err();
            assert!(!format!("{refusal:?}").contains("hunter2"), "{refusal:?}");
        }
    }

    #[test]
    fn a_start_is_a_word_an_id_or_a_moment() {
        let start = start(&X);
        assert_eq!(start(&text("now")).unwrap(), Start::Now);
        assert_eq!(start(&text("beginning")).unwrap(), Start::Beginning);
        let id = Start::After(Mark {
            id: PostId("1849337283618123841".into()),
            position: 1_849_337_283_618_123_841,
        });
        assert_eq!(start(&ValueKind::I64(1_849_337_283_618_123_841)).unwrap(), id);
        assert_eq!(start(&text("1849337283618123841")).unwrap(), id);
        let moment = Start::From("2026-10-01T00:00:00Z".parse().unwrap());
        assert_eq!(start(&text("2026-10-01T02:00:00+02:00")).unwrap(), moment);
        refused(start(&text("2026-10-01")), "not a valid start", "2026-10-01T00:00:00Z");
        refused(start(&text("2010-11-05T23:59:59Z")), "before 2010-11-06", "now");
        assert!(start(&text("2010-11-06T00:00:00Z")).is_ok());
        refused(start(&text("2999-01-01T00:00:00Z")), "in the future", "now");
        refused(start(&text("yesterday")), "not a valid start", "now");
    }

    #[test]
    fn the_order_of_engines_is_preserved() {
        let engines = engines(&["gemini", "apertium"]);
        assert_eq!(engines(&text("apertium, gemini")).unwrap(), ["apertium", "gemini"]);
        assert_eq!(engines(&ValueKind::from(vec!["gemini"])).unwrap(), ["gemini"]);
        refused(
            engines(&ValueKind::from(vec!["gemni", "deepl"])),
            "\"gemni\", \"deepl\"",
            "did you mean \"gemini\"",
        );
        refused(engines(&ValueKind::from(Vec::<&str>::new())), "no engine is listed", "\"apertium\"");
        refused(engines(&text("gemini,gemini")), "twice", "once");
        refused(engines(&ValueKind::Boolean(true)), "not a list", "[\"gemini\"");
    }

    #[test]
    fn filters_are_a_list_or_texts_with_commas() {
        assert_eq!(filters(&text("#a, some words")).unwrap().len(), 2);
        assert_eq!(filters(&text("/a,b/")).unwrap().len(), 1);
        refused(filters(&text("/(/")), "not a valid regular expression", "[\"#tag\"");
        refused(filters(&text("a,,b")), "empty", "[\"#tag\"");
        refused(filters(&ValueKind::Boolean(true)), "not a list", "[\"#tag\"");
        assert_eq!(mark(&text("")).unwrap(), None);
        assert!(mark(&text("#no")).unwrap().is_some());
    }
}
