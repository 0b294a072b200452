//! Finds the picture of an item: an enclosure, an attachment or `media:content`. Feeds list the same picture in several
//! sizes, and audio and text beside it, so one medium is chosen.

use feed_rs::model::{Entry, MediaContent, MediaObject, Text};
use mynah_domain::{Media, MediaKind};

/// Endings of addresses that no picture or video has.
const OTHERS: [&str; 7] = ["mp3", "m4a", "ogg", "opus", "wav", "pdf", "zip"];

/// Endings of addresses of videos.
const VIDEOS: [&str; 4] = ["mp4", "m4v", "mov", "webm"];

/// The picture of an item, otherwise its video. `describe` makes a plain text of a description.
pub(super) fn of(entry: &Entry, describe: impl Fn(&Text) -> String) -> Option<Media> {
    let of_objects = entry.media.iter().filter_map(|object| of_object(object, &describe));
    let of_links = entry.links.iter().filter_map(|link| {
        let is_attached =
            link.rel.as_deref() == Some("enclosure") || (link.rel.is_none() && link.media_type.is_some());
        let kind = kind(link.media_type.as_deref(), &link.href).filter(|_| is_attached)?;
        Some(medium(kind, &link.href, link.title.clone().unwrap_or_default()))
    });
    let found: Vec<Media> = of_objects.chain(of_links).collect();
    let picture = found.iter().find(|medium| medium.kind == MediaKind::Photo).cloned();
    picture.or_else(|| found.into_iter().next())
}

/// The largest form of one medium.
fn of_object(object: &MediaObject, describe: impl Fn(&Text) -> String) -> Option<Media> {
    let forms = object.content.iter().filter_map(|content| {
        let url = content.url.as_ref()?;
        let kind = kind(content.content_type.as_ref().map(|kind| kind.as_str().trim()), url.path())?;
        Some((content, kind, url))
    });
    // Of several with the same size, the first.
    let (_, kind, url) =
        forms.rev().max_by_key(|(content, kind, _)| (*kind == MediaKind::Photo, size(content)))?;
    let description = object.description.as_ref().or(object.title.as_ref()).map(describe);
    Some(medium(kind, url.as_str(), description.unwrap_or_default()))
}

fn size(content: &MediaContent) -> u64 {
    u64::from(content.width.unwrap_or_default()) * u64::from(content.height.unwrap_or(1))
}

/// What an address probably leads to. Its bytes decide later, so a picture is assumed if nothing contradicts.
fn kind(mime: Option<&str>, address: &str) -> Option<MediaKind> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match mime {
        Some(mime) if mime.starts_with("image/") => Some(MediaKind::Photo),
        Some(mime) if mime.starts_with("video/") => Some(MediaKind::Video),
        Some(mime) if !mime.is_empty() => None,
        _ if VIDEOS.contains(&ending.as_str()) => Some(MediaKind::Video),
        _ if OTHERS.contains(&ending.as_str()) => None,
        _ => Some(MediaKind::Photo),
    }
}

fn medium(kind: MediaKind, address: &str, description: String) -> Media {
    let alt = Some(description).filter(|alt| !alt.is_empty());
    Media { key: address.to_owned(), kind, url: Some(address.to_owned()), alt }
}
