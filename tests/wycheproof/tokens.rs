//! Vectors as tokens. Their messages are no headers and claims, so each is moved to a token's words in a way that
//! keeps what is wrong with it:
//!
//! - ECDSA: the signature stays as it is, and the key moves. Of `R = (z/s)G + (r/s)Q` another message changes `z` to
//!   `z'`, and `Q' = Q + ((z - z')/r)G` gives the same `R`. So whoever accepts the vector accepts the token.
//! - RSA PKCS#1 v1.5: the padded digest is taken out of the signature with the vector's public key, the message's
//!   digests in it make room for the token's, and the whole is raised to the private exponent of a key of ours.
//! - RSA-PSS: likewise; what is wrong is kept as the difference from what would be right.
//! - EdDSA: the key takes part in the hash, so nothing can be moved. Its vectors' faults are made anew.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use ed25519_compact::{KeyPair, Seed};
use p256::elliptic_curve::ops::Reduce;
use portcullis::identity::Algorithm;
use rsa::BigUint;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

use crate::vectors::Vector;

pub const ISSUER: &str = "https://idp.example.com";

/// A token made of a vector, or with a vector's fault.
pub struct Case {
    pub name: String,
    /// Kinds of faults, in Wycheproof's words.
    pub flags: Vec<String>,
    pub algorithm: Algorithm,
    /// The one key that its issuer has.
    pub jwk: Value,
    pub token: String,
    pub holds: bool,
}

/// TEST ONLY; it protects nothing.
static RSA: LazyLock<rsa::RsaPrivateKey> = LazyLock::new(|| {
    rsa::RsaPrivateKey::from_pkcs8_pem(include_str!("../../filter/identity/testdata/rsa.pem")).unwrap()
});

/// To the private exponent, by the two primes apart, which takes a quarter of the time (RFC 8017 section 5.1.2).
fn raised(number: &BigUint) -> BigUint {
    static INVERSE: LazyLock<BigUint> = LazyLock::new(|| {
        let (p, q) = (&RSA.primes()[0], &RSA.primes()[1]);
        q.modpow(&(p - 2_u8), p)
    });
    let (p, q) = (&RSA.primes()[0], &RSA.primes()[1]);
    let first = (number % p).modpow(RSA.dp().unwrap(), p);
    let second = (number % q).modpow(RSA.dq().unwrap(), q);
    let times = (first + p - (&second % p)) * &*INVERSE % p;
    second + q * times
}

/// A token's first two parts.
fn words(algorithm: Algorithm, kid: &str) -> String {
    let header = json!({"alg": algorithm.name(), "kid": kid, "typ": "JWT"});
    // Until 2100.
    let claims = json!({
        "iss": ISSUER, "sub": "wycheproof", "aud": "rag", "exp": 4_102_444_800_u64, "groups": ["rag-users"],
    });
    format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()))
}

fn token(words: &str, signature: &[u8]) -> String {
    format!("{words}.{}", BASE64URL.encode(signature))
}

/// The vector as a token; `None` where it cannot be one.
pub fn of(vector: &Vector) -> Option<Case> {
    // Of two vectors with one signature, each has its own key.
    let kid = vector.name.split(' ').nth(1)?;
    let words = words(vector.algorithm, kid);
    let (mut jwk, signature) = match vector.algorithm {
        Algorithm::Es256 => (p256_key(vector, words.as_bytes())?, vector.signature.clone()),
        Algorithm::Es384 => (p384_key(vector, words.as_bytes())?, vector.signature.clone()),
        Algorithm::EdDsa => return None,
        _ => (rsa_jwk(), rsa_signature(vector, words.as_bytes())?),
    };
    let (name, flags, algorithm) = (vector.name.clone(), vector.flags.clone(), vector.algorithm);
    let token = token(&words, &signature);
    jwk["kid"] = Value::from(kid);
    Some(Case { name, flags, algorithm, jwk, token, holds: vector.holds() })
}

