pub async fn rows(db: &Db, table: &str) -> impl Stream<Item = Row> {
    let __call = rows::__of(&table);
    __call.stream_async(move || rows::uncached(db, table)).await
}
/// Companions of `rows`: `key`, `invalidate`, `refresh`, `stats`, `uncached`.
pub enum rows {}
impl rows {
    fn __site() -> &'static ::cache_memoize::__private::Site {
        use ::cache_memoize::__private::Site;
        static SITE: Site = Site::new(::core::module_path!(), "rows", &["rows:"]);
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
    pub async fn invalidate(table: &str) -> bool {
        Self::__of(&table).invalidate_async().await
    }
    /// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
    pub async fn refresh(db: &Db, table: &str) -> impl Stream<Item = Row> {
        let __call = Self::__of(&table).force_overwrite(true);
        __call.stream_async(move || Self::uncached(db, table)).await
    }
    /// Hits, misses and their reasons, of this process.
    pub fn stats() -> ::cache_memoize::Stats {
        Self::__site().stats()
    }
    /// The plain function, without the cache.
    pub async fn uncached(db: &Db, table: &str) -> impl Stream<Item = Row> {
        db.open(table).await
    }
}
