//! What a device signs and pushes: vouching, taking back, looking beforehand, and what becomes of what does not count.

use countersign_domain::{
    Digest, Millis, Record,
    canonical::{self, Object},
    id::{DecisionId, ProposalId},
    people::People,
    record::{
        Actor, Assurance, Begin, Decision, Endorse, Endorsement, Failure, Holder, Mode, Outcome, Preview,
        PreviewOutcome, Receipt, Refuse, Verdict, Withdraw,
    },
    render::RENDERER,
};
use serde_json::json;

use super::{devices::Device, *};
use crate::{random, tenant::Sight};

pub(super) fn shown() -> PreviewOutcome {
    PreviewOutcome::Shown {
        content: Object::from_iter([("Request", "GET /v1/invoices")]).into(),
    }
}

impl World {
    pub(super) fn vouching(&self, by: &Device, new: &Device) -> Endorse {
        let tenant = self.store();
        Endorse {
            at: self.clock.now(),
            by: Endorsement::Device(by.id),
            device: new.id,
            device_seq: by.next(),
            enrol: tenant.people().devices[&new.id].enrol,
            nonce: random::nonce(),
            previous: None,
            tenant: self.acme,
        }
    }

    pub(super) async fn digest(&self, proposal: &str) -> Digest {
        let path = format!("/api/assistant/proposals/{proposal}");
        self.get(&self.ada, &path).await.text("digest").parse().unwrap()
    }

    /// The digest of the preview that people were shown.
    pub(super) async fn shown(&self, proposal: &str) -> Option<Digest> {
        let stored = self.store().proposal(proposal.parse().unwrap()).await.unwrap();
        stored.unwrap().state.preview
    }

    async fn previewing(&self, device: &Device, proposal: &str, outcome: PreviewOutcome) -> Preview {
        Preview {
            by: Holder::Device(device.id),
            device_seq: device.next(),
            made_at: self.clock.now(),
            nonce: random::nonce(),
            outcome,
            previous: None,
            proposal: proposal.parse().unwrap(),
            proposal_digest: self.digest(proposal).await,
        }
    }

    /// Ada's device says what the call would do.
    pub(super) async fn preview(&self, device: &Device, proposal: &str, outcome: PreviewOutcome) -> Value {
        let preview = self.previewing(device, proposal, outcome).await;
        device.push(self, &self.ada, &preview).await
    }

