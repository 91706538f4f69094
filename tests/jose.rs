//! What RFC 7515, RFC 7519 and RFC 8725 ask of whoever verifies a token: each case is named by its section.
//!
//! A case is a token and what becomes of it: its caller's subject, or the word of the refusal.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::string_slice, clippy::panic)]

#[path = "jose/examples.rs"]
mod examples;
#[path = "jose/forge.rs"]
mod forge;

use std::time::Duration;

use forge::{EVE, NOW, claims, header, key, keys, raw, token, with};
use portcullis::identity::provider::State;
use portcullis::identity::signature::{NoNative, holds};
use portcullis::identity::token::{Claims, Token};
use portcullis::identity::{Algorithm, Issuer, KeySet, Proof, Refusal, Verifier};
use serde_json::{Value, json};

fn issuer(url: &str) -> Issuer {
    Issuer {
        issuer: url.to_owned(),
        audiences: vec!["rag".to_owned()],
        groups_claim: vec!["groups".to_owned()],
        leeway: Duration::ZERO,
        proof: Proof::Signature,
    }
}

/// The subject, or why there is none.
fn outcome(text: &str) -> String {
    let verifier = Verifier::new(vec![issuer(forge::ISSUER), issuer(forge::OTHER)]);
    let sets = [keys(), forge::key_set(&[key(EVE, "eve")])];
    let verdict =
        verifier.verify(text, &[0, 1], NOW * 1_000_000_000, |index| State::Ready(&sets[index]), &NoNative);
    match verdict {
        Ok(identity) => identity.subject,
        Err(Refusal::Unauthenticated(error) | Refusal::UnknownKey { error, .. }) => error.word().to_owned(),
        Err(other) => panic!("{other:?}"),
    }
}

fn hold(cases: Vec<(&str, String, &str)>) {
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|(section, token, expected)| (section, outcome(&token), expected))
        .filter(|(_, found, expected)| found != expected)
        .collect();
    assert!(wrong.is_empty(), "section, found, expected: {wrong:#?}");
}

/// A good token but for its header.
fn headed(changes: Value) -> String {
    token(&with(header(), &changes), &claims())
}

/// A good token but for its claims.
fn claiming(changes: Value) -> String {
    token(&header(), &with(claims(), &changes))
}

