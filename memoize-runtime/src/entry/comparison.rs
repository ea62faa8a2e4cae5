//! Whether what is read back is what was written.
//!
//! Serde tells a hash set from a list as little as a hash map from a map that is a list of pairs in truth, whose order is part of
//! the value. So the order counts, but for what is called a hash set or map; and for what is in another order each time that it
//! is read, as only what is hashed is.

use std::cell::Cell;

use serde::Serialize;

use super::conform::Watch;
use super::fingerprint::Shape;
use super::header::Codec;
use crate::key::digest::{Order, View, digest_in};

/// How often a value is read to see whether it is in another order each time.
const READS: usize = 16;

/// Compares values of one type.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'s> {
    pub(super) shape: &'s Shape,
    pub(super) codec: Codec,
}

impl Comparison<'_> {
    /// Whether serde sees the same in `value` as in what `read` gives, kinds and names included.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn comes_back<T: Serialize, E>(
        self,
        value: &T,
        read: impl Fn() -> Result<T, E>,
    ) -> Result<bool, E> {
        let back = read()?;
        if self.are_same_but_for_hashes(value, &back) {
            return Ok(true);
        }
        // An `untagged` enum may be read as a set that was written as a list, and is then in another order each time.
        let order = if self.shape.has_unseen() {
            Order::InSequences
        } else {
            Order::Nowhere
        };
        if !self.are_same_in(order, value, &back) {
            return Ok(false);
        }
        for _ in 0..READS {
            if !self.are_same_but_for_hashes(&back, &read()?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn are_same_in<T: Serialize>(self, order: Order<'_>, one: &T, other: &T) -> bool {
        let view = self.view(order);
        are_equal(digest_in(view, one), digest_in(view, other))
    }

    /// The order counts everywhere but in what is called a hash set or map.
    fn are_same_but_for_hashes<T: Serialize>(self, one: &T, other: &T) -> bool {
        let shape = self.shape.told_apart();
        let is_hashed = Cell::new(false);
        let digest = |value: &T| {
            let watch = Watch::announcing(shape, self.codec, &is_hashed);
            digest_in(
                self.view(Order::Unless(&is_hashed)),
                &watch.root().watched(value),
            )
        };
        are_equal(digest(one), digest(other))
    }

    fn view(self, order: Order<'_>) -> View<'_> {
        View {
            order,
            is_human_readable: self.codec.is_human_readable(),
        }
    }
}

fn are_equal<T: PartialEq, E>(one: Result<T, E>, other: Result<T, E>) -> bool {
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}
