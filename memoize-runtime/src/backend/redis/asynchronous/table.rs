//! The open connections, by runtime and server.

use std::collections::HashMap;
use std::future::Future;
use std::process;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::{Handle, Id};
use tokio::sync::Mutex;

use super::super::error;
use super::super::url::Address;
use super::connection::Connection;
use crate::backend::BackendError;
use crate::timer::timeout;

pub(super) struct Table(SyncMutex<Open>);

struct Open {
    /// Whose connections these are. A forked child has its parent's sockets, and must not speak on them.
    process: u32,
    /// A connection is read by a task of the runtime that it was opened in, so that each runtime has its own.
    places: HashMap<(Id, Address), Arc<Place>>,
}

/// Locked while it is being opened, so that it is opened once, and for moments otherwise.
type Place = Mutex<Option<Connection>>;

impl Table {
    pub(super) fn new() -> Self {
        Self(SyncMutex::new(Open {
            process: process::id(),
            places: HashMap::new(),
        }))
    }

    /// The connection to a server, and whether it was there before, so that it may have been lost since.
    pub(super) async fn get_or_open(
        &self,
        address: &Address,
        open: impl Future<Output = Result<Connection, BackendError>>,
        until: Instant,
    ) -> Result<(Connection, bool), BackendError> {
        let place = self.place(address);
        let Some(mut opened) = timeout(Some(until), place.lock()).await else {
            return Err(error::late());
        };
        if let Some(connection) = opened.as_ref().filter(|connection| !connection.is_over()) {
            return Ok((connection.clone(), true));
        }
        *opened = None;
        let connection = open.await?;
        *opened = Some(connection.clone());
        Ok((connection, false))
    }

    /// Has the next one open another connection, if this is still the one that is there.
    pub(super) fn forget(&self, address: &Address, connection: &Connection) {
        let mut open = self.lock();
        let key = (Handle::current().id(), address.clone());
        let is_there = open.places.get(&key).is_some_and(|place| {
            // Locked by somebody else, it is being opened anew, or is tried once more.
            place
                .try_lock()
                .is_ok_and(|opened| opened.as_ref().is_some_and(|opened| opened.is(connection)))
        });
        let forgotten = is_there.then(|| open.places.remove(&key));
        drop(open);
        drop(forgotten);
    }

    fn place(&self, address: &Address) -> Arc<Place> {
        let mut open = self.lock();
        let key = (Handle::current().id(), address.clone());
        if let Some(place) = open.places.get(&key) {
            return Arc::clone(place);
        }
        // Those of runtimes that have ended.
        open.places.retain(|_, place| {
            place.try_lock().map_or(true, |opened| {
                opened.as_ref().is_some_and(|opened| !opened.is_over())
            })
        });
        let place = Arc::new(Mutex::new(None));
        open.places.insert(key, Arc::clone(&place));
        place
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let process = process::id();
        if open.process != process {
            open.places.clear();
            open.process = process;
        }
        open
    }
}
