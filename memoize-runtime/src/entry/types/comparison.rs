//! Whether what is read back is what was written.
//!
//! Serde tells a hash set from a list as little as a hash map from a map that is a list of pairs in truth, whose order is part of
//! the value. So the order counts, but for what is known to be hashed; and for what may be hashed, as far as anybody knows, and is
//! in another order each time that it is read. That is found out of each place in the value by itself.
//!
//! What is read through a hash map by the way comes back in its own order by chance, two elements every other time. So lists in
//! types of the user's are read several times, as far as there is time for it, until that is unlikely to have been chance. That says
//! nothing of what is rearranged alike each time, as by sorting: only a value that isn't sorted shows it, and for itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Deref;
use std::time::Instant;

use serde::Serialize;
use twox_hash::XxHash3_64;

use super::conform::{Begun, Course, Passage, Trial, Watch};
use super::fingerprint::Shape;
use super::fingerprint::shape::{Hashed, Shown};
use crate::backend::Deadline;
use crate::entry::header::Codec;
use crate::key::digest::{Arranged, Arrangement, MAX_TOLD, Order, Path, View, digest_in};

/// How often a value that is in another order is read again, at most, to see what is in another order then.
const READS: usize = 16;

/// Of a large value twice, since many elements are hardly ever in the same order by chance: no more bytes than this are read else.
const MAX_BYTES: usize = 2 << 20;

/// Compares values of one type.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'s> {
    pub(super) shape: &'s Shape,
    pub(super) codec: Codec,
    /// Of the value that is compared.
    pub(super) bytes: usize,
    pub(super) deadline: Deadline,
}

/// What came of a comparison.
pub(super) enum Verdict {
    /// It comes back, as far as was to be shown, and this was shown.
    Same(Evidence),
    /// It came back so far, which may have been chance.
    Undecided(Evidence),
    /// Another value came back.
    Another {
        /// It differs in nothing but the order.
        by_order: bool,
    },
}

/// What was shown by a value.
pub(super) struct Evidence {
    /// How many bits of what it went through.
    pub(super) bits: BTreeMap<Passage, u32>,
    /// Parts of it were written by other code than what is derived, which may write another value otherwise.
    pub(super) has_writers: bool,
}

