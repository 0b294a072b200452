//! Copying pictures and films from where a network keeps them to an account on X, with words on what they show.
//!
//! A post's media are named by somebody else's answer: only their own network's hosts are asked, over https, without
//! redirects (the client follows none), and never for more than X takes. A film is fetched and passed on piece by piece,
//! so that memory stays small however long it is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mynah_domain::{
    Media, MediaKind,
    ports::{Copied, CopyError, MediaId},
};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::{
    http_client::{Answer, HttpClient, HttpError, Limits, Request, Transport},
    networks::x::{XClient, client::CallError},
    telemetry::outside::brief,
};

use super::{account::Account, id_in, kinds};

/// The largest picture that X takes, in bytes (docs.x.com, media best practices).
const PHOTO_MOST: usize = 5 * 1024 * 1024;

/// The largest film, from the same page.
const FILM_MOST: u64 = 512 * 1024 * 1024;

/// How much of a film is in memory at once, in bytes; X takes up to 5 MB in a piece.
const PIECE: u64 = 4 * 1024 * 1024;

/// The most characters of an alt text.
const ALT_MOST: usize = 1000;

/// How often X is asked whether a medium is ready, and how many seconds it is left in peace in between.
const LOOKS: usize = 60;
const SECONDS_BETWEEN_LOOKS: std::ops::RangeInclusive<u64> = 1..=15;

/// Where X keeps pictures, and the names of their sizes there, the largest first. Without one it serves a small form.
const PICTURES: &str = "pbs.twimg.com";
const SIZES: [&str; 3] = ["orig", "4096x4096", "large"];

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
    account: Account,
    http: HttpClient,
}

/// A medium that X has, or has begun to take.
struct Uploaded {
    id: String,
    /// Absent where X has nothing more to do.
    processing_info: Option<Value>,
}

/// Whether X has made a medium ready.
#[derive(Debug, PartialEq, Eq)]
enum Processing {
    Ready,
    /// X works on it; to be asked again after this long.
    Pending(Duration),
    /// It cannot be, in X's words.
    Failed(String),
}

impl Copier {
    pub(super) fn new(settings: MediaSettings, account: Account) -> Self {
        let limits = Limits {
            connections: 2,
            timeout: settings.timeout,
            transport: settings.transport,
            max_body: PHOTO_MOST,
        };
        Self { http: HttpClient::shared("media", limits), settings, account }
    }

    pub(super) async fn copy(&self, x: &XClient, medium: &Media, alt: &str) -> Result<Copied, CopyError> {
        let address = medium.url.as_deref().ok_or_else(|| missing("the network does not say where it is"))?;
        let address = self.allowed(address)?;
        let uploaded = match &medium.kind {
            MediaKind::Photo => self.photo(x, &address).await?,
            MediaKind::Video | MediaKind::Animation => self.film(x, &address).await?,
            MediaKind::Other(other) => return Err(missing(format!("there are no media of kind {other:?}"))),
        };
        let id = self.processed(x, uploaded).await?;
        let undescribed = self.describe(x, &id, alt).await.err();
        Ok(Copied { id: MediaId(id), undescribed })
    }

    /// Says what a medium shows. Without it the medium is still worth publishing.
    async fn describe(&self, x: &XClient, id: &str, alt: &str) -> Result<(), String> {
        let alt: String = alt.chars().take(ALT_MOST).collect();
        if alt.trim().is_empty() {
            return Ok(());
        }
        let body = json!({"id": id, "metadata": {"alt_text": {"text": alt}}});
        let answer: Result<Value, CallError> = x.post("/2/media/metadata", &body).await;
        answer.map(drop).map_err(|error| self.account.copying(error).to_string())
    }

