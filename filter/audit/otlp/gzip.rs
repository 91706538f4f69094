//! gzip (RFC 1952) around a batch.

use miniz_oxide::deflate::compress_to_vec;

/// No name, no time, no system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// The fastest: records repeat themselves so much that the others save little more, at several times the work.
const LEVEL: u8 = 1;

pub(super) fn pack(body: &[u8]) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    out.extend(compress_to_vec(body, LEVEL));
    out.extend(crc32fast::hash(body).to_le_bytes());
    // The length modulo 2^32, as the format has it.
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    out.extend(length.to_le_bytes().into_iter().take(4));
    out
}
