//! What records hold of prompts and answers, compiled.

use std::rc::Rc;

use super::masks;
use super::plans::Plans;
use crate::audit::seal::Recipient;
use crate::config::Problem;
use crate::config::set::{self, Located};
use crate::mask::{Entities, Plan};

/// What is kept of prompts and answers for the records.
#[derive(Clone)]
pub struct Capturing {
    /// What is masked in it: the entities of `audit.mask` and the connection's credential; of what is sealed, that alone.
    pub plan: Plan,
    /// What is masked in the names that records give to models, tools and the like: the entities of `audit.mask`, and it.
    pub names: Plan,
    /// How it is kept, as records name it.
    pub how: &'static str,
    /// To whom it is sealed; `None`: it is not.
    pub recipients: Option<Rc<[Recipient]>>,
}

impl Capturing {
    /// The same with what services keep at the moment among what is masked.
    pub(super) fn with_literals(&self, literals: &[Vec<u8>]) -> Self {
        Self {
            plan: self.plan.with_literals(literals.to_vec()),
            names: self.names.with_literals(literals.to_vec()),
            ..self.clone()
        }
    }
}

/// What records hold of prompts and answers, whatever the connection.
pub(super) struct Captures {
    /// What is masked in texts.
    texts: Entities,
    /// What is masked in names.
    names: Entities,
    recipients: Option<Rc<[Recipient]>>,
}

impl Captures {
    /// On a connection with these secrets.
    pub(super) fn on(&self, plans: &Plans<'_>, secrets: &[Vec<u8>]) -> Capturing {
        Capturing {
            plan: plans.get(self.texts, secrets.to_vec()),
            names: plans.get(self.names, secrets.to_vec()),
            how: if self.recipients.is_some() { "full" } else { "masked" },
            recipients: self.recipients.clone(),
        }
    }
}

/// What records hold; `None`: no texts.
#[inline(never)]
pub(super) fn captures(
    set: &set::PolicySet,
    plans: &Plans<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Captures> {
    let audit = set.audit.as_ref().filter(|audit| audit.capture != set::Capture::None)?;
    let all = by_pattern(&audit.mask, plans, problems);
    if audit.capture == set::Capture::Masked {
        return Some(Captures { texts: all, names: all, recipients: None });
    }
    let recipient = |written: &Located<String>| {
        let parsed = Recipient::parse(&written.value);
        parsed.map_err(|error| problems.push(Problem::error(&written.place, error.to_string()))).ok()
    };
    let recipients: Vec<Recipient> = audit.recipients.iter().filter_map(recipient).collect();
    Some(Captures { texts: Entities::NONE, names: all, recipients: Some(recipients.into()) })
}

/// Entities for texts that no recogniser is asked about.
#[inline(never)]
pub(super) fn by_pattern(
    names: &[Located<String>],
    plans: &Plans<'_>,
    problems: &mut Vec<Problem>,
) -> Entities {
    let mut all = Entities::NONE;
    for name in names {
        let entities = masks::resolved(name, plans.catalogue(), problems);
        let known = plans.get(entities, Vec::new()).entities();
        if !entities.is_empty() && !entities.iter().any(|entity| known.contains(entity)) {
            let message = format!("only a recogniser finds `{}`, and it is not asked here", name.value);
            problems.push(Problem::error(&name.place, message).help("name what a detector finds"));
        }
        all = all.union(entities);
    }
    all
}
