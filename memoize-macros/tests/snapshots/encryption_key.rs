fn load_user(db: &Database, tenant: &str, id: u64) -> User {
    load_user::__of(&tenant, &id).run(move || load_user::uncached(db, tenant, id))
}
/// Companions of `load_user`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
enum load_user {}
impl load_user {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "load_user", &["", ":"]);
        &SITE
    }
    fn __of(tenant: &&str, id: &u64) -> ::cache_memoize::__private::Call<User> {
        Self::__site()
            .key::<User>(|| ())
            .arg(tenant)
            .__text()
            .arg(id)
            .__text()
            .__call()
            .encryption_key(secret_of(tenant))
    }
    /// The key of the entry.
    pub fn key(tenant: &str, id: u64) -> ::cache_memoize::CacheKey {
        Self::__of(&tenant, &id).key()
    }
    /// The cached value, if there is one; computes nothing.
    pub fn peek(tenant: &str, id: u64) -> ::core::option::Option<User> {
        Self::__of(&tenant, &id).peek()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate(tenant: &str, id: u64) -> bool {
        Self::__of(&tenant, &id).invalidate()
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub fn refresh(db: &Database, tenant: &str, id: u64) -> User {
        Self::__of(&tenant, &id)
            .force_overwrite(true)
            .run(move || Self::uncached(db, tenant, id))
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub fn prime(tenant: &str, id: u64, value: User) -> bool {
        Self::__of(&tenant, &id).prime(value)
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(
        db: &Database,
        #[allow(unused_variables)]
        tenant: &str,
        id: u64,
    ) -> User {
        db.load(tenant, id)
    }
}
