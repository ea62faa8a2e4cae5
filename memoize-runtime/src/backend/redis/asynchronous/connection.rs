//! One connection of the async client, which many tasks ask at one time.
//!
//! Answers come in the order of the questions. The client of `redis` keeps a place for each question until its answer has come,
//! whether or not somebody still waits for it: the answer to a question that was dropped is thrown away, and never handed
//! to another.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::blocking::{find, on_a_thread, panicked, share};
use super::super::error::{self, Failure};
use super::super::login::Greeting;
use super::super::origin::RunId;
use super::super::tls::Tls;
use super::super::url::Address;
use crate::backend::BackendError;
use crate::timer::timeout;

/// Clones are the same connection.
#[derive(Clone)]
pub(super) struct Connection {
    multiplexed: MultiplexedConnection,
    driver: Arc<Driver>,
    id: u64,
    pub(super) run_id: Option<RunId>,
    /// When it was opened, by the count of [`Origin::epoch`](super::super::origin::Origin::epoch).
    pub(super) epoch: u64,
    /// [`Shared::connected`](super::super::Shared).
    pub(super) among: Option<Arc<()>>,
}

/// The task that reads and writes. It ends with the last who may ask.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(super) async fn open(
        address: &Address,
        tls: Option<&Tls>,
        greeting: &Greeting,
        until: Instant,
    ) -> Result<Self, BackendError> {
        let opened = timeout(Some(until), Box::pin(open(address, tls, until))).await;
        let mut connection = opened.unwrap_or_else(|| Err(error::late()))?;
        let commands = greeting.commands();
        if !commands.is_empty() {
            let commands: Vec<_> = commands.iter().collect();
            let answers = connection.ask(&commands, until).await;
            connection.run_id = greeting.check(&answers.map_err(Failure::of_new_connection)?)?;
        }
        Ok(connection)
    }

    /// The answers to these commands, in their order. What had come of them when the connection was lost is not known.
    pub(super) async fn ask(
        &self,
        commands: &[&Cmd],
        until: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let mut multiplexed = self.multiplexed.clone();
        let answers = async {
            if let [command] = commands {
                return Ok(vec![multiplexed.send_packed_command(command).await?]);
            }
            let mut pipeline = Pipeline::with_capacity(commands.len());
            for &command in commands {
                pipeline.add_command(command.clone());
            }
            multiplexed
                .send_packed_commands(&pipeline, 0, commands.len())
                .await
        };
        let answers = timeout(Some(until), answers).await;
        let answers = answers.ok_or(Failure::Late)?;
        answers.map_err(|error| {
            if error.is_connection_dropped() {
                Failure::Stale(error::of_client(error))
            } else {
                Failure::Other(error::of_client(error))
            }
        })
    }

    /// Whether nobody reads from it any more: it was lost, or its runtime has ended.
    pub(super) fn is_over(&self) -> bool {
        self.driver.0.is_finished()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

async fn open(
    address: &Address,
    tls: Option<&Tls>,
    until: Instant,
) -> Result<Connection, BackendError> {
    match (address, tls) {
        (Address::Tcp { host, port }, None) => {
            let stream = connect(host, *port, until).await.map_err(error::of_io)?;
            over(stream).await
        }
        (Address::Tcp { host, port }, Some(tls)) => {
            let stream = connect(host, *port, until).await.map_err(error::of_io)?;
            over(tls.tokio(host, stream).await?).await
        }
        #[cfg(unix)]
        (Address::Unix(path), _) => {
            let stream = tokio::net::UnixStream::connect(path).await;
            over(stream.map_err(error::of_io)?).await
        }
        #[cfg(not(unix))]
        (Address::Unix(_), _) => Err(error::of_io(io::ErrorKind::Unsupported.into())),
    }
}

async fn connect(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let addresses = resolve(host, port).await?;
    let mut last = ErrorKind::NotFound.into();
    for (index, address) in addresses.iter().enumerate() {
        // Each has its share of the time, so that one which doesn't answer leaves some for the next.
        let share = share(until, addresses.len() - index - 1);
        match timeout(Some(share), TcpStream::connect(address)).await {
            Some(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Some(Err(error)) => last = error,
            None => last = ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// On a thread of its own that is left alone: a runtime's threads for what blocks may all be taken, and it doesn't end before they do.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let (send, receive) = oneshot::channel();
    let host = host.to_owned();
    on_a_thread(move || {
        // Nobody listens any more when it took too long.
        let _ = send.send(find(&host, port));
    })?;
    receive.await.unwrap_or_else(|_| Err(panicked()))
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Connection, BackendError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // We say hello ourselves, as the other client does, and keep the time.
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let (multiplexed, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(error::of_client)?;
    Ok(Connection {
        multiplexed,
        driver: Arc::new(Driver(tokio::spawn(driver))),
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        run_id: None,
        epoch: 0,
        among: None,
    })
}
