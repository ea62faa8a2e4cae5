use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::{conformance, conformance_async, wait, within};
use crate::backend::{
    Backend, BackendError, BlockOn, Bytes, Deadline, Lease, Limits, Lookup, Memory, Unblock,
};

#[test]
fn the_backends_of_this_crate_conform() {
    conformance(&Memory::default());
    conformance(&BlockOn::new(Unblock::new(Memory::default())));
    wait(conformance_async(&Unblock::new(Memory::default())));
}

#[test]
fn a_sound_backend_conforms_with_leases_and_without() {
    for without_leases in [false, true] {
        conformance(&Sketch {
            without_leases,
            ..Sketch::new(Bug::None)
        });
    }
}

#[test]
fn each_broken_rule_is_told() {
    // Some take as long as patience lasts.
    let missed: Vec<String> = thread::scope(|scope| {
        let parts = BUGS.chunks(8);
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().filter_map(untold).collect::<Vec<_>>()))
            .collect();
        let parts = parts
            .into_iter()
            .map(|part| part.join().expect("panics are caught in there"));
        parts.flatten().collect()
    });
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What is told of a bug, if it isn't what is to be told.
fn untold((bug, part): &(Bug, &str)) -> Option<String> {
    let sketch = Sketch::new(*bug);
    let run = || within(&sketch, Duration::from_secs(1));
    let told = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => "nothing".to_owned(),
        // A text of one's own, or a fixed one.
        Err(told) => match told.downcast::<String>() {
            Ok(told) => *told,
            Err(told) => (*told.downcast_ref::<&str>()?).to_owned(),
        },
    };
    (!told.contains(part)).then(|| format!("{bug:?}: {told}"))
}

/// What can be wrong with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    ShortKeys,
    SmallValues,
    ChangingLimits,
    NeverExpires,
    FillNeverExpires,
    FirstLifeCounts,
    LongLivesAreCut,
    FindsWhatIsNotThere,
    LosesWrites,
    ReadsOnce,
    KeepsTheFirst,
    EmptyIsAbsent,
    EndsAtNewline,
    CutsLargeValues,
    RefusesLargeValues,
    IgnoresCase,
    CutsKeys,
    TrimsKeys,
    DeletesNothing,
    DeletesByPrefix,
    DeletingNothingFails,
    SortsMany,
    SkipsAbsent,
    OnceEach,
    CutsMany,
    SetManyKeepsFirst,
    DeleteManyStopsEarly,
    IgnoresDeadlines,
    LateAnswers,
    LookupIgnoresEntries,
    OthersAreForgotten,
    GrantsAlways,
    GrantsNever,
    OneLeaseForAll,
    SameToken,
    LeaseInThePlace,
    FillStoresNothing,
    FillLies,
    FillsTwice,
    FillsWithAnyToken,
    WrongFillEnds,
    SetLeavesLease,
    DeleteLeavesLease,
    DeleteManyLeavesLease,
    SetManyLeavesLease,
    VoidIsBusy,
    ReleaseDoesNothing,
    ReleasesAll,
    LeaseHandsOutTheSame,
    LeaseIsNotHeld,
    LeaseRemoves,
    LeaseNeverRunsOut,
    RunOutCannotBeFilled,
    UnconditionalByOne,
    CheckThenStore,
    LookThenGrant,
    MixesCallers,
}

const BUGS: &[(Bug, &str)] = {
    use Bug::*;
    &[
        (ShortKeys, "take longer keys"),
        (SmallValues, "take larger values"),
        (ChangingLimits, "`limits` answers differently"),
        (NeverExpires, "remove it by the `life` that `set`"),
        (FillNeverExpires, "remove it by the `life` that `fill`"),
        (FirstLifeCounts, "before its life is over"),
        (LongLivesAreCut, "before its life is over"),
        (FindsWhatIsNotThere, "never set"),
        (LosesWrites, "`get` doesn't find what `set` stored"),
        (ReadsOnce, "don't remove what is read"),
        (KeepsTheFirst, "`set` replaces what was there"),
        (EmptyIsAbsent, "`set` replaces what was there"),
        (EndsAtNewline, "any bytes can be a value"),
        (CutsLargeValues, "any bytes can be a value"),
        (RefusesLargeValues, "`set` failed"),
        (IgnoresCase, "two keys are taken for one"),
        (CutsKeys, "two keys are taken for one"),
        (TrimsKeys, "two keys are taken for one"),
        (DeletesNothing, "`get` finds what was deleted"),
        (DeletesByPrefix, "no pattern and no prefix"),
        (DeletingNothingFails, "`delete` failed"),
        (SortsMany, "each key in its place"),
        (SkipsAbsent, "each key in its place"),
        (OnceEach, "each key in its place"),
        (CutsMany, "500 answers"),
        (SetManyKeepsFirst, "`set_many` stored"),
        (DeleteManyStopsEarly, "exactly the keys it was given"),
        (IgnoresDeadlines, "goes on after its deadline"),
        (LateAnswers, "from which an answer may still come"),
        (LookupIgnoresEntries, "answer `Found`"),
        (OthersAreForgotten, "`get_many_or_lease` doesn't answer"),
        (GrantsAlways, "two callers at one time"),
        (GrantsNever, "doesn't grant a lease"),
        (OneLeaseForAll, "each key has its own"),
        (SameToken, "draw a new one"),
        (LeaseInThePlace, "apart from entries"),
        (FillStoresNothing, "says otherwise than it did"),
        (FillLies, "says otherwise than it did"),
        (FillsTwice, "a lease fills twice"),
        (FillsWithAnyToken, "granted for another key"),
        (WrongFillEnds, "only its own ends it"),
        (SetLeavesLease, "they void it"),
        (DeleteLeavesLease, "they void it"),
        (DeleteManyLeavesLease, "they void it"),
        (SetManyLeavesLease, "they void it"),
        (VoidIsBusy, "grants nothing after a `fill` and a `delete`"),
        (ReleaseDoesNothing, "after `release`"),
        (ReleasesAll, "only its own ends it"),
        (LeaseHandsOutTheSame, "a new one in its place"),
        (LeaseIsNotHeld, "beside one that `lease` granted"),
        (LeaseRemoves, "`lease` removes the entry"),
        (LeaseNeverRunsOut, "after the life of a lease"),
        (RunOutCannotBeFilled, "keep its token"),
        (UnconditionalByOne, "together, or none"),
        (CheckThenStore, "check the lease and store in one step"),
        (LookThenGrant, "look up and grant in one step"),
        (MixesCallers, "a scoped thread panicked"),
    ]
};

