//! Committed listings: pictures of the house that a test keeps true.

use std::path::Path;
use std::{env, fs};

/// With this variable set to 1 the listings are written instead of compared.
pub const UPDATE: &str = "TANDEM_UPDATE";

/// Demands that the committed file holds the text.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn keep(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if env::var(UPDATE).is_ok_and(|value| value == "1") {
        fs::write(&path, text).expect("the listing can be written");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if let Some(trouble) = difference(&committed, text) {
        panic!("tests/{name} is out of date: {trouble}\nif that is meant, run with {UPDATE}=1 and commit it");
    }
}

/// The first lines that differ.
pub fn difference(committed: &str, text: &str) -> Option<String> {
    if committed == text {
        return None;
    }
    let (mut old, mut new) = (committed.lines(), text.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (old.next(), new.next()) {
            (None, None) => return Some("its line ends differ".to_owned()),
            (old, new) if old == new => {}
            (old, new) => {
                let show = |text: Option<&str>| text.map_or("nothing".to_owned(), |text| format!("\"{text}\""));
                return Some(format!("line {line} is {} and should be {}", show(old), show(new)));
            }
        }
    }
}
