//! A tenant's journal in a file that proves itself, for whoever has a shell on the server: byte for byte the bundle that the
//! tenant itself gives, read beside a server that may go on.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use countersign_domain::{Digest, bundle::Profile, id::TenantId, journal::Checkpoint};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::{
    backup::{self, At as _, BackupError, CONTROL, TENANT},
    control::Placed,
    tenant::{Bundle, Checked, StoreError, check, file_name, open},
};

/// A journal in a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    pub file: String,
    /// How many entries it has, and the root over them.
    pub size: u64,
    pub root: Digest,
    /// What `countersign-verify --trust` takes.
    pub log_key: String,
}

/// Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{} holds no server's data: name the folder that `serve --data` has, or a finished copy of it", .0.display())]
    NoData(PathBuf),
    #[error("{} has no tenant {tenant}; it has {}", data.display(), known(there))]
    NoTenant {
        data: PathBuf,
        tenant: TenantId,
        /// Those that it has, with their names.
        there: Vec<(TenantId, String)>,
    },
    #[error("there is something at {} already: name a file that is not there yet with --output", .0.display())]
    Taken(PathBuf),
    #[error("the file of tenant {0} is not in order, and nothing was written: {1}")]
    Tenant(TenantId, StoreError),
    #[error("stopped; nothing was written")]
    Stopped,
    #[error(transparent)]
    Folder(#[from] BackupError),
}

/// Writes the journal of a tenant into the file `to`, or into one of its own name in the current folder: all the entries that
/// are committed when this begins. The tenant's file is checked first. `go_on` hears how many entries are written, and of how
/// many, and says whether to go on.
///
/// # Errors
/// When there is no such tenant, its file is not in order, something has the name already, it cannot be written, or `go_on`
/// says no. Nothing is left then.
pub fn export(
    data: &Path,
    tenant: TenantId,
    profile: Profile,
    to: Option<PathBuf>,
    go_on: impl FnMut(u64, u64) -> bool,
) -> Result<Exported, ExportError> {
    let journal = data.join(placed(data, tenant)?.folder).join(TENANT);
    to.as_deref().map_or(Ok(()), refuse_taken)?;
    let not_in_order = |error| ExportError::Tenant(tenant, error);
    let checked = check(&journal).map_err(not_in_order)?;
    if checked.people.tenant.as_ref().map(|founded| founded.id) != Some(tenant) {
        return Err(not_in_order(StoreError::damaged("it is another tenant's")));
    }
    let to = to.unwrap_or_else(|| {
        let rest = format!("{}.bundle", profile.name());
        file_name(tenant, checked.size, &rest).into()
    });
    refuse_taken(&to)?;
    let exported = Exported {
        file: to.display().to_string(),
        size: checked.size,
        root: checked.root,
        log_key: checked.log_key.public_key().to_string(),
    };
    let file = write(&journal, checked, tenant, profile, &to, go_on)?;
    name(file, &to)?;
    Ok(exported)
}

fn placed(data: &Path, tenant: TenantId) -> Result<Placed, ExportError> {
    let control = data.join(CONTROL);
    if !control.is_file() {
        return Err(ExportError::NoData(data.to_owned()));
    }
    let mut there = backup::placed(&control)?;
    match there.iter().position(|(placed, _)| placed.id == tenant) {
        Some(at) => Ok(there.swap_remove(at).0),
        None => Err(ExportError::NoTenant {
            data: data.to_owned(),
            tenant,
            there: there
                .into_iter()
                .map(|(placed, name)| (placed.id, name))
                .collect(),
        }),
    }
}

fn refuse_taken(to: &Path) -> Result<(), ExportError> {
    match to.symlink_metadata() {
        Ok(_) => Err(ExportError::Taken(to.to_owned())),
        Err(_) => Ok(()),
    }
}

/// The whole bundle in a file beside the one that it is for, which its owner alone can read and which goes with whoever drops
/// it.
fn write(
    journal: &Path,
    checked: Checked,
    tenant: TenantId,
    profile: Profile,
    to: &Path,
    mut go_on: impl FnMut(u64, u64) -> bool,
) -> Result<NamedTempFile, ExportError> {
    let not_in_order = |error| ExportError::Tenant(tenant, error);
    let (size, root) = (checked.size, checked.root);
    let checkpoint = Checkpoint { tenant, size, root };
    let connection = open(journal).map_err(not_in_order)?;
    let mut file = beside(to).at(to)?;
    let mut left = Some(Bundle::begin(&checkpoint, profile, checked.log_key).map_err(not_in_order)?);
    while let Some(bundle) = left {
        if !go_on(bundle.entries(), size) {
            return Err(ExportError::Stopped);
        }
        let (piece, rest) = bundle.piece(&connection).map_err(not_in_order)?;
        file.write_all(&piece).at(to)?;
        left = rest;
    }
    Ok(file)
}

fn beside(to: &Path) -> io::Result<NamedTempFile> {
    let name = to.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut prefix = name.to_owned();
    prefix.push(".");
    tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".part")
        .tempfile_in(folder(to))
}

/// On the disk first, then under its name, which nothing may have got meanwhile, and the name on the disk.
fn name(file: NamedTempFile, to: &Path) -> Result<(), ExportError> {
    file.as_file().sync_all().at(to)?;
    match file.persist_noclobber(to) {
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ExportError::Taken(to.to_owned()));
        }
        Err(refused) => Err(refused.error).at(to)?,
        Ok(_) => (),
    }
    backup::sync(folder(to))?;
    Ok(())
}

fn folder(of: &Path) -> &Path {
    match of.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn known(there: &[(TenantId, String)]) -> String {
    if there.is_empty() {
        return "none".to_owned();
    }
    let each = there
        .iter()
        .map(|(id, name)| format!("{id} (\u{201c}{name}\u{201d})"));
    each.collect::<Vec<_>>().join(", ")
}