/// A backend like many: a map under a lock, and one bug.
struct Sketch {
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
    /// Answers that came after their deadline.
    late: Vec<Option<Bytes>>,
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
}

impl Sketch {
    fn new(bug: Bug) -> Self {
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

    fn state(&self) -> MutexGuard<'_, State> {
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

    fn insert(&self, state: &mut State, key: &str, value: &Bytes, life: Duration, by_fill: bool) {
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
        if self.has(Bug::CutsLargeValues) {
            value.truncate(100_000);
        }
        let mut life = life;
        if self.has(Bug::LongLivesAreCut) && life > Duration::from_secs(30 * 24 * 3600) {
            life = Duration::ZERO;
        }
        let endless = if by_fill {
            self.has(Bug::FillNeverExpires)
        } else {
            self.has(Bug::NeverExpires)
        };
        let old = state.entries.get(&key);
        let expires = match old {
            Some(old) if self.has(Bug::FirstLifeCounts) => old.expires,
            _ if endless => None,
            _ => Instant::now().checked_add(life),
        };
        state.entries.insert(key, Entry { value, expires });
    }

    fn find(&self, state: &mut State, key: &str) -> Option<Bytes> {
        let key = self.named(key);
        if self.has(Bug::LeaseInThePlace) && state.leases.contains_key(&key) {
            return Some(Bytes::from("leased"));
        }
        let Some(entry) = state.entries.get(&key) else {
            return self
                .has(Bug::FindsWhatIsNotThere)
                .then(|| Bytes::from("invented"));
        };
        let over = entry.expires.is_some_and(|at| at <= Instant::now());
        let value = entry.value.clone();
        if over || self.has(Bug::ReadsOnce) {
            state.entries.remove(&key);
        }
        let absent = over || (self.has(Bug::EmptyIsAbsent) && value.is_empty());
        (!absent).then_some(value)
    }

    fn remove(&self, state: &mut State, key: &str) {
        if self.has(Bug::DeletesByPrefix) {
            state.entries.retain(|other, _| !other.starts_with(key));
        } else if !self.has(Bug::DeletesNothing) {
            state.entries.remove(&self.named(key));
        }
    }

    fn grant(&self, state: &mut State, key: &str, life: Duration) -> Lease {
        state.tokens += u64::from(!self.has(Bug::SameToken) || state.tokens == 0);
        let lease = Lease::new(state.tokens);
        let until = Instant::now() + life;
        state.leases.insert(key.to_owned(), Held { lease, until });
        lease
    }

    fn void(&self, state: &mut State, key: &str) {
        state.leases.remove(key);
        if self.has(Bug::VoidIsBusy) {
            self.grant(state, key, Duration::from_secs(60));
        }
    }
}

impl Backend for Sketch {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        let passed = deadline.remaining() == Some(Duration::ZERO);
        if passed && self.has(Bug::IgnoresDeadlines) {
            thread::sleep(Duration::from_millis(1100));
        }
        let crowd = self.asking.fetch_add(1, Ordering::SeqCst);
        if self.has(Bug::MixesCallers) {
            thread::yield_now();
        }
        let found = {
            let mut state = self.state();
            let found = self.find(&mut state, key);
            if self.has(Bug::LateAnswers) {
                if passed {
                    state.late.push(found);
                    self.asking.fetch_sub(1, Ordering::SeqCst);
                    return Err(BackendError::new("no answer in time"));
                }
                state.late.pop().unwrap_or(found)
            } else {
                found
            }
        };
        self.asking.fetch_sub(1, Ordering::SeqCst);
        if self.has(Bug::MixesCallers) && crowd > 0 {
            return Ok(Some(Bytes::from("another's")));
        }
        Ok(found)
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        _: Deadline,
    ) -> Result<(), BackendError> {
        if self.has(Bug::RefusesLargeValues) && value.len() > 100_000 {
            return Err(BackendError::new("too large"));
        }
        let mut state = self.state();
        if !self.has(Bug::SetLeavesLease) {
            self.void(&mut state, key);
        }
        self.insert(&mut state, key, &value, life, false);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        let mut state = self.state();
        if self.has(Bug::DeletingNothingFails) && !state.entries.contains_key(key) {
            return Err(BackendError::new("not found"));
        }
        if !self.has(Bug::DeleteLeavesLease) {
            self.void(&mut state, key);
        }
        self.remove(&mut state, key);
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

    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        let mut keys = keys.to_vec();
        match self.bug {
            Bug::SortsMany => keys.sort_unstable(),
            Bug::OnceEach => keys.dedup(),
            Bug::CutsMany => keys.truncate(100),
            _ => {}
        }
        let found: Result<Vec<_>, _> = keys.iter().map(|key| self.get(key, deadline)).collect();
        let mut found = found?;
        if self.has(Bug::OnceEach) {
            found.dedup();
        }
        if self.has(Bug::SkipsAbsent) {
            found.retain(Option::is_some);
        }
        Ok(found)
    }

    fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        if self.has(Bug::SetManyLeavesLease) {
            let mut state = self.state();
            for (key, value) in entries {
                self.insert(&mut state, key, value, life, false);
            }
            return Ok(());
        }
        let take = if self.has(Bug::SetManyKeepsFirst) && entries.len() > 1 {
            1
        } else {
            entries.len()
        };
        entries[..take]
            .iter()
            .try_for_each(|(key, value)| self.set(key, value.clone(), life, deadline))
    }

    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        for key in keys {
            if self.has(Bug::DeleteManyStopsEarly) && !self.state().entries.contains_key(*key) {
                return Ok(());
            }
            if self.has(Bug::DeleteManyLeavesLease) {
                self.remove(&mut self.state(), key);
            } else {
                self.delete(key, deadline)?;
            }
        }
        Ok(())
    }

    fn get_or_lease(&self, key: &str, life: Duration, _: Deadline) -> Result<Lookup, BackendError> {
        let mut state = self.state();
        if !self.has(Bug::LookupIgnoresEntries)
            && let Some(found) = self.find(&mut state, key)
        {
            return Ok(Lookup::Found(found));
        }
        if self.without_leases || self.has(Bug::UnconditionalByOne) {
            return Ok(Lookup::Granted(Lease::UNCONDITIONAL));
        }
        if self.has(Bug::GrantsNever) {
            return Ok(Lookup::Busy);
        }
        let now = Instant::now();
        let stands = |held: &Held| held.until > now || self.has(Bug::LeaseNeverRunsOut);
        let of_any = self.has(Bug::OneLeaseForAll) && state.leases.values().any(stands);
        if of_any || state.leases.get(key).is_some_and(stands) && !self.has(Bug::GrantsAlways) {
            return Ok(Lookup::Busy);
        }
        if self.has(Bug::LookThenGrant) {
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
        }
        Ok(Lookup::Granted(self.grant(&mut state, key, life)))
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        let lookup = self.get_or_lease(key, life, deadline)?;
        let others = if self.has(Bug::OthersAreForgotten) {
            &others[..0]
        } else {
            others
        };
        Ok((lookup, self.get_many(others, deadline)?))
    }

    fn lease(&self, key: &str, life: Duration, _: Deadline) -> Result<Lease, BackendError> {
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
        Ok(self.grant(&mut state, key, life))
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        _: Deadline,
    ) -> Result<bool, BackendError> {
        let mut state = self.state();
        let held = state.leases.get(key).copied();
        let stands = held.is_some_and(|held| {
            held.lease == lease
                && !(self.has(Bug::RunOutCannotBeFilled) && held.until <= Instant::now())
        }) || lease == Lease::UNCONDITIONAL
            || self.has(Bug::FillsWithAnyToken);
        if self.has(Bug::CheckThenStore) {
            drop(state);
            thread::sleep(Duration::from_millis(1));
            state = self.state();
        }
        if self.has(Bug::WrongFillEnds) || (stands && !self.has(Bug::FillsTwice)) {
            state.leases.remove(key);
        }
        if stands && !self.has(Bug::FillStoresNothing) {
            self.insert(&mut state, key, &value, life, true);
        }
        Ok(stands != self.has(Bug::FillLies))
    }

    fn release(&self, key: &str, lease: Lease, _: Deadline) -> Result<(), BackendError> {
        let mut state = self.state();
        let own = state
            .leases
            .get(key)
            .is_some_and(|held| held.lease == lease);
        if (own || self.has(Bug::ReleasesAll)) && !self.has(Bug::ReleaseDoesNothing) {
            state.leases.remove(key);
        }
        Ok(())
    }
}
