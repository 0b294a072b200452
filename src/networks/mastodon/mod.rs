//! Mastodon, and the servers that speak its API, as a source and as a destination. Publishing and reading cost nothing.
//!
//! There is no one server: each has accounts, limits and habits of its own. Some ignore the parameters that turn a list
//! into pages, give ids that have no order, or recognize no idempotency key. Most of this folder is about not trusting
//! an answer further than the server that gave it.
//!
//! # Layout
//!
//! - [`Mastodon`] is the network's entry in the registry; `settings`, `secrets` and `names` read its settings, and
//!   `connection` is the result.
//! - [`source`], [`media`], [`destination`]: the adapters of the domain's ports.
//! - [`client`] sends calls; `problem` and `rate_limit` explain why one was refused.
//! - `login` lets a person log in.
//! - `live` hears of new posts at once.
//! - `listing` reads an account's statuses page by page, on servers that know pages and on those that do not.
//! - `wire`, `content` and `post` turn a status into a post; `instance` reads a server's limits.
//! - [`text`]: how Mastodon parses and measures a text.

pub mod client;
mod connection;
mod content;
pub mod destination;
mod instance;
mod listing;
mod live;
mod login;
pub mod media;
mod names;
mod post;
mod problem;
mod rate_limit;
mod secrets;
mod settings;
pub mod source;
pub mod text;
mod wire;

use std::sync::Arc;

use config::ValueKind;
use mynah_domain::{PostId, network::NetworkRules, ports::ledger::Mark};

use super::{Accounts, Connections, Network, Streaming};
use crate::{
    http_client::Transport,
    login::LogIn,
    settings::{Reader, Vault, kinds::Read},
};

const NAME: &str = "mastodon";

/// Mastodon's entry in the registry.
#[derive(Debug)]
pub struct Mastodon;

impl Network for Mastodon {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Mastodon"
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(text::MastodonRules::default())
    }

    fn log_in(&self) -> Option<&'static dyn LogIn> {
        Some(&login::MastodonLogIn)
    }

    /// It needs a token, of an account whose home timeline has the posts.
    fn streaming(&self) -> Streaming {
        Streaming::IfWanted
    }

    fn handle(&self, value: &ValueKind) -> Read<String> {
        names::handle(value)
    }

    fn mark(&self, id: &str) -> Option<Mark> {
        names::mark(id)
    }

    fn example_id(&self) -> &'static str {
        names::EXAMPLE_ID
    }

    fn post_named(&self, which: &str) -> Read<PostId> {
        names::post_named(which)
    }

    fn variable_of(&self, _: &str, account: Option<&str>) -> String {
        secrets::variable_of(account)
    }

    fn read(
        &self,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        transport: Option<Transport>,
    ) -> Option<Connections> {
        settings::read(reader, vault, accounts, transport)
    }
}
