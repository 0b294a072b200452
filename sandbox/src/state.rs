//! The state that requests share. Each part has its own lock and no function holds two, so there are no deadlocks. No
//! lock is held across an `await`.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    bill::Biller,
    bluesky::Pds,
    config::SandboxConfig,
    faults::{FaultPlan, Faults},
    limits::Limiter,
    mastodon,
    message::Message,
    network::Network,
    requests::Requests,
    timeline::TimelinePost,
    windows::Windows,
    world::{PostId, UserState, World},
    x::{oauth1::Nonces, oauth2::Logins, stream::FilteredStream},
};

#[derive(Debug)]
pub(crate) struct State {
    world: Mutex<World>,
    bluesky: Mutex<Pds>,
    mastodon: Mutex<mastodon::Server>,
    faults: Mutex<Faults>,
    limiter: Mutex<Limiter>,
    windows: Mutex<Windows>,
    biller: Mutex<Biller>,
    requests: Mutex<Requests>,
    nonces: Mutex<Nonces>,
    stream: Mutex<FilteredStream>,
    x_logins: Mutex<Logins>,
    changed: watch::Sender<u64>,
    /// The server's worker may outlive the server for a moment, with its open connections.
    has_stopped: AtomicBool,
    pub(crate) x_latency: Duration,
    pub(crate) gemini_latency: Duration,
    pub(crate) enforce_history_limit: bool,
    pub(crate) enforce_engagement: bool,
    pub(crate) note: Option<String>,
}

impl State {
    pub(crate) fn new(config: SandboxConfig) -> Self {
        let (on_x, elsewhere): (Vec<_>, Vec<_>) =
            config.targets.into_iter().partition(|target| Network::of(&target.handle) == Network::X);
        let mut world = World::new(&config.account, &on_x, config.timeline);
        let mut bluesky = Pds::default();
        bluesky.set_lifetimes(config.access_lifetime, config.refresh_grace);
        let mut mastodon = mastodon::Server::default();
        for target in &elsewhere {
            match Network::of(&target.handle) {
                Network::X => {}
                Network::Bluesky => bluesky.open_target(target),
                Network::Mastodon => mastodon.open_target(target),
            }
        }
        for handle in &config.also_followed {
            match Network::of(handle) {
                Network::X => drop(world.account_mut(handle)),
                Network::Bluesky => drop(bluesky.repo_mut(handle)),
                Network::Mastodon => drop(mastodon.account_mut(handle)),
            }
        }
        Self {
            world: Mutex::new(world),
            bluesky: Mutex::new(bluesky),
            mastodon: Mutex::new(mastodon),
            windows: Mutex::new(Windows::new(config.rate_limits.elsewhere)),
            faults: Mutex::new(Faults::new(config.faults)),
            limiter: Mutex::new(Limiter::new(config.rate_limits)),
            biller: Mutex::default(),
            requests: Mutex::default(),
            nonces: Mutex::default(),
            stream: Mutex::default(),
            x_logins: Mutex::default(),
            changed: watch::channel(0).0,
            has_stopped: AtomicBool::new(false),
            x_latency: config.x_latency,
            gemini_latency: config.gemini_latency,
            enforce_history_limit: config.enforce_history_limit,
            enforce_engagement: config.enforce_engagement,
            note: config.note,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn bluesky(&self) -> MutexGuard<'_, Pds> {
        lock(&self.bluesky)
    }

    pub(crate) fn mastodon(&self) -> MutexGuard<'_, mastodon::Server> {
        lock(&self.mastodon)
    }

