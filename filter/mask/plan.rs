//! What to look for, prepared once for many texts.
use std::ops::Deref;
use std::rc::Rc;

use super::candidates::Anchored;
use super::catalogue::Catalogue;
use super::entity::{Entities, UPSTREAM_CREDENTIAL};
use super::fingerprint::{Fingerprints, holds};
use super::lexicon::Lexicon;
use super::literals::Literals;
use super::masker::Masker;
use super::tables::{AnyGroup, Group};
use super::text::{Entity, Masks};
use super::views::Views;

/// Groups that one plan may have.
pub(super) const MOST_GROUPS: usize = 32;

/// What to look for: entities, and secrets known by their very bytes; behind it the same for labels, which are searched
/// for the latter alone. Clones are cheap.
#[derive(Clone)]
pub struct Plan {
    whole: Rc<Prepared>,
    labels: Option<Rc<Prepared>>,
}

/// The automata restricted to what a plan looks for.
pub(super) struct Prepared {
    pub catalogue: Catalogue,
    /// The groups of which something is looked for.
    pub groups: Vec<Enabled>,
    /// The words looked for.
    pub lexicons: Vec<Rc<Lexicon>>,
    /// The groups' anchors.
    pub anchors: Vec<Anchored>,
    /// Whether some detector asks for words before its values.
    pub asks_context: bool,
    pub literals: Literals,
    pub fingerprints: Fingerprints,
}

/// A group restricted to the detectors looked for.
pub(super) struct Enabled {
    group: AnyGroup,
    /// The detectors looked for, as bits.
    enabled: u64,
    /// For each class of bytes, those of them whose values may hold it as their first byte, their second, and so on.
    beginnings: Vec<[u64; 4]>,
    /// Those of them with a gate.
    gated: u64,
}

impl Plan {
    /// Looks for the entities and for the literals (such as the credential that is injected upstream: the bare key,
    /// without `Bearer `). Literals of fewer than 8 bytes are left out.
    pub fn new(catalogue: &Catalogue, entities: Entities, literals: Vec<Vec<u8>>) -> Self {
        let whole = Rc::new(Prepared::new(catalogue, entities, literals.clone()));
        let labels = match whole.literals.is_empty() {
            true => None,
            false if entities.is_empty() => Some(Rc::clone(&whole)),
            false => Some(Rc::new(Prepared::new(catalogue, Entities::NONE, literals))),
        };
        Self { whole, labels }
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
        Views::new(Masker::new(Rc::clone(&self.whole)))
    }

    fn begin_label(&self) -> Option<Views> {
        self.labels.as_ref().map(|labels| Views::new(Masker::new(Rc::clone(labels))))
    }

    fn may_hold(&self, label: &[u8]) -> bool {
        let Some(labels) = &self.labels else { return false };
        memchr::memchr(b'\\', label).is_some() || labels.literals.stand_in(label)
    }
}

impl Prepared {
    fn new(catalogue: &Catalogue, entities: Entities, literals: Vec<Vec<u8>>) -> Self {
        let literals = Literals::new(literals);
        let groups = catalogue.groups().iter().filter_map(|group| Enabled::new(group, entities));
        let groups: Vec<Enabled> = groups.take(MOST_GROUPS).collect();
        let wanted = |lexicon: &&Rc<Lexicon>| entities.contains(lexicon.finder.entity);
        let lexicons: Vec<Rc<Lexicon>> = catalogue.lexicons().iter().filter(wanted).cloned().collect();
        let anchors = groups.iter().enumerate().flat_map(|(index, group)| {
            let anchors = group.tables.anchors.iter().filter(|anchor| group.has(anchor.pattern));
            anchors.map(move |anchor| Anchored::new(index, group, anchor))
        });
        Self {
            anchors: anchors.collect(),
            asks_context: groups.iter().any(Enabled::asks_context)
                || lexicons.iter().any(|lexicon| lexicon.finder.context.is_some()),
            fingerprints: Fingerprints::new(&groups, &literals),
            catalogue: catalogue.clone(),
            groups,
            lexicons,
            literals,
        }
    }

