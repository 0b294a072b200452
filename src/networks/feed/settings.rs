//! Reads the section of feeds.

use std::sync::Arc;

use config::ValueKind;
use url::Url;

use super::{connection::FollowedFeed, fetch::FetchSettings, source::FeedSettings, template::Template};
use crate::{
    http_client::Transport,
    networks::{Accounts, Connections, download::DownloadSettings},
    settings::{
        Reader,
        kinds::{CONNECTIONS, Read, call, count, hosts, refuse, text_of},
    },
};

/// The setting that lists the media hosts.
const MEDIA_HOSTS: &str = "feed.media_hosts";

/// Reads a template.
pub(super) fn template(value: &ValueKind) -> Read<Template> {
    let template = text_of(value)?.parse::<Template>();
    template.or_else(|error| refuse(error.to_string(), "write \"{title}\\n\\n{summary|200}\\n\\n{link}\""))
}

/// Reads the section. `None` if there was a problem, which the reader records.
pub(super) fn read(
    reader: &mut Reader<'_>,
    accounts: &Accounts<'_>,
    transport: Option<Transport>,
) -> Option<Connections> {
    let template = reader.or("feed.template", "{title}\\n\\n{link}", template);
    let timeout = reader.or("feed.timeout", "20s", call);
    let connections = reader.or("feed.connections", "4", count(CONNECTIONS));
    let listed = reader.optional(MEDIA_HOSTS, hosts("write [\"images.paper.example\"]"));
    let (template, timeout, connections) = (Arc::new(template?), timeout?, connections?);
    let (listed, transport) = (listed.ok()?.unwrap_or_default(), transport?);
    // They were read before.
    let own = |template: Option<&str>| template.and_then(|template| template.parse().ok()).map(Arc::new);
    let mut templates = accounts.templates.iter().copied().map(own);
    accounts.connect_sources(timeout, |handle| {
        let template = templates.next().flatten().unwrap_or_else(|| template.clone());
        // The handle was read as an address.
        let address = Url::parse(handle).ok()?;
        let own = address.host_str().map(str::to_lowercase);
        let hosts = own.into_iter().chain(listed.iter().cloned()).collect();
        let media = DownloadSettings { hosts, setting: MEDIA_HOSTS, timeout, transport };
        let fetch = FetchSettings { address, timeout, connections, transport };
        Some(FollowedFeed { feed: FeedSettings { fetch, template }, media })
    })
}
