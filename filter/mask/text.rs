//! The seam between the masker and whoever holds the text.
//!
//! A masker sees decoded text and answers in lengths of it: keep so many bytes, replace so many. Whoever holds the
//! text (a JSON string with its escapes, a plain body) applies the answer to the bytes as they came, so that what is
//! not masked goes out byte for byte as it came in.

/// A kind of personal data or secret, as an index into the table of detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(pub u16);

/// Takes a masker's decisions, in the order of the text. Every byte pushed is decided exactly once.
pub trait Sink {
    /// The next `len` bytes of text go out as they came.
    fn keep(&mut self, len: usize);
    /// The next `len` bytes of text are replaced by `with`.
    ///
    /// A value longer than the masker's memory is replaced in several calls: the first carries the replacement, the
    /// others come with [`Sink::swallow`].
    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]);
    /// The next `len` bytes belong to the entity replaced last and vanish with it.
    fn swallow(&mut self, len: usize);
    /// The next `len` bytes are a value that is counted and goes out as it came. What more a long one has comes with
    /// [`Sink::keep`].
    fn flag(&mut self, len: usize, _entity: Entity) {
        self.keep(len);
    }
    /// The next `len` bytes are a value with which the text ends for whoever reads it: neither it nor anything after
    /// it may go out. Decisions still come, up to the end of what was pushed.
    fn block(&mut self, len: usize, entity: Entity) {
        self.replace(len, entity, &[]);
    }
    /// The next `len` bytes are a name that stood for a value of the reader's own: `with` goes out in its stead. Only a
    /// masker that restores says so (see [`super::operators::restore`]).
    fn restore(&mut self, len: usize, _with: &[u8]) {
        self.keep(len);
    }
}

/// One text, masked as it comes.
pub trait TextMask {
    /// Takes the next piece; `end` says that the text is whole. Bytes that cannot be decided yet are held: they are
    /// decided by a later call. After `end` nothing is held.
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink);
    /// Bytes taken and not yet decided.
    fn held(&self) -> usize;
    /// The same masker once more, at the same place of the text. `None`: it has no equal.
    fn again(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// What starts a [`TextMask`] for each new text.
pub trait Masks {
    /// The masker of one text.
    type Text: TextMask;
    /// Begins a new text.
    fn begin(&self) -> Self::Text;
    /// Whether there is nothing that could be found: texts need not be looked at.
    fn finds_nothing(&self) -> bool {
        false
    }
    /// Whether a masker is as new after its text's end, so that the next text of its kind may go to the same one. If not,
    /// each text gets a masker of its own: some know their texts by the order in which they began.
    fn is_reusable(&self) -> bool {
        false
    }
    /// Whether numbers may be masked. If not, bare numbers in tool arguments are given out as they come.
    fn masks_numbers(&self) -> bool {
        true
    }
    /// Begins a bare number of JSON: what stands in a value's place is digits, or nothing where the whole number is to
    /// become zero.
    fn begin_number(&self) -> Self::Text {
        self.begin()
    }
    /// Begins a label: an identifier that clients and providers read, and that is kept but for secrets known by their
    /// very bytes. `None`: there are none.
    fn begin_label(&self) -> Option<Self::Text> {
        None
    }
    /// Whether a whole text, as JSON writes it, surely comes out as it came and with nothing counted: told at a glance,
    /// where a glance can tell. It saves most texts of a document a masker where secrets alone are looked for.
    fn passes(&self, _text: &[u8]) -> bool {
        false
    }
    /// The same of a number.
    fn passes_number(&self, number: &[u8]) -> bool {
        self.passes(number)
    }
    /// Whether a whole label, as JSON writes it, may hold such a secret.
    fn may_hold(&self, _label: &[u8]) -> bool {
        false
    }
}
