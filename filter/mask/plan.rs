//! What to look for, prepared once for many texts.
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use super::blocks::Blocks;
use super::candidates::{Anchored, anchor_bytes};
use super::catalogue::Catalogue;
use super::context::Context;
use super::disguise;
use super::entity::{Entities, Found, UPSTREAM_CREDENTIAL};
use super::fingerprint::blocks;
use super::heard::Wanted;
use super::least::least_number;
use super::lexicon::Lexicon;
use super::literals::Literals;
use super::masker::Masker;
use super::operators::{Form, Operating, Operator, Operators, unbracketed};
use super::prefixes::Prefixes;
use super::rows::RowTable;
use super::tables::{AnyGroup, Detector, Group};
use super::tails::Tails;
use super::text::{Entity, Masks};
use super::views::Views;

/// Groups that one plan may have.
pub(super) const MOST_GROUPS: usize = 32;

/// What to look for: entities, and secrets known by their very bytes; behind it the same for labels, which are searched
/// for the latter alone; and what is done with what is found. Clones are cheap.
#[derive(Clone)]
pub struct Plan {
    whole: Rc<Prepared>,
    labels: Option<Rc<Prepared>>,
    operators: Rc<Operators>,
}

/// The automata restricted to what a plan looks for.
pub(super) struct Prepared {
    sought: Rc<Sought>,
    pub literals: Literals,
    /// The detectors, numbered.
    pub rows: RowTable,
    /// What values begin with.
    pub prefixes: RefCell<Prefixes>,
    /// The same, coarser, for many places at a time.
    pub blocks: Blocks,
    /// Bytes of the shortest number that may hold a value or a literal.
    least_number: usize,
}

/// The part of it that its entities alone tell. It takes longest to make, so plans that differ in literals share it.
pub(super) struct Sought {
    pub catalogue: Catalogue,
    /// The groups of which something is looked for.
    pub groups: Vec<Enabled>,
    /// The words looked for.
    pub lexicons: Vec<Rc<Lexicon>>,
    /// The groups' anchors.
    pub anchors: Vec<Anchored>,
    /// What each byte is to them.
    pub anchor_bytes: Box<[u8; 256]>,
    /// The runs before them.
    pub tails: Option<Tails>,
    /// Whether some detector asks for words before its values.
    pub asks_context: bool,
    /// Bytes of the shortest number that may hold a value.
    least_number: usize,
    /// The words that those of the groups ask for.
    pub wanted: Wanted,
}

/// A group restricted to the detectors looked for.
pub(super) struct Enabled {
    group: AnyGroup,
    /// The detectors looked for, as bits.
    pub enabled: u64,
    /// Those of them that ask for words before their values.
    pub asking: u64,
}

impl Plan {
    /// Looks for the entities and for the literals (such as the credential that is injected upstream: the bare key,
    /// without `Bearer `). Literals of fewer than 8 bytes are left out.
    pub fn new(catalogue: &Catalogue, entities: Entities, literals: Vec<Vec<u8>>) -> Self {
        Self::of(Rc::new(Sought::new(catalogue, entities)), literals)
    }

    fn of(sought: Rc<Sought>, literals: Vec<Vec<u8>>) -> Self {
        let whole = Rc::new(Prepared::new(sought, literals.clone()));
        let labels = (!whole.literals.is_empty()).then(|| {
            if whole.seeks_literals_alone() {
                return Rc::clone(&whole);
            }
            let nothing = Rc::new(Sought::new(&whole.catalogue, Entities::NONE));
            Rc::new(Prepared::new(nothing, literals))
        });
        Self { whole, labels, operators: Rc::default() }
    }

    /// A search for the same entities, and for these literals instead of its own.
    pub fn with_literals(&self, literals: Vec<Vec<u8>>) -> Self {
        Self { operators: Rc::clone(&self.operators), ..Self::of(Rc::clone(&self.whole.sought), literals) }
    }

    /// The same search, with these operators instead of [`Operator::Replace`] alone.
    #[must_use]
    pub fn with_operators(&self, operators: Rc<Operators>) -> Self {
        Self { operators, ..self.clone() }
    }

    /// An entity's name in brackets, as it stands for values.
    pub(super) fn name(&self, entity: Entity) -> &[u8] {
        self.whole.catalogue.replacement(entity)
    }

    fn views(prepared: &Rc<Prepared>, operating: Operating) -> Views {
        Views::new(Masker::new(Rc::clone(prepared), operating))
    }

