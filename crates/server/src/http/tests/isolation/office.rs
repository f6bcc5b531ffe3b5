//! Two tenants on one server, each with everybody and everything that a call can name.

use countersign_domain::{
    Digest, Record,
    id::{DeviceId, TenantId},
    record::{Begin, Holder},
};
use serde_json::{Value, json};

use super::super::{devices::Device, records::shown, *};
use crate::random;

/// What a call names: in its path, else in its body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Thing {
    Nothing,
    /// One that waits for people.
    Proposal,
    /// One whose proposer was asked something.
    Asked,
    /// One that people have approved, and the server runs.
    Approved,
    /// One that the owner's device holds a lease of.
    Leased,
    /// One that the owner's device has begun.
    Begun,
    /// One that nothing was heard of since it began.
    Unknown,
    Member,
    Invite,
    Agent,
    /// One of somebody who approves.
    Connection,
    /// One of somebody who approves, which waits to be vouched for.
    Waiting,
    /// One of somebody who approves, in service.
    Device,
    /// The same, taken out of service.
    Revoked,
    Stop,
}

/// Something that a call can name, and what else the call has to know about it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) more: Value,
}

/// Somebody with a device in service.
pub(super) struct Seat {
    pub(super) person: Person,
    pub(super) device: Device,
}

/// A tenant with one person in each role, and an agent of its own.
pub(super) struct Office {
    pub(super) id: TenantId,
    pub(super) owner: Seat,
    pub(super) admin: Seat,
    pub(super) approver: Seat,
    pub(super) auditor: Seat,
    pub(super) member: Seat,
    pub(super) agent: (String, String),
}

impl Office {
    pub(super) async fn of(world: &World, id: TenantId, owner: Person, word: &str) -> Self {
        let device = Device::new();
        enrol(world, id, &owner, &device).await;
        let owner = Seat {
            person: owner,
            device,
        };
        let mut seats = Vec::new();
        for role in ["admin", "approver", "auditor", "member"] {
            seats.push(seat(world, id, &owner.person, role, &format!("{word}-{role}")).await);
        }
        let mut seats = seats.into_iter();
        let mut next = || seats.next().unwrap();
        let created = asked(world, id, &owner.person, Method::POST, "/api/agents")
            .json(json!({"name": format!("{word}-bot")}))
            .await;
        Self {
            id,
            admin: next(),
            approver: next(),
            auditor: next(),
            member: next(),
            agent: (
                created.text("agentId").to_owned(),
                created.text("apiKey").to_owned(),
            ),
            owner,
        }
    }

    /// The credential of the role, and the device of who has it; an agent has none.
    pub(super) fn role(&self, role: &str) -> (&str, Option<&Seat>) {
        let seat = match role {
            "owner" => &self.owner,
            "admin" => &self.admin,
            "approver" => &self.approver,
            "auditor" => &self.auditor,
            "member" => &self.member,
            _ => return (&self.agent.1, None),
        };
        (&seat.person.token, Some(seat))
    }

    pub(super) fn store(&self, world: &World) -> Tenant {
        world.server.app().tenants().get(self.id).unwrap()
    }

    /// What the tenant has become, in one value. What the server does by itself as time passes, it has done by then.
    pub(super) async fn root(&self, world: &World) -> (u64, Digest) {
        while self.store(world).lapse().await.unwrap() > 0 {}
        let head = self.store(world).head();
        (head.size, head.root)
    }

