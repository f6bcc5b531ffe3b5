//! What a record says of itself without anybody asking for its kind: who signed it, and what it is about.

use super::{
    Agent, Begin, Body, Connection, Decision, Endorse, Endorsement, Enrol, Erase, Evaluation, Expire,
    Genesis, InvalidRecord, Invite, Kind, Lapse, Member, Preview, Proposal, Receipt, Record, Refuse, Release,
    Remark, Resolution, Revoke, Rotate, Rules, Stop, Supersede, Void, Withdraw,
};
use crate::{id::DeviceId, manifest::Manifest};

impl Record {
    /// The device that the body names as its signer, whether it has signed or not. `None` for what the server says by itself
    /// or for a signed-in person, for an [`Enrol`], which its own key signs, and for what cannot be read.
    pub fn signer(&self) -> Option<DeviceId> {
        match self.kind {
            Kind::Decision => self.glance::<Decision>()?.device,
            Kind::Begin => self.glance::<Begin>()?.executor.device(),
            Kind::Receipt => self.glance::<Receipt>()?.executor.device(),
            Kind::Preview => self.glance::<Preview>()?.by.device(),
            Kind::Withdraw => self.glance::<Withdraw>()?.device,
            Kind::Resolution => self.glance::<Resolution>()?.device,
            Kind::Stop => self.glance::<Stop>()?.device,
            Kind::Release => self.glance::<Release>()?.device,
            Kind::Rules => self.glance::<Rules>()?.device,
            Kind::Remark => self.glance::<Remark>()?.device,
            Kind::Rotate => Some(self.glance::<Rotate>()?.device),
            Kind::Endorse => match self.glance::<Endorse>()?.by {
                Endorsement::Device(by) => Some(by),
                Endorsement::FirstDevice | Endorsement::Admin(_) | Endorsement::Server => None,
            },
            Kind::Genesis
            | Kind::Member
            | Kind::Invite
            | Kind::Agent
            | Kind::Connection
            | Kind::Manifest
            | Kind::Enrol
            | Kind::Revoke
            | Kind::Refuse
            | Kind::Proposal
            | Kind::Evaluation
            | Kind::Void
            | Kind::Supersede
            | Kind::Expire
            | Kind::Lapse
            | Kind::Erase => None,
        }
    }

    /// What an entry of this record is about, unless it was refused and stands with its device.
    ///
    /// # Errors
    /// When the body is not of its kind's shape.
    pub fn subject(&self) -> Result<String, InvalidRecord> {
        fn of<B: Body>(record: &Record) -> Result<String, InvalidRecord> {
            record.body::<B>().map(|body| body.subject())
        }
        match self.kind {
            Kind::Genesis => of::<Genesis>(self),
            Kind::Member => of::<Member>(self),
            Kind::Invite => of::<Invite>(self),
            Kind::Agent => of::<Agent>(self),
            Kind::Connection => of::<Connection>(self),
            Kind::Manifest => of::<Manifest>(self),
            Kind::Enrol => of::<Enrol>(self),
            Kind::Endorse => of::<Endorse>(self),
            Kind::Revoke => of::<Revoke>(self),
            Kind::Refuse => of::<Refuse>(self),
            Kind::Resolution => of::<Resolution>(self),
            Kind::Stop => of::<Stop>(self),
            Kind::Release => of::<Release>(self),
            Kind::Rules => of::<Rules>(self),
            Kind::Remark => of::<Remark>(self),
            Kind::Rotate => of::<Rotate>(self),
            Kind::Erase => of::<Erase>(self),
            Kind::Proposal => of::<Proposal>(self),
            Kind::Preview => of::<Preview>(self),
            Kind::Evaluation => of::<Evaluation>(self),
            Kind::Decision => of::<Decision>(self),
            Kind::Void => of::<Void>(self),
            Kind::Withdraw => of::<Withdraw>(self),
            Kind::Supersede => of::<Supersede>(self),
            Kind::Expire => of::<Expire>(self),
            Kind::Begin => of::<Begin>(self),
            Kind::Receipt => of::<Receipt>(self),
            Kind::Lapse => of::<Lapse>(self),
        }
    }
}
