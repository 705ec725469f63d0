//! The rules of the house. Each is first shown to notice what is wrong in a made-up tree, then held over the workspace.

use tests::tidy::{form, imports, keep, manifests, purity, spelling, vocabulary};

#[test]
fn imports_go_one_way() {
    keep(
        imports::direction,
        &[
            &[("shared/db/Cargo.toml", "[dependencies]\nservice.workspace = true\n")],
            &[("shared/base/Cargo.toml", "[build-dependencies]\nproto.workspace = true\n")],
            &[("shared/service/Cargo.toml", "[dev-dependencies]\nidentity.workspace = true\n")],
            &[(
                "services/partner/Cargo.toml",
                "[dependencies.tandem]\nworkspace = true\n[dependencies]\ntests = { workspace = true }\ntandem.workspace = true\n",
            )],
            &[("shared/cache/Cargo.toml", "[package]\nname = \"cache\"\n")],
        ],
    );
}

#[test]
fn no_service_names_another() {
    keep(
        imports::direction,
        &[
            &[("services/identity/Cargo.toml", "[dependencies]\npartner.workspace = true\n")],
            &[("services/licensing/Cargo.toml", "[dev-dependencies]\nidentity.workspace = true\n")],
        ],
    );
}

#[test]
fn shared_crates_know_nothing_of_the_contract_but_what_is_common() {
    keep(
        imports::contract_in_shared,
        &[
            &[("shared/service/src/cx.rs", "use proto::identity::v1 as pb;")],
            &[("shared/service/src/cx.rs", "fn f() -> proto::partner::v1::Customer { g() }")],
            &[("shared/db/src/tx.rs", "use proto::common::v1::AuditEntry;")],
        ],
    );
}

#[test]
fn only_db_names_sqlx() {
    keep(
        imports::sqlx,
        &[
            &[("services/identity/src/user/store.rs", "use sqlx::Row as _;")],
            &[("shared/service/src/cx.rs", "fn f() { select! { _ = sqlx::query(text) => {} } }")],
        ],
    );
}

#[test]
fn grpc_and_http_stand_at_the_doors() {
    keep(
        imports::tonic,
        &[
            &[("services/identity/src/user/ops.rs", "use tonic::Status;")],
            &[("services/partner/src/lib.rs", "fn f(uri: http::Uri) {}")],
            &[("shared/db/src/tx.rs", "use std::fmt;\nuse tower::{Layer, Service};")],
        ],
    );
}

#[test]
fn no_business_noun_stands_in_shared() {
    keep(
        vocabulary::business_nouns,
        &[
            &[("shared/service/src/cx.rs", "pub struct AcceptInvitation;")],
            &[("shared/db/src/tx.rs", "// Frees the seats.\n")],
            &[("shared/service/migrations/0100_service.sql", "CREATE TABLE reseller_ids (")],
            &[("shared/service/src/cx.rs", "fn customer_of() {}")],
        ],
    );
}

#[test]
fn sql_stands_in_stores_and_in_shared() {
    keep(
        purity::sql_in_stores,
        &[
            &[("services/identity/src/user/ops.rs", "fn f() { tx.sql(text).execute() }")],
            &[("services/partner/src/projection.rs", "const TEXT: &str = \"SELECT 1\";")],
            &[("services/tandem/src/migrate.rs", "fn f() { db.run_script(text) }")],
        ],
    );
}

#[test]
fn a_noun_has_rules_and_no_transactions() {
    keep(
        purity::nouns,
        &[
            &[("services/identity/src/user/mod.rs", "pub async fn f() {}")],
            &[("services/licensing/src/pool/mod.rs", "use db::Tx;")],
            &[("services/partner/src/invitation/mod.rs", "fn f(cx: &Cx<Partner>) {}")],
        ],
    );
}

#[test]
fn only_shared_reads_the_system_s_clock() {
    keep(
        purity::time,
        &[
            &[("services/identity/src/user/ops.rs", "use std::time::Instant;\nfn f() { Instant::now(); }")],
            &[("services/tandem/src/serve.rs", "fn f() { std::time::SystemTime::now(); }")],
            &[("services/partner/src/start.rs", "use base::Clock;\nfn f() { Clock::process_time(); }")],
        ],
    );
}

#[test]
fn only_shared_makes_ids() {
    keep(
        purity::randomness,
        &[
            &[("services/identity/src/user/mod.rs", "fn f() { base::Id::<User>::random() }")],
            &[("services/identity/src/operator.rs", "use uuid::Uuid;\nfn f() { Uuid::now_v7() }")],
            &[("services/partner/src/link.rs", "fn f() { rand::random::<u64>() }")],
            &[("services/partner/src/link.rs", "use aws_lc_rs::rand;\nfn f() { rand::fill(&mut bytes) }")],
        ],
    );
}

#[test]
fn an_operation_asks_its_context_for_secrets() {
    keep(
        purity::randomness,
        &[&[("services/identity/src/user/ops.rs", "use service::keys::random_token;\nfn f() { random_token() }")]],
    );
}

#[test]
fn only_shared_and_the_process_start_tasks() {
    keep(
        purity::tasks,
        &[
            &[("services/identity/src/user/ops.rs", "fn f() { tokio::spawn(g()); }")],
            &[("services/identity/src/lib.rs", "use tokio::task::JoinSet;")],
            &[("services/partner/src/clients.rs", "use std::thread;\nfn f() { thread::spawn(g); }")],
        ],
    );
}

