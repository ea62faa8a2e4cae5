//! What the server is asked, and what its answers mean. One request each is all an operation takes, whichever client sends it.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Duration;

use redis::{Cmd, ServerError, ServerErrorKind, Value};

use super::slot::{lease_name, slot};
use crate::backend::{BackendError, Bytes, Lease, Lookup};
use crate::clock::millis;
use crate::process;

/// One command, and where it belongs.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) command: Cmd,
    pub(super) slot: u16,
    kind: Kind,
    repeat: Repeat,
    /// Whose digest the command has, if it runs a script.
    script: Option<&'static Script>,
}

/// What a request does, which decides on what it can be answered with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Get,
    Set,
    Remove,
    LeaseIfAbsent,
    Lease,
    Fill,
    Release,
}

/// What to ask if the server may have worked on a request already, and nobody knows.
#[derive(Clone, Copy)]
enum Repeat {
    Same,
    /// For another lease.
    Lookup,
    /// In between, somebody may have seen what was done and undone it.
    Never,
}

/// How long a lease that ran out may still be filled. Its record stays so long only where a process died with it.
const STILL_FILLED: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest life that a server is given; it refuses what overflows its clock.
const LONGEST_MS: u64 = 100 * 366 * 24 * 60 * 60 * 1000;

/// 1 where there is a value, or else the lease if it is granted, and 0 as long as another's stands: while more than [`STILL_FILLED`], a
/// day, remains of its record's life. There are two exceptions:
///
/// - More than twice as much remains as a lease would have that is granted now. Then the server's clock was set back, and who waits for
///   the holder would do so at each call, for hours.
/// - The lease is one of those from `ARGV[3]` on, which the caller asked for without an answer. It is given another, which nobody asked for
///   before: those questions may still be on their way, and must not bring back a lease that was voided in between.
///
/// The value itself is left to a `GET` behind it: from a script it would be copied into Lua and out again, which takes longer than all else.
static LEASE_IF_ABSENT: Script = Script::new(
    "if redis.call('PTTL', KEYS[1]) ~= -2 then return 1 end \
         local left = redis.call('PTTL', KEYS[2]) - 86400000 \
         if left > 0 and left <= 2 * (ARGV[2] - 86400000) then \
             local holder, is_ours = redis.call('GET', KEYS[2]), false \
             for i = 3, #ARGV do is_ours = is_ours or ARGV[i] == holder end \
             if not is_ours then return 0 end end \
         redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) \
         return ARGV[1]",
);

static SET: Script = Script::new(
    "redis.call('DEL', KEYS[2]) \
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) \
         return 1",
);

/// Without the lease it is done only if it was done before, and nothing has come after it.
static FILL: Script = Script::new(
    "if redis.call('GET', KEYS[2]) ~= ARGV[3] then \
             return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0 end \
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) \
         redis.call('DEL', KEYS[2]) \
         return 1",
);

/// Of whichever of the leases stands.
static RELEASE: Script = Script::new(
    "local holder = redis.call('GET', KEYS[2]) \
         for _, lease in ipairs(ARGV) do \
             if lease == holder then redis.call('DEL', KEYS[2]) end end \
         return 1",
);

/// Where a lookup's lease stands: behind the script, the number of keys, and these.
const TOKEN: usize = 5;

/// Where those begin in whose place it is asked for.
const UNANSWERED: usize = 7;

/// A script that touches a key and the record of its lease.
struct Script {
    code: &'static str,
    digest: OnceLock<String>,
}

impl Script {
    const fn new(code: &'static str) -> Self {
        Self {
            code,
            digest: OnceLock::new(),
        }
    }

    fn digest(&self) -> &str {
        let digest = || redis::Script::new(self.code).get_hash().to_owned();
        self.digest.get_or_init(digest)
    }
}

impl Request {
    pub(super) fn get(key: &str) -> Self {
        let mut command = redis::cmd("GET");
        command.arg(key);
        Self::plain(Kind::Get, command, key)
    }

    /// In one step with the end of the lease: between the two, an older value could be filled in, or a lease be granted for
    /// what is older than this.
    pub(super) fn set(key: &str, value: &Bytes, life: Duration) -> Self {
        let set = Self::scripted(Kind::Set, &SET, key, |command| {
            command.arg(&value[..]).arg(entry_life(life));
        });
        Self {
            repeat: Repeat::Never,
            ..set
        }
    }

    pub(super) fn delete(key: &str) -> Self {
        let mut command = redis::cmd("UNLINK");
        command.arg(key).arg(lease_name(key));
        Self::plain(Kind::Remove, command, key)
    }

