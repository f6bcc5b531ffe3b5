//! A call that went unanswered, and whose target knows it again by its key.

use super::*;

fn keyed(behaviour: Behaviour) -> World {
    world_of(EffectClass::Idempotent, behaviour, |_| {})
}

/// What the executor's own database has of a call that was interrupted behind its intent.
fn interrupted(world: &World, attempt: u8) -> Interrupted {
    let digest = world.leased.authority.digest();
    Interrupted {
        proposal: proposal_id(),
        proposal_digest: digest,
        executor: world.leased.executor,
        fence: world.leased.fence,
        effect: world.probe.manifest.effect,
        begun_at: NOW,
        intent: Some(Intent {
            at: NOW,
            attempt,
            fence: world.leased.fence,
            proposal: proposal_id(),
            proposal_digest: digest,
            reference: Some(proposal_id().to_string()),
        }),
    }
}

async fn settled(world: &World, attempt: u8) -> Result<Settled, ExecuteError> {
    let (interrupted, deadline) = (interrupted(world, attempt), world.leased.deadline);
    settle(
        interrupted,
        deadline,
        &world.ledger,
        &world.registry,
        &world.secrets,
    )
    .await
}

async fn receipt(world: &World) -> Completion {
    match settled(world, 1).await {
        Ok(Settled::Ended(completion)) => *completion,
        other => panic!("it did not end: {other:?}"),
    }
}

impl World {
    fn confirmed(mut self, confirmation: Confirmation) -> Self {
        self.ledger.confirmation = confirmation;
        self
    }

    /// By the tenant's clock it has begun so long ago.
    fn begun_before(self, spent: Millis) -> Self {
        let authority = self.leased.authority.clone();
        self.confirmed(Confirmation::Stands {
            authority,
            begun_at: NOW,
            now: NOW + spent,
        })
    }
}

#[tokio::test]
async fn what_went_unanswered_has_no_receipt_where_it_may_be_asked_again() {
    let world = keyed(Behaviour::HangAfter);
    assert_eq!(world.run().await.unwrap(), Executed::Unanswered);
    assert_eq!(world.log(), ["stored", "begin", "intend", "stored", "run"]);
    assert_eq!(
        ended(keyed(Behaviour::PanicAfter).run().await).outcome,
        Outcome::Unknown,
        "a tool that breaks off would break off again"
    );
}

#[tokio::test]
async fn it_is_asked_again_under_the_same_key_once_the_tenant_has_confirmed_the_fence() {
    let world = keyed(Behaviour::Complete);
    let completion = receipt(&world).await;
    assert_eq!(
        world.log(),
        ["confirm", "stored", "intend", "stored", "run", "complete"],
        "durable before it leaves, bytes checked on both sides"
    );
    assert_eq!((completion.outcome, completion.attempts), (Outcome::Completed, 2));
    assert_eq!(completion.reference, Some(proposal_id().to_string()));
    assert_eq!(completion.summary, "Done; it was asked 2 times under one key.");
    assert_eq!(
        completion.record(NONCE, None).attempts,
        Some(2),
        "the journal has it too"
    );
    assert_eq!(world.ledger.intent.lock().unwrap().as_ref().unwrap().attempt, 2);
}

#[tokio::test]
async fn a_no_to_the_second_request_says_nothing_of_the_first() {
    for behaviour in [Behaviour::Refuse, Behaviour::HangBefore, Behaviour::PanicAfter] {
        let completion = receipt(&keyed(behaviour)).await;
        let said = (completion.outcome, completion.dispatched, completion.attempts);
        assert_eq!(said, (Outcome::Unknown, true, 2), "{behaviour:?}");
        assert_eq!(completion.failure.unwrap().code, "asked_again");
    }
}

