//! Every damage to a list of records shows.

use serde_json::{Value, json};

use super::*;
use crate::audit::captured::{Part, PartRecord};
use crate::audit::chain::{Head, hash};
use crate::audit::queue::{Limits, Recorder};
use crate::audit::record::Record;
use crate::audit::retry::Answer;
use crate::audit::samples_tests::{self as samples, SECOND, START, log_records};
use crate::audit::signature::Signer;

const CHAIN: &str = "5f0e8a1142c94d7b903a1cee2766b4d8";
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

/// A body and its hash attribute.
type Stood = (String, String);

/// Four records and an anchor.
fn written(signer: Option<Signer>) -> Vec<Stood> {
    let mut recorder = samples::recorder(Limits::default());
    if let Some(signer) = signer {
        recorder = recorder.signing(signer);
    }
    for n in 0..4 {
        recorder.record(START + n, &samples::start());
    }
    recorder.close(START + 5);
    stored_of(&recorder.next_batch(START + SECOND).unwrap().body)
}

/// The records of a batch.
fn stored_of(batch: &[u8]) -> Vec<Stood> {
    let attribute = |record: &Value| {
        let attributes = record["attributes"].as_array().unwrap();
        let hash = attributes.iter().find(|a| a["key"] == "portcullis.chain.hash").unwrap();
        hash["value"]["stringValue"].as_str().unwrap().to_owned()
    };
    log_records(batch)
        .iter()
        .map(|record| (record["body"]["stringValue"].as_str().unwrap().to_owned(), attribute(record)))
        .collect()
}

fn stored() -> Vec<Stood> {
    written(None)
}

fn report(records: &[Stood], hashes: bool, known: &Knowledge) -> Report {
    let attributes: Vec<_> = records
        .iter()
        .map(|(_, hash)| vec![("portcullis.chain.hash".to_owned(), json!({ "stringValue": hash }))])
        .collect();
    let stored = records.iter().zip(&attributes);
    let stored = stored
        .map(|((body, _), attributes)| Stored { body, attributes: if hashes { attributes } else { &[] } });
    verify(stored, known)
}

fn judge(records: &[Stood], hashes: bool) -> Vec<Finding> {
    report(records, hashes, &Knowledge::default()).findings
}

fn one(seq: u64, what: What) -> Finding {
    Finding::one(CHAIN, seq, what)
}

#[test]
fn a_whole_chain_shows_nothing() {
    assert_eq!(stored().len(), 5);
    assert_eq!(judge(&stored(), true), []);
    assert_eq!(judge(&stored(), false), []);
}

#[test]
fn a_missing_record_shows_at_any_place_but_the_tail() {
    for gone in 0..4 {
        let mut records = stored();
        records.remove(gone);
        let seq = gone as u64 + 1;
        assert_eq!(judge(&records, true), [one(seq, What::Missing)]);
    }
}

#[test]
fn a_changed_record_shows_even_with_its_hash_rewritten() {
    for at in 0..4 {
        let mut records = stored();
        records[at].0 = records[at].0.replace("alice", "mallo");
        let finding = one(at as u64 + 1, What::Changed);
        assert_eq!(judge(&records, true), std::slice::from_ref(&finding), "by its own hash");
        records[at].1 = hash(&records[at].0);
        assert_eq!(judge(&records, true), std::slice::from_ref(&finding), "by its successor");
        assert_eq!(judge(&records, false), [finding]);
    }
}

#[test]
fn a_changed_tail_shows_by_its_hash() {
    let mut records = stored();
    records[4].0 = records[4].0.replace("anchor.seq\":4", "anchor.seq\":3");
    assert!(judge(&records, true).contains(&one(5, What::Changed)));
}

#[test]
fn a_reordered_record_shows() {
    let mut records = stored();
    records.swap(1, 2);
    assert_eq!(judge(&records, true), [one(2, What::Reordered)]);
}

#[test]
fn a_doubled_record_shows_and_a_forged_double_is_told_from_it() {
    let mut records = stored();
    records.push(records[2].clone());
    assert_eq!(judge(&records, true), [one(3, What::Doubled)]);
    records[5].0 = records[5].0.replace("alice", "mallo");
    assert_eq!(judge(&records, true), [one(3, What::Conflicting)]);
}

#[test]
fn a_record_renumbered_into_a_gap_shows() {
    let mut records = stored();
    records.remove(1);
    records[1].0 = records[1].0.replace("chain.seq\":3", "chain.seq\":2");
    assert!(judge(&records, false).iter().any(Finding::is_damage));
}

