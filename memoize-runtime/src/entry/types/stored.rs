//! How the values of one function become the bytes of its entries, and come back.
//!
//! All that can be found out about a type once is found out here, at the function's first call: its shape, the fingerprint,
//! and whether the codec can hold it. What depends on the value is looked at with each write.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::identity;
use std::ops::Deref;
use std::sync::{Mutex, RwLock};

use serde::de::DeserializeOwned;

use super::comparison::{Comparison, Verdict};
use super::conform::{Divergence, Fault, Watch};
use super::fingerprint::shape::{Node, Scalar, Shape};
use super::fingerprint::{Fingerprint, Panics, trace};
use super::nesting::{Level, is_busy};
use super::proof::{Proof, Wanted};
use super::refusal::{Refusal, without_key};
use crate::Cacheable;
use crate::backend::Deadline;
use crate::entry::codec::Buffer;
use crate::entry::header::Codec;
use crate::entry::reject::Reject;
use crate::guard::{discard, guard};
use crate::locks::{lock, unpoisoned};
use crate::observe::{self, Function};

/// The type that one function stores, its codec, and what is known of the two.
#[derive(Debug)]
pub(crate) struct StoredType {
    /// What Rust calls the type, where no function tells logs which one it is.
    name: Option<&'static str>,
    codec: Codec,
    fingerprint: u64,
    shape: Shape,
    refusal: Option<Refusal>,
    proof: Proof,
    /// What was logged already; `None` where nothing is.
    told: Option<Mutex<Vec<Told>>>,
}

/// A reason for which something is not stored, and the way to it.
type Told = (&'static str, String);

/// Reports of one type; there are as many as fields, at most, and a tuple may have any number.
const MAX_TOLD: usize = 64;

/// Why a value has no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unencodable {
    /// Its `Serialize` failed or panicked, or the codec has no form for it.
    Failed,
    /// It would have been read back as another value.
    Diverged(Divergence),
    /// What was written could not be read.
    Unreadable,
    /// What was read is another value than what was written.
    Asymmetric,
    /// The time that there was didn't do to find out whether what was read back came in its order by chance.
    Undecided,
    /// What was read back panicked when it was dropped.
    Undroppable,
    /// It was to be stored from within the `Serialize` or `Deserialize` of such a value.
    Nested,
}

impl Unencodable {
    fn of_the_whole(fault: Fault) -> Self {
        Self::Diverged(Divergence {
            fault,
            path: String::new(),
        })
    }

    pub(crate) fn why(&self) -> &'static str {
        match self {
            Self::Failed => Fault::Failed.text(),
            Self::Diverged(divergence) => divergence.fault.text(),
            Self::Unreadable => {
                "it could not be read back; make `Deserialize` take what `Serialize` writes, which inside of `untagged`, \
                 `tag` and `flatten` can't be a number of 128 bits"
            }
            Self::Asymmetric => {
                "read back it was another value; make `Serialize` and `Deserialize` agree, \
                 and the variants of an `untagged` enum differ in form"
            }
            Self::Undecided => {
                "whether its lists are read in their order is not known yet, as reading it takes too long to do it often; \
                 it will be after some more calls"
            }
            Self::Undroppable => {
                "its `Drop` panicked on a copy that was read back; let `Drop` return, since what is stored is copied and dropped"
            }
            Self::Nested => "it was to be stored while another value of its type was",
        }
    }

    /// The way to what is at fault; empty where that is the value itself.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Diverged(divergence) => &divergence.path,
            Self::Failed
            | Self::Unreadable
            | Self::Asymmetric
            | Self::Undecided
            | Self::Undroppable
            | Self::Nested => "",
        }
    }
}

impl StoredType {
    /// For values of this shape. `of_function` adds to the fingerprint what isn't the type's.
    pub(crate) fn new(
        shape: Shape,
        codec: Codec,
        of_function: impl FnOnce(Fingerprint) -> Fingerprint,
    ) -> Self {
        let fingerprint = of_function(Fingerprint::new(&shape, codec)).finish();
        let refusal = Refusal::of(&shape, codec);
        Self {
            name: None,
            codec,
            fingerprint,
            shape,
            refusal,
            proof: Proof::new(),
            told: Some(Mutex::new(Vec::new())),
        }
    }

