//! Fetches the pictures and videos of statuses: from the account's own server, and from hosts that the settings list.

use async_trait::async_trait;
use mynah_domain::{
    Media, MediaKind,
    ports::{FetchError, FetchedMedium, MediaFetcher, MediaLimits},
};

use crate::networks::download::{DownloadSettings, Downloader};

/// Fetches the media of an account's statuses.
pub struct MastodonMediaFetcher {
    downloader: Downloader,
}

impl MastodonMediaFetcher {
    /// A fetcher with this thread's client.
    pub fn new(settings: DownloadSettings) -> Self {
        Self { downloader: Downloader::new(settings) }
    }
}

#[async_trait(?Send)]
impl MediaFetcher for MastodonMediaFetcher {
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        let Some(address) = medium.url.as_deref() else {
            return Err(FetchError::Missing("the server gives no address for it".into()));
        };
        let address = self.downloader.allowed(address)?;
        match &medium.kind {
            MediaKind::Photo => self.downloader.picture(vec![address], limits).await,
            MediaKind::Video | MediaKind::Animation => self.downloader.video(&address, limits).await,
            MediaKind::Other(other) => Err(FetchError::Missing(format!("unknown kind of media: {other:?}"))),
        }
    }
}
