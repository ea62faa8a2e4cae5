fn load<T: Table>(__arg0: (u64, u8)) -> T::Row {
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "load",
        &["", ":"],
    );
    let (id, _) = &__arg0;
    ::cache_memoize::__private::Site::key::<T::Row>(&__SITE, || ())
        .type_name::<T>()
        .arg(id)
        .__text()
        .__call()
        .encryption_key(T::secret())
        .run(move || -> T::Row {
            let (id, _) = __arg0;
            T::load(id)
        })
}
