//! The turn of a call that missed: whether it gets the value of another, or computes, and with what right to store.
//!
//! What both drivers share; the waiting itself is theirs.

use std::time::{Duration, Instant};

use crate::backend::{Deadline, Lease};
use crate::call::outcome::Outcome;
use crate::call::request::Request;
use crate::entry::Reject;
use crate::entry::chunk::{Next, Reader};
use crate::flight::{Leader, Running};
use crate::guard::guard;
use crate::key::CacheKey;
use crate::local::Kept;
use crate::observe::Observer;

/// Why a lookup gave nothing.
pub(super) enum Missed {
    Absent,
    Rejected(Reject),
    /// The backend failed.
    Unanswered,
}

impl Missed {
    pub(super) fn tell(&self, observer: &Observer<'_>) {
        match self {
            Self::Absent => observer.absent(),
            Self::Rejected(reject) => observer.rejected(*reject),
            Self::Unanswered => observer.unanswered(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Rejected(reject) => reject.name(),
            Self::Unanswered => "unanswered",
        }
    }

    /// Whether there is an entry, one that can't be used.
    pub(super) fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

/// How far a value that is in chunks was read.
pub(super) enum Gathered {
    /// More chunks are needed.
    Starved,
    All,
}

/// Reads as much as there is of a value that is in chunks: the only item of its stream.
pub(super) fn gather_some<R>(
    request: &Request,
    reader: &mut Reader,
    outcome: &Outcome<R>,
    value: &mut Option<R>,
) -> Result<Gathered, Missed> {
    loop {
        match reader.next_item().map_err(Missed::Rejected)? {
            Next::Item(_) if value.is_some() => return Err(Missed::Rejected(Reject::Damaged)),
            Next::Item(item) => {
                let bytes = reader.bytes_of(&item);
                *value = Some((outcome.decode)(bytes, request.stored).map_err(Missed::Rejected)?);
            }
            Next::Starved => return Ok(Gathered::Starved),
            Next::End => return Ok(Gathered::All),
        }
    }
}

/// What is to become of a computed value's entry.
pub(super) enum Verdict {
    Store,
    Leave,
    /// The old entry was to be replaced, by what is not to be kept: then neither is it.
    Remove,
}

/// Whether the value is one, and one that the function's `cache_if` lets through; where that panics, it is not.
pub(super) fn verdict<R>(
    request: &Request,
    outcome: &Outcome<R>,
    accept: impl FnOnce(&R) -> bool,
    value: &R,
) -> Verdict {
    let observer = request.observer();
    if !(outcome.is_value)(value) {
        observer.declined();
        Verdict::Leave
    } else if guard(|| accept(value)).unwrap_or_else(|| observer.cache_if_panicked()) {
        Verdict::Store
    } else {
        observer.declined();
        if request.overwrite {
            Verdict::Remove
        } else {
            Verdict::Leave
        }
    }
}

/// What a call that missed comes to.
pub(super) enum Turn<'r, R> {
    /// Another computed it.
    Value(R),
    Compute(Right<'r>),
}

/// Who makes the call, and how the backend is to be asked on its behalf.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    Thread,
    Task,
}

/// What a call that computes holds: the lead of those who wait in this process, and the backend's lease.
///
/// Each may be missing. Without a leader nobody waits for it; without a lease it stores nothing. Both are given up when this
/// is dropped: after storing, or where the computation came to nothing.
pub(super) struct Right<'r> {
    request: &'r Request,
    pub(super) name: &'r CacheKey,
    caller: Caller,
    pub(super) lease: Option<Lease>,
    pub(super) leader: Option<Leader<Kept>>,
}

impl<'r> Right<'r> {
    pub(super) fn new(request: &'r Request, name: &'r CacheKey, caller: Caller) -> Self {
        Self {
            request,
            name,
            caller,
            lease: None,
            leader: None,
        }
    }

    /// Makes known that the computation runs on this thread, as long as what is returned lives.
    pub(super) fn run(&self) -> Option<Running> {
        self.leader.as_ref().map(Leader::run)
    }

    /// Whether nothing can be done with a value.
    pub(super) fn is_none(&self) -> bool {
        self.lease.is_none() && self.leader.is_none()
    }

    /// Gives the entry to those who wait.
    pub(super) fn land(&self, entry: Kept) {
        if let Some(leader) = &self.leader {
            leader.land(entry);
        }
    }

    /// The lease, to store by it; none where the key was invalidated meanwhile.
    pub(super) fn lease_to_fill(&mut self) -> Option<Lease> {
        if self.is_void() {
            return None;
        }
        self.lease.take()
    }

    /// Whether what was stored must go again: a backend without leases can't tell that it was too late.
    pub(super) fn must_take_back(&self, lease: Lease) -> bool {
        lease == Lease::UNCONDITIONAL && self.is_void()
    }

    fn is_void(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::is_void)
    }
}

impl Drop for Right<'_> {
    /// The lease goes first, so that who takes over the lead is granted one.
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            release(self.request, self.name, lease, self.caller);
        }
    }
}

/// Gives a lease up. One that can't be costs others a wait for it to run out; there is nobody to tell but the counters.
pub(super) fn release(request: &Request, name: &CacheKey, lease: Lease, caller: Caller) {
    if lease == Lease::UNCONDITIONAL {
        return;
    }
    let name = name.as_str();
    let released = guard(|| match caller {
        Caller::Thread => request
            .runtime
            .backend()
            .release(name, lease, Deadline::NEVER),
        Caller::Task => {
            request.runtime.async_backend().release(name, lease);
            Ok(())
        }
    });
    match released {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            request.observer().fault("release", &error);
            // Its source is anybody's code, which may panic when it is dropped.
            guard(|| drop(error));
        }
        None => request.observer().panicked("release"),
    }
}

/// How long one call waits for others, all in all.
pub(super) struct Patience {
    until: Option<Instant>,
    /// Waiting for another process ends earlier, so that those who wait for this call get something of it.
    busy_until: Option<Instant>,
    pause: Duration,
}

/// Pauses between asking for what another process computes: short at first, for what is computed quickly.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl Patience {
    pub(super) fn new(request: &Request) -> Self {
        let longest = request.runtime.longest_wait();
        let now = Instant::now();
        Self {
            until: now.checked_add(longest),
            busy_until: now.checked_add(longest / 2),
            pause: FIRST_PAUSE,
        }
    }

    /// The end of waiting for others in this process; none where the clock can't tell it.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// How long to wait before asking again; none when it has been long enough.
    pub(super) fn next_pause(&mut self) -> Option<Duration> {
        let is_over = self.busy_until.is_some_and(|until| until <= Instant::now());
        if is_over {
            return None;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}
