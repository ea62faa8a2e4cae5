//! What the processes note down, and the clock that they note it by.

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Nanoseconds, of a clock that only goes forward and that all processes of a machine share.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |part: i64| u64::try_from(part).expect("the machine was started before");
    part(now.tv_sec) * 1_000_000_000 + part(now.tv_nsec)
}

/// Where a value, or an item of a stream, comes from. It is a part of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) function: u8,
    pub(crate) key: u64,
    /// No other computation has it, in no process; 0 is that of none.
    pub(crate) version: u64,
    pub(crate) began: u64,
}

/// Items that one computation made, in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) stamp: Stamp,
    /// The place of the first in its stream.
    pub(crate) first: u64,
    pub(crate) length: u64,
}

/// One who calls functions, one operation after the other: a thread or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) process: u32,
    pub(crate) actor: u32,
    pub(crate) number: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// A body's is the one of the call that it runs in.
    pub(crate) operation: Operation,
    pub(crate) function: u8,
    pub(crate) key: u64,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A body ran; that of a stream began to.
    Computed { version: u64 },
    /// A call or a refresh returned a value or, as far as its caller wanted them, items; a peek found a value. A value is a stream
    /// of one item, and `due` is how many there had to be.
    Returned { runs: Vec<Run>, due: u64 },
    /// `invalidate`, and what it returned.
    Invalidated { acknowledged: bool },
    /// `prime`, with a value of this version, and what it returned.
    Primed { version: u64, acknowledged: bool },
}
