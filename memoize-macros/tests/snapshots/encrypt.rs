fn load_user(id: u64) -> User {
    load_user::__of(true, &id).run(move || load_user::uncached(id))
}
/// Companions of `load_user`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
enum load_user {}
impl load_user {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "load_user", &["user:"])
            .encrypt();
        &SITE
    }
    fn __of(now: bool, id: &u64) -> ::cache_memoize::__private::Find<User> {
        Self::__site().find::<User>(|| now).arg(id).__text().__call()
    }
    /// The key of the entry.
    pub fn key(id: u64) -> ::cache_memoize::CacheKey {
        Self::__of(false, &id).key()
    }
    /// The cached value, if there is one; computes nothing.
    pub fn peek(id: u64) -> ::core::option::Option<User> {
        Self::__of(false, &id).peek()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate(id: u64) -> bool {
        Self::__of(false, &id).invalidate()
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub fn refresh(id: u64) -> User {
        Self::__of(false, &id).force_overwrite(true).run(move || Self::uncached(id))
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub fn prime(id: u64, value: User) -> bool {
        Self::__of(false, &id).prime(value)
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(id: u64) -> User {
        database().load(id)
    }
}
