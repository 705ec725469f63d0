//! Who may name whom.

use super::manifests::entries;
use super::{File, Finding, Tree};

/// Every crate of the house: its folder, its name, and the crates of the house that it may name.
const CRATES: [(&str, &str, &[&str]); 11] = [
    ("proto", "proto", &[]),
    ("shared/base", "base", &[]),
    ("shared/db", "db", &["base"]),
    ("shared/service", "service", &["base", "db", "proto"]),
    ("shared/saga", "saga", &["base", "db", "service"]),
    ("shared/testkit", "testkit", &["base", "db"]),
    ("services/identity", "identity", &["base", "db", "proto", "service", "saga"]),
    ("services/licensing", "licensing", &["base", "db", "proto", "service", "saga"]),
    ("services/partner", "partner", &["base", "db", "proto", "service", "saga"]),
    ("services/tandem", "tandem", &["base", "db", "proto", "service", "saga", "identity", "licensing", "partner"]),
    ("tests", "tests", EVERYTHING),
];

const EVERYTHING: &[&str] =
    &["base", "db", "proto", "service", "saga", "testkit", "identity", "licensing", "partner", "tandem"];

/// Imports go one way: base <- db <- service <- saga <- {identity | licensing | partner} <- tandem <- tests, with proto
/// beside. No service names another.
pub fn direction(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.ending("/Cargo.toml") {
        let folder = manifest.path.trim_end_matches("/Cargo.toml");
        let Some((_, name, may)) = CRATES.iter().find(|(at, ..)| *at == folder) else {
            let trouble = "this crate has no place in the house: give it one in the table of crates";
            findings.push(Finding::new(&manifest.path, 1, trouble));
            continue;
        };
        for entry in entries(&manifest.text).into_iter().filter(|entry| entry.section.ends_with("dependencies")) {
            let testing = entry.section == "dev-dependencies" && entry.key == "testkit";
            if EVERYTHING.contains(&entry.key.as_str()) && !may.contains(&entry.key.as_str()) && !testing {
                let trouble = format!("{name} must not name {}: move the need down or the code up", entry.key);
                findings.push(Finding::new(&manifest.path, entry.line, trouble));
            }
        }
    }
    findings
}

/// Of the shared crates only `service` knows the contract, and of the contract only what is common, the descriptor set
/// and what every request has.
pub fn contract_in_shared(tree: &Tree) -> Vec<Finding> {
    const COMMON: [&[&str]; 4] =
        [&["proto", "common", "v1"], &["proto", "CONTRACT"], &["proto", "PUBLIC"], &["proto", "Request"]];
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.within("shared")) {
        for used in file.shipped_paths().into_iter().filter(|used| used.root() == Some("proto")) {
            if !file.within("shared/service") || !COMMON.iter().any(|common| used.parts.starts_with(&owned(common))) {
                let trouble = format!(
                    "`{}` is not for shared crates: service may name proto::common::v1, and no other shared crate proto",
                    used.text()
                );
                findings.push(Finding::new(&file.path, used.line, trouble));
            }
        }
    }
    findings
}

/// Only `db` names sqlx.
pub fn sqlx(tree: &Tree) -> Vec<Finding> {
    let allowed = |file: &File| file.within("shared/db");
    let remedy = "only shared/db names sqlx: ask db::Tx, or teach shared/db what is missing";
    roots(tree, &["sqlx"], allowed, remedy)
}

/// gRPC, HTTP and their layers stand at the doors only.
pub fn tonic(tree: &Tree) -> Vec<Finding> {
    let allowed = |file: &File| {
        ["proto", "shared/service", "services/tandem", "tests"].iter().any(|folder| file.within(folder))
            || ["api.rs", "clients.rs", "main.rs", "start.rs"].contains(&file.name())
    };
    let remedy =
        "gRPC and HTTP stand in shared/service, api.rs, clients.rs, main.rs and start.rs only: nouns know neither";
    let doors = ["tonic", "tonic_types", "tonic_health", "tonic_prost", "tonic_reflection", "tower", "tower_http"];
    let http = ["axum", "hyper", "hyper_util", "http", "http_body", "http_body_util"];
    roots(tree, &[doors.as_slice(), http.as_slice()].concat(), allowed, remedy)
}

/// Every use of these crates outside of the allowed files, in code and in manifests.
fn roots(tree: &Tree, crates: &[&str], allowed: impl Fn(&File) -> bool, remedy: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !allowed(file)) {
        for used in file.paths() {
            if used.root().is_some_and(|root| crates.contains(&root)) {
                findings.push(Finding::new(&file.path, used.line, format!("`{}`: {remedy}", used.text())));
            }
        }
    }
    findings
}

fn owned(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}
