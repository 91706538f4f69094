//! Maskers that wait for the next text of their kind.
//!
//! Where a masker is as new after a text's end ([`Masks::is_reusable`]), its buffers are warm: most texts of a document
//! are so short that making one anew would cost more than they do. Elsewhere each text gets its own.

use crate::mask::text::Masks;

use super::nested::Nested;
use super::text::{End, Text};
use super::{Edit, Raw, number};

/// One for each kind of text; each is made when it is first asked for.
pub(crate) struct Spares<M: Masks> {
    text: Option<Text<M::Text>>,
    label: Option<Text<M::Text>>,
    nested: Option<Box<Nested<M::Text>>>,
    number: Option<M::Text>,
}

/// What a text is, to its masker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Kept but for secrets.
    Label,
    /// JSON itself.
    Nested,
}

impl<M: Masks> Default for Spares<M> {
    fn default() -> Self {
        Self { text: None, label: None, nested: None, number: None }
    }
}

impl<M: Masks> Spares<M> {
    /// A text of this kind begins.
    pub(crate) fn begin(&mut self, kind: Kind, masks: &M) {
        let fresh = !masks.is_reusable();
        match kind {
            Kind::Text if fresh || self.text.is_none() => self.text = Some(Text::new(masks.begin())),
            Kind::Nested if fresh || self.nested.is_none() => {
                self.nested = Some(Box::new(Nested::new(masks.begin())));
            }
            Kind::Label if fresh || self.label.is_none() => self.label = masks.begin_label().map(Text::new),
            Kind::Text | Kind::Label | Kind::Nested => {}
        }
    }

    /// Edits a piece of the text of this kind that began last. False: it stays, and is not written.
    pub(crate) fn piece(&mut self, kind: Kind, raw: Raw<'_>, end: End, edit: &mut Edit<'_, M>) -> bool {
        match kind {
            Kind::Text => self.text.as_mut().is_some_and(|text| text.edit(raw, end, edit)),
            Kind::Label => self.label.as_mut().is_some_and(|label| edit.label(label, raw, end)),
            Kind::Nested => {
                let Some(nested) = &mut self.nested else { return false };
                edit.out.extend_from_slice(raw.before);
                nested.push(raw.bytes, end, edit);
                true
            }
        }
    }

    /// Bytes held of the texts under way.
    pub(crate) fn held(&self) -> usize {
        let text = self.text.as_ref().map_or(0, Text::held);
        let label = self.label.as_ref().map_or(0, Text::held);
        let nested = self.nested.as_ref().map_or(0, |nested| nested.held());
        text.saturating_add(label).saturating_add(nested)
    }

    /// Edits a whole text. False: it stays, and is not written.
    pub(crate) fn edit_text(&mut self, raw: Raw<'_>, edit: &mut Edit<'_, M>) -> bool {
        self.begin(Kind::Text, edit.masks);
        self.piece(Kind::Text, raw, End::Text, edit)
    }

    /// Edits a whole text that is JSON, in the same way.
    pub(crate) fn edit_nested(&mut self, raw: Raw<'_>, edit: &mut Edit<'_, M>) -> bool {
        self.begin(Kind::Nested, edit.masks);
        self.piece(Kind::Nested, raw, End::Text, edit)
    }

    /// Edits a whole label, in the same way.
    pub(crate) fn edit_label(&mut self, raw: Raw<'_>, edit: &mut Edit<'_, M>) -> bool {
        // Nearly no label holds a secret, and asking costs less than searching.
        if !edit.masks.may_hold(raw.bytes) {
            return false;
        }
        self.begin(Kind::Label, edit.masks);
        self.piece(Kind::Label, raw, End::Text, edit)
    }

    /// Edits a number (see [`number::masked`]), in the same way.
    pub(crate) fn edit_number(&mut self, raw: Raw<'_>, edit: &mut Edit<'_, M>) -> bool {
        if edit.masks.passes_number(raw.bytes) {
            return false;
        }
        let mask = next_number(&mut self.number, edit.masks);
        number::masked(raw.bytes, mask, edit.tally).is_some_and(|masked| raw.instead(&masked, edit.out))
    }
}

/// The masker of the next number.
pub(super) fn next_number<'s, M: Masks>(spare: &'s mut Option<M::Text>, masks: &M) -> &'s mut M::Text {
    if !masks.is_reusable() {
        *spare = None;
    }
    spare.get_or_insert_with(|| masks.begin_number())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::mask::operators::restore::{Restoration, Restoring};
    use crate::mask::text::{Entity, Sink, TextMask};
    use crate::mask::{Catalogue, Plan};

    /// Decisions, as they were told.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Told(Vec<(char, usize, Vec<u8>)>);

    impl Sink for Told {
        fn keep(&mut self, len: usize) {
            self.0.push(('k', len, Vec::new()));
        }
        fn replace(&mut self, len: usize, _: Entity, with: &[u8]) {
            self.0.push(('r', len, with.to_vec()));
        }
        fn swallow(&mut self, len: usize) {
            self.0.push(('s', len, Vec::new()));
        }
        fn restore(&mut self, len: usize, with: &[u8]) {
            self.0.push(('b', len, with.to_vec()));
        }
    }

    fn word() -> impl Strategy<Value = String> {
        const WORDS: &[&str] = &[
            "jane@example.com",
            "jane@",
            "4111 1111 1111 1111",
            "4111",
            "４１１１",
            "ghp_",
            "pk-live-0123456789abcdef",
            "pk-live",
            "<NAME_1>",
            "<NAM",
            "ssn 536-90-",
            "4399",
            "%34%31",
            "-----BEGIN PRIVATE KEY-----",
        ];
        prop_oneof![
            prop::sample::select(WORDS).prop_map(str::to_owned),
            Just("aB3d".repeat(100)),
            "[a-z0-9 .@-]{0,6}"
        ]
    }

    proptest! {
        #[test]
        fn a_masker_that_may_be_used_again_is_as_new_after_a_text(
            texts in prop::collection::vec((prop::collection::vec(word(), 0..4), 1usize..40), 2..5), number: bool,
        ) {
            let known = Catalogue::built_in();
            let plan = Plan::new(&known, known.usual(), vec![b"pk-live-0123456789abcdef".to_vec()]);
            let names = Restoration::new([(b"<NAME_1>".to_vec(), b"Jane".to_vec())]);
            let masks = Restoring::new(plan, Rc::new(names));
            prop_assert!(masks.is_reusable());
            let begin = || if number { masks.begin_number() } else { masks.begin() };
            let mut again = begin();
            for (words, size) in texts {
                let text = words.concat().into_bytes();
                let mask = |masker: &mut _| {
                    let mut told = Told::default();
                    text.chunks(size).for_each(|piece| TextMask::push(masker, piece, false, &mut told));
                    TextMask::push(masker, b"", true, &mut told);
                    (told, TextMask::held(masker))
                };
                prop_assert_eq!(mask(&mut again), mask(&mut begin()));
            }
        }
    }
}
