//! The hash slots of a cluster, and the name of a lease's record, which must share the slot of its key.

use std::sync::OnceLock;

/// A cluster's keys are in so many slots.
pub(super) const SLOTS: u16 = 16384;

/// What ends the name of a record. No key of ours can hold a space, so none can meet one.
const MARK: &str = " lease";

/// The same where the key decides on the slot as it is: `{a}` must not share the record of `a`.
const MARK_OF_TAGGED: &str = " :lease";

/// The slot of a key, as the cluster specification has it: the CRC16 of what is between its first `{` and the next `}`, or of
/// all of it if there is no such part or nothing in it.
pub(super) fn slot(key: &str) -> u16 {
    crc16(tag(key).unwrap_or(key).as_bytes()) % SLOTS
}

/// The name of the record of the lease for `key`, in the same slot: a script may only touch keys of one.
pub(super) fn lease_name(key: &str) -> String {
    if tag(key).is_some() {
        return format!("{key}{MARK_OF_TAGGED}");
    }
    if !key.contains('}') {
        return format!("{{{key}}}{MARK}");
    }
    // The whole key decides on its slot and can't be put in braces: a number with the same slot is.
    let number = number_in(slot(key));
    format!("{{{number}}}{key}{MARK}")
}

fn tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    Some(tag).filter(|tag| !tag.is_empty())
}

/// The smallest number whose decimal text is in a slot.
fn number_in(slot: u16) -> u32 {
    static NUMBERS: OnceLock<Box<[u32]>> = OnceLock::new();
    NUMBERS.get_or_init(numbers)[usize::from(slot)]
}

fn numbers() -> Box<[u32]> {
    let mut numbers = vec![u32::MAX; usize::from(SLOTS)].into_boxed_slice();
    let mut missing = numbers.len();
    for number in 0.. {
        let found = &mut numbers[usize::from(crc16(number.to_string().as_bytes()) % SLOTS)];
        if *found == u32::MAX {
            *found = number;
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    numbers
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        let index = usize::from((crc >> 8) ^ u16::from(byte)) & 0xFF;
        (crc << 8) ^ TABLE[index]
    })
}

static TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    const POLYNOMIAL: u16 = 0x1021;
    let mut table = [0; 256];
    let mut byte = 0_u16;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ POLYNOMIAL
            };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{SLOTS, crc16, lease_name, slot};

    #[test]
    fn as_the_specification_has_it() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot("foo"), 12182);
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        assert_eq!(slot("foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot("foo{bar}{zap}"), slot("bar"));
    }

    proptest! {
        #[test]
        fn a_record_is_in_the_slot_of_its_key_and_of_no_other(
            one in "[{}a]{1,6}",
            other in "[{}a]{1,6}",
        ) {
            prop_assert_eq!(slot(&lease_name(&one)), slot(&one));
            prop_assert_eq!(lease_name(&one) == lease_name(&other), one == other);
        }
    }
}
