//! X, Bluesky, Mastodon and the services that translate on loopback, true to the wire, with faults on demand.
//!
//! Mynah's promises are about networks that fail at the worst moment. The real networks fail rarely and charge for
//! every try; this crate fails on demand, reports what it did, and counts what it would have cost. **Its engines do
//! not translate**, and state that.
//!
//! # Layout
//!
//! - [`start`] and [`Sandbox`] here; `server` runs the sandbox, `intercept` wraps every call.
//! - `world`: accounts, posts and media, without HTTP. `timeline`: files and lines that become posts;
//!   `follow` watches such a file.
//! - `bluesky`, `mastodon`: these networks, each with a model of its server, its routes and its answers. `network` tells
//!   handles apart, `message` is what people see, `marks` what they can follow in it, `windows` are the rate limits.
//! - `x`: the routes of X, from authentication (`auth`, `oauth1`) to the answers (`render`, `vocabulary`, `text`).
//! - `model`: a model that misbehaves on demand; `gemini`, `openai` and `anthropic`: the services that have it.
//! - `deepl`, `libretranslate`: these translation services. `translation` makes texts that look translated, for all engines.
//! - `profiles`: misbehavior that X and Gemini have shown in practice, in addition to what they document.
//! - `faults`: which calls fail and how. `connection`: breaks connections.
//! - `firefox`: Firefox's catalogue of translation models, a server of its own.
//! - `limits`, `bill`, `requests`: rate limits, costs, and the request log.
//! - `control`: `/_sandbox`, for other processes. `page`: `/`, for people.
//!
//! # Examples
//!
//! ```
//! use mynah_sandbox::{SandboxConfig, TimelinePost, credentials};
//!
//! # actix_rt::System::new().block_on(async {
//! let config = SandboxConfig::default().target("mynah_es", "es").posts(["Hello, world"]);
//! let sandbox = mynah_sandbox::start(config).await?;
//! let keys = credentials("mynah_es");
//! println!("X and Gemini at {}, token {}", sandbox.url(), keys.access_token);
//! sandbox.add_post(TimelinePost::new("And another thing"));
//! assert_eq!(sandbox.posts().len(), 2);
//! sandbox.stop().await;
//! # Ok::<(), mynah_sandbox::SandboxError>(())
//! # }).unwrap();
//! ```

mod anthropic;
mod bill;
mod bluesky;
mod config;
mod connection;
mod control;
mod credentials;
mod deepl;
mod endpoint;
mod error;
mod faults;
mod firefox;
mod follow;
mod gemini;
mod hash;
mod intercept;
mod libretranslate;
mod limits;
mod marks;
mod mastodon;
mod media;
mod message;
mod model;
mod multipart;
mod network;
mod oauth;
mod openai;
mod page;
mod profiles;
mod requests;
mod server;
mod snowflake;
mod state;
mod timeline;
mod translation;
mod windows;
mod world;
mod x;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use self::{
    bill::Bill,
    config::{SandboxConfig, TargetAccount},
    control::{AccountSnapshot, BillSnapshot, PostSnapshot, Snapshot},
    credentials::{
        Credentials, DEEPL_API_KEY, LIBRETRANSLATE_API_KEY, X_CLIENT_ID, X_CLIENT_SECRET, app_password,
        credentials, mastodon_token,
    },
    endpoint::{Endpoint, Service},
    error::SandboxError,
    faults::{
        BlueskyFault, DeeplFault, EndpointPattern, Fault, FaultPlan, FaultRule, LibreTranslateFault,
        MastodonFault, ServiceStar, Star, TranslatorFault, XFault,
    },
    firefox::{CatalogFault, ModelServer, random_model, random_vocabulary},
    limits::{Limit, RateLimits},
    message::{Message, MessageLink, MessageMedium, MessagesOf},
    model::{AnthropicFault, GeminiFault, ModelFault, OpenAiFault},
    network::{Network, UnknownNetwork},
    profiles::{Edited, Fate, Profile, Readability, UnknownProfile},
    requests::{EndpointCount, GeminiCounters, RequestRecord},
    timeline::{
        MediaKind, OtherPost, PostKind, ReplyTo, TimelineError, TimelineMedia, TimelinePost, load_timeline,
    },
    world::{AuthKind, PostId, StoredMedia, StoredPoll, StoredPost, UserState},
};
use self::{follow::Follower, server::Running, state::State, world::FOLLOWED};

/// Starts a sandbox.
pub async fn start(mut config: SandboxConfig) -> Result<Sandbox, SandboxError> {
    let listener = server::bind(config.listen)?;
    let follower = match config.timeline_file.take() {
        None => None,
        Some(path) => {
            let seen = std::fs::read_to_string(&path)
                .map_err(|source| TimelineError::Read { path: path.clone(), source })?;
            if config.timeline.is_empty() {
                config.timeline = timeline::parse_lines(&path, &seen, 1)?;
            }
            Some(Follower::after(path, &seen))
        }
    };
    let state = Arc::new(State::new(config));
    let running = server::run(listener, Arc::clone(&state), follower).await?;
    log::info!("sandbox at http://{}", running.addr);
    Ok(Sandbox { state, running })
}

