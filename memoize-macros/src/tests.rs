//! What the attribute expands to, as text.

use expect_test::expect_file;
use proc_macro2::TokenStream;

fn expand(options: &str, item: &str) -> String {
    let tokens = |text: &str| -> TokenStream { text.parse().expect("valid tokens") };
    let expanded = crate::memoize(tokens(options), tokens(item));
    let file = syn::parse2(expanded.clone()).unwrap_or_else(|error| panic!("{error}:\n{expanded}"));
    prettyplease::unparse(&file)
}

#[test]
fn scratch() {
    println!("{}", expand(r#"key = "user:<id>", expiration = "1h", version = 2"#, "pub fn load_user(id: u64) -> Result<User, DbError> { slow(id) }"));
    println!("{}", expand(r#"key = "user:<self.tenant>:<self>:<id>", cache_if = |x| x.ok"#, "pub fn load_user(&self, id: u64) -> User { self.slow(id) }").replace("fn", "fn"));
    println!("{}", expand(r#"key = "user:<T>:<id>", skip(db), expiration = db.ttl(), force_overwrite = a > 1"#, "pub(crate) fn load_user<'a, D: Db, T: Tr + 'a>(db: &'a D, (a, mut b): (u64, u32), mut id: T, _: u8) -> User where D: X { self.slow(id) }").replace("fn", "fn"));
    println!("{}", expand(r#""#, "fn load_user(&self, id: T, (a, mut b): (u64, u32)) -> User { self.slow(id) }"));
}
