//! Whole texts, for whoever does not stream.
use super::entity::{Entities, Found};
use super::plan::Plan;
use super::text::{Entity, Masks, Sink, TextMask};

/// Masks a whole text and counts what was found; `None` when nothing was.
pub fn mask_whole(plan: &Plan, text: &[u8], found: &mut Found) -> Option<Vec<u8>> {
    if plan.passes(text) {
        return None;
    }
    let mut copy = Copy { text, at: 0, copied: 0, out: Vec::new(), found };
    plan.begin().push(text, true, &mut copy);
    let Copy { copied, mut out, .. } = copy;
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    (copied > 0).then_some(out)
}

impl Plan {
    /// Which of the entities it looks for are in a whole text.
    pub fn find(&self, text: &[u8]) -> Entities {
        let mut seen = Seen(Entities::NONE);
        self.begin().push(text, true, &mut seen);
        seen.0
    }
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

    fn flag(&mut self, len: usize, entity: Entity) {
        self.found.add(entity);
        self.keep(len);
    }
}

struct Seen(Entities);

impl Sink for Seen {
    fn keep(&mut self, _: usize) {}

    fn replace(&mut self, _: usize, entity: Entity, _: &[u8]) {
        self.0 = self.0.union(entity.into());
    }

    fn flag(&mut self, _: usize, entity: Entity) {
        self.0 = self.0.union(entity.into());
    }

    fn swallow(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Catalogue;

    fn masked(text: &str) -> (Option<String>, Vec<String>) {
        let (mut found, known) = (Found::default(), Catalogue::built_in());
        let plan = Plan::new(&known, known.resolve("PII").unwrap(), vec![b"opensesame".to_vec()]);
        let out = mask_whole(&plan, text.as_bytes(), &mut found);
        let names = known.names_of(&found).into_iter().map(str::to_owned);
        (out.map(|out| String::from_utf8(out).unwrap()), names.collect())
    }

    #[test]
    fn a_whole_text_comes_out_with_its_values_replaced() {
        assert_eq!(
            masked("héllo jane@example.com, 536-90-4399; opensesame!"),
            (
                Some("héllo <EMAIL_ADDRESS>, <US_SSN>; <UPSTREAM_CREDENTIAL>!".into()),
                ["EMAIL_ADDRESS", "UPSTREAM_CREDENTIAL", "US_SSN"].map(str::to_owned).into()
            )
        );
    }

    #[test]
    fn a_text_without_values_is_not_copied() {
        assert_eq!(masked("nothing to see"), (None, vec![]));
        assert_eq!(masked(""), (None, vec![]));
    }

    #[test]
    fn a_long_value_is_counted_and_replaced_once() {
        let text = format!("x ghp_{} y", "aB3d".repeat(400));
        let known = Catalogue::built_in();
        let plan = Plan::new(&known, known.all(), Vec::new());
        let mut found = Found::default();
        assert_eq!(mask_whole(&plan, text.as_bytes(), &mut found).unwrap(), b"x <GITHUB_TOKEN> y");
        assert_eq!(found.iter().map(|(_, count)| count).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_text_says_which_of_the_entities_asked_for_it_holds() {
        let text = b"jane@example.com and 4111 1111 1111 1111";
        let known = Catalogue::built_in();
        let names = |set: &str| {
            let found = Plan::new(&known, known.resolve(set).unwrap(), Vec::new()).find(text);
            known.names(found).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names("PII"), ["EMAIL_ADDRESS", "CREDIT_CARD"]);
        assert_eq!(names("FINANCIAL"), ["CREDIT_CARD"]);
        assert_eq!(names("US_SSN"), [""; 0]);
    }
}