#[test]
fn statements_with_two_texts_are_few_and_say_why() {
    keep(
        purity::two_texts,
        &[
            &[("services/partner/src/invitation/store.rs", "fn f() { tx.sql_for(\"SELECT 0\", \"SELECT 1\").one() }")],
            &[("shared/db/src/tx.rs", "fn none() {}")],
        ],
    );
}

#[test]
fn every_crate_takes_its_lints_and_versions_from_the_workspace() {
    const PACKAGE: &str = "[package]\nname = \"x\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n";
    let own_version = format!("{PACKAGE}[lints]\nworkspace = true\n[dependencies]\nserde = \"1\"\n");
    let own_lints = format!("{PACKAGE}[lints.rust]\nunsafe_code = \"allow\"\n");
    let no_lints = PACKAGE.to_owned();
    keep(
        manifests::inheritance,
        &[
            &[("shared/x/Cargo.toml", own_version.as_str())],
            &[("shared/x/Cargo.toml", own_lints.as_str())],
            &[("shared/x/Cargo.toml", no_lints.as_str())],
            &[("shared/x/Cargo.toml", "[package]\nname = \"x\"\n[lints]\nworkspace = true\n")],
        ],
    );
}

#[test]
fn every_dependency_of_the_workspace_is_needed_and_has_one_version() {
    keep(
        manifests::needed,
        &[
            &[("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\n")],
            &[
                ("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\nserde = \"2\"\n"),
                ("shared/x/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
            ],
        ],
    );
}

#[test]
fn the_lock_file_holds_one_version_of_what_must_meet_and_nothing_that_was_ruled_out() {
    const OLD: &str = "[[package]]\nname = \"h2\"\nversion = \"0.4.9\"\n";
    const TWICE: &str =
        "[[package]]\nname = \"tonic\"\nversion = \"0.13.0\"\n[[package]]\nname = \"tonic\"\nversion = \"0.14.9\"\n";
    const RING: &str = "[[package]]\nname = \"rustls\"\nversion = \"0.23.0\"\ndependencies = [\n \"ring\",\n]\n";
    const OPENSSL: &str =
        "[[package]]\nname = \"x\"\nversion = \"1.0.0\"\ndependencies = [\n \"openssl-sys 1.0.0\",\n]\n";
    keep(
        manifests::lock,
        &[&[("Cargo.lock", OLD)], &[("Cargo.lock", TWICE)], &[("Cargo.lock", RING)], &[("Cargo.lock", OPENSSL)]],
    );
}

#[test]
fn a_file_is_one_subject_and_not_long() {
    let long = "fn f() {}\n".repeat(501);
    keep(form::length, &[&[("shared/base/src/id.rs", long.as_str())]]);
}

#[test]
fn every_crate_and_every_folder_opens_with_what_it_owns() {
    keep(
        form::front_pages,
        &[
            &[("shared/base/src/lib.rs", "pub mod id;\n")],
            &[("services/x/src/user/mod.rs", "/// A user.\npub struct User;\n")],
        ],
    );
}

#[test]
fn lints_are_expected_with_a_reason_and_never_switched_off() {
    keep(
        form::lints,
        &[
            &[("shared/base/src/id.rs", "#[allow(dead_code)]\nfn f() {}\n")],
            &[("shared/base/src/id.rs", "#![allow(clippy::all)]\n")],
        ],
    );
}

#[test]
fn nothing_is_left_to_do() {
    keep(
        form::leftovers,
        &[
            &[("shared/base/src/id.rs", "fn f() { todo!() }\n")],
            &[("shared/base/src/id.rs", "fn f() { x(dbg!(1)) }\n")],
            &[("shared/base/src/id.rs", concat!("fn f() {} // TO", "DO: more\n"))],
        ],
    );
}

#[test]
fn every_invariant_names_the_test_that_keeps_it_true() {
    keep(
        form::invariants,
        &[
            &[("shared/base/src/id.rs", concat!("//! **", "Invariant:** ids are unique.\n"))],
            &[(
                "shared/base/src/id.rs",
                concat!("/// **", "Invariant:** ids are unique\n/// (`no_id_is_made_twice`).\nfn f() {}\n"),
            )],
        ],
    );
}

#[test]
fn every_test_runs() {
    keep(
        form::ignored,
        &[
            &[("tests/tests/x.rs", "#[test]\n#[ignore]\nfn f() {}\n")],
            &[("tests/tests/x.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n")],
        ],
    );
}

#[test]
fn every_file_is_named_after_its_subject() {
    keep(form::names, &[&[("shared/base/src/utils.rs", "")], &[("services/identity/src/helpers/x.rs", "")]]);
}

#[test]
fn words_are_spelled_the_american_way() {
    keep(
        spelling::american,
        &[
            &[("shared/base/src/id.rs", concat!("fn behavi", "our() {}"))],
            &[("proto/tandem/x.proto", concat!("// The licen", "ces of a user.\n"))],
            &[("README.md", concat!("An Organ", "isation is\n"))],
            &[("shared/base/src/id.rs", concat!("// The call was cancel", "led.\n"))],
        ],
    );
}

#[test]
fn nothing_names_a_place_on_somebody_s_machine() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/x.rs");
    keep(
        vocabulary::machines,
        &[&[("README.md", concat!("cd /home", "/ada/tandem\n"))], &[("shared/base/src/id.rs", here)]],
    );
}
