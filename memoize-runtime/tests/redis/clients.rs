//! The clients, asked in the same way.

use std::time::Duration;

use memoize_runtime::{Backend, Bytes, Deadline, Redis};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Much more than an answer takes, so that a busy machine is no failure.
pub(crate) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

/// What each test is run with: the name of the client, and the client.
pub(crate) fn clients(redis: &Redis) -> Vec<(&'static str, Box<dyn Backend>)> {
    let sync: (_, Box<dyn Backend>) = ("sync", Box::new(redis.clone()));
    #[cfg(feature = "redis-tokio")]
    return vec![sync, ("tokio", Box::new(awaited::Awaited::new(redis)))];
    #[cfg(not(feature = "redis-tokio"))]
    vec![sync]
}

pub(crate) fn open(url: &str) -> Redis {
    Redis::open(url).expect("the URL is valid")
}

pub(crate) fn text(value: &str) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}

#[cfg(feature = "redis-tokio")]
mod awaited {
    use std::sync::Arc;
    use std::time::Duration;

    use memoize_runtime::{
        AsyncBackend, Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Redis,
    };

    /// The async twin, each question of which is awaited in a runtime.
    pub(super) struct Awaited {
        twin: Arc<dyn AsyncBackend>,
        runtime: tokio::runtime::Runtime,
    }

    impl Awaited {
        pub(super) fn new(redis: &Redis) -> Self {
            let twin = Arc::new(redis.clone()).async_twin().expect("it has one");
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_io()
                .build()
                .expect("the system has threads");
            Self { twin, runtime }
        }
    }

    type Result<T> = std::result::Result<T, BackendError>;

    impl Backend for Awaited {
        fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>> {
            self.runtime
                .block_on(async { self.twin.get(key, deadline).await })
        }
        fn set(&self, key: &str, value: Bytes, life: Duration, deadline: Deadline) -> Result<()> {
            self.runtime
                .block_on(async { self.twin.set(key, value, life, deadline).await })
        }
        fn delete(&self, key: &str, deadline: Deadline) -> Result<()> {
            self.runtime
                .block_on(async { self.twin.delete(key, deadline).await })
        }
        fn limits(&self) -> Limits {
            self.twin.limits()
        }
        fn get_many(&self, keys: &[&str], deadline: Deadline) -> Result<Vec<Option<Bytes>>> {
            self.runtime
                .block_on(async { self.twin.get_many(keys, deadline).await })
        }
        fn set_many(
            &self,
            entries: &[(&str, Bytes)],
            life: Duration,
            deadline: Deadline,
        ) -> Result<()> {
            self.runtime
                .block_on(async { self.twin.set_many(entries, life, deadline).await })
        }
        fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<()> {
            self.runtime
                .block_on(async { self.twin.delete_many(keys, deadline).await })
        }
        fn get_or_lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lookup> {
            self.runtime
                .block_on(async { self.twin.get_or_lease(key, life, deadline).await })
        }
        fn get_many_or_lease(
            &self,
            key: &str,
            others: &[&str],
            life: Duration,
            deadline: Deadline,
        ) -> Result<(Lookup, Vec<Option<Bytes>>)> {
            self.runtime.block_on(async {
                self.twin
                    .get_many_or_lease(key, others, life, deadline)
                    .await
            })
        }
        fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease> {
            self.runtime
                .block_on(async { self.twin.lease(key, life, deadline).await })
        }
        fn fill(
            &self,
            key: &str,
            lease: Lease,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<bool> {
            self.runtime
                .block_on(async { self.twin.fill(key, lease, value, life, deadline).await })
        }
        fn release(&self, key: &str, lease: Lease, _: Deadline) -> Result<()> {
            let _entered = self.runtime.enter();
            self.twin.release(key, lease);
            Ok(())
        }
    }
}
