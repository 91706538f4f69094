//! An identity provider: real HTTP, real signatures (ES256), authorization code with PKCE.
//!
//! Its key is one that the core's tests use, and protects nothing.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::DecodePrivateKey as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const KEY: &str = include_str!("../../../filter/identity/testdata/p256.pem");
const KEYS: &str = include_str!("../../../filter/identity/testdata/openssl.json");

/// As whom the collector asks.
pub const CLIENT: &str = "collector";
/// Its secret.
pub const SECRET: &str = "a secret: with/what+forms&escape";

/// The provider; it ends with the test.
pub struct Provider {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    address: SocketAddr,
    /// Whether the key set holds the key that signs.
    published: AtomicBool,
    away: AtomicBool,
    asked: AtomicUsize,
    /// Codes that were given, and what was asked then.
    codes: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// Claims of whoever logs in.
    user: Mutex<Value>,
}

pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Provider {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            address,
            published: AtomicBool::new(true),
            away: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            codes: Mutex::default(),
            user: Mutex::new(json!({ "sub": "alice", "name": "Alice", "groups": ["readers"] })),
        });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || while state.answer(&stream).is_some() {});
            }
        });
        Self { address, state }
    }

    pub fn issuer(&self) -> String {
        self.state.issuer()
    }

    /// Whether the key that signs is in the key set.
    pub fn publish(&self, published: bool) {
        self.state.published.store(published, Ordering::SeqCst);
    }

    /// Whether it answers 500.
    pub fn away(&self, away: bool) {
        self.state.away.store(away, Ordering::SeqCst);
    }

    /// How often the key set was asked for.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// Who logs in from now on.
    pub fn user(&self, claims: Value) {
        *self.state.user.lock().unwrap() = claims;
    }

    /// A token that holds, with these claims.
    pub fn token(&self, claims: Value) -> String {
        self.state.token(claims)
    }

    /// A token for the collector.
    pub fn bearer(&self, subject: &str, groups: &[&str]) -> String {
        self.token(json!({ "sub": subject, "aud": "audit", "groups": groups }))
    }

    /// What somebody's browser comes back with from here.
    pub fn consent(&self, address: &str) -> String {
        let (base, query) = address.split_once('?').unwrap();
        assert_eq!(base, format!("{}/authorize", self.issuer()));
        let asked = pairs(query);
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        let state = asked["state"].clone();
        let mut codes = self.state.codes.lock().unwrap();
        let code = format!("code-{}", codes.len());
        codes.insert(code.clone(), asked);
        format!("code={code}&state={state}")
    }
}

impl State {
    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn token(&self, mut claims: Value) -> String {
        let all = claims.as_object_mut().unwrap();
        all.entry("iss").or_insert_with(|| json!(self.issuer()));
        all.entry("exp").or_insert_with(|| json!(seconds() + 300));
        let header = json!({ "alg": "ES256", "kid": "p256" });
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encoded(&header), encoded(&claims));
        let key = p256::ecdsa::SigningKey::from_pkcs8_pem(KEY).unwrap();
        let signature: p256::ecdsa::Signature = key.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let (mut length, mut authorization) = (0, None);
        let path = line.split(' ').nth(1)?.to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "authorization" => authorization = Some(value.to_owned()),
                _ => (),
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let form = pairs(std::str::from_utf8(&body).ok()?);
        let (status, answer) = match path.as_str() {
            _ if self.away.load(Ordering::SeqCst) => (500, json!({})),
            "/.well-known/openid-configuration" => (200, self.document()),
            "/jwks" => (200, self.keys()),
            "/token" => self.exchange(&form, authorization.as_deref()),
            _ => (404, json!({})),
        };
        let answer = answer.to_string();
        write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).ok()
    }

    fn document(&self) -> Value {
        let issuer = self.issuer();
        json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"),
            "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token") })
    }

    fn keys(&self) -> Value {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let all: Value = serde_json::from_str(KEYS).unwrap();
        let published = self.published.load(Ordering::SeqCst);
        let keys = all["keys"].as_array().unwrap().iter();
        let keys: Vec<_> = keys.filter(|key| published || key["kid"] != "p256").collect();
        json!({ "keys": keys })
    }

    fn exchange(&self, form: &BTreeMap<String, String>, authorization: Option<&str>) -> (u16, Value) {
        let refused = (400, json!({ "error": "invalid_grant" }));
        let pair = authorization.and_then(|value| STANDARD.decode(value.strip_prefix("Basic ")?).ok());
        let pair = pair.map(|pair| String::from_utf8(pair).unwrap());
        let pair = pair.and_then(|pair| {
            let (client, secret) = pair.split_once(':')?;
            Some((decoded(client), decoded(secret)))
        });
        if pair != Some((CLIENT.to_owned(), SECRET.to_owned())) {
            return (401, json!({ "error": "invalid_client" }));
        }
        // A code is good once.
        let Some(asked) = form.get("code").and_then(|code| self.codes.lock().unwrap().remove(code)) else {
            return refused;
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
        if challenge != asked["code_challenge"] || form["redirect_uri"] != asked["redirect_uri"] {
            return refused;
        }
        let mut claims = self.user.lock().unwrap().clone();
        let all = claims.as_object_mut().unwrap();
        all.entry("aud").or_insert_with(|| json!(CLIENT));
        all.entry("nonce").or_insert_with(|| json!(asked["nonce"]));
        (200, json!({ "token_type": "Bearer", "access_token": "x", "id_token": self.token(claims) }))
    }
}

pub fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
}
