//! A block cut into its commands, where bash itself says where a command ends.

use std::process::{Command, Stdio};

use super::Failure;
use super::fences::Block;

/// One command, over as many lines as it takes.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// The line of the README on which it starts.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// Who takes the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// The shell.
    Shell,
    /// Starts the service in the background.
    Serve,
    /// The command that runs the walk.
    TestCommand,
}

/// The block's commands in order, without its comments. One that bash cannot read is a failure.
pub(super) fn steps(block: &Block) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    let mut lines = block.text.lines().zip(block.line..);
    while let Some((first, line)) = lines.next() {
        if first.trim().is_empty() || first.trim_start().starts_with('#') {
            continue;
        }
        let kind = match first.trim() {
            "cargo run" => Kind::Serve,
            "tests/run" => Kind::TestCommand,
            _ => Kind::Shell,
        };
        let text = match kind {
            Kind::Shell => {
                let rest = lines.by_ref().map(|(line, _)| line);
                whole_command(first, rest).map_err(|what| Failure::at(line, what))?
            }
            Kind::Serve | Kind::TestCommand => format!("{first}\n"),
        };
        steps.push(Step { line, text, kind });
    }
    Ok(steps)
}

/// Takes as many lines as bash needs for one command.
fn whole_command<'a>(first: &str, mut rest: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let mut text = format!("{first}\n");
    loop {
        match reading(&text).map_err(|e| format!("bash cannot be asked: {e}"))? {
            Reading::Complete => return Ok(text),
            Reading::Incomplete(why) => match rest.next() {
                Some(next) => text = format!("{text}{next}\n"),
                None => return Err(format!("bash cannot read this command to its end: {}", why.trim_end())),
            },
        }
    }
}

enum Reading {
    Complete,
    /// Wrong, or not yet all of it: bash does not tell these apart, and only the block's end does.
    Incomplete(String),
}

fn reading(text: &str) -> std::io::Result<Reading> {
    let trailing = text.trim_end_matches('\n').bytes().rev().take_while(|byte| *byte == b'\\').count();
    if trailing % 2 == 1 {
        return Ok(Reading::Incomplete("it ends with a backslash".to_owned()));
    }
    // Without the caller's locale: about a missing one bash would complain each time.
    let mut bash = Command::new("bash");
    let answer = bash.args(["-n", "-c", "--", text]).env("LC_ALL", "C").stdin(Stdio::null()).output()?;
    // An unfinished here-document is only a warning.
    if answer.status.success() && answer.stderr.is_empty() {
        return Ok(Reading::Complete);
    }
    Ok(Reading::Incomplete(String::from_utf8_lossy(&answer.stderr).into_owned()))
}
