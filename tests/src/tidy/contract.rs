//! What every RPC, message and field of the contract has: a comment, the fields of its kind, and one meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, FieldDescriptor, FileDescriptor, MethodDescriptor};
use protox::file::{File, FileResolver, GoogleFileResolver};
use service::contract::{Contract, Method};

use super::{Finding, Tree};

/// Mutations that no request_id repeats and no dry run tries: a session or token is the caller's proof, and its answer
/// must not be kept.
pub const SESSIONS: [&str; 5] = ["ChangePassword", "IssueToken", "RefreshSession", "SignIn", "SignOut"];

/// An RPC: as it is described, and as the executor understands that.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// As it is described.
    pub descriptor: MethodDescriptor,
    /// As the executor understands it.
    pub method: Method,
}

/// A contract: the descriptors with their comments and options.
#[derive(Clone, Debug)]
pub struct Described {
    pool: DescriptorPool,
    /// Every RPC in order of its path.
    pub rpcs: Vec<Rpc>,
}

impl Described {
    /// Reads an encoded `FileDescriptorSet`.
    pub fn decode(descriptors: &[u8]) -> Self {
        let pool = DescriptorPool::decode(descriptors).expect("the contract can be decoded");
        let contract = Contract::decode(descriptors).expect("the executor understands the contract");
        let all = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let mut rpcs: Vec<Rpc> = all
            .map(|descriptor| {
                let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
                Rpc { descriptor, method: contract.method(&path).expect("the executor knows every RPC").clone() }
            })
            .collect();
        rpcs.sort_by(|a, b| a.method.path.cmp(&b.method.path));
        Self { pool, rpcs }
    }

    /// Compiles made-up files; what they import of the workspace is taken from there.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut compiler = protox::Compiler::with_file_resolver(Sources(vec![Tree::of(files), Tree::workspace()]));
        let names = files.iter().map(|(path, _)| path.trim_start_matches("proto/"));
        compiler.include_imports(true).include_source_info(true).open_files(names).expect("the files compile");
        Self::decode(&compiler.encode_file_descriptor_set())
    }

    fn fields(&self) -> Vec<FieldDescriptor> {
        let ours = self.pool.all_messages().filter(|message| message.full_name().starts_with("tandem."));
        ours.flat_map(|message| message.fields().collect::<Vec<_>>()).collect()
    }

    /// Every value of every ErrorReason by its package, without its prefix and without the one that is never answered.
    pub fn reasons(&self) -> BTreeMap<String, BTreeSet<String>> {
        let enums = self.pool.all_enums().filter(|each| each.name() == "ErrorReason");
        let words = |each: &prost_reflect::EnumDescriptor| {
            let values = each.values().filter(|value| value.number() != 0);
            values.map(|value| value.name().trim_start_matches("ERROR_REASON_").to_owned()).collect()
        };
        enums.map(|each| (each.package_name().to_owned(), words(&each))).collect()
    }
}

struct Sources(Vec<Tree>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let path = format!("proto/{name}");
        match self.0.iter().flat_map(Tree::files).find(|file| file.path == path) {
            Some(file) => File::from_source(name, &file.text),
            None => GoogleFileResolver::new().open_file(name),
        }
    }
}

/// The comment before the thing at this path of the file, and its line.
fn comment(file: &FileDescriptor, path: &[i32]) -> (String, usize) {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let line = location.and_then(|location| location.span.first()).and_then(|line| usize::try_from(*line).ok());
    (location.map(|location| location.leading_comments().trim().to_owned()).unwrap_or_default(), line.unwrap_or(0) + 1)
}

fn finding(file: &FileDescriptor, path: &[i32], trouble: impl Into<String>) -> Finding {
    Finding::new(format!("proto/{}", file.name()), comment(file, path).1, trouble)
}

