//! The names that the attribute's code uses. Nothing here is meant for anybody else, or stays as it is.

pub use crate::call::{Call, Find, Key, OkOf};
pub use crate::site::Site;
