use cache_memoize::cache_memoize;

macro_rules! sum {
    ($name:ident, $argument:ident) => {
        #[cache_memoize(key = "sum:<x>")]
        fn $name($argument: u64, x: u64) -> u64 {
            $argument + x
        }
    };
}

sum!(sum, x);

fn main() {
    sum::refresh(1, 2);
}
