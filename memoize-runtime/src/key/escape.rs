//! Percent-escaping: what keeps two different values from making one key.

use std::fmt::{self, Write};

/// Writes text into a key, escaping all but ASCII letters, digits and `_ . ~ -` (RFC 3986's unreserved characters).
///
/// What it writes never holds a separator such as `:`, so a template's own text keeps its placeholders apart.
pub(crate) struct Escaped<'a>(pub(crate) &'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| !is_unreserved(byte)) {
            self.0.push_str(&rest[..at]);
            // Escaped by character, as a byte of one may not be a boundary.
            let character = rest[at..].chars().next().expect("`at` is within the text");
            let mut utf8 = [0; 4];
            for byte in character.encode_utf8(&mut utf8).bytes() {
                push_escaped(self.0, byte);
            }
            rest = &rest[at + character.len_utf8()..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

/// Appends developer's text, which is kept as it is wherever a key can hold it (0x21 to 0x7e).
pub(crate) fn push_literal(key: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            key.push(char::from(byte));
        } else {
            push_escaped(key, byte);
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'~' | b'-')
}

fn push_escaped(key: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    key.push('%');
    key.push(char::from(HEX[usize::from(byte >> 4)]));
    key.push(char::from(HEX[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::{Escaped, push_literal};

    #[test]
    fn escapes_all_but_the_unreserved() {
        let mut key = String::new();
        Escaped(&mut key)
            .write_str("aZ9_.~-: %é\n🦀")
            .expect("a string takes all");
        assert_eq!(key, "aZ9_.~-%3A%20%25%C3%A9%0A%F0%9F%A6%80");
    }

    #[test]
    fn literals_keep_what_a_key_can_hold() {
        let mut key = String::new();
        push_literal(&mut key, "user:<%> é");
        assert_eq!(key, "user:<%>%20%C3%A9");
    }
}
