//! The settings of alerts, as the service uses them. `src/settings/alerts.rs` reads them.

use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::http_client::Transport;

/// All settings of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsSettings {
    /// How often to look for what is wrong.
    pub interval: Duration,
    /// How long something must be wrong until it is reported, and right until it is over.
    pub settle: Duration,
    /// After which time a message is repeated while its cause lasts.
    pub repeat: Duration,
    /// How long a job may be held; `None` if that does not matter.
    pub holds_wait: Option<Duration>,
    /// The shortest time after which a source may count as silent; `None` if that does not matter.
    pub silence: Option<Duration>,
    /// How to open and reuse connections to who is notified over HTTP.
    pub transport: Transport,
    /// How many bytes must be free on the disk of the data folder; `None` if that does not matter.
    pub disk_free: Option<u64>,
    /// Who is notified over HTTP.
    pub webhooks: Vec<WebhookSettings>,
    /// Who is notified by mail.
    pub mail: Option<MailSettings>,
}

impl AlertsSettings {
    /// The names of all receivers.
    pub fn receivers(&self) -> Vec<&'static str> {
        let webhooks = self.webhooks.iter().map(|webhook| webhook.shape.name());
        webhooks.chain(self.mail.iter().map(|_| super::MAIL)).collect()
    }
}

/// The form in which a server takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Mynah's own JSON, signed.
    Json,
    /// An incoming webhook of Slack, or of a server with its form.
    Slack,
    /// A webhook of Discord.
    Discord,
    /// A topic of ntfy.
    Ntfy,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 4] = [Self::Json, Self::Slack, Self::Discord, Self::Ntfy];

    /// The name of its receiver.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Ntfy => "ntfy",
        }
    }

    /// The variable that holds its address, which whoever knows it can write to.
    pub fn address_variable(self) -> &'static str {
        match self {
            Self::Json => "MYNAH_ALERTS_WEBHOOK_URL",
            Self::Slack => "MYNAH_ALERTS_SLACK_URL",
            Self::Discord => "MYNAH_ALERTS_DISCORD_URL",
            Self::Ntfy => "MYNAH_ALERTS_NTFY_URL",
        }
    }
}

/// Where to send messages over HTTP.
#[derive(Clone)]
pub struct WebhookSettings {
    /// The form.
    pub shape: Shape,
    /// The address, which is a secret.
    pub address: Url,
    /// The key that signs, or the token that ntfy asks for.
    pub key: Option<SecretString>,
}

impl PartialEq for WebhookSettings {
    fn eq(&self, other: &Self) -> bool {
        let exposed = |one: &Self| one.key.as_ref().map(|key| key.expose_secret().to_owned());
        (self.shape, &self.address) == (other.shape, &other.address) && exposed(self) == exposed(other)
    }
}

impl Eq for WebhookSettings {}

/// Without the address.
impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSettings").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte.
    Tls,
    /// From the server's greeting on; a server that does not offer it gets no message.
    StartTls,
    /// Not at all.
    None,
}

impl Encryption {
    /// The usual port.
    pub fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

impl PartialEq for MailSettings {
    fn eq(&self, other: &Self) -> bool {
        let plain = |one: &Self| {
            let Self { server, port, encryption, login, from, to } = one.clone();
            let login = login.map(|(user, password)| (user, password.expose_secret().to_owned()));
            (server, port, encryption, login, from, to)
        };
        plain(self) == plain(other)
    }
}

impl Eq for MailSettings {}

/// Where to send messages by mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The server that takes mail.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// Who logs in, with the password; `None` if the server asks nobody.
    pub login: Option<(String, SecretString)>,
    /// The sender.
    pub from: Mailbox,
    /// The recipients; at least one.
    pub to: Vec<Mailbox>,
}

/// A number of bytes as people write it in settings.
pub fn brief_bytes(bytes: u64) -> String {
    let fits = UNITS.iter().rev().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// The units of sizes.
pub const UNITS: [(&str, u64); 4] =
    [("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];
