use cache_memoize::cache_memoize;

#[cache_memoize(key = "<id>")]
fn load(id: u64) -> u64 {
    let id: String = id;
    id.len() as u64
}

#[cache_memoize(key = "<id>")]
fn unknown_type(id: u64) -> Usr {
    id
}

#[cache_memoize(key = "<id>")]
fn no_tail(id: u64) -> u64 {
    id;
}

struct Repo;

impl Repo {
    #[cache_memoize(skip(self))]
    fn inline(&self, id: u64) -> u64 {
        id.to_string()
    }
}

fn main() {
    load("1");
    load::key("1");
    Repo.inline(1);
}
