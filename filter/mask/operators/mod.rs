//! What becomes of a value that was found.
//!
//! | operator | what stands in the value's place | file |
//! |---|---|---|
//! | `replace` | `<EMAIL_ADDRESS>` | here |
//! | `mask` | the value, its letters and digits covered but for some at an end | [`partial`] |
//! | `pseudonym` | `<EMAIL_ADDRESS_7f3a9c12ab34>`, the same for the same value | [`pseudonym`], [`normal`] |
//! | `redact` | nothing | here |
//! | `block` | nothing: the text ends before it, for good | here |
//! | `flag` | the value: it is counted | here |
//!
//! An operator is a function of the value alone, and the engine's values are a function of the text alone: so what
//! holds for the search holds for what comes out, that a stream cut anywhere is the masked whole.
//!
//! Two forms: in a text the above; in a bare number of JSON digits that keep it a number ([`Form::Number`]). A value
//! longer than the engine's memory is not there as a whole when its place must be filled: where the value's bytes count
//! (`mask`, `pseudonym`) its entity's name stands, never a part of it.
//!
//! In prompts values may also get names that are taken back in the answer: [`prompt`] gives them, [`restore`] takes
//! them back.
pub mod normal;
pub mod partial;
pub mod prompt;
pub mod pseudonym;
pub mod restore;
#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use partial::Partial;
pub use pseudonym::Pseudonyms;

use super::entity::{Entities, UPSTREAM_CREDENTIAL};
use super::text::{Entity, Sink};

/// What becomes of a value.
#[derive(Debug, Clone, Default)]
pub enum Operator {
    /// Its entity's name stands for it.
    #[default]
    Replace,
    /// It is covered but for some letters and digits at its ends.
    Mask(Partial),
    /// A name of its own stands for it.
    Pseudonym(Pseudonyms),
    /// Nothing stands for it.
    Redact,
    /// Neither it nor anything after it goes out.
    Block,
    /// It is counted and stays.
    Flag,
}

impl Operator {
    /// The name that policies, records and metrics use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Mask(_) => "mask",
            Self::Pseudonym(_) => "pseudonym",
            Self::Redact => "redact",
            Self::Block => "block",
            Self::Flag => "flag",
        }
    }
}

/// The operators of a mask: one for all entities, and others for some.
#[derive(Debug, Clone, Default)]
pub struct Operators {
    all: Operator,
    some: Vec<(Entities, Operator)>,
}

impl Operators {
    /// One operator for every entity.
    pub fn new(all: Operator) -> Self {
        Self { all, some: Vec::new() }
    }

    /// Another operator for these entities; what was said of one before counts.
    #[must_use]
    pub fn except(mut self, entities: Entities, operator: Operator) -> Self {
        self.some.push((entities, operator));
        self
    }

    /// Whether some value may end its text.
    pub fn may_block(&self) -> bool {
        let mut all = std::iter::once(&self.all).chain(self.some.iter().map(|(_, operator)| operator));
        all.any(|operator| matches!(operator, Operator::Block))
    }

    /// An entity's operator. The upstream's credential is nobody's to see, whatever a policy says.
    pub fn of(&self, entity: Entity) -> &Operator {
        if entity == UPSTREAM_CREDENTIAL {
            return &Operator::Replace;
        }
        let own = self.some.iter().find(|(entities, _)| entities.contains(entity));
        own.map_or(&self.all, |(_, operator)| operator)
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In a text.
    Text,
    /// In a bare number of JSON.
    Number,
}

/// The operators at work in one text: between the engine, which says where values are, and the text's sink.
#[derive(Clone)]
pub(super) struct Operating {
    operators: Rc<Operators>,
    form: Form,
    /// Whether the value under way stays.
    stays: bool,
    with: Vec<u8>,
}

impl Operating {
    pub fn new(operators: Rc<Operators>, form: Form) -> Self {
        Self { operators, form, stays: false, with: Vec::new() }
    }

    /// A value was found: its bytes, or where it is `long` its first ones. `name` is its entity's, in brackets.
    pub fn value(&mut self, value: &[u8], long: bool, entity: Entity, name: &[u8], sink: &mut dyn Sink) {
        let Self { operators, form, stays, with } = self;
        let operator = operators.of(entity);
        *stays = matches!(operator, Operator::Flag);
        let len = value.len();
        with.clear();
        match operator {
            Operator::Flag => sink.flag(len, entity),
            Operator::Block => sink.block(len, entity),
            Operator::Redact => sink.replace(len, entity, &[]),
            Operator::Mask(partial) if !long => {
                partial.of(unbracketed(name)).write(value, *form, with);
                sink.replace(len, entity, with);
            }
            Operator::Pseudonym(pseudonyms) if !long => {
                pseudonyms.write(unbracketed(name), value, *form, with);
                sink.replace(len, entity, with);
            }
            Operator::Replace | Operator::Mask(_) | Operator::Pseudonym(_) => {
                sink.replace(len, entity, if *form == Form::Text { name } else { &[] });
            }
        }
    }

    /// What stands for a whole value; `None`: it stays.
    pub fn instead(mut self, value: &[u8], entity: Entity, name: &[u8]) -> Option<Vec<u8>> {
        let mut one = One(None);
        self.value(value, false, entity, name, &mut one);
        one.0
    }

    /// More of the value found last.
    pub fn rest(&self, len: usize, sink: &mut dyn Sink) {
        if self.stays {
            sink.keep(len);
        } else {
            sink.swallow(len);
        }
    }
}

/// Takes what stands for one value.
struct One(Option<Vec<u8>>);

impl Sink for One {
    fn keep(&mut self, _len: usize) {}

    fn replace(&mut self, _len: usize, _entity: Entity, with: &[u8]) {
        self.0 = Some(with.to_vec());
    }

    fn swallow(&mut self, _len: usize) {}
}

/// An entity's name without its brackets.
pub(super) fn unbracketed(name: &[u8]) -> &str {
    std::str::from_utf8(name).unwrap_or_default().trim_start_matches('<').trim_end_matches('>')
}
