//! Whole answers one after the other, each on a line of its own: what came of the requests of a batch.
//!
//! Each is a document by itself. Nothing goes on from one to the next, unlike the documents of a stream.

use memchr::memchr;

use crate::mask::text::Masks;
use crate::protocol::Unreadable;
use crate::protocol::facts::Facts;
use crate::protocol::json::Edit;
use crate::protocol::json::table::Table;
use crate::protocol::json::whole::Whole;

/// See the module.
pub(super) struct Answers<M: Masks> {
    whole: Whole<M>,
    /// Whether the line under way has had nothing but spaces.
    blank: bool,
}

impl<M: Masks> Answers<M> {
    pub(super) fn new(table: &'static Table) -> Self {
        Self { whole: Whole::new(table.root), blank: true }
    }

    pub(super) fn whole(&mut self) -> &mut Whole<M> {
        &mut self.whole
    }

    /// Raw bytes held.
    pub(super) fn held(&self) -> usize {
        self.whole.held()
    }

    /// Takes the next piece, cut anywhere. A document ends with its line.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        end: bool,
        edit: &mut Edit<'_, M>,
        facts: &mut Facts,
    ) -> Result<(), Unreadable> {
        while let Some(at) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
            self.part(line, true, edit, facts)?;
            edit.out.push(b'\n');
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.part(bytes, end, edit, facts)
    }

    /// A part of a line; `end`: its last.
    fn part(
        &mut self,
        part: &[u8],
        end: bool,
        edit: &mut Edit<'_, M>,
        facts: &mut Facts,
    ) -> Result<(), Unreadable> {
        let text = if self.blank { part.trim_ascii_start() } else { part };
        let blanks = part.len().saturating_sub(text.len());
        edit.out.extend_from_slice(part.get(..blanks).unwrap_or_default());
        self.blank &= text.is_empty();
        if self.blank {
            return Ok(());
        }
        self.whole.push(text, end, edit, facts)?;
        if end {
            self.whole.restart();
            self.blank = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BodyKind, ResponseRewriter};
    use crate::protocol::Unreadable;
    use crate::protocol::answers::EVERYTHING;
    use crate::protocol::testing::Simple;

    fn run(input: &str, cuts: [usize; 2]) -> Result<String, Unreadable> {
        let mut rewriter = ResponseRewriter::new(BodyKind::Answers, &EVERYTHING, Simple);
        let (mut out, [first, second]) = (Vec::new(), cuts);
        rewriter.push(&input.as_bytes()[..first], false, &mut out)?;
        rewriter.push(&input.as_bytes()[first..second], false, &mut out)?;
        rewriter.push(&input.as_bytes()[second..], true, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_value_does_not_go_on_in_the_next_line_and_blank_lines_pass() {
        let lines = "{\"a\":\"SEC\"}\n\r\n  \n{\"a\":\"RET SECRET\"}\r\n {\"b\":\"12345\"}";
        let masked = "{\"a\":\"SEC\"}\n\r\n  \n{\"a\":\"RET <S>\"}\r\n {\"b\":\"<N>\"}";
        for first in 0..=lines.len() {
            for second in first..=lines.len() {
                assert_eq!(run(lines, [first, second]).as_deref(), Ok(masked), "{first} {second}");
            }
        }
        assert_eq!(run("", [0, 0]).as_deref(), Ok(""));
        assert_eq!(run(" \n", [1, 2]).as_deref(), Ok(" \n"));
    }

    #[test]
    fn a_document_over_several_lines_and_two_on_one_are_unreadable() {
        assert!(run("{\"a\":\n1}", [0, 0]).is_err());
        assert!(run("{\"a\":1}{\"b\":2}", [0, 0]).is_err());
        assert!(run("{\"a\":1}\n{\"b\":", [0, 0]).is_err());
    }
}
