//! Rules about two that come at one time: whichever is first, what is left is the same.

use std::sync::Mutex;

use super::bench::{Bench, HOUR, rule};
use super::ways::{Change, Grant};
use crate::backend::{Lease, Lookup};
use crate::locks::{lock, unpoisoned};

const ROUNDS: usize = 25;

const NEW: &str = "new";
const OUTDATED: &str = "outdated";

pub(super) struct Race<'b> {
    bench: &'b Bench<'b>,
    kind: Kind,
    /// Nothing is under it; who fills has the lease.
    key: String,
    lease: Lease,
    /// What is filled goes on here.
    further: String,
    looked: Mutex<Option<Lookup>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A fill, and what makes it outdated.
    Change(Change),
    /// A fill, and another who needs the value.
    Look { at_many: bool },
    /// A lookup of the key and what is further, and a removal of both.
    Remove,
    /// A lease that is given up, and one in its place.
    Release,
}

impl<'b> Race<'b> {
    pub(super) fn rounds() -> impl Iterator<Item = (usize, Kind)> {
        let looks = [false, true].map(|at_many| Kind::Look { at_many });
        let kinds = Change::ALL.map(Kind::Change).into_iter().chain(looks);
        let kinds: Vec<Kind> = kinds.chain([Kind::Remove, Kind::Release]).collect();
        (0..ROUNDS).flat_map(move |round| kinds.clone().into_iter().map(move |kind| (round, kind)))
    }

    pub(super) async fn begin(bench: &'b Bench<'b>, round: usize, kind: Kind) -> Self {
        let key = bench.key(format_args!("race:{round}"));
        let further = bench.key(format_args!("race:{round}:further"));
        bench.delete(&key).await;
        let lease = bench.grant(Grant::GetOrLease, &key, HOUR).await;
        if let Kind::Remove = kind {
            bench.delete(&key).await;
            bench.set(&further, OUTDATED).await;
        }
        Self {
            bench,
            kind,
            key,
            lease,
            further,
            looked: Mutex::default(),
        }
    }

    pub(super) async fn one(&self) {
        match self.kind {
            Kind::Change(_) => {
                self.bench.fill(&self.key, self.lease, OUTDATED).await;
            }
            Kind::Look { .. } => {
                self.bench.fill(&self.key, self.lease, NEW).await;
            }
            Kind::Remove => {
                let further = [self.further.as_str()];
                let (lookup, found) = self.bench.look_at_many(&self.key, &further, HOUR).await;
                if found.iter().any(Option::is_some) {
                    self.note(lookup);
                }
            }
            Kind::Release => self.bench.release(&self.key, self.lease).await,
        }
    }

    pub(super) async fn other(&self) {
        match self.kind {
            Kind::Change(by) => self.bench.change(by, &[&self.key], NEW).await,
            Kind::Look { at_many } => {
                let looked = async || {
                    let lookup = if at_many {
                        self.bench.look_at_many(&self.key, &[], HOUR).await.0
                    } else {
                        self.bench.look(&self.key).await
                    };
                    let is_busy = matches!(lookup, Lookup::Busy);
                    self.note(lookup);
                    !is_busy
                };
                self.bench.until(looked).await;
            }
            Kind::Remove => {
                self.bench.delete(&self.further).await;
                self.bench.delete(&self.key).await;
            }
            Kind::Release => {
                let lease = self.bench.lease(&self.key).await;
                self.note(Lookup::Granted(lease));
            }
        }
    }

    pub(super) async fn check(self) {
        let looked = unpoisoned(self.looked.into_inner());
        match self.kind {
            Kind::Change(by) => {
                let left = self.bench.get(&self.key).await;
                let expected = (!by.removes()).then_some(NEW.as_bytes());
                rule(
                    left.as_deref() == expected,
                    format_args!(
                        "a `fill` that comes at the same time as a {by} outlasts it; check the lease and store in one step, and end the lease \
                         in one step with the {by}"
                    ),
                );
            }
            Kind::Look { at_many } => {
                let by = if at_many {
                    "get_many_or_lease"
                } else {
                    "get_or_lease"
                };
                rule(
                    matches!(looked, Some(Lookup::Found(_))),
                    format_args!(
                        "`{by}` at the same time as a `fill` doesn't come to find what is filled; look up and grant in one step"
                    ),
                );
            }
            Kind::Remove => {
                if let Some(Lookup::Granted(lease)) = looked {
                    rule(
                        !self.bench.fill(&self.key, lease, OUTDATED).await,
                        "`get_many_or_lease` finds others as they were before a removal, and grants a lease that began after it; read them \
                         when the lease has been granted, or in one step with that",
                    );
                }
            }
            Kind::Release => {
                if let Some(Lookup::Granted(lease)) = looked {
                    rule(
                        self.bench.fill(&self.key, lease, NEW).await,
                        "a `release` at the same time as a `lease` ends what that granted; compare the token and end the lease in one step",
                    );
                }
            }
        }
    }

    fn note(&self, lookup: Lookup) {
        let mut looked = lock(&self.looked);
        *looked = Some(lookup);
    }
}
