//! Bluesky as a source and as a destination, on any server of its network. Reading needs no login, publishing an app
//! password.
//!
//! # Layout
//!
//! - [`Bluesky`] is the network's entry in the registry; `settings`, `secrets` and `names` read its settings, and
//!   `connection` is the result.
//! - `source`, `live`, `media` and `destination` are the adapters of the domain's ports.
//! - `client` calls a server, `identity` finds the server of an account, `session` logs in, and `login` lets a person
//!   enter an app password.
//! - `records`, `post` and `problem` parse answers; `tid` is what record keys say.
//! - `rules` is how Bluesky counts and links a text.

mod client;
mod connection;
mod destination;
mod identity;
mod live;
mod login;
mod media;
mod names;
mod post;
mod problem;
mod records;
mod rules;
mod secrets;
mod session;
mod settings;
mod source;
mod tid;

use std::sync::Arc;

use config::ValueKind;
use mynah_domain::{PostId, network::NetworkRules, ports::ledger::Mark};

use super::{Accounts, Connections, Network, Streaming};
use crate::{
    http_client::Transport,
    login::LogIn,
    settings::{Reader, Vault, kinds::Read},
};

const NAME: &str = "bluesky";

/// Bluesky's entry in the registry.
#[derive(Debug)]
pub struct Bluesky;

impl Network for Bluesky {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Bluesky"
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(rules::BlueskyRules)
    }

    fn log_in(&self) -> Option<&'static dyn LogIn> {
        Some(&login::BlueskyLogIn)
    }

    fn streaming(&self) -> Streaming {
        Streaming::Always
    }

    fn handle(&self, value: &ValueKind) -> Read<String> {
        names::account(value)
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
        account.map_or_else(|| "BLUESKY_<ACCOUNT>_APP_PASSWORD".to_owned(), secrets::variable)
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
