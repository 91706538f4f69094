//! How events travel beside server-sent events, by means of the tests' own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::recorded::Wire;
use crate::protocol::rewrite::BodyKind;

/// A document a line.
pub const LINES: Wire = Wire {
    kind: BodyKind::JsonLines,
    write: |events| {
        events.iter().map(|(_, document)| format!("{document}\n")).collect::<String>().into_bytes()
    },
    read: |bytes| {
        let text = std::str::from_utf8(bytes).unwrap();
        text.lines().map(|line| (String::new(), line.to_owned())).collect()
    },
};

/// The items of one array.
pub const ARRAY: Wire = Wire {
    kind: BodyKind::JsonArray,
    write: |events| {
        let documents: Vec<&str> = events.iter().map(|(_, document)| document.as_str()).collect();
        format!("[{}\n]", documents.join("\n,\r\n")).into_bytes()
    },
    read: |bytes| {
        let items: Vec<&serde_json::value::RawValue> = serde_json::from_slice(bytes).unwrap();
        items.iter().map(|item| (String::new(), item.get().to_owned())).collect()
    },
};

/// AWS frames, the name in their header.
pub const FRAMES: Wire = Wire {
    kind: BodyKind::AwsFrames,
    write: |events| {
        events.iter().flat_map(|(name, document)| frame(&event(name), document.as_bytes())).collect()
    },
    read: |bytes| {
        let named = |headers: Vec<(String, String)>| {
            headers.into_iter().find(|(name, _)| name == ":event-type").unwrap().1
        };
        let text = |payload: Vec<u8>| String::from_utf8(payload).unwrap();
        frames(bytes).into_iter().map(|(headers, payload)| (named(headers), text(payload))).collect()
    },
};

/// AWS frames that carry documents in base64.
pub const CHUNKS: Wire = Wire {
    kind: BodyKind::AwsFrames,
    write: |events| events.iter().flat_map(|(_, document)| chunk(document)).collect(),
    read: |bytes| {
        let document = |payload: Vec<u8>| {
            let payload: Value = serde_json::from_slice(&payload).unwrap();
            String::from_utf8(STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap()).unwrap()
        };
        frames(bytes).into_iter().map(|(_, payload)| (String::new(), document(payload))).collect()
    },
};

/// The headers of an event.
pub fn event(kind: &str) -> [(&str, &str); 3] {
    [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
}

/// A frame that carries a document in base64.
pub fn chunk(document: &str) -> Vec<u8> {
    let payload = json!({"bytes": STANDARD.encode(document), "p": "abc"}).to_string();
    frame(&event("chunk"), payload.as_bytes())
}

/// A CRC-32 (IEEE) after its definition, a byte at a time.
pub fn crc(bytes: &[u8]) -> u32 {
    static STEPS: std::sync::OnceLock<[u32; 256]> = std::sync::OnceLock::new();
    let steps = STEPS.get_or_init(|| {
        std::array::from_fn(|byte| {
            (0..8).fold(byte as u32, |sum, _| (sum >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1)))
        })
    });
    !bytes.iter().fold(!0, |sum, byte| (sum >> 8) ^ steps[usize::from(sum as u8 ^ byte)])
}

/// A frame whose headers are texts.
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let header = |(name, value): &(&str, &str)| {
        let len = (value.len() as u16).to_be_bytes();
        [&[name.len() as u8][..], name.as_bytes(), &[7], &len, value.as_bytes()].concat()
    };
    packed(&headers.iter().flat_map(header).collect::<Vec<u8>>(), payload)
}

/// A frame of these headers' bytes.
pub fn packed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let all = (16 + headers.len() + payload.len()) as u32;
    let mut out = [all.to_be_bytes(), (headers.len() as u32).to_be_bytes()].concat();
    out.extend(crc(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload);
    out.extend(crc(&out).to_be_bytes());
    out
}

/// The headers of a frame, all of them texts, and its payload.
pub type Framed = (Vec<(String, String)>, Vec<u8>);

/// The frames of a stream.
pub fn frames(mut bytes: &[u8]) -> Vec<Framed> {
    let word = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = bytes.split_at(word(bytes) as usize);
        let (before, sum) = frame.split_at(frame.len() - 4);
        assert_eq!((crc(before), crc(&frame[..8])), (word(sum), word(&frame[8..])));
        let (mut headers, payload) = before[12..].split_at(word(&frame[4..]) as usize);
        let mut texts = Vec::new();
        while let [len, after @ ..] = headers {
            let (name, after) = after.split_at(usize::from(*len));
            let [7, high, low, after @ ..] = after else { panic!("{after:?}") };
            let (value, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            texts.push((text(name), text(value)));
            headers = after;
        }
        frames.push((texts, payload.to_vec()));
        bytes = rest;
    }
    frames
}