#[test]
fn what_is_no_record_is_said() {
    let records = vec![("{}".to_owned(), String::new())];
    assert_eq!(judge(&records, true), [Finding::Unreadable { at: 0 }]);
}

fn witnessed(records: &[Stood]) -> Report {
    let public = Signer::of_seed(SEED).unwrap().public();
    let known = Knowledge { witnesses: vec![Witness::of_public(&public).unwrap()], ..Knowledge::default() };
    report(records, true, &known)
}

#[test]
fn a_signed_anchor_vouches_for_what_stands_before_it() {
    let records = written(Some(Signer::of_seed(SEED).unwrap()));
    let report = witnessed(&records);
    assert_eq!(report.findings, []);
    assert_eq!(report.chains[0].anchored.as_ref().map(|(seq, _)| *seq), Some(4));
}

#[test]
fn a_chain_that_was_written_anew_has_no_signature_that_holds() {
    let unsigned = witnessed(&stored());
    assert_eq!(
        (unsigned.findings, unsigned.chains[0].anchored.clone()),
        (vec![one(5, What::Unsigned)], None)
    );
    let other = Signer::of_seed(&Signer::of_seed(SEED).unwrap().public()).unwrap();
    assert_eq!(witnessed(&written(Some(other))).findings, [one(5, What::Forged)]);
    // With the signature of another place.
    let mut records = written(Some(Signer::of_seed(SEED).unwrap()));
    records[4].0 = records[4].0.replace("anchor.seq\":4", "anchor.seq\":3");
    records[4].1 = hash(&records[4].0);
    assert_eq!(witnessed(&records).findings, [one(5, What::Forged)]);
}

#[test]
fn a_part_of_a_chain_is_judged_by_itself() {
    let part = &stored()[2..];
    assert_eq!(judge(part, true), [Finding::some(CHAIN, 1, 2, What::Missing)]);
    let known = Knowledge { partial: true, ..Knowledge::default() };
    let whole = report(part, true, &known);
    assert_eq!(whole.findings, []);
    assert_eq!((whole.chains[0].first, whole.chains[0].last, whole.chains[0].records), (3, 5, 3));
    let mut holed = part.to_vec();
    holed.remove(1);
    assert_eq!(report(&holed, true, &known).findings, [one(4, What::Missing)]);
}

#[test]
fn an_exchange_without_an_end_is_named() {
    let chain = report(&stored(), true, &Knowledge::default()).chains.remove(0);
    assert_eq!(chain.open.len(), 1, "{:?}", chain.open);
    let mut recorder = samples::recorder(Limits::default());
    recorder.record(START, &samples::start());
    recorder.record(START, &samples::end());
    let bodies = samples::bodies(&recorder.next_batch(START + SECOND).unwrap().body);
    let stored = bodies.iter().map(|body| Stored { body, attributes: &[] });
    assert_eq!(verify(stored, &Knowledge::default()).chains[0].open, [""; 0]);
}

#[test]
fn an_attribute_that_disagrees_with_the_body_shows() {
    let records = stored();
    let changed = ("user.id".to_owned(), json!({ "stringValue": "mallory" }));
    let stored = records.iter().map(|(body, _)| Stored { body, attributes: std::slice::from_ref(&changed) });
    let findings = verify(stored.take(1), &Knowledge::default()).findings;
    assert_eq!(findings, [one(1, What::Disagreeing(vec!["user.id".to_owned()]))]);
}

/// A chain with an exchange of three parts and its end.
fn in_parts() -> Vec<Stood> {
    let mut recorder = samples::recorder(Limits::default());
    let Record::Part(part) = samples::part() else { panic!("a part") };
    for number in 1..4_u64 {
        let part = PartRecord { part: Part { number: number.into() }, ..(*part).clone() };
        recorder.record(START + number, &Record::Part(Box::new(part)));
    }
    recorder.record(START + 5, &samples::ended(Some(3)));
    stored_of(&recorder.next_batch(START + SECOND).unwrap().body)
}

