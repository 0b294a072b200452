//! Sessions: an app password opens one, an access token lives two hours, and a refresh token makes the next pair of tokens.
//! A refresh token that is used again within its grace period answers with the same refresh token; after that, it is
//! refused (PDS, `rotateRefreshToken`).
//!
//! The tokens are JWTs to look at, with real claims. The server remembers the tokens that it gave out, so their signatures
//! sign nothing.

use std::{collections::HashMap, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::problem::Problem;
use crate::hash;

/// How long a refresh token lives.
const REFRESH_LIFETIME_MS: u64 = 90 * 24 * 60 * 60 * 1000;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Refresh,
}

/// All tokens that were given out.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// How long an access token lives.
    pub(crate) access_lifetime: Duration,
    /// How long a used refresh token is still accepted.
    pub(crate) refresh_grace: Duration,
    tokens: HashMap<String, Token>,
    given: u64,
}

#[derive(Debug, Clone)]
struct Token {
    did: String,
    kind: Kind,
    expires_ms: u64,
    is_revoked: bool,
    /// The refresh token that replaced this one.
    next: Option<String>,
}

/// A session's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) access: String,
    pub(super) refresh: String,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_hours(2),
            refresh_grace: Duration::from_hours(2),
            tokens: HashMap::new(),
            given: 0,
        }
    }
}

impl Sessions {
    /// Opens a session.
    pub(super) fn open(&mut self, did: &str, now_ms: u64) -> Pair {
        Pair {
            access: self.access(did, now_ms),
            refresh: self.give(did, Kind::Refresh, REFRESH_LIFETIME_MS, now_ms),
        }
    }

    /// The account that a token of this kind belongs to.
    pub(super) fn check(&self, token: &str, kind: Kind, now_ms: u64) -> Result<&str, Problem> {
        let known =
            self.tokens.get(token).ok_or_else(|| Problem::invalid_token("Token could not be verified"))?;
        if known.expires_ms <= now_ms {
            return Err(Problem::expired_token("Token has expired"));
        }
        if known.kind != kind {
            return Err(Problem::invalid_token("Invalid token type"));
        }
        if known.is_revoked {
            return Err(Problem::expired_token("Token has been revoked"));
        }
        Ok(&known.did)
    }

    /// The next tokens of a session.
    pub(super) fn refresh(&mut self, token: &str, now_ms: u64) -> Result<Pair, Problem> {
        let did = self.check(token, Kind::Refresh, now_ms)?.to_owned();
        let next = self.tokens.get(token).and_then(|known| known.next.clone());
        let refresh = next.unwrap_or_else(|| self.give(&did, Kind::Refresh, REFRESH_LIFETIME_MS, now_ms));
        let grace_ends = now_ms + millis(self.refresh_grace);
        if let Some(used) = self.tokens.get_mut(token) {
            used.next = Some(refresh.clone());
            used.expires_ms = used.expires_ms.min(grace_ends);
        }
        Ok(Pair { access: self.access(&did, now_ms), refresh })
    }

    /// Ends the access tokens of an account, and the grace of its used refresh tokens, as if hours had passed.
    pub(super) fn expire(&mut self, did: &str) {
        let of_account = self.tokens.values_mut().filter(|token| token.did == did);
        for token in of_account.filter(|token| token.kind == Kind::Access || token.next.is_some()) {
            token.expires_ms = 0;
        }
    }

    /// Ends all sessions of an account, as revoking its app password does. On a real server, access tokens live on for up
    /// to two hours; here they do not, so that nobody has to wait.
    pub(super) fn revoke(&mut self, did: &str) {
        for token in self.tokens.values_mut().filter(|token| token.did == did) {
            token.is_revoked = true;
        }
    }

    fn access(&mut self, did: &str, now_ms: u64) -> String {
        self.give(did, Kind::Access, millis(self.access_lifetime), now_ms)
    }

    fn give(&mut self, did: &str, kind: Kind, lifetime_ms: u64, now_ms: u64) -> String {
        self.given += 1;
        let expires_ms = now_ms + lifetime_ms;
        let (typ, scope) = match kind {
            Kind::Access => ("at+jwt", "com.atproto.appPass"),
            Kind::Refresh => ("refresh+jwt", "com.atproto.refresh"),
        };
        let mut claims = json!({
            "scope": scope, "aud": "did:web:localhost", "sub": did, "iat": now_ms / 1000, "exp": expires_ms / 1000,
        });
        let number = self.given.to_le_bytes();
        if kind == Kind::Refresh {
            claims["jti"] =
                json!(URL_SAFE_NO_PAD.encode(hash::stable(&[did.as_bytes(), &number]).to_le_bytes()));
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let salt = fastrand::u64(..).to_le_bytes();
        let signature: Vec<u8> =
            (0_u8..4).flat_map(|part| hash::stable(&[&salt, &number, &[part]]).to_le_bytes()).collect();
        let head = part(&json!({"typ": typ, "alg": "HS256"}));
        let token = format!("{head}.{}.{}", part(&claims), URL_SAFE_NO_PAD.encode(signature));
        let known = Token { did: did.to_owned(), kind, expires_ms, is_revoked: false, next: None };
        self.tokens.insert(token.clone(), known);
        token
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DID: &str = "did:plc:abc";

    fn name(problem: &Problem) -> String {
        problem.to_string()
    }

    #[test]
    fn a_used_refresh_token_gives_the_same_next_one_until_its_grace_ends() {
        let mut sessions = Sessions { refresh_grace: Duration::from_secs(1), ..Sessions::default() };
        let first = sessions.open(DID, 0);
        let second = sessions.refresh(&first.refresh, 1).unwrap();
        assert_ne!(second.refresh, first.refresh);
        let again = sessions.refresh(&first.refresh, 500).unwrap();
        assert_eq!(again.refresh, second.refresh);
        assert_ne!(again.access, second.access);
        let late = sessions.refresh(&first.refresh, 2_000).map_err(|problem| name(&problem)).unwrap_err();
        assert!(late.contains("ExpiredToken"), "{late}");
        assert!(sessions.refresh(&second.refresh, 2_000).is_ok());
    }

    #[test]
    fn a_token_serves_its_kind_until_it_expires_or_is_revoked() {
        let mut sessions = Sessions::default();
        let pair = sessions.open(DID, 0);
        let two_hours = 2 * 60 * 60 * 1000;
        assert_eq!(sessions.check(&pair.access, Kind::Access, two_hours - 1).unwrap(), DID);
        let refused = |sessions: &Sessions, token: &str, kind, now| {
            name(&sessions.check(token, kind, now).unwrap_err())
        };
        assert!(
            refused(&sessions, &pair.access, Kind::Access, two_hours)
                .contains("ExpiredToken: Token has expired")
        );
        assert!(refused(&sessions, &pair.access, Kind::Refresh, 1).contains("Invalid token type"));
        assert!(refused(&sessions, "nonsense", Kind::Access, 1).contains("could not be verified"));
        sessions.expire(DID);
        assert!(refused(&sessions, &pair.access, Kind::Access, 1).contains("ExpiredToken"));
        assert!(sessions.check(&pair.refresh, Kind::Refresh, 1).is_ok());
        sessions.revoke(DID);
        assert!(refused(&sessions, &pair.refresh, Kind::Refresh, 1).contains("revoked"));
    }
}
