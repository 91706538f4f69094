use proptest::prelude::*;
use serde_json::json;

use super::super::signature::{self, NoNative};
use super::super::testing::{ED25519, all_keys, claims, sign_text, sign_token, token_with, with};
use super::*;

fn header(changes: &Value) -> Value {
    with(json!({"alg": "EdDSA", "kid": "ed25519"}), changes)
}

fn header_error(changes: Value) -> TokenError {
    parse(&sign_token(ED25519, &header(&changes), &claims())).unwrap_err()
}

fn claim_error(changes: Value) -> TokenError {
    parse(&token_with(&changes)).unwrap_err()
}

#[test]
fn a_good_token_is_read_as_it_stands() {
    let text = token_with(&json!({"nbf": 5, "aud": ["x", "rag"]}));
    let token = parse(&text).unwrap();
    assert_eq!(token.algorithm, Algorithm::EdDsa);
    assert_eq!(token.key_id.as_deref(), Some("ed25519"));
    assert_eq!(token.signature.len(), 64);
    assert_eq!(format!("{}.", token.signed), text[..=token.signed.len()]);
    assert_eq!((token.claims.subject.as_str(), token.claims.not_before), ("alice", Some(5_000_000_000)));
    assert_eq!(token.claims.audiences, ["x", "rag"]);
    assert_eq!(token.claims.all["groups"], json!(["rag-users"]));
}

#[test]
fn only_asymmetric_algorithms_have_a_name() {
    for alg in
        ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "ES512", "ES256K", "rs256", "RS1", "Ed448"]
    {
        assert_eq!(header_error(json!({"alg": alg})), TokenError::Algorithm, "{alg}");
    }
    assert_eq!(header_error(json!({"alg": null})), TokenError::Algorithm);
    assert_eq!(header_error(json!({"alg": 1})), TokenError::HeaderType);
    assert_eq!(header_error(json!({"alg": ["EdDSA"]})), TokenError::HeaderType);
}

#[test]
fn members_that_change_what_a_token_means_are_refused() {
    for changes in [
        json!({"crit": []}),
        json!({"crit": ["exp"], "exp": 1}),
        json!({"b64": false}),
        json!({"b64": true}),
        json!({"zip": "DEF"}),
        json!({"enc": "A128GCM"}),
        json!({"jwk": {"kty": "oct", "k": "AA"}}),
    ] {
        assert_eq!(header_error(changes.clone()), TokenError::HeaderMember, "{changes}");
    }
}

#[test]
fn the_type_is_a_token_or_absent() {
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(parse(&sign_token(ED25519, &header(&json!({"typ": typ})), &claims())).is_ok(), "{typ}");
    }
    for typ in ["", "JOSE", "dpop+jwt", "logout+jwt", "JWT ", "application/json"] {
        assert_eq!(header_error(json!({"typ": typ})), TokenError::Type, "{typ}");
    }
}

#[test]
fn nested_and_encrypted_tokens_are_refused() {
    assert_eq!(header_error(json!({"cty": "JWT"})), TokenError::Nested);
    assert_eq!(parse("eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d"), Err(TokenError::Encrypted));
}

#[test]
fn a_key_id_is_a_bounded_string() {
    assert_eq!(header_error(json!({"kid": ""})), TokenError::HeaderType);
    assert_eq!(header_error(json!({"kid": 1})), TokenError::HeaderType);
    assert_eq!(header_error(json!({"kid": "a".repeat(MAX_KEY_ID + 1)})), TokenError::HeaderType);
    let longest = header(&json!({"kid": "a".repeat(MAX_KEY_ID)}));
    assert!(parse(&sign_token(ED25519, &longest, &claims())).is_ok());
}

