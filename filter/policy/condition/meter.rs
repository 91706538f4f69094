//! What one evaluation may cost.
//!
//! A condition's author chooses the loops, its caller the lists and texts they run over: three nested loops over a
//! hundred tools are a million turns. So turns and bytes of text are counted, and an evaluation that runs out stops.

use std::cell::Cell;

use super::fault::Fault;

/// Turns of loops that one evaluation may take, all its loops together.
pub const MAX_TURNS: u32 = 1000;

/// Bytes of text that one evaluation may read, copy or match, in all.
pub const MAX_TEXT: usize = 32 << 20;

/// What making or comparing an element of a list costs, in bytes of text.
const ELEMENT: usize = 64;

/// What is left of one evaluation's allowance. Once a payment fails, all that follow fail.
pub(super) struct Meter {
    turns: Cell<u32>,
    text: Cell<usize>,
    spent: Cell<bool>,
}

impl Meter {
    /// A full allowance.
    pub(super) fn new() -> Self {
        Self { turns: Cell::new(MAX_TURNS), text: Cell::new(MAX_TEXT), spent: Cell::new(false) }
    }

    /// Takes one turn of a loop.
    pub(super) fn turn<'a>(&self) -> Result<(), Fault<'a>> {
        let left = self.turns.get().checked_sub(1);
        self.turns.set(left.unwrap_or(0));
        self.paid(left.is_some())
    }

    /// Pays for work on so many bytes of text.
    pub(super) fn text<'a>(&self, bytes: usize) -> Result<(), Fault<'a>> {
        let left = self.text.get().checked_sub(bytes);
        self.text.set(left.unwrap_or(0));
        self.paid(left.is_some())
    }

    /// Pays for making or comparing so many elements of a list.
    pub(super) fn elements<'a>(&self, count: usize) -> Result<(), Fault<'a>> {
        self.text(count.saturating_mul(ELEMENT))
    }

    fn paid<'a>(&self, enough: bool) -> Result<(), Fault<'a>> {
        if !enough {
            self.spent.set(true);
        }
        if self.spent.get() { Err(Fault::Cost) } else { Ok(()) }
    }

    /// Whether this evaluation ran out.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.get()
    }
}
