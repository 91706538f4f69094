//! What a field may hold.
//!
//! Each type keeps two promises. Bounds: whatever comes from outside is cut, and the cut is marked, so that a record
//! is bounded. Exactness: canonical JSON (RFC 8785) reads every number as an IEEE double and sorts names by UTF-16
//! units, so numbers stay where doubles are exact and names sort that way.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::order;

/// Longest text, in bytes of UTF-8, the mark of a cut included.
pub const MAX_TEXT: usize = 1024;
/// Most items in a list, and most names in a tally or among claims.
pub const MAX_ITEMS: usize = 64;
/// Most bytes in a list, all items together.
pub const MAX_LIST: usize = 4096;
/// Most bytes of members, names and values together.
pub const MAX_MEMBERS: usize = 8192;

/// A name from our own tables or types, never from outside.
pub type Name = &'static str;

/// Text of at most [`MAX_TEXT`] bytes; sorts as RFC 8785 sorts names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    /// Text from bytes that should be UTF-8; what is not becomes U+FFFD.
    pub fn lossy(bytes: &[u8]) -> Self {
        // Three bytes of replacement for each bad one, so this much is always enough to see that it was too long.
        match bytes.get(..MAX_TEXT.saturating_add(1)) {
            None => Self::from(String::from_utf8_lossy(bytes).as_ref()),
            Some(head) => {
                let text = String::from_utf8_lossy(head);
                let text = text.strip_suffix('\u{fffd}').unwrap_or(&text);
                Self(cut(text, bytes.len()))
            }
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.len() <= MAX_TEXT { Self(text.to_owned()) } else { Self(cut(text, text.len())) }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.len() <= MAX_TEXT { Self(text) } else { Self(cut(&text, text.len())) }
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The longest start of `text` that fits with a mark that says how long the whole was.
fn cut(text: &str, whole: usize) -> String {
    let mark = format!("…[{whole} bytes]");
    let mut end = MAX_TEXT.saturating_sub(mark.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let (head, _) = text.split_at_checked(end).unwrap_or(("", text));
    format!("{head}{mark}")
}

/// A URL's path. The query and the fragment, where keys and other people's data stand, are cut off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Text);

impl Path {
    /// The path of a request target such as `/v1/models?key=…`.
    pub fn of(target: &[u8]) -> Self {
        let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        Self(Text::lossy(path))
    }

    /// The path.
    pub fn as_text(&self) -> &Text {
        &self.0
    }
}

/// A list of texts; at most [`MAX_ITEMS`] items and [`MAX_LIST`] bytes, then one item that says how many are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    items: Vec<Text>,
    bytes: usize,
    more: usize,
}

impl Texts {
    /// Adds an item.
    pub fn push(&mut self, item: impl Into<Text>) {
        let item = item.into();
        let bytes = self.bytes.saturating_add(item.0.len());
        if self.more > 0 || self.items.len() >= MAX_ITEMS || bytes > MAX_LIST {
            self.more = self.more.saturating_add(1);
            return;
        }
        self.bytes = bytes;
        self.items.push(item);
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.more == 0
    }

    /// The items, the one about those left out included.
    pub fn items(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("…[{} more]", self.more));
        self.items.iter().map(|item| item.0.clone()).chain(more).collect()
    }
}

impl<T: Into<Text>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::default();
        items.into_iter().for_each(|item| list.push(item));
        list
    }
}

/// A number of things: at most 2^53 - 1, the greatest integer below which every one is exact in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u64);

impl Count {
    /// The greatest count; greater ones become this.
    pub const MAX: u64 = (1 << 53) - 1;

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Count {
    fn from(number: u64) -> Self {
        Self(number.min(Self::MAX))
    }
}

/// A length of time in whole microseconds, written in seconds (at most 999,999,999 of them).
///
/// With six digits after the point and nine before, the decimal notation is the shortest that names the double, so it
/// is canonical as it stands and no float is ever computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds {
    micros: u64,
}

impl Seconds {
    /// From nanoseconds, rounded down to microseconds.
    pub fn from_nanos(nanos: u64) -> Self {
        Self { micros: (nanos / 1_000).min(999_999_999_999_999) }
    }

    /// Decimal notation as canonical JSON has it.
    pub fn decimal(self) -> String {
        let (whole, rest) = (self.micros / 1_000_000, self.micros % 1_000_000);
        if rest == 0 {
            return whole.to_string();
        }
        format!("{whole}.{rest:06}").trim_end_matches('0').to_owned()
    }
}

/// How often each name came; at most [`MAX_ITEMS`] names, further ones are counted under `…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Text, Count>);

