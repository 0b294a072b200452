//! Uploads pictures and videos with their alt texts. A server may take a while to process one.

use std::time::Duration;

use mynah_domain::ports::{FetchedMedium, MediaId, MediaLimits, UploadError, Uploaded};
use serde_json::Value;

use super::account::Account;
use crate::{
    http_client::Answer,
    networks::mastodon::{
        client::{CallError, MastodonClient},
        text,
        wire::id_of,
    },
};

/// The largest media that are uploaded. Mastodon accepts pictures of 16 MB and videos of 99 MB
/// (`MediaAttachment::IMAGE_LIMIT`, `VIDEO_LIMIT`). A form with a file is in memory as a whole, so videos have to be
/// smaller here.
pub(super) const LIMITS: MediaLimits =
    MediaLimits { network: "Mastodon", picture: 16 * 1024 * 1024, video: 40 * 1024 * 1024 };

/// The types that Mastodon accepts (`MediaAttachment::IMAGE_MIME_TYPES`, `VIDEO_MIME_TYPES`), as far as Mynah recognizes
/// them, with the ending of a file's name.
const TYPES: [(&str, &str); 7] = [
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
];

/// How many times to ask whether a medium is ready, and the longest wait in between.
const CHECKS: u32 = 60;
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Uploads media with the token of one account.
pub(super) struct Uploader<'a> {
    pub(super) client: &'a MastodonClient,
    pub(super) account: &'a Account,
}

impl Uploader<'_> {
    pub(super) async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        let ending = ending(&medium)?;
        let mime = medium.mime;
        let alt: String = alt.trim().chars().take(text::LIMITS.alt_text).collect();
        let form = Form::new();
        let body = form.body(&alt, mime, ending, &medium.content.whole().await?);
        let answer = self.client.post_form("/api/v2/media", &form.content_type(), body).await;
        let (status, attachment) = self.read(answer)?;
        let Some(id) = id_of(&attachment) else {
            let base = self.client.base();
            return Err(UploadError::Unavailable(format!("{base} accepted it but returned no id")));
        };
        let is_ready = status != 202 && attachment.get("url").is_some_and(|url| !url.is_null());
        let attachment = if is_ready { attachment } else { self.processed(&id).await? };
        let stored = attachment.get("description").and_then(Value::as_str).unwrap_or_default();
        let is_lost = !alt.is_empty() && stored.is_empty();
        let undescribed = is_lost.then(|| format!("{} did not store it", self.client.base()));
        Ok(Uploaded { id: MediaId(id), undescribed })
    }

    /// Waits until the server has processed a medium.
    async fn processed(&self, id: &str) -> Result<Value, UploadError> {
        for check in 1..=CHECKS {
            actix_rt::time::sleep((Duration::from_millis(250) * check).min(LONGEST_WAIT)).await;
            let answer = self.client.get_answer(&format!("/api/v1/media/{id}"), &[]).await;
            // 206 as long as it is processed (docs.joinmastodon.org, `GET /api/v1/media/:id`).
            if let (200, attachment) = self.read(answer)? {
                return Ok(attachment);
            }
        }
        Err(UploadError::Unavailable(format!("{} has not finished processing it", self.client.base())))
    }

    fn read(&self, answer: Result<Answer, CallError>) -> Result<(u16, Value), UploadError> {
        let read = answer.and_then(|answer| Ok((answer.status, self.client.read(&answer)?)));
        read.map_err(|error| self.account.uploading(error))
    }
}

/// The ending of the file's name, if Mastodon accepts the medium.
fn ending(medium: &FetchedMedium) -> Result<&'static str, UploadError> {
    let FetchedMedium { mime, size, .. } = medium;
    let Some((_, ending)) = TYPES.iter().find(|(known, _)| known == mime) else {
        return Err(UploadError::Refused(format!("Mastodon does not accept {mime}")));
    };
    let most = if medium.is_video() { LIMITS.video } else { LIMITS.picture };
    if *size > most {
        return Err(UploadError::Refused(format!("it has {size} bytes; the most for Mastodon is {most}")));
    }
    Ok(ending)
}

/// A form with one file (RFC 7578).
struct Form {
    /// Separates the parts, and names the file. It is random, so no file contains it, and no two files have the same name:
    /// snac2 would replace one with the other.
    boundary: String,
}

impl Form {
    fn new() -> Self {
        Self { boundary: format!("mynah-{:032x}", fastrand::u128(..)) }
    }

    fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    fn body(&self, description: &str, mime: &str, ending: &str, file: &[u8]) -> Vec<u8> {
        let Self { boundary } = self;
        let mut body = Vec::with_capacity(file.len() + description.len() + 512);
        if !description.is_empty() {
            let head =
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n");
            body.extend(head.bytes().chain(description.bytes()).chain(*b"\r\n"));
        }
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{boundary}.{ending}\"\r\n\
             Content-Type: {mime}\r\n\r\n"
        );
        body.extend(head.bytes());
        body.extend_from_slice(file);
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_the_description_and_the_bytes_of_the_file() {
        let form = Form { boundary: "b".into() };
        let body = form.body("Un perro", "image/png", "png", &[0, 255]);
        let expected: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nUn perro\r\n\
            --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.png\"\r\nContent-Type: image/png\r\n\r\n\
            \x00\xff\r\n--b--\r\n";
        assert_eq!(body, expected);
        assert!(!form.body("", "image/png", "png", &[]).windows(11).any(|part| part == b"description"));
        assert_ne!(Form::new().boundary, Form::new().boundary);
    }
}
