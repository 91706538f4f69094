//! Walks of the automata from a place where a value may start.
use std::cmp::Reverse;

use super::candidates::Candidate;
use super::context::Before;
use super::lexicon::WordWalk;
use super::plan::{Enabled, Prepared};
use super::rows::Row;
use super::swallow::Swallow;
use super::tables::{Finder, START};
use super::text::Entity;

/// Bytes after which a walk is decided, whatever may follow.
pub const LIMIT: usize = 320;

/// What the walks from one place came to.
pub enum Verdict {
    /// The text so far does not decide.
    Undecided,
    /// No value starts here.
    Nothing,
    /// A value of so many bytes.
    Value { len: usize, entity: Entity },
    /// A value of at least so many bytes, longer than the limit: the rest is to be swallowed.
    Long { len: usize, entity: Entity, swallow: Swallow },
}

impl Candidate {
    /// Whether some value that may start here needs more than a short text to be told, so that it need not be walked yet.
    pub fn is_open(&self, plan: &Prepared, before: u8, text: &[u8]) -> bool {
        if self.sure != 0 {
            return true;
        }
        let mut left = self.anchored;
        while left != 0 {
            let group = usize::try_from(left.trailing_zeros()).ok().and_then(|at| plan.groups.get(at));
            left &= left.wrapping_sub(1);
            let open = |group: &Enabled| {
                let active = group.startable(group.after(before)) & !group.asking;
                group.is_open(active, text)
            };
            if group.is_some_and(open) {
                return true;
            }
        }
        if self.rows.is_empty() {
            return false;
        }
        let rows = self.rows.iter().filter_map(|row| match plan.rows.get(row)? {
            Row::Detectors(group, bits) => {
                let group = plan.groups.get(group)?;
                Some((group, bits & group.startable(group.after(before))))
            }
            Row::Literal => None,
        });
        rows.into_iter().any(|(group, active)| group.is_open(active, text))
    }
}

impl Enabled {
    /// Whether a text leaves open what some of the detectors find at its start.
    fn is_open(&self, active: u64, text: &[u8]) -> bool {
        let steps = self.steps();
        let mut state = START;
        for &byte in text {
            state = steps.step(state, byte);
            let (accept, reach) = steps.masks(state);
            if (accept | reach) & active == 0 {
                return false;
            }
        }
        let (accept, reach) = steps.masks(state);
        active & (reach | accept & !self.tables.before_any) != 0
    }
}

/// The walks from one place, one for each group that it was proposed for. They may rest between two pieces of the text.
#[derive(Clone)]
pub struct Walks {
    walks: Vec<Walk>,
    /// How many of them are under way; the others are kept for their memory.
    active: usize,
    /// Those over words, each with its lexicon's place.
    words: Vec<(usize, WordWalk)>,
    /// Whether a literal may start there too.
    pub literal: bool,
}

impl Walks {
    pub fn new() -> Self {
        Self { walks: Vec::new(), active: 0, words: Vec::new(), literal: false }
    }

    /// Starts afresh, after a byte, in those of the plan's groups and lexicons that were proposed.
    pub fn restart(
        &mut self,
        plan: &Prepared,
        before: u8,
        candidate: &Candidate,
        mut near: impl FnMut() -> bool,
    ) {
        (self.active, self.literal) = (0, false);
        self.words.clear();
        let mut last: Option<(usize, u64)> = None;
        // Detectors that share a row need not all start here.
        let starting = |row: Row| match row {
            Row::Detectors(at, bits) => {
                let group = plan.groups.get(at);
                let startable = group.map_or(0, |group| group.startable(group.after(before)));
                Row::Detectors(at, bits & startable)
            }
            Row::Literal => Row::Literal,
        };
        for row in candidate.rows.iter() {
            match (plan.rows.get(row).map(starting), &mut last) {
                (Some(Row::Detectors(group, bits)), Some((known, active))) if *known == group => {
                    *active |= bits
                }
                (Some(Row::Detectors(group, bits)), _) => self.begin(last.replace((group, bits))),
                (Some(Row::Literal), _) => self.literal = true,
                (None, _) => {}
            }
        }
        self.begin(last);
        let mut left = candidate.anchored;
        while left != 0 {
            let index = usize::try_from(left.trailing_zeros()).unwrap_or(0);
            left &= left.wrapping_sub(1);
            let Some(group) = plan.groups.get(index) else { continue };
            let starting = group.startable(group.after(before));
            let far = starting & group.asking != 0 && !near();
            self.begin(Some((index, if far { starting & !group.asking } else { starting })));
        }
        if candidate.lexicons != 0 {
            let lexicons = plan.lexicons.iter().enumerate().zip(0u32..);
            let proposed = lexicons.filter(|(_, bit)| candidate.lexicons.wrapping_shr(*bit) & 1 == 1);
            self.words.extend(proposed.map(|((index, lexicon), _)| (index, lexicon.walk())));
        }
    }

