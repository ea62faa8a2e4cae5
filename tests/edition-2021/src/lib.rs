//! Beside the tests in `Cargo.toml`, what clippy would have to say to users, pedantic ones too.

#![deny(clippy::all, clippy::pedantic)]

use cache_memoize::cache_memoize;

/// Has as many arguments as clippy likes, and `prime` one more.
#[cache_memoize]
#[must_use]
pub fn of_seven_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8 {
    a + b + c + d + e + f + g
}

/// Has more, and says so.
#[cache_memoize(key = "<a><<<b>:<c>:<d>:<e>:<f>:<g>:<h>")]
#[expect(clippy::too_many_arguments)]
#[must_use]
pub fn of_eight_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

/// A method, whose companions are functions beside it.
#[derive(Debug)]
pub struct Table;

impl Table {
    /// A function of the type, which does not see `self`.
    #[cache_memoize(companions = "functions")]
    #[must_use]
    pub fn doubled(a: u32) -> u32 {
        a.checked_mul(2).unwrap_or(a)
    }

    /// Has as many arguments as clippy likes, and `prime` one more.
    #[cache_memoize(key = "<n1>:<n2>:<n3>:<n4>:<n5>:<n6>", skip(self), expiration = self.life())]
    #[must_use]
    pub fn cell(&self, n1: u8, n2: u8, n3: u8, n4: u8, n5: u8, n6: u8) -> u8 {
        n1 + n2 + n3 + n4 + n5 + n6
    }

    /// Lacks the docs of its error and its panic, and says so.
    #[cache_memoize(skip(self))]
    #[expect(clippy::missing_errors_doc, clippy::missing_panics_doc)]
    pub fn undocumented(&self, a: &str) -> Result<u32, String> {
        let Self = self;
        let a: i64 = a.parse().unwrap();
        u32::try_from(a).map_err(|error| error.to_string())
    }

    /// Has as many with itself, may fail, and may panic.
    ///
    /// # Errors
    ///
    /// If `a` is negative.
    ///
    /// # Panics
    ///
    /// If `a` is no number at all.
    #[cache_memoize(skip(self))]
    pub fn row(&self, a: &str, n2: u8, n3: u8, n4: u8, n5: u8, n6: u8) -> Result<u32, String> {
        let Self = self;
        let a: i64 = a.parse().unwrap();
        let a = u32::try_from(a).map_err(|error| error.to_string())?;
        Ok(a + u32::from(n2 + n3 + n4 + n5 + n6))
    }

    fn life(&self) -> std::time::Duration {
        let Self = self;
        std::time::Duration::from_secs(60)
    }
}

/// A free function that may fail, and may panic.
///
/// # Errors
///
/// If `a` is negative.
///
/// # Panics
///
/// If `a` is no number at all.
#[cache_memoize(key = "<a>")]
pub fn parsed(a: &str) -> Result<u32, String> {
    let a: i64 = a.parse().unwrap();
    u32::try_from(a).map_err(|error| error.to_string())
}
