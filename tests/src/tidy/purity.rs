//! What stands in which room: SQL in stores, time, ids and tasks in `shared/`, and none of them in a noun.

use super::tokens::PathUse;
use super::{File, Finding, Kind, Tree};

/// The folders of the services that own nouns.
const SERVICES: [&str; 3] = ["services/identity", "services/licensing", "services/partner"];

fn is_store(file: &File) -> bool {
    file.name() == "store.rs" || file.path.contains("/store/")
}

/// SQL stands in stores and in `shared/`: nothing else sends statements or holds their texts.
pub fn sql_in_stores(tree: &Tree) -> Vec<Finding> {
    let remedy = "SQL stands in a room's store.rs: give it a function there that says what it is for";
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.within("services") && !is_store(file)) {
        let tokens: Vec<_> = file.shipped_tokens().collect();
        for (at, token) in tokens.iter().enumerate() {
            let called = at > 0 && tokens[at - 1].is_sign(".");
            if called && (token.is_word("sql") || token.is_word("sql_for") || token.is_word("run_script")) {
                findings.push(Finding::new(&file.path, token.line, format!("`.{}(`: {remedy}", token.text)));
            }
            if token.kind == Kind::Text && is_sql(&token.text) {
                findings.push(Finding::new(&file.path, token.line, format!("`{}`: {remedy}", token.text)));
            }
        }
    }
    findings
}

fn is_sql(text: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "SELECT ",
        "INSERT INTO ",
        "UPDATE ",
        "DELETE FROM ",
        "WITH ",
        "CREATE TABLE ",
        "CREATE INDEX ",
        "ALTER TABLE ",
        "DROP ",
    ];
    BEGINNINGS.iter().any(|beginning| text.trim_start().starts_with(beginning))
}

/// A noun is its types and rules: its mod.rs has no async, no transaction, no database, no context and no process.
pub fn nouns(tree: &Tree) -> Vec<Finding> {
    const FOREIGN: [&str; 6] = ["async", "await", "Cx", "Db", "Host", "Tx"];
    let mut findings = Vec::new();
    let room = |file: &&File| file.name() == "mod.rs" && SERVICES.iter().any(|service| file.within(service));
    for file in tree.rust().filter(room) {
        for token in file.shipped_tokens().filter(|token| FOREIGN.iter().any(|word| token.is_word(word))) {
            let trouble =
                format!("`{}`: a noun's mod.rs is pure; ops.rs, store.rs or a file of its own may do this", token.text);
            findings.push(Finding::new(&file.path, token.line, trouble));
        }
    }
    findings
}

/// Whoever wants to know the time asks `cx.now()` or the host's clock, so that a test can move it.
pub fn time(tree: &Tree) -> Vec<Finding> {
    let clocks: [&[&str]; 6] = [
        &["SystemTime", "now"],
        &["Instant", "now"],
        &["OffsetDateTime", "now_utc"],
        &["OffsetDateTime", "now_local"],
        &["Clock", "process_time"],
        &["Timestamp", "now"],
    ];
    let remedy = "only shared/ reads the system's clock: ask cx.now() or host.clock.now()";
    uses(tree, |used| clocks.iter().any(|clock| used.ends_with(clock)), |_| false, remedy)
}

/// Whoever wants an id or a secret asks the context, which keeps what a dry run must not show, or the host.
pub fn randomness(tree: &Tree) -> Vec<Finding> {
    let generators: [&[&str]; 8] = [
        &["Id", "random"],
        &["Uuid", "now_v7"],
        &["Uuid", "new_v4"],
        &["Uuid", "new_v7"],
        &["SystemRandom", "new"],
        &["aws_lc_rs", "rand"],
        &["rand", "fill"],
        &["getrandom", "fill"],
    ];
    let random =
        |used: &PathUse| used.root() == Some("rand") || generators.iter().any(|generator| used.ends_with(generator));
    let remedy = "only shared/ makes ids: ask cx.new_id() or host.new_id()";
    let mut findings = uses(tree, random, |_| false, remedy);
    let secrets = ["random_bytes", "random_token", "temporary_secret"];
    let remedy = "an operation asks cx.new_token() or cx.new_temporary_secret(), so that a dry run does not show it";
    let secret = |used: &PathUse| used.parts.last().is_some_and(|last| secrets.contains(&last.as_str()));
    findings.extend(uses(tree, secret, |file| file.name() != "ops.rs", remedy));
    findings
}

