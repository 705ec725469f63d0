//! The command line, read as Go's `flag` package reads it: `-x value`, `--x value`, `-x=value`, and no flag after
//! the first word that is not one.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Failure;

/// What a wrong command line is answered with.
pub(super) const USAGE: &str = "Usage:\n\tgrpcurl [-plaintext | -cacert FILE] [-H 'name: value']... [-d JSON|@] \
     [-max-time SECONDS] [-emit-defaults] [-format json] HOST:PORT [list [SERVICE] | describe [SYMBOL] | SERVICE/METHOD]";

/// A whole command.
pub(super) struct Arguments {
    pub(super) security: Security,
    /// Sent with reflection requests and with the call.
    pub(super) headers: HeaderMap,
    /// Bounds the command from dialing to the last response.
    pub(super) max_time: Option<Duration>,
    pub(super) emit_defaults: bool,
    pub(super) target: String,
    pub(super) verb: Verb,
}

/// How the connection is protected.
pub(super) enum Security {
    Plaintext,
    /// TLS, trusting the PEM certificates in this file.
    Tls {
        roots: PathBuf,
    },
}

/// What to do once connected.
pub(super) enum Verb {
    ListServices,
    ListMethods(String),
    DescribeServices,
    Describe(String),
    Invoke(Call),
}

/// A method and where its requests come from.
pub(super) struct Call {
    /// As it was written, for messages.
    pub(super) symbol: String,
    pub(super) service: String,
    pub(super) method: String,
    pub(super) requests: Requests,
}

/// Where the request messages come from.
pub(super) enum Requests {
    /// JSON from the command line; no text at all is one empty message.
    Given(String),
    /// JSON from the standard input, up to its end.
    Input,
}

impl Arguments {
    pub(super) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut words = arguments.into_iter().peekable();
        let mut flags = Flags::default();
        while let Some(word) = words.next_if(|word| word.len() > 1 && word.starts_with('-')) {
            if word == "--" {
                break;
            }
            let flag = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or(&word);
            match flag.split_once('=') {
                Some((name, value)) => flags.set(name, &mut || Some(value.to_owned()))?,
                None => flags.set(flag, &mut || words.next())?,
            }
        }
        let mut words = words.fuse();
        let target = words.next().ok_or_else(|| Failure::usage("Too few arguments."))?;
        if target == "list" || target == "describe" {
            return Err(Failure::usage("No host:port specified."));
        }
        let word = words.next().ok_or_else(|| Failure::usage("Too few arguments."))?;
        let verb = match (word.as_str(), words.next()) {
            ("list", None) => Verb::ListServices,
            ("list", Some(service)) => Verb::ListMethods(service),
            ("describe", None) => Verb::DescribeServices,
            ("describe", Some(symbol)) => Verb::Describe(symbol),
            (_, None) => Verb::Invoke(Call::parse(word, flags.requests)?),
            (_, Some(_)) => return Err(Failure::usage("Too many arguments.")),
        };
        if words.next().is_some() {
            return Err(Failure::usage("Too many arguments."));
        }
        let security = match (flags.plaintext, flags.roots) {
            (true, _) => Security::Plaintext,
            (false, Some(roots)) => Security::Tls { roots },
            (false, None) => {
                return Err(Failure::usage("Without -plaintext this stand-in needs -cacert: it holds no roots."));
            }
        };
        Ok(Self {
            security,
            headers: flags.headers,
            max_time: flags.max_time,
            emit_defaults: flags.emit_defaults,
            target,
            verb,
        })
    }
}

impl Call {
    fn parse(symbol: String, requests: Option<String>) -> Result<Self, Failure> {
        let (service, method) = symbol
            .rsplit_once('/')
            .or_else(|| symbol.rsplit_once('.'))
            .filter(|(service, method)| !service.is_empty() && !method.is_empty())
            .ok_or_else(|| {
                Failure::here(format!(
                    "Error invoking method {symbol:?}: given method name {symbol:?} is not in expected format: \
                     'service/method' or 'service.method'"
                ))
            })?;
        Ok(Self {
            service: service.to_owned(),
            method: method.to_owned(),
            requests: match requests {
                Some(text) if text == "@" => Requests::Input,
                text => Requests::Given(text.unwrap_or_default()),
            },
            symbol,
        })
    }
}

#[derive(Default)]
struct Flags {
    plaintext: bool,
    roots: Option<PathBuf>,
    headers: HeaderMap,
    requests: Option<String>,
    max_time: Option<Duration>,
    emit_defaults: bool,
}

impl Flags {
    /// `value` yields what stands behind `=`, or else the next word; flags that are only on or off must not ask for it.
    fn set(&mut self, name: &str, value: &mut dyn FnMut() -> Option<String>) -> Result<(), Failure> {
        let mut value = || value().ok_or_else(|| Failure::usage(format!("flag needs an argument: -{name}")));
        match name {
            "plaintext" => self.plaintext = true,
            "emit-defaults" => self.emit_defaults = true,
            "cacert" => self.roots = Some(value()?.into()),
            "d" => self.requests = Some(value()?),
            "H" => {
                let (name, value) = header(&value()?)?;
                self.headers.append(name, value);
            }
            "max-time" => self.max_time = Some(seconds(&value()?)?),
            "format" if value()? == "json" => {}
            "format" => return Err(Failure::usage("This stand-in has one -format: json.")),
            _ => return Err(Failure::usage(format!("flag provided but not defined: -{name}"))),
        }
        Ok(())
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    let wrong = |why: String| Failure::usage(format!("-H {name:?} is not a header: {why}"));
    let value = HeaderValue::from_str(value.trim()).map_err(|e| wrong(e.to_string()))?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|e| wrong(e.to_string()))?;
    Ok((name, value))
}

/// Zero is refused: whoever wants no limit leaves the flag out.
fn seconds(text: &str) -> Result<Duration, Failure> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|limit| !limit.is_zero())
        .ok_or_else(|| Failure::usage(format!("The -max-time argument must be a positive number, not {text:?}.")))
}
