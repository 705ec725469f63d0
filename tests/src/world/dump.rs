//! Everything that a database holds, for tests that demand that nothing, or exactly one thing, was written.

use std::collections::BTreeMap;

use db::Db;

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

/// Reads every table in one snapshot and with one statement, because some tests dump after every call.
pub async fn dump(db: &Db) -> Dump {
    let mut tx = db.snapshot().await.expect("the database answers");
    let tables = tx.sql_for(
        "SELECT name, (SELECT group_concat('''' || c.name || ': '' || quote(' || c.name || ')', ' || '', '' || ')
                       FROM pragma_table_info(sqlite_master.name) AS c)
         FROM sqlite_master
         WHERE type = 'table'",
        "SELECT tablename::text, 'row_to_json(' || tablename || ')::text'
         FROM pg_tables
         WHERE schemaname = 'public'",
    );
    let tables: Vec<(String, String)> = tables.all().await.expect("a database knows its tables");
    let parts = tables.iter().map(|(table, row)| format!("SELECT '{table}', {row} FROM {table}"));
    // Statements are static so that nobody builds them from a request; a test may make a few that live as long as it.
    let text: &'static str = parts.collect::<Vec<_>>().join(" UNION ALL ").leak();
    let rows: Vec<(String, String)> = tx.sql(text).all().await.expect("the tables can be read");
    tx.rollback().await;
    let mut dump: BTreeMap<String, Vec<String>> = tables.into_iter().map(|(table, _)| (table, Vec::new())).collect();
    for (table, row) in rows {
        dump.entry(table).or_default().push(row);
    }
    dump.values_mut().for_each(|rows| rows.sort());
    Dump(dump)
}