    pub(super) async fn task_by(&self, who: &Person, title: &str) -> String {
        let text = json!({"text": format!("create task: {title}")});
        let proposed = self.post(who, "/api/assistant/propose", text).await;
        assert_eq!(proposed.status, 200, "{proposed:?}");
        proposed.body["proposalRecord"]["aiToolCallId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn withdrawing(&self, device: &Device, person: &Person, proposal: &str) -> Withdraw {
        Withdraw {
            at: self.clock.now(),
            by: Actor::User(person.id),
            device: Some(device.id),
            device_seq: device.next(),
            nonce: random::nonce(),
            previous: None,
            proposal: proposal.parse().unwrap(),
            reason: None,
        }
    }

    fn entries(&self) -> u64 {
        self.store().head().size
    }
}

pub(super) fn refused(result: &Value) -> &str {
    assert_eq!(result["effective"], false, "{result}");
    result["reason"].as_str().unwrap()
}

#[tokio::test]
async fn in_a_tenant_of_one_person_the_first_device_vouches_for_the_second_and_that_for_a_third() {
    let world = World::with(Mode::Solo).await;
    let first = world.adas_device().await;
    let mut by = first;
    for _ in 0..2 {
        let new = Device::new();
        assert_eq!(new.enrol(&world, &world.ada).await.text("standing"), "waiting");
        let vouched = by.push(&world, &world.ada, &world.vouching(&by, &new)).await;
        assert_eq!(vouched["effective"], true, "{vouched}");
        assert_eq!(world.state(&world.ada, &new).await, "active");
        let listed = world.get(&world.ada, "/api/devices").await;
        let known = listed
            .list("devices")
            .iter()
            .find(|known| known["id"] == new.id.to_string());
        assert_eq!(
            known.unwrap()["endorsedBy"],
            json!({"kind": "device", "id": by.id}),
            "the journal says who vouched"
        );
        by = new;
    }
}

#[tokio::test]
async fn a_device_vouches_only_for_one_of_its_own_person_that_waits_under_the_very_key() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "admin").await, world.adas_device().await);
    let (bobs, new) = (Device::new(), Device::new());
    bobs.enrol(&world, &bob).await;
    new.enrol(&world, &world.ada).await;

    let another_persons = adas.push(&world, &world.ada, &world.vouching(&adas, &bobs)).await;
    assert_eq!(
        refused(&another_persons),
        "not_eligible",
        "that takes an admin and a code"
    );
    let another_key = Endorse {
        enrol: Digest::of(b"another enrolment"),
        ..world.vouching(&adas, &new)
    };
    let another_key = adas.push(&world, &world.ada, &another_key).await;
    assert_eq!(refused(&another_key), "not_eligible");
    let by_itself = new.push(&world, &world.ada, &world.vouching(&new, &new)).await;
    assert_eq!(refused(&by_itself), "bad_signature", "it is not in service");
    let pretending = Endorse {
        by: Endorsement::Admin(world.ada.id),
        ..world.vouching(&adas, &new)
    };
    let pretending = adas.push(&world, &world.ada, &pretending).await;
    assert_eq!(
        refused(&pretending),
        "bad_signature",
        "only what it is, it can say"
    );
    let borrowed = adas.push(&world, &bob, &world.vouching(&adas, &new)).await;
    assert_eq!(refused(&borrowed), "bad_signature", "in another person's session");
    assert_eq!(world.state(&world.ada, &new).await, "waiting");

    let vouch = adas.sign(&world.vouching(&adas, &new));
    let vouched = world.push(&world.ada, &vouch).await;
    assert_eq!(vouched["effective"], true, "{vouched}");
    let size = world.entries();
    assert_eq!(
        world.push(&world.ada, &vouch).await,
        vouched,
        "the same answer for ever"
    );
    let again = adas.push(&world, &world.ada, &world.vouching(&adas, &new)).await;
    assert_eq!(refused(&again), "not_eligible", "it is in service already");
    assert_eq!(world.entries(), size + 2, "that it was refused, and what was");
}

#[tokio::test]
async fn what_a_device_signed_and_does_not_count_is_journalled_behind_its_refusal() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let bobs = world.task_by(&bob, "bob's").await;
    let (mine, new) = (world.task_by(&world.ada, "mine").await, Device::new());
    new.enrol(&world, &world.ada).await;
    let nobodys = ProposalId::from_uuid(random::uuid());

    let other_key = Endorse {
        enrol: Digest::of(b"another enrolment"),
        ..world.vouching(&adas, &new)
    };
    let unknown_withdrawal = Withdraw {
        proposal: nobodys,
        ..world.withdrawing(&adas, &world.ada, &mine)
    };
    let foreign_withdrawal = world.withdrawing(&adas, &world.ada, &bobs);
    let preview = world.previewing(&adas, &bobs, shown()).await;
    let decision = world.approval(&adas, &world.ada, &bobs, Assurance::Device).await;
    let decision: Decision = decision.body().unwrap();
    let decision = Decision {
        proposal: nobodys,
        ..decision
    };
    let records = [
        adas.sign(&other_key),
        adas.sign(&unknown_withdrawal),
        adas.sign(&foreign_withdrawal),
        adas.sign(&preview),
        adas.sign(&decision),
    ];
    for (record, reason) in records.iter().zip([
        "not_eligible",
        "unknown_proposal",
        "unknown_proposal",
        "unknown_proposal",
        "unknown_proposal",
    ]) {
        let size = world.entries();
        let answer = world.push(&world.ada, record).await;
        assert_eq!(refused(&answer), reason, "{answer}");
        let page = world.store().page(size, 10, Sight::All).await.unwrap();
        let [refuse, record] = &page.entries[..] else {
            panic!("{:?}", page.entries);
        };
        assert_eq!(refuse.kind, "refuse");
        let refuse: Refuse = refuse.record().unwrap().body().unwrap();
        assert_eq!((refuse.record, refuse.reason.code()), (record.digest, reason));
        assert!(record.signature.is_some(), "as it was signed");
        assert_eq!(answer["digest"], record.digest.to_string());
        assert_eq!(
            record.subject,
            format!("device/{}", adas.id),
            "with its device, so that no proposal's fold sees it"
        );
        assert_eq!(world.push(&world.ada, &records[0]).await["effective"], false);
        assert_eq!(world.entries(), size + 2, "once");
    }
    assert_eq!(world.status(&bobs).await, "proposed");
    assert_eq!(world.state(&world.ada, &new).await, "waiting");

    let page = world.store().page(0, 1_000, Sight::All).await.unwrap();
    let mut people = People::default();
    for entry in page
        .entries
        .iter()
        .filter(|entry| !entry.subject.starts_with("proposal/"))
    {
        let record = entry.record().unwrap();
        // What is refused is of any kind; everything else says something about people.
        people.apply(entry.at, &record).unwrap();
    }
    assert_eq!(
        people,
        *world.store().people(),
        "whoever reads the journal sees the same"
    );
    assert!(people.devices[&adas.id].is_active(), "being refused is no crime");
}

