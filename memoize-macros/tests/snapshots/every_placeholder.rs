fn all<T, const N: usize>(
    id: u64,
    user: &User,
    pair: (u8, (u8, u8)),
    x: f64,
    filter: Filter,
    r#type: Type,
) -> u8 {
    all::__of::<T, N>(true, &id, &user, &pair, &x, &filter, &r#type)
        .run(move || all::uncached::<T, N>(id, user, pair, x, filter, r#type))
}
/// Companions of `all`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
enum all {}
impl all {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(
            ::core::module_path!(),
            "all",
            &["a%20b<:", ":", "/", "|", ":", ",", ":", ":", ":", ":"],
        );
        &SITE
    }
    fn __of<T, const N: usize>(
        now: bool,
        id: &u64,
        user: &&User,
        pair: &(u8, (u8, u8)),
        x: &f64,
        filter: &Filter,
        r#type: &Type,
    ) -> ::cache_memoize::__private::Find<u8> {
        Self::__site()
            .find::<u8>(|| now)
            .arg(id)
            .__text()
            .arg(&user.name)
            .__text()
            .arg(&pair.0.1)
            .__text()
            .format(::core::format_args!("{:.3}", x))
            .format(::core::format_args!("{:?}", x))
            .arg(filter)
            .__digest()
            .type_name::<T>()
            .arg(&N)
            .__text()
            .format(::core::format_args!("{:04}", N))
            .arg(&r#type.r#fn)
            .__text()
            .__call()
    }
    /// The key of the entry.
    pub fn key<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> ::cache_memoize::CacheKey {
        Self::__of::<T, N>(false, &id, &user, &pair, &x, &filter, &r#type).key()
    }
    /// The cached value, if there is one; computes nothing.
    pub fn peek<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> ::core::option::Option<u8> {
        Self::__of::<T, N>(false, &id, &user, &pair, &x, &filter, &r#type).peek()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> bool {
        Self::__of::<T, N>(false, &id, &user, &pair, &x, &filter, &r#type).invalidate()
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub fn refresh<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> u8 {
        Self::__of::<T, N>(false, &id, &user, &pair, &x, &filter, &r#type)
            .force_overwrite(true)
            .run(move || Self::uncached::<T, N>(id, user, pair, x, filter, r#type))
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub fn prime<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
        value: u8,
    ) -> bool {
        Self::__of::<T, N>(false, &id, &user, &pair, &x, &filter, &r#type).prime(value)
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> u8 {
        1
    }
}
