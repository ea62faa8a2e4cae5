//! Rules about how long something is kept.

use std::time::Duration;

use super::bench::{Bench, HOUR, rule};
use super::ways::{Grant, Read, Write};
use crate::backend::Lookup;

/// So short that it is over at once.
pub(super) const MOMENT: Duration = Duration::from_millis(20);

/// Lives that are over at once where they are counted in 32 bits, as milliseconds, with a sign or without, or as microseconds; and the
/// longest that an entry is kept for, in the default settings.
const LONG: [Duration; 4] = [
    Duration::from_millis(1 << 31),
    Duration::from_millis(1 << 32),
    Duration::from_micros(1 << 32),
    Duration::from_secs(366 * 24 * 3600),
];

/// Entries that should be gone by the end, and how they were written.
pub(super) struct Short {
    new: Vec<(String, Write, Read)>,
    replacing: Vec<(String, Write)>,
    /// These should be there.
    replaced: Vec<(String, Write)>,
    to_lease: Vec<(String, Grant)>,
}

pub(super) async fn set_for_a_moment(bench: &Bench<'_>) -> Short {
    let mut short = Short {
        new: Vec::new(),
        replacing: Vec::new(),
        replaced: Vec::new(),
        to_lease: Vec::new(),
    };
    for grant in [Grant::GetOrLease, Grant::GetManyOrLease] {
        let key = bench.key(format_args!("short:{grant:?}"));
        bench.set_for(&key, "short", MOMENT).await;
        short.to_lease.push((key, grant));
    }
    for write in Write::ALL {
        for read in Read::ALL {
            // Each has its own, for one that is found to be over may be removed.
            let key = bench.key(format_args!("short:{write:?}:{read:?}"));
            bench.write(write, &key, "short", MOMENT).await;
            short.new.push((key, write, read));
        }
        let key = bench.key(format_args!("short:replacing:{write:?}"));
        bench.set(&key, "long").await;
        bench.write(write, &key, "short", MOMENT).await;
        short.replacing.push((key, write));
        let key = bench.key(format_args!("short:replaced:{write:?}"));
        bench.set_for(&key, "short", MOMENT).await;
        bench.write(write, &key, "long", HOUR).await;
        short.replaced.push((key, write));
    }
    short
}

pub(super) async fn a_life_ends_and_no_sooner(bench: &Bench<'_>, short: Short) {
    let mut long = short.replaced;
    for life in LONG {
        for write in Write::ALL {
            let key = bench.key(format_args!("long:{write:?}:{}", life.as_micros()));
            bench.write(write, &key, "long", life).await;
            long.push((key, write));
        }
    }
    for (key, write, read) in &short.new {
        let gone = async || bench.read(*read, key).await.is_none();
        rule(
            bench.until(gone).await,
            format_args!(
                "{read} finds an entry long after its life was over; remove it by the `life` that {write} was given, or don't find it any more"
            ),
        );
    }
    for (key, grant) in &short.to_lease {
        let granted = async || matches!(bench.ask(*grant, key, HOUR).await, Lookup::Granted(_));
        rule(
            bench.until(granted).await,
            format_args!(
                "{grant} grants nothing where the life of an entry is over; what isn't found any more is not in the way of a lease"
            ),
        );
    }
    for (key, write) in &long {
        rule(
            bench.get(key).await.is_some(),
            format_args!(
                "an entry is gone before its life is over; keep it for the `life` that the last {write} was given, of up to 366 days"
            ),
        );
    }
    for (key, write) in &short.replacing {
        let gone = async || bench.get(key).await.is_none();
        rule(
            bench.until(gone).await,
            format_args!(
                "an entry that {write} replaced by one with a shorter life outlasts it; each write brings its own `life`"
            ),
        );
    }
}
