//! Identity as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use identity::start;
use service::config::{ConfigErrors, ProcessArgs};
use service::process;

/// Organizations, users, roles, passwords and sessions
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    /// Domain below which every organization gets its first one
    #[arg(long, env = "TANDEM_DOMAIN_SUFFIX", default_value = "tandem.example")]
    domain_suffix: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut errors = ConfigErrors::default();
    let config = args.process.read(1, &mut errors);
    let suffix = start::domain_suffix(&args.domain_suffix);
    if let Err(fault) = &suffix {
        errors.add("TANDEM_DOMAIN_SUFFIX", fault.message());
    }
    process::run(errors.finish([config]), |[config], stop| async { start::run(config, suffix?, stop).await })
}
