//! What the attribute expands to, as text: on any compiler, and without one that has to agree.

mod never_panics;

use expect_test::expect_file;
use proc_macro2::TokenStream;

fn expand(options: &str, item: &str) -> String {
    let tokens = |text: &str| -> TokenStream { text.parse().expect("valid tokens") };
    let expanded = crate::memoize(tokens(options), tokens(item));
    let file = syn::parse2(expanded.clone()).unwrap_or_else(|error| panic!("{error}:\n{expanded}"));
    prettyplease::unparse(&file)
}

/// Compares with a file of that name; `UPDATE_EXPECT=1` writes it.
#[track_caller]
fn snapshot(name: &str, options: &str, item: &str) -> String {
    let expanded = expand(options, item);
    let path = format!("{}/tests/snapshots/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    expect_file![path].assert_eq(&expanded);
    expanded
}

/// A snapshot of at most 6 lines for the function, and 45 with its companions, docs aside.
#[track_caller]
fn short_snapshot(name: &str, options: &str, item: &str) {
    let expanded = snapshot(name, options, item);
    let function = expanded
        .lines()
        .position(|line| line == "}")
        .expect("a function")
        + 1;
    assert!(function <= 6, "{function} lines in the function");
    let is_code = |line: &&str| !line.trim_start().starts_with("///");
    let all = expanded.lines().filter(is_code).count();
    assert!(all <= 45, "{all} lines with the companions");
}

/// The messages of the `compile_error!`s in the expansion.
fn errors(options: &str, item: &str) -> Vec<String> {
    expand(options, item)
        .split("::core::compile_error! {\n    \"")
        .skip(1)
        .map(|rest| {
            let end = rest.find("\"\n}").expect("the end of the message");
            rest[..end].replace("\\\"", "\"")
        })
        .collect()
}

#[test]
fn free_function() {
    short_snapshot(
        "free_function",
        r#"key = "user:<id>", expiration = 3600, version = 2"#,
        "/// Loads a user.
         pub fn load_user(id: u64) -> User { database().load(id) }",
    );
}

#[test]
fn method() {
    short_snapshot(
        "method",
        r#"key = "user:<self.tenant>:<id>", expiration = "6h""#,
        "pub(crate) fn load_user(&self, id: u64) -> User { self.database.load(id) }",
    );
}

#[test]
fn generic_method() {
    short_snapshot(
        "generic_method",
        r#"key = "<T>:<id>", skip(self)"#,
        "pub fn load<T: Table>(&self, id: T::Id) -> T::Row { T::load(&self.database, id) }",
    );
}

#[test]
fn result() {
    short_snapshot(
        "result",
        r#"key = "user:<id>", expiration = "1h30m""#,
        "fn load_user(id: u64) -> Result<User, DbError> { database()?.load(id) }",
    );
}

#[test]
fn iterator() {
    short_snapshot(
        "iterator",
        r#"key = "rows:<table>", expiration = "6h", compress = false"#,
        "pub fn rows(table: &str) -> impl Iterator<Item = Row> + use<'_> { open(table) }",
    );
}

#[test]
fn of_an_iterator_nothing_can_be_peeked_at_or_primed() {
    for output in [
        "impl Iterator<Item = u8>",
        "Box<dyn Iterator<Item = u8>>",
        "impl Stream<Item = u8>",
        "BoxStream<'static, u8>",
        "u8",
    ] {
        let expanded = expand("", &format!("fn f() -> {output} {{ x }}"));
        let is_value = output == "u8";
        for companion in ["fn peek(", "fn prime(", "`peek`", "`prime`"] {
            assert_eq!(expanded.contains(companion), is_value, "{expanded}");
        }
    }
}

#[test]
fn boxed_iterator_in_a_trait() {
    snapshot(
        "boxed_iterator_in_a_trait",
        r#"key = "rows:<table>", skip(self)"#,
        "fn rows<'a>(&'a self, table: &'a str) -> Box<dyn Iterator<Item = io::Result<Row>> + 'a> {
            self.open(table)
        }",
    );
}

