//! A real OpenID provider (oidc-provider) on a free loopback port, and a browser that fills in its forms.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Url, header};
use serde::{Deserialize, Serialize};

use crate::process::{Process, bound};
use crate::repository;

/// Most pages between the first and the last: sign-in, consent, and the way there and back.
const PAGES: usize = 20;

/// Somebody's account at the provider. They sign in with their id and any password.
#[derive(Debug, Clone, Serialize)]
pub struct Account<'a> {
    pub id: &'a str,
    pub email: &'a str,
    pub verified: bool,
    pub name: &'a str,
}

/// Somebody whom the provider vouches for.
pub const BOB: Account<'_> = Account {
    id: "bob",
    email: "bob@acme.example",
    verified: true,
    name: "Bob Builder",
};

/// The running provider.
#[derive(Debug)]
pub struct OpenIdProvider {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
    _process: Process,
}

impl OpenIdProvider {
    /// Starts a provider that knows nobody.
    pub fn start() -> Result<Self> {
        let folder = repository().join("tests/peers/oidc");
        ensure!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "the OpenID provider is not installed: `scripts/setup.sh test` does it"
        );
        let mut command = bound("node");
        command
            .arg(folder.join("provider.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::start(command)?;
        let commands = process.stdin()?;
        let mut answers = BufReader::new(process.stdout()?);
        let listening: Listening =
            serde_json::from_str(&line(&mut answers)?).context("what the provider says first")?;
        Ok(Self {
            commands,
            answers,
            port: listening.port,
            _process: process,
        })
    }

    /// What it calls itself.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a company's server is told of it, as the application `client`.
    pub fn served(&self, client: &str) -> Vec<String> {
        let issuer = self.issuer();
        let arguments = [
            ["--oidc-issuer", &issuer],
            ["--oidc-client-id", client],
            ["--oidc-name", "Acme ID"],
            ["--oidc-domain", "acme.example"],
        ];
        arguments.into_iter().flatten().map(str::to_owned).collect()
    }

    /// Makes an account, or changes it, once this returns.
    pub fn account(&mut self, account: &Account<'_>) -> Result<()> {
        let said = serde_json::to_string(account)?;
        writeln!(self.commands, "{said}")?;
        let answer = line(&mut self.answers)?;
        ensure!(answer == said, "the provider answered {answer:?} to {said:?}");
        Ok(())
    }
}

#[derive(Deserialize)]
struct Listening {
    port: u16,
}

fn line(answers: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    ensure!(!line.is_empty(), "the provider ended");
    Ok(line.trim_end().to_owned())
}

/// A fresh browser of one person, as far as the provider's pages need one: cookies, redirects, forms.
#[derive(Debug)]
pub struct Browser {
    http: reqwest::Client,
    login: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Of the person who signs in as `login`.
    pub fn of(login: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            login: login.to_owned(),
            cookies: BTreeMap::new(),
        })
    }

    /// Signs in and consents, and reads the page that the app shows at the end.
    pub async fn agree(&mut self, page: &str) -> Result<String> {
        let back = self.walk(page, true).await?;
        self.read(back).await
    }

    /// Breaks it off on the first page, and reads the page that the app shows at the end.
    pub async fn decline(&mut self, page: &str) -> Result<String> {
        let back = self.walk(page, false).await?;
        self.read(back).await
    }

    /// Signs in and consents; where the provider then sends the browser.
    pub async fn came_back(&mut self, page: &str) -> Result<Url> {
        self.walk(page, true).await
    }

    async fn read(&self, page: Url) -> Result<String> {
        Ok(self.http.get(page).send().await?.text().await?)
    }

    async fn walk(&mut self, page: &str, agrees: bool) -> Result<Url> {
        let home = Url::parse(page)?;
        let mut next = self.http.get(home.clone());
        let mut here = home.clone();
        for _ in 0..PAGES {
            let cookies: Vec<_> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let answer = next.header(header::COOKIE, cookies.join("; ")).send().await?;
            self.keep_cookies(answer.headers())?;
            if let Some(location) = answer.headers().get(header::LOCATION) {
                here = here.join(location.to_str()?)?;
                if here.origin() != home.origin() {
                    return Ok(here);
                }
                next = self.http.get(here.clone());
                continue;
            }
            let status = answer.status();
            let html = answer.text().await?;
            ensure!(status.is_success(), "{here} answers {status}: {html}");
            if !agrees {
                here = here.join(&attribute(&html, "href", "/abort").context("a way out")?)?;
                next = self.http.get(here.clone());
                continue;
            }
            here = here.join(&attribute(&html, "action", "").context("a form")?)?;
            let form = self.filled_in(&html)?;
            next = self
                .http
                .post(here.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        bail!("the provider's pages do not end")
    }

    /// The form's fields with their values, and the person's own.
    fn filled_in(&self, html: &str) -> Result<String> {
        let mut fields = Vec::new();
        for input in html.split("<input ").skip(1) {
            let input = input.split('>').next().unwrap_or_default();
            let Some(name) = attribute(input, "name", "") else {
                continue;
            };
            let value = match &*name {
                "login" => self.login.clone(),
                "password" => "any".to_owned(),
                _ => attribute(input, "value", "").unwrap_or_default(),
            };
            fields.push((name, value));
        }
        let form = Url::parse_with_params("http://form/", fields)?;
        Ok(form.query().unwrap_or_default().to_owned())
    }

    fn keep_cookies(&mut self, headers: &header::HeaderMap) -> Result<()> {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie has a name")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }
}

/// The first value of that attribute with that end.
fn attribute(html: &str, name: &str, end: &str) -> Option<String> {
    html.split(&format!("{name}=\""))
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|value| value.ends_with(end))
        .map(|value| value.replace("&amp;", "&"))
}
