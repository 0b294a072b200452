//! Runs the server on its own thread with its own runtime, so that a sandbox can be started from any runtime or from
//! none.

use std::{
    any::Any,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use actix_web::{
    App, HttpServer,
    dev::{Extensions, ServerHandle},
    middleware::from_fn,
    web,
};
use tokio::sync::oneshot;

use crate::{
    bluesky, connection::Connection, control, deepl, error::SandboxError, follow::Follower, gemini,
    intercept, libretranslate, mastodon, media, openai, page, state::State, x,
};

/// The largest accepted body: a picture in base64, with room to spare.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// A running server.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    handle: ServerHandle,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Running {
    /// Stops the server. When this returns, its socket is closed.
    pub(crate) async fn stop(&self) {
        self.handle.stop(false).await;
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            // An error means that the thread has ended already.
            let _ = ended.await;
        }
    }

    /// Asks the server to stop, without waiting.
    pub(crate) fn request_stop(&self) {
        // `stop` sends its command even if its future is never polled.
        drop(self.handle.stop(false));
    }
}

/// Binds the address, or returns an error with the fix.
pub(crate) fn bind(listen: SocketAddr) -> Result<TcpListener, SandboxError> {
    if !listen.ip().is_loopback() {
        return Err(SandboxError::NotLoopback(listen));
    }
    TcpListener::bind(listen).map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => SandboxError::PortTaken(listen),
        _ => SandboxError::Listen { addr: listen, source },
    })
}

/// Starts the server on its own thread.
pub(crate) async fn run(
    listener: TcpListener,
    state: Arc<State>,
    follower: Option<Follower>,
) -> Result<Running, SandboxError> {
    let addr = listener.local_addr().map_err(|error| SandboxError::Start(error.to_string()))?;
    state.set_base(&format!("http://{addr}"));
    let (started_tx, started) = oneshot::channel();
    let (ended_tx, ended) = oneshot::channel();
    thread::Builder::new()
        .name("mynah-sandbox".into())
        .spawn(move || {
            actix_rt::System::new().block_on(async move {
                match serve(listener, Arc::clone(&state)) {
                    Ok(server) => {
                        if let Some(follower) = follower {
                            actix_rt::spawn(follower.run(state));
                        }
                        // The caller may be gone. Then the server stops when its handle is dropped.
                        let _ = started_tx.send(Ok(server.handle()));
                        if let Err(error) = server.await {
                            log::error!("the sandbox's server ended: {error}");
                        }
                    }
                    Err(error) => drop(started_tx.send(Err(error))),
                }
            });
            let _ = ended_tx.send(());
        })
        .map_err(|error| SandboxError::Start(error.to_string()))?;
    let handle = started
        .await
        .map_err(|_| SandboxError::Start("its thread ended at once".into()))?
        .map_err(|error| SandboxError::Start(error.to_string()))?;
    Ok(Running { addr, handle, ended: Mutex::new(Some(ended)) })
}

fn serve(listener: TcpListener, state: Arc<State>) -> std::io::Result<actix_web::dev::Server> {
    let state = web::Data::from(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY))
            .wrap(from_fn(intercept::intercept))
            .configure(x::routes)
            .configure(gemini::routes)
            .configure(deepl::routes)
            .configure(libretranslate::routes)
            .configure(openai::routes)
            .configure(bluesky::routes)
            .configure(mastodon::routes)
            .configure(page::routes)
            .configure(media::routes)
            .configure(control::routes)
    })
    .on_connect(store_connection)
    // One worker: requests wait more than they compute, and a single order of events is easier to reason about.
    .workers(1)
    .disable_signals()
    .shutdown_timeout(0)
    .listen(listener)?
    .run();
    Ok(server)
}

fn store_connection(stream: &dyn Any, extensions: &mut Extensions) {
    let Some(stream) = stream.downcast_ref::<actix_rt::net::TcpStream>() else {
        return;
    };
    match Connection::of(stream) {
        Ok(connection) => drop(extensions.insert(connection)),
        Err(error) => log::warn!("faults that drop this connection will answer 503 instead: {error}"),
    }
}
