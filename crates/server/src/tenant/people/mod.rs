//! Commands about people, their devices, the software that proposes for them, and the tenant's ways out.
//!
//! Each appends its records and what follows from them (voids, revocations, supersedings) in one transaction. Who asks is
//! judged here, inside the writer, by the journal as it stands: a role lost a moment ago is lost.

mod agents;
mod connections;
mod devices;
mod invites;
mod members;

use countersign_domain::{
    people::People,
    record::{Actor, Role},
};

pub use agents::NewAgent;
pub use devices::Trust;
pub(crate) use invites::INVITATION;
pub use invites::NewInvite;

use super::writer::Answer;

/// Most open invitations, working agents and connections of a tenant, each.
const MOST: usize = 500;

/// Why nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeopleRefusal {
    /// Not there, or not for this caller to know of.
    NotFound,
    /// The caller's role does not do this.
    Forbidden,
    /// Only an owner makes owners, and only an owner changes or removes one.
    NeedsOwner,
    /// A tenant has at least one owner.
    LastOwner,
    /// The person belongs to the tenant already.
    AlreadyMember,
    /// Something in service has that name already.
    NameTaken,
    /// There are too many of them already.
    TooMany,
    /// The device that would hold it is not one of the caller's in service.
    NotYourDevice,
    /// The device's id or key has been used before.
    DeviceKnown,
    /// The device does not wait to be vouched for.
    NotWaiting,
    /// Another person has to vouch for it.
    AnotherPerson,
    /// The six digits are not that device's.
    WrongCode,
}

type Change<T = ()> = Answer<T, PeopleRefusal>;

/// The role with which `by` manages; the server's own shell manages like an owner.
fn managing(people: &People, by: Actor) -> Result<Role, PeopleRefusal> {
    match by {
        Actor::Server => Ok(Role::Owner),
        Actor::User(user) => people
            .role(user)
            .filter(|role| role.manages())
            .ok_or(PeopleRefusal::Forbidden),
        Actor::Agent(_) => Err(PeopleRefusal::Forbidden),
    }
}

/// Runs a check that may refuse, inside a command.
macro_rules! check {
    ($outcome:expr) => {
        match $outcome {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

use check;

fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