#[test]
fn there_is_one_spelling_of_a_token() {
    let good = token_with(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    // 64 bytes leave two unused bits in the last character of a signature: three more spellings to refuse.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let twin = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let twin = format!("{signed}.{}{twin}", &signature[..signature.len() - 1]);
    let mut hostile =
        vec![twin, good.replacen('.', "..", 1), format!("{good}."), format!(".{good}"), signed.to_owned()];
    for text in ["=", "==", " ", "\n", "\0", "+", "/", "%3D", "\u{e4}", ","] {
        hostile.push(format!("{good}{text}"));
        hostile.push(format!("{text}{good}"));
    }
    hostile.extend(
        ["", ".", "..", "...", "a.b", "a..c", ".b.c", "a.b.", "a.b.c.d", "a.b.c.d.e.f"].map(str::to_owned),
    );
    for text in hostile {
        assert_eq!(parse(&text), Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn an_oversized_token_is_refused_unread() {
    assert_eq!(parse(&"a".repeat(MAX_TOKEN + 1)), Err(TokenError::TooLong));
    assert_eq!(parse(&token_with(&json!({"x": "a".repeat(MAX_TOKEN)}))), Err(TokenError::TooLong));
    assert!(parse(&token_with(&json!({"x": "a".repeat(11_000)}))).is_ok());
}

#[test]
fn members_that_come_twice_are_refused() {
    let good = (header(&json!({})).to_string(), claims().to_string());
    let twice = |text: &str| text.replacen('{', "{\"alg\":\"none\",\"sub\":\"eve\",", 1);
    for (header, claims) in [(twice(&good.0), good.1.clone()), (good.0.clone(), twice(&good.1))] {
        let error = parse(&sign_text(ED25519, &header, &claims)).unwrap_err();
        assert_eq!(error, TokenError::Json(JsonError::Duplicate), "{header}{claims}");
    }
    let escaped = good.1.replacen('{', "{\"\\u0073ub\":\"eve\",", 1);
    assert_eq!(parse(&sign_text(ED25519, &good.0, &escaped)), Err(TokenError::Json(JsonError::Duplicate)));
}

#[test]
fn trailing_text_in_a_part_is_refused() {
    let (header, claims) = (header(&json!({})).to_string(), claims().to_string());
    for (header, claims) in [(format!("{header}{{}}"), claims.clone()), (header, format!("{claims}x"))] {
        assert_eq!(parse(&sign_text(ED25519, &header, &claims)), Err(TokenError::Json(JsonError::Syntax)));
    }
}

#[test]
fn registered_claims_have_their_types() {
    for (name, wrong) in [
        ("iss", vec![json!(null), json!(""), json!(1), json!(["a"])]),
        ("sub", vec![json!(null), json!(""), json!(1), json!("a".repeat(1025))]),
        ("aud", vec![json!(1), json!({"rag": 1}), json!(["rag", 1])]),
        ("exp", vec![json!(null), json!("1"), json!(true), json!(-1), json!(-0.5), json!([])]),
        ("nbf", vec![json!("1"), json!(-1)]),
        ("iat", vec![json!("1"), json!(false)]),
        ("jti", vec![json!(1)]),
        ("nonce", vec![json!({})]),
    ] {
        for value in wrong {
            let mut all = claims();
            all[name] = value.clone();
            if value.is_null() {
                assert_eq!(claim_error(json!({name: null})), TokenError::Claim(name), "{name} is missing");
            }
            let token = sign_token(ED25519, &header(&json!({})), &all);
            assert_eq!(parse(&token).unwrap_err(), TokenError::Claim(name), "{name}: {value}");
        }
    }
}

#[test]
fn an_id_that_does_not_read_as_it_is_is_refused_for_its_characters() {
    for (name, odd) in [("iss", "a\nb"), ("sub", "a\0b"), ("sub", "a\u{202e}b"), ("sub", "a\u{200f}")] {
        let error = claim_error(json!({ name: odd }));
        assert_eq!((error, error.word()), (TokenError::Characters(name), "token_claims"), "{odd:?}");
    }
    assert_eq!(
        parse(&token_with(&json!({"sub": "Zo\u{eb} \u{5d0}"}))).unwrap().claims.subject,
        "Zo\u{eb} \u{5d0}"
    );
}

#[test]
fn times_of_any_size_are_read_without_overflow() {
    let time = |text: &str| {
        let claims = format!(r#"{{"iss":"i","sub":"s","exp":{text}}}"#);
        parse(&sign_text(ED25519, r#"{"alg":"EdDSA"}"#, &claims)).map(|token| token.claims.expires)
    };
    assert_eq!(time("1700000000"), Ok(1_700_000_000_000_000_000));
    assert_eq!(time("1.5"), Ok(1_500_000_000));
    assert_eq!(time("1e9"), Ok(1_000_000_000_000_000_000));
    assert_eq!(time("0"), Ok(0));
    assert_eq!(time("-0.0"), Ok(0));
    // Nanoseconds in 64 bits end in 2554.
    for text in ["253402300799", "253402300799.0", "2e11"] {
        assert_eq!(time(text), Ok(u64::MAX), "{text}");
    }
    for text in [
        "253402300800",
        "253402300799.5",
        "1e18",
        "1700000000000",
        "1180591620717411303424",
        "18446744073709551615",
        "18446744073709551616",
        "1e308",
    ] {
        assert_eq!(time(text), Err(TokenError::Date("exp")), "{text}");
    }
    for text in ["1e999", "NaN", "Infinity", "1.", "0x1", "01"] {
        assert_eq!(time(text), Err(TokenError::Json(JsonError::Syntax)), "{text}");
    }
}

#[test]
fn no_refusal_carries_a_piece_of_the_token() {
    let token = token_with(&json!({"sub": "s3cret\n"}));
    let error = parse(&token).unwrap_err();
    assert!(!error.to_string().contains("s3cret") && !error.word().contains("s3cret"));
}

/// JSON values as strangers choose them for a member.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9+/$:. \u{e4}-]{0,6}".prop_map(Value::from),
        prop_oneof![Just("JWT"), Just("at+jwt"), Just("rag"), Just("EdDSA"), Just("Ed25519")]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z$:]{0,5}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const HEADER_MEMBERS: [&str; 15] = [
    "typ", "cty", "kid", "jku", "x5u", "x5t", "x5t#S256", "x5c", "jwk", "salt", "crit", "b64", "zip", "p2c",
    "x",
];
const CLAIMS: [&str; 10] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "cnf", "x"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_without_a_panic(text in r"[A-Za-z0-9_.=-]{0,64}|.{0,32}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_json_in_the_parts_is_read_without_a_panic(
        header in proptest::collection::vec(any::<u8>(), 0..32),
        claims in proptest::collection::vec(any::<u8>(), 0..32),
    ) {
        let text = format!("{}.{}.AA", base64url::encode(header), base64url::encode(claims));
        let _ = parse(&text);
    }

    /// jwt-simple reads the token a second time: it must find nothing to refuse but the signature.
    #[test]
    fn every_token_we_accept_is_judged_by_its_signature_alone(
        header_member in proptest::sample::select(&HEADER_MEMBERS[..]),
        header_value in any_value(),
        claim in proptest::sample::select(&CLAIMS[..]),
        claim_value in any_value(),
        both in any::<bool>(),
    ) {
        let mut header = header(&json!({}));
        let mut claims = claims();
        header[header_member] = header_value;
        if both {
            claims[claim] = claim_value;
        }
        if header.get("kid") != Some(&json!("ed25519")) {
            header.as_object_mut().unwrap().remove("kid");
        }
        let text = sign_token(ED25519, &header, &claims);
        if let Ok(token) = parse(&text) {
            let keys = all_keys();
            let key = keys.find(token.algorithm, None).unwrap()[0];
            prop_assert!(signature::holds(&token, key, &NoNative), "{header} {claims}");
        }
    }
}
