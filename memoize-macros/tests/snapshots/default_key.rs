pub fn distance(from: &str, to: &str) -> u32 {
    distance::__of(true, &from, &to).run(move || distance::uncached(from, to))
}
/// Companions of `distance`: `key`, `peek`, `invalidate`, `refresh`, `prime`, `stats`, `uncached`.
pub enum distance {}
#[allow(missing_docs)]
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
    pub fn key(from: &str, to: &str) -> ::cache_memoize::CacheKey {
        Self::__of(false, &from, &to).key()
    }
    pub fn peek(from: &str, to: &str) -> ::core::option::Option<u32> {
        Self::__of(false, &from, &to).peek()
    }
    pub fn invalidate(from: &str, to: &str) -> bool {
        Self::__of(false, &from, &to).invalidate()
    }
    pub fn refresh(from: &str, to: &str) -> u32 {
        Self::__of(false, &from, &to)
            .force_overwrite(true)
            .run(move || Self::uncached(from, to))
    }
    pub fn prime(from: &str, to: &str, value: u32) -> bool {
        Self::__of(false, &from, &to).prime(value)
    }
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(from: &str, to: &str) -> u32 {
        slow_distance(from, to)
    }
}
