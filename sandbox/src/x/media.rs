//! X's media API v2: an upload in one request or in chunks, then the alt text. The bytes are counted, sniffed for
//! their type and dropped; what matters here is that ids, sizes and order are right.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, http::header::CONTENT_TYPE, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    auth::{self, Actor},
    json_ok,
    problems::Problem,
    query::{self, Query, path_id},
};
use crate::{
    endpoint::Endpoint,
    multipart,
    state::State,
    timeline::MediaKind,
    world::{Upload, UploadState},
};

const EXPIRES_AFTER: u64 = 86_400;
const MAX_IMAGE_BYTES: u64 = 5 * 1024 * 1024;
const MAX_GIF_BYTES: u64 = 15 * 1024 * 1024;
const MAX_VIDEO_BYTES: u64 = 512 * 1024 * 1024;
const MAX_ALT_LENGTH: usize = 1000;
const SEGMENTS: u64 = 1000;
/// The categories of a chunked upload. An upload in one request accepts all but the first.
const CATEGORIES: [&str; 8] = [
    "amplify_video",
    "tweet_image",
    "tweet_gif",
    "tweet_video",
    "dm_image",
    "dm_gif",
    "dm_video",
    "subtitles",
];

/// The media types of a chunked upload.
const TYPES: [&str; 15] = [
    "video/mp4",
    "video/webm",
    "video/mp2t",
    "video/quicktime",
    "text/srt",
    "text/vtt",
    "image/jpeg",
    "image/gif",
    "image/bmp",
    "image/png",
    "image/webp",
    "image/pjpeg",
    "image/tiff",
    "model/gltf-binary",
    "model/vnd.usdz+zip",
];

/// The fields of a multipart or JSON body, with the media as bytes.
struct Form {
    values: HashMap<String, Value>,
    media: Option<Vec<u8>>,
}

impl Form {
    fn read(request: &HttpRequest, bytes: &[u8], known: &[&str]) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default();
        let form = if content_type.starts_with("multipart/form-data") {
            let mut parts = multipart::parse(content_type, bytes)
                .ok_or_else(|| Problem::body("The multipart body is not valid."))?;
            let media = parts.remove("media");
            let values = parts
                .into_iter()
                .map(|(name, bytes)| (name, json!(String::from_utf8_lossy(&bytes))))
                .collect();
            Self { values, media }
        } else {
            let mut values: HashMap<String, Value> = serde_json::from_slice(bytes).map_err(|error| {
                Problem::body(format!("Requests with bodies must have a valid JSON body: {error}"))
            })?;
            let media = match values.remove("media") {
                Some(Value::String(text)) => {
                    let decoded = STANDARD.decode(text);
                    Some(decoded.map_err(|_| Problem::body("[$.media: must be base64]"))?)
                }
                Some(_) => return Err(Problem::body("[$.media: must be a string]")),
                None => None,
            };
            Self { values, media }
        };
        match form.values.keys().find(|key| !known.contains(&&***key)) {
            Some(key) => Err(Problem::body(format!(
                "[$.{key}: is not defined in the schema and the schema does not allow additional properties]"
            ))),
            None => Ok(form),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    fn number(&self, key: &str) -> Option<u64> {
        let value = self.values.get(key)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// The category, which must be one of `known`.
    fn category(&self, known: &[&str]) -> Result<&str, Problem> {
        self.text("media_category")
            .filter(|category| known.contains(category))
            .ok_or_else(|| Problem::body(format!("[$.media_category: must be one of {known:?}]")))
    }
}

pub(crate) async fn upload(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::MediaUpload)?;
    // Until August 2026 the specification also had `media_type` and `shared`.
    let form = Form::read(&request, &bytes, &["media_category", "additional_owners"])?;
    let kind = kind_of(form.category(&CATEGORIES[1..])?);
    let media = form.media.as_deref().filter(|media| !media.is_empty());
    let media = media.ok_or_else(|| Problem::body("[$.media: is missing but it is required]"))?;
    let size = length(media);
    check_size(kind, size)?;
    let media_type = sniff(media).to_owned();
    let id = begin(&state, actor, kind, media_type, None, |upload| {
        upload.size = size;
        upload.state = state_after_upload(kind);
    });
    describe(&state, actor, id)
}

pub(crate) async fn initialize(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::MediaChunk)?;
    let known = ["media_type", "media_category", "total_bytes", "additional_owners", "shared"];
    let form = Form::read(&request, &bytes, &known)?;
    let kind = kind_of(form.category(&CATEGORIES)?);
    let announced = form
        .number("total_bytes")
        .ok_or_else(|| Problem::body("[$.total_bytes: is missing but it is required]"))?;
    check_size(kind, announced)?;
    let media_type = form.text("media_type");
    if media_type.is_some_and(|given| !TYPES.contains(&given)) {
        return Err(Problem::body(format!("[$.media_type: must be one of {TYPES:?}]")));
    }
    let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
    let id = begin(&state, actor, kind, media_type, Some(announced), |_| {});
    describe(&state, actor, id)
}

