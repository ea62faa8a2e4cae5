//! What keeps two values apart in a key. A file of its own, so that the tests of `cache-memoize` can hold it against
//! what the runtime escapes.

/// A character that stands in a key only where the template put it: in values it is percent-escaped.
pub(crate) fn is_separator(c: char) -> bool {
    c.is_ascii_graphic() && !c.is_ascii_alphanumeric() && !"_.~%-".contains(c)
}
