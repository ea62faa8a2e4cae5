fn all<T, const N: usize>(
    id: u64,
    user: &User,
    pair: (u8, (u8, u8)),
    x: f64,
    filter: Filter,
    r#type: Type,
) -> u8 {
    all::__call::<T, N>(&id, &user, &pair, &x, &filter, &r#type)
        .run(move || all::uncached::<T, N>(id, user, pair, x, filter, r#type))
}
/// Companions of `all`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
enum all {}
impl all {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "all");
        &SITE
    }
    fn __call<T, const N: usize>(
        id: &u64,
        user: &&User,
        pair: &(u8, (u8, u8)),
        x: &f64,
        filter: &Filter,
        r#type: &Type,
    ) -> ::cache_memoize::__private::Call<u8> {
        Self::__site()
            .key::<u8>(|| ())
            .text("a%20b<:")
            .part(id)
            .text(":")
            .part(&user.name)
            .text("/")
            .part(&pair.0.1)
            .text("|")
            .format(::core::format_args!("{:.3}", x))
            .text(":")
            .format(::core::format_args!("{:?}", x))
            .text(",")
            .digest(filter)
            .text(":")
            .type_name::<T>()
            .text(":")
            .part(&N)
            .text(":")
            .format(::core::format_args!("{:04}", N))
            .text(":")
            .part(&r#type.r#fn)
            .__call()
    }
    pub fn key<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> ::cache_memoize::CacheKey {
        Self::__call::<T, N>(&id, &user, &pair, &x, &filter, &r#type).key()
    }
    pub fn peek<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> ::core::option::Option<u8> {
        Self::__call::<T, N>(&id, &user, &pair, &x, &filter, &r#type).peek()
    }
    pub fn invalidate<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> bool {
        Self::__call::<T, N>(&id, &user, &pair, &x, &filter, &r#type).invalidate()
    }
    pub fn refresh<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
    ) -> u8 {
        Self::__call::<T, N>(&id, &user, &pair, &x, &filter, &r#type)
            .force_overwrite(true)
            .run(move || Self::uncached::<T, N>(id, user, pair, x, filter, r#type))
    }
    pub fn prime<T, const N: usize>(
        id: u64,
        user: &User,
        pair: (u8, (u8, u8)),
        x: f64,
        filter: Filter,
        r#type: Type,
        value: u8,
    ) -> bool {
        Self::__call::<T, N>(&id, &user, &pair, &x, &filter, &r#type).prime(value)
    }
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
