//! The configured accounts on Mastodon, with everything needed to call their servers.

use std::{rc::Rc, sync::Arc};

use async_trait::async_trait;
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Post, PostId,
    network::NetworkRules,
    ports::{Destination, Ledger, MediaFetcher, PublishError, Source},
};
use secrecy::SecretString;

use super::{
    client::ServerSettings,
    destination::{MastodonDestination, MastodonDestinationSettings, Visibility},
    media::MastodonMediaFetcher,
    names::AccountName,
    secrets,
    settings::MAX_CHARACTERS,
    source::{Found, MastodonSource, MastodonSourceSettings},
    text::MastodonRules,
};
use crate::networks::{Followed, Published, Wanted, download::DownloadSettings};

/// A followed account.
#[derive(Debug, Clone)]
pub(super) struct MastodonFollowed {
    pub(super) server: ServerSettings,
    pub(super) account: AccountName,
    pub(super) token: Option<SecretString>,
    pub(super) media: DownloadSettings,
}

impl MastodonFollowed {
    fn settings(&self, wanted: Wanted) -> MastodonSourceSettings {
        MastodonSourceSettings {
            server: self.server.clone(),
            account: self.account.clone(),
            token: self.token.clone(),
            boosts: wanted.reposts,
            stream: wanted.stream,
        }
    }
}

#[async_trait(?Send)]
impl Followed for MastodonFollowed {
    fn source(&self, wanted: Wanted, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        let settings = self.settings(wanted);
        Arc::new(move || Rc::new(MastodonSource::new(settings.clone(), ledger.clone())))
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        let settings = self.media.clone();
        Arc::new(move || Rc::new(MastodonMediaFetcher::new(settings.clone())))
    }

    fn secrets(&self) -> Vec<String> {
        vec![secrets::variable(&self.account)]
    }

    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let source = MastodonSource::new(self.settings(Wanted::default()), ledger);
        let Found { id, moved_to } = source.find().await.map_err(|error| error.to_string())?;
        match moved_to {
            None => Ok(format!("found on {}, id {id}", self.server.base_url)),
            Some(to) => Err(format!(
                "its owner has moved to @{to}, so there will be no new posts here; follow that account instead"
            )),
        }
    }

    async fn post(&self, id: &PostId, ledger: Arc<dyn Ledger>) -> Result<Post, String> {
        let source = MastodonSource::new(self.settings(Wanted::default()), ledger);
        source.post(id).await.map_err(|error| error.to_string())
    }
}

/// A target account.
#[derive(Debug, Clone)]
pub(super) struct MastodonPublished {
    pub(super) server: ServerSettings,
    pub(super) account: AccountName,
    pub(super) token: SecretString,
    pub(super) visibility: Visibility,
    /// Those of its server.
    pub(super) rules: Arc<MastodonRules>,
}

impl MastodonPublished {
    fn settings(&self) -> MastodonDestinationSettings {
        MastodonDestinationSettings {
            server: self.server.clone(),
            account: self.account.clone(),
            token: self.token.clone(),
            visibility: self.visibility,
        }
    }
}

#[async_trait(?Send)]
impl Published for MastodonPublished {
    fn rules(&self) -> Option<Arc<dyn NetworkRules>> {
        Some(self.rules.clone())
    }

    fn destination(&self, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>> {
        let settings = self.settings();
        Arc::new(move || Rc::new(MastodonDestination::new(settings.clone())))
    }

    fn secrets(&self) -> Vec<String> {
        vec![secrets::variable(&self.account)]
    }

    async fn try_credentials(&self, _: Arc<dyn Ledger>) -> Result<String, PublishError> {
        let destination = MastodonDestination::new(self.settings());
        destination.whoami().await.map(|user| format!("@{user}@{}", self.account.server))
    }

    async fn check(&self, _: Arc<dyn Ledger>) -> Result<String, String> {
        let destination = MastodonDestination::new(self.settings());
        let user = destination.whoami().await.map_err(|error| error.to_string())?;
        let server = &self.account.server;
        let fine = format!("the token belongs to @{user}@{server}");
        let most = self.rules.limits().text;
        match destination.characters().await {
            Ok(Some(theirs)) if theirs < most => Err(format!(
                "posts on {server} may have {theirs} characters, but {MAX_CHARACTERS} is {most}; write {MAX_CHARACTERS} = [\"{server}={theirs}\"]"
            )),
            Ok(Some(theirs)) if theirs > most => {
                Ok(format!("{fine}; {server} accepts up to {theirs} characters, see {MAX_CHARACTERS}"))
            }
            Ok(_) => Ok(fine),
            Err(why) => Ok(format!("{fine}; its limits are not known: {why}")),
        }
    }
}
