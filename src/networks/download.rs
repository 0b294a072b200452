//! Downloads media. Their addresses come from a network's answers and cannot be trusted: Mynah contacts only hosts that
//! the settings list, over https, without redirects, and never fetches more than the target accepts. It fetches a video
//! piece by piece, so that memory use stays small.

use std::{rc::Rc, time::Duration};

use async_trait::async_trait;
use mynah_domain::ports::{Content, FetchError, FetchedMedium, MediaLimits, Pieces};
use url::{Host, Url};

use super::sniff;
use crate::http_client::{Answer, HttpClient, HttpError, Limits, Request, Transport};

/// The size of a video's pieces in bytes. Networks that accept pieces accept this size.
const PIECE: u64 = 4 * 1024 * 1024;

/// The maximum of one medium in memory, in bytes: a picture, or a piece of a video.
const BODY_MOST: usize = 5 * 1024 * 1024;

/// Where and how media may be fetched.
#[derive(Debug, Clone)]
pub struct DownloadSettings {
    /// The hosts of media.
    pub hosts: Vec<String>,
    /// The setting that lists them, for messages.
    pub setting: &'static str,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// How connections are opened and reused.
    pub transport: Transport,
}

/// Downloads media from listed hosts.
#[derive(Clone)]
pub struct Downloader {
    settings: Rc<DownloadSettings>,
    http: HttpClient,
}

impl Downloader {
    /// A downloader with this thread's client.
    pub fn new(settings: DownloadSettings) -> Self {
        let limits = Limits {
            connections: 2,
            timeout: settings.timeout,
            transport: settings.transport,
            max_body: BODY_MOST,
        };
        Self { http: HttpClient::shared("media", limits), settings: Rc::new(settings) }
    }

    /// The address, if it may be fetched: over https from a listed host, or over http from this machine.
    ///
    /// # Errors
    /// Names the allowed hosts and the setting.
    pub fn allowed(&self, address: &str) -> Result<Url, FetchError> {
        let url =
            Url::parse(address).map_err(|error| missing(format!("its address is not valid: {error}")))?;
        let host = url.host_str().unwrap_or_default();
        let here = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            _ => host == "localhost",
        };
        let DownloadSettings { hosts, setting, .. } = &*self.settings;
        let listed = hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
        if listed && safe && url.username().is_empty() && url.password().is_none() {
            return Ok(url);
        }
        Err(missing(format!(
            "it is at {}://{host}, but Mynah fetches media only over https from {} ({setting})",
            url.scheme(),
            hosts.join(" and ")
        )))
    }

    /// Fetches the first of a picture's forms that is within the limits.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn picture(&self, forms: Vec<Url>, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        let mut fetched = Err(missing("it has no address"));
        for form in forms {
            let answer = self.fetch(Request::get(form), limits.network, limits.picture).await;
            fetched = answer.and_then(|answer| picture(answer.body.into(), limits));
            // Missing means too large in this form, not available in it, or not a picture. A host that did not answer is
            // tried again later.
            if !matches!(fetched, Err(FetchError::Missing(_))) {
                break;
            }
        }
        fetched
    }

    /// Fetches the first piece of a video; the rest is fetched on demand.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn video(&self, address: &Url, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        let mut video =
            Video { from: self.clone(), address: address.clone(), total: 0, fetched: 0, first: None };
        let answer = video.piece().await?;
        let mime = sniff::video(&answer.body)
            .ok_or_else(|| missing(format!("its address has no video that {} accepts", limits.network)))?;
        let size = total_of(&answer).ok_or_else(|| missing("its host does not report its size"))?;
        if size > limits.video {
            return Err(missing(format!(
                "it has {size} bytes; {} accepts at most {}",
                limits.network, limits.video
            )));
        }
        video.total = size;
        video.fetched = answer.body.len() as u64;
        video.first = Some(answer.body.into());
        Ok(FetchedMedium { mime, size, content: Content::Pieces(Box::new(video)) })
    }

    async fn fetch(&self, request: Request, network: &str, most: u64) -> Result<Answer, FetchError> {
        let answer = self.http.send(request).await.map_err(|error| match error {
            HttpError::TooLarge { limit, .. } => too_large(network, most.min(limit as u64)),
            HttpError::Unreachable(_) | HttpError::NoAnswer(_) => FetchError::Unavailable(error.to_string()),
        })?;
        successful(answer)
    }
}

