//! Finds the server that holds an account. A handle belongs to a DID, the DID's document names the server, and all of
//! it may change: people rename accounts and move them. A DID never changes, so it is looked up once and stored, and an
//! account that was renamed is still followed. The document is read again after the server refused the account.
//!
//! The documents are input from strangers, who choose the address that Mynah then calls: only https and names of hosts
//! are accepted, except on a network that is reached over http, as in tests.

use std::{cell::RefCell, sync::Arc};

use mynah_domain::ports::{Facts, LedgerError};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{
    NAME,
    client::{BlueskySettings, CallError, Server},
    names::{is_did, is_handle},
    problem::Refusal,
};
use crate::telemetry::outside::brief;

/// An account, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Located {
    /// What it is called whatever happens to it.
    pub(super) did: String,
    /// The server that holds it.
    pub(super) server: Url,
}

/// Why an account was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LocateError {
    /// A call failed.
    Call(CallError),
    /// The ledger failed.
    Ledger(LedgerError),
}

impl From<CallError> for LocateError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<LedgerError> for LocateError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// The answer to `com.atproto.identity.resolveHandle`.
#[derive(Deserialize)]
struct Resolved {
    did: String,
}

/// A DID document (w3.org/TR/did-core). Only what is read here.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    service: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    #[serde(default)]
    id: String,
    /// Other services may have endpoints of other types.
    #[serde(default)]
    service_endpoint: serde_json::Value,
}

/// Asks which DID a handle belongs to, and where a DID's account is.
#[derive(Clone)]
pub(super) struct Directory {
    settings: BlueskySettings,
}

impl Directory {
    pub(super) fn new(settings: BlueskySettings) -> Self {
        Self { settings }
    }

    /// The account with this handle or DID.
    pub(super) async fn locate(&self, name: &str) -> Result<Located, CallError> {
        let did = if is_did(name) {
            name.to_owned()
        } else {
            did_of(&Server::new(&self.settings, &self.settings.base_url), name).await?
        };
        let server = self.server_of(&did).await?;
        Ok(Located { did, server })
    }

    /// The server that holds the account with this DID.
    pub(super) async fn server_of(&self, did: &str) -> Result<Url, CallError> {
        let unusable = |what: &str| CallError::Refused(Refusal::NoAccount(format!("{did}: {what}")));
        let (directory, path) = match did.strip_prefix("did:web:") {
            // Paths and ports are not allowed in this network (atproto.com/specs/did).
            Some(host) if is_handle(host) => {
                let address = Url::parse(&format!("https://{host}")).ok();
                (address.ok_or_else(|| unusable("it names no host"))?, "/.well-known/did.json".to_owned())
            }
            Some(_) => return Err(unusable("it names no host")),
            None => (self.settings.plc_url.clone(), format!("/{did}")),
        };
        let server = Server::new(&self.settings, &directory);
        let document = server.document::<Document>(&path).await.map_err(|error| match error {
            // Removed (410) or never there (404); the directory names no error.
            CallError::Refused(Refusal::Refused(why)) => unusable(&why),
            error => error,
        })?;
        let endpoint = document.service.iter().find(|service| service.id.ends_with("#atproto_pds"));
        let endpoint = endpoint.and_then(|service| service.service_endpoint.as_str());
        let endpoint = endpoint.ok_or_else(|| unusable("its document names no server"))?;
        let url = Url::parse(endpoint).ok().filter(|url| self.may_call(url));
        url.ok_or_else(|| {
            unusable(&format!("its document names a server that Mynah does not call: {}", brief(endpoint)))
        })
    }

    /// Whether a server that a stranger named may be called.
    fn may_call(&self, url: &Url) -> bool {
        let is_local_network = self.settings.base_url.scheme() == "http";
        let is_public = url.scheme() == "https"
            && matches!(url.host(), Some(Host::Domain(host)) if is_handle(host) && !host.ends_with(".localhost"));
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        !has_credentials && (is_public || (is_local_network && matches!(url.scheme(), "http" | "https")))
    }
}

/// The DID that a handle belongs to, according to a server.
pub(super) async fn did_of(server: &Server, handle: &str) -> Result<String, CallError> {
    let question = "com.atproto.identity.resolveHandle";
    let Resolved { did } = server.ask(question, &[("handle", handle)]).await?;
    let is_valid = is_did(&did);
    is_valid.then_some(did).ok_or_else(|| CallError::NoAnswer(format!("the DID of {handle} is not valid")))
}

