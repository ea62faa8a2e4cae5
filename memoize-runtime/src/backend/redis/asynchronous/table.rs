//! The open connections, by runtime and server.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use super::super::error;
use super::super::url::Address;
use super::connection::Connection;
use super::runtimes;
use crate::backend::BackendError;
use crate::locks::lock;
use crate::process::PerProcess;
use crate::timer::timeout;

/// A forked child has its parent's sockets, and must neither speak on them nor close them: they are registered with what wakes the
/// parent's tasks.
#[derive(Default)]
pub(super) struct Table(PerProcess<Arc<Mutex<Places>>>);

/// A connection is read by a task of the runtime that it was opened in, so that each runtime has its own.
type Places = HashMap<(Id, Address), Place>;

enum Place {
    Open(Connection),
    /// A task opens it, which all who need it wait for: any of them may not be polled for long.
    Opening(Opening),
}

/// What comes of it; nothing more where its runtime has ended.
type Opening = watch::Receiver<Option<Result<Connection, BackendError>>>;

impl Place {
    /// Whether nothing comes of it any more: it was lost, or its runtime has ended.
    fn is_over(&self) -> bool {
        match self {
            Self::Open(connection) => connection.is_over(),
            Self::Opening(opening) => opening.has_changed().is_err(),
        }
    }
}

impl Table {
    /// The connection to a server that was opened in this epoch or after it, and whether it was there before, so that it may have been
    /// lost since.
    pub(super) async fn get_or_open<F>(
        &self,
        address: &Address,
        epoch: u64,
        open: impl Fn() -> F,
        until: Instant,
    ) -> Result<(Connection, bool), BackendError>
    where
        F: Future<Output = Result<Connection, BackendError>> + Send + 'static,
    {
        let runtime = runtimes::current()?;
        loop {
            let mut opening = match self.find_or_open(&runtime, address, epoch, &open) {
                Place::Open(connection) => return Ok((connection, true)),
                Place::Opening(opening) => opening,
            };
            let outcome = timeout(Some(until), opening.wait_for(Option::is_some)).await;
            let outcome = outcome.ok_or_else(error::late)?;
            let outcome = outcome.map_err(|_| runtimes::ended())?;
            match &*outcome {
                Some(Ok(connection)) if connection.epoch >= epoch => {
                    return Ok((connection.clone(), false));
                }
                // Another one had less time.
                Some(Err(error)) if error::is_late(error) && Instant::now() < until => {}
                Some(Err(error)) => return Err(error.copy()),
                Some(Ok(_)) | None => {}
            }
        }
    }

    fn find_or_open<F>(
        &self,
        runtime: &Handle,
        address: &Address,
        epoch: u64,
        open: impl Fn() -> F,
    ) -> Place
    where
        F: Future<Output = Result<Connection, BackendError>> + Send + 'static,
    {
        let mut places = self.lock();
        let key = (runtime.id(), address.clone());
        match places.get(&key) {
            Some(place) if place.is_over() => {}
            Some(Place::Open(connection)) if connection.epoch >= epoch => {
                return Place::Open(connection.clone());
            }
            Some(Place::Opening(opening)) => return Place::Opening(opening.clone()),
            Some(Place::Open(_)) | None => {}
        }
        // Those of runtimes that have ended as well.
        let over: Vec<_> = places.extract_if(|_, place| place.is_over()).collect();
        let (send, opening) = watch::channel(None);
        let replaced = places.insert(key.clone(), Place::Opening(opening.clone()));
        drop(places);
        drop((over, replaced));
        let (all, open) = (Arc::clone(self.all()), open());
        runtime.spawn(async move {
            let outcome = open.await;
            let mut places = lock(&all);
            let replaced = match &outcome {
                Ok(connection) => places.insert(key, Place::Open(connection.clone())),
                Err(_) => places.remove(&key),
            };
            drop(places);
            drop(replaced);
            // Nobody may wait any more.
            let _ = send.send(Some(outcome));
        });
        Place::Opening(opening)
    }

    /// Has the next one open another connection, if this is still the one that is there.
    pub(super) fn forget(&self, address: &Address, connection: &Connection) {
        let mut places = self.lock();
        let key = (connection.runtime, address.clone());
        let is_there = matches!(places.get(&key), Some(Place::Open(open)) if open.is(connection));
        let forgotten = is_there.then(|| places.remove(&key));
        drop(places);
        drop(forgotten);
    }

    /// Closes what is open to other servers than these.
    pub(super) fn keep(&self, is_kept: impl Fn(&Address) -> bool) {
        let mut places = self.lock();
        let left: Vec<_> = places
            .extract_if(|(_, address), _| !is_kept(address))
            .collect();
        drop(places);
        drop(left);
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        lock(self.all())
    }

    fn all(&self) -> &Arc<Mutex<Places>> {
        self.0.get_or_make(Arc::default)
    }
}
