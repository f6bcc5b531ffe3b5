//! Bringing a device's key into service: this one's, and another one of the same person's.
//!
//! The key is in the keychain before anything speaks of it; the enrol record is in the device's own database before it
//! is sent. The same record gets the same answer, so a lost answer costs nothing.

use std::sync::Arc;

use countersign_domain::{
    Record,
    id::DeviceId,
    people::{Device, People},
    record::{Endorse, Endorsement, Enrol},
    wire::EnrolRequest,
};

use crate::{
    client::CallError,
    error::EngineError,
    event::EngineEvent,
    reconcile::push,
    seat::{About, Seat, nonce},
    store::{EntryState, account, outbox},
};

/// Sends the enrol record, if there is one that the server has not answered.
pub(crate) async fn settle(seat: &Arc<Seat>) -> Result<(), anyhow::Error> {
    let (tenant, person) = (seat.tenant(), seat.person());
    let row = seat.store.read(move |db| account::of(db, tenant, person)).await?;
    let Some(envelope) = row.and_then(|row| row.enrol) else {
        return Ok(());
    };
    if seat.is_cut_off() {
        return Err(CallError::Transport("cut off".to_owned()).into());
    }
    let record = match serde_json::from_str(&envelope) {
        Ok(record) => record,
        Err(_) => fresh(seat).await?,
    };
    match seat.client.enrol(&EnrolRequest { record }).await {
        Ok(_) => {}
        Err(CallError::Refused { code, .. }) if code == "stale_challenge" => {
            let record = fresh(seat).await?;
            seat.client.enrol(&EnrolRequest { record }).await?;
        }
        Err(error) => return Err(error.into()),
    }
    let id = seat.account.id;
    seat.store.write(move |tx| account::enrolled(tx, id)).await?;
    seat.tell(EngineEvent::StateChanged);
    Ok(())
}

/// The enrol record over a fresh challenge, stored before it is sent.
async fn fresh(seat: &Seat) -> Result<countersign_domain::dsse::Envelope, anyhow::Error> {
    let challenge = seat.client.challenge().await?.challenge;
    let key = seat.present_key().await?;
    let body = Enrol {
        challenge,
        device: seat.device(),
        name: seat.account.device_name.clone(),
        nonce: nonce()?,
        public_key: key.public_key(),
        tenant: seat.tenant(),
        user: seat.person(),
    };
    let envelope = Record::signed(&body, &key)?.to_envelope();
    let (id, text) = (seat.account.id, serde_json::to_string(&envelope)?);
    seat.store
        .write(move |tx| account::set_enrol(tx, id, &text))
        .await?;
    Ok(envelope)
}

/// Whether this device's own signatures count.
pub(crate) fn is_in_service(seat: &Seat, people: &People) -> bool {
    people.devices.get(&seat.device()).is_some_and(Device::is_active)
}

/// This device vouches for another one of the same person, by the very key that the journal here has under the code.
/// Signed and stored first: when the tenant cannot be reached it goes up later.
pub(crate) async fn vouch(
    seat: &Arc<Seat>,
    people: &People,
    id: DeviceId,
    new: &Device,
    code: &str,
) -> Result<(), EngineError> {
    if new.endorsed_by.is_some() || new.revoked_at.is_some() {
        return Err(EngineError::refused("That device does not wait to be confirmed."));
    }
    if !is_in_service(seat, people) {
        return Err(EngineError::refused("This device is not in service itself."));
    }
    if new.code() != code {
        return Err(EngineError::invalid("code", "The new device shows another code."));
    }
    let (signer, now, nonce, enrol) = (Arc::clone(seat), seat.now(), nonce()?, new.enrol);
    let record = seat
        .store
        .write(move |tx| {
            let about = About {
                proposal: None,
                verdict: None,
                expires_at: None,
                now,
            };
            signer.sign(tx, &about, |seq, previous| Endorse {
                at: now,
                by: Endorsement::Device(signer.device()),
                device: id,
                device_seq: Some(seq),
                enrol,
                nonce,
                previous,
                tenant: signer.tenant(),
            })
        })
        .await?;
    if let Err(error) = push::push(seat).await {
        tracing::info!("The endorsement is sent again later: {error:#}");
    }
    seat.wakes.sync.notify_one();
    let digest = record.digest;
    let entry = seat.store.read(move |db| outbox::get(db, digest)).await?;
    match entry.map(|entry| entry.state) {
        Some(EntryState::Answered(answer) | EntryState::Folded(answer)) if !answer.effective => {
            Err(EngineError::refused("The tenant did not take the confirmation."))
        }
        Some(EntryState::Waiting | EntryState::Answered(_) | EntryState::Folded(_)) | None => Ok(()),
    }
}

/// A device's name as records carry it: one line, at most 100 characters.
pub(crate) fn device_name(name: &str) -> Result<String, EngineError> {
    let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        0 => Err(EngineError::invalid("deviceName", "Give this device a name.")),
        1..=100 => Ok(name),
        _ => Err(EngineError::invalid("deviceName", "At most 100 characters.")),
    }
}
