//! A backend like many, with one bug.

mod backend;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::bugs::{Bug, By};
use crate::backend::{BackendError, Bytes, Deadline, Lease, Limits, Lookup};

/// A map under a lock, and one bug.
pub(super) struct Sketch {
    bug: Bug,
    limits: Limits,
    without_leases: bool,
    state: Mutex<State>,
    calls: AtomicU64,
    asking: AtomicU64,
    /// The state was taken by another.
    taken: Condvar,
}

/// How long what should be one step stands open, unless others come by before that.
const OPEN: Duration = Duration::from_millis(5);

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    leases: BTreeMap<String, Held>,
    tokens: u64,
    remembered: BTreeMap<String, Bytes>,
    /// Leases in whose place others were granted.
    replaced: Vec<Lease>,
    /// So many answers came after their deadline.
    late: u64,
    /// How often this was taken.
    takes: u64,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    expires: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Held {
    lease: Lease,
    by: By,
    until: Instant,
}

type Answer<T> = Result<T, BackendError>;

impl Sketch {
    pub(super) fn new(bug: Bug) -> Self {
        Self {
            bug,
            limits: Limits::new(),
            without_leases: false,
            state: Mutex::default(),
            calls: AtomicU64::new(0),
            asking: AtomicU64::new(0),
            taken: Condvar::new(),
        }
    }

