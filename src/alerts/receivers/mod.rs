//! Who is notified: servers over HTTP and people by mail. A receiver gets one message at a time, and each has a task of its
//! own, so one that hangs holds up no other.

mod mail;
mod shapes;
mod webhook;

use std::{rc::Rc, time::Duration};

use async_trait::async_trait;

pub use mail::Mail;
pub use webhook::Webhook;

use super::{
    message::Message,
    settings::{AlertsSettings, WebhookSettings},
};

/// How long sending one message may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Where messages go.
#[async_trait(?Send)]
pub trait Receiver {
    /// Its name, in the record and in logs.
    fn name(&self) -> &'static str;

    /// Sends a message. Answers what the receiver said.
    ///
    /// # Errors
    /// The receiver did not take it, or may not have. The same message is sent again then.
    async fn deliver(&self, message: &Message) -> Result<String, NotDelivered>;
}

/// A message was not taken, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotDelivered {
    /// Why, and what to do; without secrets.
    pub reason: String,
    /// How long the receiver asks to wait.
    pub wait: Option<Duration>,
}

impl NotDelivered {
    fn because(reason: impl Into<String>) -> Self {
        Self { reason: super::message::clean(&reason.into()), wait: None }
    }
}

/// All receivers that the settings name.
pub fn all(settings: &AlertsSettings) -> Vec<Rc<dyn Receiver>> {
    let webhook = |one: &WebhookSettings| Webhook::new(one.clone(), settings.transport);
    let webhooks = settings.webhooks.iter().map(|one| Rc::new(webhook(one)) as Rc<dyn Receiver>);
    let mail = settings.mail.iter().map(|mail| Rc::new(Mail::new(mail.clone())) as Rc<dyn Receiver>);
    webhooks.chain(mail).collect()
}

/// Sends a message, and gives up after a while.
///
/// # Errors
/// See [`Receiver::deliver`].
pub async fn deliver(receiver: &dyn Receiver, message: &Message) -> Result<String, NotDelivered> {
    let sent = actix_rt::time::timeout(PATIENCE, receiver.deliver(message)).await;
    sent.unwrap_or_else(|_| Err(NotDelivered::because("it did not answer in time")))
}
