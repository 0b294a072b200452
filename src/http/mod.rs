//! Who runs a service must be able to see what it does and to steer it, also when half of it is dead, and nobody else may.
//! The admin API answers on a thread of its own, which shares nothing with the pipeline but ways to ask it.
//!
//! - [`guard`]: who may ask what.
//! - [`rates`]: how much may be asked.
//! - [`connections`]: how long a client may hold a connection.
//! - [`refusal`], [`error`]: why not, in words.
//! - [`ready`]: whether the service is ready to work.
//! - [`page`]: the dashboard.
//! - [`api`]: what can be seen and done, one file a subject.
//!
//! The address really bound is written to `<data_dir>/admin`, where the commands find it; a port that is any free one is
//! found so, and a command can only ever reach the service of its own data directory.

mod api;
mod connections;
mod error;
mod guard;
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
    pauses::Pauses,
    pipeline::{ActorRefs, PipelineHandle},
    supervision::{HealthRegistry, Supervisor},
    upstreams::Upstreams,
};
use mynah_domain::{TargetId, ports::Ledger};
use tokio::sync::{mpsc, oneshot, watch};

use self::connections::Connections;
use crate::{
    app::service::{Reloaded, Service},
    control::vitals::Vitals,
    settings::{AdminSettings, Settings, TargetSettings},
};

/// The largest body that is read: a few thousand job numbers.
const BODY_MOST: usize = 16 * 1024;

/// How long a request's head may take to come, and its body after it.
const SLOWEST: Duration = Duration::from_secs(5);

/// How long its thread may take to end.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// The file in the data directory with the address that is bound.
const ADDRESS_FILE: &str = "admin";

/// The admin API cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Somebody else has the port.
    #[error(
        "admin.listen: {0} is in use by another program; set admin.listen to another address, to port 0 for any that is free, or to \"off\""
    )]
    PortTaken(SocketAddr),
    /// It cannot be bound.
    #[error(
        "admin.listen: cannot listen on {listen}: {error}; set it to an address of this machine, or to \"off\""
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The address cannot be written down.
    #[error("{path}: {error}; let this user write in data_dir")]
    AddressFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The server did not start.
    #[error("the admin API did not start: {0}; set admin.listen to \"off\" to go on without it")]
    Start(String),
}

/// The ways to a running pipeline. None of them needs any actor to be alive.
pub struct Control {
    health: HealthRegistry,
    actors: ActorRefs,
    supervisor: Addr<Supervisor>,
    pauses: Pauses,
    ledger: Arc<dyn Ledger>,
    known: watch::Receiver<Known>,
    vitals: Vitals,
    handle: PipelineHandle,
    upstreams: Upstreams,
    reload: mpsc::Sender<ReloadAsked>,
}

/// What of the settings the API goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The targets.
    pub targets: Vec<TargetId>,
    /// The engines.
    pub engines: Vec<Arc<str>>,
}

impl Known {
    /// What of these settings it goes by.
    pub fn of(settings: &Settings) -> Self {
        Self {
            targets: settings.targets.iter().map(TargetSettings::id).collect(),
            engines: settings.engine.names(),
        }
    }
}

/// The wish that the settings are read anew, and the way to whoever wishes it.
#[derive(Debug)]
pub struct ReloadAsked(
    /// Hears what came of it, or what is wrong with the settings.
    pub oneshot::Sender<Result<Reloaded, String>>,
);

impl Control {
    /// The ways to that service, of whose settings `known` may change, and to whoever reads its settings anew.
    pub fn of(
        service: &Service,
        known: watch::Receiver<Known>,
        vitals: Vitals,
        reload: mpsc::Sender<ReloadAsked>,
    ) -> Self {
        let pipeline = &service.pipeline;
        Self {
            health: pipeline.health.clone(),
            actors: pipeline.actors.clone(),
            supervisor: pipeline.supervisor.clone(),
            pauses: pipeline.pauses.clone(),
            ledger: pipeline.ledger.clone(),
            known,
            vitals,
            handle: pipeline.handle.clone(),
            upstreams: service.upstreams().clone(),
            reload,
        }
    }

