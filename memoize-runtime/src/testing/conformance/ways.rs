//! The ways in which a backend is read, written and asked for leases: what holds for one of them holds for each.

use std::fmt;
use std::time::Duration;

use super::bench::{Bench, HOUR, answer, rule, soon};
use crate::backend::{Bytes, Lease, Lookup};

macro_rules! ways {
    ($(#[$doc:meta])* $Ways:ident { $($Way:ident: $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $Ways {
            $($Way,)*
        }

        impl $Ways {
            pub(super) const ALL: &[Self] = &[$(Self::$Way),*];
        }

        impl fmt::Display for $Ways {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$Way => $name,)*
                })
            }
        }
    };
}

ways! {
    /// What finds an entry.
    Read {
        Get: "`get`",
        GetMany: "`get_many`",
        GetOrLease: "`get_or_lease`",
        GetManyOrLease: "`get_many_or_lease`",
        Others: "`get_many_or_lease`, among the others,",
    }
}

ways! {
    /// What stores one.
    Write {
        Set: "`set`",
        SetMany: "`set_many`",
        Fill: "`fill`",
    }
}

ways! {
    /// What removes one.
    Remove {
        Delete: "`delete`",
        DeleteMany: "`delete_many`",
    }
}

ways! {
    /// What grants a lease where nothing is.
    Grant {
        GetOrLease: "`get_or_lease`",
        GetManyOrLease: "`get_many_or_lease`",
        Lease: "`lease`",
    }
}

impl Bench<'_> {
    /// What is found under the key. A lease that is granted is given up.
    pub(super) async fn read(&self, way: Read, key: &str) -> Option<Bytes> {
        let absent = self.key("ways:absent");
        let (leased, lookup, others) = match way {
            Read::Get => return self.get(key).await,
            Read::GetMany => return second(self.get_many(&[&absent, key]).await),
            Read::GetOrLease => (key, self.look_for(key, HOUR).await, Vec::new()),
            Read::GetManyOrLease => {
                let (lookup, _) = self.look_beside(key, &[], HOUR).await;
                (key, lookup, Vec::new())
            }
            Read::Others => {
                let (lookup, found) = self.look_beside(&absent, &[&absent, key], HOUR).await;
                (absent.as_str(), lookup, found)
            }
        };
        match lookup {
            Lookup::Found(found) => return Some(found),
            Lookup::Granted(lease) => self.release(leased, lease).await,
            Lookup::Busy => {}
        }
        second(others)
    }

    /// Stores the value, in place of what is there.
    pub(super) async fn write(&self, way: Write, key: &str, value: Bytes, life: Duration) {
        match way {
            Write::Set => self.set_for(key, value, life).await,
            Write::SetMany => {
                let beside = self.key("ways:beside");
                let entries = [(beside.as_str(), Bytes::from("beside")), (key, value)];
                answer("set_many", self.subject.set_many(&entries, life, soon())).await;
            }
            Write::Fill => {
                let lease = self.lease(key, HOUR).await;
                let fill = self.subject.fill(key, lease, value, life, soon());
                rule(
                    answer("fill", fill).await,
                    "what `lease` granted can't be filled; it is a lease like any other",
                );
            }
        }
    }

    pub(super) async fn remove(&self, way: Remove, key: &str) {
        match way {
            Remove::Delete => self.delete(key).await,
            Remove::DeleteMany => {
                let absent = self.key("ways:absent");
                let keys = [absent.as_str(), key];
                answer("delete_many", self.subject.delete_many(&keys, soon())).await;
            }
        }
    }

    /// The lease for a key under which nothing is, if it is granted.
    pub(super) async fn grant(&self, way: Grant, key: &str, life: Duration) -> Option<Lease> {
        match way {
            Grant::GetOrLease => self.look_for(key, life).await.granted(),
            Grant::GetManyOrLease => self.look_beside(key, &[], life).await.0.granted(),
            Grant::Lease => Some(self.lease(key, life).await),
        }
    }

    pub(super) async fn get_many(&self, keys: &[&str]) -> Vec<Option<Bytes>> {
        answer("get_many", self.subject.get_many(keys, soon())).await
    }

    /// With a lease of this `life`, if any.
    pub(super) async fn look_for(&self, key: &str, life: Duration) -> Lookup {
        answer("get_or_lease", self.subject.get_or_lease(key, life, soon())).await
    }

    /// The same, and what is under others.
    pub(super) async fn look_beside(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
    ) -> (Lookup, Vec<Option<Bytes>>) {
        let asked = self.subject.get_many_or_lease(key, others, life, soon());
        answer("get_many_or_lease", asked).await
    }

    pub(super) async fn lease(&self, key: &str, life: Duration) -> Lease {
        answer("lease", self.subject.lease(key, life, soon())).await
    }

    pub(super) async fn release(&self, key: &str, lease: Lease) {
        answer("release", self.subject.release(key, lease)).await;
    }
}

/// Asked for behind another key, so that there is a place to be wrong about.
fn second(found: Vec<Option<Bytes>>) -> Option<Bytes> {
    found.into_iter().nth(1).flatten()
}
