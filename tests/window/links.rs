//! `countersign://` links: what a click on one does, when the app is closed and when it runs.

use anyhow::{Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::{eventually, repository, workspace_binary};
use serde_json::json;

use crate::app::{App, SOON, Shown};
use crate::office::at_work;
use crate::stage::{Stage, story};

#[tokio::test]
async fn a_link_opens_its_card_and_decides_nothing() -> Result<()> {
    story("links", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("Three tasks wait for a manager, whose app is closed")?;
    let (_company, agent, app) = at_work(desktop).await?;
    let mut tasks = Vec::new();
    for title in ["Book the hall", "Order the chairs", "Print the programme"] {
        let task = json!({ "text": format!("create task: {title}") });
        tasks.push(agent.propose(task).await?);
    }
    let [hall, chairs, programme] = &tasks[..] else {
        anyhow::bail!("three were proposed");
    };
    app.window.find(&format!("#row-{programme}"), SOON).await?;
    app.kill(desktop).await?;

    stage.step("A link starts it with its card")?;
    let app = App::start_with(desktop, &[&link(hall)]).await?;
    app.card(hall).await?;
    stage.picture(&app, "started-by-a-link").await?;

    stage.step("While it runs, a link brings the window back from wherever it is, with its card")?;
    app.close(desktop, &Shown::Minimised).await?;
    app.start_again(desktop, &[&link(chairs)]).await?;
    app.is_shown(desktop, &Shown::Normal).await?;
    app.card(chairs).await?;

    stage.step("A link that asks for more than a card only brings the window")?;
    app.close(desktop, &Shown::Minimised).await?;
    app.start_again(desktop, &[&format!("{}/approve", link(hall))])
        .await?;
    app.is_shown(desktop, &Shown::Normal).await?;
    app.card(chairs).await?;

    stage.step("The desktop knows the scheme once a build is registered for it, as `make run` does")?;
    let registered = desktop
        .command(repository().join("scripts/links.sh"))
        .arg(workspace_binary("countersign")?)
        .status()?;
    ensure!(registered.success(), "scripts/links.sh registers the build");
    app.close(desktop, &Shown::Minimised).await?;
    let opened = desktop.command("gio").args(["open", &link(programme)]).status()?;
    ensure!(opened.success(), "the desktop finds what opens a link");
    app.is_shown(desktop, &Shown::Normal).await?;
    app.card(programme).await?;

    stage.step("Nothing was decided by any of it")?;
    for id in &tasks {
        let status = agent.look(id).await?["status"].clone();
        ensure!(status == "proposed", "{id} is {status}");
    }
    eventually("three that wait", SOON, async || {
        Ok((app.window.query_all("[role=option]").await?.len() == 3).then_some(()))
    })
    .await
}

fn link(proposal: &str) -> String {
    format!("countersign://proposal/{proposal}")
}
