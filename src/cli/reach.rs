//! Connects a command with the service that uses this data directory, or with the ledger itself if no service does. The
//! ledger's lock decides which, not a port that answers: after a crash, another program may have the port, and must not
//! receive the token.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use actix_web::web::Bytes;
use futures_util::Stream;
use mynah_domain::ports::Ledger;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::Failure;
use crate::{
    app,
    control::wire::Problem,
    http,
    http_client::{Answer, HttpClient, HttpError, Limits, Request, Streamed},
    settings::Settings,
    telemetry::logging::printable,
};

/// Retrying or skipping all jobs of a long ledger takes a while.
const PATIENCE: Duration = Duration::from_mins(5);

/// What a command works on.
pub(super) enum Reach {
    /// The running service.
    Service(Box<Client>),
    /// The ledger, which no process on this machine uses.
    Ledger(Arc<dyn Ledger>),
}

/// The service if one is running, otherwise the ledger.
pub(super) async fn reach(settings: &Settings) -> Result<Reach, Failure> {
    if let Some(client) = service(settings)? {
        return Ok(Reach::Service(Box::new(client)));
    }
    app::open_ledger(settings).await.map(Reach::Ledger).map_err(|error| Failure::Work(error.to_string()))
}

/// The service that uses this data directory, if one is running.
pub(super) fn service(settings: &Settings) -> Result<Option<Client>, Failure> {
    if !settings.place().is_in_use().map_err(|error| Failure::Work(error.to_string()))? {
        return Ok(None);
    }
    let Some(address) = http::address_in(&settings.data_dir) else {
        return Err(Failure::Work(format!(
            "a mynah process uses {} but has no admin API: it is `mynah once`, is starting or stopping, or has \
            admin.listen = \"off\"; try again, or stop it first",
            settings.data_dir.display()
        )));
    };
    Client::new(address, settings).map(Some)
}

/// The service that uses this data directory; an error if none is running.
pub(super) fn running(settings: &Settings) -> Result<Client, Failure> {
    let none = || {
        Failure::Work(format!("no service uses {}; start one with `mynah run`", settings.data_dir.display()))
    };
    service(settings)?.ok_or_else(none)
}

/// Calls the admin API of one service.
pub(super) struct Client {
    base: Url,
    token: Option<SecretString>,
    http: HttpClient,
    data_dir: PathBuf,
}

impl Client {
    fn new(address: SocketAddr, settings: &Settings) -> Result<Self, Failure> {
        // A service that listens on all addresses listens on this machine.
        let ip = match address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let base = format!("http://{}/", SocketAddr::new(ip, address.port()));
        let base = Url::parse(&base).map_err(|error| Failure::Work(format!("{base}: {error}")))?;
        let limits = Limits { timeout: PATIENCE, connections: 1, ..Limits::default() };
        Ok(Self {
            base,
            token: settings.admin.token.clone(),
            http: HttpClient::new(limits),
            data_dir: settings.data_dir.clone(),
        })
    }

    /// The address of a path, whose parts may contain any characters.
    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // It has a host, so it has a path.
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.clear().extend(path);
        }
        url
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, Failure> {
        self.send(Request::get(url)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = Request::post(url)
            .json(body)
            .map_err(|error| Failure::Work(format!("cannot send the request: {error}")))?;
        self.send(request).await
    }

    /// The body as a stream, until it ends.
    pub(super) async fn stream(
        &self,
        url: Url,
    ) -> Result<impl Stream<Item = Result<Bytes, HttpError>> + Unpin, Failure> {
        let answer = self.http.stream(self.with_token(Request::get(url))).await;
        match answer.map_err(|error| self.unanswered(&error))? {
            Streamed::Stream(stream) => Ok(stream),
            Streamed::Refused(answer) => Err(refused(&answer)),
        }
    }

    fn with_token(&self, request: Request) -> Request {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {}", token.expose_secret())),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let answer =
            self.http.send(self.with_token(request)).await.map_err(|error| self.unanswered(&error))?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| self.unanswered(&error))
    }

    fn unanswered(&self, error: &dyn fmt::Display) -> Failure {
        let (data_dir, address) = (self.data_dir.display(), self.base.authority());
        let error = error.to_string();
        // The client's error names "the server", which is this service.
        let error = error.trim_start_matches("cannot reach the server: ");
        Failure::Work(format!(
            "the service that uses {data_dir} does not answer at {address}: {error}; see its log, or restart it. If it \
            runs in a container, run this command there: docker compose exec mynah mynah …"
        ))
    }
}

fn refused(answer: &Answer) -> Failure {
    if answer.status == 401 {
        return Failure::Work(
            "the service requires a token: set MYNAH_ADMIN_TOKEN to the same value as for the service, or to the token of a \
            user (`mynah users`)"
                .into(),
        );
    }
    if let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) {
        return Failure::Work(printable(&problem.error).into_owned());
    }
    let head: String = answer.text().chars().take(200).collect();
    Failure::Work(format!("the service answers {}: {}", answer.status, printable(&head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_any_characters_is_one_part_of_the_path() {
        let client = Client {
            base: "http://127.0.0.1:1/".parse().unwrap(),
            token: None,
            http: HttpClient::new(Limits::default()),
            data_dir: PathBuf::new(),
        };
        let url = client.url(&["api", "actors", "a/../b?c#d", "restart"]);
        assert_eq!(url.as_str(), "http://127.0.0.1:1/api/actors/a%2F..%2Fb%3Fc%23d/restart");
    }
}
