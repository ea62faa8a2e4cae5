use cache_memoize::cache_memoize;

struct Table;

impl Table {
    // No attribute can see the impl; what rustc says here is in the documentation.
    #[cache_memoize]
    fn rows(id: u64) -> u64 {
        id
    }
}

fn main() {
    Table::rows(1);
}
