fn rows<'a>(&'a self, table: &'a str) -> Pin<Box<dyn Stream<Item = Row> + Send + 'a>> {
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "rows",
        &["rows:"],
    );
    ::cache_memoize::__private::Site::key::<Row>(&__SITE, || ())
        .arg(&table)
        .__text()
        .__call()
        .boxed_stream(move || -> Pin<Box<dyn Stream<Item = Row> + Send + 'a>> {
            self.open(table)
        })
}
