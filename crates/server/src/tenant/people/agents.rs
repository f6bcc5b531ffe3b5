//! Agents: the software that proposes.

use countersign_domain::{
    id::{AgentId, UserId},
    record::{Actor, Agent},
};

use super::{Change, MOST, PeopleRefusal, check, managing, same_name};
use crate::{
    random,
    tenant::{Tenant, desk::Desk, found::append, writer::StoreError},
};

/// An agent to be registered.
#[derive(Clone, Debug)]
pub struct NewAgent {
    pub id: AgentId,
    pub name: String,
    /// The person whose own it is.
    pub owner: Option<UserId>,
}

impl Tenant {
    /// Registers an agent.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_agent(&self, by: Actor, new: NewAgent) -> Change {
        self.write(move |desk| add_agent(desk, by, &new)).await
    }

    /// Takes an agent out of service for good.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_agent(&self, by: Actor, id: AgentId) -> Change {
        self.write(move |desk| revoke_agent(desk, by, id)).await
    }
}

fn add_agent(desk: &mut Desk, by: Actor, new: &NewAgent) -> Change {
    check!(managing(desk.people(), by));
    let mut working = desk.people().agents.values().filter(|agent| !agent.revoked);
    if working.clone().count() >= MOST {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    if working.any(|agent| same_name(&agent.name, &new.name)) {
        return Ok(Err(PeopleRefusal::NameTaken));
    }
    let (at, tenant) = (desk.now(), desk.tenant());
    append(
        desk,
        &Agent {
            agent: new.id,
            at,
            by,
            name: new.name.clone(),
            nonce: random::nonce(),
            owner: new.owner,
            revoked: false,
            tenant,
        },
    )?;
    Ok(Ok(()))
}

fn revoke_agent(desk: &mut Desk, by: Actor, id: AgentId) -> Change {
    check!(managing(desk.people(), by));
    let agent = check!(desk.people().agents.get(&id).ok_or(PeopleRefusal::NotFound));
    if !agent.revoked {
        put_agent_revoked(desk, by, id)?;
    }
    Ok(Ok(()))
}

pub(super) fn put_agent_revoked(desk: &mut Desk, by: Actor, id: AgentId) -> Result<(), StoreError> {
    let agent = desk
        .people()
        .agents
        .get(&id)
        .cloned()
        .ok_or_else(|| StoreError::damaged("an agent is missing"))?;
    let (at, tenant) = (desk.now(), desk.tenant());
    append(
        desk,
        &Agent {
            agent: id,
            at,
            by,
            name: agent.name,
            nonce: random::nonce(),
            owner: agent.owner,
            revoked: true,
            tenant,
        },
    )?;
    Ok(())
}