/// A sandbox that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Sandbox {
    state: Arc<State>,
    running: Running,
}

impl Sandbox {
    /// The base address of all services: `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.running.addr
    }

    /// Posts on the followed account, now.
    pub fn add_post(&self, post: TimelinePost) -> PostId {
        self.state.add_post(post)
    }

    /// Posts on another account that can be followed, now. Creates the account if it does not exist.
    pub fn add_post_on(&self, handle: &str, post: TimelinePost) -> PostId {
        self.state.add_post_on(handle, post)
    }

    /// Posts on an account of any network, now, and returns the post's id there. Opens the account if there is none.
    pub fn post_as(&self, handle: &str, post: TimelinePost) -> String {
        self.state.post_as(handle, post)
    }

    /// What an account on Bluesky or Mastodon published, oldest first; empty if there is no such account.
    pub fn messages(&self, handle: &str) -> Vec<Message> {
        self.state.messages(handle)
    }

    /// Makes a post on Bluesky or Mastodon unreadable: from now on, its text is a number.
    pub fn break_post(&self, handle: &str, id: &str) {
        self.state.break_post(handle, id);
    }

    /// Ends the sessions of an account on Bluesky or X, as if hours had passed: its access tokens have expired, and refresh
    /// tokens that were used once are refused.
    pub fn expire_sessions(&self, handle: &str) {
        self.state.expire_sessions(handle);
    }

    /// The followed account's posts, oldest first.
    pub fn posts(&self) -> Vec<StoredPost> {
        let world = self.state.world();
        world.account(FOLLOWED).posts.iter().map(|post| (**post).clone()).collect()
    }

    /// All versions of a post, oldest first: more than one if it was edited.
    pub fn versions(&self, id: PostId) -> Vec<PostId> {
        self.state.world().versions(id.0).to_vec()
    }

    /// An account's publications, oldest first; empty if there is no such account.
    pub fn publications(&self, handle: &str) -> Vec<StoredPost> {
        let world = self.state.world();
        let account = world.find(handle).map(|index| world.account(index));
        let posts = account.map(|account| account.posts.iter().map(|post| (**post).clone()).collect());
        posts.unwrap_or_default()
    }

    /// The latest 10,000 requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state.requests().log().cloned().collect()
    }

    /// How many requests an endpoint has had, and their statuses.
    pub fn count(&self, endpoint: Endpoint) -> EndpointCount {
        let requests = self.state.requests();
        requests.counts.get(&endpoint).cloned().unwrap_or_default()
    }

    /// Counts of Gemini's requests.
    pub fn gemini(&self) -> GeminiCounters {
        self.state.requests().gemini.clone()
    }

    /// What X would have charged.
    pub fn bill(&self) -> Bill {
        self.state.biller().bill()
    }

    /// The same data as `GET /_sandbox/state`.
    pub fn snapshot(&self) -> Snapshot {
        control::snapshot(&self.state, usize::MAX)
    }

    /// Replaces the fault plan; the counts of rules start again.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.state.set_faults(plan);
    }

    /// Sets how its network treats an account. Creates the account if it does not exist.
    pub fn set_user_state(&self, handle: &str, state: UserState) {
        self.state.change_account(handle, Some(state), None);
    }

    /// Revokes all tokens of an account, or its app password.
    pub fn revoke_token(&self, handle: &str) {
        self.state.change_account(handle, None, Some(true));
    }

    /// Makes the tokens of an account, or its app password, valid again. Sessions on Bluesky stay closed.
    pub fn restore_token(&self, handle: &str) {
        self.state.change_account(handle, None, Some(false));
    }

    /// Ends the connections to the streams of X and Mastodon, if there are any.
    pub fn cut_stream(&self) {
        self.state.stream().cuts += 1;
        self.state.touch();
    }

    /// Waits until `test` returns true, and tests again after every change. Returns false after `at_most`.
    /// Needs a Tokio runtime, such as actix's.
    pub async fn until(&self, at_most: Duration, mut test: impl FnMut(&Self) -> bool) -> bool {
        let mut changes = self.state.changes();
        let wait = async {
            // The sender lives as long as this sandbox, so the loop ends only when the test succeeds.
            while !test(self) && changes.changed().await.is_ok() {}
        };
        tokio::time::timeout(at_most, wait).await.is_ok()
    }

    /// Stops the sandbox. When this returns, the port is free, and connections that are still open answer nothing.
    pub async fn stop(&self) {
        self.state.set_stopped();
        self.running.stop().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.running.request_stop();
    }
}