    /// Waits until X has made a medium ready; answers its id.
    async fn processed(&self, x: &XClient, mut uploaded: Uploaded) -> Result<String, CopyError> {
        for _ in 0..LOOKS {
            match processing(uploaded.processing_info.as_ref()) {
                Processing::Ready => return Ok(uploaded.id),
                Processing::Failed(why) => return Err(missing(format!("X cannot use it: {why}"))),
                Processing::Pending(wait) => actix_rt::time::sleep(wait).await,
            }
            let query = [("command", "STATUS"), ("media_id", uploaded.id.as_str())];
            uploaded = self.uploaded(x.get("/2/media/upload", &query).await)?;
        }
        Err(unavailable("X has not made it ready"))
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

    /// Copies a picture in the largest form that X takes.
    async fn photo(&self, x: &XClient, address: &Url) -> Result<Uploaded, CopyError> {
        let mut fetched = Err(missing("it has no address"));
        for form in forms(address) {
            fetched = self.fetch(Request::get(form)).await;
            // Too large in this form, or not kept in it; what did not answer is asked again later.
            if !matches!(fetched, Err(CopyError::Missing(_))) {
                break;
            }
        }
        let picture = fetched?.body;
        if kinds::picture(&picture).is_none() {
            return Err(missing("what is there is no picture that X takes"));
        }
        // X reads the type from the bytes; its specification has no other place for it.
        let body = json!({"media": STANDARD.encode(&picture), "media_category": "tweet_image"});
        self.uploaded(x.post("/2/media/upload", &body).await)
    }

    async fn film(&self, x: &XClient, address: &Url) -> Result<Uploaded, CopyError> {
        let piece = |from: u64| {
            Request::get(address.as_str()).header("range", format!("bytes={from}-{}", from + PIECE - 1))
        };
        let mut answer = self.fetch(piece(0)).await?;
        let kind =
            kinds::film(&answer.body).ok_or_else(|| missing("what is there is no film that X takes"))?;
        let total = total_of(&answer).ok_or_else(|| missing("its host does not say how long it is"))?;
        if total > FILM_MOST {
            return Err(missing(format!("it has {total} bytes, and X takes {FILM_MOST}")));
        }
        let body = json!({"media_type": kind, "media_category": "tweet_video", "total_bytes": total});
        let id = self.uploaded(x.post("/2/media/upload/initialize", &body).await)?.id;
        let mut sent = 0;
        for segment in 0.. {
            let body = json!({"segment_index": segment, "media": STANDARD.encode(&answer.body)});
            let appended: Result<Value, CallError> =
                x.post(&format!("/2/media/upload/{id}/append"), &body).await;
            appended.map_err(|error| self.account.copying(error))?;
            sent += answer.body.len() as u64;
            if sent >= total {
                break;
            }
            answer = self.fetch(piece(sent)).await?;
            if answer.body.is_empty() || total_of(&answer) != Some(total) {
                return Err(unavailable("it changed while it was fetched"));
            }
        }
        self.uploaded(x.post_without_body(&format!("/2/media/upload/{id}/finalize")).await)
    }

    fn uploaded(&self, answer: Result<Value, CallError>) -> Result<Uploaded, CopyError> {
        let answer = answer.map_err(|error| self.account.copying(error))?;
        let id = id_in(&answer).ok_or_else(|| unavailable("X took it and did not say its id"))?;
        let processing_info = answer["data"].get("processing_info").filter(|info| !info.is_null()).cloned();
        Ok(Uploaded { id, processing_info })
    }

    async fn fetch(&self, request: Request) -> Result<Answer, CopyError> {
        let answer = self.http.send(request).await.map_err(|error| match error {
            HttpError::TooLarge { limit, .. } => {
                missing(format!("it has more than {limit} bytes, the most that X takes"))
            }
            HttpError::Unreachable(_) | HttpError::NoAnswer(_) => unavailable(error.to_string()),
        })?;
        match answer.status {
            200 | 206 => Ok(answer),
            429 | 500.. => Err(unavailable(format!("its host answers {}", answer.status))),
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

/// The addresses to fetch a picture from, the best first: its largest form at X's own host, elsewhere the one it has.
fn forms(address: &Url) -> Vec<Url> {
    let is_xs = address.host_str() == Some(PICTURES) && address.path().starts_with("/media/");
    let sizes = if is_xs { &SIZES[..] } else { &[] };
    let mut forms: Vec<Url> = sizes.iter().map(|size| in_size(address, size)).collect();
    if !forms.contains(address) {
        forms.push(address.clone());
    }
    forms
}

/// The address of a picture of X's in one of its sizes. An older way to name the size is `:large` behind the name.
fn in_size(address: &Url, size: &str) -> Url {
    let mut form = address.clone();
    if let Some((path, _)) = address.path().split_once(':') {
        form.set_path(path);
    }
    let others = address.query_pairs().filter(|(name, _)| name != "name");
    form.query_pairs_mut().clear().extend_pairs(others).append_pair("name", size);
    form
}

/// What X says of its work on a medium. An error ends it, whatever the state beside it.
fn processing(info: Option<&Value>) -> Processing {
    let Some(info) = info else { return Processing::Ready };
    let state = info.get("state").and_then(Value::as_str).unwrap_or_default();
    let error = info.get("error").filter(|error| !error.is_null());
    if error.is_some() || state == "failed" {
        let text = |name: &str| error?.get(name)?.as_str().filter(|text| !text.is_empty());
        let code = error.and_then(|error| error.get("code")?.as_i64()).map(|code| format!("error {code}"));
        let words = text("message").or_else(|| text("name")).map(brief);
        return Processing::Failed(words.or(code).unwrap_or_else(|| "no reason given".into()));
    }
    if state == "succeeded" {
        return Processing::Ready;
    }
    let seconds = info.get("check_after_secs").and_then(Value::as_u64).unwrap_or(1);
    let (least, most) = (SECONDS_BETWEEN_LOOKS.start(), SECONDS_BETWEEN_LOOKS.end());
    Processing::Pending(Duration::from_secs(seconds.clamp(*least, *most)))
}

fn missing(why: impl Into<String>) -> CopyError {
    CopyError::Missing(why.into())
}

fn unavailable(why: impl Into<String>) -> CopyError {
    CopyError::Unavailable(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_networks_own_hosts_are_asked_and_only_over_https() {
        let hosts = ["pbs.twimg.com", "127.0.0.1"].map(str::to_owned).to_vec();
        let settings =
            MediaSettings { hosts, timeout: Duration::from_secs(1), transport: Transport::default() };
        let account = Account { handle: "town_es".into(), variables: "X_TOWN_ES_OAUTH2_TOKEN".into() };
        let copier = Copier::new(settings, account);
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

    #[test]
    fn pictures_are_fetched_in_their_largest_form_where_the_host_has_several() {
        let forms = |address: &str| -> Vec<String> {
            forms(&address.parse().unwrap()).iter().map(Url::to_string).collect()
        };
        for (address, largest, last) in [
            (
                "https://pbs.twimg.com/media/A.jpg",
                "https://pbs.twimg.com/media/A.jpg?name=orig",
                "https://pbs.twimg.com/media/A.jpg",
            ),
            (
                "https://pbs.twimg.com/media/A?format=jpg&name=small",
                "https://pbs.twimg.com/media/A?format=jpg&name=orig",
                "https://pbs.twimg.com/media/A?format=jpg&name=small",
            ),
            (
                "https://pbs.twimg.com/media/A.png:large",
                "https://pbs.twimg.com/media/A.png?name=orig",
                "https://pbs.twimg.com/media/A.png:large",
            ),
        ] {
            let forms = forms(address);
            assert_eq!((forms.len(), &*forms[0], &*forms[3]), (4, largest, last));
            assert!(forms[1].ends_with("name=4096x4096") && forms[2].ends_with("name=large"), "{forms:?}");
        }
        for address in [
            "https://pbs.twimg.com/profile_images/1/a.jpg",
            "https://video.twimg.com/media/a.mp4",
            "https://example.com/media/a.jpg?name=small",
            "http://127.0.0.1:8080/media/a.png",
        ] {
            assert_eq!(forms(address), [address]);
        }
        assert_eq!(forms("https://pbs.twimg.com/media/A.jpg?name=orig").len(), 3, "no form is fetched twice");
    }

    #[test]
    fn an_error_of_processing_ends_it_whatever_the_state_beside_it() {
        let failed = |words: &str| Processing::Failed(words.into());
        let pending = |seconds| Processing::Pending(Duration::from_secs(seconds));
        for (info, meaning) in [
            (json!({"state": "succeeded"}), Processing::Ready),
            (json!({"state": "succeeded", "error": null}), Processing::Ready),
            (json!({"state": "pending", "check_after_secs": 3}), pending(3)),
            (json!({"state": "in_progress", "check_after_secs": 0}), pending(1)),
            (json!({"state": "in_progress", "check_after_secs": 86400}), pending(15)),
            (json!({"state": "in_progress", "check_after_secs": -1}), pending(1)),
            (json!({"state": null}), pending(1)),
            (json!({"state": "failed"}), failed("no reason given")),
            (
                json!({"state": "failed", "error": {"message": "Duration too long"}}),
                failed("Duration too long"),
            ),
            (
                json!({"state": "pending", "error": {"message": "Duration too long"}}),
                failed("Duration too long"),
            ),
            (
                json!({"state": "succeeded", "error": {"name": "InvalidMedia", "message": ""}}),
                failed("InvalidMedia"),
            ),
            (json!({"error": {"code": 3, "name": null}}), failed("error 3")),
            (json!({"error": "odd"}), failed("no reason given")),
        ] {
            assert_eq!(processing(Some(&info)), meaning, "{info}");
        }
        assert_eq!(processing(None), Processing::Ready);
    }
}
