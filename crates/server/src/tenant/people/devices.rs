//! People's devices: enrolled, vouched for, and taken out of service with what only they could use.

use std::sync::Arc;

use countersign_domain::{
    Digest, Record, UnixMillis,
    id::{DeviceId, UserId},
    people::Device,
    record::{Actor, Endorse, Endorsement, Enrol, Holder, Kind, Revoke, Role},
};

use rusqlite::{Connection, params};

use super::{Change, PeopleRefusal, check, connections::close_connection, managing};
use crate::{
    random,
    tenant::{
        Tenant, decide,
        desk::{Desk, to_sql},
        entries,
        found::append,
        writer::StoreError,
    },
};

/// Most devices of one person that wait to be vouched for. Nobody else's are in the way.
const MOST_WAITING: usize = 5;

/// Why a device goes with the one that has vouched for it.
const LET_IN_BY_OTHERS: &str = "The device that vouched for it may have been in other hands by then.";

/// What still counts of that which a device has signed before it is revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Nothing that has not begun.
    Nothing,
    /// What the server had before this time: from then on the key may have been in other hands.
    Before(UnixMillis),
    /// All of it: the device was in good hands to the end.
    Everything,
}

impl Tenant {
    /// Takes an enrol record whose signature and challenge have been checked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn enrol(&self, record: Arc<Record>, enrol: Arc<Enrol>) -> Change<Device> {
        self.write(move |desk| enrol_device(desk, &record, &enrol)).await
    }

    /// Vouches for another person's device, whose code the caller has compared.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn endorse(&self, by: UserId, device: DeviceId, code: String) -> Change {
        self.write(move |desk| endorse(desk, by, device, &code)).await
    }

    /// Vouches, as somebody with a shell on the server, for the device of `user` that waits and shows `code`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn endorse_by_server(&self, user: UserId, code: String) -> Change<DeviceId> {
        self.write(move |desk| endorse_by_server(desk, user, &code)).await
    }

    /// Takes a device out of service, with the connections that it holds. One that is out already loses what trust was left
    /// to it, where less is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_device(&self, by: UserId, device: DeviceId, reason: String, trust: Trust) -> Change {
        self.write(move |desk| revoke(desk, by, device, &reason, trust))
            .await
    }
}

