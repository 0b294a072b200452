//! The log stream of the running service as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): the last events, then each as it comes. A client that
//! lost the connection says which number it saw last, and goes on behind it.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Query},
};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio::{sync::broadcast, time::timeout};

use crate::{
    http::{connections::Connection, error::ApiError, refusal::Refusal},
    telemetry::{
        events::{Event, Events},
        logging::json_line,
    },
};

/// How often something is sent though nothing happens, so that whoever is between does not take the connection for dead.
const ALIVE: Duration = Duration::from_secs(15);

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    /// Whether to go on with what comes.
    #[serde(default = "yes")]
    follow: bool,
    /// How many of the last events to begin with; all that are kept where nobody says.
    last: Option<usize>,
}

fn yes() -> bool {
    true
}

pub(super) async fn events(request: HttpRequest, wish: Query<Wish>) -> Result<HttpResponse, ApiError> {
    let connection = request.conn_data::<Connection>().cloned().ok_or(ApiError::Refused(Refusal::TooMany))?;
    connection.stream().map_err(ApiError::Refused)?;
    let seen = request.headers().get("Last-Event-ID").and_then(|seen| seen.to_str().ok()?.parse().ok());
    let (last, coming) = Events::of_this_process().after(seen.unwrap_or_default());
    let passed_over = wish.last.map_or(0, |most| last.len().saturating_sub(most));
    let last: VecDeque<_> = last.into_iter().skip(passed_over).collect();
    // The next line is asked for when the client has read those before it.
    let lines = lines(last, wish.follow.then_some(coming)).inspect(move |_| connection.goes_on());
    Ok(HttpResponse::Ok().content_type("text/event-stream; charset=utf-8").streaming(lines))
}

fn lines(
    last: VecDeque<Arc<Event>>,
    coming: Option<broadcast::Receiver<Arc<Event>>>,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((last, coming), |(mut last, mut coming)| async {
        if let Some(event) = last.pop_front() {
            return Some((Ok(of(&event)), (last, coming)));
        }
        let next = match timeout(ALIVE, coming.as_mut()?.recv()).await {
            Ok(Ok(event)) => of(&event),
            Ok(Err(broadcast::error::RecvError::Lagged(missed))) => {
                Bytes::from(format!("event: missed\ndata: {missed}\n\n"))
            }
            Ok(Err(broadcast::error::RecvError::Closed)) => return None,
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok(next), (last, coming)))
    })
}

fn of(event: &Event) -> Bytes {
    // JSON has no line ends in it.
    format!("id: {}\nevent: log\ndata: {}\n\n", event.number, json_line(event)).into()
}
