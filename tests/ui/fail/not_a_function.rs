use cache_memoize::cache_memoize;

#[cache_memoize]
struct User {
    id: u64,
}

trait Load {
    #[cache_memoize]
    fn load(&self, id: u64) -> u64;
}

#[cache_memoize(nonsense)]
mod inner {}

impl Load for User {
    fn load(&self, id: u64) -> u64 {
        self.id + id
    }
}

fn main() {
    User { id: 1 }.load(1);
}
