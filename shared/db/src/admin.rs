//! Making and dropping whole PostgreSQL databases: for operators' tools and test worlds, never for a request.

use base::Fault;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, raw_sql};

use crate::error;

/// Makes a database, as a copy of another when there is a template.
///
/// # Errors
/// `DATABASE_NAME_MALFORMED` for a name that is not lower-case letters, digits and underscores; otherwise what the
/// server says.
pub async fn create_database(admin_url: &str, name: &str, template: Option<&str>) -> Result<(), Fault> {
    let name = checked(name)?;
    let text = match template {
        Some(template) => format!("CREATE DATABASE {name} TEMPLATE {}", checked(template)?),
        None => format!("CREATE DATABASE {name}"),
    };
    run(admin_url, text).await
}

/// Renames a database that nobody is connected to.
///
/// # Errors
/// As [`create_database`].
pub async fn rename_database(admin_url: &str, name: &str, new_name: &str) -> Result<(), Fault> {
    run(admin_url, format!("ALTER DATABASE {} RENAME TO {}", checked(name)?, checked(new_name)?)).await
}

/// Drops a database, whoever is connected to it.
///
/// # Errors
/// As [`create_database`].
pub async fn drop_database(admin_url: &str, name: &str) -> Result<(), Fault> {
    run(admin_url, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", checked(name)?)).await
}

/// Whether the server has a database of that name.
///
/// # Errors
/// When the server does not answer.
pub async fn database_exists(admin_url: &str, name: &str) -> Result<bool, Fault> {
    let mut connection = PgConnection::connect(admin_url).await.map_err(error::unavailable)?;
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name).fetch_optional(&mut connection);
    let found = found.await.map_err(error::statement)?;
    connection.close().await.map_err(error::unavailable)?;
    Ok(found.is_some())
}

async fn run(admin_url: &str, text: String) -> Result<(), Fault> {
    let mut connection = PgConnection::connect(admin_url).await.map_err(error::unavailable)?;
    connection.execute(raw_sql(AssertSqlSafe(text))).await.map_err(error::statement)?;
    connection.close().await.map_err(error::unavailable)
}

fn checked(name: &str) -> Result<&str, Fault> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.len() <= 63 && name.chars().all(plain) {
        return Ok(name);
    }
    Err(Fault::invalid(
        "DATABASE_NAME_MALFORMED",
        "a database name is 1 to 63 lower-case letters, digits and underscores",
    ))
}
