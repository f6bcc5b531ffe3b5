//! A small WebDriver client for `tauri-driver`: the dozen verbs that the window suite needs, with answers in plain types.
//!
//! Scripts run by `execute/sync` only: `execute/async` breaks tauri-driver's connection. A script that has to wait sets a
//! result on `window`, and the test asks for it again.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::desktop::Desktop;
use crate::eventually;
use crate::process::Process;

/// The name that W3C WebDriver gives to an element's reference.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long the driver and the app may take to be there on a loaded machine.
const START: Duration = Duration::from_secs(60);
/// How long one verb may take.
const VERB: Duration = Duration::from_secs(30);

/// An app under the driver. Dropping it ends the driver and with it the app.
#[derive(Debug)]
pub struct Window {
    http: reqwest::Client,
    session: String,
    _driver: Process,
}

/// An element of the page.
#[derive(Debug, Clone)]
pub struct Element {
    id: String,
}

impl Window {
    /// Opens `app` on the desktop and waits for its window.
    pub async fn open(desktop: &Desktop, app: &Path, arguments: &[&str]) -> Result<Self> {
        let (port, native_port) = (free_port()?, free_port()?);
        let mut command = desktop.bound_command("tauri-driver");
        command
            .args([
                "--port",
                &port.to_string(),
                "--native-port",
                &native_port.to_string(),
            ])
            .args(["--native-driver", "/usr/bin/WebKitWebDriver"])
            .stdout(desktop.log_file("app")?)
            .stderr(desktop.log_file("app")?);
        let driver = Process::start(command)?;
        // A driver on loopback: a proxy of the machine has no part in it.
        let http = reqwest::Client::builder().no_proxy().build()?;
        let base = format!("http://127.0.0.1:{port}");
        eventually("tauri-driver", START, async || {
            let status = http.get(format!("{base}/status")).timeout(VERB).send().await;
            Ok(status
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await?;

        let options = json!({ "application": app, "args": arguments });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "tauri:options": options } } });
        let begun = http
            .post(format!("{base}/session"))
            .json(&wanted)
            .timeout(START)
            .send()
            .await?;
        let answer = value(begun)
            .await
            .with_context(|| format!("opening {}", app.display()))?;
        let id = answer["sessionId"].as_str().context("a session has an id")?;
        Ok(Self {
            session: format!("{base}/session/{id}"),
            http,
            _driver: driver,
        })
    }

    /// Closes the window as WebDriver does. What `drop` cannot say, an error here does.
    pub async fn close(self) -> Result<()> {
        value(self.http.delete(&self.session).timeout(VERB).send().await?)
            .await
            .map(drop)
    }

    /// The first element that matches the selector, if there is one: CSS, or XPath where it begins with `/`.
    pub async fn query(&self, selector: &str) -> Result<Option<Element>> {
        Ok(self.query_all(selector).await?.into_iter().next())
    }

    /// Every element that matches the selector.
    pub async fn query_all(&self, selector: &str) -> Result<Vec<Element>> {
        let language = if selector.starts_with('/') {
            "xpath"
        } else {
            "css selector"
        };
        let found = self
            .post("elements", json!({ "using": language, "value": selector }))
            .await?;
        let references = found.as_array().context("elements are a list")?;
        references
            .iter()
            .map(|one| {
                Ok(Element {
                    id: one[ELEMENT]
                        .as_str()
                        .context("an element has a reference")?
                        .to_owned(),
                })
            })
            .collect()
    }

    /// Waits for an element that matches the selector.
    pub async fn find(&self, selector: &str, limit: Duration) -> Result<Element> {
        eventually(&format!("an element {selector}"), limit, async || {
            self.query(selector).await
        })
        .await
    }

    /// Waits until the page's visible text contains `text`.
    pub async fn await_text(&self, text: &str, limit: Duration) -> Result<()> {
        let shown = eventually(&format!("the text {text:?}"), limit, async || {
            Ok(self.page_text().await?.contains(text).then_some(()))
        })
        .await;
        match shown {
            Ok(()) => Ok(()),
            Err(late) => bail!("{late}; the page says:\n{}", self.page_text().await?),
        }
    }

    /// The page's visible text.
    pub async fn page_text(&self) -> Result<String> {
        let text = self
            .run("return document.body ? document.body.innerText : ''", json!([]))
            .await?;
        text.as_str().map(str::to_owned).context("innerText is text")
    }

    /// The element's visible text.
    pub async fn text(&self, element: &Element) -> Result<String> {
        let text = self.get(&format!("element/{}/text", element.id)).await?;
        text.as_str()
            .map(str::to_owned)
            .context("an element's text is text")
    }

    /// A click in the middle of the element, as a mouse does it.
    pub async fn click(&self, element: &Element) -> Result<()> {
        self.post(&format!("element/{}/click", element.id), json!({}))
            .await
            .map(drop)
    }

    /// Empties a field.
    pub async fn clear(&self, element: &Element) -> Result<()> {
        self.post(&format!("element/{}/clear", element.id), json!({}))
            .await
            .map(drop)
    }

    /// Types into the element.
    pub async fn fill(&self, element: &Element, text: &str) -> Result<()> {
        self.post(&format!("element/{}/value", element.id), json!({ "text": text }))
            .await
            .map(drop)
    }

    /// Presses keys wherever the focus is; each character is one key.
    pub async fn press(&self, keys: &str) -> Result<()> {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [
                    json!({ "type": "keyDown", "value": key }),
                    json!({ "type": "keyUp", "value": key }),
                ]
            })
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.post("actions", actions).await.map(drop)
    }

    /// Runs a script in the page and gives what it returns.
    pub async fn run(&self, script: &str, arguments: Value) -> Result<Value> {
        self.post("execute/sync", json!({ "script": script, "args": arguments }))
            .await
    }

    /// The window's content as a PNG.
    pub async fn screenshot(&self, to: &Path) -> Result<()> {
        let picture = self.get("screenshot").await?;
        let bytes = BASE64_STANDARD.decode(picture.as_str().context("a screenshot is base64")?)?;
        fs::write(to, bytes).with_context(|| to.display().to_string())
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self
            .http
            .get(format!("{}/{path}", self.session))
            .timeout(VERB)
            .send()
            .await?;
        value(answer).await.with_context(|| path.to_owned())
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let answer = self
            .http
            .post(format!("{}/{path}", self.session))
            .json(&body)
            .timeout(VERB)
            .send()
            .await?;
        value(answer).await.with_context(|| format!("{path} {body}"))
    }
}

/// What the driver answered, or its reason for not doing it.
async fn value(answer: reqwest::Response) -> Result<Value> {
    let status = answer.status();
    let body: Value = answer.json().await.context("the driver answers in JSON")?;
    let value = &body["value"];
    if !status.is_success() {
        bail!(
            "{}: {}",
            value["error"].as_str().unwrap_or("error"),
            value["message"].as_str().unwrap_or("no reason given")
        );
    }
    Ok(value.clone())
}

/// A port that was free a moment ago. The driver takes a number and cannot choose one itself.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
