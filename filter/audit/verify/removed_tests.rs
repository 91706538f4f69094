//! What a store removed in time is told from what somebody took out.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::audit::chain::{Head, hash};
use crate::audit::queue::{Limits, Recorder};
use crate::audit::samples_tests::{self as samples, SECOND, START};
use crate::audit::signature::Signer;

const CHAIN: &str = "5f0e8a1142c94d7b903a1cee2766b4d8";
const STORE: &str = "00000000000000000000000000000001";
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

/// The bodies of a worker's chain: seven records and an anchor of the seventh.
fn worker() -> Vec<String> {
    let mut recorder = samples::recorder(Limits::default()).signing(Signer::of_seed(SEED).unwrap());
    for n in 0..7 {
        recorder.record(START + n, &samples::start());
    }
    recorder.close(START + 8);
    samples::bodies(&recorder.next_batch(START + SECOND).unwrap().body)
}

/// What a store says: up to which number a chain went, and the hash of that one.
fn said(last: u64, hash: &str) -> Value {
    json!({ "chain": CHAIN, "first": 1, "last": last, "hash": hash, "records": last, "why": "age" })
}

/// A store's chain, a record for each of these.
fn store(all: &[Value]) -> Vec<String> {
    let mut previous: Option<String> = None;
    let one = |(at, chains): (usize, &Value)| {
        let mut body = json!({
            "event.name": RETENTION, "time": "2026-11-22T15:59:21Z", "portcullis.chain.id": STORE,
            "portcullis.chain.seq": at + 1, "portcullis.retention.chains": [chains],
        });
        if let Some(previous) = previous.take() {
            body["portcullis.chain.previous"] = json!(previous);
        }
        previous = Some(hash(&body.to_string()));
        body.to_string()
    };
    all.iter().enumerate().map(one).collect()
}

fn judge(bodies: &[String], known: &Knowledge) -> Report {
    verify(bodies.iter().map(|body| Stored { body, attributes: &[] }), known)
}

fn damage(bodies: &[String]) -> Vec<Finding> {
    judge(bodies, &Knowledge::default()).findings.into_iter().filter(Finding::is_damage).collect()
}

/// What is left of the worker's chain beyond a number, and what the store says of it.
fn after(last: usize) -> Vec<String> {
    let all = worker();
    let said = store(&[said(last as u64, &hash(&all[last - 1]))]);
    all[last..].iter().cloned().chain(said).collect()
}

#[test]
fn what_was_removed_in_time_is_said_and_is_no_damage() {
    for last in 1..=8 {
        let report = judge(&after(last), &Knowledge::default());
        let what = What::Removed { records: last as u64, why: "age".to_owned() };
        assert_eq!(report.findings, [Finding::some(CHAIN, 1, last as u64, what)]);
    }
}

#[test]
fn a_record_that_is_gone_beyond_what_the_store_says_is_missing() {
    for gone in 0..4 {
        let mut left = after(3);
        left.remove(gone);
        let seq = 4 + gone as u64;
        assert_eq!(damage(&left), [Finding::one(CHAIN, seq, What::Missing)], "{gone}");
    }
    // The first ones, so that what is left could pass for what retention left.
    let left = &after(3)[2..];
    assert_eq!(damage(left), [Finding::some(CHAIN, 4, 5, What::Missing)]);
}

#[test]
fn a_first_record_that_does_not_follow_what_was_removed_is_changed() {
    let mut left = after(3);
    left[0] = left[0].replace("alice", "mallo");
    assert!(!damage(&left).is_empty());
    let forged = store(&[said(3, &"0".repeat(64))]);
    let left: Vec<String> = worker()[3..].iter().cloned().chain(forged).collect();
    assert_eq!(damage(&left), [Finding::one(CHAIN, 4, What::Changed)]);
    // Of a part of the records as well.
    let partial = Knowledge { partial: true, ..Knowledge::default() };
    assert!(judge(&left, &partial).findings.iter().any(Finding::is_damage));
    assert!(!judge(&left[1..], &partial).findings.iter().any(Finding::is_damage), "that one is not there");
}

#[test]
fn no_worker_can_say_that_records_were_removed() {
    let all = worker();
    let mut said: Value = serde_json::from_str(&store(&[said(3, &hash(&all[2]))])[0]).unwrap();
    // In its own chain, behind its last record.
    said["portcullis.chain.id"] = json!(CHAIN);
    said["portcullis.chain.seq"] = json!(9);
    said["portcullis.chain.previous"] = json!(hash(&all[7]));
    let left: Vec<String> = all[3..].iter().cloned().chain([said.to_string()]).collect();
    assert_eq!(damage(&left), [Finding::some(CHAIN, 1, 3, What::Missing)]);
}

#[test]
fn the_last_word_of_the_store_counts_and_two_hashes_of_one_number_are_a_forgery() {
    let all = worker();
    let words = [said(2, &hash(&all[1])), said(5, &hash(&all[4]))];
    let left: Vec<String> = all[5..].iter().cloned().chain(store(&words)).collect();
    assert_eq!(damage(&left), []);
    let words = [said(5, &hash(&all[4])), said(5, &hash(&all[3]))];
    let left: Vec<String> = all[5..].iter().cloned().chain(store(&words)).collect();
    assert!(damage(&left).contains(&Finding::one(CHAIN, 5, What::Conflicting)));
}

