//! Content codings (RFC 9110, 8.4.1): answers that come compressed although nobody asked for it.
//!
//! `gzip` (RFC 1952, several members too) and `deflate` (RFC 1950, and the bare RFC 1951 that some servers send under
//! that name) are undone as the bytes come, cut anywhere; what has come of the text goes on at once. Check sums and
//! lengths are compared, and a stream that ends early is no answer. Memory is the window of 32 KiB; how far bytes may
//! expand is bounded ([`MAX_RATIO`]), so that a small answer cannot become a huge one.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use super::Unreadable;

/// Most bytes of text for each compressed byte, beyond [`SLACK`]. The format itself reaches 1032.
pub const MAX_RATIO: u64 = 100;

/// Bytes of text that a short answer may have beyond the ratio.
pub const SLACK: u64 = 1 << 20;

/// Text that is made at once, in bytes.
const WINDOW: usize = 32 << 10;

/// A coding that is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 without its envelope.
    Deflate,
}

/// A coding that is not: unknown, or one upon another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a content coding that is not read")]
pub struct Unknown;

/// The coding that `content-encoding` names: the values of all its lines, each a list. `None`: none at all.
pub fn named<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Coding>, Unknown> {
    let names = values.flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    let mut found = None;
    for name in names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity")) {
        let coding = match name.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Coding::Gzip,
            b"deflate" => Coding::Deflate,
            _ => return Err(Unknown),
        };
        if found.replace(coding).is_some() {
            return Err(Unknown);
        }
    }
    Ok(found)
}

const fn broken(reason: &'static str) -> Unreadable {
    Unreadable::Coding { reason }
}

/// Where in the coded bytes the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Nothing came yet.
    Start,
    /// In the fixed part of a gzip member's head, or in the first two bytes of `deflate`.
    Head,
    /// In the length of the extra field.
    ExtraLen,
    Extra(u16),
    Name,
    Comment,
    HeadSum,
    Body,
    /// In the check sum and length behind a gzip member.
    Trailer,
    /// Behind a member: another may follow.
    Member,
    /// Behind `deflate`: nothing may follow.
    Done,
}

const TEXT_FLAGS: u8 = 0x1f;
const HEAD_SUM: u8 = 0x02;
const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;

/// Undoes one coding.
pub(crate) struct Decoder {
    coding: Coding,
    at: At,
    /// Bytes of the part under way that are needed together.
    part: Vec<u8>,
    flags: u8,
    inflate: Box<InflateState>,
    window: Box<[u8]>,
    /// Of the gzip head, then of the member's text.
    sum: crc32fast::Hasher,
    /// Length of the member's text, modulo 2^32.
    len: u32,
    taken: u64,
    given: u64,
}

impl Decoder {
    pub(crate) fn new(coding: Coding) -> Self {
        Self {
            coding,
            at: At::Start,
            part: Vec::new(),
            flags: 0,
            inflate: InflateState::new_boxed(DataFormat::Raw),
            window: vec![0; WINDOW].into_boxed_slice(),
            sum: crc32fast::Hasher::new(),
            len: 0,
            taken: 0,
            given: 0,
        }
    }

