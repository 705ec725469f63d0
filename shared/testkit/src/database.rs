//! Fresh, migrated databases of both kinds.
//!
//! On PostgreSQL a template is migrated once per schema and server, and each database is a copy of it.
#![expect(clippy::expect_used, reason = "a test without its database has nothing better to do than fail")]

use std::fs::{self, File};
use std::path::PathBuf;

use db::{Db, Migration, Settings};
use uuid::Uuid;

use crate::postgres;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file in a folder of its own.
    Sqlite,
    /// A database on the test server.
    Postgres,
}

/// A database of one test. It goes with its folder, or with the server.
#[derive(Debug)]
pub struct Database {
    settings: Settings,
    folder: Option<PathBuf>,
}

impl Database {
    /// A database with that schema and without rows.
    pub async fn migrated(kind: Kind, migrations: &[Migration]) -> Self {
        match kind {
            Kind::Sqlite => {
                let database = Self::empty(kind).await;
                let db = Db::open(&database.settings).await.expect("a new SQLite file can be opened");
                db.migrate(migrations).await.expect("the migrations run on SQLite");
                db.close().await;
                drop(db);
                database
            }
            Kind::Postgres => {
                let template = template(migrations).await;
                let name = fresh_name();
                let admin = postgres::server().admin_url();
                db::create_database(admin, &name, Some(&template)).await.expect("the template can be copied");
                Self { settings: Settings::new(url(&name)), folder: None }
            }
        }
    }

    /// A database without a schema.
    pub async fn empty(kind: Kind) -> Self {
        let name = fresh_name();
        match kind {
            Kind::Sqlite => {
                let folder = std::env::temp_dir().join(&name);
                fs::create_dir(&folder).expect("a temporary folder can be made");
                let settings = Settings::new(format!("sqlite:{}", folder.join("test.db").display()));
                Self { settings, folder: Some(folder) }
            }
            Kind::Postgres => {
                let admin = postgres::server().admin_url();
                db::create_database(admin, &name, None).await.expect("a database can be made");
                Self { settings: Settings::new(url(&name)), folder: None }
            }
        }
    }

    /// How to open it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Opens it.
    pub async fn open(&self) -> Db {
        Db::open(&self.settings).await.expect("the test's database can be opened")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // What is still open is removed all the same; the rest is the temporary folder's business.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn fresh_name() -> String {
    format!("tandem_test_{}", Uuid::now_v7().simple())
}

/// The admin URL with another database.
fn url(name: &str) -> String {
    let admin = postgres::server().admin_url();
    let slash = admin.rfind('/').expect("an admin URL ends with a database");
    format!("{}/{name}", &admin[..slash])
}

/// The migrated template of this schema. It gets its name when it is complete, so that a killed test leaves no half one.
async fn template(migrations: &[Migration]) -> String {
    let text: String = migrations.iter().map(|migration| migration.sql).collect();
    let name = format!("tandem_template_{:016x}", fnv(&text));
    let lock = File::create(std::env::temp_dir().join("tandem-test-template.lock")).expect("a lock file can be made");
    lock.lock().expect("the lock can be taken");
    let admin = postgres::server().admin_url();
    if !db::database_exists(admin, &name).await.expect("the test server answers") {
        let building = fresh_name();
        db::create_database(admin, &building, None).await.expect("a database can be made");
        let db = Db::open(&Settings::new(url(&building))).await.expect("a new database can be opened");
        db.migrate(migrations).await.expect("the migrations run on PostgreSQL");
        db.close().await;
        db::rename_database(admin, &building, &name).await.expect("the template can be named");
    }
    name
}

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
