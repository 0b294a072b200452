//! Copying pictures and films from where a network keeps them to an account on X, with words on what they show.
//!
//! A post's media are named by somebody else's answer: only their own network's hosts are asked, over https, without
//! redirects (the client follows none), and never for more than X takes. A film is fetched and passed on piece by piece,
//! so that memory stays small however long it is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mynah_domain::{
    Media,
    ports::destination::{CopyError, MediaId},
};
use serde::Deserialize;
use serde_json::json;
use url::{Host, Url};

use crate::{
    http_client::{Answer, HttpClient, HttpError, Limits, Request, Transport},
    x::{XClient, client::CallError, problem::Refusal, wire::One},
};

/// The largest picture that X takes, in bytes (docs.x.com, media best practices).
const PHOTO_MOST: usize = 5 * 1024 * 1024;

/// The largest film, from the same page.
const FILM_MOST: u64 = 512 * 1024 * 1024;

/// How much of a film is in memory at once, in bytes; X takes up to 5 MB in a piece.
const PIECE: u64 = 4 * 1024 * 1024;

/// The most characters of an alt text.
const ALT_MOST: usize = 1000;

/// How often X is asked whether a film is ready, and how long it is left in peace at most in between.
const LOOKS: usize = 60;
const LONGEST_LOOK: Duration = Duration::from_secs(15);

/// Where media may be fetched, and how.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// Hosts that media live on, by name.
    pub hosts: Vec<String>,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// How connections are made and kept.
    pub transport: Transport,
}

/// Copies media.
pub(super) struct Copier {
    settings: MediaSettings,
    http: HttpClient,
}

#[derive(Deserialize)]
struct Uploaded {
    id: String,
    processing_info: Option<Processing>,
}

#[derive(Deserialize)]
struct Processing {
    state: String,
    check_after_secs: Option<u64>,
}

impl Copier {
    pub(super) fn new(settings: MediaSettings) -> Self {
        let limits = Limits {
            connections: 2,
            timeout: settings.timeout,
            transport: settings.transport,
            max_body: PHOTO_MOST,
        };
        Self { http: HttpClient::shared("media", limits), settings }
    }

    pub(super) async fn copy(&self, x: &XClient, medium: &Media, alt: &str) -> Result<MediaId, CopyError> {
        let address = medium.url.as_deref().ok_or_else(|| missing("the network does not say where it is"))?;
        let address = self.allowed(address)?;
        let id = match medium.kind.as_str() {
            "photo" => self.photo(x, &address).await?,
            "video" | "animated_gif" => self.film(x, &address).await?,
            other => return Err(missing(format!("there are no media of kind {other:?}"))),
        };
        let alt: String = alt.chars().take(ALT_MOST).collect();
        if !alt.trim().is_empty() {
            let body = json!({"id": id, "metadata": {"alt_text": {"text": alt}}});
            let _: serde_json::Value = x.post("/2/media/metadata", &body).await.map_err(from_x)?;
        }
        Ok(MediaId(id))
    }

