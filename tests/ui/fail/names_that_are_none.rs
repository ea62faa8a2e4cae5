use cache_memoize::cache_memoize;

#[cache_memoize(key = "<Ⓐ>:<_>:<super>:<user.self>:<user._>:<user.crate>:<user.99999999999>:<user.a²>", skip(user))]
fn load(user: (u64, u64)) -> u64 {
    user.0
}

fn main() {
    load::refresh((1, 2));
}
