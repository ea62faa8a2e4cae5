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

#[cache_memoize(key = "<id>")]
async fn awaited(id: u64) -> u64 {
    let id: String = id;
    id.len() as u64
}

#[cache_memoize(key = "<id>")]
fn future(id: u64) -> impl Future<Output = u64> {
    async move { id.to_string() }
}

struct Repo;

impl Repo {
    #[cache_memoize(skip(self))]
    fn inline(&self, id: u64) -> u64 {
        id.to_string()
    }

    #[cache_memoize(skip(self))]
    async fn inline_awaited(&self, id: u64) -> u64 {
        if id == 0 {
            return "zero";
        }
        id.to_string()
    }
}

fn main() {
    load("1");
    load::key("1");
    Repo.inline(1);
    drop((awaited(1), future(1), Repo.inline_awaited(1)));
}