#[tokio::test]
async fn a_device_that_sends_refused_endorsements_without_end_does_not_make_the_journal_grow() {
    let world = World::new().await;
    let (adas, new) = (world.adas_device().await, Device::new());
    new.enrol(&world, &world.ada).await;
    let mut size_at = Vec::new();
    for _ in 0..80 {
        let another_key = Endorse {
            enrol: Digest::of(b"another enrolment"),
            ..world.vouching(&adas, &new)
        };
        let answer = adas.push(&world, &world.ada, &another_key).await;
        assert_eq!(refused(&answer), "not_eligible");
        size_at.push(world.entries());
    }
    assert_eq!(size_at[63], size_at[0] + 126, "up to a limit each is journalled");
    assert_eq!(size_at[79], size_at[63], "and answered all the same beyond it");
    let vouched = adas.push(&world, &world.ada, &world.vouching(&adas, &new)).await;
    assert_eq!(vouched["effective"], true, "what counts still does");
}

#[tokio::test]
async fn a_revoked_device_vouches_for_nothing() {
    let world = World::new().await;
    let (adas, new) = (world.adas_device().await, Device::new());
    new.enrol(&world, &world.ada).await;
    let vouch = world.vouching(&adas, &new);
    let revoke = format!("/api/devices/{}/revoke", adas.id);
    world.post(&world.ada, &revoke, json!({"reason": "stolen"})).await;
    let vouched = adas.push(&world, &world.ada, &vouch).await;
    assert_eq!(refused(&vouched), "device_revoked");
    assert_eq!(world.state(&world.ada, &new).await, "waiting");
}

#[tokio::test]
async fn a_person_takes_back_what_they_proposed_with_a_device_and_nobody_elses() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (mine, bobs) = (
        world.task_by(&world.ada, "mine").await,
        world.task_by(&bob, "bob's").await,
    );

    let foreign = adas
        .push(&world, &world.ada, &world.withdrawing(&adas, &world.ada, &bobs))
        .await;
    assert_eq!(refused(&foreign), "unknown_proposal");
    assert_eq!(foreign.get("status"), None, "and nothing is told of it");
    let in_bobs_name = Withdraw {
        by: Actor::User(bob.id),
        ..world.withdrawing(&adas, &world.ada, &bobs)
    };
    let in_bobs_name = adas.push(&world, &world.ada, &in_bobs_name).await;
    assert_eq!(refused(&in_bobs_name), "bad_signature");
    assert_eq!(world.status(&bobs).await, "proposed");

    let withdraw = adas.sign(&world.withdrawing(&adas, &world.ada, &mine));
    let taken = world.push(&world.ada, &withdraw).await;
    assert_eq!(
        (&taken["effective"], &taken["status"]),
        (&json!(true), &json!("withdrawn"))
    );
    assert_eq!(
        world.push(&world.ada, &withdraw).await,
        taken,
        "the same answer for ever"
    );
    let again = adas
        .push(&world, &world.ada, &world.withdrawing(&adas, &world.ada, &mine))
        .await;
    assert_eq!(refused(&again), "withdrawn");
    assert_eq!(world.approve(&bob, &mine).await.refusal(), (409, "withdrawn"));
}

