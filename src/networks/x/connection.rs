//! The configured accounts on X, with everything needed to call X for them.

use std::{rc::Rc, sync::Arc};

use async_trait::async_trait;
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Post, PostId,
    network::Price,
    ports::{Destination, Ledger, MediaFetcher, PublishError, Source},
    tariff::CallPrices,
};

use super::{
    XAuth,
    client::XSettings,
    destination::{XDestination, XDestinationSettings},
    media::XMediaFetcher,
    prices::XPrices,
    secrets,
    source::{XSource, XSourceSettings, stream::SharedStream},
};
use crate::networks::{Followed, Published, Wanted, download::DownloadSettings};

/// A followed account on X.
#[derive(Debug, Clone)]
pub(super) struct XFollowed {
    pub(super) x: XSettings,
    /// Without `@`.
    pub(super) handle: String,
    /// The credentials that read it.
    pub(super) auth: XAuth,
    pub(super) media: DownloadSettings,
    /// Shared by all accounts that the app follows.
    pub(super) stream: Arc<SharedStream>,
    pub(super) prices: XPrices,
}

impl XFollowed {
    fn settings(&self, wanted: Wanted) -> XSourceSettings {
        XSourceSettings {
            x: self.x.clone(),
            account: self.handle.clone(),
            auth: self.auth.clone(),
            reposts: wanted.reposts,
            stream: wanted.stream.then(|| self.stream.clone()),
        }
    }
}

#[async_trait(?Send)]
impl Followed for XFollowed {
    fn source(&self, wanted: Wanted, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        let settings = self.settings(wanted);
        Arc::new(move || Rc::new(XSource::new(settings.clone(), ledger.clone())))
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        let settings = self.media.clone();
        Arc::new(move || Rc::new(XMediaFetcher::new(settings.clone())))
    }

    fn secrets(&self) -> Vec<String> {
        secrets::variables_read_by(&self.auth)
    }

    fn prices(&self) -> CallPrices {
        self.prices.of_calls()
    }

    fn renews_tokens(&self) -> bool {
        matches!(self.auth, XAuth::Login(_))
    }

    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let source = XSource::new(self.settings(Wanted::default()), ledger);
        let id = source.account_id().await.map_err(|error| error.to_string())?;
        Ok(format!("found on X, id {id}"))
    }

    async fn post(&self, id: &PostId, ledger: Arc<dyn Ledger>) -> Result<Post, String> {
        let source = XSource::new(self.settings(Wanted::default()), ledger);
        source.post(&id.0).await.map_err(|error| error.to_string())
    }
}

/// A target account on X.
#[derive(Debug, Clone)]
pub(super) struct XPublished {
    pub(super) x: XSettings,
    /// Without `@`.
    pub(super) handle: String,
    pub(super) auth: XAuth,
    pub(super) prices: XPrices,
}

impl XPublished {
    fn settings(&self) -> XDestinationSettings {
        XDestinationSettings { x: self.x.clone(), account: self.handle.clone(), auth: self.auth.clone() }
    }
}

#[async_trait(?Send)]
impl Published for XPublished {
    fn message_price(&self) -> Option<Price> {
        Some(self.prices.of_message())
    }

    fn prices(&self) -> CallPrices {
        self.prices.of_calls()
    }

    fn destination(&self, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>> {
        let settings = self.settings();
        Arc::new(move || Rc::new(XDestination::new(settings.clone(), ledger.clone())))
    }

    fn secrets(&self) -> Vec<String> {
        secrets::variables_of_account(&self.handle, &self.auth)
    }

    async fn try_credentials(&self, ledger: Arc<dyn Ledger>) -> Result<String, PublishError> {
        XDestination::new(self.settings(), ledger).verify_now().await.map(|handle| format!("@{handle}"))
    }

    fn renews_tokens(&self) -> bool {
        matches!(self.auth, XAuth::Login(_))
    }

    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let whose = XDestination::new(self.settings(), ledger).whoami().await;
        let (_, handle) = whose.map_err(|error| error.to_string())?;
        Ok(format!("the keys are @{handle}'s"))
    }
}
