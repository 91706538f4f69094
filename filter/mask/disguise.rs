//! Characters that stand for others, or for nothing: how a value may be written so that its bytes do not show it.
//!
//! Found are the ones that text really has, from word processors, input methods, web pages and URLs:
//! - full-width forms (`４１１１`, `ｊａｎｅ＠`), mathematical letters and digits (`𝟒𝟏𝟏𝟏`), small forms of `@ . -`, the
//!   decimal digits of Arabic, Persian, Hindi, Bengali and Thai;
//! - spaces of any width, the no-break ones among them, for a space; separators of lines; hyphens, the en dash and the minus sign for `-`;
//! - what takes no room: zero-width characters, soft hyphens, word joiners, byte order marks, direction marks,
//!   variation selectors and tags; but no more than [`MOST_INVISIBLE`] in a row;
//! - percent-encoded printable ASCII (`jane%40example.com`, `%34%31`), as in URLs;
//! - the escapes of JSON (`\\n`, `\\/`, `\\u0040`), as in a document that a model writes for its answer: once, not escapes of
//!   escapes;
//! - what colours a terminal's text (`ESC [ 31 m`).
//!
//! Not found: look-alike letters of other scripts (Cyrillic `а`), accents, superscripts and circled forms, the em dash,
//! spelt-out signs (`at`, `dot`), HTML entities, base64 and other encodings, percent-encoding of percent-encoding and
//! of what is not printable ASCII.

/// Characters without room that may stand between two of a value, of four bytes at most each: held text stays bounded.
pub const MOST_INVISIBLE: usize = 8;

/// What stands where a text starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// A byte that stands for itself.
    Plain,
    /// So many bytes that stand for one of ASCII.
    For(u8, usize),
    /// So many bytes that stand for nothing.
    Nothing(usize),
    /// The text ends before that is known.
    Cut,
}

/// The first place where something stands that is not, or may not be, what it seems.
#[inline(always)]
pub fn first(text: &[u8]) -> Option<usize> {
    let starts = |byte: &u8| STARTS.get(usize::from(*byte)).copied().unwrap_or(true);
    if text.len() < LANES && !text.iter().any(starts) { None } else { first_of_all(text) }
}

/// The bytes that something disguised may start with.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static STARTS: [bool; 256] = {
    let mut all = [false; 256];
    let mut at = 0;
    while at < 256 {
        all[at] = may_start(at as u8);
        at += 1;
    }
    all
};

/// The same by the halves of a byte, for vectors: it is one of them where the entries of both share a bit.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static HALVES: [[u8; LANES]; 2] = {
    let (mut low, mut high) = ([0; LANES], [0; LANES]);
    let mut at = 0;
    while at < 256 {
        if may_start(at as u8) {
            // They have seven upper halves: 1, 2, 5 and from c on.
            let bit = match at >> 4 {
                1 => 1,
                2 => 2,
                5 => 4,
                high => 8u8 << (high - 0xc),
            };
            low[at & 15] |= bit;
            high[at >> 4] |= bit;
        }
        at += 1;
    }
    [low, high]
};

fn first_of_all(text: &[u8]) -> Option<usize> {
    // Nearly all text is plain, and that is seen by many bytes at a time.
    let (parts, rest) = text.as_chunks::<STRIDE>();
    for (start, part) in (0usize..).step_by(STRIDE).zip(parts) {
        if is_odd(part) {
            let (parts, _) = part.as_chunks::<LANES>();
            let starts = (start..).step_by(LANES).zip(parts);
            let found = starts.into_iter().find_map(|(start, part)| first_of(text, start, odd(part)));
            if found.is_some() {
                return found;
            }
        }
    }
    let (parts, rest) = rest.as_chunks::<LANES>();
    let start = text.len().saturating_sub(rest.len());
    let starts = (start.saturating_sub(parts.len().saturating_mul(LANES))..).step_by(LANES).zip(parts);
    let found = starts.into_iter().find_map(|(start, part)| first_of(text, start, odd(part)));
    found.or_else(|| first_of_few(text, start))
}

/// The same from a place on, byte by byte.
fn first_of_few(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..).unwrap_or_default();
    let mut places = rest.iter().zip(from..).filter(|(byte, _)| may_start(**byte));
    places.find(|(_, at)| is_disguised(text, *at)).map(|(_, at)| at)
}