#[tokio::test]
async fn an_agents_owner_takes_its_proposal_back() {
    let world = World::new().await;
    let adas = world.adas_device().await;
    let created = world
        .post(
            &world.ada,
            "/api/agents",
            json!({"name": "assistant", "personal": true}),
        )
        .await;
    let key = Person {
        id: world.ada.id,
        token: created.text("apiKey").to_owned(),
    };
    let proposal = world.task_by(&key, "for ada").await;
    let taken = adas
        .push(
            &world,
            &world.ada,
            &world.withdrawing(&adas, &world.ada, &proposal),
        )
        .await;
    assert_eq!(taken["status"], "withdrawn", "{taken}");
}

#[tokio::test]
async fn a_call_over_a_devices_connection_is_approved_once_that_device_has_looked() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (_, proposal) = world.proposed(adas.id).await;
    assert_eq!(
        world.approve(&bob, &proposal).await.refusal(),
        (409, "view_mismatch"),
        "there is nothing to see yet"
    );
    let other = Device::new();
    other.enrol(&world, &world.ada).await;
    adas.push(&world, &world.ada, &world.vouching(&adas, &other))
        .await;
    let not_the_holder = world.preview(&other, &proposal, shown()).await;
    assert_eq!(refused(&not_the_holder), "unknown_proposal");
    let of_other_bytes = Preview {
        proposal_digest: Digest::of(b"something else"),
        ..world.previewing(&adas, &proposal, shown()).await
    };
    let of_other_bytes = adas.push(&world, &world.ada, &of_other_bytes).await;
    assert_eq!(refused(&of_other_bytes), "digest_mismatch");

    let preview = world.preview(&adas, &proposal, shown()).await;
    assert_eq!(
        (&preview["effective"], &preview["status"]),
        (&json!(true), &json!("proposed"))
    );
    let unavailable = PreviewOutcome::Unavailable {
        reason: "changed my mind".to_owned(),
    };
    let second = world.preview(&adas, &proposal, unavailable).await;
    assert_eq!(
        refused(&second),
        "too_late",
        "what people saw does not change under them"
    );
    assert_eq!(world.approve(&bob, &proposal).await.text("status"), "pending");
}

#[tokio::test]
async fn when_no_preview_comes_within_a_minute_it_is_said_so_and_the_call_is_riskier() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (_, proposal) = world.proposed(adas.id).await;
    let path = format!("/api/assistant/proposals/{proposal}");
    world.pass(Millis::seconds(59));
    assert_eq!(
        world.approve(&bob, &proposal).await.refusal(),
        (409, "view_mismatch")
    );
    assert_eq!(world.get(&bob, &path).await.text("risk"), "medium");
    world.pass(Millis::seconds(1));
    assert_eq!(
        world.approve(&bob, &proposal).await.refusal(),
        (403, "assurance_too_low"),
        "of a high risk a session is not enough"
    );
    let detail = world.get(&bob, &path).await;
    assert_eq!(detail.text("risk"), "high");
    assert_eq!(detail.body["policy"]["requirement"]["assurance"], "device");
    let listed = world.get(&bob, "/api/assistant/proposals?risk=high").await;
    assert_eq!(listed.list("proposals")[0]["id"], proposal, "also in the list");
    let late = world.preview(&adas, &proposal, shown()).await;
    assert_eq!(refused(&late), "too_late");
    let record = world
        .approval(&adas, &world.ada, &proposal, Assurance::Device)
        .await;
    let approved = world.push(&world.ada, &record).await;
    assert_eq!(approved["status"], "pending", "a device is: {approved}");
}

#[tokio::test]
async fn a_holder_that_cannot_look_says_so_and_the_call_is_riskier() {
    let world = World::new().await;
    let adas = world.adas_device().await;
    let (_, proposal) = world.proposed(adas.id).await;
    let unavailable = PreviewOutcome::Unavailable {
        reason: "This version does not have that version of the tool.".to_owned(),
    };
    assert_eq!(
        world.preview(&adas, &proposal, unavailable).await["effective"],
        true
    );
    let detail = world
        .get(&world.ada, &format!("/api/assistant/proposals/{proposal}"))
        .await;
    assert_eq!(detail.text("risk"), "high");
    assert_eq!(
        detail.body["policy"]["requirement"]["assurance"], "device",
        "and policy was asked again"
    );
}