impl Tally {
    /// Adds to a name's count.
    pub fn add(&mut self, name: &str, count: u64) {
        let name = Text::from(name);
        let known = self.0.len() < MAX_ITEMS || self.0.contains_key(&name);
        let entry = self.0.entry(if known { name } else { Text::from("…") }).or_default();
        *entry = Count::from(entry.get().saturating_add(count));
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names with counts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Count)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

/// Names with JSON values, such as claims by their dotted paths; at most [`MAX_ITEMS`] and [`MAX_MEMBERS`] bytes, then none is added but
/// `…`, which counts those left out. A value whose JSON is too long is kept as a cut text of that JSON.
#[derive(Debug, Clone, Default)]
pub struct Members {
    values: BTreeMap<Text, Box<RawValue>>,
    bytes: usize,
    more: u64,
}

impl Members {
    /// Adds one.
    pub fn insert(&mut self, path: &str, value: &serde_json::Value) {
        let path = Text::from(path);
        let Some(json) = canonical_value(value) else {
            self.more = self.more.saturating_add(1);
            return;
        };
        let bytes = self.bytes.saturating_add(path.0.len()).saturating_add(json.get().len());
        if self.more > 0 || self.values.len() >= MAX_ITEMS || bytes > MAX_MEMBERS {
            self.more = self.more.saturating_add(1);
            return;
        }
        self.bytes = bytes;
        self.values.insert(path, json);
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.more == 0
    }

    /// Names with canonical JSON, in order.
    pub fn entries(&self) -> Vec<(String, String)> {
        let mut entries: Vec<_> =
            self.values.iter().map(|(name, json)| (name.0.clone(), json.get().to_owned())).collect();
        if self.more > 0 {
            entries.retain(|(name, _)| name != "…");
            entries.push(("…".to_owned(), self.more.min(Count::MAX).to_string()));
            order::sort_by(&mut entries, |(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        }
        entries
    }
}

fn canonical_value(value: &serde_json::Value) -> Option<Box<RawValue>> {
    let json = serde_json_canonicalizer::to_string(value).ok()?;
    if json.len() <= MAX_TEXT {
        return RawValue::from_string(json).ok();
    }
    let text = match value {
        serde_json::Value::String(text) => Text::from(text.as_str()),
        _ => Text::from(json),
    };
    RawValue::from_string(serde_json::to_string(text.as_str()).ok()?).ok()
}

/// A time as RFC 3339 in UTC with nanoseconds: `2026-11-22T15:59:21.000000001Z`.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "u64 nanoseconds end in the year 2554; every intermediate is below 2^63 and no divisor is zero"
)]
pub fn rfc3339(nanos: u64) -> String {
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days (H. Hinnant): years start in March, eras have 400 years. 719,468 days lie between
    // 0000-03-01 and 1970-01-01.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_written_as_rfc3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(rfc3339(951_782_400_000_000_007), "2000-02-29T00:00:00.000000007Z");
        assert_eq!(rfc3339(1_795_363_161_000_000_000), "2026-11-22T15:59:21.000000000Z");
        assert_eq!(rfc3339(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }

    #[test]
    fn a_path_never_holds_its_query() {
        assert_eq!(Path::of(b"/v1/models?key=secret").as_text().as_str(), "/v1/models");
        assert_eq!(Path::of(b"/v1#x?key=secret").as_text().as_str(), "/v1");
    }

    #[test]
    fn text_that_is_not_utf8_is_kept_readable() {
        assert_eq!(Text::lossy(b"a\xff\xfeb").as_str(), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn lists_and_claims_say_what_they_left_out() {
        let list: Texts = (0..100).map(|n| format!("group-{n}")).collect();
        assert_eq!(list.items().len(), MAX_ITEMS + 1);
        assert_eq!(list.items().last().map(String::as_str), Some("…[36 more]"));
        let mut claims = Members::default();
        for n in 0..20 {
            claims.insert(&format!("c{n:02}"), &serde_json::json!("x".repeat(2000)));
        }
        let entries = claims.entries();
        assert!(entries.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>() <= MAX_MEMBERS + 16);
        let left_out = 20 - (entries.len() - 1);
        assert_eq!(entries.last(), Some(&("…".to_owned(), left_out.to_string())));
    }

    proptest! {
        #[test]
        fn texts_are_cut_at_characters_within_the_bound(text in "(a|é|…|😀){0,1200}") {
            let bounded = Text::from(text.as_str());
            prop_assert!(bounded.as_str().len() <= MAX_TEXT);
            prop_assert_eq!(&bounded, &Text::lossy(text.as_bytes()));
            if text.len() <= MAX_TEXT {
                prop_assert_eq!(bounded.as_str(), text);
            } else {
                let mark = format!("…[{} bytes]", text.len());
                prop_assert!(text.starts_with(bounded.as_str().strip_suffix(&mark).unwrap()));
                prop_assert!(bounded.as_str().len() + 4 > MAX_TEXT);
            }
        }

        #[test]
        fn any_bytes_make_a_bounded_text(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert!(Text::lossy(&bytes).as_str().len() <= MAX_TEXT);
        }

        #[test]
        fn seconds_are_canonical_numbers(nanos in prop_oneof![any::<u64>(), 0..10_000_000_000_u64]) {
            let decimal = Seconds::from_nanos(nanos).decimal();
            prop_assert_eq!(serde_json_canonicalizer::pipe(&decimal).unwrap(), decimal);
        }

        #[test]
        fn counts_are_canonical_numbers(number in any::<u64>()) {
            let decimal = Count::from(number).get().to_string();
            prop_assert_eq!(serde_json_canonicalizer::pipe(&decimal).unwrap(), decimal);
        }
    }
}
