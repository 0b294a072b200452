//! People who are notified by mail, over SMTP. The connection is encrypted as the settings say or not made at all, and its
//! certificate must be valid.

use std::{error::Error as _, time::Duration};

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message as Letter, Tokio1Executor,
    message::header::ContentType,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret as _;

use super::{NotDelivered, Receiver};
use crate::alerts::{
    MAIL,
    message::Message,
    settings::{Encryption, MailSettings},
};

/// How long sending one letter may take. lettre's own timeout covers only connecting.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends messages by mail.
pub struct Mail {
    settings: MailSettings,
    timeout: Duration,
}

impl Mail {
    /// A receiver with these settings.
    pub fn new(settings: MailSettings) -> Self {
        Self { settings, timeout: TIMEOUT }
    }

    #[cfg(test)]
    fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
        let MailSettings { server, port, encryption, login, .. } = &self.settings;
        let tls = match encryption {
            Encryption::Tls => Tls::Wrapper(TlsParameters::new(server.clone())?),
            Encryption::StartTls => Tls::Required(TlsParameters::new(server.clone())?),
            Encryption::None => Tls::None,
        };
        // Its name warns of a default without TLS, which is replaced at once.
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.clone());
        let builder = builder.port(*port).tls(tls).timeout(Some(self.timeout));
        let builder = match login {
            Some((user, password)) => {
                builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()))
            }
            None => builder,
        };
        Ok(builder.build())
    }

    fn letter(&self, message: &Message) -> Result<Letter, lettre::error::Error> {
        let MailSettings { from, to, .. } = &self.settings;
        let letter = Letter::builder()
            .from(from.clone())
            .subject(format!("Mynah: {}", message.title()))
            .header(ContentType::TEXT_PLAIN);
        let letter = to.iter().fold(letter, |letter, to| letter.to(to.clone()));
        letter.body(format!("{}\r\n\r\n{}\r\n", message.title(), message.lines().join("\r\n")))
    }
}

#[async_trait(?Send)]
impl Receiver for Mail {
    fn name(&self) -> &'static str {
        MAIL
    }

    async fn deliver(&self, message: &Message) -> Result<String, NotDelivered> {
        let has_password =
            self.settings.login.as_ref().is_none_or(|(_, password)| !password.expose_secret().is_empty());
        if !has_password {
            return Err(NotDelivered::because("MYNAH_ALERTS_MAIL_PASSWORD is not set here; set it"));
        }
        let failed = |error: lettre::transport::smtp::Error| NotDelivered::because(explained(&error));
        let letter = self.letter(message).map_err(|error| NotDelivered::because(error.to_string()))?;
        let transport = self.transport().map_err(failed)?;
        let answer = actix_rt::time::timeout(self.timeout, transport.send(letter)).await;
        let answer = answer.map_err(|_| NotDelivered::because("timed out"))?.map_err(failed)?;
        Ok(format!("accepted it: {} {}", answer.code(), answer.first_line().unwrap_or_default()))
    }
}

/// An error with everything that led to it; lettre's own text leaves some of it out.
fn explained(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let deeper_text = deeper.to_string();
        if !text.contains(&deeper_text) {
            text = format!("{text}: {deeper_text}");
        }
        cause = deeper.source();
    }
    if error.is_tls() {
        text = format!("{text}; the server's certificate must be valid for alerts.mail.server");
    }
    text
}

#[cfg(test)]
mod tests;
