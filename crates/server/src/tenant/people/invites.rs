//! Invitations: made, taken back, and accepted by who becomes a member.

use countersign_domain::{
    Millis, UnixMillis,
    id::{InviteId, UserId},
    record::{Actor, Invite, Member, Role},
};

use super::{Change, MOST, PeopleRefusal, check, managing, members::append_member};
use crate::{
    random,
    tenant::{Tenant, desk::Desk, found::append, writer::StoreError},
};

/// How long an invitation stands.
pub(crate) const INVITATION: Millis = Millis::hours(7 * 24);

/// An invitation to be made.
#[derive(Clone, Debug)]
pub struct NewInvite {
    pub id: InviteId,
    pub email: String,
    pub role: Role,
}

impl Tenant {
    /// Invites somebody; returns when the invitation ends.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invite(&self, by: Actor, new: NewInvite) -> Change<UnixMillis> {
        self.write(move |desk| invite(desk, by, &new)).await
    }

    /// Takes an open invitation back.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn withdraw_invite(&self, by: Actor, id: InviteId) -> Change {
        self.write(move |desk| withdraw_invite(desk, by, id)).await
    }

    /// Makes the invited person a member; the invitation is used up in the same transaction.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accept_invite(&self, id: InviteId, user: UserId, name: String) -> Change {
        self.write(move |desk| accept_invite(desk, id, user, &name)).await
    }
}

fn invite(desk: &mut Desk, by: Actor, new: &NewInvite) -> Change<UnixMillis> {
    let mine = check!(managing(desk.people(), by));
    if new.role == Role::Owner && mine != Role::Owner {
        return Ok(Err(PeopleRefusal::NeedsOwner));
    }
    let people = desk.people();
    if people
        .members
        .values()
        .any(|person| person.role.is_some() && person.email == new.email)
    {
        return Ok(Err(PeopleRefusal::AlreadyMember));
    }
    let now = desk.now();
    if people
        .invites
        .values()
        .filter(|invite| invite.expires_at > now)
        .count()
        >= MOST
    {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    let expires_at = now + INVITATION;
    let tenant = desk.tenant();
    append(
        desk,
        &Invite {
            at: now,
            by,
            email: new.email.clone(),
            expires_at,
            id: new.id,
            nonce: random::nonce(),
            role: Some(new.role),
            tenant,
        },
    )?;
    Ok(Ok(expires_at))
}

fn withdraw_invite(desk: &mut Desk, by: Actor, id: InviteId) -> Change {
    check!(managing(desk.people(), by));
    let invite = check!(
        desk.people()
            .invites
            .get(&id)
            .cloned()
            .ok_or(PeopleRefusal::NotFound)
    );
    end_invite(desk, by, invite)?;
    Ok(Ok(()))
}

fn accept_invite(desk: &mut Desk, id: InviteId, user: UserId, name: &str) -> Change {
    let now = desk.now();
    let open = desk
        .people()
        .invites
        .get(&id)
        .filter(|invite| invite.expires_at > now)
        .cloned();
    let invite = check!(open.ok_or(PeopleRefusal::NotFound));
    if desk.people().role(user).is_some() {
        return Ok(Err(PeopleRefusal::AlreadyMember));
    }
    let by = Actor::User(user);
    let tenant = desk.tenant();
    append_member(
        desk,
        &Member {
            at: now,
            by,
            email: invite.email.clone(),
            name: name.to_owned(),
            nonce: random::nonce(),
            role: invite.role,
            tenant,
            user,
        },
    )?;
    end_invite(desk, by, invite)?;
    Ok(Ok(()))
}

fn end_invite(desk: &mut Desk, by: Actor, invite: Invite) -> Result<(), StoreError> {
    let ended = Invite {
        at: desk.now(),
        by,
        nonce: random::nonce(),
        role: None,
        ..invite
    };
    append(desk, &ended)?;
    Ok(())
}
