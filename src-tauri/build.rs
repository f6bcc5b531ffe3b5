//! Generates a permission for each of our commands, so that a window can call only what a capability grants it.

use std::path::Path;

use tauri_build::{AppManifest, Attributes};

/// Every command of the app. A command that is missing here is allowed to every window, so a test compares.
const COMMANDS: &[&str] = &include!("commands.in");

fn main() {
    // Cargo runs this in the repository's root. The page is embedded when the app is compiled.
    println!("cargo:rerun-if-changed=ui/dist");
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    if !Path::new("ui/dist/index.html").exists() {
        // Checking the code must not need Node, and the macro that embeds the page needs the folder.
        if let Err(error) = std::fs::create_dir_all("ui/dist") {
            println!("cargo:warning=ui/dist cannot be made: {error}");
        }
        println!(
            "cargo:warning=the window will be empty: build the page with `npm --prefix ui run build` first"
        );
    }

    let attributes = Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/**/*")
        .app_manifest(AppManifest::new().commands(COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