    /// The targets there are now.
    fn targets(&self) -> Vec<TargetId> {
        self.known.borrow().targets.clone()
    }
}

/// A running admin API. It ends with this, and its address is forgotten.
#[derive(Debug)]
pub struct Admin {
    handle: ServerHandle,
    ended: Option<oneshot::Receiver<()>>,
    address_file: PathBuf,
}

/// Binds the address, before anything else is begun.
///
/// # Errors
/// Each [`AdminError`] names the setting and what to do.
pub fn bind(listen: SocketAddr) -> Result<TcpListener, AdminError> {
    TcpListener::bind(listen).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => AdminError::PortTaken(listen),
        _ => AdminError::Listen { listen, error },
    })
}

/// The address that the service on a data directory wrote down, if one did.
pub fn address_in(data_dir: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data_dir.join(ADDRESS_FILE)).ok()?.trim().parse().ok()
}

/// Forgets the address of a service that ended without a word. Only for whoever holds the ledger's lock.
pub fn forget_address(data_dir: &Path) {
    // Where there is none, that is what was asked for.
    let _ = fs::remove_file(data_dir.join(ADDRESS_FILE));
}

/// Serves on a thread of its own. Only for whoever holds the ledger's lock: the address is written beside it.
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
    let rules = guard::Rules::new(bound, settings.token.clone());
    let (started, starting) = oneshot::channel();
    let (ended, ending) = oneshot::channel();
    thread::Builder::new()
        .name("admin".into())
        .spawn(move || {
            actix_rt::System::new().block_on(async move {
                match server(listener, rules, control) {
                    Ok(server) => {
                        // Whoever asked may have gone; the server then ends with its handle.
                        let _ = started.send(Ok(server.handle()));
                        if let Err(error) = server.await {
                            log::error!(reason:% = error; "the admin API ended");
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
    let admin = Admin { handle, ended: Some(ending), address_file: data_dir.join(ADDRESS_FILE) };
    write_address(&admin.address_file, bound)
        .map_err(|error| AdminError::AddressFile { path: admin.address_file.clone(), error })?;
    info!(address:% = bound; "the admin API listens");
    Ok(admin)
}

/// Whole or not at all: a command may look at any moment.
fn write_address(file: &Path, bound: SocketAddr) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, format!("{bound}\n"))?;
    fs::rename(&new, file)
}

fn server(listener: TcpListener, rules: guard::Rules, control: Control) -> io::Result<Server> {
    let (rules, control) = (web::Data::new(rules), web::Data::new(control));
    let connections = Arc::new(Connections::default());
    actix_rt::spawn(Arc::clone(&connections).watch());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(rules.clone())
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
    // One worker: requests here wait more than they work.
    .workers(1)
    .max_connections(connections::most())
    .on_connect(move |io, data| connections.accept(io, data))
    .client_request_timeout(SLOWEST)
    // The server limits the time of the first request on a connection only.
    .keep_alive(KeepAlive::Disabled)
    .disable_signals()
    .shutdown_timeout(0)
    .listen(listener)?
    .run();
    Ok(server)
}

impl Admin {
    /// Ends it, and waits a moment for its thread, which holds a handle of the ledger. Only a moment: it keeps no process
    /// from ending.
    pub async fn stop(mut self) {
        let ended = self.ended.take();
        drop(self);
        if let Some(ended) = ended {
            // Either way there is nothing more to wait for.
            let _ = actix_rt::time::timeout(LAST_MOMENT, ended).await;
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // What cannot be removed is overwritten by the next start.
        let _ = fs::remove_file(&self.address_file);
        // The command is sent before the future is polled.
        drop(self.handle.stop(false));
    }
}