    /// The address, where it may be asked: over https on a host of the settings; over http only on this machine.
    fn allowed(&self, address: &str) -> Result<Url, CopyError> {
        let url = Url::parse(address).map_err(|error| missing(format!("its address is none: {error}")))?;
        let host = url.host_str().unwrap_or_default();
        let here = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            _ => host == "localhost",
        };
        let listed = self.settings.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
        if listed && safe && url.username().is_empty() && url.password().is_none() {
            return Ok(url);
        }
        Err(missing(format!(
            "it is at {}://{host}, and media are fetched over https from {} only (x.media_hosts)",
            url.scheme(),
            self.settings.hosts.join(" and ")
        )))
    }

    async fn photo(&self, x: &XClient, address: &Url) -> Result<String, CopyError> {
        let answer = self.fetch(Request::get(address.as_str())).await?;
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        if !kind.starts_with("image/") {
            return Err(missing(format!("what is there is no picture but {kind:?}")));
        }
        let body = json!({
            "media": STANDARD.encode(&answer.body), "media_category": "tweet_image", "media_type": kind,
        });
        uploaded(x.post("/2/media/upload", &body).await).map(|uploaded| uploaded.id)
    }

    async fn film(&self, x: &XClient, address: &Url) -> Result<String, CopyError> {
        let piece = |from: u64| {
            Request::get(address.as_str()).header("range", format!("bytes={from}-{}", from + PIECE - 1))
        };
        let mut answer = self.fetch(piece(0)).await?;
        let total = total_of(&answer).ok_or_else(|| missing("its host does not say how long it is"))?;
        if total == 0 || total > FILM_MOST {
            return Err(missing(format!("it has {total} bytes, and X takes {FILM_MOST}")));
        }
        let body = json!({"media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": total});
        let id = uploaded(x.post("/2/media/upload/initialize", &body).await)?.id;
        let mut sent = 0;
        for segment in 0.. {
            let body = json!({"segment_index": segment, "media": STANDARD.encode(&answer.body)});
            let _: serde_json::Value =
                x.post(&format!("/2/media/upload/{id}/append"), &body).await.map_err(from_x)?;
            sent += answer.body.len() as u64;
            if sent >= total {
                break;
            }
            answer = self.fetch(piece(sent)).await?;
            if answer.body.is_empty() || total_of(&answer) != Some(total) {
                return Err(later("it changed while it was fetched"));
            }
        }
        let mut state = uploaded(x.post(&format!("/2/media/upload/{id}/finalize"), &json!({})).await)?;
        for _ in 0..LOOKS {
            match state.processing_info.as_ref().map(|info| (info.state.as_str(), info.check_after_secs)) {
                None | Some(("succeeded", _)) => return Ok(id),
                Some(("failed", _)) => return Err(missing("X cannot make sense of the film")),
                Some((_, wait)) => {
                    let wait = Duration::from_secs(wait.unwrap_or(1)).min(LONGEST_LOOK);
                    actix_rt::time::sleep(wait).await;
                }
            }
            let query = [("command", "STATUS"), ("media_id", id.as_str())];
            state = uploaded(x.get("/2/media/upload", &query).await)?;
        }
        Err(later("X has not made the film ready"))
    }

    async fn fetch(&self, request: Request) -> Result<Answer, CopyError> {
        let answer = self.http.send(request).await.map_err(|error| match error {
            HttpError::TooLarge { limit, .. } => {
                missing(format!("it has more than {limit} bytes, the most that X takes"))
            }
            HttpError::Unreachable(_) | HttpError::NoAnswer(_) => later(error.to_string()),
        })?;
        match answer.status {
            200 | 206 => Ok(answer),
            429 | 500.. => Err(later(format!("its host answers {}", answer.status))),
            status => Err(missing(format!("its host answers {status}"))),
        }
    }
}

/// The length of the whole, of which an answer may be a piece.
fn total_of(answer: &Answer) -> Option<u64> {
    match answer.status {
        206 => answer.header("content-range")?.rsplit_once('/')?.1.parse().ok(),
        _ => Some(answer.body.len() as u64),
    }
}

fn uploaded(answer: Result<One<Uploaded>, CallError>) -> Result<Uploaded, CopyError> {
    let uploaded = answer.map_err(from_x)?.data;
    // It goes into a path.
    let plain =
        |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    uploaded.filter(|uploaded| plain(&uploaded.id)).ok_or_else(|| later("X took it and did not say its id"))
}

fn from_x(error: CallError) -> CopyError {
    match error {
        CallError::Unreachable(why)
        | CallError::NoAnswer(why)
        | CallError::Refused(Refusal::Trouble(why)) => later(why),
        CallError::Refused(Refusal::RateLimited { reason, until }) => CopyError::Later { reason, until },
        CallError::Refused(
            Refusal::Duplicate(why)
            | Refusal::ReplyRefused(why)
            | Refusal::Refused(why)
            | Refusal::Unauthorized(why),
        ) => missing(format!("X does not take it: {why}")),
    }
}

fn missing(why: impl Into<String>) -> CopyError {
    CopyError::Missing(why.into())
}

fn later(reason: impl Into<String>) -> CopyError {
    CopyError::Later { reason: reason.into(), until: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_networks_own_hosts_are_asked_and_only_over_https() {
        let hosts = ["pbs.twimg.com", "127.0.0.1"].map(str::to_owned).to_vec();
        let copier = Copier::new(MediaSettings {
            hosts,
            timeout: Duration::from_secs(1),
            transport: Transport::default(),
        });
        for address in
            ["https://pbs.twimg.com/media/a.jpg", "https://PBS.twimg.com/a", "http://127.0.0.1:80/a"]
        {
            assert!(copier.allowed(address).is_ok(), "{address}");
        }
        for address in [
            "http://pbs.twimg.com/media/a.jpg",
            "https://pbs.twimg.com.evil.example/a",
            "https://evil.example/pbs.twimg.com",
            "https://pbs.twimg.com@evil.example/a",
            "https://user@pbs.twimg.com/a",
            "http://169.254.169.254/latest",
            "http://localhost/a",
            "file:///etc/passwd",
            "pbs.twimg.com/a",
        ] {
            assert!(matches!(copier.allowed(address), Err(CopyError::Missing(_))), "{address}");
        }
    }
}