#[test]
fn stream() {
    short_snapshot(
        "stream",
        r#"key = "rows:<table>", expiration = "6h""#,
        "pub fn rows(table: &str) -> impl Stream<Item = io::Result<Row>> { open(table) }",
    );
}

#[test]
fn async_stream() {
    short_snapshot(
        "async_stream",
        r#"key = "rows:<table>", skip(db)"#,
        "pub async fn rows(db: &Db, table: &str) -> impl Stream<Item = Row> { db.open(table).await }",
    );
}

#[test]
fn boxed_streams_in_a_trait() {
    for (name, item) in [
        (
            "boxed_stream_in_a_trait",
            "fn rows<'a>(&'a self, table: &'a str) -> Pin<Box<dyn Stream<Item = Row> + Send + 'a>> { self.open(table) }",
        ),
        (
            "async_boxed_stream_in_a_trait",
            "async fn rows<'a>(&'a self, table: &'a str) -> BoxStream<'a, Row> { self.open(table).await }",
        ),
        (
            "future_of_a_boxed_stream",
            "fn rows<'a>(&'a self, table: &'a str) -> Pin<Box<dyn Future<Output = BoxStream<'a, Row>> + Send + 'a>> {
                Box::pin(async move { self.open(table).await })
            }",
        ),
        (
            "async_stream_in_a_trait",
            "async fn rows(&self, table: &str) -> impl Stream<Item = Row> { self.open(table).await }",
        ),
    ] {
        snapshot(name, r#"key = "rows:<table>", skip(self)"#, item);
    }
}

#[test]
fn default_key() {
    short_snapshot(
        "default_key",
        "",
        "pub fn distance(from: &str, to: &str) -> u32 { slow_distance(from, to) }",
    );
}

#[test]
fn async_function() {
    short_snapshot(
        "async_function",
        r#"key = "user:<id>", skip(db)"#,
        "pub async fn load_user(db: &Db, id: u64) -> io::Result<User> { db.load(id).await }",
    );
}

#[test]
fn future() {
    short_snapshot(
        "future",
        r#"key = "user:<id>""#,
        "fn load_user(id: u64) -> impl Future<Output = User> + Send { database().load(id) }",
    );
}

#[test]
fn boxed_future_of_a_trait() {
    snapshot(
        "boxed_future_of_a_trait",
        r#"key = "user:<id>", cache_if = User::is_active, skip(self)"#,
        "fn get<'life0, 'async_trait>(&'life0 self, id: u64)
             -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = User> + ::core::marker::Send + 'async_trait>>
         where 'life0: 'async_trait, Self: 'async_trait { Box::pin(async move { self.load(id).await }) }",
    );
}

#[test]
fn async_trait_method() {
    snapshot(
        "async_trait_method",
        r#"key = "<self.name>:<id>""#,
        "async fn get(&self, (mut id, _): (u64, u8)) -> Result<User, DbError> { id += 1; self.load(id).await }",
    );
}

#[test]
fn skip() {
    short_snapshot(
        "skip",
        r#"key = "user:<id>", skip(db)"#,
        "fn load_user<D: Database>(db: &mut D, id: u64) -> User { db.load(id) }",
    );
}

#[test]
fn trait_method() {
    snapshot(
        "trait_method",
        r#"key = "get:<id>", skip(self), cache_if = |user| user.is_active()"#,
        "fn get(&self, mut id: u64) -> Result<User, DbError> { id += 1; self.load(id) }",
    );
}

#[test]
fn destructured_arguments() {
    let item = "fn area(&Size { width, ref height, .. }: &Size, (mut scale, _): (u32, u8)) -> u32 {
        scale *= 2;
        width * height * scale
    }";
    let options = r#"key = "<width>:<height>", skip(scale), force_overwrite = *scale > 3"#;
    snapshot("destructured_arguments", options, item);
    snapshot(
        "destructured_arguments_inline",
        &format!("{options}, companions = false"),
        item,
    );
}

#[test]
fn every_placeholder() {
    snapshot(
        "every_placeholder",
        r#"key = "a b<<:<id>:<user.name>/<pair.0.1>|<x:.3>:<x:?>,<filter:#>:<T>:<N>:<N:04>:<r#type.r#fn>""#
            .replace("r#type.r#fn", "type.fn")
            .as_str(),
        "fn all<T, const N: usize>(id: u64, user: &User, pair: (u8, (u8, u8)), x: f64, filter: Filter, r#type: Type) -> u8 { 1 }",
    );
}

