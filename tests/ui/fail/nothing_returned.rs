use cache_memoize::cache_memoize;

#[cache_memoize]
fn nothing(id: u64) {
    drop(id);
}

#[cache_memoize]
fn unit(id: u64) -> () {
    drop(id);
}

#[cache_memoize]
fn never(id: u64) -> ! {
    panic!("{id}")
}

fn main() {
    nothing::refresh(1);
    unit::peek(1);
    never::key(1);
}
