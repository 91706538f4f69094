//! Which of a plan's detectors a value may be of, told by the byte before it and its first eight.
//!
//! Every detector that is looked for has a bit. For each of the first eight bytes there is a table that says of which
//! detectors a value may hold a byte there; a place is worth a walk only where some bit outlives all of them. More is
//! let through than matches, never less; of a text that is shorter, the bytes that are there are asked.
use super::fingerprint::{LITERALS, holds, insert};
use super::grammar::{DEPTH, Sets};
use super::literals::Literals;
use super::plan::Enabled;
use super::tables::Detector;

/// Words of a set of rows.
const WORDS: usize = 4;
/// Rows that a plan may have. Detectors that begin alike share one; where there are too many, those of one group do.
const MOST_ROWS: usize = WORDS * 64;

/// A set of rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Rows([u64; WORDS]);

/// What a row stands for.
#[derive(Clone, Copy)]
pub enum Row {
    /// Detectors of a group, by its place and their bits there.
    Detectors(usize, u64),
    /// Any of the plan's literals.
    Literal,
}

/// The rows of a plan, in the order of its groups.
pub struct Beginnings {
    rows: Vec<Row>,
    /// Bytes that no row tells apart are of one class.
    class_of: Box<[u8; 256]>,
    /// For each of the first bytes, by class: the rows of which a value may hold it there.
    holding: [Box<[Rows]>; DEPTH],
    /// Bytes after which the same rows may start are of one class.
    after_of: Box<[u8; 256]>,
    /// By that class: the rows that may start.
    starting: Box<[Rows]>,
    /// By both classes: whether some row may.
    may: Box<[bool]>,
    /// By row: the cells of how its values may begin.
    cells: Box<[u128]>,
    /// Rows of which values begin with a long word.
    long_words: Rows,
    /// Rows with a gate.
    gated: Rows,
    /// Rows that ask for words before their values.
    asking: Rows,
}

impl Rows {
    pub const NONE: Self = Self([0; WORDS]);

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    #[inline(always)]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| word(self, at) & word(other, at)))
    }

    #[inline(always)]
    pub fn without(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| word(self, at) & !word(other, at)))
    }

    fn add_if(&mut self, row: usize, is: bool) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= if is { bit(row) } else { 0 };
        }
    }

    /// The rows, in their order.
    #[inline(always)]
    pub fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = usize::try_from(word.trailing_zeros()).ok().filter(|&bit| bit < 64)?;
                word &= word.wrapping_sub(1);
                Some(at.wrapping_mul(64).wrapping_add(bit))
            })
        })
    }
}

#[inline(always)]
fn word(rows: &Rows, at: usize) -> u64 {
    rows.0.get(at).copied().unwrap_or(0)
}

fn bit(row: usize) -> u64 {
    u32::try_from(row % 64).map_or(0, |bit| 1u64.wrapping_shl(bit))
}

/// What one byte says, for every row.
#[derive(PartialEq, Clone)]
struct Column([Rows; DEPTH]);

/// What is known of a row.
struct Traits {
    row: Row,
    sets: Sets,
    after: [bool; 256],
    cells: u128,
    long_word: bool,
    asking: bool,
    gated: bool,
}

impl Traits {
    fn of_group<'g>(at: usize, group: &'g Enabled) -> impl Iterator<Item = Self> + 'g {
        let rows = group.tables.beginnings.iter().zip(group.detectors.iter()).zip(0u32..);
        rows.filter(|(_, bit)| group.has(*bit)).filter_map(move |((sets, detector), bit)| {
            let mut after = [false; 256];
            for (after, byte) in after.iter_mut().zip(0u8..=255) {
                *after = group.startable(group.after(byte)).wrapping_shr(bit) & 1 == 1;
            }
            let marks = group.tables.marks.iter().filter(|mark| mark.pattern == bit);
            Some(Self {
                row: Row::Detectors(at, 1u64.wrapping_shl(bit)),
                sets: (*sets)?,
                after,
                cells: marks.fold(0, |all, mark| all | 1u128.wrapping_shl(mark.cell)),
                long_word: group.tables.long_words.iter().any(|word| word.pattern == bit),
                asking: detector.finder.context.is_some(),
                gated: detector.gate.is_some(),
            })
        })
    }

    fn of_literal(literal: &[u8]) -> Self {
        let mut sets = [[0; 4]; DEPTH];
        sets.iter_mut().zip(literal).for_each(|(set, byte)| insert(set, *byte));
        let cells = 1u128.wrapping_shl(LITERALS);
        Self {
            row: Row::Literal,
            sets,
            after: [true; 256],
            cells,
            long_word: false,
            asking: false,
            gated: false,
        }
    }

    /// Takes in another of the same group; both begin alike, or `all` that are asked alike are put together.
    fn take(&mut self, other: &Self, all: bool) -> bool {
        let alike = self.sets == other.sets && self.after == other.after && self.cells == other.cells;
        let kept = self.asking == other.asking && self.long_word == other.long_word;
        let joined = match (self.row, other.row) {
            (Row::Detectors(a, bits), Row::Detectors(b, more)) if a == b => Row::Detectors(a, bits | more),
            (Row::Literal, Row::Literal) => Row::Literal,
            _ => return false,
        };
        // A gate speaks for one detector alone.
        if !kept || self.gated || other.gated || !(alike || all) {
            return false;
        }
        self.row = joined;
        self.sets.iter_mut().flatten().zip(other.sets.iter().flatten()).for_each(|(set, more)| *set |= more);
        self.after.iter_mut().zip(other.after).for_each(|(after, more)| *after |= more);
        self.cells |= other.cells;
        true
    }
}

