//! What a journal says of people, devices, agents, connections and tools.

use countersign_domain::{
    Digest, Millis,
    canonical::Object,
    dsse::SigningKey,
    id::{AgentId, ConnectionId, DeviceId, InviteId, UserId},
    record::{
        Actor, Agent, Connection, ConnectionKind, ConnectionRef, Endorse, Endorsement, Enrol, Holder, Invite,
        Member, Revoke, Role, Rotate, ToolRef,
    },
};

use super::{JournalBuilder, TestDevice, manifest};

impl JournalBuilder {
    pub fn member(&mut self, name: &str, role: Role) -> UserId {
        let user = UserId::from_slice(&self.id()).expect("sixteen bytes");
        self.set_member(user, name, Some(role));
        user
    }

    /// Changes a person's role, or with `None` removes the person.
    pub fn set_member(&mut self, user: UserId, name: &str, role: Option<Role>) {
        let member = Member {
            at: self.at,
            by: Actor::User(self.owner),
            email: format!("{}@example.com", name.to_lowercase().replace(' ', ".")),
            name: name.to_owned(),
            nonce: self.nonce(),
            role,
            tenant: self.tenant,
            user,
        };
        self.append(&member);
    }

    pub fn invite(&mut self, email: &str, role: Role) -> InviteId {
        let id = InviteId::from_slice(&self.id()).expect("sixteen bytes");
        let invite = Invite {
            at: self.at,
            by: Actor::User(self.owner),
            email: email.to_owned(),
            expires_at: self.at + Millis::hours(72),
            id,
            nonce: self.nonce(),
            role: Some(role),
            tenant: self.tenant,
        };
        self.append(&invite);
        id
    }

    pub fn agent(&mut self, name: &str, owner: Option<UserId>) -> AgentId {
        let agent = AgentId::from_slice(&self.id()).expect("sixteen bytes");
        let record = Agent {
            agent,
            at: self.at,
            by: Actor::User(self.owner),
            name: name.to_owned(),
            nonce: self.nonce(),
            owner,
            revoked: false,
            tenant: self.tenant,
        };
        self.append(&record);
        agent
    }

    /// Enrols and endorses a device.
    pub fn device(&mut self, user: UserId) -> TestDevice {
        let id = DeviceId::from_slice(&self.id()).expect("sixteen bytes");
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(id.as_bytes());
        let key = SigningKey::from_seed(&seed);
        let enrol = Enrol {
            challenge: self.nonce(),
            device: id,
            name: "Laptop".to_owned(),
            nonce: self.nonce(),
            public_key: key.public_key(),
            tenant: self.tenant,
            user,
        };
        let enrol = self.append_signed(&enrol, &key);
        let endorse = Endorse {
            at: self.at,
            by: Endorsement::Server,
            device: id,
            device_seq: None,
            enrol,
            nonce: self.nonce(),
            previous: None,
            tenant: self.tenant,
        };
        self.append(&endorse);
        TestDevice {
            id,
            user,
            key,
            seq: 0,
            previous: None,
        }
    }

    /// The device goes on with `new`: signed by its key and, for the new one, by `taker`.
    pub fn turn(&mut self, device: &mut TestDevice, new: &SigningKey, taker: &SigningKey) -> Digest {
        device.seq += 1;
        let nonce = self.nonce();
        let rotate = Rotate {
            at: self.at,
            device: device.id,
            device_seq: device.seq,
            key: new.public_key(),
            nonce,
            previous: device.previous,
            proof: Rotate::proof(taker, self.tenant, device.id, device.seq, nonce)
                .expect("within the profile"),
            tenant: self.tenant,
        };
        let digest = self.append_signed(&rotate, &device.key);
        device.previous = Some(digest);
        device.key = new.clone();
        digest
    }

    /// Takes a device out of service; its records up to `last_good` are trusted.
    pub fn revoke_after(&mut self, device: &TestDevice, last_good: u64) {
        let revoke = Revoke {
            at: self.at,
            by: Actor::User(self.owner),
            compromised_since: None,
            device: device.id,
            last_good_seq: Some(last_good),
            nonce: self.nonce(),
            reason: "Lost".to_owned(),
        };
        self.append(&revoke);
    }

    pub fn revoke(&mut self, device: &TestDevice) {
        let revoke = Revoke {
            at: self.at,
            by: Actor::User(self.owner),
            compromised_since: None,
            device: device.id,
            last_good_seq: None,
            nonce: self.nonce(),
            reason: "Lost".to_owned(),
        };
        self.append(&revoke);
    }

    /// A mail account, held by the tenant or a device.
    pub fn connection(&mut self, holder: Holder) -> ConnectionRef {
        let mut config = Object::new();
        config.insert("host", "mail.example.com");
        let connection = Connection {
            at: self.at,
            by: Actor::User(self.owner),
            config: config.into(),
            holder,
            id: ConnectionId::from_slice(&self.id()).expect("sixteen bytes"),
            kind: ConnectionKind::Smtp,
            name: "Office mail".to_owned(),
            nonce: self.nonce(),
            removed: false,
            tenant: self.tenant,
        };
        self.append(&connection);
        ConnectionRef {
            config: connection.config_digest().expect("within the profile"),
            holder,
            id: connection.id,
        }
    }

    /// Registers another tool, which takes a title as the builder's own does.
    pub fn tool(&mut self, id: &str) -> ToolRef {
        let manifest = manifest(id, "1.0.0");
        let digest = self.append(&manifest);
        ToolRef {
            id: id.to_owned(),
            manifest: digest,
            version: manifest.version,
        }
    }
}
