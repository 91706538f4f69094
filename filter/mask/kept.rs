//! A copy of texts for the record: masked by a plan of its own, while what they stand in stays as it is.
//!
//! Whoever reads a document with these masks gets every byte back as it came; the masked texts collect in a [`Book`]. A
//! text's pieces, put together, are the plan's work on the whole text, however the text was cut and however often the
//! book was emptied meanwhile. What cannot be decided yet waits in its text: of a text that never ends, such bytes are
//! in no book.
use std::cell::RefCell;
use std::rc::Rc;

use super::Views;
use super::plan::Plan;
use super::text::{Entity, Masks, Sink, TextMask};

/// What a piece costs beside its text, in bytes: a flood of short ones must count as well.
const PIECE: usize = 32;

/// The masked texts of one document so far.
#[derive(Clone, Default)]
pub struct Book(Rc<RefCell<Pages>>);

#[derive(Default)]
struct Pages {
    pieces: Vec<(u64, String)>,
    bytes: usize,
    texts: u64,
}

impl Book {
    /// Takes out what is there: pieces, each with the number of its text. Texts are numbered from 1, in the order in which
    /// they began.
    pub fn take(&self) -> Vec<(u64, String)> {
        let mut pages = self.0.borrow_mut();
        pages.bytes = 0;
        std::mem::take(&mut pages.pieces)
    }

    /// Puts back the last of what was taken, before anything came behind it.
    pub fn put_back(&self, pieces: Vec<(u64, String)>) {
        let mut pages = self.0.borrow_mut();
        let bytes = pieces.iter().map(|(_, piece)| piece.len().saturating_add(PIECE));
        pages.bytes = bytes.fold(0, usize::saturating_add);
        pages.pieces = pieces;
    }

    /// How much is there, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.borrow().bytes
    }

    /// Adds to a text; gives its number.
    fn add(&self, text: Option<u64>, piece: String) -> u64 {
        let mut pages = self.0.borrow_mut();
        let text = text.unwrap_or_else(|| {
            pages.texts = pages.texts.saturating_add(1);
            pages.texts
        });
        pages.bytes = pages.bytes.saturating_add(piece.len());
        match pages.pieces.last_mut() {
            Some((last, pieces)) if *last == text => pieces.push_str(&piece),
            _ => {
                pages.bytes = pages.bytes.saturating_add(PIECE);
                pages.pieces.push((text, piece));
            }
        }
        text
    }
}

/// Copies the texts of one document into a book.
pub struct Keeping {
    plan: Plan,
    book: Book,
}

impl Keeping {
    /// Masks the copy by a plan.
    pub fn new(plan: Plan, book: Book) -> Self {
        Self { plan, book }
    }
}

impl Masks for Keeping {
    type Text = Kept;

    fn begin(&self) -> Kept {
        Kept::Text(Box::new(Copy {
            masker: self.plan.begin(),
            book: self.book.clone(),
            number: None,
            undecided: Vec::new(),
            masked: Vec::new(),
        }))
    }

    // So numbers within a text that is JSON itself, such as a tool's arguments, are texts too.
    fn masks_numbers(&self) -> bool {
        false
    }

    fn begin_number(&self) -> Kept {
        Kept::Number
    }
}

/// One text.
pub enum Kept {
    /// On its way into a book.
    Text(Box<Copy>),
    /// A bare number, which is no text.
    Number,
}

/// One text on its way into a book.
pub struct Copy {
    masker: Views,
    book: Book,
    /// Its number, once something of it is in the book.
    number: Option<u64>,
    /// What came and the masker has not decided.
    undecided: Vec<u8>,
    /// What is masked and not in the book yet: a character's beginning.
    masked: Vec<u8>,
}

impl TextMask for Kept {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        match self {
            Self::Text(copy) => copy.push(text, end, sink),
            Self::Number => keep(text.len(), sink),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Text(copy) => copy.undecided.len(),
            Self::Number => 0,
        }
    }
}

fn keep(len: usize, sink: &mut dyn Sink) {
    if len > 0 {
        sink.keep(len);
    }
}

impl Copy {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        let mut came = std::mem::take(&mut self.undecided);
        came.extend_from_slice(text);
        let mut copying = Copying { came: &came, at: 0, masked: &mut self.masked, sink };
        self.masker.push(text, end, &mut copying);
        let at = copying.at.min(came.len());
        came.drain(..at);
        self.undecided = came;
        self.turn(end);
    }

    /// Puts what is masked into the book, whole characters.
    fn turn(&mut self, end: bool) {
        let whole = if end { self.masked.len() } else { whole_characters(&self.masked) };
        if whole == 0 {
            return;
        }
        let rest = self.masked.split_off(whole);
        let masked = std::mem::replace(&mut self.masked, rest);
        let piece = String::from_utf8(masked)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        self.number = Some(self.book.add(self.number, piece));
        if end {
            self.number = None;
        }
    }
}

