//! `GET /api/v2/instance`: what the server is and allows.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{
    Problem, attachments,
    calls::{self, Kind},
    html, json, statuses,
};
use crate::state::State;

pub(super) async fn show(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    calls::admit(&request, &state, Kind::Plain)?;
    let server = state.mastodon();
    Ok(json(&json!({
        "domain": server.domain(),
        "title": "Mynah's sandbox",
        "version": "4.4.8",
        "source_url": "https://github.com/mastodon/mastodon",
        "description": "It stands in for Mastodon on this machine.",
        "usage": {"users": {"active_month": server.accounts().len()}},
        "languages": ["en"],
        "configuration": {
            "urls": {"streaming": server.base.replacen("http", "ws", 1), "status": null, "about": null,
                "privacy_policy": null, "terms_of_service": null},
            "vapid": {"public_key": ""},
            "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5},
            "statuses": {
                "max_characters": statuses::MAX_CHARACTERS,
                "max_media_attachments": statuses::MAX_MEDIA,
                "characters_reserved_per_url": html::LINK_LENGTH,
            },
            "media_attachments": {
                "description_limit": attachments::MAX_DESCRIPTION,
                "image_matrix_limit": 33_177_600,
                "image_size_limit": attachments::MAX_IMAGE,
                "supported_mime_types": attachments::TYPES,
                "video_frame_rate_limit": 120,
                "video_matrix_limit": 8_294_400,
                "video_size_limit": attachments::MAX_VIDEO,
            },
            "polls": {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300,
                "max_expiration": 2_629_746},
            "translation": {"enabled": false},
            "limited_federation": false,
        },
        "registrations": {"enabled": false, "approval_required": false, "reason_required": null, "message": null,
            "min_age": null, "url": null},
        "api_versions": {"mastodon": 6},
        "contact": {"email": "", "account": null},
        "rules": [],
    })))
}