/// A task outlives whoever started it, so only the process itself starts any.
pub fn tasks(tree: &Tree) -> Vec<Finding> {
    let starters: [&[&str]; 6] = [
        &["tokio", "spawn"],
        &["task", "spawn"],
        &["task", "spawn_local"],
        &["task", "JoinSet"],
        &["thread", "spawn"],
        &["thread", "Builder"],
    ];
    let start_up = |file: &File| file.within("services/tandem") || ["main.rs", "start.rs"].contains(&file.name());
    let remedy = "only shared/, main.rs and start.rs start tasks: waiting is a row, not a task";
    uses(tree, |used| starters.iter().any(|starter| used.ends_with(starter)), start_up, remedy)
}

/// Every such path in the services' code, outside of the allowed files.
fn uses(tree: &Tree, wanted: impl Fn(&PathUse) -> bool, allowed: impl Fn(&File) -> bool, remedy: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.within("services") && !allowed(file)) {
        for used in file.shipped_paths().into_iter().filter(&wanted) {
            findings.push(Finding::new(&file.path, used.line, format!("`{}`: {remedy}", used.text())));
        }
    }
    findings
}

/// Where a statement has two texts: how often, and why it must.
const TWO_TEXTS: [(&str, usize, &str); 18] = [
    ("services/identity/src/organization/store.rs", 1, "a list of ids"),
    ("services/identity/src/customer_user/store.rs", 1, "a list of ids"),
    ("services/identity/src/user/store.rs", 2, "lists of ids"),
    ("services/identity/src/workload/store.rs", 1, "a list of ids"),
    ("services/licensing/src/entitlement/store.rs", 2, "lists of ids"),
    ("services/licensing/src/license/store.rs", 5, "lists of users and products"),
    ("services/licensing/src/offer/store.rs", 3, "lists of ids"),
    ("services/licensing/src/product/store.rs", 4, "lists of ids, and lists of products and plans"),
    ("services/licensing/src/product_rules/store.rs", 3, "lists of ids"),
    ("services/licensing/src/subscription/store.rs", 1, "a list of ids"),
    ("services/licensing/src/user/store.rs", 3, "lists of ids"),
    ("shared/db/src/check.rs", 2, "the server's settings and its clock"),
    ("shared/db/src/migrate.rs", 1, "the catalog of tables"),
    ("shared/db/src/tx.rs", 1, "the server's lock timeout"),
    ("shared/saga/src/store.rs", 1, "rows that another replica has claimed"),
    ("shared/service/src/audit.rs", 1, "a list of ids"),
    ("shared/service/src/journal.rs", 2, "lists of entries, and of what is personal in them"),
    ("shared/service/src/outbox.rs", 4, "lists of ids, and rows that another replica has claimed"),
];

/// Statements with two texts are few, and each file that has any says why.
pub fn two_texts(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let tokens: Vec<_> = file.shipped_tokens().collect();
        let calls = tokens.windows(2).filter(|pair| pair[0].is_sign(".") && pair[1].is_word("sql_for"));
        let lines: Vec<usize> = calls.map(|pair| pair[1].line).collect();
        let (known, reason) = TWO_TEXTS
            .iter()
            .find(|(path, ..)| *path == file.path)
            .map_or((0, "nothing"), |(_, known, why)| (*known, why));
        if lines.len() != known {
            let trouble = format!(
                "{} statements with two texts, {known} are known ({reason}): write one portable text, or say why not in \
                 the table of two texts",
                lines.len()
            );
            findings.push(Finding::new(&file.path, lines.last().copied().unwrap_or(1), trouble));
        }
    }
    findings
}