/// The first of some places from a start on, as bits, where something is disguised.
#[inline(always)]
fn first_of(text: &[u8], start: usize, mut odd: u16) -> Option<usize> {
    while odd != 0 {
        let at = start.saturating_add(usize::try_from(odd.trailing_zeros()).unwrap_or(0));
        odd &= odd.wrapping_sub(1);
        if is_disguised(text, at) {
            return Some(at);
        }
    }
    None
}

/// Bytes that are told to be plain at once.
const STRIDE: usize = 64;
/// Bytes of which each is told by itself.
const LANES: usize = 16;

/// What of a vector of bytes is beyond ASCII, or a sign that something disguised starts with, has its highest bit set.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn signs(bytes: &[u8; LANES]) -> std::arch::wasm32::v128 {
    use std::arch::wasm32::*;
    // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
    let bytes = unsafe { v128_load(bytes.as_ptr().cast()) };
    let is = |sign: u8| u8x16_eq(bytes, u8x16_splat(sign));
    v128_or(v128_or(bytes, is(b'%')), v128_or(is(b'\\'), is(ESC)))
}

/// Whether some bytes are such.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn is_odd(part: &[u8; STRIDE]) -> bool {
    use std::arch::wasm32::*;
    let (parts, _) = part.as_chunks::<LANES>();
    u8x16_bitmask(parts.iter().map(signs).fold(u8x16_splat(0), |all, odd| v128_or(all, odd))) != 0
}

/// Those of sixteen bytes that something disguised may start with, as bits.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn odd(part: &[u8; LANES]) -> u16 {
    use std::arch::wasm32::*;
    let load = |bytes: &[u8; LANES]| {
        // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    };
    let (bytes, [low, high]) = (load(part), HALVES.each_ref().map(load));
    let lower = u8x16_swizzle(low, v128_and(bytes, u8x16_splat(15)));
    let upper = u8x16_swizzle(high, u8x16_shr(bytes, 4));
    u8x16_bitmask(u8x16_ne(v128_and(lower, upper), u8x16_splat(0)))
}