/// `Q' = Q + ((z - z')/r)G`, for a curve as long as its digest.
macro_rules! moved_key {
    ($name:ident, $curve:ident, $digest:ident, $size:literal) => {
        fn $name(vector: &Vector, words: &[u8]) -> Option<Value> {
            use $curve::{ProjectivePoint, Scalar, ecdsa::VerifyingKey};
            let coordinate = |name: &str| BASE64URL.decode(vector.jwk[name].as_str().unwrap()).unwrap();
            let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
            let key = VerifyingKey::from_sec1_bytes(&point).ok()?;
            let scalar = |bytes: &[u8]| {
                let bytes: [u8; $size] = bytes.try_into().ok()?;
                Some(<Scalar as Reduce<$curve::FieldBytes>>::reduce(&bytes.into()))
            };
            let digest = |text: &[u8]| scalar(&$digest::digest(text));
            let offset = digest(&vector.message)? - digest(words)?;
            let r = vector.signature.get(..$size).and_then(scalar).unwrap_or(Scalar::ZERO);
            // Nothing moves with r = 0, and nothing can hold.
            let inverse = Option::<Scalar>::from(r.invert()).unwrap_or(Scalar::ZERO);
            let moved = ProjectivePoint::from(*key.as_affine()) + ProjectivePoint::GENERATOR * (offset * inverse);
            let moved = VerifyingKey::from_affine(moved.to_affine()).ok()?.to_sec1_point(false);
            let (x, y) = moved.as_bytes()[1..].split_at($size);
            let (x, y) = (BASE64URL.encode(x), BASE64URL.encode(y));
            Some(json!({"kty": "EC", "crv": vector.jwk["crv"], "x": x, "y": y}))
        }
    };
}

moved_key!(p256_key, p256, Sha256, 32);
moved_key!(p384_key, p384, Sha384, 48);

/// Bytes of an RSA signature of 2048 bits, as long as our key's.
const RSA_SIZE: usize = 256;

fn rsa_jwk() -> Value {
    let number = |number: &BigUint| BASE64URL.encode(number.to_bytes_be());
    json!({"kty": "RSA", "n": number(RSA.n()), "e": number(RSA.e())})
}

fn padded(number: &BigUint, size: usize) -> Vec<u8> {
    let digits = number.to_bytes_be();
    [&vec![0; size.saturating_sub(digits.len())][..], &digits].concat()
}

/// The signature under our key, with the same fault.
fn rsa_signature(vector: &Vector, words: &[u8]) -> Option<Vec<u8>> {
    let number =
        |name: &str| BigUint::from_bytes_be(&BASE64URL.decode(vector.jwk[name].as_str().unwrap()).unwrap());
    let (modulus, exponent) = (number("n"), number("e"));
    if modulus.to_bytes_be().len() != RSA_SIZE {
        return resized(vector, &modulus, &exponent, words);
    }
    // Zeros before or behind the number, or some of it missing.
    let signature = vector.signature.as_slice();
    let (before, body, behind) = match signature.len().checked_sub(RSA_SIZE) {
        None => return Some(right(vector.algorithm, words)[..signature.len()].to_vec()),
        Some(more) if signature[..more].iter().all(|byte| *byte == 0) => {
            signature.split_at(more).into_parts()
        }
        Some(_) => (&[][..], &signature[..RSA_SIZE], &signature[RSA_SIZE..]),
    };
    let signature = BigUint::from_bytes_be(body);
    let (times, signature) = (&signature / &modulus, &signature % &modulus);
    let encoded = padded(&signature.modpow(&exponent, &modulus), RSA_SIZE);
    let encoded = match vector.algorithm {
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
            pkcs1_encoded(encoded, &vector.message, words)
        }
        Algorithm::Ps256 => pss_encoded::<Sha256>(encoded, &modulus, &vector.message, words),
        Algorithm::Ps384 => pss_encoded::<Sha384>(encoded, &modulus, &vector.message, words),
        _ => pss_encoded::<Sha512>(encoded, &modulus, &vector.message, words),
    };
    let moved = raised(&BigUint::from_bytes_be(&encoded)) + times * RSA.n();
    Some([before, &padded(&moved, RSA_SIZE), behind].concat())
}

/// Under a key of another size nothing keeps its fault. What is right stays so: a digest's salt fits everywhere.
fn resized(vector: &Vector, modulus: &BigUint, exponent: &BigUint, words: &[u8]) -> Option<Vec<u8>> {
    if !vector.holds() {
        return None;
    }
    let size = modulus.to_bytes_be().len();
    let encoded = padded(&BigUint::from_bytes_be(&vector.signature).modpow(exponent, modulus), size);
    let bits = RSA.n().bits() - 1;
    let good = match vector.algorithm {
        Algorithm::Ps256 => pss_good::<Sha256>(words, &salt::<Sha256>(&encoded), bits),
        Algorithm::Ps384 => pss_good::<Sha384>(words, &salt::<Sha384>(&encoded), bits),
        Algorithm::Ps512 => pss_good::<Sha512>(words, &salt::<Sha512>(&encoded), bits),
        _ => return None,
    };
    Some(padded(&raised(&BigUint::from_bytes_be(&good)), RSA_SIZE))
}