impl World {
    /// An approval as a device signs it, of the card as the server has it.
    pub(super) async fn approval(
        &self,
        device: &Device,
        person: &Person,
        proposal: &str,
        assurance: Assurance,
    ) -> Record {
        device.sign(&self.approving(device, person, proposal, assurance).await)
    }

    /// What it says.
    pub(super) async fn approving(
        &self,
        device: &Device,
        person: &Person,
        proposal: &str,
        assurance: Assurance,
    ) -> Decision {
        let id: ProposalId = proposal.parse().unwrap();
        let tenant = self.store();
        let bodies = tenant.proposal_bodies(id).await.unwrap().unwrap();
        let views = crate::cards::views(&self.server.app().rules().registry, &tenant, &bodies).unwrap();
        let state = &bodies.stored.state;
        Decision {
            approver: person.id,
            assurance,
            checkpoint: None,
            comment: Some("x".repeat(2_000)),
            decided_at: self.clock.now(),
            device: Some(device.id),
            device_seq: device.next(),
            expires_at: state.expires_at,
            id: DecisionId::from_uuid(random::uuid()),
            nonce: random::nonce(),
            offline: false,
            preview: state.preview,
            previous: None,
            proposal: id,
            proposal_digest: state.digest,
            renderer: RENDERER,
            retracts: None,
            tenant: self.acme,
            verdict: Verdict::Approve,
            view: views[0].1,
        }
    }
}

impl World {
    /// The answers to envelopes that come together.
    async fn push_all(&self, person: &Person, envelopes: &[Value]) -> Vec<Value> {
        let answer = self
            .post(person, "/api/records", json!({"records": envelopes}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.list("results").to_vec()
    }
}

#[tokio::test]
async fn records_that_come_together_are_answered_in_their_order_each_by_itself() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let mut envelopes = Vec::new();
    for title in ["one", "two", "three"] {
        let proposal = world.task_by(&bob, title).await;
        let record = world
            .approval(&adas, &world.ada, &proposal, Assurance::Device)
            .await;
        envelopes.push(json!(record.to_envelope()));
    }
    let (mut unknown, mut malformed) = (envelopes[0].clone(), envelopes[0].clone());
    unknown["payloadType"] = json!("application/vnd.countersign.oath.v1+json");
    malformed["payload"] = json!("e30=");
    envelopes.insert(1, unknown);
    envelopes.insert(3, malformed);
    let answers = world.push_all(&world.ada, &envelopes).await;
    let reasons: Vec<_> = answers.iter().map(|answer| &answer["reason"]).collect();
    let none = Value::Null;
    assert_eq!(
        reasons,
        [&none, &json!("unknown_kind"), &none, &json!("malformed"), &none]
    );
    for (envelope, answer) in envelopes.iter().zip(&answers) {
        let envelope: countersign_domain::dsse::Envelope = serde_json::from_value(envelope.clone()).unwrap();
        assert_eq!(answer["digest"], envelope.digest().to_string());
    }
    assert_eq!(
        world.push_all(&world.ada, &envelopes[2..]).await,
        answers[2..],
        "and the same again, for ever"
    );
}

#[tokio::test]
async fn a_signed_body_that_says_of_a_member_that_it_is_null_is_malformed_and_the_others_count() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let mut envelopes = Vec::new();
    for title in ["one", "two"] {
        let proposal = world.task_by(&bob, title).await;
        let record = world
            .approval(&adas, &world.ada, &proposal, Assurance::Device)
            .await;
        envelopes.push(record.to_envelope());
    }
    let mut body = canonical::parse(&envelopes[0].payload).unwrap();
    let canonical::Value::Object(members) = &mut body else {
        unreachable!("a body is an object");
    };
    members.insert("retracts", canonical::Value::Null);
    let body = canonical::to_vec(&body).unwrap();
    envelopes[0] = adas.key().sign(&envelopes[0].payload_type, body);
    let envelopes = envelopes.iter().map(|envelope| json!(envelope));
    let answers = world.push_all(&world.ada, &envelopes.collect::<Vec<_>>()).await;
    assert_eq!(answers[0]["reason"], "malformed", "{answers:?}");
    assert_eq!(answers[1]["effective"], true, "{answers:?}");
}

