//! The app as a person uses it: by the words that are on the screen, and by keys.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::webdriver::{Element, Window};
use countersign_e2e::{eventually, workspace_binary};
use serde_json::json;

/// When to give up on what should be there at once. Two busy cores may take seconds for it.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// When to give up on what waits for a timer of the product: holds, retries, stillness.
pub(crate) const LATER: Duration = Duration::from_secs(90);

/// Keys that have no letter, as WebDriver names them.
pub(crate) mod key {
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const PAGE_DOWN: &str = "\u{e00f}";
}

/// Where a window is for its person.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Normal,
    /// The desktop keeps it within reach.
    Minimised,
    /// Only the app itself can bring it back.
    Hidden,
}

/// The running app.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) window: Window,
    program: PathBuf,
}

impl App {
    /// Starts the app, with the data that an earlier run on this desktop has left.
    pub(crate) async fn start(desktop: &Desktop) -> Result<Self> {
        Self::start_with(desktop, &[]).await
    }

    /// The same with arguments, as a link or a script gives them.
    pub(crate) async fn start_with(desktop: &Desktop, arguments: &[&str]) -> Result<Self> {
        let program = workspace_binary("countersign")?;
        let window = Window::open(desktop, &program, arguments).await?;
        Ok(Self { window, program })
    }

    /// Presses what ends the app, and waits until it has ended.
    pub(crate) async fn quit(self, desktop: &Desktop) -> Result<()> {
        let quit = self.window.find(&button("Quit"), SOON).await?;
        // The app may be gone before the driver has answered.
        drop(self.window.click(&quit).await);
        self.has_ended(desktop).await
    }

    /// Waits until the app runs no more.
    pub(crate) async fn has_ended(&self, desktop: &Desktop) -> Result<()> {
        eventually("the end of the app", SOON, async || {
            Ok(desktop.running(&self.program)?.is_empty().then_some(()))
        })
        .await
    }

    /// Kills the app: it has no chance to save, say or send anything.
    pub(crate) async fn kill(self, desktop: &Desktop) -> Result<()> {
        // The bus may learn of it only after the next start, which has to cope with that.
        let killed = desktop.kill(&self.program).await?;
        ensure!(killed == 1, "there was one app to kill, and not {killed}");
        Ok(())
    }

    /// Starts the app a second time, as a person does who does not see that it runs.
    pub(crate) async fn start_again(&self, desktop: &Desktop, arguments: &[&str]) -> Result<()> {
        let mut second = desktop.command(&self.program).args(arguments).spawn()?;
        let ended = eventually("the end of the second start", SOON, async || {
            Ok(second.try_wait()?)
        })
        .await?;
        ensure!(
            ended.success(),
            "it hands on to the one that runs, and ends: {ended}"
        );
        Ok(())
    }

    /// Closes the window, as a person does, and waits until it is where that leaves it.
    pub(crate) async fn close(&self, desktop: &Desktop, left: &Shown) -> Result<()> {
        ensure!(shown(desktop)? == Shown::Normal, "there is a window to close");
        // The window manager misses keys while another client, such as a screenshot's, has the keyboard.
        eventually(&format!("a closed window that is {left:?}"), SOON, async || {
            let pressed = desktop.command("xdotool").args(["key", "alt+F4"]).status()?;
            ensure!(pressed.success(), "xdotool presses the window manager's key");
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok((shown(desktop)? == *left).then_some(()))
        })
        .await
    }

    /// Waits until the window is on the screen like this.
    pub(crate) async fn is_shown(&self, desktop: &Desktop, how: &Shown) -> Result<()> {
        eventually(&format!("a window that is {how:?}"), SOON, async || {
            Ok((shown(desktop)? == *how).then_some(()))
        })
        .await
    }

    /// Waits for the words.
    pub(crate) async fn says(&self, words: &str) -> Result<()> {
        self.window.await_text(words, SOON).await
    }

    /// Waits until the words are gone.
    pub(crate) async fn no_longer_says(&self, words: &str) -> Result<()> {
        eventually(&format!("{words:?} gone"), LATER, async || {
            Ok((!self.window.page_text().await?.contains(words)).then_some(()))
        })
        .await
    }

    /// Presses the button with these words on it.
    pub(crate) async fn press(&self, words: &str) -> Result<()> {
        self.click(&button(words)).await
    }

