//! Key files: `<service>.key` for its service alone, `bundle.json` with everybody's public keys.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base::{Fault, Secret};
use serde::{Deserialize, Serialize};

use super::{Material, ServiceKeys, base64url, from_base64url, public_key, random_bytes, trusted};

const BUNDLE: &str = "bundle.json";

/// Permission bits of the group and of others.
const OTHERS: u32 = 0o077;
/// Those of them that let somebody change things.
const OTHERS_WRITE: u32 = 0o022;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    service: String,
    signing_key: String,
    master_secret: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleFile {
    public_keys: BTreeMap<String, String>,
}

impl ServiceKeys {
    /// Makes what is missing of `<service>.key` (0600) per service and brings `bundle.json` up to date; answers which
    /// files it wrote. An existing key is kept, whatever happens, also when two of these run at once.
    ///
    /// # Errors
    /// `KEYS_UNUSABLE` or `KEYS_EXPOSED` naming the file.
    pub fn init(directory: &Path, services: &[&str]) -> Result<Vec<PathBuf>, Fault> {
        prepare(directory)?;
        let mut written = Vec::new();
        let mut bundle = read_bundle(directory)?.unwrap_or_default();
        let before = bundle.clone();
        for service in services {
            let path = key_path(directory, service)?;
            if read_key(&path, service)?.is_none() && write_key(directory, &path, &Material::random(service))? {
                written.push(path.clone());
            }
            let material = read_key(&path, service)?.ok_or_else(|| missing(&path))?;
            bundle.insert(material.service, material.public);
        }
        if bundle != before {
            written.push(write_bundle(directory, &bundle)?);
        }
        Ok(written)
    }

    /// Reads a service's key and the bundle.
    ///
    /// # Errors
    /// `KEYS_MISSING`, `KEYS_EXPOSED` or `KEYS_UNUSABLE`, naming the file and what to do.
    pub fn load(directory: &Path, service: &str) -> Result<Self, Fault> {
        let path = key_path(directory, service)?;
        let material = read_key(&path, service)?.ok_or_else(|| missing(&path))?;
        let bundle_path = directory.join(BUNDLE);
        let bundle = read_bundle(directory)?.ok_or_else(|| missing(&bundle_path))?;
        if bundle.get(service) != Some(&material.public) {
            let advice = "does not hold this service's public key: bring it up to date with `tandem keys init`";
            return Err(unusable(&bundle_path, advice));
        }
        Ok(Self::assemble(&material, &trusted(bundle.into_iter())))
    }
}

/// Makes the directory for its owner alone. One that exists is left as it is, unless others could swap files in it.
fn prepare(directory: &Path) -> Result<(), Fault> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| unusable(directory, "cannot be made").because(error))?;
    let metadata = fs::metadata(directory).map_err(|error| unusable(directory, "cannot be read").because(error))?;
    if metadata.permissions().mode() & OTHERS_WRITE != 0 {
        return Err(exposed(directory, "can be changed by other users: allow its owner only (chmod 700)"));
    }
    Ok(())
}

fn key_path(directory: &Path, service: &str) -> Result<PathBuf, Fault> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if service.is_empty() || !service.bytes().all(plain) {
        let message = format!("`{service}` is not the name of a service: use lower-case letters, digits and hyphens");
        return Err(Fault::invalid("SERVICE_NAME_INVALID", message));
    }
    Ok(directory.join(format!("{service}.key")))
}

fn read_key(path: &Path, service: &str) -> Result<Option<Material>, Fault> {
    let advice = "can be read by other users: allow its owner only (chmod 600), or replace it";
    let Some(text) = read(path, OTHERS, advice)? else { return Ok(None) };
    // The parser's own words are not kept as a cause: they may quote the file.
    let damaged = || unusable(path, "is not a key file of this service: restore it from a backup");
    let file: KeyFile = serde_json::from_str(&text).map_err(|_| damaged())?;
    let pkcs8 = from_base64url(&file.signing_key).ok_or_else(damaged)?;
    let master = from_base64url(&file.master_secret).and_then(|bytes| bytes.try_into().ok()).ok_or_else(damaged)?;
    let public = public_key(&pkcs8).ok_or_else(damaged)?;
    if file.service != service {
        return Err(damaged());
    }
    Ok(Some(Material { service: file.service, pkcs8: Secret::new(pkcs8), master: Secret::new(master), public }))
}

