//! Reads Bluesky's section of the settings.

use config::ValueKind;
use url::Url;

use super::{
    client::{BlueskySettings, Stream},
    connection::{BlueskyFollowed, BlueskyPublished},
    secrets,
    session::Login,
};
use crate::{
    http_client::Transport,
    networks::{Accounts, Connections},
    settings::{
        Reader, Vault,
        kinds::{self, CONNECTIONS, Read, call, count, quoted, refuse, text_of},
    },
};

/// Where to hear of new posts at once.
fn stream(value: &ValueKind) -> Read<Stream> {
    let text = text_of(value)?;
    if text == "server" {
        return Ok(Stream::Server);
    }
    let fix = "write the address of a Jetstream, \"wss://jetstream2.us-east.bsky.network\", or \"server\" for the account's own server";
    // No secret is sent there, so an address without encryption is as good.
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "wss" | "ws") && url.has_host() => Ok(Stream::Jetstream(url)),
        _ => refuse(format!("{} is not the address of a stream", quoted(value)), fix),
    }
}

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
    let stream = reader.or("bluesky.stream", "wss://jetstream2.us-east.bsky.network", stream);
    let timeout = reader.or("bluesky.timeout", "20s", call);
    let connections = reader.or("bluesky.connections", "4", count(CONNECTIONS));
    let (timeout, transport) = (timeout?, transport?);
    let bluesky = BlueskySettings {
        base_url: base_url?,
        plc_url: plc_url?,
        stream: stream?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_jetstream_or_the_accounts_own_server() {
        let of = |text: &str| stream(&ValueKind::from(text));
        assert_eq!(of("server").unwrap(), Stream::Server);
        assert!(matches!(of("wss://jetstream.example").unwrap(), Stream::Jetstream(_)));
        for wrong in ["", "none", "https://jetstream.example", "wss://", "jetstream.example"] {
            assert!(of(wrong).unwrap_err().fix.contains("\"server\""), "{wrong}");
        }
    }
}
