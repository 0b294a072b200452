//! Reads the followed accounts: one in `[source]`, or any number in `[[sources]]`, each with a name that its targets
//! use. Checks the rules between them: no name and no account occurs twice.

use std::sync::Arc;

use mynah_domain::{Language, catch_up::CatchUpPolicy, filters::Filters};

use super::{
    kinds::{
        TICK, choice, count, duration, filters, flag, language, mark, refuse, schedule::catch_up,
        source_name, start,
    },
    model::SourceSettings,
    read::{Account, DAY, HOUR},
    reader::Reader,
};
use crate::networks::{Followed, Network, Networks, Streaming};

const POLLS: [(&str, bool); 2] = [("text", true), ("skip", false)];

/// How to hear of new posts, by their names in the settings: whether by a stream.
const MODES: [(&str, bool); 2] = [("poll", false), ("stream", true)];

/// The section of the only source.
const ONLY: &str = "source";

/// The list of sources.
pub(super) const LIST: &str = "sources";

/// A followed account, as far as it could be read.
pub(super) struct FollowedAccount {
    /// The section that it was read from: `source`, `sources[0]`.
    pub(super) section: String,
    /// Its name; `None` for the only source, or if it could not be read.
    pub(super) name: Option<String>,
    /// The account.
    pub(super) account: Account,
    /// The language that it posts in.
    pub(super) language: Option<Language>,
    /// Its template, if it has one of its own.
    pub(super) template: Option<String>,
}

impl FollowedAccount {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.section)
    }
}

/// The followed accounts.
pub(super) struct FollowedAccounts {
    pub(super) all: Vec<FollowedAccount>,
    /// Whether they are a list, in which each has a name.
    pub(super) is_list: bool,
}

impl FollowedAccounts {
    /// Reads the accounts, their names and their languages.
    pub(super) fn read(reader: &mut Reader<'_>, networks: &Networks) -> Self {
        let is_list = reader.is_written(LIST);
        let sections: Vec<String> = if is_list {
            reader.report_all_under(
                ONLY,
                "there is a list of [[sources]], too",
                "move this to a section of the list, or to [defaults.sources] if it applies to all of them",
            );
            let number = reader.sections(LIST, "there are no sources, so there is nothing to republish");
            (0..number).map(|index| format!("{LIST}[{index}]")).collect()
        } else {
            vec![ONLY.to_owned()]
        };
        let all = sections.into_iter().map(|section| {
            let missing = "write a name for logs and commands, which its targets use, too, such as \"town\"";
            let name = if is_list {
                reader.required(&format!("{section}.name"), missing, source_name)
            } else {
                None
            };
            let account =
                Account::followed(reader, &section, networks, "write the handle of the account to follow");
            let language = reader.or(&format!("{section}.language"), "en", language);
            let network = account.network;
            let template = reader.optional(&format!("{section}.template"), |value| network.template(value));
            let template = template.ok().flatten();
            FollowedAccount { section, name, account, language, template }
        });
        let followed = Self { all: all.collect(), is_list };
        followed.check(reader);
        followed
    }

    /// The names that targets can use.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::with_capacity(self.all.len());
        for name in self.all.iter().filter_map(|source| source.name.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The source of each section.
    pub(super) fn read_rest(&self, reader: &mut Reader<'_>) -> Vec<Option<UnconnectedSource>> {
        self.all.iter().map(|followed| source(reader, followed)).collect()
    }

    /// Reports each source that none of the targets follows.
    pub(super) fn check_all_are_followed(&self, reader: &mut Reader<'_>, by_targets: &[usize]) {
        for (index, source) in self.all.iter().enumerate() {
            let Some(name) = source.name.as_deref().filter(|_| !by_targets.contains(&index)) else {
                continue;
            };
            reader.report(
                &source.key("name"),
                "no target republishes this source",
                format!("add a target with source = {name:?}, or remove this section"),
            );
        }
    }

    fn check(&self, reader: &mut Reader<'_>) {
        for (index, source) in self.all.iter().enumerate() {
            let earlier = &self.all[..index];
            if let Some(name) = &source.name
                && let Some(first) = earlier.iter().find(|other| other.name.as_ref() == Some(name))
            {
                let there = reader.origin(&first.key("name"));
                reader.report(
                    &source.key("name"),
                    format!("another source already has this name ({there})"),
                    "give each source its own name",
                );
            }
            if let Some(first) = earlier.iter().find(|other| source.account.is(&other.account)) {
                let there = reader.origin(&first.key("account"));
                reader.report(
                    &source.key("account"),
                    format!("another source already follows this account ({there})"),
                    "remove this section, and let its targets name the other source",
                );
            }
        }
    }
}

/// A source without its connection, which is read later.
pub(super) type UnconnectedSource = Box<dyn FnOnce(Arc<dyn Followed>) -> SourceSettings>;

/// Whether a source on `network` is followed by a stream.
fn stream(reader: &mut Reader<'_>, key: &str, network: &'static dyn Network) -> Option<bool> {
    let (title, streaming) = (network.title(), network.streaming());
    let wanted = reader.optional(key, |value| match choice(&MODES)(value)? {
        true if streaming == Streaming::Never => {
            refuse(format!("{title} can only be polled"), format!("write {:?}, or remove the key", "poll"))
        }
        wanted => Ok(wanted),
    });
    Some(wanted.ok()?.unwrap_or(streaming == Streaming::Always))
}

fn source(reader: &mut Reader<'_>, followed: &FollowedAccount) -> Option<UnconnectedSource> {
    let FollowedAccount { name, account, language, .. } = followed;
    let (name, network, language) = (name.clone(), account.network, *language);
    let key = |name: &str| followed.key(name);
    let trust_language = reader.or(&key("trust_language"), "true", flag);
    let poll_interval = reader.or(&key("poll_interval"), "60s", duration(TICK..=DAY));
    let stream = stream(reader, &key("mode"), network);
    let start = reader.or(&key("start"), "now", start(network));
    let reposts = reader.or(&key("reposts"), "false", flag);
    let replies = reader.or(&key("replies"), "false", flag);
    let quotes = reader.or(&key("quotes"), "true", flag);
    let polls = reader.or(&key("polls"), "text", choice(&POLLS));
    let include = reader.optional(&key("include"), filters);
    let exclude = reader.optional(&key("exclude"), filters);
    let opt_out = reader.or(&key("opt_out"), "#notranslate", mark);
    let catch_up = reader.or(&key("catch_up"), "all", catch_up);
    let catch_up_after = reader.or(&key("catch_up_after"), "6h", duration(HOUR..=DAY * 30));
    let page_size = reader.or(&key("page_size"), "100", count(5..=100));
    let account = account.whole()?;
    let (language, trust_language, poll_interval, stream) =
        (language?, trust_language?, poll_interval?, stream?);
    let (start, reposts, replies, quotes, polls) = (start?, reposts?, replies?, quotes?, polls?);
    let (opt_out, page_size) = (opt_out?, page_size?);
    let catch_up = CatchUpPolicy { which: catch_up?, after: catch_up_after? };
    let filters =
        Filters { include: include.ok()?.unwrap_or_default(), exclude: exclude.ok()?.unwrap_or_default() };
    Some(Box::new(move |connection| SourceSettings {
        name,
        network,
        account,
        connection,
        language,
        trust_language,
        poll_interval,
        stream,
        start,
        reposts,
        replies,
        quotes,
        polls,
        opt_out,
        filters,
        catch_up,
        page_size,
    }))
}
