//! People sign in with their company's provider: a real one, through its own forms.

use std::fs;

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_domain::Digest;
use countersign_e2e::company::{Company, OWNER, PASSWORD};
use countersign_e2e::provider::{Account, BOB, Browser, OpenIdProvider};
use countersign_engine::{ByProvider, Connect, Credential, Engine, EngineError, Phase, testing::Fakes};
use reqwest::{Method, Url};
use serde_json::{Value, json};

const REDIRECT: &str = "http://127.0.0.1:49152/signed-in";

#[tokio::test]
async fn who_was_invited_signs_in_through_the_providers_forms_and_brings_a_device() -> Result<()> {
    let (mut provider, office) = Office::open("countersign-secret").await?;
    provider.account(&BOB)?;
    office.invite(BOB.email).await?;
    let desktop = Desktop::new()?;
    let name = desktop.engine.provider_name(office.company.url()).await?;
    assert_eq!(name.as_deref(), Some("Acme ID"));

    let (connected, page) = desktop.sign_in(&office, "bob", true).await?;
    connected?;
    assert!(page.contains("You can close this window"), "{page}");
    assert_eq!(desktop.engine.phase(), Phase::Ready);
    let members = office.call(Method::GET, "/api/members", Value::Null).await?.1;
    let bob = members["members"].as_array().context("a list")?;
    let bob = bob
        .iter()
        .find(|member| member["email"] == BOB.email)
        .context("bob")?;
    assert_eq!(bob["name"], BOB.name, "as the provider calls him");
    let devices = office.call(Method::GET, "/api/devices", Value::Null).await?.1;
    let device = &devices["devices"][0];
    assert_eq!(
        (&device["userId"], &device["state"]),
        (&bob["userId"], &json!("waiting")),
        "the provider vouches for the person; somebody here vouches for the device: {devices}"
    );
    Ok(())
}

#[tokio::test]
async fn who_says_no_at_the_provider_is_told_so_and_is_nobody_here() -> Result<()> {
    let (mut provider, office) = Office::open("countersign").await?;
    provider.account(&BOB)?;
    office.invite(BOB.email).await?;
    let desktop = Desktop::new()?;
    let (refused, page) = desktop.sign_in(&office, "bob", false).await?;
    let refused = refused.expect_err("nobody came in").message;
    assert!(refused.contains("refused or broken off"), "{refused}");
    assert!(page.contains("You were not signed in"), "{page}");
    assert_eq!(desktop.engine.phase(), Phase::FirstRun, "nothing was set up");
    Ok(())
}

