//! What samples are made of, in the order in which it is tried.
//!
//! Types that check what they read mostly take one of these. The order is part of what a fingerprint depends on: what
//! no sample is good enough for hides what stands behind it.

/// Small, valid as a day, month, year or hour, and not zero; then what a stricter type may want.
pub(super) const NUMBERS: &[u8] = &[1, 0, 2, 10, 12, 31, 100, 3, 64, 4, 5, 6, 7, 8, 16, 127];

pub(super) const TEXTS: &[&str] = &[
    "a",
    "1",
    "",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05",
    "2026-01-02T03:04:05+00:00[UTC]",
    "2026-01-02T03:04:05+00:00[+00:00]",
    "2026-01-02 03:04:05",
    "2026-01-02 03:04:05 +00:00",
    "2026-01-02 03:04:05.0 +00:00:00",
    "03:04:05",
    "03:04:05.0",
    "PT1S",
    "1s",
    "+00:00",
    "UTC",
    "Europe/Paris",
    "Mon",
    "Monday",
    "January",
    "https://example.com/",
    "a@example.com",
    "example.com",
    "127.0.0.1",
    "127.0.0.1:80",
    "::1",
    "[::1]:80",
    "10.0.0.0/8",
    "1.0.0",
    "^1.0.0",
    "1.5",
    "00000000-0000-4000-8000-000000000000",
    "00",
    "0x00",
    "#000000",
    "en",
    "en-US",
    "USD",
    "text/plain",
    "/a",
    "a/b",
    "A",
    "true",
    "AAAA",
    "00000000000040008000000000000000",
    "urn:uuid:00000000-0000-4000-8000-000000000000",
    "{00000000-0000-4000-8000-000000000000}",
    "0000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
];

/// Usual lengths of bytes.
const LENGTHS: &[usize] = &[0, 1, 16, 4, 8, 32, 2, 6, 12, 20, 24, 64];

/// The others, as far as there are attempts for them.
const UNUSUAL_LENGTHS: &[usize] = &[
    3, 5, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25, 26, 27, 28, 29, 30, 31, 33, 34, 35,
    36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
];

pub(super) fn pick<T: Copy>(from: &[T], attempt: usize) -> T {
    from[attempt % from.len()]
}

/// Bytes of one length after another: zeros, then ones, since some ids must not be nil.
pub(super) fn bytes(attempt: usize) -> &'static [u8] {
    let usual = LENGTHS.len();
    match attempt {
        _ if attempt < usual => &[0; 64][..LENGTHS[attempt]],
        _ if attempt < 2 * usual => &[1; 64][..LENGTHS[attempt - usual]],
        _ => &[1; 64][..pick(UNUSUAL_LENGTHS, attempt - 2 * usual)],
    }
}
