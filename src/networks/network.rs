//! The interface between the service and a network: a folder whose [`Network`] is in the registry
//! ([`Networks`](super::Networks)). Settings, commands and wiring use it and know no network by name.
//!
//! It works in two steps. [`Network`] knows how accounts and posts are named, and reads its section of the settings and
//! its secrets. The result is a connection for each configured account, [`Followed`] or [`Published`], which makes the
//! adapters of the domain's ports.

use std::{fmt, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use config::ValueKind;
use jiff::Timestamp;
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Post, PostId,
    network::{NetworkRules, Price},
    ports::{Destination, Ledger, Lookup, MediaFetcher, PageRequest, PublishError, Source, ledger::Mark},
    tariff::CallPrices,
};

use crate::{
    http_client::Transport,
    login::LogIn,
    settings::{
        Reader, Vault,
        kinds::{Read, refuse},
    },
};

/// A network.
pub trait Network: fmt::Debug + Sync {
    /// Its name in settings, ledger and logs, and of its settings section: `x`.
    fn name(&self) -> &'static str;

    /// Its name as people write it, for messages: `X`.
    fn title(&self) -> &'static str {
        self.name()
    }

    /// How it parses and measures texts, and what it accepts.
    fn rules(&self) -> Arc<dyn NetworkRules>;

    /// The same for an account that may publish longer posts than others; `None` if the network has no such accounts.
    fn rules_for_long_posts(&self) -> Option<Arc<dyn NetworkRules>> {
        None
    }

    /// Whether it charges for anything, so that its section may have a budget.
    fn charges(&self) -> bool {
        false
    }

    /// Whether translations can be published on it. Settings refuse a target on any other network, so such a network
    /// connects with [`Accounts::connect_sources`] and has no destination.
    fn can_publish(&self) -> bool {
        true
    }

    /// Whether its accounts can be followed by a stream, which reports new posts at once.
    fn streaming(&self) -> Streaming {
        Streaming::Never
    }

    /// Reads an account's handle, as people write it.
    ///
    /// # Errors
    /// Says how to write a handle.
    fn handle(&self, value: &ValueKind) -> Read<String>;

    /// An account as people write it, for messages.
    fn account_named(&self, handle: &str) -> String {
        format!("@{handle}")
    }

    /// Whether two handles belong to the same account. Most networks ignore case.
    fn is_same_handle(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
    }

    /// The position of the post with this id, for `source.start`; `None` if this is not an id, or ids have no order.
    fn mark(&self, id: &str) -> Option<Mark>;

    /// An example of a post's id, for messages.
    fn example_id(&self) -> &'static str;

    /// The earliest moment from which the network shows posts, if there is one.
    fn beginning(&self) -> Option<Timestamp> {
        None
    }

    /// The post that a person names by its id or its link.
    ///
    /// # Errors
    /// Says how to name a post.
    fn post_named(&self, which: &str) -> Read<PostId> {
        match self.mark(which) {
            Some(mark) => Ok(mark.id),
            None => refuse(
                format!("{which:?} is not a post on {}", self.title()),
                format!("name it by its id, such as {:?}", self.example_id()),
            ),
        }
    }

    /// How people log in to its accounts with `mynah login`, if they can.
    fn log_in(&self) -> Option<&'static dyn LogIn> {
        None
    }

    /// The environment variable for a secret that somebody wrote into the settings under this key; `account` is the
    /// account in whose section it was written, if any.
    fn variable_of(&self, key: &str, account: Option<&str>) -> String {
        format!("{}_{}_{key}", self.name(), account.unwrap_or("<ACCOUNT>")).to_uppercase()
    }

    /// Reads a template for the posts of one source. Most networks have posts, and no template makes them.
    ///
    /// # Errors
    /// Says how to write a template.
    fn template(&self, _value: &ValueKind) -> Read<String> {
        refuse(format!("posts on {} are published as they are", self.title()), "remove this line")
    }

    /// Reads the network's section and the secrets of the configured accounts. It is also called if there are none, to
    /// check what is written in the section.
    ///
    /// Returns `None` if there was a problem, which the reader or the vault records.
    fn read(
        &self,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        transport: Option<Transport>,
    ) -> Option<Connections>;
}

/// Whether a network's accounts can be followed by a stream. They are polled in any case, which finds what a stream misses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streaming {
    /// They can only be polled.
    Never,
    /// They can, if the settings want it: it costs more, or needs something that polling does not.
    IfWanted,
    /// They are, unless the settings want polls alone.
    Always,
}

/// The configured accounts of one network, in order: each handle, or `None` if it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts<'a> {
    /// The followed accounts.
    pub followed: Vec<Option<&'a str>>,
    /// The template of each followed account, for those that have one of their own.
    pub templates: Vec<Option<&'a str>>,
    /// The target accounts.
    pub published: Vec<Option<&'a str>>,
}

