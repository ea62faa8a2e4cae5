pub fn distance(from: &str, to: &str) -> u32 {
    distance::__of(true, &from, &to).run(move || distance::uncached(from, to))
}
/// Companions of `distance`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
pub enum distance {}
impl distance {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "distance", &[])
            .tokens(0xc5ed_5933_916f_d07e);
        &SITE
    }
    fn __of(now: bool, from: &&str, to: &&str) -> ::cache_memoize::__private::Find<u32> {
        Self::__site().find::<u32>(|| now).arg(from).__part().arg(to).__part().__call()
    }
    /// The key of the entry.
    pub fn key(from: &str, to: &str) -> ::cache_memoize::CacheKey {
        Self::__of(false, &from, &to).key()
    }
    /// The cached value, if there is one; computes nothing.
    pub fn peek(from: &str, to: &str) -> ::core::option::Option<u32> {
        Self::__of(false, &from, &to).peek()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate(from: &str, to: &str) -> bool {
        Self::__of(false, &from, &to).invalidate()
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub fn refresh(from: &str, to: &str) -> u32 {
        Self::__of(false, &from, &to)
            .force_overwrite(true)
            .run(move || Self::uncached(from, to))
    }
    /// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
    pub fn prime(from: &str, to: &str, value: u32) -> bool {
        Self::__of(false, &from, &to).prime(value)
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(from: &str, to: &str) -> u32 {
        slow_distance(from, to)
    }
}