/// How many bytes there are before a character that is cut at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map(|chunk| chunk.invalid()).unwrap_or_default();
    let cut = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    bytes.len().saturating_sub(if cut { last.len() } else { 0 })
}

/// Writes down what becomes of the copy; of the text itself all is kept.
struct Copying<'a> {
    came: &'a [u8],
    at: usize,
    masked: &'a mut Vec<u8>,
    sink: &'a mut dyn Sink,
}

impl Sink for Copying<'_> {
    fn keep(&mut self, len: usize) {
        let end = self.at.saturating_add(len);
        self.masked.extend_from_slice(self.came.get(self.at..end).unwrap_or_default());
        self.swallow(len);
    }

    fn replace(&mut self, len: usize, _: Entity, with: &[u8]) {
        self.masked.extend_from_slice(with);
        self.swallow(len);
    }

    fn swallow(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
        keep(len, self.sink);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mask::{Catalogue, Found, mask_whole};

    #[derive(Default)]
    struct Bytes(usize);

    impl Sink for Bytes {
        fn keep(&mut self, len: usize) {
            self.0 += len;
        }
        fn replace(&mut self, _: usize, _: Entity, _: &[u8]) {
            panic!("the text itself stays");
        }
        fn swallow(&mut self, _: usize) {
            panic!("the text itself stays");
        }
    }

    fn plan() -> Plan {
        let catalogue = Catalogue::built_in();
        let entities = catalogue.resolve("PII").unwrap().union(catalogue.resolve("SECRETS").unwrap());
        Plan::new(&catalogue, entities, vec![b"opensesame".to_vec()])
    }

    fn whole(plan: &Plan, text: &[u8]) -> String {
        let masked = mask_whole(plan, text, &mut Found::default()).unwrap_or_else(|| text.to_vec());
        String::from_utf8_lossy(&masked).into_owned()
    }

    #[test]
    fn texts_are_numbered_as_they_begin_and_empty_ones_are_none() {
        let book = Book::default();
        let masks = Keeping::new(plan(), book.clone());
        let (mut first, mut second, mut none) = (masks.begin(), masks.begin(), masks.begin());
        let mut sink = Bytes::default();
        none.push(b"", true, &mut sink);
        second.push(b"b ", false, &mut sink);
        first.push(b"to jane@exam", false, &mut sink);
        second.push(b"opensesame.", true, &mut sink);
        first.push(b"ple.com", true, &mut sink);
        masks.begin_number().push(b"4111", true, &mut sink);
        let pieces = [(1, "b "), (2, "to "), (1, "<UPSTREAM_CREDENTIAL>."), (2, "<EMAIL_ADDRESS>")];
        let taken = book.take();
        assert!(taken.iter().map(|(text, piece)| (*text, piece.as_str())).eq(pieces), "{taken:?}");
        assert_eq!((sink.0, book.bytes(), book.take().len()), (36, 0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_pieces_are_the_masked_whole_however_it_is_cut_and_the_book_emptied(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("jane@example.com"), Just("4111 1111 1111 1111"), Just("opensesame"), Just(" "),
                    Just("ghp_aB3daB3daB3daB3daB3daB3daB3daB3daB3d"), Just("é😀"), Just("\u{200b}"), Just("@"),
                ],
                0..8,
            ),
            bad in prop::option::of(any::<u8>()),
            piece in 1usize..9,
            emptied in 1usize..5,
        ) {
            let mut text = parts.concat().into_bytes();
            text.extend(bad);
            let (plan, book) = (plan(), Book::default());
            let mut kept = Keeping::new(plan.clone(), book.clone()).begin();
            let (mut sink, mut pieces) = (Bytes::default(), Vec::new());
            for (at, piece) in text.chunks(piece).enumerate() {
                kept.push(piece, false, &mut sink);
                prop_assert_eq!(kept.held() + sink.0, text.len().min(sink.0 + kept.held()));
                if at % emptied == 0 {
                    pieces.extend(book.take());
                }
            }
            kept.push(b"", true, &mut sink);
            pieces.extend(book.take());
            prop_assert_eq!((kept.held(), sink.0), (0, text.len()));
            prop_assert!(pieces.iter().all(|(text, _)| *text == 1));
            let joined: String = pieces.into_iter().map(|(_, piece)| piece).collect();
            prop_assert_eq!(joined, whole(&plan, &text));
        }
    }
}
