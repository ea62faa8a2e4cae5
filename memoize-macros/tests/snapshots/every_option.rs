#[cfg(unix)]
#[allow(unused_mut)]
#[inline]
unsafe extern "C" fn load<'a, C: Client, L>(
    client: &'a C,
    log: L,
    #[allow(non_snake_case)]
    id: u64,
) -> io::Result<User>
where
    C: Send,
    L: Log,
{
    let __call = LoadUser::__of(&id).force_overwrite(id == 0).expiration(client.ttl());
    let __call = __call.share_errors();
    __call
        .__run_if(
            is_good,
            move || unsafe { LoadUser::uncached::<C, L>(client, log, id) },
        )
}
/// Companions of `load`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
#[cfg(unix)]
enum LoadUser {}
#[cfg(unix)]
#[allow(unused_mut)]
impl LoadUser {
    fn __site() -> &'static crate::cache::__private::Site {
        use crate::cache::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "load", &[""]).version(16);
        &SITE
    }
    fn __of(
        #[allow(non_snake_case)]
        id: &u64,
    ) -> crate::cache::__private::Call<io::Result<User>> {
        Self::__site().key::<io::Result<User>>(|| ()).arg(id).__text().__call()
    }
    /// The key of the entry.
    pub fn key(#[allow(non_snake_case)] id: u64) -> crate::cache::CacheKey {
        Self::__of(&id).key()
    }
    /// The cached value, if there is one; computes nothing.
    pub fn peek(
        #[allow(non_snake_case)]
        id: u64,
    ) -> ::core::option::Option<crate::cache::__private::OkOf<io::Result<User>>> {
        Self::__of(&id).peek_ok()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate(#[allow(non_snake_case)] id: u64) -> bool {
        Self::__of(&id).invalidate()
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub unsafe fn refresh<'a, C: Client, L>(
        client: &'a C,
        log: L,
        #[allow(non_snake_case)]
        id: u64,
    ) -> io::Result<User>
    where
        C: Send,
        L: Log,
    {
        let __call = Self::__of(&id).force_overwrite(true).expiration(client.ttl());
        let __call = __call.share_errors();
        __call
            .__run_if(
                is_good,
                move || unsafe { Self::uncached::<C, L>(client, log, id) },
            )
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub fn prime<'a, C: Client>(
        client: &'a C,
        #[allow(non_snake_case)]
        id: u64,
        value: crate::cache::__private::OkOf<io::Result<User>>,
    ) -> bool
    where
        C: Send,
    {
        Self::__of(&id).expiration(client.ttl()).prime_ok(value)
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> crate::cache::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    #[expect(unused_mut)]
    pub unsafe fn uncached<'a, C: Client, L>(
        #[allow(unused_variables)]
        mut client: &'a C,
        log: L,
        #[allow(non_snake_case)]
        #[allow(unused_variables)]
        id: u64,
    ) -> io::Result<User>
    where
        C: Send,
        L: Log,
    {
        unsafe { client.load(id) }
    }
}
