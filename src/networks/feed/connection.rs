//! A feed that the settings name, with everything needed to read it.

use std::{rc::Rc, sync::Arc};

use async_trait::async_trait;
use mynah_actors::pipeline::Factory;
use mynah_domain::ports::{Ledger, MediaFetcher, Source};

use super::{
    media::FeedMedia,
    source::{FeedSettings, FeedSource},
};
use crate::networks::{Followed, Wanted, download::DownloadSettings};

/// A feed that is followed.
#[derive(Debug, Clone)]
pub(super) struct FollowedFeed {
    pub(super) feed: FeedSettings,
    pub(super) media: DownloadSettings,
}

#[async_trait(?Send)]
impl Followed for FollowedFeed {
    fn source(&self, _: Wanted, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        let settings = self.feed.clone();
        Arc::new(move || Rc::new(FeedSource::new(settings.clone(), ledger.clone())))
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        let settings = self.media.clone();
        Arc::new(move || Rc::new(FeedMedia::new(settings.clone())))
    }

    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let source = FeedSource::new(self.feed.clone(), ledger);
        source.describe().await.map_err(|error| error.to_string())
    }
}
