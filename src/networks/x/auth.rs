//! Authenticates calls to X with OAuth 1.0a user context (HMAC-SHA1), OAuth 2.0 user tokens, or an app's own token,
//! which can only read. The tokens of a login are `session`'s.

use std::{fmt, num::NonZeroU64};

use jiff::Timestamp;
use oauth::{Builder, Credentials, HmacSha1, ParameterList};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::session::XLogin;

/// Credentials for X. `Debug` shows only their kind.
#[derive(Clone)]
pub enum XAuth {
    /// The app's own bearer token.
    App(SecretString),
    /// OAuth 2.0 user context.
    User2(SecretString),
    /// OAuth 2.0 user context whose tokens are renewed.
    Login(XLogin),
    /// OAuth 1.0a user context.
    User1(Box<OAuth1>),
}

/// The four parts of an OAuth 1.0a user context.
#[derive(Clone)]
pub struct OAuth1 {
    /// The app's key.
    pub consumer_key: SecretString,
    /// The app's secret.
    pub consumer_secret: SecretString,
    /// The account's token.
    pub token: SecretString,
    /// The account's token secret.
    pub token_secret: SecretString,
}

/// The header with a token.
pub(super) fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}

impl fmt::Debug for XAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App(_) => "XAuth::App",
            Self::User2(_) => "XAuth::User2",
            Self::Login(_) => "XAuth::Login",
            Self::User1(_) => "XAuth::User1",
        })
    }
}

impl XAuth {
    /// The `Authorization` header of a call at `now`. `url` excludes the query, which is signed with it. JSON bodies
    /// are not part of the signature. `None` if the token of a login must be obtained first.
    pub fn header(&self, method: &str, url: &str, query: &[(&str, &str)], now: Timestamp) -> Option<String> {
        match self {
            Self::App(token) | Self::User2(token) => Some(bearer(token)),
            Self::Login(_) => None,
            Self::User1(keys) => Some(keys.sign(method, url, query, now, None)),
        }
    }

    /// Identifies these credentials for `account` without revealing them: other credentials or another account have a
    /// different fingerprint.
    pub fn fingerprint(&self, account: &str) -> String {
        let mut hash = Sha256::new();
        let account = account.to_ascii_lowercase();
        let secrets = match self {
            Self::App(token) => vec!["app", token.expose_secret()],
            Self::User2(token) => vec!["user2", token.expose_secret()],
            Self::Login(login) => vec!["login", login.first().expose_secret()],
            Self::User1(keys) => {
                let keys = [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret];
                std::iter::once("user1").chain(keys.map(SecretString::expose_secret)).collect()
            }
        };
        for part in std::iter::once(account.as_str()).chain(secrets) {
            // With its length, so that different lists of parts never hash the same bytes.
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let start = hash.finalize().iter().take(8).fold(0, |start, byte| (start << 8) | u64::from(*byte));
        format!("{start:016x}")
    }
}

impl OAuth1 {
    /// Signs a call; `pinned` sets the nonce, for tests with published vectors.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &str,
        query: &[(&str, &str)],
        now: Timestamp,
        pinned: Option<&str>,
    ) -> String {
        let client =
            Credentials::new(self.consumer_key.expose_secret(), self.consumer_secret.expose_secret());
        let token = Credentials::new(self.token.expose_secret(), self.token_secret.expose_secret());
        let mut builder = Builder::<_, &str, &str>::new(client, HmacSha1::new());
        builder.token(token).version(true);
        if let Some(seconds) = u64::try_from(now.as_second()).ok().and_then(NonZeroU64::new) {
            builder.timestamp(seconds);
        }
        if let Some(nonce) = pinned {
            builder.nonce(nonce);
        }
        let parameters = ParameterList::new(query.to_vec());
        builder.authorize(method, url, &parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Vector<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

    /// The example of X's documentation, "Creating a signature"; not real credentials.
    fn published() -> OAuth1 {
        let secret = |text: &str| SecretString::from(text);
        OAuth1 {
            consumer_key: secret("xvz1evFS4wEEPTGEFPHBog"),
            consumer_secret: secret("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
            token: secret("370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            token_secret: secret("LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"),
        }
    }

    #[test]
    fn signatures_match_published_vectors() {
        let status =
            [("include_entities", "true"), ("status", "Hello Ladies + Gentlemen, a signed OAuth request!")];
        let timeline =
            [("max_results", "5"), ("exclude", "retweets,replies"), ("tweet.fields", "created_at,lang")];
        let vectors: [Vector<'_>; 7] = [
            ("POST", "https://api.x.com/1.1/statuses/update.json", &status, "Ls93hJiZbQ3akF3HF3x1Bz8/zU4="),
            (
                "POST",
                "https://api.twitter.com/1.1/statuses/update.json",
                &status,
                "hCtSmYh+iHYCEqBWrE7C7hYmtUk=",
            ),
            (
                "POST",
                "https://api.twitter.com/1/statuses/update.json",
                &status,
                "tnnArxj06cWHq44gCs1OSKk/jLY=",
            ),
            ("POST", "https://api.x.com/2/tweets", &[], "lr+tV/DKclEvXKVjG6tgaSSLV0k="),
            ("POST", "https://api.twitter.com/2/tweets", &[], "KW/bTR/89oblzvjn7CwP2L8j5qQ="),
            ("GET", "https://api.x.com/2/users/2244994945/tweets", &timeline, "JUsdyMTEoz7Rf5pqR6k6s05byac="),
            ("DELETE", "https://api.x.com/2/tweets/1445880548472328192", &[], "TthENO2qlGBISSakx+HkjNy7NpU="),
        ];
        let nonce = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg";
        let now = Timestamp::from_second(1_318_622_958).unwrap();
        for (method, url, query, signature) in vectors {
            let header = published().sign(method, url, query, now, Some(nonce));
            let encoded = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            assert!(header.contains(&format!("oauth_signature=\"{encoded}\"")), "{method} {url}: {header}");
        }
    }

    #[test]
    fn a_fingerprint_depends_on_the_credentials_and_the_account() {
        let user1 = |token: &str| XAuth::User1(Box::new(OAuth1 { token: token.into(), ..published() }));
        let first = user1("abc").fingerprint("town_es");
        assert_eq!(first, user1("abc").fingerprint("Town_ES"), "handles ignore case");
        assert!(first.len() == 16 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
        let others = [
            user1("abd").fingerprint("town_es"),
            user1("abc").fingerprint("town_ca"),
            XAuth::User2("abc".into()).fingerprint("town_es"),
            XAuth::App("abc".into()).fingerprint("town_es"),
            XAuth::User2("abca".into()).fingerprint("town_es"),
        ];
        for (number, other) in others.iter().enumerate() {
            assert_ne!(*other, first);
            assert!(!others[..number].contains(other), "{others:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let auth = XAuth::User1(Box::new(published()));
        assert_eq!(format!("{auth:?}"), "XAuth::User1");
        assert_eq!(format!("{:?}", XAuth::App("s3cret".into())), "XAuth::App");
    }
}
