//! Hears of an account's new posts at once. What arrives only says that it is time to poll, so nothing of it is parsed:
//! it is enough that a message names the account.
//!
//! A Jetstream sends what concerns one account. An account's own server sends what concerns any of its accounts
//! (`com.atproto.sync.subscribeRepos`), which is little on a server of one's own, and needs nobody else.

use async_trait::async_trait;
use memchr::memmem::Finder;
use mynah_domain::ports::{Live, News, SourceError};
use url::Url;

use super::{
    client::{BlueskySettings, Stream, encode},
    identity::{Account, LocateError, Located},
    names::{POSTS, REPOSTS},
};
use crate::http_client::{HttpClient, HttpError, Limits, WebSocket};

/// The longest message: a server's have up to 5 MB.
const LONGEST: usize = 8 * 1024 * 1024;

/// A followed account, and how to hear of its posts.
pub(super) struct BlueskyLive {
    settings: BlueskySettings,
    account: Account,
}

impl BlueskyLive {
    pub(super) fn new(settings: BlueskySettings, account: Account) -> Self {
        Self { settings, account }
    }

    fn address(&self, Located { did, server }: &Located) -> String {
        match &self.settings.stream {
            Stream::Jetstream(url) => {
                let (base, did) = (url.as_str().trim_end_matches('/'), encode(did));
                format!(
                    "{base}/subscribe?wantedDids={did}&wantedCollections={POSTS}&wantedCollections={REPOSTS}"
                )
            }
            Stream::Server => subscription(server),
        }
    }
}

/// The address at which a server sends what its accounts do.
fn subscription(server: &Url) -> String {
    // `https` becomes `wss`, and `http` `ws`.
    let address = server.as_str().trim_end_matches('/').replacen("http", "ws", 1);
    format!("{address}/xrpc/com.atproto.sync.subscribeRepos")
}

#[async_trait(?Send)]
impl Live for BlueskyLive {
    async fn connect(&self) -> Result<Box<dyn News>, SourceError> {
        let located = self.account.located().await.map_err(|error| match error {
            LocateError::Call(error) => SourceError::Unavailable(error.into_reason()),
            LocateError::Ledger(error) => SourceError::Unavailable(error.into()),
        })?;
        let BlueskySettings { timeout, transport, .. } = self.settings;
        // A client of its own: the connection is occupied for as long as it lasts.
        let http = HttpClient::new(Limits { connections: 1, timeout, transport, max_body: LONGEST });
        let address = self.address(&located);
        match http.websocket(&address).await {
            Ok(socket) => Ok(Box::new(Listener { socket, did: Finder::new(&located.did).into_owned() })),
            Err(error) => {
                self.account.doubt();
                Err(lost(&address, &error))
            }
        }
    }
}

fn lost(address: &str, error: &HttpError) -> SourceError {
    let host = address.split('?').next().unwrap_or_default();
    SourceError::Unavailable(format!("{host}: {error}"))
}

struct Listener {
    socket: WebSocket,
    did: Finder<'static>,
}

#[async_trait(?Send)]
impl News for Listener {
    async fn next(&mut self) -> Result<(), SourceError> {
        loop {
            let message =
                self.socket.next().await.map_err(|error| SourceError::Unavailable(error.to_string()))?;
            if self.did.find(&message).is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_stream_is_encrypted_if_the_server_is() {
        let of = |server: &str| subscription(&server.parse().unwrap());
        assert_eq!(of("https://http.example"), "wss://http.example/xrpc/com.atproto.sync.subscribeRepos");
        assert_eq!(of("http://localhost:2583/"), "ws://localhost:2583/xrpc/com.atproto.sync.subscribeRepos");
    }
}
