//! What the tenant's rules keep no longer.

use countersign_domain::{bundle::Profile, record::Assurance};
use serde_json::json;

use super::{erase::WORDS, *};

impl World {
    /// Two people want this table.
    async fn rule(&self, second: &Person, table: Value) {
        for who in [&self.ada, second] {
            let base = &self.get(who, "/api/rules").await.body["digest"];
            let wants = self.bare(Method::PUT, "/api/rules").token(&who.token);
            let wants = wants.tenant(self.acme);
            let put = wants.json(json!({"base": base, "table": table})).await;
            assert_eq!(put.status, 200, "{put:?}");
        }
        assert_eq!(self.get(&self.ada, "/api/rules").await.body["table"], table);
    }

    /// Days in which nobody does anything: their sessions end.
    async fn days_later(&mut self, days: i64) {
        self.pass(Millis::hours(24 * days));
        let token = self.server.open_session(self.ada.id).await.unwrap();
        self.ada.token = token.reveal().to_owned();
    }

    async fn erased(&self) -> usize {
        self.store().erase_outlived().await.unwrap()
    }

    async fn is_there(&self, id: &str) -> bool {
        let path = format!("/api/assistant/proposals/{id}");
        self.get(&self.ada, &path).await.status == 200
    }
}

#[tokio::test]
async fn what_is_over_is_kept_for_as_long_as_the_rules_say_then_erased_and_the_journal_still_proves_it() {
    let mut world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let (_, key) = world.agent("bookkeeper").await;
    let done = world.done(&key, "Bake").await;
    let open = world.task_of(&key, "Open for three days").await;
    let health = world.bare(Method::POST, "/api/assistant/propose").token(&key);
    let health = health
        .tenant(world.acme)
        .json(json!({"text": "system health"}))
        .await;
    let health = health.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .rule(
            &bob,
            json!([{"keep": 30, "quorum": 1, "tool": "assistant.create_task"}]),
        )
        .await;
    assert_eq!(world.erased().await, 0);

    world.days_later(30).await;
    world.pass(Millis(-1));
    assert_eq!(world.erased().await, 0, "the last millisecond is kept");
    world.pass(Millis(1));
    assert_eq!(world.erased().await, 1);
    assert!(!world.is_there(&done).await);
    assert!(world.is_there(&open).await, "it was over three days later");
    assert_eq!(world.erased().await, 0, "once");

    world.days_later(3).await;
    assert_eq!(world.erased().await, 1);
    assert!(!world.is_there(&open).await);
    assert!(world.is_there(&health).await, "no rule speaks of it");
    assert_eq!(world.files_with(WORDS), Vec::<String>::new());
    let report = world.auditor.examine(Profile::Full);
    assert_eq!(report.verdict, countersign_verify::Verdict::Whole, "{report}");
    assert_eq!(report.found.erased_unsaid, 0);
    assert!(report.counts.erased >= 4, "{report}");

    let world = world.restarted(|_| {}).await;
    assert!(world.is_there(&health).await && !world.is_there(&done).await);
}

#[tokio::test]
async fn more_than_are_erased_at_once_go_in_turns_the_oldest_first() {
    let mut world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let (_, key) = world.agent("bookkeeper").await;
    let mut all = Vec::new();
    for number in 0..=200 {
        all.push(world.task_of(&key, &format!("Number {number}")).await);
    }
    world.rule(&bob, json!([{"keep": 1, "quorum": 1}])).await;
    // Three days until they expire, and one in which they are kept.
    world.days_later(4).await;
    assert_eq!(world.erased().await, 200);
    assert!(!world.is_there(&all[0]).await && world.is_there(&all[200]).await);
    assert_eq!(world.erased().await, 1);
    assert!(!world.is_there(&all[200]).await);
    let report = world.auditor.examine(Profile::Full);
    assert_eq!(report.verdict, countersign_verify::Verdict::Whole, "{report}");
}

#[tokio::test]
async fn what_was_answered_late_is_kept_from_that_answer_on() {
    let mut world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let device = world.adas_device().await;
    let (_, key) = world.agent("bookkeeper").await;
    let id = world.done(&key, "Bake").await;
    world.rule(&bob, json!([{"keep": 30, "quorum": 1}])).await;
    world.days_later(10).await;
    let late = world.approval(&device, &world.ada, &id, Assurance::Device).await;
    let before = world.store().head().size;
    let answer = world.push(&world.ada, &late).await;
    assert_eq!(answer["effective"], json!(false), "{answer}");
    assert!(
        world.store().head().size > before,
        "it is journalled all the same"
    );
    world.days_later(29).await;
    assert_eq!(world.erased().await, 0);
    world.days_later(1).await;
    assert_eq!(world.erased().await, 1);
    let report = world.auditor.examine(Profile::Full);
    assert_eq!(report.verdict, countersign_verify::Verdict::Whole, "{report}");
}

#[tokio::test]
async fn keeping_for_less_long_waits_for_a_second_person_and_what_nobody_settled_is_kept() {
    let mut world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let (_, key) = world.agent("bookkeeper").await;
    let done = world.done(&key, "Bake").await;
    let table = json!([{"keep": 1, "quorum": 1}]);
    let wants = world.bare(Method::PUT, "/api/rules").token(&world.ada.token);
    let wants = wants.tenant(world.acme).json(json!({"table": table})).await;
    assert_eq!(wants.status, 200, "{wants:?}");
    world.days_later(2).await;
    assert_eq!(world.erased().await, 0, "one person's word");
    assert!(world.is_there(&done).await);

    let bob = Person {
        token: world
            .server
            .open_session(bob.id)
            .await
            .unwrap()
            .reveal()
            .to_owned(),
        ..bob
    };
    let open = world.task_of(&key, "Nobody has decided").await;
    let wants = world.bare(Method::PUT, "/api/rules").token(&bob.token);
    let wants = wants.tenant(world.acme).json(json!({"table": table})).await;
    assert_eq!(wants.status, 200, "{wants:?}");
    assert_eq!(world.erased().await, 1);
    assert!(!world.is_there(&done).await && world.is_there(&open).await);
}

#[tokio::test]
async fn a_table_that_keeps_nothing_or_longer_than_ten_years_is_refused() {
    let world = World::new().await;
    let put = async |days: Value| {
        let wants = world.bare(Method::PUT, "/api/rules").token(&world.ada.token);
        let table = json!({"table": [{"keep": days, "quorum": 1}]});
        wants.tenant(world.acme).json(table).await
    };
    for days in [0, 3_651] {
        let refused = put(json!(days)).await;
        assert_eq!(refused.refusal(), (400, "invalid_rules"), "{days}");
        assert_eq!(refused.text("field"), "table");
        assert!(refused.text("error").contains("one to 3650 days"), "{refused:?}");
    }
    for days in [json!(-1), json!("30"), json!(1.5)] {
        assert_eq!(put(days.clone()).await.status, 400, "{days}");
    }
}
