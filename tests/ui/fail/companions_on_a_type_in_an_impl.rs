use cache_memoize::cache_memoize;

struct Repo;

impl Repo {
    #[cache_memoize(skip(self), companions = LoadUser)]
    pub fn load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    Repo.load(1);
}
