//! A provider on a loopback port whose word is whatever a test wants.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey as _,
    core::{CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJwsSigningAlgorithm},
};
use serde_json::{Value, json};

use super::super::World;
use crate::{ProviderSettings, clock::Clock as _};

pub(super) const CLIENT: &str = "countersign";
pub(super) const NONCE: &str = "nonce-nonce-nonce-nonce-nonce-nonce-nonce-nonce";
const SECRET: &str = "a secret that both know";

/// The provider; it ends with the test.
pub(super) struct Idp {
    url: String,
    said: Arc<Mutex<Said>>,
    serving: tokio::task::JoinHandle<()>,
}

/// What the token endpoint gives out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    Right,
    ByAnotherKey,
    Unsigned,
    BySharedSecret,
    /// Somebody has written into it.
    Changed,
    /// No ID token at all.
    None,
    /// An error with this code.
    Refused(&'static str),
}

struct Said {
    url: String,
    key: CoreEdDsaPrivateSigningKey,
    claims: Value,
    token: Token,
    /// The last call of the token endpoint: its credential and its form.
    asked: String,
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Idp {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let said = Arc::new(Mutex::new(Said {
            url: url.clone(),
            key: fresh_key(),
            claims: json!({}),
            token: Token::Right,
            asked: String::new(),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&said));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, said, serving }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn settings(&self) -> ProviderSettings {
        Self::settings_of(&self.url)
    }

    pub(super) fn settings_of(url: &str) -> ProviderSettings {
        let domains = ["acme.example".to_owned()];
        ProviderSettings::new(url, CLIENT, Some(SECRET.to_owned()), Some("Acme ID"), &domains).unwrap()
    }

    /// Vouches for somebody from now on.
    pub(super) fn says(&self, world: &World, subject: &str, email: &str) {
        let now = world.clock.now().0 / 1000;
        let name = email.split('@').next().unwrap();
        let name = name[..1].to_uppercase() + &name[1..];
        self.said.lock().unwrap().claims = json!({
            "iss": self.url, "sub": subject, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": NONCE,
            "email": email, "email_verified": true, "name": name,
        });
    }

    /// Says one thing otherwise; null leaves it out.
    pub(super) fn lies(&self, claim: &str, lie: Value) {
        let mut said = self.said.lock().unwrap();
        let claims = said.claims.as_object_mut().unwrap();
        claims.remove(claim);
        if !lie.is_null() {
            claims.insert(claim.to_owned(), lie);
        }
    }

    pub(super) fn signs(&self, token: Token) {
        self.said.lock().unwrap().token = token;
    }

    pub(super) fn asked(&self) -> String {
        self.said.lock().unwrap().asked.clone()
    }
}

fn fresh_key() -> CoreEdDsaPrivateSigningKey {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let id = JsonWebKeyId::new("one".to_owned());
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&key.serialize_pem(), Some(id)).unwrap()
}

async fn configuration(State(said): State<Arc<Mutex<Said>>>) -> axum::Json<Value> {
    let url = said.lock().unwrap().url.clone();
    axum::Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/auth"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        // It offers what nobody should take.
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    }))
}

async fn keys(State(said): State<Arc<Mutex<Said>>>) -> axum::Json<Value> {
    let key = said.lock().unwrap().key.as_verification_key();
    axum::Json(json!({"keys": [key]}))
}

async fn token(
    State(said): State<Arc<Mutex<Said>>>,
    headers: HeaderMap,
    form: String,
) -> (StatusCode, axum::Json<Value>) {
    let mut said = said.lock().unwrap();
    let credential = headers.get("authorization").map(|value| value.to_str().unwrap());
    said.asked = format!("{} {form}", credential.unwrap_or("none"));
    let answer = |more: Value| {
        let mut answer = json!({"access_token": "access", "token_type": "Bearer", "expires_in": 300});
        answer
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        (StatusCode::OK, axum::Json(answer))
    };
    let signed = |alg: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let header = json!({"alg": alg, "kid": "one", "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&said.claims));
        let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
        json!({"id_token": format!("{text}.{signature}")})
    };
    let by = |key: &CoreEdDsaPrivateSigningKey, text: &[u8]| {
        key.sign(&CoreJwsSigningAlgorithm::EdDsa, text).unwrap()
    };
    match said.token {
        Token::Right => answer(signed("EdDSA", &|text| by(&said.key, text))),
        Token::ByAnotherKey => answer(signed("EdDSA", &|text| by(&fresh_key(), text))),
        Token::Changed => answer(signed("EdDSA", &|text| by(&said.key, &text[1..]))),
        Token::Unsigned => answer(signed("none", &|_| Vec::new())),
        Token::BySharedSecret => answer(signed("HS256", &|text| {
            let key = CoreHmacKey::new(SECRET);
            key.sign(&CoreJwsSigningAlgorithm::HmacSha256, text).unwrap()
        })),
        Token::None => answer(json!({})),
        Token::Refused(code) => (StatusCode::BAD_REQUEST, axum::Json(json!({"error": code}))),
    }
}
