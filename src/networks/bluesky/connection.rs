//! The configured accounts on Bluesky, with everything needed to call the network for them.

use std::{rc::Rc, sync::Arc};

use async_trait::async_trait;
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Post, PostId,
    ports::{Destination, Ledger, MediaFetcher, PublishError, Source},
};

use super::{
    client::BlueskySettings, destination::BlueskyDestination, media::BlueskyMedia, secrets, session::Login,
    source::BlueskySource,
};
use crate::networks::{Followed, Published, Wanted};

/// A followed account on Bluesky.
#[derive(Debug, Clone)]
pub(super) struct BlueskyFollowed {
    bluesky: BlueskySettings,
    /// Its handle or DID.
    name: String,
}

impl BlueskyFollowed {
    pub(super) fn new(bluesky: BlueskySettings, name: &str) -> Self {
        Self { bluesky, name: name.to_owned() }
    }

    fn with(&self, wanted: Wanted, ledger: Arc<dyn Ledger>) -> BlueskySource {
        BlueskySource::new(self.bluesky.clone(), &self.name, wanted, ledger)
    }
}

#[async_trait(?Send)]
impl Followed for BlueskyFollowed {
    fn source(&self, wanted: Wanted, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        let followed = self.clone();
        Arc::new(move || Rc::new(followed.with(wanted, ledger.clone())))
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        let settings = self.bluesky.clone();
        Arc::new(move || Rc::new(BlueskyMedia::new(settings.clone())))
    }

    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let located =
            self.with(Wanted::default(), ledger).located().await.map_err(|error| error.to_string())?;
        let server = located.server.host_str().unwrap_or_default();
        Ok(format!("found on Bluesky, {} on {server}", located.did))
    }

    async fn post(&self, id: &PostId, ledger: Arc<dyn Ledger>) -> Result<Post, String> {
        self.with(Wanted::default(), ledger).post(id).await
    }
}

/// A target account on Bluesky. All its destinations share one session.
#[derive(Debug, Clone)]
pub(super) struct BlueskyPublished {
    bluesky: BlueskySettings,
    login: Login,
    /// Its handle or DID.
    name: String,
}

impl BlueskyPublished {
    pub(super) fn new(bluesky: BlueskySettings, login: Login, name: &str) -> Self {
        Self { bluesky, login, name: name.to_owned() }
    }

    fn with(&self, ledger: Arc<dyn Ledger>) -> BlueskyDestination {
        BlueskyDestination::new(self.bluesky.clone(), self.login.clone(), &self.name, ledger)
    }
}

#[async_trait(?Send)]
impl Published for BlueskyPublished {
    fn destination(&self, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>> {
        let published = self.clone();
        Arc::new(move || Rc::new(published.with(ledger.clone())))
    }

    fn secrets(&self) -> Vec<String> {
        vec![secrets::variable(&self.name)]
    }

    async fn try_credentials(&self, ledger: Arc<dyn Ledger>) -> Result<String, PublishError> {
        self.with(ledger).log_in().await.map(|did| format!("@{} ({did})", self.name))
    }

    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let did = self.with(ledger).log_in().await.map_err(|error| error.to_string())?;
        Ok(format!("the app password is @{}'s ({did})", self.name))
    }
}