fn enrol_device(desk: &mut Desk, record: &Record, enrol: &Enrol) -> Change<Device> {
    let people = desk.people();
    let role = check!(people.role(enrol.user).ok_or(PeopleRefusal::NotFound));
    if let Some(known) = people.devices.get(&enrol.device) {
        // The same record again is the same enrolment: its first answer may have been lost.
        let same = known.enrol == record.digest && known.user == enrol.user;
        return Ok(if same {
            Ok(known.clone())
        } else {
            Err(PeopleRefusal::DeviceKnown)
        });
    }
    if people
        .devices
        .values()
        .any(|known| known.has_had(enrol.public_key))
    {
        return Ok(Err(PeopleRefusal::DeviceKnown));
    }
    let waits = |known: &&Device| {
        known.user == enrol.user && known.endorsed_by.is_none() && known.revoked_at.is_none()
    };
    if people.devices.values().filter(waits).count() >= MOST_WAITING {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    // Once in a tenant's life (design §4): whoever takes the owner's password later gets no key with it.
    let first = role == Role::Owner && people.devices.values().all(|known| known.endorsed_by.is_none());
    desk.append(record, enrol)?;
    if first {
        put_endorsement(desk, enrol.device, record.digest, Endorsement::FirstDevice)?;
    }
    let device = desk.people().devices.get(&enrol.device).cloned();
    Ok(Ok(
        device.ok_or_else(|| StoreError::damaged("a device is missing"))?
    ))
}

fn endorse(desk: &mut Desk, by: UserId, id: DeviceId, code: &str) -> Change {
    check!(managing(desk.people(), Actor::User(by)));
    let device = check!(desk.people().devices.get(&id).ok_or(PeopleRefusal::NotFound));
    let refusal = if device.user == by {
        Some(PeopleRefusal::AnotherPerson)
    } else if device.endorsed_by.is_some() || device.revoked_at.is_some() {
        Some(PeopleRefusal::NotWaiting)
    } else if desk.people().role(device.user).is_none() {
        Some(PeopleRefusal::NotFound)
    } else if device.code() != code {
        Some(PeopleRefusal::WrongCode)
    } else {
        None
    };
    if let Some(refusal) = refusal {
        return Ok(Err(refusal));
    }
    let enrol = device.enrol;
    put_endorsement(desk, id, enrol, Endorsement::Admin(by))?;
    Ok(Ok(()))
}

fn endorse_by_server(desk: &mut Desk, user: UserId, code: &str) -> Change<DeviceId> {
    check!(desk.people().role(user).ok_or(PeopleRefusal::NotFound));
    let waiting: Vec<_> = desk
        .people()
        .devices
        .iter()
        .filter(|(_, device)| {
            device.user == user && device.endorsed_by.is_none() && device.revoked_at.is_none()
        })
        .map(|(id, device)| (*id, device.enrol, device.code()))
        .collect();
    if waiting.is_empty() {
        return Ok(Err(PeopleRefusal::NotWaiting));
    }
    let mut shows = waiting.into_iter().filter(|(_, _, shown)| shown == code);
    // Two with one code cannot be told apart: neither is the one that was meant.
    let (Some((device, enrol, _)), None) = (shows.next(), shows.next()) else {
        return Ok(Err(PeopleRefusal::WrongCode));
    };
    put_endorsement(desk, device, enrol, Endorsement::Server)?;
    Ok(Ok(device))
}

fn put_endorsement(
    desk: &mut Desk,
    device: DeviceId,
    enrol: Digest,
    by: Endorsement,
) -> Result<(), StoreError> {
    let (at, tenant) = (desk.now(), desk.tenant());
    append(
        desk,
        &Endorse {
            at,
            by,
            device,
            device_seq: None,
            enrol,
            nonce: random::nonce(),
            previous: None,
            tenant,
        },
    )?;
    Ok(())
}

fn revoke(desk: &mut Desk, by: UserId, id: DeviceId, reason: &str, trust: Trust) -> Change {
    let people = desk.people();
    let mine = check!(people.role(by).ok_or(PeopleRefusal::Forbidden));
    // A member who manages nothing does not learn whose devices there are.
    let device = people
        .devices
        .get(&id)
        .filter(|device| device.user == by || mine.manages());
    let device = check!(device.ok_or(PeopleRefusal::NotFound));
    if device.user != by && people.role(device.user) == Some(Role::Owner) && mine != Role::Owner {
        return Ok(Err(PeopleRefusal::NeedsOwner));
    }
    if has_trust_left(desk, id, trust)? {
        take_out_of_service(desk, Actor::User(by), id, reason, trust)?;
    }
    Ok(Ok(()))
}

/// Whether a device is in service, or was trusted with more than `trust` leaves to it.
fn has_trust_left(desk: &Desk, id: DeviceId, trust: Trust) -> Result<bool, StoreError> {
    let Some(device) = desk.people().devices.get(&id) else {
        return Ok(false);
    };
    Ok(match device.revoked_at {
        None => true,
        Some(_) => last_good(desk.connection(), id, trust)? < device.last_good_seq,
    })
}

/// The devices that `device` has vouched for with numbers above `seq`.
fn let_in_after(desk: &Desk, device: DeviceId, seq: u64) -> Result<Vec<DeviceId>, StoreError> {
    let by = Some(Endorsement::Device(device));
    let devices = &desk.people().devices;
    let signed = decide::signed_after(desk.connection(), device, seq)?;
    let vouched = signed.iter().filter(|entry| entry.kind == Kind::Endorse);
    let ids = vouched.filter_map(|entry| entry.subject.strip_prefix("device/")?.parse().ok());
    let let_in = |id: &DeviceId| devices.get(id).is_some_and(|known| known.endorsed_by == by);
    Ok(ids.filter(let_in).collect())
}

/// The last of a device's numbers that is trusted; 0 when none is.
fn last_good(db: &Connection, device: DeviceId, trust: Trust) -> Result<u64, StoreError> {
    let from = match trust {
        Trust::Nothing => return Ok(0),
        Trust::Everything => None,
        Trust::Before(time) => Some(entries::first_since(db, time)?),
    };
    // What arrived since then has numbers of its own; the one before the first of them is the last good one.
    let seq: Option<i64> = db
        .prepare_cached(
            "SELECT coalesce(
                 (SELECT min(device_seq) - 1 FROM device_record WHERE device = ?1
                      AND digest IN (SELECT digest FROM entry WHERE seq >= ?2)),
                 (SELECT max(device_seq) FROM device_record WHERE device = ?1))",
        )?
        .query_row(
            params![&device.as_bytes()[..], from.map_or(Ok(i64::MAX), to_sql)?],
            |row| row.get(0),
        )?;
    Ok(seq.unwrap_or(0).unsigned_abs())
}

/// Revokes a device and closes the connections that only it could use. Where its key may have been in other hands since some
/// time, so may the devices that it has let in since then, and they go with it. Without a time nobody can tell them from those
/// that its owner let in: they are listed for people to look at.
pub(super) fn take_out_of_service(
    desk: &mut Desk,
    by: Actor,
    device: DeviceId,
    reason: &str,
    trust: Trust,
) -> Result<(), StoreError> {
    let good = last_good(desk.connection(), device, trust)?;
    let revoke = Revoke {
        at: desk.now(),
        by,
        compromised_since: match trust {
            Trust::Before(time) => Some(time),
            Trust::Nothing | Trust::Everything => None,
        },
        device,
        last_good_seq: (good > 0).then_some(good),
        nonce: random::nonce(),
        reason: reason.to_owned(),
    };
    decide::revoke_device(desk, &revoke)?;
    let people = Arc::clone(desk.people());
    let held = people
        .connections
        .values()
        .filter(|connection| connection.holder == Holder::Device(device));
    for connection in held {
        close_connection(desk, by, connection.id)?;
    }
    if matches!(trust, Trust::Before(_)) {
        for let_in in let_in_after(desk, device, good)? {
            if has_trust_left(desk, let_in, trust)? {
                take_out_of_service(desk, by, let_in, LET_IN_BY_OTHERS, trust)?;
            }
        }
    }
    Ok(())
}
