//! Who may call which RPC, printed: the policies and the permissions of the operations, as one committed picture.

use std::collections::{BTreeMap, BTreeSet};

use tests::tidy::contract::Described;
use tests::tidy::matrix::{Granted, columns, picture, short, strangers};
use tests::tidy::operations::{self, Operation, operations};
use tests::tidy::{Tree, listing};

fn policies() -> BTreeMap<&'static str, Granted> {
    let identity = identity::policy::MATRIX.iter().map(|rule| {
        let allowed = rule.allowed.iter().map(|(kind, roles)| {
            (kind.as_str().to_owned(), roles.iter().map(|role| role.as_str().to_owned()).collect())
        });
        (format!("{:?}", rule.permission), allowed.collect())
    });
    let words = |allowed: &[(&str, &[&str])]| -> Vec<(String, Vec<String>)> {
        allowed
            .iter()
            .map(|(kind, roles)| ((*kind).to_owned(), roles.iter().map(|role| (*role).to_owned()).collect()))
            .collect()
    };
    let licensing =
        licensing::policy::MATRIX.iter().map(|rule| (format!("{:?}", rule.permission), words(rule.allowed)));
    let partner = partner::policy::MATRIX.iter().map(|rule| (format!("{:?}", rule.permission), words(rule.allowed)));
    BTreeMap::from([
        ("identity", identity.collect()),
        ("licensing", licensing.collect()),
        ("partner", partner.collect()),
    ])
}

/// The RPCs that a service serves: its own package's, and those that every service has.
fn served<'o>(service: &str, operations: &'o [Operation]) -> Vec<&'o Operation> {
    let own = format!("/tandem.{service}.v1.");
    operations
        .iter()
        .filter(|each| each.method.starts_with(&own) || each.method.starts_with("/tandem.common.v1."))
        .collect()
}

#[test]
fn every_rpc_has_one_operation_and_every_operation_an_rpc() {
    let described = Described::decode(proto::CONTRACT);
    let rpcs: Vec<&str> = described.rpcs.iter().map(|rpc| rpc.method.path.as_str()).collect();
    let found = operations(&Tree::workspace());
    let mut methods: Vec<&str> = found.iter().map(|operation| operation.method.as_str()).collect();
    methods.sort_unstable();
    assert_eq!(methods, rpcs);
}

#[test]
fn the_picture_of_the_matrix_is_up_to_date() {
    let tree = Tree::workspace();
    let (operations, services, policies) = (operations(&tree), operations::services(&tree), policies());
    assert_eq!(services.keys().collect::<Vec<_>>(), policies.keys().collect::<Vec<_>>());
    let mut text = "Who may call which RPC (x), by kind of organization and role.\n\n".to_owned();
    let roles: BTreeSet<_> = columns().into_iter().flat_map(|(_, roles)| roles).collect();
    for role in roles {
        text.push_str(&format!("  {} {}\n", short(role), role.as_str()));
    }
    for (service, granted) in &policies {
        let rows: Vec<(String, String)> = served(service, &operations)
            .into_iter()
            .map(|operation| {
                let name = operation.method.rsplit('.').next().unwrap_or_default().to_owned();
                let permission = services[*service].get(&operation.permission).unwrap_or(&operation.permission);
                (name, permission.clone())
            })
            .collect();
        text.push('\n');
        text.push_str(&picture(service, &rows, granted));
    }
    listing::keep("matrix.txt", &text);
}

#[test]
fn a_policy_grants_to_roles_that_exist() {
    for (service, granted) in policies() {
        assert!(strangers(&granted).is_empty(), "{service}: {:?}", strangers(&granted));
    }
    let unknown = |kind: &str, role: &str| -> Granted {
        BTreeMap::from([("Read".to_owned(), vec![(kind.to_owned(), vec![role.to_owned()])])])
    };
    assert!(!strangers(&unknown("PARTNER", "SERVICE_ADMIN")).is_empty());
    assert!(!strangers(&unknown("RESELLER", "GLOBAL_ADMIN")).is_empty());
    assert!(strangers(&unknown("CUSTOMER", "SERVICE_ADMIN")).is_empty());
}

#[test]
fn every_permission_that_no_row_grants_is_one_that_needs_no_role() {
    let tree = Tree::workspace();
    let (operations, services) = (operations(&tree), operations::services(&tree));
    for (service, granted) in policies() {
        for operation in served(service, &operations) {
            let permission = services[service].get(&operation.permission).unwrap_or(&operation.permission);
            let known =
                granted.contains_key(permission) || ["Anyone", "SignedIn", "Peer"].contains(&permission.as_str());
            assert!(known, "{service}: nobody may {permission}, which {} asks for", operation.method);
        }
    }
}
