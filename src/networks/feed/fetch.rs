//! Fetches a feed as its publisher asks: not before it may have changed, only if it did, and from where it has moved to.
//! What must survive a restart for that is a [`Cached`], which the source stores in the ledger.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};
use mynah_domain::ports::SourceError;
use serde::{Deserialize, Serialize};
use url::Url;

use super::document::{self, Document};
use crate::http_client::{Answer, HttpClient, HttpError, Limits, Request, Transport};

/// The largest feed, in bytes.
const LARGEST: usize = 10 * 1024 * 1024;

/// The most redirects that are followed.
const MOST_REDIRECTS: usize = 5;

/// The longest wait that a feed can ask for. Some ask for a week, and still publish every hour.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// From this size in bytes on, a feed is parsed on another thread: an arbiter has more to do.
const LARGE: usize = 128 * 1024;

const KINDS: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, application/json;q=0.9, */*;q=0.5";

/// What is known about a feed's address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cached {
    /// Where the feed has moved to for good.
    pub(super) moved_to: Option<Url>,
    etag: Option<String>,
    last_modified: Option<String>,
    /// When it may be read again.
    due: Option<Timestamp>,
}

impl Cached {
    /// Whether the feed may be read now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let longest = SignedDuration::try_from(LONGEST_WAIT).unwrap_or(SignedDuration::ZERO);
        // A wait that is longer than any was set by a clock that was wrong.
        self.due.is_none_or(|due| due <= now || due.duration_since(now) > longest)
    }
}

/// How to fetch a feed.
#[derive(Debug, Clone)]
pub(super) struct FetchSettings {
    /// The address in the settings.
    pub(super) address: Url,
    /// How long the whole may take.
    pub(super) timeout: Duration,
    pub(super) connections: usize,
    pub(super) transport: Transport,
}

/// Why a feed could not be fetched.
#[derive(Debug)]
pub(super) enum FetchFailure {
    /// There is no feed any more, and its publisher says that there will be none (410).
    Gone(String),
    /// There is nothing at the address.
    Missing(String),
    /// Any other reason.
    Other(SourceError),
}

/// Fetches one feed.
pub(super) struct Fetcher {
    settings: FetchSettings,
    http: HttpClient,
}

impl Fetcher {
    pub(super) fn new(settings: FetchSettings) -> Self {
        let limits = Limits {
            connections: settings.connections,
            transport: settings.transport,
            timeout: settings.timeout,
            max_body: LARGEST,
        };
        Self { http: HttpClient::shared("feed", limits), settings }
    }

    /// Fetches the feed.
    pub(super) async fn fetch(&self, cached: &Cached) -> Result<(Cached, Document), FetchFailure> {
        match self.in_time(cached, false).await? {
            (cached, Some(document)) => Ok((cached, document)),
            (_, None) => {
                Err(unavailable(self.about("its server answers 304 to a request without conditions")))
            }
        }
    }

    /// Fetches the feed if it is another than the cached one.
    pub(super) async fn fetch_if_changed(
        &self,
        cached: &Cached,
    ) -> Result<(Cached, Option<Document>), FetchFailure> {
        self.in_time(cached, true).await
    }

    async fn in_time(
        &self,
        cached: &Cached,
        is_conditional: bool,
    ) -> Result<(Cached, Option<Document>), FetchFailure> {
        let whole = actix_rt::time::timeout(self.settings.timeout, self.follow(cached, is_conditional));
        whole.await.unwrap_or_else(|_| Err(unavailable(self.about("it did not answer in time"))))
    }

    /// Fetches the feed through redirects.
    async fn follow(
        &self,
        cached: &Cached,
        is_conditional: bool,
    ) -> Result<(Cached, Option<Document>), FetchFailure> {
        let start = cached.moved_to.as_ref().unwrap_or(&self.settings.address);
        let (mut address, mut moved_to) = (start.clone(), cached.moved_to.clone());
        let mut is_permanent = true;
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.http.send(request(&address, cached, is_conditional)).await;
            let answer = answer.map_err(|error| self.explain(&error))?;
            match answer.status {
                301 | 302 | 303 | 307 | 308 => {
                    address = self.target(&answer, &address)?;
                    is_permanent &= matches!(answer.status, 301 | 308);
                    if is_permanent {
                        moved_to = Some(address.clone());
                    }
                }
                304 => {
                    let due = due(&answer, None);
                    return Ok((Cached { moved_to, due, ..cached.clone() }, None));
                }
                200 => {
                    let document = self.read(&answer, address).await?;
                    let text = |name: &str| answer.header(name).map(str::to_owned);
                    let cached = Cached {
                        moved_to,
                        etag: text("etag"),
                        last_modified: text("last-modified"),
                        due: due(&answer, document.ttl_minutes),
                    };
                    return Ok((cached, Some(document)));
                }
                _ => return Err(self.refusal(&answer)),
            }
        }
        Err(unavailable(self.about(&format!("it redirects more than {MOST_REDIRECTS} times"))))
    }

    /// Where a redirect leads.
    fn target(&self, answer: &Answer, from: &Url) -> Result<Url, FetchFailure> {
        let target = answer.header("location").and_then(|location| from.join(location).ok());
        let Some(target) = target else {
            return Err(unavailable(self.about("it redirects to no address")));
        };
        if !matches!(target.scheme(), "http" | "https") {
            let what = format!("it redirects to {}:, and Mynah reads only http and https", target.scheme());
            return Err(unavailable(self.about(&what)));
        }
        // An address on the internet must not make Mynah ask this machine or this network.
        if is_inside(&target) && !is_inside(&self.settings.address) {
            return Err(unavailable(self.about("it redirects into a private network")));
        }
        Ok(target)
    }

    async fn read(&self, answer: &Answer, address: Url) -> Result<Document, FetchFailure> {
        if let Some(coding) = answer.header("content-encoding").filter(|coding| *coding != "identity") {
            let what = format!("it is compressed ({coding}) although Mynah accepts gzip only");
            return Err(unavailable(self.about(&what)));
        }
        let body = answer.body.clone();
        let parsed = if body.len() < LARGE {
            document::parse(&body, &address)
        } else {
            let parsing = actix_rt::task::spawn_blocking(move || document::parse(&body, &address));
            parsing.await.unwrap_or_else(|error| Err(error.to_string()))
        };
        parsed.map_err(|reason| {
            unavailable(self.about(&format!(
                "{}; Mynah tries again at the next poll, but if this stays, set source.account to the feed's address",
                reason.chars().take(300).collect::<String>()
            )))
        })
    }

    fn refusal(&self, answer: &Answer) -> FetchFailure {
        let status = answer.status;
        match status {
            410 => FetchFailure::Gone(self.about(
                "it is gone for good (410); remove this source, or set source.account to the feed's new address",
            )),
            404 => FetchFailure::Missing(
                self.about("there is nothing at this address (404); set source.account to the feed's address"),
            ),
            401 | 403 => FetchFailure::Other(SourceError::Unauthorized(self.about(&format!(
                "its server does not let Mynah read it ({status}); ask its publisher, or follow another feed"
            )))),
            429 => FetchFailure::Other(SourceError::RateLimited {
                reason: self.about("its server was asked too often (429); raise source.poll_interval"),
                until: answer.header("retry-after").and_then(retry_after),
            }),
            _ => unavailable(self.about(&format!("its server answers {status}"))),
        }
    }

    fn explain(&self, error: &HttpError) -> FetchFailure {
        let what = match error {
            HttpError::TooLarge { limit, .. } => {
                format!("it is larger than {} MB, the most that Mynah reads", limit / 1024 / 1024)
            }
            HttpError::Unreachable(_) | HttpError::NoAnswer(_) => error.to_string(),
        };
        unavailable(self.about(&what))
    }

    fn about(&self, what: &str) -> String {
        format!("the feed {} cannot be read: {what}", self.settings.address)
    }
}

fn unavailable(what: String) -> FetchFailure {
    FetchFailure::Other(SourceError::Unavailable(what))
}

fn request(address: &Url, cached: &Cached, is_conditional: bool) -> Request {
    let request = Request::get(address.as_str()).header("accept", KINDS).accept_gzip();
    if !is_conditional {
        return request;
    }
    let conditions = [("if-none-match", &cached.etag), ("if-modified-since", &cached.last_modified)];
    let conditions = conditions.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    conditions.fold(request, |request, (name, value)| request.header(name, value))
}

/// When the feed may be read again, by the headers of the answer and what the feed itself asks for.
fn due(answer: &Answer, ttl_minutes: Option<u32>) -> Option<Timestamp> {
    let ttl = ttl_minutes.map(|minutes| Duration::from_mins(minutes.into()));
    let wait = max_age(answer.header("cache-control")).into_iter().chain(ttl).max()?;
    let wait = SignedDuration::try_from(wait.min(LONGEST_WAIT)).ok()?;
    Some(Timestamp::now() + wait)
}

fn max_age(cache_control: Option<&str>) -> Option<Duration> {
    let seconds = cache_control?.split(',').find_map(|directive| {
        let (name, value) = directive.trim().split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse::<u64>().ok())?
    });
    seconds.map(Duration::from_secs)
}

/// A moment in a `Retry-After` header, which names seconds or a date.
fn retry_after(value: &str) -> Option<Timestamp> {
    match value.trim().parse::<u32>() {
        Ok(seconds) => Some(Timestamp::now() + SignedDuration::from_secs(seconds.into())),
        Err(_) => DateTimeParser::new().parse_timestamp(value.trim()).ok(),
    }
}

/// Whether an address is on this machine or in a private network, as far as the address itself says so.
fn is_inside(address: &Url) -> bool {
    match address.host() {
        Some(url::Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(url::Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
        }
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_waits_as_long_as_its_headers_or_its_ttl_ask_for_up_to_a_bound() {
        let wait = |header: &str, ttl| {
            let answer = Answer::made_up(200, ("cache-control", header), "");
            due(&answer, ttl).map(|due| due.duration_since(Timestamp::now()).as_secs() + 1)
        };
        let about =
            |found: Option<i64>, expected: i64| found.is_some_and(|found| (found - expected).abs() <= 2);
        assert!(about(wait("public, max-age=300", None), 300));
        assert!(about(wait("Max-Age=\"60\"", Some(10)), 600));
        assert!(about(wait("max-age=31536000", None), 3600));
        assert_eq!(wait("no-cache", None), None);
        assert_eq!(wait("max-age=soon", None), None);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_a_feed() {
        let now = Timestamp::now();
        let due =
            |minutes| Cached { due: Some(now + SignedDuration::from_mins(minutes)), ..Cached::default() };
        assert!(!due(30).is_due(now));
        assert!(due(-1).is_due(now) && due(600).is_due(now) && Cached::default().is_due(now));
    }

    #[test]
    fn a_wait_after_too_many_requests_is_seconds_or_a_date() {
        assert!(retry_after("120").unwrap() > Timestamp::now());
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:00 GMT").unwrap().as_second(), 1_792_567_680);
        assert_eq!(retry_after("soon"), None);
    }

    #[test]
    fn private_addresses_are_recognized() {
        for (address, is) in [
            ("http://127.0.0.1/", true),
            ("http://169.254.169.254/latest", true),
            ("http://10.0.0.1/", true),
            ("http://localhost/", true),
            ("http://[::1]/", true),
            ("https://paper.example/", false),
            ("https://93.184.216.34/", false),
        ] {
            assert_eq!(is_inside(&address.parse().unwrap()), is, "{address}");
        }
    }
}