    /// A walk of some detectors of a group.
    fn begin(&mut self, detectors: Option<(usize, u64)>) {
        let Some((group, detectors)) = detectors else { return };
        if self.active == self.walks.len() {
            self.walks.push(Walk::new());
        }
        if let Some(walk) = self.walks.get_mut(self.active) {
            walk.restart(group, detectors);
            self.active = self.active.wrapping_add(1);
        }
    }

    /// Goes on over the text, which starts where the value does; `end` says that it is whole.
    pub fn go(&mut self, plan: &Prepared, text: &[u8], end: bool, before: &Before<'_>) -> Verdict {
        let mut undecided = false;
        let mut best = Best::default();
        let mut going = None;
        for walk in self.walks.iter_mut().take(self.active) {
            // Each goes as far as it can before one may leave the others waiting.
            match plan.groups.get(walk.group).and_then(|group| walk.go(group, text, end, before)) {
                Some(other) if other.rank() > best.rank() => {
                    best = other;
                    going = other.going.map(|detector| (walk.group, detector, walk.state));
                }
                Some(_) => {}
                None => undecided = true,
            }
        }
        for (index, walk) in &mut self.words {
            let Some(lexicon) = plan.lexicons.get(*index) else { continue };
            lexicon.go(walk, text, end);
            match walk.found() {
                Some(0) => {}
                Some(len) => {
                    let other = Best::of(&lexicon.finder, len, before);
                    (best, going) = if other.rank() > best.rank() { (other, None) } else { (best, going) };
                }
                None => undecided = true,
            }
        }
        let (len, entity) = match best.entity {
            _ if undecided => return Verdict::Undecided,
            Some(entity) => (best.len, entity),
            None => return Verdict::Nothing,
        };
        match going {
            Some((group, detector, state)) => {
                let swallow = Swallow::new(group, detector, state, LIMIT.saturating_sub(len));
                Verdict::Long { len, entity, swallow }
            }
            None => Verdict::Value { len, entity },
        }
    }
}

#[derive(Clone)]
struct Walk {
    group: usize,
    /// The detectors that walk.
    active: u64,
    state: u16,
    len: usize,
    /// Where something accepted, in order.
    ends: Vec<End>,
    /// What it came to, once it has.
    best: Option<Best>,
}

#[derive(Clone, Copy)]
struct End {
    len: usize,
    detectors: u64,
}

/// The longest value that one walk found, if any.
#[derive(Default, Clone, Copy)]
struct Best {
    len: usize,
    entity: Option<Entity>,
    order: u32,
    /// The detector whose value goes on past the limit.
    going: Option<u32>,
}

impl Best {
    /// A value of so many bytes, if it stands in the context that its finder asks for.
    fn of(finder: &Finder, len: usize, before: &Before<'_>) -> Self {
        if finder.context.as_ref().is_none_or(|context| before.holds(context)) {
            Self { len, entity: Some(finder.entity), order: finder.order, going: None }
        } else {
            Self::default()
        }
    }

    /// A longer value goes first, then the detector that stands first in the table.
    fn rank(&self) -> (usize, Reverse<u32>) {
        (self.len, Reverse(self.order))
    }
}

impl Walk {
    fn new() -> Self {
        Self { group: 0, active: 0, state: START, len: 0, ends: Vec::new(), best: None }
    }

