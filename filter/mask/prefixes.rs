//! Which of a plan's detectors a value may be of, told by the byte before it and its first two dozen.
//!
//! Each group has an automaton of its own, and a value may be of any. Walking them one after another costs ten times
//! what one walk does, and nearly all walks end within a few bytes. So the groups' automata are walked together as far as
//! those first bytes, by an automaton that is made as texts ask for it: a state is where each group's walk stands, with
//! the detectors that are still in it. Of all states that there could be a text meets a few hundred.
//!
//! What is kept of them depends on the texts that came before; what is told does not. Where there is no more room, all
//! is forgotten and made anew, so that what somebody sends once costs others nothing for long.
use std::collections::BTreeMap;
use std::rc::Rc;

use super::grammar::NEAR;
use super::literals::Literals;
use super::plan::Enabled;
use super::rows::{RowTable, Rows};
use super::tables::{DEAD, START};

/// States that are kept.
const MOST_STATES: usize = 4096;
/// Bytes that are walked at most.
const FAR: usize = 16;
/// Where what comes after a state starts in `next`. What is at least [`STOP`] is none to go on from.
type State = u32;
/// Added to a state from which nothing goes on.
const STOP: State = 1 << 31;
/// The state that nothing is alive in.
const NOWHERE: State = STOP;
/// What stands for a state that was not made yet.
const UNKNOWN: State = State::MAX;

/// The automaton, as far as it was made.
pub struct Prefixes {
    /// Bytes that no group tells apart are of one class.
    class_of: Box<[u8; 256]>,
    /// What a state is its number shifted by: there is room for all classes.
    shift: u32,
    /// Bytes after which the same detectors may start are of one class.
    after_of: Box<[u8; 256]>,
    /// By that class: where the walks start.
    starts: Box<[Place]>,
    /// By that class: the state.
    start_of: Vec<State>,
    /// For each byte, the classes of those after which a value may begin with it, as bits.
    first_after: Box<[u64; 256]>,
    /// By state and class: the next state.
    next: Vec<State>,
    /// By state: the rows of which a value may have begun so.
    rows: Vec<Rows>,
    /// By state: whether some of these ask for words before their values.
    asks: Vec<bool>,
    places: Vec<Place>,
    known: BTreeMap<Place, State>,
    /// How many are kept at most.
    most: usize,
}

/// Where a text's first bytes have led.
#[derive(Clone, Copy)]
pub struct Begun {
    state: State,
    /// How many bytes were read.
    read: usize,
}

impl Begun {
    /// Nothing is known yet.
    pub const UNKNOWN: Self = Self { state: UNKNOWN, read: 0 };
}

/// Where the walks of all groups stand.
type Place = Rc<[Live]>;

/// Where one group's walk stands. Literals are walked as a group behind all others, whose states are depths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Live {
    group: usize,
    state: u16,
    /// The detectors that go on.
    walking: u64,
    /// Those of which a value is over: they may have begun so, whatever follows.
    over: u64,
}

impl Live {
    fn is_any(&self) -> bool {
        self.walking | self.over != 0
    }
}

impl Prefixes {
    pub fn new(groups: &[Enabled], literals: &Literals) -> Self {
        let starts: Vec<Vec<Live>> = (0u8..=255).map(|before| start(groups, literals, before)).collect();
        let (after_of, starts) = classes(&starts);
        let first_after = first_after(groups, literals, &starts);
        let told = |byte: u8| -> Vec<(u8, u64)> {
            let of_groups = groups.iter().map(|group| (group.class(byte), group.before(byte)));
            let of_literals =
                literals.iter().any(|literal| literal.iter().take(FAR).any(|held| *held == byte));
            of_groups.chain([(if of_literals { byte } else { 0 }, 0)]).collect()
        };
        let (class_of, classes) = classes(&(0u8..=255).map(told).collect::<Vec<_>>());
        Self {
            class_of,
            shift: classes.len().next_power_of_two().trailing_zeros(),
            after_of,
            start_of: vec![UNKNOWN; starts.len()],
            first_after,
            starts: starts.into_iter().map(Place::from).collect(),
            next: Vec::new(),
            rows: Vec::new(),
            asks: Vec::new(),
            places: Vec::new(),
            known: BTreeMap::new(),
            most: MOST_STATES,
        }
    }

    /// Whether a value may begin with a byte, after another.
    #[inline(always)]
    pub fn may_begin(&self, before: u8, byte: u8) -> bool {
        let after = self.first_after.get(usize::from(byte)).copied().unwrap_or(u64::MAX);
        after.wrapping_shr(u32::from(class(&self.after_of, before))) & 1 == 1
    }

