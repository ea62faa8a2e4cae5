//! Rules about leases.

use std::collections::BTreeSet;
use std::time::Duration;

use super::bench::{Bench, HOUR, broken, pause, rule, soon};
use super::lives::MOMENT;
use super::ways::{Change, FILLS, Grant, Read};
use crate::backend::{Bytes, Deadline, Lease, Lookup};

pub(super) async fn all(bench: &Bench<'_>) {
    let leases = all_or_none_grant(bench).await;
    others_are_only_read(bench).await;
    if !leases {
        without_leases(bench).await;
        return;
    }
    one_is_granted_at_a_time(bench).await;
    who_reads_ends_nothing(bench).await;
    nobody_else_fills(bench).await;
    the_holder_fills(bench).await;
    each_key_has_its_own(bench).await;
    a_write_or_removal_voids(bench).await;
    a_lease_is_replaced(bench).await;
    a_lease_is_released(bench).await;
    a_lease_runs_out(bench).await;
}

impl Bench<'_> {
    pub(super) async fn look(&self, key: &str) -> Lookup {
        self.look_for(key, HOUR).await
    }

    /// With a lease of this `life`, if any.
    pub(super) async fn look_for(&self, key: &str, life: Duration) -> Lookup {
        let lookup = self.subject.get_or_lease(key, life, soon());
        self.answer("get_or_lease", lookup).await
    }

    pub(super) async fn look_at_many(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
    ) -> (Lookup, Vec<Option<Bytes>>) {
        let lookup = self.subject.get_many_or_lease(key, others, life, soon());
        self.answer("get_many_or_lease", lookup).await
    }

    /// A lease of a key under which nothing is, or what is broken otherwise.
    pub(super) async fn granted_or(&self, key: &str, why: &str) -> Lease {
        match self.look(key).await {
            Lookup::Granted(lease) => lease,
            Lookup::Busy | Lookup::Found(_) => broken(why),
        }
    }

    pub(super) async fn is_busy(&self, key: &str) -> bool {
        matches!(self.look(key).await, Lookup::Busy)
    }

    pub(super) async fn lease(&self, key: &str) -> Lease {
        self.lease_for(key, HOUR).await
    }

    pub(super) async fn lease_for(&self, key: &str, life: Duration) -> Lease {
        let lease = self.subject.lease(key, life, soon());
        self.answer("lease", lease).await
    }

    pub(super) async fn fill(&self, key: &str, lease: Lease, value: &'static str) -> bool {
        let fill = self.subject.fill(key, lease, value.into(), HOUR, soon());
        self.answer("fill", fill).await
    }

    pub(super) async fn release(&self, key: &str, lease: Lease) {
        let release = self.subject.release(key, lease, Deadline::NEVER);
        self.answer("release", release).await;
    }

    pub(super) async fn grants_leases(&self) -> bool {
        let key = self.key("lease:whether");
        let lease = self.grant(Grant::GetOrLease, &key, HOUR).await;
        self.delete(&key).await;
        lease != Lease::UNCONDITIONAL
    }

    /// Whether the value is there, and that `fill` said so.
    async fn fills(&self, key: &str, lease: Lease, value: &'static str) -> bool {
        let filled = self.fill(key, lease, value).await;
        let is_there = self.get(key).await.as_deref() == Some(value.as_bytes());
        rule(
            filled == is_there,
            "`fill` says otherwise than it did; answer `true` where the value is stored, and `false` where it is not",
        );
        filled
    }
}

async fn others_are_only_read(bench: &Bench<'_>) {
    let [key, there, absent] = ["others:1", "others:2", "others:0"].map(|name| bench.key(name));
    bench.set(&there, "value").await;
    let (lookup, _) = bench.look_at_many(&key, &[&there, &absent], HOUR).await;
    rule(
        matches!(lookup, Lookup::Granted(_)),
        "`get_many_or_lease` doesn't grant a lease where there is nothing under the key; grant one, whatever the others are",
    );
    bench
        .granted_or(
            &absent,
            "`get_many_or_lease` grants a lease of one of the others; it grants one of the key, and reads the others as `get_many` does",
        )
        .await;
    bench.delete_many(&[&key, &absent]).await;
}

/// Whether they grant leases.
async fn all_or_none_grant(bench: &Bench<'_>) -> bool {
    let leases = bench.grants_leases().await;
    for by in Grant::ALL {
        let key = bench.key(format_args!("lease:whether:{by:?}"));
        let lease = bench.grant(by, &key, HOUR).await;
        rule(
            leases == (lease != Lease::UNCONDITIONAL),
            format_args!(
                "leases are granted by one method and not by the other ({by}); implement `get_or_lease`, `lease`, `fill` and `release` \
                 together, or none, and never grant a lease whose token is 0"
            ),
        );
        bench.delete(&key).await;
    }
    leases
}

async fn without_leases(bench: &Bench<'_>) {
    let key = bench.key("unconditional");
    bench.set(&key, "value").await;
    bench.release(&key, Lease::UNCONDITIONAL).await;
    rule(
        bench.get(&key).await.is_some(),
        "`release` removes the entry; it ends a lease and nothing else",
    );
}

