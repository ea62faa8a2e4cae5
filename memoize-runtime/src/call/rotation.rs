//! What the blocking drivers do under the names of previous secrets.

use std::iter;

use super::ask::ask;
use super::chunks;
use super::place::Place;
use super::request::Request;
use super::turn::Caller;
use crate::backend::{Bytes, Deadline, Lease};
use crate::engine::Renewal;
use crate::entry::chunk::Resealer;

/// Has what was found under a previous name stored under the current one, by the lease that its lookup was granted; says whether it is.
/// It is sealed when the backend is asked, and not before.
///
/// So what is invalidated or replaced meanwhile is not overwritten. A backend without leases can't tell: there the previous name is
/// asked again afterwards, and what no longer stands there is taken back.
pub(super) fn renew(
    request: &Request,
    place: &Place<'_>,
    renewal: &Renewal,
    chunks: Option<&Resealer>,
    lease: Lease,
    deadline: Deadline,
) -> bool {
    let Some(previous) = place.guards().nth(renewal.nth) else {
        return false;
    };
    let name = place.name().as_str();
    let (policy, now_ms) = (request.policy(place), request.runtime.now_ms());
    let mut write = Write::new(request, place, chunks, lease);
    let filled = ask(request, "fill", deadline, |backend| {
        match policy.renew(renewal, chunks, now_ms) {
            Some((bytes, life)) => {
                write.is_open = true;
                backend.fill(name, lease, bytes, life, deadline)
            }
            None => Ok(false),
        }
    });
    match filled {
        Ok(true) => {}
        Ok(false) => {
            write.settle();
            return false;
        }
        Err(_) => return false,
    }
    if lease == Lease::UNCONDITIONAL {
        let still_there = ask(request, "get", deadline, |backend| {
            backend.get(previous.name().as_str(), deadline)
        });
        if still_there.ok().flatten().as_ref() != Some(&renewal.found) {
            let deleted = ask(request, "delete", deadline, |backend| {
                backend.delete(name, deadline)
            });
            if deleted.is_ok() {
                write.settle();
            }
            return false;
        }
    }
    write.settle();
    request.observer().resealed();
    true
}

/// A write under the current name. Where nobody learns what came of it, since there was no answer or nobody waits any more, what may
/// stand there is removed, without waiting for it.
///
/// Otherwise an entry could stay whose chunks are removed, or on a backend without leases one that was invalidated meanwhile.
pub(super) struct Write<'a> {
    request: &'a Request,
    place: &'a Place<'a>,
    /// Whether it does harm where it stays.
    is_to_be_known: bool,
    /// Whether the backend was asked, and nothing is known yet.
    pub(super) is_open: bool,
}

impl<'a> Write<'a> {
    pub(super) fn new(
        request: &'a Request,
        place: &'a Place<'a>,
        chunks: Option<&Resealer>,
        lease: Lease,
    ) -> Self {
        Self {
            request,
            place,
            is_to_be_known: chunks.is_some() || lease == Lease::UNCONDITIONAL,
            is_open: false,
        }
    }

    /// It stands and may stay, or doesn't.
    pub(super) fn settle(mut self) {
        self.is_open = false;
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.is_open && self.is_to_be_known {
            let name = iter::once(self.place.name().clone());
            chunks::discard(self.request, name, Caller::Task, Deadline::NEVER);
        }
    }
}

/// Removes what is under the previous names, with its chunks, since an entry was written that replaces it.
///
/// Left there it would come back when the new entry is evicted. Where it can't be removed it is at least the older one.
pub(super) fn forget_previous(request: &Request, place: &Place<'_>, deadline: Deadline) {
    let Some(names) = place.several_names() else {
        return;
    };
    let previous = &names[1..];
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(previous, deadline)
    });
    if let Some(found) = found.ok().filter(|found| found.iter().any(Option::is_some)) {
        remove_previous(request, place, found, deadline);
    }
}

