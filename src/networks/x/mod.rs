//! X, formerly Twitter, as a source and as a destination.
//!
//! # Layout
//!
//! - [`X`] is the network's entry in the registry; `settings`, `secrets` and `names` read its settings, and
//!   `connection` is the result; `prices` is what X charges.
//! - [`source`], [`media`], [`destination`]: the adapters of the domain's ports.
//! - [`client`], [`auth`], [`clock`] sign and send calls.
//! - [`wire`], [`fields`], [`post`], [`notice`], [`problem`] parse X's answers.
//! - [`text`]: how X parses and measures a text.

pub mod auth;
pub mod client;
pub mod clock;
mod connection;
pub mod destination;
pub mod fields;
mod login;
pub mod media;
mod names;
pub mod notice;
mod pin;
pub mod post;
mod prices;
pub mod problem;
mod secrets;
mod session;
mod settings;
pub mod source;
pub mod text;
pub mod wire;

pub use auth::XAuth;
pub use client::XClient;
pub use session::XLogin;

use std::sync::Arc;

use config::ValueKind;
use jiff::Timestamp;
use mynah_domain::{PostId, network::NetworkRules, ports::ledger::Mark};

use super::{Accounts, Connections, Network, Streaming};
use crate::{
    http_client::Transport,
    login::LogIn,
    settings::{Reader, Vault, kinds::Read},
};

/// X's entry in the registry.
#[derive(Debug)]
pub struct X;

impl Network for X {
    fn name(&self) -> &'static str {
        "x"
    }

    fn title(&self) -> &'static str {
        "X"
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(text::XRules)
    }

    fn log_in(&self) -> Option<&'static dyn LogIn> {
        Some(&login::XLogIn)
    }

    /// It needs an app with access to the filtered stream.
    fn streaming(&self) -> Streaming {
        Streaming::IfWanted
    }

    fn charges(&self) -> bool {
        true
    }

    fn rules_for_long_posts(&self) -> Option<Arc<dyn NetworkRules>> {
        Some(Arc::new(text::XPremiumRules))
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

    fn beginning(&self) -> Option<Timestamp> {
        Some(names::beginning())
    }

    fn post_named(&self, which: &str) -> Read<PostId> {
        names::post_named(which)
    }

    fn variable_of(&self, key: &str, account: Option<&str>) -> String {
        secrets::variable_of(key, account)
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
