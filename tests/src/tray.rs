//! A tray as a desktop panel has one: it registers as a host, reads the icons' titles and menus over D-Bus, and presses
//! menu items.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use zbus::Connection;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use crate::desktop::Desktop;
use crate::eventually;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// The tray of a desktop. Programs see that there is one only while this lives.
#[derive(Debug)]
pub struct Tray {
    bus: Connection,
}

/// An icon in the tray.
#[derive(Debug, Clone, Serialize)]
pub struct Icon {
    pub id: String,
    pub title: String,
    pub tooltip: String,
    pub menu: Vec<Entry>,
    #[serde(skip)]
    service: String,
    #[serde(skip)]
    menu_path: OwnedObjectPath,
}

/// An entry of an icon's menu.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub label: String,
    pub enabled: bool,
    /// `None` where there is nothing to tick.
    pub ticked: Option<bool>,
    pub separator: bool,
    pub entries: Vec<Entry>,
    #[serde(skip)]
    id: i32,
}

impl Tray {
    /// Registers as the desktop's tray.
    pub async fn attach(desktop: &Desktop) -> Result<Self> {
        let bus = desktop.another_connection().await?;
        let name = format!("org.kde.StatusNotifierHost-{}", std::process::id());
        bus.request_name(name.as_str()).await?;
        bus.call_method(
            Some(WATCHER),
            "/StatusNotifierWatcher",
            Some(WATCHER),
            "RegisterStatusNotifierHost",
            &name,
        )
        .await
        .context("registering as the tray")?;
        Ok(Self { bus })
    }

    /// All icons, each read anew.
    pub async fn icons(&self) -> Result<Vec<Icon>> {
        // This watcher's `RegisteredStatusNotifierItems` leaves the path out for an icon that registered with one.
        let entries: Vec<(String, String)> = self
            .property(WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisteredSNIEntries")
            .await?
            .try_into()?;
        let mut icons = Vec::new();
        for (service, path) in entries {
            icons.push(
                self.icon(&service, &path)
                    .await
                    .with_context(|| format!("reading the tray icon {service}{path}"))?,
            );
        }
        Ok(icons)
    }

    /// Waits for an icon that is as `wanted` says, and gives it.
    pub async fn await_icon(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Icon) -> bool,
    ) -> Result<Icon> {
        let mut last = String::new();
        eventually(&format!("a tray icon with {what}"), limit, async || {
            match self.icons().await {
                Ok(icons) => {
                    last = format!("{icons:?}");
                    Ok(icons.into_iter().find(|icon| wanted(icon)))
                }
                // An icon may come or go while it is read.
                Err(error) => {
                    last = format!("{error:#}");
                    Ok(None)
                }
            }
        })
        .await
        .with_context(|| format!("the tray had: {last}"))
    }

    /// Presses the menu entry `label`, as it was when `icon` was read.
    pub async fn press(&self, icon: &Icon, label: &str) -> Result<()> {
        let entry =
            find(&icon.menu, label).with_context(|| format!("no menu entry {label:?} in {:?}", icon.menu))?;
        // dbusmenu's time of the event: 0 says that it is not known.
        let event = (entry.id, "clicked", Value::from(0_i32), 0_u32);
        self.bus
            .call_method(
                Some(icon.service.as_str()),
                &icon.menu_path,
                Some(MENU),
                "Event",
                &event,
            )
            .await
            .with_context(|| format!("pressing {label:?}"))?;
        Ok(())
    }

    async fn icon(&self, service: &str, path: &str) -> Result<Icon> {
        let text = async |name| -> Result<String> {
            Ok(self.property(service, path, ITEM, name).await?.try_into()?)
        };
        let menu_path: OwnedObjectPath = self.property(service, path, ITEM, "Menu").await?.try_into()?;
        Ok(Icon {
            id: text("Id").await?,
            title: text("Title").await?,
            // Optional in the specification, and absent from what libayatana-appindicator makes.
            tooltip: self.tooltip(service, path).await.unwrap_or_default(),
            menu: self.menu(service, &menu_path).await?,
            service: service.to_owned(),
            menu_path,
        })
    }

    async fn tooltip(&self, service: &str, path: &str) -> Result<String> {
        type Pixmaps = Vec<(i32, i32, Vec<u8>)>;
        let value = self.property(service, path, ITEM, "ToolTip").await?;
        let (_icon, _pixmaps, title, text): (String, Pixmaps, String, String) = value.try_into()?;
        Ok(if text.is_empty() {
            title
        } else {
            format!("{title}\n{text}")
        })
    }

    async fn menu(&self, service: &str, path: &OwnedObjectPath) -> Result<Vec<Entry>> {
        // Some programs fill a menu only when it is about to be shown.
        drop(
            self.bus
                .call_method(Some(service), path, Some(MENU), "AboutToShow", &0_i32)
                .await,
        );
        let everything: (i32, i32, &[&str]) = (0, -1, &[]);
        let reply = self
            .bus
            .call_method(Some(service), path, Some(MENU), "GetLayout", &everything)
            .await?;
        let (_revision, root): (u32, Layout) = reply.body().deserialize()?;
        entries(root.2)
    }

    async fn property(&self, service: &str, path: &str, interface: &str, name: &str) -> Result<OwnedValue> {
        let reply = self
            .bus
            .call_method(
                Some(service),
                path,
                Some("org.freedesktop.DBus.Properties"),
                "Get",
                &(interface, name),
            )
            .await
            .with_context(|| format!("reading {name}"))?;
        Ok(reply.body().deserialize()?)
    }
}

/// An entry on the wire: its id, its properties, and its own entries, each in a variant.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

fn entries(children: Vec<OwnedValue>) -> Result<Vec<Entry>> {
    let mut visible = Vec::new();
    for child in children {
        let (id, properties, children) = Layout::try_from(child)?;
        let text = |name: &str| {
            properties
                .get(name)
                .and_then(|value| <&str>::try_from(value).ok())
                .unwrap_or_default()
        };
        let flag = |name: &str| properties.get(name).and_then(|value| bool::try_from(value).ok());
        let number = |name: &str| properties.get(name).and_then(|value| i32::try_from(value).ok());
        if flag("visible") == Some(false) {
            continue;
        }
        visible.push(Entry {
            // One underscore marks the access key; two stand for one.
            label: text("label")
                .replace("__", "\u{0}")
                .replace('_', "")
                .replace('\u{0}', "_"),
            enabled: flag("enabled").unwrap_or(true),
            ticked: (!text("toggle-type").is_empty()).then(|| number("toggle-state") == Some(1)),
            separator: text("type") == "separator",
            entries: entries(children)?,
            id,
        });
    }
    Ok(visible)
}

fn find<'a>(entries: &'a [Entry], label: &str) -> Option<&'a Entry> {
    entries.iter().find_map(|entry| {
        if entry.label == label {
            Some(entry)
        } else {
            find(&entry.entries, label)
        }
    })
}