trait IntoParts<'b> {
    fn into_parts(self) -> (&'b [u8], &'b [u8], &'b [u8]);
}

impl<'b> IntoParts<'b> for (&'b [u8], &'b [u8]) {
    fn into_parts(self) -> (&'b [u8], &'b [u8], &'b [u8]) {
        (self.0, self.1, &[])
    }
}

/// A good signature, by the crate itself.
fn right(algorithm: Algorithm, words: &[u8]) -> Vec<u8> {
    use rsa::pkcs1v15::SigningKey;
    use rsa::signature::{SignatureEncoding as _, Signer as _};
    let key = RSA.clone();
    match algorithm {
        Algorithm::Rs384 => SigningKey::<rsa::sha2::Sha384>::new(key).sign(words).to_vec(),
        Algorithm::Rs512 => SigningKey::<rsa::sha2::Sha512>::new(key).sign(words).to_vec(),
        _ => SigningKey::<rsa::sha2::Sha256>::new(key).sign(words).to_vec(),
    }
}

/// Each digest of the message becomes that digest of the token.
fn pkcs1_encoded(mut encoded: Vec<u8>, message: &[u8], words: &[u8]) -> Vec<u8> {
    let pairs: [(Vec<u8>, Vec<u8>); 4] = [
        (Sha224::digest(message).to_vec(), Sha224::digest(words).to_vec()),
        (Sha256::digest(message).to_vec(), Sha256::digest(words).to_vec()),
        (Sha384::digest(message).to_vec(), Sha384::digest(words).to_vec()),
        (Sha512::digest(message).to_vec(), Sha512::digest(words).to_vec()),
    ];
    for (old, new) in pairs {
        let place = encoded.windows(old.len()).position(|window| window == old);
        if let Some(place) = place {
            encoded[place..place + new.len()].copy_from_slice(&new);
        }
    }
    encoded
}

/// EMSA-PSS (RFC 8017 section 9.1) of the token with the vector's salt, and with what the vector has wrong.
fn pss_encoded<D: sha2::Digest>(
    encoded: Vec<u8>,
    modulus: &BigUint,
    message: &[u8],
    words: &[u8],
) -> Vec<u8> {
    let (salt, bits) = (salt::<D>(&encoded), modulus.bits() - 1);
    let good = |text: &[u8]| pss_good::<D>(text, &salt, bits);
    let wrong = encoded.iter().zip(good(message)).map(|(byte, good)| byte ^ good);
    wrong.zip(good(words)).map(|(wrong, good)| wrong ^ good).collect()
}

/// What stands behind the first one; where there is none, as much as a digest has.
fn salt<D: sha2::Digest>(encoded: &[u8]) -> Vec<u8> {
    let size = <D as sha2::Digest>::output_size();
    let (masked, rest) = encoded.split_at(encoded.len() - size - 1);
    let mask = mgf1::<D>(&rest[..size], masked.len());
    let block: Vec<u8> = masked.iter().zip(&mask).map(|(byte, mask)| byte ^ mask).collect();
    let start = block.iter().skip(1).position(|byte| *byte != 0).map(|place| place + 1);
    match start {
        Some(start) if block[start] == 1 => block[start + 1..].to_vec(),
        _ => block[block.len() - size..].to_vec(),
    }
}

fn pss_good<D: sha2::Digest>(text: &[u8], salt: &[u8], bits: usize) -> Vec<u8> {
    let hash = D::new().chain_update([0; 8]).chain_update(D::digest(text)).chain_update(salt).finalize();
    let length = RSA_SIZE - hash.len() - 1;
    let block = [&vec![0; length - salt.len() - 1][..], &[1], salt].concat();
    let mask = mgf1::<D>(&hash, length);
    let mut encoded: Vec<u8> = block.iter().zip(&mask).map(|(byte, mask)| byte ^ mask).collect();
    encoded[0] &= 0xff >> (RSA_SIZE * 8 - bits);
    encoded.extend_from_slice(&hash);
    encoded.push(0xbc);
    encoded
}