#[test]
fn every_option() {
    snapshot(
        "every_option",
        r#"
            key = "<id>",
            expiration = client.ttl(),
            force_overwrite = id == 0,
            cache_if = is_good,
            share_errors,
            skip(client, log),
            version = 0x10,
            companions = LoadUser,
            crate = crate::cache,
        "#,
        "#[cfg(unix)]
         #[expect(unused_mut)]
         #[inline]
         unsafe extern \"C\" fn load<'a, C: Client, L>(mut client: &'a C, log: L, #[allow(non_snake_case)] id: u64) -> io::Result<User>
         where C: Send, L: Log { unsafe { client.load(id) } }",
    );
}

#[cfg(feature = "encrypt")]
#[test]
fn encrypt() {
    short_snapshot(
        "encrypt",
        r#"key = "user:<id>", encrypt"#,
        "fn load_user(id: u64) -> User { database().load(id) }",
    );
}

#[cfg(feature = "encrypt")]
#[test]
fn encryption_key() {
    snapshot(
        "encryption_key",
        r#"key = "<tenant>:<id>", skip(db), encryption_key = secret_of(tenant)"#,
        "fn load_user(db: &Database, tenant: &str, id: u64) -> User { db.load(tenant, id) }",
    );
    snapshot(
        "encryption_key_inline",
        r#"key = "<T>:<id>", encryption_key = T::secret(), companions = false"#,
        "fn load<T: Table>((id, _): (u64, u8)) -> T::Row { T::load(id) }",
    );
}

#[cfg(feature = "encrypt")]
#[test]
fn the_secret_comes_from_what_companions_have() {
    let errors = errors(
        r#"key = "<id>", skip(self), encryption_key = &self.secret"#,
        "fn load(&self, id: u64) -> User { self.load(id) }",
    );
    let message = "argument `self` is in `skip`, so companions have no `self` to take the secret from; \
                   leave it out of `encryption_key`, or put it in the key";
    assert_eq!(errors, [message]);
}

/// It must not be stored in the clear because nobody looked at the features.
#[cfg(not(feature = "encrypt"))]
#[test]
fn without_the_feature_nothing_that_is_to_be_sealed_compiles() {
    let item = "fn load(id: u64) -> User { user(id) }";
    for (option, name) in [
        ("encrypt", "encrypt"),
        ("encryption_key = &SECRET", "encryption_key"),
    ] {
        let message = format!(
            "`{name}` needs the feature `encrypt` of `cache-memoize`, which is off; add it to `features`"
        );
        assert_eq!(errors(option, item), [message]);
    }
}

#[test]
fn every_receiver() {
    for (receiver, argument) in [
        ("&self", "self"),
        ("&'a self", "self"),
        ("&mut self", "&self"),
        ("self", "&self"),
        ("mut self", "&self"),
        ("self: Arc<Self>", "&self"),
        ("self: Pin<&mut Self>", "&self"),
    ] {
        let expanded = expand("", &format!("pub fn get({receiver}) -> u8 {{ 1 }}"));
        let call =
            format!("Self::__get_of({argument}, true).run(move || Self::get_uncached(self))");
        assert!(expanded.contains(&call), "{expanded}");
        assert!(expanded.contains("pub fn get_key(&self) ->"), "{expanded}");
    }
}

#[test]
fn an_elided_lifetime_in_an_error_gets_a_name() {
    let expanded = expand(
        "",
        "fn parse(text: &str, more: &str) -> Result<Ast, Error<'_>> { x }",
    );
    assert!(expanded.contains("fn __of<'__elided>("), "{expanded}");
    assert!(expanded.contains("Find<Result<Ast, Error<'__elided>>>"));
}