impl Comparison<'_> {
    /// Whether serde sees the same in `value` as in what `read` gives, kinds and names included, each time; `known` are the bits
    /// that were shown of a passage by other values.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn compare<T: Serialize, B: Deref<Target = T>, E>(
        self,
        value: &T,
        read: impl Fn() -> Result<B, E>,
        known: impl Fn(Passage) -> u32,
    ) -> Result<Verdict, E> {
        // Others may learn more meanwhile, and how a value is looked at depends on it.
        let kept = RefCell::new(BTreeMap::new());
        let known = |passage| {
            let mut kept = kept.borrow_mut();
            *kept.entry(passage).or_insert_with(|| known(passage))
        };
        let mut patience = Patience::new(self);
        let mut unordered = HashSet::new();
        let mut back = read()?;
        let mut seen = self.view(&unordered, &known, value);
        let mut times = 1;
        loop {
            if !seen.is_as(&self.view(&unordered, &known, &*back)) {
                if !self.find_unordered(
                    &mut unordered,
                    &known,
                    value,
                    &back,
                    &read,
                    &mut patience,
                )? {
                    let by_order = self.orders(value).is_sorted_as(&self.orders(&*back));
                    return Ok(Verdict::Another { by_order });
                }
                seen = self.view(&unordered, &known, value);
            }
            if seen
                .trials
                .iter()
                .all(|(passage, trial)| trial.is_done(times, known(*passage)))
            {
                return Ok(Verdict::Same(seen.evidence(times)));
            }
            if !patience.has_more() {
                let may_be_chance = seen.trials.iter().any(|(passage, trial)| {
                    trial.shown != Shown::Few && !trial.is_done(times, known(*passage))
                });
                let evidence = seen.evidence(times);
                return Ok(if may_be_chance {
                    Verdict::Undecided(evidence)
                } else {
                    Verdict::Same(evidence)
                });
            }
            back = read()?;
            times += 1;
        }
    }

    /// Adds what is in another order each time, if the value came `back` as another one for no other reason.
    fn find_unordered<T: Serialize, B: Deref<Target = T>, E>(
        self,
        unordered: &mut HashSet<Path>,
        known: &dyn Fn(Passage) -> u32,
        value: &T,
        back: &T,
        read: impl Fn() -> Result<B, E>,
        patience: &mut Patience,
    ) -> Result<bool, E> {
        let (written, first) = (self.orders(value), self.orders(back));
        if !written.is_sorted_as(&first) || written.of == first.of {
            return Ok(false);
        }
        for _ in 0..READS {
            if !patience.has_more() {
                break;
            }
            let again = self.orders(&*read()?);
            let found = unordered.len();
            let differing = first
                .of
                .iter()
                .filter(|(path, order)| again.of.get(path) != Some(order));
            unordered.extend(differing.map(|(path, _)| *path));
            if unordered.len() == found {
                continue;
            }
            if self
                .view(unordered, known, value)
                .is_as(&self.view(unordered, known, back))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The value without the order of what is `unordered`.
    fn view<T: Serialize>(
        self,
        unordered: &HashSet<Path>,
        known: &dyn Fn(Passage) -> u32,
        value: &T,
    ) -> Seen {
        let course = Course::default();
        let sorting = Sorting {
            course: &course,
            unordered,
            known,
            open: RefCell::default(),
        };
        let digest = self.digest(&course, &sorting, value);
        Seen {
            digest,
            has_writers: course.has_writers(),
            trials: course.into_gone_through(),
        }
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

impl Trial {
    /// Whether this many readings show enough, beside the bits that are known.
    fn is_done(self, times: u32, known: u32) -> bool {
        let known = if self.shown.is_by_each() { 0 } else { known };
        // One that shows nothing has no other order.
        self.bits == 0 || known.saturating_add(self.bits.saturating_mul(times)) >= Self::CERTAIN
    }
}

/// How often a value may be read again.
struct Patience {
    reads: usize,
    until: Option<Instant>,
}

impl Patience {
    fn new(of: Comparison<'_>) -> Self {
        Self {
            reads: (MAX_BYTES / of.bytes.max(1)).max(2),
            // The rest is for storing it.
            until: of.deadline.halfway().moment(),
        }
    }

    fn has_more(&mut self) -> bool {
        let is_late = self.until.is_some_and(|until| until <= Instant::now());
        if self.reads == 0 || is_late {
            return false;
        }
        self.reads -= 1;
        true
    }
}

/// What was seen of a value.
struct Seen {
    digest: Option<[u8; 32]>,
    has_writers: bool,
    trials: BTreeMap<Passage, Trial>,
}

impl Seen {
    fn is_as(&self, other: &Self) -> bool {
        are_equal(self.digest, other.digest)
    }

    /// What so many readings show for other values.
    fn evidence(&self, times: u32) -> Evidence {
        let bits = |trial: &Trial| {
            if trial.shown.is_by_each() {
                0
            } else {
                trial.bits.saturating_mul(times)
            }
        };
        let trials = self.trials.iter();
        Evidence {
            bits: trials
                .map(|(passage, trial)| (*passage, bits(trial)))
                .collect(),
            has_writers: self.has_writers,
        }
    }
}

fn are_equal<T: Copy + PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && one == other
}

/// Passes over the order of what is hashed, or was found to be without one.
struct Sorting<'a> {
    course: &'a Course,
    unordered: &'a HashSet<Path>,
    /// The bits that were shown of a passage.
    known: &'a dyn Fn(Passage) -> u32,
    /// The lists and maps that the value is in the middle of, and whether they are sorted.
    open: RefCell<Vec<(Begun, bool)>>,
}

impl Arrangement for Sorting<'_> {
    fn of(&self, path: Path) -> Arranged {
        let Some(begun) = self.course.begun() else {
            return Arranged::default();
        };
        let sorted = match begun.order.hashed {
            Hashed::Yes => true,
            Hashed::No => false,
            Hashed::Perhaps => self.unordered.contains(&path),
        };
        let known = (self.known)(begun.passage(path.number()));
        let told = known < Trial::CERTAIN || begun.order.shown.is_by_each();
        if told {
            self.open.borrow_mut().push((begun, sorted));
        }
        Arranged {
            sorted,
            told,
            // Where nothing is without an order, places don't count, and each takes a digest.
            by_key: begun.order.hashed != Hashed::Yes && !self.unordered.is_empty(),
        }
    }

    fn ended(&self, path: Path, parts: &[[u8; 32]]) {
        let Some((begun, sorted)) = self.open.borrow_mut().pop() else {
            return;
        };
        if !parts.is_empty()
            && let Some(passage) = begun.element()
        {
            self.course.adds(passage, Trial::OF_BRANCH);
        }
        if parts.len() > 1 {
            let shown = begun.order.shown;
            let bits = if sorted || shown == Shown::EachOnce {
                Trial::CERTAIN
            } else {
                bits(parts)
            };
            let passage = begun.passage(path.number());
            self.course.adds(passage, Trial { bits, shown });
        }
    }
}

