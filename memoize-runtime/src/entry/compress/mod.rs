//! LZ4, for what is large enough and shrinks: `raw_len u32 | block`.
//!
//! Compression is the crate feature `compress`. Without it nothing is compressed, and what another build compressed is a
//! miss.

#[cfg(not(feature = "compress"))]
mod disabled;
#[cfg(feature = "compress")]
mod enabled;

#[cfg(not(feature = "compress"))]
use disabled as lz4;
#[cfg(feature = "compress")]
use enabled as lz4;

use super::header::take;
use super::reject::Reject;

/// Below this the header of a network packet weighs more than what could be saved.
const WORTHWHILE: usize = 1024;

/// The most that is ever decompressed at once, whatever the bytes say.
const LARGEST: usize = 64 << 20;

/// An LZ4 block never grows by more than this, so that a claim of more is a lie that costs no memory.
const STEEPEST: usize = 255;

const RAW_LEN: usize = size_of::<u32>();

/// Compresses `raw` into `out`, in place of what was there; says whether that is shorter. If not, `out` is of no use.
pub(crate) fn shrink(raw: &[u8], out: &mut Vec<u8>) -> bool {
    if raw.len() < WORTHWHILE || raw.len() > LARGEST {
        return false;
    }
    let Ok(raw_len) = u32::try_from(raw.len()) else {
        return false;
    };
    out.clear();
    out.extend_from_slice(&raw_len.to_le_bytes());
    lz4::append(raw, out) && out.len() < raw.len()
}

/// What [`shrink`] was given, if it was no more than `most` bytes.
///
/// # Errors
///
/// `Truncated` or `Damaged`, before anything is allocated where the length can't be true; `Flags` in a build without
/// compression.
pub(crate) fn expand(compressed: &[u8], most: usize) -> Result<Vec<u8>, Reject> {
    let raw_len = expanded_len(compressed)?;
    let block = &compressed[RAW_LEN..];
    let possible = block.len().saturating_mul(STEEPEST);
    if raw_len > most.min(LARGEST).min(possible) {
        return Err(Reject::Damaged);
    }
    lz4::expand(block, raw_len)
}

/// How long what [`expand`] makes of it is said to be.
///
/// # Errors
/// `Truncated` or `Damaged`.
pub(crate) fn expanded_len(mut compressed: &[u8]) -> Result<usize, Reject> {
    let raw_len = u32::from_le_bytes(take::<RAW_LEN>(&mut compressed)?);
    usize::try_from(raw_len).map_err(|_| Reject::Damaged)
}

#[cfg(all(test, feature = "compress"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shrunk(raw: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        shrink(raw, &mut out).then_some(out)
    }

    #[test]
    fn what_is_short_or_does_not_shrink_stays() {
        assert_eq!(shrunk(&[7; WORTHWHILE - 1]), None);
        assert!(shrunk(&[7; WORTHWHILE]).is_some());
        let noise: Vec<u8> = (0..4096_u32)
            .flat_map(|n| {
                n.wrapping_mul(2_654_435_761)
                    .rotate_left(n % 32)
                    .to_be_bytes()
            })
            .collect();
        assert_eq!(shrunk(&noise), None);
    }

    #[test]
    fn a_claim_is_checked_before_it_is_believed() {
        let good = shrunk(&[7; 5000]).expect("it shrinks");
        let claiming = |raw_len: u32| [&raw_len.to_le_bytes(), &good[RAW_LEN..]].concat();
        assert_eq!(expand(&good, 5000), Ok(vec![7; 5000]));
        assert_eq!(expand(&good, 4999), Err(Reject::Damaged));
        assert_eq!(
            expand(&claiming(u32::MAX), usize::MAX),
            Err(Reject::Damaged)
        );
        assert_eq!(expand(&claiming(5001), usize::MAX), Err(Reject::Damaged));
        assert_eq!(expand(&claiming(4999), usize::MAX), Err(Reject::Damaged));
        assert_eq!(expand(&good[..3], usize::MAX), Err(Reject::Truncated));
        // A 64 MiB claim with as many bytes as it needs to be possible.
        let bomb = [
            &(64_u32 << 20 | 1).to_le_bytes()[..],
            &vec![0; LARGEST / 200],
        ]
        .concat();
        assert_eq!(expand(&bomb, usize::MAX), Err(Reject::Damaged));
    }

    proptest! {
        #[test]
        fn what_shrinks_comes_back(unit in prop::collection::vec(any::<u8>(), 1..50), times in 1_usize..200) {
            let raw = unit.repeat(times);
            if let Some(out) = shrunk(&raw) {
                prop_assert!(out.len() < raw.len());
                prop_assert_eq!(expand(&out, raw.len()), Ok(raw));
            }
        }

        #[test]
        fn any_bytes_withstand(bytes: Vec<u8>, raw_len in 0_u32..5000) {
            let claimed = [&raw_len.to_le_bytes()[..], &bytes].concat();
            let out = expand(&claimed, 4096);
            prop_assert!(out.is_err() || out.is_ok_and(|raw| raw.len() == raw_len as usize));
        }
    }
}
