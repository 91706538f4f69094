//! What to look for, prepared once for many texts.
use std::ops::Deref;
use std::rc::Rc;

use super::catalogue::Catalogue;
use super::entity::{Entities, UPSTREAM_CREDENTIAL};
use super::fingerprint::Fingerprints;
use super::grammar::Anchor;
use super::literals::Literals;
use super::masker::Masker;
use super::tables::{AnyGroup, Group};
use super::text::{Entity, Masks};

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
    /// Their anchors, each with its group's place.
    pub anchors: Vec<(usize, Anchor)>,
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
    /// For each state, by signature of the byte before the value: the low half says whether one more byte may change
    /// the verdict, the high half whether something accepts here.
    flags: Vec<u32>,
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
        self.whole.groups.is_empty() && self.whole.literals.is_empty()
    }

    /// The entities it looks for.
    pub fn entities(&self) -> Entities {
        let literal = (!self.whole.literals.is_empty()).then_some(UPSTREAM_CREDENTIAL);
        self.whole.groups.iter().flat_map(Enabled::entities).chain(literal).collect()
    }

    /// Who knows their names.
    pub fn catalogue(&self) -> &Catalogue {
        &self.whole.catalogue
    }
}

impl Masks for Plan {
    type Text = Masker;

    fn begin(&self) -> Masker {
        Masker::new(Rc::clone(&self.whole))
    }

    fn begin_label(&self) -> Option<Masker> {
        self.labels.as_ref().map(|labels| Masker::new(Rc::clone(labels)))
    }

    fn may_hold(&self, label: &[u8]) -> bool {
        let Some(labels) = &self.labels else { return false };
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
    fn new(catalogue: &Catalogue, entities: Entities, literals: Vec<Vec<u8>>) -> Self {
        let literals = Literals::new(literals);
        let groups = catalogue.groups().iter().filter_map(|group| Enabled::new(group, entities));
        let groups: Vec<Enabled> = groups.take(MOST_GROUPS).collect();
        let anchors = groups.iter().enumerate().flat_map(|(index, group)| {
            let anchors = group.tables.anchors.iter().filter(|anchor| group.has(anchor.pattern));
            anchors.map(move |anchor| (index, anchor.clone()))
        });
        Self {
            anchors: anchors.collect(),
            asks_context: groups.iter().any(Enabled::asks_context),
            fingerprints: Fingerprints::new(&groups, &literals),
            catalogue: catalogue.clone(),
            groups,
            literals,
        }
    }
}

impl Enabled {
    fn new(group: &AnyGroup, entities: Entities) -> Option<Self> {
        let wanted = group.detectors.iter().zip(0u32..).filter(|(d, _)| entities.contains(d.entity));
        let enabled = wanted.fold(0, |mask, (_, bit)| mask | 1u64.wrapping_shl(bit));
        let flags = || group.tables.masks_of.iter().map(|&pair| group.flags(pair, enabled)).collect();
        (enabled != 0).then(|| Self { group: group.clone(), enabled, flags: flags() })
    }

    /// Whether a detector is looked for.
    pub fn has(&self, bit: u32) -> bool {
        self.enabled.wrapping_shr(bit) & 1 == 1
    }

    #[inline(always)]
    pub fn flags(&self, state: u16, signature: u8) -> Flags {
        Flags(self.flags.get(usize::from(state)).copied().unwrap_or(0).wrapping_shr(signature.into()))
    }

    /// The detectors looked for that may start under a signature.
    pub fn startable(&self, signature: u8) -> u64 {
        self.enabled & self.group.startable(signature)
    }

    fn entities(&self) -> impl Iterator<Item = Entity> {
        let wanted = self.detectors.iter().zip(0u32..).filter(|(_, bit)| self.has(*bit));
        wanted.map(|(detector, _)| detector.entity)
    }

    fn asks_context(&self) -> bool {
        self.detectors.iter().zip(0u32..).any(|(detector, bit)| self.has(bit) && detector.context.is_some())
    }
}

impl Deref for Enabled {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.group
    }
}

impl Group {
    fn flags(&self, pair: u16, enabled: u64) -> u32 {
        let (accept, reach) = self.tables.masks.get(usize::from(pair)).copied().unwrap_or((0, 0));
        self.tables.signatures.iter().zip(0u32..16).fold(0, |flags, (signature, bit)| {
            let mask = enabled & signature;
            let undecided = mask & (reach | accept & !self.tables.before_any) != 0;
            let accepts = mask & accept != 0;
            flags
                | u32::from(undecided).wrapping_shl(bit)
                | u32::from(accepts).wrapping_shl(bit.wrapping_add(16))
        })
    }
}