#[test]
fn the_store_says_it_of_its_own_chain_too() {
    let all = worker();
    let own = |chain: &str, last: u64, hash: &str| json!({ "chain": chain, "first": 1, "last": last, "hash": hash });
    let one = store(&[said(2, &hash(&all[1])), said(3, &hash(&all[2]))]);
    // The second record says what the first one said, and that the first one is gone.
    let mut second: Value = serde_json::from_str(&one[1]).unwrap();
    second["portcullis.retention.chains"] = json!([said(3, &hash(&all[2])), own(STORE, 1, &hash(&one[0]))]);
    let left: Vec<String> = all[3..].iter().cloned().chain([second.to_string()]).collect();
    assert_eq!(damage(&left), []);
    assert_eq!(
        damage(&left[..4].iter().cloned().chain([one[1].clone()]).collect::<Vec<_>>()),
        [Finding::one(STORE, 1, What::Missing)]
    );
}

#[test]
fn an_anchor_vouches_for_a_record_that_was_removed() {
    let public = Signer::of_seed(SEED).unwrap().public();
    let known = Knowledge { witnesses: vec![Witness::of_public(&public).unwrap()], ..Knowledge::default() };
    let report = judge(&after(7), &known);
    assert_eq!(report.chains[1].anchored.as_ref().map(|(seq, _)| *seq), Some(7));
    let all = worker();
    let forged = store(&[said(7, &hash(&all[5]))]);
    let report = judge(&[all[7].clone(), forged[0].clone()], &known);
    assert!(report.findings.iter().any(Finding::is_damage));
}

#[test]
fn what_stands_before_it_and_was_read_before_it_was_removed_is_no_damage() {
    let (all, left) = (worker(), after(5));
    // Read before: the first two. Then the rest of the five went.
    let read: Vec<String> = all[..2].iter().cloned().chain(left.iter().cloned()).collect();
    assert_eq!(damage(&read), []);
    let mut changed = read.clone();
    changed[1] = changed[1].replace("alice", "mallo");
    // Nothing that is left names its hash.
    assert_eq!(damage(&changed), []);
    changed[0] = changed[0].replace("alice", "mallo");
    assert_eq!(damage(&changed), [Finding::one(CHAIN, 1, What::Changed)]);
    let fifth = all[4].replace("alice", "mallo");
    assert!(damage(&[vec![fifth], left].concat()).contains(&Finding::one(CHAIN, 5, What::Changed)));
}

#[test]
fn a_reader_may_know_what_was_removed_from_elsewhere() {
    let all = worker();
    let removal = Removal { last: 3, hash: hash(&all[2]), records: 3, why: String::new() };
    let removed = BTreeMap::from([(CHAIN.to_owned(), removal)]);
    let known = Knowledge { removed, ..Knowledge::default() };
    assert!(!judge(&all[3..], &known).findings.iter().any(Finding::is_damage));
    assert!(judge(&all[4..], &known).findings.contains(&Finding::one(CHAIN, 4, What::Missing)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is taken out beyond what the store says shows, but for the tail.
    #[test]
    fn no_record_is_taken_out_unseen(last in 1..8_usize, gone in 0..7_usize) {
        let mut left = after(last);
        prop_assume!(gone < left.len() - 2);
        left.remove(gone);
        prop_assert!(!damage(&left).is_empty());
    }

    /// No such record, however written, does more harm than to be wrong.
    #[test]
    fn anything_may_be_said(last in any::<u64>(), hash in ".{0,8}", more in any::<i64>()) {
        let mut one = said(last, &hash);
        one["records"] = json!(more);
        let all: Vec<String> = worker().into_iter().chain(store(&[one])).collect();
        let _ = judge(&all, &Knowledge::default());
    }
}

#[test]
fn a_predecessor_that_was_removed_is_not_missed_and_a_forged_removal_of_it_shows() {
    let all = worker();
    let ended = |hash: String| {
        let mut recorder = Recorder::new([7; 16], &samples::resource(), Limits::default());
        recorder.succeed(Head { chain: CHAIN.to_owned(), seq: 8, hash });
        recorder.record(START + 9, &samples::start());
        samples::bodies(&recorder.next_batch(START + SECOND).unwrap().body)
    };
    let last = hash(&all[7]);
    let gone = |last: u64, hash: &str| store(&[said(last, hash)]);
    assert_eq!(damage(&[ended(last.clone()), gone(8, &last)].concat()), []);
    let other = "0".repeat(64);
    assert_eq!(
        damage(&[ended(last.clone()), gone(8, &other)].concat()),
        [Finding::one(CHAIN, 8, What::Changed)]
    );
    let cut = Finding::some(CHAIN, 7, 8, What::CutOff("07".repeat(16)));
    assert_eq!(damage(&[ended(last), gone(6, &hash(&all[5]))].concat()), [cut]);
}