#[tokio::test]
async fn a_preview_and_the_approval_that_names_it_may_come_together() {
    let world = World::new().await;
    let adas = world.adas_device().await;
    let (_, proposal) = world.proposed(adas.id).await;
    let preview = world.previewing(&adas, &proposal, shown()).await;
    let before: Decision = world
        .approval(&adas, &world.ada, &proposal, Assurance::Device)
        .await
        .body()
        .unwrap();
    let tenant = world.store();
    let mut bodies = tenant.proposal_bodies(before.proposal).await.unwrap().unwrap();
    bodies.preview = Some(preview.clone());
    let views = crate::cards::views(&world.server.app().rules().registry, &tenant, &bodies).unwrap();
    assert_ne!(views[0].1, before.view, "the preview is on the card");
    let preview = adas.sign(&preview);
    let approval = adas.sign(&Decision {
        preview: Some(preview.digest),
        view: views[0].1,
        ..before
    });
    let together = [json!(preview.to_envelope()), json!(approval.to_envelope())];
    let answers = world.push_all(&world.ada, &together).await;
    assert_eq!(answers[0]["effective"], true, "{answers:?}");
    assert_eq!(answers[1]["status"], "pending", "{answers:?}");
}

#[tokio::test]
async fn a_device_that_sends_refused_decisions_without_end_does_not_make_the_proposal_grow() {
    let world = World::new().await;
    let adas = world.adas_device().await;
    let proposal = world.task_by(&world.ada, "her own").await;
    let mut size_at = Vec::new();
    for _ in 0..200 {
        let record = world
            .approval(&adas, &world.ada, &proposal, Assurance::Device)
            .await;
        assert_eq!(refused(&world.push(&world.ada, &record).await), "self_approval");
        size_at.push(world.entries());
    }
    assert!(size_at[0] < size_at[40], "refused decisions are journalled");
    assert_eq!(
        size_at[100], size_at[199],
        "up to a limit, and answered all the same"
    );
    let bob = world.join("bob", "approver").await;
    assert_eq!(
        world.approve(&bob, &proposal).await.text("status"),
        "pending",
        "and what counts still does"
    );
}

#[tokio::test]
async fn what_one_person_approved_of_their_own_does_not_count_in_a_company() {
    let world = World::with(Mode::Solo).await;
    let adas = world.adas_device().await;
    let (_, agents) = world.proposed(adas.id).await;
    let call = json!({"toolId": "http.request", "input": {"method": "GET", "path": "/v1/mine"}});
    let own = world.post(&world.ada, "/api/assistant/propose", call).await;
    let own = own.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned();
    for proposal in [&agents, &own] {
        world.preview(&adas, proposal, shown()).await;
        let approval = world
            .approval(&adas, &world.ada, proposal, Assurance::DeviceConfirmed)
            .await;
        assert_eq!(world.push(&world.ada, &approval).await["status"], "pending");
    }
    world.join("auditor", "auditor").await;
    assert_eq!(
        world.status(&own).await,
        "pending",
        "one person still decides alone"
    );
    world.join("bob", "approver").await;
    assert_eq!(world.status(&own).await, "proposed", "bob has to look at it");
    assert_eq!(
        world.status(&agents).await,
        "pending",
        "the tenant's own agent is nobody's own"
    );
    let detail = world
        .get(&world.ada, &format!("/api/assistant/proposals/{own}"))
        .await;
    assert_eq!(detail.list("decisions")[0]["void"], "self_approval");
}

