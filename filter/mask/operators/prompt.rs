//! Masking what is asked.
//!
//! A prompt is there as a whole, and so is each of its texts when it is masked. That allows what a stream does not: a
//! value is whole however long it is, and it may get a name that is not given to anything else in the prompt, so that
//! it can be taken back in the answer ([`super::restore`]).
//!
//! Such a name is `<EMAIL_ADDRESS_1>`, numbered in the order in which values first come, where the operator is
//! `replace`; with `pseudonym` it is the pseudonym, and a second spelling of the same value has `_2` behind it. A name
//! that stands in the prompt already, written by the caller, is passed over: taking back gives exactly what was taken.
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::restore::Restoration;
use super::{Form, Operating, Operator, Operators, unbracketed};
use crate::mask::Views;
use crate::mask::plan::Plan;
use crate::mask::text::{Entity, Masks, Sink, TextMask};
use crate::mask::walk::LIMIT;

/// The names given in one prompt.
#[derive(Debug, Default)]
pub struct Names {
    given: HashMap<(Entity, Vec<u8>), Vec<u8>>,
    /// Names that are not free: given, or written by the caller.
    taken: HashSet<Vec<u8>>,
    /// The last number given behind each name: a prompt full of names must not be tried from the first on each time.
    numbers: HashMap<String, u64>,
}

impl Names {
    /// Names for a prompt that holds this text; what looks like a name there is not given.
    pub fn beside(text: &str) -> Self {
        let mut names = Self::default();
        for rest in text.as_bytes().split(|byte| *byte == b'<').skip(1) {
            let inner = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            if let Some((name, [b'>', ..])) = rest.split_at_checked(inner) {
                names.taken.insert([b"<", name, b">"].concat());
            }
        }
        names
    }

    /// The name of a value: the same for the same bytes, and another for any others.
    fn give(&mut self, entity: Entity, value: &[u8], kind: &str, pseudonym: Option<&str>) -> Vec<u8> {
        let key = (entity, value.to_vec());
        if let Some(name) = self.given.get(&key) {
            return name.clone();
        }
        let base = pseudonym.unwrap_or(kind);
        let number = self.numbers.entry(base.to_owned()).or_default();
        let name = loop {
            *number = number.saturating_add(1);
            let name = match (pseudonym, *number) {
                (Some(name), 1) => format!("<{name}>"),
                (_, number) => format!("<{base}_{number}>"),
            };
            // Tried again only past a name that the caller wrote.
            if self.taken.insert(name.clone().into_bytes()) {
                break name.into_bytes();
            }
        };
        self.given.insert(key, name.clone());
        name
    }

    /// What takes them back.
    pub fn restoration(self) -> Restoration {
        Restoration::new(self.given.into_iter().map(|((_, value), name)| (name, value)))
    }
}

/// Masks the texts of one prompt.
pub struct PromptMask {
    search: Plan,
    operators: Rc<Operators>,
    names: Option<Rc<RefCell<Names>>>,
}

impl PromptMask {
    /// By the plan's operators; with `names`, values that are replaced whole get names of their own.
    pub fn new(plan: &Plan, operators: Rc<Operators>, names: Option<Rc<RefCell<Names>>>) -> Self {
        Self { search: plan.with_operators(Rc::default()), operators, names }
    }

    fn text(&self, form: Form) -> PromptText {
        PromptText {
            masker: self.search.begin(),
            search: self.search.clone(),
            text: Vec::new(),
            form,
            operators: Rc::clone(&self.operators),
            names: self.names.clone().filter(|_| form == Form::Text),
        }
    }
}

impl Masks for PromptMask {
    type Text = PromptText;

    fn begin(&self) -> PromptText {
        self.text(Form::Text)
    }

    fn begin_number(&self) -> PromptText {
        self.text(Form::Number)
    }
}

/// One text of a prompt: decided at its end.
pub struct PromptText {
    masker: Views,
    search: Plan,
    text: Vec<u8>,
    form: Form,
    operators: Rc<Operators>,
    names: Option<Rc<RefCell<Names>>>,
}

impl TextMask for PromptText {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        self.text.extend_from_slice(text);
        if !end {
            return;
        }
        let text = std::mem::take(&mut self.text);
        let mut found = Values::default();
        self.masker.push(&text, true, &mut found);
        let mut at = 0usize;
        for (from, to, entity) in found.values {
            if from > at {
                sink.keep(from.saturating_sub(at));
            }
            self.value(text.get(from..to).unwrap_or_default(), entity, sink);
            at = to;
        }
        if text.len() > at {
            sink.keep(text.len().saturating_sub(at));
        }
    }

    fn held(&self) -> usize {
        self.text.len()
    }
}

impl PromptText {
    fn value(&self, value: &[u8], entity: Entity, sink: &mut dyn Sink) {
        let long = value.len() > LIMIT;
        let bracketed = self.search.name(entity);
        let kind = self.search.name_of(entity);
        let name = self.names.as_ref().and_then(|names| {
            let pseudonym = match self.operators.of(entity) {
                Operator::Replace => None,
                Operator::Pseudonym(pseudonyms) if !long => {
                    let mut name = Vec::new();
                    pseudonyms.write(kind, value, Form::Text, &mut name);
                    Some(unbracketed(&name).to_owned())
                }
                Operator::Pseudonym(_) => None,
                _ => return None,
            };
            Some(names.borrow_mut().give(entity, value, kind, pseudonym.as_deref()))
        });
        match name {
            Some(name) => sink.replace(value.len(), entity, &name),
            None => {
                let mut operating = Operating::new(Rc::clone(&self.operators), self.form);
                operating.value(value, long, entity, bracketed, sink);
            }
        }
    }
}

/// Where the values of a text are.
#[derive(Default)]
struct Values {
    at: usize,
    values: Vec<(usize, usize, Entity)>,
}

impl Sink for Values {
    fn keep(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
    }

    fn replace(&mut self, len: usize, entity: Entity, _: &[u8]) {
        let from = self.at;
        self.at = from.saturating_add(len);
        self.values.push((from, self.at, entity));
    }

    fn swallow(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
        if let Some((_, to, _)) = self.values.last_mut() {
            *to = self.at;
        }
    }
}
