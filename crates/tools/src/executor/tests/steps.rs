//! The order of the steps, and what follows when one of them fails.

use super::*;

#[tokio::test]
async fn the_steps_come_in_the_one_order_and_the_tool_runs_once() {
    let world = world(Behaviour::Complete);
    let completion = ended(world.run().await);
    assert_eq!(
        world.log(),
        ["stored", "begin", "intend", "stored", "run", "complete"],
        "durable intent before the call, bytes checked on both sides of begin"
    );
    assert_eq!(completion.outcome, Outcome::Completed);
    assert_eq!(completion.fence, 4);
    assert_eq!(
        completion.reference,
        Some(proposal_id().to_string()),
        "the key written in the intent"
    );
    let named = ended(
        world_of(
            EffectClass::Opaque,
            Behaviour::CompleteUnder("<their key>"),
            |_| {},
        )
        .run()
        .await,
    );
    assert_eq!(
        named.reference.as_deref(),
        Some("<their key>"),
        "or the one that the tool found out"
    );
    assert_eq!(world.runs(), 1);
    assert!(completion.started_at < completion.finished_at);
}

#[tokio::test]
async fn a_local_tool_is_begun_ended_and_applied_in_one_step() {
    let world = world_of(EffectClass::Local, Behaviour::Complete, |_| {});
    assert_eq!(ended(world.run().await).outcome, Outcome::Completed);
    assert_eq!(
        world.log(),
        ["stored", "run", "apply_local"],
        "no begin without its receipt"
    );
}

#[tokio::test]
async fn a_local_tool_whose_begin_is_refused_has_no_effect() {
    let world = world_of(EffectClass::Local, Behaviour::Complete, |_| {}).failing(Fails::BeginRefused);
    assert_eq!(
        world.run().await.unwrap(),
        Executed::NotBegun {
            reason: "withdrawn".into()
        }
    );
    assert!(
        world.ledger.completion.lock().unwrap().is_none(),
        "nothing was applied"
    );
}

#[tokio::test]
async fn nothing_runs_when_a_step_before_the_intent_fails() {
    for fails in [Fails::AtStored, Fails::AtBegin, Fails::BeginRefused] {
        let world = world(Behaviour::Complete).failing(fails);
        let executed = world.run().await;
        assert_eq!(world.runs(), 0, "{fails:?}");
        assert!(
            !matches!(executed, Ok(Executed::Ended(_))),
            "{fails:?} has no receipt to give"
        );
    }
}

#[tokio::test]
async fn an_intent_that_cannot_be_stored_is_failed_and_not_dispatched() {
    for fails in [Fails::AtIntend, Fails::AtSecondStored] {
        let world = world(Behaviour::Complete).failing(fails);
        let completion = ended(world.run().await);
        assert_eq!(world.runs(), 0, "{fails:?}");
        assert_eq!(
            (completion.outcome, completion.dispatched),
            (Outcome::Failed, false),
            "{fails:?}"
        );
        assert_eq!(completion.failure.unwrap().code, "not_dispatched");
    }
}

#[tokio::test]
async fn a_receipt_that_cannot_be_stored_comes_back_and_the_call_is_not_repeated() {
    let world = world(Behaviour::Complete).failing(Fails::AtComplete);
    match world.run().await {
        Err(ExecuteError::Complete(completion, _)) => assert_eq!(completion.outcome, Outcome::Completed),
        other => panic!("the receipt was lost: {other:?}"),
    }
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_locked_or_empty_keychain_leaves_the_proposal_pending() {
    let mut locked = world(Behaviour::Complete);
    locked.secrets = Vault(Err("locked"));
    assert!(matches!(locked.run().await, Err(ExecuteError::Secret(_))));
    assert_eq!(locked.log(), ["stored"], "nothing has begun");
    let mut empty = world(Behaviour::Complete);
    empty.secrets = Vault(Ok(None));
    assert!(matches!(empty.run().await, Err(ExecuteError::NoSecret(_))));
    assert_eq!(empty.log(), ["stored"], "nothing has begun");
}