/// The rows of groups and literals, no more than there is room for.
fn rows(groups: &[Enabled], literals: &Literals) -> Vec<Traits> {
    let own = groups.iter().enumerate().flat_map(|(at, group)| Traits::of_group(at, group));
    let all: Vec<Traits> = own.chain(literals.iter().map(Traits::of_literal)).collect();
    let put_together = |crowded: bool| {
        let mut rows: Vec<Traits> = Vec::new();
        for traits in &all {
            if !rows.iter_mut().any(|row| row.take(traits, crowded)) {
                rows.push(Traits { ..*traits });
            }
        }
        rows
    };
    let rows = put_together(false);
    if rows.len() <= MOST_ROWS { rows } else { put_together(true) }
}

impl Beginnings {
    pub fn new(groups: &[Enabled], literals: &Literals) -> Self {
        let rows = rows(groups, literals);
        let mut columns = vec![Column([Rows::NONE; DEPTH]); 256];
        let mut starts = vec![Rows::NONE; 256];
        let mut all = [Rows::NONE; 3];
        for (at, row) in rows.iter().enumerate() {
            for (rows, is) in all.iter_mut().zip([row.long_word, row.gated, row.asking]) {
                rows.add_if(at, is);
            }
            for (byte, (column, start)) in (0u8..=255).zip(columns.iter_mut().zip(&mut starts)) {
                start.add_if(at, row.after.get(usize::from(byte)).copied().unwrap_or(true));
                for (rows, set) in column.0.iter_mut().zip(&row.sets) {
                    rows.add_if(at, holds(set, byte));
                }
            }
        }
        let (class_of, columns) = classes(&columns);
        let (after_of, starting) = classes(&starts);
        let first = |column: &Column| column.0.first().copied().unwrap_or_default();
        let may = starting.iter().flat_map(|start| columns.iter().map(|c| !start.and(&first(c)).is_empty()));
        let [long_words, gated, asking] = all;
        Self {
            may: may.collect(),
            holding: std::array::from_fn(|depth| {
                columns.iter().map(|column| column.0.get(depth).copied().unwrap_or_default()).collect()
            }),
            class_of,
            after_of,
            starting: starting.into(),
            cells: rows.iter().map(|row| row.cells).collect(),
            long_words,
            gated,
            asking,
            rows: rows.into_iter().map(|traits| traits.row).collect(),
        }
    }

    /// Whether some row may start with a byte, after another.
    #[inline(always)]
    pub fn may_start(&self, before: u8, byte: u8) -> bool {
        let classes = self.holding.first().map_or(0, |holding| holding.len());
        let at = at(&self.after_of, before).wrapping_mul(classes).wrapping_add(at(&self.class_of, byte));
        self.may.get(at).copied().unwrap_or(false)
    }

    /// The rows of which a value may start where a text does, after a byte; the text's first bytes are of these cells, or
    /// of a long word.
    #[inline(always)]
    pub fn of(&self, before: u8, text: &[u8], cells: u128, long_word: bool) -> Rows {
        let mut rows = self.starting.get(at(&self.after_of, before)).copied().unwrap_or_default();
        for (byte, holding) in text.iter().zip(&self.holding) {
            rows = holding.get(at(&self.class_of, *byte)).map_or(Rows::NONE, |holding| rows.and(holding));
            if rows.is_empty() {
                return rows;
            }
        }
        let mut gone = Rows::NONE;
        for row in rows.iter() {
            let of_row = self.cells.get(row).copied().unwrap_or(0);
            gone.add_if(row, of_row & cells == 0);
        }
        rows.without(&if long_word { gone.without(&self.long_words) } else { gone })
    }

    /// Those of some rows of which a value may still start where the text does, once their gates and, where it matters,
    /// the words before it were asked.
    #[inline(always)]
    pub fn plausible(
        &self,
        rows: Rows,
        groups: &[Enabled],
        text: &[u8],
        near: impl FnOnce() -> bool,
    ) -> Rows {
        let mut rows = rows;
        if !rows.and(&self.gated).is_empty() {
            rows = self.through_gates(rows, groups, text);
        }
        if !rows.and(&self.asking).is_empty() && !near() {
            rows = rows.without(&self.asking);
        }
        rows
    }

    fn through_gates(&self, rows: Rows, groups: &[Enabled], text: &[u8]) -> Rows {
        let mut gone = Rows::NONE;
        for row in rows.and(&self.gated).iter() {
            let gate = self.gated(row, groups).and_then(|detector| detector.gate);
            gone.add_if(row, gate.is_some_and(|gate| gate(text)));
        }
        rows.without(&gone)
    }

    /// The detector of a row with a gate.
    fn gated<'g>(&self, row: usize, groups: &'g [Enabled]) -> Option<&'g Detector> {
        match self.row(row)? {
            Row::Detectors(group, bits) => groups.get(group)?.detector(bits.trailing_zeros()),
            Row::Literal => None,
        }
    }

    /// What a row stands for.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Option<Row> {
        self.rows.get(row).copied()
    }
}

#[inline(always)]
fn at(classes: &[u8; 256], byte: u8) -> usize {
    usize::from(classes.get(usize::from(byte)).copied().unwrap_or(0))
}

/// The class of each byte, and what its classes are.
fn classes<T: PartialEq + Clone>(of: &[T]) -> (Box<[u8; 256]>, Vec<T>) {
    let mut known: Vec<T> = Vec::new();
    let mut class_of = Box::new([0; 256]);
    for (class, value) in class_of.iter_mut().zip(of) {
        let at = known.iter().position(|known| known == value).unwrap_or_else(|| {
            known.push(value.clone());
            known.len().saturating_sub(1)
        });
        *class = u8::try_from(at).unwrap_or(u8::MAX);
    }
    (class_of, known)
}
