//! Partner as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use service::config::{ConfigErrors, ProcessArgs};
use service::process;

/// Enrollment, partnerships, invitations and customer relationships
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
}

fn main() -> ExitCode {
    let mut errors = ConfigErrors::default();
    let config = Args::parse().process.read(3, &mut errors);
    process::run(errors.finish([config]), |[config], stop| partner::start::run(config, stop))
}
