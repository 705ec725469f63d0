//! What differs when a person sits at a terminal.

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::Signal;

use crate::program::{Folder, PASSWORD, READY, Server, get_me, said, tandem, text};

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
    let token = said(&mut token);
    assert_eq!(get_me(&server.identity(), &token).sign_in_name, server.banner("operator"));
    assert_eq!(server.stop(Signal::SIGINT).0.code(), Some(0));
}

/// Reads what a program asks until it has asked this.
fn wait_for(questions: &mut impl Read, text: &str) {
    let mut asked = Vec::new();
    let mut byte = [0];
    while !asked.ends_with(text.as_bytes()) {
        let read = questions.read_exact(&mut byte);
        read.unwrap_or_else(|_| panic!("it did not ask `{text}` but said {}", String::from_utf8_lossy(&asked)));
        asked.extend(byte);
    }
}

/// What a terminal shows, once no program has it open any more.
fn shown(mut person: File) -> String {
    let mut shown = Vec::new();
    // Reading ends with an error then.
    let _ = person.read_to_end(&mut shown);
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn passwords_that_are_typed_are_not_shown() {
    let folder = Folder::new();
    let data = folder.join("data");
    let server = Server::all_in_one(&data);
    let secret = fs::read_to_string(data.join("operator-secret")).expect("the secret is there");
    let (identity, operator) = (server.identity(), server.banner("operator"));
    // The last answers are: the present password, the new one, and the new one again.
    for (again, code) in [("plum violin drizzle grovel", 1), (PASSWORD, 0)] {
        let (mut person, stdin) = terminal();
        let (mut questions, stderr) = std::io::pipe().expect("a pipe can be made");
        let mut token = tandem(["token", "--identity", &identity, "--user", &operator]);
        token.stdin(stdin).stdout(Stdio::piped()).stderr(stderr);
        let child = token.spawn().expect("the program starts");
        // The command keeps a copy of what it gives to the child.
        drop(token);
        for (question, answer) in [
            (format!("Password of {operator}: "), secret.trim_end()),
            ("New password: ".to_owned(), PASSWORD),
            ("once more: ".to_owned(), again),
        ] {
            wait_for(&mut questions, &question);
            person.write_all(format!("{answer}\n").as_bytes()).expect("somebody reads");
        }
        let output = child.wait_with_output().expect("a child can be waited for");
        assert_eq!(output.status.code(), Some(code));
        if code == 0 {
            let token = String::from_utf8(output.stdout).expect("a token is text");
            assert_eq!(get_me(&identity, &token).sign_in_name, operator);
        }
        assert_eq!(shown(person), "\r\n\r\n\r\n", "only the ends of the lines are shown");
    }
}
