//! The server side of OAuth 1.0a: a signature is valid if signing the request again gives the same one. The
//! `oauth1-request` crate does the signing, so the sandbox and a client that uses the crate could share a mistake; the
//! published vectors in the tests would reveal it.

use std::{borrow::Cow, collections::HashMap, num::NonZeroU64};

use oauth::{Builder, Credentials, HmacSha1, request::ParameterList};

/// How far a client's clock may be off, in seconds.
const SKEW: u64 = 300;

/// The contents of an `Authorization: OAuth …` header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) consumer_key: Cow<'a, str>,
    /// Empty if there is none yet.
    pub(crate) token: Cow<'a, str>,
    /// Where a login is to continue.
    pub(crate) callback: Option<Cow<'a, str>>,
    /// What shows that the person allowed a login.
    pub(crate) verifier: Option<Cow<'a, str>>,
    nonce: Cow<'a, str>,
    timestamp: u64,
    signature: Cow<'a, str>,
    method: Cow<'a, str>,
    version: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Parses a header. Returns none if it has another scheme or lacks a part.
    pub(crate) fn parse(header: &'a str) -> Option<Self> {
        let scheme = header.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("OAuth "))?;
        let (mut consumer_key, mut token, mut nonce, mut timestamp) = (None, None, None, None);
        let (mut signature, mut method, mut version) = (None, None, None);
        let (mut callback, mut verifier) = (None, None);
        for pair in header[scheme.len()..].split(',') {
            let (key, value) = pair.trim().split_once('=')?;
            let value = percent_decode(value.strip_prefix('"')?.strip_suffix('"')?)?;
            let part = match key {
                "oauth_consumer_key" => &mut consumer_key,
                "oauth_token" => &mut token,
                "oauth_callback" => &mut callback,
                "oauth_verifier" => &mut verifier,
                "oauth_nonce" => &mut nonce,
                "oauth_timestamp" => &mut timestamp,
                "oauth_signature" => &mut signature,
                "oauth_signature_method" => &mut method,
                "oauth_version" => &mut version,
                _ => continue,
            };
            *part = Some(value);
        }
        Some(Self {
            consumer_key: consumer_key?,
            token: token.unwrap_or_default(),
            callback,
            verifier,
            nonce: nonce?,
            timestamp: timestamp?.parse().ok()?,
            signature: signature?,
            method: method?,
            version,
        })
    }

    /// Whether the header was signed with these secrets for this request. `base` has no query; `parameters` are those
    /// of the query and of a form.
    pub(crate) fn is_signed(
        &self,
        secrets: Secrets<'_>,
        method: &str,
        base: &str,
        parameters: &Parameters,
    ) -> bool {
        self.method == "HMAC-SHA1"
            && self.version.as_deref().is_none_or(|version| version == "1.0")
            && self.sign(secrets, method, base, parameters).as_deref() == Some(&*self.signature)
    }

    fn sign(
        &self,
        secrets: Secrets<'_>,
        method: &str,
        base: &str,
        parameters: &Parameters,
    ) -> Option<String> {
        let consumer = Credentials::new(&*self.consumer_key, secrets.consumer);
        let token = (!self.token.is_empty()).then(|| Credentials::new(&*self.token, secrets.token));
        let mut builder = Builder::new(consumer, HmacSha1::new());
        builder
            .token(token)
            .callback(self.callback.as_deref())
            .verifier(self.verifier.as_deref())
            .nonce(&*self.nonce)
            .timestamp(NonZeroU64::new(self.timestamp)?)
            .version(self.version.is_some());
        let list = ParameterList::new(parameters.clone());
        Header::parse_signature(&builder.authorize(method, base, &list))
    }

    fn parse_signature(header: &str) -> Option<String> {
        let (_, rest) = header.split_once("oauth_signature=\"")?;
        percent_decode(rest.split_once('"')?.0).map(Cow::into_owned)
    }
}

/// The secrets that both sides share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secrets<'a> {
    pub(crate) consumer: &'a str,
    pub(crate) token: &'a str,
}

/// Decoded name and value pairs.
pub(crate) type Parameters = Vec<(String, String)>;

/// Remembers requests, so that none is accepted twice.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    /// When each nonce was used, by token. A busy token has many nonces, so entries are small.
    seen: HashMap<String, HashMap<Box<str>, u64>>,
    pruned: u64,
}

