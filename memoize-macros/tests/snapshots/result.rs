fn load_user(id: u64) -> Result<User, DbError> {
    load_user::__call(&id).run(move || load_user::uncached(id))
}
/// Companions of `load_user`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
enum load_user {}
impl load_user {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "load_user", &["user:"])
            .expiration_millis(5400000);
        &SITE
    }
    fn __call(id: &u64) -> ::cache_memoize::__private::Call<Result<User, DbError>> {
        Self::__site().key::<Result<User, DbError>>(|| ()).arg(id).__text().__call()
    }
    pub fn key(id: u64) -> ::cache_memoize::CacheKey {
        Self::__call(&id).key()
    }
    pub fn peek(id: u64) -> ::core::option::Option<User> {
        Self::__call(&id).peek_ok()
    }
    pub fn invalidate(id: u64) -> bool {
        Self::__call(&id).invalidate()
    }
    pub fn refresh(id: u64) -> Result<User, DbError> {
        Self::__call(&id).force_overwrite(true).run(move || Self::uncached(id))
    }
    pub fn prime(id: u64, value: User) -> bool {
        Self::__call(&id).prime_ok(value)
    }
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(id: u64) -> Result<User, DbError> {
        database()?.load(id)
    }
}
