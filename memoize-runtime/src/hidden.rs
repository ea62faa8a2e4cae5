//! What a derived `Debug` does not show.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// The text of a key, or bytes of a value in the clear: `(..)` to `Debug`, whatever holds it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hidden<T>(pub(crate) T);

impl<T> Deref for Hidden<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Hidden<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fmt::Debug;
    use std::time::Duration;

    use super::Hidden;
    use crate::backend::{self, Bytes};
    use crate::call::place::Place;
    use crate::engine::{Lookup, Policy};
    use crate::entry::chunk::Next;
    use crate::entry::{BodyMeta, Codec, Draft, Padding, StoredType};
    use crate::key::CacheKey;
    use crate::progress::View;

    const KEY: &str = "clinic:patient:Lovelace";
    const VALUE: &str = "diagnosis";
    const NOW: u64 = 1_760_000_000_000;

    /// Whether one of the two is in it: as text, or as numbers.
    fn shows(debug: &dyn Debug) -> bool {
        let shown = format!("{debug:?}");
        [KEY, VALUE].iter().any(|text| {
            let numbers = format!("{:?}", text.as_bytes());
            shown.contains(text) || shown.contains(numbers.trim_matches(['[', ']']))
        })
    }

    #[track_caller]
    fn hides(debug: &dyn Debug) {
        assert!(!shows(debug), "{debug:?}");
    }

    #[test]
    fn what_is_not_hidden_is_seen() {
        assert!(shows(&KEY) && shows(&Bytes::from(KEY)) && shows(&vec![VALUE.as_bytes().to_vec()]));
        hides(&Hidden(KEY));
    }

    #[test]
    fn neither_keys_nor_values_are_shown_by_what_works_with_them() {
        let place = Place::Plain {
            name: CacheKey::from_text(KEY, 240),
            full_key: Hidden(KEY),
        };
        hides(&place);
        all_of(&place);

        let bytes = || Bytes::from(VALUE);
        hides(&View::Unstored(Hidden(bytes())));
        hides(&backend::Lookup::Found(bytes()));
    }

    #[cfg(feature = "encrypt")]
    #[test]
    fn nor_where_they_are_to_be_sealed() {
        let secret = crate::Secret::of_this_process().expect("the system has random bytes");
        let place = Place::Sealed {
            current: crate::entry::Seal::new(&secret, KEY),
            previous: Vec::new(),
        };
        hides(&place);
        all_of(&place);
    }

    /// An entry in the making, a stream that is written, one that is followed, and one that is read.
    fn all_of(place: &Place<'_>) {
        let stored = StoredType::of::<String>(Codec::Postcard);
        let policy = Policy {
            place,
            padding: Padding::default(),
            stored,
            fingerprint: stored.fingerprint(),
            life_ms: 1000,
            longest_ms: 1000,
            largest: 4096,
            key_bytes: 240,
            compress: true,
        };
        hides(&policy);

        let meta = BodyMeta {
            cost_ms: 0,
            fresh_until: NOW,
        };
        let mut draft = Draft::new(place.guard(), meta, Padding::default());
        draft.buffer().extend_from_slice(VALUE.as_bytes());
        hides(&draft);

        let begun = policy.begin_stream(NOW).ok();
        let mut written = begun.expect("the system has random bytes");
        let mut follower = policy.follow(&written.origin());
        let mut chunks = Vec::new();
        // One that is in several chunks is put together in a buffer of its own.
        for item in [VALUE.repeat(1000), VALUE.to_owned()] {
            let encode = |out: &mut Vec<u8>| {
                out.extend_from_slice(item.as_bytes());
                Ok::<(), Infallible>(())
            };
            let before = written.writer.raw_len();
            let Ok(()) = written.writer.push(encode);
            let unstored = written.writer.pushed_since(before);
            follower.supply_unstored(Bytes::copy_from_slice(unstored));
            while let Some((_, chunk)) = written.writer.full_chunk() {
                chunks.push(Some(chunk));
            }
            hides(&written);
        }
        assert!(chunks.len() > 1, "a long item");
        hides(&follower);
        assert!(matches!(follower.next_item(), Ok(Next::Item(_))));
        hides(&follower);

        chunks.extend(written.writer.last_chunk().map(|(_, chunk)| Some(chunk)));
        let fill = policy.publish(&written, Duration::ZERO, NOW);
        let entry = fill.ok().and_then(|fill| fill.kept.into_bytes());
        let Lookup::Hit(mut reader, _) = policy.look_for_stream(&[entry], NOW, &mut Vec::new())
        else {
            panic!("the entry was just written");
        };
        assert_eq!(reader.supply(chunks, None), Ok(()));
        hides(&reader);
        assert!(matches!(reader.next_item(), Ok(Next::Item(_))));
        hides(&reader);
    }
}