/// RFC 8017 section B.2.1.
fn mgf1<D: sha2::Digest>(seed: &[u8], length: usize) -> Vec<u8> {
    let block = |counter: u32| D::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize();
    (0..).flat_map(|counter| block(counter).to_vec()).take(length).collect()
}

/// The order of Ed25519's group, little-endian (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Points of small order, and two numbers beyond the field that stand for some of them.
pub fn small_points() -> Vec<[u8; 32]> {
    let eight = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    let point = |first: u8, middle: u8, last: u8| {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let mut found = vec![
        point(0, 0, 0),
        point(1, 0, 0),
        point(0xec, 0xff, 0x7f),
        point(0xed, 0xff, 0x7f),
        point(0xee, 0xff, 0x7f),
    ];
    found.extend(eight.map(|text| {
        let byte = |place: usize| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
        std::array::from_fn(byte)
    }));
    let signs = found.clone().into_iter().map(|mut point| {
        point[31] |= 0x80;
        point
    });
    found.extend(signs.collect::<Vec<_>>());
    found
}

/// A little-endian number plus the group's order; `None` beyond 256 bits.
fn plus_order(number: &[u8; 32]) -> Option<[u8; 32]> {
    let mut carry = 0_u16;
    let sum = std::array::from_fn(|place| {
        carry += u16::from(number[place]) + u16::from(ORDER[place]);
        let byte = (carry & 0xff) as u8;
        carry >>= 8;
        byte
    });
    (carry == 0).then_some(sum)
}

/// Faults of Wycheproof's EdDSA vectors, in a signature of ours.
pub fn edwards() -> Vec<Case> {
    let pair = KeyPair::from_seed(Seed::new([7; 32]));
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ours", "x": BASE64URL.encode(pair.pk.as_ref())});
    let words = words(Algorithm::EdDsa, "ours");
    let good = pair.sk.sign(words.as_bytes(), None).to_vec();
    let (r, s) = good.split_at(32);
    let s: [u8; 32] = s.try_into().unwrap();
    let mut cases = vec![("as it is".to_owned(), good.clone())];
    let multiples = std::iter::successors(plus_order(&s), plus_order);
    cases.extend(multiples.enumerate().map(|(more, s)| (format!("S + {} L", more + 1), [r, &s].concat())));
    for bit in [253, 254, 255] {
        let mut s = s;
        s[bit / 8] |= 1 << (bit % 8);
        cases.push((format!("bit {bit} of S"), [r, &s].concat()));
    }
    let mut one = [0; 32];
    one[0] = 1;
    for (name, s) in [("0", [0; 32]), ("1", one), ("L", ORDER), ("2^256 - 1", [0xff; 32])] {
        cases.push((format!("S = {name}"), [r, &s].concat()));
        cases.push((format!("S = {name}, R the neutral point"), [one, s].concat()));
        cases.push((format!("S = {name}, R = 0"), [[0; 32], s].concat()));
    }
    for point in small_points() {
        cases.push((format!("R of small order {:x?}", &point[..2]), [point, s].concat()));
    }
    let mut turned = good.clone();
    turned[31] ^= 0x80;
    cases.push(("R of the other sign".to_owned(), turned));
    cases.push(("S before R".to_owned(), [&s, r].concat()));
    cases.push(("R twice".to_owned(), [r, r].concat()));
    cases.push(("R alone".to_owned(), r.to_vec()));
    cases.push(("a byte less".to_owned(), good[..63].to_vec()));
    cases.push(("a byte less before".to_owned(), good[1..].to_vec()));
    cases.push(("a zero behind".to_owned(), [&good[..], &[0]].concat()));
    cases.push(("a zero before".to_owned(), [&[0], &good[..]].concat()));
    cases.push(("twice".to_owned(), [&good[..], &good].concat()));
    cases.push(("over the words' digest (Ed25519ph)".to_owned(), {
        pair.sk.sign(Sha512::digest(words.as_bytes()), None).to_vec()
    }));
    let holds = |signature: &[u8]| signature == good;
    let case = |(name, signature): (String, Vec<u8>)| Case {
        name: format!("Ed25519 {name}"),
        flags: Vec::new(),
        algorithm: Algorithm::EdDsa,
        jwk: jwk.clone(),
        token: token(&words, &signature),
        holds: holds(&signature),
    };
    cases.into_iter().map(case).collect()
}
