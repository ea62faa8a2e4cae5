//! Without the feature `compress`.

use crate::entry::reject::Reject;

pub(super) fn append(_: &[u8], _: &mut Vec<u8>) -> bool {
    false
}

pub(super) fn expand(_: &[u8], _: usize) -> Result<Vec<u8>, Reject> {
    Err(Reject::Flags)
}