/// The same for an entry that nobody computed, whether something is under those names or not: who computes with another secret
/// has a lease for one of them, which must not outlast what was written here.
pub(super) fn void_previous(request: &Request, place: &Place<'_>, deadline: Deadline) {
    let Some(names) = place.several_names() else {
        return;
    };
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(&names[1..], deadline)
    });
    remove_previous(request, place, found.unwrap_or_default(), deadline);
}

fn remove_previous(
    request: &Request,
    place: &Place<'_>,
    mut found: Vec<Option<Bytes>>,
    deadline: Deadline,
) {
    let names = place.several_names().unwrap_or_default();
    let previous = names.get(1..).unwrap_or_default();
    let _ = ask(request, "delete", deadline, |backend| {
        backend.delete_many(previous, deadline)
    });
    // The current name was not asked for.
    found.insert(0, None);
    for reader in request.policy(place).chunks_of(&found) {
        chunks::remove(request, reader.names(), deadline);
    }
}

#[cfg(all(test, feature = "encrypt"))]
mod tests {
    use std::future::ready;
    use std::time::Duration;

    use futures::executor::block_on;

    use crate::backend::{Backend, Deadline};
    use crate::call::outcome::Outcome;
    use crate::call::request::Request;
    use crate::call::{future, sync};
    use crate::entry::{Codec, SEALED, StoredType};
    use crate::{Memo, Memory, Runtime, RuntimeBuilder, Secret};

    const STORED: u8 = 1;

    fn memo() -> Memo {
        Memo::new("k").encrypt()
    }

    fn request() -> Request {
        memo().request(StoredType::of::<u8>(Codec::Postcard))
    }

    type Way = (fn() -> u8, fn() -> Option<u8>);

    /// What reads the stored value, or computes another, and what peeks at it.
    const WAYS: [Way; 2] = [
        (
            || memo().get_or_compute(|| 0),
            || sync::peek(&request(), &Outcome::VALUE),
        ),
        (
            || block_on(memo().get_or_compute_async(|| ready(0))),
            || block_on(future::peek(&request(), &Outcome::VALUE)),
        ),
    ];

    /// A backend, who writes there with the previous secret, and who reads that.
    fn rotating() -> (Memory, Runtime, Runtime) {
        let memory = Memory::new(1 << 20);
        let secret = || Secret::of_this_process().expect("the system has random bytes");
        let build = |builder: RuntimeBuilder| {
            let builder = builder.backend(memory.clone());
            builder.build().expect("valid settings")
        };
        let old = secret();
        let before = build(Runtime::builder().secret(old.clone()));
        let ahead = build(Runtime::builder().secret(secret()).previous_secret(old));
        (memory, before, ahead)
    }

    /// How many entries are sealed meanwhile.
    fn sealed_by(run: impl FnOnce()) -> usize {
        let before = SEALED.get();
        run();
        SEALED.get() - before
    }

    #[test]
    fn nothing_is_sealed_anew_but_by_who_stores_it() {
        for (read, peek) in WAYS {
            let (memory, before, ahead) = rotating();
            before.scope(|| memo().get_or_compute(|| STORED));
            let peeked = || assert_eq!(ahead.scope(peek), Some(STORED));
            let was_read = || assert_eq!(ahead.scope(read), STORED);
            assert_eq!(sealed_by(peeked), 0);

            let name = ahead.scope(|| memo().key());
            let (life, never) = (Duration::from_secs(60), Deadline::NEVER);
            let lease = memory.lease(name.as_str(), life, never);
            let lease = lease.expect("it is in this process");
            assert_eq!(sealed_by(was_read), 0, "another has the lease");
            let released = memory.release(name.as_str(), lease, never);
            released.expect("it is in this process");

            assert_eq!(sealed_by(was_read), 1);
            assert_eq!(sealed_by(was_read), 0, "it is where it should be");
            assert_eq!(ahead.stats().resealed, 1);
        }
    }
}
