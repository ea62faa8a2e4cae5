//! What the attribute says to code that it can't memoize.
//!
//! `TRYBUILD=overwrite cargo test --all-features --test ui` writes the expected errors.

#[test]
fn errors() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