#[tokio::test]
async fn it_is_not_asked_again_without_everything_that_this_takes() {
    let over = Confirmation::Over {
        reason: "wrong_state".to_owned(),
    };
    let elsewhere = |stored: &mut Stored| {
        stored.connection = Some(connection(r#"{"host":"elsewhere.example"}"#));
    };
    let plain = || keyed(Behaviour::Complete);
    // 50 ms are the deadline, and the fake's clock goes on by one each time it is looked at.
    for (world, why) in [
        (plain().confirmed(over), "The tenant lets it be (wrong_state)."),
        (plain().begun_before(WINDOW), "may have forgotten its key"),
        (
            plain().begun_before(Millis(WINDOW.0 - 50)),
            "may have forgotten its key",
        ),
        (plain().begun_before(Millis(-1)), "may have forgotten its key"),
        (plain().tampered(elsewhere), "The connection has been removed"),
    ] {
        let completion = receipt(&world).await;
        assert_eq!(world.runs(), 0, "{why}");
        assert_eq!((completion.outcome, completion.attempts), (Outcome::Unknown, 1));
        assert!(completion.summary.contains(why), "{}", completion.summary);
    }
    assert_eq!(
        receipt(&plain().begun_before(Millis(WINDOW.0 - 51)))
            .await
            .attempts,
        2
    );

    let own_clock = plain();
    own_clock
        .ledger
        .clock
        .store(NOW.0 + WINDOW.0 - 50, Ordering::SeqCst);
    assert_eq!(receipt(&own_clock).await.attempts, 1, "by this computer's clock");
}

#[tokio::test]
async fn bytes_that_change_under_the_second_intent_stop_it() {
    let mut world = keyed(Behaviour::Complete);
    let mut changed = world.ledger.stored.lock().unwrap().clone();
    changed.connection = None;
    world.ledger.after_intent = Some(changed);
    let completion = receipt(&world).await;
    assert_eq!((world.runs(), completion.outcome), (0, Outcome::Unknown));
}

#[tokio::test]
async fn under_a_stop_it_waits() {
    let world = keyed(Behaviour::Complete).confirmed(Confirmation::Stopped);
    assert_eq!(settled(&world, 1).await.unwrap(), Settled::Waits);
    assert_eq!(world.log(), ["confirm"]);
}

#[tokio::test]
async fn it_is_asked_three_times_at_most() {
    let silent = || keyed(Behaviour::HangAfter);
    assert_eq!(settled(&silent(), 1).await.unwrap(), Settled::Waits);
    let last = silent();
    match settled(&last, 2).await {
        Ok(Settled::Ended(completion)) => {
            assert_eq!((completion.outcome, completion.attempts), (Outcome::Unknown, 3));
        }
        other => panic!("{other:?}"),
    }
    let over = silent();
    match settled(&over, 3).await {
        Ok(Settled::Ended(completion)) => {
            assert_eq!((completion.outcome, completion.attempts), (Outcome::Unknown, 3));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(over.log(), ["complete"], "nobody is asked any more");
}

#[tokio::test]
async fn what_cannot_be_asked_or_stored_leaves_it_as_it_is() {
    for fails in [Fails::AtConfirm, Fails::AtStored, Fails::AtIntend] {
        let world = keyed(Behaviour::Complete).failing(fails);
        assert!(settled(&world, 1).await.is_err(), "{fails:?}");
        let done = (world.runs(), world.ledger.completion.lock().unwrap().is_some());
        assert_eq!(done, (0, false), "{fails:?}");
    }
    let mut locked = keyed(Behaviour::Complete);
    locked.secrets = Vault(Err("locked"));
    assert!(matches!(settled(&locked, 1).await, Err(ExecuteError::Secret(_))));
    assert_eq!(locked.log(), ["confirm", "stored"]);
}

#[tokio::test]
async fn no_other_class_of_effect_is_asked_again() {
    for effect in [EffectClass::Opaque, EffectClass::Checkable, EffectClass::Read] {
        let world = world_of(effect, Behaviour::Complete, |_| {});
        let completion = receipt(&world).await;
        assert_eq!((world.runs(), completion.attempts), (0, 1), "{effect:?}");
        assert_eq!(world.log(), ["complete"], "{effect:?}");
    }
}
