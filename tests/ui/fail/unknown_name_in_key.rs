use cache_memoize::cache_memoize;

#[cache_memoize(key = "user:<uid>:<locale>")]
fn load(id: u64, locale: &str) -> String {
    format!("{id}{locale}")
}

#[cache_memoize(key = "<T>")]
fn none() -> u64 {
    1
}

fn main() {
    load::key(1, "en");
    none::key();
}
