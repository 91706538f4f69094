//! `portcullis audit open` as auditors run it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod support;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use portcullis::audit::otlp::Resource;
use portcullis::audit::seal::{Recipient, Seal};
use portcullis::audit::{
    Captured, EndRecord, Facts, Limits, Pieces, Record, Recorder, Sealed, StartRecord, Text,
};
use support::{directory, run, text};

const NOW: u64 = 1_795_363_161_000_000_000;

/// What a collector got of two exchanges: one sealed to somebody, one whose texts are masked.
fn batch(auditor: &Identity) -> String {
    let recipient = Recipient::parse(&auditor.to_public().to_string()).unwrap();
    let random = |into: &mut [u8]| {
        into.fill(7);
        true
    };
    let seal = Seal::new(&[recipient], &random).unwrap();
    let sealed = |pieces: &[(u64, &str)]| Sealed::of(&pieces_of(pieces), &seal, &random);
    let facts = |id: &str| Facts {
        exchange: Text::from(id),
        user_id: Some(Text::from("https://idp.example.com#alice")),
        model: Some(Text::from("gpt-4o\u{1b}[2J")),
        ..Facts::default()
    };
    let prompt_sealed = sealed(&[(1, "Be brief."), (2, "Hello,\nI am \u{1b}[31mred")]);
    let captured = Captured { capture: Some("full"), prompt_sealed, ..Captured::default() };
    let start = StartRecord { facts: facts("one"), captured };
    let captured = Captured { response_sealed: sealed(&[(1, "jane@example.com")]), ..Captured::default() };
    let end = EndRecord { facts: facts("one"), captured, ..EndRecord::default() };
    let captured = Captured { prompt: pieces_of(&[(1, "<EMAIL_ADDRESS>")]), ..Captured::default() };
    let masked = StartRecord { facts: facts("two"), captured };
    let mut recorder = Recorder::new([7; 16], &Resource::default(), Limits::default());
    for record in
        [Record::Start(Box::new(start)), Record::Start(Box::new(masked)), Record::End(Box::new(end))]
    {
        recorder.record(NOW, &record);
    }
    String::from_utf8(recorder.next_batch(NOW + 1_000_000_000).unwrap().body).unwrap()
}

fn pieces_of(pieces: &[(u64, &str)]) -> Pieces {
    Pieces::new(pieces.iter().map(|(of, piece)| (*of, (*piece).to_owned())).collect())
}

/// What the command says to somebody with this key, and its exit code.
fn opened(auditor: &Identity, key: &Identity, arguments: &[&str]) -> (String, String, i32) {
    let secret = key.to_string();
    let directory = directory(&[
        ("records.jsonl", &batch(auditor)),
        ("key.txt", &format!("# mine\n{}\n", secret.expose_secret())),
    ]);
    let arguments = [&["audit", "open", "-i", "key.txt", "records.jsonl"], arguments].concat();
    let output = run(directory.path(), &arguments);
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn an_auditor_reads_exchange_by_exchange_what_was_said() {
    let auditor = Identity::generate();
    let (said, faults, code) = opened(&auditor, &auditor, &[]);
    assert_eq!((faults.as_str(), code), ("", 0));
    assert!(
        said.contains("  prompt\n      1  Be brief.\n      2  Hello,\n         I am \u{fffd}[31mred\n"),
        "{said}"
    );
    assert!(said.contains("  answer\n      1  jane@example.com\n"), "{said}");
    assert!(said.contains("alice") && said.contains("<EMAIL_ADDRESS>"), "{said}");
    assert!(!said.contains('\u{1b}'), "what a caller calls a model steers no terminal: {said:?}");
    let (said, _, _) = opened(&auditor, &auditor, &["--exchange", "two"]);
    assert!(said.starts_with("two ") && !said.contains("Be brief"), "{said}");
}

#[test]
fn as_json_the_texts_stand_where_the_seal_was() {
    let auditor = Identity::generate();
    let (said, _, code) = opened(&auditor, &auditor, &["--format", "json", "--exchange", "one"]);
    let records: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, records.len()), (0, 2));
    assert_eq!(records[0]["portcullis.prompt.texts"][0]["text"], "Be brief.");
    assert!(records.iter().all(|record| record.get("portcullis.prompt.sealed").is_none()), "{said}");
}

#[test]
fn what_is_sealed_to_others_is_said_and_the_rest_is_shown() {
    let (said, faults, code) = opened(&Identity::generate(), &Identity::generate(), &[]);
    assert_eq!(code, 3);
    assert!(
        faults.contains("one: the prompt in record ") && faults.contains("is sealed to others"),
        "{faults}"
    );
    assert!(said.contains("<EMAIL_ADDRESS>") && !said.contains("Be brief"), "{said}");
}

#[test]
fn a_file_without_a_key_and_an_exchange_that_is_not_there_are_said() {
    let auditor = Identity::generate();
    let (_, faults, code) = opened(&auditor, &auditor, &["--exchange", "three"]);
    assert!(code == 1 && faults.contains("holds no record of the exchange three"), "{faults}");
    let directory = directory(&[("records.jsonl", &batch(&auditor)), ("key.txt", "nothing")]);
    let output = run(directory.path(), &["audit", "open", "-i", "key.txt", "records.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("key.txt: holds no secret key of age"), "{}", text(&output.stderr));
}

#[test]
fn a_file_of_keys_without_one_is_named() {
    let batch = batch(&Identity::generate());
    for keys in ["", "# mine\n"] {
        let directory = directory(&[("records.jsonl", &batch), ("empty.txt", keys)]);
        let output = run(directory.path(), &["audit", "open", "-i", "empty.txt", "records.jsonl"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).starts_with("error: empty.txt: holds no secret key of age"),
            "{output:?}"
        );
    }
}
