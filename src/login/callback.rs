//! Receives the code from a browser on the same machine. Any page in that browser can call this server, so it believes only
//! a call that knows the login's state, and goes on waiting after any other.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header::ContentType},
    web,
};
use oauth2::CsrfToken;
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::{LoginError, answer::code_in_query};

/// How long a person may take in the browser.
const PATIENCE: Duration = Duration::from_mins(10);

/// Allows the page nothing but its text.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type Answer = Result<SecretString, LoginError>;

/// The login that calls are compared with.
struct Expected {
    state: CsrfToken,
    server: String,
    is_answered: AtomicBool,
    answers: mpsc::Sender<Answer>,
}

/// A server on loopback that waits for the browser.
pub struct Callback {
    port: u16,
    answers: mpsc::Receiver<Answer>,
    server: ServerHandle,
}

impl Callback {
    /// Listens on this port, or on any free one.
    ///
    /// # Errors
    /// If the port is in use.
    pub fn listen(port: Option<u16>, state: &CsrfToken, server: &str) -> Result<Self, LoginError> {
        let wanted = port.unwrap_or(0);
        let failed = |error| LoginError::Port { port: wanted, error };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let (sender, answers) = mpsc::channel(1);
        let expected = Arc::new(Expected {
            state: state.clone(),
            server: server.to_owned(),
            is_answered: AtomicBool::new(false),
            answers: sender,
        });
        let running = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(expected.clone()))
                .route("/callback", web::get().to(called))
                .default_service(web::to(|| async { page(StatusCode::NOT_FOUND, "There is nothing here.") }))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)
        .map_err(failed)?
        .run();
        let handle = running.handle();
        actix_rt::spawn(running);
        Ok(Self { port, answers, server: handle })
    }

    /// The address to which the browser is sent.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// The code, when the browser has brought it. The browser's page is complete when this returns.
    ///
    /// # Errors
    /// The login was denied, or nobody came.
    pub async fn code(mut self) -> Result<SecretString, LoginError> {
        let answer = tokio::time::timeout(PATIENCE, self.answers.recv()).await;
        self.server.stop(true).await;
        let late = LoginError::TimedOut { minutes: PATIENCE.as_secs() / 60 };
        answer.ok().flatten().unwrap_or(Err(late))
    }
}

async fn called(request: HttpRequest, expected: web::Data<Expected>) -> HttpResponse {
    let answer = code_in_query(request.query_string(), &expected.state, &expected.server);
    if matches!(answer, Err(LoginError::WrongState)) {
        return page(
            StatusCode::BAD_REQUEST,
            "This is not the login that Mynah waits for. Open the address that it printed in the terminal.",
        );
    }
    if expected.is_answered.swap(true, Ordering::SeqCst) {
        return page(StatusCode::CONFLICT, "This login was answered already. Go back to the terminal.");
    }
    let (status, text) = match &answer {
        Ok(_) => {
            (StatusCode::OK, "Mynah received the login. Go back to the terminal; you can close this page.")
        }
        Err(LoginError::Denied { .. }) => {
            (StatusCode::OK, "The login was denied, so nothing was stored. You can close this page.")
        }
        Err(_) => (StatusCode::OK, "The login did not work. Go back to the terminal to see why."),
    };
    // An error means that the command has given up.
    let _ = expected.answers.send(answer).await;
    page(status, text)
}

/// A page with one sentence of ours: nothing from the request is repeated.
fn page(status: StatusCode, text: &str) -> HttpResponse {
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Mynah</title></head><body><p>{text}</p></body></html>"
    );
    HttpResponse::build(status)
        .content_type(ContentType::html())
        .insert_header(("content-security-policy", POLICY))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("cache-control", "no-store"))
        .body(body)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::http_client::{HttpClient, Limits, Request};

    fn state() -> CsrfToken {
        CsrfToken::new("the-state".into())
    }

    async fn call(address: &str, query: &str) -> (u16, String) {
        let http = HttpClient::new(Limits::default());
        let answer = http.send(Request::get(format!("{address}?{query}"))).await.unwrap();
        (answer.status, answer.text())
    }

    #[actix_rt::test]
    async fn a_call_with_another_state_does_not_end_the_login() {
        let callback = Callback::listen(None, &state(), "town.example").unwrap();
        let address = callback.address();
        for query in ["code=evil&state=another", "code=evil", "", "error=access_denied&state=another"] {
            let (status, page) = call(&address, query).await;
            assert!(status == 400 && page.contains("not the login"), "{query}: {status} {page}");
            assert!(!page.contains("evil"));
        }
        let (status, page) = call(&address, "code=abc&state=the-state").await;
        assert!(status == 200 && page.contains("received"), "{page}");
        assert_eq!(callback.code().await.unwrap().expose_secret(), "abc");
    }

    #[actix_rt::test]
    async fn a_login_is_answered_once() {
        let callback = Callback::listen(None, &state(), "town.example").unwrap();
        let address = callback.address();
        call(&address, "code=first&state=the-state").await;
        let (status, page) = call(&address, "code=second&state=the-state").await;
        assert!(status == 409 && page.contains("already"), "{page}");
        assert_eq!(callback.code().await.unwrap().expose_secret(), "first");
    }

    #[actix_rt::test]
    async fn a_denied_login_is_reported() {
        let callback = Callback::listen(None, &state(), "town.example").unwrap();
        call(&callback.address(), "error=access_denied&state=the-state").await;
        assert!(matches!(callback.code().await, Err(LoginError::Denied { .. })));
    }

    #[actix_rt::test]
    async fn a_port_in_use_is_reported_with_its_number() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Callback::listen(Some(port), &state(), "town.example").err().unwrap().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--paste"), "{error}");
    }
}
