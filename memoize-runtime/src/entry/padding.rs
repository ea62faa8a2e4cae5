//! Hiding the lengths of sealed entries.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use super::header::{Flags, take};
use super::reject::Reject;

/// Which lengths sealed entries may have.
///
/// Powers of two, from a smallest one on: whoever sees an entry learns one of a few classes, for at most twice the bytes.
/// Multiples of a fixed size would tell more about large values the larger they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Padding(Option<NonZeroUsize>);

impl Padding {
    /// To powers of two of at least `smallest`, itself rounded up to one.
    pub(crate) fn to_at_least(smallest: NonZeroUsize) -> Self {
        Self(Some(smallest))
    }

    pub(crate) fn is_on(self) -> bool {
        self.0.is_some()
    }

    /// The length that an entry of `len` bytes is to have; the backend's limit is a class of its own.
    pub(crate) fn padded(self, len: usize, largest: usize) -> usize {
        let Some(smallest) = self.0 else { return len };
        len.max(smallest.get())
            .checked_next_power_of_two()
            .map_or(largest, |class| class.min(largest))
            .max(len)
    }
}

/// The value in what stands behind the meta data of a padded body: without the zeros, and without the length between that
/// before compression and the block.
///
/// # Errors
/// `Damaged` or `Truncated`: the lengths contradict each other.
pub(super) fn unpadded(flags: Flags, mut rest: &[u8]) -> Result<Cow<'_, [u8]>, Reject> {
    let raw_len: [u8; 4];
    let before: &[u8] = if flags.contains(Flags::LZ4) {
        raw_len = take(&mut rest)?;
        &raw_len
    } else {
        &[]
    };
    let data_len = u32::from_le_bytes(take(&mut rest)?);
    let data = usize::try_from(data_len)
        .ok()
        .and_then(|len| rest.split_at_checked(len))
        .filter(|(_, zeros)| zeros.iter().all(|&zero| zero == 0))
        .map(|(data, _)| data)
        .ok_or(Reject::Damaged)?;
    Ok(if before.is_empty() {
        Cow::Borrowed(data)
    } else {
        Cow::Owned([before, data].concat())
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::Padding;

    #[test]
    fn classes_are_powers_of_two_up_to_the_limit() {
        let padding = Padding::to_at_least(NonZeroUsize::new(200).expect("above zero"));
        for (len, padded) in [(1, 256), (256, 256), (257, 512), (600, 1000), (1000, 1000)] {
            assert_eq!(padding.padded(len, 1000), padded, "{len}");
        }
        assert_eq!(padding.padded(usize::MAX, usize::MAX), usize::MAX);
        assert_eq!(Padding::default().padded(17, 1000), 17);
    }
}
