//! `tandem serve`: its start, its data directory, its first operator and its end.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::Signal;
use proto::identity::v1::Role;

use crate::program::{Folder, PASSWORD, Server, get_me, refused, said, tandem, text};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn the_first_operator_signs_in_with_the_secret_file_and_a_new_password() {
    let folder = Folder::new();
    let data = folder.join("data");
    let server = Server::all_in_one(&data);
    let secret_file = data.join("operator-secret");
    assert_eq!((mode(&data), mode(&secret_file)), (0o700, 0o600));
    let secret = fs::read_to_string(&secret_file).expect("the secret is text");
    let word = secret.strip_suffix('\n').expect("the secret ends its line");
    assert!(word.len() == 20 && word.bytes().all(|c| c.is_ascii_alphanumeric()), "a secret and nothing else");

    let (identity, operator) = (server.identity(), server.banner("operator"));
    let password_file = folder.file("password", &format!("{PASSWORD}\n"));
    let user = ["token", "--identity", &identity, "--user", &operator];
    let with_secret = ["--password-file", text(&secret_file)];
    let told = refused(tandem(user).args(with_secret), 1);
    assert!(told.contains("PASSWORD_CHANGE_REQUIRED") && told.contains("--new-password-file"), "{told}");

    let token = said(tandem(user).args(with_secret).args(["--new-password-file", text(&password_file)]));
    assert!(token.trim_end().split('.').count() == 3 && token.lines().count() == 1, "a token and nothing else");
    let me = get_me(&identity, &token);
    assert_eq!((me.sign_in_name, me.must_change_password), (operator.clone(), false));
    assert_eq!(me.roles, [i32::from(Role::Operator)]);

    let told = refused(tandem(user).args(with_secret), 1);
    assert!(told.contains("SIGN_IN_FAILED"), "the secret was good once: {told}");
    let token = said(tandem(user).env("TANDEM_PASSWORD", PASSWORD));
    assert_eq!(get_me(&identity, &token).sign_in_name, operator);

    let (status, output) = server.stop(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0), "{output}");
    for (what, hidden) in [("secret", word), ("password", PASSWORD), ("token", token.trim_end())] {
        assert!(!output.contains(hidden), "the server said the {what}");
    }
}

#[test]
fn a_later_start_finds_everything_and_leaves_the_secret_file_alone() {
    let folder = Folder::new();
    let data = folder.path();
    let first = Server::all_in_one(data);
    assert_eq!(mode(data), 0o700, "an empty folder is taken for the owner alone");
    let operator = first.banner("operator");
    let (status, output) = first.stop(Signal::SIGINT);
    assert_eq!(status.code(), Some(0), "{output}");
    fs::write(data.join("operator-secret"), "not yours\n").expect("the file can be written");
    let keys = fs::read(data.join("keys/identity.key")).expect("the key is there");

    let second = Server::all_in_one(data);
    assert_eq!(second.banner("operator"), operator);
    assert!(second.banner("secret").contains("operator reset"), "{}", second.output());
    assert_eq!(fs::read(data.join("operator-secret")).expect("the file is there"), b"not yours\n");
    assert_eq!(fs::read(data.join("keys/identity.key")).expect("the key is there"), keys);
}

#[test]
fn a_second_start_on_the_same_folder_names_the_first_one_s_pid_and_the_path() {
    let folder = Folder::new();
    let data = folder.join("data");
    let first = Server::all_in_one(&data);
    let path = data.join("identity.db");
    let expected = format!("{} is in use by process {}", path.display(), first.pid());
    // The default ports may be taken as well: that must not be what it complains of.
    for ports in ["free", "default"] {
        let told = refused(&mut tandem(["serve", "--data-dir", text(&data), "--ports", ports]), 1);
        assert!(told.contains(&expected), "{told}");
    }
    let nobody = ["token", "--identity", &first.identity(), "--user", "nobody@nowhere.example"];
    let told = refused(tandem(nobody).env("TANDEM_PASSWORD", PASSWORD), 1);
    assert!(told.contains("SIGN_IN_FAILED"), "the first one goes on serving: {told}");
}

#[test]
fn a_folder_that_others_can_look_into_is_refused_and_left_alone() {
    let folder = Folder::new();
    folder.file("somebody-elses", "things");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
    let told = refused(&mut tandem(["serve", "--ports", "free", "--data-dir", text(folder.path())]), 1);
    assert!(told.contains("chmod 700"), "{told}");
    assert_eq!(mode(folder.path()), 0o755);
    assert_eq!(fs::read_dir(folder.path()).expect("it is a folder").count(), 1);
}

#[test]
fn wrong_settings_of_the_all_in_one_are_told_together() {
    let mut command = tandem(["serve", "--domain-suffix", "suffix"]);
    let told = refused(command.env("TANDEM_LOG_FORMAT", "verse"), 2);
    assert!(told.contains("TANDEM_DOMAIN_SUFFIX") && told.contains("TANDEM_LOG_FORMAT"), "{told}");
}

#[test]
fn an_operator_who_lost_the_password_gets_a_new_secret() {
    let folder = Folder::new();
    let data = folder.join("data");
    let server = Server::all_in_one(&data);
    let first_secret = fs::read_to_string(data.join("operator-secret")).expect("the secret is there");
    let secret_file = folder.join("new-secret");
    let reset = || {
        let mut command = tandem(["operator", "reset", "--data-dir", text(&data)]);
        command.args(["--secret-file", text(&secret_file)]);
        command
    };
    let told = refused(&mut reset(), 1);
    assert!(told.contains(&server.pid().to_string()) && told.contains("stop that process first"), "{told}");
    let operator = server.banner("operator");
    server.stop(Signal::SIGTERM);

    let told = said(&mut reset());
    let new_secret = fs::read_to_string(&secret_file).expect("the secret is there");
    assert!(told.contains(&operator) && !told.contains(new_secret.trim_end()), "{told}");
    assert_eq!(mode(&secret_file), 0o600);
    assert_ne!(new_secret, first_secret);

    let server = Server::all_in_one(&data);
    let identity = server.identity();
    let token = ["token", "--identity", &identity, "--user", &operator];
    let told = refused(tandem(token).env("TANDEM_PASSWORD", first_secret.trim_end()), 1);
    assert!(told.contains("SIGN_IN_FAILED"), "{told}");
    let password_file = folder.file("password", PASSWORD);
    let signed_in = said(
        tandem(token).args(["--password-file", text(&secret_file)]).args(["--new-password-file", text(&password_file)]),
    );
    assert_eq!(get_me(&identity, &signed_in).sign_in_name, operator);
}
