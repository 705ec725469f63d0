//! `deploy/README.md` tells operators the truth.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use crate::program::{Folder, PASSWORD, Server, command, handbook, program, refused, said, table, tandem};

/// The variables that the help of a program and of all its commands names.
fn variables(program: &Path, words: &[&str]) -> BTreeSet<String> {
    let help = said(command(program).args(words).arg("--help"));
    let named = help.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).filter(|word| word.starts_with("TANDEM_"));
    let mut found: BTreeSet<String> = named.map(str::to_owned).collect();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for name in commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()) {
        if !name.is_empty() && name != "help" {
            found.extend(variables(program, &[words, &[name]].concat()));
        }
    }
    found
}

#[test]
fn the_table_of_settings_lists_exactly_the_variables_that_the_programs_know() {
    let known: BTreeSet<String> =
        ["tandem", "identity", "licensing", "partner"].iter().flat_map(|name| variables(&program(name), &[])).collect();
    let listed: BTreeSet<String> = table(&handbook(), "TANDEM_").into_keys().collect();
    assert!(known.len() > 20, "the programs' help was not understood: {known:?}");
    assert_eq!(listed, known);
}

#[test]
fn every_metric_that_a_server_shows_is_in_the_table_of_alarms() {
    let folder = Folder::new();
    let server = Server::all_in_one(&folder.join("data"));
    let nobody = ["token", "--identity", &server.identity(), "--user", "nobody@nowhere.example"];
    refused(tandem(nobody).env("TANDEM_PASSWORD", PASSWORD), 1);
    let line = server.banner("identity");
    let url = line.split("http://").nth(1).expect("the banner names the metrics");
    let address = url.strip_suffix("/metrics").expect("the banner names the metrics");
    let mut stream = TcpStream::connect(address).expect("the management listener listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).expect("it answers");

    let shown: BTreeSet<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let listed = table(&handbook(), "");
    for name in ["rpc_requests_total", "rpc_duration_seconds", "operations_total", "connections_open"] {
        assert!(shown.contains(name), "{name} is not shown: {metrics}");
    }
    for name in shown {
        assert!(listed.contains_key(name), "{name} is not in the handbook");
    }
}

#[test]
fn what_looks_like_a_command_is_only_read() {
    let marks: BTreeSet<String> =
        handbook().lines().filter_map(|line| line.trim_start().strip_prefix("```").map(str::to_owned)).collect();
    assert_eq!(marks, BTreeSet::from([String::new(), "text".to_owned()]), "the handbook's fences");
}
