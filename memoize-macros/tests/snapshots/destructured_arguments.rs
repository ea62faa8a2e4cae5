fn area(__arg0: &Size, __arg1: (u32, u8)) -> u32 {
    let __call = area::__of(&__arg0)
        .force_overwrite({
            let (scale, _) = &__arg1;
            *scale > 3
        });
    __call.run(move || area::uncached(__arg0, __arg1))
}
/// Companions of `area`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
enum area {}
impl area {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "area", &["", ":"]);
        &SITE
    }
    fn __of(
        Size { width, height, .. }: &&Size,
    ) -> ::cache_memoize::__private::Call<u32> {
        Self::__site()
            .key::<u32>(|| ())
            .arg(width)
            .__text()
            .arg(height)
            .__text()
            .__call()
    }
    /// The key of the entry.
    pub fn key(__arg0: &Size) -> ::cache_memoize::CacheKey {
        Self::__of(&__arg0).key()
    }
    /// The cached value, if there is one; computes nothing.
    pub fn peek(__arg0: &Size) -> ::core::option::Option<u32> {
        Self::__of(&__arg0).peek()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate(__arg0: &Size) -> bool {
        Self::__of(&__arg0).invalidate()
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub fn refresh(__arg0: &Size, __arg1: (u32, u8)) -> u32 {
        Self::__of(&__arg0)
            .force_overwrite(true)
            .run(move || Self::uncached(__arg0, __arg1))
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub fn prime(__arg0: &Size, value: u32) -> bool {
        Self::__of(&__arg0).prime(value)
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(
        &Size { width, ref height, .. }: &Size,
        #[allow(unused_variables)]
        (mut scale, _): (u32, u8),
    ) -> u32 {
        scale *= 2;
        width * height * scale
    }
}