    /// What stands for one value of a text; `None`: it stays.
    pub fn instead(&self, entity: Entity, value: &[u8]) -> Option<Vec<u8>> {
        Operating::new(Rc::clone(&self.operators), Form::Text).instead(value, entity, self.name(entity))
    }

    /// An entity's name, as policies and records have it.
    pub fn name_of(&self, entity: Entity) -> &str {
        unbracketed(self.name(entity))
    }

    /// What is done with what is found.
    pub fn operators(&self) -> &Operators {
        &self.operators
    }

    /// Whether a value may end the whole text.
    pub fn blocks(&self) -> bool {
        self.operators.may_block()
            && self.entities().iter().any(|entity| matches!(self.operators.of(entity), Operator::Block))
    }

    /// The first of what was found that ends the whole text.
    pub fn blocking(&self, found: &Found) -> Option<Entity> {
        let mut found = found.iter().map(|(entity, _)| entity);
        found.find(|entity| matches!(self.operators.of(*entity), Operator::Block))
    }

    /// Whether a text may come out other than it came in.
    pub fn alters(&self) -> bool {
        self.entities().iter().any(|entity| !matches!(self.operators.of(entity), Operator::Flag))
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.whole.is_idle()
    }

    /// The entities it looks for.
    pub fn entities(&self) -> Entities {
        let literal = (!self.whole.literals.is_empty()).then_some(UPSTREAM_CREDENTIAL);
        let words = self.whole.lexicons.iter().map(|lexicon| lexicon.finder.entity);
        self.whole.groups.iter().flat_map(Enabled::entities).chain(words).chain(literal).collect()
    }

    /// Who knows their names.
    pub fn catalogue(&self) -> &Catalogue {
        &self.whole.catalogue
    }
}

impl Masks for Plan {
    type Text = Views;

    fn begin(&self) -> Views {
        Self::views(&self.whole, Operating::new(Rc::clone(&self.operators), Form::Text))
    }

    fn begin_number(&self) -> Views {
        Self::views(&self.whole, Operating::new(Rc::clone(&self.operators), Form::Number))
    }

    fn finds_nothing(&self) -> bool {
        self.is_empty()
    }

    fn is_reusable(&self) -> bool {
        true
    }

    fn masks_numbers(&self) -> bool {
        !self.whole.seeks_literals_alone()
    }

    fn passes(&self, text: &[u8]) -> bool {
        let escaped = || memchr::memchr(b'\\', text).is_some();
        self.whole.seeks_literals_alone()
            && !self.whole.literals.stand_in(text)
            && (self.whole.literals.is_empty() || !escaped() && disguise::first(text).is_none())
    }

    fn passes_number(&self, number: &[u8]) -> bool {
        number.len() < self.whole.least_number || self.passes(number)
    }

    fn begin_label(&self) -> Option<Views> {
        let labels = self.labels.as_ref()?;
        Some(Self::views(labels, Operating::new(Rc::default(), Form::Text)))
    }

    fn may_hold(&self, label: &[u8]) -> bool {
        let Some(labels) = &self.labels else { return false };
        memchr::memchr(b'\\', label).is_some() || labels.literals.stand_in(label)
    }
}

impl Sought {
    pub fn new(catalogue: &Catalogue, entities: Entities) -> Self {
        let groups = catalogue.groups().iter().filter_map(|group| Enabled::new(group, entities));
        let groups: Vec<Enabled> = groups.take(MOST_GROUPS).collect();
        let wanted = |lexicon: &&Rc<Lexicon>| entities.contains(lexicon.finder.entity);
        let lexicons: Vec<Rc<Lexicon>> = catalogue.lexicons().iter().filter(wanted).cloned().collect();
        let of_group = |(index, group)| Anchored::of_group(index, group);
        let anchors: Vec<Anchored> = groups.iter().enumerate().flat_map(of_group).collect();
        Self {
            anchor_bytes: anchor_bytes(&anchors),
            tails: Tails::new(&groups),
            anchors,
            asks_context: groups.iter().any(|group| group.asking != 0)
                || lexicons.iter().any(|lexicon| lexicon.finder.context.is_some()),
            wanted: Wanted::new(groups.iter().flat_map(Enabled::contexts)),
            // A word may be any number.
            least_number: if lexicons.is_empty() { least_number(&groups) } else { 0 },
            catalogue: catalogue.clone(),
            groups,
            lexicons,
        }
    }
}

