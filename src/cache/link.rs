//! Keeps one connection to the server, on a thread of its own, so that no actor's thread ever reads an answer, encrypts
//! or connects. Callers send commands and wait for as long as they like. Commands whose caller has gone while the
//! connection was being made are dropped.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use mynah_domain::ports::shared_cache::SharedCacheError;
use redis::{AsyncConnectionConfig, Pipeline, RedisError, Value, aio::MultiplexedConnection};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::address::{Address, Tls};
use crate::tls::roots;

/// The longest time to connect.
const CONNECT: Duration = Duration::from_secs(2);

/// A connection without an answer for this long is given up. No caller waits that long.
const SILENCE: Duration = Duration::from_secs(1);

/// The most commands that wait for the connection.
const QUEUE: usize = 256;

/// What a caller gets.
pub(super) type Answer = Result<Vec<Value>, SharedCacheError>;

struct Request {
    commands: Pipeline,
    answer: oneshot::Sender<Answer>,
}

/// Where callers send their commands. The thread ends with the last clone.
#[derive(Clone)]
pub(super) struct Link(mpsc::Sender<Request>);

impl Link {
    /// Starts the thread. It connects with the first command.
    ///
    /// # Errors
    /// The certificates cannot be used, or the system starts no thread.
    pub(super) fn start(address: Address) -> Result<Self, String> {
        let connector = match &address.tls {
            None => None,
            Some(tls) => {
                let name = ServerName::try_from(address.host.clone());
                let name = name.map_err(|_| format!("{} is no name for a certificate", address.host))?;
                Some((connector(tls)?, name))
            }
        };
        let (requests, received) = mpsc::channel(QUEUE);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Without a runtime, every request is answered with an error, because nobody receives it.
            if let Ok(runtime) = runtime {
                let server = Server { address, connector, connection: Rc::default() };
                runtime.block_on(tokio::task::LocalSet::new().run_until(server.serve(received)));
            }
        };
        let thread = std::thread::Builder::new().name("shared cache".into());
        thread.spawn(serve).map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self(requests))
    }

    /// Sends commands, and returns the answer to each. An answer may be an error of that command alone.
    pub(super) async fn send(&self, mut commands: Pipeline) -> Answer {
        commands.ignore_errors();
        let (answer, answered) = oneshot::channel();
        let unavailable = |why: &str| SharedCacheError::Unavailable(why.to_owned());
        match self.0.try_send(Request { commands, answer }) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(unavailable("the connection ended"))),
            Err(mpsc::error::TrySendError::Full(_)) => Err(unavailable("too many requests wait for it")),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(unavailable("its thread ended")),
        }
    }
}

/// The other end.
struct Server {
    address: Address,
    connector: Option<(TlsConnector, ServerName<'static>)>,
    /// The connection with its number, if there is one.
    connection: Rc<RefCell<Option<(u64, MultiplexedConnection)>>>,
}

impl Server {
    async fn serve(self, mut received: mpsc::Receiver<Request>) {
        let mut made = 0;
        while let Some(Request { commands, answer }) = received.recv().await {
            if answer.is_closed() {
                continue;
            }
            let known = self.connection.borrow().clone();
            let (number, mut connection) = match known {
                Some(known) => known,
                None => match self.connect().await {
                    Ok(new) => {
                        made += 1;
                        self.connection.replace(Some((made, new.clone())));
                        (made, new)
                    }
                    Err(why) => {
                        // The caller may have gone.
                        let _ = answer.send(Err(SharedCacheError::Unavailable(why)));
                        continue;
                    }
                },
            };
            let current = self.connection.clone();
            tokio::task::spawn_local(async move {
                let outcome = match timeout(SILENCE, commands.query_async::<Value>(&mut connection)).await {
                    Ok(Ok(Value::Array(answers))) => Ok(answers),
                    Ok(Ok(_)) => Err("it answered something else than asked for".to_owned()),
                    Ok(Err(error)) => Err(sentence(&error)),
                    Err(_) => Err("it does not answer".to_owned()),
                };
                if outcome.is_err() {
                    // The next command makes a new one, unless that has happened.
                    current.borrow_mut().take_if(|(is, _)| *is == number);
                }
                let _ = answer.send(outcome.map_err(SharedCacheError::Unavailable));
            });
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let connected = timeout(CONNECT, async {
            let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
            stream.set_nodelay(true)?;
            match &self.connector {
                None => self.log_in(stream).await,
                Some((connector, name)) => self.log_in(connector.connect(name.clone(), stream).await?).await,
            }
        });
        match connected.await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(sentence(&error)),
            Err(_) => Err("it does not accept the connection".to_owned()),
        }
    }

    async fn log_in(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<MultiplexedConnection, RedisError> {
        // Whoever waits limits the time.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let login = self.address.login();
        let (connection, driver) = MultiplexedConnection::new_with_config(&login, stream, config).await?;
        tokio::task::spawn_local(driver);
        Ok(connection)
    }
}

/// An error of the connection, for people.
fn sentence(error: &RedisError) -> String {
    error.to_string()
}

fn connector(tls: &Tls) -> Result<TlsConnector, String> {
    let roots = roots(tls.authority.as_deref(), "cacert")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("TLS: {error}"))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
