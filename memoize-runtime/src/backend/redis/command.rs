//! What the server is asked, and what its answers mean. One request each is all an operation takes, whichever client sends it.

use std::sync::OnceLock;
use std::time::Duration;

use redis::{Cmd, Value};

use super::slot::{lease_name, slot};
use crate::backend::{BackendError, Bytes, Lease, Lookup};
use crate::clock::millis;

/// One command, and where it belongs.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) command: Cmd,
    pub(super) slot: u16,
    /// Whether it does no harm if the server works on it twice.
    pub(super) repeatable: bool,
    /// Whose digest the command has, if it runs a script.
    script: Option<&'static Script>,
}

/// How long a lease that ran out may still be filled. Its record stays so long only where a process died with it.
const STILL_FILLED: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest life that a server is given; it refuses what overflows its clock.
const LONGEST_MS: u64 = 100 * 366 * 24 * 60 * 60 * 1000;

/// The value, or whether the lease is granted. Others are told that it is not as long as more than `ARGV[3]` remains of
/// the record's life; who has it may ask again.
static GET_OR_LEASE: Script = Script::new(
    "local value = redis.call('GET', KEYS[1]) \
         if value then return value end \
         if redis.call('PTTL', KEYS[2]) > tonumber(ARGV[3]) \
             and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end \
         redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) \
         return 1",
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

static RELEASE: Script = Script::new(
    "if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end \
         return 1",
);

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
        Self::plain(command, key)
    }

    /// In one step with the end of the lease: between the two, an older value could be filled in, or a lease be granted for
    /// what is older than this.
    ///
    /// Asked twice, it could bring back what somebody has read and removed in between.
    pub(super) fn set(key: &str, value: &Bytes, life: Duration) -> Self {
        let set = Self::scripted(&SET, key, |command| {
            command.arg(&value[..]).arg(entry_life(life));
        });
        Self {
            repeatable: false,
            ..set
        }
    }

    pub(super) fn delete(key: &str) -> Self {
        let mut command = redis::cmd("UNLINK");
        command.arg(key).arg(lease_name(key));
        Self::plain(command, key)
    }

    pub(super) fn get_or_lease(key: &str, lease: Lease, life: Duration) -> Self {
        Self::scripted(&GET_OR_LEASE, key, |command| {
            command
                .arg(lease.token())
                .arg(lease_life(life))
                .arg(millis(STILL_FILLED));
        })
    }

    pub(super) fn lease(key: &str, lease: Lease, life: Duration) -> Self {
        let mut command = redis::cmd("SET");
        command.arg(lease_name(key)).arg(lease.token());
        command.arg("PX").arg(lease_life(life));
        Self::plain(command, key)
    }

    pub(super) fn fill(key: &str, lease: Lease, value: &Bytes, life: Duration) -> Self {
        Self::scripted(&FILL, key, |command| {
            command
                .arg(&value[..])
                .arg(entry_life(life))
                .arg(lease.token());
        })
    }

    pub(super) fn release(key: &str, lease: Lease) -> Self {
        Self::scripted(&RELEASE, key, |command| {
            command.arg(lease.token());
        })
    }

    /// The same with the script itself, for a server that doesn't know its digest; nothing for what runs none.
    pub(super) fn in_full(&self) -> Option<Self> {
        let script = self.script?;
        let mut command = redis::cmd("EVAL");
        command.arg(script.code);
        for argument in self.command.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        Some(Self {
            command,
            slot: self.slot,
            repeatable: self.repeatable,
            script: None,
        })
    }

    fn plain(command: Cmd, key: &str) -> Self {
        Self {
            command,
            slot: slot(key),
            repeatable: true,
            script: None,
        }
    }

    fn scripted(script: &'static Script, key: &str, arguments: impl FnOnce(&mut Cmd)) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.digest()).arg(2);
        command.arg(key).arg(lease_name(key));
        arguments(&mut command);
        Self {
            command,
            slot: slot(key),
            repeatable: true,
            script: Some(script),
        }
    }
}

fn entry_life(life: Duration) -> u64 {
    millis(life).clamp(1, LONGEST_MS)
}

fn lease_life(life: Duration) -> u64 {
    entry_life(life) + millis(STILL_FILLED)
}

/// A lease that nobody else has.
///
/// # Errors
/// The system gave no random number.
pub(super) fn new_lease() -> Result<Lease, BackendError> {
    let token = getrandom::u64().map_err(|error| {
        BackendError::new("the system has no random numbers").with_source(error)
    })?;
    // 0 is the unconditional one.
    Ok(Lease::new(token.max(1)))
}

/// What `GET` is answered with.
pub(super) fn found(reply: Value) -> Result<Option<Bytes>, BackendError> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(value) => Ok(Some(value.into())),
        other => Err(unexpected(other)),
    }
}

/// What the script that looks up is answered with.
pub(super) fn looked_up(reply: Value, lease: Lease) -> Result<Lookup, BackendError> {
    match reply {
        Value::BulkString(value) => Ok(Lookup::Found(value.into())),
        Value::Int(1) => Ok(Lookup::Granted(lease)),
        Value::Int(0) => Ok(Lookup::Busy),
        other => Err(unexpected(other)),
    }
}

/// What the script that fills is answered with.
pub(super) fn filled(reply: Value) -> Result<bool, BackendError> {
    match reply {
        Value::Int(filled @ (0 | 1)) => Ok(filled == 1),
        other => Err(unexpected(other)),
    }
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
        _ => BackendError::new("the server's answer makes no sense"),
    }
}
