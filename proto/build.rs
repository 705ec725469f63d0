//! Compiles the contract with protox, so that nobody needs protoc, and writes what the options say about it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_reflect::DescriptorPool;
use protox::Compiler;
use tonic_prost_build::Config;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", root.join("tandem").display());
    let mut files = Vec::new();
    proto_files(&root.join("tandem"), &mut files)?;
    files.sort();

    let mut compiler = Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    // The bytes keep custom options, which the decoded structs would drop.
    fs::write(out.join("contract.bin"), compiler.encode_file_descriptor_set())?;
    let pool = compiler.descriptor_pool();

    // What reflection shows: everything but the internal listeners' files.
    let is_internal =
        |file: &PathBuf| file.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("internal"));
    let public: Vec<_> = files.iter().filter(|file| !is_internal(file)).collect();
    let mut shown = Compiler::new([&root])?;
    shown.include_imports(true).include_source_info(true).open_files(public)?;
    fs::write(out.join("public.bin"), shown.encode_file_descriptor_set())?;

    let redacted: Vec<String> = pool
        .all_messages()
        .filter(|message| {
            message.full_name().starts_with("tandem.") && message.fields().any(|field| is_redacted(&field))
        })
        .map(|message| message.full_name().to_owned())
        .collect();
    let mut config = Config::new();
    config.enable_type_names();
    config.skip_debug(redacted.iter().map(|name| format!(".{name}")));
    tonic_prost_build::configure()
        .compile_well_known_types(false)
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    fs::write(out.join("traits.rs"), traits(&pool, &redacted))?;
    Ok(())
}

fn proto_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            proto_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

/// Fields marked `debug_redact` hold secrets: their message shows nothing but its name.
fn is_redacted(field: &prost_reflect::FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

/// Trait impls for what requests carry, and for messages that hold secrets.
fn traits(pool: &DescriptorPool, redacted: &[String]) -> String {
    let mut text = String::new();
    for message in pool.all_messages().filter(|message| message.full_name().starts_with("tandem.")) {
        let path = rust_path(message.full_name());
        let has = |name: &str| message.get_field_by_name(name).is_some();
        if !message.name().ends_with("Request") {
            continue;
        }
        text.push_str(&format!("impl crate::Request for {path} {{\n"));
        if has("request_id") {
            text.push_str("    fn request_id(&self) -> &str { &self.request_id }\n");
        }
        if has("validate_only") {
            text.push_str("    fn validate_only(&self) -> bool { self.validate_only }\n");
        }
        text.push_str("}\n");
    }
    for name in redacted {
        let path = rust_path(name);
        text.push_str(&format!(
            "impl ::core::fmt::Debug for {path} {{\n    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> \
             ::core::fmt::Result {{ f.write_str(\"{name} {{ .. }}\") }}\n}}\n"
        ));
    }
    text
}

/// `tandem.identity.v1.User` is `crate::identity::v1::User` here; nested messages live in snake-case modules.
fn rust_path(full_name: &str) -> String {
    let parts: Vec<&str> = full_name.split('.').skip(1).collect();
    let (name, modules) = parts.split_last().unwrap_or((&"", &[]));
    let modules: Vec<String> = modules.iter().map(|module| snake(module)).collect();
    format!("crate::{}::{name}", modules.join("::"))
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
