pub fn rows(table: &str) -> impl Iterator<Item = Row> + use<'_> {
    rows::__of(&table).iter(move || rows::uncached(table))
}
/// Companions of `rows`: `key`, `invalidate`, `refresh`, `stats`, `uncached`.
pub enum rows {}
impl rows {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "rows", &["rows:"])
            .expiration_millis(21600000)
            .compress(false);
        &SITE
    }
    fn __of(table: &&str) -> ::cache_memoize::__private::Call<Row> {
        Self::__site().key::<Row>(|| ()).arg(table).__text().__call()
    }
    /// The key of the entry.
    pub fn key(table: &str) -> ::cache_memoize::CacheKey {
        Self::__of(&table).key()
    }
    /// Removes the entry; `false` if the backend could not be asked.
    pub fn invalidate(table: &str) -> bool {
        Self::__of(&table).invalidate()
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub fn refresh(table: &str) -> impl Iterator<Item = Row> + use<'_> {
        Self::__of(&table).force_overwrite(true).iter(move || Self::uncached(table))
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub fn uncached(table: &str) -> impl Iterator<Item = Row> + use<'_> {
        open(table)
    }
}
