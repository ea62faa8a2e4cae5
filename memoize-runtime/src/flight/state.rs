//! What a flight can be in, and what changes it. Pure: the lock around it is its owner's.

use std::mem;
use std::task::Waker;

use crate::sleepers::{Sleepers, Woken};

/// After so many failed leaders, the rest compute side by side.
const MOST_FAILURES: u8 = 2;

pub(super) struct State<T, L> {
    phase: Phase<T>,
    failures: u8,
    /// How many leaders were relieved: each by one who had waited long enough. Only the latest one's end is the flight's.
    pub(super) generation: u64,
    /// What the leader stores by, so that who relieves it can store by it as well.
    lease: Option<L>,
    /// What somebody who waits could store by; whoever takes it has it.
    offered: Option<L>,
    seeker: Option<Waker>,
    /// Those who would take over, or take the value.
    pub(super) waiters: usize,
    /// The key was invalidated since the flight began, and the flight is in no table any more.
    pub(super) void: bool,
    /// Nobody is to join it any more.
    pub(super) retired: bool,
    /// Those who wait.
    pub(super) sleepers: Sleepers,
    /// Whether there is news for them.
    changed: bool,
}

enum Phase<T> {
    /// There is a leader, who doesn't compute yet and would take a lease that is offered.
    Seeking,
    Led,
    /// The leader failed, and one of the waiters will take over.
    Vacant,
    /// The value, and by which of the leaders.
    Landed(T, u64),
    /// Nobody leads and nobody will.
    Over,
}

/// What a waiter sees.
pub(super) enum View<'a, T> {
    Nothing,
    Vacant,
    Landed(&'a T),
    Over,
}

impl<T, L> State<T, L> {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Seeking,
            failures: 0,
            generation: 0,
            lease: None,
            offered: None,
            seeker: None,
            waiters: 0,
            void: false,
            retired: false,
            sleepers: Sleepers::default(),
            changed: false,
        }
    }

    pub(super) fn view(&self) -> View<'_, T> {
        match &self.phase {
            Phase::Seeking | Phase::Led => View::Nothing,
            Phase::Vacant => View::Vacant,
            Phase::Landed(value, _) => View::Landed(value),
            Phase::Over => View::Over,
        }
    }

    pub(super) fn landed(&self) -> Option<&T> {
        match &self.phase {
            Phase::Landed(value, _) => Some(value),
            _ => None,
        }
    }

    /// Takes the place of a leader that failed, if there is one to take.
    pub(super) fn succeed(&mut self) -> bool {
        let vacant = matches!(self.phase, Phase::Vacant);
        if vacant {
            self.phase = Phase::Seeking;
        }
        vacant
    }

    /// Takes the place of the leader of this generation, who is taking too long; `false` where somebody else did already.
    pub(super) fn relieve(&mut self, generation: u64) -> bool {
        let relieves = generation == self.generation;
        if relieves {
            self.generation += 1;
        }
        relieves
    }

    /// Offers the leader a lease; it is the caller's again where none is sought. What is returned is to be woken.
    pub(super) fn offer(&mut self, lease: L) -> Result<Option<Waker>, L> {
        if let Phase::Seeking = self.phase {
            self.offered = Some(lease);
            Ok(self.seeker.take())
        } else {
            Err(lease)
        }
    }

    pub(super) fn take_offer(&mut self) -> Option<L> {
        self.offered.take()
    }

    /// Has `waker` woken by the next offer; returns the one that it replaces.
    pub(super) fn seek(&mut self, waker: Waker) -> Option<Waker> {
        self.seeker.replace(waker)
    }

    /// Nothing more is sought, and `lease` or else an offered one is what the leader stores by; returns who would have been woken.
    pub(super) fn settle(&mut self, lease: Option<L>) -> (Option<L>, Option<Waker>)
    where
        L: Copy,
    {
        if let Phase::Seeking = self.phase {
            self.phase = Phase::Led;
        }
        let lease = lease.or_else(|| self.take_offer());
        self.lease = lease;
        (lease, self.seeker.take())
    }

    /// The lease of the leader that was relieved, which computes since before this one and has it still.
    pub(super) fn inherit(&self) -> Option<L>
    where
        L: Copy,
    {
        self.lease
    }

    /// Lands the value of a leader; returns what is left of two, as one leader was relieved by another who began later: its `Drop` is the
    /// user's code.
    #[must_use = "it is to be dropped without the lock"]
    pub(super) fn land(&mut self, value: T, generation: u64) -> Option<T> {
        if matches!(self.phase, Phase::Landed(_, landed) if landed > generation) {
            return Some(value);
        }
        self.changed = true;
        match mem::replace(&mut self.phase, Phase::Landed(value, generation)) {
            Phase::Landed(replaced, _) => Some(replaced),
            Phase::Seeking | Phase::Led | Phase::Vacant | Phase::Over => None,
        }
    }

    /// A leader is gone: done, if a value has landed; and else it has failed, or was cancelled.
    pub(super) fn leader_left(&mut self, generation: u64, failed: bool) {
        if let Phase::Landed(..) = self.phase {
            self.retired = true;
        } else if generation == self.generation {
            self.lease = None;
            self.failures += u8::from(failed);
            // Who takes over a void flight would lead one that newcomers don't see.
            if self.waiters > 0 && self.failures < MOST_FAILURES && !self.void {
                self.phase = Phase::Vacant;
            } else {
                self.end();
            }
            self.changed = true;
        }
    }

    pub(super) fn waiter_left(&mut self) {
        self.waiters -= 1;
        if self.waiters == 0 && matches!(self.phase, Phase::Vacant) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.retired = true;
    }

    pub(super) fn take_woken(&mut self) -> Woken {
        if mem::take(&mut self.changed) {
            self.sleepers.take()
        } else {
            Woken::nobody()
        }
    }
}
