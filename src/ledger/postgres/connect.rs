//! The connections: a few, opened when they are needed, and again when they were lost.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};

use super::{
    address::Address,
    engine,
    errors::{Error, Result},
    tls::Tls,
};

/// One for the writer, and some for everything else: a server has about a hundred for all of its clients.
const CONNECTIONS: usize = 4;

/// How long a call may wait for a free connection, or for a new one.
const WAIT: Duration = Duration::from_secs(10);

/// The connections to a server.
#[derive(Clone)]
pub(super) struct Connections(Pool);

impl Connections {
    /// # Errors
    /// The settings for TLS cannot be used.
    pub(super) fn new(address: &Address, application: &str) -> std::result::Result<Self, String> {
        let tls = Tls::new(address.trust())?;
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(address.config(application), tls, config);
        let set_up = Hook::async_fn(|client, _| {
            Box::pin(async { client.batch_execute(engine::SESSION).await.map_err(HookError::Backend) })
        });
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(set_up)
            .build();
        pool.map(Self).map_err(|error| error.to_string())
    }

    /// A connection that nobody else uses meanwhile.
    pub(super) async fn get(&self) -> Result<Object> {
        match self.0.get().await {
            Ok(connection) => Ok(connection),
            Err(deadpool_postgres::PoolError::PostCreateHook(HookError::Backend(error))) => {
                Err(Error::Postgres(error))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Gives a connection back after a call, unless the call left it in an unknown state.
pub(super) fn give_back<T>(connection: Object, outcome: &Result<T>) {
    match outcome {
        Err(error) if !error.leaves_connection() => drop(Object::take(connection)),
        _ => drop(connection),
    }
}
