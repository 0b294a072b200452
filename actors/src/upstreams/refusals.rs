//! An engine that refuses every call (a wrong key, a model that does not exist, a quota that is used up, a language pair
//! that is not installed) looks healthy: it answers, and the next engine does its work. Only a person can fix that, so
//! people must learn of it at once, and decide whether a weaker engine may stand in.
//!
//! [`Refusals`] remembers what each engine last refused, and logs it: once when it begins, then at intervals. A call that
//! succeeds ends a refusal, and so does the time for which a quota was said to be used up.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use log::{error, info};
use mynah_domain::ports::engine::EngineError;

/// How often a refusal that lasts is logged again.
const LOGGED_EVERY: Duration = Duration::from_mins(10);

/// A quota that is used up for longer than this is a refusal; a shorter wait is only a pause.
const LONG_WAIT: Duration = Duration::from_mins(1);

/// After this many refused requests in a row, it is not the requests that are wrong.
const CERTAIN_AFTER: u32 = 3;

/// Whether the next engine may translate what an engine refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fallback {
    /// The next engine translates, and the result is published.
    #[default]
    Publish,
    /// The job is held until the engine works again.
    Hold,
}

/// What an engine refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Its key.
    Key,
    /// Calls beyond a quota, until this time.
    Quota(Timestamp),
    /// The request: a model or a language that it does not have, or something in this one request.
    Request,
    /// Nothing yet: before any call, it is known that it cannot do what the settings ask of it.
    Unusable,
}

/// An engine that does not do what it is configured for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it refuses.
    pub kind: RefusalKind,
    /// What it answered and what to do, for a person.
    pub reason: String,
    /// How many calls it has refused since it last translated anything.
    pub in_a_row: u32,
}

impl Refusal {
    /// Whether it refuses every call, as far as one can tell: one refused request may be the fault of that request.
    pub fn is_of_every_call(&self) -> bool {
        self.kind != RefusalKind::Request || self.in_a_row >= CERTAIN_AFTER
    }
}

impl RefusalKind {
    /// What a failed call means; `None` if only time is needed.
    fn of(error: &EngineError, now: Timestamp) -> Option<Self> {
        match error {
            EngineError::Unauthorized(_) => Some(Self::Key),
            EngineError::Refused(_) => Some(Self::Request),
            EngineError::RateLimited { until: Some(until), .. } => {
                let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                (wait > LONG_WAIT).then_some(Self::Quota(*until))
            }
            EngineError::RateLimited { until: None, .. }
            | EngineError::Unavailable(_)
            | EngineError::Unanswered(_) => None,
        }
    }

    fn is_over(self, now: Timestamp) -> bool {
        matches!(self, Self::Quota(until) if until <= now)
    }
}

/// What the engines refuse. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    fallback: Fallback,
    engines: BTreeMap<Arc<str>, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    refusal: Option<Refusal>,
    /// When it was last logged, and for which reason. It outlives the refusal, so that an engine that refuses every
    /// other call does not fill the log.
    logged: Option<(Instant, String)>,
}

impl Refusals {
    /// Whether the next engine may translate what an engine refuses.
    pub fn fallback(&self) -> Fallback {
        self.with(|state| state.fallback)
    }

    /// Sets it.
    pub fn set_fallback(&self, fallback: Fallback) {
        self.with(|state| state.fallback = fallback);
    }

    /// Records that a call to an engine succeeded.
    pub fn accepted(&self, engine: &str) {
        let is_about_calls = |refusal: &mut Refusal| refusal.kind != RefusalKind::Unusable;
        let ended = self.with(|state| state.engines.get_mut(engine)?.refusal.take_if(is_about_calls));
        if ended.is_some() {
            info!(upstream = engine; "engine accepted again");
        }
    }

    /// Records that a call to an engine failed, which may be a refusal.
    pub fn failed(&self, engine: &str, error: &EngineError, now: Timestamp) {
        if let Some(kind) = RefusalKind::of(error, now) {
            self.refused(engine, kind, &error.to_string());
        }
    }

    /// Records that an engine cannot do what the settings ask of it; the reason is for a person.
    pub fn unusable(&self, engine: &str, reason: &str) {
        self.refused(engine, RefusalKind::Unusable, reason);
    }

    fn refused(&self, engine: &str, kind: RefusalKind, reason: &str) {
        let now = Instant::now();
        let is_due = self.with(|state| {
            let seen = state.engines.entry(engine.into()).or_default();
            let in_a_row = seen.refusal.as_ref().map_or(0, |refusal| refusal.in_a_row).saturating_add(1);
            seen.refusal = Some(Refusal { kind, reason: reason.to_owned(), in_a_row });
            let known = seen.logged.as_ref().is_some_and(|(at, logged)| {
                *logged == reason && now.saturating_duration_since(*at) < LOGGED_EVERY
            });
            if !known {
                seen.logged = Some((now, reason.to_owned()));
            }
            !known
        });
        if is_due {
            error!(upstream = engine, reason = reason; "engine refused");
        }
    }

