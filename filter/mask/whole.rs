//! Whole texts, for whoever does not stream.
use super::entity::{Entities, Found};
use super::plan::Plan;
use super::text::{Entity, Masks, Sink, TextMask};

/// Masks a whole text and counts what was found; `None` when nothing was.
pub fn mask_whole(plan: &Plan, text: &[u8], found: &mut Found) -> Option<Vec<u8>> {
    if plan.is_empty() {
        return None;
    }
    let mut copy = Copy { text, at: 0, copied: 0, out: Vec::new(), found };
    plan.begin().push(text, true, &mut copy);
    let Copy { copied, mut out, .. } = copy;
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    (copied > 0).then_some(out)
}

/// Which of the entities are in a whole text.
pub fn find_entities(entities: Entities, text: &[u8]) -> Entities {
    let mut seen = Seen(Entities::NONE);
    Plan::new(entities, Vec::new()).begin().push(text, true, &mut seen);
    seen.0
}

/// Builds the masked text. What is kept is copied with the next replacement, so that a clean text costs no copy.
struct Copy<'a> {
    text: &'a [u8],
    at: usize,
    /// How much of the text is in `out`, masked or not.
    copied: usize,
    out: Vec<u8>,
    found: &'a mut Found,
}

impl Sink for Copy<'_> {
    fn keep(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.out.extend_from_slice(self.text.get(self.copied..self.at).unwrap_or_default());
        self.out.extend_from_slice(with);
        self.swallow(len);
        self.found.add(entity);
    }

    fn swallow(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
        self.copied = self.at;
    }
}

struct Seen(Entities);

impl Sink for Seen {
    fn keep(&mut self, _: usize) {}

    fn replace(&mut self, _: usize, entity: Entity, _: &[u8]) {
        self.0 = self.0.union(entity.into());
    }

    fn swallow(&mut self, _: usize) {}
}
