//! Starts a throw-away PostgreSQL server, prints its admin URL and keeps it until standard input ends.
//!
//! `tests/run` keeps one for a whole run; at a terminal, press Ctrl-D to end it.

use std::io;

use testkit::postgres::Server;

fn main() -> io::Result<()> {
    let server = Server::start(&[]);
    io::Write::write_all(&mut io::stdout(), format!("{}\n", server.admin_url()).as_bytes())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
