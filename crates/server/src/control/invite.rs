//! Secrets of invitations. The invitation itself is in its tenant's journal.

use countersign_domain::{
    UnixMillis,
    id::{InviteId, TenantId},
};
use rusqlite::{OptionalExtension, params};

use super::{Control, ControlError, Token, TokenKind};

/// Where a secret leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Invitation {
    pub(crate) tenant: TenantId,
    pub(crate) invite: InviteId,
}

impl Control {
    /// Makes the secret of an invitation. It opens nothing before the tenant's journal knows the invitation.
    pub(crate) async fn add_invitation(
        &self,
        invitation: Invitation,
        expires: UnixMillis,
        now: UnixMillis,
    ) -> Result<Token, ControlError> {
        let token = Token::new(TokenKind::Invite);
        let hash = token.hash();
        self.call(move |connection, _| {
            connection
                .prepare_cached("DELETE FROM invite_secret WHERE expires_ms <= ?1")?
                .execute([now.0])?;
            connection
                .prepare_cached(
                    "INSERT INTO invite_secret (token, tenant, invite, expires_ms) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    hash.as_bytes(),
                    &invitation.tenant.as_bytes()[..],
                    &invitation.invite.as_bytes()[..],
                    expires.0
                ])?;
            Ok(())
        })
        .await?;
        Ok(token)
    }

    /// Where a secret leads; `None` for what is no secret, unknown, used or expired.
    pub(crate) async fn invitation(
        &self,
        secret: &str,
        now: UnixMillis,
    ) -> Result<Option<Invitation>, ControlError> {
        let Some((TokenKind::Invite, hash)) = Token::read(secret) else {
            return Ok(None);
        };
        self.call(move |connection, _| {
            let row: Option<(Vec<u8>, Vec<u8>)> = connection
                .prepare_cached(
                    "SELECT tenant, invite FROM invite_secret WHERE token = ?1 AND expires_ms > ?2",
                )?
                .query_row(params![hash.as_bytes(), now.0], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let Some((tenant, invite)) = row else {
                return Ok(None);
            };
            let tenant = TenantId::from_slice(&tenant).map_err(ControlError::damaged)?;
            let invite = InviteId::from_slice(&invite).map_err(ControlError::damaged)?;
            Ok(Some(Invitation { tenant, invite }))
        })
        .await
    }

    /// Forgets the secret of an invitation that was used or withdrawn.
    pub(crate) async fn remove_invitation(&self, invite: InviteId) -> Result<(), ControlError> {
        self.call(move |connection, _| {
            connection
                .prepare_cached("DELETE FROM invite_secret WHERE invite = ?1")?
                .execute([&invite.as_bytes()[..]])?;
            Ok(())
        })
        .await
    }
}
