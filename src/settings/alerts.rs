//! Reads who is notified of what is wrong, and when. An address of a webhook is a secret: whoever knows it can write there. So a
//! webhook is set up by its variable alone, and mail by its section.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    Needed,
    kinds::{
        TICK, choice, count, duration, duration_or_none, host, is_inside, mailbox, mailboxes, size, text_of,
    },
    reader::Reader,
    secrets::{MAIL_PASSWORD, NTFY_TOKEN, Reported, Vault, WEBHOOK_KEY},
};
use crate::{
    alerts::settings::{AlertsSettings, Encryption, MailSettings, Shape, WebhookSettings},
    http_client::Transport,
    redaction,
};

const ENCRYPTIONS: [(&str, Encryption); 3] =
    [("tls", Encryption::Tls), ("starttls", Encryption::StartTls), ("none", Encryption::None)];

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Room on a disk: the largest is more than any has, so that a test can be short of it.
const ROOM: std::ops::RangeInclusive<u64> = 1_000_000..=1_000_000_000_000_000_000;

/// A shorter key could be guessed.
const SHORTEST_KEY: usize = 16;

/// A shorter path of an address is no secret that a server made. A topic of ntfy is chosen by a person, and is one anyway.
const SHORTEST_SECRET_PATH: usize = 16;

pub(super) fn read(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    transport: Option<Transport>,
) -> Option<AlertsSettings> {
    let interval = reader.or("alerts.interval", "10s", duration(TICK..=HOUR));
    let settle = reader.or("alerts.settle", "1m", duration(Duration::ZERO..=DAY));
    let repeat = reader.or("alerts.repeat", "24h", duration(MINUTE..=DAY * 365));
    let holds_wait = reader.or("alerts.holds_wait", "24h", duration_or_none(SECOND..=DAY * 365));
    let silence = reader.or("alerts.silence", "24h", duration_or_none(SECOND..=DAY * 365));
    let disk_free = reader.or("alerts.disk_free", "1GB", size(ROOM));
    let webhooks = Shape::ALL.map(|shape| webhook(vault, shape));
    let mail = mail(reader, vault);
    let webhooks: Vec<Option<WebhookSettings>> = webhooks.into_iter().collect::<Result<_, _>>().ok()?;
    Some(AlertsSettings {
        interval: interval?,
        settle: settle?,
        repeat: repeat?,
        holds_wait: holds_wait?,
        silence: silence?,
        transport: transport?,
        disk_free: disk_free?,
        webhooks: webhooks.into_iter().flatten().collect(),
        mail: mail.ok()?,
    })
}

fn webhook(vault: &mut Vault<'_>, shape: Shape) -> Result<Option<WebhookSettings>, Reported> {
    let variable = shape.address_variable();
    let (key, key_variable) = match shape {
        Shape::Json => (vault.find(WEBHOOK_KEY), WEBHOOK_KEY),
        Shape::Ntfy => (vault.find(NTFY_TOKEN), NTFY_TOKEN),
        Shape::Slack | Shape::Discord => (Ok(None), ""),
    };
    let (address, key) = (vault.find(variable)?, key?);
    let mut wrong = |name: &str, what: String, fix: String| {
        vault.report(name, what, fix);
        Err(Reported)
    };
    let Some(address) = address else {
        return match key {
            None => Ok(None),
            Some(_) => wrong(
                key_variable,
                format!("it has no effect without {variable}"),
                format!("set {variable} to the address, or unset {key_variable}"),
            ),
        };
    };
    let address = match parsed(&address) {
        Ok(address) => address,
        Err((what, fix)) => return wrong(variable, what.into(), fix.into()),
    };
    if shape == Shape::Json && key.as_ref().is_none_or(|key| key.expose_secret().len() < SHORTEST_KEY) {
        return wrong(
            WEBHOOK_KEY,
            format!(
                "the key that signs what is sent to {variable} is missing, or shorter than {SHORTEST_KEY} characters"
            ),
            format!(
                "set {WEBHOOK_KEY}, or {WEBHOOK_KEY}_FILE, to a key such as the output of `openssl rand -hex 32`"
            ),
        );
    }
    if shape == Shape::Ntfy && address.path().trim_matches('/').is_empty() {
        return wrong(
            variable,
            "the address has no topic".into(),
            "set it to the address of the topic, such as https://ntfy.sh/my-secret-topic".into(),
        );
    }
    // A server may repeat only this part of the address, which is the secret one. A short one may be a usual word.
    let path = address[url::Position::BeforePath..].trim_start_matches('/');
    if shape == Shape::Ntfy || path.len() >= SHORTEST_SECRET_PATH {
        redaction::register(&path.into());
    }
    Ok(Some(WebhookSettings { shape, address, key }))
}

