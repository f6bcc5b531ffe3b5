//! What becomes of a request whose tool or connection has changed: made again, and asked about again.

use countersign_domain::{
    Digest,
    canonical::{Object, Value},
    fold::{FoldError, Status},
    id::{ConnectionId, ProposalId},
    record::{
        Assurance, ConnectionRef, EffectClass, Holder, Kind, PolicyDecision, Proposal, Renewal, Risk, ToolRef,
    },
};
use proptest::prelude::*;

use crate::{
    samples,
    support::{Story, at, device, needs, nonce, uuid},
};

fn renewals() -> impl Strategy<Value = Renewal> {
    let risk = prop::sample::select(Risk::ALL.to_vec());
    let effect = prop::sample::select(vec![
        EffectClass::Read,
        EffectClass::Idempotent,
        EffectClass::Opaque,
    ]);
    (any::<[u8; 8]>(), any::<bool>(), 0..1_000_000_i64, risk, effect).prop_map(
        |(bytes, connected, later, risk, effect)| Renewal {
            args: Value::Object(Object::from_iter([("path", format!("{bytes:?}"))])),
            connection: connected.then(|| ConnectionRef {
                config: Digest::of(&bytes),
                holder: Holder::Device(device(2)),
                id: ConnectionId::from_uuid(uuid(0x700)),
            }),
            created_at: at(later),
            effect,
            id: ProposalId::from_uuid(uuid(0x999)),
            nonce: nonce(77),
            risk,
            risk_reasons: vec!["The connection reaches further.".to_owned()],
            tool: ToolRef {
                id: "http.request".to_owned(),
                manifest: Digest::of(b"newer"),
                version: "2.0.0".to_owned(),
            },
        },
    )
}

proptest! {
    #[test]
    fn a_successor_is_the_same_request_of_the_same_proposer_and_lives_no_longer(
        renewal in renewals(),
        end in 1..2_000_000_i64,
    ) {
        let old = Proposal { expires_at: at(end), ..samples::proposal() };
        let new = old.renewed(renewal.clone());
        prop_assert_eq!(new.supersedes, Some(old.id));
        prop_assert_eq!(
            (&new.proposer, &new.untrusted, new.expires_at, new.not_before, new.retry_of, new.tenant),
            (&old.proposer, &old.untrusted, old.expires_at, old.not_before, old.retry_of, old.tenant),
            "what the proposer said stays as it was"
        );
        let made = Renewal {
            args: new.args.clone(),
            connection: new.connection.clone(),
            created_at: new.created_at,
            effect: new.effect,
            id: new.id,
            nonce: new.nonce,
            risk: new.risk,
            risk_reasons: new.risk_reasons.clone(),
            tool: new.tool.clone(),
        };
        prop_assert_eq!(made, renewal, "and what has changed is as it is");
    }
}

#[test]
fn what_was_decided_about_a_proposal_says_nothing_about_its_successor() {
    let mut story = Story::needing(needs(1, Assurance::Session));
    story.approve(at(1), 1);
    assert_eq!(story.state().recorded_status(), Status::Pending);
    let successor = story.proposal.renewed(Renewal {
        args: story.proposal.args.clone(),
        connection: None,
        created_at: at(2),
        effect: story.proposal.effect,
        id: ProposalId::from_uuid(uuid(0x301)),
        nonce: nonce(78),
        risk: story.proposal.risk,
        risk_reasons: Vec::new(),
        tool: story.proposal.tool.clone(),
    });
    let approval = story
        .entries
        .iter()
        .find(|(_, record)| record.kind == Kind::Decision);
    let (entered, approval) = approval.unwrap();
    let mut next = Story {
        proposal: successor,
        entries: Vec::new(),
    };
    let mut state = next.state();
    assert_eq!(
        state.apply(101, *entered, approval),
        Err(FoldError::NotOurs(Kind::Decision)),
        "an approval is about one proposal"
    );
    next.rule(
        at(2),
        PolicyDecision::RequiresApproval,
        needs(1, Assurance::Session),
    );
    assert_eq!(
        next.state().recorded_status(),
        Status::Proposed,
        "people are asked again"
    );
}