    /// Whether nothing is looked for.
    pub fn is_idle(&self) -> bool {
        self.groups.is_empty() && self.lexicons.is_empty() && self.literals.is_empty()
    }
}

impl Enabled {
    fn new(group: &AnyGroup, entities: Entities) -> Option<Self> {
        let wanted = group.detectors.iter().zip(0u32..).filter(|(d, _)| entities.contains(d.finder.entity));
        let enabled = wanted.fold(0, |mask, (_, bit)| mask | 1u64.wrapping_shl(bit));
        let gated = group.detectors.iter().zip(0u32..).filter(|(d, _)| d.gate.is_some());
        let gated = enabled & gated.fold(0, |mask, (_, bit)| mask | 1u64.wrapping_shl(bit));
        let beginnings = || group.beginnings(enabled);
        (enabled != 0).then(|| Self { group: group.clone(), enabled, beginnings: beginnings(), gated })
    }

    /// Whether a detector is looked for.
    pub fn has(&self, bit: u32) -> bool {
        self.enabled.wrapping_shr(bit) & 1 == 1
    }

    /// The detectors looked for of which a value may start with the text, after a byte.
    #[inline(always)]
    pub fn starting(&self, before: u8, text: &[u8]) -> u64 {
        let starting = self.beginning_with(before, text);
        if starting & self.gated == 0 { starting } else { self.through_gates(starting, text) }
    }

    fn through_gates(&self, starting: u64, text: &[u8]) -> u64 {
        let (mut left, mut through) = (starting & self.gated, starting);
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            if self.detector(bit).and_then(|detector| detector.gate).is_some_and(|gate| gate(text)) {
                through &= !1u64.wrapping_shl(bit);
            }
        }
        through
    }

    /// Those that may start after a byte, and whose first bytes fit.
    #[inline(always)]
    fn beginning_with(&self, before: u8, text: &[u8]) -> u64 {
        let mut starting = self.startable(self.after(before));
        if let Some(first) = text.first_chunk::<4>() {
            for (byte, depth) in first.iter().zip(0usize..) {
                starting &= self.beginning(*byte, depth);
            }
            return starting;
        }
        text.iter().zip(0usize..).fold(starting, |all, (byte, depth)| all & self.beginning(*byte, depth))
    }

    #[inline(always)]
    fn beginning(&self, byte: u8, depth: usize) -> u64 {
        let class = self.tables.class_of.get(usize::from(byte)).copied().unwrap_or(0);
        let depths = self.beginnings.get(usize::from(class));
        depths.and_then(|depths| depths.get(depth)).copied().unwrap_or(u64::MAX)
    }

    /// The detectors looked for that may start under a signature.
    pub fn startable(&self, signature: u8) -> u64 {
        self.enabled & self.group.startable(signature)
    }

    fn entities(&self) -> impl Iterator<Item = Entity> {
        let wanted = self.detectors.iter().zip(0u32..).filter(|(_, bit)| self.has(*bit));
        wanted.map(|(detector, _)| detector.finder.entity)
    }

    fn asks_context(&self) -> bool {
        self.detectors
            .iter()
            .zip(0u32..)
            .any(|(detector, bit)| self.has(bit) && detector.finder.context.is_some())
    }
}

impl Deref for Enabled {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.group
    }
}

impl Group {
    /// Bytes of one class stand in the same sets, for they lead to the same states.
    fn beginnings(&self, enabled: u64) -> Vec<[u64; 4]> {
        let mut classes = vec![[0; 4]; self.tables.classes];
        for (class, byte) in self.tables.class_of.iter().zip(0u8..=255) {
            let Some(depths) = classes.get_mut(usize::from(*class)) else { continue };
            for (sets, bit) in self.tables.beginnings.iter().zip(0u32..) {
                let bit = enabled & 1u64.wrapping_shl(bit);
                for (depth, mask) in depths.iter_mut().enumerate() {
                    let fits =
                        sets.as_ref().is_none_or(|sets| sets.get(depth).is_some_and(|set| holds(set, byte)));
                    *mask |= if fits { bit } else { 0 };
                }
            }
        }
        classes
    }
}