    /// By who asked for `unanswered` before, and doesn't know whether one of them was granted: `lease` then takes its place.
    pub(super) fn lease_if_absent(
        key: &str,
        lease: Lease,
        unanswered: &[Lease],
        life: Duration,
    ) -> Self {
        let lookup = Self::scripted(Kind::LeaseIfAbsent, &LEASE_IF_ABSENT, key, |command| {
            // Each argument takes the server a part of what the script takes in all.
            command.arg(lease.token()).arg(lease_life(life));
            for lease in unanswered {
                command.arg(lease.token());
            }
        });
        Self {
            repeat: Repeat::Lookup,
            ..lookup
        }
    }

    pub(super) fn lease(key: &str, lease: Lease, life: Duration) -> Self {
        let mut command = redis::cmd("SET");
        command.arg(lease_name(key)).arg(lease.token());
        command.arg("PX").arg(lease_life(life));
        Self {
            repeat: Repeat::Never,
            ..Self::plain(Kind::Lease, command, key)
        }
    }

    pub(super) fn fill(key: &str, lease: Lease, value: &Bytes, life: Duration) -> Self {
        Self::scripted(Kind::Fill, &FILL, key, |command| {
            command
                .arg(&value[..])
                .arg(entry_life(life))
                .arg(lease.token());
        })
    }

    pub(super) fn release(key: &str, leases: &[Lease]) -> Self {
        Self::scripted(Kind::Release, &RELEASE, key, |command| {
            for lease in leases {
                command.arg(lease.token());
            }
        })
    }

    /// Whether something can be the answer to it. What is not was meant for another, so that none of those behind it is believed.
    pub(super) fn is_answered_by(&self, answer: &Value) -> bool {
        match (self.kind, answer) {
            (Kind::Get, Value::Nil | Value::BulkString(_))
            | (Kind::Set | Kind::Release, Value::Int(1))
            | (Kind::Lease, Value::Okay)
            | (Kind::Remove, Value::Int(0..=2))
            | (Kind::LeaseIfAbsent | Kind::Fill, Value::Int(0 | 1)) => true,
            (Kind::LeaseIfAbsent, Value::BulkString(token)) => {
                arguments(&self.command).nth(TOKEN) == Some(token)
            }
            _ => false,
        }
    }

    /// A removal in two steps, first of the record, for a server that has only one of the two: while a slot is on its way, what names
    /// several keys is refused. Between the two, nothing can be filled in that began before.
    pub(super) fn apart(&self) -> Option<[Self; 2]> {
        let keys: Vec<&[u8]> = arguments(&self.command).skip(1).collect();
        let &[key, record] = &keys[..] else {
            return None;
        };
        let remove = |name: &[u8]| {
            let mut command = redis::cmd("UNLINK");
            command.arg(name);
            Self {
                command,
                ..self.clone()
            }
        };
        (self.kind == Kind::Remove).then(|| [remove(record), remove(key)])
    }

    /// The same for a server that may have worked on it already; nothing where that could do harm.
    pub(super) fn again(&self) -> Option<Self> {
        let mut again = self.clone();
        match self.repeat {
            Repeat::Same => {}
            Repeat::Never => return None,
            Repeat::Lookup => {
                let other = new_lease().ok()?.token().to_string();
                let mut command = Cmd::new();
                for (index, argument) in arguments(&self.command).enumerate() {
                    let is_token = index == TOKEN;
                    command.arg(if is_token { other.as_bytes() } else { argument });
                }
                command.arg(arguments(&self.command).nth(TOKEN)?);
                again.command = command;
            }
        }
        Some(again)
    }

    /// The leases that a lookup may have been granted if it was not answered: that which it asks for, then those in whose place it does.
    pub(super) fn leases(&self) -> Vec<Lease> {
        let arguments = arguments(&self.command).enumerate();
        let tokens = arguments
            .filter(|(index, _)| *index == TOKEN || *index >= UNANSWERED)
            .filter_map(|(_, token)| str::from_utf8(token).ok()?.parse().ok());
        tokens.map(Lease::new).collect()
    }

    /// The lease that a lookup asks for.
    fn lease_asked_for(&self) -> Option<Lease> {
        self.leases().into_iter().next()
    }

    /// The same with the script itself, for a server that doesn't know its digest; nothing for what runs none.
    pub(super) fn in_full(&self) -> Option<Self> {
        let script = self.script?;
        let mut command = redis::cmd("EVAL");
        command.arg(script.code);
        for argument in arguments(&self.command).skip(2) {
            command.arg(argument);
        }
        Some(Self {
            command,
            slot: self.slot,
            kind: self.kind,
            repeat: self.repeat,
            script: None,
        })
    }

    fn plain(kind: Kind, command: Cmd, key: &str) -> Self {
        Self {
            command,
            slot: slot(key),
            kind,
            repeat: Repeat::Same,
            script: None,
        }
    }

