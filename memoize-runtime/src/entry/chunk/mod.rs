//! What is too long for one entry: a manifest under the entry's name, and chunks under names of their own.
//!
//! ```text
//! stream     each item as its length (LEB128) and its bytes, one after another
//! raw_i      chunk_len bytes of the stream, without regard to where items end; the last: last_len
//! piece_i    raw_i; or raw_len u32 | LZ4 block, where the header says LZ4 and that is shorter
//! stored_i   piece_i, encrypted, | tag 16, where the entry is sealed; else
//!            piece_i | XXH3-64(len(full key) u32 | full key | generation | i u32 | piece_i)
//! name_i     the entry's name "." base64url(generation) "." i
//! manifest   generation 16 | chunks u32 | chunk_len u32 | last_len u32 | raw bytes u64 | items u64
//! ```
//!
//! A stream of items is the usual content; a single value over the backend's limit is a stream of one item. The generation
//! is random and each chunk is bound to it, so that two writers of one key never mix, and the manifest is written when all
//! chunks are: a reader finds all of one writer's stream or none of it.
//!
//! There is no I/O in here. A driver stores what [`Writer`] gives it, and gives [`Reader`] what that asks for, so that all
//! drivers, blocking or not, share everything else.

mod cutter;
mod follower;
mod generation;
mod joiner;
mod manifest;
mod piece;
mod reader;
mod resealer;
mod writer;

pub(crate) use follower::{Follower, Origin};
pub(crate) use generation::{ChunkNames, Generation};
pub(crate) use joiner::Item;
pub(crate) use manifest::Manifest;
pub(crate) use piece::Wrapper;
pub(crate) use reader::{Next, Reader};
pub(crate) use resealer::Resealer;
pub(crate) use writer::{Destination, Writer};

/// The usual length of a chunk before compression. Neither speed nor memory gains from more.
const USUAL_LEN: usize = 256 << 10;

/// The longest chunk that is believed: what memcached takes.
const LONGEST_LEN: usize = (1 << 20) - 1024;

/// How many chunks a reader asks for at once; a stream of no more is read whole before its first item is handed out.
const WINDOW: u32 = 4;

/// The length of chunks for a backend that takes values of up to `limit` bytes, none where that is too little.
pub(crate) fn chunk_len(limit: usize) -> Option<u32> {
    let length = limit.checked_sub(piece::OVERHEAD)?.min(USUAL_LEN);
    u32::try_from(length).ok().filter(|&length| length > 0)
}

/// The fingerprint of a stream of items, from that of an item: the entry of one is not to be read as the other.
pub(crate) fn fingerprint_of_stream(item: u64) -> u64 {
    item ^ u64::from_le_bytes(*b"cm1 iter")
}
