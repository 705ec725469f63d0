//! The printed matrix: who may call which RPC.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use identity::organization::Kind;
use identity::user::Role;

/// The matrix of a service's policy: by permission, the roles of each kind of organization.
pub type Granted = BTreeMap<String, Vec<(String, Vec<String>)>>;

/// The kinds of organization and the roles that exist in each, in the order of the contract.
pub fn columns() -> Vec<(Kind, Vec<Role>)> {
    let roles = |kind| Role::ALL.into_iter().filter(|role| role.belongs_to(kind)).collect();
    [Kind::Partner, Kind::Customer, Kind::Platform].into_iter().map(|kind| (kind, roles(kind))).collect()
}

/// What a policy grants to a role that does not exist, or not in such an organization.
pub fn strangers(granted: &Granted) -> Vec<String> {
    let known: BTreeMap<&str, Vec<&str>> = columns()
        .into_iter()
        .map(|(kind, roles)| (kind.as_str(), roles.into_iter().map(Role::as_str).collect()))
        .collect();
    let mut strangers = Vec::new();
    for (permission, allowed) in granted {
        for (kind, roles) in allowed {
            let exists = |role: &&String| known.get(kind.as_str()).is_some_and(|known| known.contains(&role.as_str()));
            strangers
                .extend(roles.iter().filter(|role| !exists(role)).map(|role| format!("{permission}: {kind} {role}")));
        }
    }
    strangers
}

/// One service's part of the listing: a row per RPC, a column per kind and role.
pub fn picture(service: &str, rows: &[(String, String)], granted: &Granted) -> String {
    let width = rows.iter().map(|(method, _)| method.len()).max().unwrap_or(0);
    let mut text = format!("{service}\n\n");
    let mut heads = [format!("{:width$}", ""), format!("{:width$}", "")];
    for (kind, roles) in columns() {
        let names: Vec<&str> = roles.iter().map(|role| short(*role)).collect();
        let names = names.join(" ");
        let _ = write!(heads[0], "  {:<w$}", kind.as_str(), w = names.len());
        let _ = write!(heads[1], "  {names:<w$}", w = kind.as_str().len());
    }
    for head in heads {
        let _ = writeln!(text, "{}", head.trim_end());
    }
    for (method, permission) in rows {
        let cells = match (granted.get(permission), permission.as_str()) {
            (Some(allowed), _) => cells(allowed),
            (None, "Anyone") => "  everybody, without a token".to_owned(),
            (None, "SignedIn") => "  everybody who is signed in".to_owned(),
            (None, "Peer") => "  the services that the contract names".to_owned(),
            (None, _) => "  nobody".to_owned(),
        };
        let _ = writeln!(text, "{}", format!("{method:width$}{cells}").trim_end());
    }
    text
}

fn cells(allowed: &[(String, Vec<String>)]) -> String {
    let mut text = String::new();
    for (kind, roles) in columns() {
        let granted = allowed.iter().find(|(name, _)| name == kind.as_str()).map(|(_, roles)| roles.as_slice());
        let may = |role: &Role| granted.is_some_and(|granted| granted.iter().any(|name| name == role.as_str()));
        let marks: Vec<&str> = roles.iter().map(|role| if may(role) { "x " } else { ". " }).collect();
        let _ = write!(text, "  {:<w$}", marks.join(" "), w = kind.as_str().len());
    }
    text
}

/// A role in two letters.
pub fn short(role: Role) -> &'static str {
    match role {
        Role::GlobalAdmin => "GA",
        Role::UserManagementAdmin => "UM",
        Role::BillingAdmin => "BA",
        Role::AdminAgent => "AA",
        Role::SalesAgent => "SA",
        Role::HelpdeskAgent => "HA",
        Role::PasswordAdmin => "PA",
        Role::ServiceAdmin => "SV",
        Role::Operator => "OP",
    }
}
