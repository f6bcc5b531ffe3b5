//! Challenges for enrolling a device: fresh, bound to tenant and person, good once.

use countersign_domain::{
    Digest, Millis, UnixMillis,
    id::{TenantId, UserId},
    record::Nonce,
};
use rusqlite::params;

use super::{Control, ControlError};
use crate::random;

/// How long a challenge stands.
const STANDS: Millis = Millis::seconds(10 * 60);
/// Most open challenges of one person in one tenant; an older one makes room, so nobody else's is ever in the way.
const OPEN_EACH: i64 = 8;

impl Control {
    /// Makes a challenge.
    pub(crate) async fn challenge(
        &self,
        tenant: TenantId,
        user: UserId,
        now: UnixMillis,
    ) -> Result<Nonce, ControlError> {
        let nonce = random::nonce();
        let hash = hash(nonce)?;
        self.call(move |connection, _| {
            let (tenant, user) = (&tenant.as_bytes()[..], &user.as_bytes()[..]);
            let replace = connection.transaction()?;
            replace
                .prepare_cached("DELETE FROM challenge WHERE expires_ms <= ?1")?
                .execute([now.0])?;
            replace
                .prepare_cached(
                    "DELETE FROM challenge WHERE hash IN (SELECT hash FROM challenge
                         WHERE tenant = ?1 AND user_id = ?2 ORDER BY expires_ms DESC LIMIT -1 OFFSET ?3)",
                )?
                .execute(params![tenant, user, OPEN_EACH - 1])?;
            replace
                .prepare_cached(
                    "INSERT INTO challenge (hash, tenant, user_id, expires_ms) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![hash.as_bytes(), tenant, user, (now + STANDS).0])?;
            replace.commit()?;
            Ok(())
        })
        .await?;
        Ok(nonce)
    }

    /// Uses a challenge up; `false` when it is not one that stands for this person in this tenant.
    pub(crate) async fn spend_challenge(
        &self,
        nonce: Nonce,
        tenant: TenantId,
        user: UserId,
        now: UnixMillis,
    ) -> Result<bool, ControlError> {
        let hash = hash(nonce)?;
        self.call(move |connection, _| {
            let spent = connection
                .prepare_cached(
                    "DELETE FROM challenge WHERE hash = ?1 AND tenant = ?2 AND user_id = ?3 AND expires_ms > ?4",
                )?
                .execute(params![hash.as_bytes(), &tenant.as_bytes()[..], &user.as_bytes()[..], now.0])?;
            Ok(spent == 1)
        })
        .await
    }
}

fn hash(nonce: Nonce) -> Result<Digest, ControlError> {
    serde_json::to_vec(&nonce)
        .map(|text| Digest::of(&text))
        .map_err(ControlError::damaged)
}
