//! The detectors that build.rs made of `detectors.toml`, and the groups they stand in.
//!
//! In each group sets of detectors are bits of a `u64`. Between equally long values the detector with the lower order
//! wins, whatever its group: the one that stands first in the table.
use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;

use super::context::Context;
use super::gates::{self, Gate};
use super::grammar::{Anchor, LongWord, Mark, Tables, Transitions};
use super::text::Entity;
use super::validators;

include!(concat!(env!("OUT_DIR"), "/mask_tables.rs"));

/// Detectors that share an automaton.
pub struct Group {
    pub tables: Tables,
    pub detectors: Cow<'static, [Detector]>,
}

/// A row of the table, as far as the masker needs it.
#[derive(Clone)]
pub struct Detector {
    pub validator: Option<fn(&[u8]) -> bool>,
    pub gate: Option<Gate>,
    pub finder: Finder,
}

/// Who finds a value, and under which conditions.
#[derive(Clone)]
pub struct Finder {
    pub entity: Entity,
    /// Its place in the table; a policy set's own come after.
    pub order: u32,
    pub context: Option<Context>,
}

/// A group of the table, or a policy set's own.
#[derive(Clone)]
pub enum AnyGroup {
    BuiltIn(&'static Group),
    Own(Rc<Group>),
}

impl Deref for AnyGroup {
    type Target = Group;

    fn deref(&self) -> &Group {
        match self {
            Self::BuiltIn(group) => group,
            Self::Own(group) => group,
        }
    }
}

impl Group {
    /// The detector of a bit.
    pub fn detector(&self, bit: u32) -> Option<&Detector> {
        self.detectors.get(usize::try_from(bit).ok()?)
    }

    /// What a walk reads at every byte.
    #[inline(always)]
    pub fn steps(&self) -> Steps<'_> {
        let Tables { class_of, classes, next, masks_of, masks, .. } = &self.tables;
        Steps { class_of, classes: *classes, next, masks_of, masks }
    }

    /// The class of a byte.
    pub fn class(&self, byte: u8) -> u8 {
        self.tables.class_of.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// The state after one more byte.
    #[inline(always)]
    pub fn step(&self, state: u16, byte: u8) -> u16 {
        let class = self.tables.class_of.get(usize::from(byte)).copied().unwrap_or(0);
        let at = usize::from(state).wrapping_mul(self.tables.classes).wrapping_add(usize::from(class));
        self.tables.next.get(at).copied().unwrap_or(DEAD)
    }

    /// The detectors that accept in a state, and those that may accept after it.
    #[inline]
    pub fn masks(&self, state: u16) -> (u64, u64) {
        let at = self.tables.masks_of.get(usize::from(state)).copied().unwrap_or(0);
        self.tables.masks.get(usize::from(at)).copied().unwrap_or((0, 0))
    }

    /// The signature of the byte before a value: which detectors may start after it.
    #[inline(always)]
    pub fn after(&self, byte: u8) -> u8 {
        self.tables.after.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// The detectors that may start under a signature.
    #[inline]
    pub fn startable(&self, signature: u8) -> u64 {
        self.tables.signatures.get(usize::from(signature)).copied().unwrap_or(0)
    }

    /// The detectors that may end before a byte.
    #[inline]
    pub fn before(&self, byte: u8) -> u64 {
        self.tables.before.get(usize::from(byte)).copied().unwrap_or(0)
    }
}

/// The automaton of a group.
#[derive(Clone, Copy)]
pub struct Steps<'a> {
    class_of: &'a [u8; 256],
    classes: usize,
    next: &'a [u16],
    masks_of: &'a [u16],
    masks: &'a [(u64, u64)],
}

impl Steps<'_> {
    /// The state after one more byte.
    #[inline(always)]
    pub fn step(&self, state: u16, byte: u8) -> u16 {
        let class = self.class_of.get(usize::from(byte)).copied().unwrap_or(0);
        let at = usize::from(state).wrapping_mul(self.classes).wrapping_add(usize::from(class));
        self.next.get(at).copied().unwrap_or(DEAD)
    }

    /// Where the masks of a state are.
    #[inline(always)]
    pub fn masks_at(&self, state: u16) -> usize {
        self.masks_of.get(usize::from(state)).copied().unwrap_or(0).into()
    }

    /// What they are: the detectors that accept, and those that may accept after it.
    #[inline(always)]
    pub fn masks_of(&self, at: usize) -> (u64, u64) {
        self.masks.get(at).copied().unwrap_or((0, 0))
    }

    /// The detectors that accept in a state, and those that may accept after it.
    #[inline(always)]
    pub fn masks(&self, state: u16) -> (u64, u64) {
        self.masks_of(self.masks_at(state))
    }
}

/// The state from which nothing matches.
pub const DEAD: u16 = 0;
/// The state before a value's first byte.
pub const START: u16 = 1;
