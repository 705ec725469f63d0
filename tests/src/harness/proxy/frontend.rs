//! The client's half of the PostgreSQL wire protocol, cut into pieces at the statements.
//!
//! Owns the framing: the startup messages without a type byte, the typed messages after them, the text of a simple
//! query, and for the extended protocol the way from Parse over Bind to the Execute that runs the text. Promises that
//! the pieces together are the bytes that came in, in order, and that no byte of a statement is given out before its
//! text is known. A stream that speaks something else (HTTP/2, TLS after an accepted `SSLRequest`) passes as it comes
//! and holds no statements.

use std::collections::HashMap;

const STARTUP_LENGTH_MAX: usize = 10_000;
const PROTOCOL_3: u32 = 3;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// Some bytes of the stream, with the statements that they make the server run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) statements: Vec<String>,
}

#[derive(Clone, Copy)]
enum State {
    Startup,
    Messages,
    /// Not the PostgreSQL protocol, or no longer readable.
    Opaque,
}

/// Reads one connection's stream from client to server.
pub(super) struct Frontend {
    state: State,
    /// Bytes of a message that has not arrived whole.
    partial: Vec<u8>,
    /// Text by name of the prepared statement.
    prepared: HashMap<Vec<u8>, String>,
    /// Text by name of the portal.
    portals: HashMap<Vec<u8>, String>,
    /// From an Execute to the Sync or Flush that makes the server run it.
    executing: Option<Piece>,
}

impl Frontend {
    pub(super) fn new() -> Self {
        Self {
            state: State::Startup,
            partial: Vec::new(),
            prepared: HashMap::new(),
            portals: HashMap::new(),
            executing: None,
        }
    }

    /// Takes the next bytes of the stream and gives out what can be forwarded.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.partial.extend_from_slice(bytes);
        let mut pieces = Pieces::default();
        while let Some(message) = self.next_message() {
            self.sort(message, &mut pieces);
        }
        pieces.finish()
    }

    /// Gives out what is left when the stream has ended, whole or not.
    pub(super) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Pieces::default();
        pieces.plain(&self.executing.take().map(|piece| piece.bytes).unwrap_or_default());
        pieces.plain(&std::mem::take(&mut self.partial));
        pieces.finish()
    }

    /// The next whole message; in an opaque stream, whatever is there.
    fn next_message(&mut self) -> Option<Vec<u8>> {
        let length = match self.state {
            State::Startup => startup_length(&self.partial),
            State::Messages => message_length(&self.partial),
            State::Opaque => Length::Unknown,
        };
        match length {
            Length::Known(length) if self.partial.len() >= length => Some(self.partial.drain(..length).collect()),
            Length::Known(_) | Length::Short => None,
            Length::Unknown => {
                self.state = State::Opaque;
                (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial))
            }
        }
    }

    fn sort(&mut self, message: Vec<u8>, pieces: &mut Pieces) {
        match self.state {
            State::Startup => {
                match read_u32(&message[4..]) {
                    Some(SSL_REQUEST | GSS_REQUEST) => {}
                    Some(version) if version >> 16 == PROTOCOL_3 => self.state = State::Messages,
                    _ => self.state = State::Opaque,
                }
                pieces.plain(&message);
            }
            State::Opaque => pieces.plain(&message),
            State::Messages => self.sort_typed(message, pieces),
        }
    }

    fn sort_typed(&mut self, message: Vec<u8>, pieces: &mut Pieces) {
        let (kind, body) = (message[0], &message[5..]);
        let mut statement = None;
        match kind {
            b'Q' => statement = Some(text(c_string(body).0)),
            b'P' => {
                let (name, rest) = c_string(body);
                self.prepared.insert(name.to_vec(), text(c_string(rest).0));
            }
            b'B' => {
                let (portal, rest) = c_string(body);
                let prepared = self.prepared.get(c_string(rest).0).cloned().unwrap_or_default();
                self.portals.insert(portal.to_vec(), prepared);
            }
            b'E' => {
                statement = Some(self.portals.get(c_string(body).0).cloned().unwrap_or_default());
                self.executing.get_or_insert_with(|| Piece { bytes: Vec::new(), statements: Vec::new() });
            }
            _ => {}
        }
        let Some(mut executing) = self.executing.take() else {
            match statement {
                Some(statement) => pieces.whole(Piece { bytes: message, statements: vec![statement] }),
                None => pieces.plain(&message),
            }
            return;
        };
        executing.bytes.extend_from_slice(&message);
        executing.statements.extend(statement);
        if matches!(kind, b'S' | b'H') {
            pieces.whole(executing);
        } else {
            self.executing = Some(executing);
        }
    }
}

/// What is given out, bytes without a statement joined.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    plain: Vec<u8>,
}

impl Pieces {
    fn plain(&mut self, bytes: &[u8]) {
        self.plain.extend_from_slice(bytes);
    }

    fn whole(&mut self, piece: Piece) {
        self.flush();
        self.done.push(piece);
    }

