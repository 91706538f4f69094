//! The likeness of events.

use crate::protocol::json::grammar::plain_len;

use super::notes::{Edited, Site};

/// The document of the event before.
///
/// The events of a stream differ in little but their texts. One that differs from the event before in nothing but the
/// insides of free strings and in its number means the same to the walk, which it is spared: its sites are those of the
/// event before, moved.
#[derive(Debug, Default)]
pub(super) struct Last {
    data: Vec<u8>,
    /// Where the sites stand in the document at hand.
    moved: Vec<(usize, usize)>,
}

impl Last {
    /// Longest document, and most sites, that are worth remembering.
    const MAX_BYTES: usize = 4096;
    const MAX_SITES: usize = 32;

    pub(super) fn forget(&mut self) {
        self.data.clear();
    }

    pub(super) fn remember(&mut self, data: &[u8], sites: &[Edited]) {
        self.data.clear();
        if data.len() <= Self::MAX_BYTES && sites.len() <= Self::MAX_SITES {
            self.data.extend_from_slice(data);
        }
    }

    /// Whether `data` is such a document; its sites then are the new ones.
    pub(super) fn resembles(&mut self, data: &[u8], sites: &mut [Edited]) -> bool {
        if self.data.is_empty() || !self.moves(data, sites) {
            return false;
        }
        for (site, (from, to)) in sites.iter_mut().zip(&self.moved) {
            (site.from, site.to) = (*from, *to);
        }
        true
    }

    /// Notes where the sites stand in `data`; false where it differs in more.
    fn moves(&mut self, data: &[u8], sites: &[Edited]) -> bool {
        self.moved.clear();
        let (mut old, mut new) = (0usize, 0usize);
        for site in sites {
            let same = site.from.saturating_sub(old);
            let from = new.saturating_add(same);
            let number = matches!(site.site, Site::Sequence);
            if !site.site.is_free() && !number {
                let len = site.to.saturating_sub(site.from);
                self.moved.push((from, from.saturating_add(len)));
                continue;
            }
            if self.data.get(old..site.from) != data.get(new..from) {
                return false;
            }
            // Should the string not end there, the closing quote that comes next in the last document will differ.
            let rest = data.get(from..).unwrap_or_default();
            let len = if number { number_len(rest) } else { string_len(rest) };
            let to = from.saturating_add(len);
            self.moved.push((from, to));
            (old, new) = (site.to, to);
        }
        self.data.get(old..) == data.get(new..)
    }
}

/// Length of the inside of a string, up to its closing quote or to what may not stand in it.
fn string_len(bytes: &[u8]) -> usize {
    let mut len = 0usize;
    loop {
        let rest = bytes.get(len..).unwrap_or_default();
        let plain = plain_len(rest);
        len = len.saturating_add(plain);
        len = len.saturating_add(match rest.get(plain..).unwrap_or_default() {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', hex @ ..]
                if hex.iter().take(4).filter(|byte| byte.is_ascii_hexdigit()).count() == 4 =>
            {
                6
            }
            _ => return len,
        });
    }
}

/// Length of the whole number that `bytes` begins with: up to 18 digits, so that it is the same number to everyone.
fn number_len(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take(18).take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 1 && bytes.first() == Some(&b'0') { 0 } else { digits }
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
            ("a", "\\"),
            ("a", "\n\""),
            ("", ""),
        ] {
            assert_eq!(string_len(format!("{inside}{rest}").as_bytes()), inside.len(), "{inside}{rest}");
        }
        for (number, rest) in [("0", ","), ("12", "}"), ("", "01"), ("", "-1"), ("1", ".5")] {
            assert_eq!(number_len(format!("{number}{rest}").as_bytes()), number.len(), "{number}{rest}");
        }
    }
}
