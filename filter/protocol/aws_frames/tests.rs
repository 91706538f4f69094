//! Frames against a writer of the tests' own.

use proptest::prelude::*;

use super::*;
use crate::protocol::testing::wires::{crc, packed as frame};

fn text(name: &str, value: &str) -> Vec<u8> {
    let len = (value.len() as u16).to_be_bytes();
    [&[name.len() as u8][..], name.as_bytes(), &[7], &len, value.as_bytes()].concat()
}

/// The payloads of a stream.
fn payloads(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Unreadable> {
    let mut payloads = Vec::new();
    let mut framer = Framer::default();
    for piece in pieces {
        framer.push(piece, &mut |frame| {
            frame.headers()?;
            payloads.push(frame.payload.to_vec());
            Ok(())
        })?;
    }
    framer.finish().map(|()| payloads)
}

/// A header of each type.
fn every() -> Vec<u8> {
    [
        text(":event-type", "contentBlockDelta"),
        b"\x01a\x00\x01b\x01\x01c\x02x\x01d\x03xx\x01e\x04xxxx\x01f\x05xxxxxxxx".to_vec(),
        b"\x01g\x06\x00\x03\xff\x00\x01\x01h\x08tttttttt\x01i\x09uuuuuuuuuuuuuuuu".to_vec(),
    ]
    .concat()
}

#[test]
fn frames_are_the_same_at_every_cut() {
    let stream = [
        frame(&every(), b"{\"a\":1}"),
        frame(b"", b""),
        frame(&text("x", ""), b"\x00\xff"),
        frame(b"", b"y"),
    ]
    .concat();
    let expected = [&b"{\"a\":1}"[..], b"", b"\x00\xff", b"y"];
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(payloads(&pieces).unwrap(), expected, "{first} {second}");
        }
    }
    assert_eq!(payloads(&stream.chunks(1).collect::<Vec<_>>()).unwrap(), expected);
}

#[test]
fn a_frame_goes_out_with_its_last_byte() {
    let bytes = frame(&every(), b"{}");
    let mut framer = Framer::default();
    let mut seen = 0;
    let mut each = |_: Frame<'_>| {
        seen += 1;
        Ok(())
    };
    framer.push(&bytes[..bytes.len() - 1], &mut each).unwrap();
    assert_eq!(framer.held(), bytes.len() - 1);
    framer.push(&bytes[bytes.len() - 1..], &mut each).unwrap();
    assert_eq!((seen, framer.held()), (1, 0));
}

#[test]
fn one_wrong_bit_anywhere_is_refused() {
    let bytes = frame(&every(), b"{\"a\":1}");
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(payloads(&[&wrong]).is_err(), "bit {bit}");
    }
    for len in 1..bytes.len() {
        assert_eq!(payloads(&[&bytes[..len]]), Err(broken("it is not whole")), "{len}");
    }
}

#[test]
fn lengths_and_headers_that_cannot_be_are_refused_though_their_sums_hold() {
    let sealed = |all: u32, headers: u32, rest: &[u8]| {
        let mut out = [all.to_be_bytes(), headers.to_be_bytes()].concat();
        out.extend(crc(&out).to_be_bytes());
        out.extend(rest);
        out.extend(crc(&out).to_be_bytes());
        out
    };
    assert_eq!(payloads(&[&sealed(16, 1, b"")]), Err(broken("its lengths are wrong")));
    assert_eq!(payloads(&[&sealed(15, 0, b"")]), Err(broken("its lengths are wrong")));
    assert_eq!(payloads(&[&sealed(0, 0, b"")]), Err(broken("its lengths are wrong")));
    assert_eq!(payloads(&[&sealed(u32::MAX, 0, b"")]), Err(Unreadable::EventTooLong { limit: MAX_EVENT }));
    assert_eq!(payloads(&[&sealed(1 << 20, 1 << 18, b"")]), Err(broken("its lengths are wrong")));
    for headers in [
        &b"\x01"[..],
        b"\x01a",
        b"\x01a\x0a",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x02x",
        b"\x01a\x05xxxxxxx",
        b"\x02a\x00",
        b"\x01a\x00\x01",
    ] {
        assert_eq!(payloads(&[&frame(headers, b"")]), Err(broken("its headers are damaged")), "{headers:?}");
    }
    let twice = [text(":event-type", "a"), text(":event-type", "b")].concat();
    assert_eq!(payloads(&[&frame(&twice, b"")]), Err(broken("a header comes twice")));
}

#[test]
fn an_exception_is_a_frame_that_says_so() {
    let bytes = exception("x");
    let headers = [
        text(":exception-type", "modelStreamErrorException"),
        text(":content-type", "application/json"),
        text(":message-type", "exception"),
    ];
    assert_eq!(bytes, frame(&headers.concat(), b"{\"message\":\"x\"}"));
}

proptest! {
    #[test]
    fn what_is_read_is_written_as_it_was(payload in prop::collection::vec(any::<u8>(), 0..200), name in "[a-z:-]{0,20}", value in ".{0,20}") {
        let bytes = frame(&[every(), text(&format!("z{name}"), &value)].concat(), &payload);
        let mut out = Vec::new();
        Framer::default().push(&bytes, &mut |frame| write(&frame.headers()?, frame.payload, &mut out)).unwrap();
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), headers in prop::collection::vec(0u8..12, 0..40)) {
        let _ = payloads(&[&bytes]);
        let _ = payloads(&[&frame(&headers, &bytes)]);
    }
}
