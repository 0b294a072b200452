//! Every web page in a browser on this machine, and every user of it, can reach a service on loopback. So access to the
//! port proves nothing, and this guard checks every request.
//!
//! - A foreign page cannot *read*: no answer allows another origin. If a foreign name points here (DNS rebinding), its
//!   `Host` reveals it.
//! - A foreign page cannot *change* anything: every change is a `POST` of JSON, which no form can send, and for which a
//!   script needs a preflight request, which is never allowed. A foreign `Origin` is refused as well.
//! - If other machines can reach the port, the settings require a token.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use actix_web::{
    Error, HttpMessage as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap},
    },
    middleware::Next,
    web::{self, Bytes, BytesMut},
};
use futures_util::StreamExt as _;

use super::{
    ARRIVAL_TIMEOUT, MAX_BODY, api::endpoints, connections::Connection, error::ApiError,
    identity::Identities, page, rates::Rates, refusal::Refusal,
};

/// Paths for monitors, without a token: they reveal only whether the service is healthy.
const MONITORED: [&str; 2] = [ALIVE, "/ready"];

/// The path that reports only that the process is alive.
const ALIVE: &str = "/health";

/// Says where a browser's request comes from.
const FETCH_SITE: &str = "Sec-Fetch-Site";

/// The rules for the bound address.
pub(super) struct Rules {
    bound: SocketAddr,
    rates: Rates,
}

impl Rules {
    pub(super) fn new(bound: SocketAddr) -> Self {
        Self { bound, rates: Rates::new() }
    }

    /// Takes a permit for a request, if there is one.
    fn permit(&self, path: &str) -> Result<(), Refusal> {
        let permitted = match path {
            // A frequent liveness probe must never fail.
            ALIVE => true,
            path if MONITORED.contains(&path) => self.rates.permit_monitor(),
            _ => self.rates.permit(),
        };
        if permitted { Ok(()) } else { Err(Refusal::TooMany) }
    }

    /// Whether to check a token from this address.
    pub(super) fn may_guess(&self, from: IpAddr, now: Instant) -> bool {
        self.rates.may_guess(from, now)
    }

    /// Records a wrong token from this address.
    pub(super) fn guessed_wrong(&self, from: IpAddr, now: Instant) {
        self.rates.guessed_wrong(from, now);
    }

    /// Whether a request with this head may pass, whoever sent it.
    fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = self.host(headers)?;
        if *method == Method::GET || *method == Method::HEAD {
            return Ok(());
        }
        if *method != Method::POST {
            return Err(Refusal::Method);
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            if own.is_none_or(|(_, authority)| !authority.eq_ignore_ascii_case(host)) {
                return Err(Refusal::ForeignOrigin);
            }
        }
        if headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none") {
            return Err(Refusal::ForeignOrigin);
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::ContentType);
        }
        Ok(())
    }

    /// The request's `Host`, if it is one of ours.
    fn host<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
        let mut hosts = headers.get_all(header::HOST);
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::NoHost);
        };
        let host = host.to_str().map_err(|_| Refusal::NoHost)?;
        // Everything on other addresses needs a token, so the machine may have any name.
        if !self.bound.ip().is_loopback() {
            return Ok(host);
        }
        let name = name_of(host);
        let address = name.parse::<IpAddr>().ok();
        let ours = name.eq_ignore_ascii_case("localhost")
            || address.is_some_and(|ip| ip.is_loopback() || ip == self.bound.ip());
        if ours { Ok(host) } else { Err(Refusal::ForeignHost) }
    }
}

/// The name in `name:port`, `1.2.3.4:port` or `[::1]:port`.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(name, _)| name);
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

/// Reads the body of a request, even of a GET, so that no handler waits for a client.
async fn body_of(request: &mut ServiceRequest) -> Result<Bytes, Refusal> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse().ok()).is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Err(Refusal::TooLarge);
    }
    let mut payload = request.take_payload();
    let mut body = BytesMut::new();
    let read = async {
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Refusal::Slow)?;
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Refusal::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    actix_rt::time::timeout(ARRIVAL_TIMEOUT, read).await.map_err(|_| Refusal::Slow)??;
    Ok(body.freeze())
}

/// Whether a body is empty or JSON.
fn is_json(body: &[u8]) -> bool {
    body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// Whether anybody may make this request.
fn is_open(method: &Method, path: &str) -> bool {
    endpoints::is_open(method, path) || page::is_part(path)
}

/// Finds out who sent a request, and notes it for whoever handles it.
async fn identify(
    request: &ServiceRequest,
    rules: &Rules,
    identities: &Identities,
    from: IpAddr,
) -> Result<(), Refusal> {
    let (now, guesses) = (Instant::now(), request.headers().contains_key(header::AUTHORIZATION));
    if guesses && !rules.may_guess(from, now) {
        return Err(Refusal::TooMany);
    }
    match identities.caller(request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(())
        }
        Err(refusal) => {
            if guesses && refusal == Refusal::Token {
                rules.guessed_wrong(from, now);
            }
            Err(refusal)
        }
    }
}

