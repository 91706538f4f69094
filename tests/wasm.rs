//! The pure parts, compiled to WebAssembly and run in Node: what holds natively must hold where `usize` has 32 bits,
//! where vectors are SIMD128 and where there is no clock of ours.
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(missing_docs)]

use std::time::Duration;

use jwt_simple::prelude::{Ed25519KeyPair, EdDSAKeyPairLike as _};
use portcullis::audit::otlp::Resource;
use portcullis::audit::{EndRecord, Limits, Record, Recorder};
use portcullis::config::json;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::identity::provider::State;
use portcullis::identity::signature::NoNative;
use portcullis::identity::{Issuer, KeySet, Proof, Refusal, TokenError, Verifier};
use portcullis::mask::{Catalogue, Entities, Found, Plan, mask_whole};
use portcullis::policy::{Condition, Fact, Facts, Phase, Variable};
use portcullis::protocol::openai;
use portcullis::protocol::rewrite::{BodyKind, ResponseRewriter};
use wasm_bindgen_test::wasm_bindgen_test;

fn plan() -> Plan {
    let known = Catalogue::built_in();
    let entities = ["PII", "SECRETS"].into_iter().map(|name| known.resolve(name).unwrap());
    Plan::new(&known, entities.fold(Entities::NONE, Entities::union), vec![])
}

const TEXT: &str =
    "jane.doe@example.com paid 4111 1111 1111 1111 from 192.168.10.20 — é 你 😀 — AKIAIOSFODNN7EXAMPLE.";

#[wasm_bindgen_test]
fn a_stream_is_masked_as_the_whole_at_every_cut() {
    let answer =
        serde_json::json!({ "choices": [{ "index": 0, "message": { "content": TEXT } }] }).to_string();
    let plan = plan();
    let rewritten = |cut: usize| {
        let mut rewriter = ResponseRewriter::new(BodyKind::Json, &openai::ANSWERS, plan.clone());
        let mut out = Vec::new();
        let (first, second) = answer.as_bytes().split_at(cut);
        rewriter.push(first, false, &mut out).unwrap();
        rewriter.push(second, true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let whole = mask_whole(&plan, TEXT.as_bytes(), &mut Found::default()).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    for gone in ["jane", "4111", "192.168", "AKIA"] {
        assert!(!whole.contains(gone), "{whole}");
    }
    for cut in 0..=answer.len() {
        let seen: serde_json::Value = serde_json::from_str(&rewritten(cut)).unwrap();
        assert_eq!(seen["choices"][0]["message"]["content"], whole, "cut at {cut}");
    }
}

/// A card's number with every kind of character that vectors look for.
#[wasm_bindgen_test]
fn a_disguised_value_is_found_wherever_it_stands() {
    let between = [
        "\u{a0}",
        "\u{ad}",
        "\u{34f}",
        "\u{61c}",
        "\u{1680}",
        "\u{200b}",
        "\u{2011}",
        "\u{3000}",
        "\u{feff}",
        "\u{e0020}",
        "%20",
    ];
    let digits = |four: char, one: char| {
        "4111111111111111".replace('4', &four.to_string()).replace('1', &one.to_string())
    };
    let zeros = ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}', '\u{ff10}', '\u{1d7ce}'];
    let nth = |zero: char, nth: u32| char::from_u32(u32::from(zero) + nth).unwrap();
    let cards = between.iter().map(|sign| ["4111", "1111", "1111", "1111"].join(sign));
    let plan = plan();
    for card in cards.chain(zeros.map(|zero| digits(nth(zero, 4), nth(zero, 1)))) {
        for before in 0..70 {
            let text = format!("{} {card} and what comes after it, which is plain", "a".repeat(before));
            let masked = mask_whole(&plan, text.as_bytes(), &mut Found::default()).unwrap();
            let masked = String::from_utf8(masked).unwrap();
            assert!(masked.contains("<CREDIT_CARD> and what"), "{masked}");
        }
    }
}

struct Alice;

impl Facts for Alice {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        match variable {
            Variable::LlmModel => Fact::Str("gpt-4o"),
            Variable::LlmPromptChars => Fact::Int(9_000_000_000),
            _ => Fact::Missing,
        }
    }
}

#[wasm_bindgen_test]
fn conditions_count_in_sixty_four_bits() {
    let holds = |source: &str| Condition::compile(source, Phase::Body).unwrap().evaluate(&Alice);
    assert_eq!(holds("llm.prompt_chars > 4294967296"), Ok(true));
    assert_eq!(holds("llm.model.matches('^gpt-4(o|o-mini)$') && llm.prompt_chars < 9000000001"), Ok(true));
    assert!(Condition::compile(&format!("{}1 == 1", "1+".repeat(1000)), Phase::Body).is_err());
}

#[wasm_bindgen_test]
fn a_token_is_verified_by_the_modules_own_cryptography() {
    let key = Ed25519KeyPair::generate().with_key_id("k");
    let claims = jwt_simple::prelude::Claims::create(jwt_simple::prelude::Duration::from_hours(1))
        .with_issuer("https://idp.example.com")
        .with_subject("alice")
        .with_audience("rag");
    let expires = claims.expires_at.unwrap().as_nanos();
    let token = key.sign(claims).unwrap();
    let x = jwt_simple::prelude::Ed25519PublicKey::to_bytes(&key.public_key());
    let x = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, x);
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
    let keys = KeySet::parse(keys.as_bytes()).unwrap();
    let verifier = Verifier::new(vec![Issuer {
        issuer: "https://idp.example.com".into(),
        audiences: vec!["rag".into()],
        groups_claim: vec!["groups".into()],
        leeway: Duration::from_secs(30),
        proof: Proof::Signature,
    }]);
    let verify = |token: &str, now| verifier.verify(token, &[0], now, |_| State::Ready(&keys), &NoNative);
    assert_eq!(verify(&token, expires - 1).unwrap().id, "https://idp.example.com#alice");
    let late = expires + 31_000_000_000;
    assert_eq!(verify(&token, late), Err(Refusal::Unauthenticated(TokenError::Expired)));
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert!(verify(&forged, expires - 1).is_err());
}

#[wasm_bindgen_test]
fn a_bundle_is_read_as_it_was_written() {
    let set = r#"{"version":1,"connections":[{"name":"a","protocol":"none","match":{"path_prefix":"/x"}}]}"#;
    let mut root = json::read(set.as_bytes()).unwrap();
    assert!(root.settle().is_empty());
    let (made, _) = Bundle::of(&root, "c0ffee", HostPromises::default()).unwrap();
    let (read, _) = Bundle::parse(made.encode(&root).unwrap().as_bytes()).unwrap();
    assert_eq!((read.digest, read.revision), (made.digest, "c0ffee".to_owned()));
}

#[wasm_bindgen_test]
fn records_are_batched_with_their_chain() {
    let mut recorder = Recorder::new([7; 16], &Resource::default(), Limits::default());
    recorder.record(1_000_000_000, &Record::End(Box::new(EndRecord::default())));
    let batch = recorder.next_batch(2_000_000_000).unwrap();
    let batch: serde_json::Value = serde_json::from_slice(&batch.body).unwrap();
    let record = &batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    let body: serde_json::Value =
        serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap();
    assert_eq!(body["portcullis.chain.id"], "07".repeat(16));
}