pub(crate) async fn append(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::MediaChunk)?;
    let id = path_id(&id)?;
    let form = Form::read(&request, &bytes, &["segment_index"])?;
    let segment = form
        .number("segment_index")
        .filter(|segment| *segment < SEGMENTS)
        .and_then(|segment| u16::try_from(segment).ok())
        .ok_or_else(|| Problem::body("[$.segment_index: must be between 0 and 999]"))?;
    let media = form.media.ok_or_else(|| Problem::body("[$.media: is missing but it is required]"))?;
    let mut world = state.world();
    let upload = world.upload(actor.index, id).ok_or_else(missing)?;
    if upload.state != UploadState::Receiving {
        return Err(Problem::body("The media is finalized already."));
    }
    // A repeated segment is a retry after a lost answer, so it counts once.
    if !upload.segments.contains(&segment) {
        upload.segments.push(segment);
        upload.size += length(&media);
    }
    Ok(json_ok(&json!({"data": {"expires_at": Timestamp::now().as_second() + 86_400}})))
}

pub(crate) async fn finalize(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::MediaChunk)?;
    let id = path_id(&id)?;
    {
        let mut world = state.world();
        let upload = world.upload(actor.index, id).ok_or_else(missing)?;
        let highest = upload.segments.iter().max().map_or(0, |highest| usize::from(*highest) + 1);
        if highest != upload.segments.len() {
            return Err(Problem::body("Segments do not add up to provided total file size."));
        }
        if upload.announced.is_some_and(|announced| announced != upload.size) {
            return Err(Problem::body("Segments do not add up to provided total file size."));
        }
        upload.state = state_after_upload(upload.kind);
    }
    describe(&state, actor, id)
}

pub(crate) async fn status(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::MediaStatus)?;
    let query = Query::parse(request.query_string(), &["media_id", "command"])?;
    if let Some(command) = query.get("command").filter(|command| *command != "STATUS") {
        let message = format!("The `command` query parameter value [{command}] is not one of [STATUS]");
        return Err(Problem::parameter("command", command, message));
    }
    let id = query.id("media_id")?.ok_or_else(|| {
        Problem::parameter("media_id", "", "The `media_id` query parameter can not be empty")
    })?;
    {
        let mut world = state.world();
        let upload = world.upload(actor.index, id).ok_or_else(missing)?;
        if upload.state == UploadState::Processing {
            upload.state = UploadState::Ready;
        }
    }
    describe(&state, actor, id)
}

pub(crate) async fn metadata(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::MediaMetadata)?;
    let body: Value = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::body(format!("Requests with bodies must have a valid JSON body: {error}"))
    })?;
    let id = body["id"].as_str().and_then(query::id);
    let id = id.ok_or_else(|| Problem::body("[$.id: does not match the regex pattern ^[0-9]{1,19}$]"))?;
    let alt = body["metadata"]["alt_text"]["text"].as_str();
    let alt =
        alt.ok_or_else(|| Problem::body("[$.metadata.alt_text.text: is missing but it is required]"))?;
    if alt.chars().count() > MAX_ALT_LENGTH {
        return Err(Problem::body("[$.metadata.alt_text.text: must be at most 1000 characters long]"));
    }
    state.world().upload(actor.index, id).ok_or_else(missing)?.alt = Some(alt.to_owned());
    state.biller().media_metadata();
    Ok(json_ok(&json!({
        "data": {"id": id.to_string(), "associated_metadata": {"alt_text": {"text": alt}}}
    })))
}

fn begin(
    state: &State,
    actor: Actor,
    kind: MediaKind,
    media_type: String,
    announced: Option<u64>,
    finish: impl FnOnce(&mut Upload),
) -> u64 {
    state.world().begin_upload(|id| {
        let mut upload = Upload {
            key: format!("{}_{id}", kind.key_prefix()),
            owner: actor.index,
            kind,
            media_type,
            size: 0,
            announced,
            segments: Vec::new(),
            state: UploadState::Receiving,
            alt: None,
        };
        finish(&mut upload);
        upload
    })
}

/// X's description of a medium.
fn describe(state: &State, actor: Actor, id: u64) -> Result<HttpResponse, Problem> {
    let mut world = state.world();
    let upload = world.upload(actor.index, id).ok_or_else(missing)?;
    let mut data =
        json!({"id": id.to_string(), "media_key": upload.key, "expires_after_secs": EXPIRES_AFTER});
    if upload.state != UploadState::Receiving {
        data["size"] = json!(upload.size);
        match (upload.kind, upload.state) {
            (MediaKind::Photo, _) => {
                data["image"] = json!({"image_type": upload.media_type, "w": 1200, "h": 800});
            }
            (_, UploadState::Processing) => {
                data["processing_info"] =
                    json!({"state": "pending", "check_after_secs": 1, "progress_percent": 0});
            }
            _ => {
                data["processing_info"] = json!({"state": "succeeded", "progress_percent": 100});
            }
        }
    }
    Ok(json_ok(&json!({"data": data})))
}

fn missing() -> Problem {
    Problem::body("The media could not be found.")
}

fn kind_of(category: &str) -> MediaKind {
    if category.ends_with("_gif") {
        MediaKind::AnimatedGif
    } else if category.ends_with("_image") {
        MediaKind::Photo
    } else {
        MediaKind::Video
    }
}

/// The state after an upload: pictures are ready at once, X processes the rest.
fn state_after_upload(kind: MediaKind) -> UploadState {
    if kind == MediaKind::Photo { UploadState::Ready } else { UploadState::Processing }
}

fn check_size(kind: MediaKind, size: u64) -> Result<(), Problem> {
    let max = match kind {
        MediaKind::Photo => MAX_IMAGE_BYTES,
        MediaKind::AnimatedGif => MAX_GIF_BYTES,
        MediaKind::Video => MAX_VIDEO_BYTES,
    };
    if size > max {
        return Err(Problem::body(format!("File size exceeds {max} bytes.")));
    }
    Ok(())
}

fn sniff(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
