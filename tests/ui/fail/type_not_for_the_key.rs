use cache_memoize::cache_memoize;

struct Filter {
    limit: u64,
}

#[cache_memoize(key = "<filter>")]
fn displayed(filter: &Filter) -> u64 {
    filter.limit
}

#[cache_memoize(key = "<filter:#>")]
fn digested(filter: &Filter) -> u64 {
    filter.limit
}

#[cache_memoize(key = "<filter:?>")]
fn debugged(filter: &Filter) -> u64 {
    filter.limit
}

#[cache_memoize(key = "<filters.0>")]
fn field(filters: (Filter, u8)) -> u64 {
    filters.0.limit
}

#[cache_memoize(key = "<filter.lim>")]
fn no_such_field(filter: &Filter) -> u64 {
    filter.limit
}

#[cache_memoize]
fn default_key(filter: &Filter) -> u64 {
    filter.limit
}

#[cache_memoize(companions = false)]
fn inline(filter: &Filter) -> u64 {
    filter.limit
}

fn main() {
    let filter = Filter { limit: 1 };
    displayed(&filter);
    digested(&filter);
    debugged(&filter);
    no_such_field(&filter);
    default_key(&filter);
    inline(&filter);
    field((filter, 1));
}