    /// What an engine refuses now, if anything.
    pub fn of(&self, engine: &str, now: Timestamp) -> Option<Refusal> {
        self.with(|state| {
            let refusal = state.engines.get(engine)?.refusal.clone()?;
            (!refusal.kind.is_over(now)).then_some(refusal)
        })
    }

    /// Whether a job that this engine did not translate must wait for it, instead of going to the next engine. `error` is
    /// what its call failed with; `None` if it was not called.
    pub fn must_wait_for(&self, engine: &str, error: Option<&EngineError>, now: Timestamp) -> bool {
        // The engine may have accepted another call in the meantime, which does not make this one less refused.
        let is_refused = || match error {
            Some(error) => RefusalKind::of(error, now).is_some(),
            None => self.of(engine, now).is_some_and(|refusal| refusal.kind != RefusalKind::Unusable),
        };
        self.fallback() == Fallback::Hold && is_refused()
    }

    /// Forgets engines that are no longer configured, and those that were of no use: their settings may have changed.
    pub fn reconfigured(&self, engines: &[Arc<str>]) {
        self.with(|state| {
            state.engines.retain(|engine, _| engines.contains(engine));
            for seen in state.engines.values_mut() {
                seen.refusal.take_if(|refusal| refusal.kind == RefusalKind::Unusable);
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // No operation under the lock leaves the state half changed.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn after(wait: Duration) -> Timestamp {
        now().saturating_add(wait).unwrap()
    }

    #[test]
    fn a_wrong_key_is_a_refusal_until_a_call_succeeds() {
        let refusals = Refusals::default();
        refusals.failed("model", &EngineError::Unauthorized("wrong key".into()), now());
        let refusal = refusals.of("model", now()).unwrap();
        assert!(refusal.reason == "wrong key" && refusal.is_of_every_call());
        assert_eq!(refusals.of("rules", now()), None);
        refusals.accepted("model");
        assert_eq!(refusals.of("model", now()), None);
    }

    #[test]
    fn an_engine_that_is_only_slow_or_down_refuses_nothing() {
        let refusals = Refusals::default();
        let limited = |until| EngineError::RateLimited { reason: "busy".into(), until };
        for error in [
            EngineError::Unavailable("down".into()),
            EngineError::Unanswered("slow".into()),
            limited(None),
            limited(Some(after(Duration::from_secs(30)))),
            limited(Some(Timestamp::MIN)),
        ] {
            refusals.failed("model", &error, now());
            assert_eq!(refusals.of("model", now()), None, "{error:?}");
        }
    }

    #[test]
    fn a_quota_that_is_used_up_is_a_refusal_until_it_is_back() {
        let refusals = Refusals::default();
        let until = after(Duration::from_hours(3));
        let error = EngineError::RateLimited { reason: "used up".into(), until: Some(until) };
        refusals.failed("model", &error, now());
        assert!(refusals.of("model", after(Duration::from_hours(2))).is_some());
        assert_eq!(refusals.of("model", until), None);
    }

    #[test]
    fn one_refused_request_may_be_the_requests_fault_and_many_are_not() {
        let refusals = Refusals::default();
        let error = EngineError::Refused("no such model".into());
        for is_certain in [false, false, true] {
            refusals.failed("model", &error, now());
            assert_eq!(refusals.of("model", now()).unwrap().is_of_every_call(), is_certain);
        }
    }

    #[test]
    fn jobs_wait_for_an_engine_only_if_it_refuses_and_no_other_may_stand_in() {
        let refusals = Refusals::default();
        let wrong_key = EngineError::Unauthorized("wrong key".into());
        let down = EngineError::Unavailable("down".into());
        refusals.failed("model", &wrong_key, now());
        let must_wait = |engine, error| refusals.must_wait_for(engine, error, now());
        assert!(!must_wait("model", Some(&wrong_key)) && !must_wait("model", None));
        refusals.set_fallback(Fallback::Hold);
        assert!(must_wait("model", Some(&wrong_key)) && must_wait("model", None));
        assert!(!must_wait("model", Some(&down)) && !must_wait("rules", None));
        refusals.accepted("model");
        assert!(must_wait("model", Some(&wrong_key)) && !must_wait("model", None));
    }

    #[test]
    fn the_same_refusal_is_logged_once_even_if_calls_succeed_in_between() {
        let refusals = Refusals::default();
        let error = EngineError::Refused("no such model".into());
        let logged = || refusals.with(|state| state.engines["model"].logged.clone().unwrap());
        refusals.failed("model", &error, now());
        let first = logged();
        refusals.accepted("model");
        refusals.failed("model", &error, now());
        assert_eq!(logged(), first);
        refusals.failed("model", &EngineError::Refused("another reason".into()), now());
        assert_ne!(logged(), first);
    }

    #[test]
    fn new_settings_forget_engines_that_are_gone_and_those_that_were_of_no_use() {
        let refusals = Refusals::default();
        for engine in ["model", "gone"] {
            refusals.failed(engine, &EngineError::Unauthorized("wrong key".into()), now());
        }
        refusals.unusable("rules", "it translates for no target");
        refusals.reconfigured(&["model".into(), "rules".into()]);
        assert!(refusals.of("model", now()).is_some());
        assert!(refusals.of("gone", now()).is_none() && refusals.of("rules", now()).is_none());
    }
}
