//! Licensing as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use service::config::{ConfigErrors, ProcessArgs};
use service::process;

/// Products, subscriptions, seats and license assignments
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
}

fn main() -> ExitCode {
    let mut errors = ConfigErrors::default();
    let config = Args::parse().process.read(2, &mut errors);
    process::run(errors.finish([config]), |[config], stop| licensing::start::run(config, stop))
}
