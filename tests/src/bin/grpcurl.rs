//! `grpcurl`, as far as the README needs it; see `tests::grpcurl`.

use std::io::{stderr, stdin, stdout};
use std::process::ExitCode;

use tests::grpcurl::{Terminal, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (mut input, mut out, mut err) = (stdin(), stdout(), stderr());
    let mut terminal = Terminal { input: &mut input, out: &mut out, err: &mut err };
    ExitCode::from(run(std::env::args().skip(1), &mut terminal).await)
}
