//! Reads Mastodon's section of the settings.

use std::sync::Arc;

use config::ValueKind;
use url::{Host, Url};

use super::{
    client::ServerSettings,
    connection::{MastodonFollowed, MastodonPublished},
    destination::Visibility,
    names::AccountName,
    secrets,
    text::{LIMITS, MastodonRules},
};
use crate::{
    http_client::Transport,
    networks::{Accounts, Connections, download::DownloadSettings},
    settings::{
        Reader, Vault,
        kinds::{CONNECTIONS, Read, base_url, call, choice, count, hosts, quoted, refuse},
    },
};

/// The setting that lists the media hosts.
const MEDIA_HOSTS: &str = "mastodon.media_hosts";

/// The setting with the most characters of a post.
pub(super) const MAX_CHARACTERS: &str = "mastodon.max_characters";

const VISIBILITIES: [(&str, Visibility); 3] =
    [("public", Visibility::Public), ("unlisted", Visibility::Unlisted), ("private", Visibility::Private)];

/// The most characters of a post, by server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MaxCharacters {
    /// On servers that are not listed.
    general: usize,
    of_servers: Vec<(String, usize)>,
}

impl MaxCharacters {
    fn on(&self, server: &str) -> usize {
        self.of_servers.iter().find(|(name, _)| name == server).map_or(self.general, |(_, most)| *most)
    }
}

/// A number for all servers, or a list of servers with a number each.
fn max_characters(value: &ValueKind) -> Read<MaxCharacters> {
    const RANGE: std::ops::RangeInclusive<usize> = 100..=1_000_000;
    const FIX: &str =
        "write a number from 100 to 1000000 for all servers, or [\"mastodon.example=5000\"] for some of them";
    let general = LIMITS.text;
    let of_server = |written: &str| {
        let (server, most) = written.split_once('=')?;
        let server = Host::parse(server.trim()).ok()?.to_string();
        Some((server, most.trim().parse().ok().filter(|most| RANGE.contains(most))?))
    };
    let all = |written: &[String]| {
        let odd = written.iter().find(|written| of_server(written).is_none());
        match odd {
            Some(odd) => refuse(
                format!("{} is not a server with a number", quoted(&ValueKind::from(odd.as_str()))),
                FIX,
            ),
            None => Ok(MaxCharacters {
                general,
                of_servers: written.iter().filter_map(|w| of_server(w)).collect(),
            }),
        }
    };
    match value {
        ValueKind::Array(items) => all(&items.iter().map(|item| item.kind.to_string()).collect::<Vec<_>>()),
        ValueKind::String(text) if text.contains('=') => {
            all(&text.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
        }
        other => count(RANGE)(other)
            .map(|general| MaxCharacters { general, of_servers: Vec::new() })
            .or_else(|refusal| refuse(refusal.what, FIX)),
    }
}

/// Reads the section and the tokens. `None` if there was a problem, which the reader or the vault records.
pub(super) fn read(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    accounts: &Accounts<'_>,
    transport: Option<Transport>,
) -> Option<Connections> {
    let base_url = reader.optional("mastodon.base_url", base_url);
    let timeout = reader.or("mastodon.timeout", "20s", call);
    let connections = reader.by_preset("mastodon.connections", ["4", "16", "2"], count(CONNECTIONS));
    let listed = reader.optional(MEDIA_HOSTS, hosts("write [\"files.mastodon.example\"]"));
    let visibility = reader.or("mastodon.visibility", "public", choice(&VISIBILITIES));
    let most = reader.or(MAX_CHARACTERS, "500", max_characters);
    let name = |handle: Option<&str>| handle.and_then(AccountName::read);
    let followed = accounts.followed.iter().map(|handle| Some(secrets::of_source(vault, &name(*handle)?)));
    let mut of_sources = followed.collect::<Vec<_>>().into_iter();
    let published = accounts.published.iter().map(|handle| secrets::of_target(vault, &name(*handle)?));
    let mut of_targets = published.collect::<Vec<_>>().into_iter();
    let (base_url, timeout, connections) = (base_url.ok()?, timeout?, connections?);
    let (listed, visibility, most) = (listed.ok()?.unwrap_or_default(), visibility?, most?);
    let transport = transport?;
    let server = |name: &AccountName| {
        // The name was read as one.
        let base_url = base_url.clone().or_else(|| Url::parse(&format!("https://{}", name.server)).ok())?;
        Some(ServerSettings { base_url, timeout, connections, transport })
    };
    accounts.connect(
        timeout,
        |handle| {
            let account = AccountName::read(handle)?;
            let server = server(&account)?;
            let own = server.base_url.host_str().map(str::to_lowercase);
            let hosts = own.into_iter().chain(listed.iter().cloned()).collect();
            let media = DownloadSettings { hosts, setting: MEDIA_HOSTS, timeout, transport };
            Some(MastodonFollowed { server, account, token: of_sources.next()??.ok()?, media })
        },
        |handle| {
            let account = AccountName::read(handle)?;
            let rules = Arc::new(MastodonRules::with_characters(most.on(&account.server)));
            Some(MastodonPublished {
                server: server(&account)?,
                account,
                token: of_targets.next()??,
                visibility,
                rules,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_is_a_number_for_all_servers_or_for_some() {
        let read = |text: &str| max_characters(&ValueKind::from(text));
        assert_eq!(read("5000").unwrap().on("a.example"), 5000);
        let some = read("a.example=5000, B.example = 1000").unwrap();
        assert_eq!(["a.example", "b.example", "c.example"].map(|server| some.on(server)), [5000, 1000, 500]);
        for wrong in ["0", "99", "x", "a.example=", "a.example=1", "a b=500", "=500", ""] {
            let refusal = read(wrong).unwrap_err();
            assert!(refusal.fix.contains("mastodon.example=5000"), "{wrong}: {refusal:?}");
        }
    }
}