    /// Whether a value may start where a text does, after a byte, as far as its first few tell and is known: `None` for
    /// most places.
    #[inline(always)]
    pub fn begin(&self, before: u8, text: &[u8]) -> Option<Begun> {
        if !text.first().is_none_or(|&byte| self.may_begin(before, byte)) {
            return None;
        }
        let after = usize::from(class(&self.after_of, before));
        let mut state = self.start_of.get(after).copied().unwrap_or(UNKNOWN);
        let first = text.get(..NEAR).unwrap_or(text);
        for &byte in first {
            if state >= STOP {
                break;
            }
            state = self.next.get(self.at(state, byte)).copied().unwrap_or(UNKNOWN);
        }
        match state {
            NOWHERE => None,
            UNKNOWN => Some(Begun::UNKNOWN),
            state => Some(Begun { state, read: first.len() }),
        }
    }

    /// The rows of which a value may start where a text does, after a byte, once it has begun so.
    pub fn rows(
        &mut self,
        of: &Of<'_>,
        before: u8,
        text: &[u8],
        begun: Begun,
        near: impl FnOnce() -> bool,
    ) -> Rows {
        let Begun { state, read } = if begun.state == UNKNOWN { self.start(of, before) } else { begun };
        let first = text.get(..FAR).unwrap_or(text);
        let state = self.walk(of, state, first.get(read..).unwrap_or_default());
        let rows = self.rows_of(state);
        // Most walks end within these bytes, and reading the words before a value takes longer than they do.
        if !self.asks(state) || near() { rows } else { of.rows.not_asking(&rows) }
    }

    /// Whether some rows of a state ask for words.
    #[inline(always)]
    fn asks(&self, state: State) -> bool {
        self.asks.get(self.number(state)).copied().unwrap_or(true)
    }

    /// Before any byte was read.
    #[cold]
    fn start(&mut self, of: &Of<'_>, before: u8) -> Begun {
        let after = usize::from(class(&self.after_of, before));
        let state = match self.start_of.get(after) {
            Some(&UNKNOWN) | None => self.make_start(of, after),
            Some(state) => *state,
        };
        Begun { state, read: 0 }
    }

    /// The state after some bytes.
    #[inline(always)]
    fn walk(&mut self, of: &Of<'_>, start: State, text: &[u8]) -> State {
        let (mut state, mut left) = (start, text);
        while state < STOP && !left.is_empty() {
            let (after, from, gone) = self.run(state, left);
            let last = gone.checked_sub(1).and_then(|last| left.get(last)).copied().unwrap_or_default();
            state = if after == UNKNOWN { self.make(of, from, last) } else { after };
            left = left.get(gone..).unwrap_or_default();
        }
        state
    }

    /// Goes on until nothing is known or left: the last state, the one before it, and how many bytes are gone.
    #[inline(always)]
    fn run(&self, start: State, text: &[u8]) -> (State, State, usize) {
        let next = self.next.as_slice();
        let (mut state, mut from) = (start, start);
        let mut left = text.iter();
        for &byte in left.by_ref() {
            from = state;
            state = next.get(self.at(state, byte)).copied().unwrap_or(UNKNOWN);
            if state >= STOP {
                break;
            }
        }
        (state, from, text.len().saturating_sub(left.len()))
    }

    /// Where the state after a byte stands in `next`.
    #[inline(always)]
    fn at(&self, state: State, byte: u8) -> usize {
        let start = usize::try_from(state).unwrap_or(usize::MAX);
        start.wrapping_add(usize::from(class(&self.class_of, byte)))
    }

    /// A state's number.
    #[inline(always)]
    fn number(&self, state: State) -> usize {
        usize::try_from((state & !STOP).wrapping_shr(self.shift)).unwrap_or(usize::MAX)
    }

    fn rows_of(&self, state: State) -> Rows {
        self.rows.get(self.number(state)).copied().unwrap_or_default()
    }

    #[cold]
    fn make_start(&mut self, of: &Of<'_>, after: usize) -> State {
        let Some(place) = self.starts.get(after).cloned() else { return NOWHERE };
        let state = self.state(of, place);
        if let Some(start) = self.start_of.get_mut(after) {
            *start = state;
        }
        state
    }

    /// Makes the state after a byte.
    #[cold]
    fn make(&mut self, of: &Of<'_>, state: State, byte: u8) -> State {
        let from = self.places.get(self.number(state)).cloned().unwrap_or_else(|| Place::from([]));
        let place: Place = from.iter().map(|live| of.step(live, byte)).filter(Live::is_any).collect();
        let made = self.rows.len();
        let next = self.state(of, place);
        if self.rows.len() >= made {
            let at = self.at(state, byte);
            if let Some(held) = self.next.get_mut(at) {
                *held = next;
            }
        }
        next
    }

