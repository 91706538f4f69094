//! Follows a document's structure along a table, in pieces of any size.

use crate::plain::plain_len;
use crate::protocol::Unreadable;
use crate::protocol::bytes::same;

use super::Raw;
use super::grammar::{Grammar, Scalar, Token};
use super::table::{Fact, KEEP, MASK, Mark, Offset, OnNumber, OnText, Place, Vector};
use super::unescape::{decoded, escape_len};

/// Longest number, and longest string of which something is read, where it is cut by pieces.
pub(crate) const MAX_TOKEN: usize = 1024;

/// Longest raw key that may still be a known one: escapes make six bytes of one.
const MAX_KEY: usize = 256;

/// What a walk meets. Every byte of the document comes in exactly one of `pass`, `text`, `label`, `key`, `number` and
/// `dropped`, in the order of the document; but where one of them says that it leaves a part as it is (false), that
/// part comes again in a later `pass`. `at` is an offset in the piece that is being pushed; it means something only
/// where the document came as one piece.
pub(crate) trait Visit {
    /// These go out as they are.
    fn pass(&mut self, bytes: &[u8]);
    /// A marked value begins.
    fn enter(&mut self, mark: Mark);
    /// A piece of a string to mask, without its quotes. `path` stands for the way to it.
    fn text(&mut self, on: OnText, path: u32, part: &Part<'_>) -> bool;
    /// A piece of a string that is kept but for secrets, without its quotes.
    fn label(&mut self, part: &Part<'_>) -> bool;
    /// A piece of a key to mask.
    fn key(&mut self, part: &Part<'_>) -> bool;
    /// A number to mask.
    fn number(&mut self, part: &Part<'_>) -> bool;
    /// A number that is an offset into a text.
    fn offset(&mut self, offset: &'static Offset, part: &Part<'_>) -> bool;
    /// A value in whose place `with` is to be written.
    fn dropped(&mut self, with: &'static str, from: usize, to: usize);
    /// A kept value that is read: a string without its quotes, a number or a boolean. It also comes by `label` or `pass`.
    fn read(&mut self, fact: Fact, value: &[u8], at: usize);
}

/// A part of a document that may change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) raw: Raw<'a>,
    pub(crate) at: usize,
    /// Whether its value ends with it.
    pub(crate) end: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    place: &'static Place,
    object: bool,
    /// One bit for each of the place's fields that came.
    seen: u64,
    /// Stands for the way to it.
    path: u32,
    /// Position of the array's item under way, or how many keys of the object came.
    item: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Between,
    Key,
    /// In a key too long to be a known one.
    LongKey,
    String,
    Scalar,
}

/// The walk through one document.
#[derive(Debug)]
pub(crate) struct Walk {
    root: &'static Place,
    grammar: Grammar,
    frames: Vec<Frame>,
    /// Where the next value stands, and what stands for the way to it.
    next: &'static Place,
    path: u32,
    /// Where the document's kind stands, and whether keys came before it that it gives another meaning.
    kind: Option<(usize, usize)>,
    late: bool,
    state: State,
    /// Of an escape: 1 behind its backslash, then 5 to 2 for the hex digits that are missing.
    escape: u8,
    /// Whether the string under way has escapes.
    escaped: bool,
    scalar: Scalar,
    /// The token under way, where it began in an earlier piece and is needed whole.
    token: Vec<u8>,
    /// The depth at which a dropped value stands, and what is written for it.
    dropping: Option<(usize, &'static str)>,
    drops: bool,
    /// Whether vectors are left out.
    vectorless: bool,
    /// Bytes of earlier pieces.
    offset: u64,
}

/// A piece, and how far it is read.
struct Piece<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Up to here everything has been given to the visitor.
    given: usize,
}

impl<'a> Piece<'a> {
    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn forward(&mut self, by: usize) {
        self.at = self.at.saturating_add(by);
    }

    /// What goes from `from` up to here.
    fn part(&self, from: usize, end: bool, plain: bool) -> Part<'a> {
        let before = self.slice(self.given, from);
        Part { raw: Raw { before, bytes: self.slice(from, self.at), plain }, at: from, end }
    }

    /// Up to here everything is given, if it is `taken`.
    fn give(&mut self, taken: bool) {
        if taken {
            self.given = self.at;
        }
    }

    fn pass<V: Visit>(&mut self, to: usize, visit: &mut V) {
        if to > self.given {
            visit.pass(self.slice(self.given, to));
        }
        self.given = to;
    }
}

impl Walk {
    pub(crate) fn new(root: &'static Place) -> Self {
        Self {
            root,
            grammar: Grammar::new(),
            frames: Vec::new(),
            next: root,
            path: 0,
            kind: None,
            late: false,
            state: State::Between,
            escape: 0,
            escaped: false,
            scalar: Scalar::new(),
            token: Vec::new(),
            dropping: None,
            drops: true,
            vectorless: false,
            offset: 0,
        }
    }

    /// Values that the table drops are masked instead.
    pub(crate) fn without_drops(&mut self) {
        self.drops = false;
    }

    /// Vectors are left out.
    pub(crate) fn without_vectors(&mut self) {
        self.vectorless = true;
    }

    /// Begins another document, which is of this kind if the root knows it.
    pub(crate) fn restart(&mut self, kind: &[u8]) {
        self.grammar = Grammar::new();
        self.frames.clear();
        self.next = kind_of(self.root, kind).unwrap_or(self.root);
        self.path = 0;
        self.kind = None;
        self.late = false;
        self.state = State::Between;
        self.escape = 0;
        self.escaped = false;
        self.token.clear();
        self.dropping = None;
        self.offset = 0;
    }

    /// Where the document's kind stands, in the piece that said it.
    pub(crate) fn kind(&self) -> Option<(usize, usize)> {
        self.kind
    }

    /// Whether keys before the document's kind were read as if it had none: read it again with its kind.
    pub(crate) fn is_late(&self) -> bool {
        self.late
    }

    /// Takes the next piece; `end` says that the document is whole. After an error the walk is over.
    pub(crate) fn push<V: Visit>(
        &mut self,
        bytes: &[u8],
        end: bool,
        visit: &mut V,
    ) -> Result<(), Unreadable> {
        let mut piece = Piece { bytes, at: 0, given: 0 };
        self.pieces(&mut piece, end, visit).map_err(|reason| Unreadable::Json {
            at: self.offset.saturating_add(u64::try_from(piece.at).unwrap_or(u64::MAX)),
            reason,
        })?;
        self.offset = self.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if end && !(self.grammar.is_done() && matches!(self.state, State::Between)) {
            return Err(Unreadable::Truncated);
        }
        Ok(())
    }

    fn pieces<V: Visit>(
        &mut self,
        piece: &mut Piece<'_>,
        end: bool,
        visit: &mut V,
    ) -> Result<(), &'static str> {
        while piece.at < piece.bytes.len() {
            match self.state {
                State::Between => self.between(piece, visit)?,
                State::Key => self.key(piece, visit)?,
                State::LongKey => self.string(piece, self.on_key(), visit)?,
                State::String => self.string(piece, self.on_text(), visit)?,
                State::Scalar => self.scalar(piece, end, visit)?,
            }
        }
        if end && matches!(self.state, State::Scalar) {
            self.end_scalar(piece, piece.at, visit)?;
        }
        if self.dropping.is_none() {
            piece.pass(piece.at, visit);
        }
        Ok(())
    }

    /// What the string under way is.
    fn on_text(&self) -> OnText {
        match self.next.text {
            _ if self.dropping.is_some() => OnText::Keep,
            OnText::Link if !self.drops => OnText::Keep,
            text => text,
        }
    }

    fn on_number(&self) -> OnNumber {
        if self.dropping.is_some() { OnNumber::Keep } else { self.next.number }
    }

    fn between<V: Visit>(&mut self, piece: &mut Piece<'_>, visit: &mut V) -> Result<(), &'static str> {
        while let Some(&byte) = piece.bytes.get(piece.at) {
            let token = self.grammar.byte(byte)?;
            match token {
                Token::Space | Token::Colon => {}
                Token::Comma => self.comma(),
                Token::Open { object } => {
                    self.begin_value(piece, byte, visit);
                    self.frames.push(Frame { place: self.next, object, seen: 0, path: self.path, item: 0 });
                    self.next = if object { &MASK } else { self.next.items };
                    if !object {
                        self.path = way(self.path, &0u32.to_le_bytes());
                    }
                }
                Token::Close => {
                    self.frames.pop();
                    piece.forward(1);
                    self.end_value(piece, visit);
                    continue;
                }
                Token::Quote { key: true } => {
                    piece.forward(1);
                    self.escaped = false;
                    self.state = State::Key;
                    return Ok(());
                }
                Token::Quote { key: false } => {
                    self.begin_value(piece, byte, visit);
                    self.state = State::String;
                    self.escaped = false;
                    piece.forward(1);
                    return Ok(());
                }
                Token::Scalar => {
                    self.begin_value(piece, byte, visit);
                    self.scalar = Scalar::new();
                    self.state = State::Scalar;
                    return Ok(());
                }
            }
            piece.forward(1);
        }
        Ok(())
    }

    fn comma(&mut self) {
        if let Some(frame) = self.frames.last_mut()
            && !frame.object
        {
            self.next = frame.place.items;
            frame.item = frame.item.wrapping_add(1);
            self.path = way(frame.path, &frame.item.to_le_bytes());
        }
    }

    /// A value begins with this byte.
    fn begin_value<V: Visit>(&mut self, piece: &mut Piece<'_>, byte: u8, visit: &mut V) {
        if self.dropping.is_some() {
            return;
        }
        if let (Some(mark), false) = (self.next.mark, byte == b'n') {
            visit.enter(mark);
        }
        let dropped = self.next.drop.filter(|_| self.drops);
        let without = match self.next.vector {
            _ if !self.vectorless => None,
            Vector::Whole(with) => Some(with),
            Vector::Number if byte == b'-' || byte.is_ascii_digit() => Some("null"),
            Vector::Number | Vector::None => None,
        };
        if let Some(with) = dropped.or(without) {
            piece.pass(piece.at, visit);
            self.dropping = Some((self.frames.len(), with));
            self.next = &KEEP;
        }
    }

    /// A value ended before `piece.at`.
    fn end_value<V: Visit>(&mut self, piece: &mut Piece<'_>, visit: &mut V) {
        let Some((depth, with)) = self.dropping else { return };
        if depth == self.frames.len() {
            self.dropping = None;
            visit.dropped(with, piece.given, piece.at);
            piece.given = piece.at;
        }
    }

    fn key<V: Visit>(&mut self, piece: &mut Piece<'_>, visit: &mut V) -> Result<(), &'static str> {
        let from = piece.at;
        let closed = self.scan_string(piece)?;
        if self.dropping.is_some() {
            self.next = &KEEP;
        } else if closed && self.token.is_empty() {
            if !self.look_up(piece.slice(from, piece.at))? {
                let taken = visit.key(&piece.part(from, true, false));
                piece.give(taken);
            }
        } else {
            self.cut_key(piece, from, closed, visit)?;
        }
        if closed {
            piece.forward(1);
            self.state = State::Between;
        }
        Ok(())
    }

    /// A key cut by pieces waits in `token` until it is whole, or too long to be a known one.
    fn cut_key<V: Visit>(
        &mut self,
        piece: &mut Piece<'_>,
        from: usize,
        closed: bool,
        visit: &mut V,
    ) -> Result<(), &'static str> {
        piece.pass(from, visit);
        piece.given = piece.at;
        let mut token = std::mem::take(&mut self.token);
        token.extend_from_slice(piece.slice(from, piece.at));
        let long = token.len() > MAX_KEY;
        if closed || long {
            let stays =
                self.look_up(&token)? || !visit.key(&Part { raw: Raw::alone(&token), at: 0, end: closed });
            if stays {
                visit.pass(&token);
            }
            token.clear();
        }
        if long && !closed {
            self.state = State::LongKey;
        }
        self.token = token;
        Ok(())
    }

    /// What a key is that is not a known one.
    fn on_key(&self) -> OnText {
        let masked = self.dropping.is_none() && self.frames.last().is_some_and(|frame| frame.place.mask_keys);
        if masked { OnText::Mask } else { OnText::Keep }
    }

    /// Finds the place of a raw key's value; whether the key goes out as it is.
    fn look_up(&mut self, raw: &[u8]) -> Result<bool, &'static str> {
        if self.escaped && raw.len() <= MAX_KEY {
            let mut buffer = [0u8; MAX_KEY];
            return self.find(decoded(raw, &mut buffer));
        }
        self.find(raw)
    }

    fn find(&mut self, key: &[u8]) -> Result<bool, &'static str> {
        let Some(frame) = self.frames.last_mut() else { return Ok(false) };
        self.path = way(frame.path, key);
        frame.item = frame.item.wrapping_add(1);
        let found = frame.place.fields.iter().position(|(name, _)| same(name.as_bytes(), key));
        let Some((index, (_, place))) = found.and_then(|i| Some((i, frame.place.fields.get(i)?))) else {
            self.next = frame.place.other;
            return Ok(!frame.place.mask_keys);
        };
        let bit = 1u64.wrapping_shl(u32::try_from(index).unwrap_or(0));
        if frame.seen & bit != 0 {
            return Err("a key that comes twice");
        }
        frame.seen |= bit;
        self.next = place;
        Ok(true)
    }

    /// Goes on to the closing quote (true) or the end of the piece.
    #[inline]
    fn scan_string(&mut self, piece: &mut Piece<'_>) -> Result<bool, &'static str> {
        if self.escape == 0 {
            piece.forward(plain_len(piece.rest()));
            if piece.bytes.get(piece.at) == Some(&b'"') {
                return Ok(true);
            }
        }
        self.scan_escapes(piece)
    }

    fn scan_escapes(&mut self, piece: &mut Piece<'_>) -> Result<bool, &'static str> {
        loop {
            if self.escape == 0 {
                self.whole_escapes(piece);
            }
            let Some(&byte) = piece.bytes.get(piece.at) else { return Ok(false) };
            match (self.escape, byte) {
                (0, b'"') => return Ok(true),
                (0, b'\\') => {
                    self.escape = 1;
                    self.escaped = true;
                }
                (0, _) => return Err("a control character in a string"),
                (1, b'u') => self.escape = 5,
                (1, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.escape = 0,
                (1, _) => return Err("an unknown escape"),
                (2, _) if byte.is_ascii_hexdigit() => self.escape = 0,
                (_, _) if byte.is_ascii_hexdigit() => self.escape = self.escape.saturating_sub(1),
                _ => return Err("an escape without its four hex digits"),
            }
            piece.forward(1);
        }
    }

    /// Goes on over plain characters and escapes that are whole.
    fn whole_escapes(&mut self, piece: &mut Piece<'_>) {
        loop {
            let rest = piece.rest();
            let escape = rest.first() == Some(&b'\\');
            let len = if escape { escape_len(rest) } else { plain_len(rest) };
            if len == 0 {
                return;
            }
            self.escaped |= escape;
            piece.forward(len);
        }
    }

    fn string<V: Visit>(
        &mut self,
        piece: &mut Piece<'_>,
        on: OnText,
        visit: &mut V,
    ) -> Result<(), &'static str> {
        let from = piece.at;
        let closed = self.scan_string(piece)?;
        if let OnText::Read(fact) = on {
            self.read(fact, piece.slice(from, piece.at), from, closed, visit)?;
        }
        let key = matches!(self.state, State::LongKey);
        let part = piece.part(from, closed, !self.escaped);
        let taken = match on {
            OnText::Keep | OnText::Read(_) if key || self.dropping.is_some() => false,
            OnText::Keep | OnText::Read(_) => visit.label(&part),
            _ if key => visit.key(&part),
            _ => visit.text(on, self.path, &part),
        };
        piece.give(taken);
        if closed {
            piece.forward(1);
            self.state = State::Between;
            if !key {
                self.end_value(piece, visit);
            }
        }
        Ok(())
    }

    /// A part of a value that is read. One too long to be of use is not.
    fn read<V: Visit>(
        &mut self,
        fact: Fact,
        part: &[u8],
        at: usize,
        whole: bool,
        visit: &mut V,
    ) -> Result<(), &'static str> {
        if whole && self.token.is_empty() {
            visit.read(fact, part, at);
            return self.turn(fact, part, at, visit);
        }
        let room = MAX_TOKEN.saturating_sub(self.token.len());
        self.token.extend_from_slice(part.get(..room).unwrap_or(part));
        if !whole {
            return Ok(());
        }
        let mut token = std::mem::take(&mut self.token);
        let mut result = Ok(());
        if token.len() < MAX_TOKEN {
            visit.read(fact, &token, at);
            result = self.turn(fact, &token, at, visit);
        }
        token.clear();
        self.token = token;
        result
    }

    /// Reads on by the place of the kind that the object under way says it is.
    fn turn<V: Visit>(
        &mut self,
        fact: Fact,
        kind: &[u8],
        at: usize,
        visit: &mut V,
    ) -> Result<(), &'static str> {
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut().filter(|_| fact == Fact::Kind) else { return Ok(()) };
        if depth == 1 {
            self.kind = Some((at, at.saturating_add(kind.len())));
        }
        let mut buffer = [0u8; MAX_KEY];
        let kind = if kind.len() > MAX_KEY { kind } else { decoded(kind, &mut buffer) };
        let Some(place) = kind_of(frame.place, kind) else { return Ok(()) };
        self.late |= depth == 1 && frame.item > 1;
        let mut seen = 0u64;
        for (at, (name, _)) in frame.place.fields.iter().enumerate() {
            if frame.seen.wrapping_shr(u32::try_from(at).unwrap_or(0)) & 1 == 0 {
                continue;
            }
            let Some(index) = place.fields.iter().position(|(other, _)| other == name) else { continue };
            seen |= 1u64.wrapping_shl(u32::try_from(index).unwrap_or(0));
        }
        frame.place = place;
        frame.seen = seen;
        if let Some(mark) = place.mark {
            visit.enter(mark);
        }
        Ok(())
    }

    fn scalar<V: Visit>(
        &mut self,
        piece: &mut Piece<'_>,
        end: bool,
        visit: &mut V,
    ) -> Result<(), &'static str> {
        let from = piece.at;
        let rest = piece.rest();
        let len = self.scalar.run(rest);
        piece.forward(len);
        if end || len < rest.len() {
            return self.end_scalar(piece, from, visit);
        }
        // Cut by the piece: its end may still come.
        let needed = match self.on_number() {
            OnNumber::Keep => false,
            OnNumber::Read(_) => true,
            OnNumber::Mask | OnNumber::Offset(_) => self.scalar.is_number(),
        };
        if needed {
            if self.token.is_empty() {
                piece.pass(from, visit);
            }
            self.token.extend_from_slice(piece.slice(from, piece.at));
            piece.given = piece.at;
            if self.token.len() > MAX_TOKEN {
                return Err("a number too long to read");
            }
        } else if self.dropping.is_none() {
            piece.pass(piece.at, visit);
        }
        Ok(())
    }

