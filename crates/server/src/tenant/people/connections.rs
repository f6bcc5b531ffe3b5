//! Connections: the tenant's ways out.

use countersign_domain::{
    fold::Status,
    id::{ConnectionId, UserId},
    record::{Actor, Connection, Holder},
};

use super::{Change, MOST, PeopleRefusal, check, managing, same_name};
use crate::{
    random,
    tenant::{Tenant, desk::Desk, found::append, supersede, writer::StoreError},
};

impl Tenant {
    /// Adds a connection. Its configuration has been checked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_connection(&self, by: UserId, new: Connection) -> Change {
        self.write(move |desk| add_connection(desk, by, &new)).await
    }

    /// Removes a connection and closes what has not begun over it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_connection(&self, by: Actor, id: ConnectionId) -> Change {
        self.write(move |desk| remove_connection(desk, by, id)).await
    }

    /// How many proposals that are not over go through a connection.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_over(&self, connections: Vec<ConnectionId>) -> Result<Vec<u64>, StoreError> {
        let not_over: Vec<String> = Status::ALL
            .iter()
            .filter(|(status, _)| !status.is_final())
            .map(|(status, _)| (*status as i64).to_string())
            .collect();
        let sql = format!(
            "SELECT count(*) FROM proposal WHERE status IN ({}) AND json_extract(state, '$.connection.id') = ?1",
            not_over.join(", ")
        );
        self.read(move |database| {
            let mut count = database.prepare_cached(&sql)?;
            connections
                .iter()
                .map(|id| {
                    Ok(count
                        .query_row([id.to_string()], |row| row.get::<_, i64>(0))?
                        .unsigned_abs())
                })
                .collect()
        })
        .await
    }
}

fn add_connection(desk: &mut Desk, by: UserId, new: &Connection) -> Change {
    check!(managing(desk.people(), Actor::User(by)));
    let people = desk.people();
    if let Holder::Device(device) = new.holder
        && !people
            .devices
            .get(&device)
            .is_some_and(|device| device.user == by && device.is_active())
    {
        return Ok(Err(PeopleRefusal::NotYourDevice));
    }
    if people.connections.len() >= MOST {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    if people
        .connections
        .values()
        .any(|known| same_name(&known.name, &new.name))
    {
        return Ok(Err(PeopleRefusal::NameTaken));
    }
    let stamped = Connection {
        at: desk.now(),
        ..new.clone()
    };
    append(desk, &stamped)?;
    Ok(Ok(()))
}

fn remove_connection(desk: &mut Desk, by: Actor, id: ConnectionId) -> Change {
    check!(managing(desk.people(), by));
    if !desk.people().connections.contains_key(&id) {
        return Ok(Err(PeopleRefusal::NotFound));
    }
    close_connection(desk, by, id)?;
    Ok(Ok(()))
}

/// Takes a connection away and supersedes what has not begun over it.
pub(super) fn close_connection(desk: &mut Desk, by: Actor, id: ConnectionId) -> Result<(), StoreError> {
    let known = desk.people().connections.get(&id).cloned();
    let known = known.ok_or_else(|| StoreError::damaged("a connection is missing"))?;
    let gone = Connection {
        at: desk.now(),
        by,
        nonce: random::nonce(),
        removed: true,
        ..known
    };
    append(desk, &gone)?;
    supersede::close_over(desk, id)
}
