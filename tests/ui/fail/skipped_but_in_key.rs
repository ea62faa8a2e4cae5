use cache_memoize::cache_memoize;

#[cache_memoize(key = "user:<id>:<db.name>", skip(db))]
fn load(db: &Db, id: u64) -> u64 {
    id + db.name
}

struct Db {
    name: u64,
}

fn main() {
    load::key(1);
}
