//! What masking means, written down again without the masker: every detector by its own automaton, at every place, with
//! every end; and every word, at every place.
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use super::support::{Row, Span, named, rows};
use crate::mask::text::Entity;
use crate::mask::{Catalogue, Entities, Finds, OwnDetector, UPSTREAM_CREDENTIAL};

type Dfa = dense::DFA<Vec<u32>>;

pub struct Reference {
    detectors: Vec<(Finder, Entity)>,
}

enum Finder {
    Pattern(Box<(Row, Dfa)>),
    Words { words: Vec<String>, ignore_case: bool, context: Vec<String> },
}

fn dfa(pattern: &str) -> Dfa {
    dense::Builder::new()
        .configure(dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .build(pattern)
        .unwrap()
}

impl Reference {
    pub fn new() -> Self {
        let entity = |name| named(name).iter().next().unwrap();
        let rows = rows().into_iter();
        let detectors = rows.map(|row| (entity(row.entity), dfa(row.pattern), row));
        Self {
            detectors: detectors
                .map(|(entity, dfa, row)| (Finder::Pattern(Box::new((row, dfa))), entity))
                .collect(),
        }
    }

    /// With a policy set's own detectors after the built-in ones.
    pub fn with_own(own: &[OwnDetector], known: &Catalogue) -> Self {
        let mut reference = Self::new();
        for detector in own {
            let entity = known.resolve(&detector.name).unwrap().iter().next().unwrap();
            let finder = match &detector.finds {
                Finds::Words { words, ignore_case } => Finder::Words {
                    words: words.iter().map(str::to_owned).collect(),
                    ignore_case: *ignore_case,
                    context: detector.context.clone(),
                },
                Finds::Pattern { pattern, not_after, not_before } => Finder::Pattern(Box::new((
                    Row {
                        not_after: class(not_after.as_deref()).leak(),
                        not_before: class(not_before.as_deref()).leak(),
                        context: leak(&detector.context),
                        ..Row::default()
                    },
                    dfa(pattern),
                ))),
            };
            reference.detectors.push((finder, entity));
        }
        reference
    }

    /// The spans to mask in a text with no value longer than the masker's limit: as written and as meant together.
    pub fn spans(&self, entities: Entities, literals: &[&[u8]], text: &[u8]) -> Vec<Span> {
        let units = meant(text);
        let bytes: Vec<u8> = units.iter().map(|(byte, _)| *byte).collect();
        let mut all = self.reading(entities, literals, text);
        for (span, _) in &mut all {
            let within = |unit: &&(u8, std::ops::Range<usize>)| {
                text[unit.1.start] == b'\\' && unit.1.start < span.start && span.start < unit.1.end
            };
            if let Some((_, escape)) = units.iter().find(within).filter(|(_, escape)| escape.end < span.end) {
                span.start = escape.end;
            }
        }
        let as_meant = self.reading(entities, literals, &bytes).into_iter();
        all.extend(
            as_meant.map(|(span, entity)| (units[span.start].1.start..units[span.end - 1].1.end, entity)),
        );
        all.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let mut merged: Vec<Span> = Vec::new();
        for (span, entity) in all {
            match merged.last_mut().filter(|(last, _)| span.start < last.end) {
                Some((last, _)) => last.end = last.end.max(span.end),
                None => merged.push((span, entity)),
            }
        }
        merged
    }

    /// The spans to mask in one reading.
    fn reading(&self, entities: Entities, literals: &[&[u8]], text: &[u8]) -> Vec<Span> {
        let (mut spans, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let wanted = self.detectors.iter().filter(|(_, entity)| entities.contains(*entity));
            let detected = wanted.map(|(finder, entity)| (finder.longest(text, at), *entity));
            let literal =
                literals.iter().filter(|literal| text[at..].starts_with(literal)).map(|l| at + l.len());
            let literal = literal.map(|end| (Some(end), UPSTREAM_CREDENTIAL));
            let mut best: Option<(usize, _)> = None;
            for (end, entity) in literal.chain(detected) {
                if let Some(end) = end.filter(|&end| best.is_none_or(|(longest, _)| end > longest)) {
                    best = Some((end, entity));
                }
            }
            match best {
                Some((end, entity)) => {
                    spans.push((at..end, entity));
                    at = end;
                }
                None => at += 1,
            }
        }
        spans
    }
}

impl Finder {
    fn longest(&self, text: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Pattern(pattern) => longest(&pattern.0, &pattern.1, text, at),
            Self::Words { words, ignore_case, context } => {
                let in_context = context.is_empty() || context.iter().any(|phrase| before(phrase, text, at));
                let ends = words.iter().filter_map(|word| word_end(word, *ignore_case, text, at));
                ends.max().filter(|_| in_context)
            }
        }
    }
}

