//! A server that takes messages over HTTP. It may hang, redirect or fail for a day; the address is a secret, so no error
//! shows it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{NotDelivered, Receiver, shapes};
use crate::{
    alerts::{message::Message, settings::WebhookSettings},
    http_client::{Answer, HttpClient, Limits, Request, Transport},
    telemetry::outside::brief,
};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer to read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Sends messages over HTTP.
pub struct Webhook {
    settings: WebhookSettings,
    client: HttpClient,
}

impl Webhook {
    /// A receiver with these settings.
    pub fn new(settings: WebhookSettings, transport: Transport) -> Self {
        Self::with_timeout(settings, transport, TIMEOUT)
    }

    fn with_timeout(settings: WebhookSettings, transport: Transport, timeout: Duration) -> Self {
        let limits = Limits { connections: 1, transport, timeout, max_body: MAX_BODY };
        Self { settings, client: HttpClient::new(limits) }
    }
}

#[async_trait(?Send)]
impl Receiver for Webhook {
    fn name(&self) -> &'static str {
        self.settings.shape.name()
    }

    async fn deliver(&self, message: &Message) -> Result<String, NotDelivered> {
        let WebhookSettings { shape, address, key } = &self.settings;
        let now = Timestamp::now().as_second();
        let form = shapes::form(*shape, address, key.as_ref(), message, now);
        let request = Request::post(form.address).body("application/json", form.body);
        let request =
            form.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer =
            self.client.send(request).await.map_err(|error| NotDelivered::because(error.to_string()))?;
        if answer.is_success() {
            return Ok(format!("answered {}", answer.status));
        }
        Err(refused(&answer, shape.address_variable()))
    }
}

fn refused(answer: &Answer, variable: &str) -> NotDelivered {
    let status = answer.status;
    let words = match brief(&answer.text()) {
        words if words.is_empty() => words,
        words => format!(": {words}"),
    };
    let reason = match status {
        300..400 => format!(
            "answered {status}, a redirect, which Mynah does not follow; set {variable} to the address that it leads to"
        ),
        400..500 if status != 429 => {
            format!("answered {status}{words}; check {variable} and what belongs to it")
        }
        _ => format!("answered {status}{words}"),
    };
    let wait = answer.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
    NotDelivered { wait: wait.map(Duration::from_secs), ..NotDelivered::because(reason) }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, HttpServer, web};
    use secrecy::SecretString;

    use super::*;
    use crate::alerts::settings::Shape;

    /// A server that answers each path in its own way, and its address.
    fn server() -> String {
        let app = || {
            App::new()
                .route("/ok", web::post().to(|| async { HttpResponse::NoContent().finish() }))
                .route("/hang", web::post().to(std::future::pending::<HttpResponse>))
                .route(
                    "/redirect",
                    web::post()
                        .to(|| async { HttpResponse::Found().append_header(("Location", "/ok")).finish() }),
                )
                .route(
                    "/busy",
                    web::post().to(|| async {
                        HttpResponse::TooManyRequests().append_header(("Retry-After", "7")).finish()
                    }),
                )
                .route(
                    "/broken",
                    web::post().to(|body: String| async { HttpResponse::InternalServerError().body(body) }),
                )
                .route("/huge", web::post().to(|| async { HttpResponse::Ok().body("x".repeat(1 << 20)) }))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        actix_rt::spawn(server.run());
        format!("http://{address}")
    }

    async fn deliver(address: &str, shape: Shape) -> Result<String, NotDelivered> {
        let key = Some(SecretString::from("a-key-for-the-test"));
        let settings = WebhookSettings { shape, address: address.parse().unwrap(), key };
        let webhook = Webhook::with_timeout(settings, Transport::default(), Duration::from_millis(500));
        webhook.deliver(&Message::test(Timestamp::now())).await
    }

    #[actix_rt::test]
    async fn a_server_that_does_not_take_a_message_is_an_error_with_its_reason() {
        let url = server();
        for shape in [Shape::Json, Shape::Slack, Shape::Discord] {
            assert_eq!(deliver(&format!("{url}/ok"), shape).await.unwrap(), "answered 204");
        }
        for (path, reason) in [
            ("hang", "timed out"),
            (
                "redirect",
                "answered 302, a redirect, which Mynah does not follow; set MYNAH_ALERTS_WEBHOOK_URL",
            ),
            ("nothing", "answered 404"),
            ("broken", "answered 500"),
            ("huge", "longer than"),
        ] {
            let error = deliver(&format!("{url}/{path}"), Shape::Json).await.unwrap_err();
            assert!(error.reason.contains(reason) && error.wait.is_none(), "{path}: {error:?}");
        }
        let busy = deliver(&format!("{url}/busy"), Shape::Discord).await.unwrap_err();
        assert_eq!(busy.wait, Some(Duration::from_secs(7)));
        let away = deliver("http://127.0.0.1:1/hush-secret-path", Shape::Slack).await.unwrap_err();
        assert!(away.reason.contains("cannot reach") && !away.reason.contains("hush"), "{away:?}");
    }
}
