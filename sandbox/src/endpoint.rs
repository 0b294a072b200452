//! Names of the endpoints, shared by fault rules, rate limits, counters and the request log.

use actix_web::http::Method;
use serde::{Deserialize, Serialize};

/// A service that the sandbox plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// X.
    X,
    /// Gemini.
    Gemini,
    /// A service with OpenAI's API.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Bluesky: a server for accounts (PDS) and the directory of DIDs (PLC).
    Bluesky,
    /// Mastodon.
    Mastodon,
    /// DeepL.
    Deepl,
    /// LibreTranslate.
    LibreTranslate,
}

/// Lists each endpoint once: its service, its documentation, and the name that rules and counters use.
macro_rules! endpoints {
    ($($service:ident { $($(#[$doc:meta])* $endpoint:ident = $name:literal,)* })*) => {
        /// One call of a service, under the name that rules and counters use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Endpoint {
            $($($(#[$doc])* #[serde(rename = $name)] $endpoint,)*)*
        }

        impl Endpoint {
            /// Every endpoint, in the order the page shows them.
            pub const ALL: &'static [Self] = &[$($(Self::$endpoint,)*)*];

            /// Its name in rules and counters, such as `x.post`.
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$endpoint => $name,)*)*
                }
            }

            /// The service that it belongs to.
            pub fn service(self) -> Service {
                match self {
                    $($(Self::$endpoint)|* => Service::$service,)*
                }
            }
        }
    };
}

endpoints! {
    X {
        /// `GET /2/users/by/username/{username}`
        User = "x.user",
        /// `GET /2/users/me`
        Me = "x.me",
        /// `GET /2/users/{id}/tweets`
        Timeline = "x.timeline",
        /// `GET /2/tweets?ids=`
        Lookup = "x.lookup",
        /// `GET /2/tweets/{id}`
        LookupOne = "x.lookup_one",
        /// `GET /2/tweets/search/stream`
        Stream = "x.stream",
        /// `GET` and `POST /2/tweets/search/stream/rules`
        StreamRules = "x.stream_rules",
        /// `POST /2/tweets`
        Post = "x.post",
        /// `DELETE /2/tweets/{id}`
        Delete = "x.delete",
        /// `POST /2/media/upload`
        MediaUpload = "x.media_upload",
        /// `POST /2/media/upload/initialize`, `…/append`, `…/finalize`
        MediaChunk = "x.media_chunk",
        /// `GET /2/media/upload?command=STATUS`
        MediaStatus = "x.media_status",
        /// `POST /2/media/metadata`
        MediaMetadata = "x.media_metadata",
        /// `POST /2/oauth2/token`
        Token = "x.token",
        /// `POST /2/oauth2/revoke`
        Revoke = "x.revoke",
        /// `POST /oauth/request_token`
        RequestToken = "x.request_token",
        /// `POST /oauth/access_token`
        AccessToken = "x.access_token",
        /// `POST /1.1/oauth/invalidate_token.json`
        InvalidateToken = "x.invalidate_token",
    }
    Gemini {
        /// `POST /v1beta/models/{model}:generateContent`
        Generate = "gemini.generate",
    }
    OpenAi {
        /// `POST /v1/chat/completions`
        OpenAiChat = "openai.chat",
    }
    Anthropic {
        /// `POST /v1/messages`
        AnthropicMessages = "anthropic.messages",
    }
    Bluesky {
        /// `GET /xrpc/com.atproto.server.describeServer`
        BlueskyDescribeServer = "bluesky.describe_server",
        /// `POST /xrpc/com.atproto.server.createSession`
        BlueskyCreateSession = "bluesky.create_session",
        /// `POST /xrpc/com.atproto.server.refreshSession`
        BlueskyRefreshSession = "bluesky.refresh_session",
        /// `GET /xrpc/com.atproto.server.getSession`
        BlueskyGetSession = "bluesky.get_session",
        /// `GET /xrpc/com.atproto.identity.resolveHandle`
        BlueskyResolveHandle = "bluesky.resolve_handle",
        /// `GET /did:plc:…`, as the directory of DIDs serves it
        BlueskyDid = "bluesky.did",
        /// `POST /xrpc/com.atproto.repo.createRecord`
        BlueskyCreateRecord = "bluesky.create_record",
        /// `POST /xrpc/com.atproto.repo.putRecord`
        BlueskyPutRecord = "bluesky.put_record",
        /// `GET /xrpc/com.atproto.repo.getRecord`
        BlueskyGetRecord = "bluesky.get_record",
        /// `GET /xrpc/com.atproto.repo.listRecords`
        BlueskyListRecords = "bluesky.list_records",
        /// `POST /xrpc/com.atproto.repo.deleteRecord`
        BlueskyDeleteRecord = "bluesky.delete_record",
        /// `POST /xrpc/com.atproto.repo.uploadBlob`
        BlueskyUploadBlob = "bluesky.upload_blob",
        /// `GET /xrpc/com.atproto.sync.getBlob`
        BlueskyGetBlob = "bluesky.get_blob",
    }
    Mastodon {
        /// `GET /api/v2/instance`
        MastodonInstance = "mastodon.instance",
        /// `GET /api/v1/accounts/verify_credentials`
        MastodonVerify = "mastodon.verify",
        /// `GET /api/v1/accounts/lookup` and `GET /api/v1/accounts/{id}`
        MastodonLookup = "mastodon.lookup",
        /// `GET /api/v1/accounts/{id}/statuses`
        MastodonTimeline = "mastodon.timeline",
        /// `POST /api/v1/statuses`
        MastodonPost = "mastodon.post",
        /// `GET /api/v1/statuses/{id}`
        MastodonStatus = "mastodon.status",
        /// `PUT /api/v1/statuses/{id}`
        MastodonEdit = "mastodon.edit",
        /// `DELETE /api/v1/statuses/{id}`
        MastodonDelete = "mastodon.delete",
        /// `POST /api/v2/media`
        MastodonMediaUpload = "mastodon.media_upload",
        /// `GET` and `PUT /api/v1/media/{id}`
        MastodonMedia = "mastodon.media",
        /// `GET /api/v1/streaming/user`
        MastodonStream = "mastodon.stream",
        /// `POST /api/v1/apps`
        MastodonApps = "mastodon.apps",
        /// `POST /oauth/token`
        MastodonToken = "mastodon.token",
        /// `POST /oauth/revoke`
        MastodonRevoke = "mastodon.revoke",
    }
    Deepl {
        /// `POST /v2/translate`
        DeeplTranslate = "deepl.translate",
        /// `GET /v2/usage`
        DeeplUsage = "deepl.usage",
    }
    LibreTranslate {
        /// `POST /translate`
        LibreTranslateTranslate = "libretranslate.translate",
        /// `GET /languages`
        LibreTranslateLanguages = "libretranslate.languages",
    }
}

impl Endpoint {
    /// Whether the endpoint is Gemini's rather than a network's.
    pub fn is_gemini(self) -> bool {
        self.service() == Service::Gemini
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
        match &segments[..count] {
            ["2", rest @ ..] => Self::of_x(method, rest),
            ["v1beta", "models", call] if method == Method::POST && call.ends_with("generateContent") => {
                Some(Self::Generate)
            }
            ["v1", "chat", "completions"] if method == Method::POST => Some(Self::OpenAiChat),
            ["v1", "messages"] if method == Method::POST => Some(Self::AnthropicMessages),
            ["xrpc", call] => Self::of_bluesky(method, call),
            [did] if method == Method::GET && did.starts_with("did:") => Some(Self::BlueskyDid),
            ["oauth", "request_token"] if method == Method::POST => Some(Self::RequestToken),
            ["oauth", "access_token"] if method == Method::POST => Some(Self::AccessToken),
            ["1.1", "oauth", "invalidate_token.json"] if method == Method::POST => {
                Some(Self::InvalidateToken)
            }
            ["oauth", "token"] if method == Method::POST => Some(Self::MastodonToken),
            ["oauth", "revoke"] if method == Method::POST => Some(Self::MastodonRevoke),
            ["api", version, rest @ ..] => Self::of_mastodon(method, version, rest),
            ["v2", "translate"] if method == Method::POST => Some(Self::DeeplTranslate),
            ["v2", "usage"] if method == Method::GET => Some(Self::DeeplUsage),
            ["translate"] if method == Method::POST => Some(Self::LibreTranslateTranslate),
            ["languages"] if method == Method::GET => Some(Self::LibreTranslateLanguages),
            _ => None,
        }
    }

    fn of_x(method: &Method, path: &[&str]) -> Option<Self> {
        let get = method == Method::GET;
        let post = method == Method::POST;
        match path {
            ["users", "by", "username", _] if get => Some(Self::User),
            ["users", "me"] if get => Some(Self::Me),
            ["users", _, "tweets"] if get => Some(Self::Timeline),
            ["tweets"] if get => Some(Self::Lookup),
            ["tweets"] if post => Some(Self::Post),
            ["tweets", "search", "stream"] if get => Some(Self::Stream),
            ["tweets", "search", "stream", "rules"] if get || post => Some(Self::StreamRules),
            ["tweets", _] if get => Some(Self::LookupOne),
            ["tweets", _] if method == Method::DELETE => Some(Self::Delete),
            ["media", "upload"] if post => Some(Self::MediaUpload),
            ["media", "upload"] if get => Some(Self::MediaStatus),
            ["media", "upload", "initialize"] | ["media", "upload", _, "append" | "finalize"] if post => {
                Some(Self::MediaChunk)
            }
            ["media", "metadata"] if post => Some(Self::MediaMetadata),
            ["oauth2", "token"] if post => Some(Self::Token),
            ["oauth2", "revoke"] if post => Some(Self::Revoke),
            _ => None,
        }
    }

    fn of_bluesky(method: &Method, call: &str) -> Option<Self> {
        let (endpoint, expected) = match call.strip_prefix("com.atproto.")? {
            "server.describeServer" => (Self::BlueskyDescribeServer, Method::GET),
            "server.createSession" => (Self::BlueskyCreateSession, Method::POST),
            "server.refreshSession" => (Self::BlueskyRefreshSession, Method::POST),
            "server.getSession" => (Self::BlueskyGetSession, Method::GET),
            "identity.resolveHandle" => (Self::BlueskyResolveHandle, Method::GET),
            "repo.createRecord" => (Self::BlueskyCreateRecord, Method::POST),
            "repo.putRecord" => (Self::BlueskyPutRecord, Method::POST),
            "repo.getRecord" => (Self::BlueskyGetRecord, Method::GET),
            "repo.listRecords" => (Self::BlueskyListRecords, Method::GET),
            "repo.deleteRecord" => (Self::BlueskyDeleteRecord, Method::POST),
            "repo.uploadBlob" => (Self::BlueskyUploadBlob, Method::POST),
            "sync.getBlob" => (Self::BlueskyGetBlob, Method::GET),
            _ => return None,
        };
        (*method == expected).then_some(endpoint)
    }

    fn of_mastodon(method: &Method, version: &str, path: &[&str]) -> Option<Self> {
        let get = method == Method::GET;
        let post = method == Method::POST;
        match (version, path) {
            ("v2", ["instance"]) if get => Some(Self::MastodonInstance),
            ("v1", ["apps"]) if post => Some(Self::MastodonApps),
            ("v1", ["accounts", "verify_credentials"]) if get => Some(Self::MastodonVerify),
            ("v1", ["accounts", _]) if get => Some(Self::MastodonLookup),
            ("v1", ["accounts", _, "statuses"]) if get => Some(Self::MastodonTimeline),
            ("v1", ["statuses"]) if post => Some(Self::MastodonPost),
            ("v1", ["statuses", _]) if get => Some(Self::MastodonStatus),
            ("v1", ["statuses", _]) if method == Method::PUT => Some(Self::MastodonEdit),
            ("v1", ["statuses", _]) if method == Method::DELETE => Some(Self::MastodonDelete),
            ("v2", ["media"]) if post => Some(Self::MastodonMediaUpload),
            ("v1", ["streaming", "user"]) if get => Some(Self::MastodonStream),
            ("v1", ["media", _]) if get || method == Method::PUT => Some(Self::MastodonMedia),
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
            let service = format!("{:?}.", endpoint.service()).to_lowercase();
            assert!(endpoint.name().starts_with(&service), "{endpoint:?}");
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
        assert_eq!(Endpoint::of(&Method::GET, "/did:plc:abc"), Some(Endpoint::BlueskyDid));
        let put = "/xrpc/com.atproto.repo.putRecord";
        assert_eq!(Endpoint::of(&Method::POST, put), Some(Endpoint::BlueskyPutRecord));
        assert_eq!(Endpoint::of(&Method::GET, put), None);
        assert_eq!(
            Endpoint::of(&Method::GET, "/api/v1/accounts/1/statuses"),
            Some(Endpoint::MastodonTimeline)
        );
        assert_eq!(Endpoint::of(&Method::PUT, "/api/v1/statuses/1"), Some(Endpoint::MastodonEdit));
        assert_eq!(Endpoint::of(&Method::POST, "/v2/translate"), Some(Endpoint::DeeplTranslate));
        assert_eq!(Endpoint::of(&Method::GET, "/languages"), Some(Endpoint::LibreTranslateLanguages));
        assert_eq!(Endpoint::of(&Method::GET, "/_sandbox/state"), None);
    }
}
