fn load_user(id: u64) -> impl Future<Output = User> + Send {
    async move {
        let __call = load_user::__of(&id);
        __call.run_async(move || load_user::uncached(id)).await
    }
}
/// Companions of `load_user`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
enum load_user {}
impl load_user {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "load_user", &["user:"]);
        &SITE
    }
    fn __of(id: &u64) -> ::cache_memoize::__private::Call<User> {
        Self::__site().key::<User>(|| ()).arg(id).__text().__call()
    }
    /// The key of the entry.
    pub fn key(id: u64) -> ::cache_memoize::CacheKey {
        Self::__of(&id).key()
    }
    /// The cached value, if there is one; computes nothing.
    pub async fn peek(id: u64) -> ::core::option::Option<User> {
        Self::__of(&id).peek_async().await
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub async fn invalidate(id: u64) -> bool {
        Self::__of(&id).invalidate_async().await
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub fn refresh(id: u64) -> impl Future<Output = User> + Send {
        async move {
            let __call = Self::__of(&id).force_overwrite(true);
            __call.run_async(move || Self::uncached(id)).await
        }
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub async fn prime(id: u64, value: User) -> bool {
        Self::__of(&id).prime_async(value).await
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(id: u64) -> impl Future<Output = User> + Send {
        database().load(id)
    }
}
