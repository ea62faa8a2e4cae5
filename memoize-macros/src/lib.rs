//! The attribute of `cache-memoize`. Use it through that crate: generated code looks for it there.

mod args;
mod argument;
mod check;
mod diag;
mod duration;
mod expand;
mod fallback;
mod generics;
mod hash;
mod item;
mod model;
mod output;
mod pattern;
mod scan;
mod separator;
mod template;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::args::Options;
use crate::diag::Diag;
use crate::item::Function;
use crate::model::Model;

/// Makes a function remember its results in a cache.
///
/// The function keeps its signature. Called with arguments whose result is in the cache, it returns that; otherwise
/// its body runs, and what it returns is stored. A fault of the cache never reaches the caller.
///
/// ```text
/// #[cache_memoize(key = "user:<id>", expiration = 3600, skip(db))]
/// fn load_user(db: &Database, id: u64) -> Result<User, DbError> { /* slow */ }
/// ```
///
/// It goes on free functions, on functions in functions, and on methods, those of traits and their default
/// methods included. They may be `async`, or return an `impl Future<Output = T>`, a `BoxFuture<'_, T>` or a `Pin<Box<dyn Future<Output = T>>>`
/// as `#[async_trait]` makes them; all but `key` and `stats` of the companions are then async, and nothing happens
/// before the first poll. The returned type implements `Serialize` and `DeserializeOwned`; of a `Result` only the `Ok`
/// is stored, and the error may be of any type.
///
/// A function that returns `impl Iterator<Item = T>` or `Box<dyn Iterator<Item = T>>` has its items stored as they are
/// consumed, if they are to the last one; `T` may be a `Result`, and an `Err` is handed on with nothing being stored. The
/// body runs at the call on a miss. On a hit it runs only if part of the entry is lost on the way, so the arguments are
/// held until the last item: the returned type must be allowed to hold each of them. Edition 2024 says so by
/// itself; in edition 2021 add `+ use<'a, T>` with all lifetimes and types of the arguments, or `+ 'a`.
///
/// The same holds for `impl Stream<Item = T>`, `Pin<Box<dyn Stream<Item = T>>>` and `BoxStream<'_, T>`, returned or given by a future. The body
/// runs at the first poll, or where the function is awaited; `invalidate` is async. In a box, `'static` is refused where an argument is
/// borrowed. The stream is `Unpin` where the function's own is.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `key = "user:<id>"` | the key template, see below | the function's path and every argument |
/// | `expiration = 3600`, `"1h30m"`, or an expression | life of an entry: seconds, a text of `w`, `d`, `h`, `m`, `s`, `ms`, or a `Duration` | the runtime's, 30 days |
/// | `encrypt` | seals values and names with the runtime's secret, see [`encryption`](https://docs.rs/cache-memoize/latest/cache_memoize/guide/encryption/) | the runtime's `force_encryption` |
/// | `encryption_key = expr` | seals with a `&Secret` of the function's own | |
/// | `skip(refresh), force_overwrite = refresh` | a `bool`: true runs the body and stores what it returns | `false` |
/// | `cache_if = path or closure` | `Fn(&T) -> bool`: whether a computed value is stored | always |
/// | `share_errors` | who waits for a call gets its `Err` as well, a clone: the error is `Clone + Send + Sync + 'static`. It is not stored | each caller computes |
/// | `skip(db, ctx)` | arguments that are not part of the key | none |
/// | `compress = true` or `false` | LZ4 for what has 1 KiB or more and shrinks | the runtime's, `true`; for what is sealed `false` |
/// | `version = 2` | raise it when the meaning of a stored value changes: older entries are misses | 0 |
/// | `codec = "msgpack"` | how a value becomes bytes; with the feature `msgpack`, for types that postcard can't hold | `"postcard"` |
/// | `local = false` | keeps bytes even where a value could be kept as it is: one that is `Clone + Send + Sync + 'static`, in the memory of this process | a value is kept as it is where it can be |
/// | `local = true` | keeps sealed values as they are, too; a type that can't be is an error | those that are not sealed |
/// | `local = "5s"` | the same, also beside a shared backend that doesn't tell of changes: a value may then be out of date by that much | none there |
/// | `companions = Name`, `"functions"` or `false` | where the companions stand, see below | by the function |
/// | `crate = path` | where the generated code finds `cache_memoize` | `::cache_memoize` |
///
/// The expressions of `force_overwrite` and `expiration` see the arguments as the body does, except for names
/// that a pattern takes out of an argument: these are references. They are evaluated on each call, before the
/// lookup. That of `encryption_key` sees references to the arguments that are in the key, and is evaluated by
/// companions too.
///
/// # The key template
///
/// | placeholder | stands for |
/// |---|---|
/// | `<id>` | an argument's `Display` |
/// | `<user.id>`, `<pair.0>`, `<self.tenant>` | a field's |
/// | `<x:.3>`, `<x:?>`, `<x:>8>` | the argument in a format of `format!`, without `{:` and `}` |
/// | `<filter:#>` | a digest of the argument's serialized form |
/// | `<T>`, `<N>`, `<Self>` | the type or value of a generic parameter |
///
/// `<<` is a literal `<`. All other text stands for itself; what is not printable ASCII is percent-escaped.
///
/// A value is percent-escaped as it enters the key: all but ASCII letters, digits and `_ . ~ -`. Between two
/// placeholders the text must hold a character that no value can, such as `:` or `/`, so that no two tuples of
/// arguments share a key. Every argument, `self` included, stands in the key or in `skip(..)`; arguments named
/// `_` and those of type `PhantomData` count as skipped.
///
/// In a method, a capitalised name that the function doesn't declare is a parameter of the impl around it: `N`,
/// `M` and names in capitals are constants, all others types.
///
/// Names in an argument's pattern are arguments too. Where they can't be seen (a macro, or a capitalised name, which may be
/// a constant), the pattern doesn't compile. `skip(db)` leaves out the type parameters that only `db` has as well.
///
/// Without `key`, integers, `bool`, `char` and strings go in as text, all else by a digest as with `:#`. Only
/// what can't be serialized goes in by its `Display`. A digest sees what serde sees: not the fields with
/// `#[serde(skip)]`, and of a set the order in which it hands out its elements, so that equal `HashSet`s may have different
/// keys. Such a function also forgets its entries when the text of its signature or body is edited.
///
/// # What a hit leaves out
///
/// A hit returns the value, and that is all: what the body does otherwise does not happen, to `&mut` arguments neither. A
/// call that is forced to run the body, by `force_overwrite` or `refresh`, and fails leaves the old entry in place.
///
/// # Companions
///
/// Beside the function, these are made, with its visibility. They take the arguments that are in the key; what
/// else is skipped is asked for only where the body runs.
///
/// | companion | does |
/// |---|---|
/// | `load_user::key(7)` | tells the key of the entry |
/// | `load_user::peek(7)` | returns the cached value, computing nothing |
/// | `load_user::invalidate(7)` | removes the entry; `false` if the backend could not be asked |
/// | `load_user::refresh(&db, 7)` | runs the body, and stores what it returns |
/// | `load_user::prime(7, user)` | stores a value; `false` if it could not be stored. Also takes the arguments that `expiration` mentions |
/// | `load_user::stats()` | counts hits, misses and the like |
/// | `load_user::uncached(&db, 7)` | runs the body alone |
///
/// Of an iterator or stream there is no `peek` and no `prime`, and `refresh` stores when what it returns was consumed. `cache_if` can't be
/// asked of one.
///
/// They stand on a type of the function's name, or of the name in `companions = Name`, which is needed where there is
/// a type or a module of the function's name. A method, known by a
/// `self` or a `Self` somewhere in it, has them as associated functions `load_user_key(..)` if it has a
/// visibility, and else none: nothing can be added to a trait's methods. An attribute doesn't see the impl
/// around it, so an associated function without `self` and `Self` asks for this form by
/// `companions = "functions"`, and in an impl of a trait for none by `companions = false`. Without it, rustc says
/// "enum is not supported in `trait`s or `impl`s". The form is for impls only: beside a free function these have nothing to
/// belong to.
///
/// # A `Result` of another name
///
/// A return type is known as a `Result` by its type, so an alias works as well. But where its name is another,
/// `peek` and `prime` deal in the whole of it: `Option<Alias<User>>`. A type parameter as the return type (`-> R`) that
/// stands for a `Result` is a value like any other, and is stored whole.
#[proc_macro_attribute]
pub fn cache_memoize(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    memoize(options.into(), item.into()).into()
}

fn memoize(options: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2::<Function>(item.clone()) {
        Ok(function) => memoize_function(options, function),
        Err(error) => fallback::unchanged(&error, item),
    }
}

fn memoize_function(options: TokenStream, function: Function) -> TokenStream {
    let diag = Diag::new();
    let model = Model::new(function, Options::parse(options, &diag));
    check::check(&model, &diag);
    match diag.finish() {
        Ok(()) => expand::expand(&model),
        Err(errors) => fallback::with_stubs(&model, &errors),
    }
}
