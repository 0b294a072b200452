//! Fetches the pictures and videos of items: from the feed's own host, and from hosts that the settings list.

use async_trait::async_trait;
use mynah_domain::{
    Media, MediaKind,
    ports::{FetchError, FetchedMedium, MediaFetcher, MediaLimits},
};

use crate::networks::download::{DownloadSettings, Downloader};

/// Fetches the media of a feed's items.
pub(super) struct FeedMedia {
    downloader: Downloader,
}

impl FeedMedia {
    pub(super) fn new(settings: DownloadSettings) -> Self {
        Self { downloader: Downloader::new(settings) }
    }
}

#[async_trait(?Send)]
impl MediaFetcher for FeedMedia {
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        let Some(address) = medium.url.as_deref() else {
            return Err(FetchError::Missing("the feed gives no address for it".into()));
        };
        let address = self.downloader.allowed(address)?;
        match &medium.kind {
            MediaKind::Photo => self.downloader.picture(vec![address], limits).await,
            MediaKind::Video | MediaKind::Animation => self.downloader.video(&address, limits).await,
            MediaKind::Other(other) => Err(FetchError::Missing(format!("unknown kind of media: {other:?}"))),
        }
    }
}
