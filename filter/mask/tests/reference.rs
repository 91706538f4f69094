//! What masking means, written down again without the masker: every detector by its own automaton, at every place, with
//! every end.
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use super::support::{Row, Span, named, rows};
use crate::mask::{Entities, UPSTREAM_CREDENTIAL};

pub struct Reference {
    detectors: Vec<(Row, Entities, dense::DFA<Vec<u32>>)>,
}

impl Reference {
    pub fn new() -> Self {
        let detectors = rows().into_iter().map(|row| {
            let dfa = dense::Builder::new()
                .configure(dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored))
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .thompson(thompson::Config::new().utf8(false))
                .build(row.pattern)
                .unwrap();
            let entity = named(row.entity);
            (row, entity, dfa)
        });
        Self { detectors: detectors.collect() }
    }

    /// The spans to mask in a text with no value longer than the masker's limit.
    pub fn spans(&self, entities: Entities, literals: &[&[u8]], text: &[u8]) -> Vec<Span> {
        let (mut spans, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let detected = self.detectors.iter().map(|(row, entity, dfa)| {
                let entity = entity.iter().next().unwrap();
                let wanted = entities.contains(entity);
                (if wanted { longest(row, dfa, text, at) } else { None }, entity)
            });
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

fn longest(row: &Row, dfa: &dense::DFA<Vec<u32>>, text: &[u8], at: usize) -> Option<usize> {
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
fn ends(dfa: &dense::DFA<Vec<u32>>, text: &[u8], at: usize) -> Vec<usize> {
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
    let inner = |place: usize| text.get(place).is_some_and(|&b| b.is_ascii_alphanumeric() || b >= 0x80);
    let words = |text: &[u8]| -> Vec<Vec<u8>> {
        let words = text.split(|&b| !(b.is_ascii_alphanumeric() || b >= 0x80));
        words.filter(|word| !word.is_empty()).map(<[u8]>::to_ascii_lowercase).collect()
    };
    let wanted = words(phrase.as_bytes());
    let starts = (at.saturating_sub(48)..at).filter(|&start| start == 0 || !inner(start - 1));
    starts.into_iter().any(|start| {
        let mut ends = (start + 1..=at).filter(|&end| !inner(end));
        ends.any(|end| words(&text[start..end]) == wanted)
    })
}
