//! Which tenants this server has, and where.

use std::path::PathBuf;

use countersign_domain::{UnixMillis, id::TenantId};
use rusqlite::params;

use super::{Control, ControlError};

/// A tenant's place below the data folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Placed {
    pub(crate) id: TenantId,
    pub(crate) folder: PathBuf,
}

impl Placed {
    /// Where a new tenant goes.
    pub(crate) fn new(id: TenantId) -> Self {
        Self {
            id,
            folder: PathBuf::from("tenants").join(id.to_string()),
        }
    }
}

impl Control {
    /// Every tenant.
    pub(crate) async fn tenants(&self) -> Result<Vec<Placed>, ControlError> {
        self.call(|connection, _| {
            connection
                .prepare_cached("SELECT id, folder FROM tenant ORDER BY id")?
                .query_map([], |row| {
                    Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
                })?
                .map(|row| {
                    let (id, folder) = row?;
                    let id = TenantId::from_slice(&id).map_err(ControlError::damaged)?;
                    Ok(Placed {
                        id,
                        folder: PathBuf::from(folder),
                    })
                })
                .collect()
        })
        .await
    }

    /// Adds a tenant whose folder is complete: from here on the server opens it.
    pub(crate) async fn add_tenant(
        &self,
        placed: &Placed,
        name: String,
        now: UnixMillis,
    ) -> Result<(), ControlError> {
        let Placed { id, folder } = placed.clone();
        self.call(move |connection, _| {
            let folder = folder
                .to_str()
                .ok_or_else(|| ControlError::damaged("the folder's name is not text"))?;
            connection
                .prepare_cached("INSERT INTO tenant (id, name, folder, created_ms) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![&id.as_bytes()[..], name, folder, now.0])?;
            Ok(())
        })
        .await
    }
}