/// One account that the settings name, located once and then remembered in the ledger.
pub(super) struct Account {
    /// Its handle or DID in the settings.
    pub(super) name: String,
    directory: Directory,
    ledger: Arc<dyn Facts>,
    known: RefCell<Known>,
}

/// What is known about where the account is.
enum Known {
    Nothing,
    /// This was right when it was stored.
    Located(Located),
    /// The server refused the account: it may have moved.
    Doubtful,
}

impl Account {
    pub(super) fn new(name: &str, settings: &BlueskySettings, ledger: Arc<dyn Facts>) -> Self {
        let directory = Directory::new(settings.clone());
        Self { name: name.to_owned(), directory, ledger, known: RefCell::new(Known::Nothing) }
    }

    /// Where the account is.
    pub(super) async fn located(&self) -> Result<Located, LocateError> {
        let is_doubtful = match &*self.known.borrow() {
            Known::Located(located) => return Ok(located.clone()),
            Known::Nothing => false,
            Known::Doubtful => true,
        };
        let key = self.fact();
        let stored = self.ledger.fact(&key).await?;
        // Of another version, or changed by hand.
        let stored: Option<Located> = stored.and_then(|stored| serde_json::from_str(&stored).ok());
        let stored =
            stored.filter(|located| is_did(&located.did) && self.directory.may_call(&located.server));
        let located = match stored {
            Some(located) if !is_doubtful => located,
            Some(stored) => match self.directory.server_of(&stored.did).await {
                Ok(server) => {
                    let located = Located { server, did: stored.did };
                    self.remember(&key, &located).await?;
                    located
                }
                Err(error @ CallError::Refused(Refusal::NoAccount(_))) => return Err(error.into()),
                // The directory does not answer, which says nothing about the account.
                Err(_) => return Ok(stored),
            },
            None => {
                let located = self.directory.locate(&self.name).await?;
                self.remember(&key, &located).await?;
                located
            }
        };
        *self.known.borrow_mut() = Known::Located(located.clone());
        Ok(located)
    }

    /// The server refused the account. Its document is read again before the next call.
    pub(super) fn doubt(&self) {
        *self.known.borrow_mut() = Known::Doubtful;
    }

    async fn remember(&self, key: &str, located: &Located) -> Result<(), LocateError> {
        // A DID and an address are always text.
        let value = serde_json::to_string(located).unwrap_or_default();
        Ok(self.ledger.remember(key, &value).await?)
    }

    fn fact(&self) -> String {
        format!("{NAME}:account:{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{http_client::Transport, networks::bluesky::client::Stream};

    fn directory(base_url: &str) -> Directory {
        Directory::new(BlueskySettings {
            base_url: base_url.parse().unwrap(),
            plc_url: "https://plc.directory".parse().unwrap(),
            timeout: Duration::from_secs(1),
            stream: Stream::Server,
            connections: 1,
            transport: Transport::default(),
        })
    }

    #[test]
    fn a_server_that_a_stranger_names_is_called_only_over_https_and_by_its_name() {
        let (public, local) = (directory("https://bsky.social"), directory("http://localhost:2583"));
        let may = |directory: &Directory, url: &str| directory.may_call(&url.parse().unwrap());
        assert!(may(&public, "https://pds.example") && may(&public, "https://pds.example:8443/"));
        for url in [
            "http://pds.example",
            "https://127.0.0.1",
            "https://[::1]",
            "https://169.254.169.254/latest",
            "https://localhost",
            "https://a.localhost",
            "https://user:secret@pds.example",
            "ftp://pds.example",
        ] {
            assert!(!may(&public, url), "{url}");
        }
        assert!(may(&local, "http://localhost:2583") && !may(&local, "file:///etc/passwd"));
    }

    #[actix_rt::test]
    async fn a_did_that_names_no_host_is_not_called() {
        for did in ["did:web:localhost", "did:web:127.0.0.1", "did:web:a.example%3A80", "did:web:a.example:x"]
        {
            let answer = directory("https://bsky.social").server_of(did).await;
            assert!(matches!(answer, Err(CallError::Refused(Refusal::NoAccount(_)))), "{did}: {answer:?}");
        }
    }
}
