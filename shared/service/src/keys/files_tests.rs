//! Key files as an operator meets them.

use std::fs::Permissions;

use base::Clock;

use super::*;

/// A directory of its own for each test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("service-keys-{}", base64url(random_bytes::<9>()))))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_made_for_their_owner_alone_and_leave_nothing_else_behind() {
    let folder = Folder::new();
    let written = ServiceKeys::init(&folder.0, &["identity", "partner"]).unwrap();
    let expected = [folder.file("identity.key"), folder.file("partner.key"), folder.file("bundle.json")];
    assert_eq!(written, expected);
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!((mode(&expected[0]), mode(&expected[1])), (0o600, 0o600));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 3);
}

#[test]
fn loaded_services_know_each_other() {
    let (folder, clock) = (Folder::new(), Clock::new());
    ServiceKeys::init(&folder.0, &["identity", "partner"]).unwrap();
    let identity = ServiceKeys::load(&folder.0, "identity").unwrap();
    let partner = ServiceKeys::load(&folder.0, "partner").unwrap();
    assert_eq!(identity.service(), "identity");
    let token = partner.issue_service_token("identity", &clock);
    assert_eq!(identity.verify_service_token(&token, &clock).unwrap(), "partner");
    assert_eq!(identity.derive("x"), ServiceKeys::load(&folder.0, "identity").unwrap().derive("x"));
}

#[test]
fn existing_keys_are_kept_and_missing_ones_added() {
    let folder = Folder::new();
    ServiceKeys::init(&folder.0, &["identity"]).unwrap();
    let before = fs::read(folder.file("identity.key")).unwrap();
    assert_eq!(ServiceKeys::init(&folder.0, &["identity"]).unwrap(), Vec::<PathBuf>::new());
    let written = ServiceKeys::init(&folder.0, &["partner"]).unwrap();
    assert_eq!(written, [folder.file("partner.key"), folder.file("bundle.json")]);
    assert_eq!(fs::read(folder.file("identity.key")).unwrap(), before);
    assert!(ServiceKeys::load(&folder.0, "identity").is_ok(), "the bundle still holds the first key");
}

#[test]
fn of_two_who_write_the_same_key_the_first_one_stays() {
    let folder = Folder::new();
    ServiceKeys::init(&folder.0, &["identity"]).unwrap();
    let path = folder.file("identity.key");
    let before = fs::read(&path).unwrap();
    assert!(!write_key(&folder.0, &path, &Material::random("identity")).unwrap());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2, "the loser's draft is gone");
}

#[test]
fn a_lost_bundle_is_made_again_from_the_keys() {
    let folder = Folder::new();
    ServiceKeys::init(&folder.0, &["identity"]).unwrap();
    fs::remove_file(folder.file("bundle.json")).unwrap();
    assert_eq!(ServiceKeys::load(&folder.0, "identity").unwrap_err().reason(), "KEYS_MISSING");
    assert_eq!(ServiceKeys::init(&folder.0, &["identity"]).unwrap(), [folder.file("bundle.json")]);
    assert!(ServiceKeys::load(&folder.0, "identity").is_ok());
}

#[test]
fn a_missing_key_is_named_together_with_the_way_out() {
    let folder = Folder::new();
    let fault = ServiceKeys::load(&folder.0, "identity").unwrap_err();
    assert_eq!(fault.reason(), "KEYS_MISSING");
    assert!(fault.message().contains("identity.key") && fault.message().contains("tandem keys init"), "{fault}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = Folder::new();
    ServiceKeys::init(&folder.0, &["identity"]).unwrap();
    let path = folder.file("identity.key");
    for exposed in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, Permissions::from_mode(exposed)).unwrap();
        assert_eq!(ServiceKeys::load(&folder.0, "identity").unwrap_err().reason(), "KEYS_EXPOSED", "{exposed:o}");
        assert_eq!(ServiceKeys::init(&folder.0, &["identity"]).unwrap_err().reason(), "KEYS_EXPOSED");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(ServiceKeys::load(&folder.0, "identity").is_ok());
}

#[test]
fn a_bundle_or_directory_that_others_can_change_is_refused() {
    let folder = Folder::new();
    ServiceKeys::init(&folder.0, &["identity"]).unwrap();
    fs::set_permissions(folder.file("bundle.json"), Permissions::from_mode(0o664)).unwrap();
    assert_eq!(ServiceKeys::load(&folder.0, "identity").unwrap_err().reason(), "KEYS_EXPOSED");
    fs::set_permissions(&folder.0, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(ServiceKeys::init(&folder.0, &["identity"]).unwrap_err().reason(), "KEYS_EXPOSED");
}

#[test]
fn a_damaged_or_foreign_key_file_is_refused_and_never_replaced() {
    let folder = Folder::new();
    ServiceKeys::init(&folder.0, &["identity"]).unwrap();
    let key = fs::read(folder.file("identity.key")).unwrap();
    for content in [key.as_slice(), b"{}", b""] {
        let path = folder.file("partner.key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let fault = ServiceKeys::init(&folder.0, &["partner"]).unwrap_err();
        assert_eq!(fault.reason(), "KEYS_UNUSABLE");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_bundle_without_the_service_s_own_key_is_refused() {
    let (ours, theirs) = (Folder::new(), Folder::new());
    ServiceKeys::init(&ours.0, &["identity"]).unwrap();
    ServiceKeys::init(&theirs.0, &["identity"]).unwrap();
    fs::copy(theirs.file("bundle.json"), ours.file("bundle.json")).unwrap();
    assert_eq!(ServiceKeys::load(&ours.0, "identity").unwrap_err().reason(), "KEYS_UNUSABLE");
}

#[test]
fn a_name_that_would_leave_the_directory_is_not_a_service() {
    let folder = Folder::new();
    for name in ["", "../identity", "a/b", "A", "."] {
        assert_eq!(ServiceKeys::load(&folder.0, name).unwrap_err().reason(), "SERVICE_NAME_INVALID", "{name}");
    }
}