    fn restart(&mut self, group: usize, active: u64) {
        (self.group, self.active, self.state, self.len) = (group, active, START, 0);
        self.best = None;
        self.ends.clear();
    }

    /// `None`: the text so far does not decide.
    fn go(&mut self, group: &Enabled, text: &[u8], end: bool, before: &Before<'_>) -> Option<Best> {
        if self.best.is_none() {
            self.best = self.step(group, text, end, before);
        }
        self.best
    }

    fn step(&mut self, group: &Enabled, text: &[u8], end: bool, before: &Before<'_>) -> Option<Best> {
        let (mut state, mut len) = (self.state, self.len);
        let (steps, active) = (group.steps(), self.active);
        // States in a row mostly have the same masks.
        let mut known = usize::MAX;
        let (mut accept, mut reach) = (0, 0);
        for &byte in text.get(len..).unwrap_or_default() {
            let masks = steps.masks_at(state);
            if masks != known {
                (accept, reach) = steps.masks_of(masks);
                (known, accept, reach) = (masks, accept & active, reach & active);
            }
            if accept != 0 {
                self.accept(group, accept & group.before(byte), len);
            }
            if reach == 0 {
                return Some(self.longest(group, text, before));
            }
            if len == LIMIT {
                self.state = state;
                return Some(self.past_limit(group, text, before));
            }
            state = steps.step(state, byte);
            len = len.wrapping_add(1);
        }
        (self.state, self.len) = (state, len);
        let (accept, reach) = steps.masks(state);
        if active & (reach | accept & !group.tables.before_any) != 0 && !end {
            return None;
        }
        if accept & active != 0 {
            self.accept(group, accept & if end { u64::MAX } else { group.tables.before_any }, len);
        }
        Some(if len == LIMIT {
            self.past_limit(group, text, before)
        } else {
            self.longest(group, text, before)
        })
    }

    fn accept(&mut self, group: &Enabled, accepting: u64, len: usize) {
        let detectors = accepting & self.active;
        if detectors == 0 {
            return;
        }
        // Where only the last end counts, an earlier one need not be kept.
        while let Some(last) = self.ends.last_mut() {
            last.detectors &= !(detectors & group.tables.last_end_only);
            if last.detectors != 0 {
                break;
            }
            self.ends.pop();
        }
        self.ends.push(End { len, detectors });
    }

    /// The longest value that passes its validator, in its context; of equals, the first detector's.
    #[inline]
    fn longest(&self, group: &Enabled, text: &[u8], before: &Before<'_>) -> Best {
        if self.ends.is_empty() { Best::default() } else { self.longest_end(group, text, before) }
    }

    fn longest_end(&self, group: &Enabled, text: &[u8], before: &Before<'_>) -> Best {
        let mut tried = 0;
        for end in self.ends.iter().rev() {
            let mut open = end.detectors & !(tried & group.tables.last_end_only);
            tried |= open;
            while open != 0 {
                let bit = open.trailing_zeros();
                open &= open.wrapping_sub(1);
                let Some(detector) = group.detector(bit) else { continue };
                let value = text.get(..end.len).unwrap_or_default();
                if detector.validator.is_none_or(|valid| valid(value)) {
                    let best = Best::of(&detector.finder, end.len, before);
                    if best.entity.is_some() {
                        return best;
                    }
                }
            }
        }
        Best::default()
    }

    #[cold]
    fn past_limit(&self, group: &Enabled, text: &[u8], before: &Before<'_>) -> Best {
        let going = group.masks(self.state).1 & self.active;
        let mut best = self.longest(group, text, before);
        let unclosed = going & group.tables.past_limit;
        if let Some(detector) = group.detector(unclosed.trailing_zeros()) {
            let Finder { entity, order, .. } = detector.finder;
            (best.len, best.entity, best.order) = (LIMIT, Some(entity), order);
        }
        let detectors = group.detectors.iter().zip(0u32..);
        let found = best.entity.and_then(|_| detectors.clone().find(|(d, _)| d.finder.order == best.order));
        let growing = going & (group.tables.growing | group.tables.past_limit);
        best.going = found.map(|(_, bit)| bit).filter(|bit| growing & 1u64.wrapping_shl(*bit) != 0);
        best
    }
}
