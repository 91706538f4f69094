//! Against texts packed by the tests' own writer of envelopes and by the crate's compressor.

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proptest::prelude::*;

use super::*;

/// A gzip member after RFC 1952 with the given flags and fields.
fn member(text: &[u8], flags: u8) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255];
    if flags & EXTRA != 0 {
        out.extend([3, 0, 0, 1, 2]);
    }
    if flags & NAME != 0 {
        out.extend(b"name.txt\0");
    }
    if flags & COMMENT != 0 {
        out.extend(b"a comment\0");
    }
    if flags & HEAD_SUM != 0 {
        let sum = crc32fast::hash(&out) & 0xffff;
        out.extend(&sum.to_le_bytes()[..2]);
    }
    out.extend(compress_to_vec(text, 6));
    out.extend(crc32fast::hash(text).to_le_bytes());
    out.extend((text.len() as u32).to_le_bytes());
    out
}

fn decode(coding: Coding, pieces: &[&[u8]]) -> Result<Vec<u8>, Unreadable> {
    let mut decoder = Decoder::new(coding);
    let mut text = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut |part| {
            text.extend_from_slice(part);
            Ok(())
        })?;
    }
    decoder.finish()?;
    Ok(text)
}

const TEXT: &[u8] = b"data: {\"a\":\"jane@example.com\"}\n\ndata: {\"a\":\"jane@example.com\"}\n\n";

fn forms() -> Vec<(Coding, Vec<u8>, Vec<u8>)> {
    let twice = [member(TEXT, 0), member(b"", NAME), member(b"more", EXTRA | COMMENT)].concat();
    let mut forms = vec![
        (Coding::Deflate, compress_to_vec(TEXT, 6), TEXT.to_vec()),
        (Coding::Deflate, compress_to_vec_zlib(TEXT, 6), TEXT.to_vec()),
        (Coding::Deflate, compress_to_vec(TEXT, 0), TEXT.to_vec()),
        (Coding::Deflate, compress_to_vec(b"", 9), Vec::new()),
        (Coding::Deflate, compress_to_vec_zlib(b"", 9), Vec::new()),
        (Coding::Gzip, twice, [TEXT, b"more"].concat()),
    ];
    forms.extend((0..32).map(|flags| (Coding::Gzip, member(TEXT, flags), TEXT.to_vec())));
    forms
}

#[test]
fn every_form_is_read_at_every_cut() {
    for (coding, bytes, text) in forms() {
        for cut in 0..=bytes.len() {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(decode(coding, &[a, b]).as_ref(), Ok(&text), "{coding:?} {bytes:?} cut at {cut}");
        }
        assert_eq!(decode(coding, &bytes.chunks(1).collect::<Vec<_>>()), Ok(text));
    }
}

#[test]
fn what_ends_early_or_goes_on_is_refused() {
    for (coding, bytes, text) in forms() {
        for len in 1..bytes.len() {
            match decode(coding, &[&bytes[..len]]) {
                // Behind a member, where another one might follow.
                Ok(seen) => {
                    assert!(coding == Coding::Gzip && text.starts_with(&seen) && seen.len() >= TEXT.len())
                }
                Err(error) => assert_eq!(error, broken("it ends within its data"), "{bytes:?} {len}"),
            }
        }
        assert!(decode(coding, &[&bytes, b"\0"]).is_err(), "{coding:?}");
        assert!(decode(coding, &[&bytes, b"something that is no member"]).is_err(), "{coding:?}");
    }
    assert_eq!(decode(Coding::Gzip, &[b""]), Ok(Vec::new()), "no body at all");
}

#[test]
fn one_wrong_bit_anywhere_in_gzip_is_refused_or_changes_nothing() {
    let bytes = member(TEXT, HEAD_SUM | NAME);
    for at in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[at / 8] ^= 1 << (at % 8);
        let seen = decode(Coding::Gzip, &[&wrong]);
        // The last byte of the data has bits that belong to nothing.
        assert!(seen.is_err() || seen == Ok(TEXT.to_vec()), "bit {at}: {seen:?}");
    }
    let mut wrong = compress_to_vec_zlib(TEXT, 6);
    *wrong.last_mut().unwrap() ^= 1;
    assert!(decode(Coding::Deflate, &[&wrong]).is_err(), "adler");
}

#[test]
fn a_bomb_is_refused_before_it_is_large_and_a_repetitive_answer_is_not() {
    let bomb = member(&vec![b'x'; 64 << 20], 0);
    assert!(bomb.len() < 70_000);
    for size in [1, 1000, bomb.len()] {
        let mut given = 0;
        let mut decoder = Decoder::new(Coding::Gzip);
        let mut each = |part: &[u8]| {
            given += part.len() as u64;
            Ok(())
        };
        let error = bomb.chunks(size).find_map(|piece| decoder.push(piece, &mut each).err());
        assert_eq!(error, Some(broken("it expands beyond what is read")), "{size}");
        assert!(given <= SLACK + MAX_RATIO * bomb.len() as u64, "{size}: {given}");
    }
    let small = vec![b'x'; SLACK as usize];
    assert_eq!(decode(Coding::Gzip, &[&member(&small, 0)]), Ok(small));
}

#[test]
fn text_goes_on_as_soon_as_its_bytes_are_there() {
    // Two blocks, the first flushed as servers flush an event: the second is not there yet.
    let bytes = [&[0x00, 0x05, 0x00, 0xfa, 0xff][..], b"hello"].concat();
    let mut seen = Vec::new();
    let mut decoder = Decoder::new(Coding::Deflate);
    let mut each = |part: &[u8]| {
        seen.extend_from_slice(part);
        Ok(())
    };
    decoder.push(&bytes, &mut each).unwrap();
    assert_eq!(seen, b"hello");
    assert!(!decoder.is_whole());
}

#[test]
fn the_header_is_read_as_a_list_without_case() {
    let read = |values: &[&str]| named(values.iter().map(|value| value.as_bytes()));
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&["", " , identity", "IDENTITY"]), Ok(None));
    assert_eq!(read(&["gzip"]), Ok(Some(Coding::Gzip)));
    assert_eq!(read(&["X-GZip"]), Ok(Some(Coding::Gzip)));
    assert_eq!(read(&[" Deflate ,identity"]), Ok(Some(Coding::Deflate)));
    assert_eq!(read(&["identity", "gzip"]), Ok(Some(Coding::Gzip)));
    for bad in [&["br"][..], &["zstd"], &["gzip, gzip"], &["gzip", "deflate"], &["gzip;q=1"], &["compress"]] {
        assert_eq!(read(bad), Err(Unknown), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn any_text_in_any_pieces_comes_back(
        text in prop::collection::vec(any::<u8>(), 0..3000),
        level in 0u8..10,
        size in 1usize..200,
        zlib: bool,
    ) {
        let bytes = if zlib { compress_to_vec_zlib(&text, level) } else { compress_to_vec(&text, level) };
        prop_assert_eq!(decode(Coding::Deflate, &bytes.chunks(size).collect::<Vec<_>>()), Ok(text));
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), head: bool) {
        let bytes = if head { [&member(b"", 0)[..10], &bytes].concat() } else { bytes };
        let _ = decode(Coding::Gzip, &[&bytes]);
        let _ = decode(Coding::Deflate, &[&bytes]);
    }
}
