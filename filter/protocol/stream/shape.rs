//! The likeness of events.
//!
//! The events of a stream differ in little but their texts. A document that differs from the one before in nothing but
//! values that mean nothing to the walk (the insides of free strings, numbers that only count) would be walked to the
//! same places and the same decisions: so it is not walked. Everything else is compared byte by byte with what was
//! read last, and goes out as that did.

use crate::plain::plain_len;
use crate::protocol::bytes::after;
use crate::protocol::json::grammar::Scalar;
use crate::protocol::json::unescape::escape_len;

use super::Key;
use super::notes::{Edited, Site};

/// A value in whose place another one may stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hole {
    pub(super) site: Site,
    /// Which text it is a piece of, where it is one.
    pub(super) key: Option<Key>,
    /// How many bytes come before it that must be the same.
    fixed: usize,
    /// Where it stands in the document at hand.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it has no escapes there.
    pub(super) plain: bool,
}

/// A document's likeness: what must be the same, and what stands between.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// What must be the same, without the holes.
    fixed: Vec<u8>,
    pub(super) holes: Vec<Hole>,
    /// Bytes of text in what must be the same.
    pub(super) delivered: usize,
    /// Whether some texts are carried by the events that hold pieces of them.
    pub(super) carries: bool,
    known: bool,
    /// Up to here the document that is being learnt is in `fixed`.
    at: usize,
    #[cfg(test)]
    pub(crate) watched: Watched,
}

/// For tests: whether nothing is known by its likeness, and how often something was.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) off: bool,
    pub(crate) known: usize,
}

impl Shape {
    /// Longest document, and most holes, that are worth remembering.
    const MAX_BYTES: usize = 4096;
    const MAX_HOLES: usize = 32;

    pub(super) fn forget(&mut self) {
        self.known = false;
    }

    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// Begins to learn a document; false: it is too long.
    pub(super) fn begin(&mut self, data: &[u8]) -> bool {
        self.fixed.clear();
        self.holes.clear();
        (self.delivered, self.at) = (0, 0);
        (self.known, self.carries) = (false, false);
        data.len() <= Self::MAX_BYTES
    }

    /// The next value that may change; false: there are too many.
    pub(super) fn hole(&mut self, data: &[u8], edited: &Edited, key: Option<Key>) -> bool {
        // What is dropped must be the same, and yet is written in another way.
        let to = if matches!(edited.site, Site::Drop(_)) { edited.to } else { edited.from };
        let fixed = data.get(self.at..to).unwrap_or_default();
        self.fixed.extend_from_slice(fixed);
        self.at = edited.to;
        let (from, to) = (edited.from, edited.to);
        self.holes.push(Hole { site: edited.site, key, fixed: fixed.len(), from, to, plain: false });
        self.holes.len() < Self::MAX_HOLES
    }

    /// The document is learnt.
    pub(super) fn finish(&mut self, data: &[u8]) {
        #[cfg(test)]
        if self.watched.off {
            return;
        }
        self.fixed.extend_from_slice(data.get(self.at..).unwrap_or_default());
        self.known = true;
    }

    /// How many of `bytes` a document takes that is like this one; `None`: they begin with no such document. Its holes
    /// are then where they stand in it.
    pub(super) fn matches(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.known {
            return None;
        }
        let mut at = 0usize;
        let mut fixed = self.fixed.as_slice();
        for hole in &mut self.holes {
            let (before, behind) = fixed.split_at_checked(hole.fixed)?;
            fixed = behind;
            let rest = after(bytes.get(at..)?, before)?;
            at = at.saturating_add(before.len());
            if let Site::Drop(_) = hole.site {
                let len = hole.to.saturating_sub(hole.from);
                (hole.from, hole.to) = (at.saturating_sub(len), at);
                continue;
            }
            let (len, plain) = value(hole.site, rest)?;
            hole.from = at;
            at = at.saturating_add(len);
            (hole.to, hole.plain) = (at, plain);
        }
        after(bytes.get(at..)?, fixed)?;
        Some(at.saturating_add(fixed.len()))
    }
}

/// Length of a value of this kind that `bytes` begin with, and whether it has no escapes. Should it go on, what must be
/// the same behind it will differ.
fn value(site: Site, bytes: &[u8]) -> Option<(usize, bool)> {
    let some = |len: usize| (len > 0).then_some((len, true));
    match site {
        Site::Number => some(number_len(bytes)),
        Site::Sequence | Site::Count(_) => some(count_len(bytes)),
        _ => {
            let (len, plain) = string_len(bytes);
            std::str::from_utf8(bytes.get(..len)?).is_ok().then_some((len, plain))
        }
    }
}

/// Length of the inside of a string, up to its closing quote or to what may not stand in it; and whether it has no
/// escapes.
fn string_len(bytes: &[u8]) -> (usize, bool) {
    let mut len = plain_len(bytes);
    let mut plain = true;
    loop {
        let escape = escape_len(bytes.get(len..).unwrap_or_default());
        if escape == 0 {
            return (len, plain);
        }
        plain = false;
        len = len.saturating_add(escape);
        len = len.saturating_add(plain_len(bytes.get(len..).unwrap_or_default()));
    }
}

/// Length of the whole number that `bytes` begin with: up to 18 digits, so that it is the same number to everyone.
fn count_len(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take(18).take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 1 && bytes.first() == Some(&b'0') { 0 } else { digits }
}

/// Length of the number that `bytes` begin with, as far as a walk would take it.
fn number_len(bytes: &[u8]) -> usize {
    const LONGEST: usize = 64;
    let mut scalar = Scalar::new();
    let len = scalar.run(bytes.get(..LONGEST.min(bytes.len())).unwrap_or_default());
    if scalar.is_whole() && scalar.is_number() { len } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_with_its_quote_or_before_what_may_not_stand_in_it() {
        for (inside, rest) in [
            ("plain é", "\", x"),
            (r#"\"a\"\\"#, "\","),
            (r"\u00e9\ud83d\n", "\""),
            ("a", "\\x\""),
            ("a", "\\u12g4\""),
            ("a", "\\u12"),
            ("a", "\\"),
            ("a", "\n\""),
            ("", ""),
        ] {
            let expected = (inside.len(), !inside.contains('\\'));
            assert_eq!(string_len(format!("{inside}{rest}").as_bytes()), expected, "{inside}{rest}");
        }
        for (number, rest) in [("0", ","), ("12", "}"), ("", "01"), ("", "-1"), ("1", ".5")] {
            assert_eq!(count_len(format!("{number}{rest}").as_bytes()), number.len(), "{number}{rest}");
        }
        for (number, rest) in [("0", ","), ("-1.5e3", "}"), ("0", "1"), ("", "-"), ("", "null"), ("", "1.")] {
            assert_eq!(number_len(format!("{number}{rest}").as_bytes()), number.len(), "{number}{rest}");
        }
    }
}
