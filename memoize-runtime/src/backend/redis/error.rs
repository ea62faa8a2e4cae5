//! What goes wrong, in words that quote nobody: a server's own text may hold a key.

use std::io;

use redis::{RedisError, ServerError};

use crate::backend::BackendError;

const LATE: &str = "no answer in time";

/// Why there are no answers.
pub(super) enum Failure {
    /// A connection that had been used before was lost, as far as can be told before an answer began: by a server that was restarted,
    /// or closes what is idle.
    Stale(BackendError),
    /// There was no more time.
    Late,
    /// Something that isn't ours was about to come.
    TooLong,
    Other(BackendError),
}

impl Failure {
    /// The same, by a connection that was opened for this.
    pub(super) fn of_new_connection(self) -> BackendError {
        match self {
            Self::Stale(error) | Self::Other(error) => error,
            Self::Late => late(),
            Self::TooLong => too_long(),
        }
    }
}

pub(super) fn late() -> BackendError {
    BackendError::new(LATE)
}

/// The server works, and has something of another program under a key of ours.
pub(super) fn too_long() -> BackendError {
    BackendError::refusal("the answer is longer than any of ours")
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Other(error)
    }
}

pub(super) fn of_server(error: ServerError) -> BackendError {
    let new = if is_of_the_command(&error) {
        BackendError::refusal
    } else {
        BackendError::new
    };
    new(reason(&error)).with_source(RedisError::from(error))
}

/// Of what a connection begins with, one of these commands. The server's own text is left out, as it may quote the password: that of an
/// unknown command does, and `HELLO` and `AUTH` may have been renamed.
pub(super) fn of_greeting(command: &str, error: &ServerError) -> BackendError {
    BackendError::new(match (reason(error), command) {
        (UNNAMED, "HELLO") => {
            "the server doesn't know RESP3; leave `protocol=resp3` out of the URL"
        }
        (UNNAMED, "AUTH") if has_no_password(error) => {
            "the server has no such password; leave it out of the URL"
        }
        (UNNAMED, "SELECT") => {
            "the server has no such database; give the URL another number, or raise `databases`"
        }
        (reason, _) => reason,
    })
}

/// Of what a connection begins with by which a server tells of changes.
pub(super) fn of_tracking(error: &ServerError) -> BackendError {
    BackendError::new(reason(error))
}

/// That of which nothing more is known.
const UNNAMED: &str = "the server answered with an error";

const CROWDED: &str = "the server takes no more connections; raise its `maxclients`";

/// Whether it is the server's word that it takes no more connections.
pub(super) fn is_for_lack_of_room(error: &BackendError) -> bool {
    error.reason == CROWDED
}

fn reason(error: &ServerError) -> &'static str {
    match code(error) {
        "LOADING" => "the server is still loading its data",
        "READONLY" => "the server is a read-only replica",
        "MASTERDOWN" => "the server has lost its master",
        "CLUSTERDOWN" => "the cluster is down",
        "MOVED" | "ASK" | "TRYAGAIN" | "CROSSSLOT" => {
            "the cluster's slots are on the move, or the URL should be `redis+cluster://`"
        }
        "NOPERM" => "the user lacks a permission",
        "NOAUTH" | "WRONGPASS" => "the server refuses user or password",
        "OOM" => "the server is out of memory",
        "WRONGTYPE" => "the key holds something that is not a string",
        "MISCONF" => "the server can't save its data, and takes no writes",
        "BUSY" => "the server is busy with a script",
        "NOREPLICAS" => "the server has too few replicas for writes",
        "ERR" if is_crowded(error) => CROWDED,
        _ => UNNAMED,
    }
}

/// Whether it was given a password, and has none.
fn has_no_password(error: &ServerError) -> bool {
    let detail = error.details().unwrap_or_default();
    detail.starts_with("AUTH <password> called without any password")
}

/// Whether user or password are refused, as they are at each connection.
pub(super) fn is_of_the_login(error: &ServerError) -> bool {
    matches!(code(error), "NOAUTH" | "WRONGPASS")
}

/// Whether it takes no more connections.
pub(super) fn is_crowded(error: &ServerError) -> bool {
    let detail = error.details().unwrap_or_default();
    detail.starts_with("max number of clients")
}

