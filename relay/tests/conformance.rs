//! The page that says which test shows what (docs/conformance.md) names tests that there are.

use std::path::Path;

/// The file and the function of every test the page names.
fn named(page: &str) -> Vec<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter_map(|text| text.split_once(".rs::")).collect()
}

/// Whether a source has a test of that name: the attribute stands above it, with nothing but other attributes between.
fn has_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_attribute = |line: &&&str| line.starts_with("#[");
    let at = lines.iter().position(|line| line.trim_start_matches("async ").starts_with(&head));
    at.is_some_and(|at| lines[..at].iter().rev().take_while(is_attribute).any(|line| line.contains("test]")))
}

#[test]
fn every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../docs/conformance.md")).expect("the page is there");
    let named = named(&page);
    assert!(named.len() > 50, "the page is read: {} tests", named.len());
    let mut missing = Vec::new();
    for (file, test) in named {
        let source = std::fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
        if !has_test(&source, test) {
            missing.push(format!("{file}.rs::{test}"));
        }
    }
    assert!(missing.is_empty(), "named in docs/conformance.md and nowhere else: {missing:#?}");
}

#[test]
fn a_test_is_known_by_its_attribute() {
    assert!(has_test("#[test]\nfn a() {}\n", "a"));
    assert!(has_test("    #[tokio::test]\n    #[ignore = \"x\"]\n    async fn a() {}\n", "a"));
    assert!(!has_test("fn a() {}\n", "a"));
    assert!(!has_test("#[test]\nfn ab() {}\n", "a"));
    assert!(!has_test("#[test]\nfn b() {}\n\nfn a() {}\n", "a"));
}
