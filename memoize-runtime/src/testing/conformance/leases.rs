//! Rules about leases.

use std::fmt::Display;
use std::time::Duration;

use super::bench::{Bench, HOUR, answer, pause, rule, soon};
use super::entries::all_kinds_of_keys;
use super::ways::{Grant, Remove, Write};
use crate::backend::{Bytes, Lease, Lookup};

/// So short that it is over at once.
const MOMENT: Duration = Duration::from_millis(20);

pub(super) async fn all(bench: &Bench<'_>) {
    what_is_there_is_found(bench).await;
    if !bench.grants_leases().await {
        without_leases(bench).await;
        return;
    }
    one_is_granted_at_a_time(bench).await;
    each_key_has_its_own(bench).await;
    nobody_else_fills(bench).await;
    the_holder_fills(bench).await;
    a_write_or_removal_voids(bench).await;
    a_lease_is_released(bench).await;
    a_lease_is_replaced(bench).await;
    an_entry_stays_while_it_is_leased(bench).await;
    a_lease_runs_out(bench).await;
}

impl Bench<'_> {
    pub(super) async fn look(&self, key: &str) -> Lookup {
        self.look_for(key, HOUR).await
    }

    /// The lease that is granted where nothing is.
    #[expect(clippy::panic, reason = "it is how a broken rule is told")]
    pub(super) async fn granted(&self, key: &str, why: &str) -> Lease {
        match self.look(key).await {
            Lookup::Granted(lease) => lease,
            Lookup::Busy | Lookup::Found(_) => panic!("the backend breaks its contract: {why}"),
        }
    }

    pub(super) async fn is_busy(&self, key: &str) -> bool {
        matches!(self.look(key).await, Lookup::Busy)
    }

    pub(super) async fn fill(&self, key: &str, lease: Lease, value: &'static str) -> bool {
        let fill = self.subject.fill(key, lease, value.into(), HOUR, soon());
        answer("fill", fill).await
    }

    pub(super) async fn grants_leases(&self) -> bool {
        let key = self.key("lease:whether");
        let lease = self.granted(&key, FREE).await;
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

pub(super) const FREE: &str =
    "`get_or_lease` grants nothing where there is no entry and nobody holds a lease; grant one";

async fn what_is_there_is_found(bench: &Bench<'_>) {
    let [key, other, absent] = ["found:1", "found:2", "found:0"].map(|name| bench.key(name));
    bench.set(&key, "value").await;
    bench.set(&other, "other").await;
    let is_value =
        |lookup: Lookup| matches!(lookup, Lookup::Found(found) if &found[..] == b"value");
    rule(
        is_value(bench.look(&key).await),
        "`get_or_lease` doesn't find what was set; answer `Found` where there is an entry",
    );
    let others = [absent.as_str(), &other, &other, &key];
    let asked = bench.subject.get_many_or_lease(&key, &others, HOUR, soon());
    let (lookup, found) = answer("get_many_or_lease", asked).await;
    let other = Some(Bytes::from("other"));
    rule(
        is_value(lookup) && found == [None, other.clone(), other, Some(Bytes::from("value"))],
        "`get_many_or_lease` doesn't answer as `get_or_lease` of the key and `get_many` of the others do; give both",
    );
    let leased = bench.key("found:leased");
    let asked = bench
        .subject
        .get_many_or_lease(&leased, &others[3..], HOUR, soon());
    let (lookup, found) = answer("get_many_or_lease", asked).await;
    rule(
        matches!(lookup, Lookup::Granted(_)) && found == [Some(Bytes::from("value"))],
        "`get_many_or_lease` doesn't grant a lease where there is nothing under the key; grant one, whatever the others are",
    );
    bench.delete(&leased).await;
}

async fn without_leases(bench: &Bench<'_>) {
    let key = bench.key("unconditional");
    rule(
        bench.lease(&key, HOUR).await == Lease::UNCONDITIONAL
            && bench.granted(&key, FREE).await == Lease::UNCONDITIONAL,
        "leases are granted by one method and not by the other; implement `get_or_lease`, `lease`, `fill` and `release` together, or none",
    );
    rule(
        bench.fills(&key, Lease::UNCONDITIONAL, "value").await,
        "`fill` with an unconditional lease stores nothing; it is `set` in a backend without leases",
    );
    bench.release(&key, Lease::UNCONDITIONAL).await;
    rule(
        bench.get(&key).await.is_some(),
        "`release` removes the entry; it ends a lease and nothing else",
    );
}

async fn one_is_granted_at_a_time(bench: &Bench<'_>) {
    let (key, other) = (bench.key("lease:once"), bench.key("lease:other"));
    let lease = bench.granted(&key, FREE).await;
    rule(
        bench.get(&key).await.is_none(),
        "`get` finds something under a key that is only leased; keep what is noted of a lease apart from entries",
    );
    for _ in 0..2 {
        rule(
            bench.is_busy(&key).await,
            "`get_or_lease` grants a key to two callers at one time; answer `Busy` while a lease stands and its life is not over",
        );
    }
    rule(
        bench.get_many(&[&other, &key]).await == [None, None] && bench.is_busy(&key).await,
        "`get_many` finds something under a key that is only leased, or ends the lease; it only reads",
    );
    let found = bench.key("lease:beside");
    bench.set(&found, "beside").await;
    let (lookup, others) = bench.look_beside(&key, &[&other, &found], HOUR).await;
    rule(
        matches!(lookup, Lookup::Busy),
        "`get_many_or_lease` grants a key that is leased; answer `Busy` while a lease stands and its life is not over",
    );
    rule(
        others == [None, Some(Bytes::from("beside"))],
        "`get_many_or_lease` doesn't tell what is under the others where the key is leased; give one answer a key, whatever the lookup is",
    );
    let of_other = bench
        .granted(
            &other,
            "a lease of one key is in the way of another; each key has its own",
        )
        .await;
    rule(
        lease != of_other && lease.token() != 0 && of_other.token() != 0,
        "two leases have one token, or a token is 0; draw a new one, never 0, for each lease",
    );
}

async fn each_key_has_its_own(bench: &Bench<'_>) {
    let keys = all_kinds_of_keys(bench, "leased");
    let mut leases = Vec::new();
    for key in &keys {
        let lease = bench
            .granted(
                key,
                "leases of two keys are taken for one; keys are told apart by each of their bytes, whatever is done to them",
            )
            .await;
        leases.push(lease);
    }
    for (key, lease) in keys.iter().zip(leases) {
        bench.release(key, lease).await;
    }
}

async fn nobody_else_fills(bench: &Bench<'_>) {
    let (key, other) = (bench.key("lease:token"), bench.key("lease:token:other"));
    let lease = bench.granted(&key, FREE).await;
    let of_other = bench.granted(&other, FREE).await;
    let guessed = Lease::new(lease.token() ^ (1 << 40));
    for wrong in [of_other, guessed] {
        rule(
            !bench.fills(&key, wrong, "wrong").await,
            "`fill` stores with a lease that was granted for another key, or never; store only with the one that stands for this key",
        );
        bench.release(&key, wrong).await;
    }
    rule(
        bench.fills(&key, lease, "right").await,
        "a lease is ended by a `fill` or `release` with another one's token; only its own ends it",
    );
}

const GRANTED: &str = "a lease is not granted where nothing is, and none stands; grant one";

/// A lease for a key that nobody used, granted in this way.
async fn new_lease(bench: &Bench<'_>, way: Grant, key: &str, life: Duration) -> Lease {
    let lease = bench.grant(way, key, life).await;
    rule(lease.is_some(), &format!("{way}: {GRANTED}"));
    lease.unwrap_or(Lease::UNCONDITIONAL)
}

async fn the_holder_fills(bench: &Bench<'_>) {
    for way in Grant::ALL {
        let key = bench.key(format_args!("lease:fill:{way:?}"));
        let lease = new_lease(bench, *way, &key, HOUR).await;
        rule(
            bench.fills(&key, lease, "first").await,
            &format!(
                "`fill` with the lease that {way} granted, and that stands, stores nothing; store the value"
            ),
        );
        rule(
            !bench.fill(&key, lease, "second").await,
            "a lease fills twice; `fill` ends it",
        );
        bench.delete(&key).await;
        bench
            .granted(
                &key,
                "`get_or_lease` grants nothing after a `fill` and a `delete`; both end the lease",
            )
            .await;
    }
}

async fn a_write_or_removal_voids(bench: &Bench<'_>) {
    for way in Grant::ALL {
        for write in [Write::Set, Write::SetMany] {
            let key = bench.key(format_args!("lease:void:{way:?}:{write:?}"));
            let lease = new_lease(bench, *way, &key, HOUR).await;
            bench.write(write, &key, "now".into(), HOUR).await;
            rule(
                bench.get(&key).await.as_deref() == Some(b"now"),
                &format!(
                    "{write} stores nothing under a key that is leased; it stores whoever has a lease"
                ),
            );
            let filled = bench.fill(&key, lease, "outdated").await;
            let is_kept = bench.get(&key).await.as_deref() == Some(b"now");
            rule(!filled && is_kept, &voided(&write, *way));
        }
        for remove in Remove::ALL {
            let key = bench.key(format_args!("lease:void:{way:?}:{remove:?}"));
            let lease = new_lease(bench, *way, &key, HOUR).await;
            bench.remove(*remove, &key).await;
            rule(
                !bench.fills(&key, lease, "outdated").await,
                &voided(remove, *way),
            );
            bench
                .granted(
                    &key,
                    "after a `delete`, `get_or_lease` grants nothing; a lease that is void must not be in the way of the next",
                )
                .await;
            rule(
                !bench.fills(&key, lease, "outdated").await,
                "a lease that is void can be filled once another is granted; draw a new token for each lease, also of one key",
            );
        }
    }
}

fn voided(ended: &dyn Display, way: Grant) -> String {
    format!(
        "a lease that {way} granted can still be filled after {ended} of its key; `set`, `set_many`, `delete` and `delete_many` void it: they void it \
         also where there is no entry, or a value that was computed before an invalidation is stored after it"
    )
}

async fn a_lease_is_released(bench: &Bench<'_>) {
    for way in Grant::ALL {
        let key = bench.key(format_args!("lease:release:{way:?}"));
        let lease = new_lease(bench, *way, &key, HOUR).await;
        bench.release(&key, lease).await;
        // An async backend may still be on it.
        let free = bench.until(async || !bench.is_busy(&key).await).await;
        rule(
            free,
            &format!(
                "`get_or_lease` answers `Busy` after `release` of what {way} granted; the next caller is granted a lease"
            ),
        );
        rule(
            !bench.fill(&key, lease, "released").await,
            "a lease can be filled after `release`; it ends the lease",
        );
    }
}

async fn a_lease_is_replaced(bench: &Bench<'_>) {
    let key = bench.key("lease:replace");
    let first = bench.granted(&key, FREE).await;
    let second = bench.lease(&key, HOUR).await;
    rule(
        first != second,
        "`lease` hands out the lease that stands; it grants a new one in its place",
    );
    rule(
        bench.is_busy(&key).await,
        "`get_or_lease` grants a lease beside one that `lease` granted; answer `Busy`",
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
    let third = bench.lease(&key, HOUR).await;
    rule(
        bench.get(&key).await.as_deref() == Some(b"second"),
        "`lease` removes the entry; it stays until it is filled",
    );
    rule(
        bench.fills(&key, third, "third").await,
        "`fill` doesn't replace an entry; it stores as `set` does while the lease stands",
    );
}

/// As while it is refreshed.
async fn an_entry_stays_while_it_is_leased(bench: &Bench<'_>) {
    let key = bench.key("lease:over");
    bench.set(&key, "value").await;
    let lease = bench.lease(&key, HOUR).await;
    let is_value =
        |lookup: Lookup| matches!(lookup, Lookup::Found(found) if &found[..] == b"value");
    rule(
        is_value(bench.look(&key).await) && is_value(bench.look_beside(&key, &[], HOUR).await.0),
        "a lookup doesn't find an entry for whose key a lease stands; answer `Found` where there is an entry",
    );
    bench.release(&key, lease).await;
    rule(
        bench.get(&key).await.as_deref() == Some(b"value"),
        "`release` removes the entry; it ends a lease and nothing else",
    );
}

async fn a_lease_runs_out(bench: &Bench<'_>) {
    for way in Grant::ALL {
        let key = bench.key(format_args!("lease:run-out:{way:?}"));
        let first = new_lease(bench, *way, &key, MOMENT).await;
        let free = bench.until(async || !bench.is_busy(&key).await).await;
        rule(
            free,
            &format!(
                "`get_or_lease` answers `Busy` after the life of a lease that {way} granted; it then grants another"
            ),
        );
        rule(
            !bench.fill(&key, first, "first").await,
            "a lease that ran out can be filled after another was granted in its place; the later one is the one that stands",
        );
    }
    let slow = |way: Grant| bench.key(format_args!("lease:slow:{way:?}"));
    let mut leases = Vec::new();
    for way in Grant::ALL {
        leases.push(new_lease(bench, *way, &slow(*way), MOMENT).await);
    }
    pause(MOMENT * 5).await;
    for (way, lease) in Grant::ALL.iter().zip(leases) {
        rule(
            bench.fills(&slow(*way), lease, "slow").await,
            "a lease that ran out, and was neither ended nor replaced, can't be filled; keep its token well beyond its life: what takes long to \
             compute is worth keeping most",
        );
    }
}
