//! Editions: the vendor's list "Product names and service plan identifiers for licensing", as published, in CSV.
//!
//! Owns how the file is read. Promises that nothing is dropped unseen: a harmless oddity (byte order mark, either
//! line end, stray or no-break space, capital GUID, repeated row) is normalized, two names for one thing are reported
//! and the first row wins, and a row that cannot be trusted refuses the whole file, with all such rows at once.
//! Refuses everything but UTF-8 in the six published columns, and whatever exceeds the limits below.

use std::collections::btree_map::Entry;
use std::error::Error;
use std::fmt;

use csv::StringRecord;
use uuid::Uuid;

use super::edition_row::{Row, beginning, squeezed};
use super::{Catalog, Changes, Product};

pub use super::edition_row::{Column, Problem, Violation};

/// The longest file, in bytes (4 MiB). The published one has 1 MiB.
pub const EDITION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most rows below the header. The published file has 5,457; a file of sound rows reaches the limit on bytes first.
pub const ROWS_MAX: usize = 100_000;
/// The longest cell, in Unicode characters before normalization. The longest published one has 105.
pub const CELL_CHARS_MAX: usize = 512;
/// The most violations, and the most conflicts, that are listed; the rest is counted.
pub const FINDINGS_MAX: usize = 100;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One edition of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// What it says.
    pub catalog: Catalog,
    /// Where it contradicts itself.
    pub conflicts: Findings<Conflict>,
    /// The rows below the header.
    pub rows: usize,
    /// Those among them whose product and plan an earlier row had named, under whatever names.
    pub repeated_rows: usize,
}

impl Edition {
    /// Reads a file, or says everything that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, EditionFault> {
        if bytes.len() > EDITION_BYTES_MAX {
            return Err(EditionFault::TooLarge { bytes: bytes.len() });
        }
        if is_utf16(bytes) {
            return Err(EditionFault::Utf16);
        }
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        check_quotes(text)?;

        let mut records = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        let mut record = StringRecord::new();
        // Without a byte source that fails or a fixed length of rows, text that is not UTF-8 is all that can go wrong.
        let mut next = |record: &mut StringRecord| {
            let read = records.read_record(record);
            read.map_err(|e| EditionFault::NotUtf8 { line: e.position().map_or(1, |at| line_at(at, text)) })
        };

        next(&mut record)?;
        check_header(&record)?;
        let mut edition =
            Self { catalog: Catalog::default(), conflicts: Findings::default(), rows: 0, repeated_rows: 0 };
        let mut violations = Findings::default();
        while next(&mut record)? {
            if edition.rows == ROWS_MAX {
                return Err(EditionFault::TooManyRows);
            }
            edition.rows += 1;
            let line = record.position().map_or(0, |at| line_at(at, text));
            if let Some(row) = Row::read(&record, line, &mut violations) {
                edition.take(row);
            }
        }
        if violations.total() > 0 {
            return Err(EditionFault::BrokenRows(violations));
        }
        if edition.rows == 0 {
            return Err(EditionFault::NoRows);
        }
        Ok(edition)
    }

    /// What importing this edition would change about what is present.
    pub fn compare(&self, present: &Catalog) -> Changes {
        Changes::between(&self.catalog, present)
    }

    fn take(&mut self, row: Row) {
        let Row { line, product, product_name, part_number, plan, names } = row;
        let mut expect = |column, kept: &str, ignored: String| {
            if *kept != ignored {
                self.conflicts.add(Conflict { line, column, product, plan, kept: kept.to_owned(), ignored });
            }
        };
        let known = match self.catalog.products.entry(product) {
            Entry::Vacant(entry) => {
                entry.insert(Product { name: product_name, part_number, plans: [(plan, names)].into() });
                return;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        expect(Column::ProductName, &known.name, product_name);
        expect(Column::PartNumber, &known.part_number, part_number);
        match known.plans.entry(plan) {
            Entry::Vacant(entry) => {
                entry.insert(names);
            }
            Entry::Occupied(entry) => {
                expect(Column::PlanName, &entry.get().plan_name, names.plan_name);
                expect(Column::FriendlyName, &entry.get().friendly_name, names.friendly_name);
                self.repeated_rows += 1;
            }
        }
    }
}

/// A second name for something that an earlier row had named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The line of the later row, counted from 1 with the header.
    pub line: u64,
    /// The column that disagrees; never one of the two GUIDs.
    pub column: Column,
    /// The product of the row.
    pub product: Uuid,
    /// The plan of the row.
    pub plan: Uuid,
    /// The name that stays: the first one.
    pub kept: String,
    /// The name that the later row gives.
    pub ignored: String,
}

/// What was found, listed up to [`FINDINGS_MAX`] and counted beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings<T> {
    listed: Vec<T>,
    unlisted: usize,
}

impl<T> Findings<T> {
    /// The first ones, in the order of the file.
    pub fn listed(&self) -> &[T] {
        &self.listed
    }

