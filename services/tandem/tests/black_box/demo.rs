//! The demo, as somebody who has never seen the project would play it.

use std::fs;
use std::path::Path;

use crate::program::{Folder, refused, said, tandem, text};

/// What the story cannot be told without, in its order.
const STORY: [&str; 9] = [
    "products added",
    "are partners",
    "is a customer of Fabrikam Cloud",
    "refused: NOT_FOUND",
    "decision: COMMITTED, delivered everywhere: true",
    "25 seats of",
    "10 changed, 0 unchanged, 0 failed",
    "[-]",
    "serves it no more, still has delegated admin",
];

fn play(arguments: &[&str]) -> String {
    let folder = Folder::new();
    let told = said(tandem(["demo"]).args(arguments).env("TMPDIR", folder.path()));
    let left = fs::read_dir(folder.path()).expect("it is a folder").count();
    assert_eq!(left, 0, "the demo leaves nothing behind");
    told
}

fn check(told: &str) {
    let mut rest = told;
    for part in STORY {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing, or comes too early, in {told}"));
        rest = &rest[at..];
    }
}

#[test]
fn the_demo_plays_the_whole_story_and_leaves_nothing_behind() {
    check(&play(&[]));
}

#[test]
fn the_demo_plays_with_the_published_catalog() {
    let published = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/product-names-and-service-plan-identifiers.csv");
    if !published.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", published.display());
        println!("the published catalog is not here: nothing was played");
        return;
    }
    let told = play(&["--catalog", text(&published)]);
    check(&told);
    assert!(told.contains("569 products added"), "{told}");
}

#[test]
fn a_catalog_that_is_none_ends_the_demo_with_a_sentence() {
    let folder = Folder::new();
    let missing = folder.join("missing.csv");
    let told = refused(tandem(["demo", "--catalog", text(&missing)]).env("TMPDIR", folder.path()), 1);
    assert!(told.contains("missing.csv cannot be read"), "{told}");
    let broken = folder.file("broken.csv", "not a catalog\n");
    let output = tandem(["demo", "--catalog", text(&broken)]).env("TMPDIR", folder.path()).output();
    let output = output.expect("the demo starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("error: "), "{told}");
    assert_eq!(fs::read_dir(folder.path()).expect("it is a folder").count(), 1, "only the test's own file is left");
}
