//! What the sketch is asked.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::bench::HOUR;
use super::super::bugs::Bug;
use super::{Answer, Held, Sketch};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};

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
            _ => self.limits,
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
            // Two removals.
            drop(self.let_by(self.state(), 2));
            return Ok((self.look("get_many_or_lease", key, life), found));
        }
        let is_there = |other: &&str| self.state().entries.contains_key(*other);
        if self.has(Bug::OthersAreInTheWay) && others.iter().any(is_there) {
            return Ok((Lookup::Busy, self.find_many("others", others)));
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
            || state.replaced.contains(&lease)
            || self.has(Bug::FillsWithAnyToken)
            || self.has(Bug::FillsUnconditionally) && lease == Lease::UNCONDITIONAL;
        if self.has(Bug::CheckThenStore) {
            state = self.let_by(state, 1);
        }
        if self.has(Bug::WrongFillEnds) || stands && !self.has(Bug::FillsTwice) {
            state.leases.remove(&leased);
        }
        if stands && !self.has(Bug::FillStoresNothing) {
            self.insert(&mut state, "fill", key, &value, life);
        }
        Ok((stands || self.has(Bug::FillSaysYes)) != self.has(Bug::FillLies))
    }

    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Answer<()> {
        self.begin("release", deadline)?;
        let mut state = self.state();
        let leased = self.leased(key);
        let held = state.leases.get(&leased);
        let own = held.is_some_and(|held| self.is(held.lease, lease));
        if self.has(Bug::CheckThenRelease) {
            state = self.let_by(state, 1);
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
