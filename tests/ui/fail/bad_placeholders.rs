use cache_memoize::cache_memoize;

#[cache_memoize(key = "<>:<id()>:< id>:<id:w$>")]
fn load(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "")]
fn empty() -> u64 {
    1
}

fn main() {
    load::key(1);
    empty::key();
}
