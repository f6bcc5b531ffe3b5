//! Erasing what was written about a request that is over.

use countersign_domain::{Millis, bundle::Profile};
use serde_json::json;

use super::*;

/// Words that stand nowhere else.
pub(super) const WORDS: &str = "zimtschnecke";

impl World {
    pub(super) async fn task_of(&self, key: &str, title: &str) -> String {
        let propose = self.bare(Method::POST, "/api/assistant/propose").token(key);
        let propose = propose.tenant(self.acme).json(json!({
            "toolId": "assistant.create_task",
            "input": {"title": title, "description": format!("about {WORDS}")},
            "note": format!("a note on {WORDS}"),
        }));
        let proposed = propose.await;
        assert_eq!(proposed.status, 200, "{proposed:?}");
        let id = &proposed.body["proposalRecord"]["aiToolCallId"];
        id.as_str().unwrap().to_owned()
    }

    fn erase(&self, who: &Person, id: &str) -> Call {
        let reason = json!({"reason": "The person has asked for it."});
        self.post(who, &format!("/api/assistant/proposals/{id}/erase"), reason)
    }

    fn detail(&self, id: &str) -> Call {
        self.get(&self.ada, &format!("/api/assistant/proposals/{id}"))
    }

    pub(super) async fn done(&self, key: &str, title: &str) -> String {
        let id = self.task_of(key, title).await;
        let comment = format!("yes, {WORDS}");
        let approve = json!({"aiToolCallId": id, "comment": comment});
        assert_eq!(
            self.post(&self.ada, "/api/assistant/approve", approve)
                .await
                .status,
            200
        );
        let execute = json!({"aiToolCallId": id});
        let ran = self.post(&self.ada, "/api/assistant/execute", execute).await;
        assert_eq!(ran.text("status"), "completed", "{ran:?}");
        id
    }