/// Whether a request may pass, once it has arrived completely.
async fn admit(request: &mut ServiceRequest, connection: &Connection) -> Result<(), Refusal> {
    connection.has_request();
    // Without rules, everything is refused.
    let (rules, identities) = (
        request.app_data::<web::Data<Rules>>().cloned(),
        request.app_data::<web::Data<Identities>>().cloned(),
    );
    let (Some(rules), Some(identities), Some(peer)) = (rules, identities, request.peer_addr()) else {
        return Err(Refusal::Token);
    };
    rules.permit(request.path())?;
    rules.host(request.headers())?;
    if !endpoints::has(request.method(), request.path()) {
        return Err(Refusal::Method);
    }
    if !is_open(request.method(), request.path()) {
        identify(request, &rules, &identities, peer.ip()).await?;
    }
    rules.judge(request.method(), request.headers())?;
    let body = body_of(request).await?;
    // What no handler reads must be what it claims to be, too.
    if *request.method() == Method::POST && !is_json(&body) {
        return Err(Refusal::NotJson);
    }
    request.set_payload(body.into());
    match request.path() {
        ALIVE => Ok(()),
        path => connection.start_handling(MONITORED.contains(&path)),
    }
}

/// The middleware that refuses requests that may not pass.
pub(super) async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(connection) = request.conn_data::<Connection>().cloned() else {
        return Ok(refuse(request, Refusal::TooMany));
    };
    let answer = match admit(&mut request, &connection).await {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(refusal) => Ok(refuse(request, refusal)),
    };
    connection.start_reading();
    answer
}

fn refuse(request: ServiceRequest, refusal: Refusal) -> ServiceResponse<BoxBody> {
    let error = ApiError::Refused(refusal);
    let answer = match refusal {
        Refusal::Method => error.response_with(header::ALLOW, &endpoints::allowed(request.path())),
        _ => error.response(),
    };
    request.into_response(answer)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn rules(bound: &str) -> Rules {
        Rules::new(bound.parse().unwrap())
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    const LOOPBACK: &str = "127.0.0.1:7878";
    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[test]
    fn on_loopback_only_loopback_names_are_accepted() {
        let reads = |hosts: &[&str]| {
            let pairs: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            rules(LOOPBACK).judge(&Method::GET, &headers(&pairs))
        };
        for host in
            ["localhost", "localhost:7878", "127.0.0.1:7878", "LOCALHOST:1", "[::1]:7878", "127.8.9.1"]
        {
            assert_eq!(reads(&[host]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7878",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(reads(&[host]), Err(Refusal::ForeignHost), "{host}");
        }
        assert_eq!(reads(&[]), Err(Refusal::NoHost));
        assert_eq!(reads(&["localhost", "evil.example"]), Err(Refusal::NoHost));
    }

    #[test]
    fn on_other_addresses_the_token_decides_not_the_name() {
        let judged = rules("0.0.0.0:7878").judge(&Method::GET, &headers(&[("host", "mynah.example")]));
        assert_eq!(judged, Ok(()));
        for open in ["/health", "/ready", "/", "/dashboard.js"] {
            assert!(is_open(&Method::GET, open), "{open}");
        }
        for closed in ["/api/actors", "/health/", "/%68ealth", "/api/session", "/dashboard.js/", "/events"] {
            assert!(!is_open(&Method::GET, closed), "{closed}");
        }
        assert!(is_open(&Method::POST, "/api/session"));
        assert!(!is_open(&Method::POST, "/health"));
    }

    #[test]
    fn a_foreign_page_cannot_change_anything() {
        let judge = |method: Method, pairs: &[(&str, &str)]| {
            let pairs = [&[("host", "127.0.0.1:7878")], pairs].concat();
            rules(LOOPBACK).judge(&method, &headers(&pairs))
        };
        assert_eq!(judge(Method::POST, &[JSON]), Ok(()));
        assert_eq!(judge(Method::POST, &[JSON, ("origin", "http://127.0.0.1:7878")]), Ok(()));
        for origin in ["https://evil.example", "http://127.0.0.1:80", "null", ""] {
            assert_eq!(
                judge(Method::POST, &[JSON, ("origin", origin)]),
                Err(Refusal::ForeignOrigin),
                "{origin}"
            );
        }
        for kind in [
            "application/x-www-form-urlencoded",
            "text/plain",
            "multipart/form-data",
            "text/application/json",
        ] {
            assert_eq!(judge(Method::POST, &[("content-type", kind)]), Err(Refusal::ContentType), "{kind}");
        }
        assert_eq!(judge(Method::POST, &[]), Err(Refusal::ContentType));
        for site in ["cross-site", "same-site"] {
            assert_eq!(judge(Method::POST, &[JSON, ("sec-fetch-site", site)]), Err(Refusal::ForeignOrigin));
        }
        for site in ["same-origin", "none"] {
            assert_eq!(judge(Method::POST, &[JSON, ("sec-fetch-site", site)]), Ok(()));
        }
        for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            assert_eq!(judge(method, &[JSON]), Err(Refusal::Method));
        }
    }
}
