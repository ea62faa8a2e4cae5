//! With the feature `compress`.

use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};

use crate::entry::reject::Reject;

/// Appends the block of `raw`; says whether it could.
pub(super) fn append(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.resize(start + get_maximum_output_size(raw.len()), 0);
    let Ok(length) = compress_into(raw, &mut out[start..]) else {
        return false;
    };
    out.truncate(start + length);
    true
}

/// The block's content, which must be of exactly `raw_len` bytes.
pub(super) fn expand(block: &[u8], raw_len: usize) -> Result<Vec<u8>, Reject> {
    let mut raw = vec![0; raw_len];
    match decompress_into(block, &mut raw) {
        Ok(length) if length == raw_len => Ok(raw),
        _ => Err(Reject::Damaged),
    }
}
