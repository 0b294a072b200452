//! Which messages were sent, and what is still to be sent. Everything here is arithmetic on a record that survives
//! restarts: it reads no clock and sends nothing.
//!
//! A cause is reported once it has lasted for `alerts.settle`, and is over once it was gone for as long, so one that comes
//! and goes within a minute sends no flood. Each receiver is sent what it does not know yet: that a cause began, after
//! `alerts.repeat` that it still lasts, and that it is over. There is no queue: a receiver that was away for a day is sent
//! what is true then.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    causes::{Condition, Severity},
    elapsed,
};

/// How long something that is over stays on record for a receiver that cannot be reached.
const LONGEST: Duration = Duration::from_hours(24 * 7);

/// How long a receiver's message belongs to the instance that is about to send it. Longer than sending can take.
const CLAIM: SignedDuration = SignedDuration::from_mins(2);

/// How long a change of state must last, and when a message is repeated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) settle: Duration,
    pub(super) repeat: Duration,
}

/// What is on record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// By [`Condition::key`].
    pub entries: BTreeMap<String, Entry>,
}

/// A condition on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name of its cause.
    pub cause: String,
    /// What it is about.
    pub about: String,
    /// How soon a person must act.
    pub severity: Severity,
    /// What happened.
    pub summary: String,
    /// Why, and what to do.
    pub details: String,
    /// Since when it is wrong.
    pub since: Timestamp,
    /// When it was last found.
    seen: Timestamp,
    /// Since when it has been found again and again; `None` while it is gone.
    found: Option<Timestamp>,
    /// When it had lasted long enough to be reported.
    pub counts: Option<Timestamp>,
    /// When it had been gone long enough to be over.
    pub over: Option<Timestamp>,
    /// What each receiver was sent last.
    #[serde(default)]
    pub sent: BTreeMap<String, Sent>,
    /// Which instance is about to send something to a receiver.
    #[serde(default)]
    claims: BTreeMap<String, Claim>,
}

/// The last message to a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// When.
    pub at: Timestamp,
    /// Whether it was that the condition is over.
    pub over: bool,
    /// How many messages there were.
    pub messages: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    by: String,
    until: Timestamp,
}

/// What a message says about a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It began.
    Began,
    /// It lasts.
    Lasts,
    /// It is over.
    Over,
    /// Nothing happened; somebody tests whether a receiver works.
    Test,
}

impl State {
    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Lasts => "lasts",
            Self::Over => "over",
            Self::Test => "test",
        }
    }
}

/// What a look at the service found.
pub(super) struct Look<'a> {
    pub(super) now: Timestamp,
    /// Since when this process has watched. What was found before that may be unknown to it for a while.
    pub(super) watching_since: Timestamp,
    /// What is wrong.
    pub(super) conditions: &'a [Condition],
    /// Whether an entry that was not found is over, as far as can be known.
    pub(super) is_over: &'a dyn Fn(&Entry) -> bool,
}

/// What changed with a look: keys and entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) began: Vec<String>,
    pub(super) over: Vec<String>,
}

impl Entry {
    fn new(condition: &Condition, now: Timestamp) -> Self {
        let Condition { cause, finding } = condition;
        Self {
            cause: cause.name.into(),
            about: finding.about.clone(),
            severity: cause.severity,
            summary: String::new(),
            details: String::new(),
            since: finding.since.unwrap_or(now),
            seen: now,
            found: None,
            counts: None,
            over: None,
            sent: BTreeMap::new(),
            claims: BTreeMap::new(),
        }
    }

    /// When it was last found.
    pub fn seen(&self) -> Timestamp {
        self.seen
    }

    /// Whether it is reported and not over.
    pub fn is_on(&self) -> bool {
        self.counts.is_some() && self.over.is_none()
    }

    fn found(&mut self, condition: &Condition, now: Timestamp, settle: Duration) -> bool {
        let Condition { cause, finding } = condition;
        // Each change is a write to the ledger, so a time that is new enough stays as it is.
        if self.found.is_none() || elapsed(self.seen, now) >= settle / 4 {
            self.seen = now;
        }
        let found = *self.found.get_or_insert(now);
        if !self.is_on() {
            self.since = finding.since.unwrap_or(found);
        }
        self.summary.clone_from(&finding.summary);
        self.details.clone_from(&finding.details);
        if self.is_on() || elapsed(found, now) < settle.saturating_mul(cause.settles) {
            return false;
        }
        (self.counts, self.over) = (Some(now), None);
        // Whoever was not sent that it was over need not know that it was.
        self.sent.retain(|_, sent| !sent.over);
        true
    }

