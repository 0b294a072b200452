//! `echo`: gateways and debug builds answer an error with the request that caused it, tokens and all. Who logs such an
//! answer logs the token.

use std::fmt::Write as _;

use actix_web::HttpRequest;
use serde_json::{Value, json};

use super::{Habit, Manners, Profile};
use crate::{faults::Fault, hash};

/// Calls that fail for no other reason than to be echoed.
const TROUBLED: Habit = Habit::new(Profile::Echo, "troubled", 40);
/// Error answers that repeat the request.
const ECHOED: Habit = Habit::new(Profile::Echo, "echoed", 2);

pub(super) fn fault(manners: Manners) -> Option<Fault> {
    manners.hits_call(TROUBLED).then_some(Fault::Status(503))
}

/// Puts the request's headers behind every sentence of an error.
pub(super) fn reshape(manners: Manners, request: &HttpRequest, error: &mut Value) {
    // An answer that was provoked only to be echoed is echoed.
    if !manners.hits_call(ECHOED) && !manners.hits_call(TROUBLED) {
        return;
    }
    let said = headers(manners, request);
    // Google's form, and X's two.
    let sentence = ["/error/message", "/errors/0/message", "/detail"]
        .into_iter()
        .find(|place| error.pointer(place).is_some_and(Value::is_string))
        .and_then(|place| error.pointer_mut(place));
    match sentence {
        Some(Value::String(sentence)) => sentence.push_str(&said),
        _ => error["detail"] = json!(said),
    }
}

/// The headers as a gateway prints them, made long enough.
fn headers(manners: Manners, request: &HttpRequest) -> String {
    let mut said = format!(" Request: {} {}", request.method(), request.path());
    for (name, value) in request.headers() {
        // Writing to a string cannot fail.
        let _ = write!(said, "; {name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    said.push_str("; trace:");
    let mut line = manners.turn;
    while said.len() < manners.echo_bytes {
        line = hash::stable(&[&line.to_le_bytes()]);
        let _ = write!(said, " {line:016x}");
    }
    said
}
