//! Fetches the media of posts. They are blobs on the server that holds the account, which may have moved since the post
//! was recorded: so the address in a post only tells whose blob it is, and the account's document tells where it is now.

use std::{cell::RefCell, collections::HashMap};

use async_trait::async_trait;
use mynah_domain::{
    Media, MediaKind,
    ports::{FetchError, FetchedMedium, MediaFetcher, MediaLimits},
};
use url::Url;

use super::{
    client::{BlueskySettings, CallError, encode},
    identity::Directory,
    names::is_did,
    problem::Refusal,
};
use crate::networks::download::{DownloadSettings, Downloader};

/// The path at which every server serves blobs.
const BLOBS: &str = "/xrpc/com.atproto.sync.getBlob";

/// The longest CID. Those in use have 59 characters.
const LONGEST_CID: usize = 256;

/// Whose blob it is, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Blob {
    did: String,
    cid: String,
}

impl Blob {
    fn new(did: &str, cid: &str) -> Option<Self> {
        let is_cid =
            (1..=LONGEST_CID).contains(&cid.len()) && cid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_did(did) && is_cid).then(|| Self { did: did.to_owned(), cid: cid.to_owned() })
    }

    /// The blob at an address on any server.
    fn at(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok().filter(|url| url.path() == BLOBS)?;
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        Self::new(&value("did")?, &value("cid")?)
    }

    /// Its address on a server.
    fn on(&self, server: &Url) -> String {
        let base = server.as_str().trim_end_matches('/');
        format!("{base}{BLOBS}?did={}&cid={}", encode(&self.did), encode(&self.cid))
    }
}

/// The address of an account's blob on its server; `None` if this is not the name of a blob.
pub(super) fn address(server: &Url, did: &str, cid: &str) -> Option<String> {
    Some(Blob::new(did, cid)?.on(server))
}

/// Fetches the media of posts on Bluesky.
pub(super) struct BlueskyMedia {
    settings: BlueskySettings,
    directory: Directory,
    /// The server of each account. The accounts are the few that are followed.
    servers: RefCell<HashMap<String, Url>>,
}

impl BlueskyMedia {
    pub(super) fn new(settings: BlueskySettings) -> Self {
        let directory = Directory::new(settings.clone());
        Self { settings, directory, servers: RefCell::default() }
    }

    async fn server_of(&self, did: &str) -> Result<Url, FetchError> {
        if let Some(server) = self.servers.borrow().get(did) {
            return Ok(server.clone());
        }
        let server = self.directory.server_of(did).await.map_err(|error| match error {
            CallError::Refused(Refusal::NoAccount(why) | Refusal::Refused(why)) => FetchError::Missing(why),
            error => FetchError::Unavailable(error.into_reason()),
        })?;
        self.servers.borrow_mut().insert(did.to_owned(), server.clone());
        Ok(server)
    }
}

#[async_trait(?Send)]
impl MediaFetcher for BlueskyMedia {
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        let missing = |why: &str| FetchError::Missing(why.to_owned());
        let address = medium.url.as_deref().ok_or_else(|| missing("Bluesky gives no address for it"))?;
        let blob =
            Blob::at(address).ok_or_else(|| missing("its address is not that of a blob on Bluesky"))?;
        let server = self.server_of(&blob.did).await?;
        let downloader = Downloader::new(DownloadSettings {
            hosts: server.host_str().map(str::to_owned).into_iter().collect(),
            setting: "the account's server",
            timeout: self.settings.timeout,
            transport: self.settings.transport,
        });
        let address = downloader.allowed(&blob.on(&server))?;
        let fetched = match &medium.kind {
            MediaKind::Photo => downloader.picture(vec![address], limits).await,
            MediaKind::Video | MediaKind::Animation => downloader.video(&address, limits).await,
            MediaKind::Other(other) => Err(FetchError::Missing(format!("unknown kind of media: {other:?}"))),
        };
        if fetched.is_err() {
            // Perhaps the account has moved.
            self.servers.borrow_mut().remove(&blob.did);
        }
        fetched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_fetched_from_the_accounts_server_whatever_its_address_says() {
        let server = "https://pds.example".parse().unwrap();
        let address = address(&server, "did:plc:abc", "bafkreiabc").unwrap();
        assert_eq!(
            address,
            "https://pds.example/xrpc/com.atproto.sync.getBlob?did=did:plc:abc&cid=bafkreiabc"
        );
        let elsewhere = address.replace("pds.example", "evil.example");
        assert_eq!(Blob::at(&elsewhere).unwrap().on(&server), address);
        for wrong in [
            "https://pds.example/a.png",
            "https://pds.example/xrpc/com.atproto.sync.getBlob?did=did:plc:abc",
            "https://pds.example/xrpc/com.atproto.sync.getBlob?did=did:plc:abc&cid=../x",
            "https://pds.example/xrpc/com.atproto.sync.getBlob?did=x&cid=bafkreiabc",
            "",
        ] {
            assert_eq!(Blob::at(wrong), None, "{wrong}");
        }
        assert_eq!(super::address(&server, "did:plc:abc", &"a".repeat(300)), None);
    }
}
