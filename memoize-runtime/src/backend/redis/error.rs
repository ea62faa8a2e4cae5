//! What goes wrong, in words that quote nobody: a server's own text may hold a key.

use std::io;

use redis::{RedisError, ServerError, ServerErrorKind};

use crate::backend::BackendError;

pub(super) const LATE: &str = "no answer in time";

/// Why there are no answers.
pub(super) enum Failure {
    /// A connection that had been used before was lost, as far as can be told before an answer began: by a server that was restarted,
    /// or closes what is idle.
    Stale(BackendError),
    Other(BackendError),
}

impl Failure {
    /// The same, by a connection that was opened for this.
    pub(super) fn of_new_connection(self) -> BackendError {
        match self {
            Self::Stale(error) | Self::Other(error) => error,
        }
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Other(error)
    }
}

pub(super) fn of_server(error: ServerError) -> BackendError {
    BackendError::new(reason(&error)).with_source(RedisError::from(error))
}

/// Of what a connection begins with. The server's own text is left out, as it may quote the password: that of an unknown command
/// does, and `HELLO` and `AUTH` may have been renamed.
pub(super) fn of_greeting(error: &ServerError) -> BackendError {
    BackendError::new(reason(error))
}

fn reason(error: &ServerError) -> &'static str {
    use ServerErrorKind as Kind;
    match (error.kind(), error.code()) {
        (Some(Kind::BusyLoading), _) => "the server is still loading its data",
        (Some(Kind::ReadOnly), _) => "the server is a read-only replica",
        (Some(Kind::MasterDown), _) => "the server has lost its master",
        (Some(Kind::ClusterDown), _) => "the cluster is down",
        (Some(Kind::Moved | Kind::Ask | Kind::TryAgain | Kind::CrossSlot), _) => {
            "the cluster's slots are on the move, or the URL should be `redis+cluster://`"
        }
        (Some(Kind::NoPerm), _) => "the user lacks a permission",
        (_, "NOAUTH" | "WRONGPASS") => "the server refuses user or password",
        (_, "OOM") => "the server is out of memory",
        (_, "WRONGTYPE") => "the key holds something that is not a string",
        (_, "MISCONF") => "the server can't save its data, and takes no writes",
        (_, "BUSY") => "the server is busy with a script",
        (_, "NOREPLICAS") => "the server has too few replicas for writes",
        _ => "the server answered with an error",
    }
}

/// Whether another server should be asked the next time.
pub(super) fn is_of_the_wrong_server(error: &ServerError) -> bool {
    use ServerErrorKind as Kind;
    matches!(
        error.kind(),
        Some(Kind::ReadOnly | Kind::MasterDown | Kind::ClusterDown | Kind::BusyLoading)
    )
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
        Kind::NotFound => "there is no such host or socket",
        Kind::PermissionDenied => "no permission to connect",
        Kind::FileTooLarge => "the answer is longer than any of ours",
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
