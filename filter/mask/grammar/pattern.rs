//! What can be said of each pattern alone.
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::Fault;

/// Counted repeats multiply states; the bound on long values lives in the masker instead.
const MOST_COUNTED: u32 = 64;

/// A set of bytes.
pub type Bytes = [bool; 256];

/// Reads a pattern, and refuses what the engine does not hold.
pub fn parse(pattern: &str, shortest: usize) -> Result<Hir, Fault> {
    let hir = hir(pattern)?;
    check(&hir)?;
    match hir.properties().minimum_len() {
        Some(len) if len >= shortest => Ok(hir),
        _ => Err(Fault::new(format!("matches fewer than {shortest} bytes"))),
    }
}

fn hir(pattern: &str) -> Result<Hir, Fault> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).nest_limit(64).build().parse(pattern);
    parsed.map_err(|error| Fault::new(error.to_string()))
}

fn check(hir: &Hir) -> Result<(), Fault> {
    match hir.kind() {
        HirKind::Empty => Ok(()),
        HirKind::Look(_) => Err(Fault::new(
            "look-around and anchors (`^`, `$`, `\\b`) are not known: say what may not stand before and after the value",
        )),
        HirKind::Literal(literal) if literal.0.is_ascii() => Ok(()),
        HirKind::Class(Class::Bytes(bytes)) if bytes.is_ascii() => Ok(()),
        // What alternatives of one character each become.
        HirKind::Class(Class::Unicode(characters)) if characters.is_ascii() => Ok(()),
        HirKind::Literal(_) | HirKind::Class(_) => Err(Fault::new(
            "bytes beyond ASCII (also by `.` and `[^…]`): list the bytes that may stand there",
        )),
        HirKind::Repetition(repeat) if repeat.min.max(repeat.max.unwrap_or(0)) > MOST_COUNTED => {
            Err(Fault::new(format!(
                "a repeat counted above {MOST_COUNTED}: leave the upper bound open, or shorten it"
            )))
        }
        HirKind::Repetition(repeat) => check(&repeat.sub),
        HirKind::Capture(capture) => check(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().try_for_each(check),
    }
}

/// The bytes of one class, written as a pattern of one byte; empty for nothing.
pub fn byte_set(class: &str) -> Result<Bytes, Fault> {
    let mut set = [false; 256];
    if class.is_empty() {
        return Ok(set);
    }
    let hir = hir(class)?;
    let mut add = |from: u8, to: u8| {
        set.iter_mut().zip(0u8..=255).for_each(|(held, byte)| *held |= (from..=to).contains(&byte));
    };
    match hir.kind() {
        HirKind::Class(Class::Bytes(bytes)) => {
            bytes.iter().for_each(|range| add(range.start(), range.end()));
        }
        HirKind::Literal(literal) => match *literal.0 {
            [byte] => add(byte, byte),
            _ => return Err(Fault::new(format!("{class} is not a class of bytes"))),
        },
        _ => return Err(Fault::new(format!("{class} is not a class of bytes"))),
    }
    Ok(set)
}