    pub(super) fn without_leases(bug: Bug) -> Self {
        Self {
            without_leases: true,
            ..Self::new(bug)
        }
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::new(Bug::None)
        }
    }

    /// The next answer is another's.
    pub(super) fn leave_an_answer(&self) {
        self.state().late += 1;
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("nothing panics in here");
        state.takes += 1;
        self.taken.notify_all();
        state
    }

    /// In the midst of what should be one step, lets others do theirs.
    fn let_by<'s>(&self, state: MutexGuard<'s, State>, others: u64) -> MutexGuard<'s, State> {
        let until = state.takes + others;
        let waits = |state: &mut State| state.takes < until;
        let waited = self.taken.wait_timeout_while(state, OPEN, waits);
        waited.expect("nothing panics in here").0
    }

    fn begin(&self, by: By, deadline: Deadline) -> Answer<()> {
        if deadline.remaining() != Some(Duration::ZERO) {
            return Ok(());
        }
        if self.has(Bug::GoesOn(by)) {
            thread::sleep(Duration::from_millis(2100));
        }
        if self.has(Bug::LateAnswers(by)) {
            self.leave_an_answer();
            return Err(BackendError::new("no answer in time"));
        }
        Ok(())
    }

    fn named(&self, key: &str) -> String {
        match self.bug {
            Bug::IgnoresCase => key.to_lowercase(),
            Bug::CutsKeys => key.chars().take(200).collect(),
            Bug::TrimsKeys => key.trim_end_matches('~').to_owned(),
            _ => key.to_owned(),
        }
    }

    fn leased(&self, key: &str) -> String {
        match self.bug {
            Bug::LeasesIgnoreCase => key.to_lowercase(),
            Bug::LeasesCutKeys => key.chars().take(200).collect(),
            _ => key.to_owned(),
        }
    }

    fn insert(&self, state: &mut State, by: By, key: &str, value: &Bytes, life: Duration) {
        let key = self.named(key);
        let keeps_old = self.has(Bug::KeepsTheFirst(by)) && state.entries.contains_key(&key);
        if keeps_old || self.has(Bug::LosesWrites(by)) {
            return;
        }
        let mut value = value.clone();
        if self.has(Bug::EndsAtNewline(by))
            && let Some(at) = value.iter().position(|byte| *byte == b'\n')
        {
            value.truncate(at);
        }
        if self.has(Bug::CutsLargeValues(by)) {
            value.truncate(100_000);
        }
        let mut life = life;
        if self.has(Bug::CutsLives(by)) && life > Duration::from_secs(30 * 24 * 3600) {
            life = Duration::ZERO;
        }
        if self.has(Bug::Counts32Bits(by)) {
            let millis = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
            life = Duration::from_millis(millis % (1 << 32));
        }
        let new = Instant::now().checked_add(life);
        let old = state.entries.get(&key).map(|old| old.expires);
        let expires = match old {
            _ if self.has(Bug::NeverExpires(by)) => None,
            Some(old) if self.has(Bug::FirstLifeCounts(by)) => old,
            Some(old) if self.has(Bug::LongestLifeCounts(by)) => old.max(new),
            _ => new,
        };
        state.entries.insert(key, Entry { value, expires });
    }

    fn find(&self, state: &mut State, by: By, key: &str) -> Option<Bytes> {
        let key = self.named(key);
        if self.has(Bug::ReadingEndsLease(by)) {
            state.leases.remove(&key);
        }
        if self.has(Bug::LeaseInThePlace(by)) && state.leases.contains_key(&key) {
            return Some(Bytes::from("leased"));
        }
        if self.has(Bug::Remembers(by))
            && let Some(value) = state.remembered.get(&key)
        {
            return Some(value.clone());
        }
        let is_it = |other: &String| other.eq_ignore_ascii_case(&key);
        if self.has(Bug::ReadsInAnyCase(by))
            && let Some(like) = state.entries.keys().find(|other| is_it(other))
        {
            return state.entries.get(like).map(|entry| entry.value.clone());
        }
        if self.has(Bug::FindsRemoved(by)) && !state.entries.contains_key(&key) {
            return state.remembered.get(&key).cloned();
        }
        let Some(entry) = state.entries.get(&key) else {
            let invents = self.has(Bug::FindsWhatIsNotThere(by));
            return invents.then(|| Bytes::from("invented"));
        };
        let is_over = entry.expires.is_some_and(|at| at <= Instant::now());
        let is_over = is_over && !self.has(Bug::FindsExpired(by));
        let value = entry.value.clone();
        if is_over || self.has(Bug::ReadsOnce(by)) {
            state.entries.remove(&key);
        }
        if is_over || self.has(Bug::EmptyIsAbsent(by)) && value.is_empty() {
            return None;
        }
        if self.has(Bug::CutsLargeAnswers(by)) && value.len() > 100_000 {
            return Some(value.slice(..100_000));
        }
        if self.has(Bug::Remembers(by)) || self.has(Bug::FindsRemoved(by)) {
            state.remembered.insert(key, value.clone());
        }
        Some(value)
    }

    fn find_many(&self, by: By, keys: &[&str]) -> Vec<Option<Bytes>> {
        let mut keys = keys.to_vec();
        match self.bug {
            Bug::SortsMany(of) if of == by => keys.sort_unstable(),
            Bug::OnceEach(of) if of == by => keys.dedup(),
            Bug::CutsMany(of) if of == by => keys.truncate(256),
            Bug::SwapsParts(of) if of == by && keys.len() > 256 => keys.rotate_left(256),
            _ => {}
        }
        let mut state = self.state();
        let found = keys.iter().map(|key| self.find(&mut state, by, key));
        let mut found: Vec<Option<Bytes>> = found.collect();
        if self.has(Bug::SkipsAbsent(by)) {
            found.retain(Option::is_some);
        }
        found
    }

    fn remove(&self, state: &mut State, by: By, key: &str) {
        let any_case = key.to_lowercase();
        match self.bug {
            Bug::DeletesByPrefix(of) if of == by => {
                state.entries.retain(|other, _| !other.starts_with(key));
            }
            Bug::DeletesInAnyCase(of) if of == by => {
                state
                    .entries
                    .retain(|other, _| other.to_lowercase() != any_case);
            }
            Bug::DeletesNothing(of) if of == by => {}
            _ => {
                state.entries.remove(&self.named(key));
            }
        }
    }

    fn grant(&self, state: &mut State, by: By, key: &str, life: Duration) -> Lease {
        state.tokens += u64::from(!self.has(Bug::SameToken) || state.tokens == 0);
        let stood = state.leases.get(key).map(|held| held.lease.token());
        let lease = Lease::new(if self.has(Bug::TokensStartOver) {
            // Each key has tokens of its own.
            let first = key
                .bytes()
                .fold(1, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte));
            stood.map_or(first, |token| token + 1)
        } else {
            state.tokens
        });
        let life = if self.has(Bug::CutsLeases(by)) {
            life.min(Duration::from_millis(50))
        } else {
            life
        };
        let until = Instant::now() + life;
        let held = Held { lease, by, until };
        if self.has(Bug::ReplacedCanBeFilled(by)) {
            let replaced = state.leases.get(key).map(|held| held.lease);
            state.replaced.extend(replaced);
        }
        if !self.has(Bug::LeaseIsNotHeld(by)) {
            state.leases.insert(self.leased(key), held);
        }
        if self.has(Bug::GrantsAnotherToken(by)) {
            return Lease::new(u64::MAX - state.tokens);
        }
        lease
    }

    /// Ends whichever lease stands, in one step with the change.
    fn change(&self, by: By, nth: usize, key: &str, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        if self.has(Bug::VoidsLater(by)) {
            change(&mut state);
            state = self.let_by(state, 1);
            self.void(&mut state, by, nth, key);
        } else {
            self.void(&mut state, by, nth, key);
            change(&mut state);
        }
    }

    fn void(&self, state: &mut State, by: By, nth: usize, key: &str) {
        let ran_out = |held: &Held| held.until <= Instant::now();
        let leaves = match self.bug {
            Bug::LeavesLease(of) => of == by,
            Bug::VoidsTheFirst(of) => of == by && nth > 0,
            Bug::LeavesLeaseOverEntry(of) => of == by && state.entries.contains_key(key),
            Bug::LeavesLeaseThatRanOut(of) => {
                of == by && state.leases.get(key).is_some_and(ran_out)
            }
            _ => false,
        };
        if leaves {
            return;
        }
        state.leases.remove(&self.leased(key));
        if self.has(Bug::VoidsAll(by)) {
            state.leases.clear();
        }
        if self.has(Bug::VoidIsBusy) {
            self.grant(state, by, key, Duration::from_secs(60));
        }
    }

    fn look(&self, by: By, key: &str, life: Duration) -> Lookup {
        if self.mixes_callers(by) {
            return Lookup::Found(Bytes::from("another's"));
        }
        let mut state = self.state();
        let is_over = |entry: &Entry| entry.expires.is_some_and(|at| at <= Instant::now());
        if self.has(Bug::ExpiredIsBusy(by)) && state.entries.get(key).is_some_and(is_over) {
            return Lookup::Busy;
        }
        let found = self.find(&mut state, by, key);
        if self.has(Bug::BusyOverEntry(by)) && state.leases.contains_key(key) {
            return Lookup::Busy;
        }
        if let Some(found) = found.filter(|_| !self.has(Bug::LookupIgnoresEntries(by))) {
            if self.has(Bug::FindingReplacesLease(by)) {
                self.grant(&mut state, by, key, life);
            }
            return Lookup::Found(found);
        }
        if self.without_leases || self.has(Bug::Unconditional(by)) {
            return Lookup::Granted(Lease::UNCONDITIONAL);
        }
        if self.has(Bug::GrantsNever(by)) {
            return Lookup::Busy;
        }
        if self.has(Bug::LooksBefore(by)) {
            state = self.let_by(state, 1);
        }
        let now = Instant::now();
        let stands = |held: &Held| held.until > now || self.has(Bug::LeaseNeverRunsOut(held.by));
        let of_any = self.has(Bug::OneLeaseForAll) && state.leases.values().any(stands);
        let of_this = state.leases.get(&self.leased(key)).is_some_and(stands);
        if of_any || of_this && !self.has(Bug::GrantsAlways(by)) {
            return Lookup::Busy;
        }
        if self.has(Bug::LookThenGrant(by)) {
            state = self.let_by(state, 1);
        }
        Lookup::Granted(self.grant(&mut state, by, key, life))
    }

    fn is(&self, held: Lease, lease: Lease) -> bool {
        match self.bug {
            Bug::HalfTokens => held.token() % (1 << 32) == lease.token() % (1 << 32),
            Bug::TokensLoseABit => held.token() >> 1 == lease.token() >> 1,
            _ => held == lease,
        }
    }

    fn check_size(&self, by: By, value: &Bytes) -> Answer<()> {
        if self.has(Bug::RefusesLargeValues(by)) && value.len() > 100_000 {
            return Err(BackendError::new("too large"));
        }
        Ok(())
    }

    /// Whether somebody else asks at this time, and is given the answer.
    fn mixes_callers(&self, by: By) -> bool {
        if !self.has(Bug::MixesCallers(by)) {
            return false;
        }
        let crowd = self.asking.fetch_add(1, Ordering::SeqCst);
        thread::yield_now();
        self.asking.fetch_sub(1, Ordering::SeqCst);
        crowd > 0
    }
}
