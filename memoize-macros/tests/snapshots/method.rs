pub(crate) fn load_user(&self, id: u64) -> User {
    Self::__load_user_of(self, true, &id).run(move || Self::load_user_uncached(self, id))
}
fn __load_user_site() -> &'static ::cache_memoize::__private::Site {
    use ::cache_memoize::__private::Site;
    static SITE: Site = Site::new(::core::module_path!(), "load_user", &["user:", ":"])
        .expiration_millis(21600000);
    &SITE
}
fn __load_user_of(&self, now: bool, id: &u64) -> ::cache_memoize::__private::Find<User> {
    Self::__load_user_site()
        .find::<User>(|| now)
        .arg(&self.tenant)
        .__text()
        .arg(id)
        .__text()
        .__call()
}
/// The key of the entry.
pub(crate) fn load_user_key(&self, id: u64) -> ::cache_memoize::CacheKey {
    Self::__load_user_of(self, false, &id).key()
}
/// The cached value, if there is one; computes nothing.
pub(crate) fn load_user_peek(&self, id: u64) -> ::core::option::Option<User> {
    Self::__load_user_of(self, false, &id).peek()
}
/// Removes the entry; `false` if the backend could not be asked.
pub(crate) fn load_user_invalidate(&self, id: u64) -> bool {
    Self::__load_user_of(self, false, &id).invalidate()
}
/// Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.
pub(crate) fn load_user_refresh(&self, id: u64) -> User {
    Self::__load_user_of(self, false, &id)
        .force_overwrite(true)
        .run(move || Self::load_user_uncached(self, id))
}
/// Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.
pub(crate) fn load_user_prime(&self, id: u64, value: User) -> bool {
    Self::__load_user_of(self, false, &id).prime(value)
}
/// Hits, misses and their reasons, of this process.
pub(crate) fn load_user_stats() -> ::cache_memoize::Stats {
    Self::__load_user_site().stats()
}
/// The plain function, without the cache.
pub(crate) fn load_user_uncached(&self, id: u64) -> User {
    self.database.load(id)
}
