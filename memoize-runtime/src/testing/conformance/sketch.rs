//! A backend like many, with one bug.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::bench::HOUR;
use super::bugs::{Bug, By};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};

/// A map under a lock, and one bug.
pub(super) struct Sketch {
    bug: Bug,
    without_leases: bool,
    state: Mutex<State>,
    calls: AtomicU64,
    asking: AtomicU64,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    leases: BTreeMap<String, Held>,
    tokens: u64,
    remembered: BTreeMap<String, Bytes>,
    /// So many answers came after their deadline.
    late: u64,
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
            without_leases: false,
            state: Mutex::default(),
            calls: AtomicU64::new(0),
            asking: AtomicU64::new(0),
        }
    }

    pub(super) fn without_leases() -> Self {
        Self {
            without_leases: true,
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
        self.state.lock().expect("nothing panics in here")
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
        if self.has(Bug::Remembers(by)) {
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
        let until = Instant::now() + life;
        let held = Held { lease, by, until };
        if !self.has(Bug::LeaseIsNotHeld(by)) {
            state.leases.insert(self.leased(key), held);
        }
        lease
    }

    /// Ends whichever lease stands, in one step with the change.
    fn change(&self, by: By, nth: usize, key: &str, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        if self.has(Bug::VoidsLater(by)) {
            change(&mut state);
            drop(state);
            thread::sleep(Duration::from_millis(1));
            self.void(&mut self.state(), by, nth, key);
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
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
        }
        let now = Instant::now();
        let stands = |held: &Held| held.until > now || self.has(Bug::LeaseNeverRunsOut(held.by));
        let of_any = self.has(Bug::OneLeaseForAll) && state.leases.values().any(stands);
        let of_this = state.leases.get(&self.leased(key)).is_some_and(stands);
        if of_any || of_this && !self.has(Bug::GrantsAlways(by)) {
            return Lookup::Busy;
        }
        if self.has(Bug::LookThenGrant(by)) {
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
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

impl Backend for Sketch {
    fn get(&self, key: &str, deadline: Deadline) -> Answer<Option<Bytes>> {
        self.begin("get", deadline)?;
        if self.mixes_callers("get") {
            return Ok(Some(Bytes::from("another's")));
        }
        let mut state = self.state();
        if let Some(left) = state.late.checked_sub(1) {
            state.late = left;
            return Ok(None);
        }
        Ok(self.find(&mut state, "get", key))
    }

    fn set(&self, key: &str, value: Bytes, life: Duration, deadline: Deadline) -> Answer<()> {
        self.begin("set", deadline)?;
        self.check_size("set", &value)?;
        self.change("set", 0, key, |state| {
            self.insert(state, "set", key, &value, life);
        });
        Ok(())
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Answer<()> {
        self.begin("delete", deadline)?;
        let fails = self.has(Bug::DeletingNothingFails("delete"));
        if fails && !self.state().entries.contains_key(key) {
            return Err(BackendError::new("not found"));
        }
        self.change("delete", 0, key, |state| self.remove(state, "delete", key));
        Ok(())
    }

    fn limits(&self) -> Limits {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.bug {
            Bug::ShortKeys => Limits::new().key_bytes(32),
            Bug::SmallValues => Limits::new().value_bytes(10),
            Bug::ChangingLimits if calls % 2 == 1 => Limits::new().value_bytes(2 << 20),
            _ => Limits::new(),
        }
    }

    fn get_many(&self, keys: &[&str], deadline: Deadline) -> Answer<Vec<Option<Bytes>>> {
        self.begin("get_many", deadline)?;
        if self.mixes_callers("get_many") {
            return Ok(vec![Some(Bytes::from("another's")); keys.len()]);
        }
        Ok(self.find_many("get_many", keys))
    }

    fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<()> {
        self.begin("set_many", deadline)?;
        let mut entries = entries.to_vec();
        match self.bug {
            Bug::SetManyKeepsTwo => entries.truncate(2),
            Bug::CutsMany("set_many") => entries.truncate(256),
            Bug::FirstOfTwoStays => entries.reverse(),
            _ => {}
        }
        for (nth, (key, value)) in entries.iter().enumerate() {
            self.check_size("set_many", value)?;
            let endless = self.has(Bug::FirstHasTheLife) && nth > 0;
            let life = if endless { HOUR } else { life };
            self.change("set_many", nth, key, |state| {
                self.insert(state, "set_many", key, value, life);
            });
        }
        Ok(())
    }

    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Answer<()> {
        self.begin("delete_many", deadline)?;
        let cut = if self.has(Bug::CutsMany("delete_many")) {
            256
        } else {
            usize::MAX
        };
        for (nth, key) in keys.iter().enumerate().take(cut) {
            let is_there = self.state().entries.contains_key(*key);
            if !is_there && self.has(Bug::DeletingNothingFails("delete_many")) {
                return Err(BackendError::new("not found"));
            }
            if !is_there && self.has(Bug::DeleteManyStopsEarly) {
                return Ok(());
            }
            self.change("delete_many", nth, key, |state| {
                self.remove(state, "delete_many", key);
            });
        }
        Ok(())
    }

    fn get_or_lease(&self, key: &str, life: Duration, deadline: Deadline) -> Answer<Lookup> {
        self.begin("get_or_lease", deadline)?;
        Ok(self.look("get_or_lease", key, life))
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<(Lookup, Vec<Option<Bytes>>)> {
        self.begin("get_many_or_lease", deadline)?;
        if self.has(Bug::OthersBefore) {
            let found = self.find_many("others", others);
            thread::sleep(Duration::from_millis(1));
            return Ok((self.look("get_many_or_lease", key, life), found));
        }
        let lookup = self.look("get_many_or_lease", key, life);
        if self.has(Bug::OthersAreLeased) {
            for other in others {
                self.look("others", other, life);
            }
        }
        let forgets = self.has(Bug::OthersAreForgotten) && matches!(lookup, Lookup::Busy);
        let others = if forgets { &others[..0] } else { others };
        Ok((lookup, self.find_many("others", others)))
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Answer<Lease> {
        self.begin("lease", deadline)?;
        if self.without_leases || self.has(Bug::Unconditional("lease")) {
            return Ok(Lease::UNCONDITIONAL);
        }
        let mut state = self.state();
        if self.has(Bug::LeaseHandsOutTheSame)
            && let Some(held) = state.leases.get(key)
        {
            return Ok(held.lease);
        }
        if self.has(Bug::LeaseRemoves) {
            state.entries.remove(key);
        }
        Ok(self.grant(&mut state, "lease", key, life))
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<bool> {
        self.begin("fill", deadline)?;
        self.check_size("fill", &value)?;
        let mut state = self.state();
        let leased = self.leased(key);
        let held = state.leases.get(&leased).copied();
        let is_dead = |held: Held| {
            self.has(Bug::RunOutCannotBeFilled(held.by)) && held.until <= Instant::now()
        };
        let stands = held.is_some_and(|held| self.is(held.lease, lease) && !is_dead(held))
            || self.without_leases
            || self.has(Bug::FillsWithAnyToken)
            || self.has(Bug::FillsUnconditionally) && lease == Lease::UNCONDITIONAL;
        if self.has(Bug::CheckThenStore) {
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
        }
        if self.has(Bug::WrongFillEnds) || stands && !self.has(Bug::FillsTwice) {
            state.leases.remove(&leased);
        }
        if stands && !self.has(Bug::FillStoresNothing) {
            self.insert(&mut state, "fill", key, &value, life);
        }
        Ok(stands != self.has(Bug::FillLies))
    }

    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Answer<()> {
        self.begin("release", deadline)?;
        let mut state = self.state();
        let leased = self.leased(key);
        let held = state.leases.get(&leased);
        let own = held.is_some_and(|held| self.is(held.lease, lease));
        if self.has(Bug::CheckThenRelease) {
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
        }
        if (own || self.has(Bug::ReleasesAll)) && !self.has(Bug::ReleaseDoesNothing) {
            state.leases.remove(&leased);
        }
        if self.has(Bug::ReleaseRemoves) {
            state.entries.remove(key);
        }
        Ok(())
    }
}
