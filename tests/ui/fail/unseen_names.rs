use cache_memoize::cache_memoize;

struct Point {
    x: u8,
    y: u8,
}

const ONE: () = ();

macro_rules! x_of_point {
    ($x:ident) => {
        Point { $x, .. }
    };
}

// A binding, which the key would be without.
#[cache_memoize]
fn capitalised(Point { x, y: Y }: Point) -> u8 {
    x + Y
}

// A constant looks the same.
#[cache_memoize]
fn constant(&(x, ONE): &(u8, ())) -> u8 {
    x
}

#[cache_memoize(key = "<id>")]
fn from_a_macro(id: u8, x_of_point!(x): Point) -> u8 {
    id + x
}

fn main() {
    capitalised::refresh(Point { x: 1, y: 2 });
    constant::refresh(&(1, ()));
    from_a_macro::refresh(1, Point { x: 1, y: 2 });
}
