//! Operators must be able to inspect and control a service even if half of it is dead, and nobody else may. The admin
//! API runs on its own thread and shares only handles with the pipeline.
//!
//! - [`guard`]: access rules; [`identity`]: who calls.
//! - [`rates`]: rate limits.
//! - [`connections`]: deadlines and limits for connections.
//! - [`refusal`], [`error`]: error answers.
//! - [`ready`]: whether the service is ready.
//! - [`page`]: the dashboard.
//! - [`api`]: the endpoints, one file per subject.
//!
//! The server writes its bound address to `<data_dir>/admin`. Commands find it there, even if the settings ask for any
//! free port, and they can reach only the service of their own data directory.

mod api;
mod connections;
mod error;
mod guard;
mod identity;
mod page;
mod rates;
mod ready;
mod refusal;

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use actix::Addr;
use actix_web::{
    App, HttpServer,
    dev::{Server, ServerHandle},
    http::KeepAlive,
    middleware::{DefaultHeaders, from_fn},
    web,
};
use log::info;
use mynah_actors::{
    pipeline::{ActorRefs, PipelineHandle},
    supervision::Supervisor,
};
use tokio::sync::{mpsc, oneshot};

use self::connections::Connections;
use crate::{
    alerts::Observer,
    app::{
        credentials::TriedSecret,
        service::{Reloaded, Service},
    },
    control::{names::Names, overview::Overview, vitals::Vitals},
    settings::AdminSettings,
};

/// The largest body to read: a few thousand job numbers.
const MAX_BODY: usize = 16 * 1024;

/// How long a request's head may take to arrive, and its body after that.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server's thread may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The file in the data directory with the bound address.
const ADDRESS_FILE: &str = "admin";

/// Why the admin API cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Another program uses the port.
    #[error(
        "admin.listen: {0} is in use by another program; set admin.listen to another address, to port 0 for any free port, or to \"off\""
    )]
    PortTaken(SocketAddr),
    /// The address cannot be bound.
    #[error(
        "admin.listen: cannot listen on {listen}: {error}; set it to an address of this machine, or to \"off\""
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// The address file cannot be written.
    #[error("{path}: {error}; give this user write access to data_dir")]
    AddressFile {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The server did not start.
    #[error("the admin API did not start: {0}; set admin.listen to \"off\" to run without it")]
    Start(String),
}

/// Handles to a running pipeline. They work even if actors are dead.
pub struct Control {
    overview: Overview,
    alerts: Observer,
    actors: ActorRefs,
    supervisor: Addr<Supervisor>,
    vitals: Vitals,
    handle: PipelineHandle,
    reload: mpsc::Sender<ReloadRequest>,
}

/// A request to reload the settings, with a channel for the answer.
#[derive(Debug)]
pub struct ReloadRequest(
    /// Receives the changes, or the problems of the settings.
    pub oneshot::Sender<Result<(Reloaded, Vec<TriedSecret>), String>>,
);

impl Control {
    /// The handles to `service`. `reload` asks for a reload.
    pub fn of(
        service: &Service,
        overview: Overview,
        alerts: Observer,
        vitals: Vitals,
        reload: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        let pipeline = &service.pipeline;
        Self {
            overview,
            alerts,
            actors: pipeline.actors.clone(),
            supervisor: pipeline.supervisor.clone(),
            vitals,
            handle: pipeline.handle.clone(),
            reload,
        }
    }

    /// How operators name the current sources and targets.
    fn names(&self) -> Names {
        self.overview.configured.borrow().names.clone()
    }
}

/// A running admin API. Dropping this stops it and removes its address file.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    handle: ServerHandle,
    ended: Option<oneshot::Receiver<()>>,
    address_file: PathBuf,
}

/// Binds the address, before anything else starts.
///
/// # Errors
/// Each [`AdminError`] names the setting and what to do.
pub fn bind(listen: SocketAddr) -> Result<TcpListener, AdminError> {
    TcpListener::bind(listen).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => AdminError::PortTaken(listen),
        _ => AdminError::Listen { listen, error },
    })
}

/// The address in a data directory's address file, if there is one.
pub fn address_in(data_dir: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data_dir.join(ADDRESS_FILE)).ok()?.trim().parse().ok()
}

