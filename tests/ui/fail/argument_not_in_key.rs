use cache_memoize::cache_memoize;

#[cache_memoize(key = "user:<id>")]
fn load(id: u64, locale: &str) -> String {
    format!("{id}{locale}")
}

#[cache_memoize(key = "sum:<a>")]
fn sum((a, b): (u8, u8)) -> u8 {
    a + b
}

struct Repo;

impl Repo {
    #[cache_memoize(key = "repo:<id>")]
    pub fn load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    load::key(1, "en");
    sum::key((1, 2));
    Repo.load_key(1);
}
