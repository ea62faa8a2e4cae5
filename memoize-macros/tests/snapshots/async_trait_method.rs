async fn get(&self, __arg0: (u64, u8)) -> Result<User, DbError> {
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "get",
        &["", ":"],
    );
    let (id, _) = &__arg0;
    let __call = ::cache_memoize::__private::Site::key::<
        Result<User, DbError>,
    >(&__SITE, || ())
        .arg(&self.name)
        .__text()
        .arg(id)
        .__text()
        .__call();
    __call
        .run_async(move || async move {
            #[allow(
                clippy::diverging_sub_expression,
                clippy::empty_loop,
                clippy::needless_return,
                unreachable_code
            )]
            if false {
                let returned: Result<User, DbError> = loop {};
                return returned;
            }
            let (mut id, _) = __arg0;
            id += 1;
            self.load(id).await
        })
        .await
}
