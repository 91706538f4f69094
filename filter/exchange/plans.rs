//! What masks look for, prepared once for all connections and policies that look for the same.
//!
//! To prepare it takes a millisecond or more, and a hundred kilobytes: too much for each of 200 connections. Those with
//! credentials of their own, which answers must not repeat, share what their entities tell.

use std::cell::RefCell;

use crate::mask::{Catalogue, Entities, Plan};

/// A plan, and what it was asked to look for: entities and literals.
type Made = (Entities, Vec<Vec<u8>>, Plan);

/// The plans of a set, while it is compiled.
pub(super) struct Plans<'c> {
    catalogue: &'c Catalogue,
    made: RefCell<Vec<Made>>,
}

impl<'c> Plans<'c> {
    pub fn new(catalogue: &'c Catalogue) -> Self {
        Self { catalogue, made: RefCell::default() }
    }

    /// Who knows the entities.
    pub fn catalogue(&self) -> &'c Catalogue {
        self.catalogue
    }

    /// A plan that looks for these: see [`Plan::new`].
    pub fn get(&self, entities: Entities, literals: Vec<Vec<u8>>) -> Plan {
        let mut made = self.made.borrow_mut();
        let same = made.iter().find(|(known, secrets, _)| *known == entities && *secrets == literals);
        if let Some((.., plan)) = same {
            return plan.clone();
        }
        let plan = match made.iter().find(|(known, ..)| *known == entities) {
            Some((.., alike)) => alike.with_literals(literals.clone()),
            None => Plan::new(self.catalogue, entities, literals.clone()),
        };
        made.push((entities, literals, plan.clone()));
        plan
    }
}