    pub(crate) fn windows(&self) -> MutexGuard<'_, Windows> {
        lock(&self.windows)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        lock(&self.limiter)
    }

    pub(crate) fn biller(&self) -> MutexGuard<'_, Biller> {
        lock(&self.biller)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, Requests> {
        lock(&self.requests)
    }

    pub(crate) fn nonces(&self) -> MutexGuard<'_, Nonces> {
        lock(&self.nonces)
    }

    pub(crate) fn x_logins(&self) -> MutexGuard<'_, Logins> {
        lock(&self.x_logins)
    }

    pub(crate) fn stream(&self) -> MutexGuard<'_, FilteredStream> {
        lock(&self.stream)
    }

    /// Posts on the followed account, now.
    pub(crate) fn add_post(&self, post: TimelinePost) -> PostId {
        let id = self.world().add(post);
        self.touch();
        id
    }

    /// Posts on another account that can be followed, now.
    pub(crate) fn add_post_on(&self, handle: &str, post: TimelinePost) -> PostId {
        let id = self.world().add_on(handle, post);
        self.touch();
        id
    }

    /// Posts on an account of any network, now. Returns the post's id there.
    pub(crate) fn post_as(&self, handle: &str, post: TimelinePost) -> String {
        let id = match Network::of(handle) {
            Network::X => self.world().add_on(handle, post).to_string(),
            Network::Bluesky => self.bluesky().add(handle, post),
            Network::Mastodon => self.mastodon().add(handle, post).to_string(),
        };
        self.touch();
        id
    }

    /// What an account on Bluesky or Mastodon published, oldest first.
    pub(crate) fn messages(&self, handle: &str) -> Vec<Message> {
        let messages = match Network::of(handle) {
            Network::X => None,
            Network::Bluesky => self.bluesky().messages(handle),
            Network::Mastodon => self.mastodon().messages(handle),
        };
        messages.unwrap_or_default()
    }

    /// Makes a post on Bluesky or Mastodon unreadable.
    pub(crate) fn break_post(&self, handle: &str, id: &str) {
        match Network::of(handle) {
            Network::X => {}
            Network::Bluesky => self.bluesky().break_post(handle, id),
            Network::Mastodon => self.mastodon().break_status(id),
        }
        self.touch();
    }

    /// Changes how a network treats an account. Creates the account if it does not exist. Returns what it is now.
    pub(crate) fn change_account(
        &self,
        handle: &str,
        state: Option<UserState>,
        revoked: Option<bool>,
    ) -> (UserState, bool) {
        fn change(
            (old_state, old_revoked): (&mut UserState, &mut bool),
            state: Option<UserState>,
            revoked: Option<bool>,
        ) -> (UserState, bool) {
            *old_state = state.unwrap_or(*old_state);
            *old_revoked = revoked.unwrap_or(*old_revoked);
            (*old_state, *old_revoked)
        }
        let now = match Network::of(handle) {
            Network::X => {
                let mut world = self.world();
                let account = world.account_mut(handle);
                change((&mut account.state, &mut account.revoked), state, revoked)
            }
            Network::Bluesky => {
                let mut bluesky = self.bluesky();
                if revoked == Some(true) {
                    bluesky.revoke_sessions(handle);
                }
                let repo = bluesky.repo_mut(handle);
                change((&mut repo.state, &mut repo.revoked), state, revoked)
            }
            Network::Mastodon => {
                let mut mastodon = self.mastodon();
                let account = mastodon.account_mut(handle);
                change((&mut account.state, &mut account.revoked), state, revoked)
            }
        };
        self.touch();
        now
    }

    /// Ends the sessions of an account on Bluesky or X, as if hours had passed.
    pub(crate) fn expire_sessions(&self, handle: &str) {
        match Network::of(handle) {
            Network::X => self.x_logins().expire(handle),
            Network::Bluesky => self.bluesky().expire_sessions(handle),
            Network::Mastodon => {}
        }
        self.touch();
    }

    pub(crate) fn set_stopped(&self) {
        self.has_stopped.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.has_stopped.load(Ordering::SeqCst)
    }

    /// Sets the sandbox's address.
    pub(crate) fn set_base(&self, base: &str) {
        base.clone_into(&mut self.world().base);
        base.clone_into(&mut self.bluesky().base);
        base.clone_into(&mut self.mastodon().base);
    }

    pub(crate) fn set_faults(&self, plan: FaultPlan) {
        *self.faults() = Faults::new(plan);
        self.touch();
    }

    /// Wakes everyone that waits for a change.
    pub(crate) fn touch(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn version(&self) -> u64 {
        *self.changed.borrow()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// Ignores poisoning: a panic in one request must not break the others, and the guarded data is consistent between
/// statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
