//! One row of an edition: its columns, what makes it sound and what can be wrong with it.

use std::fmt;

use csv::StringRecord;
use uuid::Uuid;

use super::PlanNames;
use super::edition::{CELL_CHARS_MAX, Findings};

/// A sound row.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) product_name: String,
    pub(super) part_number: String,
    pub(super) product: Uuid,
    pub(super) plan: Uuid,
    pub(super) names: PlanNames,
}

impl Row {
    /// Reads a row, or adds everything that is wrong with it to the violations.
    pub(super) fn read(record: &StringRecord, line: u64, violations: &mut Findings<Violation>) -> Option<Self> {
        if record.len() != Column::ALL.len() {
            violations.add(Violation { line, column: None, problem: Problem::ColumnCount { found: record.len() } });
            return None;
        }
        let mut cells = Cells { record, line, violations };
        // Every cell is read before the first missing one ends it, so that all violations are reported.
        let product_name = cells.text(Column::ProductName);
        let part_number = cells.text(Column::PartNumber);
        let product = cells.guid(Column::Product);
        let plan_name = cells.text(Column::PlanName);
        let plan = cells.guid(Column::Plan);
        let friendly_name = cells.text(Column::FriendlyName);
        Some(Self {
            line,
            product_name: product_name?,
            part_number: part_number?,
            product: product?,
            plan: plan?,
            names: PlanNames { plan_name: plan_name?, friendly_name: friendly_name? },
        })
    }
}

struct Cells<'a> {
    record: &'a StringRecord,
    line: u64,
    violations: &'a mut Findings<Violation>,
}

impl Cells<'_> {
    fn text(&mut self, column: Column) -> Option<String> {
        let text = read_text(self.cell(column));
        self.sound(column, text)
    }

    fn guid(&mut self, column: Column) -> Option<Uuid> {
        let guid = read_text(self.cell(column)).and_then(|text| read_guid(&text));
        self.sound(column, guid)
    }

    fn cell(&self, column: Column) -> &str {
        self.record.get(column as usize).unwrap_or_default()
    }

    fn sound<T>(&mut self, column: Column, read: Result<T, Problem>) -> Option<T> {
        let note = |problem| self.violations.add(Violation { line: self.line, column: Some(column), problem });
        read.map_err(note).ok()
    }
}

fn read_text(cell: &str) -> Result<String, Problem> {
    let chars = cell.chars().count();
    if chars > CELL_CHARS_MAX {
        return Err(Problem::TooLong { chars });
    }
    if let Some(found) = cell.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(Problem::ControlCharacter { found });
    }
    let text = squeezed(cell);
    if text.is_empty() { Err(Problem::Empty) } else { Ok(text) }
}

/// Only the hyphenated form, in capitals or not: other spellings of a GUID do not occur, so one would be a mistake.
fn read_guid(text: &str) -> Result<Uuid, Problem> {
    let hyphenated = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten();
    hyphenated.filter(|guid| !guid.is_nil()).ok_or_else(|| Problem::MalformedGuid { found: beginning(text) })
}

/// The words of a cell with one space between them, whatever space (tab, no-break space) there was.
pub(super) fn squeezed(cell: &str) -> String {
    cell.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Enough of a wrong cell to recognize it in a message.
pub(super) fn beginning(cell: &str) -> String {
    cell.chars().take(40).flat_map(char::escape_debug).collect()
}

/// A column of the list, in the published order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// What people call the product.
    ProductName,
    /// The product's part number.
    PartNumber,
    /// The product's GUID.
    Product,
    /// The plan's technical name within the product.
    PlanName,
    /// The plan's GUID.
    Plan,
    /// The plan's name for people within the product.
    FriendlyName,
}

impl Column {
    pub(super) const ALL: [Self; 6] =
        [Self::ProductName, Self::PartNumber, Self::Product, Self::PlanName, Self::Plan, Self::FriendlyName];

    /// The name in the file's header.
    pub const fn header(self) -> &'static str {
        match self {
            Self::ProductName => "Product_Display_Name",
            Self::PartNumber => "String_Id",
            Self::Product => "GUID",
            Self::PlanName => "Service_Plan_Name",
            Self::Plan => "Service_Plan_Id",
            Self::FriendlyName => "Service_Plans_Included_Friendly_Names",
        }
    }
}

/// One thing wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The line on which the row begins, counted from 1 with the header.
    pub line: u64,
    /// The column, unless the row as a whole is wrong.
    pub column: Option<Column>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, {}: {}", self.line, column.header(), self.problem),
            None => write!(f, "line {}: {}", self.line, self.problem),
        }
    }
}

/// What can be wrong with a row or a cell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The row has more or fewer cells than the header.
    ColumnCount {
        /// How many it has.
        found: usize,
    },
    /// There is nothing in the cell, or only spaces.
    Empty,
    /// The cell is longer than [`CELL_CHARS_MAX`].
    TooLong {
        /// Its length in Unicode characters.
        chars: usize,
    },
    /// The cell holds a line break, a NUL or another control character; a tab counts as a space.
    ControlCharacter {
        /// The first one.
        found: char,
    },
    /// The cell is not a hyphenated GUID, or is the nil one.
    MalformedGuid {
        /// The beginning of what it says instead.
        found: String,
    },
}

impl Problem {
    /// The stable word for it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ColumnCount { .. } => "COLUMN_COUNT",
            Self::Empty => "EMPTY_CELL",
            Self::TooLong { .. } => "CELL_TOO_LONG",
            Self::ControlCharacter { .. } => "CONTROL_CHARACTER",
            Self::MalformedGuid { .. } => "MALFORMED_GUID",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ColumnCount { found } => write!(f, "the row has {found} cells instead of {}", Column::ALL.len()),
            Self::Empty => write!(f, "the cell is empty"),
            Self::TooLong { chars } => write!(f, "the cell has {chars} characters; at most {CELL_CHARS_MAX} are read"),
            Self::ControlCharacter { found } => {
                write!(f, "the cell holds the control character U+{:04X}", u32::from(*found))
            }
            Self::MalformedGuid { found } => {
                write!(f, "\"{found}\" is not a GUID of the form 8-4-4-4-12 that names something")
            }
        }
    }
}
