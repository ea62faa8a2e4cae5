//! A backend with one bug, to see whether it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::bugs::Bug;
use super::ways::{Grant, Read, Write};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};

/// What a bug leaves of what is long.
const CUT: usize = 100_000;

/// The same of what are many.
const FEW: usize = 100;

/// Longer than a question may go on in the tests.
pub(super) const TOO_LONG: Duration = Duration::from_millis(1100);

/// A backend like many: a map under a lock, and one bug.
pub(super) struct Sketch {
    pub(super) bug: Bug,
    pub(super) without_leases: bool,
    state: Mutex<State>,
    calls: AtomicU64,
    asking: AtomicU64,
}

#[derive(Default)]
pub(super) struct State {
    entries: BTreeMap<String, Entry>,
    leases: BTreeMap<String, Held>,
    tokens: u64,
    /// Answers that came after their deadline.
    late: Vec<Option<Bytes>>,
    /// What `get_many` found first.
    copies: BTreeMap<String, Bytes>,
    /// Leases that others took the place of.
    replaced: BTreeSet<(String, u64)>,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    expires: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Held {
    lease: Lease,
    until: Instant,
    by: Grant,
}

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

    fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics in here")
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
        if self.has(Bug::LeasesIgnoreCase) {
            key.to_lowercase()
        } else {
            key.to_owned()
        }
    }

    /// Goes on for too long where the deadline has passed, if this is the bug.
    fn dawdle(&self, bug: Bug, deadline: Deadline) {
        if self.has(bug) && deadline.has_passed() {
            thread::sleep(TOO_LONG);
        }
    }

    pub(super) fn insert(
        &self,
        state: &mut State,
        key: &str,
        value: &Bytes,
        life: Duration,
        by: Write,
    ) {
        let key = self.named(key);
        let keeps_old = self.has(Bug::KeepsTheFirst) && state.entries.contains_key(&key);
        if keeps_old || self.has(Bug::LosesWrites) {
            return;
        }
        let mut value = value.clone();
        if self.has(Bug::EndsAtNewline)
            && let Some(at) = value.iter().position(|byte| *byte == b'\n')
        {
            value.truncate(at);
        }
        let (cuts_values, cuts_lives, endless) = match by {
            Write::Set => (
                Bug::CutsLargeValues,
                Bug::LongLivesAreCut,
                Bug::NeverExpires,
            ),
            Write::SetMany => (
                Bug::SetManyCutsLargeValues,
                Bug::SetManyLivesAreCut,
                Bug::SetManyNeverExpires,
            ),
            Write::Fill => (
                Bug::FillCutsLargeValues,
                Bug::FillLivesAreCut,
                Bug::FillNeverExpires,
            ),
        };
        if self.has(cuts_values) {
            value.truncate(CUT);
        }
        let mut life = life;
        if self.has(cuts_lives) && life > Duration::from_secs(30 * 24 * 3600) {
            life = Duration::ZERO;
        }
        let fresh = Instant::now().checked_add(life);
        let expires = match state.entries.get(&key) {
            Some(old) if self.has(Bug::FirstLifeCounts) => old.expires,
            Some(old) if self.has(Bug::FillKeepsTheLife) && by == Write::Fill => old.expires,
            Some(old) if self.has(Bug::LongestLifeCounts) => old.expires.max(fresh),
            _ if self.has(endless) => None,
            _ => fresh,
        };
        state.entries.insert(key, Entry { value, expires });
    }

    pub(super) fn find(&self, state: &State, key: &str, by: Read) -> Option<Bytes> {
        let key = self.named(key);
        if self.has(Bug::LeaseInThePlace) && state.leases.contains_key(&key) {
            return Some(Bytes::from("leased"));
        }
        let Some(entry) = state.entries.get(&key) else {
            return self
                .has(Bug::FindsWhatIsNotThere)
                .then(|| Bytes::from("invented"));
        };
        let finds_expired = match by {
            Read::Get => false,
            Read::GetMany => self.has(Bug::GetManyFindsExpired),
            Read::GetOrLease | Read::GetManyOrLease => self.has(Bug::LookupFindsExpired),
            Read::Others => self.has(Bug::OthersFindExpired),
        };
        let mut value = entry.value.clone();
        if by == Read::GetOrLease && self.has(Bug::LookupCutsLargeValues) {
            value.truncate(CUT);
        }
        let is_over = entry.expires.is_some_and(|at| at <= Instant::now());
        let is_absent =
            (is_over && !finds_expired) || (self.has(Bug::EmptyIsAbsent) && value.is_empty());
        (!is_absent).then_some(value)
    }

    fn find_many(&self, keys: &[&str], by: Read) -> Vec<Option<Bytes>> {
        let mut keys = keys.to_vec();
        match self.bug {
            Bug::SortsMany => keys.sort_unstable(),
            Bug::OnceEach => keys.dedup(),
            Bug::CutsMany => keys.truncate(FEW),
            Bug::ManyAreMisplaced if keys.len() > FEW => keys[FEW..].reverse(),
            _ => {}
        }
        let state = &mut *self.state();
        let mut found: Vec<Option<Bytes>> = Vec::new();
        for key in keys {
            if self.has(Bug::GetManyEndsLease) {
                state.leases.remove(key);
            }
            let now = self.find(state, key, by);
            found.push(match now {
                Some(now) if self.has(Bug::GetManyIsStale) => {
                    let first = state.copies.entry(key.to_owned()).or_insert(now);
                    Some(first.clone())
                }
                now => now,
            });
        }
        if self.has(Bug::OnceEach) {
            found.dedup();
        }
        if self.has(Bug::SkipsAbsent) {
            found.retain(Option::is_some);
        }
        found
    }

    fn remove_entry(&self, state: &mut State, key: &str) {
        match self.bug {
            Bug::DeletesByPrefix => state.entries.retain(|other, _| !other.starts_with(key)),
            Bug::RemovesIgnoreCase => state
                .entries
                .retain(|other, _| !other.eq_ignore_ascii_case(key)),
            Bug::DeletesNothing => {}
            _ => _ = state.entries.remove(&self.named(key)),
        }
    }

    fn grant(&self, state: &mut State, key: &str, life: Duration, by: Grant) -> Lease {
        state.tokens += u64::from(!self.has(Bug::SameToken) || state.tokens == 0);
        let token = if self.has(Bug::TokenOfKey) {
            key.bytes().fold(1, |token: u64, byte| {
                token.wrapping_mul(31) + u64::from(byte)
            })
        } else {
            state.tokens
        };
        let life = if self.has(Bug::LeaseLivesAreCut) {
            life.min(Duration::from_millis(10))
        } else {
            life
        };
        let held = Held {
            lease: Lease::new(token),
            until: Instant::now() + life,
            by,
        };
        if let Some(old) = state.leases.insert(self.leased(key), held) {
            state.replaced.insert((key.to_owned(), old.lease.token()));
        }
        held.lease
    }

    pub(super) fn end(&self, state: &mut State, key: &str) {
        state.leases.remove(&self.leased(key));
    }

    fn void(&self, state: &mut State, key: &str) {
        let by = state.leases.get(&self.leased(key)).map(|held| held.by);
        let survives = match by {
            Some(Grant::GetManyOrLease) => self.has(Bug::LeaseOfManySurvives),
            Some(Grant::Lease) => self.has(Bug::LeaseByLeaseSurvives),
            _ => false,
        };
        if !survives {
            self.end(state, key);
        }
        if self.has(Bug::VoidIsBusy) {
            self.grant(state, key, Duration::from_secs(60), Grant::GetOrLease);
        }
    }

    /// Stores it whoever has a lease.
    fn write(&self, state: &mut State, key: &str, value: &Bytes, life: Duration, by: Write) {
        if !(self.has(Bug::SetRefusesLeased) && state.leases.contains_key(key)) {
            self.insert(state, key, value, life, by);
        }
    }

    fn remove(&self, key: &str, voids: bool) -> Result<(), BackendError> {
        let mut state = self.state();
        if self.has(Bug::DeletingNothingFails) && !state.entries.contains_key(key) {
            return Err(BackendError::new("not found"));
        }
        if voids {
            self.void(&mut state, key);
        }
        self.remove_entry(&mut state, key);
        Ok(())
    }

    /// The entry, or a lease unless another stands.
    fn look_up(&self, key: &str, life: Duration, by: Grant) -> Lookup {
        let mut state = self.state();
        let read = match by {
            Grant::GetManyOrLease => Read::GetManyOrLease,
            _ => Read::GetOrLease,
        };
        let held = state.leases.get(&self.leased(key)).copied();
        let hides =
            self.has(Bug::LookupIgnoresEntries) || (self.has(Bug::BusyOverEntry) && held.is_some());
        if !hides && let Some(found) = self.find(&state, key, read) {
            return Lookup::Found(found);
        }
        if self.without_leases || self.has(Bug::UnconditionalByOne) {
            return Lookup::Granted(Lease::UNCONDITIONAL);
        }
        if self.has(Bug::GrantsNever) {
            return Lookup::Busy;
        }
        let now = Instant::now();
        let stands = |held: &Held| {
            let is_endless = self.has(Bug::LeaseNeverRunsOut)
                || match held.by {
                    Grant::GetOrLease => false,
                    Grant::GetManyOrLease => self.has(Bug::LeaseOfManyNeverRunsOut),
                    Grant::Lease => self.has(Bug::LeaseByLeaseNeverRunsOut),
                };
            held.until > now || is_endless
        };
        let grants_always = self.has(Bug::GrantsAlways)
            || (self.has(Bug::LookupOfManyGrantsAlways) && by == Grant::GetManyOrLease);
        let of_any = self.has(Bug::OneLeaseForAll) && state.leases.values().any(stands);
        if of_any || (held.is_some_and(|held| stands(&held)) && !grants_always) {
            return Lookup::Busy;
        }
        if self.has(Bug::LookThenGrant) {
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
        }
        Lookup::Granted(self.grant(&mut state, key, life, by))
    }

    /// Whether the lease may be filled.
    pub(super) fn stands(&self, state: &State, key: &str, lease: Lease) -> bool {
        let held = state.leases.get(&self.leased(key));
        let is_held = held.is_some_and(|held| {
            let is_over = held.until <= Instant::now();
            let is_refused = (self.has(Bug::RunOutCannotBeFilled) && is_over)
                || (self.has(Bug::FillOfManyStoresNothing) && held.by == Grant::GetManyOrLease);
            held.lease == lease && !is_refused
        });
        let was_held = self.has(Bug::KeepsOldTokens)
            && state.replaced.contains(&(key.to_owned(), lease.token()));
        is_held || was_held || lease == Lease::UNCONDITIONAL || self.has(Bug::FillsWithAnyToken)
    }
}

