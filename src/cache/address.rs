//! Where a shared cache is: a URL as the tools of Redis read it, without the password, which is a secret.

use std::{fmt, path::PathBuf};

use redis::RedisConnectionInfo;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// The port without another one in the URL.
const PORT: u16 = 6379;

/// Where a shared cache is, and how to connect. `Debug` and `Display` show no password.
#[derive(Clone)]
pub struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: u32,
    user: Option<String>,
    password: Option<SecretString>,
    pub(super) tls: Option<Tls>,
}

/// How to encrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tls {
    /// A file with the authority's certificate; `None` for the public authorities.
    pub(super) authority: Option<PathBuf>,
}

/// Why a URL is refused. Never contains a part of it that may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(&'static str);

impl Address {
    /// Reads `redis://user@host:port/database`, or `rediss://…?cacert=FILE` for an encrypted connection.
    ///
    /// # Errors
    /// A sentence that names the problem and its fix.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let url = Url::parse(text).map_err(|_| BadAddress("it is not a URL; write redis://host"))?;
        let is_encrypted = match url.scheme() {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(BadAddress("it does not begin with redis:// or rediss://; write redis://host")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(BadAddress("it names no host; write redis://host"))?;
        // As in URLs: an IPv6 address in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| BadAddress("its path is not the number of a database; write redis://host/0"))?,
        };
        let mut authority = None;
        for (key, value) in url.query_pairs() {
            match &*key {
                "cacert" if is_encrypted => authority = Some(PathBuf::from(value.into_owned())),
                "cacert" => {
                    return Err(BadAddress("cacert needs an encrypted connection; write rediss://"));
                }
                "password" => {
                    return Err(BadAddress("it contains a password; put it into MYNAH_CACHE_PASSWORD"));
                }
                _ => return Err(BadAddress("it has a parameter that is unknown; the only one is cacert")),
            }
        }
        if url.fragment().is_some() {
            return Err(BadAddress("it has a part after a #, which means nothing here; remove it"));
        }
        let decode = |text: &str| percent_decode(text);
        Ok(Self {
            host,
            port: url.port().unwrap_or(PORT),
            database,
            user: (!url.username().is_empty()).then(|| decode(url.username())),
            password: url.password().map(|password| decode(password).into()),
            tls: is_encrypted.then_some(Tls { authority }),
        })
    }

    /// Whether a password is a part of it.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The same, with a password.
    #[must_use]
    pub fn with_password(self, password: &SecretString) -> Self {
        Self { password: Some(password.clone()), ..self }
    }

    /// What the connection begins with.
    pub(super) fn login(&self) -> RedisConnectionInfo {
        let mut login = RedisConnectionInfo::default().set_db(self.database.into()).set_skip_set_lib_name();
        if let Some(user) = &self.user {
            login = login.set_username(user);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password.expose_secret());
        }
        login
    }
}

/// A part of a URL as it was meant; as it is, if it cannot be decoded.
fn percent_decode(text: &str) -> String {
    let query = format!("x={}", text.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.next().map_or_else(|| text.to_owned(), |(_, value)| value.into_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", if self.tls.is_some() { "rediss" } else { "redis" })?;
        if self.host.contains(':') { write!(f, "[{}]", self.host) } else { f.write_str(&self.host) }?;
        if self.port != PORT {
            write!(f, ":{}", self.port)?;
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
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
    fn an_address_is_shown_without_its_user_and_password() {
        let secret = "rediss://mynah:hunter2@cache.example:6380/3?cacert=/ca.pem";
        let address = Address::parse(secret).unwrap();
        assert!(address.has_password());
        assert_eq!(format!("{address}"), "rediss://cache.example:6380/3");
        assert_eq!(address.tls, Some(Tls { authority: Some("/ca.pem".into()) }));
        let address = Address::parse("redis://[::1]").unwrap().with_password(&"hunter2".into());
        assert_eq!(format!("{address:?}"), "redis://[::1]");
        assert_eq!(address.login().password(), Some("hunter2"));
    }

    #[test]
    fn the_parts_of_a_url_mean_what_they_mean_to_other_tools() {
        let address = Address::parse("redis://town%40home@cache").unwrap();
        assert_eq!((address.login().username(), address.port), (Some("town@home"), 6379));
        assert!(!address.has_password());
        assert!(address.tls.is_none());
        assert_eq!(Address::parse("valkeys://cache").unwrap().to_string(), "rediss://cache");
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for wrong in [
            "hunter2",
            "http://me:hunter2@cache",
            "redis://me:hunter2@",
            "redis://me:hunter2@cache/hunter2",
            "redis://cache?password=hunter2",
            "redis://cache?cacert=hunter2",
            "rediss://cache?unheard=hunter2",
            "rediss://cache#hunter2",
        ] {
            let refusal = Address::parse(wrong).unwrap_err().to_string();
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
