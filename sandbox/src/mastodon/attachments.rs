//! `/api/v2/media`: uploads. A picture is done at once; a video is still processed when the upload is answered.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use jiff::Timestamp;

use super::{
    Problem,
    calls::{self, Kind, Parameters},
    json,
    model::{Attachment, Processing, Server},
    render,
};
use crate::{faults::MastodonFault, media, state::State, timeline::MediaKind};

/// What the server allows (`MediaAttachment`).
pub(super) const MAX_DESCRIPTION: usize = 1_500;
pub(super) const MAX_IMAGE: usize = 16 * 1024 * 1024;
pub(super) const MAX_VIDEO: usize = 99 * 1024 * 1024;
pub(super) const TYPES: [&str; 5] = ["image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4"];

pub(super) async fn upload(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let caller = calls::admit_user(&request, &state, Kind::Media)?;
    let parameters = Parameters::of_body(&request, &bytes)?;
    let file = parameters.file.as_deref().ok_or_else(|| Problem::invalid("File can't be blank"))?;
    let mime = media::sniff(file).filter(|mime| TYPES.contains(mime));
    let mime = mime.ok_or_else(|| Problem::invalid("File content type is invalid, File is invalid"))?;
    let kind = if mime == "video/mp4" { MediaKind::Video } else { MediaKind::Photo };
    let most = if kind == MediaKind::Video { MAX_VIDEO } else { MAX_IMAGE };
    if file.len() > most {
        let megabytes = most / 1024 / 1024;
        return Err(Problem::invalid(&format!(
            "File file size must be less than {megabytes} MB, File is invalid"
        )));
    }
    let description = description(&parameters)?;
    let mut server = state.mastodon();
    let id = server.next_id(Timestamp::now(), 0);
    let state = if kind == MediaKind::Video { Processing::Unfinished } else { Processing::Done };
    let url = format!("/media/{id}.{}", kind.extension());
    let attachment = Attachment { id, owner: caller, kind, description, url, state, attached: false };
    let response = answer(&server, &attachment, StatusCode::ACCEPTED);
    server.attachments.insert(id, attachment);
    Ok(response)
}

pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = calls::admit_user(&request, &state, Kind::Plain)?;
    let mut server = state.mastodon();
    let attachment = find(&mut server, caller, &id)?;
    let shown = attachment.clone();
    if !calls::has_habit(&request, MastodonFault::NeverProcessed) {
        attachment.state = Processing::Done;
    }
    Ok(answer(&server, &shown, StatusCode::PARTIAL_CONTENT))
}

pub(super) async fn describe(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let caller = calls::admit_user(&request, &state, Kind::Plain)?;
    let parameters = Parameters::of_body(&request, &bytes)?;
    let mut server = state.mastodon();
    let attachment = find(&mut server, caller, &id)?;
    attachment.description = description(&parameters)?;
    let shown = attachment.clone();
    Ok(answer(&server, &shown, StatusCode::PARTIAL_CONTENT))
}

fn description(parameters: &Parameters) -> Result<Option<String>, Problem> {
    let description = parameters.text("description");
    if description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
        let what = format!("Description is too long (maximum is {MAX_DESCRIPTION} characters)");
        return Err(Problem::invalid(&what));
    }
    Ok(description)
}

/// A medium of an account that no status has yet.
fn find<'a>(server: &'a mut Server, owner: usize, id: &str) -> Result<&'a mut Attachment, Problem> {
    let attachment = id.parse().ok().and_then(|id: u64| server.attachments.get_mut(&id));
    attachment
        .filter(|attachment| attachment.owner == owner && !attachment.attached)
        .ok_or_else(Problem::not_found)
}

/// A 200 with the medium, or another status while it is processed.
fn answer(server: &Server, attachment: &Attachment, unfinished: StatusCode) -> HttpResponse {
    let mut response = json(&render::attachment(server, attachment));
    if attachment.state != Processing::Done {
        *response.status_mut() = unfinished;
    }
    response
}
