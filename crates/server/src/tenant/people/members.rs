//! Members: another role, and removal with all that a member had.

use std::sync::Arc;

use countersign_domain::{
    decision::is_own,
    id::UserId,
    people::People,
    record::{Actor, Member, Mode, Reason, Role},
};

use super::{
    Change, PeopleRefusal,
    agents::put_agent_revoked,
    check,
    devices::{Trust, take_out_of_service},
    managing,
};
use crate::{
    random,
    tenant::{Tenant, decide, desk::Desk, found::append, writer::StoreError},
};

impl Tenant {
    /// Gives a member another role.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn change_member(&self, by: Actor, user: UserId, role: Role) -> Change {
        self.write(move |desk| change_member(desk, by, user, role)).await
    }

    /// Removes a member: sessions end here at once, devices and own agents leave service, decisions that have not been
    /// used no longer count.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_member(&self, by: Actor, user: UserId) -> Change {
        self.write(move |desk| remove_member(desk, by, user)).await
    }
}

fn change_member(desk: &mut Desk, by: Actor, user: UserId, role: Role) -> Change {
    let mine = check!(managing(desk.people(), by));
    let old = check!(desk.people().role(user).ok_or(PeopleRefusal::NotFound));
    if old == role {
        return Ok(Ok(()));
    }
    check!(may_change(desk.people(), mine, old, Some(role)));
    put_member(desk, by, user, Some(role))?;
    if !role.decides() {
        decide::void_where(desk, Reason::NotEligible, |_, cast| cast.approver == user)?;
    }
    Ok(Ok(()))
}

fn remove_member(desk: &mut Desk, by: Actor, user: UserId) -> Change {
    let mine = check!(managing(desk.people(), by));
    let old = check!(desk.people().role(user).ok_or(PeopleRefusal::NotFound));
    check!(may_change(desk.people(), mine, old, None));
    put_member(desk, by, user, None)?;
    let people = Arc::clone(desk.people());
    let devices = people
        .devices
        .iter()
        .filter(|(_, device)| device.user == user && device.revoked_at.is_none());
    for (id, _) in devices {
        take_out_of_service(desk, by, *id, "Its owner is no longer a member.", Trust::Nothing)?;
    }
    decide::void_where(desk, Reason::NotEligible, |_, cast| cast.approver == user)?;
    let own = people
        .agents
        .iter()
        .filter(|(_, agent)| agent.owner == Some(user) && !agent.revoked);
    for (id, _) in own {
        put_agent_revoked(desk, by, *id)?;
    }
    Ok(Ok(()))
}

/// Whether somebody who manages as `mine` may turn a member's role from `old` into `new`.
fn may_change(people: &People, mine: Role, old: Role, new: Option<Role>) -> Result<(), PeopleRefusal> {
    let touches_owner = old == Role::Owner || new == Some(Role::Owner);
    if touches_owner && mine != Role::Owner {
        return Err(PeopleRefusal::NeedsOwner);
    }
    let owners = people
        .members
        .values()
        .filter(|person| person.role == Some(Role::Owner))
        .count();
    if old == Role::Owner && new != Some(Role::Owner) && owners == 1 {
        return Err(PeopleRefusal::LastOwner);
    }
    Ok(())
}

fn put_member(desk: &mut Desk, by: Actor, user: UserId, role: Option<Role>) -> Result<(), StoreError> {
    let person = desk.people().members.get(&user).cloned();
    let person = person.ok_or_else(|| StoreError::damaged("a member is missing"))?;
    let (at, tenant) = (desk.now(), desk.tenant());
    let nonce = random::nonce();
    append_member(
        desk,
        &Member {
            at,
            by,
            email: person.email,
            name: person.name,
            nonce,
            role,
            tenant,
            user,
        },
    )
}

/// Appends a member's new standing. When it makes the tenant a company, what people have approved of their own does not
/// count any more (design §4): it is void in the same transaction.
pub(super) fn append_member(desk: &mut Desk, member: &Member) -> Result<(), StoreError> {
    let before = desk.people().mode();
    append(desk, member)?;
    let people = Arc::clone(desk.people());
    if before == Mode::Company || people.mode() == Mode::Solo {
        return Ok(());
    }
    decide::void_where(desk, Reason::SelfApproval, |state, cast| {
        let owner = people.owner_behind(&state.proposer);
        is_own(&state.proposer, owner, cast.approver)
    })
}