    /// How many there are in all.
    pub const fn total(&self) -> usize {
        self.listed.len() + self.unlisted
    }

    pub(super) fn add(&mut self, finding: T) {
        if self.listed.len() < FINDINGS_MAX {
            self.listed.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self { listed: Vec::new(), unlisted: 0 }
    }
}

/// Why a file was refused. Nothing of it is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditionFault {
    /// It is longer than [`EDITION_BYTES_MAX`].
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It is UTF-16, as spreadsheets save "Unicode text".
    Utf16,
    /// It is not UTF-8, from this line on.
    NotUtf8 {
        /// The line, counted from 1 with the header.
        line: u64,
    },
    /// A quoted cell is not closed, or goes on behind its closing quote, so that where cells end is anybody's guess.
    UnbalancedQuotes {
        /// The line on which the cell begins, counted from 1 with the header.
        line: u64,
    },
    /// The first row does not name the six columns in the published order.
    WrongHeader {
        /// The beginning of what it says instead.
        found: String,
    },
    /// There are more than [`ROWS_MAX`] rows.
    TooManyRows,
    /// There is a header and nothing else.
    NoRows,
    /// Some rows cannot be trusted.
    BrokenRows(Findings<Violation>),
}

impl EditionFault {
    /// The stable word for it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "EDITION_TOO_LARGE",
            Self::Utf16 | Self::NotUtf8 { .. } => "NOT_UTF8",
            Self::UnbalancedQuotes { .. } => "UNBALANCED_QUOTES",
            Self::WrongHeader { .. } => "WRONG_HEADER",
            Self::TooManyRows => "TOO_MANY_ROWS",
            Self::NoRows => "NO_ROWS",
            Self::BrokenRows(_) => "BROKEN_ROWS",
        }
    }
}

impl fmt::Display for EditionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(f, "the file has {bytes} bytes; at most {EDITION_BYTES_MAX} are read"),
            Self::Utf16 => write!(f, "the file is UTF-16; save it as CSV in UTF-8"),
            Self::NotUtf8 { line } => write!(f, "line {line} is not UTF-8; save the file as CSV in UTF-8"),
            Self::UnbalancedQuotes { line } => {
                write!(
                    f,
                    "a cell that begins on line {line} has quotes that do not match; write a quote within it twice"
                )
            }
            Self::WrongHeader { found } => {
                let columns = Column::ALL.map(Column::header).join(",");
                write!(f, "the header is \"{found}\"; the columns must be {columns}")
            }
            Self::TooManyRows => write!(f, "the file has more than {ROWS_MAX} rows"),
            Self::NoRows => write!(f, "the file has a header and no rows"),
            Self::BrokenRows(violations) => {
                write!(f, "the file was refused as a whole: {} problems in its rows", violations.total())
            }
        }
    }
}

impl Error for EditionFault {}

/// UTF-16 shows by its byte order mark, or by a NUL beside the first letter of the header.
const fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, _, ..] | [_, 0, ..])
}

/// Refuses quotes that do not match (RFC 4180, section 2): the reader takes them as they come, and the rows that an
/// open quote swallows would be gone without a word. A quote in the middle of an unquoted cell is only a character.
fn check_quotes(text: &[u8]) -> Result<(), EditionFault> {
    #[derive(PartialEq)]
    enum Place {
        CellStart,
        Unquoted,
        Quoted,
        BehindQuote,
    }

    let (mut place, mut line, mut cell_line) = (Place::CellStart, 1, 1);
    for byte in text {
        place = match (place, byte) {
            (Place::CellStart, b'"') => {
                cell_line = line;
                Place::Quoted
            }
            (Place::Quoted, b'"') => Place::BehindQuote,
            (Place::Quoted, _) | (Place::BehindQuote, b'"') => Place::Quoted,
            (_, b',' | b'\r' | b'\n') => Place::CellStart,
            (Place::BehindQuote, _) => return Err(EditionFault::UnbalancedQuotes { line: cell_line }),
            (Place::CellStart | Place::Unquoted, _) => Place::Unquoted,
        };
        line += u64::from(*byte == b'\n');
    }
    if place == Place::Quoted {
        return Err(EditionFault::UnbalancedQuotes { line: cell_line });
    }
    Ok(())
}

fn check_header(record: &StringRecord) -> Result<(), EditionFault> {
    if record.iter().map(squeezed).eq(Column::ALL.map(Column::header)) {
        return Ok(());
    }
    let found = record.iter().take(Column::ALL.len() + 1).map(beginning).collect::<Vec<_>>().join(",");
    Err(EditionFault::WrongHeader { found })
}

/// The line on which a record begins. The reader's own position is that of the blank lines before it.
fn line_at(position: &csv::Position, text: &[u8]) -> u64 {
    let before = usize::try_from(position.byte()).ok().and_then(|byte| text.get(byte..)).unwrap_or_default();
    let blank = before.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    blank.fold(position.line(), |line, _| line + 1)
}