/// A video of which at most one piece is in memory.
struct Video {
    from: Downloader,
    address: Url,
    total: u64,
    fetched: u64,
    /// The first piece, fetched to detect the type, until it is handed out.
    first: Option<Vec<u8>>,
}

impl Video {
    /// Fetches the next piece.
    async fn piece(&self) -> Result<Answer, FetchError> {
        let (first, last) = (self.fetched, self.fetched + PIECE - 1);
        let request = Request::get(self.address.as_str()).header("range", format!("bytes={first}-{last}"));
        let answer = self.from.http.send(request).await.map_err(|error| match error {
            HttpError::TooLarge { limit, .. } => {
                missing(format!("its host offers no parts of it, and the whole has more than {limit} bytes"))
            }
            HttpError::Unreachable(_) | HttpError::NoAnswer(_) => FetchError::Unavailable(error.to_string()),
        })?;
        let answer = successful(answer)?;
        if first_byte_of(&answer) != Some(first) {
            return Err(missing("its host sent another part of it than was requested"));
        }
        Ok(answer)
    }
}

#[async_trait(?Send)]
impl Pieces for Video {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.fetched >= self.total {
            return Ok(None);
        }
        let answer = self.piece().await?;
        if answer.body.is_empty() || total_of(&answer) != Some(self.total) {
            return Err(FetchError::Unavailable("it changed while it was fetched".into()));
        }
        self.fetched += answer.body.len() as u64;
        Ok(Some(answer.body.into()))
    }
}

/// The picture that these bytes are, wherever they came from.
///
/// # Errors
/// Says why the target does not accept it: too large, or no picture.
pub fn picture(bytes: Vec<u8>, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
    if bytes.len() as u64 > limits.picture {
        return Err(too_large(limits.network, limits.picture));
    }
    let mime = sniff::picture(&bytes)
        .ok_or_else(|| missing(format!("its address has no picture that {} accepts", limits.network)))?;
    Ok(FetchedMedium { mime, size: bytes.len() as u64, content: Content::Whole(bytes) })
}

fn successful(answer: Answer) -> Result<Answer, FetchError> {
    match answer.status {
        200 | 206 => Ok(answer),
        429 | 500.. => Err(FetchError::Unavailable(format!("its host answers {}", answer.status))),
        status => Err(missing(format!("its host answers {status}"))),
    }
}

/// The position of the answer's first byte in the whole.
fn first_byte_of(answer: &Answer) -> Option<u64> {
    match answer.status {
        206 => {
            let range = answer.header("content-range")?.trim_start().strip_prefix("bytes")?;
            range.trim_start().split_once('-')?.0.parse().ok()
        }
        _ => Some(0),
    }
}

/// The total length; an answer may be only a piece.
fn total_of(answer: &Answer) -> Option<u64> {
    match answer.status {
        206 => answer.header("content-range")?.rsplit_once('/')?.1.parse().ok(),
        _ => Some(answer.body.len() as u64),
    }
}

fn too_large(network: &str, most: u64) -> FetchError {
    missing(format!("it has more than {most} bytes, the maximum on {network}"))
}

fn missing(why: impl Into<String>) -> FetchError {
    FetchError::Missing(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_fetched_only_from_listed_hosts_and_only_over_https() {
        let settings = DownloadSettings {
            hosts: ["media.example.com", "127.0.0.1"].map(str::to_owned).to_vec(),
            setting: "x.media_hosts",
            timeout: Duration::from_secs(1),
            transport: Transport::default(),
        };
        let downloader = Downloader::new(settings);
        for address in
            ["https://media.example.com/a.jpg", "https://MEDIA.example.com/a", "http://127.0.0.1:80/a"]
        {
            assert!(downloader.allowed(address).is_ok(), "{address}");
        }
        for address in [
            "http://media.example.com/a.jpg",
            "https://media.example.com.evil.example/a",
            "https://evil.example/media.example.com",
            "https://media.example.com@evil.example/a",
            "https://user@media.example.com/a",
            "http://169.254.169.254/latest",
            "http://localhost/a",
            "file:///etc/passwd",
            "media.example.com/a",
        ] {
            assert!(matches!(downloader.allowed(address), Err(FetchError::Missing(_))), "{address}");
        }
    }
}