#[test]
fn a_missing_part_shows_by_its_exchange() {
    let id = "018f3c1e6b7a4d21".to_owned();
    assert_eq!(judge(&in_parts(), true), []);
    for gone in 0..3 {
        let mut records = in_parts();
        records.remove(gone);
        let number = gone as u64 + 1;
        let parts = one(4, What::PartsMissing(id.clone(), vec![number]));
        assert!(parts.is_damage());
        assert_eq!(judge(&records, true), [one(number, What::Missing), parts]);
    }
    // A part of the chain may begin within the exchange.
    let partial = Knowledge { partial: true, ..Knowledge::default() };
    assert_eq!(report(&in_parts()[1..], true, &partial).findings, []);
    assert!(!report(&[in_parts().remove(0), in_parts().remove(3)], true, &partial).findings.is_empty());
}

#[test]
fn a_part_that_is_declared_as_lost_is_no_damage() {
    let limits = Limits { part_records: 2, ..Limits::default() };
    let mut recorder = samples::recorder(limits);
    let Record::Part(part) = samples::part() else { panic!("a part") };
    for number in 1..4_u64 {
        let part = PartRecord { part: Part { number: number.into() }, ..(*part).clone() };
        recorder.record(START + number, &Record::Part(Box::new(part)));
    }
    let first = recorder.next_batch(START + SECOND).unwrap();
    recorder.delivered(
        first.ticket,
        START + SECOND,
        &Answer::Status { status: 200, retry_after: None, body: b"" },
    );
    recorder.record(START + SECOND, &samples::ended(Some(3)));
    let mut records = stored_of(&first.body);
    records.extend(stored_of(&recorder.next_batch(START + 2 * SECOND).unwrap().body));
    let lost = one(4, What::PartsLost("018f3c1e6b7a4d21".to_owned(), vec![3]));
    assert!(!lost.is_damage());
    assert_eq!(judge(&records, true), [one(3, What::Lost), lost]);
}

/// A chain of one record that goes on from another.
fn successor(ended: Head) -> Stood {
    let mut recorder = Recorder::new([7; 16], &samples::resource(), Limits::default());
    recorder.succeed(ended);
    recorder.record(START + SECOND, &samples::start());
    stored_of(&recorder.next_batch(START + 2 * SECOND).unwrap().body).remove(0)
}

fn ended_at(records: &[Stood], seq: u64) -> Head {
    let body = &records[usize::try_from(seq).unwrap() - 1].0;
    Head { chain: CHAIN.to_owned(), seq, hash: hash(body) }
}

#[test]
fn a_chain_that_was_cut_off_shows_by_its_successor() {
    let next = "07".repeat(16);
    let whole = stored();
    let successor = successor(ended_at(&whole, 5));
    for left in 1..=5_u64 {
        let mut records = whole[..usize::try_from(left).unwrap()].to_vec();
        records.push(successor.clone());
        let expected = (left < 5).then(|| Finding::some(CHAIN, left + 1, 5, What::CutOff(next.clone())));
        assert_eq!(judge(&records, true), Vec::from_iter(expected), "{left} left");
    }
}

#[test]
fn a_chain_that_was_taken_out_as_a_whole_shows_by_its_successor() {
    let alone = [successor(ended_at(&stored(), 5))];
    let finding = Finding::some(CHAIN, 1, 5, What::CutOff("07".repeat(16)));
    assert!(finding.is_damage());
    assert_eq!(judge(&alone, true), [finding]);
    // A part of the records may begin behind it.
    let partial = Knowledge { partial: true, ..Knowledge::default() };
    assert_eq!(report(&alone, true, &partial).findings, []);
}

#[test]
fn a_tail_that_was_written_anew_shows_by_its_successor() {
    let mut records = stored();
    records.push(successor(ended_at(&stored(), 5)));
    records[4].0 = records[4].0.replace("\"time\":\"2026", "\"time\":\"2025");
    records[4].1 = hash(&records[4].0);
    assert_eq!(judge(&records, true), [one(5, What::Changed)]);
}

#[test]
fn the_record_after_the_one_that_names_a_predecessor_names_none() {
    let mut recorder = samples::recorder(Limits::default());
    recorder.succeed(Head { chain: "07".repeat(16), seq: 3, hash: "1".repeat(64) });
    recorder.record(START, &samples::start());
    recorder.record(START, &samples::end());
    let bodies = samples::bodies(&recorder.next_batch(START + SECOND).unwrap().body);
    let bodies: Vec<Value> = bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(bodies[0]["portcullis.chain.predecessor"], format!("{}-3", "07".repeat(16)));
    assert_eq!(bodies[0]["portcullis.chain.predecessor_hash"], "1".repeat(64));
    assert!(bodies[1].get("portcullis.chain.predecessor").is_none(), "{}", bodies[1]);
}
