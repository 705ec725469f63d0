//! What a person reads while the story goes on.

use std::io::{self, Write as _};

/// Numbers the chapters of the story.
#[derive(Default)]
pub(super) struct Teller {
    chapter: u32,
}

impl Teller {
    /// A chapter begins.
    pub(super) fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        say(&format!("\n{:>2}  {title}\n", self.chapter));
    }

    /// Something has happened.
    pub(super) fn tell(&self, what: &str) {
        say(&format!("      {what}\n"));
    }
}

fn say(text: &str) {
    // Whoever closed standard output does not want to read it.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}