fn read_bundle(directory: &Path) -> Result<Option<BTreeMap<String, [u8; 32]>>, Fault> {
    let path = directory.join(BUNDLE);
    let advice = "can be changed by other users: allow its owner only (chmod 644)";
    let Some(text) = read(&path, OTHERS_WRITE, advice)? else { return Ok(None) };
    let damaged = || unusable(&path, "is damaged: remove it and run `tandem keys init`");
    let file: BundleFile = serde_json::from_str(&text).map_err(|error| damaged().because(error))?;
    let entry = |(service, text): (String, String)| Some((service, from_base64url(&text)?.try_into().ok()?));
    file.public_keys.into_iter().map(entry).collect::<Option<_>>().map(Some).ok_or_else(damaged)
}

/// The text of a file that grants none of the `forbidden` permissions; `None` when there is no such file.
fn read(path: &Path, forbidden: u32, advice: &'static str) -> Result<Option<String>, Fault> {
    let failed = |error| unusable(path, "cannot be read").because(error);
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    if file.metadata().map_err(failed)?.permissions().mode() & forbidden != 0 {
        return Err(exposed(path, advice));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Writes a key file whole or not at all; `false` when somebody else was faster.
fn write_key(directory: &Path, path: &Path, material: &Material) -> Result<bool, Fault> {
    let file = KeyFile {
        service: material.service.clone(),
        signing_key: base64url(material.pkcs8.expose()),
        master_secret: base64url(material.master.expose()),
    };
    let draft = Draft::write(directory, path, 0o600, &file)?;
    // A link, unlike a rename, never replaces what is there.
    match fs::hard_link(&draft.path, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        linked => linked.map_err(|error| unwritable(path).because(error))?,
    }
    sync(directory)?;
    Ok(true)
}

fn write_bundle(directory: &Path, bundle: &BTreeMap<String, [u8; 32]>) -> Result<PathBuf, Fault> {
    let path = directory.join(BUNDLE);
    let public_keys = bundle.iter().map(|(service, public)| (service.clone(), base64url(public))).collect();
    let draft = Draft::write(directory, &path, 0o644, &BundleFile { public_keys })?;
    fs::rename(&draft.path, &path).map_err(|error| unwritable(&path).because(error))?;
    sync(directory)?;
    Ok(path)
}

/// A complete file under a name nobody looks for. It goes when this goes.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(directory: &Path, target: &Path, mode: u32, content: &impl Serialize) -> Result<Self, Fault> {
        let path = directory.join(format!(".{}.draft", base64url(random_bytes::<12>())));
        let failed = |error| unwritable(target).because(error);
        let mut text = serde_json::to_vec_pretty(content)
            .map_err(|_| Fault::internal("the content of a key file does not turn into JSON"))?;
        text.push(b'\n');
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(failed)?;
        let draft = Self { path };
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove, and a draft that stays behind harms nobody.
        let _ = fs::remove_file(&self.path);
    }
}

fn sync(directory: &Path) -> Result<(), Fault> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(|error| unwritable(directory).because(error))
}

fn missing(path: &Path) -> Fault {
    Fault::precondition("KEYS_MISSING", format!("{} does not exist: make it with `tandem keys init`", path.display()))
}

fn exposed(path: &Path, advice: &'static str) -> Fault {
    Fault::precondition("KEYS_EXPOSED", format!("{} {advice}", path.display()))
}

fn unusable(path: &Path, complaint: &'static str) -> Fault {
    Fault::precondition("KEYS_UNUSABLE", format!("{} {complaint}", path.display()))
}

fn unwritable(path: &Path) -> Fault {
    unusable(path, "cannot be written")
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