fn about(rpc: &Rpc, trouble: impl Into<String>) -> Finding {
    finding(&rpc.descriptor.parent_service().parent_file(), rpc.descriptor.path(), trouble)
}

/// Every service, RPC, message, field, enum and value says what it means.
pub fn comments(contract: &Described) -> Vec<Finding> {
    let mut things: Vec<(FileDescriptor, Vec<i32>, String)> = Vec::new();
    for service in contract.pool.services().filter(|service| service.full_name().starts_with("tandem.")) {
        things.push((service.parent_file(), service.path().to_vec(), service.full_name().to_owned()));
    }
    for rpc in &contract.rpcs {
        let file = rpc.descriptor.parent_service().parent_file();
        things.push((file, rpc.descriptor.path().to_vec(), rpc.descriptor.full_name().to_owned()));
    }
    for message in contract.pool.all_messages().filter(|message| message.full_name().starts_with("tandem.")) {
        things.push((message.parent_file(), message.path().to_vec(), message.full_name().to_owned()));
    }
    for field in contract.fields() {
        things.push((field.parent_message().parent_file(), field.path().to_vec(), field.full_name().to_owned()));
    }
    for each in contract.pool.all_enums().filter(|each| each.full_name().starts_with("tandem.")) {
        things.push((each.parent_file(), each.path().to_vec(), each.full_name().to_owned()));
        for value in each.values() {
            things.push((each.parent_file(), value.path().to_vec(), value.full_name().to_owned()));
        }
    }
    let silent = things.iter().filter(|(file, path, _)| comment(file, path).0.is_empty());
    silent.map(|(file, path, name)| finding(file, path, format!("{name} has no comment: say what it means"))).collect()
}

/// Every RPC has a request and a response of its own, named after it.
pub fn own_messages(contract: &Described) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for rpc in &contract.rpcs {
        for (message, ending) in [(rpc.descriptor.input(), "Request"), (rpc.descriptor.output(), "Response")] {
            if message.name() != format!("{}{ending}", rpc.descriptor.name()) {
                let trouble =
                    format!("{} has a message called {}{ending}", rpc.descriptor.name(), rpc.descriptor.name());
                findings.push(about(rpc, trouble));
            }
            if let Some(other) = owners.insert(message.full_name().to_owned(), rpc.method.path.clone()) {
                let trouble = format!("{} is {other}'s: give this RPC a message of its own", message.full_name());
                findings.push(about(rpc, trouble));
            }
        }
    }
    findings
}

/// Every mutation can be repeated and tried, and no read carries what only a mutation needs.
pub fn mutations(contract: &Described) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rpc in contract.rpcs.iter().filter(|rpc| !rpc.method.is_internal()) {
        let mutation = !rpc.method.reads && !SESSIONS.contains(&rpc.descriptor.name());
        for field in ["request_id", "validate_only"] {
            let carried = rpc.descriptor.input().get_field_by_name(field).is_some();
            if carried != mutation {
                let trouble = if mutation { "carries" } else { "is no mutation that could carry" };
                findings.push(about(rpc, format!("{} {trouble} {field}", rpc.descriptor.name())));
            }
        }
    }
    findings
}

/// Every internal RPC names the one other service that may call it, and no RPC of a public listener does.
pub fn internal_callers(contract: &Described) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rpc in &contract.rpcs {
        let service = rpc.descriptor.parent_service();
        let inner = service.name().ends_with("InternalService");
        let is_peer = |caller: &String| {
            let peer = ["identity", "licensing", "partner"].contains(&caller.as_str());
            peer && service.package_name() != format!("tandem.{caller}.v1")
        };
        let callers = &rpc.method.internal_callers;
        let right = inner == rpc.method.is_internal() && callers.iter().all(is_peer) && !(inner && rpc.method.public);
        if !right {
            findings.push(about(rpc, format!("{} names the other services that call it", rpc.descriptor.name())));
        }
    }
    findings
}