    /// Files below the data folder in which the words stand, however long ago.
    pub(super) fn files_with(&self, words: &str) -> Vec<String> {
        // By another process: a file that is read past its library and closed takes the locks of this one's with it.
        let found = std::process::Command::new("grep")
            .args(["-rlaF", words])
            .arg(self.folder.path())
            .output()
            .unwrap();
        assert!(found.status.code().is_some_and(|code| code < 2), "{found:?}");
        let found = String::from_utf8(found.stdout).unwrap();
        found.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn what_was_written_is_in_no_file_any_more_and_the_journal_still_proves_what_happened() {
    let world = World::new().await;
    let (_, key) = world.agent("bookkeeper").await;
    let id = world.done(&key, &format!("Bake the {WORDS}")).await;
    let kept = world.done(&key, "Water the plants").await;
    let search = format!("/api/assistant/proposals?q={WORDS}");
    assert_eq!(world.get(&world.ada, &search).await.list("proposals").len(), 1);
    assert!(
        !world.files_with(WORDS).is_empty(),
        "the search of this test finds what is there"
    );
    let digest = world.detail(&id).await.text("digest").to_owned();

    // The other one is about the same: it goes as well.
    for id in [&id, &kept] {
        let erased = world.erase(&world.ada, id).await;
        assert_eq!(erased.status, 204, "{erased:?}");
    }
    assert_eq!(world.files_with(WORDS), Vec::<String>::new());
    assert_eq!(world.detail(&id).await.refusal(), (404, "not_found"));
    assert_eq!(world.get(&world.ada, &search).await.list("proposals").len(), 0);
    assert_eq!(world.get(&world.ada, "/api/tasks").await.list("tasks").len(), 0);
    assert_eq!(
        world.erase(&world.ada, &id).await.refusal(),
        (404, "not_found"),
        "once"
    );

    let report = world.auditor.examine(Profile::Full);
    assert_eq!(report.verdict, countersign_verify::Verdict::Whole, "{report}");
    // Of each the proposal, the approval with its comment and the receipt.
    assert_eq!((report.counts.erased, report.found.erased_unsaid), (6, 0));
    let journal = world.get(&world.ada, "/api/journal?limit=200").await;
    let headers = journal.list("entries");
    let entry = headers
        .iter()
        .find(|entry| entry["digest"] == json!(digest))
        .unwrap();
    assert!(
        entry.get("body").is_none(),
        "the header stays, without its body: {entry}"
    );

    let world = world.restarted(|_| {}).await;
    assert_eq!(world.detail(&id).await.refusal(), (404, "not_found"));
    world.done(&key, "and the tenant goes on").await;
}

#[tokio::test]
async fn of_two_who_erase_the_same_at_once_one_does() {
    let world = World::new().await;
    let (_, key) = world.agent("bookkeeper").await;
    let id = world.done(&key, "Bake").await;
    let calls = [world.erase(&world.ada, &id), world.erase(&world.ada, &id)];
    let [one, other] = calls.map(IntoFuture::into_future);
    let (one, other) = tokio::join!(one, other);
    let mut said = [one.status, other.status];
    said.sort_unstable();
    assert_eq!(said, [204, 404]);
}

#[tokio::test]
async fn only_owners_and_admins_erase_and_only_what_is_over() {
    let world = World::new().await;
    let (_, key) = world.agent("bookkeeper").await;
    let id = world.done(&key, "Bake").await;
    for role in ["member", "approver", "auditor"] {
        let person = world.join(role, role).await;
        let refused = world.erase(&person, &id).await;
        let expected = if role == "member" { 404 } else { 403 };
        assert_eq!(refused.status, expected, "{role}: {refused:?}");
    }
    let path = format!("/api/assistant/proposals/{id}/erase");
    let agent = world.bare(Method::POST, &path).token(&key).tenant(world.acme);
    assert_eq!(agent.json(json!({"reason": "mine"})).await.status, 403);
    for reason in ["", " ", "two\nlines", "a \u{202E}turn"] {
        let refused = world.post(&world.ada, &path, json!({"reason": reason})).await;
        assert_eq!(
            (refused.status, refused.text("field")),
            (400, "reason"),
            "{reason:?}"
        );
    }
    let open = world.task_of(&key, "Wait").await;
    let refused = world.erase(&world.ada, &open).await;
    assert_eq!(refused.refusal(), (409, "wrong_state"));
    assert_eq!(refused.text("currentStatus"), "proposed");
    world.pass(Millis::hours(73));
    assert_eq!(
        world.erase(&world.ada, &open).await.status,
        204,
        "its time is over"
    );
    let admin = world.join("bob", "admin").await;
    assert_eq!(world.erase(&admin, &id).await.status, 204);
}

#[tokio::test]
async fn that_it_was_denied_is_remembered_without_the_words() {
    let world = World::new().await;
    let (_, key) = world.agent("bookkeeper").await;
    let id = world.task_of(&key, "Pay the invoice").await;
    let no = json!({"aiToolCallId": id, "reason": format!("never for {WORDS}")});
    assert_eq!(
        world.post(&world.ada, "/api/assistant/reject", no).await.status,
        200
    );
    assert_eq!(world.erase(&world.ada, &id).await.status, 204);
    assert_eq!(world.files_with(WORDS), Vec::<String>::new());
    let again = world.task_of(&key, "Pay the invoice").await;
    let told = world.detail(&again).await.body["riskReasons"].to_string();
    assert!(told.contains("denied"), "{told}");
    assert!(!told.contains(WORDS), "{told}");
}

#[tokio::test]
async fn a_download_that_broke_off_before_an_erasure_does_not_go_on_after_it() {
    let world = World::new().await;
    let (_, key) = world.agent("bookkeeper").await;
    let id = world.done(&key, "Bake").await;
    let size = world.store().head().size;
    let path = format!("/api/journal/export?size={size}");
    let whole = world.sent(world.get(&world.ada, &path)).await;
    let tag = whole.headers()["etag"].clone();
    let go_on = async || {
        let call = world.get(&world.ada, &path).header("range", "bytes=100-");
        world.sent(call.header("if-range", tag.as_bytes())).await.status()
    };
    assert_eq!(go_on().await, 206);
    assert_eq!(world.erase(&world.ada, &id).await.status, 204);
    assert_eq!(go_on().await, 200, "it is another file: from its beginning");
}

#[tokio::test]
async fn whoever_proposed_it_hears_that_it_was_erased_and_nobody_else_who_sees_only_their_own() {
    let world = World::new().await;
    let (bob, cleo) = (
        world.join("bob", "member").await,
        world.join("cleo", "member").await,
    );
    let proposed = world
        .post(
            &bob,
            "/api/assistant/propose",
            json!({"text": "create task: Bake"}),
        )
        .await;
    let id = proposed.body["proposalRecord"]["aiToolCallId"].as_str().unwrap();
    world.pass(Millis::hours(73));
    assert_eq!(world.erase(&world.ada, id).await.status, 204);
    for (person, hears) in [(&bob, true), (&cleo, false), (&world.ada, true)] {
        let journal = world.get(person, "/api/journal?limit=200").await;
        let erase = journal
            .list("entries")
            .iter()
            .find(|entry| entry["kind"] == "erase");
        assert_eq!(erase.unwrap().get("body").is_some(), hears, "{journal:?}");
    }
}

#[tokio::test]
async fn what_a_process_that_ended_early_has_left_beside_the_file_is_gone_after_the_next_start() {
    let world = World::new().await;
    let (_, key) = world.agent("bookkeeper").await;
    let id = world.done(&key, "Bake").await;
    assert_eq!(world.erase(&world.ada, &id).await.status, 204);
    let store = world.store();
    store.forget_that_erasures_are_settled().await;
    let found = std::process::Command::new("find")
        .arg(world.folder.path())
        .args(["-name", "tenant.db"])
        .output()
        .unwrap();
    let file = String::from_utf8(found.stdout).unwrap();
    let left = std::path::Path::new(file.trim()).with_file_name("snapshot.zst");
    std::fs::write(&left, WORDS).unwrap();
    assert!(!world.files_with(WORDS).is_empty());
    drop(store);

    let world = world.restarted(|_| {}).await;
    world.store().settle_erasures().await.unwrap();
    assert_eq!(world.files_with(WORDS), Vec::<String>::new());
    // Somebody who reads the file just then keeps its log, and it is tried again.
    for _ in 0..100 {
        std::fs::write(&left, WORDS).unwrap();
        world.store().settle_erasures().await.unwrap();
        if left.exists() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("what is settled is looked at again and again");
}
