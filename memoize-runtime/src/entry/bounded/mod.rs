//! Limits for decoding bytes that anyone may have written.
//!
//! Postcard follows a recursive type as deep as the bytes say, which overflows the stack, and visits
//! as many elements of a sequence as the bytes say, which never ends where an element takes no bytes (a
//! `Vec<()>` of length 2^60 is nine bytes). [`Bounded`] stands between postcard and the value's own
//! `Deserialize` and stops both. Where postcard reads a string or bytes it compares the length with what
//! is left before anything is allocated, so those pass through untouched.
//!
//! One type wraps whatever serde hands over: a deserializer, visitor, seed, or access. It wraps only what
//! can lead further down. In a format that describes itself, as `MessagePack` does, whatever is read as a value of any
//! kind may do so: there the visitor is wrapped, and counts as a level, whatever is found.

mod access;
mod deserializer;
mod visitor;

use std::cell::Cell;

use serde::de::Error;

/// Levels of nesting, as in `serde_json`. Only where the bytes decide whether to go on is a level:
/// options, enums, sequences, and maps. Structs, tuples, and newtypes between them nest as deep as the
/// type says, and no deeper.
pub(super) const MAX_DEPTH: usize = 128;

/// The stack that decoding may take, in bytes: a quarter of what threads have by default. A recursive type of some
/// kilobytes would overflow it within the levels above, which nothing can catch.
const MAX_STACK: usize = 512 << 10;

/// Elements of sequences and maps that may take no bytes, in a whole value. An element that takes bytes
/// has at least one that it shares with no other element, so the length of the input is enough for all of
/// those, and no honest value without empty elements is ever refused. An element without bytes can still take memory, where
/// its fields are all skipped; what a few bytes can ask for is this many of them.
const EMPTY_ELEMENTS: usize = 1 << 12;

/// How many elements of sequences and maps a value may have that is encoded in so many bytes.
#[inline]
pub(super) fn most_elements(input_len: usize) -> usize {
    input_len.saturating_add(EMPTY_ELEMENTS)
}

/// What is left for decoding one value.
pub(super) struct Budget {
    elements: Cell<usize>,
}

impl Budget {
    /// The budget for a value that is encoded in `input_len` bytes.
    #[inline]
    pub(super) fn new(input_len: usize) -> Self {
        Self {
            elements: Cell::new(most_elements(input_len)),
        }
    }

    /// `deserializer`, for decoding within this budget.
    #[inline]
    pub(super) fn bound<D>(&self, deserializer: D) -> Bounded<'_, D> {
        Bounded {
            inner: deserializer,
            limits: Limits {
                depth: MAX_DEPTH,
                stack_start: stack_position(),
                metered: false,
                budget: self,
            },
        }
    }

    #[inline]
    fn pay<E: Error>(&self, elements: usize) -> Result<(), E> {
        match self.elements.get().checked_sub(elements) {
            Some(left) => {
                self.elements.set(left);
                Ok(())
            }
            None => Err(E::custom("too many elements")),
        }
    }
}

/// Something of serde's, with limits on what it may lead to.
pub(super) struct Bounded<'b, T> {
    inner: T,
    limits: Limits<'b>,
}

#[derive(Clone, Copy)]
struct Limits<'b> {
    /// Levels that may still be entered from here.
    depth: usize,
    stack_start: usize,
    /// Whether elements are to be paid for: their number comes from the bytes, as for a sequence, and not
    /// from the type, as for a struct, and was not paid before. Many fields without bytes are no attack.
    metered: bool,
    budget: &'b Budget,
}

impl<'b> Limits<'b> {
    #[inline]
    fn wrap<T>(self, inner: T) -> Bounded<'b, T> {
        Bounded {
            inner,
            limits: self,
        }
    }

    /// The limits one level further down.
    #[inline]
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if stack_position().abs_diff(self.stack_start) > MAX_STACK {
            return Err(E::custom("nested too deeply for the stack"));
        }
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom("nested too deeply")),
        }
    }

    #[inline]
    fn metered(self, metered: bool) -> Self {
        Self { metered, ..self }
    }

    /// Pays for all elements at once where their number is known, which keeps the count out of the loop over
    /// them. What the collections of a value reserve by their size hints is then within the budget, too.
    #[inline]
    fn enter<E: Error>(self, elements: Option<usize>) -> Result<Self, E> {
        match elements {
            Some(elements) if self.metered => {
                self.budget.pay(elements)?;
                Ok(self.metered(false))
            }
            _ => Ok(self),
        }
    }

    /// Pays for an element, where there was one: the end of a sequence is free, as it takes no byte.
    #[inline]
    fn pass<T, E: Error>(self, element: Option<T>) -> Result<Option<T>, E> {
        if self.metered && element.is_some() {
            self.budget.pay(1)?;
        }
        Ok(element)
    }
}

/// Where on the stack the caller is, near enough.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

#[cfg(test)]
mod tests;