#[tokio::test]
async fn a_change_of_role_that_makes_it_a_company_counts_as_well() {
    let world = World::with(Mode::Solo).await;
    let adas = world.adas_device().await;
    let (connection, _) = world.proposed(adas.id).await;
    let call = json!({
        "toolId": "http.request",
        "connection": connection,
        "input": {"method": "GET", "path": "/v1/mine"},
    });
    let own = world.post(&world.ada, "/api/assistant/propose", call).await;
    let own = own.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned();
    world.preview(&adas, &own, shown()).await;
    let approval = world
        .approval(&adas, &world.ada, &own, Assurance::DeviceConfirmed)
        .await;
    world.push(&world.ada, &approval).await;
    let bob = world.join("bob", "member").await;
    assert_eq!(world.status(&own).await, "pending");
    let path = format!("/api/members/{}", bob.id);
    world.patch(&world.ada, &path, json!({"role": "admin"})).await;
    assert_eq!(world.status(&own).await, "proposed");
}

#[tokio::test]
async fn what_an_executor_says_hides_nothing_and_is_short() {
    let world = World::new().await;
    let adas = world.adas_device().await;
    let (_, proposal) = world.proposed(adas.id).await;
    let path = format!("/api/executions/{proposal}/complete");
    let receipt = |summary: &str, message: &str| Receipt {
        attempts: None,
        device_seq: adas.next(),
        dispatched: true,
        effect: None,
        executor: Holder::Device(adas.id),
        failure: Some(Failure {
            code: "refused".to_owned(),
            message: message.to_owned(),
        }),
        fence: 1,
        finished_at: world.clock.now(),
        nonce: random::nonce(),
        outcome: Outcome::Failed,
        previous: None,
        proposal: proposal.parse().unwrap(),
        proposal_digest: Digest::of(b"of something"),
        reference: None,
        result: None,
        started_at: world.clock.now(),
        summary: summary.to_owned(),
    };
    let long = "x".repeat(501);
    for (summary, message) in [
        ("Sent\u{202E}", "no"),
        ("no", "zero\u{200B}width"),
        ("two\nlines", "no"),
        (&long, "no"),
    ] {
        let record = adas.sign(&receipt(summary, message)).to_envelope();
        let refused = world.post(&world.ada, &path, json!({"record": record})).await;
        assert_eq!(
            refused.refusal(),
            (400, "invalid_field"),
            "{summary:?} {message:?}"
        );
    }
    let plain = adas.sign(&receipt("The server said no", "no")).to_envelope();
    let answer = world.post(&world.ada, &path, json!({"record": plain})).await;
    assert_eq!(
        answer.refusal(),
        (409, "wrong_state"),
        "only that it never began stands in the way"
    );
}

#[tokio::test]
async fn a_device_that_finds_drift_under_its_lease_ends_it_for_good() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (_, proposal) = world.proposed(adas.id).await;
    world.preview(&adas, &proposal, shown()).await;
    world.approve(&bob, &proposal).await;
    world.pass(Millis::seconds(11));
    let path = format!("/api/executions/{proposal}/refuse");
    let refuse = |fence: u64| json!({"device": adas.id, "fence": fence, "reason": "The tool has changed."});
    let before = world.post(&world.ada, &path, refuse(1)).await;
    assert_eq!(before.refusal(), (409, "fenced"), "there is no lease yet");
    let fence = world.claim(&adas).await.list("leases")[0]["fence"]
        .as_u64()
        .unwrap();
    let stale = world.post(&world.ada, &path, refuse(fence + 1)).await;
    assert_eq!(stale.refusal(), (409, "fenced"));
    let foreign = world.post(&bob, &path, refuse(fence)).await;
    assert_eq!(foreign.refusal(), (404, "not_found"), "it is ada's device");
    for why in [" ", "The tool\u{202E} has changed.", &"x".repeat(501)] {
        let unfit = json!({"device": adas.id, "fence": fence, "reason": why});
        let refused = world.post(&world.ada, &path, unfit).await;
        assert_eq!(refused.status, 400, "everybody would read {why:?} on the card");
    }
    assert_eq!(world.status(&proposal).await, "pending");

    let refused = world.post(&world.ada, &path, refuse(fence)).await;
    assert_eq!((refused.status, refused.text("status")), (200, "superseded"));
    let detail = world
        .get(&bob, &format!("/api/assistant/proposals/{proposal}"))
        .await;
    assert_eq!(detail.text("closed"), "The tool has changed.");
    world.pass(Millis::seconds(120));
    assert_eq!(
        world.claim(&adas).await.list("leases").len(),
        0,
        "nor is it leased again"
    );
    let again = world.post(&world.ada, &path, refuse(fence)).await;
    assert_eq!(again.refusal(), (409, "fenced"));
}

