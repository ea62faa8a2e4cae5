//! What is done under the names of previous secrets: the decisions, and the driver that blocks. The one that awaits is in
//! [`future`](super::future), and decides nothing.

use std::iter;
use std::time::Duration;

use super::ask::{NoAnswer, ask};
use super::chunks;
use super::place::Place;
use super::request::Request;
use super::turn::Caller;
use crate::backend::{Bytes, Deadline, Lease};
use crate::engine::Renewal;
use crate::entry::chunk::{Reader, Resealer};

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
    let Some(mut write) = Write::new(request, place, renewal, chunks, lease) else {
        return false;
    };
    let (name, previous) = (place.name().as_str(), write.previous);
    let filled = ask(request, "fill", deadline, |backend| match write.seal() {
        Some((bytes, life)) => backend.fill(name, lease, bytes, life, deadline),
        None => Ok(false),
    });
    if let Some(stands) = write.filled(filled) {
        return stands;
    }
    let found = ask(request, "get", deadline, |backend| {
        backend.get(previous, deadline)
    });
    if write.may_stay(found) {
        return true;
    }
    let deleted = ask(request, "delete", deadline, |backend| {
        backend.delete(name, deadline)
    });
    write.taken_back(deleted)
}

/// A write under the current name. Where nobody learns what came of it, since there was no answer or nobody waits any more, what may
/// stand there is removed, without waiting for it.
///
/// Otherwise an entry could stay whose chunks are removed, or on a backend without leases one that was invalidated meanwhile.
pub(super) struct Write<'a> {
    request: &'a Request,
    place: &'a Place<'a>,
    renewal: &'a Renewal,
    chunks: Option<&'a Resealer>,
    lease: Lease,
    /// The name under which it was found.
    pub(super) previous: &'a str,
    /// Whether the backend was asked, and nothing is known yet.
    is_open: bool,
}

impl<'a> Write<'a> {
    pub(super) fn new(
        request: &'a Request,
        place: &'a Place<'a>,
        renewal: &'a Renewal,
        chunks: Option<&'a Resealer>,
        lease: Lease,
    ) -> Option<Self> {
        let previous = place.guards().nth(renewal.nth)?.name().as_str();
        Some(Self {
            request,
            place,
            renewal,
            chunks,
            lease,
            previous,
            is_open: false,
        })
    }

    /// What is to be written, and for how long; none where there is nothing, or too little time.
    pub(super) fn seal(&mut self) -> Option<(Bytes, Duration)> {
        let (policy, now_ms) = (
            self.request.policy(self.place),
            self.request.runtime.now_ms(),
        );
        let sealed = policy.renew(self.renewal, self.chunks, now_ms)?;
        self.is_open = true;
        Some(sealed)
    }

    /// Whether it stands, after it was written; none where the previous name has to be asked first.
    pub(super) fn filled(&mut self, filled: Result<bool, NoAnswer>) -> Option<bool> {
        match filled {
            Ok(true) if self.lease == Lease::UNCONDITIONAL => None,
            Ok(stands) => Some(self.settle(stands)),
            Err(_) => Some(false),
        }
    }

    /// Whether it stands, by what is under the previous name; otherwise it is to be taken back.
    pub(super) fn may_stay(&mut self, found: Result<Option<Bytes>, NoAnswer>) -> bool {
        let is_there = found.ok().flatten().as_ref() == Some(&self.renewal.found);
        is_there && self.settle(true)
    }

    pub(super) fn taken_back(mut self, deleted: Result<(), NoAnswer>) -> bool {
        deleted.is_ok() && self.settle(false)
    }

    /// It is known whether it stands.
    fn settle(&mut self, stands: bool) -> bool {
        self.is_open = false;
        if stands {
            self.request.observer().resealed();
        }
        stands
    }

    /// Whether it does harm where it stays and nobody knows it.
    fn is_to_be_known(&self) -> bool {
        self.chunks.is_some() || self.lease == Lease::UNCONDITIONAL
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.is_open && self.is_to_be_known() {
            let name = iter::once(self.place.name().clone());
            chunks::discard(self.request, name, Caller::Task, Deadline::NEVER);
        }
    }
}

/// How long the leases for the names of an entry are held while it is looked whether all of them are free.
pub(super) const HELD: Duration = Duration::from_secs(1);

/// Removes what is under all names of an entry that has several.
///
/// Who finds it under the one stores it under the other, from where a third may take it back to the first: no order of removals is before
/// all of them. So it is over only when nothing was found under any name while nobody could store there. A backend without leases can't tell
/// that last part: there, who seals anew looks itself whether the name that it read still stands.
pub(super) fn remove_all(
    request: &Request,
    names: &[&str],
    deadline: Deadline,
) -> Result<(), NoAnswer> {
    loop {
        ask(request, "delete", deadline, |backend| {
            backend.delete_many(names, deadline)
        })?;
        let mut leases = Vec::with_capacity(names.len());
        for name in names {
            leases.push(ask(request, "lease", deadline, |backend| {
                backend.lease(name, HELD, deadline)
            })?);
        }
        let found = ask(request, "get", deadline, |backend| {
            backend.get_many(names, deadline)
        });
        for (name, lease) in names.iter().zip(leases) {
            if lease != Lease::UNCONDITIONAL {
                ask(request, "release", deadline, |backend| {
                    backend.release(name, lease, deadline)
                })?;
            }
        }
        if found?.iter().all(Option::is_none) {
            return Ok(());
        }
    }
}

/// Removes what is under the previous names, with its chunks, where something is to be removed.
pub(super) fn remove_previous(
    request: &Request,
    place: &Place<'_>,
    whether: Whether,
    deadline: Deadline,
) {
    let Some(previous) = Previous::of(place, whether) else {
        return;
    };
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(&previous.names, deadline)
    });
    let Some(found) = previous.to_remove(found) else {
        return;
    };
    let _ = ask(request, "delete", deadline, |backend| {
        backend.delete_many(&previous.names, deadline)
    });
    for reader in previous.streams(request, found) {
        chunks::remove(request, reader.names(), deadline);
    }
}

/// When what is under the previous names is removed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Whether {
    /// If something is there. It was replaced by what was written under the current name: left there it would come back when the new entry
    /// is evicted. Where it can't be removed it is at least the older one.
    Found,
    /// In any case. What was written nobody computed: who computes with another secret has a lease for one of these names, which must not
    /// outlast it.
    Always,
}

/// The previous names of an entry that has some.
pub(super) struct Previous<'a> {
    place: &'a Place<'a>,
    pub(super) names: Vec<&'a str>,
    whether: Whether,
}

impl<'a> Previous<'a> {
    pub(super) fn of(place: &'a Place<'a>, whether: Whether) -> Option<Self> {
        let mut names = place.several_names()?;
        names.remove(0);
        Some(Self {
            place,
            names,
            whether,
        })
    }

    /// What was found, if the names are to be removed.
    pub(super) fn to_remove(
        &self,
        found: Result<Vec<Option<Bytes>>, NoAnswer>,
    ) -> Option<Vec<Option<Bytes>>> {
        match self.whether {
            Whether::Found => found.ok().filter(|found| found.iter().any(Option::is_some)),
            Whether::Always => Some(found.unwrap_or_default()),
        }
    }

    /// What of it lists chunks.
    pub(super) fn streams(&self, request: &Request, mut found: Vec<Option<Bytes>>) -> Vec<Reader> {
        // The current name was not asked for.
        found.insert(0, None);
        request.policy(self.place).chunks_of(&found).collect()
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