/// Whether the server works, and takes just this command not, or not now.
pub(super) fn is_of_the_command(error: &ServerError) -> bool {
    matches!(
        code(error),
        "READONLY"
            | "MOVED"
            | "ASK"
            | "TRYAGAIN"
            | "CROSSSLOT"
            | "NOPERM"
            | "OOM"
            | "WRONGTYPE"
            | "MISCONF"
            | "NOREPLICAS"
    )
}

/// Whether another server should be asked the next time.
pub(super) fn is_of_the_wrong_server(error: &ServerError) -> bool {
    matches!(
        code(error),
        "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "LOADING"
    )
}

/// The code of an error. Servers before version 7 have that of a command in a script within the text.
fn code(error: &ServerError) -> &str {
    let script = error.details().unwrap_or_default();
    let script = script.strip_prefix("Error running script");
    let within = script.and_then(|text| text.split_once(": -")?.1.split(' ').next());
    within.unwrap_or_else(|| error.code())
}

/// Whether the answer would be the same until somebody sets up another server, or its user, otherwise: unlike that of one that is busy,
/// full or about to start.
pub(super) fn is_lasting(error: &ServerError) -> bool {
    let has_no_such_command = || {
        let detail = error.details().unwrap_or_default();
        let is_unknown = detail
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("unknown"));
        is_unknown || detail.starts_with("syntax error")
    };
    match code(error) {
        "NOPERM" | "NOAUTH" | "WRONGPASS" | "NOPROTO" => true,
        "ERR" => has_no_such_command(),
        _ => false,
    }
}

pub(super) fn of_io(error: io::Error) -> BackendError {
    use io::ErrorKind as Kind;
    let reason = match error.kind() {
        Kind::ConnectionRefused => "connection refused",
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof => "the connection was lost",
        Kind::TimedOut | Kind::WouldBlock => LATE,
        // Of the system's own this is one of a path.
        Kind::NotFound if error.raw_os_error().is_none() => "the host's name can't be found",
        Kind::NotFound => "there is no such socket",
        Kind::PermissionDenied => "no permission to connect",
        Kind::InvalidData => "the TLS handshake failed, or the data makes no sense",
        _ => "the connection failed",
    };
    BackendError::new(reason).with_source(error)
}

pub(super) fn of_client(error: RedisError) -> BackendError {
    let reason = if error.is_timeout() {
        LATE
    } else if error.is_connection_refusal() {
        "connection refused"
    } else if error.is_connection_dropped() || error.is_io_error() {
        "the connection was lost"
    } else {
        match error.kind() {
            redis::ErrorKind::AuthenticationFailed => "the server refuses user or password",
            redis::ErrorKind::Parse => "the server's answer makes no sense",
            _ => "the server answered with an error",
        }
    };
    BackendError::new(reason).with_source(error)
}

#[cfg(test)]
mod tests {
    use redis::{Parser, Value};

    use super::{is_lasting, is_of_the_login};

    #[test]
    fn a_refused_login_is_told_from_a_permission_that_is_missing() {
        let is_of_the_login = |answer: &[u8]| match Parser::new().parse_value(answer) {
            Ok(Value::ServerError(error)) => is_of_the_login(&error),
            other => panic!("{other:?}"),
        };
        assert!(is_of_the_login(
            b"-WRONGPASS invalid username-password pair\r\n"
        ));
        assert!(is_of_the_login(b"-NOAUTH Authentication required.\r\n"));
        assert!(!is_of_the_login(b"-NOPERM User ann has no permissions\r\n"));
    }

    #[test]
    fn what_passes_does_not_last() {
        let refuses = |answer: &str| {
            let answer = format!("-{answer}\r\n");
            match Parser::new().parse_value(answer.as_bytes()) {
                Ok(Value::ServerError(error)) => is_lasting(&error),
                other => panic!("{other:?}"),
            }
        };
        for answer in [
            "NOPERM User ann has no permissions to run the 'client|tracking' command",
            "NOAUTH HELLO must be called with the client already authenticated",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPROTO unsupported protocol version",
            "ERR unknown command `HELLO`, with args beginning with: `3`, ",
            "ERR Unknown subcommand or wrong number of arguments for 'TRACKING'. Try CLIENT HELP.",
            "ERR syntax error",
        ] {
            assert!(refuses(answer), "{answer}");
        }
        for answer in [
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "ERR max number of clients reached",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "READONLY You can't write against a read only replica.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "ERR",
            "ERR é",
        ] {
            assert!(!refuses(answer), "{answer}");
        }
    }
}
