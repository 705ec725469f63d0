//! The tools around the services: keys, migrations, tokens, and what each says when it cannot.

use std::fs;

use testkit::database::{Database, Kind};

use crate::program::{Folder, PASSWORD, Port, block_on, command, program, refused, said, tandem, text};

#[test]
fn keys_are_made_once_and_kept_afterwards() {
    let folder = Folder::new();
    let dir = folder.join("keys");
    let init = || said(&mut tandem(["keys", "init", "--dir", text(&dir)]));
    let files = ["identity.key", "licensing.key", "partner.key", "bundle.json"];
    let told = |what: &str| -> String { files.map(|file| format!("{what} {}\n", dir.join(file).display())).concat() };
    assert_eq!(init(), told("wrote"));
    let key = fs::read(dir.join("partner.key")).expect("the key is there");
    assert_eq!(init(), told("kept "));
    assert_eq!(fs::read(dir.join("partner.key")).expect("the key is there"), key);

    fs::remove_file(dir.join("licensing.key")).expect("the key is there");
    let told = init();
    assert!(told.contains("wrote") && told.contains("kept  "), "{told}");
}

#[test]
fn a_migration_says_what_it_did_and_does_it_once() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let database = block_on(Database::empty(kind));
        let migrate = || {
            let mut command = tandem(["migrate", "--service", "identity"]);
            said(command.env("TANDEM_DATABASE_URL", &database.settings().url))
        };
        assert!(migrate().contains("was brought up to date"), "{kind:?}");
        assert!(migrate().contains("was up to date already"), "{kind:?}");
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_told_with_its_cause_and_without_its_password() {
    let nobody = Port::reserve();
    let url = format!("postgres://tandem:hunter2@{}/identity", nobody.address());
    let told = refused(&mut tandem(["migrate", "--service", "identity", "--database-url", &url]), 1);
    assert!(told.contains("DATABASE_UNAVAILABLE") && told.contains("because: "), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_token_that_cannot_be_had_is_refused_with_the_reason() {
    let nobody = Port::reserve();
    let cases = [
        (nobody.url(), "identity does not answer at"),
        ("http://identity.example:50051".to_owned(), "use an https URL"),
        ("https://identity.example:50051".to_owned(), "--tls-authority"),
        ("127.0.0.1:50051".to_owned(), "is not a URL"),
        ("identity".to_owned(), "is not a URL"),
    ];
    for (identity, expected) in cases {
        let mut token = tandem(["token", "--user", "ada@fabrikam.tandem.example", "--identity", &identity]);
        let told = refused(token.env("TANDEM_PASSWORD", PASSWORD), 1);
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains(PASSWORD), "{told}");
    }
}

#[test]
fn a_secret_is_not_shown_to_anything_but_a_terminal() {
    let folder = Folder::new();
    let told = refused(&mut tandem(["operator", "reset", "--data-dir", text(folder.path())]), 1);
    assert!(told.contains("--secret-file"), "{told}");
}

#[test]
fn a_reset_without_a_database_makes_none() {
    let folder = Folder::new();
    let mut reset = tandem(["operator", "reset", "--data-dir", text(folder.path())]);
    let told = refused(reset.args(["--secret-file", text(&folder.join("secret"))]), 1);
    assert!(told.contains("there is no database"), "{told}");
    assert_eq!(fs::read_dir(folder.path()).expect("it is a folder").count(), 0);
}

#[test]
fn a_service_tells_all_that_is_wrong_with_its_configuration_at_once() {
    for service in ["identity", "licensing", "partner"] {
        let told =
            refused(command(program(service)).env("TANDEM_LISTEN", "nowhere").args(["--concurrency", "many"]), 2);
        for name in ["TANDEM_DATABASE_URL", "TANDEM_KEYS_DIR", "TANDEM_LISTEN", "TANDEM_CONCURRENCY"] {
            assert!(told.contains(name), "{service} does not complain of {name}: {told}");
        }
        assert!(told.contains("tandem keys init"), "{told}");
    }
    let told = refused(command(program("identity")).args(["--domain-suffix", "suffix"]), 2);
    assert!(told.contains("TANDEM_DOMAIN_SUFFIX") && told.contains("TANDEM_DATABASE_URL"), "{told}");
}

#[test]
fn a_service_whose_keys_or_schema_are_missing_says_what_to_run() {
    let folder = Folder::new();
    let (keys, database) = (folder.join("keys"), format!("sqlite:{}", folder.join("licensing.db").display()));
    let start = || {
        let mut service = command(program("licensing"));
        service.env("TANDEM_DATABASE_URL", &database).env("TANDEM_KEYS_DIR", &keys);
        service
    };
    let told = refused(&mut start(), 1);
    assert!(told.contains("KEYS_MISSING") && told.contains("tandem keys init"), "{told}");
    said(&mut tandem(["keys", "init", "--dir", text(&keys)]));
    let told = refused(&mut start(), 1);
    assert!(told.contains("SCHEMA_OUT_OF_DATE") && told.contains("tandem migrate"), "{told}");
    let told = refused(start().env("TANDEM_LOG", "info,=["), 2);
    assert!(told.contains("TANDEM_LOG"), "{told}");
}