/// How many bits it takes to tell the order of `parts` from others: no more than there are.
fn bits(parts: &[[u8; 32]]) -> u32 {
    let mut different = BTreeSet::new();
    for part in parts {
        different.insert(part);
        if different.len() > Trial::CERTAIN as usize {
            break;
        }
    }
    // Each one more is at one of two places at least.
    let of_all_different = different.len() - 1;
    let of_one_different = if of_all_different > 0 || parts.len() == MAX_TOLD {
        parts.len().ilog2()
    } else {
        0
    };
    u32::try_from(of_all_different).map_or(Trial::CERTAIN, |bits| bits.max(of_one_different))
}

/// The orders of all that may be hashed in a value.
struct Orders {
    /// The digest of the value without any order.
    sorted: Option<[u8; 32]>,
    /// All orders that there are at a place, with what they are orders of.
    of: HashMap<Path, u64>,
}

impl Orders {
    fn is_sorted_as(&self, other: &Self) -> bool {
        are_equal(self.sorted, other.sorted)
    }
}

struct Recording<'a> {
    course: &'a Course,
    orders: RefCell<HashMap<Path, u64>>,
}

impl Arrangement for Recording<'_> {
    fn of(&self, _: Path) -> Arranged {
        let hashed = self
            .course
            .begun()
            .map_or(Hashed::Perhaps, |begun| begun.order.hashed);
        Arranged {
            sorted: true,
            told: hashed == Hashed::Perhaps,
            by_key: hashed != Hashed::Yes,
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

#[cfg(test)]
mod tests {
    use std::convert::identity;
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::Cacheable;
    use crate::entry::{StoredType, Unencodable, shape_of};

    /// Not seen to be read as just what it is.
    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Ranking(Vec<u8>);

    fn stored<T: Cacheable>() -> StoredType {
        let shape = shape_of::<T>(Codec::Postcard).expect("no other type is being traced");
        StoredType::new(shape, Codec::Postcard, identity)
    }

    fn encode<T: Cacheable>(
        stored: &StoredType,
        value: &T,
        deadline: Deadline,
    ) -> Result<(), Unencodable> {
        stored.encode(value, &mut Vec::new(), &|| deadline)
    }

    /// It is read once each time.
    #[test]
    fn where_time_is_up_the_next_value_goes_on() {
        let (stored, late) = (stored::<Ranking>(), Deadline::after(Duration::ZERO));
        let two = || Ranking(vec![2, 1]);
        for _ in 1..Trial::CERTAIN {
            let encoded = encode(&stored, &two(), late);
            assert_eq!(encoded, Err(Unencodable::Undecided));
        }
        assert_eq!(encode(&stored, &two(), late), Ok(()));
        assert_eq!(encode(&stored, &two(), late), Ok(()));
    }

    #[test]
    fn a_list_of_std_is_stored_even_where_time_is_up() {
        let late = Deadline::after(Duration::ZERO);
        let of_list = stored::<(u8, Option<Vec<u8>>)>();
        assert_eq!(encode(&of_list, &(1_u8, Some(vec![2_u8, 1])), late), Ok(()));
    }

    #[test]
    fn where_there_is_time_the_first_value_shows_all() {
        let stored = stored::<Ranking>();
        assert_eq!(
            encode(&stored, &Ranking(vec![2, 1]), Deadline::NEVER),
            Ok(())
        );
    }

    #[test]
    fn bits_are_no_more_than_tell_the_orders_apart() {
        let parts = |parts: &[u8]| bits(&parts.iter().map(|part| [*part; 32]).collect::<Vec<_>>());
        assert_eq!(
            [parts(&[1, 1]), parts(&[1, 2]), parts(&[1, 2, 1, 2, 1])],
            [0, 1, 2]
        );
        assert_eq!([parts(&[1; 20]), parts(&[1, 2, 3, 4, 5])], [0, 4]);
        let many: Vec<u8> = (0..=255).collect();
        assert_eq!(parts(&many), Trial::CERTAIN);
        // What stands behind these is not looked at.
        assert_eq!(parts(&[1; MAX_TOLD]), 10);
    }
}
