//! Where a ledger on PostgreSQL is: a URL as PostgreSQL's own tools read it, without the password, which is a secret.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};
use url::Url;

use super::tls::Trust;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the system waits for the server's confirmation of what was sent, before it gives a connection up.
const UNCONFIRMED: Duration = Duration::from_secs(10);

/// Where a ledger is, and how to connect. `Debug` and `Display` show no password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    trust: Trust,
}

/// Why a URL is refused. Never contains a part of it that may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

impl Address {
    /// Reads `postgres://user@host:port/database?sslmode=verify-full&sslrootcert=FILE`.
    ///
    /// # Errors
    /// A sentence that names the problem and its fix.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let refuse = |why: &str| BadAddress(why.to_owned());
        let mut url = Url::parse(text).map_err(|_| {
            refuse("it is not a URL; write postgres://user@host/database, or sqlite for the file in data_dir")
        })?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(refuse("it does not begin with postgres://; write postgres://user@host/database"));
        }
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for (key, value) in url.query_pairs() {
            match &*key {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(PathBuf::from(value.into_owned())),
                "password" => {
                    return Err(refuse("it contains a password; put it into MYNAH_LEDGER_PASSWORD"));
                }
                _ => others.push((key.into_owned(), value.into_owned())),
            }
        }
        let roots = roots.filter(|file| file.as_os_str() != "system");
        let (ssl, trust) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anyone),
            None | Some("prefer" | "allow") => (SslMode::Prefer, Trust::Anyone),
            // As PostgreSQL's tools do: whoever names an authority wants it checked.
            Some("require") if roots.is_some() => (SslMode::Require, Trust::Authority(roots)),
            Some("require") => (SslMode::Require, Trust::Anyone),
            Some("verify-ca") => (SslMode::Require, Trust::Authority(roots)),
            Some("verify-full") => (SslMode::Require, Trust::Host(roots)),
            Some(_) => {
                return Err(refuse(
                    "its sslmode is unknown; use disable, prefer, require, verify-ca or verify-full",
                ));
            }
        };
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        let mut config = Config::from_str(url.as_str())
            .map_err(|error| BadAddress(format!("it cannot be used: {}", super::errors::sentence(&error))))?;
        if config.get_hosts().is_empty() {
            return Err(refuse("it names no host; write postgres://user@host/database"));
        }
        if config.get_user().is_none() {
            return Err(refuse("it names no user; write postgres://user@host/database"));
        }
        if config.get_dbname().is_none() {
            return Err(refuse("it names no database; write postgres://user@host/database"));
        }
        config
            .ssl_mode(ssl)
            // Of several servers, the one that accepts writes.
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(UNCONFIRMED);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        Ok(Self { config, trust })
    }

    /// Whether a password is a part of it.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// The same, with a password.
    #[must_use]
    pub fn with_password(mut self, password: &SecretString) -> Self {
        self.config.password(password.expose_secret());
        self
    }

    /// The name under which the server lists the connections.
    pub(super) fn config(&self, application: &str) -> Config {
        let mut config = self.config.clone();
        if config.get_application_name().is_none() {
            config.application_name(application);
        }
        config
    }

    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://")?;
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(host) => f.write_str(host)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(index).or(ports.first()).filter(|port| **port != 5432) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let secret = "postgres://mynah:hunter2@db.example:6543/ledger?sslmode=require";
        let address = Address::parse(secret).unwrap();
        assert!(address.has_password());
        assert_eq!(
            format!("{address} {address:?}"),
            "postgres://db.example:6543/ledger postgres://db.example:6543/ledger"
        );
        let address = Address::parse("postgres://mynah@db/ledger").unwrap();
        let address = address.with_password(&"hunter2".into());
        assert_eq!(format!("{address:?}"), "postgres://db/ledger");
    }

    #[test]
    fn the_modes_mean_what_they_mean_elsewhere() {
        let parse = |query: &str| {
            let address = Address::parse(&format!("postgres://me@db/ledger{query}")).unwrap();
            (address.config.get_ssl_mode(), address.trust)
        };
        let file = || Some(PathBuf::from("/ca.pem"));
        assert_eq!(parse(""), (SslMode::Prefer, Trust::Anyone));
        assert_eq!(parse("?sslmode=disable"), (SslMode::Disable, Trust::Anyone));
        assert_eq!(parse("?sslmode=require"), (SslMode::Require, Trust::Anyone));
        assert_eq!(
            parse("?sslmode=require&sslrootcert=/ca.pem"),
            (SslMode::Require, Trust::Authority(file()))
        );
        assert_eq!(
            parse("?sslmode=verify-ca&sslrootcert=/ca.pem"),
            (SslMode::Require, Trust::Authority(file()))
        );
        assert_eq!(parse("?sslmode=verify-full&sslrootcert=system"), (SslMode::Require, Trust::Host(None)));
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for wrong in [
            "hunter2",
            "mysql://me:hunter2@db/ledger",
            "postgres://me:hunter2@db/ledger?sslmode=hunter2",
            "postgres://me@db/ledger?password=hunter2",
            "postgres://me:hunter2@/ledger",
            "postgres://db/hunter2",
            "postgres://me:hunter2@db",
            "postgres://me:hunter2@db:99999/ledger",
            "postgres://me:hunter2@db/ledger?unheard=hunter2",
        ] {
            let refusal = Address::parse(wrong).unwrap_err().to_string();
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
