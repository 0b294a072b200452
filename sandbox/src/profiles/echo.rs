//! `echo`: gateways and debug builds answer an error with the request that caused it, including its tokens. A client
//! that logs such an answer logs the token.

use std::fmt::Write as _;

use actix_web::HttpRequest;
use serde_json::{Value, json};

use super::{ActiveProfiles, Habit, Profile};
use crate::{faults::Fault, hash};

/// Calls that fail only to be echoed.
const PROVOKED: Habit = Habit::new(Profile::Echo, "troubled", 40);
/// Error answers that repeat the request.
const ECHOED: Habit = Habit::new(Profile::Echo, "echoed", 2);

pub(super) fn fault(profiles: ActiveProfiles) -> Option<Fault> {
    profiles.hits_call(PROVOKED).then_some(Fault::Status(503))
}

/// Appends the request's headers to the message of an error.
pub(super) fn reshape(profiles: ActiveProfiles, request: &HttpRequest, error: &mut Value) {
    // An error that was provoked for an echo always gets one.
    if !profiles.hits_call(ECHOED) && !profiles.hits_call(PROVOKED) {
        return;
    }
    let echo = headers(profiles, request);
    // Google's message, one of X's two forms, Bluesky's or Mastodon's.
    let message = ["/error/message", "/errors/0/message", "/detail", "/message", "/error"]
        .into_iter()
        .find(|place| error.pointer(place).is_some_and(Value::is_string))
        .and_then(|place| error.pointer_mut(place));
    match message {
        Some(Value::String(message)) => message.push_str(&echo),
        _ => error["detail"] = json!(echo),
    }
}

/// The headers as a gateway prints them, padded to the ordered length.
fn headers(profiles: ActiveProfiles, request: &HttpRequest) -> String {
    let mut echo = format!(" Request: {} {}", request.method(), request.path());
    for (name, value) in request.headers() {
        // Writing to a string cannot fail.
        let _ = write!(echo, "; {name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    echo.push_str("; trace:");
    let mut line = profiles.turn;
    while echo.len() < profiles.echo_bytes {
        line = hash::stable(&[&line.to_le_bytes()]);
        let _ = write!(echo, " {line:016x}");
    }
    echo
}
