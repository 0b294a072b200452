//! Keys for the sandbox. They are the same in every run, so that a config file or a test can contain them, and
//! obviously fake, so that nobody takes them for secrets.

/// The app-only bearer token, shared by all.
pub(crate) const APP_BEARER_TOKEN: &str = "sandbox-app-bearer";
/// The key for Gemini, shared by all.
pub(crate) const GEMINI_API_KEY: &str = "sandbox-gemini-key";
/// The key for services with OpenAI's API, shared by all.
pub(crate) const OPENAI_API_KEY: &str = "sandbox-openai-key";
/// The key for Anthropic, shared by all.
pub(crate) const ANTHROPIC_API_KEY: &str = "sandbox-anthropic-key";

/// The key for the sandbox's DeepL, of the free plan.
pub const DEEPL_API_KEY: &str = "sandbox-deepl-key:fx";
/// The key for the sandbox's LibreTranslate, which also answers without one.
pub const LIBRETRANSLATE_API_KEY: &str = "sandbox-libretranslate-key";
/// The id of the app that logs in to X with OAuth 2.0.
pub const X_CLIENT_ID: &str = "sandbox-x-client-id";
/// Its secret.
pub const X_CLIENT_SECRET: &str = "sandbox-x-client-secret";

/// The keys of one target account on the sandbox's X, and the keys that all share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// OAuth 1.0a consumer key of the app.
    pub consumer_key: String,
    /// OAuth 1.0a consumer secret of the app.
    pub consumer_secret: String,
    /// OAuth 1.0a access token of this account.
    pub access_token: String,
    /// Its secret.
    pub access_token_secret: String,
    /// OAuth 2.0 user bearer token of this account.
    pub user_bearer_token: String,
    /// App-only bearer token, which can read but not post.
    pub app_bearer_token: String,
    /// Key for the sandbox's Gemini.
    pub gemini_api_key: String,
    /// Key for the sandbox's OpenAI.
    pub openai_api_key: String,
    /// Key for the sandbox's Anthropic.
    pub anthropic_api_key: String,
}

/// The app password of an account on the sandbox's Bluesky.
pub fn app_password(handle: &str) -> String {
    format!("sandbox-app-password-{}", handle.to_ascii_lowercase())
}

/// The access token of an account on the sandbox's Mastodon.
pub fn mastodon_token(handle: &str) -> String {
    format!("sandbox-mastodon-token-{}", handle.trim_start_matches('@').to_ascii_lowercase())
}

/// The credentials on X of the account `handle`, whether or not the sandbox has such an account.
pub fn credentials(handle: &str) -> Credentials {
    let handle = handle.to_ascii_lowercase();
    Credentials {
        consumer_key: "sandbox-consumer-key".into(),
        consumer_secret: "sandbox-consumer-secret".into(),
        access_token: format!("sandbox-access-token-{handle}"),
        access_token_secret: format!("sandbox-access-token-secret-{handle}"),
        user_bearer_token: format!("sandbox-user-bearer-{handle}"),
        app_bearer_token: APP_BEARER_TOKEN.into(),
        gemini_api_key: GEMINI_API_KEY.into(),
        openai_api_key: OPENAI_API_KEY.into(),
        anthropic_api_key: ANTHROPIC_API_KEY.into(),
    }
}
