pub fn load<T: Table>(&self, id: T::Id) -> T::Row {
    Self::__load_of::<T>(true, &id).run(move || Self::load_uncached::<T>(self, id))
}
fn __load_site() -> &'static ::cache_memoize::__private::Site {
    use ::cache_memoize::__private::Site;
    static SITE: Site = Site::new(::core::module_path!(), "load", &["", ":"]);
    &SITE
}
fn __load_of<T: Table>(
    now: bool,
    id: &T::Id,
) -> ::cache_memoize::__private::Find<T::Row> {
    Self::__load_site().find::<T::Row>(|| now).type_name::<T>().arg(id).__text().__call()
}
/// The key of the entry.
#[allow(clippy::pedantic)]
pub fn load_key<T: Table>(id: T::Id) -> ::cache_memoize::CacheKey {
    Self::__load_of::<T>(false, &id).key()
}
/// The cached value, if there is one; computes nothing.
#[allow(clippy::pedantic)]
pub fn load_peek<T: Table>(id: T::Id) -> ::core::option::Option<T::Row> {
    Self::__load_of::<T>(false, &id).peek()
}
/// Removes the entry; `false` if the backend could not be asked.
#[allow(clippy::pedantic)]
pub fn load_invalidate<T: Table>(id: T::Id) -> bool {
    Self::__load_of::<T>(false, &id).invalidate()
}
/// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
#[allow(clippy::pedantic)]
pub fn load_refresh<T: Table>(&self, id: T::Id) -> T::Row {
    Self::__load_of::<T>(false, &id)
        .force_overwrite(true)
        .run(move || Self::load_uncached::<T>(self, id))
}
/// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
#[allow(clippy::pedantic)]
pub fn load_prime<T: Table>(id: T::Id, value: T::Row) -> bool {
    Self::__load_of::<T>(false, &id).prime(value)
}
/// Hits, misses and their reasons, of this process.
#[allow(clippy::pedantic)]
pub fn load_stats() -> ::cache_memoize::Stats {
    Self::__load_site().stats()
}
/// The plain function, without the cache.
#[allow(clippy::missing_errors_doc, clippy::missing_panics_doc)]
pub fn load_uncached<T: Table>(&self, id: T::Id) -> T::Row {
    T::load(&self.database, id)
}