#[test]
fn values_have_the_type_that_is_stored() {
    for (output, value) in [
        ("User", "User"),
        ("Option<User>", "Option<User>"),
        ("Result<User, E>", "User"),
        (
            "io::Result<User>",
            "::cache_memoize::__private::OkOf<io::Result<User>>",
        ),
        ("Alias<User>", "Alias<User>"),
    ] {
        let expanded = expand("", &format!("fn f() -> {output} {{ x }}"));
        assert!(expanded.contains(&format!("value: {value}")), "{expanded}");
    }
}

#[test]
fn generics_of_skipped_arguments_are_not_asked_for() {
    let expanded = expand(
        r#"key = "<id>", skip(db)"#,
        "fn load<D: Db, T>(db: D, id: T, _: PhantomData<u8>) -> u8 where D: Send, T: Copy { 1 }",
    );
    assert!(expanded.contains("pub fn key<T>(id: T)"), "{expanded}");
    assert!(
        expanded.contains("load::__of::<T>(true, &id)"),
        "{expanded}"
    );
    assert!(
        expanded.contains("load::uncached::<D, T>(db, id, __arg2)"),
        "{expanded}"
    );
}

#[test]
fn an_unused_argument_is_passed_on_without_its_name() {
    let item = "fn f(id: u8, _marker: PhantomData<u8>, _fresh: bool) -> u8 { id }";
    let expanded = expand("skip(_fresh), force_overwrite = _fresh", item);
    assert!(
        expanded.contains("f::uncached(id, __arg1, _fresh)"),
        "{expanded}"
    );
}

#[test]
fn the_form_follows_from_what_is_seen() {
    let has_type = |options, item| expand(options, item).contains("enum f {}");
    let has_functions = |options, item| expand(options, item).contains("fn f_key(");
    for (options, item, ty, functions) in [
        ("", "fn f() -> u8 { 1 }", true, false),
        ("", "pub fn f() -> u8 { 1 }", true, false),
        ("", "pub fn f(&self) -> u8 { 1 }", false, true),
        ("", "pub fn f() -> u8 { Self::N }", false, true),
        (
            "",
            "pub fn f() -> u8 { impl X { fn g() -> Self { X } } 1 }",
            true,
            false,
        ),
        ("", "fn f(&self) -> u8 { 1 }", false, false),
        (
            "companions = \"functions\"",
            "fn f(&self) -> u8 { 1 }",
            false,
            true,
        ),
        (
            "companions = \"functions\"",
            "fn f() -> u8 { 1 }",
            false,
            true,
        ),
        ("companions = false", "pub fn f() -> u8 { 1 }", false, false),
        ("cache_if = Self::ok", "fn f() -> u8 { 1 }", false, false),
        ("key = \"<Self>\"", "fn f() -> u8 { 1 }", false, false),
    ] {
        assert_eq!(has_type(options, item), ty, "{options} {item}");
        assert_eq!(has_functions(options, item), functions, "{options} {item}");
    }
}

#[test]
fn what_must_be_used_must_be_without_the_cache() {
    let must_use = "#[must_use = \"slow\"]";
    for (item, uncached) in [
        ("pub fn f() -> u8 { 1 }", "pub fn uncached()"),
        ("pub fn f(&self) -> u8 { 1 }", "pub fn f_uncached(&self)"),
    ] {
        let expanded = expand("", &format!("{must_use} {item}"));
        assert_eq!(expanded.matches(must_use).count(), 2, "{expanded}");
        let before = expanded.split(uncached).next().expect("a first part");
        assert!(before.trim_end().ends_with(must_use), "{expanded}");
    }
}

#[test]
fn what_forces_may_be_in_the_key_if_it_is_more_than_a_switch() {
    let item = "fn f(id: u64, refresh: bool) -> u64 { id }";
    for options in [
        "skip(refresh), force_overwrite = refresh",
        r#"key = "<id>", skip(refresh), force_overwrite = !refresh"#,
        "force_overwrite = id == 0 && refresh",
        "force_overwrite = REFRESH",
        "force_overwrite = true",
    ] {
        assert_eq!(errors(options, item), [""; 0], "{options}");
    }
}

