//! Copies of the tenant on this computer, in the person's home: made while the app goes on, and put back at its first start.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use countersign_domain::UnixMillis;
use countersign_engine::{
    Phase,
    ports::{Clock as _, SystemClock},
};
use countersign_server::backup;

use crate::{
    embedded::{FOLDER, MARKER, Owner, set_aside, write_durably},
    error::CommandError,
    shell::Shell,
    view::{app::BackedUp, setup::Copy},
};

/// In the person's home.
const COPIES: &str = "Countersign backups";

impl Shell {
    /// Copies the tenant into a new folder and checks the copy. The app goes on meanwhile.
    pub(crate) async fn back_up(&self) -> Result<BackedUp, CommandError> {
        if !self.is_here() {
            return Err(CommandError::refused(
                "This tenant is on a server: whoever runs it makes its copies.",
            ));
        }
        let (data, copies) = (self.data().to_owned(), folder()?);
        let copied = tokio::task::spawn_blocking(move || back_up(&data, &copies, SystemClock.now()))
            .await
            .context("the copy was not made")?;
        copied.map_err(|error| {
            tracing::error!("The tenant was not copied: {error:#}");
            CommandError::refused(format!("Nothing was copied that counts: {error:#}"))
        })
    }

    /// The finished copies in the person's home, newest first.
    pub(crate) async fn copies(&self) -> Result<Vec<Copy>, CommandError> {
        let copies = folder()?;
        let found = tokio::task::spawn_blocking(move || finished(&copies)).await;
        Ok(found.context("the copies were not looked through")?)
    }

    /// Puts a copy back where nothing was set up yet, and makes this device's key in it. What was done after the copy was
    /// made is not in it.
    pub(crate) async fn put_back(&self, copy: String) -> Result<(), CommandError> {
        let engine = self.engine()?;
        if engine.phase() != Phase::FirstRun {
            return Err(CommandError::not_ready(
                "Countersign is set up on this computer already.",
            ));
        }
        // Before anything is written: without a keychain nobody could sign in what was put back.
        engine.check_keychain().await?;
        // One of those that were offered, and no other place in the world.
        let offered = self.copies().await?;
        let copy = offered.into_iter().find(|offered| offered.folder == copy);
        let copy = PathBuf::from(copy.ok_or_else(CommandError::not_found)?.folder);
        let data = self.data().to_owned();
        let back = tokio::task::spawn_blocking(move || put_back(&copy, &data))
            .await
            .context("the copy was not put back")?;
        back.map_err(|error| {
            tracing::error!("A copy was not put back: {error:#}");
            CommandError::refused(format!("Nothing was put back: {error:#}"))
        })?;
        let known = Owner {
            name: String::new(),
            email: None,
        };
        self.set_up_here(known).await
    }
}

fn folder() -> Result<PathBuf, CommandError> {
    let home = std::env::home_dir().context("this computer has no home folder for you")?;
    Ok(home.join(COPIES))
}

/// A folder that is no copy, or was not finished, is not offered.
fn finished(copies: &Path) -> Vec<Copy> {
    let folders = fs::read_dir(copies).into_iter().flatten().flatten();
    let mut found: Vec<_> = folders
        .map(|entry| entry.path())
        .filter(|folder| folder.join(MARKER).is_file())
        .filter_map(|folder| Some((backup::look(&folder).ok()?, folder)))
        .collect();
    found.sort_by_key(|(made, _)| std::cmp::Reverse(made.made_at));
    found
        .into_iter()
        .map(|(made, folder)| Copy::new(&made, &folder))
        .collect()
}

/// Everything is checked before the marker says that a tenant is here.
fn put_back(copy: &Path, data: &Path) -> anyhow::Result<()> {
    ensure!(
        !data.join(MARKER).exists(),
        "a tenant is on this computer already"
    );
    let marker = fs::read(copy.join(MARKER)).context("the copy does not say whose it is")?;
    set_aside(data)?;
    backup::restore(copy, &data.join(FOLDER))?;
    write_durably(&data.join(MARKER), &marker)?;
    Ok(())
}

fn back_up(data: &Path, copies: &Path, now: UnixMillis) -> anyhow::Result<BackedUp> {
    // 2026-11-23 07.55.12: in the order of time, and a name everywhere.
    let time = now.to_string().replace(':', ".").replace('T', " ");
    let to = copies.join(time.split_at(19).0);
    fs::create_dir_all(copies)?;
    let made = backup::back_up(&data.join(FOLDER), &to, now)?;
    // Whose it is, and where its agents find it.
    fs::copy(data.join(MARKER), to.join(MARKER))?;
    let entries: u64 = made.tenants.iter().map(|tenant| tenant.size).sum();
    Ok(BackedUp {
        folder: to.display().to_string(),
        entries: u32::try_from(entries).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use countersign_domain::record::Mode;
    use countersign_server::{Config, NewTenant, Server};

    use super::*;

    #[tokio::test]
    async fn a_copy_has_its_time_for_a_name_and_is_never_written_over() {
        let (home, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = Server::open(Config::new(data.path().join(FOLDER))).await.unwrap();
        let new = NewTenant {
            name: "Ada".to_owned(),
            mode: Mode::Solo,
            email: "owner@localhost".to_owned(),
            owner: "Ada".to_owned(),
            password: zeroize::Zeroizing::new("a long enough password".to_owned()),
        };
        server.found_tenant(new).await.unwrap();
        fs::write(data.path().join(MARKER), "{}").unwrap();
        let copies = home.path().join(COPIES);
        let made = back_up(data.path(), &copies, UnixMillis(1_795_354_008_140)).unwrap();
        let folder = copies.join("2026-11-22 13.26.48");
        assert_eq!(made.folder, folder.display().to_string());
        assert!(made.entries > 2 && folder.join("backup.json").is_file() && folder.join(MARKER).is_file());
        assert!(back_up(data.path(), &copies, UnixMillis(1_795_354_008_999)).is_err());

        fs::create_dir_all(copies.join("2026-11-22 14.00.00")).unwrap();
        let found = finished(&copies);
        let [newest] = found.as_slice() else {
            panic!("one copy is finished: {found:?}");
        };
        assert_eq!((&newest.folder, newest.entries), (&made.folder, made.entries));
        let again = tempfile::tempdir().unwrap();
        let left = again.path().join(FOLDER);
        fs::create_dir_all(&left).unwrap();
        fs::write(
            left.join("control.db"),
            "of a first run that did not get to its end",
        )
        .unwrap();
        put_back(&folder, again.path()).unwrap();
        assert_eq!(fs::read(again.path().join(MARKER)).unwrap(), b"{}");
        drop(Server::open(Config::new(left)).await.unwrap());
        assert!(
            put_back(&folder, again.path()).is_err(),
            "over a tenant that is here"
        );
        let empty = tempfile::tempdir().unwrap();
        fs::remove_file(folder.join("backup.json")).unwrap();
        assert!(put_back(&folder, empty.path()).is_err());
        assert!(!empty.path().join(MARKER).exists() && finished(&copies).is_empty());
    }
}
