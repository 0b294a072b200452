//! Serves the pictures and videos of the source's posts as a network's media host would: small, whole or in ranges,
//! missing, or larger than X accepts.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT_RANGES, CONTENT_RANGE, RANGE},
    web,
};

/// A picture of one pixel.
pub(crate) const PNG: &[u8] = b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\x0d\x49\x44\x41\x54\x78\x9c\x63\x30\x4e\x9b\xf9\x1f\x00\x04\x34\x02\x32\x5b\x2d\x0a\xe0\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

/// More than X accepts for a picture.
const LARGE: usize = 6 * 1024 * 1024;

/// A video that does not fit into one chunk.
const VIDEO: usize = 5 * 1024 * 1024 + 17;

/// The first bytes of a video.
const VIDEO_HEAD: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

/// The type of a picture or video by its first bytes, as servers find it out.
pub(crate) fn sniff(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("video/mp4"),
        _ => None,
    }
}

/// A type that a client claims, if servers know it.
pub(crate) fn known_type(claimed: &str) -> &'static str {
    let known = ["image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "application/pdf"];
    known.into_iter().find(|known| *known == claimed).unwrap_or("application/octet-stream")
}

/// A small video.
pub(crate) fn video() -> Vec<u8> {
    VIDEO_HEAD.to_vec()
}

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.route("/media/{name}", web::get().to(serve));
}

async fn serve(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    if name.starts_with("gone") {
        return HttpResponse::NotFound().finish();
    }
    let video = name.ends_with(".mp4");
    let bytes = match (name.starts_with("large"), video) {
        (true, _) => vec![0; LARGE],
        (_, true) => [VIDEO_HEAD, &vec![7; VIDEO - VIDEO_HEAD.len()]].concat(),
        _ => PNG.to_vec(),
    };
    let content_type = if video { "video/mp4" } else { "image/png" };
    let total = bytes.len();
    let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok()).and_then(range_of);
    match range {
        Some((first, last)) if first < total => {
            let last = last.min(total - 1);
            HttpResponse::PartialContent()
                .content_type(content_type)
                .insert_header((CONTENT_RANGE, format!("bytes {first}-{last}/{total}")))
                .body(bytes[first..=last].to_vec())
        }
        Some(_) => HttpResponse::RangeNotSatisfiable().finish(),
        None => {
            HttpResponse::Ok().content_type(content_type).insert_header((ACCEPT_RANGES, "bytes")).body(bytes)
        }
    }
}

/// Parses `bytes=0-99`, the only form that clients send.
fn range_of(range: &str) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}
