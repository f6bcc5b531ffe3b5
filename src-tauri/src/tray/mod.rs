//! The tray: how much there is to decide, and a way back to the window.
//!
//! Many desktops have no place for it. Without a host nothing is lost but the icon, and closing the window then
//! minimises it: a hidden window that nothing brings back would leave the app running out of reach.

pub(crate) mod host;

use std::time::Duration;

use tauri::{
    AppHandle, Manager, Runtime, async_runtime,
    image::Image,
    menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem, Submenu},
    tray::{MouseButton, TrayIcon, TrayIconBuilder, TrayIconEvent},
};

use crate::{shell::Shell, view::app::RiskCounts, window};

const OPEN: &str = "open";
const PAUSE: &str = "pause";
const STOP: &str = "stop";
const QUIT: &str = "quit";

/// What the tray shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) counts: RiskCounts,
    pub(crate) paused: bool,
    /// Whether everything stands still.
    pub(crate) stopped: bool,
    /// Whether this person may stop everything.
    pub(crate) may_stop: bool,
}

/// How often the tray looks without a hint: what expires is no longer to decide, and nobody says so.
const PERIOD: Duration = Duration::from_secs(60);

/// Keeps the icon in the tray, and right, as long as the app runs.
pub(crate) async fn run<R: Runtime>(app: AppHandle<R>) {
    let shell = app.state::<Shell>();
    let mut host = shell.tray_host.subscribe();
    let mut tray: Option<Tray<R>> = None;
    let mut shown = Glance::default();
    loop {
        let present = *host.borrow_and_update();
        if !present && !window::is_visible(&app) {
            // Nothing else would bring it back.
            window::show(&app);
        }
        let glance = shell.glance().await;
        let result = match &tray {
            None if present => Tray::build(&app, glance).map(|built| tray = Some(built)),
            Some(tray) if glance != shown => tray.show(glance),
            None | Some(_) => Ok(()),
        };
        shown = glance;
        if let Err(error) = result {
            tracing::warn!("The tray cannot be kept up to date: {error}");
        }
        tokio::select! {
            _ = host.changed() => (),
            () = shell.glance.notified() => (),
            () = tokio::time::sleep(PERIOD) => (),
        }
    }
}

/// The icon with its menu.
pub(crate) struct Tray<R: Runtime> {
    icon: TrayIcon<R>,
    summary: MenuItem<R>,
    pause: MenuItem<R>,
    stop: Submenu<R>,
}

impl<R: Runtime> std::fmt::Debug for Tray<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tray")
    }
}

impl<R: Runtime> Tray<R> {
    /// Puts the icon into the desktop's tray.
    ///
    /// # Errors
    /// Where there is no host for it.
    pub(crate) fn build(app: &AppHandle<R>, glance: Glance) -> tauri::Result<Self> {
        let summary = MenuItem::new(app, summary(&glance.counts), true, None::<&str>)?;
        let open = MenuItem::with_id(app, OPEN, "Open Countersign", true, None::<&str>)?;
        let pause = MenuItem::with_id(app, PAUSE, pause_label(glance.paused), true, None::<&str>)?;
        let quit = MenuItem::with_id(app, QUIT, "Quit", true, None::<&str>)?;
        let line = PredefinedMenuItem::separator(app)?;
        // Two clicks: the first opens the submenu, so that nothing stops by a slip.
        let now = MenuItem::with_id(
            app,
            STOP,
            "Stop now: nothing begins until it is released",
            true,
            None::<&str>,
        )?;
        let stop = Submenu::with_items(app, stop_label(glance.stopped), can_stop(glance), &[&now])?;
        let menu = Menu::with_items(app, &[&summary, &open, &line, &stop, &pause, &quit])?;
        let icon = TrayIconBuilder::with_id("countersign")
            .icon(Image::from_bytes(include_bytes!("../../../icons/64x64.png"))?)
            .title(title(&glance.counts))
            .tooltip(self::summary(&glance.counts))
            .menu(&menu)
            .show_menu_on_left_click(false)
            .on_menu_event(chosen)
            .on_tray_icon_event(|icon, event| {
                if let TrayIconEvent::Click {
                    button: MouseButton::Left,
                    ..
                } = event
                {
                    window::show(icon.app_handle());
                }
            })
            .build(app)?;
        Ok(Self {
            icon,
            summary,
            pause,
            stop,
        })
    }

    /// Shows how things stand.
    pub(crate) fn show(&self, glance: Glance) -> tauri::Result<()> {
        let words = summary(&glance.counts);
        self.summary.set_text(&words)?;
        self.pause.set_text(pause_label(glance.paused))?;
        self.stop.set_text(stop_label(glance.stopped))?;
        self.stop.set_enabled(can_stop(glance))?;
        self.icon.set_title(Some(title(&glance.counts)))?;
        self.icon.set_tooltip(Some(words))
    }
}

fn chosen<R: Runtime>(app: &AppHandle<R>, event: MenuEvent) {
    match event.id().as_ref() {
        PAUSE => {
            let app = app.clone();
            async_runtime::spawn(async move {
                if let Err(error) = app.state::<Shell>().toggle_notifications().await {
                    tracing::warn!("The notices were not paused or resumed: {}", error.message);
                }
            });
        }
        STOP => {
            let app = app.clone();
            async_runtime::spawn(async move {
                if let Err(error) = app.state::<Shell>().stop_everything().await {
                    tracing::warn!("Nothing was stopped from the tray: {}", error.message);
                    window::show(&app);
                }
            });
        }
        QUIT => app.exit(0),
        // The line of counts opens the window too.
        _ => window::show(app),
    }
}

/// `2 to decide: 1 high, 1 medium`, the gravest first.
fn summary(counts: &RiskCounts) -> String {
    let parts = [
        (counts.critical, "critical"),
        (counts.high, "high"),
        (counts.medium, "medium"),
        (counts.low, "low"),
    ];
    let named: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, risk)| format!("{count} {risk}"))
        .collect();
    if named.is_empty() {
        return "Nothing to decide".to_owned();
    }
    format!("{} to decide: {}", total(counts), named.join(", "))
}

fn title(counts: &RiskCounts) -> String {
    match total(counts) {
        0 => "Countersign".to_owned(),
        count => format!("Countersign: {count} to decide"),
    }
}

fn total(counts: &RiskCounts) -> u32 {
    counts
        .low
        .saturating_add(counts.medium)
        .saturating_add(counts.high)
        .saturating_add(counts.critical)
}

const fn can_stop(glance: Glance) -> bool {
    glance.may_stop && !glance.stopped
}

const fn stop_label(stopped: bool) -> &'static str {
    if stopped {
        "Everything is stopped: open Countersign to release it"
    } else {
        "Stop everything"
    }
}

const fn pause_label(paused: bool) -> &'static str {
    if paused {
        "Resume notifications"
    } else {
        "Pause notifications"
    }
}
