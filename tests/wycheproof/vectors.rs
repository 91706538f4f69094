//! Project Wycheproof's vectors for the algorithms we accept, one shape for all.

use std::fmt::Debug;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use portcullis::identity::Algorithm;
use serde_json::{Value, json};
use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

/// One vector.
pub struct Vector {
    /// The set's name and the vector's number in it.
    pub name: String,
    /// What it is about, in Wycheproof's words.
    pub flags: Vec<String>,
    pub algorithm: Algorithm,
    /// As an identity provider would publish it.
    pub jwk: Value,
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
    pub result: TestResult,
    /// The group's parameters are those of the JOSE algorithm. PSS alone has others (RFC 7518 section 3.5).
    pub jose: bool,
}

impl Vector {
    /// The verdict that we hold ourselves to. What is "acceptable" we refuse: see `ACCEPTABLE` in the tests.
    pub fn holds(&self) -> bool {
        self.result == TestResult::Valid && self.jose
    }
}

pub fn all() -> Vec<Vector> {
    [ecdsa(), pkcs1(), pss(), eddsa()].into_iter().flatten().collect()
}

fn flags(flags: &[impl Debug]) -> Vec<String> {
    flags.iter().map(|flag| format!("{flag:?}")).collect()
}

pub fn ecdsa() -> Vec<Vector> {
    let sets = [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256", 32),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 48),
    ];
    let mut found = Vec::new();
    for (name, algorithm, curve, size) in sets {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({
                "kty": "EC", "crv": curve, "x": fixed(&group.key.affine_x, size), "y": fixed(&group.key.affine_y, size),
            });
            found.extend(group.tests.into_iter().map(|test| Vector {
                name: format!("{name:?} {} {}", test.tc_id, test.comment),
                flags: flags(&test.flags),
                algorithm,
                jwk: jwk.clone(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                result: test.result,
                jose: true,
            }));
        }
    }
    found
}

pub fn pkcs1() -> Vec<Vector> {
    use pkcs1::TestName::{
        Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha384, Rsa3072Sha512,
        Rsa4096Sha256, Rsa4096Sha384, Rsa4096Sha512, Rsa8192Sha256,
    };
    let sets = [
        (Algorithm::Rs256, vec![Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256]),
        (Algorithm::Rs384, vec![Rsa2048Sha384, Rsa3072Sha384, Rsa4096Sha384]),
        (Algorithm::Rs512, vec![Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512]),
    ];
    let mut found = Vec::new();
    for (algorithm, name) in
        sets.into_iter().flat_map(|(algorithm, names)| names.into_iter().map(move |name| (algorithm, name)))
    {
        for group in pkcs1::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({ "kty": "RSA", "n": number(&group.key.n), "e": number(&group.key.e) });
            found.extend(group.tests.into_iter().map(|test| Vector {
                name: format!("{name:?} {} {}", test.tc_id, test.comment),
                flags: flags(&test.flags),
                algorithm,
                jwk: jwk.clone(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                result: test.result,
                jose: true,
            }));
        }
    }
    found
}

pub fn pss() -> Vec<Vector> {
    let mut found = Vec::new();
    for name in pss::TestName::all() {
        for group in pss::TestSet::load(name).unwrap().test_groups {
            let (algorithm, salt) = match group.hash {
                HashFunction::Sha2_256 => (Algorithm::Ps256, 32),
                HashFunction::Sha2_384 => (Algorithm::Ps384, 48),
                HashFunction::Sha2_512 => (Algorithm::Ps512, 64),
                // Without a name in JOSE.
                _ => continue,
            };
            let jose = group.salt_size == salt && group.mgf_hash == Some(group.hash);
            // What is wrong under other parameters may be right under ours.
            let tests = group.tests.into_iter().filter(|test| jose || test.result == TestResult::Valid);
            let jwk = json!({ "kty": "RSA", "n": number(&group.key.n), "e": number(&group.key.e) });
            found.extend(tests.map(|test| Vector {
                name: format!("{name:?} {} {}", test.tc_id, test.comment),
                flags: flags(&test.flags),
                algorithm,
                jwk: jwk.clone(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                result: test.result,
                jose,
            }));
        }
    }
    found
}

pub fn eddsa() -> Vec<Vector> {
    let mut found = Vec::new();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(group.key.pk.as_slice()) });
        found.extend(group.tests.into_iter().map(|test| Vector {
            name: format!("Ed25519 {} {}", test.tc_id, test.comment),
            flags: flags(&test.flags),
            algorithm: Algorithm::EdDsa,
            jwk: jwk.clone(),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
            result: test.result,
            jose: true,
        }));
    }
    found
}

fn digits(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    &number[start..]
}

/// Base64urlUInt of RFC 7518 section 2.
fn number(number: &[u8]) -> String {
    BASE64URL.encode(digits(number))
}

/// A coordinate in its full length.
fn fixed(number: &[u8], size: usize) -> String {
    let digits = digits(number);
    BASE64URL.encode([&vec![0; size - digits.len()][..], digits].concat())
}