    /// Makes a fresh one.
    pub(super) async fn make(&self, world: &World, thing: Thing) -> Named {
        let by = &self.owner.person;
        let post = async |path: &str, body: Value| {
            let answer = asked(world, self.id, by, Method::POST, path).json(body).await;
            assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
            answer
        };
        let name = random::uuid().to_string();
        let plain = |id: &str| Named {
            id: id.to_owned(),
            more: Value::Null,
        };
        match thing {
            Thing::Nothing => plain(&name),
            Thing::Proposal => plain(&self.task(world, &name).await),
            Thing::Asked => {
                let id = self.task(world, &name).await;
                let ask = format!("/api/assistant/proposals/{id}/ask");
                let asked = post(&ask, json!({"text": "Why?"})).await;
                Named {
                    id,
                    more: asked.body["questions"][0].clone(),
                }
            }
            Thing::Approved => {
                let id = self.task(world, &name).await;
                post("/api/assistant/approve", json!({"aiToolCallId": id})).await;
                // Its run is over before anything is compared.
                post("/api/assistant/execute", json!({"aiToolCallId": id})).await;
                plain(&id)
            }
            Thing::Leased => self.leased(world).await,
            Thing::Begun => self.begun(world).await,
            Thing::Unknown => {
                let named = self.begun(world).await;
                world.pass(Millis::seconds(61));
                while self.store(world).lapse().await.unwrap() > 0 {}
                named
            }
            Thing::Member => {
                let seat = join(world, self.id, by, "approver", &name).await;
                plain(&seat.id.to_string())
            }
            Thing::Invite => {
                let email = format!("{name}@acme.example");
                let invited = post("/api/invites", json!({"email": email, "role": "member"})).await;
                plain(invited.text("inviteId"))
            }
            Thing::Agent => plain(post("/api/agents", json!({"name": name})).await.text("agentId")),
            Thing::Connection => plain(&self.connection(world, self.owner.device.id).await),
            Thing::Waiting => {
                let device = Device::new();
                let enrolled = enrol(world, self.id, &self.approver.person, &device).await;
                Named {
                    id: device.id.to_string(),
                    more: enrolled.body["code"].clone(),
                }
            }
            Thing::Device => {
                let seat = seat(world, self.id, by, "approver", &name).await;
                plain(&seat.device.id.to_string())
            }
            Thing::Revoked => {
                let device = seat(world, self.id, by, "approver", &name).await.device.id;
                let path = format!("/api/devices/{device}/revoke");
                post(&path, json!({"reason": "Lost."})).await;
                plain(&device.to_string())
            }
            Thing::Stop => {
                let agent = post("/api/agents", json!({"name": name})).await;
                let scope = json!({"kind": "agent", "id": agent.text("agentId")});
                let stopped = post("/api/stop", json!({"scope": scope})).await;
                let stop = stopped.list("stops").iter().find(|stop| stop["scope"] == scope);
                Named {
                    id: stop.unwrap()["stop"].as_str().unwrap().to_owned(),
                    more: scope,
                }
            }
        }
    }

    /// A task that the agent proposes.
    async fn task(&self, world: &World, title: &str) -> String {
        let text = json!({"text": format!("create task: {title}")});
        self.proposed(world, text).await
    }

    async fn proposed(&self, world: &World, body: Value) -> String {
        let proposed = world
            .bare(Method::POST, "/api/assistant/propose")
            .token(&self.agent.1)
            .tenant(self.id)
            .json(body)
            .await;
        let id = proposed.body["proposalRecord"]["aiToolCallId"].as_str();
        id.unwrap_or_else(|| panic!("{proposed:?}")).to_owned()
    }

    async fn connection(&self, world: &World, device: DeviceId) -> String {
        let config = json!({
            "base_url": "https://billing.example.com/",
            "allowed_methods": ["GET"],
            "allowed_path_prefixes": ["/v1"],
            "idempotency_window_s": 3600,
        });
        let body = json!({
            "kind": "http",
            "name": random::uuid().to_string(),
            "config": config,
            "holder": {"kind": "device", "id": device},
        });
        let created = asked(
            world,
            self.id,
            &self.owner.person,
            Method::POST,
            "/api/connections",
        );
        created.json(body).await.text("connectionId").to_owned()
    }

    async fn leased(&self, world: &World) -> Named {
        let connection = self.connection(world, self.owner.device.id).await;
        let path = format!("/v1/{}", random::uuid());
        let call = json!({
            "toolId": "http.request",
            "input": {"method": "GET", "path": path},
            "connection": connection,
        });
        let id = self.proposed(world, call).await;
        let digest = self.digest(world, &id).await;
        let preview = countersign_domain::record::Preview {
            by: Holder::Device(self.owner.device.id),
            device_seq: self.owner.device.next(),
            made_at: world.clock.now(),
            nonce: random::nonce(),
            outcome: shown(),
            previous: None,
            proposal: id.parse().unwrap(),
            proposal_digest: digest,
        };
        let record = self.owner.device.sign(&preview).to_envelope();
        let (ada, bob) = (&self.owner.person, &self.approver.person);
        let pushed = asked(world, self.id, ada, Method::POST, "/api/records");
        let pushed = pushed.json(json!({"records": [record]})).await;
        let approve = asked(world, self.id, bob, Method::POST, "/api/assistant/approve");
        let approved = approve.json(json!({"aiToolCallId": id})).await;
        assert_eq!(approved.status, 200, "{approved:?}");
        world.pass(Millis::seconds(30)); // the undo window
        let registry = &world.server.app().rules().registry;
        let manifests: Vec<_> = registry.manifests().map(|(digest, _)| digest).collect();
        let claim = json!({"device": self.owner.device.id, "manifests": manifests, "limit": 32});
        let claimed = asked(world, self.id, ada, Method::POST, "/api/executions/claim");
        let claimed = claimed.json(claim).await;
        let lease = claimed
            .list("leases")
            .iter()
            .find(|lease| lease["proposalId"] == id.as_str());
        let mut more = lease.unwrap_or_else(|| panic!("{claimed:?}")).clone();
        more["digest"] = json!(digest);
        more["preview"] = json!(pushed.body["results"][0]["digest"]);
        Named { id, more }
    }