fn word_end(word: &str, ignore_case: bool, text: &[u8], at: usize) -> Option<usize> {
    let end = at + word.len();
    let value = text.get(at..end)?;
    let same =
        if ignore_case { value.eq_ignore_ascii_case(word.as_bytes()) } else { value == word.as_bytes() };
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let letter = |byte: u8| inner(byte) || (0xc3..=0xdf).contains(&byte);
    let cut_left = at > 0 && inner(text[at - 1]) && inner(text[at]);
    let cut_right = end < text.len() && inner(text[end - 1]) && letter(text[end]);
    (same && !cut_left && !cut_right).then_some(end)
}

fn class(written: Option<&str>) -> Vec<u8> {
    let written = written.unwrap_or("[0-9A-Za-z_]");
    let class = regex::bytes::Regex::new(&format!("^(?-u:{written})$")).unwrap();
    (0..=255).filter(|&byte| !written.is_empty() && class.is_match(&[byte])).collect()
}

fn leak(texts: &[String]) -> &'static [&'static str] {
    texts.iter().map(|text| &*text.clone().leak()).collect::<Vec<_>>().leak()
}

fn longest(row: &Row, dfa: &Dfa, text: &[u8], at: usize) -> Option<usize> {
    if at > 0 && row.not_after.contains(&text[at - 1]) {
        return None;
    }
    if !row.context.is_empty() && !row.context.iter().any(|phrase| before(phrase, text, at)) {
        return None;
    }
    let mut ends = ends(dfa, text, at);
    ends.retain(|&end| text.get(end).is_none_or(|next| !row.not_before.contains(next)));
    let tried = if row.longest_only { 1 } else { ends.len() };
    ends.into_iter().rev().take(tried).find(|&end| row.validator.is_none_or(|valid| valid(&text[at..end])))
}

/// Every end of a match that starts at a place, in order.
fn ends(dfa: &Dfa, text: &[u8], at: usize) -> Vec<usize> {
    let mut state = dfa.start_state_forward(&Input::new(b"").anchored(Anchored::Yes)).unwrap();
    let mut ends = Vec::new();
    for (offset, &byte) in text[at..].iter().enumerate() {
        state = dfa.next_state(state, byte);
        if dfa.is_match_state(state) {
            ends.push(at + offset);
        }
        if dfa.is_dead_state(state) {
            return ends;
        }
    }
    if dfa.is_match_state(dfa.next_eoi_state(state)) {
        ends.push(text.len());
    }
    ends
}