#[tokio::test]
async fn a_call_that_would_do_otherwise_by_now_is_made_again_and_asks_again() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (_, old) = world.proposed(adas.id).await;
    world.preview(&adas, &old, shown()).await;
    world.approve(&bob, &old).await;
    world.pass(Millis::seconds(11));
    let lease = world.claim(&adas).await.list("leases")[0].clone();
    let reason = "What the call would do is not what people were shown.";
    let refusal = json!({"device": adas.id, "fence": lease["fence"], "reason": reason, "renew": true});
    let path = format!("/api/executions/{old}/refuse");
    let refused = world.post(&world.ada, &path, refusal).await;
    assert_eq!((refused.status, refused.text("status")), (200, "superseded"));

    let detail = async |id: &str| world.get(&bob, &format!("/api/assistant/proposals/{id}")).await;
    let closed = detail(&old).await;
    assert_eq!(
        closed.text("closed"),
        format!("{reason} The request was made again")
    );
    let new = closed.text("supersededBy").to_owned();
    let made = detail(&new).await;
    assert_eq!(
        (made.text("status"), made.text("supersedes")),
        ("proposed", old.as_str()),
        "no approval carries over"
    );
    assert_eq!(made.body["input"], closed.body["input"], "the same request");
    assert_eq!(made.body["proposer"], closed.body["proposer"]);
    world.pass(Millis::seconds(61));
    assert_eq!(world.claim(&adas).await.list("leases").len(), 0, "neither runs");

    world.preview(&adas, &new, shown()).await;
    assert_eq!(world.approve(&bob, &new).await.text("status"), "pending");
}

#[tokio::test]
async fn the_call_that_begins_names_the_preview_that_was_approved() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (_, proposal) = world.proposed(adas.id).await;
    world.preview(&adas, &proposal, shown()).await;
    world.approve(&bob, &proposal).await;
    world.pass(Millis::seconds(11));
    let path = format!("/api/executions/{proposal}/begin");
    let begin = async |preview: Option<Digest>| {
        let lease = world.claim(&adas).await.list("leases")[0].clone();
        let begin = Begin {
            at: world.clock.now(),
            authority: serde_json::from_value(lease["authority"].clone()).unwrap(),
            device_seq: adas.next(),
            executor: Holder::Device(adas.id),
            fence: lease["fence"].as_u64().unwrap(),
            nonce: random::nonce(),
            preview,
            previous: None,
            proposal: proposal.parse().unwrap(),
            proposal_digest: world.digest(&proposal).await,
        };
        let record = json!({"record": adas.sign(&begin).to_envelope()});
        world.post(&world.ada, &path, record).await
    };
    for wrong in [None, Some(Digest::of(b"another preview"))] {
        assert_eq!(begin(wrong).await.refusal(), (409, "digest_mismatch"));
    }
    let right = begin(world.shown(&proposal).await).await;
    assert_eq!(right.text("status"), "running", "{right:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_approvals_of_one_proposal_at_once_one_takes_effect() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (_, proposal) = world.proposed(adas.id).await;
    world.preview(&adas, &proposal, shown()).await;
    let calls: Vec<_> = (0..1_000)
        .map(|_| tokio::spawn(world.approve_call(&bob, &proposal).into_future()))
        .collect();
    let mut effective = 0;
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status == 200 {
            effective += 1;
        } else {
            assert_eq!(answer.refusal(), (409, "decided"), "everyone is told");
            assert_eq!(answer.text("currentStatus"), "pending");
        }
    }
    assert_eq!(effective, 1);
    let detail = world
        .get(&bob, &format!("/api/assistant/proposals/{proposal}"))
        .await;
    assert_eq!(detail.list("decisions").len(), 1);
    world.pass(Millis::seconds(11));
    assert_eq!(world.claim(&adas).await.list("leases").len(), 1);
}
