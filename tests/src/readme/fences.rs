//! The fenced blocks of a Markdown file and what their marks mean.

use super::Failure;

/// The inside of one `sh` fence.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The line of the file on which `text` starts.
    pub(super) line: usize,
    pub(super) text: String,
}

/// The blocks to run, in order. A fence with a mark other than `sh` and `text`, or without one, is a failure, as is
/// one that is never closed.
pub(super) fn shell_blocks(markdown: &str) -> Result<Vec<Block>, Failure> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines().zip(1..);
    while let Some((opening, number)) = lines.next() {
        let Some(fence) = Fence::open(opening) else { continue };
        let mut text = String::new();
        let closed = lines.by_ref().any(|(line, _)| {
            if fence.is_closed_by(line) {
                return true;
            }
            text.push_str(fence.dedent(line));
            text.push('\n');
            false
        });
        if !closed {
            return Err(Failure::at(number, "this fence is never closed"));
        }
        match fence.mark {
            "sh" => blocks.push(Block { line: number + 1, text }),
            "text" => {}
            "" => return Err(Failure::at(number, "this fence has no mark: `sh` is run, `text` is only read")),
            mark => {
                let what = format!("this fence is marked `{mark}`: only `sh` (run) and `text` (only read) are known");
                return Err(Failure::at(number, what));
            }
        }
    }
    Ok(blocks)
}

struct Fence<'a> {
    indent: usize,
    symbol: char,
    length: usize,
    mark: &'a str,
}

impl<'a> Fence<'a> {
    /// A fence may be indented, as inside a list item.
    fn open(line: &'a str) -> Option<Self> {
        let (indent, symbol, length, mark) = split(line)?;
        // A backtick in the rest makes it a code span, not a fence.
        (length >= 3 && !(symbol == '`' && mark.contains('`'))).then_some(Self { indent, symbol, length, mark })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        split(line)
            .is_some_and(|(_, symbol, length, rest)| symbol == self.symbol && length >= self.length && rest.is_empty())
    }

    /// Takes away as much indentation as the fence itself has.
    fn dedent<'b>(&self, line: &'b str) -> &'b str {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line.get(spaces.min(self.indent)..).unwrap_or_default()
    }
}

/// The indentation, the fence's character, how often it stands there, and what follows.
fn split(line: &str) -> Option<(usize, char, usize, &str)> {
    let fence = line.trim_start_matches(' ');
    let symbol = fence.chars().next().filter(|symbol| matches!(symbol, '`' | '~'))?;
    let rest = fence.trim_start_matches(symbol);
    Some((line.len() - fence.len(), symbol, fence.len() - rest.len(), rest.trim()))
}
