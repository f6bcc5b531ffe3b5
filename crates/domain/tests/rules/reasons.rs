//! Every reason for which a decision does not count, each provoked in at least six ways.

use countersign_domain::{
    Millis, UnixMillis,
    id::{ProposalId, TenantId},
    record::{Assurance, Lapse, Mode, Outcome, PolicyDecision, Reason, Role, Verdict},
};

use crate::{
    scene::{Scene, Spoil, late},
    support::{at, device, digest, key, needs, nonce, person, uuid},
};

#[test]
fn every_reason_is_given_exactly_when_it_applies() {
    let table = table();
    let mut reasons: Vec<_> = table.iter().map(|(reason, _)| *reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons.len(), 15, "each reason of design §5 is here");
    for (reason, ways) in table {
        assert!(ways.len() >= 6, "{reason:?} has too few ways");
        for (number, spoil) in ways.into_iter().enumerate() {
            let mut scene = Scene::approval();
            spoil(&mut scene);
            assert_eq!(scene.verdict(), Some(reason), "way {number} to {reason:?}");
        }
    }
}

/// Names, in each group, ways to be refused for one reason.
fn table() -> Vec<(Reason, Vec<Spoil>)> {
    use Verdict::{Reject, Retract};
    vec![
        (
            Reason::BadSignature,
            vec![
                |s| s.world.key = key(2),
                |s| s.world.device = None,
                |s| s.device().key = key(2).public_key(),
                |s| s.device().user = person(2),
                |s| s.decision.approver = person(2),
                |s| s.decision.device = None,
                |s| {
                    s.session();
                    s.world.session = Some(person(2));
                },
                |s| {
                    s.session();
                    s.decision.assurance = Assurance::Device;
                },
                |s| {
                    s.session();
                    s.decision.device = Some(device(1));
                },
                |s| {
                    s.session();
                    s.decision.device_seq = Some(1);
                },
            ],
        ),
        (
            Reason::DeviceRevoked,
            vec![
                |s| s.device().revoked = true,
                |s| {
                    s.device().revoked = true;
                    s.says(Reject);
                },
                |s| {
                    s.device().revoked = true;
                    s.says(Retract);
                },
                |s| {
                    s.device().revoked = true;
                    s.decision.decided_at = UnixMillis(0);
                },
                |s| {
                    s.device().revoked = true;
                    s.world.role = Some(Role::Owner);
                },
                |s| {
                    s.device().revoked = true;
                    s.decision.offline = true;
                },
            ],
        ),
        (
            Reason::Fork,
            vec![
                |s| s.device().forked = true,
                |s| s.device().last_seq = 1,
                |s| s.device().last_seq = 2,
                |s| s.decision.device_seq = None,
                |s| s.decision.device_seq = Some(0),
                |s| {
                    s.device().last_seq = 1;
                    s.says(Reject);
                },
            ],
        ),
        (
            Reason::UnknownProposal,
            vec![
                |s| s.world.state = None,
                |s| s.decision.tenant = TenantId::from_uuid(uuid(2)),
                |s| s.world.tenant = TenantId::from_uuid(uuid(2)),
                |s| s.decision.proposal = ProposalId::from_uuid(uuid(0x301)),
                |s| {
                    s.says(Reject);
                    s.world.state = None;
                },
                |s| {
                    s.session();
                    s.decision.tenant = TenantId::from_uuid(uuid(2));
                },
            ],
        ),
        (
            Reason::DigestMismatch,
            vec![
                |s| s.decision.proposal_digest = digest("another"),
                |s| s.world.state.as_mut().unwrap().digest = digest("another"),
                |s| s.decision.proposal_digest = s.decision.view,
                |s| {
                    s.says(Reject);
                    s.decision.proposal_digest = digest("another");
                },
                |s| {
                    s.session();
                    s.decision.proposal_digest = digest("another");
                },
                // One argument, one proposer, one expiry: other bytes, whoever agreed to the first.
                |s| s.meanwhile(|story| story.proposal.proposer.name = "another".to_owned()),
                |s| s.meanwhile(|story| story.proposal.nonce = nonce(9)),
            ],
        ),
        (
            Reason::NotEligible,
            vec![
                |s| s.world.role = None,
                |s| s.world.role = Some(Role::Member),
                |s| s.world.role = Some(Role::Auditor),
                |s| {
                    s.world.role = None;
                    s.says(Reject);
                },
                |s| {
                    s.world.role = Some(Role::Member);
                    s.says(Retract);
                },
                |s| {
                    s.world.role = Some(Role::Auditor);
                    s.session();
                },
            ],
        ),
        (
            Reason::SelfApproval,
            vec![
                |s| {
                    s.proposed_by_person(1);
                    s.decision.proposal_digest = s.story.digest();
                },
                |s| {
                    s.meanwhile(|story| story.proposal.proposer.on_behalf_of = Some(person(1)));
                    s.decision.proposal_digest = s.story.digest();
                },
                |s| s.world.agent_owner = Some(person(1)),
                |s| {
                    s.world.agent_owner = Some(person(1));
                    s.session();
                },
                |s| {
                    s.world.agent_owner = Some(person(1));
                    s.world.role = Some(Role::Owner);
                },
                |s| {
                    s.world.agent_owner = Some(person(1));
                    s.decision.offline = true;
                },
            ],
        ),
        (
            Reason::Expired,
            vec![
                |s| late(s, 0),
                |s| late(s, 1),
                |s| {
                    late(s, 0);
                    s.says(Reject);
                },
                |s| {
                    late(s, 0);
                    s.says(Retract);
                },
                Scene::expire_entry,
                |s| s.decision.expires_at = s.world.now,
                |s| s.decision.expires_at = s.world.now + Millis(-1),
            ],
        ),
        (
            Reason::Decided,
            vec![
                Scene::already_approved,
                Scene::rejected,
                |s| {
                    s.rejected();
                    s.says(Reject);
                },
                |s| {
                    s.meanwhile(|story| {
                        story.approve(at(1), 2);
                        story.approve(at(2), 3);
                    });
                },
                |s| s.says(Retract),
                |s| {
                    s.says(Retract);
                    s.meanwhile(|story| {
                        story.approve(at(1), 2);
                    });
                    s.decision.retracts = Some(s.story.entries[1].1.digest);
                },
                |s| {
                    s.says(Retract);
                    s.already_approved();
                    let own = s.story.entries[1].1.digest;
                    s.meanwhile(|story| {
                        story.retract(at(2), 1, own);
                    });
                    s.decision.retracts = Some(own);
                },
            ],
        ),
        (
            Reason::Superseded,
            vec![
                Scene::superseded,
                |s| {
                    s.superseded();
                    s.says(Reject);
                },
                |s| {
                    s.superseded();
                    s.says(Retract);
                },
                |s| {
                    s.superseded();
                    s.session();
                },
                |s| {
                    s.already_approved();
                    s.superseded();
                },
                |s| {
                    s.superseded();
                    late(s, 1);
                },
            ],
        ),
        (
            Reason::Withdrawn,
            vec![
                Scene::withdrawn,
                |s| {
                    s.withdrawn();
                    s.says(Reject);
                },
                |s| {
                    s.withdrawn();
                    s.says(Retract);
                },
                |s| {
                    s.withdrawn();
                    s.session();
                },
                |s| {
                    s.already_approved();
                    s.withdrawn();
                },
                |s| {
                    s.withdrawn();
                    late(s, 1);
                },
            ],
        ),
        (
            Reason::TooLate,
            vec![
                Scene::begun,
                |s| {
                    s.begun();
                    s.says(Reject);
                },
                |s| {
                    s.begun();
                    s.says(Retract);
                },
                |s| {
                    s.begun();
                    s.meanwhile(|story| {
                        story.receipt(at(2), 1, Outcome::Completed);
                    });
                },
                |s| {
                    s.begun();
                    s.meanwhile(|story| {
                        let proposal = story.proposal.id;
                        story.enter(
                            at(2),
                            &Lapse {
                                at: at(2),
                                fence: 1,
                                proposal,
                            },
                        );
                    });
                },
                |s| {
                    s.begun();
                    late(s, 1);
                    s.says(Reject);
                },
            ],
        ),
        (
            Reason::DeniedByPolicy,
            vec![
                Scene::denied,
                |s| {
                    s.denied();
                    s.says(Reject);
                },
                |s| {
                    s.denied();
                    s.says(Retract);
                },
                |s| {
                    s.denied();
                    s.session();
                },
                |s| {
                    s.already_approved();
                    s.denied();
                },
                |s| {
                    s.denied();
                    late(s, 1);
                },
            ],
        ),
        (
            Reason::ViewMismatch,
            vec![
                |s| s.decision.view = digest("another card"),
                |s| s.decision.renderer = 2,
                |s| s.world.views.clear(),
                |s| s.world.views = vec![(2, digest("card")), (1, digest("another card"))],
                |s| s.decision.preview = Some(digest("a preview")),
                |s| s.world.state.as_mut().unwrap().preview = Some(digest("a preview")),
            ],
        ),
        (
            Reason::AssuranceTooLow,
            vec![
                Scene::session,
                |s| s.decision.assurance = Assurance::Session,
                |s| {
                    s.meanwhile(|story| {
                        story.rule(
                            at(1),
                            PolicyDecision::RequiresApproval,
                            needs(1, Assurance::DeviceConfirmed),
                        );
                    });
                    s.decision.assurance = Assurance::Device;
                },
                |s| {
                    s.world.state.as_mut().unwrap().policy = None;
                    s.decision.assurance = Assurance::Device;
                },
                |s| {
                    s.world.mode = Mode::Solo;
                    s.world.agent_owner = Some(person(1));
                    s.decision.assurance = Assurance::Device;
                },
                |s| {
                    s.world.mode = Mode::Solo;
                    s.world.agent_owner = Some(person(1));
                    s.session();
                },
            ],
        ),
    ]
}
