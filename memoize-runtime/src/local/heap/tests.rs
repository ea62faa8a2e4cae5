use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{ALLOCATION, behind};

fn binary(value: &impl Serialize) -> usize {
    behind(value, false)
}

#[test]
fn what_is_in_a_value_is_not_behind_it() {
    assert_eq!(binary(&7_u64), 0);
    assert_eq!(binary(&(1_u8, Some(2_u64), [3_u16; 4])), 0);
    assert_eq!(
        binary(&(String::new(), Vec::<u64>::new(), None::<String>)),
        0
    );
}

#[test]
fn a_text_and_a_list_take_their_length() {
    assert_eq!(binary(&"a text".to_owned()), 6 + ALLOCATION);
    assert_eq!(binary(&vec![1_u32; 5]), 5 * 4 + ALLOCATION);
    let boxed: (u8, Box<str>) = (1, "a text".into());
    assert_eq!(
        binary(&boxed),
        6 + ALLOCATION,
        "a box of a text is its two words"
    );
}

#[test]
fn a_part_that_shows_more_than_it_has_room_for_is_behind_a_pointer() {
    let boxed: (u8, Box<[u64; 32]>) = (1, Box::new([0; 32]));
    assert_eq!(binary(&boxed), 256 + ALLOCATION);
}

/// A value of four bytes.
struct Written(u32);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{:>40}", self.0))
        } else {
            serializer.serialize_bytes(&[0; 40])
        }
    }
}

#[test]
fn what_has_no_room_for_a_pointer_has_nothing_behind_it() {
    assert_eq!(binary(&(1_u64, Written(1))), 0);
    assert_eq!(behind(&(1_u64, Written(1)), true), 0);
}

#[test]
fn each_codec_is_shown_what_it_writes() {
    struct Either(Box<u32>);

    impl Serialize for Either {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if serializer.is_human_readable() {
                return serializer.serialize_str("a longer text");
            }
            serializer.serialize_u32(*self.0)
        }
    }

    assert_eq!(
        behind(&Either(Box::new(1)), false),
        0,
        "what fits in a pointer is taken for what is in its place"
    );
    assert_eq!(
        behind(&Either(Box::new(1)), true),
        13 + ALLOCATION + 16 + ALLOCATION
    );
}

#[test]
fn what_was_seen_before_an_error_counts() {
    struct Fails(String);

    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(None)?;
            list.serialize_element(&self.0)?;
            Err(S::Error::custom("no more"))
        }
    }

    assert_eq!(binary(&Fails("a text".to_owned())), 6 + ALLOCATION);
}
