//! How large an answer becomes, and what is left out of one that would be too large.
//!
//! A list that comes in pages leaves nothing out: its page ends where the space does. Whatever has to be answered at once
//! always has a place for what became of each part; details share what is left, in the order of the answer.

use prost::Message;

/// Bytes of one answer at most: clients take 4 MiB unless they are told otherwise.
pub const BYTES_MAX: usize = 15 * 256 * 1024;

/// Bytes of what an answer says beside its parts, at most: the selected users of a summary, tokens, partners.
const BESIDE: usize = 768 * 1024;

/// Bytes of its parts, at most.
const SPACE: usize = BYTES_MAX - BESIDE;

/// Bytes before each part: its field's number and its length.
pub const HEAD: usize = 5;

/// Bytes of an id: its field's number, its length and the id.
pub const ID: usize = 38;

/// Bytes of a part.
pub fn bytes(part: &impl Message) -> usize {
    HEAD + part.encoded_len()
}

/// How many parts of so many bytes a page holds, from the first on: one at least, so that every page leads on.
pub fn fitting(parts: impl Iterator<Item = usize>) -> usize {
    let sums = parts.scan(0, |sum, bytes| {
        *sum += bytes;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= SPACE).count().max(1)
}

/// The parts of an answer, whole as long as there is space for their details, and then in short.
pub fn fit<M: Message>(parts: Vec<M>, short: impl Fn(&M) -> M) -> Vec<M> {
    // Nearly always: nothing has to be made short to see that nothing has to be left out.
    if parts.iter().map(bytes).sum::<usize>() <= SPACE {
        return parts;
    }
    let shorts: usize = parts.iter().map(|part| bytes(&short(part))).sum();
    let mut left = SPACE.saturating_sub(shorts);
    let mut fits = true;
    let fitted = parts.into_iter().map(|whole| {
        let brief = short(&whole);
        let more = whole.encoded_len().saturating_sub(brief.encoded_len());
        fits = fits && more <= left;
        if fits {
            left -= more;
            whole
        } else {
            brief
        }
    });
    fitted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_the_space_does_and_holds_one_at_least() {
        assert_eq!(fitting([1_000; 50].into_iter()), 50);
        assert_eq!(fitting([1_000_000; 50].into_iter()), 3);
        assert_eq!(fitting([BYTES_MAX; 50].into_iter()), 1);
    }
}
