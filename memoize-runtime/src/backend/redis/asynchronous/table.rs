//! The open connections, by runtime and server.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::{Handle, Id};
use tokio::sync::Mutex;

use super::super::error;
use super::super::url::Address;
use super::connection::Connection;
use crate::backend::BackendError;
use crate::process::PerProcess;
use crate::timer::timeout;

/// A forked child has its parent's sockets, and must neither speak on them nor close them: they are registered with what wakes the
/// parent's tasks.
#[derive(Default)]
pub(super) struct Table(PerProcess<SyncMutex<Places>>);

/// A connection is read by a task of the runtime that it was opened in, so that each runtime has its own.
type Places = HashMap<(Id, Address), Arc<Place>>;

/// Locked while it is being opened, so that it is opened once, and for moments otherwise.
type Place = Mutex<Option<Connection>>;

impl Table {
    /// The connection to a server that was opened in this epoch or after it, and whether it was there before, so that it may have been
    /// lost since.
    pub(super) async fn get_or_open(
        &self,
        address: &Address,
        epoch: u64,
        open: impl Future<Output = Result<Connection, BackendError>>,
        until: Instant,
    ) -> Result<(Connection, bool), BackendError> {
        let place = self.place(address);
        let Some(mut opened) = timeout(Some(until), place.lock()).await else {
            return Err(error::late());
        };
        let usable = opened
            .as_ref()
            .filter(|connection| connection.epoch >= epoch && !connection.is_over());
        if let Some(connection) = usable {
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
        let is_there = open.get(&key).is_some_and(|place| {
            // Locked by somebody else, it is being opened anew, or is tried once more.
            place
                .try_lock()
                .is_ok_and(|opened| opened.as_ref().is_some_and(|opened| opened.is(connection)))
        });
        let forgotten = is_there.then(|| open.remove(&key));
        drop(open);
        drop(forgotten);
    }

    /// Closes what is open to other servers than these.
    pub(super) fn keep(&self, is_kept: impl Fn(&Address) -> bool) {
        let mut open = self.lock();
        let left: Vec<_> = open
            .extract_if(|(_, address), _| !is_kept(address))
            .collect();
        drop(open);
        drop(left);
    }

    fn place(&self, address: &Address) -> Arc<Place> {
        let mut open = self.lock();
        let key = (Handle::current().id(), address.clone());
        if let Some(place) = open.get(&key) {
            return Arc::clone(place);
        }
        // Those of runtimes that have ended.
        open.retain(|_, place| {
            place.try_lock().map_or(true, |opened| {
                opened.as_ref().is_some_and(|opened| !opened.is_over())
            })
        });
        let place = Arc::new(Mutex::new(None));
        open.insert(key, Arc::clone(&place));
        place
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        let places = self.0.get_or_make(SyncMutex::default);
        places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
