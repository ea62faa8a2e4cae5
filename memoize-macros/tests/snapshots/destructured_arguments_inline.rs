fn area(__arg0: &Size, __arg1: (u32, u8)) -> u32 {
    static __SITE: ::cache_memoize::__private::Site = ::cache_memoize::__private::Site::new(
        ::core::module_path!(),
        "area",
        &["", ":"],
    );
    let Size { width, height, .. } = &__arg0;
    let __call = ::cache_memoize::__private::Site::key::<u32>(&__SITE, || ())
        .arg(width)
        .__text()
        .arg(height)
        .__text()
        .__call()
        .force_overwrite({
            let (scale, _) = &__arg1;
            *scale > 3
        });
    __call
        .run(move || -> u32 {
            let &Size { width, ref height, .. } = __arg0;
            #[allow(unused_variables)]
            let (mut scale, _) = __arg1;
            scale *= 2;
            width * height * scale
        })
}