    fn scripted(
        kind: Kind,
        script: &'static Script,
        key: &str,
        arguments: impl FnOnce(&mut Cmd),
    ) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.digest()).arg(2);
        command.arg(key).arg(lease_name(key));
        arguments(&mut command);
        Self {
            command,
            slot: slot(key),
            kind,
            repeat: Repeat::Same,
            script: Some(script),
        }
    }
}

pub(super) fn arguments(command: &Cmd) -> impl Iterator<Item = &[u8]> {
    command.args_iter().filter_map(|argument| match argument {
        redis::Arg::Simple(bytes) => Some(bytes),
        _ => None,
    })
}

fn entry_life(life: Duration) -> u64 {
    millis(life).clamp(1, LONGEST_MS)
}

fn lease_life(life: Duration) -> u64 {
    entry_life(life) + millis(STILL_FILLED)
}

/// A lease that nobody else has.
///
/// Each lookup asks for one, so it is counted on from a number of the thread's own: that of the system takes a good part of what else is done here.
///
/// # Errors
/// The system gave no random number.
pub(super) fn new_lease() -> Result<Lease, BackendError> {
    new_lease_of(process::current())
}

fn new_lease_of(process: u32) -> Result<Lease, BackendError> {
    thread_local! {
        /// Whose numbers these are, and the last one. A forked child has its parent's, and must not go on with them.
        static LAST: Cell<(u32, u64)> = const { Cell::new((0, 0)) };
    }
    let (of, last) = LAST.get();
    let next = if of == process {
        last.wrapping_add(1)
    } else {
        getrandom::u64().map_err(|error| {
            BackendError::new("the system has no random numbers").with_source(error)
        })?
    };
    LAST.set((process, next));
    // 0 is the unconditional one.
    Ok(Lease::new(next.max(1)))
}

/// What `GET` is answered with.
pub(super) fn found(reply: Value) -> Result<Option<Bytes>, BackendError> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(value) => Ok(Some(value.into())),
        other => Err(unexpected(other)),
    }
}

/// What the script that leases and the `GET` behind it are answered with, by whom `lookup` was asked; nothing if the value went in between.
pub(super) fn looked_up(
    lookup: &Request,
    leased: Value,
    value: Value,
) -> Result<Option<Lookup>, BackendError> {
    // It stands whatever the script says: what came between voided the lease, if there was one.
    if let Some(value) = found(value)? {
        return Ok(Some(Lookup::Found(value)));
    }
    match leased {
        Value::Int(0) => Ok(Some(Lookup::Busy)),
        Value::Int(1) => Ok(None),
        Value::BulkString(_) => Ok(lookup.lease_asked_for().map(Lookup::Granted)),
        // While a slot is on its way there are no records. Nothing can be filled by a lease without one.
        Value::ServerError(error) if is_on_the_way(&error) => {
            Ok(lookup.lease_asked_for().map(Lookup::Granted))
        }
        other => Err(unexpected(other)),
    }
}

/// What the script that fills is answered with.
pub(super) fn filled(reply: Value) -> Result<bool, BackendError> {
    match reply {
        Value::Int(filled @ (0 | 1)) => Ok(filled == 1),
        Value::ServerError(error) if is_on_the_way(&error) => Ok(false),
        other => Err(unexpected(other)),
    }
}

/// Whether a server has only one of a key and its record, as their slot is on its way.
fn is_on_the_way(error: &ServerError) -> bool {
    error.kind() == Some(ServerErrorKind::TryAgain)
}

/// What is answered where there is nothing to say.
pub(super) fn done(reply: Value) -> Result<(), BackendError> {
    match reply {
        Value::Okay | Value::Int(_) => Ok(()),
        other => Err(unexpected(other)),
    }
}

fn unexpected(reply: Value) -> BackendError {
    match reply {
        Value::ServerError(error) => super::error::of_server(error),
        _ => nonsense(),
    }
}

pub(super) fn nonsense() -> BackendError {
    BackendError::new("the server's answer makes no sense")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::{LEASE_IF_ABSENT, STILL_FILLED, millis, new_lease, new_lease_of};
    use crate::process;

    #[test]
    fn no_two_leases_are_the_same() {
        let some = || -> Vec<_> {
            let leases = (0..100).map(|_| new_lease().expect("there are random numbers"));
            leases.collect()
        };
        let mut all = some();
        all.extend(thread::spawn(some).join().expect("it does not panic"));
        // What the child of a fork asks for, and its parent after that.
        for process in [process::current() ^ 1, process::current()] {
            all.extend((0..100).map(|_| new_lease_of(process).expect("there are random numbers")));
        }
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn the_script_knows_how_long_a_lease_can_still_be_filled() {
        let limit = format!("- {}", millis(STILL_FILLED));
        assert_eq!(LEASE_IF_ABSENT.code.matches(&limit).count(), 2);
    }
}
