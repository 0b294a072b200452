//! A connection on which a server sends messages for as long as it likes. awc has no limit for how long it may be silent,
//! so Mynah asks after a while whether the server is still there.

use std::{pin::Pin, time::Duration};

use actix_web::web::Bytes;
use awc::{
    error::{SendRequestError, WsClientError, WsProtocolError},
    ws::{Frame, Message},
};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};

use super::{HttpClient, HttpError, from_sending};

/// How long a server may be silent before it is asked whether it is there, and then until it answers.
const SILENCE: Duration = Duration::from_secs(30);

/// What awc returns, whose type has no public name.
trait Frames: Stream<Item = Result<Frame, WsProtocolError>> + Sink<Message, Error = WsProtocolError> {}

impl<T: Stream<Item = Result<Frame, WsProtocolError>> + Sink<Message, Error = WsProtocolError>> Frames for T {}

/// A connection that receives messages.
pub struct WebSocket {
    frames: Pin<Box<dyn Frames>>,
    /// Whether the server was asked if it is there, and has not answered.
    is_asked: bool,
}

impl HttpClient {
    /// Opens a connection to a `ws:` or `wss:` address.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn websocket(&self, address: &str) -> Result<WebSocket, HttpError> {
        let opening = self.client.ws(address).max_frame_size(self.limits.max_body).connect();
        let opened = actix_rt::time::timeout(self.limits.timeout, opening).await;
        let opened = opened.unwrap_or(Err(WsClientError::SendRequest(SendRequestError::Timeout)));
        let (_, frames) = opened.map_err(|error| match error {
            WsClientError::SendRequest(error) => from_sending(&error),
            error => HttpError::NoAnswer(error.to_string()),
        })?;
        Ok(WebSocket { frames: Box::pin(frames), is_asked: false })
    }
}

impl WebSocket {
    /// The next message. May be dropped at any point.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn next(&mut self) -> Result<Bytes, HttpError> {
        loop {
            let frame = match actix_rt::time::timeout(SILENCE, self.frames.next()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return lost(error.to_string()),
                Ok(None) => return lost("the server ended the connection"),
                Err(_) if self.is_asked => return lost("the server is silent"),
                Err(_) => {
                    self.is_asked = true;
                    self.send(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            self.is_asked = false;
            match frame {
                Frame::Text(message) | Frame::Binary(message) => return Ok(message),
                Frame::Ping(payload) => self.send(Message::Pong(payload)).await?,
                Frame::Close(reason) => {
                    let reason = reason.and_then(|reason| reason.description).unwrap_or_default();
                    return lost(format!("the server closed the connection: {reason:?}"));
                }
                // The server is there. Or it sent a message in parts, which awc lets nobody read; no server that Mynah
                // listens to does.
                Frame::Pong(_) | Frame::Continuation(_) => {}
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), HttpError> {
        self.frames.send(message).await.or_else(|error| lost(error.to_string()))
    }
}

fn lost<T>(why: impl Into<String>) -> Result<T, HttpError> {
    Err(HttpError::NoAnswer(why.into()))
}
