//! Reads X's section of the settings.

use std::sync::Arc;

use super::{
    client::XSettings,
    connection::{XFollowed, XPublished},
    prices::XPrices,
    secrets,
    source::stream::SharedStream,
};
use crate::{
    http_client::Transport,
    networks::{Accounts, Connections, download::DownloadSettings},
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
    let prices = XPrices::read(reader);
    let (timeout, transport, credentials, prices) = (timeout?, transport?, credentials?, prices?);
    let x = XSettings { base_url: base_url?, timeout, connections: connections?, transport };
    let media = DownloadSettings { hosts: hosts?, setting: MEDIA_HOSTS, timeout, transport };
    let stream = Arc::new(SharedStream::default());
    let mut readers = credentials.followed.into_iter();
    let mut publishers = credentials.published.into_iter();
    accounts.connect(
        timeout,
        |handle| {
            let auth = readers.next()?;
            let (x, media, stream) = (x.clone(), media.clone(), stream.clone());
            Some(XFollowed { x, handle: handle.to_owned(), auth, media, stream, prices })
        },
        |handle| {
            Some(XPublished { x: x.clone(), handle: handle.to_owned(), auth: publishers.next()?, prices })
        },
    )
}
