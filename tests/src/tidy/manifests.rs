//! Cargo.toml and Cargo.lock: one source of versions and lints, and no crate that was ruled out.

use super::{Finding, Tree};

/// One `key = value` of a manifest. A dotted key `a.b = c` is key `a`, value `b = c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The table, such as `dev-dependencies`.
    pub section: String,
    /// Before the first dot or equals sign.
    pub key: String,
    /// The rest of the line.
    pub value: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// The entries of a manifest, in the subset of TOML that ours are written in: what goes on over several lines is read
/// by its first.
pub fn entries(text: &str) -> Vec<Entry> {
    let mut section = String::new();
    let mut entries = Vec::new();
    for (line, code) in text.lines().enumerate().map(|(line, code)| (line + 1, code.trim())) {
        if let Some(name) = code.strip_prefix('[').filter(|_| code.ends_with(']') && !code.contains('=')) {
            section = name.trim_matches(['[', ']']).to_owned();
        } else if let Some(at) = code.find(['.', '=']).filter(|_| !code.starts_with(['#', '"', ']'])) {
            let key = code[..at].trim().trim_matches('"').to_owned();
            let value = code[at..].trim_start_matches(['.', '=', ' ']).to_owned();
            entries.push(Entry { section: section.clone(), key, value, line });
        }
    }
    entries
}

/// Every crate takes its edition, its lints and the versions of its dependencies from the workspace.
pub fn inheritance(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.ending("/Cargo.toml") {
        let entries = entries(&manifest.text);
        let inherits = |section: &str, key: &str| {
            let mut found = entries.iter().filter(|entry| entry.section == section);
            found.any(|entry| format!("{}.{}", entry.key, entry.value) == format!("{key}.workspace = true"))
        };
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits("package", key) {
                let trouble = format!("write `{key}.workspace = true` below [package]");
                findings.push(Finding::new(&manifest.path, 1, trouble));
            }
        }
        let lints: Vec<_> = entries.iter().filter(|entry| entry.section.starts_with("lints")).collect();
        if !matches!(lints.as_slice(), [only] if only.section == "lints" && only.key == "workspace" && only.value == "true")
        {
            let trouble =
                "the lints of the workspace hold here as they are: `[lints]`, `workspace = true`, nothing else";
            findings.push(Finding::new(&manifest.path, 1, trouble));
        }
        for entry in entries.iter().filter(|entry| entry.section.ends_with("dependencies")) {
            if !entry.value.contains("workspace = true") {
                let trouble = format!("give {} its version in the root manifest, and say workspace = true", entry.key);
                findings.push(Finding::new(&manifest.path, entry.line, trouble));
            }
        }
    }
    findings
}

/// Every dependency of the workspace stands in its table once, and some crate needs it.
pub fn needed(tree: &Tree) -> Vec<Finding> {
    let manifests = || tree.ending("/Cargo.toml").flat_map(|manifest| entries(&manifest.text));
    let users: Vec<Entry> = manifests().filter(|entry| entry.section.ends_with("dependencies")).collect();
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for root in tree.files().filter(|file| file.path == "Cargo.toml") {
        for entry in entries(&root.text).into_iter().filter(|entry| entry.section == "workspace.dependencies") {
            let trouble = if seen.contains(&entry.key) {
                format!("{} has one version, so it stands here once", entry.key)
            } else if !users.iter().any(|user| user.key == entry.key) {
                format!("no crate names {}: take it out", entry.key)
            } else {
                String::new()
            };
            if !trouble.is_empty() {
                findings.push(Finding::new(&root.path, entry.line, trouble));
            }
            seen.push(entry.key);
        }
    }
    findings
}

/// A crate of the lock file.
struct Locked {
    name: String,
    version: String,
    needs: Vec<String>,
    line: usize,
}

/// The lock file holds one version of each crate whose types or connections meet, and none that was ruled out.
pub fn lock(tree: &Tree) -> Vec<Finding> {
    /// Two versions of these would not understand each other, or keep two pools, two providers, two runtimes.
    const ONCE: [&str; 14] = [
        "aws-lc-rs",
        "h2",
        "http",
        "hyper",
        "prost",
        "prost-reflect",
        "prost-types",
        "rustls",
        "sqlx",
        "sqlx-core",
        "time",
        "tokio",
        "tonic",
        "uuid",
    ];
    /// rustls-webpki names ring as a choice that nobody here makes: rustls itself would name it if somebody did.
    const RULED_OUT: [(&str, &[&str]); 4] =
        [("ring", &["rustls-webpki"]), ("openssl", &[]), ("openssl-sys", &[]), ("native-tls", &[])];
    let mut findings = Vec::new();
    for lock in tree.files().filter(|file| file.path == "Cargo.lock") {
        let locked = locked(&lock.text);
        for name in ONCE {
            if let [first, second, ..] = locked.iter().filter(|each| each.name == name).collect::<Vec<_>>().as_slice() {
                let trouble =
                    format!("{name} is here as {} and {}: bring its users together", first.version, second.version);
                findings.push(Finding::new(&lock.path, second.line, trouble));
            }
        }
        for (name, may) in RULED_OUT {
            let users = locked.iter().filter(|each| each.needs.iter().any(|need| need == name));
            for user in users.filter(|user| !may.contains(&user.name.as_str())) {
                let trouble = format!("{} needs {name}, which was ruled out: use rustls over aws-lc-rs", user.name);
                findings.push(Finding::new(&lock.path, user.line, trouble));
            }
        }
        for h2 in locked.iter().filter(|each| each.name == "h2" && numbers(&each.version) < vec![0, 4, 20]) {
            let trouble = "h2 below 0.4.20 can be made to hold memory without limit: update it";
            findings.push(Finding::new(&lock.path, h2.line, trouble));
        }
    }
    findings
}

fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

fn locked(text: &str) -> Vec<Locked> {
    let mut all: Vec<Locked> = Vec::new();
    for (line, code) in text.lines().enumerate().map(|(line, code)| (line + 1, code.trim())) {
        let value = |key: &str| code.strip_prefix(key).map(|rest| rest.trim_matches([' ', '=', '"']).to_owned());
        if code == "[[package]]" {
            all.push(Locked { name: String::new(), version: String::new(), needs: Vec::new(), line });
        } else if let Some(last) = all.last_mut() {
            if let Some(name) = value("name =") {
                last.name = name;
            } else if let Some(version) = value("version =") {
                last.version = version;
            } else if let Some(need) = code.strip_prefix('"') {
                last.needs.push(need.split([' ', '"']).next().unwrap_or_default().to_owned());
            }
        }
    }
    all
}