impl Accounts<'_> {
    /// Connects each account by its handle. `None` where a handle could not be read, or there is no connection.
    pub fn connect<F: Followed + 'static, P: Published + 'static>(
        &self,
        longest_call: Duration,
        mut followed: impl FnMut(&str) -> Option<F>,
        mut published: impl FnMut(&str) -> Option<P>,
    ) -> Option<Connections> {
        let followed = |handle: Option<&str>| Some(Arc::new(followed(handle?)?) as Arc<dyn Followed>);
        let published = |handle: Option<&str>| Some(Arc::new(published(handle?)?) as Arc<dyn Published>);
        Some(Connections {
            followed: self.followed.iter().copied().map(followed).collect::<Option<_>>()?,
            published: self.published.iter().copied().map(published).collect::<Option<_>>()?,
            longest_call,
        })
    }

    /// Connects each followed account of a network that can only be followed. `None` where a handle could not be read,
    /// or there is no connection.
    pub fn connect_sources<F: Followed + 'static>(
        &self,
        longest_call: Duration,
        mut followed: impl FnMut(&str) -> Option<F>,
    ) -> Option<Connections> {
        let followed = |handle: Option<&str>| Some(Arc::new(followed(handle?)?) as Arc<dyn Followed>);
        let followed = self.followed.iter().copied().map(followed).collect::<Option<_>>()?;
        Some(Connections { followed, published: Vec::new(), longest_call })
    }
}

/// A connection for each of the accounts, in their order.
#[derive(Debug, Clone)]
pub struct Connections {
    /// For the followed accounts.
    pub followed: Vec<Arc<dyn Followed>>,
    /// For the target accounts.
    pub published: Vec<Arc<dyn Published>>,
    /// The longest that one call may take.
    pub longest_call: Duration,
}

/// What to request from a followed account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Whether to request reposts.
    pub reposts: bool,
    /// Whether to hear of new posts at once, by a stream.
    pub stream: bool,
}

/// A followed account, with everything needed to call its network.
#[async_trait(?Send)]
pub trait Followed: fmt::Debug + Send + Sync {
    /// Makes the source. Small facts about the account are stored in the ledger.
    fn source(&self, wanted: Wanted, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>>;

    /// Makes the fetcher for its posts' media.
    fn media(&self) -> Factory<Rc<dyn MediaFetcher>>;

    /// What the network charges for reading it.
    fn prices(&self) -> CallPrices {
        CallPrices::default()
    }

    /// The variables that hold its credentials. If one of them changes while the service runs, the credentials are
    /// checked at once; if this is empty, they are checked whenever any secret changes.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether its tokens are replaced while it is used. Then it must be used only with the ledger that has the last ones.
    fn renews_tokens(&self) -> bool {
        false
    }

    /// Checks that the account exists and can be read, for `mynah check`.
    ///
    /// # Errors
    /// A sentence with the problem and its fix.
    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let newest = PageRequest { limit: 1, ..PageRequest::default() };
        let page = self.source(Wanted::default(), ledger)().page(&newest).await;
        page.map(|_| "found".to_owned()).map_err(|error| error.to_string())
    }

    /// Any post of the network, read with this account's credentials, for `mynah preview`.
    ///
    /// # Errors
    /// A sentence with the reason why it cannot be read.
    async fn post(&self, id: &PostId, ledger: Arc<dyn Ledger>) -> Result<Post, String> {
        match self.source(Wanted::default(), ledger)().by_id(id).await {
            Ok(Lookup::Post(post)) => Ok(*post),
            Ok(Lookup::Unreadable(unreadable)) => Err(format!("it cannot be read: {}", unreadable.reason)),
            Ok(Lookup::Gone(reason)) => Err(reason),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A target account, with everything needed to call its network.
#[async_trait(?Send)]
pub trait Published: fmt::Debug + Send + Sync {
    /// The rules for this account, if they are not those of its whole network: on some networks, each server has limits
    /// of its own.
    fn rules(&self) -> Option<Arc<dyn NetworkRules>> {
        None
    }

    /// What the settings say that a message costs, if that is not part of the rules.
    fn message_price(&self) -> Option<Price> {
        None
    }

    /// What the network charges for everything but messages.
    fn prices(&self) -> CallPrices {
        CallPrices::default()
    }

    /// Makes the destination. Small facts about the account are stored in the ledger.
    fn destination(&self, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>>;

    /// The variables that hold its credentials. If one of them changes while the service runs, the credentials are
    /// checked at once; if this is empty, they are checked whenever any secret changes.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether its tokens are replaced while it is used. Then it must be used only with the ledger that has the last ones.
    fn renews_tokens(&self) -> bool {
        false
    }

    /// Asks the network whose credentials these are, whatever the ledger knows about them, and returns the account's
    /// name. Publishes nothing.
    ///
    /// # Errors
    /// See [`Destination::verify`].
    async fn try_credentials(&self, ledger: Arc<dyn Ledger>) -> Result<String, PublishError> {
        let destination = self.destination(ledger)();
        destination.verify().await.map(|()| format!("an account on {}", destination.network()))
    }

    /// Checks whose credentials these are, for `mynah check`.
    ///
    /// # Errors
    /// A sentence with the problem and its fix.
    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let verified = self.destination(ledger)().verify().await;
        verified.map(|()| "the account can be published on".to_owned()).map_err(|error| error.to_string())
    }
}
