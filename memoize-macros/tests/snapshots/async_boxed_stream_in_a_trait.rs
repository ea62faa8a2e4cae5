async fn rows<'a>(&'a self, table: &'a str) -> BoxStream<'a, Row> {
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "rows",
        &["rows:"],
    );
    let __call = ::cache_memoize::__private::Site::key::<Row>(&__SITE, || ())
        .arg(&table)
        .__text()
        .__call();
    __call
        .boxed_stream_async(move || async move {
            #[allow(
                clippy::diverging_sub_expression,
                clippy::empty_loop,
                clippy::needless_return,
                unreachable_code
            )]
            if false {
                let returned: BoxStream<'a, Row> = loop {};
                return returned;
            }
            self.open(table).await
        })
        .await
}
