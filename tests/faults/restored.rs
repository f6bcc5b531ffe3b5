//! A tenant's data folder is put back from an old copy: a log that has gone back, over a real server and a real desktop.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context as _, Result};

use crate::history::{History, KINDS};

#[test]
fn a_tenant_from_an_old_copy_is_found_out_and_gets_nothing_more_from_the_desktop_that_knew_it() {
    let mut history = History::new().unwrap();
    let lived = found_out(&mut history);
    lived.with_context(|| history.world.remains()).unwrap();
}

fn found_out(history: &mut History) -> Result<()> {
    let data = history.world.folder.path().join("data");
    let copy = tempfile::tempdir()?;
    let patience = Duration::from_secs(60);
    (0..KINDS).try_for_each(|_| history.ask())?;
    // Both have ended when this has looked at everything.
    history.settle(patience)?;
    put(&data, copy.path())?;
    history.world.start_server(None)?;
    (0..KINDS).try_for_each(|_| history.ask())?;
    history.settle(patience)?;
    let requests = history.world.target.requests();

    fs::remove_dir_all(&data)?;
    put(copy.path(), &data)?;
    history.world.start_server(None)?;
    history.world.start_hand(None)?;
    (0..KINDS).try_for_each(|_| history.ask())?;
    let said = history.world.said.clone();
    let hand = history.world.hand.as_mut().context("a desktop")?;
    hand.await_alarm(&said)?;
    // Longer than anything is held before it runs.
    thread::sleep(Duration::from_secs(12));
    assert_eq!(
        history.world.target.requests(),
        requests,
        "nothing runs from a log that has gone back"
    );
    Ok(())
}

fn put(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let there = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            put(&path, &there)?;
        } else {
            fs::copy(&path, there)?;
        }
    }
    Ok(())
}
