//! Every SQL statement of the workspace, as a request could send it, is one that both databases understand.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::collections::BTreeSet;

use db::{Dialect, Migration};
use rstest::rstest;
use testkit::database::{Database, Kind};
use tests::tidy::statements::{Chain, collect};
use tests::tidy::{Finding, Tree, none};

/// Fewer than these were never there: the reader has become blind.
const STATEMENTS_MIN: usize = 55;

/// The schemas that the statements are prepared in: those of the services, and that of one with sagas and intents.
fn schemas() -> [(&'static str, Vec<Migration>); 4] {
    let with_sagas = service::MIGRATIONS.iter().chain(saga::MIGRATIONS).chain(saga::INTENT_MIGRATIONS);
    [
        ("identity", identity::migrations()),
        ("licensing", licensing::migrations()),
        ("partner", partner::migrations()),
        ("saga", with_sagas.copied().collect()),
    ]
}

/// Whether a file's statements are sent to a database of that schema: a service's own are, the sagas' where there are
/// sagas, and what is shared is sent to all.
fn meets(path: &str, schema: &str) -> bool {
    match path.strip_prefix("services/") {
        Some(rest) => rest.starts_with(&format!("{schema}/")),
        None => !path.starts_with("shared/saga/") || schema == "saga",
    }
}

fn statements() -> Vec<Chain> {
    let (chains, not_understood) = collect(&Tree::workspace());
    none(&not_understood);
    assert!(chains.len() >= STATEMENTS_MIN, "only {} statements were found", chains.len());
    chains
}

#[rstest]
#[tokio::test]
async fn every_statement_prepares_on_both_databases(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let chains = statements();
    let dialect = match kind {
        Kind::Sqlite => Dialect::Sqlite,
        Kind::Postgres => Dialect::Postgres,
    };
    let (mut refused, mut texts) = (Vec::new(), 0);
    for (service, migrations) in schemas() {
        let database = Database::migrated(kind, &migrations).await;
        let db = database.open().await;
        for chain in chains.iter().filter(|chain| meets(&chain.path, service)) {
            for text in chain.texts(dialect) {
                texts += 1;
                let complaint = match text.check() {
                    Ok(()) => db.prepare(text.as_str()).await.err(),
                    Err(fault) => Some(fault.to_string()),
                };
                if let Some(complaint) = complaint {
                    let trouble = format!("{service}: {complaint}: {}", text.as_str());
                    refused.push(Finding::new(&chain.path, chain.line, trouble));
                }
            }
        }
        db.close().await;
    }
    println!("{} statements, {texts} texts on {kind:?}", chains.len());
    none(&refused);
}

#[test]
fn every_parameter_is_bound_once_and_in_order() {
    none(&statements().iter().flat_map(Chain::misbound).collect::<Vec<_>>());
}

#[test]
fn every_statement_is_portable_and_bounded() {
    none(&statements().iter().flat_map(Chain::unportable).collect::<Vec<_>>());
}

fn one(code: &str) -> Chain {
    let text = format!("fn f() {{ {code} }}");
    let (mut chains, findings) = collect(&Tree::of(&[("services/identity/src/x/store.rs", &text)]));
    none(&findings);
    chains.pop().unwrap()
}

#[test]
fn a_statement_has_a_text_for_every_way_to_join_its_fragments() {
    let chain =
        one("tx.sql(\"SELECT a FROM t WHERE b = $1\").bind(b).when(c, \"AND c = $?\").when_set(d, \"AND d\").all()");
    let texts: Vec<String> = chain.texts(Dialect::Sqlite).iter().map(|text| text.as_str().to_owned()).collect();
    let start = "SELECT a FROM t WHERE b = $1";
    let wanted: BTreeSet<String> =
        ["", " AND c = $2", " AND d", " AND c = $2 AND d"].into_iter().map(|end| format!("{start}{end}")).collect();
    assert_eq!(texts.into_iter().collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn a_page_has_four_texts_and_a_lock_two_where_there_are_locks() {
    let chain =
        one("tx.sql(\"SELECT a FROM t WHERE b = $1\").bind(b).for_share().page(s, l, \"k\", \"id\").all().await?");
    assert_eq!(chain.texts(Dialect::Sqlite).len(), 4);
    assert_eq!(chain.texts(Dialect::Postgres).len(), 8);
}

#[rstest]
#[case::not_a_literal("tx.sql(text).all()")]
#[case::never_run("let s = tx.sql(\"SELECT 1\").bind(1); s")]
#[case::built_in_steps("let mut s = tx.sql(\"SELECT 1\"); s = s.bind(1); s.all()")]
#[case::something_else("tx.sql(\"SELECT 1\").logged().all()")]
#[case::inside_a_macro("select! { _ = tx.sql(\"SELECT 1\").all() => {} }")]
fn a_statement_that_cannot_be_understood_is_found(#[case] code: &str) {
    let text = format!("fn f() {{ {code} }}");
    let (_, findings) = collect(&Tree::of(&[("services/identity/src/x/store.rs", &text)]));
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[rstest]
#[case::forgotten("tx.sql(\"SELECT $1, $2\").bind(1).all()")]
#[case::skipped("tx.sql(\"SELECT $1, $3\").bind(1).bind(2).bind(3).all()")]
#[case::too_many("tx.sql(\"SELECT $1\").bind(1).bind(2).all()")]
#[case::forgotten_in_one_of_two_texts("tx.sql_for(\"SELECT 1\", \"SELECT $1\").bind(1).all()")]
#[case::bound_after_a_fragment("tx.sql(\"SELECT $1, $2\").bind(1).when(x, \"AND y = $?\").bind(2).all()")]
#[case::a_fragment_without_its_value("tx.sql(\"SELECT $1\").bind(1).when(x, \"AND y\").all()")]
#[case::a_fragment_with_a_number("tx.sql(\"SELECT $1\").bind(1).when_set(x, \"AND y = $2\").all()")]
fn a_parameter_that_is_not_bound_as_it_should_is_found(#[case] code: &str) {
    assert!(!one(code).misbound().is_empty());
}

#[rstest]
#[case::like("tx.sql(\"SELECT a FROM t WHERE a LIKE 'x'\").all()")]
#[case::offset("tx.sql(\"SELECT a FROM t LIMIT 1 OFFSET 2\").all()")]
#[case::now("tx.sql(\"UPDATE t SET a = now()\").execute()")]
#[case::in_a_fragment("tx.sql(\"SELECT a FROM t\").when(x, \"AND a LIKE $?\").all()")]
#[case::every_column("tx.sql(\"SELECT * FROM t\").all()")]
fn a_statement_in_one_database_s_own_way_is_found(#[case] code: &str) {
    assert!(!one(code).unportable().is_empty());
}