    async fn begun(&self, world: &World) -> Named {
        let named = self.leased(world).await;
        let record = begin(&self.owner.device, world, &named).to_envelope();
        let path = format!("/api/executions/{}/begin", named.id);
        let begun = asked(world, self.id, &self.owner.person, Method::POST, &path);
        let begun = begun.json(json!({"record": record})).await;
        assert_eq!(begun.text("status"), "running", "{begun:?}");
        named
    }

    async fn digest(&self, world: &World, proposal: &str) -> Digest {
        let path = format!("/api/assistant/proposals/{proposal}");
        let detail = asked(world, self.id, &self.owner.person, Method::GET, &path).await;
        detail.text("digest").parse().unwrap()
    }
}

/// That the device begins what it has a lease of; of what it knows nothing of, with made up particulars.
pub(super) fn begin(device: &Device, world: &World, named: &Named) -> Record {
    device.sign(&Begin {
        at: world.clock.now(),
        authority: serde_json::from_value(named.more["authority"].clone()).unwrap_or_default(),
        device_seq: device.next(),
        executor: Holder::Device(device.id),
        fence: named.more["fence"].as_u64().unwrap_or(1),
        nonce: random::nonce(),
        preview: serde_json::from_value(named.more["preview"].clone()).ok(),
        previous: None,
        proposal: named.id.parse().unwrap(),
        proposal_digest: digest_of(named),
    })
}

pub(super) fn digest_of(named: &Named) -> Digest {
    serde_json::from_value(named.more["digest"].clone()).unwrap_or_else(|_| Digest::of(b"unknown"))
}

/// The question that it was asked; of what nobody asked, a made up one.
pub(super) fn question_of(named: &Named) -> Digest {
    serde_json::from_value(named.more["question"].clone()).unwrap_or_else(|_| Digest::of(b"a question"))
}

pub(super) fn asked(world: &World, tenant: TenantId, who: &Person, method: Method, path: &str) -> Call {
    world.bare(method, path).token(&who.token).tenant(tenant)
}

async fn join(world: &World, tenant: TenantId, by: &Person, role: &str, name: &str) -> Person {
    let email = format!("{name}@acme.example");
    let invite = asked(world, tenant, by, Method::POST, "/api/invites");
    let invited = invite.json(json!({"email": email, "role": role})).await;
    let joined = world.accept(invited.text("secret"), name).await;
    assert_eq!(joined.status, 200, "{joined:?}");
    Person {
        id: joined.text("userId").parse().unwrap(),
        token: joined.text("token").to_owned(),
    }
}

/// Somebody new, whose device the owner vouches for.
async fn seat(world: &World, tenant: TenantId, by: &Person, role: &str, name: &str) -> Seat {
    let person = join(world, tenant, by, role, name).await;
    let device = Device::new();
    let enrolled = enrol(world, tenant, &person, &device).await;
    let path = format!("/api/devices/{}/endorse", device.id);
    let endorse = asked(world, tenant, by, Method::POST, &path);
    let endorsed = endorse.json(json!({"code": enrolled.text("code")})).await;
    assert_eq!(endorsed.status, 204, "{endorsed:?}");
    Seat { person, device }
}

pub(super) async fn challenge(world: &World, tenant: TenantId, person: &Person) -> String {
    let challenge = asked(world, tenant, person, Method::POST, "/api/devices/challenge").await;
    challenge.text("challenge").to_owned()
}

async fn enrol(world: &World, tenant: TenantId, person: &Person, device: &Device) -> Answer {
    let challenge = challenge(world, tenant, person).await;
    let record = device.sign(&device.record(tenant, person, &challenge));
    let enrol = asked(world, tenant, person, Method::POST, "/api/devices/enrol");
    let enrolled = enrol.json(json!({"record": record.to_envelope()})).await;
    assert_eq!(enrolled.status, 200, "{enrolled:?}");
    enrolled
}
