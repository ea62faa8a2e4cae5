//! How the values of one function become the bytes of its entries, and come back.
//!
//! All that can be found out about a type once is found out here, at the function's first call: its shape, the fingerprint,
//! and whether the codec can hold it. What depends on the value is looked at with each write.

use std::any::TypeId;
use std::cell::Cell;
use std::collections::HashMap;
use std::convert::identity;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;

use super::conform::{Divergence, Watch};
use super::fingerprint::shape::{Node, Shape, Unseen, Why};
use super::fingerprint::{Fingerprint, trace};
use super::header::Codec;
use super::reject::Reject;
use crate::Cacheable;
use crate::key::digest::same_in_any_order;

/// The type that one function stores, its codec, and what is known of the two.
#[derive(Debug)]
pub(crate) struct StoredType {
    codec: Codec,
    fingerprint: u64,
    shape: Shape,
    refusal: Option<Refusal>,
    /// A value was written, read back, and written as the same bytes again.
    proved: AtomicBool,
    /// What was logged already, a bit for each [`Unencodable`].
    told: AtomicU32,
}

/// Why no value of a type is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The way to the part that can't be held, by the names of fields and variants; empty for the type itself.
    pub(crate) path: String,
    pub(crate) why: &'static str,
}

/// Why a value has no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unencodable {
    /// Its `Serialize` failed or panicked, or the codec has no form for it.
    Failed,
    /// It would have been read back as another value.
    Diverged(Divergence),
    /// What was written could not be read, or was written otherwise the second time.
    Asymmetric,
}

impl Unencodable {
    pub(crate) fn why(&self) -> &'static str {
        match self {
            Self::Failed => "it could not be serialized",
            Self::Diverged(divergence) => divergence.fault.text(),
            Self::Asymmetric => {
                "read back it was another value; make `Serialize` and `Deserialize` agree"
            }
        }
    }

    /// The way to what is at fault; empty where that is the value itself.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Diverged(divergence) => &divergence.path,
            Self::Failed | Self::Asymmetric => "",
        }
    }

    fn bit(&self) -> u32 {
        match self {
            Self::Failed => 1,
            Self::Asymmetric => 1 << 1,
            Self::Diverged(divergence) => 1 << (2 + divergence.fault as u32),
        }
    }
}

const REFUSED: u32 = 1 << 31;

impl StoredType {
    /// For values of this shape. `of_function` adds to the fingerprint what isn't the type's.
    pub(crate) fn new(
        shape: Shape,
        codec: Codec,
        of_function: impl FnOnce(Fingerprint) -> Fingerprint,
    ) -> Self {
        let fingerprint = of_function(Fingerprint::new(&shape, codec)).finish();
        let refusal = match codec {
            Codec::Postcard => refused_by_postcard(&shape),
            Codec::Msgpack => None,
        };
        Self {
            codec,
            fingerprint,
            shape,
            refusal,
            proved: AtomicBool::new(false),
            told: AtomicU32::new(0),
        }
    }

    /// For a call that comes from the `Deserialize` of a type that is being traced: it runs uncached, and says nothing.
    pub(crate) fn being_traced() -> &'static Self {
        static BEING_TRACED: StoredType = StoredType {
            codec: Codec::Postcard,
            fingerprint: 0,
            shape: Shape::EMPTY,
            refusal: Some(Refusal {
                path: String::new(),
                why: "it was called by the type that it returns, while that was being looked at",
            }),
            proved: AtomicBool::new(false),
            told: AtomicU32::new(u32::MAX),
        };
        &BEING_TRACED
    }

    /// For the type `T` where there is no function; each type and codec is traced once in a process.
    pub(crate) fn of<T: Cacheable>(codec: Codec) -> &'static Self {
        /// Never freed: there are no more than types in the program.
        static KNOWN: RwLock<Option<HashMap<(TypeId, Codec), &'static StoredType>>> =
            RwLock::new(None);
        let key = (typeid::of::<T>(), codec);
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().and_then(|known| known.get(&key)) {
            return known;
        }
        drop(known);
        // The user's code runs in here, so not under the lock. Another thread may do the same; one result is kept.
        let Some(shape) = shape_of::<T>() else {
            return Self::being_traced();
        };
        let made = Self::new(shape, codec, identity);
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known
            .get_or_insert_default()
            .entry(key)
            .or_insert_with(|| Box::leak(Box::new(made)))
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
        self.tells(REFUSED)
    }

    /// Whether nobody was told of something like this before.
    pub(crate) fn tells_unencodable(&self, why: &Unencodable) -> bool {
        self.tells(why.bit())
    }

    fn tells(&self, bit: u32) -> bool {
        self.told.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// The first part in which a change would not be seen, where there is one.
    pub(crate) fn unseen(&self) -> Option<String> {
        let found = self.shape.find(|node| match node {
            Node::Unseen(_) => Some(()),
            _ => None,
        });
        found.map(|(path, ())| path)
    }

    /// Appends the bytes of a value that will be read back as the same one, as far as serde can tell.
    ///
    /// # Errors
    ///
    /// [`Unencodable`]; `out` is then as it was.
    pub(crate) fn encode<T: Cacheable>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), Unencodable> {
        let start = out.len();
        let watch = Watch::new(&self.shape, self.codec);
        if self.codec.encode(&watch.over(value), out).is_err() {
            return Err(watch
                .divergence()
                .map_or(Unencodable::Failed, Unencodable::Diverged));
        }
        // What the shape doesn't show has to be shown by each value.
        if !self.proved.load(Ordering::Relaxed) || self.shape.has_unseen() {
            if !self.comes_back(value, &out[start..]) {
                out.truncate(start);
                return Err(Unencodable::Asymmetric);
            }
            self.proved.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The value that `bytes` encode.
    ///
    /// # Errors
    ///
    /// `Undecodable`.
    pub(crate) fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Reject> {
        self.codec.decode(bytes)
    }

    /// Whether `bytes` are read as a value that is written as the same bytes again: hand-written impls may disagree.
    fn comes_back<T: Cacheable>(&self, value: &T, bytes: &[u8]) -> bool {
        let Ok(back) = self.codec.decode::<T>(bytes) else {
            return false;
        };
        let mut again = Vec::with_capacity(bytes.len());
        if self.codec.encode(&back, &mut again).is_err() {
            return false;
        }
        // A hash map or set is in another order each time.
        again == bytes || same_in_any_order(value, &back)
    }
}

/// The shape of `T`; `None` while this thread is looking at a type already.
pub(crate) fn shape_of<T: DeserializeOwned>() -> Option<Shape> {
    thread_local! {
        static TRACING: Cell<bool> = const { Cell::new(false) };
    }
    if TRACING.replace(true) {
        return None;
    }
    let shape = trace::<T>();
    TRACING.set(false);
    Some(shape)
}

fn refused_by_postcard(shape: &Shape) -> Option<Refusal> {
    let found = shape.find(|node| match node {
        Node::Unseen(Unseen { why, .. }) => match why {
            Why::Any => Some("it takes a value of any kind"),
            Why::Buffered | Why::Identifier => Some("it uses `untagged`, `tag` or `flatten`"),
            Why::Ignored => Some("it takes a value of any kind, and ignores it"),
            Why::Unreached | Why::Beyond => None,
        },
        Node::Struct {
            by_order: false, ..
        } => Some("its fields can only be told by their names"),
        Node::Enum {
            by_number: false, ..
        } => Some("its variants can only be told by their names"),
        _ => None,
    });
    found.map(|(path, why)| Refusal { path, why })
}
