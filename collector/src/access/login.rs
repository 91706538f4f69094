//! Logging in at an identity provider: authorization code with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis::identity::provider::Fetch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::caller::Caller;
use super::keys::clock;
use super::provider::{Client, Form};
use super::secret;
use super::settings::Trusted;
use super::tokens::{Refused, Tokens};

/// How long somebody may take at the provider.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// How long the provider's addresses are remembered.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Where the provider sends people back to, behind the collector's own address.
const BACK: &str = "/login/callback";

/// Where people log in, and as whom the collector asks there.
pub struct Login {
    client: Client,
    secret: Option<String>,
    /// The collector's own address.
    page: String,
    endpoints: Mutex<Option<(Instant, Endpoints)>>,
}

/// The provider's addresses.
#[derive(Debug, Clone)]
struct Endpoints {
    authorization: String,
    token: Fetch,
    /// Whether the secret goes into the form.
    posts_secret: bool,
    /// Whether answers name their issuer (RFC 9207).
    names_issuer: bool,
}

/// What the browser keeps while its user is at the provider.
#[derive(Debug, Serialize, Deserialize)]
pub struct Flow {
    state: String,
    nonce: String,
    verifier: String,
    until: u64,
    /// Where to go then.
    pub to: String,
}

/// What the provider sends back.
#[derive(Debug, Default)]
pub struct Back {
    /// What the tokens are had for.
    pub code: Option<String>,
    /// What was sent.
    pub state: Option<String>,
    /// Who sends it.
    pub issuer: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// Why nobody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The provider cannot be had.
    #[error("the identity provider cannot be reached now: come again")]
    Away,
    /// It is not usable.
    #[error(
        "the identity provider's description is not usable: its discovery document must name this issuer, an authorization_endpoint and a token_endpoint"
    )]
    Endpoints,
    /// Somebody else began it, or it is too long ago.
    #[error("this login was not begun in this browser, or too long ago: begin anew")]
    Flow,
    /// It said no.
    #[error("the identity provider says: {0}")]
    Denied(String),
    /// The code is worth nothing.
    #[error(
        "the identity provider does not take the code, or the collector's client_id and secret (status {0})"
    )]
    Code(u16),
    /// The token is none.
    #[error("the identity provider's token does not hold: {0}")]
    Token(&'static str),
    /// No chance.
    #[error("no random numbers: come again")]
    Random,
}

impl Login {
    /// For a page at an address.
    pub fn new(client: Client, secret: Option<String>, page: &str) -> Self {
        let page = page.trim_end_matches('/').to_owned();
        Self { client, secret, page, endpoints: Mutex::default() }
    }