    /// The scalar that goes on at `from` ended before `piece.at`.
    fn end_scalar<V: Visit>(
        &mut self,
        piece: &mut Piece<'_>,
        from: usize,
        visit: &mut V,
    ) -> Result<(), &'static str> {
        if !self.scalar.is_whole() {
            return Err("not a value");
        }
        let cut = !self.token.is_empty();
        self.token.extend_from_slice(if cut { piece.slice(from, piece.at) } else { &[] });
        let token = std::mem::take(&mut self.token);
        let number = if cut { &token } else { piece.slice(from, piece.at) };
        let on = self.on_number();
        if !matches!(on, OnNumber::Keep) && number.len() > MAX_TOKEN {
            return Err("a number too long to read");
        }
        match on {
            OnNumber::Keep => {}
            OnNumber::Mask | OnNumber::Offset(_) if !self.scalar.is_number() => {}
            OnNumber::Read(fact) => {
                if number != b"null" {
                    visit.read(fact, number, from);
                }
                if cut {
                    visit.pass(number);
                    piece.given = piece.at;
                }
            }
            OnNumber::Mask | OnNumber::Offset(_) => {
                let before = if cut { &[] } else { piece.slice(piece.given, from) };
                let part = Part { raw: Raw { before, bytes: number, plain: true }, at: from, end: true };
                let taken = match on {
                    OnNumber::Offset(offset) => visit.offset(offset, &part),
                    _ => visit.number(&part),
                };
                if cut && !taken {
                    visit.pass(number);
                }
                piece.give(taken || cut);
            }
        }
        self.token = token;
        self.token.clear();
        self.state = State::Between;
        self.end_value(piece, visit);
        Ok(())
    }
}

/// The place of an object of this kind.
fn kind_of(place: &'static Place, kind: &[u8]) -> Option<&'static Place> {
    if kind.is_empty() {
        return None;
    }
    place.kinds.iter().find(|(name, _)| same(name.as_bytes(), kind)).map(|(_, place)| *place)
}

/// What stands for the way to a key or an item: a hash of the steps, eight bytes at a time.
fn way(path: u32, step: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(FACTOR);
        mixed ^ mixed.wrapping_shr(32)
    };
    let (words, rest) = step.as_chunks::<8>();
    let start = mix(u64::from(path), u64::try_from(step.len()).unwrap_or(u64::MAX));
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0u64, |word, byte| word.wrapping_shl(8) | u64::from(*byte));
    u32::try_from(mix(hash, rest) & 0xFFFF_FFFF).unwrap_or(0)
}
