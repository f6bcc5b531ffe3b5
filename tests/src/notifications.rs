//! The notification daemon seen from both sides: what programs asked for, read from the bus, and what a person would do,
//! through `dunstctl`.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use zbus::MatchRule;
use zbus::fdo::MonitoringProxy;
use zbus::message::{Message, Type};
use zbus::zvariant::OwnedValue;

use crate::desktop::Desktop;
use crate::eventually;

const INTERFACE: &str = "org.freedesktop.Notifications";

/// A notification as a program asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub app: String,
    pub summary: String,
    pub body: String,
    /// Identifier and label of each action, in order. A click on the body is `default`, if that is offered.
    pub actions: Vec<(String, String)>,
    /// 0 low, 1 normal, 2 critical.
    pub urgency: u8,
    /// The notification that this one takes the place of, or 0.
    pub replaces: u32,
}

/// Records what programs ask of the notification daemon, from when it is made.
#[derive(Debug)]
pub struct Recorder {
    seen: Arc<Mutex<Vec<Notification>>>,
}

impl Recorder {
    /// Listens on a connection of its own: a monitor may send nothing.
    pub async fn listen(desktop: &Desktop) -> Result<Self> {
        let bus = desktop.another_connection().await?;
        let rule = MatchRule::builder()
            .msg_type(Type::MethodCall)
            .interface(INTERFACE)?
            .member("Notify")?
            .build();
        let mut messages = zbus::MessageStream::from(&bus);
        MonitoringProxy::new(&bus)
            .await?
            .become_monitor(&[rule], 0)
            .await?;

        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Some(Ok(message)) = messages.next().await {
                if let Some(notification) = asked_for(&message) {
                    record
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(notification);
                }
            }
        });
        Ok(Self { seen })
    }

    /// Everything so far, oldest first.
    pub fn all(&self) -> Vec<Notification> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the first notification whose summary or body contains `text`.
    pub async fn find(&self, text: &str, limit: Duration) -> Result<Notification> {
        eventually(&format!("a notification with {text:?}"), limit, async || {
            Ok(self
                .all()
                .into_iter()
                .find(|one| one.summary.contains(text) || one.body.contains(text)))
        })
        .await
    }
}

/// How many notifications are on the screen.
pub fn displayed(desktop: &Desktop) -> Result<u32> {
    let count = dunstctl(desktop, &["count", "displayed"])?;
    count
        .trim()
        .parse()
        .with_context(|| format!("dunstctl count answered {count:?}"))
}

/// Waits until exactly `count` notifications are on the screen.
pub async fn await_displayed(desktop: &Desktop, count: u32, limit: Duration) -> Result<()> {
    eventually(
        &format!("{count} notifications on the screen"),
        limit,
        async || Ok((displayed(desktop)? == count).then_some(())),
    )
    .await
}

/// The summaries of the notifications that are no longer on the screen, newest first.
pub fn closed(desktop: &Desktop) -> Result<Vec<String>> {
    let history: serde_json::Value = serde_json::from_str(&dunstctl(desktop, &["history"])?)?;
    let entries = history["data"][0]
        .as_array()
        .context("dunstctl history is a list in a list")?;
    Ok(entries
        .iter()
        .filter_map(|entry| entry["summary"]["data"].as_str().map(str::to_owned))
        .collect())
}

/// Clicks the body of the notification at `position` (0 is the topmost), which presses its `default` action.
pub fn click(desktop: &Desktop, position: u32) -> Result<()> {
    dunstctl(desktop, &["action", &position.to_string()]).map(drop)
}

/// Presses the button `label` of whichever notification on the screen has it.
pub fn press(desktop: &Desktop, label: &str) -> Result<()> {
    // dunst shows its buttons through a menu program; the one in tests/window/dunstrc takes the line with this label.
    fs::write(desktop.runtime_folder().join("press"), label)?;
    dunstctl(desktop, &["context"]).map(drop)
}

/// Takes all notifications off the screen, as a person does who ignores them.
pub fn close_all(desktop: &Desktop) -> Result<()> {
    dunstctl(desktop, &["close-all"]).map(drop)
}

fn dunstctl(desktop: &Desktop, arguments: &[&str]) -> Result<String> {
    let mut command: Command = desktop.command("dunstctl");
    let output = command.args(arguments).output()?;
    ensure!(
        output.status.success(),
        "dunstctl {} failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn asked_for(message: &Message) -> Option<Notification> {
    type Arguments = (
        String,
        u32,
        String,
        String,
        String,
        Vec<String>,
        HashMap<String, OwnedValue>,
        i32,
    );
    // The monitor's own traffic arrives too.
    if message.header().member()?.as_str() != "Notify" {
        return None;
    }
    let (app, replaces, _icon, summary, body, actions, hints, _timeout) =
        message.body().deserialize::<Arguments>().ok()?;
    let urgency = hints
        .get("urgency")
        .and_then(|value| u8::try_from(value).ok())
        .unwrap_or(1);
    let mut names = actions.into_iter();
    let mut pairs = Vec::new();
    while let (Some(id), Some(label)) = (names.next(), names.next()) {
        pairs.push((id, label));
    }
    Some(Notification {
        app,
        summary,
        body,
        actions: pairs,
        urgency,
        replaces,
    })
}
