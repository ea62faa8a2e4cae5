use cache_memoize::cache_memoize;

#[cache_memoize(key = "<uid>", expiraton = 5, version = "a", skip(nobody), local = "soon", expiration = 0)]
const fn load(id: u64) -> &'static str {
    let _ = id;
    ""
}

fn main() {
    load(1);
    load::key(1);
    load::peek(1);
    load::invalidate(1);
    load::refresh(1);
    load::prime(1, "");
    load::stats();
    load::uncached(1);
}
