//! Names of the endpoints, shared by fault rules, rate limits, counters and the request log.

use actix_web::http::Method;
use serde::{Deserialize, Serialize};

/// One call of X or Gemini, under the name that rules and counters use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Endpoint {
    /// `GET /2/users/by/username/{username}`
    #[serde(rename = "x.user")]
    User,
    /// `GET /2/users/me`
    #[serde(rename = "x.me")]
    Me,
    /// `GET /2/users/{id}/tweets`
    #[serde(rename = "x.timeline")]
    Timeline,
    /// `GET /2/tweets?ids=`
    #[serde(rename = "x.lookup")]
    Lookup,
    /// `GET /2/tweets/{id}`
    #[serde(rename = "x.lookup_one")]
    LookupOne,
    /// `GET /2/tweets/search/stream`
    #[serde(rename = "x.stream")]
    Stream,
    /// `GET` and `POST /2/tweets/search/stream/rules`
    #[serde(rename = "x.stream_rules")]
    StreamRules,
    /// `POST /2/tweets`
    #[serde(rename = "x.post")]
    Post,
    /// `DELETE /2/tweets/{id}`
    #[serde(rename = "x.delete")]
    Delete,
    /// `POST /2/media/upload`
    #[serde(rename = "x.media_upload")]
    MediaUpload,
    /// `POST /2/media/upload/initialize`, `…/append`, `…/finalize`
    #[serde(rename = "x.media_chunk")]
    MediaChunk,
    /// `GET /2/media/upload?command=STATUS`
    #[serde(rename = "x.media_status")]
    MediaStatus,
    /// `POST /2/media/metadata`
    #[serde(rename = "x.media_metadata")]
    MediaMetadata,
    /// `POST /v1beta/models/{model}:generateContent`
    #[serde(rename = "gemini.generate")]
    Generate,
}

impl Endpoint {
    /// Every endpoint, in the order the page shows them.
    pub const ALL: [Self; 14] = [
        Self::User,
        Self::Me,
        Self::Timeline,
        Self::Lookup,
        Self::LookupOne,
        Self::Stream,
        Self::StreamRules,
        Self::Post,
        Self::Delete,
        Self::MediaUpload,
        Self::MediaChunk,
        Self::MediaStatus,
        Self::MediaMetadata,
        Self::Generate,
    ];

    /// Its name in rules and counters, such as `x.post`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "x.user",
            Self::Me => "x.me",
            Self::Timeline => "x.timeline",
            Self::Lookup => "x.lookup",
            Self::LookupOne => "x.lookup_one",
            Self::Stream => "x.stream",
            Self::StreamRules => "x.stream_rules",
            Self::Post => "x.post",
            Self::Delete => "x.delete",
            Self::MediaUpload => "x.media_upload",
            Self::MediaChunk => "x.media_chunk",
            Self::MediaStatus => "x.media_status",
            Self::MediaMetadata => "x.media_metadata",
            Self::Generate => "gemini.generate",
        }
    }

    /// Whether the endpoint is Gemini's rather than X's.
    pub fn is_gemini(self) -> bool {
        self == Self::Generate
    }

    /// The endpoint of a request, or none for the page, the control API and unknown paths.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        // Endpoints have at most five segments; a sixth detects longer paths.
        let mut segments = [""; 6];
        let mut count = 0;
        for (segment, place) in path.trim_matches('/').split('/').zip(&mut segments) {
            *place = segment;
            count += 1;
        }
        let get = method == Method::GET;
        let post = method == Method::POST;
        match &segments[..count] {
            ["2", "users", "by", "username", _] if get => Some(Self::User),
            ["2", "users", "me"] if get => Some(Self::Me),
            ["2", "users", _, "tweets"] if get => Some(Self::Timeline),
            ["2", "tweets"] if get => Some(Self::Lookup),
            ["2", "tweets"] if post => Some(Self::Post),
            ["2", "tweets", "search", "stream"] if get => Some(Self::Stream),
            ["2", "tweets", "search", "stream", "rules"] if get || post => Some(Self::StreamRules),
            ["2", "tweets", _] if get => Some(Self::LookupOne),
            ["2", "tweets", _] if method == Method::DELETE => Some(Self::Delete),
            ["2", "media", "upload"] if post => Some(Self::MediaUpload),
            ["2", "media", "upload"] if get => Some(Self::MediaStatus),
            ["2", "media", "upload", "initialize"] | ["2", "media", "upload", _, "append" | "finalize"]
                if post =>
            {
                Some(Self::MediaChunk)
            }
            ["2", "media", "metadata"] if post => Some(Self::MediaMetadata),
            ["v1beta", "models", call] if post && call.ends_with("generateContent") => Some(Self::Generate),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_json_is_the_name_in_logs() {
        for endpoint in Endpoint::ALL {
            assert_eq!(serde_json::to_value(endpoint).unwrap(), endpoint.name());
        }
    }

    #[test]
    fn paths_find_their_endpoint() {
        assert_eq!(Endpoint::of(&Method::GET, "/2/users/1/tweets"), Some(Endpoint::Timeline));
        assert_eq!(Endpoint::of(&Method::DELETE, "/2/tweets/1"), Some(Endpoint::Delete));
        assert_eq!(
            Endpoint::of(&Method::POST, "/v1beta/models/gemini-3.6-flash:generateContent"),
            Some(Endpoint::Generate)
        );
        assert_eq!(Endpoint::of(&Method::GET, "/_sandbox/state"), None);
    }
}