#[test]
fn rfc_7515_json_web_signature() {
    let good = headed(json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (text, payload) = (header().to_string(), claims().to_string());
    let twice = |text: &str| text.replacen('{', r#"{"alg":"none","exp":1,"#, 1);
    hold(vec![
        ("3.1 three parts and two dots", good.clone(), "alice"),
        ("3.1 two parts", signed.to_owned(), "token_malformed"),
        ("3.1 four parts", format!("{good}.AA"), "token_malformed"),
        ("3.2 the JSON serialization", examples::JSON.to_owned(), "token_malformed"),
        ("4 a header member twice", raw(&twice(&text), &payload), "token_json"),
        ("4 a member that nobody knows", headed(json!({"x": {"y": 1}})), "alice"),
        ("4.1.1 no alg", headed(json!({"alg": null})), "token_algorithm"),
        ("4.1.1 alg is case-sensitive", headed(json!({"alg": "eddsa"})), "token_algorithm"),
        ("4.1.1 alg is no list", headed(json!({"alg": ["EdDSA"]})), "token_header"),
        ("4.1.2 jku is not followed", headed(json!({"jku": "https://eve.example.com/keys"})), "alice"),
        (
            "4.1.2 jku of another key",
            forge::by(EVE, &with(header(), &json!({"jku": "https://eve.example.com/keys"})), &claims()),
            "token_signature",
        ),
        (
            "4.1.3 jwk of another key",
            forge::by(EVE, &with(header(), &json!({"jwk": key(EVE, "alice")})), &claims()),
            "token_header",
        ),
        ("4.1.4 kid of no key", headed(json!({"kid": "bob"})), "token_unknown_key"),
        ("4.1.4 kid is case-sensitive", headed(json!({"kid": "Alice"})), "token_unknown_key"),
        ("4.1.4 kid is a string", headed(json!({"kid": 1})), "token_header"),
        ("4.1.5 x5u is not followed", headed(json!({"x5u": "https://eve.example.com/chain"})), "alice"),
        (
            "4.1.6 x5c of another key",
            forge::by(EVE, &with(header(), &json!({"x5c": ["MIIB"]})), &claims()),
            "token_signature",
        ),
        ("4.1.7 x5t is a string", headed(json!({"x5t": []})), "token_header"),
        ("4.1.9 typ of another kind", headed(json!({"typ": "JOSE"})), "token_type"),
        ("4.1.9 typ is not case-sensitive", headed(json!({"typ": "jWt"})), "alice"),
        ("4.1.10 cty", headed(json!({"cty": "JWT"})), "token_nested"),
        ("4.1.11 crit of a member that nobody knows", headed(json!({"crit": ["x"], "x": 1})), "token_header"),
        ("4.1.11 crit of a known member", headed(json!({"crit": ["exp"], "exp": 1})), "token_header"),
        ("4.1.11 crit is empty", headed(json!({"crit": []})), "token_header"),
        ("5.2 (2) base64url has no padding", format!("{good}="), "token_malformed"),
        ("5.2 (2) nor line breaks", format!("{signed}.\n{signature}"), "token_malformed"),
        (
            "5.2 (2) nor bits over",
            format!("{signed}.{}", forge::with_bits_over(signature)),
            "token_malformed",
        ),
        (
            "5.2 (3) the header is UTF-8",
            forge::bytes(b"{\"alg\":\"EdDSA\xff\"}", payload.as_bytes()),
            "token_json",
        ),
        ("5.2 (3) the header is an object", raw("[]", &payload), "token_json"),
        (
            "5.2 (8) the signature is over both parts",
            forge::with_header(&good, &headed(json!({"x": 1}))),
            "token_signature",
        ),
        (
            "5.2 (8) and over the claims",
            forge::with_claims(&good, &claiming(json!({"sub": "root"}))),
            "token_signature",
        ),
        ("10.12 nothing behind the JSON", raw(&format!("{text}{{}}"), &payload), "token_json"),
        ("appendix A.1 HS256", examples::HS256.to_owned(), "token_algorithm"),
        ("appendix A.2 RS256, of nobody", examples::RS256.to_owned(), "token_claims"),
        ("appendix A.3 ES256, of nobody", examples::ES256.to_owned(), "token_claims"),
        ("appendix A.4 ES512", examples::ES512.to_owned(), "token_algorithm"),
        ("appendix A.5 none", examples::NONE.to_owned(), "token_malformed"),
        ("appendix E crit, as it stands", examples::CRIT.to_owned(), "token_malformed"),
        ("appendix E crit, with a signature", format!("{}AA", examples::CRIT), "token_header"),
    ]);
}

/// The examples hold no `sub`, so no caller is theirs; their signatures are judged all the same.
#[test]
fn rfc_7515_appendix_a_signatures() {
    for (text, algorithm, key) in [
        (examples::RS256, Algorithm::Rs256, examples::rsa_key()),
        (examples::ES256, Algorithm::Es256, examples::ec_key()),
    ] {
        let verdict = |text: &str| {
            let (signed, signature) = text.rsplit_once('.').unwrap();
            let claims = Claims {
                issuer: String::new(),
                subject: String::new(),
                audiences: Vec::new(),
                expires: 0,
                not_before: None,
                issued_at: None,
                all: serde_json::Map::new(),
            };
            let signature = forge::decoded(signature);
            let token = Token { text, signed, algorithm, key_id: None, signature, claims };
            let set: KeySet = forge::key_set(std::slice::from_ref(&key));
            let key = set.find(algorithm, None).unwrap()[0];
            holds(&token, key, &NoNative)
        };
        assert!(verdict(text), "{}", algorithm.name());
        let (before, after) = text.split_at(text.len() - 10);
        let turned = format!("{before}{}{}", if after.starts_with('A') { "B" } else { "A" }, &after[1..]);
        assert!(!verdict(&turned), "{}", algorithm.name());
    }
}

#[test]
fn rfc_7519_json_web_token() {
    let text = header().to_string();
    let twice = claims().to_string().replacen('{', r#"{"sub":"root","#, 1);
    let escaped = claims().to_string().replacen('{', r#"{"\u0073ub":"root","#, 1);
    hold(vec![
        ("3.1 the example, HS256", examples::HS256.to_owned(), "token_algorithm"),
        ("4 a claim twice", raw(&text, &twice), "token_json"),
        ("4 a claim twice, once escaped", raw(&text, &escaped), "token_json"),
        ("4 a claim that nobody knows", claiming(json!({"https://example.com/is_root": true})), "alice"),
        (
            "4.1.1 iss is case-sensitive",
            claiming(json!({"iss": forge::ISSUER.to_uppercase()})),
            "token_issuer",
        ),
        (
            "4.1.1 iss with a slash more",
            claiming(json!({"iss": format!("{}/", forge::ISSUER)})),
            "token_issuer",
        ),
        ("4.1.1 iss is a string", claiming(json!({"iss": [forge::ISSUER]})), "token_claims"),
        ("4.1.1 no iss", claiming(json!({"iss": null})), "token_claims"),
        ("4.1.2 sub is case-sensitive", claiming(json!({"sub": "Alice"})), "Alice"),
        ("4.1.2 sub is a string", claiming(json!({"sub": 1})), "token_claims"),
        ("4.1.3 aud is one string", claiming(json!({"aud": "rag"})), "alice"),
        ("4.1.3 aud is a list with ours", claiming(json!({"aud": ["x", "rag"]})), "alice"),
        ("4.1.3 aud is a list without ours", claiming(json!({"aud": ["x", "ragged"]})), "token_audience"),
        ("4.1.3 aud is case-sensitive", claiming(json!({"aud": "RAG"})), "token_audience"),
        ("4.1.3 aud holds no numbers", claiming(json!({"aud": ["rag", 1]})), "token_claims"),
        ("4.1.4 before exp", claiming(json!({"exp": NOW + 1})), "alice"),
        ("4.1.4 on exp", claiming(json!({"exp": NOW})), "token_expired"),
        ("4.1.4 after exp", claiming(json!({"exp": NOW - 1})), "token_expired"),
        ("4.1.4 exp is a number", claiming(json!({"exp": (NOW + 1).to_string()})), "token_claims"),
        ("4.1.4 no exp", claiming(json!({"exp": null})), "token_claims"),
        ("4.1.5 before nbf", claiming(json!({"nbf": NOW + 1})), "token_not_yet_valid"),
        ("4.1.5 on nbf", claiming(json!({"nbf": NOW})), "alice"),
        ("4.1.5 nbf is a number", claiming(json!({"nbf": "0"})), "token_claims"),
        ("4.1.6 iat says nothing of validity", claiming(json!({"iat": NOW + 1000})), "alice"),
        ("4.1.6 iat is a number", claiming(json!({"iat": "now"})), "token_claims"),
        ("4.1.7 jti is a string", claiming(json!({"jti": 1})), "token_claims"),
        ("2 a NumericDate may have a fraction", claiming(json!({"exp": NOW as f64 + 0.5})), "alice"),
        (
            "2 and be beyond all numbers",
            raw(&text, &claims().to_string().replace("1700000300", "1e400")),
            "token_json",
        ),
        ("5.1 typ JWT", headed(json!({"typ": "JWT"})), "alice"),
        ("5.2 cty JWT: nested", headed(json!({"cty": "JWT"})), "token_nested"),
        ("5.3 claims in the header count for nothing", headed(json!({"sub": "root", "exp": 1})), "alice"),
        ("6.1 the example, unsecured", examples::NONE.to_owned(), "token_malformed"),
        ("7.2 (1) no dot", "token".to_owned(), "token_malformed"),
        ("7.2 (10) the claims are an object", raw(&text, r#""alice""#), "token_json"),
        ("7.2 (10) the claims are whole", raw(&text, "{"), "token_json"),
        ("appendix A.1 and A.2 encrypted, nested", examples::JWE.to_owned(), "token_encrypted"),
    ]);
}

#[test]
fn rfc_8725_best_current_practices() {
    let typed = |typ: &str| headed(json!({"typ": typ}));
    hold(vec![
        ("3.1 the algorithm is one of a list", headed(json!({"alg": "ES256K"})), "token_algorithm"),
        ("3.1 a key has one algorithm", headed(json!({"alg": "RS256"})), "token_key_algorithm"),
        ("3.1 the public key is no secret", forge::authenticated(), "token_algorithm"),
        ("3.2 none", forge::unsigned("none"), "token_malformed"),
        ("3.2 none with a signature", headed(json!({"alg": "none"})), "token_algorithm"),
        ("3.2 nOnE with a signature", headed(json!({"alg": "nOnE"})), "token_algorithm"),
        ("3.3 every operation: nested tokens", headed(json!({"cty": "JWT"})), "token_nested"),
        ("3.3 every operation: encrypted tokens", examples::JWE.to_owned(), "token_encrypted"),
        ("3.6 compression", headed(json!({"zip": "DEF"})), "token_header"),
        ("3.7 UTF-8", forge::bytes(header().to_string().as_bytes(), &forge::latin1(&claims())), "token_json"),
        (
            "3.7 not UTF-16",
            forge::bytes(header().to_string().as_bytes(), &forge::utf16(&claims())),
            "token_json",
        ),
        (
            "3.8 the key is its issuer's",
            forge::by(EVE, &with(header(), &json!({"kid": "eve"})), &claims()),
            "token_unknown_key",
        ),
        (
            "3.8 and no other issuer's",
            token(&header(), &with(claims(), &json!({"iss": forge::OTHER}))),
            "token_unknown_key",
        ),
        (
            "3.8 a token of the other issuer",
            forge::by(
                EVE,
                &with(header(), &json!({"kid": "eve"})),
                &with(claims(), &json!({"iss": forge::OTHER})),
            ),
            "alice",
        ),
        ("3.8 a subject is needed", claiming(json!({"sub": null})), "token_claims"),
        ("3.9 an audience is needed", claiming(json!({"aud": null})), "token_audience"),
        ("3.9 and must be ours", claiming(json!({"aud": "mail"})), "token_audience"),
        ("3.10 kid is looked up, not run", headed(json!({"kid": "' OR 1=1 --"})), "token_unknown_key"),
        ("3.10 kid is no path", headed(json!({"kid": "../../dev/null"})), "token_unknown_key"),
        (
            "3.10 jku is not followed",
            forge::by(EVE, &with(header(), &json!({"jku": "http://169.254.169.254/"})), &claims()),
            "token_signature",
        ),
        ("3.11 typ of an access token", typed("at+jwt"), "alice"),
        ("3.11 typ of a logout", typed("logout+jwt"), "token_type"),
        ("3.11 typ of a security event", typed("secevent+jwt"), "token_type"),
        ("3.11 typ of a proof (DPoP)", typed("dpop+jwt"), "token_type"),
        ("3.11 typ of a request object", typed("oauth-authz-req+jwt"), "token_type"),
        ("3.11 typ of an introspection's answer", typed("token-introspection+jwt"), "token_type"),
        (
            "3.12 a logout that has no typ",
            claiming(json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}})),
            "token_type",
        ),
        ("3.12 a refresh token", claiming(json!({"typ": "Refresh"})), "token_type"),
        ("3.12 a refresh token of another word", claiming(json!({"token_use": "refresh"})), "token_type"),
        (
            "3.12 an access token that says so",
            claiming(json!({"typ": "Bearer", "token_use": "access"})),
            "alice",
        ),
        ("3.12 a token bound to a key (RFC 7800)", claiming(json!({"cnf": {"jkt": "x"}})), "token_bound"),
        (
            "3.12 a token bound to a certificate (RFC 8705)",
            claiming(json!({"cnf": {"x5t#S256": "x"}})),
            "token_bound",
        ),
    ]);
}

/// Sections 3.4 and 3.5 are about keys: such a key is not taken, so no token is verified under it.
#[test]
fn rfc_8725_keys() {
    let taken = |jwk: Value| KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).is_ok();
    let (rsa, ec) = (examples::rsa_key(), examples::ec_key());
    assert!(taken(rsa.clone()) && taken(ec.clone()) && taken(key(EVE, "eve")));
    let short = forge::encoded([&[0xc1][..], &[0x55; 126], &[1]].concat());
    for (section, jwk) in [
        ("3.1 a key for encryption", with(rsa.clone(), &json!({"use": "enc"}))),
        ("3.1 a key for another algorithm", with(rsa.clone(), &json!({"alg": "RSA-OAEP"}))),
        ("3.1 a key of another kind than its algorithm", with(ec.clone(), &json!({"alg": "RS256"}))),
        ("3.2 a curve that is not accepted", with(ec.clone(), &json!({"crv": "secp256k1"}))),
        ("3.4 a point that is not on the curve", with(ec.clone(), &json!({"y": ec["x"].clone()}))),
        (
            "3.4 a coordinate of zero",
            with(ec.clone(), &json!({"x": forge::encoded([0; 32]), "y": forge::encoded([0; 32])})),
        ),
        ("3.4 a coordinate cut short", with(ec, &json!({"x": forge::encoded([1; 31])}))),
        ("3.4 a point of small order", with(key(EVE, "eve"), &json!({"x": forge::encoded([0; 32])}))),
        ("3.5 a secret", json!({"kty": "oct", "k": forge::encoded(b"secret")})),
        ("3.5 RSA of 1024 bits", with(rsa.clone(), &json!({"n": short}))),
        ("3.5 a key that is not private any more", with(rsa, &json!({"d": "AQ"}))),
    ] {
        assert!(!taken(jwk), "{section}");
    }
}
