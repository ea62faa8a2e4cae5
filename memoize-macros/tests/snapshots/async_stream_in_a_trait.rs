async fn rows(&self, table: &str) -> impl Stream<Item = Row> {
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "rows",
        &["rows:"],
    );
    let __call = ::cache_memoize::__private::Site::key::<Row>(&__SITE, || ())
        .arg(&table)
        .__text()
        .__call();
    __call.stream_async(move || async move { self.open(table).await }).await
}