/// The address of a webhook. No message repeats it.
fn parsed(address: &SecretString) -> Result<Url, (&'static str, &'static str)> {
    const FIX: &str = "copy the whole address again; it begins with https://";
    let url = Url::parse(address.expose_secret()).map_err(|_| ("this is not an address", FIX))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("the address has a user name or a password", "remove it; ntfy takes a token instead"));
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_inside(&host) => Ok(url),
        ("http", Some(_)) => Err((
            "http would send messages in clear text over the internet",
            "use https; http is only for this machine and network",
        )),
        _ => Err(("this is not an address of a web server", FIX)),
    }
}

fn mail(reader: &mut Reader<'_>, vault: &mut Vault<'_>) -> Result<Option<MailSettings>, Reported> {
    let server = reader.optional("alerts.mail.server", host);
    let encryption = reader.or("alerts.mail.encryption", "tls", choice(&ENCRYPTIONS));
    let port = reader.optional("alerts.mail.port", count(1..=u16::MAX));
    let user = reader.optional("alerts.mail.user", |value| text_of(value).map(str::to_owned));
    let from = reader.optional("alerts.mail.from", mailbox);
    let to = reader.optional("alerts.mail.to", mailboxes);
    let password = vault.find(MAIL_PASSWORD)?;
    let (Ok(server), Some(encryption), Ok(port), Ok(user)) = (server, encryption, port, user) else {
        return Err(Reported);
    };
    let (from, to) = (from.map_err(|_| Reported)?, to.map_err(|_| Reported)?);
    let Some(server) = server else {
        let others = ["port", "user", "from", "to"].map(|name| format!("alerts.mail.{name}"));
        return match others.iter().find(|key| reader.is_written(key)) {
            Some(key) => {
                let fix = "set alerts.mail.server, or remove the section";
                reader.report(key, "this has no effect without alerts.mail.server", fix);
                Err(Reported)
            }
            None => Ok(None),
        };
    };
    let inside = url::Host::parse(&server).is_ok_and(|host| match host {
        url::Host::Domain(name) => is_inside(&url::Host::Domain(name.as_str())),
        url::Host::Ipv4(ip) => is_inside(&url::Host::Ipv4(ip)),
        url::Host::Ipv6(ip) => is_inside(&url::Host::Ipv6(ip)),
    });
    if encryption == Encryption::None && !inside {
        reader.report(
            "alerts.mail.encryption",
            format!("mail to {server} would go in clear text over the internet"),
            "write \"tls\" or \"starttls\"; \"none\" is only for this machine and network",
        );
        return Err(Reported);
    }
    let (Some(from), Some(to)) = (from.clone(), to.clone()) else {
        let (key, fix) = if from.is_none() {
            ("alerts.mail.from", "write the sender's address, such as \"Mynah <mynah@example.com>\"")
        } else {
            ("alerts.mail.to", "write the addresses of those who are notified, such as [\"you@example.com\"]")
        };
        reader.report(key, "this is missing", fix);
        return Err(Reported);
    };
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(user), None) if vault.needed() <= Needed::Nothing => Some((user, SecretString::default())),
        (Some(_), None) => {
            vault.report(
                MAIL_PASSWORD,
                "alerts.mail.user is set, but its password is missing".into(),
                format!("set {MAIL_PASSWORD}, or {MAIL_PASSWORD}_FILE to a file that contains it"),
            );
            return Err(Reported);
        }
        (None, Some(_)) => {
            vault.report(
                MAIL_PASSWORD,
                "it has no effect without alerts.mail.user".into(),
                format!("set alerts.mail.user, or unset {MAIL_PASSWORD}"),
            );
            return Err(Reported);
        }
    };
    let port = port.unwrap_or_else(|| encryption.port());
    Ok(Some(MailSettings { server, port, encryption, login, from, to }))
}