/// Whether a phrase's words stand one after the other within the 48 bytes before a place, none of them cut.
fn before(phrase: &str, text: &[u8], at: usize) -> bool {
    // 0: between words; letters of alphabets; what is beyond them.
    let kind = |place: usize| match text.get(place) {
        Some(b) if b.is_ascii_alphanumeric() || (0xc3..0xe0).contains(b) => 1,
        Some(b) if b.is_ascii() => 0,
        Some(0x80..0xc0) if place > 0 && (0xc3..0xe0).contains(&text[place - 1]) => 1,
        Some(_) => 2,
        None => 0,
    };
    let edge = |place: usize| place == 0 || kind(place - 1) == 0 || kind(place - 1) != kind(place);
    let words: Vec<(usize, usize)> = (0..text.len())
        .filter(|&start| kind(start) != 0 && edge(start))
        .map(|start| {
            (start, (start + 1..text.len()).find(|&end| edge(end) || kind(end) == 0).unwrap_or(text.len()))
        })
        .filter(|&(start, end)| start + 48 >= at && end <= at)
        .collect();
    let wanted: Vec<String> = phrase
        .split(|c: char| !c.is_ascii_alphanumeric() && c.is_ascii())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.windows(wanted.len()).any(|some| {
        some.iter()
            .zip(&wanted)
            .all(|(&(start, end), word)| text[start..end].eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// The bytes that a reader takes a text for, each with where it is written.
fn meant(text: &[u8]) -> Vec<(u8, std::ops::Range<usize>)> {
    let (mut bytes, mut at, mut invisible, mut skip) = (Vec::new(), 0, 0, 0);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            let range = at..at + c.len_utf8();
            at = range.end;
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let hex = text.get(range.end..range.end + 2).and_then(|hex| std::str::from_utf8(hex).ok());
            let hex = hex.filter(|hex| c == '%' && hex.bytes().all(|b| b.is_ascii_hexdigit()));
            let escaped =
                hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|b| (32..127).contains(b));
            if c == '\\'
                && let Some((unit, len)) = json_unit(&text[range.start..])
            {
                skip = len - 1;
                match char::from_u32(unit) {
                    Some(c) if hidden(c) && invisible + 2 <= 8 => {
                        invisible += 2;
                        continue;
                    }
                    Some(c) if hidden(c) => {
                        (skip, invisible) = (0, 0);
                        bytes.push((b'\\', range));
                        continue;
                    }
                    Some(c @ ('\n' | '\r' | '\t' | ' '..='~')) => {
                        bytes.push((c as u8, range.start..range.start + len))
                    }
                    Some(c) if c.is_ascii() => bytes.push((b' ', range.start..range.start + len)),
                    c => {
                        let byte = c.and_then(shown).map_or(0xff, |c| u8::try_from(c).unwrap());
                        bytes.push((byte, range.start..range.start + len));
                    }
                }
                invisible = 0;
            } else if let Some(len) =
                colour(&text[range.start..]).filter(|len| invisible + len.div_ceil(4) <= 8)
            {
                skip = len - 1;
                invisible += len.div_ceil(4);
            } else if let Some(byte) = escaped {
                bytes.push((byte, range.start..range.end + 2));
                (skip, invisible) = (2, 0);
            } else if let Some(c) = shown(c) {
                bytes.push((u8::try_from(c).unwrap(), range));
                invisible = 0;
            } else if hidden(c) && invisible < 8 {
                invisible += 1;
            } else {
                bytes.extend(range.map(|place| (text[place], place..place + 1)));
                invisible = 0;
            }
        }
        let broken = at..at + chunk.invalid().len();
        at = broken.end;
        invisible = if broken.is_empty() { invisible } else { 0 };
        bytes.extend(broken.map(|place| (text[place], place..place + 1)));
    }
    bytes
}

/// The length of what colours a terminal's text.
fn colour(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"\x1b[")?;
    let length = rest.iter().position(|byte| !(b' '..=b'?').contains(byte))?;
    (length < 30 && (b'@'..=b'~').contains(&rest[length])).then_some(length + 3)
}

/// The unit of UTF-16 that an escape of JSON stands for, and its length.
fn json_unit(text: &[u8]) -> Option<(u32, usize)> {
    let text = std::str::from_utf8(text.get(..6).unwrap_or(text))
        .ok()
        .or_else(|| std::str::from_utf8(text.get(..2)?).ok())?;
    if let Some(hex) =
        text.get(2..6).filter(|hex| text.starts_with("\\u") && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return Some((u32::from_str_radix(hex, 16).unwrap(), 6));
    }
    let short: char = serde_json::from_str(&format!("\"{}\"", text.get(..2)?)).ok()?;
    Some((u32::from(short), 2))
}

/// Some of the characters that stand for others: those of the tests.
fn shown(c: char) -> Option<char> {
    let rows =
        [('０', "0123456789"), ('Ａ', "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), ('ａ', "abcdefghijklmnopqrstuvwxyz")];
    let rows = rows.into_iter().chain([
        ('𝟎', "0123456789"),
        ('𝐚', "abcdefghijklmnopqrstuvwxyz"),
        ('٠', "0123456789"),
    ]);
    let mut found = rows.filter_map(|(first, row)| {
        let nth = u32::from(c).checked_sub(u32::from(first))?;
        row.chars().nth(usize::try_from(nth).ok()?)
    });
    match c {
        '＠' => Some('@'),
        '．' => Some('.'),
        '：' => Some(':'),
        '\u{a0}' | '\u{2009}' | '\u{3000}' => Some(' '),
        '–' | '\u{2011}' => Some('-'),
        _ => found.next(),
    }
}

fn hidden(c: char) -> bool {
    ['\u{200b}', '\u{ad}', '\u{2060}', '\u{feff}', '\u{200d}'].contains(&c)
}