    /// For a call that comes from the `Serialize` or `Deserialize` of the type that it returns, or of one that is being
    /// traced: it runs uncached, and says nothing.
    pub(crate) fn unstored() -> &'static Self {
        static UNSTORED: StoredType = StoredType {
            name: None,
            codec: Codec::Postcard,
            fingerprint: 0,
            shape: Shape::EMPTY,
            refusal: Some(Refusal {
                path: String::new(),
                why: Cow::Borrowed(
                    "it was called by the type that it returns, while that was being read or written",
                ),
            }),
            proof: Proof::new(),
            told: None,
        };
        &UNSTORED
    }

    /// Itself, for a new call, unless that is one from within.
    #[inline]
    pub(crate) fn unless_busy(&'static self) -> &'static Self {
        if is_busy(self) {
            Self::unstored()
        } else {
            self
        }
    }

    /// For the type `T` where there is no function; each type and codec is traced once in a process.
    pub(crate) fn of<T: Cacheable>(codec: Codec) -> &'static Self {
        /// Never freed: there are no more than types in the program.
        static KNOWN: RwLock<Option<HashMap<(TypeId, Codec), &'static StoredType>>> =
            RwLock::new(None);
        let key = (typeid::of::<T>(), codec);
        let known = unpoisoned(KNOWN.read());
        if let Some(known) = known.as_ref().and_then(|known| known.get(&key)) {
            return known.unless_busy();
        }
        drop(known);
        // The user's code runs in here, so not under the lock. Another thread may do the same; one result is kept.
        let Some(shape) = shape_of::<T>(codec) else {
            return Self::unstored();
        };
        let made = Self {
            name: Some(type_name::<T>()),
            ..Self::new(shape, codec, identity)
        };
        let mut known = unpoisoned(KNOWN.write());
        let stored: &'static Self = match known.get_or_insert_default().entry(key) {
            Entry::Occupied(first) => return first.get().unless_busy(),
            Entry::Vacant(place) => place.insert(Box::leak(Box::new(made))),
        };
        drop(known);
        observe::traced(Function(None), stored);
        stored.unless_busy()
    }

    /// What logs call the type, where they name no function of it.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.name
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Whether nobody was told of the refusal before.
    pub(crate) fn tells_refusal(&self) -> bool {
        self.tells("refused", "")
    }

    /// Whether nobody was told of this before: that there is a `fault`, at the end of this way.
    pub(crate) fn tells(&self, fault: &'static str, path: &str) -> bool {
        let Some(told) = &self.told else { return false };
        let mut told = lock(told);
        let is_new =
            told.len() < MAX_TOLD && !told.iter().any(|(known, at)| *known == fault && at == path);
        if is_new {
            told.push((fault, path.to_owned()));
        }
        is_new
    }

    /// The parts in which a change would not be seen, as many of them as are told.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let found = self.shape.find_all(|node| match node {
            Node::Unseen(_) => Some(()),
            _ => None,
        });
        let mut paths: Vec<String> = Vec::new();
        for path in found.map(|(path, ())| without_key(path)) {
            // Of a map whose keys are unseen, the values go without saying.
            let is_told = |whole: &String| path == *whole || path.strip_suffix("{}") == Some(whole);
            if !paths.iter().any(is_told) {
                paths.push(path);
            }
            if paths.len() == MAX_TOLD {
                break;
            }
        }
        paths
    }

    /// Appends the bytes of a value that will be read back as the same one, as far as serde can tell; what takes long is bounded by
    /// the `deadline`, which is asked for only then.
    ///
    /// # Errors
    ///
    /// [`Unencodable`]; `out` is then as it was.
    pub(crate) fn encode<T: Cacheable>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
        deadline: &dyn Fn() -> Deadline,
    ) -> Result<(), Unencodable> {
        let Some(_level) = Level::enter(self) else {
            return Err(Unencodable::Nested);
        };
        if let Some(why) = self.proof.rests() {
            return Err(why);
        }
        let start = out.len();
        let wanted = self.wanted();
        let watch = match &wanted {
            Wanted::Found(search) => Watch::searching(self.shape.told_apart(), self.codec, search),
            Wanted::None | Wanted::All => Watch::new(&self.shape, self.codec),
        };
        let encoded = self.codec.encode(&watch.root().watched(value), out);
        // A `Serialize` may go on after an error, and then lacks what it was of.
        if encoded.is_err() || watch.has_failed() {
            out.truncate(start);
            return Err(watch
                .divergence()
                .map_or(Unencodable::Failed, Unencodable::Diverged));
        }
        let checked = self.check(value, &wanted, &watch, &out[start..], deadline);
        if checked.is_err() {
            out.truncate(start);
        }
        checked
    }

    /// Hands the value that `bytes` encode to `keep`, which must not panic.
    ///
    /// # Errors
    ///
    /// `Undecodable`.
    #[inline]
    pub(crate) fn decode_then<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        keep: impl FnOnce(T),
    ) -> Result<(), Reject> {
        let Some(_level) = Level::enter(self) else {
            return Err(Reject::Undecodable);
        };
        self.codec.decode_then(bytes, keep)
    }

    /// Runs `walk`, which asks a value for its parts and so runs the type's own code. Nothing if that panics, or if a value of this type is
    /// being stored or read on this thread, or too many others are.
    pub(crate) fn walk<F>(&self, walk: impl FnOnce() -> F) -> Option<F> {
        let _level = Level::enter(self)?;
        guard(walk)
    }

    /// Whether all that is read is bytes or text, so that a value can [take](Self::take_then) them.
    pub(crate) fn is_bytes(&self) -> bool {
        let mut node = self.shape.node(Shape::ROOT);
        while let Node::Newtype(_, inner) = node {
            node = self.shape.node(*inner);
        }
        self.codec == Codec::Postcard && matches!(node, Node::Scalar(Scalar::Str | Scalar::Bytes))
    }

    /// Hands the value whose bytes are in the buffer to `keep`, which must not panic.
    ///
    /// # Errors
    ///
    /// `Undecodable`.
    pub(crate) fn take_then<T: DeserializeOwned>(
        &self,
        buffer: &Buffer,
        keep: impl FnOnce(T),
    ) -> Result<(), Reject> {
        let Some(_level) = Level::enter(self) else {
            return Err(Reject::Undecodable);
        };
        self.codec.take_then(buffer, keep)
    }

    /// Which values are read back: what the shape doesn't show has to be shown by each.
    #[inline]
    fn wanted(&self) -> Wanted {
        if self.shape.is_obscure() {
            Wanted::All
        } else {
            self.proof.wanted()
        }
    }

    /// Whether a value that was written in `bytes` will come back.
    fn check<T: Cacheable>(
        &self,
        value: &T,
        wanted: &Wanted,
        watch: &Watch<'_>,
        bytes: &[u8],
        deadline: &dyn Fn() -> Deadline,
    ) -> Result<(), Unencodable> {
        if let Some(fault) = watch.fault_of_the_whole(bytes.len()) {
            return Err(Unencodable::of_the_whole(fault));
        }
        let is_wanted = match wanted {
            Wanted::None => false,
            Wanted::Found(search) => search.has_found(),
            Wanted::All => true,
        };
        // Whether the stack does for it has to be shown by each value, too.
        if !is_wanted && !watch.was_deep() {
            return Ok(());
        }
        self.check_comes_back(value, bytes, deadline)
            .map_err(|why| match why {
                Unencodable::Unreadable if watch.was_deep() => {
                    Unencodable::of_the_whole(Fault::TooDeep)
                }
                why => why,
            })
    }

    /// Whether `bytes` are read as what serde takes for the same value: hand-written impls may disagree, and an `untagged` enum
    /// may be read as another variant, which the same bytes again would not show.
    fn check_comes_back<T: Cacheable>(
        &self,
        value: &T,
        bytes: &[u8],
        deadline: &dyn Fn() -> Deadline,
    ) -> Result<(), Unencodable> {
        let comparison = Comparison {
            shape: &self.shape,
            codec: self.codec,
            bytes: bytes.len(),
            deadline: deadline(),
        };
        let drop_panicked = Cell::new(false);
        let read = || {
            if drop_panicked.get() {
                return Err(Unencodable::Undroppable);
            }
            match self.codec.decode(bytes) {
                Ok(copy) => Ok(ReadBack::new(copy, &drop_panicked)),
                Err(_) => Err(Unencodable::Unreadable),
            }
        };
        let known = |passage| self.proof.bits(passage);
        let verdict = comparison.compare::<T, _, _>(value, read, known);
        if drop_panicked.get() {
            self.proof.give_up();
            return Err(Unencodable::Undroppable);
        }
        match verdict? {
            Verdict::Same(evidence) => {
                self.proof.add(self.shape.told_apart(), bytes, evidence);
                Ok(())
            }
            Verdict::Undecided(evidence) => {
                self.proof.add_part(evidence);
                Err(Unencodable::Undecided)
            }
            Verdict::Another { by_order } => {
                self.proof.refute(by_order);
                Err(Unencodable::Asymmetric)
            }
        }
    }
}

