//! What the drivers of iterators and of streams have in common on the way from the cache.

use super::place::Place;
use super::request::Request;
use super::sync::usable;
use super::turn::Missed;
use crate::backend::Bytes;
use crate::entry::chunk::{Next, Reader};

/// What the call of a function begins with that returns an iterator or a stream.
pub(super) enum Opening {
    LookUp,
    /// The items come from the function, and are recorded.
    Record,
    /// They come from the function, as if it were not memoized.
    Pass,
}

impl Opening {
    /// Decides that, and tells why where nothing is looked up.
    pub(super) fn of(request: &Request) -> Self {
        let observer = request.observer();
        if request.place_or_bypass(&observer).is_none() {
            Self::Pass
        } else if let Some(refusal) = request.stored.refusal() {
            observer.refused(refusal, request.stored.tells_refusal());
            Self::Pass
        } else if request.overwrite {
            observer.forced();
            Self::Record
        } else {
            Self::LookUp
        }
    }
}

/// The reader of the stream in what was found under the names of a place.
pub(super) fn open(
    request: &Request,
    place: &Place<'_>,
    found: &[Option<Bytes>],
) -> Result<Reader, Missed> {
    let now_ms = request.runtime.now_ms();
    // What is in chunks stays where it is.
    let (reader, _) = usable(request.policy(place).look_for_stream(found, now_ms))?;
    Ok(reader)
}

/// Items that come from the cache.
pub(super) struct Reading {
    pub(super) request: Request,
    pub(super) reader: Reader,
    pub(super) handed_out: u64,
}

impl Reading {
    pub(super) fn new(request: Request, reader: Reader) -> Self {
        Self {
            request,
            reader,
            handed_out: 0,
        }
    }

    /// Finds the next item in the chunks that are there.
    #[inline]
    pub(super) fn find(&mut self) -> Result<Next, Missed> {
        self.reader.next_item().map_err(Missed::Rejected)
    }
}
