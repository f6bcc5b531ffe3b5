//! Making a tenant's file, opening one, and the entries with which a journal begins.

use std::{path::Path, sync::Arc};

use countersign_domain::{
    Record,
    id::{TenantId, UserId},
    manifest::Manifest,
    record::{Actor, Body, Genesis, Member, Mode, Role},
};
use countersign_faults::{Point, crash_point};
use rusqlite::{Connection, OpenFlags};

use super::{
    desk::Desk,
    writer::{self, StoreError},
};
use crate::{random, schema};

pub(super) mod migrations {
    refinery::embed_migrations!("src/tenant/schema");
}

/// What a new tenant begins with.
#[derive(Clone)]
pub struct Founding {
    pub tenant: TenantId,
    pub name: String,
    pub mode: Mode,
    /// The first member.
    pub owner: UserId,
    pub owner_email: String,
    pub owner_name: String,
    /// Every registered tool.
    pub manifests: Arc<[Manifest]>,
    /// Seed of the key that will sign the checkpoints.
    pub log_seed: [u8; 32],
}

impl std::fmt::Debug for Founding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Founding")
            .field("tenant", &self.tenant)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl Founding {
    pub(super) fn append(&self, desk: &mut Desk) -> Result<(), StoreError> {
        append(
            desk,
            &Genesis {
                created_at: desk.now(),
                log_key: desk.log_key().public_key(),
                mode: self.mode,
                name: self.name.clone(),
                nonce: random::nonce(),
                tenant: self.tenant,
            },
        )?;
        append(
            desk,
            &Member {
                at: desk.now(),
                by: Actor::Server,
                email: self.owner_email.clone(),
                name: self.owner_name.clone(),
                nonce: random::nonce(),
                role: Some(Role::Owner),
                tenant: self.tenant,
                user: self.owner,
            },
        )?;
        register_tools(desk, &*self.manifests)?;
        Ok(())
    }
}

/// Appends one record that the server makes and that is not about a proposal.
pub(crate) fn append<B: Body>(desk: &mut Desk, body: &B) -> Result<u64, StoreError> {
    let record = Record::unsigned(body).map_err(StoreError::damaged)?;
    desk.append(&record, body)
}

/// Journals every manifest that is not the one in force, and says whether one of them takes another's place.
pub(super) fn register_tools<'m>(
    desk: &mut Desk,
    manifests: impl IntoIterator<Item = &'m Manifest>,
) -> Result<bool, StoreError> {
    let mut changed = false;
    for manifest in manifests {
        let record = Record::unsigned(manifest).map_err(StoreError::damaged)?;
        let in_force = desk.people().tools.get(&manifest.id).map(|(digest, _)| *digest);
        if in_force != Some(record.digest) {
            desk.append(&record, manifest)?;
            changed |= in_force.is_some();
        }
    }
    Ok(changed)
}

/// Opens a tenant's file for its writer and brings its schema up to date.
pub(super) fn open_file(path: &Path, create: bool) -> Result<Connection, StoreError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut connection = Connection::open_with_flags(path, flags)?;
    writer::set_up(&connection)?;
    schema::bring_up_to_date(&mut connection, &migrations::migrations::runner())?;
    crash_point(Point::TenantMigrated);
    Ok(connection)
}