/// The same with the vectors that every processor of this kind has.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn signs(bytes: &[u8; LANES]) -> std::arch::x86_64::__m128i {
    use std::arch::x86_64::*;
    // SAFETY: every processor of this kind has these instructions; sixteen bytes are read of an array of sixteen.
    unsafe {
        let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
        let is = |sign: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(sign.cast_signed()));
        _mm_or_si128(_mm_or_si128(bytes, is(b'%')), _mm_or_si128(is(b'\\'), is(ESC)))
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn is_odd(part: &[u8; STRIDE]) -> bool {
    use std::arch::x86_64::*;
    let (parts, _) = part.as_chunks::<LANES>();
    // SAFETY: every processor of this kind has these instructions.
    unsafe {
        let all = parts.iter().map(signs).fold(_mm_setzero_si128(), |all, odd| _mm_or_si128(all, odd));
        _mm_movemask_epi8(all) != 0
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn odd(part: &[u8; LANES]) -> u16 {
    // SAFETY: every processor of this kind has the instruction.
    u16::try_from(unsafe { std::arch::x86_64::_mm_movemask_epi8(signs(part)) } & 0xffff).unwrap_or(0)
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
fn is_odd(part: &[u8; STRIDE]) -> bool {
    part.iter().any(|byte| may_start(*byte))
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
fn odd(part: &[u8; LANES]) -> u16 {
    let odd = part.iter().zip(0u32..).filter(|(byte, _)| may_start(**byte));
    odd.fold(0, |all, (_, at)| all | 1u16.wrapping_shl(at))
}

#[inline(always)]
fn is_disguised(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    // Dashes, quotes and dots of prose, which are the most of what is beyond ASCII in it, stand for themselves.
    let prose = matches!(rest, [0xe2, 0x80, 0x94..=0xa3 | 0xa5 | 0xa6, ..]);
    !prose && rest.first().is_some_and(|&byte| may_start(byte)) && read(rest) != Written::Plain
}

/// Whether something disguised may start with a byte.
const fn may_start(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | ESC | 0xc2 | 0xcd | 0xd8 | 0xd9 | 0xdb | 0xe0..=0xe3 | 0xef | 0xf0 | 0xf3)
}

/// What stands where the text starts.
pub fn read(text: &[u8]) -> Written {
    match text.first() {
        Some(b'%') => percent(text),
        Some(b'\\') => escape(text),
        Some(&ESC) => colour(text),
        Some(&byte) if may_start(byte) => character(text, byte),
        _ => Written::Plain,
    }
}

/// An escape of JSON (RFC 8259, section 7).
fn escape(text: &[u8]) -> Written {
    match text.get(1) {
        None => Written::Cut,
        Some(&sign @ (b'"' | b'\\' | b'/')) => Written::For(sign, 2),
        Some(b'n') => Written::For(b'\n', 2),
        Some(b'r') => Written::For(b'\r', 2),
        Some(b't') => Written::For(b'\t', 2),
        Some(b'b' | b'f') => Written::For(b' ', 2),
        Some(b'u') => escaped_unit(text),
        Some(_) => Written::Plain,
    }
}

/// Stands for any character beyond ASCII that stands for no other.
const BEYOND: u8 = 0xff;

/// Four hexadecimal digits: a character, or half of one that UTF-16 has no single unit for.
fn escaped_unit(text: &[u8]) -> Written {
    const LEN: usize = 6;
    let mut code = 0u32;
    for at in 2..LEN {
        match text.get(at).map(|&byte| char::from(byte).to_digit(16)) {
            Some(Some(digit)) => code = code.wrapping_shl(4) | digit,
            Some(None) => return Written::Plain,
            None => return Written::Cut,
        }
    }
    match (u8::try_from(code), meaning(code)) {
        (Ok(byte @ (b'\n' | b'\r' | b'\t' | 0x20..=0x7e)), _) => Written::For(byte, LEN),
        (Ok(0..0x20 | 0x7f), _) => Written::For(b' ', LEN),
        (_, Some(Some(byte))) => Written::For(byte, LEN),
        (_, Some(None)) => Written::Nothing(LEN),
        (_, None) => Written::For(BEYOND, LEN),
    }
}

const ESC: u8 = 0x1b;
/// Bytes of the longest of them that is taken for one.
const COLOUR: usize = 32;

/// A control sequence of a terminal (ECMA-48, section 5.4): its bytes stand for nothing.
fn colour(text: &[u8]) -> Written {
    match text.get(1) {
        None => return Written::Cut,
        Some(b'[') => {}
        Some(_) => return Written::Plain,
    }
    let rest = text.get(2..).unwrap_or_default().iter();
    let length = rest.take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    let end = length.saturating_add(2);
    match text.get(end) {
        _ if end >= COLOUR => Written::Plain,
        None => Written::Cut,
        Some(0x40..=0x7e) => Written::Nothing(end.saturating_add(1)),
        Some(_) => Written::Plain,
    }
}

fn percent(text: &[u8]) -> Written {
    let digit = |at: usize| text.get(at).map(|&byte| char::from(byte).to_digit(16));
    let byte = match (digit(1), digit(2)) {
        (None, _) | (Some(Some(_)), None) => return Written::Cut,
        (Some(Some(high)), Some(Some(low))) => u8::try_from(high.wrapping_mul(16).wrapping_add(low)),
        _ => return Written::Plain,
    };
    match byte {
        Ok(byte @ 0x20..=0x7e) => Written::For(byte, 3),
        _ => Written::Plain,
    }
}

fn character(text: &[u8], lead: u8) -> Written {
    let (len, mut code) = match lead {
        0xf0.. => (4, u32::from(lead & 0x07)),
        0xe0.. => (3, u32::from(lead & 0x0f)),
        _ => (2, u32::from(lead & 0x1f)),
    };
    for at in 1..len {
        match text.get(at) {
            Some(&byte @ 0x80..=0xbf) => code = code.wrapping_shl(6) | u32::from(byte & 0x3f),
            Some(_) => return Written::Plain,
            None => return Written::Cut,
        }
    }
    match meaning(code) {
        Some(Some(byte)) => Written::For(byte, len),
        Some(None) => Written::Nothing(len),
        None => Written::Plain,
    }
}

/// The byte that a character stands for, or that it stands for nothing.
fn meaning(code: u32) -> Option<Option<u8>> {
    let from =
        |first: u32, byte: u8| u8::try_from(code.wrapping_sub(first)).ok().map(|nth| byte.wrapping_add(nth));
    Some(match code {
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Some(b' '),
        0x2028 | 0x2029 => Some(b'\n'),
        0x2010..=0x2013 | 0x2212 | 0xfe63 => Some(b'-'),
        0x2024 | 0xfe52 => Some(b'.'),
        0xfe6b => Some(b'@'),
        0xff01..=0xff5e => from(0xff01, b'!'),
        0x660..=0x669 => from(0x660, b'0'),
        0x6f0..=0x6f9 => from(0x6f0, b'0'),
        0x966..=0x96f => from(0x966, b'0'),
        0x9e6..=0x9ef => from(0x9e6, b'0'),
        0xe50..=0xe59 => from(0xe50, b'0'),
        // Thirteen alphabets of capitals and small letters, and five rows of digits.
        0x1d400..=0x1d6a3 => {
            let nth = u8::try_from(code.wrapping_sub(0x1d400).checked_rem(52)?).ok()?;
            Some(if nth < 26 { b'A'.wrapping_add(nth) } else { b'a'.wrapping_add(nth.wrapping_sub(26)) })
        }
        0x1d7ce..=0x1d7ff => {
            u8::try_from(code.wrapping_sub(0x1d7ce).checked_rem(10)?).ok().map(|nth| b'0'.wrapping_add(nth))
        }
        0xad | 0x34f | 0x61c | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f => None,
        0xfe00..=0xfe0f | 0xfeff | 0xe0000..=0xe007f => None,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stand_for_what_a_reader_sees() {
        for (written, meant) in [
            ("４", b'4'),
            ("Ａ", b'A'),
            ("＠", b'@'),
            ("－", b'-'),
            ("𝟒", b'4'),
            ("𝐣", b'j'),
            ("𝖹", b'Z'),
            ("𝚊", b'a'),
            ("\u{a0}", b' '),
            ("\u{2007}", b' '),
            ("\u{2011}", b'-'),
            ("–", b'-'),
            ("−", b'-'),
            ("٣", b'3'),
            ("۳", b'3'),
            ("३", b'3'),
            ("৩", b'3'),
            ("๓", b'3'),
            ("﹫", b'@'),
            ("%40", b'@'),
            ("%7e", b'~'),
            ("%2D", b'-'),
        ] {
            assert_eq!(
                read(format!("{written}x").as_bytes()),
                Written::For(meant, written.len()),
                "{written}"
            );
        }
        for written in
            ["\u{200b}", "\u{ad}", "\u{2060}", "\u{feff}", "\u{200d}", "\u{fe0f}", "\u{202e}", "\u{e0041}"]
        {
            assert_eq!(read(written.as_bytes()), Written::Nothing(written.len()), "{written:?}");
        }
        for written in ["a", "é", "—", "а", "你", "😀", "%0a", "%zz", "%4z", "%ff", "²"] {
            assert_eq!(read(format!("{written}xx").as_bytes()), Written::Plain, "{written}");
        }
    }

    #[test]
    fn what_is_cut_is_not_judged() {
        for written in ["４", "\u{a0}", "𝟒", "%40", "你"] {
            for cut in 1..written.len() {
                let told = read(&written.as_bytes()[..cut]);
                assert!(told == Written::Cut || written == "你", "{written} after {cut} bytes: {told:?}");
            }
        }
        assert_eq!(read(b"%"), Written::Cut);
        assert_eq!(read(b"\xe2a"), Written::Plain, "no continuation");
    }

    #[test]
    fn what_is_passed_over_stands_for_itself() {
        for code in 0x2000..0x2070u32 {
            let text = format!("{}x", char::from_u32(code).unwrap());
            assert_eq!(is_disguised(text.as_bytes(), 0), read(text.as_bytes()) != Written::Plain, "{code:x}");
        }
    }

    #[test]
    fn the_first_of_them_is_found() {
        assert_eq!(first(b"100% sure"), None);
        assert_eq!(first(b"100% a%40"), Some(6));
        assert_eq!(first("café, 你好 – x".as_bytes()), Some("café, 你好 ".len()));
        assert_eq!(first(b"100%"), Some(3));
        assert_eq!(first("café 😀".as_bytes()), None);
        assert_eq!(first(b"caf\xc3"), None, "no letter of it is disguised");
    }
}
