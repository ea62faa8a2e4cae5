//! Which samples can be made without running anyone's code but serde's and that of std.
//!
//! Where a panic ends the process, a type of the user's can't be tried out. One of std can: nobody but serde may implement
//! `Deserialize` for it, and there it returns an error and doesn't panic. What it is made of may be the user's, but an
//! option or a list of that is made empty.

/// Whether anything may be tried out, since a panic would be caught.
pub(super) const PANICS_ARE_CAUGHT: bool = cfg!(not(panic = "abort"));

/// Types that are made without any of their arguments.
const MADE_EMPTY: &[&str] = &[
    "BTreeMap",
    "BTreeSet",
    "BinaryHeap",
    "HashMap",
    "HashSet",
    "LinkedList",
    "Option",
    "Vec",
    "VecDeque",
];

/// Whether a seed that Rust calls by this name runs no code of the user's.
pub(super) fn is_of_std(seed: &str) -> bool {
    let made = seed
        .strip_prefix("core::marker::PhantomData<")
        .and_then(|seed| seed.strip_suffix('>'));
    made.is_some_and(|made| paths(made).all(is_path_of_std) || is_made_empty(made))
}

fn is_made_empty(name: &str) -> bool {
    let Some((path, arguments)) = name.split_once('<') else {
        return false;
    };
    let of_std = is_path_of_std(path);
    let last = path.rsplit("::").next().unwrap_or_default();
    // A further argument makes the hasher, and may be the user's.
    let at_most = match last {
        "HashMap" | "BTreeMap" => 2,
        _ => 1,
    };
    of_std && MADE_EMPTY.contains(&last) && count(arguments) <= at_most
}

/// The paths and primitive types in the name of a type.
fn paths(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .filter(|path| !path.is_empty())
}

/// Whatever is not primitive has a path that begins with its crate.
fn is_path_of_std(path: &str) -> bool {
    match path.split_once("::") {
        Some((root, _)) => ["alloc", "core", "std"].contains(&root),
        None => true,
    }
}

/// How many arguments there are before the bracket that closes them.
fn count(arguments: &str) -> usize {
    let mut depth = 0_usize;
    let mut count = 1;
    for c in arguments.chars() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use std::any::type_name;
    use std::borrow::Cow;
    use std::cmp::Reverse;
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::hash::{BuildHasherDefault, DefaultHasher};
    use std::marker::PhantomData;
    use std::net::IpAddr;
    use std::num::NonZeroU8;
    use std::sync::Arc;
    use std::time::Duration;

    use super::is_of_std;

    #[derive(Clone)]
    struct User;

    #[derive(Default)]
    struct Hasher;

    fn is_safe<T>() -> bool {
        is_of_std(type_name::<PhantomData<T>>())
    }

    #[test]
    fn types_of_std_are_made() {
        assert!(is_safe::<u8>());
        assert!(is_safe::<()>());
        assert!(is_safe::<String>());
        assert!(is_safe::<NonZeroU8>());
        assert!(is_safe::<Duration>());
        assert!(is_safe::<IpAddr>());
        assert!(is_safe::<(u8, [Option<char>; 3])>());
        assert!(is_safe::<Box<str>>());
        assert!(is_safe::<Cow<'static, [u8]>>());
        assert!(is_safe::<Arc<Reverse<u8>>>());
        assert!(is_safe::<Result<u8, String>>());
        assert!(is_safe::<HashMap<u8, u8, BuildHasherDefault<DefaultHasher>>>());
    }

    #[test]
    fn options_and_lists_are_made_of_anything() {
        assert!(is_safe::<Option<User>>());
        assert!(is_safe::<Vec<(User, User)>>());
        assert!(is_safe::<BTreeMap<User, Vec<(User, u8)>>>());
        assert!(is_safe::<HashMap<User, u8>>());
        assert!(is_safe::<HashSet<User>>());
    }

    #[test]
    fn nothing_of_the_user_is_made() {
        assert!(!is_safe::<User>());
        assert!(!is_safe::<Box<User>>());
        assert!(!is_safe::<(u8, User)>());
        assert!(!is_safe::<[User; 2]>());
        assert!(!is_safe::<Result<u8, User>>());
        assert!(!is_safe::<Cow<'static, User>>());
        assert!(!is_safe::<HashMap<u8, u8, Hasher>>());
        assert!(!is_safe::<HashSet<u8, Hasher>>());
        assert!(
            !is_of_std(type_name::<u8>()),
            "a seed of another type runs its own code"
        );
    }
}
