//! Exchanges through a proxy made of memory: each test is named by the behaviour it protects.

mod answers;
mod approvals;
mod asked_humans;
mod batches;
mod bounds;
mod budgets;
mod callers;
mod captures;
mod credentials;
mod introspected;
mod masks;
mod protocols;
mod recognised;
mod recorded_first;
mod records;
mod replays;
mod sealed;
mod secrets;
mod shared_budgets;
mod shared_keys;
mod succession;
mod vectors;
mod vouched;

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{Claims, Duration, Ed25519KeyPair, EdDSAKeyPairLike as _};
use serde_json::{Value, json};

use super::{Exchange, Worker};
use crate::config::json;
use crate::config::set::{Bundle, HostPromises};
use crate::host::memory::Memory;
use crate::host::{Flow, Header, LocalAnswer, Side};

const ISSUER: &str = "https://idp.example.com";
const CREDENTIAL: &str = "sk-upstream-0123456789";
const PSEUDONYMS: &str = "0123456789abcdef0123456789abcdef";
const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}"#;

/// A worker on a fake proxy, and the key that signs its callers' tokens.
struct Rig {
    host: Memory,
    worker: Rc<Worker>,
    key: Ed25519KeyPair,
}

/// The usual set: an issuer with an inline key, a connection under `/v1`, a policy with rules and masks.
fn set(key: &Ed25519KeyPair) -> Value {
    json!({
        "version": 1,
        "issuers": [{ "name": "corp", "issuer": ISSUER, "audiences": ["rag"], "jwks": { "inline": jwks(key) } }],
        "connections": [
            { "name": "probes", "protocol": "none", "match": { "path_prefix": "/healthz" } },
            {
                "name": "chat", "protocol": "openai", "match": { "path_prefix": "/v1" }, "policy": "p",
                "credential": { "header": "authorization", "value": "Bearer ${env:KEY}" }
            }
        ],
        "policies": [{
            "name": "p",
            "allow": "\"rag-users\" in identity.groups",
            "rules": [
                { "name": "models", "deny": "!(llm.model in [\"\", \"gpt-4o\"])" },
                { "name": "hello", "flag": "prompt.text.contains(\"Hello\")" }
            ],
            "mask": { "response": { "entities": ["PII", "SECRETS"] } }
        }],
        "audit": { "cluster": "audit" },
        "expose": "full"
    })
}

fn jwks(key: &Ed25519KeyPair) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.public_key().to_bytes());
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x }] })
}

fn bundle(set: &Value, body_before_headers: bool) -> Vec<u8> {
    let mut root = json::read(set.to_string().as_bytes()).unwrap();
    assert_eq!(root.settle(), []);
    let (bundle, _) = Bundle::of(&root, "c0ffee", HostPromises { body_before_headers }).unwrap();
    bundle.encode(&root).unwrap().into_bytes()
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Value)) -> Self {
        let key = Ed25519KeyPair::generate().with_key_id("k1");
        let mut set = set(&key);
        change(&mut set);
        let env = [("KEY", CREDENTIAL), ("PSEUDONYMS", PSEUDONYMS), ("SHORT", "short")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let host = Memory { env: env.into(), ..Memory::default() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        host.now.set(u64::try_from(now.as_nanos()).unwrap());
        let worker =
            Worker::start(&host, &bundle(&set, true)).unwrap_or_else(|problems| panic!("{problems:?}"));
        Self { host, worker: Rc::new(worker), key }
    }

    fn token(&self, groups: &[&str]) -> String {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Groups {
            groups: Vec<String>,
        }
        let groups = Groups { groups: groups.iter().map(|&group| group.to_owned()).collect() };
        let claims = Claims::with_custom_claims(groups, Duration::from_hours(1))
            .with_issuer(ISSUER)
            .with_subject("alice")
            .with_audience("rag");
        self.key.sign(claims).unwrap()
    }

    fn head(&self, method: &str, path: &str, more: &[(&str, &str)]) {
        let pseudo = [(":method", method), (":path", path), (":authority", "api.example.com")];
        *self.host.request.borrow_mut() =
            pseudo.iter().chain(more).map(|(name, value)| header(name, value)).collect();
    }

    /// Starts a chat request with a caller's token.
    fn ask(&self, groups: &[&str]) -> Exchange {
        let bearer = format!("Bearer {}", self.token(groups));
        self.head(
            "POST",
            "/v1/chat/completions",
            &[("authorization", &bearer), ("content-type", "application/json")],
        );
        Exchange::begin(Rc::clone(&self.worker), 7)
    }

    /// Sends the body in one piece.
    fn send(&self, exchange: &mut Exchange, body: &str) -> Flow {
        *self.host.request_body.borrow_mut() = body.as_bytes().to_vec();
        exchange.request_body(&self.host, body.len(), true)
    }

    /// A whole allowed request.
    fn allowed(&self) -> Exchange {
        let mut exchange = self.ask(&["rag-users"]);
        exchange.request_head(&self.host, false);
        assert_eq!(self.send(&mut exchange, QUESTION), Flow::Continue);
        exchange
    }

    /// The head of an answer.
    fn answer(&self, exchange: &mut Exchange, status: &str, headers: &[(&str, &str)]) -> Flow {
        let status = [(":status", status)];
        *self.host.response.borrow_mut() =
            status.iter().chain(headers).map(|(name, value)| header(name, value)).collect();
        exchange.response_head(&self.host, false)
    }

    /// A piece of an answer; what goes out of it, or `None` while it is held by the proxy.
    fn piece(&self, exchange: &mut Exchange, piece: &str, end: bool) -> Option<String> {
        self.host.response_body.borrow_mut().extend_from_slice(piece.as_bytes());
        let size = self.host.response_body.borrow().len();
        match exchange.response_body(&self.host, size, end) {
            Flow::Pause => None,
            Flow::Continue => {
                let out = std::mem::take(&mut *self.host.response_body.borrow_mut());
                Some(String::from_utf8(out).unwrap())
            }
        }
    }

    fn refusal(&self) -> LocalAnswer {
        let answers = self.host.answers.borrow();
        assert_eq!(answers.len(), 1, "one answer of ours");
        answers[0].clone()
    }

    fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.refusal().body).unwrap();
        let code = if body["error"].is_object() { &body["error"]["code"] } else { &body["code"] };
        code.as_str().unwrap().to_owned()
    }

    fn sent(&self, name: &str) -> Option<String> {
        self.host.header(Side::Request, name)
    }

    fn pass(&self, seconds: u64) {
        self.host.now.set(self.host.now.get() + seconds * 1_000_000_000);
    }
}

fn header(name: &str, value: &str) -> Header {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}
