//! Uploads pictures and videos. A server stores them without describing them: the alt text and the sides go with the
//! message, so the medium's id carries them.

use actix_web::web::Bytes;
use mynah_domain::ports::{FetchedMedium, MediaId, MediaLimits, UploadError, Uploaded};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::picture::{self, Fitted};

/// What is accepted. A larger picture than Bluesky's is scaled down. A video is in memory while it is uploaded, so it is
/// smaller than the 100 MB of the lexicon app.bsky.embed.video.
pub(super) const LIMITS: MediaLimits =
    MediaLimits { network: "Bluesky", picture: 16 * 1024 * 1024, video: 50 * 1024 * 1024 };

/// The types of pictures that Bluesky's apps show.
const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// The type of videos that Bluesky accepts.
const VIDEO: &str = "video/mp4";

/// A medium that was uploaded, as its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Attachment {
    pub(super) kind: Kind,
    /// The server's reference to the bytes, which the message repeats.
    pub(super) blob: Value,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) alt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sides: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Picture,
    Video,
}

impl Attachment {
    pub(super) fn named(MediaId(id): &MediaId) -> Option<Self> {
        serde_json::from_str(id).ok()
    }

    pub(super) fn uploaded(&self) -> Uploaded {
        // JSON values are always text.
        Uploaded { id: MediaId(serde_json::to_string(self).unwrap_or_default()), undescribed: None }
    }
}

/// A medium that is ready to be uploaded.
pub(super) struct Prepared {
    pub(super) kind: Kind,
    pub(super) mime: &'static str,
    pub(super) bytes: Bytes,
    pub(super) sides: Option<(u32, u32)>,
}

/// Makes a medium ready.
pub(super) async fn prepared(medium: FetchedMedium) -> Result<Prepared, UploadError> {
    let refused = |why: String| Err(UploadError::Refused(why));
    let FetchedMedium { mime, size, content } = medium;
    let (kind, most) = match mime {
        VIDEO => (Kind::Video, LIMITS.video),
        mime if PICTURES.contains(&mime) => (Kind::Picture, LIMITS.picture),
        other => return refused(format!("Bluesky does not accept {other}")),
    };
    if size > most {
        return refused(format!("it has {size} bytes; Mynah uploads at most {most} to Bluesky"));
    }
    let bytes = content.whole().await?;
    if kind == Kind::Video {
        return Ok(Prepared { kind, mime, bytes: bytes.into(), sides: None });
    }
    let fitted = actix_rt::task::spawn_blocking(move || picture::fit(mime, bytes)).await;
    match fitted {
        Ok(Ok(Fitted { mime, bytes, sides })) => Ok(Prepared { kind, mime, bytes: bytes.into(), sides }),
        Ok(Err(why)) => refused(why),
        // A decoder that panics on these bytes would do so again.
        Err(error) => refused(format!("it cannot be scaled down: {error}")),
    }
}
