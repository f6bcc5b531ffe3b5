use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use countersign_e2e::desktop::Desktop;
use countersign_e2e::webdriver::Window;
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
/// WebKitGTK's own browser, which stands here for an app: same engine, same driver.
const BROWSER: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const PAGE: &str = "<!doctype html><title>Page</title><input id=name><button>Greet</button><p></p><script>
    const [input, paragraph] = [document.querySelector('input'), document.querySelector('p')];
    document.querySelector('button').onclick = () => { paragraph.textContent = `Hello ${input.value}`; };
    document.onkeydown = (event) => { if (event.target === document.body) paragraph.textContent = `Key ${event.key}`; };
    </script>";

#[tokio::test]
async fn a_page_in_a_real_window_is_read_clicked_typed_into_and_pictured() -> Result<()> {
    let desktop = Desktop::start().await?;
    let window = Window::open(&desktop, Path::new(BROWSER), &["--automation"]).await?;
    window
        .run(
            "document.open(); document.write(arguments[0]); document.close();",
            json!([PAGE]),
        )
        .await?;

    let input = window.find("#name", SOON).await?;
    window.fill(&input, "Ada").await?;
    let button = window.find("button", SOON).await?;
    assert_eq!(window.text(&button).await?, "Greet");
    window.click(&button).await?;
    window.await_text("Hello Ada", SOON).await?;

    window.run("document.activeElement.blur()", json!([])).await?;
    window.press("j").await?;
    window.await_text("Key j", SOON).await?;

    assert!(
        window.query("#absent").await?.is_none(),
        "what is not there is no error"
    );
    let failed = window
        .run("throw new Error('as asked')", json!([]))
        .await
        .expect_err("a script's error is an error");
    assert!(format!("{failed:#}").contains("as asked"), "{failed:#}");

    let picture = desktop.data_folder().join("window.png");
    window.screenshot(&picture).await?;
    assert!(std::fs::read(&picture)?.starts_with(b"\x89PNG"), "a PNG file");
    window.close().await
}