impl Nonces {
    /// Whether a header is recent and new. If so, this remembers it.
    pub(crate) fn admit(&mut self, header: &Header<'_>, now: u64) -> bool {
        if header.timestamp.abs_diff(now) > SKEW {
            return false;
        }
        // Once a minute, forget nonces that are too old to pass anyway, or a long benchmark would fill the memory.
        if now >= self.pruned + 60 {
            self.pruned = now;
            for used in self.seen.values_mut() {
                used.retain(|_, at| at.abs_diff(now) <= SKEW);
            }
        }
        let used = match self.seen.get_mut(&*header.token) {
            Some(used) => used,
            None => self.seen.entry(header.token.clone().into_owned()).or_default(),
        };
        used.insert((&*header.nonce).into(), header.timestamp).is_none()
    }
}

/// Decodes RFC 3986 encoding. Returns none if the text is malformed or not UTF-8.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let high = digit(rest.next())?;
        let low = digit(rest.next())?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of X's documentation, not real credentials.
    const SECRETS: Secrets<'static> = Secrets {
        consumer: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        token: "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    };

    fn header(signature: &str) -> Header<'_> {
        Header {
            consumer_key: "xvz1evFS4wEEPTGEFPHBog".into(),
            token: "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb".into(),
            callback: None,
            verifier: None,
            nonce: "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg".into(),
            timestamp: 1_318_622_958,
            signature: signature.into(),
            method: "HMAC-SHA1".into(),
            version: Some("1.0".into()),
        }
    }

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_published_vectors_verify() {
        let status = parameters(&[
            ("include_entities", "true"),
            ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),
        ]);
        let timeline = parameters(&[
            ("max_results", "5"),
            ("exclude", "retweets,replies"),
            ("tweet.fields", "created_at,lang"),
        ]);
        let none = Parameters::new();
        let vectors = [
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
            ("POST", "https://api.x.com/2/tweets", &none, "lr+tV/DKclEvXKVjG6tgaSSLV0k="),
            ("POST", "https://api.twitter.com/2/tweets", &none, "KW/bTR/89oblzvjn7CwP2L8j5qQ="),
            ("GET", "https://api.x.com/2/users/2244994945/tweets", &timeline, "JUsdyMTEoz7Rf5pqR6k6s05byac="),
            (
                "DELETE",
                "https://api.x.com/2/tweets/1445880548472328192",
                &none,
                "TthENO2qlGBISSakx+HkjNy7NpU=",
            ),
        ];
        for (method, base, parameters, signature) in vectors {
            let header = header(signature);
            assert!(header.is_signed(SECRETS, method, base, parameters), "{method} {base}");
            assert!(!header.is_signed(SECRETS, "PUT", base, parameters));
            let other = Secrets { token: "other", ..SECRETS };
            assert!(!header.is_signed(other, method, base, parameters));
        }
    }

    #[test]
    fn a_header_is_parsed_with_all_its_parts() {
        let text = [
            r#"OAuth oauth_consumer_key="xvz1evFS4wEEPTGEFPHBog""#,
            r#"oauth_nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg""#,
            r#"oauth_signature="lr%2BtV%2FDKclEvXKVjG6tgaSSLV0k%3D""#,
            r#"oauth_signature_method="HMAC-SHA1", oauth_timestamp="1318622958""#,
            r#"oauth_token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", oauth_version="1.0""#,
        ];
        assert_eq!(Header::parse(&text.join(", ")), Some(header("lr+tV/DKclEvXKVjG6tgaSSLV0k=")));
        assert_eq!(Header::parse("Bearer x"), None);
        assert_eq!(Header::parse("OAuth oauth_token=\"a\""), None);
    }

    #[test]
    fn a_nonce_is_valid_once_and_only_recently() {
        let mut nonces = Nonces::default();
        let now = 1_318_622_958;
        let header = header("");
        assert!(nonces.admit(&header, now + 300));
        assert!(!nonces.admit(&header, now));
        assert!(!Nonces::default().admit(&header, now + 301));
        assert!(!Nonces::default().admit(&header, now - 301));
    }

    #[test]
    fn percent_encoding_is_decoded() {
        assert_eq!(percent_decode("%E2%98%83%20%2B").as_deref(), Some("☃ +"));
        assert_eq!(percent_decode("%2"), None);
        assert_eq!(percent_decode("%+1"), None);
        assert_eq!(percent_decode("%FF"), None);
    }
}
