//! A stand-in for `grpcurl`, so that the commands of the README can be run where the real one is not installed.
//!
//! Owns the part of grpcurl's command line that a README uses, and prints what grpcurl prints. It knows a server
//! only by reflection (v1) and holds no compiled descriptor but those of `google.protobuf`, so a call that works
//! here shows that a stranger's grpcurl works too. A request stream is read to its end before it is sent: no
//! interactive conversations. There is one format, JSON, and TLS takes its roots from `-cacert` alone.

mod arguments;
mod call;
mod describe;
mod json;
mod reflection;
mod status;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

use self::arguments::{Arguments, Security, Verb};
use self::reflection::Source;

/// How long a connection may take, as with grpcurl.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the command reads and writes; in the binary the three standard streams.
pub struct Terminal<'a> {
    /// Where `-d @` reads its requests.
    pub input: &'a mut dyn Read,
    /// Where answers go.
    pub out: &'a mut dyn Write,
    /// Where refusals and failures go.
    pub err: &'a mut dyn Write,
}

/// Runs one command and returns its exit code: 0, 2 for a wrong command line, 64 + the gRPC code for a refusal by
/// the server, and 1 for everything else. `arguments` do not include the program's own name.
pub async fn run(arguments: impl IntoIterator<Item = String>, terminal: &mut Terminal<'_>) -> u8 {
    let outcome = match Arguments::parse(arguments) {
        Ok(arguments) => obey_in_time(&arguments, terminal).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            // An error stream that is gone has nobody to tell: the exit code still says it.
            let _ = writeln!(terminal.err, "{failure}");
            failure.exit_code()
        }
    }
}

async fn obey_in_time(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Some(limit) = arguments.max_time else {
        return obey(arguments, terminal).await;
    };
    match timeout(limit, obey(arguments, terminal)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::refused(&Status::deadline_exceeded("context deadline exceeded"), "")),
    }
}

async fn obey(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let channel = connect(arguments).await?;
    let metadata = MetadataMap::from_headers(arguments.headers.clone());
    let mut source = Source::new(channel.clone(), metadata.clone());
    match &arguments.verb {
        Verb::ListServices => list_services(&mut source, terminal).await,
        Verb::ListMethods(service) => list_methods(&mut source, service, terminal).await,
        Verb::DescribeServices => {
            for service in services(&mut source).await? {
                describe_symbol(&mut source, &service, terminal).await?;
            }
            Ok(())
        }
        Verb::Describe(symbol) => describe_symbol(&mut source, symbol, terminal).await,
        Verb::Invoke(call) => call::invoke(&mut source, channel, metadata, arguments, call, terminal).await,
    }
}

async fn services(source: &mut Source) -> Result<Vec<String>, Failure> {
    source.services().await.map_err(|why| Failure::here(format!("Failed to list services: {why}")))
}

async fn list_services(source: &mut Source, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    for service in services(source).await? {
        writeln!(terminal.out, "{service}")?;
    }
    Ok(())
}

async fn list_methods(source: &mut Source, service: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let failed = |why: String| Failure::here(format!("Failed to list methods for service {service:?}: {why}"));
    source.load(service).await.map_err(|why| failed(why.to_string()))?;
    let descriptor =
        source.pool().get_service_by_name(service).ok_or_else(|| failed(format!("Service not found: {service}")))?;
    let mut methods: Vec<String> = descriptor.methods().map(|method| method.full_name().to_owned()).collect();
    methods.sort();
    for method in methods {
        writeln!(terminal.out, "{method}")?;
    }
    Ok(())
}

async fn describe_symbol(source: &mut Source, symbol: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let symbol = symbol.trim_start_matches('.');
    let failed = |why: String| Failure::here(format!("Failed to resolve symbol {symbol:?}: {why}"));
    source.load(symbol).await.map_err(|why| failed(why.to_string()))?;
    let description = describe::symbol(source.pool(), symbol)
        .ok_or_else(|| failed("neither a service, a method, a message, a field nor an enum".to_owned()))?;
    write!(terminal.out, "{symbol} is {description}")?;
    Ok(())
}

async fn connect(arguments: &Arguments) -> Result<Channel, Failure> {
    let target = &arguments.target;
    let failed = |why: &dyn Error| Failure::here(format!("Failed to dial target host {target:?}: {}", causes(why)));
    let endpoint = match &arguments.security {
        Security::Plaintext => Endpoint::from_shared(format!("http://{target}")).map_err(|e| failed(&e))?,
        Security::Tls { roots } => {
            let pem = std::fs::read(roots).map_err(|e| {
                Failure::here(format!("Failed to create TLS config: could not read {}: {e}", roots.display()))
            })?;
            Endpoint::from_shared(format!("https://{target}"))
                .and_then(|endpoint| {
                    endpoint.tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
                })
                .map_err(|e| failed(&e))?
        }
    };
    endpoint.connect_timeout(CONNECT_TIMEOUT).connect().await.map_err(|e| failed(&e))
}

/// The error and what caused it, without saying anything twice.
fn causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

/// Why a command did not do what was asked. `Display` is what grpcurl prints.
enum Failure {
    /// The command line cannot be understood.
    Usage(String),
    /// Something went wrong on this side, or before the server could answer.
    Here(String),
    /// The server answered with a status other than OK.
    Refused { code: Code, report: String },
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    fn here(message: impl Into<String>) -> Self {
        Self::Here(message.into())
    }

    /// `details` is the already formatted list of the status's details, or empty.
    fn refused(status: &Status, details: &str) -> Self {
        let code = status::code_name(status.code());
        let report = format!("ERROR:\n  Code: {code}\n  Message: {}{details}", status.message());
        Self::Refused { code: status.code(), report }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Here(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused { code, .. } => 64 + u8::try_from(i32::from(*code)).unwrap_or(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => write!(f, "{message}\n{}", arguments::USAGE),
            Self::Here(message) => f.write_str(message),
            Self::Refused { report, .. } => f.write_str(report),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::here(format!("cannot write the answer: {error}"))
    }
}
