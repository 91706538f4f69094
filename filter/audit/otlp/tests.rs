//! The same records, whatever the encoding: JSON is what the others are compared with.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;

use super::*;
use crate::audit::queue::{Batch, Limits};
use crate::audit::record::Record;
use crate::audit::samples_tests::{self as samples, SECOND, START};

const ALL: [Wire; 4] = [
    Wire { encoding: Encoding::Json, gzip: false },
    Wire { encoding: Encoding::Json, gzip: true },
    Wire { encoding: Encoding::Protobuf, gzip: false },
    Wire { encoding: Encoding::Protobuf, gzip: true },
];

/// A record of each kind, and one that declares a loss.
fn batch(wire: Wire) -> Batch {
    let limits = Limits { records: 3, ..Limits::default() };
    let mut recorder = samples::recorder(limits).speaking(wire, &samples::resource());
    let records = [samples::start(), samples::part(), samples::end(), samples::refusal(), samples::start()];
    records.iter().for_each(|record: &Record| _ = recorder.record(START, record));
    recorder.record(START, &samples::start());
    recorder.close(START + 5);
    recorder.next_batch(START + SECOND).unwrap()
}

/// As a collector reads it, by the headers that came with it and the specification's own messages.
fn read(batch: &Batch) -> ExportLogsServiceRequest {
    let headers = batch.wire.headers();
    let plain = if headers.contains(&("content-encoding", "gzip")) {
        unpack(&batch.body)
    } else {
        batch.body.clone()
    };
    match headers[0] {
        ("content-type", "application/json") => serde_json::from_slice(&plain).unwrap(),
        ("content-type", "application/x-protobuf") => ExportLogsServiceRequest::decode(&*plain).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn unpack(body: &[u8]) -> Vec<u8> {
    let (head, rest) = body.split_at(10);
    assert_eq!(head[..4], [0x1f, 0x8b, 8, 0]);
    let (deflated, tail) = rest.split_at(rest.len() - 8);
    let plain = miniz_oxide::inflate::decompress_to_vec(deflated).unwrap();
    assert_eq!(tail[..4], crc32fast::hash(&plain).to_le_bytes());
    assert_eq!(tail[4..], u32::try_from(plain.len()).unwrap().to_le_bytes());
    plain
}

#[test]
fn every_encoding_says_the_same() {
    let expected = read(&batch(Wire::default()));
    let records = &expected.resource_logs[0].scope_logs[0].log_records;
    assert_eq!(records.len(), 6, "{records:?}");
    assert!(records.iter().all(|record| record.event_name.starts_with("portcullis.")), "{records:?}");
    assert!(format!("{records:?}").contains("portcullis.dropped.count"));
    for wire in ALL {
        assert_eq!(read(&batch(wire)), expected, "{wire:?}");
    }
}

#[test]
fn protobuf_and_gzip_are_smaller() {
    let size = |at: usize| batch(ALL[at]).body.len();
    assert!(size(2) < size(0) && size(1) < size(2) && size(3) < size(2), "{:?}", [0, 1, 2, 3].map(size));
}