#[test]
fn parameters_of_the_impl_are_told_by_their_case() {
    let expanded = expand(
        r#"key = "<T>:<Item>:<N>:<LEN>:<Self>""#,
        "fn f() -> u8 { 1 }",
    );
    for step in [
        ".type_name::<T>()",
        ".type_name::<Item>()",
        ".arg(&N)",
        ".arg(&LEN)",
        ".type_name::<Self>()",
    ] {
        assert!(expanded.contains(step), "{expanded}");
    }
}

#[test]
fn a_body_that_is_being_typed_is_left_alone() {
    let tokens = |text: &str| -> TokenStream { text.parse().expect("valid tokens") };
    let expanded = crate::memoize(tokens(""), tokens("fn f(id: u64) -> u8 { let x = id. }"));
    assert!(expanded.to_string().contains("{ let x = id . }"));
    assert!(!expanded.to_string().contains("compile_error"));
}

#[test]
fn inner_attributes_of_the_body_become_outer_ones() {
    let expanded = expand("companions = false", "fn f() -> u8 { #![allow(unused)] 1 }");
    assert!(expanded.starts_with("#[allow(unused)]\nfn f"), "{expanded}");
}

#[cfg(feature = "msgpack")]
#[test]
fn the_codec_is_the_sites() {
    let expanded = expand(
        r#"codec = "msgpack", companions = false"#,
        "fn f() -> u8 { 1 }",
    );
    assert!(expanded.contains(".msgpack()"), "{expanded}");
    let expanded = expand(
        r#"codec = "postcard", companions = false"#,
        "fn f() -> u8 { 1 }",
    );
    assert!(!expanded.contains(".msgpack()"), "{expanded}");
}

#[cfg(not(feature = "msgpack"))]
#[test]
fn a_codec_without_its_feature_is_an_error() {
    assert_eq!(
        errors(r#"codec = "msgpack""#, "fn f() -> u8 { 1 }"),
        [
            "`codec = \"msgpack\"` needs the feature `msgpack` of `cache-memoize`; enable it in Cargo.toml"
        ]
    );
}

#[cfg(feature = "encrypt")]
#[test]
fn encrypt_takes_no_value() {
    for (value, fix) in [
        ("true", "write `encrypt`"),
        ("1", "write `encrypt`"),
        (
            "false",
            "leave it out, and the runtime's `force_encryption` still seals",
        ),
    ] {
        assert_eq!(
            errors(&format!("encrypt = {value}"), "fn f() -> u8 { 1 }"),
            [format!("`encrypt` takes no value; {fix}")]
        );
    }
}

#[test]
fn all_errors_are_shown_at_once() {
    let errors = errors(
        r#"key = "user:<uid>", expiraton = 5, version = "a", skip(nobody), local = "soon""#,
        "const fn f(id: u64) -> &str { \"\" }",
    );
    assert_eq!(
        errors,
        [
            "unknown option `expiraton`; did you mean `expiration`?",
            "`version` takes an integer; write `version = 2`",
            "`local` takes `true`, `false` or a duration; write `local = \"5s\"`",
            "a `const fn` can't be memoized, as it may run at compile time; remove `const`, or `cache_memoize`",
            "the returned `&str` borrows, and a remembered value outlives the call; return `String`",
            "unknown argument `nobody` in `skip`; the only argument is `id`",
            "unknown name `uid` in the key; the only argument is `id`",
        ]
    );
}

#[test]
fn variadic_functions_are_refused() {
    let errors = errors(
        "",
        "unsafe extern \"C\" fn f(id: u64, _: ...) -> u64 { id }",
    );
    let message = "a function of any number of arguments can't be memoized; \
                   name them, or remove `cache_memoize`";
    assert_eq!(errors, [message]);
}

#[test]
fn errors_leave_the_function_and_what_others_refer_to() {
    snapshot(
        "errors",
        r#"key = "user", skip(db)"#,
        "/// Loads.
         pub fn load_user<D: Db>(db: &D, mut id: u64) -> Result<User, DbError> { db.load(id) }",
    );
}

#[test]
fn what_is_no_function_stays_as_it_is() {
    assert_eq!(
        expand("", "struct User { id: u64 }"),
        "::core::compile_error! {\n    \"`cache_memoize` goes on functions and methods; move it to one\"\n}\n\
         struct User {\n    id: u64,\n}\n"
    );
}