    /// The state of a place.
    fn state(&mut self, of: &Of<'_>, place: Place) -> State {
        if let Some(state) = self.known.get(&place) {
            return *state;
        }
        if self.rows.len() >= self.most {
            self.start_of.fill(UNKNOWN);
            (self.next, self.rows, self.asks, self.places) = Default::default();
            self.known.clear();
        }
        if self.rows.is_empty() {
            self.add(of, Place::from([]));
        }
        if place.is_empty() { NOWHERE } else { self.add(of, place) }
    }

    fn add(&mut self, of: &Of<'_>, place: Place) -> State {
        let state = State::try_from(self.rows.len()).unwrap_or(0).wrapping_shl(self.shift);
        let rows = of.rows(&place);
        self.rows.push(rows);
        self.asks.push(of.rows.asks(&rows));
        self.next.resize(self.next.len().saturating_add(1usize.wrapping_shl(self.shift)), UNKNOWN);
        let goes_on = place.iter().any(|live| live.walking != 0);
        let state = if goes_on { state } else { state | STOP };
        self.known.insert(Rc::clone(&place), state);
        self.places.push(place);
        state
    }
}

/// What the automaton is made of.
#[derive(Clone, Copy)]
pub struct Of<'p> {
    pub groups: &'p [Enabled],
    pub literals: &'p Literals,
    pub rows: &'p RowTable,
}

impl Of<'_> {
    /// Where a walk stands after one more byte.
    fn step(&self, live: &Live, byte: u8) -> Live {
        let &Live { group: at, state, walking, over } = live;
        let Some(group) = self.groups.get(at) else { return self.step_literals(live, byte) };
        let over = over | group.masks(state).0 & walking & group.before(byte);
        let state = group.step(state, byte);
        let (accept, reach) = group.masks(state);
        let walking = walking & (accept | reach) & !over;
        Live { state: if walking == 0 { DEAD } else { state }, walking, over, ..*live }
    }

    fn step_literals(&self, live: &Live, byte: u8) -> Live {
        let depth = usize::from(live.state);
        let holds = |literal: &[u8]| literal.get(depth).is_none_or(|held| *held == byte);
        let held = self.literals.iter().zip(0u32..).filter(|(literal, _)| holds(literal));
        let walking = live.walking & held.fold(0, |all, (_, at)| all | of_literal(at));
        Live { state: live.state.saturating_add(1), walking, ..*live }
    }

    /// The rows of all that is alive.
    fn rows(&self, place: &[Live]) -> Rows {
        let mut rows = Rows::NONE;
        for live in place {
            self.rows.add(&mut rows, live.group, live.walking | live.over);
        }
        rows
    }
}

/// Where the walks start after a byte.
fn start(groups: &[Enabled], literals: &Literals, before: u8) -> Vec<Live> {
    let literal = literals.iter().zip(0u32..).fold(0, |all, (_, at)| all | of_literal(at));
    let startable = |group: &Enabled| group.startable(group.after(before)) & group.tables.unanchored;
    let own = groups.iter().enumerate().map(|(at, group)| (at, START, startable(group)));
    let all = own.chain([(groups.len(), 0, literal)]);
    all.map(|(group, state, walking)| Live { group, state, walking, over: 0 }).filter(Live::is_any).collect()
}

/// For each byte, the places where walks start of which a value may begin with it, as bits.
fn first_after(groups: &[Enabled], literals: &Literals, starts: &[Vec<Live>]) -> Box<[u64; 256]> {
    if starts.len() > 64 {
        return Box::new([u64::MAX; 256]);
    }
    let mut all = Box::new([0; 256]);
    for (held, byte) in all.iter_mut().zip(0..=255u8) {
        let alive = |group: &Enabled| {
            let (accept, reach) = group.masks(group.step(START, byte));
            accept | reach
        };
        let alive: Vec<u64> = groups.iter().map(alive).collect();
        let literal = literals.iter().any(|literal| literal.first() == Some(&byte));
        let begins = |live: &Live| match alive.get(live.group) {
            Some(alive) => alive & live.walking != 0,
            None => literal,
        };
        let some = starts.iter().zip(0u32..).filter(|(start, _)| start.iter().any(begins));
        *held = some.fold(0, |all, (_, class)| all | 1u64.wrapping_shl(class));
    }
    all
}

/// The bit of a literal; more than there are bits share them.
fn of_literal(at: u32) -> u64 {
    1u64.wrapping_shl(at)
}

