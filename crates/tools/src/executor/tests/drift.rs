//! What was changed since it was approved does not run.

use super::*;

fn drift(executed: Result<Executed, ExecuteError>) -> Drift {
    match executed {
        Ok(Executed::Drifted(drift)) => drift,
        other => panic!("no drift: {other:?}"),
    }
}

#[tokio::test]
async fn changed_bytes_are_found_before_begin() {
    type Case = (&'static str, fn(&mut Stored), fn(&Drift) -> bool);
    let changes: [Case; 9] = [
        (
            "other arguments under the old digest",
            |stored| {
                let mut proposal: Proposal = stored.proposal.body().unwrap();
                proposal.args = Object::from_iter([("word", "goodbye")]).into();
                let digest = stored.proposal.digest;
                stored.proposal = Record::unsigned(&proposal).unwrap();
                stored.proposal.digest = digest;
            },
            |drift| *drift == Drift::Proposal,
        ),
        (
            "another proposal with its own digest",
            |stored| {
                let mut proposal: Proposal = stored.proposal.body().unwrap();
                proposal.args = Object::from_iter([("word", "goodbye")]).into();
                stored.proposal = Record::unsigned(&proposal).unwrap();
            },
            |drift| *drift == Drift::Proposal,
        ),
        (
            "another configuration",
            |stored| stored.connection = Some(connection(r#"{"host":"evil.example"}"#)),
            |drift| *drift == Drift::Connection,
        ),
        (
            "a removed connection",
            |stored| stored.connection.as_mut().unwrap().removed = true,
            |drift| *drift == Drift::Connection,
        ),
        (
            "no connection",
            |stored| stored.connection = None,
            |drift| *drift == Drift::Connection,
        ),
        (
            "no approval",
            |stored| stored.approvals.clear(),
            |drift| matches!(drift, Drift::Approval(_)),
        ),
        (
            "an approval whose signature was taken off",
            |stored| stored.approvals[0].record.signature = None,
            |drift| matches!(drift, Drift::Signature(_)),
        ),
        (
            "an approval signed by another key",
            |stored| stored.approvals[0].key = Some(SigningKey::from_seed(&[1; 32]).public_key()),
            |drift| matches!(drift, Drift::Signature(_)),
        ),
        (
            "an approval that names a device nobody knows",
            |stored| stored.approvals[0].key = None,
            |drift| matches!(drift, Drift::Signature(_)),
        ),
    ];
    for (what, change, expected) in changes {
        let world = world(Behaviour::Complete).tampered(change);
        let found = drift(world.run().await);
        assert!(expected(&found), "{what}: {found:?}");
        assert_eq!(world.log(), ["stored", "refuse"], "{what}");
    }
}

#[tokio::test]
async fn bytes_that_change_after_begin_are_failed_and_not_dispatched() {
    let mut world = world(Behaviour::Complete);
    let mut changed = world.ledger.stored.lock().unwrap().clone();
    changed.connection = Some(connection(r#"{"host":"evil.example"}"#));
    world.ledger.after_intent = Some(changed);
    let completion = ended(world.run().await);
    assert_eq!(world.runs(), 0, "what runs is what was shown");
    assert_eq!(
        (completion.outcome, completion.dispatched),
        (Outcome::Failed, false)
    );
}

#[tokio::test]
async fn a_call_of_another_tool_version_executor_effect_or_schema_does_not_run() {
    type Case = (fn(&mut Proposal), Drift);
    let cases: [Case; 4] = [
        (
            |proposal| proposal.tool.manifest = Digest::of(b"older"),
            Drift::Manifest,
        ),
        (|proposal| proposal.tool.id = "test.gone".into(), Drift::NoTool),
        (|proposal| proposal.effect = EffectClass::Read, Drift::Effect),
        (
            |proposal| proposal.connection.as_mut().unwrap().holder = Holder::Tenant,
            Drift::Executor,
        ),
    ];
    for (change, expected) in cases {
        let world = world_of(EffectClass::Opaque, Behaviour::Complete, change);
        assert_eq!(drift(world.run().await), expected);
        assert_eq!(world.runs(), 0);
    }
    let world = world_of(EffectClass::Opaque, Behaviour::Complete, |proposal| {
        proposal.args = Object::from_iter([("word", Value::Integer(1))]).into();
    });
    assert!(
        matches!(drift(world.run().await), Drift::Arguments(_)),
        "checked again, also by a device"
    );
}

#[tokio::test]
async fn a_call_begins_when_its_preview_comes_out_as_it_was_shown_and_names_it() {
    let world = world(Behaviour::Complete).shown(foreseen("hello"));
    ended(world.run().await);
    assert_eq!(world.runs(), 1);
    let beginning = world.ledger.beginning.lock().unwrap().clone().unwrap();
    let shown = world.ledger.stored.lock().unwrap().preview.clone().unwrap();
    assert_eq!(beginning.preview, Some(shown.digest));
    assert_eq!(beginning.record(NONCE, None).preview, Some(shown.digest));
}

#[tokio::test]
async fn a_call_that_would_do_otherwise_than_people_were_shown_does_not_begin() {
    let world = world(Behaviour::Complete).shown(foreseen("goodbye"));
    let found = drift(world.run().await);
    assert_eq!(found, Drift::Shown);
    assert!(found.renews(), "the request is sound, so people may look again");
    assert_eq!(world.log(), ["stored", "refuse"]);
}

#[tokio::test]
async fn what_nobody_could_be_shown_was_approved_without_and_runs() {
    let nothing = PreviewOutcome::Unavailable {
        reason: "The device did not answer.".to_owned(),
    };
    let world = world(Behaviour::Complete).shown(nothing);
    ended(world.run().await);
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn another_preview_than_the_one_that_the_authority_names_is_found_before_begin() {
    type Case = fn(&mut Stored);
    let changes: [Case; 2] = [
        |stored| stored.preview = None,
        |stored| {
            let mut preview: Preview = stored.preview.as_ref().unwrap().body().unwrap();
            preview.outcome = foreseen("goodbye");
            stored.preview = Some(Record::signed(&preview, &key()).unwrap());
        },
    ];
    for change in changes {
        let world = world(Behaviour::Complete)
            .shown(foreseen("hello"))
            .tampered(change);
        let found = drift(world.run().await);
        assert_eq!(found, Drift::Preview);
        assert!(
            !found.renews(),
            "stored bytes that were changed are not made again"
        );
        assert_eq!(world.runs(), 0);
    }
}
