//! The ways to do one thing. What holds for one of them holds for all.

use std::fmt;
use std::time::Duration;

use super::bench::{Bench, HOUR, broken, rule, soon};
use crate::backend::{Bytes, Lease, Lookup};

/// How it is looked what is under a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    Get,
    GetMany,
    GetOrLease,
    GetManyOrLease,
    AsAnother,
}

/// How an entry gets there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Write {
    Set,
    SetMany,
    Fill,
}

/// What voids a lease.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Set,
    SetMany,
    Delete,
    DeleteMany,
}

/// How a lease is had.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grant {
    GetOrLease,
    GetManyOrLease,
    Lease,
}

impl Read {
    pub(super) const ALL: [Self; 5] = [
        Self::Get,
        Self::GetMany,
        Self::GetOrLease,
        Self::GetManyOrLease,
        Self::AsAnother,
    ];
}

impl Write {
    pub(super) const ALL: [Self; 3] = [Self::Set, Self::SetMany, Self::Fill];
}

impl Change {
    pub(super) const ALL: [Self; 4] = [Self::Set, Self::SetMany, Self::Delete, Self::DeleteMany];

    pub(super) const REMOVALS: [Self; 2] = [Self::Delete, Self::DeleteMany];

    pub(super) fn removes(self) -> bool {
        matches!(self, Self::Delete | Self::DeleteMany)
    }
}

impl Grant {
    pub(super) const ALL: [Self; 3] = [Self::GetOrLease, Self::GetManyOrLease, Self::Lease];
}

impl Bench<'_> {
    /// What is found; a lookup that finds nothing may leave a lease.
    pub(super) async fn read(&self, by: Read, key: &str) -> Option<Bytes> {
        match by {
            Read::Get => self.get(key).await,
            Read::GetMany => alone(by, self.get_many(&[key]).await),
            Read::GetOrLease => found(self.look(key).await),
            Read::GetManyOrLease => found(self.look_at_many(key, &[], HOUR).await.0),
            Read::AsAnother => {
                let asked = self.key("asked");
                alone(by, self.look_at_many(&asked, &[key], HOUR).await.1)
            }
        }
    }

    pub(super) async fn write(
        &self,
        by: Write,
        key: &str,
        value: impl Into<Bytes>,
        life: Duration,
    ) {
        let value = value.into();
        match by {
            Write::Set => self.set_for(key, value, life).await,
            // Of several, it is not the first.
            Write::SetMany => {
                let first = self.key("first");
                let entries = [(first.as_str(), "first".into()), (key, value)];
                self.set_many(&entries, life).await;
            }
            Write::Fill => {
                let lease = self.lease(key).await;
                let fill = self.subject.fill(key, lease, value, life, soon());
                rule(self.answer("fill", fill).await, FILLS);
            }
        }
    }

    pub(super) async fn change(&self, by: Change, keys: &[&str], value: &'static str) {
        match by {
            Change::Set => {
                for key in keys {
                    self.set(key, value).await;
                }
            }
            Change::SetMany => {
                let entries = keys.iter().map(|key| (*key, value.into()));
                self.set_many(&entries.collect::<Vec<_>>(), HOUR).await;
            }
            Change::Delete => {
                for key in keys {
                    self.delete(key).await;
                }
            }
            Change::DeleteMany => self.delete_many(keys).await,
        }
    }

    /// A lease of a key under which nothing is, and that nobody has a lease of.
    pub(super) async fn grant(&self, by: Grant, key: &str, life: Duration) -> Lease {
        match self.ask(by, key, life).await {
            Lookup::Granted(lease) => lease,
            Lookup::Busy | Lookup::Found(_) => broken(format_args!(
                "{by} grants nothing where there is no entry and nobody holds a lease of this key; grant one, whoever holds those of others"
            )),
        }
    }

    pub(super) async fn ask(&self, by: Grant, key: &str, life: Duration) -> Lookup {
        match by {
            Grant::GetOrLease => self.look_for(key, life).await,
            Grant::GetManyOrLease => self.look_at_many(key, &[], life).await.0,
            Grant::Lease => Lookup::Granted(self.lease_for(key, life).await),
        }
    }
}

pub(super) const FILLS: &str = "`fill` with the lease that stands stores nothing; store the value";

fn found(lookup: Lookup) -> Option<Bytes> {
    match lookup {
        Lookup::Found(value) => Some(value),
        Lookup::Granted(_) | Lookup::Busy => None,
    }
}

fn alone(by: Read, answers: Vec<Option<Bytes>>) -> Option<Bytes> {
    rule(
        answers.len() == 1,
        format_args!(
            "{by} doesn't give one answer for one key; give one for each, `None` where nothing is, whatever is answered besides"
        ),
    );
    answers.into_iter().next().flatten()
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "`get`",
            Self::GetMany => "`get_many`",
            Self::GetOrLease => "`get_or_lease`",
            Self::GetManyOrLease => "`get_many_or_lease`",
            Self::AsAnother => "`get_many_or_lease` of others",
        })
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "`set`",
            Self::SetMany => "`set_many`",
            Self::Fill => "`fill`",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "`set`",
            Self::SetMany => "`set_many`",
            Self::Delete => "`delete`",
            Self::DeleteMany => "`delete_many`",
        })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GetOrLease => "`get_or_lease`",
            Self::GetManyOrLease => "`get_many_or_lease`",
            Self::Lease => "`lease`",
        })
    }
}