#[inline(always)]
fn class(classes: &[u8; 256], byte: u8) -> u8 {
    classes.get(usize::from(byte)).copied().unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::catalogue::Catalogue;
    use super::super::entity::Entities;
    use super::super::plan::{Prepared, Sought};
    use super::*;

    fn prepared() -> Prepared {
        let catalogue = Catalogue::built_in();
        let entities =
            ["PII", "SECRETS", "FINANCIAL", "HEALTH"].iter().map(|set| catalogue.resolve(set).unwrap());
        let entities = entities.fold(Entities::NONE, |all, more| all.union(more));
        let literals = vec![b"key-0123456789".to_vec(), b"key-abcdefgh".to_vec(), b"4111 1111 2222".to_vec()];
        Prepared::new(Rc::new(Sought::new(&catalogue, entities)), literals)
    }

    fn of(plan: &Prepared) -> Of<'_> {
        Of { groups: &plan.groups, literals: &plan.literals, rows: &plan.rows }
    }

    /// What walking every detector by itself says.
    fn one_by_one(plan: &Prepared, before: u8, text: &[u8], near: bool) -> Rows {
        let mut rows = Rows::NONE;
        for (at, group) in plan.groups.iter().enumerate() {
            let starting = group.startable(group.after(before)) & group.tables.unanchored;
            let told = starting & if near { u64::MAX } else { !group.asking };
            for bit in (0..64).map(|bit| 1u64 << bit).filter(|bit| told & bit != 0) {
                if walks(group, bit, text) {
                    plan.rows.add(&mut rows, at, bit);
                }
            }
        }
        let text = &text[..text.len().min(FAR)];
        if plan.literals.iter().any(|literal| literal.iter().zip(text).all(|(a, b)| a == b)) {
            plan.rows.add(&mut rows, plan.groups.len(), 1);
        }
        rows
    }

    /// Whether a value may have begun so: one is over, or goes on.
    fn walks(group: &Enabled, bit: u64, text: &[u8]) -> bool {
        let mut state = START;
        for &byte in text.iter().take(FAR) {
            if group.masks(state).0 & group.before(byte) & bit != 0 {
                return true;
            }
            state = group.step(state, byte);
        }
        let (accept, reach) = group.masks(state);
        (accept | reach) & bit != 0
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: &[&str] = &[
            "4111 1111 ",
            "1111",
            "2222",
            "key-",
            "0123456789",
            "abcdefgh",
            "sk-",
            "DE89 ",
            "-",
            ".",
            "1.",
            "ghp_",
            "AKIA",
            "eyJ",
            "+1 ",
            "536-90-",
            "-----BEGIN ",
            "a",
            "Z",
            "0",
            "00:1A:",
            "::",
            "a@b.c",
            " ",
            "\u{e9}",
            "xox",
        ];
        proptest::collection::vec(select(PIECES), 0..8).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn walking_together_tells_what_walking_one_by_one_does(
            texts in proptest::collection::vec((any::<u8>(), text(), any::<bool>()), 1..12), most in 3usize..40,
        ) {
            let plan = prepared();
            // Little room: what is kept is forgotten again and again.
            let mut prefixes = Prefixes { most, ..Prefixes::new(&plan.groups, &plan.literals) };
            for (before, text, near) in texts {
                let before = if before < 128 { b' ' } else { before & 0x7f };
                let begun = prefixes.begin(before, &text);
                let told = prefixes.rows(&of(&plan), before, &text, Begun::UNKNOWN, || near);
                if let Some(begun) = begun {
                    let same = prefixes.begin(before, &text).map(|begun| (begun.state, begun.read));
                    if same == Some((begun.state, begun.read)) {
                        prop_assert_eq!(prefixes.rows(&of(&plan), before, &text, begun, || near), told);
                    }
                }
                let expected = one_by_one(&plan, before, &text, near);
                prop_assert_eq!(told, expected, "{} after {}", text.escape_ascii(), before);
                prop_assert!(begun.is_some() || told.is_empty());
                prop_assert!(prefixes.rows.len() <= most);
            }
        }
    }

    #[test]
    fn what_texts_meet_is_far_from_all_there_could_be() {
        let plan = prepared();
        let mut prefixes = plan.prefixes.borrow_mut();
        let text: Vec<u8> = (0..40_000u32)
            .map(|at| b"0123456789-. ab:@_"[(at.wrapping_mul(2_654_435_761) >> 16) as usize % 18])
            .collect();
        for at in 1..text.len() {
            prefixes.rows(&of(&plan), text[at - 1], &text[at..], Begun::UNKNOWN, || true);
        }
        assert!(prefixes.rows.len() < MOST_STATES, "{}", prefixes.rows.len());
    }
}
