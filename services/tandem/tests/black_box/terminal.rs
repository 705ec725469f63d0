//! What differs when a person sits at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::Signal;

use crate::program::{Folder, PASSWORD, READY, Server, get_me, tandem, text};

/// Both ends of a terminal: the person's and the program's.
fn terminal() -> (File, OwnedFd) {
    let OpenptyResult { master, slave } = openpty(None, None).expect("a terminal can be made");
    (master.into(), slave)
}

#[test]
fn on_a_terminal_the_secret_is_shown_and_not_written() {
    let folder = Folder::new();
    let data = folder.join("data");
    let (person, stdout) = terminal();
    let mut command = tandem(["serve", "--ports", "free", "--data-dir", text(&data)]);
    command.stdout(stdout).stderr(Stdio::null());
    let server = Server::listening(&mut command, person);
    server.wait_for(READY);
    assert!(!data.join("operator-secret").exists());
    let line = server.banner("secret");
    let secret = line.split(',').next().expect("a line has a beginning").to_owned();

    let password_file = folder.file("password", PASSWORD);
    let mut token = tandem(["token", "--identity", &server.identity(), "--user", &server.banner("operator")]);
    token.args(["--new-password-file", text(&password_file)]).env("TANDEM_PASSWORD", secret);
    let token = crate::program::said(&mut token);
    assert_eq!(get_me(&server.identity(), &token).sign_in_name, server.banner("operator"));
    assert_eq!(server.stop(Signal::SIGINT).0.code(), Some(0));
}

#[test]
fn a_password_that_is_typed_is_not_shown() {
    let folder = Folder::new();
    let server = Server::all_in_one(&folder.join("data"));
    let (mut person, stdin) = terminal();
    let (mut questions, stderr) = std::io::pipe().expect("a pipe can be made");
    let mut token = tandem(["token", "--identity", &server.identity(), "--user", "nobody@nowhere.example"]);
    let mut child = token.stdin(stdin).stdout(Stdio::null()).stderr(stderr).spawn().expect("the program starts");
    // The command keeps a copy of what it gives to the child.
    token.stdin(Stdio::null()).stderr(Stdio::null());

    let mut question = [0; 34];
    questions.read_exact(&mut question).expect("it asks");
    assert_eq!(String::from_utf8_lossy(&question), "Password of nobody@nowhere.example");
    person.write_all(format!("{PASSWORD}\n").as_bytes()).expect("somebody reads");
    let mut told = String::new();
    questions.read_to_string(&mut told).expect("it speaks UTF-8");
    assert!(told.contains("SIGN_IN_FAILED"), "{told}");
    assert_eq!(child.wait().expect("a child can be waited for").code(), Some(1));

    let mut shown = Vec::new();
    // Reading from a terminal ends with an error when nobody has it open any more.
    let _ = person.read_to_end(&mut shown);
    assert_eq!(String::from_utf8_lossy(&shown), "\r\n", "only the end of the line is shown");
}
