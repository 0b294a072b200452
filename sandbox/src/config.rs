//! Settings of a sandbox. The defaults suit tests: a port that the system chooses, no faults, no latency.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{faults::FaultPlan, limits::RateLimits, timeline::TimelinePost};

/// Settings of a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// The address to listen on; loopback only.
    pub listen: SocketAddr,
    /// Handle of the followed account.
    pub account: String,
    /// Other accounts that can be followed, on any network. They have no posts at the start.
    pub also_followed: Vec<String>,
    /// Accounts on any network that gave the app a token, so that it can post to them.
    pub targets: Vec<TargetAccount>,
    /// The followed account's posts from before the start, oldest first.
    pub timeline: Vec<TimelinePost>,
    /// A timeline file to follow: lines appended to it become posts. The lines it has at the start become
    /// posts too, unless `timeline` is set: it is then assumed to contain them.
    pub timeline_file: Option<PathBuf>,
    /// The faults from the start.
    pub faults: FaultPlan,
    /// The minimum latency of Gemini's answers.
    pub gemini_latency: Duration,
    /// The minimum latency of X's answers.
    pub x_latency: Duration,
    /// The networks' rate limits.
    pub rate_limits: RateLimits,
    /// How long an access token of Bluesky lives.
    pub access_lifetime: Duration,
    /// How long Bluesky accepts a refresh token that was used already.
    pub refresh_grace: Duration,
    /// Whether timelines end after the newest 3,200 posts (800 without replies), as X's do.
    pub enforce_history_limit: bool,
    /// Whether to refuse a reply to or quote of another account's post unless that post mentions the account. X does so
    /// for self-serve apps since February 2026.
    pub enforce_engagement: bool,
    /// A sentence for the top of the page.
    pub note: Option<String>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            account: "mynah_source".into(),
            also_followed: Vec::new(),
            targets: Vec::new(),
            timeline: Vec::new(),
            timeline_file: None,
            faults: FaultPlan::default(),
            gemini_latency: Duration::ZERO,
            x_latency: Duration::ZERO,
            rate_limits: RateLimits::default(),
            access_lifetime: Duration::from_hours(2),
            refresh_grace: Duration::from_hours(2),
            enforce_history_limit: true,
            enforce_engagement: true,
            note: None,
        }
    }
}

impl SandboxConfig {
    /// Adds a target account, such as `("mynah_es", "es")`. Its handle decides its network: [`Network::of`].
    ///
    /// [`Network::of`]: crate::Network::of
    #[must_use]
    pub fn target(mut self, handle: impl Into<String>, language: impl Into<String>) -> Self {
        self.targets.push(TargetAccount { handle: handle.into(), language: language.into(), premium: false });
        self
    }

    /// Gives all target accounts X Premium: they may publish long posts.
    #[must_use]
    pub fn with_premium(mut self) -> Self {
        self.targets.iter_mut().for_each(|target| target.premium = true);
        self
    }

    /// Adds another account that can be followed.
    #[must_use]
    pub fn also_followed(mut self, handle: impl Into<String>) -> Self {
        self.also_followed.push(handle.into());
        self
    }

    /// Adds posts to the timeline.
    #[must_use]
    pub fn posts<T: Into<String>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        self.timeline.extend(texts.into_iter().map(TimelinePost::new));
        self
    }
}

/// An account to post to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAccount {
    /// Its handle.
    pub handle: String,
    /// Its language, for the page and for the `lang` of its posts.
    pub language: String,
    /// Whether it has X Premium, and may publish long posts.
    pub premium: bool,
}