/// A copy that is there to be compared.
struct ReadBack<'a, T> {
    /// None only while it is dropped.
    copy: Option<T>,
    drop_panicked: &'a Cell<bool>,
}

impl<'a, T> ReadBack<'a, T> {
    fn new(copy: T, drop_panicked: &'a Cell<bool>) -> Self {
        Self {
            copy: Some(copy),
            drop_panicked,
        }
    }
}

impl<T> Deref for ReadBack<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.copy.as_ref().expect("it isn't dropped yet")
    }
}

impl<T> Drop for ReadBack<'_, T> {
    fn drop(&mut self) {
        if !discard(self.copy.take()) {
            self.drop_panicked.set(true);
        }
    }
}

/// The shape of `T`; `None` while this thread is looking at a type already.
pub(crate) fn shape_of<T: DeserializeOwned>(codec: Codec) -> Option<Shape> {
    shape_where::<T>(codec, Panics::OF_THIS_BUILD)
}

/// The same in a program of which this becomes of panics.
pub(crate) fn shape_where<T: DeserializeOwned>(codec: Codec, panics: Panics) -> Option<Shape> {
    thread_local! {
        static TRACING: Cell<bool> = const { Cell::new(false) };
    }
    if TRACING.replace(true) {
        return None;
    }
    let shape = trace::<T>(codec, panics);
    TRACING.set(false);
    Some(shape)
}
