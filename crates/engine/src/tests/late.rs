//! What was decided here and came too late: each way that something else came first is told, and until it was seen.

use std::collections::BTreeMap;

use countersign_domain::{Digest, Millis, id::ProposalId, record::Mode};
use countersign_server::clock::Clock as _;
use rusqlite::Transaction;
use serde_json::json;

use super::world::{Device, World, eventually};
use crate::{
    Refused,
    store::{Seen, account},
};

impl Device {
    async fn refused(&self) -> BTreeMap<ProposalId, Refused> {
        let home = self.engine.app_state().await.unwrap().home.unwrap();
        home.refused.into_iter().map(|one| (one.id, one)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_came_before_a_decision_is_told_apart_and_with_its_time_until_it_was_seen() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "Bob").await;
    world.vouch(&ada, &bob).await;
    for clock in [&ada.fakes.clock, &bob.fakes.clock] {
        clock.stand_still();
    }
    world.clock.stand_still();

    let ran = world.propose_task("ran").await;
    let ran_anyhow = world.propose_task("ran all the same").await;
    let rejected = world.propose_task("rejected").await;
    let replaced = world.propose_task("replaced").await;
    let withdrawn = world.propose_task("withdrawn").await;
    let soon = world.clock.now() + Millis::seconds(120);
    let expires = json!({"text": "create task: expired", "expiresAt": soon});
    let expired = world.propose(expires).await;
    let counts = world.propose_task("counts").await;
    bob.card(counts).await;
    bob.offline().await;
    for id in [ran, rejected, replaced, withdrawn, expired, counts] {
        bob.approve(id).await;
    }
    bob.reject(ran_anyhow, "No").await;
    bob.fakes.clock.advance(Millis::seconds(6));
    bob.says(ran_anyhow, "Saved on this device").await;
    eventually("the rejection is signed", async || {
        !bob.card(ran_anyhow).await.can_undo
    })
    .await;

    for id in [ran, ran_anyhow] {
        ada.approve(id).await;
        ada.says(id, "Done").await;
    }
    ada.reject(rejected, "No").await;
    ada.fakes.clock.advance(Millis::seconds(6));
    ada.engine.refresh();
    ada.says(rejected, "Rejected by you").await;
    world
        .propose(json!({"text": "create task: instead", "supersedes": replaced}))
        .await;
    world
        .call(&format!("proposals/{withdrawn}/withdraw"), json!({}))
        .await;
    world.clock.advance(Millis::seconds(130));
    bob.fakes.clock.advance(Millis::seconds(130));
    assert!(bob.refused().await.is_empty(), "nobody has answered yet");

    bob.engine.cut_off(false);
    bob.says(counts, "Done").await;
    let told = [
        (ran, "it had begun to run already. Done "),
        (ran_anyhow, "it had begun to run already. Done "),
        (rejected, "it was decided already. Rejected by Ada "),
        (replaced, "another proposal has taken its place. "),
        (
            withdrawn,
            "its proposer took it back. Taken back by its proposer ",
        ),
        (expired, "it had expired when the decision arrived. Expired "),
    ];
    eventually("six are refused", async || {
        bob.refused().await.len() == told.len()
    })
    .await;
    // The journal speaks for them, and what was refused is told all the same, also by the next start.
    bob.says(ran_anyhow, "Done").await;
    let bob = bob.crash(false).await;
    let refused = bob.refused().await;
    for (id, why) in told {
        let words = &refused[&id].state.words;
        let begins = format!("Your decision does not count: {why}");
        assert!(words.starts_with(&begins), "{words}");
        let time = words.trim_end_matches('.').rsplit(' ').next().unwrap();
        assert!(
            time.len() == 5 && time.as_bytes()[2] == b':',
            "with its time: {words}"
        );
    }
    assert_eq!(refused[&withdrawn].sentence, "Create the task “withdrawn”");

    bob.engine.saw_refused(ran).await.unwrap();
    assert!(!bob.refused().await.contains_key(&ran));
    assert_eq!(bob.refused().await.len(), told.len() - 1, "and the others stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_decides_anew_has_seen_that_it_did_not_count() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "Bob").await;
    world.vouch(&ada, &bob).await;
    let task = world.propose_task("Book a room").await;
    bob.card(task).await;
    bob.offline().await;
    // As if the tenant had once shown this device another history: a decision names what was seen.
    let seat = bob.engine.seat().unwrap();
    let id = seat.account.id;
    let seen = seat.store.read(move |db| account::seen(db, id)).await.unwrap();
    let seen = seen.unwrap();
    let set = async |seen: Seen| {
        let set = move |tx: &Transaction<'_>| account::set_seen(tx, id, &seen);
        seat.store.write(set).await.unwrap();
    };
    set(Seen {
        root: Digest::of(b"another history"),
        ..seen.clone()
    })
    .await;
    bob.approve(task).await;
    set(seen).await;
    bob.engine.cut_off(false);
    eventually("it is refused", async || bob.refused().await.len() == 1).await;
    let words = &bob.refused().await[&task].state.words;
    assert_eq!(
        words,
        "Your decision does not count: the device has verified another history of the journal than the tenant's."
    );
    bob.approve(task).await;
    assert!(bob.refused().await.is_empty());
    bob.says(task, "Done").await;
}
