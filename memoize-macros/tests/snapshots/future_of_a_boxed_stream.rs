fn rows<'a>(
    &'a self,
    table: &'a str,
) -> Pin<Box<dyn Future<Output = BoxStream<'a, Row>> + Send + 'a>> {
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "rows",
        &["rows:"],
    );
    ::std::boxed::Box::pin(async move {
        let __stream: BoxStream<'a, Row> = {
            let __call = ::cache_memoize::__private::Site::key::<Row>(&__SITE, || ())
                .arg(&table)
                .__text()
                .__call();
            __call
                .boxed_stream_async(move || -> Pin<
                    Box<dyn Future<Output = BoxStream<'a, Row>> + Send + '_>,
                > { Box::pin(async move { self.open(table).await }) })
                .await
        };
        __stream
    })
}