#[tokio::test]
async fn whom_the_provider_knows_and_the_company_does_not_stays_outside() -> Result<()> {
    let (mut provider, office) = Office::open("countersign").await?;
    let refused = |code: &str| (403, json!(code));
    let eve = Account {
        id: "eve",
        email: "eve@acme.example",
        name: "Eve",
        ..BOB
    };
    provider.account(&eve)?;
    assert_eq!(office.attempt("eve").await?, refused("not_a_member"));

    provider.account(&Account {
        verified: false,
        ..BOB
    })?;
    office.invite(BOB.email).await?;
    assert_eq!(office.attempt("bob").await?, refused("email_unverified"));
    provider.account(&Account {
        email: "bob@evil.example",
        ..BOB
    })?;
    assert_eq!(office.attempt("bob").await?, refused("email_foreign"));
    provider.account(&BOB)?;
    assert_eq!(office.attempt("bob").await?.0, 200);

    // Eve makes herself bob at the provider, and bob makes himself the owner.
    provider.account(&Account { id: "eve", ..BOB })?;
    assert_eq!(office.attempt("eve").await?, refused("bound_to_another"));
    provider.account(&Account { email: OWNER, ..BOB })?;
    assert_eq!(office.attempt("bob").await?, refused("email_changed"));
    provider.account(&BOB)?;

    let members = office.call(Method::GET, "/api/members", Value::Null).await?.1;
    let members = members["members"].as_array().context("a list")?;
    let bob = members
        .iter()
        .find(|member| member["email"] == BOB.email)
        .context("bob")?;
    let bob = bob["userId"].as_str().context("an id")?;
    let removed = office
        .call(Method::DELETE, &format!("/api/members/{bob}"), Value::Null)
        .await?;
    assert_eq!(removed.0, 204);
    assert_eq!(office.attempt("bob").await?, refused("not_a_member"));
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_once_for_who_asked_for_it() -> Result<()> {
    let (mut provider, office) = Office::open("countersign").await?;
    provider.account(&BOB)?;
    office.invite(BOB.email).await?;
    let refused = |code: &str| (403, json!(code));
    let secret = |letter: &str| letter.repeat(43);

    let mut brought = office.brought("countersign", "bob").await?;
    brought["verifier"] = json!(secret("x"));
    assert_eq!(
        office.redeem(&brought).await?,
        refused("code_refused"),
        "another verifier"
    );

    let mut brought = office.brought("countersign", "bob").await?;
    brought["nonce"] = json!(secret("x"));
    assert_eq!(
        office.redeem(&brought).await?,
        refused("wrong_nonce"),
        "another attempt's"
    );

    let brought = office.brought("other", "bob").await?;
    assert_eq!(
        office.redeem(&brought).await?,
        refused("code_refused"),
        "another application's"
    );

    let mut brought = office.brought("countersign", "bob").await?;
    brought["redirectUri"] = json!("http://127.0.0.1:49153/signed-in");
    assert_eq!(
        office.redeem(&brought).await?,
        refused("code_refused"),
        "another port's"
    );

    let brought = office.brought("countersign", "bob").await?;
    assert_eq!(office.redeem(&brought).await?.0, 200);
    assert_eq!(office.redeem(&brought).await?, refused("code_refused"), "used");
    Ok(())
}

/// A company with a provider, and its owner's session.
struct Office {
    company: Company,
    issuer: String,
    http: reqwest::Client,
    token: String,
}

impl Office {
    async fn open(client: &str) -> Result<(OpenIdProvider, Self)> {
        let provider = OpenIdProvider::start()?;
        let issuer = provider.issuer();
        let company = Company::start(|folder| {
            let mut more = provider.served(client);
            if client.ends_with("-secret") {
                let file = folder.join("client-secret");
                fs::write(&file, "a secret\n")?;
                more.extend(["--oidc-client-secret".to_owned(), file.display().to_string()]);
            }
            Ok(more)
        })?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let signed_in: Value = http
            .post(format!("{}/api/auth/sign-in", company.url()))
            .json(&json!({"email": OWNER, "password": PASSWORD}))
            .send()
            .await?
            .json()
            .await?;
        let token = signed_in["token"].as_str().context("a session")?.to_owned();
        Ok((
            provider,
            Self {
                company,
                issuer,
                http,
                token,
            },
        ))
    }

    /// As the owner.
    async fn call(&self, method: Method, path: &str, body: Value) -> Result<(u16, Value)> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.company.url()))
            .bearer_auth(&self.token)
            .header("x-tenant-id", self.company.tenant());
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    async fn invite(&self, email: &str) -> Result<()> {
        let invited = self
            .call(
                Method::POST,
                "/api/invites",
                json!({"email": email, "role": "approver"}),
            )
            .await?;
        assert_eq!(invited.0, 201, "{invited:?}");
        Ok(())
    }

    /// What the browser of somebody brings back for a client, ready for the server.
    async fn brought(&self, client: &str, login: &str) -> Result<Value> {
        let (verifier, nonce) = ("v".repeat(43), "n".repeat(43));
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).as_bytes());
        let page = Url::parse_with_params(
            &format!("{}/auth", self.issuer),
            [
                ("response_type", "code"),
                ("client_id", client),
                ("redirect_uri", REDIRECT),
                ("scope", "openid email profile"),
                ("state", "state"),
                ("nonce", &nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        )?;
        let back = Browser::of(login)?.came_back(page.as_str()).await?;
        let code = back
            .query_pairs()
            .find(|(name, _)| name == "code")
            .context("a code")?;
        Ok(json!({
            "code": code.1, "verifier": verifier, "nonce": nonce, "redirectUri": REDIRECT,
        }))
    }

    /// The answer's status and code.
    async fn redeem(&self, brought: &Value) -> Result<(u16, Value)> {
        let (status, body) = self
            .call(Method::POST, "/api/auth/provider/sign-in", brought.clone())
            .await?;
        Ok((status, body["code"].clone()))
    }

    async fn attempt(&self, login: &str) -> Result<(u16, Value)> {
        self.redeem(&self.brought("countersign", login).await?).await
    }
}

/// A desktop without its window.
struct Desktop {
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl Desktop {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let engine = Engine::new(folder.path().join("engine"), Fakes::default().ports())?;
        Ok(Self {
            engine,
            _folder: folder,
        })
    }

    /// How the sign-in ended, and the last page in the browser.
    async fn sign_in(
        &self,
        office: &Office,
        login: &str,
        agrees: bool,
    ) -> Result<(Result<(), EngineError>, String)> {
        self.engine.start().await;
        let form = ByProvider {
            url: office.company.url().to_owned(),
            email: None,
            invite: None,
        };
        let (page, shown) = tokio::sync::oneshot::channel::<String>();
        let browser = async {
            let page = shown.await?;
            let mut browser = Browser::of(login)?;
            if agrees {
                browser.agree(&page).await
            } else {
                browser.decline(&page).await
            }
        };
        let open = |url: &str| page.send(url.to_owned()).map_err(std::io::Error::other);
        let (brought, page) = tokio::join!(self.engine.through_browser(form, open), browser);
        let connected = match brought {
            Ok(brought) => {
                let connect = Connect {
                    url: office.company.url().to_owned(),
                    email: String::new(),
                    credential: Credential::Provider(brought),
                    device_name: "Bob's laptop".to_owned(),
                    tenant: None,
                };
                self.engine.connect(connect).await
            }
            Err(error) => Err(error),
        };
        Ok((connected, page?))
    }
}
