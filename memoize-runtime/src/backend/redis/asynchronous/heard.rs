//! The answer to a lookup, until its caller has it.

use std::mem;
use std::sync::Arc;

use super::client::Client;
use super::together::Shared;
use crate::backend::Lookup;

/// What a lookup was answered with. Dropped before its caller has it, a lease is noted as one that nobody will use.
pub(super) struct Heard {
    client: Arc<Client>,
    key: Arc<str>,
    lookup: Lookup,
}

impl Heard {
    pub(super) fn new(client: Arc<Client>, key: Arc<str>, lookup: Lookup) -> Self {
        Self {
            client,
            key,
            lookup,
        }
    }

    pub(super) fn take(mut self) -> Lookup {
        mem::replace(&mut self.lookup, Lookup::Busy)
    }
}

impl Shared for Heard {
    fn share(&self) -> Self {
        let lookup = match &self.lookup {
            Lookup::Found(bytes) => Lookup::Found(bytes.clone()),
            Lookup::Granted(_) | Lookup::Busy => Lookup::Busy,
        };
        Self::new(Arc::clone(&self.client), Arc::clone(&self.key), lookup)
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        if let Some(lease) = self.lookup.granted() {
            drop(self.client.shared.unanswered.ending(&self.key, lease));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::super::Redis;
    use super::super::super::command::Request;
    use super::super::Twin;
    use super::{Heard, Lookup, Shared};
    use crate::backend::Lease;

    #[test]
    fn a_lease_that_is_not_heard_of_is_taken_over() {
        let redis = Arc::new(Redis::open("redis://localhost").expect("it is valid"));
        let twin = Twin::new(&redis);
        let granted = |key: &str| {
            let granted = Lookup::Granted(Lease::new(7));
            Heard::new(Arc::clone(&twin.client), key.into(), granted)
        };
        let taken_over = |key| {
            let looking = redis.shared.look(key, &[], Duration::MAX);
            let looking = looking.expect("there are random numbers");
            let leases = looking.exchange.first().map(Request::leases);
            leases.expect("it asks for one").contains(&Lease::new(7))
        };
        let heard = granted("heard");
        assert!(
            matches!(heard.share().take(), Lookup::Busy),
            "it has one holder"
        );
        assert!(matches!(heard.take(), Lookup::Granted(_)));
        assert!(!taken_over("heard"));
        drop(granted("dropped"));
        assert!(taken_over("dropped"));
    }
}