    /// Whether the bytes that came may be all.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.at, At::Start | At::Member | At::Done)
    }

    /// Takes the next bytes, cut anywhere, and gives out the text that has come of them.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        self.taken = self.taken.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.at == At::Body {
                bytes = self.body(bytes, each)?;
                continue;
            }
            match self.coding {
                Coding::Gzip => self.envelope(byte)?,
                Coding::Deflate => self.deflate_head(byte, each)?,
            }
            bytes = rest;
        }
        Ok(())
    }

    /// The bytes are all here.
    pub(crate) fn finish(&self) -> Result<(), Unreadable> {
        if self.is_whole() { Ok(()) } else { Err(broken("it ends within its data")) }
    }

    /// A byte of a gzip member's head or trailer.
    fn envelope(&mut self, byte: u8) -> Result<(), Unreadable> {
        if matches!(self.at, At::Start | At::Member) {
            self.at = At::Head;
            self.sum = crc32fast::Hasher::new();
        }
        if !matches!(self.at, At::HeadSum | At::Trailer) {
            self.sum.update(&[byte]);
        }
        self.part.push(byte);
        match self.at {
            At::Head if self.part.len() == 10 => self.head()?,
            At::ExtraLen => {
                if let [low, high] = *self.part {
                    self.next_part(At::Extra(u16::from_le_bytes([low, high])));
                }
            }
            At::Extra(left) => self.next_part(At::Extra(left.saturating_sub(1))),
            At::Name | At::Comment if byte == 0 => self.next_field(),
            At::Name | At::Comment => self.part.clear(),
            At::HeadSum => {
                if let [low, high] = *self.part {
                    let sum = self.sum.clone().finalize() & 0xffff;
                    if sum != u32::from(u16::from_le_bytes([low, high])) {
                        return Err(broken("its head's check sum is wrong"));
                    }
                    self.next_field();
                }
            }
            At::Trailer => self.trailer()?,
            At::Head | At::Start | At::Member | At::Body | At::Done => {}
        }
        Ok(())
    }

    /// The fixed part of a member's head is whole.
    fn head(&mut self) -> Result<(), Unreadable> {
        let [0x1f, 0x8b, 8, flags, ..] = *self.part else { return Err(broken("it is no gzip")) };
        if flags & !TEXT_FLAGS != 0 {
            return Err(broken("its head has unknown flags"));
        }
        self.flags = flags;
        self.next_field();
        Ok(())
    }

    /// Goes on to the optional field that comes next.
    fn next_field(&mut self) {
        let fields =
            [(EXTRA, At::ExtraLen), (NAME, At::Name), (COMMENT, At::Comment), (HEAD_SUM, At::HeadSum)];
        let next = fields.iter().find(|(flag, _)| self.flags & flag != 0);
        let Some(&(flag, at)) = next else {
            self.begin_body(DataFormat::Raw);
            return;
        };
        self.flags &= !flag;
        self.part.clear();
        self.at = at;
    }

    /// Goes on within the extra field.
    fn next_part(&mut self, at: At) {
        self.part.clear();
        self.at = at;
        if at == At::Extra(0) {
            self.next_field();
        }
    }

    fn begin_body(&mut self, format: DataFormat) {
        self.part.clear();
        self.inflate.reset(format);
        self.sum = crc32fast::Hasher::new();
        self.len = 0;
        self.at = At::Body;
    }

    fn trailer(&mut self) -> Result<(), Unreadable> {
        let &[a, b, c, d, e, f, g, h] = self.part.as_slice() else { return Ok(()) };
        if u32::from_le_bytes([a, b, c, d]) != self.sum.clone().finalize() {
            return Err(broken("its check sum is wrong"));
        }
        if u32::from_le_bytes([e, f, g, h]) != self.len {
            return Err(broken("its length is wrong"));
        }
        self.part.clear();
        self.at = At::Member;
        Ok(())
    }

    /// A byte before or behind `deflate`'s data: the first two tell whether it has an envelope.
    fn deflate_head(
        &mut self,
        byte: u8,
        each: &mut impl FnMut(&[u8]) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        if self.at == At::Done {
            return Err(broken("something follows it"));
        }
        self.at = At::Head;
        self.part.push(byte);
        let [method, flags] = *self.part else { return Ok(()) };
        // Bare data begins like this only where its writer pads with ones, which none does.
        let enveloped = method & 0x8f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31);
        self.begin_body(if enveloped { DataFormat::Zlib } else { DataFormat::Raw });
        let head = [method, flags];
        let rest = self.body(&head, each)?;
        if rest.is_empty() { Ok(()) } else { Err(broken("something follows it")) }
    }

    /// Takes what of `bytes` belongs to the data, and gives back the rest.
    fn body<'a>(
        &mut self,
        mut bytes: &'a [u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), Unreadable>,
    ) -> Result<&'a [u8], Unreadable> {
        loop {
            let step = inflate(&mut self.inflate, bytes, &mut self.window, MZFlush::None);
            bytes = bytes.get(step.bytes_consumed..).unwrap_or_default();
            let text = self.window.get(..step.bytes_written).unwrap_or_default();
            self.given = self.given.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
            if self.given > self.taken.saturating_mul(MAX_RATIO).saturating_add(SLACK) {
                return Err(broken("it expands beyond what is read"));
            }
            self.sum.update(text);
            self.len = self.len.wrapping_add(u32::try_from(text.len()).unwrap_or(0));
            let full = text.len() == self.window.len();
            if !text.is_empty() {
                each(text)?;
            }
            match step.status {
                Ok(MZStatus::StreamEnd) => {
                    self.at = if self.coding == Coding::Gzip { At::Trailer } else { At::Done };
                    return Ok(bytes);
                }
                // Nothing more comes of what is here.
                Err(MZError::Buf) if bytes.is_empty() => return Ok(bytes),
                Ok(_) if bytes.is_empty() && !full => return Ok(bytes),
                Ok(_) => {}
                Err(_) => return Err(broken("its data is damaged")),
            }
        }
    }
}

#[cfg(test)]
mod tests;
