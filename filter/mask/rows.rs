//! The detectors of a plan, numbered across its groups, so that one set says of which a value may be.
use super::literals::Literals;
use super::plan::Enabled;
use super::tables::Detector;

/// Words of a set of rows.
const WORDS: usize = 4;
/// Rows that a plan may have: a detector has one of its own, and where there are too many, those of a group share some.
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
pub struct RowTable {
    rows: Vec<Row>,
    /// By group, and behind them for literals: by bit, the row.
    row_of: Vec<Vec<Option<usize>>>,
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
    fn shares(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |all, (word, other)| all | word & other) != 0
    }

    #[inline(always)]
    fn without(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| word(self, at) & !word(other, at)))
    }

    fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| word(self, at) & word(other, at)))
    }

    fn add(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= u32::try_from(row % 64).map_or(0, |bit| 1u64.wrapping_shl(bit));
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

/// The detectors of a group that are looked for, by their bits.
fn enabled(group: &Enabled) -> impl Iterator<Item = (u32, &Detector)> {
    (0u32..).zip(group.detectors.iter()).filter(|(bit, _)| group.has(*bit))
}

impl RowTable {
    pub fn new(groups: &[Enabled], literals: &Literals) -> Self {
        let crowded = groups.iter().flat_map(enabled).count() >= MOST_ROWS;
        let mut table = Self { rows: Vec::new(), row_of: Vec::new(), gated: Rows::NONE, asking: Rows::NONE };
        for (at, group) in groups.iter().enumerate() {
            let first = table.rows.len();
            let mut row_of = vec![None; 64];
            for (bit, detector) in enabled(group) {
                let row = table.row(at, bit, detector, crowded.then_some(first));
                if let Some(of) = row_of.get_mut(usize::try_from(bit).unwrap_or(usize::MAX)) {
                    *of = Some(row);
                }
            }
            table.row_of.push(row_of);
        }
        let literal = (!literals.is_empty()).then(|| table.push(Row::Literal));
        table.row_of.push(vec![literal; 64]);
        table
    }

    /// The row of a detector: one that it shares with another of its group, where rows from `first` on may be shared, or
    /// its own.
    fn row(&mut self, group: usize, bit: u32, detector: &Detector, first: Option<usize>) -> usize {
        let (gated, asking) = (detector.gate.is_some(), detector.finder.context.is_some());
        let bit = 1u64.wrapping_shl(bit);
        // A gate speaks for one detector alone.
        let shared = first.filter(|_| !gated).and_then(|first| {
            let alike = |row: &usize| !self.gated.has(*row) && self.asking.has(*row) == asking;
            (first..self.rows.len()).find(alike)
        });
        if let Some(row) = shared
            && let Some(Row::Detectors(_, bits)) = self.rows.get_mut(row)
        {
            *bits |= bit;
            return row;
        }
        let row = self.push(Row::Detectors(group, bit));
        if gated {
            self.gated.add(row);
        }
        if asking {
            self.asking.add(row);
        }
        row
    }

    fn push(&mut self, row: Row) -> usize {
        self.rows.push(row);
        self.rows.len().saturating_sub(1)
    }

    /// Adds the rows of some of a group's detectors to a set.
    pub fn add(&self, rows: &mut Rows, group: usize, detectors: u64) {
        let row_of = self.row_of.get(group).map(Vec::as_slice).unwrap_or_default();
        let those = row_of.iter().zip(0u32..).filter(|(_, bit)| detectors.wrapping_shr(*bit) & 1 == 1);
        those.filter_map(|(row, _)| *row).for_each(|row| rows.add(row));
    }

    /// Whether some of these rows ask for words before their values.
    #[inline(always)]
    pub fn asks(&self, rows: &Rows) -> bool {
        rows.shares(&self.asking)
    }

    /// Those of them that ask for none.
    #[inline(always)]
    pub fn not_asking(&self, rows: &Rows) -> Rows {
        rows.without(&self.asking)
    }

    /// Those of some rows of which a value may still start where the text does, once their gates were asked.
    #[inline(always)]
    pub fn through(&self, rows: Rows, groups: &[Enabled], text: &[u8]) -> Rows {
        if rows.shares(&self.gated) { self.through_gates(rows, groups, text) } else { rows }
    }

    fn through_gates(&self, rows: Rows, groups: &[Enabled], text: &[u8]) -> Rows {
        let mut gone = Rows::NONE;
        for row in rows.and(&self.gated).iter() {
            let gate = self.gated(row, groups).and_then(|detector| detector.gate);
            if gate.is_some_and(|gate| gate(text)) {
                gone.add(row);
            }
        }
        rows.without(&gone)
    }

    /// The detector of a row with a gate.
    fn gated<'g>(&self, row: usize, groups: &'g [Enabled]) -> Option<&'g Detector> {
        match self.get(row)? {
            Row::Detectors(group, bits) => groups.get(group)?.detector(bits.trailing_zeros()),
            Row::Literal => None,
        }
    }

    /// What a row stands for.
    #[inline(always)]
    pub fn get(&self, row: usize) -> Option<Row> {
        self.rows.get(row).copied()
    }
}

impl Rows {
    fn has(&self, row: usize) -> bool {
        let word = word(self, row / 64);
        u32::try_from(row % 64).is_ok_and(|bit| word.wrapping_shr(bit) & 1 == 1)
    }
}
