//! Whatever is written, the macro says what is wrong with it: a panic would be shown in place of all that.

use proc_macro2::TokenStream;
use proptest::prelude::*;
use proptest::sample::select;

use crate::template::Template;

const NAMES: [&str; 24] = [
    "a",
    "b",
    "self",
    "Self",
    "_",
    "r#a",
    "r#type",
    "type",
    "super",
    "crate",
    "T",
    "N",
    "LEN",
    "X",
    "Ⓐ",
    "ª",
    "größe",
    "a\u{300}",
    "0",
    "00",
    "1",
    "4294967295",
    "4294967296",
    "99999999999",
];

const MARKS: [&str; 20] = [
    "<", ">", "<<", "<a>", "<", ">", ".", ":", "::", "#", "?", "é", "\u{0}", " ", "%", "{", "}",
    "$", "<a.", "<a:>",
];

const VALUES: [&str; 18] = [
    "1",
    "0",
    "-1",
    "99999999999999999999",
    "1.5",
    "\"1h\"",
    "\"\"",
    "'a'",
    "true",
    "false",
    "a",
    "self.a",
    "f(a, b)",
    "|x| *x",
    "{ a }",
    "\"functions\"",
    "crate::x",
    "Name",
];

const OPTIONS: [&str; 14] = [
    "key",
    "expiration",
    "encrypt",
    "encryption_key",
    "compress",
    "force_overwrite",
    "cache_if",
    "skip",
    "version",
    "codec",
    "local",
    "companions",
    "crate",
    "kye",
];

const GENERICS: [&str; 5] = [
    "",
    "<T>",
    "<'a, T: Into<u8>, const N: usize>",
    "<const LEN: usize, D>",
    "<r#type>",
];

const ARGUMENTS: [&str; 24] = [
    "a: u8",
    "b: &str",
    "mut a: T",
    "_: u8",
    "_a: u8",
    "(a, b): (u8, u8)",
    "P { a, mut b, .. }: P",
    "&[a, ..]: &[u8; N]",
    "X: u8",
    "(X, a): (u8, u8)",
    "(a, m!(b)): P",
    "(A(a) | B(a)): E",
    "r#type: u8",
    "...",
    "#[cfg(x)] a: u8",
    "a: impl Fn(&u8) -> u8",
    "c @ (a, b): P",
    "(): ()",
    "a: PhantomData<T>",
    "a @ 0..: u8",
    "const {}: u8",
    "((a)): u8",
    "self: Arc<Self>",
    "größe: D",
];

const RECEIVERS: [&str; 6] = [
    "",
    "&self",
    "&'a mut self",
    "mut self",
    "self: Pin<&mut Self>",
    "#[x] self",
];

const OUTPUTS: [&str; 20] = [
    "",
    "-> u8",
    "-> !",
    "-> ()",
    "-> Result<T, E<'_>>",
    "-> Result",
    "-> io::Result<u8>",
    "-> Option<&'a str>",
    "-> impl Iterator<Item = u8>",
    "-> Box<dyn Iterator<Item = u8> + '_>",
    "-> Pin<Box<dyn Future<Output = u8>>>",
    "-> impl Future",
    "-> impl Stream",
    "-> impl X",
    "-> fn(&u8) -> &u8",
    "-> [u8; N]",
    "-> <T as X>::Y",
    "-> m!()",
    "-> (u8)",
    "-> Box<dyn X>",
];

const HEADS: [&str; 14] = [
    "",
    "pub",
    "pub(crate)",
    "async",
    "const",
    "unsafe extern \"C\"",
    "#[cfg(x)]",
    "#[doc(hidden)]",
    "#[expect(x)]",
    "#[cfg_attr(x, allow(y))]",
    "#[track_caller]",
    "#[cache_memoize]",
    "default",
    "extern",
];

const BODIES: [&str; 9] = [
    "{ 1 }",
    "{}",
    ";",
    "",
    "{ let x = }",
    "{ #![allow(x)] Self::N }",
    "{ fn f() -> Self {} }",
    "{ .. . ' }",
    "where T: X { a }",
];

fn template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => select(&NAMES[..]).prop_map(str::to_owned),
        4 => select(&MARKS[..]).prop_map(str::to_owned),
        1 => (select(&NAMES[..]), select(&NAMES[..])).prop_map(|(root, member)| format!("<{root}.{member}>")),
        2 => select(&NAMES[..]).prop_map(|name| format!("<{name}>:")),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn option() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => template().prop_map(|key| format!("key = {key:?}")),
        3 => (select(&OPTIONS[..]), select(&VALUES[..])).prop_map(|(name, value)| format!("{name} = {value}")),
        1 => select(&OPTIONS[..]).prop_map(str::to_owned),
        2 => select(&NAMES[..]).prop_map(|name| format!("skip({name})")),
        1 => select(&NAMES[..]).prop_map(|name| format!("companions = {name}")),
        1 => select(&VALUES[..]).prop_map(str::to_owned),
    ]
}

fn options() -> impl Strategy<Value = String> {
    let options = prop::collection::vec(option(), 0..4);
    (options, select(&[", ", " ", ",,"][..])).prop_map(|(options, comma)| options.join(comma))
}

fn item() -> impl Strategy<Value = String> {
    let signature = (
        select(&NAMES[..14]),
        select(&GENERICS[..]),
        select(&RECEIVERS[..]),
        prop::collection::vec(select(&ARGUMENTS[..]), 0..4),
        select(&OUTPUTS[..]),
    )
        .prop_map(|(name, generics, receiver, arguments, output)| {
            let inputs: Vec<&str> = [receiver]
                .into_iter()
                .chain(arguments)
                .filter(|input| !input.is_empty())
                .collect();
            format!("fn {name}{generics}({}) {output}", inputs.join(", "))
        });
    let heads = prop::collection::vec(select(&HEADS[..]), 0..3);
    (heads, signature, select(&BODIES[..]))
        .prop_map(|(heads, signature, body)| format!("{} {signature} {body}", heads.join(" ")))
}

/// What the compiler would not take for tokens never gets to a macro.
fn memoize(options: &str, item: &str) {
    if let (Ok(options), Ok(item)) = (options.parse::<TokenStream>(), item.parse::<TokenStream>()) {
        crate::memoize(options, item);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn at_a_template(source in template()) {
        Template::parse(&source);
    }

    #[test]
    fn at_a_key_of_known_arguments(key in template()) {
        memoize(&format!("key = {key:?}"), "pub fn f<T, const N: usize>(a: u8, b: P, r#type: u8) -> u8 { 1 }");
        memoize(&format!("key = {key:?}"), "pub fn f(&self, (a, b): (u8, u8)) -> u8 { 1 }");
    }

    #[test]
    fn at_options_and_an_item(options in options(), item in item()) {
        memoize(&options, &item);
    }
}

#[test]
fn at_each_name_as_root_and_as_member() {
    for root in NAMES {
        for member in NAMES {
            for item in [
                "fn f(a: u8) -> u8 { 1 }",
                "pub fn f(&self, a: u8) -> u8 { 1 }",
            ] {
                memoize(&format!("key = \"<{root}.{member}>:<{root}>\""), item);
            }
        }
    }
}
