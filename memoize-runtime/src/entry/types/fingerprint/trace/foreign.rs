//! Which samples can be made without running anyone's code but serde's and that of std.
//!
//! Where a panic ends the process, a type of the user's can't be tried out. One of std can: nobody but serde may implement
//! `Deserialize` for it, and there it returns an error and doesn't panic. What it is made of may be the user's, but an
//! option or a list of that is made empty.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::hash::{BuildHasherDefault, DefaultHasher, RandomState};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{NonZero, Saturating, Wrapping};
use std::ops::{Bound, Range, RangeFrom, RangeInclusive, RangeTo};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16,
    AtomicU32, AtomicU64, AtomicUsize,
};
use std::sync::{Arc, LazyLock, Mutex, RwLock};
use std::time::{Duration, SystemTime};

/// What becomes of a panic in the program that a trace is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panics {
    /// Anything may be tried out.
    AreCaught,
    /// Only what is sure not to panic.
    Abort,
}

impl Panics {
    pub(crate) const OF_THIS_BUILD: Self = if cfg!(panic = "abort") {
        Self::Abort
    } else {
        Self::AreCaught
    };
}

/// What these types are called, without their arguments.
macro_rules! paths_of {
    ($($type:ty),* $(,)?) => {
        [$(without_arguments(type_name::<$type>())),*]
    };
}

/// Types that are made without any of their arguments.
static MADE_EMPTY: LazyLock<[&str; 9]> = LazyLock::new(|| {
    paths_of![
        BTreeMap<u8, u8>,
        BTreeSet<u8>,
        BinaryHeap<u8>,
        HashMap<u8, u8>,
        HashSet<u8>,
        LinkedList<u8>,
        Option<u8>,
        Vec<u8>,
        VecDeque<u8>,
    ]
});

/// The other types of std that serde reads, and what hashes for them. A crate of the user's may have a name of std's, so each is
/// listed, as this compiler calls it.
static OF_STD: LazyLock<[&str; 50]> = LazyLock::new(|| {
    paths_of![
        Arc<u8>,
        AtomicBool,
        AtomicI8,
        AtomicI16,
        AtomicI32,
        AtomicI64,
        AtomicIsize,
        AtomicU8,
        AtomicU16,
        AtomicU32,
        AtomicU64,
        AtomicUsize,
        Bound<u8>,
        Box<u8>,
        BuildHasherDefault<DefaultHasher>,
        CStr,
        CString,
        Cell<u8>,
        Cow<'_, str>,
        DefaultHasher,
        Duration,
        IpAddr,
        Ipv4Addr,
        Ipv6Addr,
        Mutex<u8>,
        NonZero<u8>,
        OsStr,
        OsString,
        Path,
        PathBuf,
        PhantomData<u8>,
        RandomState,
        Range<u8>,
        RangeFrom<u8>,
        RangeInclusive<u8>,
        RangeTo<u8>,
        Rc<u8>,
        std::rc::Weak<u8>,
        RefCell<u8>,
        Result<u8, u8>,
        Reverse<u8>,
        RwLock<u8>,
        Saturating<u8>,
        SocketAddr,
        SocketAddrV4,
        SocketAddrV6,
        String,
        SystemTime,
        std::sync::Weak<u8>,
        Wrapping<u8>,
    ]
});

/// Whether a seed that Rust calls by this name runs no code of the user's.
pub(super) fn is_of_std(seed: &str) -> bool {
    let made = seed
        .strip_prefix("core::marker::PhantomData<")
        .and_then(|seed| seed.strip_suffix('>'));
    made.is_some_and(|made| paths(made).all(is_path_of_std) || is_made_empty(made))
}

/// Whether a type that Rust calls by this name is one of std's, whatever it is made of.
pub(super) fn is_type_of_std(name: &str) -> bool {
    let path = without_arguments(name);
    path.contains("::") && is_path_of_std(path)
}

fn is_made_empty(name: &str) -> bool {
    let Some((path, arguments)) = name.split_once('<') else {
        return false;
    };
    // A further argument makes the hasher, and may be the user's.
    let at_most = if path.ends_with("Map") { 2 } else { 1 };
    MADE_EMPTY.contains(&path) && count(arguments) <= at_most
}

/// The paths and primitive types in the name of a type.
fn paths(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .filter(|path| !path.is_empty())
}

/// Whatever is not primitive has a path, which begins with its crate.
fn is_path_of_std(path: &str) -> bool {
    !path.contains("::") || OF_STD.contains(&path) || MADE_EMPTY.contains(&path)
}

fn without_arguments(name: &str) -> &str {
    name.split('<').next().unwrap_or_default()
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
    fn a_crate_that_is_called_as_one_of_std_is_the_users() {
        for path in [
            "core::Strict",
            "alloc::User",
            "std::domain::Name",
            "core::vec::Vec<u8>",
        ] {
            assert!(
                !is_of_std(&format!("core::marker::PhantomData<{path}>")),
                "{path}"
            );
        }
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