/// A list has a size, a token and both tokens of the answer, or none of them.
pub fn pages(contract: &Described) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rpc in &contract.rpcs {
        let has = |field: &str| {
            rpc.descriptor
                .input()
                .get_field_by_name(field)
                .or(rpc.descriptor.output().get_field_by_name(field))
                .is_some()
        };
        let fields = ["page_size", "page_token", "next_page_token", "previous_page_token"];
        if fields.into_iter().any(has) != fields.into_iter().all(has) {
            findings.push(about(rpc, format!("{} has all of {} or none", rpc.descriptor.name(), fields.join(", "))));
        }
    }
    findings
}

/// Streams, and nothing else, have no deadline.
pub fn streams(contract: &Described) -> Vec<Finding> {
    let wrong = |rpc: &&Rpc| {
        rpc.descriptor.is_client_streaming() || rpc.descriptor.is_server_streaming() != rpc.method.deadline.is_none()
    };
    let trouble =
        "a stream of answers has DEADLINE_CLASS_STREAM, every other RPC a deadline, and nobody streams requests";
    contract.rpcs.iter().filter(wrong).map(|rpc| about(rpc, trouble)).collect()
}

/// A secret is marked, so that no log shows the message that carries it.
pub fn secrets(contract: &Described) -> Vec<Finding> {
    let mut findings = Vec::new();
    for field in contract.fields().iter().filter(|field| field.kind() == prost_reflect::Kind::String) {
        let name = field.name();
        let secret = ["password", "secret"].iter().any(|word| name.ends_with(word))
            || name.ends_with("_token") && !name.ends_with("page_token");
        let options = field.options();
        let marked = options.get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true));
        if secret && !marked {
            let trouble = format!("{} is a secret: mark it [debug_redact = true]", field.full_name());
            findings.push(finding(&field.parent_message().parent_file(), field.path(), trouble));
        }
    }
    findings
}

/// A reason that a comment promises is one of ErrorReason, here or in what is common.
pub fn promised_reasons(contract: &Described) -> Vec<Finding> {
    let reasons = contract.reasons();
    let mut findings = Vec::new();
    for rpc in &contract.rpcs {
        let file = rpc.descriptor.parent_service().parent_file();
        let (comment, _) = comment(&file, rpc.descriptor.path());
        let promised = comment.split_once("Reasons:").map_or("", |(_, rest)| rest);
        let words = promised.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.len() > 3 && word.contains('_') && *word == word.to_uppercase()) {
            let packages = [file.package_name(), "tandem.common.v1"];
            if !packages.iter().any(|package| reasons.get(*package).is_some_and(|known| known.contains(word))) {
                findings.push(about(rpc, format!("{word} is promised here and stands in no ErrorReason")));
            }
        }
    }
    findings
}

/// The listing: every RPC with what its options mean.
pub fn listing(contract: &Described) -> String {
    let width = contract.rpcs.iter().map(|rpc| rpc.method.path.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Rpc { descriptor, method } in &contract.rpcs {
        let effect = if method.reads { "reads" } else { "changes" };
        let audience = match method.internal_callers.as_slice() {
            [] if method.public => "public".to_owned(),
            [] if method.before_password_change => "any token".to_owned(),
            [] => "token".to_owned(),
            callers => format!("called by {}", callers.join(" ")),
        };
        let deadline = method.deadline.map_or("stream".to_owned(), |deadline| format!("{} s", deadline.as_secs()));
        let size = format!("{} MiB", method.request_bytes_max >> 20);
        let repeats = ["request_id", "validate_only", "page_token", "etag"];
        let carried: Vec<&str> =
            repeats.into_iter().filter(|field| descriptor.input().get_field_by_name(field).is_some()).collect();
        let line = format!(
            "{:width$}  {effect:7}  {audience:28}  {deadline:>6}  {size}  {}",
            method.path.trim_start_matches('/'),
            carried.join(" ")
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
