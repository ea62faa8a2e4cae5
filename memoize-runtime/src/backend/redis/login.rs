//! What a connection begins with.

use redis::{Cmd, Value};

use super::command::arguments;
use super::error;
use super::origin::RunId;
use super::url::{Login, Servers, Target};
use crate::backend::BackendError;

/// Login, protocol and database of a connection.
pub(super) struct Greeting {
    login: Login,
    db: u32,
    resp3: bool,
    /// Whether it must be a master's. One that another has replaced takes connections as before, and answers with what it has.
    to_master: bool,
    /// Whether the server is asked which one it is.
    pub(super) asks_run_id: bool,
}

impl Greeting {
    /// To the servers that keep the entries.
    pub(super) fn to_servers(target: &Target) -> Self {
        Self {
            login: target.login.clone(),
            db: target.db,
            resp3: target.resp3,
            to_master: matches!(target.servers, Servers::Sentinels { .. }),
            // A cluster's nodes know themselves what is not theirs any more.
            asks_run_id: !matches!(target.servers, Servers::Cluster(_)),
        }
    }

    /// To the same, for a connection that tells of changes, of whichever database.
    pub(super) fn to_track(target: &Target) -> Self {
        Self {
            login: target.login.clone(),
            db: 0,
            resp3: true,
            to_master: false,
            asks_run_id: false,
        }
    }

    /// Not a word.
    pub(super) fn none() -> Self {
        Self {
            login: Login::default(),
            db: 0,
            resp3: false,
            to_master: false,
            asks_run_id: false,
        }
    }

    /// To those that know where these are.
    pub(super) fn to_sentinels(target: &Target) -> Self {
        Self {
            login: target.sentinel_login.clone(),
            db: 0,
            resp3: false,
            to_master: false,
            asks_run_id: false,
        }
    }

    pub(super) fn commands(&self) -> Vec<Cmd> {
        let mut commands = Vec::new();
        let Login { user, password } = &self.login;
        if self.resp3 {
            let mut hello = redis::cmd("HELLO");
            hello.arg(3);
            if let Some(password) = password {
                let user = user.as_deref().unwrap_or("default");
                hello.arg("AUTH").arg(user).arg(password);
            }
            commands.push(hello);
        } else if let Some(password) = password {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = user {
                auth.arg(user);
            }
            auth.arg(password);
            commands.push(auth);
        }
        if self.db != 0 {
            let mut select = redis::cmd("SELECT");
            select.arg(self.db);
            commands.push(select);
        }
        if self.to_master {
            commands.push(redis::cmd("ROLE"));
        }
        if self.asks_run_id {
            commands.push(run_id());
        }
        commands
    }

    /// Which server it is, if it was asked and says so.
    ///
    /// # Errors
    /// One of the commands was refused, or it is no master.
    pub(super) fn check(&self, answers: &[Value]) -> Result<Option<RunId>, BackendError> {
        let (answers, run_id) = match answers {
            // One that takes no more connections refuses the first command, whichever that is.
            [.., Value::ServerError(refusal)] if error::is_crowded(refusal) => (answers, None),
            [answers @ .., info]
                if self.asks_run_id && answers.len() + 1 == self.commands().len() =>
            {
                (answers, RunId::of(info))
            }
            _ => (answers, None),
        };
        for (index, answer) in answers.iter().enumerate() {
            if let Value::ServerError(refusal) = answer {
                let commands = self.commands();
                let name = commands
                    .get(index)
                    .and_then(|command| arguments(command).next());
                let name = name.and_then(|name| str::from_utf8(name).ok());
                return Err(error::of_greeting(name.unwrap_or_default(), refusal));
            }
        }
        if self.to_master && !answers.last().is_some_and(is_master) {
            return Err(BackendError::new("the server is a read-only replica"));
        }
        Ok(run_id)
    }
}

/// What is answered with what [`RunId::of`] reads.
pub(super) fn run_id() -> Cmd {
    let mut info = redis::cmd("INFO");
    info.arg("server");
    info
}

/// What `ROLE` says, in its first part.
fn is_master(role: &Value) -> bool {
    let Value::Array(role) = role else {
        return false;
    };
    match role.first() {
        Some(Value::BulkString(role)) => role == b"master",
        Some(Value::SimpleString(role)) => role == "master",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::{Greeting, Target};

    #[test]
    fn who_does_not_say_which_server_it_is_may_be_asked() {
        let target = Target::parse("redis://localhost").expect("it is valid");
        let greeting = Greeting::to_servers(&target);
        assert_eq!(greeting.commands().len(), 1);
        let check = |answer: &str| {
            let answer = parse_redis_value(answer.as_bytes()).expect("it is RESP");
            greeting.check(&[answer])
        };
        for refusal in [
            "-NOPERM User ann has no permissions to run the 'info' command\r\n",
            "-ERR unknown command 'INFO'\r\n",
            "-ERR not here\r\n",
            "$-1\r\n",
        ] {
            let run_id = check(refusal).expect(refusal);
            assert!(run_id.is_none(), "{refusal}");
        }
        assert!(check("$8\r\nrun_id:a\r\n").is_ok_and(|run_id| run_id.is_some()));
        let crowded = check("-ERR max number of clients reached\r\n");
        let crowded = crowded.err().expect("nothing can be asked").to_string();
        assert!(crowded.contains("maxclients"), "{crowded}");
    }
}
