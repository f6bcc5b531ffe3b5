//! A new key for this device: signed by the old one, and by the new one that it takes over (design §4).
//!
//! INVARIANT: the new key is in the keychain before anything is signed about it, and the device's database, which says
//! which of the two signs, changes in the transaction that stores the turn. So a crash at any point leaves a device that
//! signs with a key which the tenant knows, or is about to learn of from the outbox.

use std::sync::Arc;

use countersign_domain::{dsse::SigningKey, record::Rotate};

use crate::{
    Engine,
    device::Key,
    enrol,
    error::EngineError,
    reconcile::push,
    seat::{About, Seat, nonce},
    store::account,
};

impl Engine {
    /// Gives this device a new key. Works offline too: the turn goes up in its place among this device's records, and
    /// those after it are signed with the new key.
    ///
    /// # Errors
    /// When this device is not in service, or the keychain does not take the key; nothing has changed then.
    pub async fn rotate_key(&self) -> Result<(), EngineError> {
        let _changing = self.inner.changing.lock().await;
        let seat = self.seat()?;
        if !enrol::is_in_service(&seat, &*seat.people().await?) {
            return Err(EngineError::refused("This device is not in service."));
        }
        let new = keep_next(&seat).await?;
        sign(&seat, new).await?;
        // From here on the old key signs nothing. Where the keychain does not answer it is forgotten the next time.
        if let Err(error) = forget_old(&seat).await {
            tracing::warn!("The old key is still in the keychain: {}", error.message);
        }
        if let Err(error) = push::push(&seat).await {
            tracing::info!("The new key is announced later: {error:#}");
        }
        seat.wakes.sync.notify_one();
        Ok(())
    }
}

/// A new key in the keychain, beside the one that signs.
async fn keep_next(seat: &Arc<Seat>) -> Result<SigningKey, EngineError> {
    let mut secrets = seat.keyring.load().await?;
    let (tenant, person) = (seat.tenant(), seat.person());
    let own = secrets.account(tenant, person).cloned();
    let mut own = own.ok_or(crate::ports::SecretStoreError::Missing)?;
    own.keep_only(seat.present_key().await?.public_key());
    let seed = Key::fresh()?;
    let new = SigningKey::from_seed(seed.as_bytes());
    own.next_seed = Some(seed);
    secrets.put(tenant, person, own);
    seat.keyring.save(&secrets).await?;
    Ok(new)
}

/// The turn, with the device's next number.
async fn sign(seat: &Arc<Seat>, new: SigningKey) -> Result<(), EngineError> {
    let (signer, now, nonce) = (Arc::clone(seat), seat.now(), nonce()?);
    seat.hold(new.clone());
    seat.store
        .write(move |tx| {
            let about = About {
                proposal: None,
                verdict: None,
                expires_at: None,
                now,
            };
            let (tenant, device) = (signer.tenant(), signer.device());
            let (seq, _) = account::next_link(tx, signer.account.id)?;
            let proof =
                Rotate::proof(&new, tenant, device, seq, nonce).map_err(crate::store::StoreError::damaged)?;
            let key = new.public_key();
            signer.sign(tx, &about, |device_seq, previous| Rotate {
                at: now,
                device,
                device_seq,
                key,
                nonce,
                previous,
                proof,
                tenant,
            })?;
            account::set_key(tx, signer.account.id, key)
        })
        .await?;
    Ok(())
}

/// The keychain keeps only the key that signs.
async fn forget_old(seat: &Arc<Seat>) -> Result<(), EngineError> {
    let mut secrets = seat.keyring.load().await?;
    let (tenant, person) = (seat.tenant(), seat.person());
    if let Some(mut own) = secrets.account(tenant, person).cloned() {
        own.keep_only(seat.present_key().await?.public_key());
        secrets.put(tenant, person, own);
        seat.keyring.save(&secrets).await?;
    }
    Ok(())
}