    /// Where to send somebody, and what the browser is to keep.
    ///
    /// # Errors
    /// The provider cannot be had.
    pub async fn begin(&self, trusted: &Trusted, to: String) -> Result<(String, Flow), LoginError> {
        let endpoints = self.endpoints(trusted).await?;
        let random = || secret::random::<32>().map_err(|_| LoginError::Random);
        let until = clock().saturating_add(u64::try_from(PATIENCE.as_nanos()).unwrap_or(u64::MAX));
        let flow = Flow { state: random()?, nonce: random()?, verifier: random()?, until, to };
        let mut scopes = vec!["openid", "profile", "email"];
        scopes.extend(trusted.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", trusted.client.as_deref().unwrap_or_default()),
            ("redirect_uri", &self.back()),
            ("scope", &scopes.join(" ")),
            ("state", &flow.state),
            ("nonce", &flow.nonce),
            ("code_challenge", &secret::challenge(&flow.verifier)),
            ("code_challenge_method", "S256"),
        ]);
        let mark = if endpoints.authorization.contains('?') { '&' } else { '?' };
        Ok((format!("{}{mark}{query}", endpoints.authorization), flow))
    }

    /// Who comes back.
    ///
    /// # Errors
    /// Nobody is logged in.
    pub async fn end(&self, tokens: &Tokens, flow: &Flow, back: &Back) -> Result<Caller, LoginError> {
        let trusted = tokens.login().ok_or(LoginError::Endpoints)?;
        let is_state = |state: &String| bool::from(state.as_bytes().ct_eq(flow.state.as_bytes()));
        if !back.state.as_ref().is_some_and(is_state) || flow.until <= clock() {
            return Err(LoginError::Flow);
        }
        let endpoints = self.endpoints(trusted).await?;
        // A provider that is another's accomplice must not get that one's code (RFC 9207).
        let issued = back.issuer.as_ref().map(|issuer| *issuer == trusted.issuer);
        if issued == Some(false) || issued.is_none() && endpoints.names_issuer {
            return Err(LoginError::Flow);
        }
        if let Some(error) = &back.error {
            return Err(LoginError::Denied(word(error)));
        }
        let code = back.code.as_deref().ok_or(LoginError::Flow)?;
        let token = self.exchange(trusted, &endpoints, code, &flow.verifier).await?;
        let (caller, identity) = tokens.logged_in(&token).await.map_err(|refused| match refused {
            Refused::Token(error) => LoginError::Token(error.word()),
            Refused::Unavailable => LoginError::Away,
        })?;
        let text = |name: &str| identity.claims.get(name).and_then(Value::as_str);
        let is_nonce = |nonce: &str| bool::from(nonce.as_bytes().ct_eq(flow.nonce.as_bytes()));
        if !text("nonce").is_some_and(is_nonce) {
            return Err(LoginError::Token("token_nonce"));
        }
        if text("azp").is_some_and(|party| Some(party) != trusted.client.as_deref()) {
            return Err(LoginError::Token("token_party"));
        }
        Ok(caller)
    }

    async fn exchange(
        &self,
        trusted: &Trusted,
        endpoints: &Endpoints,
        code: &str,
        verifier: &str,
    ) -> Result<String, LoginError> {
        let client = trusted.client.as_deref().unwrap_or_default();
        let back = self.back();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back.as_str()),
            ("code_verifier", verifier),
        ];
        let mut authorization = None;
        match &self.secret {
            None => fields.push(("client_id", client)),
            Some(secret) if endpoints.posts_secret => {
                fields.extend([("client_id", client), ("client_secret", secret)]);
            }
            Some(secret) => {
                let pair = format!("{}:{}", encoded(client), encoded(secret));
                authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
            }
        }
        let form = Form { fields: form(&fields), authorization };
        let answer = self.client.call(&endpoints.token, Some(form)).await.map_err(|_| LoginError::Away)?;
        if answer.status != 200 {
            return Err(LoginError::Code(answer.status));
        }
        let answer: Map<String, Value> =
            serde_json::from_slice(&answer.body).map_err(|_| LoginError::Token("token_missing"))?;
        let token = answer.get("id_token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or(LoginError::Token("token_missing"))
    }

    async fn endpoints(&self, trusted: &Trusted) -> Result<Endpoints, LoginError> {
        let known = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((since, endpoints)) = known
            && since.elapsed() < REMEMBERED
        {
            return Ok(endpoints);
        }
        let fetch = Fetch::document_of(&trusted.issuer).ok_or(LoginError::Endpoints)?;
        let answer = self.client.call(&fetch, None).await.map_err(|_| LoginError::Away)?;
        if answer.status != 200 {
            return Err(LoginError::Away);
        }
        let endpoints = Endpoints::read(&answer.body, &trusted.issuer).ok_or(LoginError::Endpoints)?;
        let kept = Some((Instant::now(), endpoints.clone()));
        *self.endpoints.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(endpoints)
    }

    fn back(&self) -> String {
        format!("{}{BACK}", self.page)
    }
}

impl Endpoints {
    fn read(document: &[u8], issuer: &str) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_slice(document).ok()?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(issuer) {
            return None;
        }
        // What begins with TLS does not go on without.
        let fetch = |name: &str| {
            let fetch = Fetch::absolute(text(name)?)?;
            (fetch.scheme == "https" || !issuer.starts_with("https:")).then_some(fetch)
        };
        let authorization = fetch("authorization_endpoint")?;
        let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let has = |method: &str| methods.is_some_and(|methods| methods.iter().any(|one| one == method));
        Some(Self {
            authorization: format!(
                "{}://{}{}",
                authorization.scheme, authorization.authority, authorization.path
            ),
            token: fetch("token_endpoint")?,
            posts_secret: has("client_secret_post") && !has("client_secret_basic"),
            names_issuer: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }
}

/// Names and values, as forms and queries have them.
fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Of what an address said, a word at most.
fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_description_that_would_lead_elsewhere_is_not_used() {
        let with = |changes: Value| {
            let mut document = json!({ "issuer": "https://i.example", "authorization_endpoint": "https://i.example/a?x=1",
                "token_endpoint": "https://i.example/t" });
            document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            Endpoints::read(document.to_string().as_bytes(), "https://i.example")
        };
        let good = with(json!({})).unwrap();
        assert_eq!(good.authorization, "https://i.example/a?x=1");
        assert!(!good.posts_secret && !good.names_issuer);
        assert!(
            with(json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }))
                .unwrap()
                .posts_secret
        );
        for changes in [
            json!({ "issuer": "https://other.example" }),
            json!({ "token_endpoint": "http://i.example/t" }),
            json!({ "authorization_endpoint": "javascript:alert(1)" }),
            json!({ "authorization_endpoint": "https://i.example/\r\nset-cookie: a=b" }),
            json!({ "token_endpoint": null }),
        ] {
            assert!(with(changes.clone()).is_none(), "{changes}");
        }
    }
}
