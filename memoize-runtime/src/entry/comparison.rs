//! Whether what is read back is what was written.
//!
//! Serde tells a hash set from a list as little as a hash map from a map that is a list of pairs in truth, whose order is part of
//! the value. So the order counts, but for what is known to be hashed; and for what may be hashed, as far as anybody knows, and is
//! in another order each time that it is read. That is found out of each place in the value by itself.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;
use twox_hash::XxHash3_64;

use super::conform::{Course, Passage, Watch};
use super::fingerprint::Shape;
use super::fingerprint::shape::Hashed;
use super::header::Codec;
use crate::key::digest::{Arranged, Arrangement, Order, Path, View, digest_in};

/// How often a value is read again, at most, to see what is in another order then.
const READS: usize = 16;

/// Of a large value twice, since many elements are hardly ever in the same order by chance: no more bytes than this are read else.
const MAX_BYTES: usize = 256 << 10;

/// Compares values of one type.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'s> {
    pub(super) shape: &'s Shape,
    pub(super) codec: Codec,
    /// Of the value that is compared.
    pub(super) bytes: usize,
}

impl Comparison<'_> {
    /// What the value went through, if serde sees the same in it as in what `read` gives, kinds and names included.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn comes_back<T: Serialize, E>(
        self,
        value: &T,
        read: impl Fn() -> Result<T, E>,
    ) -> Result<Option<BTreeSet<Passage>>, E> {
        let back = read()?;
        let mut unordered = HashSet::new();
        if let Some(same) = self.are_same(&unordered, value, &back) {
            return Ok(Some(same));
        }
        let (written, first) = (self.orders(value), self.orders(&back));
        if !are_equal(written.sorted, first.sorted) || written.of == first.of {
            return Ok(None);
        }
        let reads = READS.min((MAX_BYTES / self.bytes.max(1)).max(2));
        for _ in 0..reads {
            let again = self.orders(&read()?);
            let known = unordered.len();
            let differing = first
                .of
                .iter()
                .filter(|(path, order)| again.of.get(path) != Some(order));
            unordered.extend(differing.map(|(path, _)| *path));
            if unordered.len() == known {
                continue;
            }
            if let Some(same) = self.are_same(&unordered, value, &back) {
                return Ok(Some(same));
            }
        }
        Ok(None)
    }

    /// What `one` goes through, if `other` is the same but for the order of what is `unordered`.
    fn are_same<T: Serialize>(
        self,
        unordered: &HashSet<Path>,
        one: &T,
        other: &T,
    ) -> Option<BTreeSet<Passage>> {
        let digest = |value| {
            let course = Course::default();
            let sorting = Sorting {
                course: &course,
                unordered,
            };
            let digest = self.digest(&course, &sorting, value);
            (digest, course)
        };
        let ((one, course), (other, _)) = (digest(one), digest(other));
        are_equal(one, other).then(|| course.into_gone_through())
    }

    fn orders<T: Serialize>(self, value: &T) -> Orders {
        let course = Course::default();
        let recording = Recording {
            course: &course,
            orders: RefCell::default(),
        };
        let sorted = self.digest(&course, &recording, value);
        Orders {
            sorted,
            of: recording.orders.into_inner(),
        }
    }

    /// `None` where the value can't be written, or not as it would be read.
    fn digest<T: Serialize>(
        self,
        course: &Course,
        arrangement: &dyn Arrangement,
        value: &T,
    ) -> Option<[u8; 32]> {
        let view = View {
            order: Order::As(arrangement),
            is_human_readable: self.codec.is_human_readable(),
        };
        let watch = Watch::telling(self.shape.told_apart(), self.codec, course);
        let digest = digest_in(view, &watch.root().watched(value)).ok()?;
        (!watch.has_failed()).then_some(digest)
    }
}

fn are_equal<T: Copy + PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && one == other
}

/// Passes over the order of what is hashed, or was found to be without one.
struct Sorting<'a> {
    course: &'a Course,
    unordered: &'a HashSet<Path>,
}

impl Arrangement for Sorting<'_> {
    fn of(&self, path: Path) -> Arranged {
        let begun = self.course.begun();
        Arranged {
            sorted: match begun {
                Hashed::Yes => true,
                Hashed::No => false,
                Hashed::Perhaps => self.unordered.contains(&path),
            },
            told: false,
            // Where nothing is without an order, places don't count, and each takes a digest.
            by_key: begun != Hashed::Yes && !self.unordered.is_empty(),
        }
    }

    fn ended(&self, _: Path, _: &[[u8; 32]]) {}
}

/// The orders of all that may be hashed in a value.
struct Orders {
    /// The digest of the value without any order.
    sorted: Option<[u8; 32]>,
    /// All orders that there are at a place, with what they are orders of.
    of: HashMap<Path, u64>,
}

struct Recording<'a> {
    course: &'a Course,
    orders: RefCell<HashMap<Path, u64>>,
}

impl Arrangement for Recording<'_> {
    fn of(&self, _: Path) -> Arranged {
        let begun = self.course.begun();
        Arranged {
            sorted: true,
            told: begun == Hashed::Perhaps,
            by_key: begun != Hashed::Yes,
        }
    }

    fn ended(&self, path: Path, parts: &[[u8; 32]]) {
        let mut sorted = parts.to_vec();
        sorted.sort_unstable();
        let content = XxHash3_64::oneshot(sorted.as_flattened());
        let order = XxHash3_64::oneshot_with_seed(content, parts.as_flattened());
        // What is around them may have no order, so theirs must not count.
        let mut orders = self.orders.borrow_mut();
        let all = orders.entry(path).or_default();
        *all = all.wrapping_add(order);
    }
}
