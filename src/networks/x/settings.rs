//! Reads X's section of the settings.

use std::sync::Arc;

use super::{
    client::XSettings,
    connection::{XFollowed, XPublished},
    secrets,
};
use crate::{
    http_client::Transport,
    networks::{Accounts, Connections, Followed, Published, download::DownloadSettings},
    settings::{
        Reader, Vault,
        kinds::{CONNECTIONS, base_url, call, count, hosts},
    },
};

/// The setting that lists the media hosts.
const MEDIA_HOSTS: &str = "x.media_hosts";

/// Reads the section and the secrets. `None` if there was a problem, which the reader or the vault records.
pub(super) fn read(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    accounts: &Accounts<'_>,
    transport: Option<Transport>,
) -> Option<Connections> {
    let credentials = secrets::read(vault, accounts);
    let base_url = reader.or("x.base_url", "https://api.x.com", base_url);
    let timeout = reader.or("x.timeout", "20s", call);
    let connections = reader.by_preset("x.connections", ["4", "16", "2"], count(CONNECTIONS));
    let hosts = reader.or(
        MEDIA_HOSTS,
        "pbs.twimg.com, video.twimg.com",
        hosts("write [\"pbs.twimg.com\", \"video.twimg.com\"]"),
    );
    let (timeout, transport, credentials) = (timeout?, transport?, credentials?);
    let x = XSettings { base_url: base_url?, timeout, connections: connections?, transport };
    let media = DownloadSettings { hosts: hosts?, setting: MEDIA_HOSTS, timeout, transport };
    let handles = |handles: &[Option<&str>]| -> Option<Vec<String>> {
        handles.iter().map(|handle| handle.map(str::to_owned)).collect()
    };
    let followed = handles(&accounts.followed)?.into_iter().zip(credentials.followed);
    let published = handles(&accounts.published)?.into_iter().zip(credentials.published);
    Some(Connections {
        followed: followed
            .map(|(handle, auth)| {
                let (x, media) = (x.clone(), media.clone());
                Arc::new(XFollowed { x, handle, auth, media }) as Arc<dyn Followed>
            })
            .collect(),
        published: published
            .map(|(handle, auth)| Arc::new(XPublished { x: x.clone(), handle, auth }) as Arc<dyn Published>)
            .collect(),
        longest_call: timeout,
    })
}
