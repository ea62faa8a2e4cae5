//! Whether the order of elements and entries counts in a digest: for keys as serde has it, for comparing values as is found out
//! of each sequence and map by itself.

/// What counts of a value.
#[derive(Clone, Copy)]
pub(crate) struct View<'v> {
    pub(crate) order: Order<'v>,
    /// Which of two forms a type takes that has one for people.
    pub(crate) is_human_readable: bool,
}

/// Where the order counts in which elements and entries are given.
#[derive(Clone, Copy)]
pub(crate) enum Order<'v> {
    InSequences,
    As(&'v dyn Arrangement),
}

/// Decides about the order of each sequence and map by itself.
pub(crate) trait Arrangement {
    /// One begins here.
    fn of(&self, path: Path) -> Arranged;

    /// The digests of what was in it, in the order in which it was given; of one that isn't sorted the first [`MAX_TOLD`].
    fn ended(&self, path: Path, parts: &[[u8; 32]]);
}

/// Elements of a sequence that is not sorted, of which digests are taken one by one.
pub(crate) const MAX_TOLD: usize = 1024;

/// How the parts of a sequence or map are taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arranged {
    /// Their order doesn't count.
    pub(crate) sorted: bool,
    /// [`Arrangement::ended`] is to be told of them, too.
    pub(crate) told: bool,
    /// The values of a map may be as different as fields of a struct, so that each key leads to another place.
    pub(crate) by_key: bool,
}

/// The way to a part of a value, all elements of a sequence being in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path(u64);

impl Path {
    pub(super) const ROOT: Self = Self(0);
    pub(super) const INSIDE: u64 = 1;
    pub(super) const BEHIND: u64 = 2;
    pub(super) const KEY: u64 = 3;
    pub(super) const VALUE: u64 = 4;
    pub(super) const VARIANTS: u64 = 5;

    pub(crate) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn step(self, step: u64) -> Self {
        Self((self.0.rotate_left(23) ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

impl View<'_> {
    pub(super) const OF_KEYS: Self = Self {
        order: Order::InSequences,
        is_human_readable: false,
    };

    pub(super) fn of_sequence(self, path: Path) -> Arranged {
        match self.order {
            Order::InSequences => Arranged::default(),
            Order::As(arrangement) => arrangement.of(path),
        }
    }

    pub(super) fn of_map(self, path: Path) -> Arranged {
        match self.order {
            Order::InSequences => Arranged {
                sorted: true,
                ..Arranged::default()
            },
            Order::As(arrangement) => arrangement.of(path),
        }
    }

    pub(super) fn ended(self, path: Path, parts: &[[u8; 32]]) {
        if let Order::As(arrangement) = self.order {
            arrangement.ended(path, parts);
        }
    }
}