    fn flush(&mut self) {
        if !self.plain.is_empty() {
            self.done.push(Piece { bytes: std::mem::take(&mut self.plain), statements: Vec::new() });
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.flush();
        self.done
    }
}

enum Length {
    Known(usize),
    /// More bytes are needed to tell.
    Short,
    /// This is not a length the protocol allows.
    Unknown,
}

fn startup_length(bytes: &[u8]) -> Length {
    // No startup message is longer than the limit, so its first byte is zero; that of HTTP/2 and TLS is not. Telling by
    // the first byte keeps nothing of a foreign stream back.
    match (bytes.first(), read_u32(bytes)) {
        (Some(1..), _) => Length::Unknown,
        (_, None) => Length::Short,
        (_, Some(length)) => match usize::try_from(length) {
            Ok(length @ 8..=STARTUP_LENGTH_MAX) => Length::Known(length),
            _ => Length::Unknown,
        },
    }
}

fn message_length(bytes: &[u8]) -> Length {
    match bytes.get(1..).and_then(read_u32) {
        None => Length::Short,
        Some(length) => match usize::try_from(length) {
            Ok(length @ 4..) => Length::Known(1 + length),
            _ => Length::Unknown,
        },
    }
}

fn read_u32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_be_bytes(*four))
}

/// The bytes up to the first zero, and those after it.
fn c_string(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A typed frontend message.
    pub(in super::super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a short message").to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    /// A simple query.
    pub(in super::super) fn query(text: &str) -> Vec<u8> {
        message(b'Q', &[text.as_bytes(), b"\0"].concat())
    }

    /// The startup message of protocol 3.0.
    pub(in super::super) fn startup() -> Vec<u8> {
        let body = b"\x00\x03\x00\x00user\0somebody\0\0";
        let length = u32::try_from(body.len() + 4).expect("a short message").to_be_bytes();
        [&length[..], body].concat()
    }

    fn ssl_request() -> Vec<u8> {
        [8_u32.to_be_bytes(), SSL_REQUEST.to_be_bytes()].concat()
    }

    fn statements(pieces: &[Piece]) -> Vec<&str> {
        pieces.iter().flat_map(|piece| piece.statements.iter().map(String::as_str)).collect()
    }

    fn joined(pieces: &[Piece]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.bytes.clone()).collect()
    }

    #[test]
    fn simple_queries_are_pieces_of_their_own() {
        let stream = [startup(), query("BEGIN"), message(b'X', b""), query("COMMIT")].concat();
        let pieces = Frontend::new().push(&stream);
        assert_eq!(
            pieces,
            [
                Piece { bytes: startup(), statements: vec![] },
                Piece { bytes: query("BEGIN"), statements: vec!["BEGIN".into()] },
                Piece { bytes: message(b'X', b""), statements: vec![] },
                Piece { bytes: query("COMMIT"), statements: vec!["COMMIT".into()] },
            ]
        );
    }

    #[test]
    fn a_stream_that_arrives_byte_by_byte_gives_the_same_statements_and_bytes() {
        let stream =
            [ssl_request(), startup(), query("BEGIN ISOLATION LEVEL REPEATABLE READ"), query("COMMIT")].concat();
        let mut frontend = Frontend::new();
        let pieces: Vec<_> = stream.iter().flat_map(|byte| frontend.push(&[*byte])).collect();
        assert_eq!(statements(&pieces), ["BEGIN ISOLATION LEVEL REPEATABLE READ", "COMMIT"]);
        assert_eq!(joined(&pieces), stream);
    }

    #[test]
    fn no_byte_of_a_statement_is_given_out_before_its_text_is_known() {
        let mut frontend = Frontend::new();
        frontend.push(&startup());
        let commit = query("COMMIT");
        assert_eq!(frontend.push(&commit[..commit.len() - 1]), []);
        assert_eq!(frontend.push(&commit[commit.len() - 1..])[0].bytes, commit);
    }

    #[test]
    fn a_prepared_statement_counts_when_it_is_executed_and_not_when_it_is_parsed() {
        let parse = message(b'P', b"s1\0COMMIT\0\0\0");
        let bind = message(b'B', b"p1\0s1\0\0\0\0\0\0\0");
        let (execute, sync) = (message(b'E', b"p1\0\0\0\0\0"), message(b'S', b""));
        let mut frontend = Frontend::new();
        frontend.push(&startup());
        assert_eq!(statements(&frontend.push(&[parse, sync.clone()].concat())), [""; 0]);

        let waiting = frontend.push(&[bind.clone(), execute.clone()].concat());
        assert_eq!(joined(&waiting), bind, "Execute waits for its Sync");
        let pieces = frontend.push(&sync);
        assert_eq!(joined(&pieces), [execute.clone(), sync.clone()].concat());
        assert_eq!(statements(&pieces), ["COMMIT"]);

        let again = frontend.push(&[bind, execute, sync].concat());
        assert_eq!(statements(&again), ["COMMIT"], "a cached statement is not parsed a second time");
    }

    #[test]
    fn a_message_that_never_became_whole_is_given_out_at_the_end() {
        let mut frontend = Frontend::new();
        frontend.push(&startup());
        let half = &query("COMMIT")[..6];
        assert_eq!(frontend.push(half), []);
        assert_eq!(frontend.finish(), [Piece { bytes: half.to_vec(), statements: vec![] }]);
    }

    #[test]
    fn a_foreign_stream_passes_as_it_comes() {
        let mut frontend = Frontend::new();
        for bytes in [&b"P"[..], b"RI * HTTP/2.0\r\n", &query("COMMIT")] {
            assert_eq!(frontend.push(bytes), [Piece { bytes: bytes.to_vec(), statements: vec![] }]);
        }
    }

    #[test]
    fn a_stream_that_turns_to_tls_passes_as_it_comes() {
        let mut frontend = Frontend::new();
        frontend.push(&ssl_request());
        let hello = b"\x16\x03\x01";
        assert_eq!(frontend.push(hello), [Piece { bytes: hello.to_vec(), statements: vec![] }]);
    }
}
