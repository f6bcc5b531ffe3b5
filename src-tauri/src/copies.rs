//! Copies of the tenant on this computer, in the person's home.

use std::{fs, path::Path};

use anyhow::Context as _;
use countersign_domain::UnixMillis;
use countersign_engine::ports::{Clock as _, SystemClock};
use countersign_server::backup;

use crate::{
    embedded::{FOLDER, MARKER},
    error::CommandError,
    shell::Shell,
    view::app::BackedUp,
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
        let data = self.data().to_owned();
        let home = std::env::home_dir().context("this computer has no home folder for you")?;
        let copied =
            tokio::task::spawn_blocking(move || back_up(&data, &home.join(COPIES), SystemClock.now()))
                .await
                .context("the copy was not made")?;
        copied.map_err(|error| {
            tracing::error!("The tenant was not copied: {error:#}");
            CommandError::refused(format!("Nothing was copied that counts: {error:#}"))
        })
    }
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
        let place = home.path().join("again");
        countersign_server::backup::restore(&folder, &place).unwrap();
        drop(Server::open(Config::new(place)).await.unwrap());
    }
}