impl Prepared {
    pub fn new(sought: Rc<Sought>, literals: Vec<Vec<u8>>) -> Self {
        let literals = Literals::new(literals);
        Self {
            rows: RowTable::new(&sought.groups, &literals),
            prefixes: RefCell::new(Prefixes::new(&sought.groups, &literals)),
            blocks: blocks(&sought.groups, &literals),
            least_number: sought.least_number.min(literals.shortest()),
            sought,
            literals,
        }
    }

    /// Whether nothing is looked for.
    pub fn is_idle(&self) -> bool {
        self.seeks_literals_alone() && self.literals.is_empty()
    }

    /// Whether nothing is looked for but literals.
    pub fn seeks_literals_alone(&self) -> bool {
        self.groups.is_empty() && self.lexicons.is_empty()
    }
}

impl Deref for Prepared {
    type Target = Sought;

    #[inline(always)]
    fn deref(&self) -> &Sought {
        &self.sought
    }
}

impl Enabled {
    fn new(group: &AnyGroup, entities: Entities) -> Option<Self> {
        let those = |which: &dyn Fn(&Detector) -> bool| {
            let detectors = group.detectors.iter().zip(0u32..).filter(|(detector, _)| which(detector));
            detectors.fold(0, |mask, (_, bit)| mask | 1u64.wrapping_shl(bit))
        };
        let enabled = those(&|detector| entities.contains(detector.finder.entity));
        let asking = enabled & those(&|detector| detector.finder.context.is_some());
        (enabled != 0).then(|| Self { group: group.clone(), enabled, asking })
    }

    /// Whether a detector is looked for.
    pub fn has(&self, bit: u32) -> bool {
        self.enabled.wrapping_shr(bit) & 1 == 1
    }

    /// The detectors looked for that may start under a signature.
    pub fn startable(&self, signature: u8) -> u64 {
        self.enabled & self.group.startable(signature)
    }

    fn entities(&self) -> impl Iterator<Item = Entity> {
        let wanted = self.detectors.iter().zip(0u32..).filter(|(_, bit)| self.has(*bit));
        wanted.map(|(detector, _)| detector.finder.entity)
    }

    fn contexts(&self) -> impl Iterator<Item = &Context> {
        let wanted = self.detectors.iter().zip(0u32..).filter(|(_, bit)| self.has(*bit));
        wanted.filter_map(|(detector, _)| detector.finder.context.as_ref())
    }
}

impl Deref for Enabled {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.group
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mask::text::{Sink, TextMask as _};

    const SECRET: &str = "pk-live-0123456789abcdef";

    /// Whether something of a text was not just kept.
    #[derive(Default)]
    struct Touched(bool);

    impl Sink for Touched {
        fn keep(&mut self, _: usize) {}

        fn replace(&mut self, _: usize, _: Entity, _: &[u8]) {
            self.0 = true;
        }

        fn swallow(&mut self, _: usize) {
            self.0 = true;
        }
    }

    fn plan(entities: &str) -> Plan {
        let known = Catalogue::built_in();
        let entities = if entities.is_empty() { Entities::NONE } else { known.resolve(entities).unwrap() };
        Plan::new(&known, entities, vec![SECRET.into()])
    }

    #[test]
    fn a_glance_tells_texts_that_hold_no_secret_and_leaves_the_others() {
        for (text, passes) in [
            ("The answer is 42.", true),
            ("caf\u{e9}", true),
            ("pk-live-", true),
            (SECRET, false),
            ("p%6B-live-0123456789abcdef", false),
            ("\u{ff50}k-live-0123456789abcdef", false),
            (r"\u0070k-live-0123456789abcdef", false),
        ] {
            assert_eq!(plan("").passes(text.as_bytes()), passes, "{text}");
        }
        assert!(!plan("PII").passes(b"The answer is 42."), "only a masker can tell");
    }

    proptest! {
        #[test]
        fn what_passes_at_a_glance_passes_the_masker(
            words in prop::collection::vec(prop_oneof![
                Just(SECRET.to_owned()),
                Just("pk-live-01234567".to_owned()),
                Just("89abcdef".to_owned()),
                Just("%".to_owned()),
                Just("6B".to_owned()),
                Just("\u{200b}".to_owned()),
                Just("\u{ff50}k-live".to_owned()),
                "[a-z0-9 -]{0,8}",
                any::<String>(),
            ], 0..6),
        ) {
            let (plan, text) = (plan(""), words.concat());
            if plan.passes(text.as_bytes()) {
                let mut touched = Touched::default();
                plan.begin().push(text.as_bytes(), true, &mut touched);
                prop_assert!(!touched.0, "{text:?}");
            }
        }
    }
}