async fn one_is_granted_at_a_time(bench: &Bench<'_>) {
    for read in Read::ALL {
        let key = bench.key(format_args!("lease:noted:{read:?}"));
        bench.grant(Grant::GetOrLease, &key, HOUR).await;
        rule(
            bench.read(read, &key).await.is_none(),
            format_args!(
                "{read} finds something under a key that is only leased; keep what is noted of a lease apart from entries"
            ),
        );
    }
    let mut tokens = BTreeSet::new();
    for by in Grant::ALL {
        let key = bench.key(format_args!("lease:once:{by:?}"));
        let lease = bench.grant(by, &key, HOUR).await;
        for _ in 0..2 {
            rule(
                bench.is_busy(&key).await,
                format_args!(
                    "`get_or_lease` grants a lease beside one that {by} granted, to two callers at one time; answer `Busy` while a lease \
                     stands and its life is not over"
                ),
            );
            rule(
                matches!(bench.look_at_many(&key, &[], HOUR).await.0, Lookup::Busy),
                format_args!(
                    "`get_many_or_lease` grants a lease beside one that {by} granted; answer as `get_or_lease` does"
                ),
            );
        }
        tokens.insert(lease.token());
    }
    rule(
        tokens.len() == Grant::ALL.len(),
        "two leases have one token; draw a new one, never 0, for each lease",
    );
}

async fn nobody_else_fills(bench: &Bench<'_>) {
    let (key, other) = (bench.key("lease:token"), bench.key("lease:token:other"));
    let lease = bench.grant(Grant::GetOrLease, &key, HOUR).await;
    let of_other = bench.grant(Grant::GetOrLease, &other, HOUR).await;
    // A token that differs in any one bit is another.
    let guessed = [0, 31, 40, 63].map(|bit| Lease::new(lease.token() ^ (1 << bit)));
    for wrong in [of_other, Lease::UNCONDITIONAL].into_iter().chain(guessed) {
        rule(
            !bench.fills(&key, wrong, "wrong").await,
            "`fill` stores with a lease that was granted for another key, or never; store only with the one that stands for this key, and \
             compare all 64 bits of its token",
        );
        bench.release(&key, wrong).await;
    }
    rule(
        bench.fills(&key, lease, "right").await,
        "a lease is ended by a `fill` or `release` with another one's token; only its own ends it",
    );
}

async fn the_holder_fills(bench: &Bench<'_>) {
    for by in Grant::ALL {
        let key = bench.key(format_args!("lease:fill:{by:?}"));
        let lease = bench.grant(by, &key, HOUR).await;
        rule(bench.fills(&key, lease, "first").await, FILLS);
        rule(
            !bench.fill(&key, lease, "second").await,
            "a lease fills twice; `fill` ends it",
        );
        bench.delete(&key).await;
        let next = bench
            .granted_or(
                &key,
                "`get_or_lease` grants nothing after a `fill` and a `delete`; both end the lease",
            )
            .await;
        rule(
            !bench.fill(&key, lease, "first").await && bench.fill(&key, next, "next").await,
            "a lease that was ended fills in the place of the next; draw a token that this key never had",
        );
    }
}

async fn who_reads_ends_nothing(bench: &Bench<'_>) {
    for there in [false, true] {
        for read in Read::ALL {
            let key = bench.key(format_args!("lease:read:{read:?}:{there}"));
            if there {
                bench.set(&key, "before").await;
            }
            let lease = bench.lease(&key).await;
            bench.read(read, &key).await;
            rule(
                bench.fill(&key, lease, "after").await,
                format_args!(
                    "{read} ends the lease of another; who only looks ends none, and is granted none where there is an entry"
                ),
            );
        }
    }
}

async fn each_key_has_its_own(bench: &Bench<'_>) {
    let names = ["own:a", "own:A", "own:a:", "own:a*", "own:~", "own:~~"];
    let mut keys = names.map(|name| bench.key(name)).to_vec();
    keys.extend(['a', 'b'].map(|last| bench.longest_key(last)));
    let mut leases = Vec::new();
    for key in &keys {
        let apart = "a lease of one key is in the way of another; each key has its own";
        leases.push(bench.granted_or(key, apart).await);
    }
    for (key, lease) in keys.iter().zip(leases) {
        rule(
            bench.fills(key, lease, "filled").await,
            "a lease of one key is ended or replaced by what is done with another; each key has its own",
        );
        // None of those that are still to be filled.
        for by in Change::ALL {
            bench.change(by, &[key], "changed").await;
        }
    }
}

/// A lease that is to be voided.
struct Doomed {
    key: String,
    lease: Lease,
    by: Change,
    state: &'static str,
}