/// Removes the address file of a service that crashed. The caller must hold the ledger's lock.
pub fn forget_address(data_dir: &Path) {
    // It may not exist.
    let _ = fs::remove_file(data_dir.join(ADDRESS_FILE));
}

/// Serves on its own thread. The caller must hold the ledger's lock, which also protects the address file.
///
/// # Errors
/// Each [`AdminError`] says what to do.
pub async fn serve(
    listener: TcpListener,
    settings: &AdminSettings,
    control: Control,
    data_dir: &Path,
) -> Result<Admin, AdminError> {
    let did_not_start = |error: &dyn std::fmt::Display| AdminError::Start(error.to_string());
    let bound = listener.local_addr().map_err(|error| did_not_start(&error))?;
    let rules = guard::Rules::new(bound);
    let ledger = control.overview.ledger.clone();
    let identities = identity::Identities::new(settings.token.as_ref(), ledger, bound.port());
    let (started, starting) = oneshot::channel();
    let (ended, ending) = oneshot::channel();
    thread::Builder::new()
        .name("admin".into())
        .spawn(move || {
            actix_rt::System::new().block_on(async move {
                match server(listener, rules, identities, control) {
                    Ok(server) => {
                        // If the receiver is gone, the server ends with its handle.
                        let _ = started.send(Ok(server.handle()));
                        if let Err(error) = server.await {
                            log::error!(reason:% = error; "admin API failed");
                        }
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
            let _ = ended.send(());
        })
        .map_err(|error| did_not_start(&error))?;
    let handle = starting
        .await
        .map_err(|_| did_not_start(&"its thread ended at once"))?
        .map_err(|error| did_not_start(&error))?;
    let admin =
        Admin { address: bound, handle, ended: Some(ending), address_file: data_dir.join(ADDRESS_FILE) };
    write_address(&admin.address_file, bound)
        .map_err(|error| AdminError::AddressFile { path: admin.address_file.clone(), error })?;
    info!(address:% = bound; "admin API listening");
    Ok(admin)
}

/// Writes it atomically, because a command may read it at any moment.
fn write_address(file: &Path, bound: SocketAddr) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, format!("{bound}\n"))?;
    fs::rename(&new, file)
}

fn server(
    listener: TcpListener,
    rules: guard::Rules,
    identities: identity::Identities,
    control: Control,
) -> io::Result<Server> {
    let (rules, control) = (web::Data::new(rules), web::Data::new(control));
    let identities = web::Data::new(identities);
    let connections = Arc::new(Connections::default());
    actix_rt::spawn(Arc::clone(&connections).watch());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(rules.clone())
            .app_data(identities.clone())
            .app_data(control.clone())
            .wrap(from_fn(guard::guard))
            .wrap(
                DefaultHeaders::new()
                    .add(("Cache-Control", "no-store"))
                    .add(("X-Content-Type-Options", "nosniff"))
                    .add(("X-Frame-Options", "DENY"))
                    .add(("Cross-Origin-Resource-Policy", "same-origin")),
            )
            .configure(page::routes)
            .configure(api::routes)
    })
    // One worker is enough: requests here mostly wait.
    .workers(1)
    .max_connections(connections::max_connections())
    .on_connect(move |io, data| connections.accept(io, data))
    .client_request_timeout(ARRIVAL_TIMEOUT)
    // The server's timeout covers only the first request on a connection.
    .keep_alive(KeepAlive::Disabled)
    .disable_signals()
    .shutdown_timeout(0)
    .listen(listener)?
    .run();
    Ok(server)
}

impl Admin {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it and waits for its thread, which holds a handle of the ledger. The wait is short, so that it does not
    /// delay the end of the process.
    pub async fn stop(mut self) {
        let ended = self.ended.take();
        drop(self);
        if let Some(ended) = ended {
            // After the timeout there is nothing more to do.
            let _ = actix_rt::time::timeout(STOP_TIMEOUT, ended).await;
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // If this fails, the next start overwrites it.
        let _ = fs::remove_file(&self.address_file);
        // `stop` sends its command at once, so the future need not be polled.
        drop(self.handle.stop(false));
    }
}
