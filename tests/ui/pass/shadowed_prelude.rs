//! Names of the prelude that mean other things, and no prelude at all.

#![deny(
    warnings,
    missing_docs,
    unused,
    unreachable_pub,
    missing_debug_implementations
)]
#![deny(unused_qualifications, single_use_lifetimes, unused_results)]

/// Every name that generated code could be tempted to use.
#[allow(missing_docs, missing_debug_implementations)]
pub mod shadows {
    pub struct Result;
    pub struct Option;
    pub struct String;
    pub struct Vec;
    pub struct Box;
    pub struct Site;
    pub trait Clone {}
    pub trait Fn {}
    pub trait FnOnce {}
    pub fn drop() {}
    #[allow(non_snake_case)]
    pub fn Ok() {}
    #[allow(non_snake_case)]
    pub fn Err() {}
    #[allow(non_snake_case)]
    pub fn Some() {}
    #[allow(non_upper_case_globals)]
    pub const None: () = ();
    pub mod core {}
    pub mod std {}
    pub mod cache_memoize {}
}

/// Types and functions with all of them in scope.
pub mod shadowed {
    #[allow(unused_imports)]
    use super::shadows::*;

    /// Twice the number.
    #[::cache_memoize::cache_memoize(key = "twice:<number>")]
    pub fn twice(number: u64) -> u64 {
        number * 2
    }

    /// Half the number.
    #[::cache_memoize::cache_memoize(expiration = 60, cache_if = |half| *half > 1)]
    pub fn half(number: u64) -> ::core::result::Result<u64, &'static str> {
        if number.is_multiple_of(2) {
            ::core::result::Result::Ok(number / 2)
        } else {
            ::core::result::Result::Err("odd")
        }
    }

    /// Twice the number, later.
    #[::cache_memoize::cache_memoize(key = "later:<number>")]
    pub async fn later(number: u64) -> u64 {
        number * 2
    }

    /// Twice the number, later, in a box.
    #[::cache_memoize::cache_memoize(key = "boxed:<number>")]
    pub fn boxed(
        number: u64,
    ) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = u64>>> {
        ::std::boxed::Box::pin(async move { number * 2 })
    }

    /// A type.
    #[derive(::core::fmt::Debug)]
    pub struct Shelf;

    impl Shelf {
        /// How long it is.
        #[::cache_memoize::cache_memoize(skip(self))]
        pub fn length(&self, unit: &str) -> ::core::option::Option<usize> {
            ::core::option::Option::Some(unit.len())
        }

        #[::cache_memoize::cache_memoize(skip(self))]
        fn inline(&self, unit: &str) -> usize {
            unit.len()
        }

        /// All of it.
        pub fn all(&self) -> usize {
            self.length("cm").unwrap_or(0) + self.inline("mm")
        }
    }
}

/// A module without the prelude.
pub mod bare {
    #![no_implicit_prelude]

    /// Twice the number.
    #[::cache_memoize::cache_memoize(key = "bare:<number:?>:<name:#>")]
    pub fn twice(number: u64, name: &str) -> u64 {
        let _ = name;
        number * 2
    }

    /// Half the number.
    #[::cache_memoize::cache_memoize]
    pub fn half(number: u64) -> ::core::result::Result<u64, ()> {
        ::core::result::Result::Ok(number / 2)
    }
}

fn main() {
    assert_eq!(shadowed::twice(4), 8);
    assert_eq!(shadowed::half::refresh(4), Ok(2));
    assert_eq!(shadowed::half::peek(4), Some(2));
    assert_eq!(shadowed::Shelf.all(), 4);
    assert_eq!(shadowed::Shelf::length_peek("cm"), Some(Some(2)));
    assert_eq!(bare::twice(4, "x"), 8);
    assert!(bare::half::prime(3, 7));
    assert_eq!(bare::half(3), Ok(7));
}
