//! The one program a newcomer starts: all three services in one process on embedded databases, and the tools that
//! operators need around them.
//!
//! The tour: [`serve`] is the all-in-one and [`data`] its directory; each tool is a room of its own. A tool answers
//! with the text for standard output or with a [`failure::Failure`] for standard error. It promises that standard
//! output holds what was asked for and nothing else, and refuses to show a secret to anything but a terminal.

mod banner;
mod clients;
mod data;
mod demo;
mod failure;
mod keys;
mod migrate;
mod operator;
mod secrets;
mod serve;
mod token;

use std::future::Future;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service::telemetry::{self, LogFormat};
use tokio::runtime::Builder;

use crate::failure::Failure;

/// The back office of a two-tier cloud channel
///
/// Without a command it does what `serve` does.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// Start identity, licensing and partner in this process, on SQLite below one folder
    Serve(serve::Arguments),
    /// Bring the database of one service up to date
    Migrate(migrate::Arguments),
    /// The keys by which the services sign, seal and know each other
    #[command(subcommand)]
    Keys(keys::Command),
    /// Sign in and print an access token
    Token(token::Arguments),
    /// Play the whole story of a joint invitation against freshly started services, which go when it ends
    Demo(demo::Arguments),
    /// The platform's own staff
    #[command(subcommand)]
    Operator(operator::Command),
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    match line.command {
        None => serve::serve(&line.serve),
        Some(Command::Serve(arguments)) => serve::serve(&arguments),
        Some(Command::Migrate(arguments)) => finish(arguments.run()),
        Some(Command::Keys(command)) => finish(async { command.run() }),
        Some(Command::Token(arguments)) => finish(arguments.run()),
        Some(Command::Demo(arguments)) => finish(arguments.run()),
        Some(Command::Operator(command)) => finish(command.run()),
    }
}

/// Runs a tool and says how it ended.
fn finish(tool: impl Future<Output = Result<String, Failure>>) -> ExitCode {
    let done = telemetry::init(LogFormat::Human, "warn").map_err(Failure::from).and_then(|()| {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| Failure::new(format!("no runtime can be started: {error}")))?.block_on(tool)
    });
    let done = done.and_then(|text| {
        let written = io::stdout().write_all(text.as_bytes());
        written.map_err(|error| Failure::new(format!("standard output cannot be written: {error}")))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Whoever closed standard error does not want to know.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}
