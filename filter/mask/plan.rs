//! What to look for, prepared once for many texts.
use std::rc::Rc;

use super::entity::{Entities, Found, UPSTREAM_CREDENTIAL};
use super::fingerprint::Fingerprints;
use super::literals::Literals;
use super::masker::Masker;
use super::operators::{Form, Operating, Operator, Operators, unbracketed};
use super::tables::{self, DETECTORS, SIGNATURES, STATES};
use super::text::{Entity, Masks};

/// What to look for: entities, and secrets known by their very bytes; behind it the same for labels, which are searched
/// for the latter alone; and what is done with what is found. Clones are cheap.
#[derive(Clone)]
pub struct Plan(Rc<Prepared>, Option<Rc<Prepared>>, Rc<Operators>);

/// The automaton restricted to what a plan looks for.
pub(super) struct Prepared {
    /// The detectors looked for, as bits.
    pub enabled: u64,
    /// For each state, by signature of the byte before the value: the low half says whether one more byte may change
    /// the verdict, the high half whether something accepts here.
    flags: Vec<u32>,
    pub literals: Literals,
    pub fingerprints: Fingerprints,
    /// `<NAME>` for each entity, by number.
    replacements: Vec<Box<[u8]>>,
}

impl Plan {
    /// Looks for the entities and for the literals (such as the credential that is injected upstream: the bare key,
    /// without `Bearer `). Literals of fewer than 8 bytes are left out.
    pub fn new(entities: Entities, literals: Vec<Vec<u8>>) -> Self {
        let whole = Rc::new(Prepared::new(entities, literals.clone()));
        let labels = match whole.literals.is_empty() {
            true => None,
            false if entities.is_empty() => Some(Rc::clone(&whole)),
            false => Some(Rc::new(Prepared::new(Entities::NONE, literals))),
        };
        Self(whole, labels, Rc::default())
    }

    /// The same search, with these operators instead of [`Operator::Replace`] alone.
    #[must_use]
    pub fn with_operators(&self, operators: Rc<Operators>) -> Self {
        Self(Rc::clone(&self.0), self.1.clone(), operators)
    }

    /// An entity's name in brackets, as it stands for values.
    pub(super) fn name(&self, entity: Entity) -> &[u8] {
        self.0.replacement(entity)
    }

    /// An entity's name, as policies and records have it.
    pub fn name_of(&self, entity: Entity) -> &str {
        unbracketed(self.name(entity))
    }

    /// What is done with what is found.
    pub fn operators(&self) -> &Operators {
        &self.2
    }

    /// Whether a value may end the whole text.
    pub fn blocks(&self) -> bool {
        self.entities().iter().any(|entity| matches!(self.2.of(entity), Operator::Block))
    }

    /// The first of what was found that ends the whole text.
    pub fn blocking(&self, found: &Found) -> Option<Entity> {
        let mut found = found.iter().map(|(entity, _)| entity);
        found.find(|entity| matches!(self.2.of(*entity), Operator::Block))
    }

    /// Whether a text may come out other than it came in.
    pub fn alters(&self) -> bool {
        self.entities().iter().any(|entity| !matches!(self.2.of(entity), Operator::Flag))
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.0.enabled == 0 && self.0.literals.is_empty()
    }

    /// The entities it looks for.
    pub fn entities(&self) -> Entities {
        let detected =
            DETECTORS.iter().zip(0u32..).filter(|(_, bit)| self.0.enabled.wrapping_shr(*bit) & 1 == 1);
        let literal = (!self.0.literals.is_empty()).then_some(UPSTREAM_CREDENTIAL);
        detected.map(|(detector, _)| detector.entity).chain(literal).collect()
    }
}

impl Masks for Plan {
    type Text = Masker;

    fn begin(&self) -> Masker {
        Masker::new(Rc::clone(&self.0), Operating::new(Rc::clone(&self.2), Form::Text))
    }

    fn begin_number(&self) -> Masker {
        Masker::new(Rc::clone(&self.0), Operating::new(Rc::clone(&self.2), Form::Number))
    }

    fn begin_label(&self) -> Option<Masker> {
        let labels = self.1.as_ref()?;
        Some(Masker::new(Rc::clone(labels), Operating::new(Rc::default(), Form::Text)))
    }

    fn may_hold(&self, label: &[u8]) -> bool {
        let Some(labels) = &self.1 else { return false };
        memchr::memchr(b'\\', label).is_some()
            || labels.literals.iter().any(|secret| memchr::memmem::find(label, secret).is_some())
    }
}

/// What a walk needs to know of a state, for one signature.
#[derive(Clone, Copy)]
pub(super) struct Flags(u32);

impl Flags {
    /// Whether one more byte may change the verdict.
    #[inline(always)]
    pub fn undecided(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether something accepts here.
    #[inline(always)]
    pub fn accepts(self) -> bool {
        self.0 & 0x1_0000 != 0
    }
}

impl Prepared {
    fn new(entities: Entities, literals: Vec<Vec<u8>>) -> Self {
        let literals = Literals::new(literals);
        let enabled = DETECTORS
            .iter()
            .zip(0u32..)
            .filter(|(detector, _)| entities.contains(detector.entity))
            .fold(0, |mask, (_, bit)| mask | 1u64.wrapping_shl(bit));
        let flags = (0..STATES).filter_map(|s| u16::try_from(s).ok()).map(|s| flags(s, enabled)).collect();
        let replacements =
            (0..64).map(|at| format!("<{}>", Entity(at).name()).into_bytes().into_boxed_slice()).collect();
        let fingerprints = Fingerprints::new(enabled, &literals);
        Self { enabled, flags, literals, fingerprints, replacements }
    }

    #[inline(always)]
    pub fn flags(&self, state: u16, signature: u8) -> Flags {
        Flags(self.flags.get(usize::from(state)).copied().unwrap_or(0).wrapping_shr(signature.into()))
    }

    /// The detectors that may start under a signature.
    pub fn startable(&self, signature: u8) -> u64 {
        self.enabled & tables::startable(signature)
    }

    pub fn replacement(&self, entity: Entity) -> &[u8] {
        self.replacements.get(usize::from(entity.0)).map_or(b"<UNKNOWN>", |name| name)
    }
}

fn flags(state: u16, enabled: u64) -> u32 {
    let (accept, reach) = tables::masks(state);
    SIGNATURES.iter().zip(0u32..16).fold(0, |flags, (signature, bit)| {
        let mask = enabled & signature;
        let undecided = mask & (reach | accept & !tables::BEFORE_ANY) != 0;
        let accepts = mask & accept != 0;
        flags | u32::from(undecided).wrapping_shl(bit) | u32::from(accepts).wrapping_shl(bit.wrapping_add(16))
    })
}
