//! A message about a condition, the same for all receivers. No secret and no control character is in it, whatever a reason
//! repeats.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    causes::Severity,
    record::{Entry, State},
};
use crate::{
    redaction::Redactor,
    telemetry::outside::{bounded, printable},
};

/// The version of the JSON.
const VERSION: u32 = 1;

/// What a receiver is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The version of this form.
    pub version: u32,
    /// The same if the same message is sent again, because its answer was lost.
    pub id: String,
    /// What it says.
    pub state: State,
    /// The name of the cause.
    pub cause: String,
    /// The account, source, target or engine.
    pub about: String,
    /// How soon a person must act.
    pub severity: Severity,
    /// What happened, in one sentence without a full stop.
    pub summary: String,
    /// Why, and what to do.
    pub details: String,
    /// Since when it is wrong.
    pub since: Timestamp,
    /// Until when it was, if it is over.
    pub over: Option<Timestamp>,
}

impl Message {
    /// The message for a receiver about a condition on record.
    pub(super) fn about(entry: &Entry, receiver: &str, state: State) -> Self {
        let before = entry.sent.get(receiver).map_or(0, |sent| sent.messages);
        Self {
            version: VERSION,
            id: clean(&format!("{} {} {} {}{before}", entry.cause, entry.about, entry.since, state.as_str())),
            state,
            cause: entry.cause.clone(),
            about: clean(&entry.about),
            severity: entry.severity,
            summary: clean(&entry.summary),
            details: clean(&entry.details),
            since: entry.since,
            over: entry.over,
        }
    }

    /// A message that shows whether a receiver works.
    pub fn test(now: Timestamp) -> Self {
        Self {
            version: VERSION,
            id: format!("test {now}"),
            state: State::Test,
            cause: "test".into(),
            about: "alerts".into(),
            severity: Severity::Ticket,
            summary: "This is a test of Mynah's alerts".into(),
            details: "nothing is wrong".into(),
            since: now,
            over: None,
        }
    }

    /// The first line: what happened, or that it is over.
    pub fn title(&self) -> String {
        match self.state {
            State::Over => format!("Over: {}", self.summary),
            State::Lasts => format!("Still: {}", self.summary),
            State::Began | State::Test => self.summary.clone(),
        }
    }

    /// The other lines.
    pub fn lines(&self) -> Vec<String> {
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let time = match self.over {
            Some(over) => format!("From {} to {}", minute(self.since), minute(over)),
            None => format!("Since {}", minute(self.since)),
        };
        let what = format!("{} {} ({})", self.cause, self.about, self.severity.as_str());
        // What to do is of no interest once it is over.
        let details = self.over.is_none().then(|| self.details.clone());
        details.into_iter().chain([time, what]).collect()
    }
}

/// A text without secrets and control characters, of bounded length.
pub(super) fn clean(text: &str) -> String {
    let redacted = Redactor::for_request([]).explanation(text).into_owned();
    printable(&bounded(&redacted)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alerts::testing::entry, redaction};

    #[test]
    fn no_secret_and_no_control_character_is_in_a_message() {
        redaction::register(&"hush-0123456789-secret".into());
        let mut entry = entry("x:town_es");
        entry.details = format!("refused hush-0123456789-secret\r\nBcc: a@b\u{1b}[31m {}", "x".repeat(5000));
        let message = Message::about(&entry, "mail", State::Began);
        let text = format!("{message:?} {} {:?}", message.title(), message.lines());
        assert!(!text.contains("hush") && text.contains("[redacted]"), "{text}");
        assert!(message.lines().iter().all(|line| !line.contains(['\r', '\n', '\u{1b}'])), "{text}");
        assert!(text.len() < 5000, "{}", text.len());
    }

    #[test]
    fn each_message_has_an_id_of_its_own_and_a_repeat_has_the_same() {
        let entry = entry("x:town_es");
        let id = |state| Message::about(&entry, "mail", state).id;
        assert_eq!(id(State::Began), id(State::Began));
        assert_ne!(id(State::Began), id(State::Over));
    }
}
