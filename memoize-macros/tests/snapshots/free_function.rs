/// Loads a user.
pub fn load_user(id: u64) -> User {
    load_user::__of(true, &id).run(move || load_user::uncached(id))
}
/// Companions of `load_user`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
pub enum load_user {}
#[allow(missing_docs)]
impl load_user {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "load_user", &["user:"])
            .expiration_millis(3600000)
            .version(2);
        &SITE
    }
    fn __of(now: bool, id: &u64) -> ::cache_memoize::__private::Find<User> {
        Self::__site().find::<User>(|| now).arg(id).__text().__call()
    }
    pub fn key(id: u64) -> ::cache_memoize::CacheKey {
        Self::__of(false, &id).key()
    }
    pub fn peek(id: u64) -> ::core::option::Option<User> {
        Self::__of(false, &id).peek()
    }
    pub fn invalidate(id: u64) -> bool {
        Self::__of(false, &id).invalidate()
    }
    pub fn refresh(id: u64) -> User {
        Self::__of(false, &id).force_overwrite(true).run(move || Self::uncached(id))
    }
    pub fn prime(id: u64, value: User) -> bool {
        Self::__of(false, &id).prime(value)
    }
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(id: u64) -> User {
        database().load(id)
    }
}
