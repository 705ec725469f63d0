//! Partner as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use partner::start;
use service::config::{ConfigErrors, ProcessArgs};
use service::process;

/// Enrollment, partnerships, invitations and customer relationships
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    /// What the links of invitations begin with
    #[arg(long, env = "TANDEM_LINK_BASE", default_value = "https://partner.tandem.example")]
    link_base: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut errors = ConfigErrors::default();
    let config = args.process.read(3, &mut errors);
    let links = start::link_base(&args.link_base);
    if let Err(fault) = &links {
        errors.add("TANDEM_LINK_BASE", fault.message());
    }
    process::run(errors.finish([config]), |[config], stop| async { start::run(config, links?, stop).await })
}
