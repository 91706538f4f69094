//! What one evaluation may cost.
//!
//! A condition's author chooses the loops, its caller the lists and texts they run over: three nested loops over a
//! hundred tools are a million turns. So turns and bytes of text are counted, and an evaluation that runs out stops.
//! Overloads in `cel` are plain functions without state, hence a thread's own counter: an evaluation never
//! yields and never starts another.

use std::cell::Cell;

/// Turns of loops that one evaluation may take, all its loops together.
pub const MAX_TURNS: u32 = 1000;

/// Bytes of text that one evaluation may read, copy or match, in all.
pub const MAX_TEXT: usize = 32 << 20;

/// What making an element of a list costs, in bytes of text.
const ELEMENT: usize = 64;

#[derive(Clone, Copy)]
struct Meter {
    turns: u32,
    text: usize,
    spent: bool,
}

thread_local! {
    static METER: Cell<Meter> = const { Cell::new(Meter { turns: 0, text: 0, spent: false }) };
}

/// Begins an evaluation with a full allowance.
pub(super) fn begin() {
    METER.set(Meter { turns: MAX_TURNS, text: MAX_TEXT, spent: false });
}

/// Takes one turn of a loop; false: there is none left, or nothing else.
pub(super) fn turn() -> bool {
    let meter = METER.get();
    let left = meter.turns.checked_sub(1).filter(|_| !meter.spent);
    METER.set(Meter { turns: left.unwrap_or(0), spent: meter.spent || left.is_none(), ..meter });
    left.is_some()
}

/// Pays for work on so many bytes of text; false: more than is left.
pub(super) fn text(bytes: usize) -> bool {
    let meter = METER.get();
    let left = meter.text.checked_sub(bytes);
    METER.set(Meter { text: left.unwrap_or(0), spent: meter.spent || left.is_none(), ..meter });
    left.is_some()
}

/// Pays for making so many elements of a list. The list is made all the same, but no loop turns after it.
pub(super) fn elements(count: usize) -> bool {
    text(count.saturating_mul(ELEMENT))
}

/// Whether this evaluation ran out.
pub(super) fn is_spent() -> bool {
    METER.get().spent
}
