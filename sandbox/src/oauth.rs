//! OAuth 2.0 as Mastodon and X share it: the page on which a person allows or denies a login, codes that work once, and
//! PKCE with S256 (RFC 7636). Nobody has a password here: the page asks who one is.

use std::{collections::HashMap, fmt::Write as _};

use actix_web::{
    HttpResponse,
    http::header::{ContentType, LOCATION},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use crate::page::escape;

/// Where the code is shown instead of sent somewhere.
pub(crate) const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// The fields of a form or a query; the last one of a name counts.
#[derive(Debug, Default)]
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    pub(crate) fn of(form: &[u8]) -> Self {
        Self(form_urlencoded::parse(form).into_owned().collect())
    }

    /// A field; empty if it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// What a person allowed, until the app exchanges the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) client: String,
    pub(crate) redirect: String,
    /// The account that allowed it.
    pub(crate) handle: String,
    pub(crate) scopes: String,
    /// The challenge of PKCE; empty if the app sent none.
    pub(crate) challenge: String,
    /// When the code ends, in Unix milliseconds.
    pub(crate) expires_ms: u64,
}

/// The codes that were given out and not exchanged.
#[derive(Debug, Default)]
pub(crate) struct Grants(HashMap<String, Grant>);

impl Grants {
    /// A code for what a person allowed.
    pub(crate) fn give(&mut self, grant: Grant) -> String {
        let code = secret("code");
        self.0.insert(code.clone(), grant);
        code
    }

    /// What the code in a request for a token stands for. Any use ends it, also a wrong one.
    pub(crate) fn take(&mut self, fields: &Fields, client: &str, now_ms: u64) -> Option<Grant> {
        let grant = self.0.remove(fields.text("code"))?;
        let verified = URL_SAFE_NO_PAD.encode(Sha256::digest(fields.text("code_verifier")));
        let is_same = grant.client == client
            && grant.redirect == fields.text("redirect_uri")
            && (grant.challenge.is_empty() || grant.challenge == verified);
        (is_same && now_ms < grant.expires_ms).then_some(grant)
    }
}

/// Something that nobody guesses.
pub(crate) fn secret(kind: &str) -> String {
    format!("sandbox-{kind}-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

/// The page that asks whether to allow a login, as one of `handles`.
pub(crate) fn page(network: &str, action: &str, app: &str, query: &str, handles: &[String]) -> HttpResponse {
    let mut fields = String::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // Writing to a string cannot fail.
        let _ =
            write!(fields, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(&name), escape(&value));
    }
    let mut options = String::new();
    for handle in handles {
        let handle = escape(handle);
        let _ = write!(options, "<option value=\"{handle}\">@{handle}</option>");
    }
    html(&format!(
        "<h1>Log in to the sandbox's {network}</h1><p>{} wants to use an account.</p>\
        <form method=\"post\" action=\"{action}\">{fields}<p><label>Account <select name=\"account\">{options}</select></label></p>\
        <p><button name=\"decision\" value=\"allow\">Allow</button> <button name=\"decision\" value=\"deny\">Deny</button></p></form>",
        escape(app)
    ))
}

/// The page that shows a code to copy.
pub(crate) fn code_page(code: &str) -> HttpResponse {
    html(&format!("<p>Copy this code:</p><p><code id=\"code\">{}</code></p>", escape(code)))
}

fn html(body: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header(("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"))
        .body(format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Log in</title></head><body>{body}</body></html>"
        ))
}

/// Sends the browser back to the app.
pub(crate) fn back(redirect: &str, answer: &[(&str, &str)]) -> Option<HttpResponse> {
    let mut address = Url::parse(redirect).ok()?;
    address.query_pairs_mut().extend_pairs(answer);
    Some(HttpResponse::Found().insert_header((LOCATION, address.to_string())).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            client: "app".into(),
            redirect: "http://127.0.0.1/callback".into(),
            handle: "town".into(),
            scopes: "read".into(),
            // RFC 7636, appendix B.
            challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into(),
            expires_ms: 1000,
        }
    }

    #[test]
    fn a_code_works_once_for_the_app_and_the_verifier_that_it_was_given_to() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let take = |client: &str, redirect: &str, verifier: &str, now| {
            let mut grants = Grants::default();
            let code = grants.give(grant());
            let form = form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("code", &*code), ("redirect_uri", redirect), ("code_verifier", verifier)])
                .finish();
            let fields = Fields::of(form.as_bytes());
            let first = grants.take(&fields, client, now).is_some();
            assert_eq!(grants.take(&fields, client, now), None, "a code works once");
            first
        };
        let redirect = "http://127.0.0.1/callback";
        assert!(take("app", redirect, verifier, 999));
        assert!(!take("other", redirect, verifier, 999));
        assert!(!take("app", "http://127.0.0.1/other", verifier, 999));
        assert!(!take("app", redirect, "another-verifier", 999));
        assert!(!take("app", redirect, verifier, 1000));
    }
}
