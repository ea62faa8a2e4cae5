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
];

/// Lengths of zero bytes.
pub(super) const LENGTHS: &[usize] = &[0, 1, 16, 4, 8, 32, 2, 6, 12, 20, 24, 64];

pub(super) fn pick<T: Copy>(from: &[T], attempt: usize) -> T {
    from[attempt % from.len()]
}

/// As many zero bytes.
pub(super) fn zeros(attempt: usize) -> &'static [u8] {
    &[0; 64][..pick(LENGTHS, attempt)]
}