async fn a_write_or_removal_voids(bench: &Bench<'_>) {
    let mut doomed = Vec::new();
    for by in Change::ALL {
        for (state, there, life) in [
            ("nothing is under the key", false, HOUR),
            ("there is an entry", true, HOUR),
            ("the lease ran out", false, MOMENT),
        ] {
            let key = bench.key(format_args!("lease:void:{by:?}:{there}:{}", life.as_secs()));
            if there {
                bench.set(&key, "before").await;
            }
            let lease = bench.lease_for(&key, life).await;
            doomed.push(Doomed {
                key,
                lease,
                by,
                state,
            });
        }
    }
    pause(MOMENT * 5).await;
    let first = bench.key("lease:void");
    for Doomed {
        key,
        lease,
        by,
        state,
    } in doomed
    {
        // Of several, it is not the first.
        bench.change(by, &[&first, &key], "now").await;
        let now = (!by.removes()).then_some(&b"now"[..]);
        rule(
            !bench.fill(&key, lease, "outdated").await && bench.get(&key).await.as_deref() == now,
            format_args!(
                "a lease can still be filled after {by} of its key where {state}; `set`, `set_many`, `delete` and `delete_many` void it, \
                 or a value that was computed before an invalidation is stored after it"
            ),
        );
        if by.removes() {
            bench
                .granted_or(
                    &key,
                    "after a `delete`, `get_or_lease` grants nothing; a lease that is void must not be in the way of the next",
                )
                .await;
        }
    }
}

async fn a_lease_is_released(bench: &Bench<'_>) {
    for by in Grant::ALL {
        let key = bench.key(format_args!("lease:release:{by:?}"));
        let lease = bench.grant(by, &key, HOUR).await;
        bench.release(&key, lease).await;
        // An async backend may still be on it.
        let free = bench.until(async || !bench.is_busy(&key).await).await;
        rule(
            free,
            format_args!(
                "`get_or_lease` answers `Busy` after `release` of what {by} granted; the next caller is granted a lease"
            ),
        );
        rule(
            !bench.fill(&key, lease, "released").await,
            "a lease can be filled after `release`; it ends the lease",
        );
    }
    let key = bench.key("lease:release:entry");
    bench.set(&key, "value").await;
    let lease = bench.lease(&key).await;
    bench.release(&key, lease).await;
    rule(
        bench.get(&key).await.is_some(),
        "`release` removes the entry; it ends a lease and nothing else",
    );
}

async fn a_lease_is_replaced(bench: &Bench<'_>) {
    for by in Grant::ALL {
        let key = bench.key(format_args!("lease:replace:{by:?}"));
        let first = bench.grant(by, &key, HOUR).await;
        let second = bench.lease(&key).await;
        rule(
            first != second,
            "`lease` hands out the lease that stands; it grants a new one in its place",
        );
        rule(
            !bench.fills(&key, first, "first").await,
            "a lease can be filled after `lease` granted another in its place; the one that began later is kept",
        );
        rule(
            bench.fills(&key, second, "second").await,
            "what `lease` granted can't be filled; it is a lease like any other",
        );
        // Over an entry, as a refresh does it.
        let third = bench.lease(&key).await;
        rule(
            bench.get(&key).await.as_deref() == Some(b"second"),
            "`lease` removes the entry; it stays until it is filled",
        );
        for lookup in [Read::GetOrLease, Read::GetManyOrLease] {
            rule(
                bench.read(lookup, &key).await.as_deref() == Some(b"second"),
                format_args!(
                    "{lookup} doesn't find an entry whose key is leased; answer `Found` where there is an entry"
                ),
            );
        }
        rule(
            bench.fills(&key, third, "third").await,
            "`fill` doesn't replace an entry; it stores as `set` does while the lease stands",
        );
    }
}

async fn a_lease_runs_out(bench: &Bench<'_>) {
    let mut slow = Vec::new();
    let long = |by: Grant| bench.key(format_args!("lease:long:{by:?}"));
    for by in Grant::ALL {
        let key = bench.key(format_args!("lease:run-out:{by:?}"));
        let first = bench.grant(by, &key, MOMENT).await;
        let free = bench.until(async || !bench.is_busy(&key).await).await;
        rule(
            free,
            format_args!(
                "`get_or_lease` answers `Busy` after the life of a lease that {by} granted; it then grants another"
            ),
        );
        rule(
            !bench.fill(&key, first, "first").await,
            "a lease that ran out can be filled after another was granted in its place; the later one is the one that stands",
        );
        let key = bench.key(format_args!("lease:slow:{by:?}"));
        let lease = bench.grant(by, &key, MOMENT).await;
        slow.push((key, lease, by));
        bench.grant(by, &long(by), HOUR).await;
    }
    pause(MOMENT * 5).await;
    for by in Grant::ALL {
        rule(
            bench.is_busy(&long(by)).await,
            format_args!(
                "a lease that {by} granted is over before its life is; answer `Busy` for that long"
            ),
        );
    }
    for (key, lease, by) in slow {
        rule(
            bench.fills(&key, lease, "slow").await,
            format_args!(
                "a lease by {by} that ran out, and was neither ended nor replaced, can't be filled; keep its token well beyond its life: \
                 what takes long to compute is worth keeping most"
            ),
        );
    }
}
