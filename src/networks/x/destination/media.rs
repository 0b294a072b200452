//! Uploads pictures and videos to an account on X, with alt texts. A video is forwarded piece by piece as it arrives.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mynah_domain::ports::{FetchedMedium, MediaId, MediaLimits, UploadError, Uploaded};
use serde_json::{Value, json};

use crate::{
    networks::x::{XClient, client::CallError, text},
    telemetry::outside::brief,
};

use super::{account::Account, id_in};

/// X's size limits (docs.x.com, media best practices).
pub(super) const LIMITS: MediaLimits =
    MediaLimits { network: "X", picture: 5 * 1024 * 1024, video: 512 * 1024 * 1024 };

/// The types of pictures that X accepts.
const PICTURES: [&str; 6] = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff"];

/// The types of videos that X accepts.
const VIDEOS: [&str; 4] = ["video/mp4", "video/quicktime", "video/webm", "video/mp2t"];

/// How many times to ask X whether a medium is ready, and how many seconds to wait in between.
const CHECKS: usize = 60;
const SECONDS_BETWEEN_CHECKS: std::ops::RangeInclusive<u64> = 1..=15;

/// Uploads media with the credentials of one account.
pub(super) struct Uploader<'a> {
    pub(super) x: &'a XClient,
    pub(super) account: &'a Account,
}

/// A medium that X has received, or begun to receive.
struct Received {
    id: String,
    /// Absent if X has nothing more to do.
    processing_info: Option<Value>,
}

/// Whether X has processed a medium.
#[derive(Debug, PartialEq, Eq)]
enum Processing {
    Ready,
    /// X is processing it; ask again after this long.
    Pending(Duration),
    /// X cannot process it, with X's reason.
    Failed(String),
}

impl Uploader<'_> {
    pub(super) async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        let received =
            if medium.is_video() { self.video(medium).await? } else { self.picture(medium).await? };
        let id = self.processed(received).await?;
        let undescribed = self.describe(&id, alt).await.err();
        Ok(Uploaded { id: MediaId(id), undescribed })
    }

    /// Sets the alt text. The medium is still worth publishing if this fails.
    async fn describe(&self, id: &str, alt: &str) -> Result<(), String> {
        let alt: String = alt.chars().take(text::LIMITS.alt_text).collect();
        if alt.trim().is_empty() {
            return Ok(());
        }
        let body = json!({"id": id, "metadata": {"alt_text": {"text": alt}}});
        let answer: Result<Value, CallError> = self.x.post("/2/media/metadata", &body).await;
        answer.map(drop).map_err(|error| self.account.uploading(error).to_string())
    }

    /// Waits until X has processed a medium; returns its id.
    async fn processed(&self, mut received: Received) -> Result<String, UploadError> {
        for _ in 0..CHECKS {
            match processing(received.processing_info.as_ref()) {
                Processing::Ready => return Ok(received.id),
                Processing::Failed(why) => return Err(refused(format!("X cannot use it: {why}"))),
                Processing::Pending(wait) => actix_rt::time::sleep(wait).await,
            }
            let query = [("command", "STATUS"), ("media_id", received.id.as_str())];
            received = self.received(self.x.get("/2/media/upload", &query).await)?;
        }
        Err(UploadError::Unavailable("X has not finished processing it".into()))
    }

    async fn picture(&self, medium: FetchedMedium) -> Result<Received, UploadError> {
        if !PICTURES.contains(&medium.mime) {
            return Err(refused("it is not a picture that X accepts"));
        }
        if medium.size > LIMITS.picture {
            return Err(refused(format!("it has more than {} bytes, the maximum on X", LIMITS.picture)));
        }
        let picture = medium.content.whole().await?;
        // X detects the type from the bytes; its specification has no field for it.
        let body = json!({"media": STANDARD.encode(&picture), "media_category": "tweet_image"});
        self.received(self.x.post("/2/media/upload", &body).await)
    }

    async fn video(&self, mut medium: FetchedMedium) -> Result<Received, UploadError> {
        let FetchedMedium { mime, size, .. } = medium;
        if !VIDEOS.contains(&mime) {
            return Err(refused("it is not a video that X accepts"));
        }
        if size > LIMITS.video {
            return Err(refused(format!("it has {size} bytes; X accepts at most {}", LIMITS.video)));
        }
        let body = json!({"media_type": mime, "media_category": "tweet_video", "total_bytes": size});
        let id = self.received(self.x.post("/2/media/upload/initialize", &body).await)?.id;
        let mut segment = 0;
        while let Some(piece) = medium.content.next().await? {
            let body = json!({"segment_index": segment, "media": STANDARD.encode(&piece)});
            let appended: Result<Value, CallError> =
                self.x.post(&format!("/2/media/upload/{id}/append"), &body).await;
            appended.map_err(|error| self.account.uploading(error))?;
            segment += 1;
        }
        self.received(self.x.post_without_body(&format!("/2/media/upload/{id}/finalize")).await)
    }

    fn received(&self, answer: Result<Value, CallError>) -> Result<Received, UploadError> {
        let answer = answer.map_err(|error| self.account.uploading(error))?;
        let id = id_in(&answer)
            .ok_or_else(|| UploadError::Unavailable("X accepted it but returned no id".into()))?;
        let processing_info = answer["data"].get("processing_info").filter(|info| !info.is_null()).cloned();
        Ok(Received { id, processing_info })
    }
}

/// Reads X's progress on a medium. An error is final, whatever the state.
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
    let (least, most) = (SECONDS_BETWEEN_CHECKS.start(), SECONDS_BETWEEN_CHECKS.end());
    Processing::Pending(Duration::from_secs(seconds.clamp(*least, *most)))
}

fn refused(why: impl Into<String>) -> UploadError {
    UploadError::Refused(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processing_error_is_final_whatever_the_state() {
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
