use cache_memoize::cache_memoize;

struct User {
    id: u64,
}

#[cache_memoize]
fn load(id: u64) -> User {
    User { id }
}

#[cache_memoize]
fn try_load(id: u64) -> Result<User, String> {
    Ok(User { id })
}

struct Repo;

impl Repo {
    #[cache_memoize(skip(self))]
    pub fn load(&self, id: u64) -> Option<User> {
        Some(User { id })
    }

    #[cache_memoize(skip(self))]
    fn inline(&self, id: u64) -> Vec<User> {
        vec![User { id }]
    }
}

fn main() {
    load(1).id;
    try_load(1).unwrap().id;
    Repo.load(1).unwrap().id;
    Repo.inline(1);
}
