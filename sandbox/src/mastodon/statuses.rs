//! `/api/v1/statuses`: publishing, reading, editing and deleting.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Problem,
    calls::{self, Kind, Parameters},
    html, json,
    model::{Attachment, Processing, Server, Status, Visibility},
    render,
};
use crate::{faults::MastodonFault, state::State, timeline::MediaKind};

/// What the server allows.
pub(super) const MAX_CHARACTERS: usize = 500;
pub(super) const MAX_MEDIA: usize = 4;

const NOT_READY: &str = "Cannot attach files that have not finished processing. Try again in a moment!";
const TOO_MANY: &str = "Cannot attach more than 4 files";
const MIXED: &str = "Cannot attach a video to a post that already contains images";

pub(super) async fn create(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let caller = calls::admit_user(&request, &state, Kind::Plain)?;
    let parameters = Parameters::of_body(&request, &bytes)?;
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let key = key.filter(|key| !key.is_empty() && !calls::has_habit(&request, MastodonFault::KeyIgnored));
    let now = Timestamp::now();
    let body = {
        let mut server = state.mastodon();
        let reply_to = reply_to(&server, caller, &parameters)?;
        let known = key.as_ref().and_then(|key| server.accounts[caller].created_with(key, now));
        if let Some(status) = known.and_then(|id| server.statuses.get(&id)) {
            if calls::has_habit(&request, MastodonFault::KeyFails) {
                return Err(Problem::of_status(500));
            }
            return Ok(json(&render::status(&server, status)));
        }
        let status = draft(&server, caller, &parameters, reply_to, now)?;
        let status = server.store(status);
        if let Some(key) = key {
            server.accounts[caller].remember_key(key, status.id, now);
        }
        render::status(&server, &status)
    };
    state.touch();
    Ok(json(&body))
}

/// The status that a draft replies to.
fn reply_to(server: &Server, caller: usize, parameters: &Parameters) -> Result<Option<u64>, Problem> {
    let Some(id) = parameters.text("in_reply_to_id") else { return Ok(None) };
    match server.visible(&id, Some(caller)) {
        Some(parent) => Ok(Some(parent.id)),
        None => Err(Problem::reply_to_missing()),
    }
}

/// Validates a draft, in Mastodon's order.
fn draft(
    server: &Server,
    caller: usize,
    parameters: &Parameters,
    reply_to: Option<u64>,
    now: Timestamp,
) -> Result<Status, Problem> {
    let media = media(server, caller, &parameters.list("media_ids"), None)?;
    let warning = parameters.text("spoiler_text").unwrap_or_default();
    let text = parameters.text("status").unwrap_or_default();
    check_text(&text, &warning, &media)?;
    let visibility =
        parameters.text("visibility").and_then(|name| Visibility::named(&name)).unwrap_or_default();
    Ok(Status {
        id: 0,
        author: caller,
        created_at: now,
        edited_at: None,
        sensitive: parameters.flag("sensitive") || !warning.is_empty(),
        text,
        warning,
        visibility,
        language: Some(parameters.text("language").unwrap_or_else(|| "en".into())),
        reply_to,
        reblog: None,
        quote: parameters.id("quoted_status_id"),
        media,
        poll: Vec::new(),
        is_broken: false,
    })
}

fn check_text(text: &str, warning: &str, media: &[Attachment]) -> Result<(), Problem> {
    if text.trim().is_empty() && warning.trim().is_empty() && media.is_empty() {
        return Err(Problem::invalid("Text can't be blank"));
    }
    if html::length(text) + html::length(warning) > MAX_CHARACTERS {
        return Err(Problem::invalid(&format!("Text character limit of {MAX_CHARACTERS} exceeded")));
    }
    Ok(())
}

/// The media to attach; those of the status `of` may be attached again.
fn media(
    server: &Server,
    owner: usize,
    ids: &[String],
    of: Option<&Status>,
) -> Result<Vec<Attachment>, Problem> {
    if ids.len() > MAX_MEDIA {
        return Err(Problem::refused(TOO_MANY));
    }
    let find = |id: &String| {
        let attachment = server.attachments.get(&id.parse().ok()?)?;
        let is_own = of.is_some_and(|status| status.media.iter().any(|medium| medium.id == attachment.id));
        (attachment.owner == owner && (!attachment.attached || is_own)).then(|| attachment.clone())
    };
    let found: Vec<Attachment> = ids.iter().filter_map(find).collect();
    if found.len() < ids.len() {
        let sentence = format!("Media {} not found or already attached to another post", ids.join(", "));
        return Err(Problem::refused(&sentence));
    }
    if found.len() > 1 && found.iter().any(|medium| medium.kind != MediaKind::Photo) {
        return Err(Problem::refused(MIXED));
    }
    if found.iter().any(|medium| medium.state != Processing::Done) {
        return Err(Problem::refused(NOT_READY));
    }
    Ok(found)
}

pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = calls::admit(&request, &state, Kind::Plain)?;
    let server = state.mastodon();
    let status = server.visible(&id, caller).ok_or_else(Problem::not_found)?;
    Ok(json(&render::status(&server, status)))
}

pub(super) async fn edit(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let caller = calls::admit_user(&request, &state, Kind::Plain)?;
    let parameters = Parameters::of_body(&request, &bytes)?;
    let body = {
        let mut server = state.mastodon();
        let status = server.visible(&id, Some(caller)).filter(|status| status.author == caller);
        let mut status = status.map(|status| (**status).clone()).ok_or_else(Problem::not_found)?;
        if parameters.has("media_ids") {
            status.media = media(&server, caller, &parameters.list("media_ids"), Some(&status))?;
        }
        status.text = parameters.text("status").unwrap_or_default();
        status.warning = parameters.text("spoiler_text").unwrap_or_default();
        status.sensitive = parameters.flag("sensitive") || !status.warning.is_empty();
        status.language = parameters.text("language").or(status.language);
        check_text(&status.text, &status.warning, &status.media)?;
        status.edited_at = Some(Timestamp::now());
        let body = render::status(&server, &status);
        server.statuses.insert(status.id, status.into());
        body
    };
    state.touch();
    Ok(json(&body))
}

pub(super) async fn delete(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = calls::admit_user(&request, &state, Kind::Deletion)?;
    let body = {
        let mut server = state.mastodon();
        let id = id.parse().map_err(|_| Problem::not_found())?;
        let status = server.delete(caller, id).ok_or_else(Problem::not_found)?;
        let mut body = render::status(&server, &status);
        // So that it can be drafted again.
        body["text"] = json!(status.text);
        body
    };
    state.touch();
    Ok(json(&body))
}
