use cache_memoize::cache_memoize;

#[cache_memoize(skip(dbb, id, id, self))]
fn load(db: &str, id: u64) -> u64 {
    id + db.len() as u64
}

fn main() {
    load::key("");
}