    /// Clicks what matches, as soon as it is there and nothing moves over it.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        let mut last = None;
        let clicked = eventually(&format!("clicking {selector}"), SOON, async || {
            let Some(element) = self.window.query(selector).await? else {
                return Ok(None);
            };
            // The page may draw it anew between the look and the click.
            match self.window.click(&element).await {
                Ok(()) => Ok(Some(())),
                Err(error) => {
                    last = Some(error);
                    Ok(None)
                }
            }
        })
        .await;
        match (clicked, last) {
            (Err(late), Some(error)) => Err(error.context(late)),
            (other, _) => other,
        }
    }

    /// Fills the field with this label.
    pub(crate) async fn fill(&self, label: &str, text: &str) -> Result<()> {
        let field = self.field(label).await?;
        self.window.clear(&field).await?;
        self.window.fill(&field, text).await
    }

    /// Chooses from the list with this label.
    pub(crate) async fn choose(&self, label: &str, option: &str) -> Result<()> {
        let list = format!("//select[@id=//label[normalize-space()='{label}']/@for]");
        self.click(&format!("{list}/option[normalize-space()='{option}']"))
            .await
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(crate) async fn keys(&self, keys: &str) -> Result<()> {
        self.window.press(keys).await
    }

    /// Goes to a page by its keys and waits for its heading.
    pub(crate) async fn go(&self, keys: &str, heading: &str) -> Result<()> {
        self.keys(keys).await?;
        let found = format!("//h1[normalize-space()='{heading}']");
        self.window.find(&found, SOON).await.map(drop)
    }

    /// Moves down the list with the keyboard until the row is the selected one.
    pub(crate) async fn select(&self, proposal: &str) -> Result<()> {
        let row = format!("#row-{proposal}");
        self.window.find(&row, SOON).await?;
        for step in ["k", "j"] {
            for _ in 0..20 {
                if self.selected().await?.as_deref() == Some(&row[1..]) {
                    return self.card(proposal).await;
                }
                self.keys(step).await?;
            }
        }
        bail!(
            "no key leads to {row}; the page says:\n{}",
            self.window.page_text().await?
        )
    }

    /// Waits until the card is the one that is shown.
    pub(crate) async fn card(&self, proposal: &str) -> Result<()> {
        let card = format!("[data-card='{proposal}']");
        self.window.find(&card, SOON).await.map(drop)
    }

    /// Waits until the card's section, with the bar at its foot, says the words.
    pub(crate) async fn card_says(&self, words: &str, limit: Duration) -> Result<()> {
        self.card_says_one_of(&[words], limit).await.map(drop)
    }

    /// Waits until it says one of these, and gives all that it says.
    pub(crate) async fn card_says_one_of(&self, words: &[&str], limit: Duration) -> Result<String> {
        let mut said = String::new();
        let found = eventually(&format!("a card that says {words:?}"), limit, async || {
            said = self.text("section[aria-label='Card']").await?;
            Ok(words.iter().any(|one| said.contains(one)).then(|| said.clone()))
        })
        .await;
        found.with_context(|| format!("the card says:\n{said}"))
    }

    /// Waits until the card's button can be pressed.
    pub(crate) async fn armed(&self, words: &str) -> Result<()> {
        let on = format!("{}[not(@aria-disabled)]", button(words));
        let found = self.window.find(&on, SOON).await.map(drop);
        if let Err(late) = found {
            bail!(
                "{late}; the card says:\n{}",
                self.text("section[aria-label='Card']").await?
            );
        }
        Ok(())
    }

    /// Whether the card's button can be pressed.
    pub(crate) async fn is_armed(&self, words: &str) -> Result<bool> {
        let on = format!("{}[not(@aria-disabled)]", button(words));
        Ok(self.window.query(&on).await?.is_some())
    }

    /// The visible text of the first element that matches; empty where there is none.
    pub(crate) async fn text(&self, selector: &str) -> Result<String> {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let text = self.window.run(script, json!([selector])).await?;
        text.as_str().map(str::to_owned).context("innerText is text")
    }

    /// A picture of the window's content, once what has changed is drawn.
    pub(crate) async fn picture(&self, to: &Path) -> Result<()> {
        let twice = "window.drawn = false;
            requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = true; }));";
        self.window.run(twice, json!([])).await?;
        eventually("a drawn page", SOON, async || {
            let drawn = self.window.run("return window.drawn", json!([])).await?;
            Ok((drawn == true).then_some(()))
        })
        .await?;
        self.window.screenshot(to).await
    }

    async fn field(&self, label: &str) -> Result<Element> {
        let field = format!("//*[@id=//label[normalize-space()='{label}']/@for]");
        self.window.find(&field, SOON).await
    }

    /// The id of the list's selected row.
    async fn selected(&self) -> Result<Option<String>> {
        let script = "return document.querySelector('[role=option][aria-selected=true]')?.id ?? null";
        let id = self.window.run(script, json!([])).await?;
        Ok(id.as_str().map(str::to_owned))
    }
}

/// Where the app keeps everything.
pub(crate) fn app_folder(desktop: &Desktop) -> PathBuf {
    desktop.data_folder().join("org.countersign.desktop")
}

/// What the window manager says about the window (ICCCM §4.1.3.1).
fn shown(desktop: &Desktop) -> Result<Shown> {
    let asked = desktop
        .command("xprop")
        .args(["-name", "Countersign", "WM_STATE"])
        .output()?;
    let answer = String::from_utf8_lossy(&asked.stdout).into_owned();
    Ok(if answer.contains("state: Normal") {
        Shown::Normal
    } else if answer.contains("state: Iconic") {
        Shown::Minimised
    } else {
        Shown::Hidden
    })
}

/// A button by the first words on it; the letter of its key may follow.
fn button(words: &str) -> String {
    format!("//button[starts-with(normalize-space(), '{words}') or starts-with(@aria-label, '{words}')]")
}
