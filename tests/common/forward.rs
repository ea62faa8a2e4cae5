//! What a test's backend leaves to another.

/// Writes these methods of a [`Backend`](cache_memoize::Backend), each of which asks the one in this field: `forward!(memory => get, set)`.
macro_rules! forward {
    ($to:tt => $($method:ident),*) => { $(forward! { @$method $to })* };
    (@get $to:tt) => {
        fn get(
            &self,
            key: &str,
            deadline: ::cache_memoize::Deadline,
        ) -> Result<Option<::cache_memoize::Bytes>, ::cache_memoize::BackendError> {
            self.$to.get(key, deadline)
        }
    };
    (@set $to:tt) => {
        fn set(
            &self,
            key: &str,
            value: ::cache_memoize::Bytes,
            life: ::std::time::Duration,
            deadline: ::cache_memoize::Deadline,
        ) -> Result<(), ::cache_memoize::BackendError> {
            self.$to.set(key, value, life, deadline)
        }
    };
    (@delete $to:tt) => {
        fn delete(
            &self,
            key: &str,
            deadline: ::cache_memoize::Deadline,
        ) -> Result<(), ::cache_memoize::BackendError> {
            self.$to.delete(key, deadline)
        }
    };
    (@limits $to:tt) => {
        fn limits(&self) -> ::cache_memoize::Limits {
            self.$to.limits()
        }
    };
    (@get_or_lease $to:tt) => {
        fn get_or_lease(
            &self,
            key: &str,
            life: ::std::time::Duration,
            deadline: ::cache_memoize::Deadline,
        ) -> Result<::cache_memoize::Lookup, ::cache_memoize::BackendError> {
            self.$to.get_or_lease(key, life, deadline)
        }
    };
    (@lease $to:tt) => {
        fn lease(
            &self,
            key: &str,
            life: ::std::time::Duration,
            deadline: ::cache_memoize::Deadline,
        ) -> Result<::cache_memoize::Lease, ::cache_memoize::BackendError> {
            self.$to.lease(key, life, deadline)
        }
    };
    (@release $to:tt) => {
        fn release(
            &self,
            key: &str,
            lease: ::cache_memoize::Lease,
            deadline: ::cache_memoize::Deadline,
        ) -> Result<(), ::cache_memoize::BackendError> {
            self.$to.release(key, lease, deadline)
        }
    };
}
pub(crate) use forward;
