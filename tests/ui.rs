//! What the attribute says to code that it can't memoize.
//!
//! `TRYBUILD=overwrite cargo test --all-features --test ui` writes the expected errors.

use std::fs;

#[test]
fn errors() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

/// What compiles is compiled and run by a package for each edition, whose tests are listed by hand.
#[test]
fn what_compiles_is_a_test_in_each_edition() {
    for edition in ["2021", "2024"] {
        let manifest = fs::read_to_string(format!("tests/edition-{edition}/Cargo.toml"));
        let manifest = manifest.expect("it is in the repository");
        for file in fs::read_dir("tests/ui/pass").expect("it is in the repository") {
            let name = file.expect("it can be read").file_name();
            let path = format!("path = \"../ui/pass/{}\"", name.display());
            assert!(manifest.contains(&path), "edition {edition}: {path}");
        }
    }
}
