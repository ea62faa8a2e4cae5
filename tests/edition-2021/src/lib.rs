//! Beside the tests in `Cargo.toml`, what clippy would have to say to users.

#![deny(clippy::all)]

use cache_memoize::cache_memoize;

/// Has as many arguments as clippy likes, and `prime` one more.
#[cache_memoize]
pub fn of_seven_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8 {
    a + b + c + d + e + f + g
}

/// Has more, and says so.
#[cache_memoize(key = "<a><<<b>:<c>:<d>:<e>:<f>:<g>:<h>")]
#[expect(clippy::too_many_arguments)]
pub fn of_eight_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

/// A method, whose companions are functions beside it.
#[derive(Debug)]
pub struct Table;

impl Table {
    /// Has as many arguments as clippy likes, and `prime` one more.
    #[cache_memoize(key = "<a>:<b>:<c>:<d>:<e>:<f>", skip(self), expiration = self.life())]
    pub fn cell(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) -> u8 {
        a + b + c + d + e + f
    }

    fn life(&self) -> std::time::Duration {
        let Self = self;
        std::time::Duration::from_secs(60)
    }
}
