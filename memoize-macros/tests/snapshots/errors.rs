::core::compile_error! {
    "argument `id` is not part of the key; add `<id>` to it, or `skip(id)`"
}
/// Loads.
pub fn load_user<D: Db>(db: &D, mut id: u64) -> Result<User, DbError> {
    db.load(id)
}
/// Companions of `load_user`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
pub enum load_user {}
#[allow(unused_mut, unused_variables)]
impl load_user {
    /// The key of the entry.
    pub fn key(id: u64) -> ::cache_memoize::CacheKey {
        ::core::unreachable!()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate(id: u64) -> bool {
        ::core::unreachable!()
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        ::core::unreachable!()
    }
    /// The cached value, if there is one; computes nothing.
    pub fn peek(id: u64) -> ::core::option::Option<User> {
        ::core::unreachable!()
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub fn prime(id: u64, value: User) -> bool {
        ::core::unreachable!()
    }
    /// The plain function, without the cache.
    pub fn refresh<D: Db>(db: &D, mut id: u64) -> Result<User, DbError> {
        ::core::unreachable!()
    }
    /// The plain function, without the cache.
    pub fn uncached<D: Db>(db: &D, mut id: u64) -> Result<User, DbError> {
        ::core::unreachable!()
    }
}