impl Backend for Sketch {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.dawdle(Bug::IgnoresDeadlines, deadline);
        let crowd = self.asking.fetch_add(1, Ordering::SeqCst);
        if self.has(Bug::MixesCallers) {
            thread::yield_now();
        }
        let mut state = self.state();
        if self.has(Bug::GetEndsLease) {
            state.leases.remove(key);
        }
        let found = self.find(&state, key, Read::Get);
        self.asking.fetch_sub(1, Ordering::SeqCst);
        if self.has(Bug::MixesCallers) && crowd > 0 {
            return Ok(Some(Bytes::from("another's")));
        }
        if self.has(Bug::ReadsOnce) {
            state.entries.remove(key);
        }
        if self.has(Bug::LateAnswers) && deadline.has_passed() {
            state.late.push(found);
            return Err(BackendError::new("no answer in time"));
        }
        Ok(state.late.pop().unwrap_or(found))
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.dawdle(Bug::SetIgnoresDeadlines, deadline);
        if self.has(Bug::RefusesLargeValues) && value.len() > CUT {
            return Err(BackendError::new("too large"));
        }
        let mut state = self.state();
        if self.has(Bug::LateAnswersToWrites) && deadline.has_passed() {
            state.late.push(Some(Bytes::from("OK")));
            return Err(BackendError::new("no answer in time"));
        }
        self.write(&mut state, key, &value, life, Write::Set);
        if !self.has(Bug::SetLeavesLease) {
            self.void(&mut state, key);
        }
        Ok(())
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.dawdle(Bug::DeleteIgnoresDeadlines, deadline);
        self.remove(key, !self.has(Bug::DeleteLeavesLease))
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

    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        self.dawdle(Bug::GetManyIgnoresDeadlines, deadline);
        Ok(self.find_many(keys, Read::GetMany))
    }

    fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.dawdle(Bug::SetManyIgnoresDeadlines, deadline);
        let take = match self.bug {
            Bug::SetManyKeepsFirst => 1,
            Bug::SetManyIsCut => FEW,
            _ => entries.len(),
        };
        let mut state = self.state();
        for (nth, (key, value)) in entries.iter().take(take).enumerate() {
            self.write(&mut state, key, value, life, Write::SetMany);
            let voids = match self.bug {
                Bug::SetManyLeavesLease => false,
                Bug::SetManyVoidsFirst => nth == 0,
                _ => true,
            };
            if voids {
                self.void(&mut state, key);
            }
        }
        Ok(())
    }

    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        self.dawdle(Bug::DeleteManyIgnoresDeadlines, deadline);
        let take = if self.has(Bug::DeleteManyIsCut) {
            FEW
        } else {
            keys.len()
        };
        for (nth, key) in keys.iter().take(take).enumerate() {
            if self.has(Bug::DeleteManyStopsEarly) && !self.state().entries.contains_key(*key) {
                return Ok(());
            }
            let voids = match self.bug {
                Bug::DeleteManyLeavesLease => false,
                Bug::DeleteManyVoidsFirst => nth == 0,
                _ => true,
            };
            self.remove(key, voids)?;
        }
        Ok(())
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        self.dawdle(Bug::LookupIgnoresDeadlines, deadline);
        Ok(self.look_up(key, life, Grant::GetOrLease))
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        self.dawdle(Bug::LookupOfManyIgnoresDeadlines, deadline);
        let lookup = self.look_up(key, life, Grant::GetManyOrLease);
        let are_forgotten = self.has(Bug::OthersAreForgotten)
            || (self.has(Bug::BusyForgetsOthers) && matches!(lookup, Lookup::Busy));
        let take = match self.bug {
            _ if are_forgotten => 0,
            Bug::OthersAreCut => others.len().min(FEW),
            _ => others.len(),
        };
        Ok((lookup, self.find_many(&others[..take], Read::Others)))
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        self.dawdle(Bug::LeaseIgnoresDeadlines, deadline);
        if self.without_leases {
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
        let life = if self.has(Bug::LeaseIsNotHeld) {
            Duration::ZERO
        } else {
            life
        };
        Ok(self.grant(&mut state, key, life, Grant::Lease))
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        self.dawdle(Bug::FillIgnoresDeadlines, deadline);
        let mut state = self.state();
        let stands = self.stands(&state, key, lease);
        if self.has(Bug::CheckThenStore) {
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
        }
        if self.has(Bug::WrongFillEnds) || (stands && !self.has(Bug::FillsTwice)) {
            self.end(&mut state, key);
        }
        if stands && !self.has(Bug::FillStoresNothing) {
            self.insert(&mut state, key, &value, life, Write::Fill);
        }
        Ok(stands != self.has(Bug::FillLies))
    }

    fn release(&self, key: &str, lease: Lease, _: Deadline) -> Result<(), BackendError> {
        let mut state = self.state();
        let held = state.leases.get(&self.leased(key));
        let is_own = held.is_some_and(|held| held.lease == lease);
        if (is_own || self.has(Bug::ReleasesAll)) && !self.has(Bug::ReleaseDoesNothing) {
            self.end(&mut state, key);
        }
        if self.has(Bug::ReleaseRemoves) {
            state.entries.remove(key);
        }
        Ok(())
    }
}
