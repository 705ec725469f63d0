//! Everything that a database holds, for tests that demand that nothing, or exactly one thing, was written.

use std::collections::BTreeMap;

use db::{Db, Dialect, Tx};

/// The rows of every table, as text and in order of that text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump(BTreeMap<String, Vec<String>>);

impl Dump {
    /// The rows of one table.
    pub fn rows(&self, table: &str) -> &[String] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// The tables that hold these bytes anywhere, as text or in hexadecimal digits.
    pub fn tables_with(&self, bytes: &[u8]) -> Vec<&str> {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let found = |row: &String| {
            let row = row.to_lowercase();
            row.contains(&text) || row.contains(&digits)
        };
        self.0.iter().filter(|(_, rows)| rows.iter().any(found)).map(|(table, _)| table.as_str()).collect()
    }

    /// The tables that differ.
    pub fn changed(&self, later: &Self) -> Vec<&str> {
        self.0.iter().filter(|(table, rows)| later.rows(table) != *rows).map(|(table, _)| table.as_str()).collect()
    }
}

/// Reads every table in one snapshot.
pub async fn dump(db: &Db) -> Dump {
    let mut tx = db.snapshot().await.expect("the database answers");
    let tables = tx.sql_for(
        "SELECT name FROM sqlite_master WHERE type = 'table'",
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    );
    let tables: Vec<String> = tables.all().await.expect("a database knows its tables");
    let mut dump = BTreeMap::new();
    for table in tables {
        let mut rows = rows(&mut tx, &table).await;
        rows.sort();
        dump.insert(table, rows);
    }
    tx.rollback().await;
    Dump(dump)
}

async fn rows(tx: &mut Tx, table: &str) -> Vec<String> {
    let text = match tx.dialect() {
        Dialect::Postgres => format!("SELECT row_to_json({table})::text FROM {table}"),
        Dialect::Sqlite => {
            let columns = tx.sql("SELECT name FROM pragma_table_info($1)").bind(table);
            let columns: Vec<String> = columns.all().await.expect("a table knows its columns");
            let columns: Vec<String> =
                columns.iter().map(|column| format!("'{column}: ' || quote({column})")).collect();
            format!("SELECT {} FROM {table}", columns.join(" || ', ' || "))
        }
    };
    // Statements are static so that nobody builds them from a request; a test may make a few that live as long as it.
    tx.sql(text.leak()).all().await.expect("a table can be read")
}
