fn get<'life0, 'async_trait>(
    &'life0 self,
    id: u64,
) -> ::core::pin::Pin<
    Box<dyn ::core::future::Future<Output = User> + ::core::marker::Send + 'async_trait>,
>
where
    'life0: 'async_trait,
    Self: 'async_trait,
{
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "get",
        &["user:"],
    );
    ::std::boxed::Box::pin(async move {
        let __call = ::cache_memoize::__private::Site::key::<User>(&__SITE, || ())
            .arg(&id)
            .__text()
            .__call();
        __call
            .__run_if_async(
                User::is_active,
                move || -> ::core::pin::Pin<
                    Box<
                        dyn ::core::future::Future<
                            Output = User,
                        > + ::core::marker::Send + '_,
                    >,
                > { Box::pin(async move { self.load(id).await }) },
            )
            .await
    })
}