    /// Whether nobody needs to be sent anything about it any more.
    fn is_done(&self, now: Timestamp) -> bool {
        let Some(over) = self.over else { return self.counts.is_none() && self.found.is_none() };
        let is_claimed = self.claims.values().any(|claim| claim.until > now);
        let all_know = !is_claimed && self.sent.values().all(|sent| sent.over);
        self.found.is_none() && (all_know || elapsed(over, now) > LONGEST)
    }

    /// What a receiver must be sent now.
    fn due(&self, receiver: &str, now: Timestamp, repeat: Duration) -> Option<State> {
        match (self.counts?, self.over, self.sent.get(receiver)) {
            (_, None, None) => Some(State::Began),
            (_, None, Some(sent)) => (elapsed(sent.at, now) >= repeat).then_some(State::Lasts),
            (_, Some(_), Some(Sent { over: false, .. })) => Some(State::Over),
            (_, Some(_), _) => None,
        }
    }
}

impl Record {
    /// Applies what a look found.
    pub(super) fn observe(&mut self, look: &Look<'_>, settle: Duration) -> Changes {
        let Look { now, watching_since, conditions, is_over } = *look;
        let mut changes = Changes::default();
        for condition in conditions {
            let key = condition.key();
            let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry::new(condition, now));
            if entry.found(condition, now, settle) {
                changes.began.push(key);
            }
        }
        let is_found = |key: &str| conditions.iter().any(|condition| condition.key() == key);
        for (key, entry) in &mut self.entries {
            if is_found(key) || elapsed(entry.seen.max(watching_since), now) < settle {
                continue;
            }
            // What was reported is over only if that is known.
            if entry.is_on() && !is_over(entry) {
                continue;
            }
            entry.found = None;
            if entry.is_on() {
                entry.over = Some(now);
                changes.over.push(key.clone());
            }
        }
        self.entries.retain(|_, entry| !entry.is_done(now));
        changes
    }

    /// The message that a receiver must be sent next, which from now on belongs to the instance `me`; `None` if there is
    /// none, or if another instance is about to send it.
    pub(super) fn claim(
        &mut self,
        receiver: &str,
        me: &str,
        now: Timestamp,
        repeat: Duration,
    ) -> Option<(String, State)> {
        let is_free = |entry: &Entry| {
            entry.claims.get(receiver).is_none_or(|claim| claim.by == me || claim.until <= now)
        };
        let due = self.entries.iter().filter(|(_, entry)| is_free(entry));
        let due = due.filter_map(|(key, entry)| Some((entry.since, key, entry.due(receiver, now, repeat)?)));
        let (_, key, state) = due.min_by_key(|(since, key, _)| (*since, *key))?;
        let key = key.clone();
        let claim = Claim { by: me.to_owned(), until: now.checked_add(CLAIM).unwrap_or(now) };
        self.entries.get_mut(&key)?.claims.insert(receiver.to_owned(), claim);
        Some((key, state))
    }

    /// A receiver got a message that was claimed.
    pub(super) fn delivered(&mut self, key: &str, receiver: &str, state: State, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.claims.remove(receiver);
        let messages = entry.sent.get(receiver).map_or(0, |sent| sent.messages).saturating_add(1);
        let sent = Sent { at: now, over: state == State::Over, messages };
        entry.sent.insert(receiver.to_owned(), sent);
    }

    /// A receiver did not get a message that was claimed.
    pub(super) fn not_delivered(&mut self, key: &str, receiver: &str) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.claims.remove(receiver);
        }
    }

    /// Whether each of these receivers knows of a condition.
    pub(super) fn is_known(&self, key: &str, receivers: &[&str]) -> bool {
        let Some(entry) = self.entries.get(key) else { return false };
        receivers.iter().all(|receiver| entry.sent.contains_key(*receiver))
    }
}

#[cfg(test)]
mod tests;
