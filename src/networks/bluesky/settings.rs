//! Reads Bluesky's section of the settings.

use super::{
    client::BlueskySettings,
    connection::{BlueskyFollowed, BlueskyPublished},
    secrets,
    session::Login,
};
use crate::{
    http_client::Transport,
    networks::{Accounts, Connections},
    settings::{
        Reader, Vault,
        kinds::{self, CONNECTIONS, call, count},
    },
};

/// Reads the section and the secrets. `None` if there was a problem, which the reader or the vault records.
pub(super) fn read(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    accounts: &Accounts<'_>,
    transport: Option<Transport>,
) -> Option<Connections> {
    let passwords = secrets::read(vault, accounts);
    let base_url = reader.or("bluesky.base_url", "https://bsky.social", kinds::base_url);
    let plc_url = reader.or("bluesky.plc_url", "https://plc.directory", kinds::base_url);
    let timeout = reader.or("bluesky.timeout", "20s", call);
    let connections = reader.or("bluesky.connections", "4", count(CONNECTIONS));
    let (timeout, transport) = (timeout?, transport?);
    let bluesky = BlueskySettings {
        base_url: base_url?,
        plc_url: plc_url?,
        timeout,
        connections: connections?,
        transport,
    };
    let mut passwords = passwords?.into_iter();
    accounts.connect(
        timeout,
        |name| Some(BlueskyFollowed::new(bluesky.clone(), name)),
        |name| Some(BlueskyPublished::new(bluesky.clone(), Login::new(name, passwords.next()?), name)),
    )
}
