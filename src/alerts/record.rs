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

/// How old the time may become at which something was last found. Each change of it is a write to the ledger.
const REFRESH: Duration = Duration::from_mins(1);

/// How much the clocks of two machines may differ.
const CLOCKS: Duration = Duration::from_mins(2);

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
    /// Which instance found it then.
    #[serde(default)]
    seen_by: String,
    /// Since when it has been found again and again; `None` while it is gone.
    found: Option<Timestamp>,
    /// When it had lasted long enough to be reported.
    #[serde(alias = "counts")]
    pub reported_since: Option<Timestamp>,
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
    /// Which instance looks, and how often.
    pub(super) by: &'a str,
    pub(super) interval: Duration,
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
            since: finding.since.unwrap_or(now).min(now),
            seen: now,
            seen_by: String::new(),
            found: None,
            reported_since: None,
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
        self.reported_since.is_some() && self.over.is_none()
    }

    fn found(&mut self, condition: &Condition, look: &Look<'_>, settle: Duration) -> bool {
        let Condition { cause, finding } = condition;
        let now = look.now;
        if self.found.is_none() || elapsed(self.seen, now) >= REFRESH.min(settle / 4) {
            self.seen = now;
            look.by.clone_into(&mut self.seen_by);
        }
        let found = *self.found.get_or_insert(now);
        if !self.is_on() {
            self.since = finding.since.unwrap_or(found).min(now);
        }
        self.summary.clone_from(&finding.summary);
        self.details.clone_from(&finding.details);
        if self.is_on() || elapsed(found, now) < settle.saturating_mul(cause.settles) {
            return false;
        }
        (self.reported_since, self.over) = (Some(now), None);
        self.forget_ends();
        true
    }

    /// Lets whoever was sent that it was over be sent that it began. The others need not know that it was over.
    fn forget_ends(&mut self) {
        self.sent.retain(|_, sent| !sent.over);
    }

    /// How long it must be gone until it is over for this instance. Another one may have found it since its last look, and
    /// record that later, by a clock of its own.
    fn gone_after(&self, look: &Look<'_>, settle: Duration) -> Duration {
        let is_own = self.seen_by.is_empty() || self.seen_by == look.by;
        if is_own { settle } else { settle + 2 * look.interval + REFRESH + CLOCKS }
    }

    /// Corrects what was recorded by a clock that was ahead: nothing has happened after now.
    fn happened_by(&mut self, now: Timestamp) {
        let latest_claim = now.checked_add(CLAIM).unwrap_or(now);
        let times = [&mut self.found, &mut self.reported_since, &mut self.over].into_iter().flatten();
        let sent = self.sent.values_mut().map(|sent| &mut sent.at);
        for time in times.chain(sent).chain([&mut self.since, &mut self.seen]) {
            *time = now.min(*time);
        }
        for claim in self.claims.values_mut() {
            claim.until = latest_claim.min(claim.until);
        }
    }

    /// Whether nobody needs to be sent anything about it any more.
    fn is_done(&self, now: Timestamp) -> bool {
        let Some(over) = self.over else { return self.reported_since.is_none() && self.found.is_none() };
        let is_claimed = self.claims.values().any(|claim| claim.until > now);
        let all_know = !is_claimed && self.sent.values().all(|sent| sent.over);
        self.found.is_none() && (all_know || elapsed(over, now) > LONGEST)
    }

    /// What a receiver must be sent now.
    fn due(&self, receiver: &str, now: Timestamp, repeat: Duration) -> Option<State> {
        match (self.reported_since?, self.over, self.sent.get(receiver)) {
            (_, None, None) => Some(State::Began),
            (_, None, Some(sent)) => (elapsed(sent.at, now) >= repeat).then_some(State::Lasts),
            (_, Some(_), Some(Sent { over: false, .. })) => Some(State::Over),
            (_, Some(_), _) => None,
        }
    }
}

impl Entry {
    /// This entry with what another copy of it has: what is newer counts, and nothing that was reported or sent is forgotten.
    fn and(self, other: &Self) -> Self {
        let rank = |entry: &Self| (entry.reported_since.is_some(), entry.seen);
        let (mut best, rest) = if rank(other) > rank(&self) { (other.clone(), &self) } else { (self, other) };
        if rest.seen > best.seen {
            best.seen = rest.seen;
            best.seen_by.clone_from(&rest.seen_by);
            best.found = best.found.or(rest.found);
        }
        for (receiver, sent) in &rest.sent {
            let known = best.sent.entry(receiver.clone()).or_insert_with(|| sent.clone());
            if sent.at > known.at {
                known.clone_from(sent);
            }
        }
        for (receiver, claim) in &rest.claims {
            let known = best.claims.entry(receiver.clone()).or_insert_with(|| claim.clone());
            if claim.until > known.until {
                known.clone_from(claim);
            }
        }
        if best.is_on() {
            best.forget_ends();
        }
        best
    }
}

impl Record {
    /// This record with the changes that led from `before` to `after` elsewhere.
    pub(super) fn merged(mut self, before: &Self, after: &Self) -> Self {
        for (key, entry) in &after.entries {
            let merged = match (self.entries.remove(key), before.entries.get(key)) {
                (Some(own), _) => own.and(entry),
                (None, None) => entry.clone(),
                // It is done here, and nothing more is known elsewhere.
                (None, Some(before)) if before == entry || !entry.is_on() => continue,
                // All know that it was over, and it is back.
                (None, Some(_)) => Entry { sent: BTreeMap::new(), ..entry.clone() },
            };
            self.entries.insert(key.clone(), merged);
        }
        for (key, entry) in &before.entries {
            // It is done elsewhere, and nothing has happened here.
            if !after.entries.contains_key(key) && self.entries.get(key) == Some(entry) {
                self.entries.remove(key);
            }
        }
        self
    }

    /// Applies what a look found.
    pub(super) fn observe(&mut self, look: &Look<'_>, settle: Duration) -> Changes {
        let Look { now, watching_since, conditions, is_over, .. } = *look;
        self.entries.values_mut().for_each(|entry| entry.happened_by(now));
        let mut changes = Changes::default();
        for condition in conditions {
            let key = condition.key();
            let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry::new(condition, now));
            if entry.found(condition, look, settle) {
                changes.began.push(key);
            }
        }
        let is_found = |key: &str| conditions.iter().any(|condition| condition.key() == key);
        for (key, entry) in &mut self.entries {
            let gone = elapsed(entry.seen.max(watching_since), now);
            if is_found(key) || gone < entry.gone_after(look, settle) {
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
