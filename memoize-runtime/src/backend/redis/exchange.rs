//! Requests on their way to their answers: which goes to which server, and what is to be asked again. No I/O is in here, so
//! that both clients share it.

use std::sync::LazyLock;

use redis::{Cmd, ServerErrorKind, Value};

use super::command::Request;
use super::error;
use super::router::{Router, redirection};
use super::url::Address;
use crate::backend::BackendError;

/// How often something is asked again. Once for a script that isn't known and once for a slot that has moved is usual.
pub(super) const MOST_ROUNDS: usize = 5;

static ASKING: LazyLock<Cmd> = LazyLock::new(|| redis::cmd("ASKING"));

pub(super) struct Exchange {
    asked: Vec<Asked>,
    /// Whether no request may be worked on before those in front of it.
    in_order: bool,
}

struct Asked {
    request: Request,
    /// The server that a slot on its way was sent to, for this one time.
    guest_of: Option<Address>,
    answer: Option<Value>,
}

/// Requests that go to one server, in one piece.
pub(super) struct Group {
    pub(super) address: Address,
    members: Vec<usize>,
}

impl Exchange {
    pub(super) fn new(requests: impl IntoIterator<Item = Request>) -> Self {
        let asked = |request| Asked {
            request,
            guest_of: None,
            answer: None,
        };
        Self {
            asked: requests.into_iter().map(asked).collect(),
            in_order: false,
        }
    }

    /// The same where each request is worked on when those in front of it are done.
    pub(super) fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// What is still to be sent, server by server.
    ///
    /// # Errors
    /// There is no server for one of the requests.
    pub(super) fn groups(&self, router: &Router) -> Result<Vec<Group>, BackendError> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, asked) in self.asked.iter().enumerate() {
            if asked.answer.is_some() {
                continue;
            }
            let address = match &asked.guest_of {
                Some(address) => address.clone(),
                None => router.route(asked.request.slot)?,
            };
            if let Some(group) = groups.iter_mut().find(|group| group.address == address) {
                group.members.push(index);
                continue;
            }
            // Only one server works on its requests in the order in which they are sent.
            if self.in_order && !groups.is_empty() {
                break;
            }
            groups.push(Group {
                address,
                members: vec![index],
            });
        }
        Ok(groups)
    }

    /// The commands of a group. A guest's has `ASKING` in front of it.
    pub(super) fn commands(&self, group: &Group) -> Vec<&Cmd> {
        let mut commands = Vec::with_capacity(group.members.len());
        for &index in &group.members {
            let asked = &self.asked[index];
            if asked.guest_of.is_some() {
                commands.push(&*ASKING);
            }
            commands.push(&asked.request.command);
        }
        commands
    }

    /// Takes the answers to the commands of a group; says whether the connection they came by may be used again.
    ///
    /// # Errors
    /// There are not as many as there were commands.
    pub(super) fn take(
        &mut self,
        group: &Group,
        answers: Vec<Value>,
        router: &Router,
    ) -> Result<bool, BackendError> {
        let mut sound = true;
        let mut answers = answers.into_iter();
        let mut again = false;
        for &index in &group.members {
            let asked = &mut self.asked[index];
            if asked.guest_of.take().is_some() {
                answers.next();
            }
            let answer = answers
                .next()
                .ok_or_else(|| BackendError::new("the server's answer makes no sense"))?;
            // It was worked on before one in front of it.
            if again && self.in_order {
                continue;
            }
            let Value::ServerError(error) = &answer else {
                asked.answer = Some(answer);
                continue;
            };
            let to = error
                .details()
                .and_then(|to| redirection(&group.address, to));
            match (error.kind(), to) {
                (Some(ServerErrorKind::NoScript), _) => {
                    if let Some(in_full) = asked.request.in_full() {
                        asked.request = in_full;
                        again = true;
                        continue;
                    }
                }
                (Some(ServerErrorKind::Moved), Some((slot, to))) if router.moved(slot, &to) => {
                    again = true;
                    continue;
                }
                (Some(ServerErrorKind::Ask), Some((_, to))) => {
                    asked.guest_of = Some(to);
                    again = true;
                    continue;
                }
                _ => {
                    sound = false;
                    if error::is_of_the_wrong_server(error) {
                        router.doubt();
                    }
                }
            }
            asked.answer = Some(answer);
        }
        Ok(sound)
    }

    /// All answers, in the order of the requests; the exchange itself, if there is more to ask.
    pub(super) fn finish(self) -> Result<Vec<Value>, Self> {
        if self.asked.iter().any(|asked| asked.answer.is_none()) {
            return Err(self);
        }
        Ok(self
            .asked
            .into_iter()
            .filter_map(|asked| asked.answer)
            .collect())
    }
}
